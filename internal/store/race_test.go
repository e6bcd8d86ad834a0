package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// together runs do n times at once and returns what each gave.
func together(n int, do func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func TestRaceQuota_Z8(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		const limit = 3
		for name, create := range map[string]func(int) error{
			"car_post": func(int) error { _, _, err := s.CreatePost(t.Context(), actor(u.ID), aPost(u.ID), limit); return err },
			"document": func(int) error {
				_, _, err := s.CreateDocument(t.Context(), actor(u.ID), aDocument(u.ID), limit)
				return err
			},
		} {
			for range limit - 1 {
				must(t, create(0))
			}
			won := 0
			for _, err := range together(6, create) {
				switch {
				case err == nil:
					won++
				case !errors.Is(err, fault.Conflict):
					t.Errorf("%s over the limit: %v, want %v", name, err, fault.Conflict)
				}
			}
			if n := count(t, s, `SELECT count(*) FROM `+name); won != 1 || n != limit {
				t.Errorf("%s: %d took the last place, and there are %d, want 1 and %d", name, won, n, limit)
			}
		}
	})
}

// Creations of one owner, each under a key of its own, wait for one another and
// no longer.
func TestRaceCreate_D7(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		for _, err := range together(8, func(i int) error {
			by := actor(u.ID)
			by.Once = account.Once{Key: fmt.Sprint(i), Route: "POST /api/carposts/", RequestHash: "body"}
			_, _, err := s.CreatePost(t.Context(), by, aPost(u.ID), 100)
			return err
		}) {
			must(t, err)
		}
	})
}

func TestRaceIdempotency_D2(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u, other := newUser(t, s, "ana@example.com"), newUser(t, s, "dan@example.com")
		by := actor(u.ID)
		by.Once = account.Once{Key: "k", Route: "POST /api/carposts/", RequestHash: "body"}
		var mu sync.Mutex
		ids, first := map[int64]bool{}, 0
		for _, err := range together(8, func(int) error {
			p, repeated, err := s.CreatePost(t.Context(), by, aPost(u.ID), 0)
			mu.Lock()
			defer mu.Unlock()
			ids[p.ID] = true
			if !repeated {
				first++
			}
			return err
		}) {
			must(t, err)
		}
		if n := count(t, s, `SELECT count(*) FROM car_post`); n != 1 || len(ids) != 1 || first != 1 {
			t.Errorf("one key made %d posts, gave %v, and was new %d times, want 1 of each", n, ids, first)
		}
		wrong := by
		wrong.Once.RequestHash = "another body"
		if _, _, err := s.CreatePost(t.Context(), wrong, aPost(u.ID), 0); !errors.Is(err, fault.Mismatch) {
			t.Errorf("the key with another body: %v, want %v", err, fault.Mismatch)
		}
		if _, err := s.Answered(t.Context(), wrong, noon); !errors.Is(err, fault.Mismatch) {
			t.Errorf("the answer of the key with another body: %v, want %v", err, fault.Mismatch)
		}
		// The key is the person's and the route's.
		foreign, elsewhere := by, by
		foreign.ID, elsewhere.Once.Route = other.ID, "POST /api/documents/"
		for name, who := range map[string]account.Actor{"another person": foreign, "another route": elsewhere} {
			if _, repeated, err := s.CreatePost(t.Context(), who, aPost(who.ID), 0); err != nil || repeated {
				t.Errorf("the key of %s: repeated %v, %v", name, repeated, err)
			}
		}
		// The answer is kept once, for a day.
		if a, err := s.Answered(t.Context(), by, noon); a != nil || err != nil {
			t.Errorf("before an answer was kept: %v, %v", a, err)
		}
		must(t, s.KeepAnswer(t.Context(), by, account.Answer{Status: 201, Location: "/1/", ETag: `"1"`, Body: []byte("first")}))
		must(t, s.KeepAnswer(t.Context(), by, account.Answer{Status: 201, Body: []byte("second")}))
		if a, err := s.Answered(t.Context(), by, noon.Add(store.IdempotencyTTL-time.Second)); err != nil || a == nil || string(a.Body) != "first" || a.Location != "/1/" || a.ETag != `"1"` {
			t.Errorf("the answer kept is %+v, %v, want the first", a, err)
		}
		if a, err := s.Answered(t.Context(), by, noon.Add(store.IdempotencyTTL)); a != nil || err != nil {
			t.Errorf("a day later: %v, %v, want none", a, err)
		}
		late := aPost(u.ID)
		late.CreatedAt = noon.Add(store.IdempotencyTTL)
		if _, repeated, err := s.CreatePost(t.Context(), wrong, late, 0); err != nil || repeated {
			t.Errorf("the key a day later: repeated %v, %v, want a new post", repeated, err)
		}
	})
}

