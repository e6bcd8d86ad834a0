package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/seed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
	"github.com/ridecopilot/ridecopilot/internal/table"
)

var looked = []string{"users", "settings", "posts", "uploads", "reports", "entries", "documents", "sessions", "groups", "mails", "history", "jobs"}

func seeded(t *testing.T, s *store.Store, posts, entries int) *store.Tables {
	t.Helper()
	if _, err := seed.Run(context.Background(), s, seed.Options{Drivers: 5, Posts: posts, Entries: entries, RandomSeed: 1, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return store.NewTables(s)
}

// Every column of every table can be read, asked for and sorted by as it says, on
// both engines.
func TestTables_EveryColumn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		tables := seeded(t, s, 20, 50)
		for _, name := range looked {
			cols, err := tables.Columns(name)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, c := range cols {
				if !c.Ask || c.Sort { // the others are only asked for
					all = append(all, c.Name)
				}
			}
			if _, err := tables.Rows(t.Context(), table.Query{Table: name, Columns: all, Search: "ion 7", Limit: 5}); err != nil {
				t.Errorf("%s: search: %v", name, err)
			}
			if _, err := tables.Related(t.Context(), name, []int64{1, 2}); err != nil {
				t.Errorf("%s: related: %v", name, err)
			}
			if err := tables.Each(t.Context(), table.Query{Table: name, Columns: all}, func(table.Row) error { return nil }); err != nil {
				t.Errorf("%s: each: %v", name, err)
			}
			for _, c := range cols {
				t.Run(name+"."+c.Name, func(t *testing.T) { everyWay(t, tables, name, c) })
			}
		}
	})
}

func everyWay(t *testing.T, tables *store.Tables, name string, c table.Column) {
	ask := func(op table.Op, values ...string) {
		t.Helper()
		q := table.Query{Table: name, Where: []table.Cond{{Column: c.Name, Op: op, Values: values}}, Limit: 3}
		rows, err := tables.Rows(t.Context(), q)
		if err != nil {
			t.Fatalf("%s %v: %v", op, values, err)
		}
		n, err := tables.Count(t.Context(), q, 2)
		if err != nil {
			t.Fatalf("count: %v", err)
		}
		if int64(min(len(rows), 2)) != n.N {
			t.Errorf("%s %v: %d rows, counted %+v", op, values, len(rows), n)
		}
	}
	if c.Sort {
		for _, desc := range []bool{true, false} {
			if _, err := tables.Rows(t.Context(), table.Query{Table: name, Columns: []string{c.Name}, Order: []table.Order{{Column: c.Name, Desc: desc}}, Limit: 3}); err != nil {
				t.Fatalf("sort: %v", err)
			}
		}
	}
	if !c.Ask {
		return
	}
	switch c.Kind {
	case table.Text, table.Choice:
		ask(table.Is, "x", "y")
		ask(table.Is, "")
	case table.Bool:
		ask(table.Is, "true")
		ask(table.Is, "false")
	case table.Number, table.Link:
		ask(table.Is, "1", "2")
	case table.Money:
		ask(table.From, "-1.5")
		ask(table.To, "100")
	case table.Time, table.Day:
		ask(table.From, "2020-02-29")
		ask(table.To, "2030-01-01")
		ask(table.Is, "2025-01-01")
		if _, _, err := tables.Span(t.Context(), name, c.Name); err != nil {
			t.Fatalf("span: %v", err)
		}
	}
	if c.Sort {
		ask(table.Set, "true")
		ask(table.Set, "false")
	}
	if c.Kind == table.Choice || c.Kind == table.Bool {
		facets, err := tables.Facets(t.Context(), table.Query{Table: name}, []string{c.Name})
		if err != nil {
			t.Fatalf("facets: %v", err)
		}
		// The same beside a condition on itself, and on another column.
		also := table.Query{Table: name, Where: []table.Cond{{Column: c.Name, Op: table.Is, Values: []string{"true"}}}}
		if name != "settings" {
			also.Where = append(also.Where, table.Cond{Column: "id", Op: table.From, Values: []string{"0"}})
		}
		beside, err := tables.Facets(t.Context(), also, []string{c.Name})
		if err != nil || len(beside[c.Name]) != len(facets[c.Name]) {
			t.Errorf("beside a condition: %v, want %v (%v)", beside, facets, err)
		}
		for _, f := range facets[c.Name] {
			n, err := tables.Count(t.Context(), table.Query{Table: name, Where: []table.Cond{{Column: c.Name, Op: table.Is, Values: []string{f.Value}}}}, 0)
			if err != nil || n.N != f.N {
				t.Errorf("facet %q has %d rows, the condition finds %+v (%v)", f.Value, f.N, n, err)
			}
		}
	}
}

