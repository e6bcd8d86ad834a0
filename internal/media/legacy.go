package media

import (
	"context"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

// The older client asks for a photo once, right after it was completed: these do
// for it what others do in steps.

// finishTime is how long the older client waits until a photo is ready.
const finishTime = 10 * time.Second

// Finish completes a photo and re-encodes it at once, in finishTime at most; when
// that is too short, the job does it.
func (s *Service) Finish(ctx context.Context, by account.Actor, post, id int64) (Upload, error) {
	t := Target{Post: post}
	u, err := s.Complete(ctx, by, t, id)
	if err != nil {
		return Upload{}, err
	}
	if u.State == Processing && s.turnstile.Enter(ctx, u.OwnerID) == nil {
		within, cancel := context.WithTimeout(ctx, finishTime)
		if err := s.process(within, Process{UploadID: u.ID, Folder: u.Folder}, s.checks); err != nil {
			s.log.WarnContext(ctx, "photo left to its job", "upload", u.ID, "err", err)
		}
		cancel()
		s.turnstile.Leave(u.OwnerID)
	}
	return s.Upload(ctx, by, t, id)
}

// PostOf is the post of a photo that the actor may complete: the older client
// names the photo alone.
func (s *Service) PostOf(ctx context.Context, by account.Actor, id int64) (int64, error) {
	u, err := s.store.UploadByID(ctx, id)
	if err != nil {
		return 0, err
	}
	if u.Post == 0 || !by.MayManage(u.OwnerID) {
		return 0, ErrNotFound
	}
	return u.Post, nil
}