// A creation that fails leaves its key free.
func TestIdempotency_Failed_D2(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		newPost(t, s, u.ID, nil)
		by := actor(u.ID)
		by.Once = account.Once{Key: "k", Route: "r", RequestHash: "h"}
		if _, _, err := s.CreatePost(t.Context(), by, aPost(u.ID), 1); !errors.Is(err, listing.ErrTooMany) {
			t.Fatalf("over the limit: %v", err)
		}
		if _, repeated, err := s.CreatePost(t.Context(), by, aPost(u.ID), 2); err != nil || repeated {
			t.Errorf("after a failure the key is taken: repeated %v, %v", repeated, err)
		}
	})
}

// Two partial edits at once both survive; one that saw an older version is told.
func TestRacePartialUpdates_D5(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		p := newPost(t, s, u.ID, nil)
		edits := []func(*listing.Post){
			func(p *listing.Post) { p.Color = "roșu" },
			func(p *listing.Post) { p.Contact = "0700" },
			func(p *listing.Post) { p.Engine = "1.5" },
			func(p *listing.Post) { p.Fuel = "diesel" },
		}
		for _, err := range together(len(edits), func(i int) error {
			_, err := s.UpdatePost(t.Context(), actor(u.ID), p.ID, func(p *listing.Post, _ *listing.Effects) error { edits[i](p); return nil })
			return err
		}) {
			must(t, err)
		}
		got, err := s.Post(t.Context(), p.ID, u.ID)
		if err != nil || got.Color != "roșu" || got.Contact != "0700" || got.Engine != "1.5" || got.Fuel != "diesel" || got.Revision != 5 {
			t.Errorf("after four edits at once: %+v, revision %d, %v", got.Details, got.Revision, err)
		}
		// With If-Match one of them wins, the others are stale.
		match := account.AtVersion(got.Revision)
		won := 0
		for _, err := range together(4, func(i int) error {
			_, err := s.UpdatePost(t.Context(), actor(u.ID), p.ID, func(p *listing.Post, _ *listing.Effects) error {
				p.Color = fmt.Sprint(i)
				return match.Check(p.Revision, p.Details)
			})
			return err
		}) {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, fault.Stale):
				t.Errorf("a stale edit: %v, want %v", err, fault.Stale)
			}
		}
		if won != 1 {
			t.Errorf("%d edits of one version won, want 1", won)
		}
	})
}

// A mailbox goes to one of those who ask for it at once.
func TestRaceMailbox_T8(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		spelled := []string{"ana@example.com", "ANA@example.com", "Ana@EXAMPLE.com", "aNa@example.COM"}
		won := 0
		for _, err := range together(len(spelled), func(i int) error {
			_, err := s.CreateUser(t.Context(), account.Actor{}, account.User{Name: "A", Email: spelled[i], PasswordHash: "x", CreatedAt: noon, UpdatedAt: noon}, account.DefaultSettings(), nil)
			return err
		}) {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, account.ErrEmailTaken):
				t.Errorf("a taken mailbox: %v, want %v", err, account.ErrEmailTaken)
			}
		}
		if won != 1 {
			t.Errorf("%d accounts have one mailbox, want 1", won)
		}
	})
}

