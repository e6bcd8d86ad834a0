package media_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// atOnce does something n times at once and returns the errors.
func atOnce(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errs
}

// One upload is completed by one request. The others get the same answer, and leave
// no copy of their own (promises U5, U6).
func TestComplete_Race(t *testing.T) {
	each(t, func(w *world) {
		u, form := w.start(w.photo(), "image/jpeg", len(front))
		w.send(form, front)
		servers := []*media.Service{w.Service, w.with(w.bucket)}
		for _, err := range atOnce(12, func(i int) error {
			got, err := servers[i%2].Complete(w.Context(), w.ana, w.photo(), u.ID)
			if err == nil && (got.ID != u.ID || got.State != media.Processing) {
				t.Errorf("completed: %+v", got)
			}
			return err
		}) {
			w.must(err)
		}
		if _, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID); err != nil {
			t.Fatal(err)
		}
		_, err := w.Purge(w.Context())
		w.must(err)
		if got := w.names(); got != "original" {
			t.Errorf("objects = %s, want the one copy", got)
		}
	})
}

// Of several files of a document one stays (promise D4).
func TestFiles_Race(t *testing.T) {
	each(t, func(w *world) {
		for round := range 3 {
			var begun []media.Upload
			for range 4 {
				u, form := w.start(w.file(), "application/pdf", len(rca))
				w.send(form, rca)
				begun = append(begun, u)
			}
			for _, err := range atOnce(len(begun), func(i int) error {
				for {
					_, err := w.Complete(w.Context(), w.ana, w.file(), begun[i].ID)
					if !errors.Is(err, media.ErrBusy) {
						return err
					}
				}
			}) {
				if err != nil {
					t.Fatal(err)
				}
			}
			if n := w.count(`SELECT count(*) FROM upload WHERE state = 'ready'`); n != 1 {
				t.Fatalf("round %d: %d files are ready, want 1", round, n)
			}
		}
	})
}

// Of photos that are to take the same place the one that was begun last stays, in
// whatever order they become ready.
func TestReplace_Order(t *testing.T) {
	each(t, func(w *world) {
		for _, firstFirst := range []bool{true, false} {
			w.post = w.newPost(w.ana)
			cover := w.ready(front)
			var begun []media.Upload
			for range 2 {
				u, form, _, err := w.Start(w.Context(), w.ana, media.Request{
					Target: w.photo(), File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(side))}, Replaces: cover.ID,
				}, nil)
				w.must(err)
				w.send(form, side)
				_, err = w.Complete(w.Context(), w.ana, w.photo(), u.ID)
				w.must(err)
				begun = append(begun, u)
			}
			last := begun[1].ID
			if !firstFirst {
				slices.Reverse(begun)
			}
			for _, u := range begun {
				w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
			}
			p, err := w.posts.Post(w.Context(), w.ana, w.post)
			w.must(err)
			if len(p.Photos) != 1 || p.Photos[0].ID != last || p.Photos[0].State != media.Ready {
				t.Errorf("the first ready first: %v: photos = %+v, want %d alone", firstFirst, p.Photos, last)
			}
		}
	})
}

// Things that go while something is begun for them are not there, and no 500.
func TestStart_Race(t *testing.T) {
	each(t, func(w *world) {
		for range 5 {
			target := media.Target{Post: w.newPost(w.ana)}
			errs := atOnce(8, func(i int) error {
				if i == 0 {
					return w.posts.Delete(w.Context(), w.ana, target.Post, nil)
				}
				_, _, _, err := w.Start(w.Context(), w.ana, media.Request{
					Target: target, File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: 1},
				}, nil)
				return err
			})
			for _, err := range errs {
				if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Conflict) {
					t.Errorf("%v, want not found", err)
				}
			}
		}
	})
}

// pausing is a storage that calls something in the middle of its work.
type pausing struct {
	media.Bucket
	copy func()
	put  func(key string)
}

func (p *pausing) Copy(ctx context.Context, from, etag, to, contentType string) error {
	if p.copy != nil {
		p.copy()
	}
	return p.Bucket.Copy(ctx, from, etag, to, contentType)
}

func (p *pausing) Put(ctx context.Context, key, contentType string, body []byte) error {
	if p.put != nil {
		p.put(key)
	}
	return p.Bucket.Put(ctx, key, contentType, body)
}

