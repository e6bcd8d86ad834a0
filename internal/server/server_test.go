package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/server"
)

// logged is a logger and what it wrote.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// lines are the records with the given message.
func (l *logged) lines(t *testing.T, msg string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if m["msg"] == msg {
			out = append(out, m)
		}
	}
	return out
}

// quiet fills in what a test does not care about.
func quiet(o server.Options) server.Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) })
}

func do(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantProblem checks that res is a problem document of the one shape.
func wantProblem(t *testing.T, res *http.Response, status int, code string) {
	t.Helper()
	b := body(t, res)
	if res.StatusCode != status {
		t.Errorf("status = %d, want %d (%s)", res.StatusCode, status, b)
	}
	if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type = %q", ct)
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(b), &p); err != nil {
		t.Fatalf("problem %q: %v", b, err)
	}
	if p["type"] != code || p["status"] != float64(status) || p["title"] == "" || p["detail"] == "" {
		t.Errorf("problem = %v, want type %q", p, code)
	}
	if p["request_id"] != res.Header.Get("X-Request-Id") || p["request_id"] == "" {
		t.Errorf("request_id = %v, header %q", p["request_id"], res.Header.Get("X-Request-Id"))
	}
	if len(p) != 5 {
		t.Errorf("problem has %d members: %v", len(p), p)
	}
}

// running is a server on real listeners.
type running struct {
	public, private string
	stop            func()
	done            chan error
}

func start(t *testing.T, o server.Options) *running {
	t.Helper()
	listen := func() net.Listener {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	pub, priv := listen(), listen()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{public: pub.Addr().String(), private: priv.Addr().String(), stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- server.New(quiet(o)).Serve(ctx, pub, priv) }()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return r
}

// wait returns what Serve returned.
func (r *running) wait() error {
	err := <-r.done
	r.done <- nil // for the cleanup
	return err
}

func fetch(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func client(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestRouting(t *testing.T) {
	h := server.New(quiet(server.Options{API: text("api"), Site: text("site")})).Handler()
	for path, want := range map[string]string{
		"/api/cars/": "api", "/api/": "api", "/api": "api",
		"/": "site", "/apix": "site", "/admin/": "site", "/health/x": "site", "/livez/": "site",
	} {
		if got := body(t, do(h, httptest.NewRequest("GET", path, nil))); got != want {
			t.Errorf("GET %s = %q, want %q", path, got, want)
		}
	}
	empty := server.New(quiet(server.Options{})).Handler()
	wantProblem(t, do(empty, httptest.NewRequest("GET", "/api/x", nil)), 404, "not_found")
}

func TestRequestID(t *testing.T) {
	var seen string
	h := server.New(quiet(server.Options{Site: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("X-Request-Id")
	})})).Handler()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "mine")
	res := do(h, r)
	first := res.Header.Get("X-Request-Id")
	if first == "mine" || len(first) < 20 || seen != first {
		t.Errorf("id = %q, handler saw %q", first, seen)
	}
	if second := do(h, httptest.NewRequest("GET", "/", nil)).Header.Get("X-Request-Id"); second == first {
		t.Errorf("two requests share the id %q", first)
	}
}

