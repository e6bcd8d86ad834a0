package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// errSlow is what a handler reads from a body that comes too slowly. The client
// is answered 408 whatever the handler makes of it.
var errSlow = fmt.Errorf("request body came too slowly: %w", os.ErrDeadlineExceeded)

// body reads a request's body at no less than the least rate (O1). Only the time
// spent waiting in Read counts, so that a handler that takes its time between
// two reads is not held against the client.
type body struct {
	io.ReadCloser
	w     *response
	conn  *http.ResponseController
	got   int64
	spent time.Duration
	until atomic.Pointer[time.Time] // set by a handler: replaces bodyTimeout
	late  atomic.Bool
	ended atomic.Bool
}

// paced bounds the reading of bodies, also of those that no handler reads:
// net/http reads some of what is left over before it reuses a connection.
func (s *Server) paced(next handler) handler {
	return func(w *response, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next(w, r)
			return
		}
		b := &body{ReadCloser: r.Body, w: w, conn: http.NewResponseController(w.ResponseWriter)}
		w.body = b
		b.deadline(bodyTimeout)
		// net/http looks at the very body that it made when it ends the request,
		// so the handlers get a copy of the request, and its pattern comes back.
		inner := r.WithContext(r.Context())
		inner.Body = b
		defer func() { r.Pattern = inner.Pattern }()
		defer func() {
			if !b.ended.Load() {
				b.deadline(bodyGrace)
			}
		}()
		next(w, inner)
		if b.late.Load() {
			s.metrics.rejected.WithLabelValues("slow_body").Inc()
			if w.status == 0 || w.waiting {
				w.body, w.status, w.waiting = nil, 0, false
				s.restart(w)
				w.Header().Set("Connection", "close")
				_ = b.conn.SetWriteDeadline(time.Now().Add(bodyGrace)) // without one the connection's own holds
				s.refuse(w, r, http.StatusRequestTimeout, "timeout", "The request came too slowly.")
			}
		}
	}
}

func (b *body) Read(p []byte) (int, error) {
	if b.late.Load() {
		return 0, errSlow
	}
	start := time.Now()
	left := bodyGrace + time.Duration(b.got)*time.Second/bodyRate - b.spent
	if t := b.until.Load(); t == nil {
		left = min(left, bodyTimeout-b.spent)
	} else if !t.IsZero() {
		left = min(left, t.Sub(start))
	}
	b.deadline(left)
	n, err := b.ReadCloser.Read(p)
	took := time.Since(start)
	b.got += int64(n)
	b.spent += took
	switch {
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
		// net/http goes on to watch the connection: a deadline left behind would
		// look to it like a client that has gone.
		_ = b.conn.SetReadDeadline(time.Time{})
		if !b.w.extended.Load() {
			_ = b.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
	case errors.Is(err, os.ErrDeadlineExceeded) || took > left:
		b.late.Store(true)
		return n, errSlow
	}
	return n, err
}

// deadline fails reads after d. A writer that has no deadlines (in tests) leaves
// it to the count in Read.
func (b *body) deadline(d time.Duration) { _ = b.conn.SetReadDeadline(time.Now().Add(d)) }

// extend moves the moment at which the body must be complete; zero takes it away.
func (b *body) extend(t time.Time) { b.until.Store(&t) }
