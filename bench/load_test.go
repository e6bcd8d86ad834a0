package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestClient(t *testing.T) {
	long := strings.Repeat("long ", 5000)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /short", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) })
	mux.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) }) // in pieces
	mux.HandleFunc("GET /none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	mux.HandleFunc("GET /last", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	mux.HandleFunc("GET /bad", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "why", http.StatusTeapot) })
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	s := httptest.NewServer(mux)
	defer s.Close()
	c := &client{addr: strings.TrimPrefix(s.URL, "http://")}
	defer c.close()

	for _, tt := range []struct {
		path   string
		keep   bool
		status int
		body   string
	}{
		{"/short", true, 200, "Bearer token"},
		{"/long", true, 200, long},
		{"/long", false, 200, ""},
		{"/none", true, 304, ""},
		{"/last", true, 200, ""},
		{"/short", false, 200, ""}, // over a new connection
		{"/bad", false, 418, "why\n"},
	} {
		status, body, err := c.do(get(nil, c.addr, tt.path, "token"), tt.keep)
		if err != nil || status != tt.status || string(body) != tt.body {
			t.Errorf("GET %s: status %d, %d bytes, %v; want %d, %d bytes", tt.path, status, len(body), err, tt.status, len(tt.body))
		}
	}
	if status, body, err := c.do(post(nil, c.addr, "/echo", "", `{"a": 1}`), true); err != nil || status != 200 || string(body) != `{"a": 1}` {
		t.Errorf("POST: status %d, %q, %v", status, body, err)
	}
}

func TestClient_NoHTTP(t *testing.T) {
	for _, answer := range []string{
		"", "\r\n", "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1000))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}()
		c := &client{addr: l.Addr().String()}
		if status, _, err := c.do(get(nil, c.addr, "/", ""), true); err == nil {
			t.Errorf("%q passed for an answer, with status %d", answer, status)
		}
		c.close()
		_ = l.Close()
	}
}

func TestDrive(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%10 == 0 {
			http.Error(w, "the tenth", http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	workers := func(n int) (list []*worker) {
		for range n {
			list = append(list, &worker{want: 200, next: func(b []byte) []byte { return get(b, addr, "/", "") }})
		}
		return list
	}

	got := drive(t.Context(), addr, workers(4), time.Minute, 100)
	if len(got.took) != 90 || got.errors != 10 || !strings.Contains(got.first, "the tenth") {
		t.Errorf("%d answers, %d errors, first %q; want 90 and 10", len(got.took), got.errors, got.first)
	}
	begin := time.Now()
	if got := drive(t.Context(), addr, workers(2), 50*time.Millisecond, 0); len(got.took) == 0 || got.elapsed < 50*time.Millisecond {
		t.Errorf("%d answers in %v", len(got.took), got.elapsed)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("50 ms took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := drive(ctx, addr, workers(2), time.Minute, 0); len(got.took) != 0 {
		t.Errorf("%d answers after the end", len(got.took))
	}
	s.Close()
	if got := drive(t.Context(), addr, workers(1), time.Millisecond, 0); got.errors == 0 {
		t.Error("no errors without a server")
	}
}
