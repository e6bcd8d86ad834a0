package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/server"
)

// pipes is a listener whose connections never leave the process, so that the
// clock of a synctest bubble rules them.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	c, s := net.Pipe()
	t.Cleanup(func() { c.Close() })
	select {
	case p.conns <- s:
	case <-p.done:
		t.Fatal("dial: closed")
	}
	return c
}

// bubble runs f beside a server whose every clock is the bubble's.
func bubble(t *testing.T, o server.Options, f func(t *testing.T, p *pipes, stop func() error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { inBubble(t, o, f) })
}

// inBubble is for tests whose handlers use channels, which must be made inside.
func inBubble(t *testing.T, o server.Options, f func(t *testing.T, p *pipes, stop func() error)) {
	t.Helper()
	p := newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.New(quiet(o)).Serve(ctx, p, nil) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	f(t, p, stop)
	_ = stop()
}

// answerOf reads a response and what follows it.
func answerOf(t *testing.T, c net.Conn) (*http.Response, *bufio.Reader) {
	t.Helper()
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return res, in
}

func wantClosed(t *testing.T, in io.Reader) {
	t.Helper()
	if b, err := io.ReadAll(in); err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.EOF) {
		t.Errorf("not closed: %v", err)
	} else if len(b) > 0 {
		t.Errorf("more than one answer: %q", b)
	}
}

func TestSlowHeadersAreCutO1(t *testing.T) {
	bubble(t, server.Options{Site: text("ok")}, func(t *testing.T, p *pipes, _ func() error) {
		c := p.dial(t)
		start := time.Now()
		var sender sync.WaitGroup
		sender.Go(func() {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n")
			for i := 0; ; i++ {
				time.Sleep(time.Second)
				if _, err := fmt.Fprintf(c, "X-%d: y\r\n", i); err != nil {
					return
				}
			}
		})
		_, _ = io.ReadAll(c)
		if d := time.Since(start); d < 4*time.Second || d > 6*time.Second {
			t.Errorf("cut after %v, want 5s", d)
		}
		sender.Wait()
	})
}

func TestIdleConnectionsAreClosedO1(t *testing.T) {
	bubble(t, server.Options{Site: text("ok")}, func(t *testing.T, p *pipes, _ func() error) {
		c := p.dial(t)
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, in := answerOf(t, c)
		body(t, res)
		start := time.Now()
		wantClosed(t, in)
		if d := time.Since(start); d != 75*time.Second {
			t.Errorf("closed after %v, want 75s", d)
		}
	})
}

func TestLargeHeadersAreRefusedO1(t *testing.T) {
	srv := start(t, server.Options{Site: text("ok")})
	for size, want := range map[int]int{24 << 10: 200, 40 << 10: 431} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+srv.public+"/", nil)
		r.Header.Set("X-Big", strings.Repeat("a", size))
		res, err := client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes of headers = %d, want %d", size, res.StatusCode, want)
		}
	}
}

// reader reads the whole body and answers what became of it.
var reader = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/upload" {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Minute))
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(6 * time.Minute))
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, "cannot read", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, "read")
})

