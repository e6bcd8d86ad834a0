package media

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// Effects is what goes with a change of an upload: the store carries it out in
// the transaction of the change.
type Effects struct {
	Purge   []Purge // objects to remove
	Keep    string  // a folder that was held for removal and is now in use
	Process bool    // enqueue the job that re-encodes it
	Settle  bool    // remove the upload that this one replaces, and take its place
}

// Store is what Service needs from the database. A method is one transaction.
// Methods that name an owner find uploads of that owner's things alone.
type Store interface {
	// CreateUpload stores an upload whose target belongs to u.OwnerID (else
	// ErrNotFound), unless a limit is reached; with by.Once, once.
	CreateUpload(ctx context.Context, by account.Actor, u Upload, unlimited bool) (made Upload, repeated bool, err error)
	// Upload reads one upload of a target.
	Upload(ctx context.Context, owner int64, t Target, id int64) (Upload, error)
	// UploadByID reads any upload: for jobs.
	UploadByID(ctx context.Context, id int64) (Upload, error)
	// StartedUploads are the photos of a post that were started and not completed.
	StartedUploads(ctx context.Context, owner, post int64) ([]Upload, error)
	// BeginCompletion takes a started upload for one request alone until a moment
	// (else ErrBusy), and records the removal of what that request will make: it
	// stands unless the upload is taken in.
	BeginCompletion(ctx context.Context, id int64, now, until time.Time, hold Purge) error
	// EndCompletion lets the upload go again, and has what was made removed now.
	EndCompletion(ctx context.Context, id int64, now time.Time, folder string) error
	// UpdateUpload loads, changes and saves an upload.
	UpdateUpload(ctx context.Context, by account.Actor, id int64, change func(*Upload, *Effects) error) (Upload, error)
	// DeleteUpload removes an upload and records the removal of its objects.
	DeleteUpload(ctx context.Context, by account.Actor, owner int64, t Target, id int64) error
	// OrderPhotos gives the photos of a post the order of ids, which must name
	// each of those that were completed once; else it says ErrOrder.
	OrderPhotos(ctx context.Context, by account.Actor, owner, post int64, ids []int64, at time.Time) error
	// Unfinished is what an owner has begun and not completed, and the bytes that
	// count against the owner's limit.
	Unfinished(ctx context.Context, owner int64) (begun []Upload, bytes int64, err error)
	// UploadWanted tells whether an upload is waited for under a key.
	UploadWanted(ctx context.Context, key string) (bool, error)
	// HoldPurge records removals that no other change makes necessary.
	HoldPurge(ctx context.Context, purges []Purge) error
	// ClaimPurges takes up to limit removals that are due; nobody else is given
	// them before lease has passed.
	ClaimPurges(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Purge, error)
	// SettlePurges forgets the removals that are done and puts off the others.
	SettlePurges(ctx context.Context, done []int64, again []Purge) error
	// DropUploads removes uploads that were started before a moment and never
	// completed, those that were dropped before another, and those whose thing is
	// gone: up to limit of each.
	DropUploads(ctx context.Context, startedBefore, droppedBefore time.Time, limit int) (int, error)
	// RequeuePhotos enqueues the job again of photos that have been in work since
	// before a moment.
	RequeuePhotos(ctx context.Context, since, now time.Time, limit int) (int, error)
	// KeptUploads are uploads with objects, in the order of the keys, after a
	// key: of those with a folder, or of those that are only started.
	KeptUploads(ctx context.Context, started bool, after string, limit int) ([]Upload, error)
	// LegacyUploads are the ids above after, in order, of photos that came with
	// the older backend's data and are shown as they came.
	LegacyUploads(ctx context.Context, after int64, limit int) ([]int64, error)
	// CountUploads is how many KeptUploads there are in all.
	CountUploads(ctx context.Context) (int, error)
	// KeepReport keeps what a comparison has found, of the last so many.
	KeepReport(ctx context.Context, at time.Time, r Report, kept int) error
	// LastReport is the report that was kept last; ok is false when there is none.
	LastReport(ctx context.Context) (at time.Time, r Report, ok bool, err error)
	// HasLegacyKey tells whether an upload's object lies under a key that came
	// with the older backend's data.
	HasLegacyKey(ctx context.Context, key string) (bool, error)
}

// Form is the permit to upload, as the storage takes it.
type Form = bucket.Form

