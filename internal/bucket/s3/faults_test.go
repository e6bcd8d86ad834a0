package s3_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
)

func behindFaults(t *testing.T) (*s3.Bucket, *buckettest.Faults, buckettest.Env) {
	t.Helper()
	e := buckettest.S3Env(t)
	f := buckettest.NewFaults(t, e.Endpoint)
	return e.Open(t, s3.Options{Endpoint: f.URL}), f, e
}

// everything are all calls that reach the store.
func everything(b *s3.Bucket) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Ping": func(ctx context.Context) error { return b.Ping(ctx) },
		"Head": func(ctx context.Context) error { _, err := b.Head(ctx, "media/1"); return err },
		"Open": func(ctx context.Context) error { _, err := buckettest.Read(ctx, b, "media/1", ""); return err },
		"Copy": func(ctx context.Context) error { return b.Copy(ctx, "media/1", "", "media/2", "image/jpeg") },
		"Put":  func(ctx context.Context) error { return b.Put(ctx, "media/3", "image/jpeg", []byte("3")) },
		"Delete": func(ctx context.Context) error {
			return b.Delete(ctx, "media/3")
		},
		"DeleteAll": func(ctx context.Context) error { _, err := b.DeleteAll(ctx, "uploads/"); return err },
		"List": func(ctx context.Context) error {
			return b.List(ctx, "", func(bucket.Object) error { return nil })
		},
	}
}

// TestFaultsPass: signatures are good through the proxy, so the other tests fail
// for the reason that they name.
func TestFaultsPass(t *testing.T) {
	b, _, _ := behindFaults(t)
	if err := b.Put(t.Context(), "media/1", "image/jpeg", []byte("body")); err != nil {
		t.Fatal(err)
	}
	for name, call := range everything(b) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s = %v", name, err)
		}
	}
	form, err := b.Form(t.Context(), buckettest.Upload("uploads/1"))
	if err != nil {
		t.Fatal(err)
	}
	if res := buckettest.Post(t, form, []byte("x"), nil); res.StatusCode != 204 {
		t.Errorf("upload through the proxy: %s", res.Status)
	}
}

// TestRefused: a store that refuses is asked three times, and what it means is
// not that an object is absent.
func TestRefused(t *testing.T) {
	for name := range everything(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, f, _ := behindFaults(t)
			f.Set(buckettest.Refuse)
			err := everything(b)[name](t.Context())
			if err == nil || errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrChanged) {
				t.Errorf("%s = %v", name, err)
			}
			if calls := f.Calls(); calls != 3 {
				t.Errorf("asked %d times, want 3", calls)
			}
			// Permits are signed here, whatever the store does.
			if _, err := b.Form(t.Context(), buckettest.Upload("uploads/1")); err != nil {
				t.Error(err)
			}
			f.Set(buckettest.Pass)
			if err := b.Ping(t.Context()); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// TestHang: O4. Nothing waits longer than its context.
func TestHang(t *testing.T) {
	b, f, _ := behindFaults(t)
	f.Set(buckettest.Hang)
	for name, call := range everything(b) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- call(ctx) }()
		for f.Calls() == 0 { // until it waits for the store
			if ctx.Err() != nil {
				t.Fatal(ctx.Err())
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want canceled", name, err)
		}
	}
}

// TestSlow: O4. A body that does not end is bounded too, and one that is not
// wanted is let go.
func TestSlow(t *testing.T) {
	b, f, _ := behindFaults(t)
	if err := b.Put(t.Context(), "media/1", "image/jpeg", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	f.Set(buckettest.Slow)
	half := make([]byte, 5)

	ctx, cancel := context.WithCancel(t.Context())
	r, _, err := b.Open(ctx, "media/1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, half); err != nil || string(half) != "01234" {
		t.Errorf("the first half is %q, %v", half, err)
	}
	cancel()
	if _, err := r.Read(half); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel, Read = %v", err)
	}
	r.Close()

	r, _, err = b.Open(t.Context(), "media/1", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close half-way = %v", err)
	}

	r, _, err = b.Open(t.Context(), "media/1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, half); err != nil {
		t.Fatal(err)
	}
	f.Release()
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "56789" {
		t.Errorf("the second half is %q, %v", rest, err)
	}
	r.Close()
}

