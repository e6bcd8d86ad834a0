package media_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// operator is dan at the admin site, who means ana's things.
func (w *world) operator() account.Actor {
	by := w.dan
	by.Source, by.Manages, by.For, by.Address = account.SourceAdmin, true, w.ana.ID, "203.0.113.9"
	return by
}

// acts are what the history tells of an operator's acts on an upload.
func (w *world) acts(id int64) string {
	w.Helper()
	rows, err := w.store.Reader().QueryContext(w.Context(), `
		SELECT action || ' ' || changes FROM history
		WHERE object_type = 'upload' AND object_id = $1 AND actor_id = $2 AND source = 'admin' AND address = '203.0.113.9' AND owner_id = $3 ORDER BY id`, id, w.dan.ID, w.ana.ID)
	w.must(err)
	defer rows.Close()
	var acts []string
	for rows.Next() {
		var act string
		w.must(rows.Scan(&act))
		acts = append(acts, act)
	}
	w.must(rows.Err())
	return strings.Join(acts, "; ")
}

func (w *world) shown(u media.Upload, size string) ([]byte, string) {
	w.Helper()
	r, contentType, length, err := w.OpenShown(w.Context(), u, size)
	w.must(err)
	defer r.Close()
	body, err := io.ReadAll(r)
	w.must(err)
	if int64(len(body)) != length {
		w.Errorf("%d bytes came of %d", len(body), length)
	}
	return body, contentType
}

// An operator puts photos and files on another's things, through the inspection
// that everybody's go through.
func TestTake_B10(t *testing.T) {
	each(t, func(w *world) {
		by := w.operator()
		rca2 := mediatest.PDF("RCA, the new one")
		first, err := w.Take(w.Context(), by, w.file(), "rca.pdf", rca, 0)
		if w.must(err); first.State != media.Ready || first.OwnerID != w.ana.ID || first.ContentType != "application/pdf" {
			w.Errorf("Take = %+v", first)
		}
		if body, kind := w.shown(first, ""); !bytes.Equal(body, rca) || kind != "application/pdf" {
			w.Errorf("the file is %d bytes of %s", len(body), kind)
		}
		if got := w.acts(first.ID); !strings.HasPrefix(got, "create ") {
			w.Errorf("the history tells %q", got)
		}
		second, err := w.Take(w.Context(), by, w.file(), `C:\papers\rca2.pdf`, rca2, 0)
		if w.must(err); second.FileName != "rca2.pdf" {
			w.Errorf("Take = %+v", second)
		}
		if n := w.count(`SELECT count(*) FROM upload WHERE document_id = $1`, w.document); n != 1 {
			w.Errorf("the document has %d files, want the new one alone", n)
		}
		_, err = w.Take(w.Context(), by, w.file(), "a.html", []byte("<html>"), 0)
		w.refused(err, fault.Invalid)
		_, err = w.Take(w.Context(), by, w.file(), "a.pdf", []byte("%PDF-1.7 that ends here"), 0)
		w.refused(err, fault.Invalid)
		_, err = w.Take(w.Context(), w.dan, w.file(), "rca.pdf", rca, 0)
		w.refused(err, fault.NotFound)
		p, err := w.Take(w.Context(), by, w.photo(), "a.jpg", front, 0)
		if w.must(err); p.State != media.Ready {
			w.Errorf("Take of a photo = %+v", p)
		}
		q, err := w.Take(w.Context(), by, w.photo(), "b.jpg", side, p.ID)
		if w.must(err); q.Position != p.Position {
			w.Errorf("the photo in its place = %+v", q)
		}
		w.purge()
		if got := w.names(); got != "file large.jpg medium.jpg small.jpg" {
			w.Errorf("stored are %s", got)
		}
	})
}

