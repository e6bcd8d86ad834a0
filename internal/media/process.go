package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// decodeTime is how long a picture may wait for its place and be decoded
// (promise U7).
const decodeTime = 30 * time.Second

// Process re-encodes a photo: what others see is upright, has two thumbnails
// and nothing of the file that it came in, such as the place where it was taken
// (promise U8). Doing it twice changes nothing. A photo that cannot be read ends
// as failed, with the reason; any error is the storage's or the database's, and
// worth another try.
func (s *Service) Process(ctx context.Context, job Process) error {
	u, err := s.store.UploadByID(ctx, job.UploadID)
	if errors.Is(err, ErrNotFound) {
		// Deleted meanwhile, perhaps while an earlier run was making something.
		return s.removeFolder(ctx, job.Folder)
	}
	switch {
	case err != nil:
		return err
	case u.State == Processing:
		return s.remake(ctx, u, u.Folder+originalName)
	case u.State == Ready && u.Post != 0 && u.Folder == "": // from the older backend
		return s.remake(ctx, u, u.LegacyKey)
	}
	return nil
}

func (s *Service) removeFolder(ctx context.Context, folder string) error {
	if folder == "" {
		return nil
	}
	return s.store.HoldPurge(ctx, []Purge{{Key: folder, Whole: true, Due: s.now()}})
}

// remake makes what is shown of a photo out of an object.
func (s *Service) remake(ctx context.Context, u Upload, source string) error {
	contentType := u.ContentType
	if source == u.LegacyKey {
		contentType = "" // the older backend has noted what the client said, and looked at nothing
	}
	made, err := s.render(ctx, source, contentType)
	if wrong, ok := errors.AsType[*picture.Error](err); ok {
		return s.fail(ctx, u, wrong.Message)
	}
	if errors.Is(err, bucket.ErrNotFound) {
		return s.lose(ctx, u)
	}
	if err != nil {
		return fmt.Errorf("process photo %d: %w", u.ID, err)
	}
	return s.show(ctx, u, source, made)
}

// render makes the renditions of a stored photo; contentType is empty where the
// photo itself has to tell.
func (s *Service) render(ctx context.Context, key, contentType string) (picture.Rendering, error) {
	r, found, err := s.bucket.Open(ctx, key, "")
	if err != nil {
		return picture.Rendering{}, err
	}
	defer r.Close()
	if found.Size > MaxSize { // what we make ourselves is smaller
		return picture.Rendering{}, &picture.Error{Code: "too_large", Message: "The file is larger than 10 MB."}
	}
	raw, err := readAll(r, found.Size)
	if err != nil {
		return picture.Rendering{}, err
	}
	if contentType == "" {
		contentType = photoType(raw)
	}
	ctx, cancel := context.WithTimeout(ctx, decodeTime)
	defer cancel()
	return s.lane.Render(ctx, raw, contentType)
}

// photoType is what the head of a photo says that it is; for what is none, any.
func photoType(raw []byte) string {
	for _, t := range PhotoTypes {
		if _, err := picture.Inspect(bytes.NewReader(raw), t); err == nil {
			return t
		}
	}
	return PhotoTypes[0]
}