// with is the service on another storage.
func (w *world) with(b media.Bucket) *media.Service {
	return media.NewService(media.Options{Store: w.store, Bucket: b, Posts: w.posts, Documents: w.docs, Prefix: "rc/", Now: w.now})
}

// A driver who sends four photos at once gets four, although two are looked at at a
// time (promise O2).
func TestCompleteFour(t *testing.T) {
	each(t, func(w *world) {
		var ids []int64
		for range 4 {
			u, form := w.start(w.photo(), "image/jpeg", len(front))
			w.send(form, front)
			ids = append(ids, u.ID)
		}
		// The first two wait for each other, so that they are at it together.
		var both sync.WaitGroup
		var n atomic.Int32
		both.Add(2)
		service := w.with(&pausing{Bucket: w.bucket, copy: func() {
			if n.Add(1) <= 2 {
				both.Done()
				both.Wait()
			}
		}})
		for i, err := range atOnce(4, func(i int) error {
			_, err := service.Complete(w.Context(), w.ana, w.photo(), ids[i])
			return err
		}) {
			if err != nil {
				t.Errorf("photo %d: %v", i, err)
			}
		}
	})
}

// Of two photos at once for one place the one begun last stays, and neither is
// refused.
func TestTakeTwo(t *testing.T) {
	each(t, func(w *world) {
		shown := w.ready(front)
		first := true
		var later media.Upload
		b := &pausing{Bucket: w.bucket}
		service := w.with(b)
		b.put = func(key string) {
			if first && strings.HasSuffix(key, "/small.jpg") {
				first = false
				var err error
				later, err = service.Take(w.Context(), w.ana, w.photo(), "b.jpg", front, shown.ID)
				w.must(err)
			}
		}
		_, err := service.Take(w.Context(), w.ana, w.photo(), "a.jpg", side, shown.ID)
		w.must(err)
		if n := w.count(`SELECT count(*) FROM upload WHERE post_id = $1`, w.post); n != 1 || w.row(later.ID).State != media.Ready {
			t.Errorf("%d photos, the later one is %s", n, w.row(later.ID).State)
		}
		// What was shown is gone: who would replace that is told, and can look again.
		_, err = service.Take(w.Context(), w.ana, w.photo(), "c.jpg", front, shown.ID)
		if !errors.Is(err, media.ErrNoReplaced) {
			t.Errorf("%v, want %v", err, media.ErrNoReplaced)
		}
	})
}

// A permit that was given out cannot be taken back from S3: how many are begun and
// deleted is bounded while they live.
func TestBegun_Z8(t *testing.T) {
	each(t, func(w *world) {
		r := media.Request{Target: w.photo(), File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: 10}}
		begin := func(by account.Actor) error {
			u, _, _, err := w.Start(w.Context(), by, r, nil)
			if err == nil {
				err = w.Delete(w.Context(), by, w.photo(), u.ID)
			}
			return err
		}
		for range media.MaxBegun {
			w.must(begin(w.ana))
		}
		if err := begin(w.ana); !errors.Is(err, media.ErrBegun) {
			t.Errorf("one more: %v, want %v", err, media.ErrBegun)
		}
		w.advance(media.PermitLife)
		w.must(begin(w.ana))
	})
}

// Only what its owner sees counts: what was deleted or refused gives its place back
// at once (promise Z8). A repetition of the request that began it gets no permit.
func TestDropped_Z8(t *testing.T) {
	each(t, func(w *world) {
		by := w.ana
		by.Once = account.Once{Key: "k", Route: "r", RequestHash: "h"}
		r := media.Request{Target: w.photo(), File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: 10}}
		first, _, _, err := w.Start(w.Context(), by, r, nil)
		w.must(err)
		w.must(w.Delete(w.Context(), w.ana, w.photo(), first.ID))
		if _, _, _, err := w.Start(w.Context(), by, r, nil); !errors.Is(err, media.ErrComplete) {
			t.Errorf("a repetition: %v, want %v", err, media.ErrComplete)
		}
		for i := range media.MaxUnfinished + 1 {
			u, form := w.start(w.photo(), "image/jpeg", 10)
			if i < media.MaxUnfinished/2 {
				w.must(w.Delete(w.Context(), w.ana, w.photo(), u.ID))
				continue
			}
			w.send(form, []byte("not a JPEG"))
			_, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
			w.refused(err, fault.Invalid)
		}
		if n, err := w.Usage(w.Context(), w.ana); err != nil || len(n.Begun) != 0 || n.Bytes != 0 {
			t.Errorf("Usage = %+v, %v, want nothing", n, err)
		}
		// What counts is what Usage tells, of posts and documents.
		for i := range media.MaxUnfinished {
			w.start([]media.Target{w.photo(), w.file()}[i%2], []string{"image/jpeg", "application/pdf"}[i%2], 10)
		}
		_, _, _, err = w.Start(w.Context(), w.ana, r, nil)
		if !errors.Is(err, media.ErrUnfinished) {
			t.Errorf("%v, want %v", err, media.ErrUnfinished)
		}
		n, err := w.Usage(w.Context(), w.ana)
		w.must(err)
		if len(n.Begun) != media.MaxUnfinished || n.Bytes != 10*media.MaxUnfinished {
			t.Errorf("Usage = %d begun, %d bytes", len(n.Begun), n.Bytes)
		}
		if other, err := w.Usage(w.Context(), w.dan); err != nil || len(other.Begun) != 0 {
			t.Errorf("Usage of another = %+v, %v", other, err)
		}
		w.must(w.Delete(w.Context(), w.ana, n.Begun[0].Target, n.Begun[0].ID))
		w.start(w.photo(), "image/jpeg", 10)
	})
}

