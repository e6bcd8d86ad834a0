package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// The limits of completions. They hold a file in memory, or wait for the storage:
// above the caps the answer comes at once (promises O2 and O3).
const (
	completionsAtOnce = 8
	completionsOfOne  = 2                // by the same owner, so that nobody takes all places
	completionTime    = 45 * time.Second // after which another request may try: longer than its steps together
	storageTime       = 8 * time.Second  // for each step on the storage
	checkTime         = 10 * time.Second // for the decoding of a document's picture, waiting included
	holdFor           = time.Hour        // after which what an unfinished completion has made is removed
)

// How long a request waits for a place, or for another that completes the same
// upload, and how many wait for places at once.
const (
	placeTime  = 5 * time.Second
	sameTime   = 10 * time.Second
	samePause  = 100 * time.Millisecond // between two looks at an upload that another server completes
	mostQueued = 64
)

// Turnstile lets few in at once who hold a file in memory, and few of one owner.
// Others wait a short while in the order in which they came; one whose owner has no
// place left holds nobody else up. Its zero value is ready.
type Turnstile struct {
	mu     sync.Mutex
	inside int
	owners map[int64]int
	queue  []*queued // none of them fits in
}

type queued struct {
	owner int64
	in    chan struct{} // closed when it has a place
}

// Enter waits for a place, which Leave gives back. The error is ErrBusy when there
// was none in time.
func (t *Turnstile) Enter(ctx context.Context, owner int64) error {
	t.mu.Lock()
	if t.admit(owner) {
		t.mu.Unlock()
		return nil
	}
	if len(t.queue) >= mostQueued {
		t.mu.Unlock()
		return ErrBusy
	}
	q := &queued{owner, make(chan struct{})}
	t.queue = append(t.queue, q)
	t.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	select {
	case <-q.in:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.queue, q); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	return nil // it got its place at the same moment
}

// admit gives out a place, if there is one.
func (t *Turnstile) admit(owner int64) bool {
	if t.inside >= completionsAtOnce || t.owners[owner] >= completionsOfOne {
		return false
	}
	if t.owners == nil {
		t.owners = map[int64]int{}
	}
	t.inside++
	t.owners[owner]++
	return true
}

// Leave gives a place back, to the first who waits and fits in.
func (t *Turnstile) Leave(owner int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inside--
	if t.owners[owner]--; t.owners[owner] == 0 {
		delete(t.owners, owner)
	}
	t.queue = slices.DeleteFunc(t.queue, func(q *queued) bool {
		if !t.admit(q.owner) {
			return false
		}
		close(q.in)
		return true
	})
}

// Complete looks at what was uploaded and takes it in: a photo goes on to be
// re-encoded, the file of a document is ready. Doing it twice changes nothing, and
// requests for the same upload at once get the same answer (promise U6). An upload
// that is not what it was said to be is removed, and the error says what is wrong
// with it.
func (s *Service) Complete(ctx context.Context, by account.Actor, t Target, id int64) (Upload, error) {
	owner, err := s.gate(ctx, by, t)
	if err != nil {
		return Upload{}, err
	}
	wait, cancel := context.WithTimeout(ctx, sameTime)
	defer cancel()
	for {
		u, err := s.store.Upload(ctx, owner, t, id)
		if err != nil || u.State != Started {
			return u, err
		}
		other, mine := s.completing.begin(id)
		if mine {
			u, err = s.completeAlone(ctx, by, u)
			s.completing.end(id)
			if !errors.Is(err, errElsewhere) {
				return u, err
			}
			other = nil // another server has it
		}
		select {
		case <-other:
		case <-s.pause(mine):
		case <-wait.Done():
			return Upload{}, fmt.Errorf("%w: %w", ErrBusy, wait.Err())
		}
	}
}

// errElsewhere tells that another request has the upload.
var errElsewhere = errors.New("the upload is being completed elsewhere")

// pause lets a moment pass before the next look, where nothing tells when to look.
func (*Service) pause(needed bool) <-chan time.Time {
	if !needed {
		return nil
	}
	return time.After(samePause)
}

