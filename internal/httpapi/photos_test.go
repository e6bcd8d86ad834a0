package httpapi_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// postCar makes a post of the client's and returns its path.
func (c *client) postCar() string {
	c.Helper()
	r := c.post("/api/carposts/", obj{"make": "Dacia", "model": "Logan", "year": 2020, "price": "100", "price_period": "day"}).want(201)
	return fmt.Sprintf("/api/carposts/%.0f/", r.number("id"))
}

// begin starts an upload and returns the answer with its permit.
func (c *client) begin(path, contentType string, size int) (*response, bucket.Form) {
	c.Helper()
	r := c.post(path, obj{"file_name": "front.jpg", "content_type": contentType, "size": size}).want(201)
	return r, permit(r)
}

func permit(r *response) bucket.Form {
	r.c.Helper()
	form := bucket.Form{URL: r.text("upload", "url"), Fields: map[string]string{}}
	for name, value := range r.at("upload", "fields").(map[string]any) {
		form.Fields[name] = value.(string)
	}
	return form
}

// send posts the bytes to the storage.
func (c *client) send(form bucket.Form, raw []byte) {
	c.Helper()
	if res := buckettest.Post(c.T, form, raw, nil); res.StatusCode != http.StatusNoContent {
		c.Fatalf("upload = %d", res.StatusCode)
	}
}

// addPhoto uploads a photo and lets it be re-encoded; it returns its number.
func (c *client) addPhoto(post string, raw []byte) int64 {
	c.Helper()
	r, form := c.begin(post+"photos/", "image/jpeg", len(raw))
	c.send(form, raw)
	id := int64(r.number("id"))
	if got := c.post(fmt.Sprintf("%sphotos/%d/complete/", post, id), nil).want(200); got.text("state") != "processing" || got.at("url") != nil {
		c.Errorf("completed: %s", got.body)
	}
	if err := c.media.Process(c.Context(), media.Process{UploadID: id}); err != nil {
		c.Fatal(err)
	}
	return id
}

func TestPhotos(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		post := ana.postCar()
		before := ana.get(post).want(200)
		if before.at("cover") != nil {
			t.Errorf("cover of a post without photos: %s", before.body)
		}
		r, form := ana.begin(post+"photos/", "image/jpeg", 3000)
		if r.text("upload", "method") != "POST" || r.header.Get("Location") != fmt.Sprintf("https://api.example.com%sphotos/%.0f/", post, r.number("id")) {
			t.Errorf("%s, Location %s", r.body, r.header.Get("Location"))
		}
		for _, name := range []string{"key", "Content-Type", "policy"} {
			if form.Fields[name] == "" {
				t.Errorf("the form has no %s", name)
			}
		}
		begun := fmt.Sprintf("%sphotos/%.0f/", post, r.number("id"))
		ana.post(begun+"complete/", nil).want(409)
		if got := ana.get(begun).want(200); got.text("state") != "started" {
			t.Errorf("%s", got.body)
		}
		dan.get(begun).want(404)
		if got := ana.get(post + "photos/?state=started").want(200); got.number("count") != 1 {
			t.Errorf("%s", got.body)
		}
		dan.get(post + "photos/?state=started").want(403)
		if got := ana.get(post + "photos/").want(200); got.number("count") != 0 {
			t.Errorf("%s", got.body)
		}
		ana.delete(begun, nil).want(204)
		ana.delete(begun, nil).want(404)

		first := ana.addPhoto(post, mediatest.FromPhone(640, 480))
		second := ana.addPhoto(post, mediatest.JPEG(300, 200))
		r = dan.get(post).want(200)
		if r.number("cover", "id") != float64(first) || r.number("photos", 1, "id") != float64(second) || r.number("photos", 1, "position") != 1 {
			t.Errorf("%s", r.body)
		}
		if r.number("cover", "width") != 480 || r.text("cover", "content_type") != "image/jpeg" {
			t.Errorf("cover: %v", r.at("cover"))
		}
		res, err := http.Get(r.text("cover", "thumbnails", "small"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if m, err := jpeg.Decode(res.Body); err != nil || m.Bounds().Dy() != 320 {
			t.Errorf("small thumbnail: %v, %v", m, err)
		}
		// In lists as well, without a query a post.
		l := dan.get("/api/carposts/?has_photo=true").want(200)
		if l.number("count") != 1 || len(l.at("results", 0, "photos").([]any)) != 2 {
			t.Errorf("%s", l.body)
		}
		if n := dan.get("/api/carposts/?has_photo=false").want(200).number("count"); n != 0 {
			t.Errorf("%v posts without photos", n)
		}
		// The tag changes with the photos and with their addresses, If-Match does not.
		tag := r.header.Get("ETag")
		dan.get(post, "If-None-Match", tag).want(304)
		w.clock.advance(31 * time.Minute)
		dan.get(post, "If-None-Match", tag).want(200)
		ana.patch(post, obj{"color": "red"}, "If-Match", before.header.Get("ETag")).want(200)

		if got := ana.put(post+"photos/order/", obj{"ids": []int64{second, first}}).want(200); got.number("results", 0, "id") != float64(second) {
			t.Errorf("%s", got.body)
		}
		if got := ana.put(post+"photos/order/", obj{"ids": []int64{second}}).errors(); got != "ids invalid" {
			t.Error(got)
		}
		if got := ana.put(post+"photos/order/", obj{"ids": []any{"x", 1.5}, "id": 1}).errors(); got != "ids[0] invalid, ids[1] invalid, id unknown" {
			t.Error(got)
		}
		if got := ana.put(post+"photos/order/", obj{}).errors(); got != "ids required" {
			t.Error(got)
		}
		dan.put(post+"photos/order/", obj{"ids": []int64{second, first}}).want(403)
		dan.post(post+"photos/", obj{"file_name": "a", "content_type": "image/jpeg", "size": 1}).want(403)
		dan.post(fmt.Sprintf("%sphotos/%d/complete/", post, first), nil).want(403)
		dan.delete(fmt.Sprintf("%sphotos/%d/", post, first), nil).want(403)
		dan.get(fmt.Sprintf("%sphotos/%d/", post, first)).want(200)
		ana.get(post + "photos/01/").want(404)
		ana.patch(post, obj{"status": "paused"}).want(200)
		dan.get(post + "photos/").want(404)
		dan.post(post+"photos/", obj{"file_name": "a", "content_type": "image/jpeg", "size": 1}).want(404)

		ana.delete(fmt.Sprintf("%sphotos/%d/", post, second), nil).want(204)
		if got := ana.get(post + "photos/").want(200); got.number("count") != 1 || got.number("results", 0, "position") != 0 {
			t.Errorf("%s", got.body)
		}
	})
}

