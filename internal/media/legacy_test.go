package media_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/store"
)

// older puts photos of the older backend into the storage and the database, as an
// import does: number 1 under the first key, and so on.
func (w *world) older(photos map[string][]byte) {
	w.Helper()
	var uploads []media.Upload
	for key, raw := range photos {
		if raw != nil {
			w.must(w.bucket.Put(w.Context(), key, "image/jpeg", raw))
		}
		at := w.now()
		uploads = append(uploads, media.Upload{
			Target: media.Target{Post: w.post}, ID: int64(len(uploads) + 1), OwnerID: w.ana.ID, State: media.Ready, LegacyKey: key, FileName: "a.jpg",
			ContentType: "image/jpeg", CreatedAt: at, UpdatedAt: at, CompletedAt: &at,
		})
	}
	w.must(w.store.Import(w.Context(), func(in *store.Import) error { return in.LoadUploads(w.Context(), uploads) }))
}

// Photos that came with the older backend's data are shown as they are until the
// job has made our own of them; what they were made from stays (promise U8).
func TestReencode_U8(t *testing.T) {
	each(t, func(w *world) {
		// The older backend has looked at nothing: what is said to be a JPEG is a PNG.
		w.older(map[string][]byte{"files/a.jpg": mediatest.FromPhone(64, 48), "files/b.jpg": mediatest.PNG(64, 48), "files/none.jpg": nil, "files/c.jpg": []byte("<html>")})
		p, err := w.posts.Post(w.Context(), w.dan, w.post)
		w.must(err)
		if len(p.Photos) != 4 {
			w.Fatalf("%d photos are shown, want 4", len(p.Photos))
		}
		for _, u := range p.Photos {
			if links := w.PhotoLinks(w.Context(), u); links.Large == "" || !strings.Contains(links.Large, "files/") {
				w.Errorf("photo %d is shown at %q, want its older object", u.ID, links.Large)
			}
		}
		n, err := w.Reencode(w.Context())
		if w.must(err); n != 4 {
			w.Errorf("%d photos were looked at, want 4", n)
		}
		for id := range int64(4) {
			u := w.row(id + 1)
			good := u.LegacyKey == "files/a.jpg" || u.LegacyKey == "files/b.jpg"
			if good != (u.State == media.Ready && strings.HasPrefix(u.Folder, "rc/ridecopilot/media/") && u.Size > 0 && *u.Width > 0) || good != (u.Problem == "") {
				w.Errorf("%s became %+v", u.LegacyKey, u)
			}
			if !good {
				continue
			}
			if body := w.fetch(w.PhotoLinks(w.Context(), u).Large); strings.Contains(string(body), mediatest.Place) {
				w.Error("the place has left with the photo")
			}
		}
		w.purge()
		for _, key := range []string{"files/a.jpg", "files/b.jpg", "files/c.jpg"} {
			if !slices.Contains(w.keys(), key) {
				w.Errorf("%s is gone, and was to be left alone", key)
			}
		}
		if n, err := w.Reencode(w.Context()); n != 0 || err != nil {
			w.Errorf("a second run = %d, %v, want nothing to do", n, err)
		}
		if r, err := w.Check(w.Context(), media.CheckOptions{Repair: true}); err != nil || !r.Clean() {
			w.Errorf("comparison = %+v, %v, want rows and objects that agree", r, err)
		}
		// With the post the older object goes as well.
		w.must(w.posts.Delete(w.Context(), w.ana, w.post, nil))
		w.purge()
		if keys := w.keys(); len(keys) != 0 {
			w.Errorf("the post has left %q", keys)
		}
	})
}

// When the storage is down a run ends soon, and the next one does what is left.
func TestReencode_StorageDown(t *testing.T) {
	each(t, func(w *world) {
		photos := map[string][]byte{}
		for i := range 5 {
			photos[fmt.Sprintf("files/%d.jpg", i)] = mediatest.JPEG(16, 12)
		}
		w.older(photos)
		down := errors.New("down")
		w.bucket.fail("put", down, nil)
		if n, err := w.Reencode(w.Context()); n != 0 || !errors.Is(err, down) || w.bucket.calls["put"] != 5+3 {
			w.Errorf("Reencode = %d, %v after %d writes, want to give up after three", n, err, w.bucket.calls["put"]-5)
		}
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		if n, err := w.Reencode(ctx); n != 0 || err == nil {
			w.Errorf("Reencode that is stopped = %d, %v", n, err)
		}
		w.bucket.fail("put", nil, nil)
		if n, err := w.Reencode(w.Context()); n != 5 || err != nil {
			w.Errorf("Reencode = %d, %v, want 5", n, err)
		}
	})
}
