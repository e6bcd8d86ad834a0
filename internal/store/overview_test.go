package store_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/overview"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// What is made is counted by the day in UTC, to its last moment, on both engines.
func TestOverview(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		p := newPost(t, s, u.ID, nil)
		first, second := newEntry(t, s, u.ID, calendar.On(noon)), newEntry(t, s, u.ID, calendar.On(noon))
		today := calendar.On(noon)
		exec(t, s, `UPDATE entry SET created_at = $2, currency = 'EUR' WHERE id = $1`, second.ID, today.UTC().Add(-time.Microsecond))
		exec(t, s, `UPDATE entry SET created_at = $2 WHERE id = $1`, first.ID, (today + 1).UTC().Add(-time.Microsecond))
		exec(t, s, `INSERT INTO upload (owner_id, post_id, state, file_name, content_type, size, created_at, updated_at)
			VALUES ($1, $2, 'started', 'a', 'b', 1, $3, $3), ($1, $2, 'failed', 'a', 'b', 1, $3, $3), ($1, $2, 'lost', 'a', 'b', 1, $4, $4)`, u.ID, p.ID, noon, today.UTC())
		o, err := overview.NewService(s, func() time.Time { return noon }).Overview(t.Context(), 1)
		must(t, err)
		for _, tt := range []struct {
			got           overview.Series
			total, before int64
		}{{o.Users, 1, 0}, {o.Posts, 1, 0}, {o.Entries, 1, 1}, {o.Uploads, 2, 0}} {
			if tt.got.Total != tt.total || tt.got.Before != tt.before || len(tt.got.Days) != 1 || tt.got.Days[0] != (overview.Day{Day: today, N: tt.total}) {
				t.Errorf("%+v, want %d and %d before", tt.got, tt.total, tt.before)
			}
		}
		if len(o.Earnings) != 1 || o.Earnings[0].Currency != first.Currency || o.Earnings[0].Earnings != first.Earnings || o.Earnings[0].Days[0].Entries != 1 {
			t.Errorf("earnings = %+v", o.Earnings)
		}
	})
}

func TestAttention(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u, dan := newUser(t, s, "ana@example.com"), newUser(t, s, "dan@example.com")
		exec(t, s, `DELETE FROM mail`)
		exec(t, s, `DELETE FROM river_job WHERE kind <> 'send_mail'`)
		a, err := s.Attention(t.Context(), noon)
		must(t, err)
		if a != (overview.Attention{}) {
			t.Errorf("Attention to nothing = %+v", a)
		}
		for _, change := range []string{``, `status = 'draft'`, `approved_at = created_at`, `moderated_at = created_at`, `created_at = '2020-01-01 00:00:00+00:00'`} {
			p := newPost(t, s, u.ID, nil)
			if change != "" {
				exec(t, s, `UPDATE car_post SET `+change+` WHERE id = $1`, p.ID)
			}
			exec(t, s, `INSERT INTO report (post_id, account_id, reason, text, created_at) VALUES ($1, $2, 'x', '', $3), ($1, $4, 'x', '', $3)`, p.ID, dan.ID, noon, u.ID)
			if change != "" {
				exec(t, s, `UPDATE report SET resolved_at = created_at WHERE post_id = $1`, p.ID)
			}
		}
		exec(t, s, `INSERT INTO mail (kind, address, address_key, state, created_at) VALUES
			('x', 'a', 'a', 'failed', $1), ('x', 'a', 'a', 'queued', $1), ('x', 'a', 'a', 'queued', $2), ('x', 'a', 'a', 'sent', $2)`, noon, noon.Add(-time.Hour))
		exec(t, s, `INSERT INTO upload (owner_id, state, file_name, content_type, size, created_at, updated_at)
			VALUES ($1, 'failed', 'a', 'b', 1, $2, $2), ($1, 'failed', 'a', 'b', 1, $2, $2), ($1, 'lost', 'a', 'b', 1, $2, $2)`, u.ID, noon)
		oldest := noon.Add(-time.Hour)
		exec(t, s, `INSERT INTO purge (object_key, whole, wanted_at, due_at) VALUES ('a', TRUE, $1, $1), ('b', TRUE, $2, $2), ('c', TRUE, $3, $3)`, oldest, noon, noon.Add(time.Second))
		must(t, s.KeepReport(t.Context(), noon, media.Report{Objects: 9, Missing: 2}, 30))
		ids := query(t, s, func(rows *sql.Rows) (id int64, err error) { err = rows.Scan(&id); return id, err }, `SELECT id FROM river_job ORDER BY id`)
		exec(t, s, `UPDATE river_job SET state = 'discarded', finalized_at = created_at WHERE id = $1`, ids[0])
		exec(t, s, `UPDATE river_job SET state = 'retryable', attempt = 3, max_attempts = 9 WHERE id = $1`, ids[1])

		a, err = s.Attention(t.Context(), noon)
		must(t, err)
		since, check := a.OldestRemoval, a.Check
		a.OldestRemoval, a.Check = nil, nil
		want := overview.Attention{ReportedPosts: 1, UnseenPosts: 1, FailedJobs: 2, UnsentMails: 2, FailedUploads: 2, LostUploads: 1, OpenRemovals: 2}
		if a != want || since == nil || !since.Equal(oldest) || check == nil || check.Objects != 9 || check.Missing != 2 || !check.At.Equal(noon) {
			t.Errorf("Attention = %+v since %v with %+v, want %+v", a, since, check, want)
		}
		exec(t, s, `UPDATE river_job SET state = 'available', attempt = 4 WHERE id = $1`, ids[1])
		if a, err := s.Attention(t.Context(), noon); err != nil || a.FailedJobs != 2 {
			t.Errorf("FailedJobs = %d, %v, want 2: one is about to be tried for the fourth time", a.FailedJobs, err)
		}
		if by, failing, _, err := s.JobsWaiting(t.Context(), noon); err != nil || failing != 1 || by["discarded"] != 1 {
			t.Errorf("JobsWaiting = %v, %d failing, %v, want one discarded and one failing", by, failing, err)
		}
		exec(t, s, `UPDATE river_job SET state = 'retryable', attempt = 2 WHERE id = $1`, ids[1])
		if a, err := s.Attention(t.Context(), noon); err != nil || a.FailedJobs != 1 {
			t.Errorf("FailedJobs = %d, %v, want 1: it may still come right", a.FailedJobs, err)
		}
	})
}
