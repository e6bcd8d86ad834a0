package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/note"
	"github.com/ridecopilot/ridecopilot/internal/server"
)

// Readers that never read hold no more than the budget: the next large answer is a
// 503 at once, small ones go on, and room comes back within seconds.
func TestAnswersBudget_O3(t *testing.T) {
	list := bytes.Repeat([]byte("x"), 400<<10)
	changed := 0
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			changed++
		}
		if r.URL.Path == "/list" {
			w.Header().Set("ETag", `"1"`)
			_, _ = w.Write(list)
			return
		}
		_, _ = io.WriteString(w, "small")
	})
	bubble(t, server.Options{Site: site, MaxAnswers: 1 << 20}, func(t *testing.T, p *pipes, stop func() error) {
		ask := func(path string) net.Conn {
			c := p.dial(t)
			_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			return c
		}
		held := []net.Conn{ask("/list"), ask("/list")}
		synctest.Wait()
		start := time.Now()
		res, _ := answerOf(t, ask("/list"))
		if res.Header.Get("Retry-After") != "1" || res.Header.Get("ETag") != "" {
			t.Errorf("the refusal has the headers %v", res.Header)
		}
		wantProblem(t, res, 503, "busy")
		if res, _ := answerOf(t, ask("/")); body(t, res) != "small" {
			t.Error("a small answer is not given")
		}
		// A change that was made is never answered that it may be repeated.
		c := p.dial(t)
		_, _ = io.WriteString(c, "POST /list HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		if res, _ := answerOf(t, c); res.StatusCode != 200 || len(body(t, res)) != len(list) || changed != 1 {
			t.Errorf("a change = %d, made %d times", res.StatusCode, changed)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the answers took %v", d)
		}
		// The second took more than half of the budget, and is cut soon.
		time.Sleep(11 * time.Second)
		res, _ = answerOf(t, ask("/list"))
		if b := body(t, res); res.StatusCode != 200 || len(b) != len(list) {
			t.Errorf("after some seconds = %d with %d bytes", res.StatusCode, len(b))
		}
		for _, c := range held {
			c.Close()
		}
		_ = stop()
	})
}

// The head of an answer waits for its first bytes, and leaves in any case.
func TestHeadsLeave(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		status  int
		text    string
	}{
		"no body":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, ""},
		"nothing":        {func(http.ResponseWriter, *http.Request) {}, 200, ""},
		"a redirect":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusSeeOther) }, 303, "See Other"},
		"a panic behind": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic("x") }, 500, "Something went wrong"},
		"twice":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(200) }, 404, ""},
		"a file": {func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("file"))
		}, 200, "file"},
		"flushed at once": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(202)
			_ = http.NewResponseController(w).Flush()
		}, 202, ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, server.Options{Site: tt.handler})
			res := fetch(t, client(t), "http://"+srv.public+"/")
			if b := body(t, res); res.StatusCode != tt.status || !strings.Contains(b, tt.text) {
				t.Errorf("= %d %q, want %d %q", res.StatusCode, b, tt.status, tt.text)
			}
		})
	}
}

// Many answers that the server is busy are one warning a second, with their number.
func TestBusyIsToldOnceASecond(t *testing.T) {
	var log logged
	var seconds atomic.Int64
	h := server.New(server.Options{
		Log: log.logger(), Now: func() time.Time { return time.Unix(1_000+seconds.Load(), 0) },
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			note.Busy(r.Context(), errors.New("the lane is full"))
			w.WriteHeader(503)
		}),
	}).Handler()
	for range 50 {
		do(h, httptest.NewRequest("GET", "/api/x/", nil))
	}
	seconds.Add(1)
	do(h, httptest.NewRequest("GET", "/api/x/", nil))
	lines := log.lines(t, "answered that the server is busy")
	if len(lines) != 2 || lines[0]["count"] != 1.0 || lines[1]["count"] != 50.0 || lines[1]["err"] != "the lane is full" || lines[1]["level"] != "WARN" {
		t.Errorf("the log says %v", lines)
	}
	if strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Error("being busy is logged as an error")
	}
}

func TestSemicolonsInQueries_I9(t *testing.T) {
	h := server.New(quiet(server.Options{API: text("api"), Site: text("site"), Storage: text("storage")})).Handler()
	for _, path := range []string{"/", "/api/carposts/", "/api/user", "/storage/x", "/admin/", "/health/", "/livez", "/readyz", "/health"} {
		wantProblem(t, do(h, httptest.NewRequest("GET", path+"?page=1;page=2", nil)), 400, "bad_request")
		if res := do(h, httptest.NewRequest("GET", path+"?page=1%3B", nil)); res.StatusCode >= 400 {
			t.Errorf("%s with an encoded semicolon = %d", path, res.StatusCode)
		}
	}
}

