package media_test

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// A photo from a phone is shown upright and without the place where it was
// taken; what it was made from goes (promises U1, U5, U8).
func TestPhoto_U5_U8(t *testing.T) {
	each(t, func(w *world) {
		raw := mediatest.FromPhone(640, 480)
		u, form := w.start(w.photo(), "image/jpeg", len(raw))
		if strings.Contains(form.Fields["key"], "front") || !strings.HasPrefix(form.Fields["key"], "rc/ridecopilot/uploads/") {
			t.Errorf("key = %q, want one of the server's own", form.Fields["key"])
		}
		if life := form.Expires.Sub(u.CreatedAt); life > media.PermitLife {
			t.Errorf("the permit lives %v", life)
		}
		w.send(form, raw)
		done, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.must(err)
		if done.State != media.Processing || *done.Width != 480 || *done.Height != 640 {
			t.Errorf("completed: %s, %d x %d, want processing, 480 x 640", done.State, *done.Width, *done.Height)
		}
		if links := w.PhotoLinks(w.Context(), done); links != (media.Links{}) {
			t.Errorf("a photo in work has links: %+v", links)
		}
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		p, err := w.posts.Post(w.Context(), w.dan, w.post)
		w.must(err)
		if len(p.Photos) != 1 || p.Photos[0].State != media.Ready {
			t.Fatalf("others see %+v, want the photo", p.Photos)
		}
		links := w.PhotoLinks(w.Context(), p.Photos[0])
		for _, l := range []struct {
			url           string
			width, height int
		}{{links.Large, 480, 640}, {links.Medium, 480, 640}, {links.Small, 240, 320}} {
			body := w.fetch(l.url)
			if bytes.Contains(body, []byte("Exif")) || bytes.Contains(body, []byte(mediatest.Place)) {
				t.Error("the place has left with the photo")
			}
			m, err := jpeg.Decode(bytes.NewReader(body))
			w.must(err)
			if got := m.Bounds().Size(); got.X != l.width || got.Y != l.height {
				t.Errorf("size = %v, want %d x %d", got, l.width, l.height)
			}
			// Turned right, the red corner is top right.
			if r, _, b, _ := m.At(l.width-l.width/10, l.height/10).RGBA(); r>>8 < 180 || b>>8 > 90 {
				t.Error("the photo is not upright")
			}
		}
		w.purge()
		if got := w.names(); got != "large.jpg medium.jpg small.jpg" {
			t.Errorf("objects = %s, want the renditions alone", got)
		}
		// Doing it again changes nothing.
		again, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.must(err)
		if again.State != media.Ready {
			t.Errorf("completed again: %s", again.State)
		}
		puts := w.bucket.calls["put"]
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		if n := w.bucket.calls["put"]; n != puts {
			t.Errorf("a second run has stored %d objects", n-puts)
		}
	})
}

// What was inspected is what is shown: a second upload with the same permit
// comes too late, and does not stay (promise U5).
func TestUploadAgain_U5(t *testing.T) {
	each(t, func(w *world) {
		u, form := w.start(w.photo(), "image/jpeg", len(front))
		w.send(form, front)
		_, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.must(err)
		_, err = w.Purge(w.Context())
		w.must(err)
		w.send(form, bytes.Repeat([]byte("x"), len(front)))
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		m, err := jpeg.Decode(bytes.NewReader(w.fetch(w.PhotoLinks(w.Context(), w.row(u.ID)).Large)))
		w.must(err)
		if m.Bounds().Dx() != 640 {
			t.Errorf("the photo is %v", m.Bounds())
		}
		w.purge()
		if got := w.names(); got != "large.jpg medium.jpg small.jpg" {
			t.Errorf("objects = %s, want the late upload gone", got)
		}
	})
}

