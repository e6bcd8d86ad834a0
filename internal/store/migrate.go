package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// Migration is one step of the schema.
type Migration struct {
	Name    string
	Applied bool
}

// migrationLock is the PostgreSQL advisory lock under which migrations run; an
// arbitrary number that nothing else uses.
const migrationLock = 7_243_392_667

// Migrate brings the schema up to date, once, however many start it: under an
// advisory lock on PostgreSQL, and on SQLite under the lock of the data folder
// that the caller holds. then runs under the same lock: it is for the tables of
// the job queue.
func (s *Store) Migrate(ctx context.Context, then func(context.Context) error) ([]string, error) {
	return s.migrate(ctx, s.Newest(), then)
}

// MigrateTo brings the schema no further than to a migration: a backup is
// restored into the schema that it was made of.
func (s *Store) MigrateTo(ctx context.Context, version int64, then func(context.Context) error) error {
	_, err := s.migrate(ctx, version, then)
	return err
}

// Newest is the number of the last migration that there is.
func (s *Store) Newest() int64 {
	names, err := fs.Glob(migrations, "migrations/"+s.Engine()+"/*.sql")
	if err != nil || len(names) == 0 {
		panic("store: no migrations are embedded")
	}
	newest, err := goose.NumericComponent(names[len(names)-1]) // Glob sorts
	if err != nil {
		panic(err)
	}
	return newest
}

func (s *Store) migrate(ctx context.Context, to int64, then func(context.Context) error) ([]string, error) {
	db := s.write
	if s.Engine() == postgresDialect.name {
		own, err := s.migrationDB(ctx)
		if err != nil {
			return nil, err
		}
		defer own.Close() //nolint:errcheck // nothing is lost with it
		lock, err := own.Conn(ctx)
		if err != nil {
			return nil, fmt.Errorf("connect to migrate: %w", err)
		}
		defer lock.Close() //nolint:errcheck // ends the lock with the connection
		if err := lockMigrations(ctx, lock); err != nil {
			return nil, fmt.Errorf("lock to migrate: %w", err)
		}
		defer lock.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(migrationLock)) //nolint:errcheck // closing ends it too
		db = own
	}
	p, err := s.provider(db)
	if err != nil {
		return nil, err
	}
	names, err := upTo(ctx, p, to)
	if err != nil {
		return names, fmt.Errorf("migrate: %w", err)
	}
	if to == s.Newest() {
		if err := s.foldAccounts(ctx, db); err != nil {
			return names, fmt.Errorf("fold the names of accounts: %w", err)
		}
	}
	if then != nil {
		if err := then(ctx); err != nil {
			return names, fmt.Errorf("migrate the job queue: %w", err)
		}
	}
	return names, nil
}