func TestSourceT7(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "203.0.113.9:5000", nil, "203.0.113.9"},
		{"a stranger's header", "203.0.113.9:5000", []string{"1.2.3.4"}, "203.0.113.9"},
		{"a proxy's header", "10.0.0.1:5000", []string{"1.2.3.4"}, "1.2.3.4"},
		{"a proxy without one", "10.0.0.1:5000", nil, "10.0.0.1"},
		{"from the right", "10.0.0.1:5000", []string{"6.6.6.6, 1.2.3.4"}, "1.2.3.4"},
		{"skipping proxies", "10.0.0.1:5000", []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, "1.2.3.4"},
		{"several lines", "10.0.0.1:5000", []string{"6.6.6.6", "1.2.3.4", "10.0.0.2"}, "1.2.3.4"},
		{"all proxies", "10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"rubbish ends the walk", "10.0.0.1:5000", []string{"1.2.3.4, rubbish, 10.0.0.2"}, "10.0.0.2"},
		{"a comma at its end", "10.0.0.1:5000", []string{"1.2.3.4,"}, "1.2.3.4"},
		{"empty elements", "10.0.0.1:5000", []string{" , 1.2.3.4, ,10.0.0.2,,"}, "1.2.3.4"},
		{"empty elements of a stranger", "203.0.113.9:5000", []string{","}, "203.0.113.9"},
		{"nothing but commas", "10.0.0.1:5000", []string{",,"}, "10.0.0.1"},
		{"IPv6 in brackets without a port", "[fd00::1]:5000", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv4 in brackets", "10.0.0.1:5000", []string{"[1.2.3.4]"}, "10.0.0.1"},
		{"half a bracket", "10.0.0.1:5000", []string{"[2001:db8::7"}, "10.0.0.1"},
		{"no host names", "10.0.0.1:5000", []string{"localhost"}, "10.0.0.1"},
		{"with a port", "10.0.0.1:5000", []string{"1.2.3.4:777"}, "1.2.3.4"},
		{"IPv6", "[fd00::1]:5000", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 with a port", "[fd00::1]:5000", []string{"[2001:db8::7]:777"}, "2001:db8::7"},
		{"IPv4 as IPv6", "[::ffff:10.0.0.1]:5000", []string{"::ffff:1.2.3.4"}, "1.2.3.4"},
		{"zone", "[fe80::1%eth0]:5000", nil, "fe80::1"},
		{"no address", "@", []string{"1.2.3.4"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			h := server.New(quiet(server.Options{TrustedProxies: proxies, Site: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = r.RemoteAddr
			})})).Handler()
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			do(h, r)
			if got != tt.want {
				t.Errorf("source of %s via %q = %q, want %q", tt.peer, tt.forwarded, got, tt.want)
			}
		})
	}
}

func TestForwardingHeadersAreGoneT7(t *testing.T) {
	var left http.Header
	h := server.New(quiet(server.Options{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")},
		Site:           http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { left = r.Header.Clone() }),
	})).Handler()
	r := httptest.NewRequest("GET", "/", nil)
	for _, k := range []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server",
		"X-Forwarded-Anything", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Original-URL", "Proxy",
	} {
		r.Header.Set(k, "9.9.9.9")
	}
	r.Header.Set("Accept", "*/*")
	do(h, r)
	if len(left) != 2 || left.Get("Accept") == "" || left.Get("X-Request-Id") == "" {
		t.Errorf("headers inside = %v", left)
	}
}

func FuzzSource(f *testing.F) {
	f.Add("10.0.0.1:1", "1.2.3.4, 10.0.0.2")
	f.Add("10.0.0.1:1", "[::1%25]:5, ::ffff:10.0.0.1,,\x00")
	f.Add("[fd00::1]:1", "fe80::1%\r\nX: y")
	f.Add("1.1.1.1:1", strings.Repeat(",", 500))
	var got string
	h := server.New(quiet(server.Options{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Site:           http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }),
	})).Handler()
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		r.Header["X-Forwarded-For"] = []string{forwarded}
		do(h, r)
		if got == "" {
			return
		}
		a, err := netip.ParseAddr(got)
		if err != nil || a.Is4In6() || a.Zone() != "" {
			t.Fatalf("source(%q, %q) = %q, not a plain address", peer, forwarded, got)
		}
		if p, err := netip.ParseAddrPort(peer); err == nil {
			own := p.Addr().Unmap().WithZone("")
			if !netip.MustParsePrefix("10.0.0.0/8").Contains(own) && a != own {
				t.Fatalf("source(%q, %q) = %q: a stranger was believed", peer, forwarded, got)
			}
		}
	})
}

func TestLogLineP3P4(t *testing.T) {
	var l logged
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/reset/{token}/{$}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "12345")
	})
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := server.New(server.Options{Log: l.logger(), API: mux, Now: func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}}).Handler()
	res := do(h, httptest.NewRequest("POST", "/api/reset/s3cret/?key=s3cret", strings.NewReader("s3cret")))
	do(h, httptest.NewRequest("FROB", "/api/s3cret", nil))

	lines := l.lines(t, "request")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one a request:\n%s", len(lines), l.String())
	}
	want := map[string]any{
		"method": "POST", "route": "/api/reset/{token}/", "status": 202.0, "bytes": 5.0,
		"duration": float64(time.Second), "request_id": res.Header.Get("X-Request-Id"),
	}
	for k, v := range want {
		if lines[0][k] != v {
			t.Errorf("%s = %v, want %v", k, lines[0][k], v)
		}
	}
	if lines[1]["route"] != "unmatched" || lines[1]["method"] != "other" {
		t.Errorf("unknown request logged as %v", lines[1])
	}
	if strings.Contains(l.String(), "s3cret") {
		t.Errorf("the log holds the secret:\n%s", l.String())
	}
}

