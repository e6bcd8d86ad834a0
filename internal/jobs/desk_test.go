package jobs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/mail"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

func (o *office) desk() *jobs.Desk {
	o.t.Helper()
	d, err := jobs.NewDesk(jobs.DB{Postgres: o.s.JobPool(), SQLite: o.s.Writer()})
	if err != nil {
		o.t.Fatal(err)
	}
	return d
}

func (o *office) job(kind string) (id int64) {
	o.t.Helper()
	if err := o.s.Reader().QueryRowContext(o.t.Context(), `SELECT max(id) FROM river_job WHERE kind = $1`, kind).Scan(&id); err != nil {
		o.t.Fatal(err)
	}
	return id
}

func (o *office) exec(query string, args ...any) {
	o.t.Helper()
	if _, err := o.s.Writer().ExecContext(o.t.Context(), query, args...); err != nil {
		o.t.Fatal(err)
	}
}

// A job that failed for good is worked again when an operator says so.
func TestDesk_Retry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.box.fail = []error{&smtp.SMTPError{Code: 451, Message: "come back"}}
		o.open()
		o.register("stefan@example.com")
		o.exec(`UPDATE river_job SET max_attempts = 1`)
		desk, id := o.desk(), o.job("send_mail")
		if err := desk.Retry(t.Context(), id); !errors.Is(err, fault.Conflict) {
			t.Errorf("Retry of what waits = %v, want %v", err, fault.Conflict)
		}
		o.start(nil)
		o.until(1, `SELECT count(*) FROM river_job WHERE id = $1 AND state = 'discarded'`, id)
		o.until(1, `SELECT count(*) FROM mail WHERE state = 'failed'`)
		if err := desk.Cancel(t.Context(), id); !errors.Is(err, fault.Conflict) {
			t.Errorf("Cancel of what has failed = %v, want %v", err, fault.Conflict)
		}
		if err := desk.Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		o.letter()
		o.until(1, `SELECT count(*) FROM river_job WHERE id = $1 AND state = 'completed'`, id)
		o.until(1, `SELECT count(*) FROM mail WHERE state = 'sent'`)
		for what, err := range map[string]error{"Retry": desk.Retry(t.Context(), id), "Cancel": desk.Cancel(t.Context(), id)} {
			if !errors.Is(err, fault.Conflict) {
				t.Errorf("%s of what is done = %v, want %v", what, err, fault.Conflict)
			}
		}
		for what, err := range map[string]error{"Retry": desk.Retry(t.Context(), 4711), "Cancel": desk.Cancel(t.Context(), 4711)} {
			if !errors.Is(err, jobs.ErrNoJob) {
				t.Errorf("%s of none = %v, want %v", what, err, jobs.ErrNoJob)
			}
		}
	})
}

func TestDesk_Cancel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		desk := o.desk()
		o.register("stefan@example.com")
		waits := o.job("send_mail")
		if err := desk.Cancel(t.Context(), waits); err != nil {
			t.Fatal(err)
		}
		o.until(1, `SELECT count(*) FROM river_job WHERE id = $1 AND state = 'cancelled'`, waits)

		begun := make(chan struct{})
		o.start(&refusing{sent: make(chan mail.Message, 1), do: func(ctx context.Context, _ mail.Message) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}})
		o.register("ana@example.com")
		receive(t, begun)
		runs := o.job("send_mail")
		if err := desk.Retry(t.Context(), runs); !errors.Is(err, fault.Conflict) {
			t.Errorf("Retry of what runs = %v, want %v", err, fault.Conflict)
		}
		if err := desk.Cancel(t.Context(), runs); err != nil {
			t.Fatal(err)
		}
		o.until(1, `SELECT count(*) FROM river_job WHERE id = $1 AND state = 'cancelled' AND attempt = 1`, runs)
	})
}

// Of jobs that may wait once, an older one cannot be put beside the other.
func TestDesk_Twin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		desk := o.desk()
		o.photo()
		first := o.job("process_photo")
		if err := desk.Cancel(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		o.exec(`UPDATE upload SET created_at = '2020-01-01 00:00:00+00:00', updated_at = '2020-01-01 00:00:00+00:00'`)
		if n, err := o.media.Requeue(t.Context()); err != nil || n != 1 || o.job("process_photo") == first {
			t.Fatalf("Requeue = %d, %v", n, err)
		}
		if err := desk.Retry(t.Context(), first); !errors.Is(err, fault.Conflict) {
			t.Errorf("Retry beside one that does the same = %v, want %v", err, fault.Conflict)
		}
		if err := desk.Cancel(t.Context(), o.job("process_photo")); err != nil {
			t.Fatal(err)
		}
		if err := desk.Retry(t.Context(), first); err != nil {
			t.Errorf("Retry alone = %v", err)
		}
	})
}
