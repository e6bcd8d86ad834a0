package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// Desk is where operators act on jobs. It works none of them: see Runner.
type Desk struct {
	db    DB
	queue *Queue
}

// NewDesk returns a Desk on the database.
func NewDesk(db DB) (*Desk, error) {
	q, err := NewQueue(db)
	return &Desk{db: db, queue: q}, err
}

// Why an operator cannot act on a job.
var (
	ErrNoJob = fault.New(fault.NotFound, "There is no such job.")

	errRunning = fault.New(fault.Conflict, "This job is running. Wait until it has ended.")
	errWaiting = fault.New(fault.Conflict, "This job is waiting for its turn already.")
	errOver    = fault.New(fault.Conflict, "This job is over already.")
	errTwin    = fault.New(fault.Conflict, "Another job that does the same is waiting already.")
)

// What the state of a job does not allow.
var (
	noRetry = map[rivertype.JobState]*fault.Error{
		rivertype.JobStateRunning: errRunning, rivertype.JobStateAvailable: errWaiting, rivertype.JobStatePending: errWaiting, rivertype.JobStateCompleted: errOver,
	}
	noCancel = map[rivertype.JobState]*fault.Error{
		rivertype.JobStateCompleted: errOver, rivertype.JobStateCancelled: errOver, rivertype.JobStateDiscarded: errOver,
	}
)

// Retry has a job worked now: one that has failed for good, was cancelled, or
// waits for its next attempt. One that has no attempts left is given another.
func (d *Desk) Retry(ctx context.Context, id int64) error { return d.act(ctx, id, true) }

// Cancel ends a job that is still to be worked. One that is running is told to
// stop, and is not tried again.
func (d *Desk) Cancel(ctx context.Context, id int64) error { return d.act(ctx, id, false) }

// deskTime is how long an operator waits for the database.
const deskTime = 5 * time.Second

func (d *Desk) act(ctx context.Context, id int64, retry bool) error {
	ctx, cancel := context.WithTimeout(ctx, deskTime)
	defer cancel()
	var err error
	if d.db.Postgres != nil {
		err = pgx.BeginFunc(ctx, d.db.Postgres, func(tx pgx.Tx) error { return act(ctx, d.queue.postgres, tx, id, retry) })
	} else {
		err = d.sqlite(ctx, func(tx *sql.Tx) error { return act(ctx, d.queue.sqlite, tx, id, retry) })
	}
	switch {
	case err == nil || fault.As(err) != nil:
		return err
	case isTwin(err):
		return errTwin
	}
	return fmt.Errorf("act on job %d: %w", id, err)
}

func (d *Desk) sqlite(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := d.db.SQLite.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit there is nothing to roll back
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func act[T any](ctx context.Context, c *river.Client[T], tx T, id int64, retry bool) error {
	job, err := c.JobGetTx(ctx, tx, id)
	if errors.Is(err, river.ErrNotFound) {
		return ErrNoJob
	}
	if err != nil {
		return err
	}
	refused, do := noCancel, c.JobCancelTx
	if retry {
		refused, do = noRetry, c.JobRetryTx
	}
	if f := refused[job.State]; f != nil {
		return f
	}
	if job, err = do(ctx, tx, id); err == nil && retry && job.State == rivertype.JobStateRunning { // begun in between
		return errRunning
	}
	return err
}

// isTwin tells whether an index has refused a second job of those that may be
// there once.
func isTwin(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}