func TestPanicO5(t *testing.T) {
	var l logged
	h := server.New(server.Options{Log: l.logger(), Site: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Content-Length", "3")
		w.Header().Set("Content-Security-Policy", "default-src *")
		panic(errors.New("s3cret"))
	})}).Handler()
	res := do(h, httptest.NewRequest("POST", "/", strings.NewReader("s3cret")))
	if res.Header.Get("Set-Cookie") != "" || res.Header.Get("Content-Length") != "" {
		t.Errorf("headers of the lost answer remain: %v", res.Header)
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("CSP = %q", csp)
	}
	wantProblem(t, res, 500, "internal")
	p := l.lines(t, "panic")
	if len(p) != 1 || !strings.Contains(p[0]["stack"].(string), "TestPanicO5") {
		t.Errorf("panic logged as %v", p)
	}
	if strings.Contains(l.String(), "s3cret") {
		t.Errorf("the log holds the secret:\n%s", l.String())
	}
	if r := l.lines(t, "request"); len(r) != 1 || r[0]["status"] != 500.0 {
		t.Errorf("request logged as %v", r)
	}
}

func TestPanicAfterTheAnswerBeganCutsItO5(t *testing.T) {
	var l logged
	srv := start(t, server.Options{Log: l.logger(), Site: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("oops")
	})})
	c := client(t)
	res := fetch(t, c, "http://"+srv.public+"/")
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the answer looks whole: %q", b)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+srv.public+"/abort", nil)
	if res, err := c.Do(r); err == nil {
		res.Body.Close()
		t.Error("an aborted request was answered")
	}
	if res := fetch(t, c, "http://"+srv.public+"/livez"); res.StatusCode != 200 {
		t.Errorf("after panics /livez = %d", res.StatusCode)
	}
	if n := len(l.lines(t, "panic")); n != 1 {
		t.Errorf("%d panics logged, want 1: an abort is none", n)
	}
	// However they began, they are counted as what they are.
	if b := body(t, fetch(t, c, "http://"+srv.private+"/metrics")); !strings.Contains(b, `status="500"}`) || strings.Contains(b, `route="unmatched",status="200"}`) {
		t.Error("answers that were cut are counted as whole")
	}
}

// A client that goes before it is answered is no failure of the server's.
func TestClientGone_O5(t *testing.T) {
	var l logged
	begun := make(chan struct{})
	srv := start(t, server.Options{Log: l.logger(), Site: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})})
	c := client(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+srv.public+"/slow", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := c.Do(r); err == nil {
		res.Body.Close()
		t.Error("answered")
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		b := body(t, fetch(t, c, "http://"+srv.private+"/metrics"))
		if strings.Contains(b, `status="499"} 1`) {
			break
		}
		if strings.Contains(b, `status="503"}`) || time.Now().After(deadline) {
			t.Fatalf("a client that has gone is counted as a failure:\n%s", b)
		}
	}
}