// A reminder is sent once, however many look at it.
func TestRaceRemind_D10(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		d := newDocument(t, s, u.ID)
		before := count(t, s, `SELECT count(*) FROM mail`)
		for _, err := range together(6, func(int) error {
			return s.Remind(t.Context(), d.ID, func(r document.Reminder) document.Verdict {
				if len(r.Done) > 0 {
					return document.Verdict{}
				}
				return document.Verdict{Done: []int{30}, Mail: &account.Mail{Kind: account.MailDocumentReminder, UserID: &u.ID}}
			})
		}) {
			must(t, err)
		}
		if n := count(t, s, `SELECT count(*) FROM mail`) - before; n != 1 {
			t.Errorf("%d mails were queued, want 1", n)
		}
	})
}

// Counters lose nothing to a race.
func TestRaceAttempts_T6(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		attempts := []account.Attempt{{Key: "login pair ana@example.com 203.0.113.7", Max: 10, Window: time.Minute}, {Key: "b", Max: 1, Window: time.Hour}}
		seen := make([]int, 12)
		for _, err := range together(len(seen), func(int) error {
			counts, err := s.CountAttempts(t.Context(), attempts, noon)
			if err == nil {
				seen[counts[0].N-1]++
			}
			return err
		}) {
			must(t, err)
		}
		for i, n := range seen {
			if n != 1 {
				t.Errorf("%d tries were told that they are number %d, want 1", n, i+1)
			}
		}
		counts, err := s.CountAttempts(t.Context(), attempts, noon.Add(time.Minute))
		if err != nil || counts[0].N != 1 || counts[1].N != 13 || !counts[0].Until.Equal(noon.Add(2*time.Minute)) {
			t.Errorf("after the first window: %+v, %v, want 1 and 13", counts, err)
		}
	})
}

// SQLite's one writer and its readers never get in each other's way.
func TestRacePools_D3(t *testing.T) {
	storetest.SkipUnless(t, "sqlite")
	s := storetest.New(t)
	u := newUser(t, s, "ana@example.com")
	p := newPost(t, s, u.ID, nil)
	const writers, readers, rounds = 4, 6, 15
	for _, err := range together(writers+readers, func(i int) error {
		for range rounds {
			if i < writers {
				if _, err := s.UpdatePost(t.Context(), actor(u.ID), p.ID, func(p *listing.Post, _ *listing.Effects) error { p.Contact += "x"; return nil }); err != nil {
					return err
				}
				continue
			}
			if _, err := s.Posts(t.Context(), u.ID, listing.Filter{Words: []string{"dacia"}}, listing.Order{Key: "price"}, listing.Place{Limit: 5}); err != nil {
				return err
			}
			if _, err := s.Post(t.Context(), p.ID, u.ID); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("a race of readers and writers: %v", err)
		}
	}
	if got, err := s.Post(t.Context(), p.ID, u.ID); err != nil || len(got.Contact) != writers*rounds {
		t.Errorf("%d of %d writes are there, %v", len(got.Contact), writers*rounds, err)
	}
}

// A reader cannot write, and what one connection committed all others see.
func TestPools_D1_D3(t *testing.T) {
	storetest.SkipUnless(t, "sqlite")
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{DataDir: dir})
	must(t, err)
	defer s.Close()
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		for pool, db := range map[string]*sql.DB{"writer": s.Writer(), "reader": s.Reader()} {
			var got string
			if err := db.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != want {
				t.Errorf("%s of the %s is %q, %v, want %q", name, pool, got, err, want)
			}
		}
	}
	if _, err := s.Reader().ExecContext(t.Context(), `CREATE TABLE x (id INTEGER)`); err == nil {
		t.Error("a reader can write")
	}
	var version string
	must(t, s.Reader().QueryRowContext(t.Context(), `SELECT sqlite_version()`).Scan(&version))
	var a, b, c int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &a, &b, &c); err != nil || a*1_000_000+b*1000+c < 3_051_003 {
		t.Errorf("SQLite is %s, want 3.51.3 or later", version)
	}
}

