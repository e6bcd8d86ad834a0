package buckettest

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// signatureParam is the name of the signature in a URL.
func signatureParam(q url.Values) string {
	if q.Has("X-Amz-Signature") {
		return "X-Amz-Signature"
	}
	return "signature"
}

func changeURL(t *testing.T, raw string, change func(u *url.URL, q url.Values)) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

func signatureOf(t *testing.T, raw string) (signature string) {
	t.Helper()
	changeURL(t, raw, func(_ *url.URL, q url.Values) { signature = q.Get(signatureParam(q)) })
	return signature
}

func replaceSignature(t *testing.T, raw, signature string) string {
	t.Helper()
	return changeURL(t, raw, func(_ *url.URL, q url.Values) { q.Set(signatureParam(q), signature) })
}

// download: a permit reads the object, and nothing more is needed.
func download(t *testing.T, b Bucket) {
	for _, key := range []string{"media/7/abc.jpg", "media/old/Fișier vechi+1 (2).jpg"} {
		put(t, b, key, "the bytes")
		d := Download(key)
		u, expires, err := b.URL(t.Context(), d)
		if err != nil || !expires.Equal(d.Expires) {
			t.Fatalf("URL(%s) expires at %v, %v, want %v", key, expires, err, d.Expires)
		}
		res, body := get(t, http.MethodGet, u, nil)
		if res.StatusCode != http.StatusOK || body != "the bytes" || res.Header.Get("ETag") == "" {
			t.Errorf("GET %s = %s %q", u, res.Status, body)
		}
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if res, _ := get(t, http.MethodGet, u, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("deleted, GET %s = %s", u, res.Status)
		}
	}
}

// downloadRefused: U10. A URL is for one object, in one way, for a time.
func downloadRefused(t *testing.T, b Bucket) {
	put(t, b, "media/1", "one")
	put(t, b, "media/2", "two")
	good := link(t, b, Download("media/1"))
	old := Download("media/1")
	old.From, old.Expires = old.From.Add(-2*time.Hour), old.Expires.Add(-2*time.Hour)

	tests := map[string]string{
		"another key":         strings.Replace(good, "media/1", "media/2", 1),
		"another signature":   replaceSignature(t, good, strings.Repeat("0", 64)),
		"an empty signature":  replaceSignature(t, good, ""),
		"half a signature":    replaceSignature(t, good, signatureOf(t, good)[:32]),
		"expired":             link(t, b, old),
		"without the permit":  strings.SplitN(good, "?", 2)[0],
		"the root":            changeURL(t, good, func(u *url.URL, _ url.Values) { u.Path = strings.TrimSuffix(u.Path, "media/1") }),
		"a path that climbs":  strings.Replace(good, "media/1", "media/2/%2e%2e/1", 1),
		"another permit's":    replaceSignature(t, good, signatureOf(t, link(t, b, Download("media/2")))),
		"the private one's":   replaceSignature(t, good, signatureOf(t, link(t, b, private("media/1")))),
		"the named one's":     replaceSignature(t, good, signatureOf(t, link(t, b, named("media/1", "a.pdf")))),
		"a signature in caps": replaceSignature(t, good, "X"+signatureOf(t, good)),
	}
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	for name := range u.Query() {
		if name == "x-id" {
			continue // of the SDK, about nothing
		}
		tests["changed "+name] = changeURL(t, good, func(_ *url.URL, q url.Values) { q.Set(name, "7"+q.Get(name)) })
	}
	for name, u := range tests {
		res, body := get(t, http.MethodGet, u, nil)
		if res.StatusCode < 400 || res.StatusCode > 499 || body == "one" || body == "two" {
			t.Errorf("%s: GET = %s %.200q", name, res.Status, body)
		}
	}
	if res, body := get(t, http.MethodGet, good, nil); body != "one" {
		t.Errorf("GET = %s %q", res.Status, body)
	}
}

func private(key string) bucket.Download {
	d := Download(key)
	d.Private = true
	return d
}

func named(key, name string) bucket.Download {
	d := private(key)
	d.FileName = name
	return d
}