func TestBodyRateO1(t *testing.T) {
	tests := []struct {
		name, path string
		size       int // of the body
		chunk      int // bytes sent each second
		want       int
		after      time.Duration
	}{
		{"at once", "/", 100, 100, 200, 0},
		{"fast enough", "/", 30 << 10, 2 << 10, 200, 14 * time.Second},
		{"small and slow", "/", 100, 30, 200, 3 * time.Second},
		{"too slow", "/", 1 << 20, 100, 408, 0},
		{"nothing comes", "/", 100, 0, 408, 5 * time.Second},
		{"longer than 60 s", "/", 1 << 20, 4 << 10, 408, 60 * time.Second},
		{"an upload may take longer", "/upload", 400 << 10, 4 << 10, 200, 99 * time.Second},
		{"an upload may not be slower", "/upload", 1 << 20, 100, 408, 0},
		{"an upload ends, too", "/upload", 4 << 20, 4 << 10, 408, 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, server.Options{Site: reader}, func(t *testing.T, p *pipes, _ func() error) {
				c := p.dial(t)
				start := time.Now()
				var sender sync.WaitGroup
				sender.Go(func() {
					_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", tt.path, tt.size)
					for sent := 0; sent < tt.size && tt.chunk > 0; {
						n, err := c.Write(make([]byte, min(tt.chunk, tt.size-sent)))
						if err != nil {
							return
						}
						if sent += n; sent < tt.size {
							time.Sleep(time.Second)
						}
					}
				})
				res, in := answerOf(t, c)
				took := time.Since(start)
				if tt.want == 408 {
					wantProblem(t, res, 408, "timeout")
					wantClosed(t, in)
				} else if b := body(t, res); res.StatusCode != tt.want || b != "read" {
					t.Errorf("status = %d %q, want %d", res.StatusCode, b, tt.want)
				}
				if tt.after > 0 && took != tt.after {
					t.Errorf("answered after %v, want %v", took, tt.after)
				}
				if took > 5*time.Minute || tt.name == "too slow" && took > 7*time.Second {
					t.Errorf("answered after %v", took)
				}
				c.Close()
				sender.Wait()
			})
		})
	}
}

func TestAHandlersPauseIsNotTheClientsFaultO1(t *testing.T) {
	pausing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 1)
		for range 4 {
			time.Sleep(10 * time.Second)
			if _, err := r.Body.Read(buf); err != nil && !errors.Is(err, io.EOF) {
				t.Errorf("Read = %v", err)
			}
		}
		time.Sleep(59 * time.Second) // counted from the end of the body
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request was cancelled: %v", err)
		}
		_, _ = io.WriteString(w, "read")
	})
	bubble(t, server.Options{Site: pausing}, func(t *testing.T, p *pipes, _ func() error) {
		c := p.dial(t)
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd")
		if res, _ := answerOf(t, c); res.StatusCode != 200 {
			t.Errorf("status = %d", res.StatusCode)
		}
	})
}

func TestAnUnreadBodyDoesNotHoldTheConnectionO1(t *testing.T) {
	bubble(t, server.Options{}, func(t *testing.T, p *pipes, _ func() error) {
		c := p.dial(t)
		start := time.Now()
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nab")
		res, in := answerOf(t, c)
		wantProblem(t, res, 404, "not_found")
		wantClosed(t, in)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("held for %v", d)
		}
	})
}

func TestSlowReadersAreCutO1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error, 1)
		writer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var err error
			for err == nil {
				_, err = w.Write(make([]byte, 64<<10))
			}
			done <- err
		})
		inBubble(t, server.Options{Site: writer}, func(t *testing.T, p *pipes, _ func() error) {
			c := p.dial(t)
			start := time.Now()
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			err := <-done // nobody reads
			if d := time.Since(start); d != time.Minute || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write failed after %v with %v, want 1m0s and a deadline", d, err)
			}
		})
	})
}

func TestSmugglingI10(t *testing.T) {
	const next = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	tests := []struct{ name, request string }{
		{"length and chunks", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"chunks and length", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
		{"length and chunks, bare LF", "POST / HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\r\n\r\n"},
		{"odd case", "POST / HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 5\r\nTRANSFER-encoding: Chunked\r\n\r\n0\r\n\r\n"},
		{"HTTP/1.0 chunks", "POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"after an honest request", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" +
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"},
		{"list of lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\nabcdef"},
		{"signed length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde"},
		{"negative length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nabcde"},
		{"space before colon", "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n"},
		{"bad header name", "GET / HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n"},
		{"no header name", "GET / HTTP/1.1\r\nHost: x\r\n: z\r\n\r\n"},
		{"NUL in a value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n"},
		{"no colon", "GET / HTTP/1.1\r\nHost: x\r\nrubbish\r\n\r\n"},
		{"two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"},
		{"no host", "GET / HTTP/1.1\r\n\r\n"},
		{"two encodings", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"unknown encoding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	}
	srv := start(t, server.Options{Site: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			t.Error("a second request was served")
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.public)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, tt.request+next); err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(c) // ends only when the server closes
			last := string(b[strings.LastIndex(string(b), "HTTP/1."):])
			status := strings.Fields(last)[1]
			if want := "400"; status != want && (status != "501" || !strings.Contains(tt.name, "encoding")) {
				t.Errorf("last answer = %s, want %s\n%s", status, want, b)
			}
		})
	}
}

func TestAChunkedRequestIsTheLastOfItsConnectionI10(t *testing.T) {
	srv := start(t, server.Options{Site: reader})
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.public)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, in := answerOf(t, c)
	if b := body(t, res); b != "read" || !res.Close {
		t.Errorf("answer = %q, close %v", b, res.Close)
	}
	wantClosed(t, in)
}

