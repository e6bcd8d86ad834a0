package disk_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
)

// serve hands a request to the handler, without a network.
func serve(b http.Handler, method, target, contentType string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("X-Request-Id", "r1")
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func wantProblem(t *testing.T, name string, w *httptest.ResponseRecorder, status int, kind string) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
		RequestID           string `json:"request_id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Errorf("%s: %d %s: %v", name, w.Code, w.Body, err)
		return
	}
	if w.Code != status || p.Status != status || p.Type != kind || p.Title == "" || p.Detail == "" || p.RequestID != "r1" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, status, kind)
	}
}

// part is a piece of a form as it travels.
func part(disposition, body string) string {
	return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + body + "\r\n"
}

func formOf(t testing.TB, b buckettest.Bucket, u bucket.Upload) (bucket.Form, string) {
	t.Helper()
	f, err := b.Form(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	var fields strings.Builder
	for _, name := range []string{"key", "Content-Type", "policy", "x-signature"} {
		fields.WriteString(part(`name="`+name+`"`, f.Fields[name]))
	}
	return f, fields.String()
}

const multipartType = `multipart/form-data; boundary=b`

// TestUploadBodies: U2, U4, U12. Each refusal has its status, and none leaves
// anything.
func TestUploadBodies(t *testing.T) {
	dir := t.TempDir()
	b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir})
	f, fields := formOf(t, b, buckettest.Upload("uploads/1"))
	file := part(`name="file"; filename="x"`, "bytes")
	end := "--b--\r\n"
	tests := []struct {
		name, contentType, body string
		status                  int
		kind                    string
	}{
		{"JSON", "application/json", "{}", 415, "unsupported_media"},
		{"no type", "", "", 415, "unsupported_media"},
		{"another multipart", "multipart/mixed; boundary=b", fields + file + end, 415, "unsupported_media"},
		{"half a type", "multipart/form-data; boundary=b; x", fields + file + end, 415, "unsupported_media"},
		{"no boundary", "multipart/form-data", fields, 415, "unsupported_media"},
		{"no body", multipartType, "", 400, "invalid"},
		{"no parts", multipartType, end, 400, "invalid"},
		{"no file", multipartType, fields + end, 400, "invalid"},
		{"no fields", multipartType, file + end, 403, "forbidden"},
		{"cut in the file", multipartType, fields + file[:len(file)-4], 400, "invalid"},
		{"cut after the file", multipartType, fields + file, 400, "invalid"},
		{"cut in a field", multipartType, fields[:200], 400, "invalid"},
		{"ends at a boundary", multipartType, fields + "--b\r\n", 400, "invalid"},
		{"ends at a boundary after the file", multipartType, fields + file + "--b\r\n", 400, "invalid"},
		{"ends in the head of a part", multipartType, fields + file + "--b\r\nContent-", 400, "invalid"},
		{"another boundary", "multipart/form-data; boundary=c", fields + file + end, 400, "invalid"},
		{"a field after the file", multipartType, fields + file + part(`name="key"`, "other") + end, 400, "invalid"},
		{"a second file", multipartType, fields + file + file + end, 400, "invalid"},
		{"a field twice", multipartType, fields + part(`name="key"`, f.Fields["key"]) + file + end, 400, "invalid"},
		{"an unknown field", multipartType, fields + part(`name="acl"`, "public-read") + file + end, 403, "forbidden"},
		{"a long field", multipartType, part(`name="key"`, strings.Repeat("x", 9000)) + fields + file + end, 400, "invalid"},
		{"many fields", multipartType, manyParts(50) + fields + file + end, 400, "invalid"},
		{"long fields", multipartType, longParts(20) + fields + file + end, 413, "too_large"},
		{"long headers", multipartType, "--b\r\nX-A: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", 413, "too_large"},
		{"too small", multipartType, fields + part(`name="file"`, "") + end, 400, "too_small"},
		{"too large", multipartType, fields + part(`name="file"`, strings.Repeat("x", 1001)) + end, 400, "too_large"},
		{"beyond the cut", multipartType, fields + part(`name="file"`, strings.Repeat("x", 100<<10)) + end, 413, "too_large"},
	}
	for _, tt := range tests {
		for _, length := range []string{"known", "unknown"} {
			var body io.Reader = strings.NewReader(tt.body)
			if length == "unknown" {
				body = io.MultiReader(body) // which hides how long it is
			}
			w := serve(b, "POST", "/storage/", tt.contentType, body)
			want, kind := tt.status, tt.kind
			if tt.name == "beyond the cut" && length == "unknown" {
				want = 400 // the file is seen to be too large before the body is
			}
			wantProblem(t, tt.name+", length "+length, w, want, kind)
		}
	}
	// A body that ends with an error, as when the client goes.
	gone := io.MultiReader(strings.NewReader(fields+file[:len(file)-4]), errReader{})
	wantProblem(t, "gone", serve(b, "POST", "/storage/", multipartType, gone), 400, "invalid")

	if got := files(t, dir); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
	w := serve(b, "POST", "/storage/", multipartType, strings.NewReader(fields+file+end))
	if w.Code != 204 || w.Header().Get("ETag") == "" {
		t.Errorf("the good one: %d %s", w.Code, w.Body)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func manyParts(n int) string {
	var s strings.Builder
	for i := range n {
		s.WriteString(part(`name="n`+strings.Repeat("x", i)+`"`, ""))
	}
	return s.String()
}

func longParts(n int) string {
	var s strings.Builder
	for i := range n {
		s.WriteString(part(`name="n`+strings.Repeat("x", i)+`"`, strings.Repeat("y", 8000)))
	}
	return s.String()
}

// TestPermitFirst: U4. A permit that is none is refused before anything of the
// file is read.
func TestPermitFirst(t *testing.T) {
	b, _ := buckettest.NewDisk(t)
	_, fields := formOf(t, b, buckettest.Upload("uploads/1"))
	fields = strings.Replace(fields, "image/jpeg", "image/png!", 1)
	rest := &countingReader{}
	w := serve(b, "POST", "/storage/", multipartType,
		io.MultiReader(strings.NewReader(fields+"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"), rest))
	wantProblem(t, "another type", w, 403, "forbidden")
	if rest.n > 8<<10 { // what the reader of forms reads ahead
		t.Errorf("%d bytes of the file were read", rest.n)
	}
}

type countingReader struct{ n int }

func (r *countingReader) Read(p []byte) (int, error) {
	clear(p)
	r.n += len(p)
	return len(p), nil
}

// TestOneAddress: U10. A permit to read is taken in the form in which it was given,
// and in no other.
func TestOneAddress(t *testing.T) {
	b, _ := buckettest.NewDisk(t)
	if err := b.Put(t.Context(), "media/1", "image/jpeg", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, d := range []bucket.Download{
		{Key: "media/1", ContentType: "image/jpeg", From: time.Now().Add(-time.Minute), Expires: time.Now().Add(time.Hour)},
		{Key: "media/1", ContentType: "application/pdf", FileName: "RCA & ș.pdf", Private: true, From: time.Now().Add(-time.Minute), Expires: time.Now().Add(time.Hour)},
	} {
		full, _, err := b.URL(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(full)
		if err != nil {
			t.Fatal(err)
		}
		at := u.RequestURI()
		if w := serve(b, http.MethodGet, at, "", nil); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", at, w.Code, w.Body)
		}
		signature := u.Query().Get("signature")
		for name, other := range map[string]string{
			"upper case":              strings.Replace(at, signature, strings.ToUpper(signature), 1),
			"signature twice":         at + "&signature=" + signature,
			"type twice":              at + "&type=text/html",
			"another parameter":       at + "&x=1",
			"a name that is none":     at + "&name=",
			"private that is none":    at + "&private=",
			"another order":           strings.Replace(at, "?", "?signature="+signature+"&", 1),
			"a separator more":        at + "&",
			"a separator before":      strings.Replace(at, "?", "?&", 1),
			"an escaped letter":       strings.Replace(at, "media", "%6dedia", 1),
			"an escaped digit":        strings.Replace(at, "expires=1", "expires=%31", 1),
			"a sign before a number":  strings.Replace(at, "expires=", "expires=%2B", 1),
			"a semicolon":             strings.Replace(at, "&", ";", 1),
			"bytes behind, of no hex": at + "zz",
		} {
			if w := serve(b, http.MethodGet, other, "", nil); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d, want 403", name, w.Code)
			}
		}
	}
	// Nor is a form.
	form, _ := formOf(t, b, buckettest.Upload("uploads/1"))
	if res := buckettest.Post(t, form, []byte("x"), func(fields map[string]string) { fields["x-signature"] = strings.ToUpper(fields["x-signature"]) }); res.StatusCode != 403 {
		t.Errorf("a form signed in upper case: %d", res.StatusCode)
	}
}

// TestLinksServed: U4. What a symbolic link out of the folder, or in a circle, leads to
// is not there.
func TestLinksServed(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir})
	if err := b.Put(t.Context(), "media/1/file", "image/jpeg", []byte("inside")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(outside+"/file", []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"media/out": outside, "media/file": outside + "/file", "media/circle": "circle", "media/up": "../../.."} {
		if err := os.Symlink(to, dir+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"media/out/file", "media/file", "media/circle", "media/circle/file", "media/up/etc/passwd"} {
		if _, err := b.Head(t.Context(), key); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("Head of %s: %v", key, err)
		}
		if err := b.Copy(t.Context(), key, "", "media/2", "image/jpeg"); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("Copy of %s: %v", key, err)
		}
		full, _, err := b.URL(t.Context(), bucket.Download{Key: key, ContentType: "image/jpeg", From: time.Now().Add(-time.Minute), Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(full)
		if err != nil {
			t.Fatal(err)
		}
		wantProblem(t, key, serve(b, http.MethodGet, u.RequestURI(), "", nil), http.StatusNotFound, "not_found")
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete of %s: %v", key, err)
		}
	}
	for _, prefix := range []string{"media/out/", "media/out/f", "media/circle/"} {
		if n, err := b.DeleteAll(t.Context(), prefix); n != 0 || err != nil {
			t.Errorf("DeleteAll of %s = %d, %v", prefix, n, err)
		}
		if err := b.List(t.Context(), prefix, func(o bucket.Object) error { t.Errorf("listed %+v", o); return nil }); err != nil {
			t.Errorf("List of %s: %v", prefix, err)
		}
	}
	if raw, err := os.ReadFile(outside + "/file"); err != nil || string(raw) != "outside" {
		t.Errorf("outside: %q, %v", raw, err)
	}
	if got, err := buckettest.Read(t.Context(), b, "media/1/file", ""); err != nil || got != "inside" {
		t.Errorf("inside: %q, %v", got, err)
	}
}

// TestRefusedWhole: U2, D16. A client with a permit that reads no answer before it has
// sent all reads why it is refused: the connection is not cut.
func TestRefusedWhole(t *testing.T) {
	free, wanted := uint64(1<<40), true
	b, srv := buckettest.DiskWith(t, disk.Options{
		Reserve: 1 << 20, Free: func() (uint64, error) { return free, nil },
		Wanted: func(context.Context, string) (bool, error) { return wanted, nil },
	})
	u := buckettest.Upload("uploads/1")
	u.MaxSize = 10 << 20
	form, err := b.Form(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	contentType, body := buckettest.Multipart(t, form.Fields, bytes.Repeat([]byte("x"), 10<<20))
	send := func() string {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		head := fmt.Sprintf("POST /storage/ HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, len(body))
		if _, err := conn.Write(append([]byte(head), body...)); err != nil {
			return err.Error()
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(line)
	}
	free = 1000
	if got := send(); got != "HTTP/1.1 507 Insufficient Storage" {
		t.Errorf("a full disk: %s", got)
	}
	free, wanted = 1<<40, false
	if got := send(); got != "HTTP/1.1 403 Forbidden" {
		t.Errorf("not wanted: %s", got)
	}
	wanted = true
	if got := send(); got != "HTTP/1.1 204 No Content" {
		t.Errorf("with room: %s", got)
	}
}

// TestMethods: what is no permit's use is refused as the rest of the API does.
func TestMethods(t *testing.T) {
	b, _ := buckettest.NewDisk(t)
	for _, tt := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/storage/", 405, "POST"},
		{"PUT", "/storage/", 405, "POST"},
		{"PUT", "/storage/a", 405, "GET, HEAD"},
		{"POST", "/storage/a", 405, "GET, HEAD"},
		{"DELETE", "/storage/a", 405, "GET, HEAD"},
		{"OPTIONS", "/storage/a", 405, "GET, HEAD"},
		{"GET", "/storage/a", 403, ""},
		{"GET", "/other", 404, ""},
	} {
		w := serve(b, tt.method, tt.target, "", http.NoBody)
		kind := map[int]string{403: "forbidden", 404: "not_found", 405: "method_not_allowed"}[tt.status]
		wantProblem(t, tt.method+" "+tt.target, w, tt.status, kind)
		if got := w.Header().Get("Allow"); got != tt.allow {
			t.Errorf("%s %s: Allow %q, want %q", tt.method, tt.target, got, tt.allow)
		}
	}
}

// TestClock: O8, U10. Clocks may be 30 s apart, and no more.
func TestClock(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	at := now
	b, _ := buckettest.DiskWith(t, disk.Options{Now: func() time.Time { return at }})
	up := buckettest.Upload("uploads/1")
	up.Expires = now.Add(10 * time.Minute)
	f, _ := formOf(t, b, up)
	d := buckettest.Download("uploads/1")
	d.From, d.Expires = now, now.Add(time.Hour)
	u, _, err := b.URL(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after   time.Duration
		up, get int
	}{
		{0, 204, 200},
		{10*time.Minute + 30*time.Second, 204, 200},
		{10*time.Minute + 31*time.Second, 403, 200},
		{time.Hour + 30*time.Second, 403, 200},
		{time.Hour + 31*time.Second, 403, 403},
		{-30 * time.Second, 204, 200},
		{-31 * time.Second, 204, 403},
	} {
		at = now.Add(tt.after)
		if res := buckettest.Post(t, f, []byte("x"), nil); res.StatusCode != tt.up {
			t.Errorf("after %v the form: %s, want %d", tt.after, res.Status, tt.up)
		}
		if w := serve(b, "GET", u, "", http.NoBody); w.Code != tt.get {
			t.Errorf("after %v the URL: %d, want %d", tt.after, w.Code, tt.get)
		}
	}
}

// TestSecrets: permits of the secret before are good until they end, those of
// others never were.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	open := func(secrets ...string) *disk.Bucket {
		b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir, Secrets: secrets, BaseURL: func() string { return "http://x" }})
		return b
	}
	before := open("old")
	_, fields := formOf(t, before, buckettest.Upload("uploads/1"))
	u, _, err := before.URL(t.Context(), buckettest.Download("uploads/1"))
	if err != nil {
		t.Fatal(err)
	}
	body := fields + part(`name="file"`, "x") + "--b--\r\n"
	for _, tt := range []struct {
		secrets []string
		ok      bool
	}{{[]string{"new", "old"}, true}, {[]string{"new"}, false}} {
		after := open(tt.secrets...)
		if w := serve(after, "POST", "/storage/", multipartType, strings.NewReader(body)); (w.Code == 204) != tt.ok {
			t.Errorf("%q: the form: %d", tt.secrets, w.Code)
		}
		if w := serve(after, "GET", u, "", http.NoBody); (w.Code == 200) != tt.ok {
			t.Errorf("%q: the URL: %d", tt.secrets, w.Code)
		}
	}
}

// TestServedHeaders: U9, U10, U11, B4. Files run nothing, nobody guesses their
// type, and no cache keeps them longer than the permit lives.
func TestServedHeaders(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	b, _ := buckettest.DiskWith(t, disk.Options{Now: func() time.Time { return now }})
	if err := b.Put(t.Context(), "media/1", "", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	d := bucket.Download{Key: "media/1", ContentType: "image/jpeg", From: now.Add(-time.Hour), Expires: now.Add(time.Hour)}
	for _, tt := range []struct {
		left    time.Duration
		private bool
		cache   string
	}{
		{time.Hour, false, "public, max-age=1800, s-maxage=60"},
		{10 * time.Minute, false, "public, max-age=600, s-maxage=60"},
		{10 * time.Second, false, "public, max-age=10, s-maxage=10"},
		{-10 * time.Second, false, "public, max-age=0, s-maxage=0"},
		{10 * time.Minute, true, "private, no-store"},
	} {
		d.Expires, d.Private = now.Add(tt.left), tt.private
		u, _, err := b.URL(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "HEAD"} {
			w := serve(b, method, u, "", http.NoBody)
			h := w.Header()
			want := map[string]string{
				"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Content-Length": "10",
				"Content-Security-Policy": "sandbox; default-src 'none'", "Cross-Origin-Resource-Policy": "cross-origin",
				"Content-Disposition": "inline", "Cache-Control": tt.cache,
			}
			for name, value := range want {
				if h.Get(name) != value {
					t.Errorf("%s, %v left: %s is %q, want %q", method, tt.left, name, h.Get(name), value)
				}
			}
			if w.Code != 200 || method == "HEAD" && w.Body.Len() != 0 {
				t.Errorf("%s: %d %q", method, w.Code, w.Body)
			}
		}
		// A browser that still has it is told so.
		r := httptest.NewRequest("GET", u, http.NoBody)
		o, err := b.Head(t.Context(), "media/1")
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("If-None-Match", o.ETag)
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if w.Code != http.StatusNotModified {
			t.Errorf("If-None-Match: %d", w.Code)
		}
		// Many ranges are none.
		r.Header.Del("If-None-Match")
		r.Header["Range"] = []string{"bytes=0-1", "bytes=3-4,5-6"}
		w = httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != "0123456789" {
			t.Errorf("many ranges: %d %q", w.Code, w.Body)
		}
		// A range of an unknown unit is ignored; that of bytes has no case.
		for value, want := range map[string]string{"seconds=0-1": "0123456789", "bytes 0-1": "0123456789", "": "0123456789", "Bytes=2-4": "234"} {
			r.Header.Set("Range", value)
			w = httptest.NewRecorder()
			if b.ServeHTTP(w, r); w.Code >= 300 || w.Body.String() != want {
				t.Errorf("Range %q: %d %q, want %q", value, w.Code, w.Body, want)
			}
		}
	}
}

// TestRefusedContent: what a good permit does not get is told as everything else
// is, and nothing of the answer is about the file.
func TestRefusedContent(t *testing.T) {
	b, _ := buckettest.NewDisk(t)
	if err := b.Put(t.Context(), "media/1", "", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	u, _, err := b.URL(t.Context(), buckettest.Download("media/1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		header, value string
		status        int
		kind, size    string
	}{
		{"Range", "bytes=20-30", 416, "range_not_satisfiable", "bytes */10"},
		{"Range", "bytes=x", 416, "range_not_satisfiable", ""},
		{"If-Match", `"other"`, 412, "precondition_failed", ""},
	} {
		r := httptest.NewRequest("GET", u, http.NoBody)
		r.Header.Set(tt.header, tt.value)
		r.Header.Set("X-Request-Id", "r1")
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		wantProblem(t, tt.header+" "+tt.value, w, tt.status, tt.kind)
		h := w.Header()
		if h.Get("Cache-Control") != "no-store" || h.Get("Content-Range") != tt.size || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: headers %v", tt.header, tt.value, h)
		}
		for _, name := range []string{"ETag", "Last-Modified", "Content-Disposition", "Content-Length"} {
			if h.Get(name) != "" {
				t.Errorf("%s %s: %s is %q", tt.header, tt.value, name, h.Get(name))
			}
		}
	}
}

// fuzzed is a bucket where time stands still, so that every process of a fuzz
// run has the same permits.
func fuzzed(f *testing.F) (b *disk.Bucket, dir string, at time.Time) {
	dir, at = f.TempDir(), time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	b, _ = buckettest.DiskWith(f, disk.Options{
		Dir: dir, BaseURL: func() string { return "http://x" }, Now: func() time.Time { return at },
	})
	return b, dir, at
}

// FuzzUpload: U4, U12. Whatever is posted, only what a form permits is stored,
// and nothing half-way.
func FuzzUpload(f *testing.F) {
	b, dir, at := fuzzed(f)
	u := buckettest.Upload("uploads/1")
	u.Expires = at.Add(time.Minute)
	_, fields := formOf(f, b, u)
	f.Add([]byte(fields + part(`name="file"`, "bytes") + "--b--\r\n"))
	f.Add([]byte(fields + part(`name="file"`, "bytes")))
	f.Add([]byte(part(`name="file"`, "bytes") + "--b--"))
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"policy\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := serve(b, "POST", "/storage/", multipartType, bytes.NewReader(body))
		left := files(t, dir)
		if w.Code == 204 {
			if !slices.Equal(left, []string{"uploads", "uploads/1"}) {
				t.Errorf("stored: %q", left)
			}
			if info, err := os.Stat(dir + "/uploads/1"); err != nil || info.Size() < 1 || info.Size() > 1000 {
				t.Errorf("stored %v, %v", info, err)
			}
			if err := b.Delete(t.Context(), "uploads/1"); err != nil {
				t.Fatal(err)
			}
			return
		}
		if w.Code < 400 || w.Code >= 500 {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
		if len(left) != 0 {
			t.Errorf("refused with %d, left: %q", w.Code, left)
		}
	})
}

// FuzzDownload: U10. No query but one that says the same reads anything.
func FuzzDownload(f *testing.F) {
	b, _, at := fuzzed(f)
	for _, key := range []string{"uploads/1", "uploads/2"} {
		if err := b.Put(f.Context(), key, "", []byte("bytes")); err != nil {
			f.Fatal(err)
		}
	}
	d := buckettest.Download("uploads/1")
	d.From, d.Expires = at, at.Add(time.Hour)
	u, _, err := b.URL(f.Context(), d)
	if err != nil {
		f.Fatal(err)
	}
	_, query, _ := strings.Cut(u, "?")
	good, err := url.ParseQuery(query)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("uploads/1", query)
	f.Add("uploads/2", query)
	f.Add("uploads/../uploads/1", query+"&type=text/html")
	f.Add("uploads/1", strings.Replace(query, "image", "text", 1))
	f.Fuzz(func(t *testing.T, key, query string) {
		r := httptest.NewRequest("GET", "/storage/", http.NoBody)
		r.URL.Path, r.URL.RawQuery = "/storage/"+key, query
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if w.Code >= 400 && w.Code < 500 {
			return
		}
		q, same := r.URL.Query(), key == "uploads/1"
		for _, name := range []string{"type", "name", "private", "from", "expires"} {
			same = same && q.Get(name) == good.Get(name)
		}
		if w.Code != 200 || !same || w.Header().Get("Content-Type") != "image/jpeg" {
			t.Errorf("GET %q?%s = %d", key, query, w.Code)
		}
	})
}

// BenchmarkForm: permits to upload a second.
func BenchmarkForm(b *testing.B) {
	s, _ := buckettest.NewDisk(b)
	u := buckettest.Upload("uploads/1")
	for b.Loop() {
		if _, err := s.Form(b.Context(), u); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkURL: permits to read a second.
func BenchmarkURL(b *testing.B) {
	s, _ := buckettest.NewDisk(b)
	d := buckettest.Download("media/1")
	for b.Loop() {
		if _, _, err := s.URL(b.Context(), d); err != nil {
			b.Fatal(err)
		}
	}
}