// show stores the renditions and makes the photo ready. Should it have been
// deleted meanwhile, they are removed again.
func (s *Service) show(ctx context.Context, u Upload, source string, made picture.Rendering) error {
	folder := u.Folder
	if folder == "" {
		folder = s.newKey(KeptPrefix(s.prefix), u.OwnerID) + "/"
		if err := s.store.HoldPurge(ctx, []Purge{{Key: folder, Whole: true, Due: s.now().Add(holdFor)}}); err != nil {
			return err
		}
	}
	for _, o := range []struct {
		name string
		body []byte
	}{{smallName, made.Small}, {mediumName, made.Medium}, {largeName, made.Large}} {
		if err := s.bucket.Put(ctx, folder+o.name, picture.JPEG, o.body); err != nil {
			return fmt.Errorf("store photo %d: %w", u.ID, err)
		}
	}
	read := u
	_, err := s.store.UpdateUpload(ctx, account.System(account.SourceJob), u.ID, func(u *Upload, fx *Effects) error {
		now := s.now()
		if u.State != read.State || u.Folder != read.Folder { // another run was quicker
			if folder != u.Folder {
				fx.Purge = []Purge{{Key: folder, Whole: true, Due: now}}
			}
			return nil
		}
		fx.Keep = folder
		if u.State == Processing {
			fx.Settle = true
			fx.Purge = []Purge{{Key: source, Due: now}}
		}
		u.State, u.Folder, u.ContentType, u.Size, u.UpdatedAt = Ready, folder, picture.JPEG, int64(len(made.Large)), now
		u.Width, u.Height, u.Problem = &made.Width, &made.Height, ""
		return nil
	})
	if errors.Is(err, ErrNotFound) { // deleted meanwhile
		return s.removeFolder(ctx, folder)
	}
	return err
}

// fail ends a photo that cannot be shown, as it was read; its owner learns why,
// and its objects go.
func (s *Service) fail(ctx context.Context, read Upload, why string) error {
	return s.end(ctx, read, func(u *Upload, fx *Effects) {
		if u.Folder != "" {
			fx.Purge = []Purge{{Key: u.Folder, Whole: true, Due: s.now()}}
		}
		u.State, u.Folder, u.Problem, u.Size = Failed, "", why, 0
	})
}

// lose notes that the objects of an upload are missing. Nothing is removed: when
// they are there again, so is the upload.
func (s *Service) lose(ctx context.Context, read Upload) error {
	s.log.ErrorContext(ctx, "stored file is missing", "upload", read.ID)
	return s.end(ctx, read, func(u *Upload, _ *Effects) {
		u.State, u.Problem = Lost, "The stored file is missing."
	})
}

// find takes it back: to be shown, or to be re-encoded first.
func (s *Service) find(ctx context.Context, read Upload, shown bool) error {
	s.log.InfoContext(ctx, "stored file is there again", "upload", read.ID)
	return s.end(ctx, read, func(u *Upload, fx *Effects) {
		u.State, u.Problem = Ready, ""
		if !shown {
			u.State, fx.Process = Processing, true
		}
	})
}

// end changes an upload that is still as it was read.
func (s *Service) end(ctx context.Context, read Upload, change func(*Upload, *Effects)) error {
	_, err := s.store.UpdateUpload(ctx, account.System(account.SourceJob), read.ID, func(u *Upload, fx *Effects) error {
		if u.State == read.State && u.Folder == read.Folder {
			change(u, fx)
			u.UpdatedAt = s.now()
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// How Reencode goes about it.
const (
	reencodeBatch   = 100
	reencodeRefused = 3 // failures in a row after which a run leaves the rest for later
)

// Reencode makes our own renditions of photos that came with the data of the
// older backend, and returns how many it is done with. Until then they are shown
// as they are. It goes on until there are none left or ctx ends; what is still to
// be done is in the rows, so the next run takes it up. The older objects stay
// where they are.
func (s *Service) Reencode(ctx context.Context) (int, error) {
	done, refused, after := 0, 0, int64(0)
	for {
		ids, err := s.store.LegacyUploads(ctx, after, reencodeBatch)
		if err != nil || len(ids) == 0 {
			return done, err
		}
		for _, id := range ids {
			err := s.Process(ctx, Process{UploadID: id})
			switch {
			case err == nil:
				done, refused = done+1, 0
			case ctx.Err() != nil:
				return done, ctx.Err()
			default:
				refused++
				s.log.WarnContext(ctx, "older photo not re-encoded", "upload", id, "err", err)
				if refused == reencodeRefused { // the storage is down
					return done, err
				}
			}
			after = id
		}
	}
}
