package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// watchedMedia is the service, which tells when a job has run.
type watchedMedia struct {
	*media.Service
	process   func(context.Context, media.Process) error
	processed chan error
	reencoded chan int // photos that a run has re-encoded, when there were some
	purged    chan int // removals that a run has carried out, when there were some
}

func watchMedia(s *media.Service) *watchedMedia {
	return &watchedMedia{s, s.Process, make(chan error, 100), make(chan int, 1000), make(chan int, 1000)}
}

func (m *watchedMedia) Process(ctx context.Context, job media.Process) error {
	err := m.process(ctx, job)
	m.processed <- err
	return err
}

func (m *watchedMedia) Reencode(ctx context.Context) (int, error) {
	n, err := m.Service.Reencode(ctx)
	if n > 0 {
		m.reencoded <- n
	}
	return n, err
}

func (m *watchedMedia) Purge(ctx context.Context) (int, error) {
	n, err := m.Service.Purge(ctx)
	if n > 0 {
		m.purged <- n
	}
	return n, err
}

func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// photo uploads one and completes it.
func (o *office) photo() media.Upload {
	o.t.Helper()
	u := o.register("photographer@example.com")
	by := account.Actor{ID: u.ID, Source: account.SourceAPI}
	d := listing.DefaultDetails()
	year, price, period := 2020, fixed.Amount(12_000), "day"
	d.Make, d.Model, d.Year, d.Price, d.PricePeriod = "Dacia", "Logan", &year, &price, &period
	p, _, err := o.listings.Create(o.t.Context(), by, d, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	raw, target := mediatest.JPEG(64, 48), media.Target{Post: p.ID}
	up, form, _, err := o.media.Start(o.t.Context(), by, media.Request{Target: target, File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(raw))}}, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	buckettest.Post(o.t, form, raw, nil)
	if up, err = o.media.Complete(o.t.Context(), by, target, up.ID); err != nil {
		o.t.Fatal(err)
	}
	return up
}

// A completed photo becomes ready by a job that its completion has recorded, and
// what it was made from is removed by another (promises D9 and D12).
func TestPhoto_D9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		u := o.photo()
		o.start(nil)
		if err := await(t, "the photo", o.media.processed); err != nil {
			t.Fatal(err)
		}
		if got, err := s.UploadByID(t.Context(), u.ID); err != nil || got.State != media.Ready {
			t.Errorf("%s, %v, want ready", got.State, err)
		}
		await(t, "a removal", o.media.purged)
	})
}

// A storage that is down for longer than any number of tries costs no photo: the
// job waits, and does its work when the storage is back.
func TestPhoto_StorageDown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		var down atomic.Bool
		down.Store(true)
		o.media.process = func(ctx context.Context, job media.Process) error {
			if down.Load() {
				return errors.New("the storage is down")
			}
			return o.media.Service.Process(ctx, job)
		}
		u := o.photo()
		exec := func(query string) {
			if _, err := s.Writer().ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		// The last of its attempts, as others count.
		exec(`UPDATE river_job SET max_attempts = 1 WHERE kind = 'process_photo'`)
		r := o.start(nil)
		if err := await(t, "a try", o.media.processed); err == nil {
			t.Fatal("the storage is not down")
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := s.UploadByID(t.Context(), u.ID); err != nil || got.State != media.Processing {
			t.Errorf("%s, %v, want processing", got.State, err)
		}
		down.Store(false)
		exec(`UPDATE river_job SET scheduled_at = created_at, state = 'available' WHERE kind = 'process_photo'`)
		o.start(nil)
		if err := await(t, "the photo", o.media.processed); err != nil {
			t.Fatal(err)
		}
		if got, err := s.UploadByID(t.Context(), u.ID); err != nil || got.State != media.Ready {
			t.Errorf("%s, %v, want ready", got.State, err)
		}
	})
}

// Photos that an import has brought are re-encoded without a job for each.
func TestReencodePhotos(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		u := o.photo()
		if _, err := s.Writer().ExecContext(t.Context(), `DELETE FROM river_job`); err != nil {
			t.Fatal(err)
		}
		// What was uploaded stands for a photo of the older backend.
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE upload SET state = 'ready', legacy_key = folder || 'original', folder = NULL`); err != nil {
			t.Fatal(err)
		}
		o.start(nil)
		if n := await(t, "the photo", o.media.reencoded); n != 1 {
			t.Errorf("%d photos were re-encoded, want 1", n)
		}
		if got, err := s.UploadByID(t.Context(), u.ID); err != nil || got.Folder == "" || got.Size == 0 {
			t.Errorf("%+v, %v, want renditions of our own", got, err)
		}
	})
}

// The comparison runs by the clock, once a day, and does not begin anew with the
// server.
func TestDaily(t *testing.T) {
	day := jobs.Daily(3*time.Hour + 17*time.Minute)
	var _ river.PeriodicSchedule = day
	for now, want := range map[string]string{
		"2026-05-04T00:00:00Z":      "2026-05-04T03:17:00Z",
		"2026-05-04T03:16:59Z":      "2026-05-04T03:17:00Z",
		"2026-05-04T03:17:00Z":      "2026-05-05T03:17:00Z",
		"2026-05-04T23:59:59+03:00": "2026-05-05T03:17:00Z",
		"2026-12-31T12:00:00Z":      "2027-01-01T03:17:00Z",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := day.Next(at).Format(time.RFC3339); got != want {
			t.Errorf("after %s comes %s, want %s", now, got, want)
		}
	}
}