// Bucket is where objects lie.
type Bucket interface {
	Form(ctx context.Context, u bucket.Upload) (bucket.Form, error)
	URL(ctx context.Context, d bucket.Download) (url string, expires time.Time, err error)
	Head(ctx context.Context, key string) (bucket.Object, error)
	Open(ctx context.Context, key, etag string) (io.ReadCloser, bucket.Object, error)
	Copy(ctx context.Context, from, etag, to, contentType string) error
	Put(ctx context.Context, key, contentType string, body []byte) error
	Delete(ctx context.Context, key string) error
	DeleteAll(ctx context.Context, prefix string) (int, error)
	List(ctx context.Context, prefix string, each func(bucket.Object) error) error
}

// Gate tells who owns a thing, if the actor may add to it; its errors are those
// that the actor is to see.
type Gate interface {
	MayAttach(ctx context.Context, by account.Actor, id int64) (owner int64, err error)
}

// Options are what a Service works with.
type Options struct {
	Store     Store
	Bucket    Bucket
	Posts     Gate
	Documents Gate
	Prefix    string // of the keys that are made; empty, or ending in a slash
	Log       *slog.Logger
	Now       func() time.Time
	Memory    int64 // bytes that decoding may take in jobs, and half as many in requests; 0 is 512 MiB
}

// Service is what people and jobs can do with uploads.
type Service struct {
	store      Store
	bucket     Bucket
	posts      Gate
	documents  Gate
	prefix     string
	log        *slog.Logger
	now        func() time.Time
	lane       *picture.Lane // of the jobs
	checks     *picture.Lane // of the requests, so that neither waits for the other
	turnstile  Turnstile
	completing flights // uploads that are being completed here
	flights    flights
	links      links
}

// Lanes are where pictures are decoded: those of the jobs, and those of requests.
func (s *Service) Lanes() (jobs, requests *picture.Lane) { return s.lane, s.checks }

// picturesAtOnce is how many pictures the jobs decode at a time, and so do the
// requests.
const picturesAtOnce = 2

// NewService returns a Service.
func NewService(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Memory == 0 {
		o.Memory = 512 << 20
	}
	return &Service{
		store: o.Store, bucket: o.Bucket, posts: o.Posts, documents: o.Documents, prefix: o.Prefix, log: o.Log,
		now: func() time.Time { return o.Now().UTC().Truncate(time.Microsecond) }, lane: picture.NewLane(o.Memory, picturesAtOnce), checks: picture.NewLane(o.Memory/2, picturesAtOnce),
	}
}

// gate finds the owner of the target, if the actor may add to it.
func (s *Service) gate(ctx context.Context, by account.Actor, t Target) (owner int64, err error) {
	if t.Document != 0 {
		return s.documents.MayAttach(ctx, by, t.Document)
	}
	return s.posts.MayAttach(ctx, by, t.Post)
}

// Request is what somebody asks for who begins an upload.
type Request struct {
	Target
	File
	Replaces int64 // the photo whose place it takes
	Unsized  bool  // the client cannot say the size: the older one
}

// Start begins an upload and gives the permit for it. bad is what the caller
// already knows to be wrong. A repetition under the same idempotency key gives
// the upload made the first time, and a permit until the same moment.
func (s *Service) Start(ctx context.Context, by account.Actor, r Request, bad fault.Fields) (u Upload, form Form, repeated bool, err error) {
	owner, err := s.gate(ctx, by, r.Target)
	if err != nil {
		return Upload{}, Form{}, false, err
	}
	r.tidy()
	types := PhotoTypes
	if r.Document != 0 {
		types = FileTypes
	}
	r.validate(types, !r.Unsized, &bad)
	if err := bad.Err(); err != nil {
		return Upload{}, Form{}, false, err
	}
	now := s.now()
	u, repeated, err = s.store.CreateUpload(ctx, by, Upload{
		Target: r.Target, OwnerID: owner, State: Started, ReplacesID: r.Replaces, UploadKey: s.newKey(UploadsPrefix(s.prefix), owner),
		FileName: r.Name, ContentType: r.ContentType, Size: r.Size, CreatedAt: now, UpdatedAt: now,
	}, by.Manages)
	switch {
	case err != nil:
		return Upload{}, Form{}, false, err
	case u.State != Started:
		return Upload{}, Form{}, false, ErrComplete
	case !now.Before(u.Permitted()): // a late repetition
		return Upload{}, Form{}, false, ErrPermitOver
	}
	permit := bucket.Upload{Key: u.UploadKey, ContentType: u.ContentType, MinSize: u.Size, MaxSize: u.Size, Expires: u.Permitted()}
	if u.Size == 0 {
		permit.MinSize, permit.MaxSize = 1, MaxSize
	}
	form, err = s.bucket.Form(ctx, permit)
	return u, form, repeated, s.explain(err, "sign a permit")
}

