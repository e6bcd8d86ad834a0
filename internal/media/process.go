package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
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
	return s.process(ctx, job, s.lane)
}

// process is Process in a lane. Of several runs for one photo in this process one
// does the work; the others wait for it and look again.
func (s *Service) process(ctx context.Context, job Process, lane *picture.Lane) error {
	for {
		other, mine := s.flights.begin(job.UploadID)
		if mine {
			defer s.flights.end(job.UploadID)
			return s.processAlone(ctx, job, lane)
		}
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// flights are the uploads that are being worked on here.
type flights struct {
	mu  sync.Mutex
	now map[int64]chan struct{}
}

func (f *flights) begin(id int64) (other <-chan struct{}, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.now[id]; ok {
		return c, false
	}
	if f.now == nil {
		f.now = map[int64]chan struct{}{}
	}
	f.now[id] = make(chan struct{})
	return nil, true
}

func (f *flights) end(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.now[id])
	delete(f.now, id)
}

func (s *Service) processAlone(ctx context.Context, job Process, lane *picture.Lane) error {
	u, err := s.store.UploadByID(ctx, job.UploadID)
	if errors.Is(err, ErrNotFound) {
		// Deleted meanwhile, perhaps while an earlier run was making something.
		return s.removeFolder(ctx, job.Folder)
	}
	switch {
	case err != nil:
		return err
	case u.State == Processing:
		return s.remake(ctx, u, u.source(), lane)
	case u.State == Ready && u.Post != 0 && u.Folder == "": // from the older backend
		return s.remake(ctx, u, u.LegacyKey, lane)
	}
	return nil
}

func (s *Service) removeFolder(ctx context.Context, folder string) error {
	if folder == "" {
		return nil
	}
	return s.store.HoldPurge(ctx, []Purge{{Key: folder, Whole: true, Due: s.now()}})
}

// redo makes the thumbnails of a photo again, out of what is shown of it, and tells
// whether it could. What cannot be read is not final: its objects stay.
func (s *Service) redo(ctx context.Context, u Upload) (bool, error) {
	made, err := s.render(ctx, u.shown(), u.ContentType, s.lane)
	if _, wrong := errors.AsType[*picture.Error](err); wrong || errors.Is(err, bucket.ErrNotFound) {
		return false, s.lose(ctx, u)
	}
	if err != nil {
		return false, err
	}
	return true, s.show(ctx, u, u.shown(), made)
}

// ErrSlow says that a photo took too long to decode: it may be the machine's
// fault, or that of the photo.
var ErrSlow = errors.New("the photo takes too long to decode")

// remake makes what is shown of a photo out of what came of it.
func (s *Service) remake(ctx context.Context, u Upload, source string, lane *picture.Lane) error {
	contentType := u.ContentType
	if source == u.LegacyKey {
		contentType = "" // the older backend has noted what the client said, and looked at nothing
	}
	made, err := s.render(ctx, source, contentType, lane)
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
func (s *Service) render(ctx context.Context, key, contentType string, lane *picture.Lane) (picture.Rendering, error) {
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
	within, cancel := context.WithTimeout(ctx, decodeTime)
	defer cancel()
	made, err := lane.Render(within, raw, contentType)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && !errors.Is(err, picture.ErrBusy) {
		err = fmt.Errorf("%w: %w", ErrSlow, err)
	}
	return made, err
}

// photoType is what the head of a photo says that it is; for what is none, any.
func photoType(raw []byte) string {
	info, err := picture.Inspect(bytes.NewReader(raw), PhotoTypes...)
	if err != nil {
		return PhotoTypes[0]
	}
	return info.ContentType
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
			if source != u.LegacyKey { // the older objects stay where they are
				fx.Purge = []Purge{{Key: source, Due: now}}
			}
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
	return s.end(ctx, read, func(u *Upload, _ *Effects) {
		s.log.ErrorContext(ctx, "stored file is missing", "upload", u.ID)
		u.State, u.Problem = Lost, "The stored file is missing."
	})
}

// GiveUp ends a photo that takes too long to decode, again and again.
func (s *Service) GiveUp(ctx context.Context, id int64) error {
	u, err := s.store.UploadByID(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || u.State != Processing {
		return err
	}
	return s.fail(ctx, u, "The photo takes too long to decode. Try a smaller one.")
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
