package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/ridecopilot/ridecopilot/internal/media"
)

// processWorker re-encodes photos.
type processWorker struct {
	river.WorkerDefaults[media.Process]
	r *Runner
}

// Work re-encodes one photo. What is wrong with the photo itself is noted on it,
// also that it takes too long whenever it is tried; any other error is the
// storage's or the database's, and the job waits until they are back, for as long
// as it takes.
func (w *processWorker) Work(ctx context.Context, job *river.Job[media.Process]) error {
	err := w.r.o.Media.Process(ctx, job.Args)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, media.ErrSlow) && job.Attempt < slowAttempts:
		return err
	case errors.Is(err, media.ErrSlow):
		return w.r.o.Media.GiveUp(ctx, job.Args.UploadID)
	}
	w.r.o.Log.WarnContext(ctx, "photo not processed yet", "upload", job.Args.UploadID, "err", err)
	return river.JobSnooze(imagePause)
}

// reencodePhotos re-encodes the photos that an import has brought.
type reencodePhotos struct{}

func (reencodePhotos) Kind() string { return "reencode_photos" }

// InsertOpts lets it wait with the other photos, one of which is worked beside it.
func (reencodePhotos) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: imageQueue} }

type reencodeWorker struct {
	river.WorkerDefaults[reencodePhotos]
	r *Runner
}

// Timeout is longer than that of other jobs: it works through all of them.
func (w *reencodeWorker) Timeout(*river.Job[reencodePhotos]) time.Duration { return reencodeTime }

// Work re-encodes until nothing is left or its time is over; the next run goes on
// from there.
func (w *reencodeWorker) Work(ctx context.Context, _ *river.Job[reencodePhotos]) error {
	n, err := w.r.o.Media.Reencode(ctx)
	if n > 0 {
		w.r.o.Log.InfoContext(ctx, "older photos re-encoded", "photos", n)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// removeWorker removes the objects that are due to be removed, and notes beside
// them which accounts were erased: whenever there is something to do, and by the
// clock.
type removeWorker struct {
	river.WorkerDefaults[media.PurgeObjects]
	r *Runner
}

// Work removes what is due. The record of what is still to be done is in the
// rows, not in the job: it never ends as given up (promise D12).
func (w *removeWorker) Work(ctx context.Context, _ *river.Job[media.PurgeObjects]) error {
	n, err := w.r.o.Media.Purge(ctx)
	if n > 0 {
		w.r.o.Log.InfoContext(ctx, "objects removed", "removals", n)
	}
	return errors.Join(err, w.r.o.Erasures.NoteErasures(ctx))
}

// compareStorage compares rows and objects, and mends what differs; it also
// erases accounts again that an older copy of the database has brought back.
type compareStorage struct{}

func (compareStorage) Kind() string { return "compare_storage" }

type compareWorker struct {
	river.WorkerDefaults[compareStorage]
	r *Runner
}

// Timeout is longer than that of other jobs: it looks at every object.
func (w *compareWorker) Timeout(*river.Job[compareStorage]) time.Duration { return compareTime }

func (w *compareWorker) Work(ctx context.Context, _ *river.Job[compareStorage]) error {
	if _, err := w.r.o.Erasures.EraseAgain(ctx, false); err != nil { // the next night tries again
		w.r.o.Log.ErrorContext(ctx, "accounts not erased again", "err", err)
	}
	r, err := w.r.o.Media.Check(ctx, media.CheckOptions{Repair: true})
	w.r.o.Log.InfoContext(ctx, "rows and objects compared", "uploads", r.Uploads, "objects", r.Objects, "unclaimed", r.Unclaimed,
		"missing", r.Missing, "found", r.Found, "made_again", r.Redone, "young", r.Young, "foreign", r.Foreign, "failed", r.Failed)
	return err
}