// What the database refuses for now is tried again; what it goes on refusing is
// a fault that asks to come back (promise D7).
func TestRetry_D7(t *testing.T) {
	s := storetest.Postgres(t)
	u := newUser(t, s, "ana@example.com")
	p := newPost(t, s, u.ID, nil)
	exec(t, s, `CREATE SEQUENCE tries`)
	tests := []struct {
		code      string
		failures  int
		wantCalls int
		want      error
	}{
		{"40001", 1, 2, nil},
		{"40P01", 3, 4, nil},
		{"40001", 4, 4, fault.Unavailable},
		{"53100", 1, 1, fault.Full},
		{"53300", 1, 1, fault.Unavailable},
		{"57014", 1, 1, fault.Unavailable},
		{"25006", 1, 1, fault.Unavailable}, // a standby, after a failover
		{"57P01", 1, 1, fault.Unavailable},
		{"08006", 1, 1, fault.Unavailable},
	}
	for _, tt := range tests {
		exec(t, s, `ALTER SEQUENCE tries RESTART`)
		exec(t, s, fmt.Sprintf(`CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
			$$BEGIN IF nextval('tries') <= %d THEN RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END IF; RETURN NEW; END$$`, tt.failures, tt.code))
		exec(t, s, `CREATE OR REPLACE TRIGGER fail BEFORE UPDATE ON car_post FOR EACH ROW EXECUTE FUNCTION fail()`)
		calls := 0
		_, err := s.UpdatePost(t.Context(), actor(u.ID), p.ID, func(p *listing.Post, _ *listing.Effects) error { calls++; p.Contact += "x"; return nil })
		if calls != tt.wantCalls || !errors.Is(err, tt.want) {
			t.Errorf("%s, %d times: %d calls, %v, want %d, %v", tt.code, tt.failures, calls, err, tt.wantCalls, tt.want)
		}
		if f := fault.As(err); errors.Is(tt.want, fault.Unavailable) && (f == nil || f.RetryAfter <= 0) {
			t.Errorf("%s: the fault %+v does not say when to come back", tt.code, f)
		}
	}
	exec(t, s, `DROP TRIGGER fail ON car_post`)
	// Each success wrote once: a retry starts from what it reads.
	if got, err := s.Post(t.Context(), p.ID, u.ID); err != nil || got.Contact != "xx" {
		t.Errorf("after two successes the contact is %q, %v", got.Contact, err)
	}
}

