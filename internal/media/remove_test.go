package media_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

var errDown = errors.New("the storage is down")

// Whatever takes the things away takes their objects with it, also when the
// storage is down meanwhile (promises D12 and D13).
func TestRemoval_D12_D13(t *testing.T) {
	each(t, func(w *world) {
		kept := media.Target{Post: w.newPost(w.dan)}
		u, form, _, err := w.Start(w.Context(), w.dan, media.Request{Target: kept, File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(front))}}, nil)
		w.must(err)
		w.send(form, front)
		_, err = w.Complete(w.Context(), w.dan, kept, u.ID)
		w.must(err)
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		w.purge()
		others := w.keys()
		if len(others) != 3 {
			t.Fatalf("objects of others: %v", others)
		}

		fill := func() {
			w.post, w.document = w.newPost(w.ana), w.newDocument(w.ana)
			w.ready(front)
			w.upload(w.photo(), "image/jpeg", side)
			_, form := w.start(w.photo(), "image/jpeg", len(side))
			w.send(form, side)
			w.upload(w.file(), "application/pdf", rca)
		}
		for _, tt := range []struct {
			name   string
			remove func() error
		}{
			{"photos and files", func() error {
				var errs []error
				p, err := w.posts.Post(w.Context(), w.ana, w.post)
				errs = append(errs, err)
				for _, u := range p.Photos {
					errs = append(errs, w.Delete(w.Context(), w.ana, w.photo(), u.ID))
				}
				d, err := w.docs.Document(w.Context(), w.ana, w.document)
				errs = append(errs, err, w.Delete(w.Context(), w.ana, w.file(), d.File.ID))
				w.advance(25 * time.Hour) // the one that was only begun
				_, err = w.DropUnfinished(w.Context())
				w.advance(-25 * time.Hour)
				return errors.Join(append(errs, err)...)
			}},
			{"post and document", func() error {
				return errors.Join(w.posts.Delete(w.Context(), w.ana, w.post, nil), w.docs.Delete(w.Context(), w.ana, w.document, nil))
			}},
			{"by a hand in the database", func() error {
				w.exec(`DELETE FROM car_post WHERE id = $1`, w.post)
				w.exec(`DELETE FROM document WHERE id = $1`, w.document)
				_, err := w.DropUnfinished(w.Context())
				return err
			}},
			{"account", func() error {
				return w.store.DeleteUser(w.Context(), w.ana, w.ana.ID, func(account.User, account.Settings) error { return nil }, nil)
			}},
		} {
			fill()
			w.bucket.fail("delete", errDown, nil)
			if err := tt.remove(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			n, err := w.Purge(w.Context())
			w.must(err)
			if n != 0 || len(w.keys()) <= len(others) {
				t.Fatalf("%s: the test's storage is not down", tt.name)
			}
			oldest, since, err := w.store.OpenPurges(w.Context(), time.Now())
			w.must(err)
			if oldest == 0 || since == nil || time.Since(*since) > time.Minute {
				t.Errorf("%s: %d open removals since %v", tt.name, oldest, since)
			}
			// The answer of a removal that was carried out may be lost, too.
			w.bucket.fail("delete", nil, errDown)
			w.advance(time.Hour)
			_, err = w.Purge(w.Context())
			w.must(err)
			w.bucket.fail("delete", nil, nil)
			w.advance(-time.Hour)
			w.purge()
			if got := w.keys(); !slices.Equal(got, others) {
				t.Errorf("%s: objects = %v, want those of others: %v", tt.name, got, others)
			}
			if n := w.count(`SELECT count(*) FROM purge`); n != 0 {
				t.Errorf("%s: %d removals are left", tt.name, n)
			}
			if n := w.count(`SELECT count(*) FROM upload WHERE state <> 'dropped'`); n != 1 {
				t.Errorf("%s: %d uploads are left, want 1", tt.name, n)
			}
		}
	})
}

