package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/overview"
)

// Counts are what was made in the days from one to another, both included, in UTC.
// Uploads count that were completed.
func (s *Store) Counts(ctx context.Context, from, to calendar.Day) ([]overview.Count, error) {
	day := s.dialect.utcDay("created_at")
	counts, err := list(ctx, s, onDesk, func(r row) (overview.Count, error) {
		var c overview.Count
		err := r.Scan(&c.Kind, &c.Day.Day, &c.N)
		return c, err
	}, `
		SELECT 'users', `+day+` AS day, count(*) FROM account WHERE created_at >= $1 AND created_at < $2 GROUP BY day
		UNION ALL
		SELECT 'posts', `+day+` AS day, count(*) FROM car_post WHERE created_at >= $1 AND created_at < $2 GROUP BY day
		UNION ALL
		SELECT 'entries', `+day+` AS day, count(*) FROM entry WHERE created_at >= $1 AND created_at < $2 GROUP BY day
		UNION ALL
		SELECT 'uploads', `+day+` AS day, count(*) FROM upload
		WHERE state IN ('processing', 'ready', 'failed', 'lost') AND created_at >= $1 AND created_at < $2 GROUP BY day`, from.UTC(), (to + 1).UTC())
	if err != nil {
		return nil, fmt.Errorf("count what was made: %w", err)
	}
	return counts, nil
}

// Sums are what the entries made in the days from one to another add up to.
func (s *Store) Sums(ctx context.Context, from, to calendar.Day) ([]overview.Sum, error) {
	sums, err := list(ctx, s, onDesk, func(r row) (overview.Sum, error) {
		var sum overview.Sum
		err := r.Scan(&sum.Currency, &sum.Day, &sum.Entries, &sum.Earnings)
		return sum, err
	}, `
		SELECT currency, `+s.dialect.utcDay("created_at")+` AS day, count(*), CAST(SUM(earnings) AS bigint)
		FROM entry WHERE created_at >= $1 AND created_at < $2 GROUP BY currency, day ORDER BY day, currency`, from.UTC(), (to + 1).UTC())
	if err != nil {
		return nil, fmt.Errorf("sum up entries: %w", err)
	}
	return sums, nil
}

// Attention counts what needs somebody at a moment. The states stand in it as
// words: partial indexes are made for them.
func (s *Store) Attention(ctx context.Context, at time.Time) (overview.Attention, error) {
	var a overview.Attention
	err := s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		err := db.QueryRowContext(ctx, `
			SELECT
				(SELECT count(DISTINCT post_id) FROM report WHERE resolved_at IS NULL),
				(SELECT count(*) FROM car_post WHERE approved_at IS NULL AND moderated_at IS NULL AND status = 'active' AND created_at >= $2),
				(SELECT count(*) FROM river_job WHERE state = 'discarded') + `+failingJobs+`,
				(SELECT count(*) FROM mail WHERE state IN ('queued', 'failed') AND (state = 'failed' OR created_at <= $3)),
				(SELECT count(*) FROM upload WHERE state = 'failed'),
				(SELECT count(*) FROM upload WHERE state = 'lost'),
				(SELECT count(*) FROM purge WHERE wanted_at <= $4)`,
			overview.FailedAttempts, at.Add(-overview.UnseenFor), at.Add(-overview.MailPatience), at).
			Scan(&a.ReportedPosts, &a.UnseenPosts, &a.FailedJobs, &a.UnsentMails, &a.FailedUploads, &a.LostUploads, &a.OpenRemovals)
		if err != nil {
			return err
		}
		var since time.Time
		err = db.QueryRowContext(ctx, `SELECT wanted_at FROM purge WHERE wanted_at <= $1 ORDER BY wanted_at LIMIT 1`, at).Scan(&since)
		switch {
		case err == nil:
			a.OldestRemoval = &since
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		checked, r, ok, err := lastReport(ctx, db)
		if ok {
			a.Check = &overview.Check{
				At: checked, Uploads: r.Uploads, Objects: r.Objects, Unclaimed: r.Unclaimed, Young: r.Young, Missing: r.Missing,
				Found: r.Found, Redone: r.Redone, Foreign: r.Foreign, Failed: r.Failed,
			}
		}
		return err
	})
	if err != nil {
		return overview.Attention{}, fmt.Errorf("count what needs somebody: %w", err)
	}
	return a, nil
}