// lockMigrations waits for the lock. It asks again and again: a statement that waits
// for it would hold a snapshot, and an index that is built concurrently waits for
// those who do.
func lockMigrations(ctx context.Context, conn *sql.Conn) error {
	for {
		var mine bool
		err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, int64(migrationLock)).Scan(&mine)
		if err != nil || mine {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// lockTries is how often a migration tries to get a lock that it needs, for
// migrationLockTimeout each: while it waits, others wait behind it.
const (
	lockTries            = 60
	migrationLockTimeout = "1s"
)

// upTo applies what is missing and returns the names. A step that does not get its
// lock in time lets those go first that wait behind it, and tries again.
func upTo(ctx context.Context, p *goose.Provider, to int64) (names []string, err error) {
	for try := 1; ; try++ {
		done, err := p.UpTo(ctx, to)
		partial, cut := errors.AsType[*goose.PartialError](err)
		if cut {
			done = partial.Applied
		}
		for _, d := range done {
			names = append(names, filepath.Base(d.Source.Path))
		}
		if err == nil || pgCode(err) != pgLockTimeout || try == lockTries {
			return names, err
		}
		select {
		case <-ctx.Done():
			return names, err
		case <-time.After(time.Second):
		}
	}
}

// foldBatch is how many accounts a transaction of foldAccounts fills in.
const foldBatch = 1000

// foldAccounts fills in account.search where it is empty: rows of before the
// column, or those that a server of before has written since. No SQL folds as Go
// does. It may stop anywhere and begin again; where there is nothing to do it
// reads a page of a small index.
func (s *Store) foldAccounts(ctx context.Context, db *sql.DB) error {
	last := int64(0)
	for {
		n, err := s.foldSomeAccounts(ctx, db, &last)
		if err != nil || n < foldBatch {
			return err
		}
	}
}

// foldSomeAccounts fills in a batch after the account last, which it moves on.
func (s *Store) foldSomeAccounts(ctx context.Context, db *sql.DB, last *int64) (int, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // after a commit there is nothing to roll back

	find := `SELECT id, name, COALESCE(email, '') FROM account WHERE search = '' AND id > $1 ORDER BY id LIMIT $2` + s.dialect.forUpdate
	rows, err := sqlQuerier{tx, nil}.QueryContext(ctx, find, *last, foldBatch)
	if err != nil {
		return 0, err
	}
	users, err := collect(rows, func(r row) (account.User, error) {
		var u account.User
		err := r.Scan(&u.ID, &u.Name, &u.Email)
		return u, err
	})
	if err != nil || len(users) == 0 {
		return 0, err
	}
	update, err := tx.PrepareContext(ctx, `UPDATE account SET search = $2 WHERE id = $1`)
	if err != nil {
		return 0, err
	}
	defer update.Close() //nolint:errcheck // the transaction tells of all that counts
	for _, u := range users {
		if _, err := update.ExecContext(ctx, u.ID, u.SearchText()); err != nil {
			return 0, err
		}
		*last = u.ID
	}
	return len(users), tx.Commit()
}

// migrationDB is a pool without the limits on the time of a statement, which a
// migration of a large table may need to exceed.
func (s *Store) migrationDB(ctx context.Context) (*sql.DB, error) {
	c, err := pgx.ParseConfig(s.options.URL)
	if err != nil {
		return nil, errNoURL
	}
	if s.options.Password != nil {
		if c.Password, err = s.options.Password(ctx); err != nil {
			return nil, err
		}
	}
	c.RuntimeParams["lock_timeout"] = migrationLockTimeout
	c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	return stdlib.OpenDB(*c), nil
}

func (s *Store) provider(db *sql.DB) (*goose.Provider, error) {
	dialect := goose.DialectSQLite3
	if s.Engine() == postgresDialect.name {
		dialect = goose.DialectPostgres
	}
	dir, err := fs.Sub(migrations, "migrations/"+s.Engine())
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(dialect, db, dir)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// Migrations lists the steps of the schema and which are applied.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	p, err := s.provider(s.write)
	if err != nil {
		return nil, err
	}
	status, err := p.Status(ctx)
	if err != nil {
		return nil, s.explain(fmt.Errorf("read the state of migrations: %w", err))
	}
	var steps []Migration
	for _, st := range status {
		steps = append(steps, Migration{Name: filepath.Base(st.Source.Path), Applied: st.State == goose.StateApplied})
	}
	return steps, nil
}

// Pending counts the migrations that are not applied yet.
func (s *Store) Pending(ctx context.Context) (int, error) {
	steps, err := s.Migrations(ctx)
	n := 0
	for _, m := range steps {
		if !m.Applied {
			n++
		}
	}
	return n, err
}

// ErrLocked answers a second server on one data folder.
var ErrLocked = fault.New(fault.Conflict, "Another ridecopilot uses this data folder. Stop it first.")

// LockDataDir makes sure that one process alone serves, migrates or restores a
// data folder. The lock ends with the process, or with release.
func LockDataDir(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "ridecopilot.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(ErrLocked, f.Close())
	}
	return f.Close, nil
}
