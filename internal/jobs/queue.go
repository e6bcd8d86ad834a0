// Package jobs runs what follows a change, and what runs by the clock. Jobs are
// rows of River's tables in the product's own database, written by the
// transaction that makes them necessary; the workers call the same services as
// the edges do.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Job is work to be done: a plain value with a name.
type Job = interface{ Kind() string }

// DB is the database that the jobs live in: a pool of PostgreSQL connections,
// or the one connection of SQLite that writes.
type DB struct {
	Postgres *pgxpool.Pool
	SQLite   *sql.DB
}

// Migrate makes the tables of the queue, or brings them up to date.
func Migrate(ctx context.Context, db DB) error {
	if db.Postgres != nil {
		m, err := rivermigrate.New(riverpgxv5.New(db.Postgres), nil)
		if err != nil {
			return err
		}
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}
	m, err := rivermigrate.New(riversqlite.New(db.SQLite), nil)
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// Queue records jobs in running transactions. It works none of them: see Runner.
type Queue struct {
	postgres *river.Client[pgx.Tx]
	sqlite   *river.Client[*sql.Tx]
}

// NewQueue returns a Queue on the database. The middleware sees each job before it
// is recorded.
func NewQueue(db DB, middleware ...rivertype.Middleware) (*Queue, error) {
	c := &river.Config{Logger: slog.New(slog.DiscardHandler), Middleware: middleware}
	var q Queue
	var err error
	if db.Postgres != nil {
		q.postgres, err = river.NewClient(riverpgxv5.New(db.Postgres), c)
	} else {
		q.sqlite, err = river.NewClient(riversqlite.New(db.SQLite), c)
	}
	if err != nil {
		return nil, fmt.Errorf("make the job queue: %w", err)
	}
	return &q, nil
}

// imageQueue is where photos wait, so that a crowd of them keeps no mail waiting.
const imageQueue = "images"

// optionsOf says how a job is worked.
func optionsOf(job Job) *river.InsertOpts {
	switch job.(type) {
	case media.Process:
		return &river.InsertOpts{Queue: imageQueue, MaxAttempts: imageAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished}}
	case media.PurgeObjects:
		return &river.InsertOpts{MaxAttempts: clockAttempts + killedAttempts}
	}
	return &river.InsertOpts{MaxAttempts: mailAttempts}
}

// Enqueue records a job inside tx, which runs on conn: the job is there if and
// only if the transaction commits (promise D9).
func (q *Queue) Enqueue(ctx context.Context, conn *sql.Conn, tx *sql.Tx, job Job) error {
	var err error
	opts := optionsOf(job)
	if q.sqlite != nil {
		_, err = q.sqlite.InsertTx(ctx, tx, job, opts)
	} else {
		err = conn.Raw(func(dc any) error {
			_, err := q.postgres.InsertTx(ctx, lentTx{dc.(*stdlib.Conn).Conn()}, job, opts) //nolint:errcheck // the store opens no other
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("enqueue %s: %w", job.Kind(), err)
	}
	return nil
}

// lentTx lends the connection under a running *sql.Tx to River, which inserts
// through it and neither commits nor rolls back: River's own driver for
// database/sql and PostgreSQL lags behind the rest of it.
type lentTx struct{ c *pgx.Conn }

var errLent = errors.New("jobs: the store begins and ends transactions")

func (t lentTx) Begin(context.Context) (pgx.Tx, error) { return nil, errLent }
func (t lentTx) Commit(context.Context) error          { return errLent }
func (t lentTx) Rollback(context.Context) error        { return errLent }
func (t lentTx) Conn() *pgx.Conn                       { return t.c }
func (t lentTx) LargeObjects() pgx.LargeObjects        { return pgx.LargeObjects{} }

func (t lentTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return t.c.CopyFrom(ctx, table, columns, src)
}

func (t lentTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.c.SendBatch(ctx, b)
}

func (t lentTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.c.Prepare(ctx, name, sql)
}

func (t lentTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.c.Exec(ctx, sql, args...)
}

func (t lentTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.c.Query(ctx, sql, args...)
}

func (t lentTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.c.QueryRow(ctx, sql, args...)
}