func TestPhotos_Input(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		post := c.postCar()
		for _, tt := range []struct {
			body any
			want string
		}{
			{obj{}, "file_name required, content_type required, size required"},
			{obj{"file_name": 1, "content_type": nil, "size": "1"}, "file_name invalid, content_type null, size invalid"},
			{obj{"file_name": "a", "content_type": "image/gif", "size": 1}, "content_type invalid_choice"},
			{obj{"file_name": "a", "content_type": "image/jpeg", "size": 10485761}, "size max_value"},
			{obj{"file_name": "a", "content_type": "image/jpeg", "size": 0}, "size min_value"},
			{obj{"file_name": "a", "content_type": "image/jpeg", "size": 1, "key": "x", "Size": 1}, "Size unknown, key unknown"},
			{obj{"file_name": "a", "content_type": "image/jpeg", "size": 1, "replaces": 77}, "replaces does_not_exist"},
			{obj{"file_name": strings.Repeat("a", 256), "content_type": "image/jpeg", "size": 1}, "file_name max_length"},
		} {
			if got := c.post(post+"photos/", tt.body).errors(); got != tt.want {
				t.Errorf("%v: %s, want %s", tt.body, got, tt.want)
			}
		}
		raw := []byte("a text by the name of a photo")
		r, form := c.begin(post+"photos/", "image/jpeg", len(raw))
		c.send(form, raw)
		path := fmt.Sprintf("%sphotos/%.0f/complete/", post, r.number("id"))
		if got := c.post(path, nil).errors(); got != "file wrong_type" {
			t.Error(got)
		}
		c.post(path, nil).want(404)
		w.anyone().post(path, nil).want(401)
		// The twenty-first is refused with the limit.
		for range 20 { // the one that was refused counts no more
			c.begin(post+"photos/", "image/jpeg", 1)
		}
		// What counts is listed, and its place is free again when it is deleted.
		document := fmt.Sprintf("/api/documents/%.0f/", c.post("/api/documents/", obj{"type": "insurance"}).want(201).number("id"))
		if got := c.post(document+"file/", obj{"file_name": "a", "content_type": "image/jpeg", "size": 1}).want(409).text("detail"); !strings.Contains(got, "20 unfinished") {
			t.Error(got)
		}
		counted := c.get("/api/user/uploads/").want(200)
		if counted.number("count") != 20 || counted.number("max_unfinished") != 20 || counted.number("bytes") != 20 {
			t.Errorf("%s", counted.body)
		}
		r = c.post(post+"photos/", obj{"file_name": "a", "content_type": "image/jpeg", "size": 1}).want(409)
		if !strings.Contains(r.text("detail"), "20") {
			t.Errorf("%s", r.body)
		}
	})
}

