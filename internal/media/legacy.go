package media

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// The older client hands some photos to the server itself, and asks for a photo
// once, right after it was completed: these do for it what others do in steps.

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
	if u.State == Processing && s.turnstile.Enter(u.OwnerID) {
		within, cancel := context.WithTimeout(ctx, finishTime)
		if err := s.process(within, Process{UploadID: u.ID, Folder: u.Folder}, s.checks); err != nil {
			s.log.WarnContext(ctx, "photo left to its job", "upload", u.ID, "err", err)
		}
		cancel()
		s.turnstile.Leave(u.OwnerID)
	}
	return s.Upload(ctx, by, t, id)
}

// Take stores a photo that came to the server itself, and makes it ready. With
// replaces it takes the place of that photo of the post. The type is that of the
// bytes.
func (s *Service) Take(ctx context.Context, by account.Actor, post int64, name string, raw []byte, replaces int64) (Upload, error) {
	kind := http.DetectContentType(raw)
	u, _, _, err := s.Start(ctx, by, Request{
		Target: Target{Post: post}, File: File{Name: name, ContentType: kind, Size: int64(len(raw))}, Replaces: replaces,
	}, nil)
	if err != nil {
		return Upload{}, err
	}
	if err := s.bucket.Put(ctx, u.UploadKey, kind, raw); err != nil {
		return Upload{}, errors.Join(s.explain(err, "store a photo"), s.Delete(ctx, by, u.Target, u.ID))
	}
	done, err := s.Finish(ctx, by, post, u.ID)
	switch {
	case err == nil && done.State != Failed:
		return done, nil
	case err == nil:
		err = fault.InvalidField("file", "unreadable", done.Problem)
	}
	// Nobody could complete it later: the client does not know of it.
	if gone := s.Delete(context.WithoutCancel(ctx), by, u.Target, u.ID); gone != nil && !errors.Is(gone, fault.NotFound) {
		s.log.WarnContext(ctx, "photo that was not taken is left", "upload", u.ID, "err", gone)
	}
	return Upload{}, err
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
