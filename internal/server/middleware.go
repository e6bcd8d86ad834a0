package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/ridecopilot/ridecopilot/internal/note"
)

// handler is what the rings inside observe are made of: they share one response.
type handler func(w *response, r *http.Request)

// response notes what became of an answer. It answers to
// [http.ResponseController], and keeps the deadlines that a handler sets in step
// with those of the body.
//
// The head of an answer waits for its first bytes: an answer for which there is no
// room (see budget) becomes another one.
type response struct {
	http.ResponseWriter
	s        *Server
	r        *http.Request
	status   int   // 0 until an answer has begun
	waiting  bool  // the head has not left yet
	refused  bool  // there was no room: further writes of the handler are dropped
	bytes    int64 // of the answer's body
	body     *body // nil when there is none to read
	extended atomic.Bool
	note     note.Request
}

// WriteHeader drops the answer to a body that came too slowly: paced gives the
// true one once the handler is done.
func (w *response) WriteHeader(status int) {
	if w.overruled() {
		return
	}
	if status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.status == 0 {
		w.status, w.waiting = status, true
	}
}

// begin sends the head of the answer, if it has not left yet.
func (w *response) begin() {
	if w.waiting {
		w.waiting = false
		w.ResponseWriter.WriteHeader(w.status)
	}
}

func (w *response) Write(p []byte) (int, error) {
	if w.overruled() {
		return len(p), nil
	}
	if w.refused {
		return len(p), nil
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if size := int64(len(p)); size > smallWrite {
		if !w.s.answers.take(size) {
			// Another method has made its change: "try again" would make it twice.
			if w.waiting && (w.r.Method == http.MethodGet || w.r.Method == http.MethodHead) {
				w.refuseForRoom()
				return len(p), nil
			}
			w.s.answers.used.Add(size) // it is on its way, and is let through
		}
		defer w.s.answers.give(size)
		if w.s.answers.scarce() && !w.extended.Load() {
			_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(scarceTimeout))
		}
	}
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// refuseForRoom answers 503 in place of an answer that has not left yet.
func (w *response) refuseForRoom() {
	w.s.metrics.rejected.WithLabelValues("answers").Inc()
	w.status, w.waiting = 0, false
	w.s.restart(w)
	w.Header().Set("Retry-After", "1")
	w.s.refuse(w, w.r, http.StatusServiceUnavailable, "busy", "The server is busy. Try again in a moment.")
	w.begin()
	w.refused = true
}

// FlushError is found by http.ResponseController.
func (w *response) FlushError() error {
	if w.overruled() {
		return nil
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// SetReadDeadline is found by http.ResponseController. It moves the moment at
// which the body must be complete; the least rate holds all the same.
func (w *response) SetReadDeadline(t time.Time) error {
	if w.body == nil {
		return http.NewResponseController(w.ResponseWriter).SetReadDeadline(t)
	}
	w.body.extend(t)
	return nil
}

// SetWriteDeadline is found by http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.extended.Store(true)
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(t)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) overruled() bool {
	return w.status == 0 && w.body != nil && w.body.late.Load()
}

// identify gives the request an id of ours, whatever id came with it.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		r.Header.Set("X-Request-Id", id)
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r)
	})
}

