package s3_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
)

// store is one that has no network: it can hang while no time passes.
type store func(*http.Request) (*http.Response, error)

func (s store) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func (s store) open(t *testing.T, o s3.Options) *s3.Bucket {
	t.Helper()
	o.Endpoint, o.PathStyle, o.HTTPClient = "http://store.test", true, &http.Client{Transport: s}
	return offline(t, o)
}

func answer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{"Etag": {`"1"`}, "Content-Length": {strconv.Itoa(len(body))}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

const (
	unversioned = `<VersioningConfiguration/>`
	versioned   = `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`
)

// TestWaits: O4. On a store that hangs at any of its steps, no call takes longer
// than eight seconds, in which it has tried twice. (The time here is a fake.)
func TestWaits(t *testing.T) {
	for name, answered := range map[string]func(*http.Request) (string, bool){
		"everything hangs": func(*http.Request) (string, bool) { return "", false },
		"but for the versioning": func(r *http.Request) (string, bool) {
			return unversioned, r.URL.Query().Has("versioning")
		},
		"but for writes": func(r *http.Request) (string, bool) {
			return `<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>`, r.Method == http.MethodPut
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := s3.NewHTTPClient()
			transport := client.Transport.(*http.Transport)
			defer transport.CloseIdleConnections()
			var tries atomic.Int32
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				tries.Add(1)
				here, there := net.Pipe()
				go io.Copy(io.Discard, there)
				return here, nil
			}
			s := store(func(r *http.Request) (*http.Response, error) {
				if body, ok := answered(r); ok {
					return answer(http.StatusOK, body), nil
				}
				return transport.RoundTrip(r)
			})
			for call := range everything(nil) {
				tries.Store(0)
				start := time.Now()
				err := everything(s.open(t, s3.Options{}))[call](t.Context())
				if took := time.Since(start).Truncate(time.Second); !errors.Is(err, context.DeadlineExceeded) || took != 8*time.Second || tries.Load() != 2 {
					t.Errorf("%s, %s: %v after %v and %d tries", name, call, err, took, tries.Load())
				}
			}
		})
	}
}

// TestLongTransfer: an object may take longer than that, once its answer has
// begun, and so may what is sent.
func TestLongTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := store(func(r *http.Request) (*http.Response, error) {
			res := answer(http.StatusOK, "body")
			select {
			case <-time.After(7 * time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			if r.Method == http.MethodGet {
				res.Body = io.NopCloser(io.MultiReader(reads(func() error { time.Sleep(time.Minute); return r.Context().Err() }), res.Body))
			}
			return res, nil
		}).open(t, s3.Options{})
		r, _, err := b.Open(t.Context(), "media/1", "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "body" {
			t.Errorf("read %q, %v", got, err)
		}
		r.Close()

		// Seven seconds for the object, and seven for the look at it.
		if err := b.Put(t.Context(), "media/1", "image/jpeg", make([]byte, 1<<20)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put = %v, want a complaint that the store has another length", err)
		}
	})
}

// reads is a reader of nothing, that takes its time.
type reads func() error

func (r reads) Read([]byte) (int, error) {
	if err := r(); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// TestHeadOfWhat: that an object is absent is said only where its bucket is
// there, and ours to look at.
func TestHeadOfWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // tries are apart, in a time that is a fake
		for status, absent := range map[int]bool{200: true, 301: false, 403: false, 404: false, 500: false} {
			b := store(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/media/1") {
					return answer(http.StatusNotFound, ""), nil
				}
				return answer(status, ""), nil
			}).open(t, s3.Options{})
			if _, err := b.Head(t.Context(), "media/1"); err == nil || errors.Is(err, bucket.ErrNotFound) != absent {
				t.Errorf("the bucket answers %d: Head = %v", status, err)
			}
		}
	})
}

// TestVersioningAsked: D13. A bucket that became versioned is known to be after
// a minute, and is not asked for every object before.
func TestVersioningAsked(t *testing.T) {
	asked, listed, says, at := 0, 0, unversioned, now
	b := store(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Query().Has("versioning"):
			asked++
			return answer(http.StatusOK, says), nil
		case r.URL.Query().Has("versions"):
			listed++
			return answer(http.StatusOK, `<ListVersionsResult/>`), nil
		default:
			return answer(http.StatusNoContent, ""), nil
		}
	}).open(t, s3.Options{Now: func() time.Time { return at }})
	for _, tt := range []struct {
		after         time.Duration
		says          string
		asked, listed int
	}{
		{0, unversioned, 1, 0},
		{59 * time.Second, versioned, 1, 0},
		{time.Minute, versioned, 2, 1},
		{119 * time.Second, unversioned, 2, 2},
		{2 * time.Minute, unversioned, 3, 2},
	} {
		at, says = now.Add(tt.after), tt.says
		if err := b.Delete(t.Context(), "media/1"); err != nil {
			t.Fatal(err)
		}
		if asked != tt.asked || listed != tt.listed {
			t.Errorf("after %v: asked %d times, versions listed %d times, want %+v", tt.after, asked, listed, tt)
		}
	}
}

// TestVersioningRefused: D12. A store that does not say whether it keeps versions
// removes nothing, and Ping says so, until it answers again.
func TestVersioningRefused(t *testing.T) {
	status, at := http.StatusForbidden, now
	b := store(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("versioning") {
			return answer(status, map[int]string{http.StatusOK: unversioned, http.StatusForbidden: `<Error><Code>AccessDenied</Code></Error>`}[status]), nil
		}
		return answer(http.StatusOK, ""), nil
	}).open(t, s3.Options{Now: func() time.Time { return at }})
	if b.VersioningRefused() {
		t.Error("refused before it was asked")
	}
	for name, err := range map[string]error{"Delete": b.Delete(t.Context(), "media/1"), "Ping": b.Ping(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "nothing is removed from it: allow s3:GetBucketVersioning") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !b.VersioningRefused() {
		t.Error("not known to be refused")
	}
	status, at = http.StatusOK, at.Add(time.Second)
	if err := b.Ping(t.Context()); err != nil || b.VersioningRefused() {
		t.Errorf("when it answers again: %v, %t", err, b.VersioningRefused())
	}
}

// TestVersioningApart: O4. Removals do not queue behind one whose question about
// versioning is not answered; and what it learns late does not replace what is
// newer.
func TestVersioningApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		asked, listed, at := 0, 0, now
		b := store(func(r *http.Request) (*http.Response, error) {
			switch {
			case r.URL.Query().Has("versions"):
				listed++
				return answer(http.StatusOK, `<ListVersionsResult/>`), nil
			case !r.URL.Query().Has("versioning"):
				return answer(http.StatusNoContent, ""), nil
			}
			if asked++; asked == 1 {
				<-hold
				return answer(http.StatusOK, unversioned), nil
			}
			return answer(http.StatusOK, versioned), nil
		}).open(t, s3.Options{Now: func() time.Time { return at }})
		first := make(chan error, 1)
		go func() { first <- b.Delete(t.Context(), "media/1") }()
		synctest.Wait()
		at = now.Add(time.Second)
		if err := b.Delete(t.Context(), "media/2"); err != nil || listed != 1 {
			t.Errorf("Delete meanwhile = %v, versions listed %d times", err, listed)
		}
		close(hold)
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := b.Delete(t.Context(), "media/3"); err != nil || asked != 2 || listed != 2 {
			t.Errorf("Delete after it = %v, asked %d times, versions listed %d times", err, asked, listed)
		}
	})
}