// A permit outlives the account that it was given to: what comes with it is
// removed when it has lapsed (promise D13).
func TestLateUpload_D13(t *testing.T) {
	each(t, func(w *world) {
		_, form := w.start(w.photo(), "image/jpeg", len(front))
		w.must(w.store.DeleteUser(w.Context(), w.ana, w.ana.ID, func(account.User, account.Settings) error { return nil }, nil))
		_, err := w.Purge(w.Context())
		w.must(err)
		w.send(form, front)
		if len(w.keys()) != 1 {
			t.Fatal("the late upload was not taken")
		}
		w.purge()
		if keys := w.keys(); len(keys) != 0 {
			t.Errorf("left behind: %v", keys)
		}
	})
}

// Photos that are deleted while they are re-encoded leave nothing.
func TestDeletedInWork(t *testing.T) {
	each(t, func(w *world) {
		u := w.upload(w.photo(), "image/jpeg", front)
		var once bool
		w.bucket.fail("put", nil, nil)
		inner := w.bucket.Bucket
		w.bucket.Bucket = deleting{inner, func() {
			if !once {
				once = true
				w.must(w.Delete(w.Context(), w.ana, w.photo(), u.ID))
				_, err := w.Purge(w.Context())
				w.must(err)
			}
		}}
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		w.bucket.Bucket = inner
		if !once || len(w.keys()) == 0 {
			t.Fatal("the photo was not deleted in work")
		}
		w.purge()
		if keys := w.keys(); len(keys) != 0 {
			t.Errorf("left behind: %v", keys)
		}
	})
}

// What is never completed goes after a day, and not before (promise U12).
func TestUnfinished_U12(t *testing.T) {
	each(t, func(w *world) {
		u, form := w.start(w.photo(), "image/jpeg", len(front))
		w.send(form, front)
		w.advance(23 * time.Hour)
		n, err := w.DropUnfinished(w.Context())
		w.must(err)
		if n != 0 {
			t.Errorf("%d uploads went before their time", n)
		}
		w.advance(2 * time.Hour)
		n, err = w.DropUnfinished(w.Context())
		w.must(err)
		if left := w.count(`SELECT count(*) FROM upload`); n == 0 || left != 0 {
			t.Errorf("%d uploads went, %d are left", n, left)
		}
		w.purge()
		if keys := w.keys(); len(keys) != 0 {
			t.Errorf("left behind: %v", keys)
		}
		_, err = w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.refused(err, fault.NotFound)
	})
}