// Uploads that are not what they were said to be are refused by name, and leave
// nothing behind (promises U6 and U7).
func TestRefused_U6_U7(t *testing.T) {
	each(t, func(w *world) {
		polyglot := append([]byte("GIF89a/*"), front...)
		for _, tt := range []struct {
			name, contentType string
			target            media.Target
			raw               []byte
			code              string
		}{
			{"text named .jpg", "image/jpeg", w.photo(), []byte("not a photo at all, in spite of its name"), "wrong_type"},
			{"PDF as JPEG", "image/jpeg", w.photo(), rca, "wrong_type"},
			{"GIF and JPEG", "image/jpeg", w.photo(), polyglot, "wrong_type"},
			{"HTML as PDF", "application/pdf", w.file(), []byte("<html><script>alert(1)</script></html>"), "wrong_type"},
			{"PDF cut off", "application/pdf", w.file(), rca[:40], ""},
			{"JPEG cut off", "image/jpeg", w.file(), front[:len(front)/2], ""},
		} {
			u, form := w.start(tt.target, tt.contentType, len(tt.raw))
			w.send(form, tt.raw)
			_, err := w.Complete(w.Context(), w.ana, tt.target, u.ID)
			w.refused(err, fault.Invalid)
			if f := fault.As(err); f != nil && (len(f.Fields) != 1 || f.Fields[0].Field != "file" || (tt.code != "" && f.Fields[0].Code != tt.code)) {
				t.Errorf("%s: %+v, want file, %s", tt.name, f.Fields, tt.code)
			}
			_, err = w.Complete(w.Context(), w.ana, tt.target, u.ID)
			w.refused(err, fault.NotFound)
		}
		w.purge()
		if keys := w.keys(); len(keys) != 0 {
			t.Errorf("left behind: %v", keys)
		}
		// Their rows stay until their permits lapse, and are gone then.
		if n := w.count(`SELECT count(*) FROM upload WHERE state = 'dropped'`); n != 6 {
			t.Errorf("%d rows stay until their permits lapse, want 6", n)
		}
		w.advance(time.Hour)
		_, err := w.DropUnfinished(w.Context())
		w.must(err)
		if n := w.count(`SELECT count(*) FROM upload`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// What the bytes say counts: the label is corrected, also on what is stored.
func TestRelabelled_U6(t *testing.T) {
	each(t, func(w *world) {
		png := mediatest.PNG(20, 20)
		u := w.upload(w.photo(), "IMAGE/JPG", png)
		if u.ContentType != "image/png" {
			t.Errorf("a photo is %s", u.ContentType)
		}
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		if u = w.row(u.ID); u.State != media.Ready || u.ContentType != "image/jpeg" {
			t.Errorf("%s, %s: %s", u.State, u.ContentType, u.Problem)
		}
		f := w.upload(w.file(), "application/pdf", png)
		r, contentType, _, err := w.OpenShown(w.Context(), w.row(f.ID), "")
		w.must(err)
		w.must(r.Close())
		if f.ContentType != "image/png" || contentType != "image/png" || f.FileName != "front.jpg" {
			t.Errorf("a file is %s, %s, and read as %s", f.FileName, f.ContentType, contentType)
		}
		stored, err := w.bucket.Head(w.Context(), w.row(f.ID).Folder+"file")
		w.must(err)
		if stored.Size != int64(len(png)) {
			t.Errorf("%d bytes are stored", stored.Size)
		}
		paper := w.upload(w.file(), "image/jpeg", rca)
		if link := w.FileLink(w.Context(), w.row(paper.ID)); paper.FileName != "front.jpg" || !strings.Contains(link, "front.pdf") {
			t.Errorf("a PDF named %s is downloaded as %s", paper.FileName, link)
		}
		_, _, _, err = w.Start(w.Context(), w.ana, media.Request{Target: w.photo(), File: media.File{Name: "a.heic", ContentType: "image/HEIC", Size: 9}}, nil)
		if f := fault.As(err); f == nil || len(f.Fields) != 1 || !strings.Contains(f.Fields[0].Message, "Most Compatible") {
			t.Errorf("HEIC: %v", err)
		}
		if _, err := w.Take(w.Context(), w.ana, w.photo(), "a.gif", []byte("GIF89a"), 0); !strings.Contains(fmt.Sprint(err), "a GIF picture") {
			t.Errorf("GIF: %v", err)
		}
	})
}

// A photo that begins well and breaks off fails with the reason, for its owner
// alone.
func TestFailed(t *testing.T) {
	each(t, func(w *world) {
		u := w.upload(w.photo(), "image/jpeg", front[:len(front)/2])
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		if u = w.row(u.ID); u.State != media.Failed || u.Problem == "" {
			t.Errorf("%s, %q, want failed with the reason", u.State, u.Problem)
		}
		for _, c := range []struct {
			by   account.Actor
			want int
		}{{w.ana, 1}, {w.dan, 0}} {
			p, err := w.posts.Post(w.Context(), c.by, w.post)
			w.must(err)
			if len(p.Photos) != c.want {
				t.Errorf("%d sees %d photos, want %d", c.by.ID, len(p.Photos), c.want)
			}
		}
		w.purge()
		if keys := w.keys(); len(keys) != 0 {
			t.Errorf("left behind: %v", keys)
		}
		w.must(w.Delete(w.Context(), w.ana, w.photo(), u.ID))
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID, Folder: u.Folder})) // gone
	})
}

// Only the owner adds to a thing, and an upload joins the very thing that it was
// started for (promises Z1, Z2 and Z7).
func TestStrangers_Z1_Z2_Z7(t *testing.T) {
	each(t, func(w *world) {
		file := media.File{Name: "x.jpg", ContentType: "image/jpeg", Size: 10}
		_, _, _, err := w.Start(w.Context(), w.dan, media.Request{Target: w.photo(), File: file}, nil)
		w.refused(err, fault.Forbidden)
		_, _, _, err = w.Start(w.Context(), w.dan, media.Request{Target: w.file(), File: file}, nil)
		w.refused(err, fault.NotFound)
		_, _, _, err = w.Start(w.Context(), w.ana, media.Request{Target: media.Target{Post: 1 << 40}, File: file}, nil)
		w.refused(err, fault.NotFound)

		u, form := w.start(w.photo(), "image/jpeg", len(front))
		w.send(form, front)
		_, err = w.Complete(w.Context(), w.dan, w.photo(), u.ID)
		w.refused(err, fault.Forbidden)
		own := media.Target{Post: w.newPost(w.dan)}
		_, err = w.Complete(w.Context(), w.dan, own, u.ID)
		w.refused(err, fault.NotFound)
		second := media.Target{Post: w.newPost(w.ana)}
		_, err = w.Complete(w.Context(), w.ana, second, u.ID)
		w.refused(err, fault.NotFound)
		_, err = w.Complete(w.Context(), w.ana, w.file(), u.ID)
		w.refused(err, fault.NotFound)
		w.refused(w.Delete(w.Context(), w.dan, own, u.ID), fault.NotFound)
		w.refused(w.Delete(w.Context(), w.dan, w.photo(), u.ID), fault.Forbidden)
		w.refused(w.Order(w.Context(), w.dan, w.post, nil, nil), fault.Forbidden)
		if u = w.row(u.ID); u.State != media.Started {
			t.Errorf("a stranger has changed the upload: %+v", u)
		}
		_, err = w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.must(err)
	})
}

// What a client says of a file is looked at before a permit is signed.
func TestStart_Rules_U1(t *testing.T) {
	each(t, func(w *world) {
		for _, tt := range []struct {
			name string
			file media.File
			bad  string
		}{
			{"plain", media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: 1}, ""},
			{"largest", media.File{Name: "a.jpg", ContentType: "image/webp", Size: media.MaxSize}, ""},
			{"too large", media.File{Name: "a.jpg", ContentType: "image/png", Size: media.MaxSize + 1}, "size"},
			{"empty", media.File{Name: "a.jpg", ContentType: "image/png"}, "size"},
			{"negative", media.File{Name: "a.jpg", ContentType: "image/png", Size: -1}, "size"},
			{"PDF", media.File{Name: "a.pdf", ContentType: "application/pdf", Size: 1}, "content_type"},
			{"SVG", media.File{Name: "a.svg", ContentType: "image/svg+xml", Size: 1}, "content_type"},
			{"no type", media.File{Name: "a.jpg", Size: 1}, "content_type"},
			{"no name", media.File{ContentType: "image/jpeg", Size: 1}, "file_name"},
			{"a path alone", media.File{Name: "../../", ContentType: "image/jpeg", Size: 1}, "file_name"},
			{"long name", media.File{Name: strings.Repeat("ș", 256), ContentType: "image/jpeg", Size: 1}, "file_name"},
		} {
			u, _, _, err := w.Start(w.Context(), w.ana, media.Request{Target: w.photo(), File: tt.file}, nil)
			if tt.bad == "" {
				w.must(err)
				w.must(w.Delete(w.Context(), w.ana, w.photo(), u.ID))
				continue
			}
			if f := fault.As(err); f == nil || !f.Fields.Has(tt.bad) {
				t.Errorf("%s: %v, want %s named", tt.name, err, tt.bad)
			}
		}
		u, _, _, err := w.Start(w.Context(), w.ana, media.Request{Target: w.photo(), File: media.File{Name: "C:\\Poze\\..\\față\r\n\x00\u202e.jpg", ContentType: "image/jpeg", Size: 1}}, nil)
		w.must(err)
		if u.FileName != "față.jpg" {
			t.Errorf("name = %q, want it clean", u.FileName)
		}
	})
}