// ranges: U11. One range is served; many are not put together.
func ranges(t *testing.T, b Bucket) {
	put(t, b, "media/1", "0123456789")
	u := link(t, b, Download("media/1"))
	for _, tt := range []struct {
		header string
		status int
		want   string
	}{
		{"bytes=2-4", 206, "234"},
		{"bytes=7-", 206, "789"},
		{"bytes=-2", 206, "89"},
		{"bytes=20-30", 416, ""},
	} {
		res, body := get(t, http.MethodGet, u, http.Header{"Range": {tt.header}})
		if res.StatusCode != tt.status || tt.status == 206 && body != tt.want {
			t.Errorf("%s: %s %q, want %d %q", tt.header, res.Status, body, tt.status, tt.want)
		}
	}
	for _, many := range []string{"bytes=0-1,3-4", "bytes=0-,0-,0-,0-"} {
		res, body := get(t, http.MethodGet, u, http.Header{"Range": {many}})
		kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
		if kind == "multipart/byteranges" || len(body) > 10 && res.StatusCode < 300 {
			t.Errorf("%s: %s %s of %d bytes", many, res.Status, kind, len(body))
		}
	}
}

// headers: U9, U10. The permit says what the bytes are served as, and no file
// name gets out of its header.
func headers(t *testing.T, b Bucket) {
	put(t, b, "media/1", "<script>")
	page := Download("media/1")
	page.ContentType = "text/html"
	pdf := named("media/1", "Poliță \"RCA\"\r\nSet-Cookie: a=b.pdf")
	pdf.ContentType = "application/pdf"
	tests := []struct {
		name                            string
		d                               bucket.Download
		contentType, disposition, cache string
	}{
		{"photo", Download("media/1"), "image/jpeg", "inline", "public, max-age="},
		{"private", private("media/1"), "image/jpeg", "inline", "private, no-store"},
		{"page", page, "text/html", "attachment", "public, max-age="},
		{
			"named", pdf, "application/pdf",
			`attachment; filename="Poli__ _RCA_Set-Cookie: a=b.pdf"; filename*=UTF-8''Poli%C8%9B%C4%83%20%22RCA%22Set-Cookie%3A%20a%3Db.pdf`,
			"private, no-store",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := get(t, http.MethodGet, link(t, b, tt.d), nil)
			h := res.Header
			if res.StatusCode != 200 || body != "<script>" || h.Get("Content-Type") != tt.contentType ||
				h.Get("Content-Disposition") != tt.disposition || !strings.HasPrefix(h.Get("Cache-Control"), tt.cache) {
				t.Errorf("%s %q, headers %v", res.Status, body, h)
			}
			if len(res.Cookies()) > 0 {
				t.Errorf("a file name sets cookies: %v", res.Cookies())
			}
		})
	}
}

// sameURL: browsers can keep what has the same address.
func sameURL(t *testing.T, b Bucket) {
	d := Download("media/1")
	d.From = d.From.Add(-time.Minute)
	first := link(t, b, d)
	if again := link(t, b, d); again != first {
		t.Errorf("the same Download has two URLs:\n%s\n%s", first, again)
	}
	changes := map[string]func(*bucket.Download){
		"key":      func(d *bucket.Download) { d.Key = "media/2" },
		"type":     func(d *bucket.Download) { d.ContentType = "image/png" },
		"name":     func(d *bucket.Download) { d.FileName = "a.jpg" },
		"private":  func(d *bucket.Download) { d.Private = true },
		"from":     func(d *bucket.Download) { d.From = d.From.Add(time.Second) },
		"expires":  func(d *bucket.Download) { d.Expires = d.Expires.Add(time.Second) },
		"the same": func(*bucket.Download) {},
	}
	for name, change := range changes {
		other := d
		change(&other)
		if got := link(t, b, other) == first; got != (other == d) {
			t.Errorf("another %s: the same URL is %t", name, got)
		}
	}
}