// At the older client's door, which has no list of what was begun, that counts only
// as long as something may be sent for it.
func TestUnfinishedOlder_Z8(t *testing.T) {
	each(t, func(w *world) {
		by := account.Actor{ID: w.ana.ID, Source: account.SourceLegacy}
		r := media.Request{Target: w.photo(), File: media.File{Name: "a.jpg", ContentType: "image/jpeg"}, Unsized: true}
		for _, want := range []error{nil, media.ErrTooMany} {
			for range media.MaxPhotos {
				if _, _, _, err := w.Start(w.Context(), by, r, nil); !errors.Is(err, want) {
					t.Fatalf("%v, want %v", err, want)
				}
			}
		}
		w.advance(media.PermitLife + time.Second)
		_, _, _, err := w.Start(w.Context(), by, r, nil)
		w.must(err)
	})
}

// With all sessions of an account its permits end, as with the upload itself: a
// storage of our own takes nothing more for them, whoever holds one.
func TestPermitsEnd_U4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var w *world
		b, _ := buckettest.DiskWith(t, disk.Options{Wanted: func(ctx context.Context, key string) (bool, error) { return w.Wanted(ctx, key) }})
		w = newWorld(t, s, b)
		status := func(form bucket.Form) int { return buckettest.Post(t, form, front, nil).StatusCode }
		theirs := media.Target{Post: w.newPost(w.dan)}
		_, kept, _, err := w.Start(w.Context(), w.dan, media.Request{Target: theirs, File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(front))}}, nil)
		w.must(err)
		var last int64
		for name, end := range map[string]func() error{
			"all sessions ended": func() error { return s.EndSessions(w.Context(), w.ana.ID, time.Now().UTC()) },
			"the password was reset": func() error {
				_, err := s.UpdateUser(w.Context(), account.Actor{}, w.ana.ID, func(u *account.User, fx *account.Effects) error {
					u.PasswordHash, fx.EndSessions = rand.Text(), true
					return nil
				})
				return err
			},
			"the upload was deleted": func() error { return w.Delete(w.Context(), w.ana, w.photo(), last) },
		} {
			u, form := w.start(w.photo(), "image/jpeg", len(front))
			last = u.ID
			if got := status(form); got != http.StatusNoContent {
				t.Errorf("before %s: %d", name, got)
			}
			w.must(end())
			if got := status(form); got != http.StatusForbidden {
				t.Errorf("after %s: %d, want 403", name, got)
			}
			_, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
			w.refused(err, fault.NotFound)
		}
		if got := status(kept); got != http.StatusNoContent {
			t.Errorf("another's permit: %d", got)
		}
		w.purge()
		if keys := w.keys(); len(keys) != 1 {
			t.Errorf("objects: %v, want the one of another", keys)
		}
	})
}

// A photo whose job was lost is enqueued again.
func TestRequeue(t *testing.T) {
	each(t, func(w *world) {
		u := w.upload(w.photo(), "image/jpeg", front)
		w.exec(`DELETE FROM river_job`)
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{time.Hour, 0}, {6 * time.Hour, 1}, {time.Minute, 0}} {
			w.advance(step.after)
			n, err := w.Requeue(w.Context())
			w.must(err)
			if n != step.want {
				t.Errorf("after another %v: %d photos were enqueued again, want %d", step.after, n, step.want)
			}
		}
		if n := w.count(`SELECT count(*) FROM river_job WHERE kind = 'process_photo'`); n != 1 {
			t.Errorf("%d jobs for photo %d", n, u.ID)
		}
	})
}

