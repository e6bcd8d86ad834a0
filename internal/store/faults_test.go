package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/faulttest"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// TestFullDisk_D16 fills the disk of SQLite: writes fail with a clear fault and
// leave nothing, reads go on, and it heals without a restart.
func TestFullDisk_D16(t *testing.T) {
	storetest.SkipUnless(t, "sqlite")
	s := storetest.New(t)
	u := newUser(t, s, "ana@example.com")
	limit := func(pages string) {
		if _, err := s.Writer().ExecContext(t.Context(), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // no more than there are now
	change := func(name string) error {
		_, err := s.UpdateUser(t.Context(), account.Actor{ID: u.ID}, u.ID, func(u *account.User, _ *account.Effects) error {
			u.Name = name
			return nil
		})
		return err
	}
	var err error
	for i := range 10_000 { // the history grows until there is no page left
		if err = change(fmt.Sprintf("%0250d", i)); err != nil {
			break
		}
	}
	if !errors.Is(err, fault.Full) {
		t.Fatalf("writing to a full disk = %v, want %v", err, fault.Full)
	}
	before, err := s.User(t.Context(), u.ID)
	if err != nil {
		t.Fatalf("reading from a full disk = %v", err)
	}
	if err := change("lost"); !errors.Is(err, fault.Full) {
		t.Fatalf("writing to a full disk = %v, want %v", err, fault.Full)
	}
	if after, err := s.User(t.Context(), u.ID); err != nil || after.Name != before.Name {
		t.Errorf("a refused write left %q, %v, want %q", after.Name, err, before.Name)
	}
	limit("1000000")
	if err := change("healed"); err != nil {
		t.Errorf("with room again = %v", err)
	}
}

// TestLostConnections_D6 cuts every connection, as a restart of the database
// does: the service resumes by itself.
func TestLostConnections_D6(t *testing.T) {
	s := storetest.Postgres(t)
	u := newUser(t, s, "ana@example.com")
	for round := range 3 {
		// From one of the connections itself, which goes down with the others.
		_, _ = s.Writer().ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()`)
		// What was under way or idle is lost; each is told so, and thrown away.
		for try := 1; ; try++ {
			_, err := s.UpdateUser(t.Context(), account.Actor{ID: u.ID}, u.ID, func(u *account.User, _ *account.Effects) error {
				u.Name = fmt.Sprint("round ", round)
				return nil
			})
			if err == nil {
				break
			}
			if !errors.Is(err, fault.Unavailable) {
				t.Fatalf("with its connection cut: %v, want %v", err, fault.Unavailable)
			}
			if try > 20 {
				t.Fatalf("still %v after %d tries", err, try)
			}
		}
		if got, err := s.User(t.Context(), u.ID); err != nil || got.Name != fmt.Sprint("round ", round) {
			t.Errorf("after round %d: %q, %v", round, got.Name, err)
		}
	}
}

// TestLostConnections_Reading_D6 cuts every connection and reads: the reader is
// told to try again, and soon succeeds.
func TestLostConnections_Reading_D6(t *testing.T) {
	s := storetest.Postgres(t)
	u := newUser(t, s, "ana@example.com")
	p := newPost(t, s, u.ID, nil)
	for name, read := range map[string]func() error{
		"a row":            func() error { _, err := s.User(t.Context(), u.ID); return err },
		"rows":             func() error { _, err := s.Sessions(t.Context(), u.ID, noon); return err },
		"several together": func() error { _, err := s.Post(t.Context(), p.ID, u.ID); return err },
	} {
		must(t, read()) // over a connection that is known
		_, _ = s.Writer().ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()`)
		for try := 1; ; try++ {
			err := read()
			if err == nil {
				break
			}
			if !errors.Is(err, fault.Unavailable) || try > 20 {
				t.Fatalf("%s, try %d with the connection cut: %v, want %v", name, try, err, fault.Unavailable)
			}
		}
		for range 3 {
			must(t, read())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Post(ctx, p.ID, u.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("for somebody who has gone: %v, want %v", err, context.Canceled)
	}
}

// TestReadOnlyServer_D6 turns the database read-only under an open connection,
// as a failover does that leaves sockets open: the connection is thrown away.
func TestReadOnlyServer_D6(t *testing.T) {
	s := storetest.Postgres(t)
	u := newUser(t, s, "ana@example.com")
	conn, err := s.Writer().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `SET default_transaction_read_only = on`); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ {
		err := s.EndSessions(t.Context(), u.ID, noon)
		if err == nil {
			break
		}
		if !errors.Is(err, fault.Unavailable) || try > 10 {
			t.Fatalf("try %d on a read-only connection = %v", try, err)
		}
	}
}

// TestReadOnlyServer_BothPools_D6 finds out over one connection of either pool that
// the server takes no writes: the connections of both pools are thrown away, also
// those that only read and would not find out.
func TestReadOnlyServer_BothPools_D6(t *testing.T) {
	for _, found := range []string{"a write of requests", "a write of jobs", "a look at requests", "a look at jobs"} {
		t.Run(found, func(t *testing.T) {
			s := storetest.Postgres(t)
			pools := []*pgxpool.Pool{s.RequestPool(), s.JobPool()}
			if strings.HasSuffix(found, "jobs") {
				slices.Reverse(pools)
			}
			var pids []int
			for _, p := range pools {
				for _, c := range several(t, p, 2) {
					pids = append(pids, int(c.Conn().PgConn().PID()))
					c.Release()
				}
			}
			c := several(t, pools[0], 1)[0]
			_, err := c.Exec(t.Context(), `SET default_transaction_read_only = on`)
			must(t, err)
			if strings.HasPrefix(found, "a look") {
				store.LookAgain(c.Conn())
			}
			c.Release()
			for try := 1; ; try++ {
				var wrote bool
				err := pools[0].QueryRow(t.Context(), `SELECT nextval('account_id_seq') > 0`).Scan(&wrote)
				if err == nil {
					break
				}
				if try > 10 || strings.HasPrefix(found, "a look") {
					t.Fatalf("try %d on a read-only connection = %v", try, err)
				}
			}
			watch := several(t, pools[0], 1)[0]
			defer watch.Release()
			faulttest.Eventually(t, faulttest.Patience, "the connections are thrown away", func() (bool, string) {
				var n int
				err := watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)`, pids).Scan(&n)
				return err == nil && n == 0, fmt.Sprint(n, " are left, ", err)
			})
		})
	}
}

// several takes connections out of a pool.
func several(t *testing.T, p *pgxpool.Pool, n int) (conns []*pgxpool.Conn) {
	t.Helper()
	for range n {
		c, err := p.Acquire(t.Context())
		must(t, err)
		conns = append(conns, c)
	}
	return conns
}

// TestSignInDuringPasswordChange_T15 changes the password while a sign-in with
// the old one is under way: it gets no session.
func TestSignInDuringPasswordChange_T15(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		_, err := s.UpdateUser(t.Context(), account.Actor{ID: u.ID}, u.ID, func(u *account.User, fx *account.Effects) error {
			u.PasswordHash, fx.EndSessions = "another", true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		session := account.Session{UserID: u.ID, Kind: account.SessionAPI, CreatedAt: noon, LastUsedAt: noon, IdleUntil: noon, ExpiresAt: noon}
		if _, err := s.CreateSession(t.Context(), session, nil, u.PasswordHash); !errors.Is(err, account.ErrBadCredentials) {
			t.Errorf("CreateSession for the old password = %v, want %v", err, account.ErrBadCredentials)
		}
		if _, err := s.CreateSession(t.Context(), session, nil, "another"); err != nil {
			t.Errorf("CreateSession for the new password = %v", err)
		}
	})
}

// TestUnreachable_D6 has no server at all: the answer is "busy", soon.
func TestUnreachable_D6(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{URL: "postgres://nobody@127.0.0.1:1/nothing?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.User(context.Background(), 1); !errors.Is(err, fault.Unavailable) {
		t.Errorf("User = %v, want %v", err, fault.Unavailable)
	}
	if err := s.EndSessions(context.Background(), 1, noon); !errors.Is(err, fault.Unavailable) {
		t.Errorf("EndSessions = %v, want %v", err, fault.Unavailable)
	}
}

// TestHasDjangoHashes_T4 knows whether hashes of the older backend are left, and
// takes an empty database for one without.
func TestHasDjangoHashes_T4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		for _, tt := range []struct {
			hash string
			want bool
		}{{"$argon2id$v=19$m=19456,t=2,p=1$a$b", false}, {"pbkdf2_sha256$260000$salt$hash", true}} {
			_, err := s.UpdateUser(t.Context(), account.Actor{ID: u.ID}, u.ID, func(u *account.User, _ *account.Effects) error {
				u.PasswordHash = tt.hash
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.HasDjangoHashes(t.Context()); err != nil || got != tt.want {
				t.Errorf("HasDjangoHashes with %s = %v, %v, want %v", tt.hash, got, err, tt.want)
			}
		}
	})
	for name, options := range map[string]func(t *testing.T) store.Options{
		"empty sqlite":   func(t *testing.T) store.Options { return store.Options{DataDir: t.TempDir(), SyncOff: true} },
		"empty postgres": func(t *testing.T) store.Options { return store.Options{URL: storetest.PostgresURL(t, false)} },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.SkipUnless(t, name[len("empty "):])
			s, err := store.Open(t.Context(), options(t))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got, err := s.HasDjangoHashes(t.Context()); err != nil || got {
				t.Errorf("HasDjangoHashes without tables = %v, %v, want false", got, err)
			}
		})
	}
}
