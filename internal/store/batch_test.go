package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/seed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// manyEntries are entries that differ, one a day, with none to three items.
func manyEntries(owner int64, n int) []earnings.Entry {
	entries := make([]earnings.Entry, n)
	for i := range entries {
		e := anEntry(owner, calendar.On(noon.AddDate(0, 0, -i)))
		e.AppIncome, e.Note, e.Items = fixed.Amount(i), fmt.Sprint("line ", i), nil
		for k := range i % 4 {
			e.Items = append(e.Items, earnings.ExpenseItem{Category: "fuel", Amount: fixed.Amount(10*i + k), Note: fmt.Sprint(i, " ", k)})
		}
		entries[i] = e
	}
	return entries
}

// Many entries take many statements; each keeps its own items and its own line
// of history, the same that it would have alone.
func TestCreateEntries_Batches_D2(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const n = 1000
		u := newUser(t, s, "ana@example.com")
		by := actor(u.ID)
		by.Once = account.Once{Key: "k", Route: "import", RequestHash: "body"}
		entries := manyEntries(u.ID, n)
		first, repeated, err := s.CreateEntries(t.Context(), by, entries)
		if err != nil || repeated || first.ID == 0 || first.Note != "line 0" || entries[0].ID != 0 {
			t.Fatalf("CreateEntries = %+v, %v, %v", first, repeated, err)
		}
		alone, _, err := s.CreateEntries(t.Context(), actor(u.ID), entries[7:8])
		must(t, err)
		i := n
		must(t, s.EachEntry(t.Context(), u.ID, earnings.Filter{}, func(e earnings.Entry) error {
			if e.ID == alone.ID {
				return nil
			}
			i--
			want := entries[i]
			want.ID = first.ID + int64(i)
			if !reflect.DeepEqual(e, want) {
				t.Errorf("entry %d is %+v, want %+v", i, e, want)
			}
			return nil
		}))
		if made := count(t, s, `SELECT count(*) FROM history WHERE object_type = 'calculator_entry' AND action = 'create'`); i != 0 || made != n+1 {
			t.Errorf("%d entries are missing, and the history has %d lines, want %d", i, made, n+1)
		}
		for _, i := range []int{0, 7, n - 1} {
			h := history(t, s, "calculator_entry", first.ID+int64(i))
			if len(h) != 1 || changes(t, h[0])["note"] != [2]any{nil, fmt.Sprint("line ", i)} {
				t.Fatalf("the history of entry %d is %+v", i, h)
			}
			if i != 7 {
				continue
			}
			like := history(t, s, "calculator_entry", alone.ID)[0]
			like.ID, like.ObjectID = h[0].ID, h[0].ObjectID
			if !reflect.DeepEqual(h[0], like) {
				t.Errorf("the history of entry %d is %+v, alone it is %+v", i, h[0], like)
			}
		}
		again, repeated, err := s.CreateEntries(t.Context(), by, entries)
		if err != nil || !repeated || again.ID != first.ID {
			t.Errorf("again: %+v, %v, %v, want the first", again, repeated, err)
		}
	})
}

// An import that is not done in time leaves nothing.
func TestCreateEntries_TooLong_D8(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := s.CreateEntries(ctx, actor(u.ID), manyEntries(u.ID, 20_000))
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("CreateEntries = %v, want %v", err, fault.Unavailable)
		}
		if n := count(t, s, `SELECT count(*) FROM entry`) + count(t, s, `SELECT count(*) FROM history WHERE object_type = 'calculator_entry'`); n != 0 {
			t.Errorf("%d rows are left of it", n)
		}
		newEntry(t, s, u.ID, calendar.On(noon)) // the connection is as good as before
	})
}

