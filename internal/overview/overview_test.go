package overview_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/overview"
)

// fake counts how often it is asked.
type fake struct {
	mu     sync.Mutex
	asked  int
	fails  error
	counts []overview.Count
	sums   []overview.Sum
}

func (f *fake) Counts(context.Context, calendar.Day, calendar.Day) ([]overview.Count, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.counts, f.fails
}

func (f *fake) Sums(context.Context, calendar.Day, calendar.Day) ([]overview.Sum, error) {
	return f.sums, nil
}

func (f *fake) Attention(context.Context, time.Time) (overview.Attention, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return overview.Attention{FailedJobs: int64(f.asked)}, f.fails
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestOverview(t *testing.T) {
	today := calendar.On(noon)
	f := &fake{
		counts: []overview.Count{
			{overview.Users, overview.Day{today, 2}},
			{overview.Users, overview.Day{today - 2, 3}},
			{overview.Users, overview.Day{today - 3, 4}},
			{overview.Users, overview.Day{today - 5, 5}},
			{overview.Entries, overview.Day{today - 1, 7}},
		},
		sums: []overview.Sum{
			{"EUR", overview.DayMoney{today - 2, 1, 5_00}},
			{"RON", overview.DayMoney{today - 1, 2, 7_00}},
			{"RON", overview.DayMoney{today, 4, -1_00}},
		},
	}
	s := overview.NewService(f, func() time.Time { return noon })
	o, err := s.Overview(t.Context(), 3)
	if err != nil || o.From != today-2 || o.To != today || !o.At.Equal(noon) {
		t.Fatalf("Overview = %+v, %v", o, err)
	}
	if u := o.Users; u.Name != "users" || u.Total != 5 || u.Before != 9 || len(u.Days) != 3 || u.Days[0] != (overview.Day{today - 2, 3}) || u.Days[1] != (overview.Day{today - 1, 0}) || u.Days[2].N != 2 {
		t.Errorf("users = %+v", u)
	}
	if o.Entries.Total != 7 || o.Entries.Before != 0 || o.Posts.Total != 0 || len(o.Posts.Days) != 3 {
		t.Errorf("entries = %+v, posts = %+v", o.Entries, o.Posts)
	}
	if len(o.Earnings) != 2 || o.Earnings[0].Currency != "RON" || o.Earnings[0].Entries != 6 || o.Earnings[0].Earnings != 6_00 || len(o.Earnings[0].Days) != 3 || o.Earnings[0].Days[2].Earnings != -1_00 {
		t.Errorf("earnings = %+v", o.Earnings)
	}
	for _, days := range []int{-1, 0, 367} {
		if _, err := s.Overview(t.Context(), days); !errors.Is(err, fault.Invalid) {
			t.Errorf("Overview of %d days = %v, want %v", days, err, fault.Invalid)
		}
	}
}

// However many look, the database is asked once a minute; what failed is asked
// again.
func TestAttention_Kept(t *testing.T) {
	f, now := &fake{}, noon
	s := overview.NewService(f, func() time.Time { return now })
	f.fails = errors.New("down")
	if _, err := s.Attention(t.Context()); !errors.Is(err, f.fails) {
		t.Errorf("Attention = %v, want %v", err, f.fails)
	}
	f.fails = nil
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a, err := s.Attention(t.Context()); err != nil || a.FailedJobs != 2 || !a.At.Equal(noon) {
				t.Errorf("Attention = %+v, %v", a, err)
			}
		})
	}
	all.Wait()
	now = noon.Add(time.Minute)
	if a, err := s.Attention(t.Context()); err != nil || a.FailedJobs != 3 {
		t.Errorf("Attention a minute later = %+v, %v", a, err)
	}
}
