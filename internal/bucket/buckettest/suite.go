package buckettest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// Run holds a kind of bucket against everything that the product relies on. Each
// test opens an empty one.
func Run(t *testing.T, open func(t *testing.T) Bucket) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(t *testing.T, b Bucket)
	}{
		{"upload", upload},
		{"upload refused", uploadRefused},
		{"upload again", uploadAgain},
		{"permits are not interchangeable", interchange},
		{"forms that cannot be", impossibleForms},
		{"download", download},
		{"download refused", downloadRefused},
		{"download ranges", ranges},
		{"download headers", headers},
		{"the same URL", sameURL},
		{"objects", objects},
		{"list", list},
		{"delete all", deleteAll},
		{"concurrent", concurrent},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// Upload is a usual permit, for the next ten minutes.
func Upload(key string) bucket.Upload {
	return bucket.Upload{
		Key: key, ContentType: "image/jpeg", MinSize: 1, MaxSize: 1000, Expires: time.Now().Add(10 * time.Minute),
	}
}

// Download is a usual permit, for half an hour.
func Download(key string) bucket.Download {
	now := time.Now().Truncate(time.Second)
	return bucket.Download{Key: key, ContentType: "image/jpeg", From: now, Expires: now.Add(30 * time.Minute)}
}

func form(t *testing.T, b Bucket, u bucket.Upload) bucket.Form {
	t.Helper()
	f, err := b.Form(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func link(t *testing.T, b Bucket, d bucket.Download) string {
	t.Helper()
	u, _, err := b.URL(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func put(t *testing.T, b Bucket, key, body string) {
	t.Helper()
	if err := b.Put(t.Context(), key, "image/jpeg", []byte(body)); err != nil {
		t.Fatal(err)
	}
}

// Read reads an object.
func Read(ctx context.Context, b Bucket, key, etag string) (string, error) {
	r, o, err := b.Open(ctx, key, etag)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return "", err
	}
	if int64(len(body)) != o.Size {
		return "", fmt.Errorf("%d bytes of an object of %d", len(body), o.Size)
	}
	return string(body), nil
}

func wantBody(t *testing.T, b Bucket, key, want string) {
	t.Helper()
	got, err := Read(t.Context(), b, key, "")
	if err != nil || got != want {
		t.Errorf("%s holds %.100q, %v; want %.100q", key, got, err, want)
	}
}

func wantAbsent(t *testing.T, b Bucket, key string) {
	t.Helper()
	if o, err := b.Head(t.Context(), key); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("Head(%s) = %+v, %v, want not found", key, o, err)
	}
}

// upload: a permit works as it was given, and the object is what was sent.
func upload(t *testing.T, b Bucket) {
	u := Upload("uploads/7/abc")
	f := form(t, b, u)
	if !f.Expires.Equal(u.Expires.Truncate(time.Second)) {
		t.Errorf("the form expires at %v, want %v", f.Expires, u.Expires)
	}
	for _, size := range []int{1, 999, 1000} {
		body := bytes.Repeat([]byte{'x'}, size)
		res := Post(t, f, body, nil)
		if res.StatusCode != http.StatusNoContent {
			text, _ := io.ReadAll(res.Body)
			t.Fatalf("%d bytes: %d %s", size, res.StatusCode, text)
		}
		wantBody(t, b, u.Key, string(body))
		o, err := b.Head(t.Context(), u.Key)
		if err != nil || o.Key != u.Key || o.Size != int64(size) || o.ETag == "" || o.ETag != res.Header.Get("ETag") {
			t.Errorf("Head = %+v, %v; the upload said %s", o, err, res.Header.Get("ETag"))
		}
		if age := time.Since(o.Modified); age > time.Hour || age < -time.Hour || o.Modified.Location() != time.UTC {
			t.Errorf("Head says modified %v", o.Modified)
		}
	}
}

// uploadRefused: U2, U4. A permit is for what it says and for nothing else.
func uploadRefused(t *testing.T, b Bucket) {
	const key = "uploads/7/abc"
	small := []byte("some bytes")
	set := func(name, value string) func(map[string]string) {
		return func(f map[string]string) {
			for have := range f {
				if strings.EqualFold(have, name) {
					f[have] = value
					return
				}
			}
			f[name] = value
		}
	}
	signature := func(change func(string) string) func(map[string]string) {
		return func(f map[string]string) {
			for name := range f {
				if strings.HasSuffix(name, "-signature") {
					f[name] = change(f[name])
				}
			}
		}
	}
	tests := []struct {
		name   string
		upload func(*bucket.Upload)
		body   []byte
		change func(map[string]string)
	}{
		{"too large", nil, bytes.Repeat([]byte{'x'}, 1001), nil},
		{"much too large", nil, bytes.Repeat([]byte{'x'}, 1<<20), nil},
		{"too small", func(u *bucket.Upload) { u.MinSize = 100 }, bytes.Repeat([]byte{'x'}, 99), nil},
		{"empty", nil, nil, nil},
		{"another type", nil, small, set("Content-Type", "text/html")},
		{"no type", nil, small, func(f map[string]string) { delete(f, "Content-Type") }},
		{"another key", nil, small, set("key", "uploads/8/abc")},
		{"a key that leads out", nil, small, set("key", "uploads/7/../8/abc")},
		{"no key", nil, small, func(f map[string]string) { delete(f, "key") }},
		{"another signature", nil, small, signature(func(s string) string { return strings.Repeat("0", len(s)) })},
		{"a cut signature", nil, small, signature(func(s string) string { return s[:len(s)-2] })},
		{"an empty signature", nil, small, signature(func(string) string { return "" })},
		{"no policy", nil, small, func(f map[string]string) { delete(f, "policy") }},
		{"another policy", nil, small, func(f map[string]string) {
			doc, err := base64.StdEncoding.DecodeString(f["policy"])
			if err != nil || !strings.Contains(string(doc), "1000") {
				t.Fatalf("policy %s: %v", doc, err)
			}
			f["policy"] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(doc), "1000", "9000", 1)))
		}},
		{"an access list", nil, small, set("acl", "public-read")},
		{"expired", func(u *bucket.Upload) { u.Expires = time.Now().Add(-time.Minute) }, small, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := Upload(key)
			if tt.upload != nil {
				tt.upload(&u)
			}
			res := Post(t, form(t, b, u), tt.body, tt.change)
			if res.StatusCode < 400 || res.StatusCode > 499 {
				t.Errorf("answered %s", res.Status)
			}
			wantAbsent(t, b, key)
			wantAbsent(t, b, "uploads/8/abc")
		})
	}
}