// newKey is a new key of an owner: random, and nothing of what the client said
// (promise U1).
func (s *Service) newKey(prefix string, owner int64) string {
	return prefix + strconv.FormatInt(owner, 10) + "/" + strings.ToLower(rand.Text())
}

// explain makes what the storage cannot do now a fault.
func (s *Service) explain(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bucket.ErrFull):
		return fmt.Errorf("%s: %w: %w", what, ErrFull, err)
	case errors.Is(err, picture.ErrBusy):
		return fmt.Errorf("%s: %w: %w", what, ErrBusy, err)
	case fault.As(err) != nil || errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
}

// Upload reads an upload of a target that the actor may add to.
func (s *Service) Upload(ctx context.Context, by account.Actor, t Target, id int64) (Upload, error) {
	owner, err := s.gate(ctx, by, t)
	if err != nil {
		return Upload{}, err
	}
	return s.store.Upload(ctx, owner, t, id)
}

// Unfinished are the photos of a post that were started and not completed.
func (s *Service) Unfinished(ctx context.Context, by account.Actor, post int64) ([]Upload, error) {
	owner, err := s.gate(ctx, by, Target{Post: post})
	if err != nil {
		return nil, err
	}
	return s.store.StartedUploads(ctx, owner, post)
}

// Usage is what counts against the limits of uploads of one owner.
type Usage struct {
	Begun []Upload // not completed, the latest first: at most MaxUnfinished
	Bytes int64    // of all photos and files, at most MaxBytes
}

// Usage tells what of the actor's own counts against the limits. All of it can be
// deleted, and counts no more from then on.
func (s *Service) Usage(ctx context.Context, by account.Actor) (u Usage, err error) {
	u.Begun, u.Bytes, err = s.store.Unfinished(ctx, by.ID)
	return u, err
}

// Wanted tells whether an upload is waited for under a key: not one that was refused
// or deleted, or begun by a session that was ended with all others since. A storage
// of our own asks this before it takes one.
func (s *Service) Wanted(ctx context.Context, key string) (bool, error) {
	return s.store.UploadWanted(ctx, key)
}

// Delete removes an upload, in whatever state, with its objects.
func (s *Service) Delete(ctx context.Context, by account.Actor, t Target, id int64) error {
	owner, err := s.gate(ctx, by, t)
	if err != nil {
		return err
	}
	return s.store.DeleteUpload(ctx, by, owner, t, id)
}

// ErrOrder answers an order that does not name each photo once.
var ErrOrder = fault.InvalidField("ids", "invalid", "Name each photo of the car post once, and nothing else.")

// Order puts the photos of a post in the order of ids; the first is the cover.
func (s *Service) Order(ctx context.Context, by account.Actor, post int64, ids []int64, bad fault.Fields) error {
	owner, err := s.gate(ctx, by, Target{Post: post})
	if err != nil {
		return err
	}
	if err := bad.Err(); err != nil {
		return err
	}
	seen := slices.Clone(ids)
	slices.Sort(seen)
	if len(slices.Compact(seen)) != len(ids) {
		return ErrOrder
	}
	return s.store.OrderPhotos(ctx, by, owner, post, ids, s.now())
}

// Open reads what is shown of an upload that is ready: for the export of an
// account.
func (s *Service) Open(ctx context.Context, u Upload) (io.ReadCloser, error) {
	r, _, err := s.bucket.Open(ctx, u.shown(), "")
	if errors.Is(err, bucket.ErrNotFound) {
		return nil, ErrNotFound
	}
	return r, s.explain(err, "read a stored file")
}

// shown is the key of the object that stands for the upload.
func (u Upload) shown() string {
	switch {
	case u.Folder == "":
		return u.LegacyKey
	case u.Document != 0:
		return u.Folder + fileName
	}
	return u.Folder + largeName
}