// The comparison with what ought not to be there (promise D14).
func TestCheck_Odd_D14(t *testing.T) {
	each(t, func(w *world) {
		u := w.ready(front)
		w.purge()
		nested := u.Folder + "d/x"
		// An object of the older backend's that lies where our own do.
		older := "rc/ridecopilot/media/cars/7/old.jpg"
		for _, key := range []string{nested, older} {
			w.must(w.bucket.Bucket.Put(w.Context(), key, "image/jpeg", front))
		}
		imported := w.ready(side)
		w.purge()
		w.exec(`UPDATE upload SET folder = NULL, legacy_key = $1 WHERE id = $2`, older, imported.ID)
		_, err := w.bucket.Bucket.DeleteAll(w.Context(), imported.Folder)
		w.must(err)
		w.advance(49 * time.Hour)
		r, err := w.Check(w.Context(), media.CheckOptions{Repair: true})
		w.must(err)
		if keys := w.keys(); r.Unclaimed != 1 || slices.Contains(keys, nested) || !slices.Contains(keys, older) || len(keys) != 4 {
			t.Errorf("%+v, left: %v", r, keys)
		}
		w.advance(-49 * time.Hour)
		// It is re-encoded to a place of ours, and the older object left alone.
		w.must(w.Process(w.Context(), media.Process{UploadID: imported.ID}))
		got := w.row(imported.ID)
		if got.State != media.Ready || got.Folder == "" || !slices.Contains(w.keys(), older) {
			t.Errorf("%+v", got)
		}
		if body := w.fetch(w.PhotoLinks(w.Context(), got).Large); bytes.Contains(body, []byte(mediatest.Place)) {
			t.Error("the photo is as it came")
		}
	})
}

// A storage that is not the right one is not mended to death: nothing is removed
// or marked, unless somebody insists, and even then nothing is final.
func TestCheck_Suspicious_D14(t *testing.T) {
	each(t, func(w *world) {
		u := w.ready(front)
		w.purge()
		_, err := w.bucket.Bucket.DeleteAll(w.Context(), u.Folder)
		w.must(err)
		stray := "rc/ridecopilot/media/99/of-somebody-else/large.jpg"
		w.must(w.bucket.Bucket.Put(w.Context(), stray, "image/jpeg", front))
		w.advance(49 * time.Hour)
		if r, err := w.Check(w.Context(), media.CheckOptions{Repair: true}); !errors.Is(err, media.ErrSuspicious) || r.Missing != 1 || r.Unclaimed != 1 {
			t.Errorf("%+v, %v, want a refusal", r, err)
		}
		if got := w.row(u.ID); got.State != media.Ready || !slices.Contains(w.keys(), stray) {
			t.Errorf("the photo is %s, the stray object there: %v", got.State, w.keys())
		}
		_, err = w.Check(w.Context(), media.CheckOptions{Repair: true, Force: true})
		w.must(err)
		if got := w.row(u.ID); got.State != media.Lost || len(w.keys()) != 0 {
			t.Errorf("the photo is %s, left: %v", got.State, w.keys())
		}
	})
}

// One repair that fails does not keep the others back.
func TestCheck_Failure(t *testing.T) {
	each(t, func(w *world) {
		for range 2 {
			w.ready(front)
		}
		w.purge()
		for _, key := range []string{"rc/ridecopilot/media/1/a/x", "rc/ridecopilot/media/1/b/x"} {
			w.must(w.bucket.Bucket.Put(w.Context(), key, "image/jpeg", front))
		}
		inner := w.bucket.Bucket
		w.bucket.Bucket = stubborn{inner, "rc/ridecopilot/media/1/a/x"}
		w.advance(49 * time.Hour)
		r, err := w.Check(w.Context(), media.CheckOptions{Repair: true})
		if err == nil || r.Failed != 1 || !strings.Contains(err.Error(), "/a/x") {
			t.Errorf("%+v, %v", r, err)
		}
		if keys := w.keys(); len(keys) != 7 {
			t.Errorf("left: %v", keys)
		}
	})
}
