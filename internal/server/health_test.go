package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/server"
)

func TestHealth(t *testing.T) {
	var l logged
	good := func(context.Context) error { return nil }
	h := server.New(server.Options{Log: l.logger(), Checks: map[string]func(context.Context) error{
		"database": good,
		"storage":  func(context.Context) error { return errors.New("dial tcp 10.1.2.3: refused") },
		"jobs":     func(context.Context) error { panic("10.1.2.3") },
	}}).Handler()
	res := do(h, httptest.NewRequest("GET", "/health/", nil))
	b := body(t, res)
	if res.StatusCode != 503 || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, type %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
	if strings.Contains(b, "10.1.2.3") {
		t.Errorf("internals are shown: %s", b)
	}
	var got struct {
		Status string
		Checks map[string]string
	}
	if err := json.Unmarshal([]byte(b), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"database": "ok", "storage": "failing", "jobs": "failing"}
	if got.Status != "failing" || !maps.Equal(got.Checks, want) {
		t.Errorf("health = %s", b)
	}
	do(h, httptest.NewRequest("GET", "/health/", nil))
	if n := len(l.lines(t, "check fails")); n != 2 {
		t.Errorf("%d failures logged, want one a check", n)
	}
	res = do(server.New(quiet(server.Options{Checks: map[string]func(context.Context) error{"database": good}})).Handler(),
		httptest.NewRequest("GET", "/health/", nil))
	if b := body(t, res); res.StatusCode != 200 || strings.TrimSpace(b) != `{"status":"ok","checks":{"database":"ok"}}` {
		t.Errorf("healthy = %d %s", res.StatusCode, b)
	}
	for _, tt := range []struct {
		waited time.Duration
		known  bool
		want   string
	}{{463*time.Second + 900*time.Millisecond, true, `,"oldest_job_seconds":463`}, {0, true, `,"oldest_job_seconds":0`}, {0, false, ""}} {
		res = do(server.New(quiet(server.Options{
			Checks:    map[string]func(context.Context) error{"jobs": good},
			OldestJob: func() (time.Duration, bool) { return tt.waited, tt.known },
		})).Handler(), httptest.NewRequest("GET", "/health/", nil))
		if got, want := strings.TrimSpace(body(t, res)), `{"status":"ok","checks":{"jobs":"ok"}`+tt.want+`}`; got != want {
			t.Errorf("with a job that waits for %v (%v): %s, want %s", tt.waited, tt.known, got, want)
		}
	}
	res = do(h, httptest.NewRequest("GET", "/health", nil))
	if res.StatusCode != 308 || res.Header.Get("Location") != "/health/" {
		t.Errorf("/health = %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

func TestReadinessO6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		var fail atomic.Bool
		h := server.New(quiet(server.Options{Ready: func(context.Context) error {
			calls.Add(1)
			if fail.Load() {
				return errors.New("database is gone")
			}
			return nil
		}})).Handler()
		want := func(status int, n int64) {
			t.Helper()
			res := do(h, httptest.NewRequest("GET", "/readyz", nil))
			if res.StatusCode != status || calls.Load() != n {
				t.Errorf("/readyz = %d after %d calls, want %d after %d", res.StatusCode, calls.Load(), status, n)
			}
			if res := do(h, httptest.NewRequest("GET", "/livez", nil)); res.StatusCode != 200 {
				t.Errorf("/livez = %d", res.StatusCode)
			}
		}
		want(200, 1)
		fail.Store(true)
		time.Sleep(999 * time.Millisecond) // of the bubble's clock
		want(200, 1)
		time.Sleep(time.Millisecond)
		want(503, 2)
		fail.Store(false)
		want(503, 2)
		time.Sleep(time.Second)
		want(200, 3)
	})
}

func TestReadinessIsAskedOnceForAllO6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		leave := make(chan struct{})
		h := server.New(quiet(server.Options{Ready: func(context.Context) error { // one that ignores its context
			calls.Add(1)
			<-leave
			return nil
		}})).Handler()
		start := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if res := do(h, httptest.NewRequest("GET", "/readyz", nil)); res.StatusCode != 503 {
					t.Errorf("hanging /readyz = %d", res.StatusCode)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 2*time.Second || calls.Load() != 1 {
			t.Errorf("%d calls in %v, want 1 in 2s", calls.Load(), d)
		}
		start = time.Now()
		if res := do(h, httptest.NewRequest("GET", "/readyz", nil)); res.StatusCode != 503 || time.Since(start) != 0 || calls.Load() != 1 {
			t.Errorf("still hanging: %d after %v and %d calls", res.StatusCode, time.Since(start), calls.Load())
		}
		close(leave)
		synctest.Wait()
		if res := do(h, httptest.NewRequest("GET", "/readyz", nil)); res.StatusCode != http.StatusOK {
			t.Errorf("recovered /readyz = %d", res.StatusCode)
		}
	})
}