// TestCut: a body that ends early is an error, never a short object.
func TestCut(t *testing.T) {
	b, f, _ := behindFaults(t)
	if err := b.Put(t.Context(), "media/1", "image/jpeg", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	f.Set(buckettest.Cut)
	if got, err := buckettest.Read(t.Context(), b, "media/1", ""); err == nil {
		t.Errorf("Read = %q", got)
	}
	err := b.List(t.Context(), "", func(o bucket.Object) error { t.Errorf("listed %+v", o); return nil })
	if err == nil {
		t.Error("List of half a list")
	}
	if n, err := b.DeleteAll(t.Context(), "media/"); err == nil {
		t.Errorf("DeleteAll of half a list = %d", n)
	}
}

// TestLie: U3, U5. What a store acknowledges and does not keep is an error, and
// so are bytes that are not those of the object.
func TestLie(t *testing.T) {
	b, f, e := behindFaults(t)
	direct := e.Open(t, s3.Options{})
	body := strings.Repeat("0123456789", 100)
	for _, key := range []string{"media/1", "media/3"} {
		if err := direct.Put(t.Context(), key, "image/jpeg", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(t.Context(), "media/none"); err != nil { // learns that there are no versions
		t.Fatal(err)
	}
	for _, mode := range []buckettest.Mode{buckettest.Lie, buckettest.Short} {
		f.Set(mode)
		if got, err := buckettest.Read(t.Context(), b, "media/1", ""); err == nil {
			t.Errorf("mode %d: Read = %d bytes, the same: %t", mode, len(got), got == body)
		}
	}
	f.Set(buckettest.Lie)
	for _, key := range []string{"media/new", "media/3"} {
		if err := b.Put(t.Context(), key, "image/jpeg", []byte("3")); err == nil {
			t.Errorf("Put(%s) that did not take place = nil", key)
		}
		if err := b.Copy(t.Context(), "media/1", "", key, "image/jpeg"); err == nil {
			t.Errorf("Copy to %s that did not take place = nil", key)
		}
	}
	// A deletion is taken at its word (D12); what stays is found by the nightly
	// comparison (D14).
	if err := b.Delete(t.Context(), "media/3"); err != nil {
		t.Errorf("Delete = %v", err)
	}
}

// TestFull: D16. A store without room says so in the same words as a disk.
func TestFull(t *testing.T) {
	b, f, _ := behindFaults(t)
	if err := b.Put(t.Context(), "media/1", "image/jpeg", []byte("1")); err != nil {
		t.Fatal(err)
	}
	f.Set(buckettest.Full)
	if err := b.Put(t.Context(), "media/2", "image/jpeg", []byte("2")); !errors.Is(err, bucket.ErrFull) {
		t.Errorf("Put = %v, want full", err)
	}
	if err := b.Copy(t.Context(), "media/1", "", "media/2", "image/jpeg"); !errors.Is(err, bucket.ErrFull) {
		t.Errorf("Copy = %v, want full", err)
	}
	if _, err := buckettest.Read(t.Context(), b, "media/1", ""); err != nil {
		t.Errorf("reads go on: %v", err)
	}
}

// TestRedirect: U13. A store does not send us anywhere.
func TestRedirect(t *testing.T) {
	b, f, _ := behindFaults(t)
	f.Set(buckettest.Move)
	for name, call := range everything(b) {
		if err := call(t.Context()); err == nil {
			t.Errorf("%s = nil", name)
		}
	}
	if n := f.Strayed(); n != 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

// TestMissingBucket: a bucket that is not there is a failure of ours, and not an
// object that is not there.
func TestMissingBucket(t *testing.T) {
	e := buckettest.S3Env(t)
	e.Bucket += "-other"
	b := e.Open(t, s3.Options{})
	for name, call := range everything(b) {
		if err := call(t.Context()); err == nil || errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("%s = %v", name, err)
		}
	}
}
