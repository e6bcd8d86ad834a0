package media

import (
	"context"
	"time"
)

// How removals go about it.
const (
	purgeLease   = 5 * time.Minute  // that one worker has for a batch
	purgeBatch   = 50               // removals
	purgePause   = 15 * time.Second // after the first failure; twice as long after each further one
	purgeLongest = 15 * time.Minute
	purgeRefused = 3 // failures in a row after which a run leaves the rest for later
)

// Purge removes the objects that are due to be removed and returns how many
// removals were carried out. What the storage does not confirm is tried again,
// for as long as it takes (promise D12); the error speaks of the database alone.
func (s *Service) Purge(ctx context.Context) (int, error) {
	total := 0
	for {
		batch, err := s.store.ClaimPurges(ctx, s.now(), purgeLease, purgeBatch)
		if err != nil || len(batch) == 0 {
			return total, err
		}
		done, again := s.purge(ctx, batch)
		// Also when the job is being cut off: what was done is done.
		settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		err = s.store.SettlePurges(settle, done, again)
		cancel()
		if total += len(done); err != nil || len(again) > 0 {
			return total, err
		}
	}
}

func (s *Service) purge(ctx context.Context, batch []Purge) (done []int64, again []Purge) {
	refused := 0
	for _, p := range batch {
		if refused < purgeRefused {
			err := s.remove(ctx, p)
			if err == nil {
				refused = 0
				done = append(done, p.ID)
				continue
			}
			refused++
			s.log.WarnContext(ctx, "object not removed", "purge", p.ID, "tries", p.Tries, "err", err)
		}
		p.Due = s.now().Add(pause(p.Tries))
		again = append(again, p)
	}
	return done, again
}

func pause(tries int) time.Duration {
	return min(purgePause<<min(tries, 10), purgeLongest)
}

func (s *Service) remove(ctx context.Context, p Purge) error {
	if !p.Whole {
		return s.bucket.Delete(ctx, p.Key)
	}
	_, err := s.bucket.DeleteAll(ctx, p.Key)
	return err
}

// dropBatch is how many uploads one transaction of DropUnfinished removes.
const dropBatch = 500

// DropUnfinished removes the uploads that were never completed, a day after
// they were started (promise U12), and those whose thing went away by itself.
func (s *Service) DropUnfinished(ctx context.Context) (int, error) {
	total := 0
	for {
		now := s.now()
		n, err := s.store.DropUploads(ctx, now.Add(-UnfinishedFor), now.Add(-SweepAfter), dropBatch)
		if total += n; err != nil || n < dropBatch {
			return total, err
		}
	}
}

// inWorkFor is after how long the job of a photo is taken for lost.
const inWorkFor = 6 * time.Hour

// Requeue enqueues the job of photos anew that have been in work for too long:
// their job was lost, as with a server that died at its last try.
func (s *Service) Requeue(ctx context.Context) (int, error) {
	now := s.now()
	return s.store.RequeuePhotos(ctx, now.Add(-inWorkFor), now, dropBatch)
}
