package store_test

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// alter changes an entry in one of several ways, by its number.
func alter(i int, e *earnings.Entry) {
	switch i % 5 {
	case 0:
		e.Items = []earnings.ExpenseItem{{Category: "wash", Amount: fixed.Amount(i)}, {Category: "fuel", Amount: 1, Note: "a \"quote\", {"}}
	case 1:
		e.Items, e.Tips = nil, 1
	case 2:
		e.Hours, e.Trips, e.CommissionGiven, e.LegacyEarnings = new(fixed.Amount(9_50)), new(i), true, new(fixed.Amount(i))
	case 3:
		e.Platform, e.Note, e.Date, e.Currency = "Şofer & co", "two\nlines", e.Date+1, "EUR"
	default:
		e.Expenses, e.Earnings, e.Tips = -3, fixed.Amount(-i), 5
	}
	e.Revision++
	e.UpdatedAt = noon.Add(time.Hour)
}

// Entries that a file changes are written many a statement. Each is as it would be
// alone, its items and its history as well.
func TestMergeEntries_Batches_D2(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const n = 1000
		by := actor(newUser(t, s, "ana@example.com").ID)
		list := func() (all []earnings.Entry) {
			must(t, s.EachEntry(t.Context(), by.ID, earnings.Filter{}, func(e earnings.Entry) error {
				all = append(all, e)
				return nil
			}))
			return all
		}
		entries := manyEntries(by.ID, n)
		for i := range entries {
			entries[i].ImportHash = new(fmt.Sprint(i))
		}
		_, _, err := s.CreateEntries(t.Context(), by, entries)
		must(t, err)
		_, _, err = s.CreateEntries(t.Context(), by, entries[:20]) // the same once more, to be changed alone
		must(t, err)
		was := list()
		twin := map[string]int64{} // by note, of those that are changed alone
		want := map[int64]earnings.Entry{}
		var loaded, changed []earnings.Entry
		for i := len(was) - 1; i >= 0; i-- {
			e := was[i]
			note := e.Note
			var number int
			_, err := fmt.Sscanf(note, "line %d", &number)
			must(t, err)
			if e.ID > n {
				got, err := s.UpdateEntry(t.Context(), by, by.ID, e.ID, func(e *earnings.Entry) error {
					alter(number, e)
					e.Revision-- // the store counts
					return nil
				})
				must(t, err)
				twin[note], want[e.ID] = e.ID, got
				continue
			}
			loaded = append(loaded, e)
			alter(number, &e)
			changed, want[e.ID] = append(changed, e), e
		}
		must(t, s.MergeEntries(t.Context(), by, earnings.Merge{Decide: func([]earnings.Entry, func() ([]earnings.Entry, map[int64]string, error)) (_, _, _ []earnings.Entry, _ error) {
			return nil, loaded, changed, nil
		}}))
		for _, e := range list() {
			if !reflect.DeepEqual(e, want[e.ID]) {
				t.Errorf("entry %d is %+v, want %+v", e.ID, e, want[e.ID])
			}
		}
		if kept := count(t, s, `SELECT count(*) FROM entry WHERE import_hash IS NOT NULL`); kept != n+20 {
			t.Errorf("%d entries know the row that they came from, want %d", kept, n+20)
		}
		for _, e := range loaded {
			h := history(t, s, "calculator_entry", e.ID)
			if len(h) != 2 {
				t.Fatalf("the history of entry %d is %+v", e.ID, h)
			}
			if id, ok := twin[e.Note]; ok {
				like := history(t, s, "calculator_entry", id)[1]
				like.ID, like.ObjectID = h[1].ID, h[1].ObjectID
				if !reflect.DeepEqual(h[1], like) {
					t.Errorf("the history of entry %d is %+v, alone it is %+v", e.ID, h[1], like)
				}
			}
		}
	})
}

// statements counts those that PostgreSQL is sent.
type statements struct{ n atomic.Int64 }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.n.Add(1)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// An import holds its lock for a few statements, not for one an entry.
func TestMergeEntries_Statements(t *testing.T) {
	storetest.SkipUnless(t, "postgres")
	var counter statements
	s, err := store.Open(t.Context(), store.Options{URL: storetest.PostgresURL(t, true), MaxConns: 4, JobConns: 2, Tracer: &counter})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	u, err := s.CreateUser(t.Context(), account.Actor{Source: account.SourceAPI}, account.User{
		Name: "Ana", Email: "ana@example.com", PasswordHash: "x", Active: true, CreatedAt: noon, UpdatedAt: noon, Version: 1,
	}, account.DefaultSettings(), nil)
	must(t, err)
	const n = 1000
	_, _, err = s.CreateEntries(t.Context(), actor(u.ID), manyEntries(u.ID, n))
	must(t, err)
	var rows []earnings.Row
	must(t, s.EachEntry(t.Context(), u.ID, earnings.Filter{}, func(e earnings.Entry) error {
		rows = append(rows, earnings.Row{ID: e.ID, Change: func(d *earnings.Details) fault.Fields {
			d.Tips, d.Items, d.ItemsChanged = 5, []earnings.ExpenseItem{{Category: "wash", Amount: 7}}, true
			return nil
		}})
		return nil
	}))
	before := counter.n.Load()
	m, _, err := earnings.NewService(s, s, func() time.Time { return noon }).Import(t.Context(), actor(u.ID), rows)
	if took := counter.n.Load() - before; err != nil || m.Changed != n || took > 40 {
		t.Errorf("%+v, %v, in %d statements, want at most 40", m, err, took)
	}
}

// BenchmarkImport measures an import that changes each of 20,000 entries, while
// which SQLite has no room for another writer.
func BenchmarkImport(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": storetest.New, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			storetest.SkipUnless(b, name)
			const n = 20_000
			s := open(b)
			by := actor(newUser(b, s, "ana@example.com").ID)
			entries := manyEntries(by.ID, n)
			for i := range entries {
				entries[i].Items = nil
			}
			_, _, err := s.CreateEntries(b.Context(), by, entries)
			must(b, err)
			books := earnings.NewService(s, s, func() time.Time { return noon })
			rows := make([]earnings.Row, 0, n)
			turn := fixed.Amount(0)
			must(b, s.EachEntry(b.Context(), by.ID, earnings.Filter{}, func(e earnings.Entry) error {
				rows = append(rows, earnings.Row{ID: e.ID, Change: func(d *earnings.Details) fault.Fields {
					d.Tips = turn
					return nil
				}})
				return nil
			}))
			for b.Loop() {
				turn++
				m, _, err := books.Import(b.Context(), by, rows)
				must(b, err)
				if m.Changed != n {
					b.Fatalf("%+v", m)
				}
			}
		})
	}
}
