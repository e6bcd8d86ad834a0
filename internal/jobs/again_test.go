package jobs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/mail"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// byTheClock are the jobs that run at the start of a server.
const byTheClock = `kind IN ('remind_documents', 'purge_expired', 'purge_objects', 'reencode_photos')`

// startedKinds is how many kinds those are.
const startedKinds = 4

// TestKilled_D11_D12 kills the process that works jobs, again and again, at every
// kind of job that it may do twice: they run again, and none is discarded.
func TestKilled_D11_D12(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		sent := &refusing{sent: make(chan mail.Message, 10)}
		first := o.start(sent)
		o.until(startedKinds, `SELECT count(*) FROM river_job WHERE state = 'completed' AND `+byTheClock)
		if err := first.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		o.register("ana@example.com")                                                                                                  // a mail
		if err := s.HoldPurge(t.Context(), []media.Purge{{Key: "u/1/", Whole: true, Due: time.Now().Add(-time.Minute)}}); err != nil { // a removal
			t.Fatal(err)
		}
		// As a dead process leaves them: it has held each for hours, at its fifth attempt.
		long := time.Now().Add(-6 * time.Hour).UTC().Format("2006-01-02 15:04:05")
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 5, finalized_at = NULL, attempted_at = $1`, long); err != nil {
			t.Fatal(err)
		}
		all := len(texts(t, s, `SELECT kind FROM river_job`))
		o.start(sent)
		o.until(0, `SELECT count(*) FROM river_job WHERE attempt >= 5 AND state <> 'completed'`)
		o.until(all, `SELECT count(*) FROM river_job WHERE attempt > 5 AND state = 'completed'`)
		if kinds := texts(t, s, `SELECT kind FROM river_job WHERE state = 'discarded'`); len(kinds) > 0 {
			t.Errorf("discarded: %v", kinds)
		}
	})
}

// TestAgain_D12 has the jobs that run by the clock fail: they are tried again, counted
// as failing, and handed over to the next one at the end, but not discarded.
func TestAgain_D12(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.erasures.fail.Store(true)
		o.start(&refusing{sent: make(chan mail.Message, 10)})
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'purge_objects' AND state IN ('retryable', 'available') AND attempt >= 1`)
		set := func(attempts string) {
			t.Helper()
			_, err := s.Writer().ExecContext(t.Context(), `UPDATE river_job SET state = 'available', attempt = `+attempts+`, scheduled_at = $1 WHERE kind = 'purge_objects' AND finalized_at IS NULL`,
				time.Now().Add(-time.Second).UTC().Format("2006-01-02 15:04:05"))
			if err != nil {
				t.Fatal(err)
			}
		}
		set("3")
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'purge_objects' AND state = 'retryable' AND attempt >= 4`)
		if _, failing, _, err := s.JobsWaiting(t.Context(), time.Now()); err != nil || failing != 1 {
			t.Errorf("failing = %d, %v, want 1", failing, err)
		}
		var next time.Time
		if err := s.Reader().QueryRowContext(t.Context(), `SELECT scheduled_at FROM river_job WHERE kind = 'purge_objects' AND state = 'retryable'`).Scan(&next); err != nil {
			t.Fatal(err)
		}
		if pause := time.Until(next); pause > 5*time.Minute {
			t.Errorf("tried again in %v, want 5 minutes at most", pause)
		}
		set("24")
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'purge_objects' AND state = 'cancelled'`)
		if n := len(texts(t, s, `SELECT kind FROM river_job WHERE state = 'discarded'`)); n > 0 {
			t.Errorf("%d jobs are discarded", n)
		}
		if !strings.Contains(o.log.String(), "the storage is away") {
			t.Error("the failure is not in the log")
		}
	})
}