// The limits are counted in the transaction (promise Z8).
func TestLimits_Z8(t *testing.T) {
	each(t, func(w *world) {
		start := func(to media.Target, size int64) error {
			_, _, _, err := w.Start(w.Context(), w.ana, media.Request{Target: to, File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: size}}, nil)
			return err
		}
		// 20 photos of a post, also when all are begun at once.
		var wg sync.WaitGroup
		refused := make(chan error, 30)
		for range 30 {
			wg.Go(func() {
				if err := start(w.photo(), 1); err != nil {
					refused <- err
				}
			})
		}
		wg.Wait()
		close(refused)
		if n := w.count(`SELECT count(*) FROM upload`); n != 20 || len(refused) != 10 {
			t.Errorf("%d uploads were begun and %d refused, want 20 and 10", n, len(refused))
		}
		for err := range refused {
			w.refused(err, fault.Conflict)
		}
		// 20 unfinished ones of an owner, wherever.
		second := media.Target{Post: w.newPost(w.ana)}
		if err := start(second, 1); !errors.Is(err, media.ErrUnfinished) {
			t.Errorf("%v, want %v", err, media.ErrUnfinished)
		}
		w.exec(`UPDATE upload SET state = 'ready'`)
		if err := start(w.photo(), 1); !errors.Is(err, media.ErrTooMany) {
			t.Errorf("%v, want %v", err, media.ErrTooMany)
		}
		w.must(start(second, 1))
		// 2 GB of an owner.
		w.exec(`UPDATE upload SET size = 107374182`) // 21 of them are all but 2 GB and 42 bytes too many
		if err := start(second, media.MaxSize); !errors.Is(err, media.ErrQuota) {
			t.Errorf("%v, want %v", err, media.ErrQuota)
		}
		// An operator is not held by what one driver may have.
		by := account.Actor{ID: w.ana.ID, Source: account.SourceAdmin, Manages: true}
		_, _, _, err := w.Start(w.Context(), by, media.Request{Target: second, File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: 1}}, nil)
		w.must(err)
	})
}

