package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// Take stores a photo or a file that came to the server itself, and makes it
// ready. A photo with replaces takes the place of that photo of the post; the
// file of a document always takes that of the one before. Of several at once for one
// place the one begun last stays, and all succeed. The type is that of the bytes.
func (s *Service) Take(ctx context.Context, by account.Actor, t Target, name string, raw []byte, replaces int64) (Upload, error) {
	types := PhotoTypes
	if t.Document != 0 {
		types = FileTypes
	}
	info, err := picture.Inspect(bytes.NewReader(raw), types...)
	if wrong, ok := errors.AsType[*picture.Error](err); ok {
		return Upload{}, fault.InvalidField("file", wrong.Code, wrong.Message)
	}
	kind := info.ContentType
	u, _, _, err := s.Start(ctx, by, Request{
		Target: t, File: File{Name: name, ContentType: kind, Size: int64(len(raw))}, Replaces: replaces,
	}, nil)
	if err != nil {
		return Upload{}, err
	}
	if err := s.bucket.Put(ctx, u.UploadKey, kind, raw); err != nil {
		return Upload{}, errors.Join(s.explain(err, "store a file"), s.Delete(ctx, by, t, u.ID))
	}
	var done Upload
	if t.Document != 0 {
		done, err = s.Complete(ctx, by, t, u.ID)
	} else {
		done, err = s.Finish(ctx, by, t.Post, u.ID)
	}
	switch {
	case err == nil && done.State != Failed:
		return done, nil
	case err == nil:
		err = fault.InvalidField("file", "unreadable", done.Problem)
	case errors.Is(err, ErrNotFound) && replaces != 0:
		// A later one took the same place first: this one had it for a moment.
		if _, err := s.gate(ctx, by, t); err == nil {
			return u, nil
		}
	}
	// Nobody could complete it later: the client does not know of it.
	if gone := s.Delete(context.WithoutCancel(ctx), by, t, u.ID); gone != nil && !errors.Is(gone, fault.NotFound) {
		s.log.WarnContext(ctx, "file that was not taken is left", "upload", u.ID, "err", gone)
	}
	return Upload{}, err
}

// Rename says what an upload is called. bad is what the caller already knows to
// be wrong.
func (s *Service) Rename(ctx context.Context, by account.Actor, t Target, id int64, name string, bad fault.Fields) (Upload, error) {
	u, err := s.Upload(ctx, by, t, id)
	if err != nil {
		return Upload{}, err
	}
	name = CleanName(name)
	account.CheckText(&bad, "file_name", name, 1, account.MaxText, false)
	if err := bad.Err(); err != nil {
		return Upload{}, err
	}
	read := u
	return s.store.UpdateUpload(ctx, by, id, func(u *Upload, _ *Effects) error {
		switch {
		case u.Target != read.Target || u.OwnerID != read.OwnerID: // dropped meanwhile
			return ErrNotFound
		case u.FileName != name:
			u.FileName, u.UpdatedAt = name, s.now()
		}
		return nil
	})
}

// Find reads an upload, of whatever it is, for an actor who manages; for others
// there is none.
func (s *Service) Find(ctx context.Context, by account.Actor, id int64) (Upload, error) {
	if !by.Manages {
		return Upload{}, ErrNotFound
	}
	return s.store.UploadByID(ctx, id)
}

// renditions are the objects of a photo that is shown, by size.
var renditions = map[string]string{"large": largeName, "medium": mediumName, "small": smallName}

// OpenShown reads what is shown of an upload that is ready: of a photo in a size
// ("large", "medium" or "small"), of a document its file (""). Of a photo that
// came with the older backend's data there is one size until it was re-encoded.
// The type is one of those that are taken, or that of bytes that nobody knows.
func (s *Service) OpenShown(ctx context.Context, u Upload, size string) (r io.ReadCloser, contentType string, length int64, err error) {
	keys := []string{u.shown()}
	contentType = u.ContentType
	if u.Post != 0 && u.Folder != "" {
		name, ok := renditions[size]
		if !ok {
			return nil, "", 0, ErrNotFound
		}
		keys, contentType = []string{u.Folder + name, u.shown()}, picture.JPEG
	}
	if u.State != Ready {
		return nil, "", 0, ErrNotFound
	}
	// The older backend has noted what the client said, and looked at nothing.
	if !slices.Contains(FileTypes, contentType) {
		contentType = "application/octet-stream"
	}
	for _, key := range keys {
		r, found, err := s.bucket.Open(ctx, key, "")
		if err == nil {
			return r, contentType, found.Size, nil
		}
		if !errors.Is(err, bucket.ErrNotFound) {
			return nil, "", 0, s.explain(err, "read a stored file")
		}
	}
	return nil, "", 0, ErrNotFound
}

// Why a photo cannot be re-encoded again.
var (
	errNoPhoto    = fault.New(fault.Conflict, "This is the file of a document: only photos are re-encoded.")
	errUnfinished = fault.New(fault.Conflict, "Nothing of this photo has been taken in yet: its upload was never completed.")
	errDone       = fault.New(fault.Conflict, "This photo is ready: there is nothing to do again.")
	errGone       = fault.New(fault.Conflict, "What was uploaded is no longer stored, so it cannot be re-encoded again.")
)

// Redo has a photo re-encoded again that failed, was missed or is stuck, if what
// was uploaded is still there: for an actor who manages; for others there is no
// such upload.
func (s *Service) Redo(ctx context.Context, by account.Actor, id int64) error {
	read, err := s.Find(ctx, by, id)
	if err != nil {
		return err
	}
	switch {
	case read.Document != 0:
		return errNoPhoto
	case read.Post == 0 || read.State == Dropped:
		return ErrNotFound
	case read.State == Started:
		return errUnfinished
	case read.State == Ready:
		return errDone
	}
	source := read.source()
	if source == "" {
		return errGone
	}
	if _, err := s.head(ctx, source); errors.Is(err, bucket.ErrNotFound) {
		return errGone
	} else if err != nil {
		return s.explain(err, "look for the photo")
	}
	_, err = s.store.UpdateUpload(ctx, by, id, func(u *Upload, fx *Effects) error {
		if u.State != read.State || u.Folder != read.Folder {
			return account.ErrStale
		}
		u.State, u.Problem, u.UpdatedAt = Processing, "", s.now()
		fx.Process = true
		return nil
	})
	return err
}

// source is the key of what a photo is re-encoded from; empty when it is gone.
func (u Upload) source() string {
	if u.Folder == "" {
		return u.LegacyKey
	}
	return u.Folder + originalName
}
