package media_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// world is the service on a real database and a real storage.
type world struct {
	*testing.T
	*media.Service
	store    *store.Store
	bucket   *faulty
	posts    *listing.Service
	docs     *document.Service
	ana, dan account.Actor
	post     int64 // ana's
	document int64 // ana's

	mu     sync.Mutex
	offset time.Duration // of the service's clock
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
}

// faulty is a storage that can be told to fail, before or after it has done what
// it was asked.
type faulty struct {
	media.Bucket
	mu     sync.Mutex
	before map[string]error
	after  map[string]error
	calls  map[string]int
}

func (f *faulty) fail(name string, before, after error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before[name], f.after[name] = before, after
}

func (f *faulty) call(name string, do func() error) error {
	f.mu.Lock()
	f.calls[name]++
	before, after := f.before[name], f.after[name]
	f.mu.Unlock()
	if before != nil {
		return before
	}
	return errors.Join(do(), after)
}

func (f *faulty) Copy(ctx context.Context, from, etag, to, contentType string) error {
	return f.call("copy", func() error { return f.Bucket.Copy(ctx, from, etag, to, contentType) })
}

func (f *faulty) Put(ctx context.Context, key, contentType string, body []byte) error {
	return f.call("put", func() error { return f.Bucket.Put(ctx, key, contentType, body) })
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	return f.call("delete", func() error { return f.Bucket.Delete(ctx, key) })
}

func (f *faulty) DeleteAll(ctx context.Context, prefix string) (n int, err error) {
	err = f.call("delete", func() error { n, err = f.Bucket.DeleteAll(ctx, prefix); return err })
	return n, err
}

func (f *faulty) Head(ctx context.Context, key string) (o bucket.Object, err error) {
	err = f.call("head", func() error { o, err = f.Bucket.Head(ctx, key); return err })
	return o, err
}

func (f *faulty) URL(ctx context.Context, d bucket.Download) (u string, at time.Time, err error) {
	err = f.call("url", func() error { u, at, err = f.Bucket.URL(ctx, d); return err })
	return u, at, err
}

// each runs a test on both engines and both storages.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		t.Run("disk", func(t *testing.T) {
			b, _ := buckettest.NewDisk(t)
			test(newWorld(t, s, b))
		})
	})
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		t.Run("s3", func(t *testing.T) { test(newWorld(t, s, buckettest.NewS3(t))) })
	})
}

func newWorld(t *testing.T, s *store.Store, b media.Bucket) *world {
	t.Helper()
	w := &world{
		T: t, store: s,
		bucket: &faulty{Bucket: b, before: map[string]error{}, after: map[string]error{}, calls: map[string]int{}},
	}
	w.posts, w.docs = listing.NewService(s, w.now), document.NewService(s, s, w.now)
	w.Service = media.NewService(media.Options{Store: s, Bucket: w.bucket, Posts: w.posts, Documents: w.docs, Prefix: "rc/", Now: w.now})
	w.ana, w.dan = w.person("ana@example.com"), w.person("dan@example.com")
	w.post, w.document = w.newPost(w.ana), w.newDocument(w.ana)
	return w
}

func (w *world) person(email string) account.Actor {
	w.Helper()
	u, err := w.store.CreateUser(w.Context(), account.Actor{}, account.User{
		Name: "Ana", Email: email, PasswordHash: "x", Active: true, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(),
	}, account.DefaultSettings(), nil)
	w.must(err)
	return account.Actor{ID: u.ID, Source: account.SourceAPI}
}

func (w *world) newPost(by account.Actor) int64 {
	w.Helper()
	d := listing.DefaultDetails()
	d.Make, d.Model, d.Year, d.Price, d.PricePeriod = "Dacia", "Logan", ptr(2020), ptr(fixed.Amount(12_000)), ptr("day")
	p, _, err := w.posts.Create(w.Context(), by, d, nil)
	w.must(err)
	return p.ID
}

func (w *world) newDocument(by account.Actor) int64 {
	w.Helper()
	d, _, err := w.docs.Create(w.Context(), by, document.Details{Type: "insurance", RemindDays: []int{1}}, nil)
	w.must(err)
	return d.ID
}