func TestHostT10(t *testing.T) {
	tests := []struct {
		public, host string
		want         int
	}{
		{"https://api.example.com", "api.example.com", 200},
		{"https://api.example.com", "API.example.com", 200},
		{"https://api.example.com", "api.example.com:443", 200},
		{"https://api.example.com", "api.example.com:80", 421},
		{"https://api.example.com", "api.example.com:8443", 421},
		{"https://api.example.com", "api.example.com.", 421},
		{"https://api.example.com", "example.com", 421},
		{"https://api.example.com", "evil.com", 421},
		{"https://api.example.com", "localhost", 421},
		{"https://api.example.com", "api.example.com@evil.com", 421},
		{"https://api.example.com", "", 421},
		{"https://api.example.com:8443", "api.example.com:8443", 200},
		{"https://api.example.com:8443", "api.example.com", 421},
		{"http://api.example.com", "api.example.com:80", 200},
		{"http://localhost:8000", "localhost:8000", 200},
		{"http://localhost:8000", "127.0.0.1:8000", 200},
		{"http://localhost:8000", "[::1]:9999", 200},
		{"http://127.0.0.1:8000", "localhost", 200},
		{"http://[::1]:8000", "127.0.0.1", 200},
		{"http://localhost:8000", "a.localhost:8000", 421},
		{"http://localhost:8000", "localhost:x", 421},
		{"http://localhost:8000", "127.0.0.2:8000", 421},
		{"http://localhost:8000", "evil.com:8000", 421},
		{"", "anything", 200},
	}
	for _, tt := range tests {
		t.Run(tt.public+" "+tt.host, func(t *testing.T) {
			o := server.Options{Site: text("ok"), API: text("ok")}
			if tt.public != "" {
				u, err := url.Parse(tt.public)
				if err != nil {
					t.Fatal(err)
				}
				o.PublicURL = u
			}
			h := server.New(quiet(o)).Handler()
			r := httptest.NewRequest("GET", "/api/x/", nil)
			r.Host = tt.host
			r.Header.Set("X-Forwarded-Host", "api.example.com")
			res := do(h, r)
			if tt.want == 421 {
				wantProblem(t, res, 421, "misdirected")
			} else if res.StatusCode != tt.want {
				t.Errorf("status = %d, want %d", res.StatusCode, tt.want)
			}
			for _, path := range []string{"/livez", "/readyz", "/health/"} {
				r := httptest.NewRequest("GET", path, nil)
				r.Host = tt.host
				if res := do(h, r); res.StatusCode != 200 {
					t.Errorf("%s = %d", path, res.StatusCode)
				}
			}
		})
	}
}

func TestSecurityHeadersB4(t *testing.T) {
	u, _ := url.Parse("https://api.example.com")
	h := server.New(quiet(server.Options{PublicURL: u, API: text("ok"), Site: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("x")
		}
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
	})})).Handler()
	const none = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	for _, tt := range []struct{ method, path, host, csp, cache string }{
		{"GET", "/api/x/", "api.example.com", none, "no-store"},
		{"OPTIONS", "/api/x/", "api.example.com", none, "no-store"},
		{"GET", "/", "api.example.com", "default-src 'self'", "max-age=60"},
		{"GET", "/panic", "api.example.com", none, "no-store"},
		{"GET", "/", "evil.com", none, "no-store"},
		{"TRACE", "/", "api.example.com", none, "no-store"},
		{"GET", "//", "api.example.com", none, "no-store"},
		{"GET", "/livez", "", none, "no-store"},
		{"GET", "/health", "", none, "no-store"},
	} {
		t.Run(tt.method+" "+tt.host+tt.path, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "http://x"+tt.path, nil)
			r.Host = tt.host
			res := do(h, r)
			for k, want := range map[string]string{
				"Strict-Transport-Security":    "max-age=63072000; includeSubDomains",
				"X-Content-Type-Options":       "nosniff",
				"Referrer-Policy":              "no-referrer",
				"Content-Security-Policy":      tt.csp,
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Cache-Control":                tt.cache,
				"Server":                       "",
				"X-Powered-By":                 "",
			} {
				if got := res.Header.Get(k); got != want {
					t.Errorf("%s = %q, want %q", k, got, want)
				}
			}
			if res.Header.Get("Permissions-Policy") == "" {
				t.Error("no Permissions-Policy")
			}
		})
	}
	plain := server.New(quiet(server.Options{Site: text("ok")})).Handler()
	if got := do(plain, httptest.NewRequest("GET", "/", nil)).Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("HSTS over http = %q", got)
	}
}

// Without files of its own the server has nothing under /storage/, not even the
// site's pages.
func TestNoStorage(t *testing.T) {
	h := server.New(quiet(server.Options{API: text("api"), Site: text("site")})).Handler()
	if res := do(h, httptest.NewRequest("GET", "/storage/x", nil)); res.StatusCode != http.StatusNotFound {
		t.Errorf("status = %d, want 404", res.StatusCode)
	}
}