// A connection to a server that has become a standby is not used again.
func TestDiscard_D6(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{URL: storetest.PostgresURL(t, true), MaxConns: 1, JobConns: 1})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	pid := func() int { return count(t, s, `SELECT pg_backend_pid()`) }
	exec(t, s, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '25006'; END$$`)
	exec(t, s, `CREATE TRIGGER fail BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION fail()`)
	before := pid()
	if _, err := s.CountAttempts(t.Context(), []account.Attempt{{Key: "k"}}, noon); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("a read-only server: %v, want %v", err, fault.Unavailable)
	}
	if after := pid(); after == before {
		t.Error("the connection to a read-only server is still used")
	}
}

// A real deadlock: the store waits for a lock whose holder waits for the store.
func TestRaceDeadlock_D7(t *testing.T) {
	s := storetest.Postgres(t)
	u := newUser(t, s, "ana@example.com")
	p := newPost(t, s, u.ID, nil)
	tx, err := s.JobPool().Begin(t.Context()) // a connection of its own
	must(t, err)
	_, err = tx.Exec(t.Context(), `SET LOCAL deadlock_timeout = '1h'`) // so that the store is the one that gives way
	must(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE history IN SHARE MODE`)
	must(t, err)
	ended := make(chan error, 1)
	calls := 0
	_, err = s.UpdatePost(t.Context(), actor(u.ID), p.ID, func(p *listing.Post, _ *listing.Effects) error {
		calls++
		p.Contact = fmt.Sprint(calls)
		if calls > 1 {
			return nil
		}
		go func() { // it gets the post's row only when the store has given way
			_, err := tx.Exec(t.Context(), `SELECT 1 FROM car_post WHERE id = $1 FOR UPDATE`, p.ID)
			ended <- errors.Join(err, tx.Commit(t.Context()))
		}()
		for count(t, s, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) == 0 {
			if err := t.Context().Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || calls != 2 {
		t.Errorf("after a deadlock: %v after %d calls, want success after 2", err, calls)
	}
	must(t, <-ended)
	if got, err := s.Post(t.Context(), p.ID, u.ID); err != nil || got.Contact != "2" {
		t.Errorf("contact %q, %v", got.Contact, err)
	}
}

// With every connection taken a request is told to come back, by the limit of
// acquiring and not by its own.
func TestAcquire_D8(t *testing.T) {
	open := map[string]func(t *testing.T) *store.Store{
		"sqlite": func(t *testing.T) *store.Store { storetest.SkipUnless(t, "sqlite"); return storetest.New(t) },
		"postgres": func(t *testing.T) *store.Store {
			s, err := store.Open(t.Context(), store.Options{URL: storetest.PostgresURL(t, true), MaxConns: 1, JobConns: 1})
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for the limit
			s := open(t)
			conn, err := s.Writer().Conn(t.Context())
			must(t, err)
			err = s.EndSessions(t.Context(), 1, noon)
			f := fault.As(err)
			if !errors.Is(err, fault.Unavailable) || f == nil || f.RetryAfter <= 0 || !strings.Contains(err.Error(), "acquire connection") {
				t.Errorf("a write without a free connection: %v, want %v", err, fault.Unavailable)
			}
			if name == "postgres" { // jobs have their own
				var one int
				if err := s.JobPool().QueryRow(t.Context(), `SELECT 1`).Scan(&one); err != nil {
					t.Errorf("the pool of the jobs: %v", err)
				}
			}
			must(t, conn.Close())
			if err := s.EndSessions(t.Context(), 1, noon); err != nil {
				t.Errorf("once there is a connection again: %v", err)
			}
		})
	}
}

// A full disk fails writes, keeps reads, and heals.
func TestFull_D16(t *testing.T) {
	storetest.SkipUnless(t, "sqlite")
	s := storetest.New(t)
	u := newUser(t, s, "ana@example.com")
	exec(t, s, fmt.Sprintf(`PRAGMA max_page_count = %d`, count(t, s, `PRAGMA page_count`)))
	var err error
	made := 0
	for ; err == nil && made < 1000; made++ {
		p := aPost(u.ID)
		p.Description = strings.Repeat("x", 4000)
		_, _, err = s.CreatePost(t.Context(), actor(u.ID), p, 0)
	}
	if !errors.Is(err, fault.Full) {
		t.Fatalf("a full disk: %v after %d posts, want %v", err, made, fault.Full)
	}
	if _, err := s.User(t.Context(), u.ID); err != nil {
		t.Errorf("reading while the disk is full: %v", err)
	}
	if n := count(t, s, `SELECT count(*) FROM car_post`); n != made-1 {
		t.Errorf("%d posts are there, want the %d that were answered", n, made-1)
	}
	exec(t, s, `PRAGMA max_page_count = 100000`)
	newPost(t, s, u.ID, nil)
}

// A job is there if and only if its transaction committed.
func TestJobs_D9_D10(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		jobs := func() int { return count(t, s, `SELECT count(*) FROM river_job`) }
		u := newUser(t, s, "ana@example.com")
		if n := jobs(); n != 1 {
			t.Fatalf("a registration queued %d jobs, want 1", n)
		}
		_, err := s.UpdateUser(t.Context(), actor(u.ID), u.ID, func(u *account.User, fx *account.Effects) error {
			// The second mail fails, after the first was queued.
			nobody := int64(4711)
			fx.Mails = []account.Mail{{Kind: account.MailPasswordChanged, UserID: &u.ID, Address: u.Email}, {Kind: account.MailPasswordChanged, UserID: &nobody}}
			return nil
		})
		if err == nil || jobs() != 1 || count(t, s, `SELECT count(*) FROM mail`) != 1 {
			t.Errorf("a change that was rolled back (%v) left %d jobs, want 1", err, jobs())
		}
		for _, row := range dump(t, s)["river_job"] {
			if strings.Contains(row, "example.com") || strings.Contains(row, "Ana") {
				t.Errorf("a job holds something personal: %s", row)
			}
		}
	})
}

