package overview

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
)

// Store is what Service needs from the database.
type Store interface {
	// Counts are what was made in the days from one to another, both included.
	Counts(ctx context.Context, from, to calendar.Day) ([]Count, error)
	// Sums are what the entries made in these days add up to.
	Sums(ctx context.Context, from, to calendar.Day) ([]Sum, error)
	// Attention counts what needs somebody at a moment.
	Attention(ctx context.Context, at time.Time) (Attention, error)
}

// keepFor is how long an answer is good for: however many operators look, the
// database is asked once.
const keepFor = time.Minute

// Service answers operators. What it gives is shared: nobody may change it.
type Service struct {
	store     Store
	now       func() time.Time
	overviews kept[int, Overview] // by days
	attention kept[struct{}, Attention]
}

// NewService returns a Service on the store.
func NewService(store Store, now func() time.Time) *Service {
	return &Service{
		store: store, now: func() time.Time { return now().UTC().Truncate(time.Microsecond) },
		overviews: newKept[int, Overview](), attention: newKept[struct{}, Attention](),
	}
}

// Overview is what was made in the last days, today included, in UTC. It may be a
// minute old.
func (s *Service) Overview(ctx context.Context, days int) (Overview, error) {
	if days < 1 || days > MaxDays {
		return Overview{}, ErrDays
	}
	return s.overviews.get(ctx, days, s.now, func(at time.Time) (Overview, error) { return s.look(ctx, days, at) })
}

func (s *Service) look(ctx context.Context, days int, at time.Time) (Overview, error) {
	to := calendar.On(at)
	from := to - calendar.Day(days) + 1
	counts, err := s.store.Counts(ctx, from-calendar.Day(days), to)
	if err != nil {
		return Overview{}, err
	}
	sums, err := s.store.Sums(ctx, from, to)
	if err != nil {
		return Overview{}, err
	}
	return Overview{
		From: from, To: to, At: at,
		Users: series(Users, counts, from, to), Posts: series(Posts, counts, from, to),
		Entries: series(Entries, counts, from, to), Uploads: series(Uploads, counts, from, to),
		Earnings: money(sums, from, to),
	}, nil
}

// money spreads sums over every day of the period, by currency.
func money(sums []Sum, from, to calendar.Day) []Money {
	index := map[string]int{}
	var list []Money
	for _, sum := range sums {
		i, ok := index[sum.Currency]
		if !ok {
			i = len(list)
			index[sum.Currency] = i
			m := Money{Currency: sum.Currency, Days: make([]DayMoney, 0, to-from+1)}
			for d := from; d <= to; d++ {
				m.Days = append(m.Days, DayMoney{Day: d})
			}
			list = append(list, m)
		}
		m := &list[i]
		m.Entries += sum.Entries
		m.Earnings += sum.Earnings
		m.Days[sum.Day-from].Entries += sum.Entries
		m.Days[sum.Day-from].Earnings += sum.Earnings
	}
	slices.SortFunc(list, func(a, b Money) int {
		return cmp.Or(cmp.Compare(b.Entries, a.Entries), cmp.Compare(a.Currency, b.Currency))
	})
	return list
}

// Attention is what needs somebody. It may be a minute old.
func (s *Service) Attention(ctx context.Context) (Attention, error) {
	return s.attention.get(ctx, struct{}{}, s.now, func(at time.Time) (Attention, error) {
		a, err := s.store.Attention(ctx, at)
		a.At = at
		return a, err
	})
}

// kept remembers answers for a while. One asks at a time: whoever comes meanwhile
// waits for that answer.
type kept[K comparable, V any] struct {
	turn    chan struct{} // holds one value while somebody asks
	answers map[K]answer[V]
}

type answer[V any] struct {
	value V
	at    time.Time
}

func newKept[K comparable, V any]() kept[K, V] {
	return kept[K, V]{turn: make(chan struct{}, 1), answers: map[K]answer[V]{}}
}

func (k *kept[K, V]) get(ctx context.Context, key K, now func() time.Time, ask func(at time.Time) (V, error)) (V, error) {
	var none V
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { <-k.turn }()
	at := now()
	if a, ok := k.answers[key]; ok && at.Sub(a.at) < keepFor && !at.Before(a.at) {
		return a.value, nil
	}
	v, err := ask(at)
	if err != nil {
		return none, err
	}
	k.answers[key] = answer[V]{v, at}
	return v, nil
}