// A repetition gives the same upload and a permit that counts, and the permit
// itself is kept nowhere (promise P4).
func TestPhotos_Once_P4(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		post := c.postCar()
		raw := mediatest.JPEG(40, 40)
		body := obj{"file_name": "a.jpg", "content_type": "image/jpeg", "size": len(raw)}
		first := c.post(post+"photos/", body, "Idempotency-Key", "k").want(201)
		again := c.post(post+"photos/", body, "Idempotency-Key", "k").want(201)
		if first.number("id") != again.number("id") || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s then %s", first.body, again.body)
		}
		c.send(permit(again), raw)
		c.post(post+"photos/", obj{"file_name": "b.jpg", "content_type": "image/jpeg", "size": 1}, "Idempotency-Key", "k").want(422)
		var kept int
		if err := w.store.Reader().QueryRowContext(t.Context(), `SELECT count(*) FROM idempotency WHERE body IS NOT NULL AND key = 'k'`).Scan(&kept); err != nil {
			t.Fatal(err)
		}
		if kept != 0 {
			t.Error("a permit is kept in the database")
		}
	})
}

func TestDocumentFile(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		doc := fmt.Sprintf("/api/documents/%.0f/", ana.post("/api/documents/", obj{"type": "insurance"}).want(201).number("id"))
		if ana.get(doc).want(200).at("file") != nil {
			t.Error("a file of a document without one")
		}
		upload := func(raw []byte) string {
			r, form := ana.begin(doc+"file/", "application/pdf", len(raw))
			ana.send(form, raw)
			return fmt.Sprintf("%sfile/%.0f/", doc, r.number("id"))
		}
		pdf := mediatest.PDF("first")
		first := upload(pdf)
		dan.post(first+"complete/", nil).want(404)
		dan.post(doc+"file/", obj{"file_name": "a", "content_type": "application/pdf", "size": 1}).want(404)
		r := ana.post(first+"complete/", nil).want(200)
		res, err := http.Get(r.text("url"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Equal(body, pdf) {
			t.Errorf("%v, %q", err, body)
		}
		if got := res.Header.Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("Cache-Control = %q", got)
		}
		if got := res.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
			t.Errorf("Content-Disposition = %q", got)
		}
		ana.get(first).want(200)
		dan.get(first).want(404)
		second := upload(mediatest.PDF("second"))
		ana.post(second+"complete/", nil).want(200)
		ana.get(first).want(404)
		if got := ana.get("/api/documents/").want(200); got.text("results", 0, "file", "file_name") != "front.jpg" {
			t.Errorf("%s", got.body)
		}
		html := []byte("<script>alert(1)</script>")
		third := upload(html)
		if got := ana.post(third+"complete/", nil).errors(); got != "file wrong_type" {
			t.Error(got)
		}
		ana.delete(second, nil).want(204)
		if ana.get(doc).want(200).at("file") != nil {
			t.Error("the file is still there")
		}
	})
}

// The export of an account holds its files, and says where.
func TestExport_Files(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		post := c.postCar()
		photo := c.addPhoto(post, mediatest.FromPhone(640, 480))
		doc := c.post("/api/documents/", obj{"type": "insurance"}).want(201).number("id")
		pdf := mediatest.PDF("RCA")
		r := c.post(fmt.Sprintf("/api/documents/%.0f/file/", doc), obj{"file_name": `..\..\RCA "2026".pdf`, "content_type": "application/pdf", "size": len(pdf)}).want(201)
		c.send(permit(r), pdf)
		c.post(fmt.Sprintf("/api/documents/%.0f/file/%.0f/complete/", doc, r.number("id")), nil).want(200)
		raw := c.get("/api/user/export/").want(200).body
		z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		read := func(name string) []byte {
			f, err := z.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b, err := io.ReadAll(f)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		var posts []struct{ Photos []struct{ URL string } }
		if err := json.Unmarshal(read("carposts.json"), &posts); err != nil {
			t.Fatal(err)
		}
		var docs []struct{ File struct{ URL string } }
		if err := json.Unmarshal(read("documents.json"), &docs); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("photos/%s-%d.jpg", strings.Split(post, "/")[3], photo); posts[0].Photos[0].URL != want {
			t.Errorf("photo at %q, want %q", posts[0].Photos[0].URL, want)
		}
		if _, err := jpeg.Decode(bytes.NewReader(read(posts[0].Photos[0].URL))); err != nil {
			t.Error(err)
		}
		if want := fmt.Sprintf("documents/%.0f-RCA _2026_.pdf", doc); docs[0].File.URL != want {
			t.Errorf("file at %q, want %q", docs[0].File.URL, want)
		}
		if !bytes.Equal(read(docs[0].File.URL), pdf) {
			t.Error("the file is not the one that was uploaded")
		}
		// Deleting the account leaves no object.
		c.delete("/api/user/", obj{"password": goodPassword}).want(204)
		for range 2 {
			if _, err := w.media.Purge(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(time.Hour)
		}
		if rep, err := w.media.Check(t.Context(), media.CheckOptions{}); err != nil || rep.Objects != 0 {
			t.Errorf("%+v, %v", rep, err)
		}
	})
}