// observe writes the one line a request leaves in the log (P3), counts it, and
// begins its trace. The line names the route, never the path or the query, which
// may hold secrets (P4). Probes that succeed are for debugging only.
func (s *Server) observe(next handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, outer *http.Request) {
		start := s.now()
		w := &response{ResponseWriter: rw, s: s, r: outer, note: note.Request{ID: outer.Header.Get("X-Request-Id")}}
		ctx := note.With(outer.Context(), &w.note)
		var span trace.Span
		if s.tracer != nil && !isProbe(outer.URL.Path) {
			ctx, span = s.begin(ctx, outer)
		}
		r := outer.WithContext(ctx)
		ended := false
		defer func() {
			took := s.now().Sub(start)
			status := w.status
			if status == 0 {
				status = http.StatusOK
			}
			switch {
			case (status >= 500 || !ended) && errors.Is(outer.Context().Err(), context.Canceled):
				status = statusGone
			case !ended:
				status = http.StatusInternalServerError // whatever the half of it says that has left
			}
			outer.Pattern = r.Pattern
			method, route := methodLabel(r.Method), routeLabel(r.Pattern)
			s.metrics.count(labels{method, route, status}, took)
			if w.note.Busy != nil {
				s.busy.add(context.WithoutCancel(ctx), route, w.note.Busy)
			}
			if w.note.Limit != "" {
				s.metrics.throttled.WithLabelValues(w.note.Limit).Inc()
			}
			if span != nil {
				end(span, method, route, status, w.note)
			}
			attrs := []slog.Attr{
				slog.String("method", method),
				slog.String("route", route),
				slog.Int("status", status),
				slog.Int64("bytes", w.bytes),
				slog.Duration("duration", took),
				slog.String("request_id", w.note.ID),
				slog.String("user", w.note.User),
			}
			if w.note.Limit != "" {
				attrs = append(attrs, slog.String("limit", w.note.Limit))
			}
			if !ended {
				attrs = append(attrs, slog.Bool("aborted", true))
			}
			level := slog.LevelInfo
			if isProbe(route) && status < 500 {
				level = slog.LevelDebug
			}
			s.log.LogAttrs(context.WithoutCancel(ctx), level, "request", attrs...)
		}()
		next(w, r)
		w.begin()
		ended = true
	})
}

// statusGone is noted where a client went before it was answered: that is no
// failure of ours (the number is nginx's).
const statusGone = 499

// begin starts the trace of a request. A traceparent that came with it is linked
// to and not continued: a balancer passes on whatever a client has made up, who
// could join traces of others or have all of theirs recorded.
func (s *Server) begin(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	o := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer)}
	theirs := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header)))
	if theirs.IsValid() {
		// Without its tracestate, which is text of the client's (P4).
		o = append(o, trace.WithLinks(trace.Link{SpanContext: theirs.WithTraceState(trace.TraceState{})}))
	}
	return s.tracer.Start(ctx, methodLabel(r.Method), o...)
}

// end names the span of a request, now that its route is known.
func end(span trace.Span, method, route string, status int, n note.Request) {
	span.SetName(method + " " + route)
	span.SetAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(status),
		attribute.String("request_id", n.ID))
	if status >= 500 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// recovered keeps a panic to the request it happened in (O5). The log gets the
// stack, but no more of the value than its type, unless the runtime made it: an
// error that is thrown about may quote what the client sent (P4).
func (s *Server) recovered(next handler) handler {
	return func(w *response, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if isAbort(v) {
				panic(v)
			}
			s.log.ErrorContext(context.WithoutCancel(r.Context()), "panic",
				"route", routeLabel(r.Pattern), "panic", panicText(v),
				"request_id", r.Header.Get("X-Request-Id"), "stack", string(debug.Stack()))
			if w.status != 0 && !w.waiting {
				panic(http.ErrAbortHandler) // so that half an answer does not pass for a whole one
			}
			w.body, w.status, w.waiting = nil, 0, false
			s.restart(w)
			s.refuse(w, r, http.StatusInternalServerError, "internal", "Something went wrong on our side.")
		}()
		next(w, r)
	}
}

func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}

// secure puts the headers on every answer that keep browsers careful (B4).
// Handlers inside may replace them.
func (s *Server) secure(next handler) handler {
	return func(w *response, r *http.Request) {
		s.secureHeaders(w.Header())
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next(w, r)
	}
}

func (s *Server) secureHeaders(h http.Header) {
	if s.https {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// framed refuses a request whose length is stated twice, which net/http would
// read one way and a proxy in front perhaps another (I10). Every chunked request
// is the last of its connection, so that nothing can hide behind its end.
func (s *Server) framed(next handler) handler {
	return func(w *response, r *http.Request) {
		if ambiguous(r.Context()) {
			s.metrics.rejected.WithLabelValues("framing").Inc()
			w.Header().Set("Connection", "close")
			s.refuse(w, r, http.StatusBadRequest, "bad_request", "The length of the request is ambiguous.")
			return
		}
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next(w, r)
	}
}