// More goes than one transaction takes.
func TestPurge_Batches(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const n = 4321
		u := newUser(t, s, "ana@example.com")
		// What the rows have in common is a number each.
		numbers := `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4321) `
		exec(t, s, `INSERT INTO attempt (key, n, until) `+numbers+`SELECT 'k' || i, 1, $1 FROM n`, noon)
		exec(t, s, `INSERT INTO attempt (key, n, until) VALUES ('kept', 1, $1)`, noon.Add(time.Hour))
		exec(t, s, `INSERT INTO idempotency (account_id, route, key, request_hash, object_id, created_at) `+numbers+`SELECT $1, 'r' || (i % 7), 'k' || i, '', 1, $2 FROM n`,
			u.ID, noon.Add(-store.IdempotencyTTL))
		exec(t, s, `INSERT INTO idempotency (account_id, route, key, request_hash, object_id, created_at) VALUES ($1, 'r1', 'kept', '', 1, $2)`, u.ID, noon)
		for id, expires := range map[int]time.Time{1: noon.AddDate(0, 0, -31), 2: noon.AddDate(0, 0, -29)} {
			exec(t, s, `INSERT INTO session (id, account_id, kind, device, address, created_at, last_used_at, idle_until, expires_at) VALUES ($1, $2, 'api', '', '', $3, $3, $3, $3)`,
				id, u.ID, expires)
		}
		hash := map[string]string{"sqlite": `CAST('h' || i AS BLOB)`, "postgres": `CAST('h' || i AS bytea)`}[s.Engine()]
		exec(t, s, `INSERT INTO refresh_token (hash, session_id, created_at) `+numbers+`SELECT `+hash+`, CASE WHEN i = 1 THEN 2 ELSE 1 END, $1 FROM n`, noon)
		if gone, err := s.Purge(t.Context(), noon); err != nil || gone != 3*n {
			t.Errorf("Purge = %d, %v, want %d", gone, err, 3*n)
		}
		for _, table := range []string{"attempt", "idempotency", "session", "refresh_token"} {
			if left := count(t, s, `SELECT count(*) FROM `+table); left != 1 {
				t.Errorf("%s has %d rows, want the one that counts", table, left)
			}
		}
	})
}

// Lists begin at their place in an index, whatever their order, and with the
// few posts that a reader has kept.
func TestPosts_Plans(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		_, err := seed.Run(t.Context(), s, seed.Options{Drivers: 50, Posts: 2000, Entries: 10, PasswordHash: "x", Now: noon, RandomSeed: 1})
		must(t, err)
		const reader = 1
		exec(t, s, `DELETE FROM favorite WHERE account_id = $1 AND post_id NOT IN (SELECT min(post_id) FROM favorite WHERE account_id = $1)`, reader)
		must(t, s.FinishLoad(t.Context()))
		up := map[string]string{
			"created_at": "car_post_seen_created", "make": "car_post_seen_make",
			"price": "car_post_seen_price_up", "year": "car_post_seen_year_up", "mileage_km": "car_post_seen_mileage_up",
		}
		middle := map[string]string{
			"created_at": strconv.FormatInt(noon.AddDate(0, -6, 0).UnixMicro(), 10), "make": "m",
			"price": "800000", "year": "2016", "mileage_km": "120000",
		}
		for _, key := range listing.Sorts {
			for _, desc := range []bool{false, true} {
				for _, at := range []listing.Place{
					{}, {Offset: 20}, {Cursor: &listing.Cursor{ID: 1000, Key: middle[key]}}, {Cursor: &listing.Cursor{ID: 1000, Key: middle[key], Back: true}},
				} {
					at.Limit = 10
					plan, err := s.PlanPosts(t.Context(), reader, listing.Filter{}, listing.Order{Key: key, Desc: desc}, at)
					must(t, err)
					index := up[key]
					if desc {
						index = strings.Replace(index, "_up", "_down", 1)
					}
					read := plan
					if at.Offset > 0 {
						// What is left out is chosen in the index alone; the rows of the page
						// are sorted once more.
						if s.Engine() == "sqlite" { // which looks at a row for what a partial index says already
							read, _, _ = strings.Cut(plan, "SCAN page")
						} else {
							_, read, _ = strings.Cut(plan, "Limit  (")
							index = strings.Replace("Index Only Scan using X", "X", index, 1)
							read = strings.Replace(read, "Index Only Scan Backward", "Index Only Scan", 1)
						}
					}
					sorted := strings.Contains(read, "Sort  (") || strings.Contains(read, "ORDER BY")
					if !strings.Contains(read, index) || sorted {
						t.Errorf("%s, descending %v, at %+v is not read by %s:\n%s", key, desc, at, index, plan)
					}
				}
			}
		}
		yes := true
		plan, err := s.PlanPosts(t.Context(), reader, listing.Filter{Favorite: &yes}, listing.Order{Key: "created_at", Desc: true}, listing.Place{Limit: 10})
		must(t, err)
		if strings.Contains(plan, "car_post_seen_created") || strings.Contains(plan, "SCAN p ") || strings.Contains(plan, "Seq Scan on car_post") {
			t.Errorf("a list of favourites does not begin with them:\n%s", plan)
		}
	})
}