// What cannot be asked is the fault of the one who asks.
func TestTables_Refused_B8(t *testing.T) {
	tables := store.NewTables(storetest.New(t))
	where := func(column string, op table.Op, value string) []table.Cond {
		return []table.Cond{{Column: column, Op: op, Values: []string{value}}}
	}
	for _, q := range []table.Query{
		{Table: "users", Where: where("password_hash", table.Is, "x")},
		{Table: "users", Where: where("a.id; DROP TABLE account", table.Is, "1")},
		{Table: "users", Order: []table.Order{{Column: "password_hash"}}},
		{Table: "users", Columns: []string{"password_hash"}},
		{Table: "users", Where: where("posts", table.From, "1")},
		{Table: "users", Where: where("created_at", table.From, "yesterday")},
		{Table: "users", Where: where("id", "LIKE", "1")},
		{Table: "posts", Where: where("price", table.From, "1e5")},
		{Table: "posts", Where: where("closed", table.Is, "perhaps")},
		{Table: "posts", Where: []table.Cond{{Column: "status", Op: table.Is, Values: make([]string, 101)}}},
		{Table: "posts", Where: []table.Cond{{Column: "reported", Op: table.Is, Values: make([]string, 101)}}},
	} {
		q.Limit = 1
		if _, err := tables.Rows(t.Context(), q); !errors.Is(err, fault.Invalid) {
			t.Errorf("%+v is answered with %v, want %v", q, err, fault.Invalid)
		}
	}
	if _, err := tables.Rows(t.Context(), table.Query{Table: "account", Limit: 1}); err == nil {
		t.Error("a table that is not declared was read")
	}
}

// A text is found as it is written, also where the engine does not fold its letters.
func TestTables_Search(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		tables := seeded(t, s, 1, 1)
		const title = "Ștampilă de ȚARĂ"
		var id int64
		err := s.Reader().QueryRowContext(t.Context(), `SELECT min(id) FROM document`).Scan(&id)
		if err != nil {
			t.Fatal(err)
		}
		by := account.System(account.SourceCommand)
		var owner int64
		if err := s.Reader().QueryRowContext(t.Context(), `SELECT owner_id FROM document WHERE id = $1`, id).Scan(&owner); err != nil {
			t.Fatal(err)
		}
		if _, err := s.UpdateDocument(t.Context(), by, owner, id, func(d *document.Document, _ []int) error {
			d.Title = title
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{title, "Ștampilă DE", "de ȚARĂ", "tampil"} {
			rows, err := tables.Rows(t.Context(), table.Query{Table: "documents", Search: words, Limit: 5})
			if err != nil || len(rows) != 1 || rows[0].ID != id {
				t.Errorf("%q finds %v, %v", words, rows, err)
			}
		}
	})
}

// Pages follow one another without a gap, however the list is sorted.
func TestTables_Pages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		tables := seeded(t, s, 30, 10)
		for _, order := range [][]table.Order{nil, {{Column: "price", Desc: true}}, {{Column: "owner"}, {Column: "year", Desc: true}}} {
			q := table.Query{Table: "posts", Columns: []string{"owner", "price", "photos", "created_at"}, Order: order, Zone: time.UTC, Limit: 30}
			whole, err := tables.Rows(t.Context(), q)
			if err != nil || len(whole) != 30 {
				t.Fatalf("%d rows, %v", len(whole), err)
			}
			var parts []int64
			for q.Limit, q.Offset = 7, 0; q.Offset < 30; q.Offset += 7 {
				rows, err := tables.Rows(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rows {
					parts = append(parts, r.ID)
				}
			}
			for i, r := range whole {
				if parts[i] != r.ID {
					t.Fatalf("sorted by %v: place %d is %d, want %d", order, i, parts[i], r.ID)
				}
				if ref, ok := r.Values["owner"].(table.Ref); !ok || ref.Label == "" {
					t.Errorf("owner is %v", r.Values["owner"])
				}
			}
		}
	})
}