// objects: what the server itself does with objects.
func objects(t *testing.T, b Bucket) {
	ctx := t.Context()
	if err := b.Ping(ctx); err != nil {
		t.Error(err)
	}
	wantAbsent(t, b, "media/none")
	if _, _, err := b.Open(ctx, "media/none", ""); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("Open of nothing = %v", err)
	}
	if _, _, err := b.Open(ctx, "media/none", `"x"`); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("pinned Open of nothing = %v", err)
	}
	if err := b.Copy(ctx, "media/none", `"x"`, "media/to", "image/jpeg"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("Copy of nothing = %v", err)
	}
	if err := b.Delete(ctx, "media/none"); err != nil {
		t.Errorf("Delete of nothing = %v", err)
	}
	if err := b.Delete(ctx, ""); err == nil {
		t.Error("Delete of no key at all")
	}

	put(t, b, "media/a/1+2 ă.jpg", "first")
	wantBody(t, b, "media/a/1+2 ă.jpg", "first")
	o, err := b.Head(ctx, "media/a/1+2 ă.jpg")
	if err != nil || o.Size != 5 {
		t.Fatalf("Head = %+v, %v", o, err)
	}
	if got, err := Read(ctx, b, o.Key, o.ETag); err != nil || got != "first" {
		t.Errorf("pinned Open = %q, %v", got, err)
	}
	r, opened, err := b.Open(ctx, o.Key, o.ETag)
	if err != nil || opened != o {
		t.Fatalf("Open = %+v, %v, want %+v", opened, err, o)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close before the end = %v", err)
	}
	if err := b.Copy(ctx, o.Key, o.ETag, "media/b/2", "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	wantBody(t, b, "media/b/2", "first")

	put(t, b, o.Key, "other")
	wantBody(t, b, o.Key, "other")
	if _, _, err := b.Open(ctx, o.Key, o.ETag); !errors.Is(err, bucket.ErrChanged) {
		t.Errorf("pinned Open after Put = %v", err)
	}
	put(t, b, "media/a/empty", "")
	wantBody(t, b, "media/a/empty", "")

	for range 2 {
		if err := b.Delete(ctx, o.Key); err != nil {
			t.Errorf("Delete = %v", err)
		}
		wantAbsent(t, b, o.Key)
	}
	wantBody(t, b, "media/a/empty", "")
	big := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
	put(t, b, "media/big", big)
	wantBody(t, b, "media/big", big)
}

// tricky are keys in byte order, where "-" and "." come before "/", and "/"
// before digits and letters.
var tricky = []string{
	"t/A", "t/a!", "t/a-b", "t/a-b-c/x", "t/a.b", "t/a/b", "t/a/b-c", "t/a/b.c/d", "t/a/c/d", "t/a0", "t/aa/a", "t/b", "t/ă",
}

// list: all objects, in the byte order of their keys.
func list(t *testing.T, b Bucket) {
	ctx := t.Context()
	mixed := slices.Clone(tricky)
	slices.Reverse(mixed)
	for _, key := range mixed {
		put(t, b, key, key)
	}
	put(t, b, "other", "x")
	for _, prefix := range []string{"", "t/", "t/a", "t/a/", "t/a/b", "t/a-", "t/a-b-c/", "o", "none", "none/x", "t/a-b-c/x/y", "../", "/"} {
		var want, got []string
		for _, key := range append([]string{"other"}, tricky...) {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		err := b.List(ctx, prefix, func(o bucket.Object) error {
			got = append(got, o.Key)
			if o.ETag == "" || o.Modified.IsZero() || o.Key != "other" && o.Size != int64(len(o.Key)) {
				return fmt.Errorf("object %+v", o)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) =\n%q, %v, want\n%q", prefix, got, err, want)
		}
	}
	stop := errors.New("stop")
	n := 0
	if err := b.List(ctx, "", func(bucket.Object) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("List went on %d times, %v", n, err)
	}
}

// deleteAll: D13. All under a prefix goes, and nothing else.
func deleteAll(t *testing.T, b Bucket) {
	ctx := t.Context()
	for _, key := range []string{"m/7/1", "m/7/a/2", "m/7/a/3", "m/70/4", "m/8"} {
		put(t, b, key, key)
	}
	if n, err := b.DeleteAll(ctx, ""); err == nil {
		t.Errorf("DeleteAll of everything = %d", n)
	}
	for _, want := range []int{3, 0} {
		if n, err := b.DeleteAll(ctx, "m/7/"); err != nil || n != want {
			t.Errorf("DeleteAll = %d, %v, want %d", n, err, want)
		}
	}
	var left []string
	if err := b.List(ctx, "", func(o bucket.Object) error { left = append(left, o.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(left, []string{"m/70/4", "m/8"}) {
		t.Errorf("left: %q", left)
	}
}