func TestCORSB3(t *testing.T) {
	tests := []struct {
		name     string
		loopback bool
		origin   string
		want     bool
	}{
		{"configured", false, "https://app.example.com", true},
		{"configured with a slash", false, "https://web.example.com", true},
		{"other scheme", false, "http://app.example.com", false},
		{"other port", false, "https://app.example.com:444", false},
		{"sibling", false, "https://x.app.example.com", false},
		{"suffix", false, "https://app.example.com.evil.com", false},
		{"null", false, "null", false},
		{"null on loopback", true, "null", false},
		{"star", false, "*", false},
		{"loopback not allowed", false, "http://localhost:3000", false},
		{"localhost", true, "http://localhost:3000", true},
		{"localhost without a port", true, "http://localhost", true},
		{"127.0.0.1", true, "http://127.0.0.1:5173", true},
		{"localhost look-alike", true, "http://localhost.evil.com", false},
		{"user info", true, "http://localhost:1@evil.com", false},
		{"127.0.0.1 look-alike", true, "http://127.0.0.1.evil.com:80", false},
		{"no port after colon", true, "http://localhost:", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := server.New(quiet(server.Options{
				CORSOrigins:          []string{"https://app.example.com", "https://web.example.com/", "*", "null"},
				AllowLoopbackOrigins: tt.loopback, API: text("ok"), Storage: text("ok"), Site: text("site"),
			})).Handler()
			var requests []*http.Request
			for _, path := range []string{"/api/x/", "/storage/x"} {
				get := httptest.NewRequest("GET", path, nil)
				get.Header.Set("Origin", tt.origin)
				pre := httptest.NewRequest("OPTIONS", path, nil)
				pre.Header.Set("Origin", tt.origin)
				pre.Header.Set("Access-Control-Request-Method", "PATCH")
				pre.Header.Set("Access-Control-Request-Headers", "authorization,content-type,idempotency-key,if-match,if-none-match,x-request-id")
				requests = append(requests, get, pre)
			}
			for _, r := range requests {
				res := do(h, r)
				want, cred := "", ""
				if tt.want {
					want, cred = tt.origin, "true"
				}
				if got := res.Header.Get("Access-Control-Allow-Origin"); got != want {
					t.Errorf("%s: allowed origin = %q, want %q", r.Method, got, want)
				}
				if got := res.Header.Get("Access-Control-Allow-Credentials"); got != cred {
					t.Errorf("%s: credentials = %q, want %q", r.Method, got, cred)
				}
				if got := res.Header.Get("Vary"); !strings.Contains(got, "Origin") {
					t.Errorf("%s: Vary = %q", r.Method, got)
				}
			}
			get, pre := requests[0], requests[1]
			if res := do(h, pre); res.StatusCode != 204 || (res.Header.Get("Access-Control-Max-Age") == "600") != tt.want {
				t.Errorf("preflight = %d, max age %q", res.StatusCode, res.Header.Get("Access-Control-Max-Age"))
			}
			if res := do(h, get); tt.want && res.Header.Get("Access-Control-Expose-Headers") == "" {
				t.Error("nothing exposed")
			}
			site := httptest.NewRequest("GET", "/", nil)
			site.Header.Set("Origin", tt.origin)
			if got := do(h, site).Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("the site allows %q", got)
			}
		})
	}
	t.Run("two origins", func(t *testing.T) {
		h := server.New(quiet(server.Options{CORSOrigins: []string{"https://a.example"}, API: text("ok")})).Handler()
		r := httptest.NewRequest("GET", "/api/", nil)
		r.Header["Origin"] = []string{"https://a.example", "https://evil.example"}
		wantProblem(t, do(h, r), 400, "bad_request")
	})
	t.Run("foreign header", func(t *testing.T) {
		h := server.New(quiet(server.Options{CORSOrigins: []string{"https://a.example"}, API: text("ok")})).Handler()
		r := httptest.NewRequest("OPTIONS", "/api/", nil)
		r.Header.Set("Origin", "https://a.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		r.Header.Set("Access-Control-Request-Headers", "x-http-method-override")
		if got := do(h, r).Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("allowed for %q", got)
		}
	})
}

func TestPathsI9(t *testing.T) {
	h := server.New(quiet(server.Options{API: text("ok"), Site: text("ok")})).Handler()
	for path, want := range map[string]int{
		"/": 200, "/api/cars/7/": 200, "/a.b/..c/": 200, "/caf%C3%A9": 200, "/a%20b": 200, "/a%25b": 200,
		"//": 404, "/api//cars/": 404, "/api/cars//": 404, "//evil.com/": 404,
		"/./": 404, "/api/./x": 404, "/api/../x": 404, "/..": 404, "/api/.": 404,
		"/api/%2e%2e/x": 404, "/api/%2E/x": 404, "/api/.%2e/x": 404,
		"/api%2fcars": 404, "/api%2Fcars": 404, "/api%5ccars": 404, "/a\\b": 404,
		"/a%00b": 404, "/a%0d%0ab": 404, "/a%7f": 404, "/a%ff": 404, "*": 404,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		u, err := url.ParseRequestURI(path)
		if path == "*" {
			u, err = &url.URL{Path: "*"}, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "//") { // what net/http makes of it
			u = &url.URL{Path: path}
		}
		r.URL, r.RequestURI = u, path
		res := do(h, r)
		if want == 404 {
			wantProblem(t, res, 404, "not_found")
		} else if res.StatusCode != want {
			t.Errorf("GET %s = %d, want %d", path, res.StatusCode, want)
		}
		if t.Failed() {
			t.Fatalf("path %q", path)
		}
	}
}