func ptr[T any](v T) *T { return &v }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused checks the kind of a refusal.
func (w *world) refused(err error, want fault.Kind) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("error = %v, want %s", err, want)
	}
}

func (w *world) photo() media.Target { return media.Target{Post: w.post} }
func (w *world) file() media.Target  { return media.Target{Document: w.document} }

// start begins an upload of ana's.
func (w *world) start(t media.Target, contentType string, size int) (media.Upload, bucket.Form) {
	w.Helper()
	u, form, _, err := w.Start(w.Context(), w.ana, media.Request{Target: t, File: media.File{Name: "front.jpg", ContentType: contentType, Size: int64(size)}}, nil)
	w.must(err)
	return u, form
}

// send posts a file with a permit.
func (w *world) send(form bucket.Form, raw []byte) {
	w.Helper()
	if res := buckettest.Post(w.T, form, raw, nil); res.StatusCode/100 != 2 {
		body, _ := io.ReadAll(res.Body)
		w.Fatalf("upload = %d %s", res.StatusCode, body)
	}
}

// upload starts, sends and completes.
func (w *world) upload(t media.Target, contentType string, raw []byte) media.Upload {
	w.Helper()
	u, form := w.start(t, contentType, len(raw))
	w.send(form, raw)
	done, err := w.Complete(w.Context(), w.ana, t, u.ID)
	w.must(err)
	return done
}

// ready uploads a photo and re-encodes it.
func (w *world) ready(raw []byte) media.Upload {
	w.Helper()
	u := w.upload(w.photo(), "image/jpeg", raw)
	w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
	return w.row(u.ID)
}

func (w *world) row(id int64) media.Upload {
	w.Helper()
	u, err := w.store.UploadByID(w.Context(), id)
	w.must(err)
	return u
}

// purge removes all that is due, and then all that is due within a day.
func (w *world) purge() {
	w.Helper()
	_, err := w.Purge(w.Context())
	w.must(err)
	w.advance(24 * time.Hour)
	_, err = w.Purge(w.Context())
	w.must(err)
	w.advance(-24 * time.Hour)
}

// keys are all objects that there are.
func (w *world) keys() []string {
	w.Helper()
	keys := []string{}
	w.must(w.bucket.List(w.Context(), "", func(o bucket.Object) error {
		keys = append(keys, o.Key)
		return nil
	}))
	return keys
}

// names are the last parts of all keys, sorted.
func (w *world) names() string {
	w.Helper()
	var names []string
	for _, k := range w.keys() {
		names = append(names, k[strings.LastIndex(k, "/")+1:])
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (w *world) fetch(url string) []byte {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	w.must(err)
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	w.must(err)
	if res.StatusCode != http.StatusOK {
		w.Fatalf("GET of a signed URL = %d %s", res.StatusCode, body)
	}
	return body
}

// count counts rows.
func (w *world) count(query string, args ...any) (n int) {
	w.Helper()
	w.must(w.store.Reader().QueryRowContext(w.Context(), query, args...).Scan(&n))
	return n
}

var (
	front = mediatest.JPEG(640, 480)
	side  = mediatest.JPEG(480, 640)
	rca   = mediatest.PDF("RCA")
)

// liar says that it has removed what it has not.
type liar struct{ media.Bucket }

func (liar) Delete(context.Context, string) error           { return nil }
func (liar) DeleteAll(context.Context, string) (int, error) { return 1, nil }

// deleting does something before an object is put.
type deleting struct {
	media.Bucket
	do func()
}

func (d deleting) Put(ctx context.Context, key, contentType string, body []byte) error {
	d.do()
	return d.Bucket.Put(ctx, key, contentType, body)
}

// stubborn cannot remove one object.
type stubborn struct {
	media.Bucket
	key string
}

func (s stubborn) Delete(ctx context.Context, key string) error {
	if key == s.key {
		return errors.New("access denied")
	}
	return s.Bucket.Delete(ctx, key)
}