// A mailbox gets at most five mails of a purpose an hour on request, and the answer does not tell.
func TestMailQuota_Z8(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for range 7 {
			must(t, s.QueueMail(t.Context(), account.Mail{Kind: account.MailReset, Address: "Ana@example.com"}))
		}
		must(t, s.QueueMail(t.Context(), account.Mail{Kind: account.MailVerifyIfUnproven, Address: "ana@example.com"}))
		must(t, s.QueueMail(t.Context(), account.Mail{Kind: account.MailReset, Address: "dan@example.com"}))
		if a, d := count(t, s, `SELECT count(*) FROM mail WHERE address_key = 'ana@example.com'`), count(t, s, `SELECT count(*) FROM mail WHERE address_key = 'dan@example.com'`); a != 6 || d != 1 {
			t.Errorf("%d and %d mails were queued, want 6 and 1", a, d)
		}
	})
}

func TestPurge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "marker@example.com")
		fullLife(t, s, u, newPost(t, s, newUser(t, s, "dan@example.com").ID, nil))
		_, err := s.CountAttempts(t.Context(), []account.Attempt{{Key: "k", Window: time.Hour}}, noon)
		must(t, err)
		if n, err := s.Purge(t.Context(), noon); err != nil || n != 0 {
			t.Errorf("Purge of what still counts removed %d rows, %v", n, err)
		}
		far := time.Now().Add(100 * 24 * time.Hour)
		if far.Before(noon) {
			far = noon.Add(100 * 24 * time.Hour)
		}
		if n, err := s.Purge(t.Context(), far); err != nil || n == 0 {
			t.Errorf("Purge = %d, %v", n, err)
		}
		for _, table := range []string{"attempt", "mailed_token", "idempotency", "session", "refresh_token", "mail"} {
			if n := count(t, s, `SELECT count(*) FROM `+table); n != 0 {
				t.Errorf("%s still has %d rows", table, n)
			}
		}
		if n := count(t, s, `SELECT count(*) FROM account`); n != 2 {
			t.Errorf("%d accounts are left, want 2", n)
		}
	})
}

// However many start it, the schema is made once.
func TestRaceMigrate_D15(t *testing.T) {
	url := storetest.PostgresURL(t, false)
	applied := make([][]string, 3)
	for _, err := range together(len(applied), func(i int) error {
		s, err := store.Open(t.Context(), store.Options{URL: url, MaxConns: 2, JobConns: 1})
		if err != nil {
			return err
		}
		defer s.Close()
		applied[i], err = s.Migrate(t.Context(), nil)
		return err
	}) {
		must(t, err)
	}
	total := 0
	for _, names := range applied {
		total += len(names)
	}
	s, err := store.Open(t.Context(), store.Options{URL: url, MaxConns: 2, JobConns: 1})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	steps, err := s.Migrations(t.Context())
	pending, err2 := s.Pending(t.Context())
	if err != nil || err2 != nil || len(steps) == 0 || total != len(steps) || pending != 0 {
		t.Errorf("%d steps were applied, of %d, %d are pending, %v, %v", total, len(steps), pending, err, err2)
	}
}

func TestMigrate_Failing_D15(t *testing.T) {
	s := storetest.New(t)
	names, err := s.Migrate(t.Context(), func(context.Context) error { return errStop })
	if !errors.Is(err, errStop) || len(names) != 0 {
		t.Errorf("Migrate of what is up to date = %v, %v, want only what the queue says", names, err)
	}
}

func TestLockDataDir_D3(t *testing.T) {
	dir := t.TempDir()
	release, err := store.LockDataDir(dir)
	must(t, err)
	if again, err := store.LockDataDir(dir); !errors.Is(err, store.ErrLocked) || again != nil {
		t.Errorf("a second lock: %v, want %v", err, store.ErrLocked)
	}
	must(t, release())
	release, err = store.LockDataDir(dir)
	must(t, err)
	must(t, release())
}