func TestMethodsI9(t *testing.T) {
	var got string
	h := server.New(quiet(server.Options{Site: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Method })})).Handler()
	for _, m := range []string{"TRACE", "CONNECT"} {
		res := do(h, httptest.NewRequest(m, "/", nil))
		if res.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", m)
		}
		wantProblem(t, res, 405, "method_not_allowed")
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-Http-Method-Override", "DELETE")
	if do(h, r); got != "POST" {
		t.Errorf("method inside = %s: the override counted", got)
	}
	res := do(h, httptest.NewRequest("POST", "/livez", nil))
	if res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow = %q", res.Header.Get("Allow"))
	}
	wantProblem(t, res, 405, "method_not_allowed")
}

func TestCompressedBodiesI2(t *testing.T) {
	h := server.New(quiet(server.Options{API: text("ok")})).Handler()
	for enc, want := range map[string]int{
		"": 200, "identity": 200, "Identity": 200,
		"gzip": 415, "br": 415, "identity, gzip": 415, "deflate": 415, "zstd": 415, "x": 415,
	} {
		r := httptest.NewRequest("POST", "/api/x/", strings.NewReader("{}"))
		if enc != "" {
			r.Header.Set("Content-Encoding", enc)
		}
		res := do(h, r)
		if want == 415 {
			wantProblem(t, res, 415, "unsupported_media")
		} else if res.StatusCode != want {
			t.Errorf("%q = %d, want %d", enc, res.StatusCode, want)
		}
	}
}

func TestInFlightCapO2(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	h := server.New(quiet(server.Options{MaxInFlight: 2, Site: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	})})).Handler()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { do(h, httptest.NewRequest("GET", "/", nil)) })
		<-entered
	}
	res := do(h, httptest.NewRequest("GET", "/", nil))
	if res.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After = %q", res.Header.Get("Retry-After"))
	}
	wantProblem(t, res, 503, "busy")
	for _, p := range []string{"/livez", "/readyz", "/health/"} {
		if res := do(h, httptest.NewRequest("GET", p, nil)); res.StatusCode != 200 {
			t.Errorf("full: %s = %d", p, res.StatusCode)
		}
	}
	close(leave)
	wg.Wait()
	go func() { <-entered }()
	if res := do(h, httptest.NewRequest("GET", "/", nil)); res.StatusCode != 200 {
		t.Errorf("after the flood = %d", res.StatusCode)
	}
}

