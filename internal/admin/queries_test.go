package admin_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// counter counts statements.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Statements that are sent together count one by one.
func (*counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (c *counter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) { c.n.Add(1) }

func (*counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// handful is the most statements that a page may take, whatever it shows: two or
// three of them tell who is asking.
const handful = 12

// No page takes a query a row: with twice as much to show it takes as many.
func TestQueries(t *testing.T) {
	var c counter
	s, err := store.Open(t.Context(), store.Options{URL: storetest.PostgresURL(t, true), MaxConns: 4, JobConns: 2, Tracer: &c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	queue, err := jobs.NewQueue(jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()})
	if err != nil {
		t.Fatal(err)
	}
	s.SetQueue(queue)
	w := newWorld(t, s)
	dan := w.driver("Dan Driver")
	fill := func(n int) {
		for i := range n {
			p := w.post(dan, func(d *listing.Details) { d.Model = "Logan " + itoa(int64(i)) })
			w.entry(dan, calendar.On(w.clock.now())-calendar.Day(i))
			w.document(dan, "RCA")
			if err := w.listings.Report(t.Context(), w.driver("Reader "+itoa(int64(n*100+i))), p.ID, "spam", "", nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(3)
	pages := []string{"", "users/?q=dan", "posts/?o=owner.-price&f.owner=" + itoa(dan.ID), "me/", "posts/export.csv", "users/suggest/?q=dan", "users/add/", "posts/1/history/", "users/2/delete/"}
	for _, r := range resources {
		pages = append(pages, r.name+"/")
	}
	pages = append(pages, "users/2/", "posts/1/", "entries/1/", "documents/1/", "settings/2/")
	count := func() map[string]int64 {
		took := map[string]int64{}
		for _, p := range pages {
			before := c.n.Load()
			w.root.get(p).want(http.StatusOK)
			took[p] = c.n.Load() - before
		}
		return took
	}
	few := count()
	fill(20)
	for p, n := range count() {
		if n > few[p] {
			t.Errorf("%s takes %d statements with few rows, and %d with many", p, few[p], n)
		}
		t.Logf("%-50s %d", p, n)
		if n > handful || n == 0 {
			t.Errorf("%s takes %d statements", p, n)
		}
	}
}