// uploadAgain: U5. A permit may be used again while it lives, but what was
// inspected is what is copied.
func uploadAgain(t *testing.T, b Bucket) {
	ctx := t.Context()
	f := form(t, b, Upload("uploads/7/abc"))
	Post(t, f, []byte("inspected"), nil)
	first, err := b.Head(ctx, "uploads/7/abc")
	if err != nil {
		t.Fatal(err)
	}
	Post(t, f, []byte("other bytes"), nil)
	wantBody(t, b, "uploads/7/abc", "other bytes")

	if _, _, err := b.Open(ctx, "uploads/7/abc", first.ETag); !errors.Is(err, bucket.ErrChanged) {
		t.Errorf("Open of the first bytes = %v, want changed", err)
	}
	if err := b.Copy(ctx, "uploads/7/abc", first.ETag, "media/1", "image/jpeg"); !errors.Is(err, bucket.ErrChanged) {
		t.Errorf("Copy of the first bytes = %v, want changed", err)
	}
	wantAbsent(t, b, "media/1")

	second, err := b.Head(ctx, "uploads/7/abc")
	if err != nil || second.ETag == first.ETag {
		t.Fatalf("Head = %+v, %v", second, err)
	}
	if err := b.Copy(ctx, "uploads/7/abc", second.ETag, "media/1", "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	Post(t, f, []byte("after finish"), nil)
	wantBody(t, b, "media/1", "other bytes")
}

// interchange: U4. What permits the one permits nothing of the other.
func interchange(t *testing.T, b Bucket) {
	f := form(t, b, Upload("uploads/7/abc"))
	Post(t, f, []byte("bytes"), nil)

	// The upload's signature in place of the download's.
	u := link(t, b, Download("uploads/7/abc"))
	for name, value := range f.Fields {
		if strings.HasSuffix(name, "-signature") {
			u = replaceSignature(t, u, value)
		}
	}
	if res, _ := get(t, http.MethodGet, u, nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("an upload's signature reads: %s", res.Status)
	}
	// And a download's for an upload.
	good := link(t, b, Download("uploads/7/abc"))
	res := Post(t, f, []byte("more bytes"), func(fields map[string]string) {
		for name := range fields {
			if strings.HasSuffix(name, "-signature") {
				fields[name] = signatureOf(t, good)
			}
		}
	})
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a download's signature uploads: %s", res.Status)
	}
	// The address of a download takes no upload.
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete} {
		if res, _ := get(t, method, good, nil); res.StatusCode < 400 || res.StatusCode > 499 {
			t.Errorf("%s to the address of a download: %s", method, res.Status)
		}
	}
	wantBody(t, b, "uploads/7/abc", "bytes")
}