// What is refused before the API is asked carries the members that some clients
// show, and pages of allowed origins may read it.
func TestRefusalsReachTheirReaders(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	public, _ := url.Parse("https://api.example.com")
	h := server.New(quiet(server.Options{
		MaxInFlight: 1, CORSOrigins: []string{"https://app.example.com"}, PublicURL: public,
		API: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/panic" {
				panic("x")
			}
			entered <- struct{}{}
			<-leave
		}),
		Refusal: func(r *http.Request, detail string) map[string]any {
			if strings.HasPrefix(r.URL.Path, "/api/older/") || r.URL.Path == "/api/panic" {
				return map[string]any{"Message": detail}
			}
			return nil
		},
	})).Handler()
	request := func(method, target, host, origin string, headers ...string) *http.Request {
		r := httptest.NewRequest(method, target, http.NoBody)
		r.Host = host
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		return r
	}
	const host, origin = "api.example.com", "https://app.example.com"
	check := func(name string, r *http.Request, status int, message, allowed bool) {
		t.Helper()
		res := do(h, r)
		var p map[string]any
		if err := json.Unmarshal([]byte(body(t, res)), &p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if res.StatusCode != status || p["detail"] == nil || p["status"] != float64(status) || p["request_id"] == "" {
			t.Errorf("%s = %d %v, want %d", name, res.StatusCode, p, status)
		}
		if got, given := p["Message"]; given != message || given && got != p["detail"] {
			t.Errorf("%s: Message = %v, want one: %v", name, got, message)
		}
		if got := res.Header.Get("Access-Control-Allow-Origin"); (got == r.Header.Get("Origin")) != allowed || (res.Header.Get("Access-Control-Allow-Credentials") == "true") != allowed {
			t.Errorf("%s is open to %q, want it open: %v", name, got, allowed)
		}
	}
	check("a compressed body", request("PUT", "/api/older/7", host, origin, "Content-Encoding", "gzip"), 415, true, true)
	check("another host", request("PUT", "/api/older/7", "evil.example", origin), 421, true, true)
	check("an odd path", request("PUT", "/api/older//7", host, origin), 404, true, true)
	check("TRACE", request("TRACE", "/api/older/7", host, origin), 405, true, true)
	check("a panic", request("PUT", "/api/panic", host, origin), 500, true, true)
	check("a foreign page", request("PUT", "/api/older/7", host, "https://evil.example", "Content-Encoding", "gzip"), 415, true, false)
	check("the other API", request("PUT", "/api/carposts/7/", host, origin, "Content-Encoding", "gzip"), 415, false, true)
	check("two origins", request("PUT", "/api/older/7", host, origin, "Origin", origin), 400, true, false)
	check("a page", request("GET", "/older//7", host, origin), 404, false, false)

	var wg sync.WaitGroup
	wg.Go(func() { do(h, request("PUT", "/api/older/7", host, origin)) })
	<-entered
	check("a full server", request("PUT", "/api/older/7", host, origin), 503, true, true)
	res := do(h, request("OPTIONS", "/api/older/7", host, origin, "Access-Control-Request-Method", "PUT"))
	if res.StatusCode/100 != 2 || res.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the preflight of a full server = %d: the browser would not show why", res.StatusCode)
	}
	close(leave)
	wg.Wait()
}

func TestConnectionCapO2(t *testing.T) {
	srv := start(t, server.Options{MaxConns: 1, Site: text("ok")})
	dial := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.public)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	first := dial()
	if _, err := io.WriteString(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(first)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body(t, res)
	second := dial()
	if n, err := second.Read(make([]byte, 1)); err == nil || n != 0 {
		t.Errorf("the connection above the cap lives (%d, %v)", n, err)
	}
	if b := body(t, fetch(t, client(t), "http://"+srv.private+"/metrics")); !strings.Contains(b, `http_rejected_total{reason="connections"} 1`) {
		t.Errorf("the refusal is not counted:\n%s", b)
	}
	// One out, one in: the server notices the end in its own time.
	first.Close()
	for {
		c := dial()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if b, _ := io.ReadAll(c); strings.HasPrefix(string(b), "HTTP/1.1 200") {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the place was never free again")
		}
	}
}

func TestMetrics(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /cars/{id}/", text("ok"))
	srv := start(t, server.Options{Site: mux, MaxInFlight: 1})
	c := client(t)
	body(t, fetch(t, c, "http://"+srv.public+"/cars/7/"))
	body(t, fetch(t, c, "http://"+srv.public+"/cars/8/"))
	body(t, fetch(t, c, "http://"+srv.public+"/nothing?token=s3cret"))
	body(t, fetch(t, c, "http://"+srv.public+"/a%2fb"))
	b := body(t, fetch(t, c, "http://"+srv.private+"/metrics"))
	for _, want := range []string{
		`http_requests_total{method="GET",route="/cars/{id}/",status="200"} 2`,
		`http_requests_total{method="GET",route="unmatched",status="404"} 2`,
		`http_request_duration_seconds_count{method="GET",route="/cars/{id}/"} 2`,
		`http_requests_in_flight 0`,
		`http_connections 1`,
		`http_rejected_total{reason="path"} 1`,
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(b, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(b, "s3cret") {
		t.Error("metrics hold a secret")
	}
	if res := fetch(t, c, "http://"+srv.private+"/debug/pprof/"); res.StatusCode != 200 {
		t.Errorf("pprof = %d", res.StatusCode)
	}
}

func TestNothingPrivateOnThePublicListenerP6(t *testing.T) {
	srv := start(t, server.Options{})
	for _, p := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars"} {
		wantProblem(t, fetch(t, client(t), "http://"+srv.public+p), 404, "not_found")
	}
}