func TestOptionsStarIsServedByOurRules(t *testing.T) {
	srv := start(t, server.Options{Site: text("ok")})
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.public)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	res, _ := answerOf(t, c)
	wantProblem(t, res, 404, "not_found")
}

func TestDrainO7(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered, leave := make(chan struct{}, 1), make(chan struct{})
		site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				entered <- struct{}{}
				<-leave
			}
			if err := r.Context().Err(); err != nil {
				t.Errorf("request cancelled by the drain: %v", err)
			}
			_, _ = io.WriteString(w, "done")
		})
		inBubble(t, server.Options{Site: site, DrainDelay: 5 * time.Second}, func(t *testing.T, p *pipes, stop func() error) {
			slow := p.dial(t)
			_, _ = io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
			<-entered
			start := time.Now()
			stopped := make(chan error, 1)
			go func() { stopped <- stop() }()
			synctest.Wait()

			get := func(path string) (int, string, bool) {
				c := p.dial(t)
				_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
				res, _ := answerOf(t, c)
				return res.StatusCode, body(t, res), res.Close
			}
			if status, b, closes := get("/readyz"); status != 503 || !closes || !strings.Contains(b, "draining") {
				t.Errorf("/readyz = %d %s, close %v", status, b, closes)
			}
			if status, _, _ := get("/livez"); status != 200 {
				t.Errorf("/livez = %d", status)
			}
			time.Sleep(5*time.Second - time.Nanosecond)
			if status, b, closes := get("/new"); status != 200 || b != "done" || !closes {
				t.Errorf("a late request = %d %q, close %v", status, b, closes)
			}
			time.Sleep(10 * time.Second)
			select {
			case err := <-stopped:
				t.Fatalf("Serve = %v with a request in flight", err)
			case <-p.done: // no new connections
			}
			close(leave)
			if res, _ := answerOf(t, slow); body(t, res) != "done" {
				t.Error("the request in flight got no answer")
			}
			if err := <-stopped; err != nil {
				t.Errorf("Serve = %v", err)
			}
			if d := time.Since(start); d > 16*time.Second {
				t.Errorf("stopped after %v", d)
			}
		})
	})
}

func TestDrainIsBoundedO7(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered, leave := make(chan struct{}), make(chan struct{})
		site := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(entered)
			<-leave
		})
		inBubble(t, server.Options{Site: site}, func(t *testing.T, p *pipes, stop func() error) {
			c := p.dial(t)
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			<-entered
			start := time.Now()
			err := stop()
			if d := time.Since(start); d < 20*time.Second || d > 21*time.Second || err != nil {
				t.Errorf("Serve = %v after %v, want a clean end after 20s", err, d)
			}
			close(leave)
		})
	})
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	for _, which := range []int{0, 1} {
		var ls [2]net.Listener
		for i := range ls {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ls[i] = l
		}
		ls[which].Close()
		if err := server.New(quiet(server.Options{})).Serve(t.Context(), ls[0], ls[1]); err == nil {
			t.Errorf("Serve = nil with listener %d closed", which)
		}
	}
}

func TestStopWithoutTrafficIsClean(t *testing.T) {
	srv := start(t, server.Options{Site: text("ok")})
	body(t, fetch(t, client(t), "http://"+srv.public+"/"))
	srv.stop()
	if err := srv.wait(); err != nil {
		t.Errorf("Serve = %v", err)
	}
}