// A body that is announced as larger than any that is taken is refused before a
// client that waits for "100 Continue" sends it.
func TestAnnouncedSize_O1(t *testing.T) {
	read := make(chan struct{}, 10)
	site := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { read <- struct{}{} })
	srv := start(t, server.Options{API: site, Site: site, Storage: site})
	for _, path := range []string{"/api/update-ridepost/1", "/storage/", "/admin/uploads/add/", "/"} {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.public)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 62914560\r\nExpect: 100-continue\r\n\r\n", path)
		res, in := answerOf(t, c) // the first line is no "100 Continue"
		wantProblem(t, res, 413, "too_large")
		wantClosed(t, in)
	}
	if len(read) != 0 {
		t.Errorf("%d handlers were asked", len(read))
	}
}

// With a public address on https, nothing is answered over plain HTTP: a trusted
// proxy tells. Pages lead to https; health probes are exempt.
func TestPlainHTTP_P8(t *testing.T) {
	public, err := url.Parse("https://copilot.example")
	if err != nil {
		t.Fatal(err)
	}
	h := server.New(quiet(server.Options{
		PublicURL: public, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		API: text("api"), Site: text("site"), Storage: text("storage"),
	})).Handler()
	ask := func(method, path, peer string, proto ...string) *http.Response {
		r := httptest.NewRequest(method, "http://copilot.example"+path, nil)
		r.RemoteAddr = peer + ":5000"
		r.Header["X-Forwarded-Proto"] = proto
		return do(h, r)
	}
	const proxy, stranger = "10.0.0.1", "203.0.113.9"
	for _, path := range []string{"/", "/api/docs/", "/admin/posts/?q=x", "/account/reset/?token=abc"} {
		res := ask("GET", path, proxy, "http")
		if res.StatusCode != 308 || res.Header.Get("Location") != "https://copilot.example"+path || body(t, res) != "" {
			t.Errorf("%s = %d to %q", path, res.StatusCode, res.Header.Get("Location"))
		}
	}
	for _, refused := range [][2]string{{"GET", "/api/user/"}, {"POST", "/api/login"}, {"GET", "/storage/x"}, {"POST", "/admin/login/"}} {
		wantProblem(t, ask(refused[0], refused[1], proxy, "http"), 403, "https_required")
	}
	for name, proto := range map[string][]string{"the last entry": {"https, http"}, "the last line": {"https", "HTTP "}, "an empty element behind it": {"http, ,"}} {
		if res := ask("GET", "/api/user/", proxy, proto...); res.StatusCode != 403 {
			t.Errorf("%s = %d", name, res.StatusCode)
		}
	}
	for name, res := range map[string]*http.Response{
		"https":               ask("GET", "/api/user/", proxy, "https"),
		"a client's own word": ask("GET", "/api/user/", proxy, "http, https"),
		"without the header":  ask("GET", "/api/user/", proxy),
		"a stranger's header": ask("GET", "/api/user/", stranger, "http"),
		"liveness":            ask("GET", "/livez", proxy, "http"),
		"readiness":           ask("GET", "/readyz", proxy, "http"),
		"health":              ask("GET", "/health/", proxy, "http"),
	} {
		if res.StatusCode != 200 {
			t.Errorf("%s = %d", name, res.StatusCode)
		}
	}
}

// Every request on a connection that was made is answered, also those of the last
// moment before the listener closes: with new connections and with kept ones.
func TestAcceptedRequestsAreAnswered_O7(t *testing.T) {
	var answered, lost atomic.Int64
	srv := start(t, server.Options{Site: text("ok")})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			tr := &http.Transport{DisableKeepAlives: i%2 == 0}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr}
			for {
				r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+srv.public+"/", strings.NewReader("x"))
				if err != nil {
					t.Error(err)
					return
				}
				r.GetBody = nil // so that the client itself repeats nothing
				res, err := c.Do(r)
				if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" { // no connection was made
					return
				}
				if err != nil {
					lost.Add(1)
					t.Logf("a request on a connection that was made got no answer (kept alive: %v): %v", i%2 == 1, err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				if res.Body.Close(); err != nil || res.StatusCode != 200 {
					t.Errorf("= %d, %v", res.StatusCode, err)
					return
				}
				if answered.Add(1) == 2000 {
					srv.stop()
				}
			}
		})
	}
	wg.Wait()
	// Where the kernel has no socket filters, a connection that is made in the very
	// microseconds of the closing is reset. Half of the clients would be otherwise.
	if n := lost.Load(); n > 2 {
		t.Errorf("%d requests got no answer", n)
	}
	if err := srv.wait(); err != nil {
		t.Errorf("Serve = %v", err)
	}
}
