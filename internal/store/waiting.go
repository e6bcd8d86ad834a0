package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/overview"
)

// failingJobs counts the jobs that have failed as often as a parameter says and are
// tried again. The attempt of one that waits or runs again is the next one.
const failingJobs = `
	(SELECT count(*) FROM river_job WHERE state = 'retryable' AND attempt >= $1) +
	(SELECT count(*) FROM river_job WHERE state IN ('available', 'running') AND attempt > $1)`

// JobsWaiting counts the jobs that have not ended well, by their state, and those
// that fail again and again, and tells since when the one has waited that should
// have been worked first; nil when none is due at the moment.
func (s *Store) JobsWaiting(ctx context.Context, at time.Time) (byState map[string]int64, failing int64, since *time.Time, err error) {
	byState = map[string]int64{}
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		found, err := db.QueryContext(ctx, `
			SELECT CAST(state AS text), count(*) FROM river_job
			WHERE state IN ('available', 'running', 'retryable', 'scheduled', 'discarded') GROUP BY state`)
		if err != nil {
			return err
		}
		_, err = collect(found, func(r row) (struct{}, error) {
			var state string
			var n int64
			err := r.Scan(&state, &n)
			byState[state] = n
			return struct{}{}, err
		})
		if err != nil {
			return err
		}
		if err := db.QueryRowContext(ctx, `SELECT `+failingJobs, overview.FailedAttempts).Scan(&failing); err != nil {
			return err
		}
		since, err = oldestJob(ctx, db, at)
		return err
	})
	if err != nil {
		return nil, 0, nil, fmt.Errorf("count the jobs: %w", err)
	}
	return byState, failing, since, nil
}

// OldestJob tells since when the job has waited that should have been worked
// first; nil when none is due.
func (s *Store) OldestJob(ctx context.Context, at time.Time) (since *time.Time, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		since, err = oldestJob(ctx, db, at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for the oldest job: %w", err)
	}
	return since, nil
}

func oldestJob(ctx context.Context, db querier, at time.Time) (*time.Time, error) {
	var first time.Time
	err := db.QueryRowContext(ctx, `
		SELECT scheduled_at FROM river_job WHERE state IN ('available', 'retryable', 'scheduled') ORDER BY scheduled_at LIMIT 1`).Scan(&first)
	if errors.Is(err, sql.ErrNoRows) || err == nil && first.After(at) {
		return nil, nil //nolint:nilnil // none is due
	}
	return &first, err
}