func TestFindAndRename_B9(t *testing.T) {
	each(t, func(w *world) {
		u, by := w.ready(front), w.operator()
		_, err := w.Find(w.Context(), w.ana, u.ID)
		w.refused(err, fault.NotFound)
		_, err = w.Find(w.Context(), by, 4711)
		w.refused(err, fault.NotFound)
		if got, err := w.Find(w.Context(), by, u.ID); err != nil || got.ID != u.ID {
			w.Errorf("Find = %+v, %v", got, err)
		}
		for range 2 {
			got, err := w.Rename(w.Context(), by, w.photo(), u.ID, "/tmp/față.jpg\n", nil)
			if w.must(err); got.FileName != "față.jpg" || got.State != media.Ready || w.row(u.ID).FileName != "față.jpg" {
				w.Errorf("Rename = %+v", got)
			}
		}
		if got := w.acts(u.ID); got != `update {"file_name":["front.jpg","față.jpg"]}` {
			w.Errorf("the history tells %q", got)
		}
		_, err = w.Rename(w.Context(), by, w.photo(), u.ID, " ", nil)
		if f := fault.As(err); f == nil || !f.Fields.Has("file_name") {
			w.Errorf("Rename to nothing = %v", err)
		}
		_, err = w.Rename(w.Context(), by, w.file(), u.ID, "a", nil)
		w.refused(err, fault.NotFound)
		_, err = w.Rename(w.Context(), w.dan, w.photo(), u.ID, "a", nil)
		w.refused(err, fault.Forbidden)
	})
}

func TestOpenShown_U9(t *testing.T) {
	each(t, func(w *world) {
		u := w.ready(front)
		sizes := map[string]int{}
		for _, size := range []string{"large", "medium", "small"} {
			body, kind := w.shown(u, size)
			if sizes[size] = len(body); kind != "image/jpeg" {
				w.Errorf("%s is %s", size, kind)
			}
		}
		if sizes["large"] < sizes["medium"] || sizes["medium"] <= sizes["small"] {
			w.Errorf("the sizes are %v bytes", sizes)
		}
		w.must(w.bucket.Delete(w.Context(), u.Folder+"small.jpg"))
		if body, _ := w.shown(u, "small"); len(body) != sizes["large"] {
			w.Errorf("instead of the small one come %d bytes", len(body))
		}
		for _, size := range []string{"", "huge", "../original"} {
			_, _, _, err := w.OpenShown(w.Context(), u, size)
			w.refused(err, fault.NotFound)
		}
		started, _ := w.start(w.photo(), "image/jpeg", 7)
		_, _, _, err := w.OpenShown(w.Context(), started, "large")
		w.refused(err, fault.NotFound)

		// What the older backend says is not believed further than this.
		raw := mediatest.JPEG(16, 12)
		w.must(w.bucket.Put(w.Context(), "files/a.jpg", "text/html", raw))
		older := media.Upload{Target: media.Target{Post: w.post}, State: media.Ready, LegacyKey: "files/a.jpg", ContentType: "text/html"}
		if body, kind := w.shown(older, "small"); !bytes.Equal(body, raw) || kind != "application/octet-stream" {
			w.Errorf("an older photo is %d bytes of %s", len(body), kind)
		}
		older.ContentType = "image/jpeg"
		if _, kind := w.shown(older, "large"); kind != "image/jpeg" {
			w.Errorf("an older photo is %s", kind)
		}
		older.LegacyKey = "files/none.jpg"
		_, _, _, err = w.OpenShown(w.Context(), older, "large")
		w.refused(err, fault.NotFound)
	})
}

// An operator has a photo re-encoded again for as long as there is something to do
// it from.
func TestRedo_B9(t *testing.T) {
	each(t, func(w *world) {
		by := w.operator()
		jobs := func() int {
			return w.count(`SELECT count(*) FROM river_job WHERE kind = 'process_photo' AND state = 'available'`)
		}
		exec := func(query string, args ...any) {
			_, err := w.store.Writer().ExecContext(w.Context(), query, args...)
			w.must(err)
		}
		u := w.upload(w.photo(), "image/jpeg", front)
		w.refused(w.Redo(w.Context(), w.ana, u.ID), fault.NotFound)
		exec(`DELETE FROM river_job`) // it was cancelled, and is forgotten
		w.must(w.Redo(w.Context(), by, u.ID))
		w.must(w.Redo(w.Context(), by, u.ID))
		if jobs() != 1 {
			w.Errorf("%d jobs, want one", jobs())
		}
		if got := w.acts(u.ID); got != `redo {}; redo {}` {
			w.Errorf("the history tells %q", got)
		}
		exec(`DELETE FROM river_job`)
		exec(`UPDATE upload SET state = 'lost', problem = 'x' WHERE id = $1`, u.ID)
		w.must(w.Redo(w.Context(), by, u.ID))
		if got := w.row(u.ID); got.State != media.Processing || got.Problem != "" || jobs() != 1 {
			w.Errorf("after Redo of what was lost: %+v and %d jobs", got, jobs())
		}
		if got := w.acts(u.ID); !strings.HasSuffix(got, `redo {"state":["lost","processing"]}`) {
			w.Errorf("the history tells %q", got)
		}
		w.must(w.Process(w.Context(), media.Process{UploadID: u.ID}))
		w.refused(w.Redo(w.Context(), by, u.ID), fault.Conflict) // ready
		w.purge()
		exec(`UPDATE upload SET state = 'failed' WHERE id = $1`, u.ID)
		w.refused(w.Redo(w.Context(), by, u.ID), fault.Conflict) // nothing to do it from
		w.bucket.fail("head", errors.New("down"), nil)
		w.refused(w.Redo(w.Context(), by, u.ID), fault.Unavailable)
		w.bucket.fail("head", nil, nil)
		started, _ := w.start(w.photo(), "image/jpeg", 7)
		w.refused(w.Redo(w.Context(), by, started.ID), fault.Conflict)
		paper := w.upload(w.file(), "application/pdf", rca)
		w.refused(w.Redo(w.Context(), by, paper.ID), fault.Conflict)
		w.refused(w.Redo(w.Context(), by, 4711), fault.NotFound)
	})
}