// completeAlone is Complete for a started upload, once at a time in this process.
func (s *Service) completeAlone(ctx context.Context, by account.Actor, u Upload) (Upload, error) {
	owner, t, id := u.OwnerID, u.Target, u.ID
	if err := s.turnstile.Enter(ctx, owner); err != nil {
		return Upload{}, err
	}
	defer s.turnstile.Leave(owner)
	// What is copied is put down for removal before it is made, and spared by the
	// transaction that takes the upload in: a completion that is cut off in
	// between leaves nothing behind.
	now, folder := s.now(), s.newKey(KeptPrefix(s.prefix), owner)+"/"
	if err := s.store.BeginCompletion(ctx, id, now, now.Add(completionTime), Purge{Key: folder, Whole: true, Due: now.Add(holdFor)}); err != nil {
		if errors.Is(err, ErrBusy) { // or somebody else has just taken it in, or deleted it
			err = errElsewhere
		}
		return Upload{}, err
	}
	done, err := s.complete(ctx, by, u, folder)
	if err == nil {
		return done, nil
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if wrong, ok := errors.AsType[*picture.Error](err); ok {
		err = fault.InvalidField("file", wrong.Code, wrong.Message)
		if gone := s.store.DeleteUpload(end, by, owner, t, id); gone != nil && !errors.Is(gone, fault.NotFound) {
			err = gone
		}
	}
	if left := s.store.EndCompletion(end, id, s.now(), folder); left != nil {
		s.log.WarnContext(ctx, "completion not ended", "upload", id, "err", left)
	}
	return Upload{}, err
}

func (s *Service) complete(ctx context.Context, by account.Actor, u Upload, folder string) (Upload, error) {
	found, err := s.head(ctx, u.UploadKey)
	if errors.Is(err, bucket.ErrNotFound) {
		return Upload{}, ErrNotUploaded
	}
	if err != nil {
		return Upload{}, s.explain(err, "look for the upload")
	}
	info, err := s.inspect(ctx, u, found)
	if _, wrong := errors.AsType[*picture.Error](err); wrong {
		return Upload{}, err
	}
	if errors.Is(err, bucket.ErrChanged) {
		return Upload{}, ErrReplacedAway
	}
	if err != nil {
		return Upload{}, s.explain(err, "inspect the upload")
	}
	u.ContentType = info.ContentType // what the bytes say counts
	if err := s.copyIn(ctx, u, found, folder); err != nil {
		return Upload{}, err
	}
	return s.takeIn(ctx, by, u, found, info, folder)
}

func (s *Service) head(ctx context.Context, key string) (bucket.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	return s.bucket.Head(ctx, key)
}

// inspect tells whether the stored bytes are what the upload was said to be.
func (s *Service) inspect(ctx context.Context, u Upload, found bucket.Object) (picture.Info, error) {
	if found.Size == 0 || found.Size > MaxSize || (u.Size > 0 && found.Size != u.Size) {
		return picture.Info{}, &picture.Error{Code: "wrong_size", Message: "The file is not of the size that was announced."}
	}
	raw, info, err := s.look(ctx, u, found)
	if err != nil || u.Document == 0 { // the job that re-encodes a photo reads the rest
		return info, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return info, s.checks.Check(ctx, raw, info.ContentType)
}

// look reads the head of a photo, and the whole of a document's file.
func (s *Service) look(ctx context.Context, u Upload, found bucket.Object) ([]byte, picture.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	r, opened, err := s.bucket.Open(ctx, u.UploadKey, found.ETag)
	if err != nil {
		return nil, picture.Info{}, err
	}
	defer r.Close()
	if opened.Size != found.Size {
		return nil, picture.Info{}, fmt.Errorf("the storage gives %d bytes for %d", opened.Size, found.Size)
	}
	if u.Document == 0 {
		info, err := picture.Inspect(r, PhotoTypes...)
		return nil, info, err
	}
	raw, err := readAll(r, found.Size)
	if err != nil {
		return nil, picture.Info{}, err
	}
	info, err := picture.Inspect(bytes.NewReader(raw), FileTypes...)
	return raw, info, err
}

// readAll reads an object of a known size, and no other.
func readAll(r io.Reader, size int64) ([]byte, error) {
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("the storage gives less than %d bytes: %w", size, err)
	}
	if n, err := io.CopyN(io.Discard, r, 1); n > 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the storage does not end after %d bytes: %w", size, err)
	}
	return raw, nil
}

// copyIn copies the very object that was inspected to where no client may write
// (promise U5).
func (s *Service) copyIn(ctx context.Context, u Upload, found bucket.Object, folder string) error {
	name := originalName
	if u.Document != 0 {
		name = fileName
	}
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	err := s.bucket.Copy(ctx, u.UploadKey, found.ETag, folder+name, u.ContentType)
	if errors.Is(err, bucket.ErrChanged) || errors.Is(err, bucket.ErrNotFound) {
		return ErrReplacedAway
	}
	return s.explain(err, "copy the upload")
}

// takeIn lets the upload go on from its copy.
func (s *Service) takeIn(ctx context.Context, by account.Actor, u Upload, found bucket.Object, info picture.Info, folder string) (Upload, error) {
	return s.store.UpdateUpload(ctx, by, u.ID, func(u *Upload, fx *Effects) error {
		if u.State != Started { // it took so long that another request has done it
			return ErrBusy
		}
		now := s.now()
		fx.Keep = folder
		fx.Purge = u.Purges(now) // of what the client has uploaded: there is nothing else yet
		u.State, u.UploadKey, u.Folder, u.Size, u.CompletedAt, u.UpdatedAt = Processing, "", folder, found.Size, &now, now
		u.ContentType = info.ContentType
		if info.Width > 0 {
			u.Width, u.Height = &info.Width, &info.Height
		}
		if fx.Process = u.Document == 0; !fx.Process {
			u.State, fx.Settle = Ready, true
		}
		return nil
	})
}