func (w *world) exec(query string, args ...any) {
	w.Helper()
	if _, err := w.store.Writer().ExecContext(w.Context(), query, args...); err != nil {
		w.Fatal(err)
	}
}

// An upload whose size was not announced is counted when it is known.
func TestQuota_SizeUnknown(t *testing.T) {
	each(t, func(w *world) {
		u, form, _, err := w.Start(w.Context(), w.ana, media.Request{Target: w.photo(), File: media.File{Name: "a.jpg", ContentType: "image/jpeg"}, Unsized: true}, nil)
		w.must(err)
		w.send(form, front)
		w.start(w.photo(), "image/jpeg", 10)
		w.exec(`UPDATE upload SET size = $1 WHERE id <> $2`, media.MaxBytes-len(front)+1, u.ID)
		if _, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID); !errors.Is(err, media.ErrQuota) {
			t.Errorf("%v, want %v", err, media.ErrQuota)
		}
		w.exec(`UPDATE upload SET size = $1 WHERE id <> $2`, media.MaxBytes-len(front), u.ID)
		done, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.must(err)
		if done.Size != int64(len(front)) {
			t.Errorf("size = %d", done.Size)
		}
	})
}

// Order, cover and replacing.
func TestOrder(t *testing.T) {
	each(t, func(w *world) {
		a, b, c := w.ready(front), w.ready(side), w.ready(front)
		begun, _ := w.start(w.photo(), "image/jpeg", 10)
		order := func() (ids []int64) {
			p, err := w.posts.Post(w.Context(), w.ana, w.post)
			w.must(err)
			for _, u := range p.Photos {
				ids = append(ids, u.ID)
			}
			return ids
		}
		for _, ids := range [][]int64{{a.ID, b.ID}, {a.ID, b.ID, c.ID, c.ID}, {a.ID, b.ID, c.ID, begun.ID}, {a.ID, b.ID, 1 << 40}, {}} {
			w.refused(w.Order(w.Context(), w.ana, w.post, ids, nil), fault.Invalid)
		}
		want := []int64{c.ID, a.ID, b.ID}
		w.must(w.Order(w.Context(), w.ana, w.post, want, nil))
		w.must(w.Order(w.Context(), w.ana, w.post, want, nil))
		if got := order(); !equal(got, want) {
			t.Errorf("order = %v, want %v", got, want)
		}
		// The new one takes the place of the one that it replaces, when it is ready.
		u, form, _, err := w.Start(w.Context(), w.ana, media.Request{Target: w.photo(), File: media.File{Name: "n.jpg", ContentType: "image/jpeg", Size: int64(len(side))}, Replaces: c.ID}, nil)
		w.must(err)
		w.send(form, side)
		_, err = w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.must(err)
		if got := order(); !equal(got, []int64{c.ID, a.ID, b.ID, u.ID}) {
			t.Errorf("order while it is processed = %v", got)
		}
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		if got := order(); !equal(got, []int64{u.ID, a.ID, b.ID}) {
			t.Errorf("order = %v, want the new one in the place of %d", got, c.ID)
		}
		_, _, _, err = w.Start(w.Context(), w.ana, media.Request{Target: w.photo(), File: media.File{Name: "n.jpg", ContentType: "image/jpeg", Size: 1}, Replaces: c.ID}, nil)
		w.refused(err, fault.Invalid)
	})
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// The file of a document is its owner's alone, kept out of caches, and gives way
// to the next one.
func TestFile_U10(t *testing.T) {
	each(t, func(w *world) {
		first := w.upload(w.file(), "application/pdf", rca)
		if first.State != media.Ready {
			t.Errorf("state = %s, want ready", first.State)
		}
		url := w.FileLink(w.Context(), first)
		if got := w.fetch(url); !bytes.Equal(got, rca) {
			t.Error("the file is not the one that was uploaded")
		}
		second := w.upload(w.file(), "image/jpeg", mediatest.FromPhone(640, 480))
		d, err := w.docs.Document(w.Context(), w.ana, w.document)
		w.must(err)
		if d.File == nil || d.File.ID != second.ID {
			t.Errorf("file = %+v, want the second", d.File)
		}
		w.purge()
		if got := w.names(); got != "file" {
			t.Errorf("objects = %s, want one file", got)
		}
		if got := w.FileLink(w.Context(), media.Upload{}); got != "" {
			t.Errorf("link of nothing = %q", got)
		}
	})
}

// A repetition under an idempotency key gives the same upload, and the key with
// another request nothing.
func TestStart_Once(t *testing.T) {
	each(t, func(w *world) {
		by := w.ana
		by.Once = account.Once{Key: "k", Route: "POST /photos/", RequestHash: "a"}
		file := media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(front))}
		u, _, repeated, err := w.Start(w.Context(), by, media.Request{Target: w.photo(), File: file}, nil)
		w.must(err)
		again, form, repeatedAgain, err := w.Start(w.Context(), by, media.Request{Target: w.photo(), File: file}, nil)
		w.must(err)
		if again.ID != u.ID || repeated || !repeatedAgain {
			t.Errorf("%d, %v, then %d, %v", u.ID, repeated, again.ID, repeatedAgain)
		}
		w.send(form, front)
		by.Once.RequestHash = "b"
		_, _, _, err = w.Start(w.Context(), by, media.Request{Target: w.photo(), File: file}, nil)
		w.refused(err, fault.Mismatch)
		by.Once.RequestHash = "a"
		_, err = w.Complete(w.Context(), by, w.photo(), u.ID)
		w.must(err)
		_, _, _, err = w.Start(w.Context(), by, media.Request{Target: w.photo(), File: file}, nil)
		w.refused(err, fault.Conflict)
	})
}

