// Package storetest gives tests a real database of their own: SQLite in a
// folder of the test, or PostgreSQL on the server that TEST_POSTGRES_URL names
// (scripts/with-postgres starts one).
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that makes databases

	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/store"
)

// New returns an empty SQLite store, migrated, whose jobs nobody works.
func New(t testing.TB) *store.Store {
	t.Helper()
	dir := t.TempDir()
	copyTemplate(t, dir)
	return open(t, store.Options{DataDir: dir, SyncOff: true})
}

// Each runs a test on both engines. Where there is no PostgreSQL the test is
// skipped, but for CI (REQUIRE_POSTGRES), where it fails.
// TEST_ENGINES=postgres leaves SQLite out: the race detector makes it 24 times
// slower.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		SkipUnless(t, "sqlite")
		test(t, New(t))
	})
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SkipUnless skips a test of an engine that TEST_ENGINES leaves out.
func SkipUnless(t testing.TB, engine string) {
	t.Helper()
	if only := os.Getenv("TEST_ENGINES"); only != "" && !strings.Contains(only, engine) {
		t.Skip("TEST_ENGINES leaves " + engine + " out")
	}
}

// Postgres returns an empty PostgreSQL store, migrated, whose jobs nobody works.
func Postgres(t testing.TB) *store.Store {
	t.Helper()
	return open(t, store.Options{URL: PostgresURL(t, true), MaxConns: 8, JobConns: 4})
}

// Empty returns a store without tables, on the engine "sqlite" or "postgres".
func Empty(t testing.TB, engine string) *store.Store {
	t.Helper()
	SkipUnless(t, engine)
	if engine == "postgres" {
		return open(t, store.Options{URL: PostgresURL(t, false), MaxConns: 4, JobConns: 2})
	}
	return open(t, store.Options{DataDir: t.TempDir(), SyncOff: true})
}

func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	q, err := jobs.NewQueue(jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()})
	if err != nil {
		t.Fatal(err)
	}
	s.SetQueue(q)
	return s
}

// Migrate brings a store's schema and its job queue's up to date.
func Migrate(ctx context.Context, s *store.Store) error {
	_, err := s.Migrate(ctx, func(ctx context.Context) error {
		return jobs.Migrate(ctx, jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()})
	})
	return err
}

// template is a migrated, empty SQLite database, made once a process.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "storetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // the system cleans up as well
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{DataDir: dir, SyncOff: true})
	if err != nil {
		return nil, err
	}
	if err := Migrate(ctx, s); err != nil {
		return nil, err
	}
	if _, err := s.Writer().ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, store.FileName))
})

func copyTemplate(t testing.TB, dir string) {
	t.Helper()
	db, err := template()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, store.FileName), db, 0o600); err != nil {
		t.Fatal(err)
	}
}

var databases atomic.Int64

// PostgresURL makes a database that ends with the test and returns its address:
// a copy of a migrated one, or an empty one.
func PostgresURL(t testing.TB, migrated bool) string {
	t.Helper()
	SkipUnless(t, "postgres")
	server := os.Getenv("TEST_POSTGRES_URL")
	if server == "" {
		if os.Getenv("REQUIRE_POSTGRES") != "" || os.Getenv("CI") != "" {
			t.Fatal("TEST_POSTGRES_URL is not set: run scripts/with-postgres go test ./...")
		}
		t.Skip("TEST_POSTGRES_URL is not set: run scripts/with-postgres go test ./...")
	}
	ctx := context.Background()
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close() // nothing is lost with it
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), databases.Add(1))
	create := "CREATE DATABASE " + name
	if migrated {
		from, err := postgresTemplate(ctx, admin, server)
		if err != nil {
			t.Fatal(err)
		}
		create += " TEMPLATE " + from
	}
	if _, err := admin.ExecContext(ctx, create); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin, err := sql.Open("pgx", server)
		if err != nil {
			return
		}
		defer admin.Close() // nothing is lost with it
		if _, err := admin.ExecContext(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Log(err)
		}
	})
	return withDatabase(t, server, name)
}

func withDatabase(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// postgresTemplate makes the migrated database that others are copies of, once
// a server and process.
func postgresTemplate(ctx context.Context, admin *sql.DB, server string) (string, error) {
	templateOnce.Do(func() { templateName, templateErr = makeTemplate(ctx, admin, server) })
	return templateName, templateErr
}

var (
	templateOnce sync.Once
	templateName string
	templateErr  error
)

func makeTemplate(ctx context.Context, admin *sql.DB, server string) (string, error) {
	name := fmt.Sprint("template_", os.Getpid()) // each process makes its own: test binaries run at once
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	s, err := store.Open(ctx, store.Options{URL: u.String(), MaxConns: 2, JobConns: 2})
	if err != nil {
		return "", err
	}
	defer s.Close() // nothing is lost with it
	return name, Migrate(ctx, s)
}