// impossibleForms are a fault of ours, and are not signed.
func impossibleForms(t *testing.T, b Bucket) {
	for name, change := range map[string]func(*bucket.Upload){
		"no key":        func(u *bucket.Upload) { u.Key = "" },
		"no type":       func(u *bucket.Upload) { u.ContentType = "" },
		"no size":       func(u *bucket.Upload) { u.MinSize, u.MaxSize = 0, 0 },
		"negative size": func(u *bucket.Upload) { u.MinSize = -1 },
		"crossed sizes": func(u *bucket.Upload) { u.MinSize, u.MaxSize = 2, 1 },
	} {
		u := Upload("uploads/7/abc")
		change(&u)
		if f, err := b.Form(t.Context(), u); err == nil {
			t.Errorf("%s: a form %+v", name, f)
		}
	}
	if u, _, err := b.URL(t.Context(), Download("")); err == nil {
		t.Errorf("no key: a URL %s", u)
	}
}

// concurrent: puts and deletes in one folder do not get in each other's way, and
// a reader sees one whole object or none.
func concurrent(t *testing.T, b Bucket) {
	ctx := t.Context()
	bodies := []string{strings.Repeat("a", 5000), strings.Repeat("b", 7000)}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			own := fmt.Sprintf("media/c/%d", worker)
			for range 10 {
				if err := b.Put(ctx, own, "image/jpeg", []byte(own)); err != nil {
					t.Errorf("Put(%s) = %v", own, err)
				}
				if got, err := Read(ctx, b, own, ""); err != nil || got != own {
					t.Errorf("%s holds %q, %v", own, got, err)
				}
				if err := b.Delete(ctx, own); err != nil {
					t.Errorf("Delete(%s) = %v", own, err)
				}
			}
		})
		wg.Go(func() {
			for range 10 {
				if worker%2 == 0 {
					// Two put here at once: one may learn that its bytes were
					// replaced, and only what is there in the end counts.
					_ = b.Put(ctx, "media/shared", "image/jpeg", []byte(bodies[worker/2]))
				} else if got, err := Read(ctx, b, "media/shared", ""); err == nil && !slices.Contains(bodies, got) {
					t.Errorf("shared holds %d bytes that nobody put", len(got))
				}
			}
		})
	}
	wg.Wait()
	if got, err := Read(ctx, b, "media/shared", ""); err != nil || !slices.Contains(bodies, got) {
		t.Errorf("shared holds %d bytes, %v", len(got), err)
	}
}