// Addresses are the same for everybody within half an hour, so that browsers can
// keep the photos, and never older than that (promise U10).
func TestLinks_U10(t *testing.T) {
	each(t, func(w *world) {
		u := w.ready(front)
		// To the beginning of a window, so that the steps below are known.
		w.advance(w.now().Truncate(30 * time.Minute).Add(30 * time.Minute).Sub(w.now()))
		first := w.PhotoLinks(w.Context(), u)
		calls := w.bucket.calls["url"]
		w.advance(29 * time.Minute)
		if got := w.PhotoLinks(w.Context(), u); got != first {
			t.Error("the addresses have changed within their window")
		}
		if n := w.bucket.calls["url"]; n != calls {
			t.Errorf("%d addresses were signed anew", n-calls)
		}
		w.advance(2 * time.Minute)
		if got := w.PhotoLinks(w.Context(), u); got.Large == first.Large {
			t.Error("the addresses have not changed after their window")
		}
		w.bucket.fail("url", errors.New("no credentials"), nil)
		w.advance(time.Hour)
		if got := w.PhotoLinks(w.Context(), u); got != (media.Links{}) {
			t.Errorf("links = %+v, want none, and no failure", got)
		}
	})
}

// Nothing uploaded is a conflict, and the storage's silence is busy, not lost.
func TestComplete_Storage(t *testing.T) {
	each(t, func(w *world) {
		u, form := w.start(w.photo(), "image/jpeg", len(front))
		_, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.refused(err, fault.Conflict)
		w.send(form, front)
		for _, c := range []struct {
			call          string
			before, after error
			want          fault.Kind
		}{
			{"head", errors.New("down"), nil, fault.Unavailable},
			{"copy", errors.New("down"), nil, fault.Unavailable},
			{"copy", nil, errors.New("the answer was lost"), fault.Unavailable},
			{"copy", bucket.ErrFull, nil, fault.Full},
			{"copy", bucket.ErrChanged, nil, fault.Conflict},
		} {
			w.bucket.fail(c.call, c.before, c.after)
			_, err := w.Complete(w.Context(), w.ana, w.photo(), u.ID)
			w.refused(err, c.want)
			w.bucket.fail(c.call, nil, nil)
		}
		_, err = w.Complete(w.Context(), w.ana, w.photo(), u.ID)
		w.must(err)
		// The copies of the tries that failed go within the hour.
		w.bucket.fail("put", errors.New("down"), nil)
		if err := w.Process(w.Context(), media.Process{UploadID: u.ID}); err == nil {
			t.Error("no error while the storage is down")
		}
		w.bucket.fail("put", nil, nil)
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		w.purge()
		if got := w.names(); got != "large.jpg medium.jpg small.jpg" {
			t.Errorf("objects = %s", got)
		}
	})
}