// A photo of the older backend that could not be read is looked at again; its
// object stays where it is.
func TestRedo_Older(t *testing.T) {
	each(t, func(w *world) {
		w.older(map[string][]byte{"files/a.jpg": []byte("<html>")})
		_, err := w.Reencode(w.Context())
		if w.must(err); w.row(1).State != media.Failed {
			w.Fatalf("it became %+v", w.row(1))
		}
		w.must(w.bucket.Put(w.Context(), "files/a.jpg", "image/jpeg", mediatest.JPEG(16, 12))) // somebody has mended it
		w.must(w.Redo(w.Context(), w.operator(), 1))
		p, err := w.posts.Post(w.Context(), w.dan, w.post)
		if w.must(err); len(p.Photos) != 0 {
			w.Error("it is shown before it was looked at")
		}
		w.must(w.Process(w.Context(), media.Process{UploadID: 1}))
		if u := w.row(1); u.State != media.Ready || u.Folder == "" {
			w.Errorf("it became %+v", u)
		}
		w.purge()
		if got := w.names(); got != "a.jpg large.jpg medium.jpg small.jpg" {
			w.Errorf("stored are %s", got)
		}
	})
}

// What a comparison has found is kept, in numbers.
func TestLastCheck_D14(t *testing.T) {
	each(t, func(w *world) {
		if _, _, ok, err := w.LastCheck(w.Context()); ok || err != nil {
			w.Errorf("LastCheck before any = %v, %v", ok, err)
		}
		u := w.ready(front)
		w.must(w.bucket.Delete(w.Context(), u.Folder+"large.jpg"))
		r, err := w.Check(w.Context(), media.CheckOptions{})
		w.must(err)
		before := time.Now()
		at, kept, ok, err := w.LastCheck(w.Context())
		if w.must(err); !ok || kept != r || kept.Missing != 1 || at.Location() != time.UTC || before.Sub(at).Abs() > time.Minute {
			w.Errorf("LastCheck = %v, %+v, %v, want %+v", at, kept, ok, r)
		}
		w.advance(time.Hour)
		_, err = w.Check(w.Context(), media.CheckOptions{Repair: true})
		w.must(err)
		if later, _, _, err := w.LastCheck(w.Context()); err != nil || later.Sub(at) < time.Hour {
			w.Errorf("LastCheck = %v, %v, want the later one", later, err)
		}
		for range 40 {
			w.must(w.store.KeepReport(w.Context(), w.now(), media.Report{Objects: 7}, 30))
		}
		if n := w.count(`SELECT count(*) FROM storage_check`); n != 30 {
			w.Errorf("%d reports are kept, want 30", n)
		}
		var text string
		w.must(w.store.Reader().QueryRowContext(w.Context(), `SELECT report FROM storage_check ORDER BY id DESC LIMIT 1`).Scan(&text))
		if text != `{"uploads":0,"objects":7,"unclaimed":0,"young":0,"missing":0,"found":0,"redone":0,"foreign":0,"failed":0}` {
			w.Errorf("a report is kept as %s", text)
		}
	})
}