// Rows and objects are compared, and mended only where that is ours to do
// (promise D14).
func TestCheck_D14(t *testing.T) {
	each(t, func(w *world) {
		var photos []media.Upload
		for range 4 {
			photos = append(photos, w.ready(front))
		}
		file := w.upload(w.file(), "application/pdf", rca)
		_, form := w.start(w.photo(), "image/jpeg", len(side))
		w.send(form, side)
		w.purge()
		check := func(repair bool) media.Report {
			var last, of int
			r, err := w.Check(w.Context(), media.CheckOptions{Repair: repair, Progress: func(done, total int) { last, of = done, total }})
			w.must(err)
			if last != of || of < 3 {
				t.Errorf("progress ended at %d of %d", last, of)
			}
			return r
		}
		w.advance(72 * time.Hour)
		if r := check(true); !r.Clean() || r.Uploads != 6 || r.Objects != 14 || r.Young != 0 || r.Foreign != 0 {
			t.Errorf("nothing differs: %+v", r)
		}

		put := func(key string) { w.must(w.bucket.Bucket.Put(w.Context(), key, "image/jpeg", front)) }
		alien := []string{"older/backend/photo.jpg", "rc/other.jpg", "rc/mediax/9/a.jpg"}
		lost := []string{"rc/ridecopilot/media/0/a/large.jpg", photos[0].Folder + "original", photos[0].Folder + "zz.jpg", "rc/ridecopilot/media/999999999999/b/file", "rc/ridecopilot/uploads/1/nobody", "rc/ridecopilot/uploads/99999999999/x"}
		for _, key := range slices.Concat(alien, lost) {
			put(key)
		}
		w.must(w.bucket.Bucket.Delete(w.Context(), photos[1].Folder+"large.jpg"))
		w.must(w.bucket.Bucket.Delete(w.Context(), photos[2].Folder+"small.jpg"))
		_, err := w.bucket.Bucket.DeleteAll(w.Context(), photos[3].Folder)
		w.must(err)
		w.must(w.bucket.Bucket.Delete(w.Context(), file.Folder+"file"))

		w.advance(-72 * time.Hour)
		if r := check(true); r.Unclaimed != 0 || r.Young != len(lost) || r.Foreign != 2 {
			t.Errorf("too young to be removed: %+v", r)
		}
		w.advance(49 * time.Hour)
		before := w.keys()
		if r := check(false); r.Unclaimed < len(lost) || !slices.Equal(w.keys(), before) {
			t.Errorf("a dry run has changed something: %+v", r)
		}
		r := check(true)
		if r.Foreign != 2 {
			t.Errorf("%+v", r)
		}
		w.advance(-49 * time.Hour)
		w.purge()
		got := w.keys()
		for _, key := range alien {
			if !slices.Contains(got, key) {
				t.Errorf("%s is gone, and was not ours", key)
			}
		}
		for _, key := range lost {
			if slices.Contains(got, key) {
				t.Errorf("%s is still there", key)
			}
		}
		for i, want := range []media.State{media.Ready, media.Lost, media.Ready, media.Lost} {
			if got := w.row(photos[i].ID); got.State != want {
				t.Errorf("photo %d is %s, want %s", i, got.State, want)
			}
		}
		for _, name := range []string{"large.jpg", "medium.jpg", "small.jpg"} {
			if !slices.Contains(got, photos[2].Folder+name) {
				t.Errorf("%s of the third photo is not there", name)
			}
		}
		d, err := w.docs.Document(w.Context(), w.ana, w.document)
		w.must(err)
		if d.File == nil || d.File.State != media.Lost || d.File.Problem == "" {
			t.Errorf("the owner does not learn that the file is missing: %+v", d.File)
		}
		w.advance(49 * time.Hour)
		if r := check(true); !r.Clean() {
			t.Errorf("after the repair: %+v", r)
		}
		// No loss is final: what is there again is shown again.
		put(photos[1].Folder + "large.jpg")
		put(file.Folder + "file")
		if r := check(true); r.Found != 2 {
			t.Errorf("after they are back: %+v", r)
		}
		if got := w.row(photos[1].ID); got.State != media.Ready || got.Problem != "" {
			t.Errorf("a photo that is back is %s", got.State)
		}
		if got := w.row(file.ID); got.State != media.Ready {
			t.Errorf("a file that is back is %s", got.State)
		}
	})
}

// A storage that says that it has removed what it has not is found out by the
// comparison.
func TestCheck_Liar(t *testing.T) {
	each(t, func(w *world) {
		u := w.ready(front)
		inner := w.bucket.Bucket
		w.bucket.Bucket = liar{inner}
		w.must(w.Delete(w.Context(), w.ana, w.photo(), u.ID))
		w.purge()
		w.bucket.Bucket = inner
		if len(w.keys()) < 3 {
			t.Fatal("the storage has not lied")
		}
		w.advance(49 * time.Hour)
		r, err := w.Check(w.Context(), media.CheckOptions{Repair: true})
		w.must(err)
		if keys := w.keys(); r.Unclaimed < 3 || len(keys) != 0 {
			t.Errorf("%+v, left: %v", r, keys)
		}
	})
}

func TestAccountPurges(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var got []string
	for _, p := range media.AccountPurges("rc/", 7, at) {
		if !p.Whole || p.Due.Before(at) {
			t.Errorf("%+v", p)
		}
		got = append(got, p.Key)
	}
	if want := "rc/ridecopilot/uploads/7/ rc/ridecopilot/media/7/ rc/ridecopilot/uploads/7/ rc/ridecopilot/media/7/"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}
