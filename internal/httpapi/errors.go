package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/note"
)

// problem is an error as clients see it (RFC 9457).
type problem struct {
	Type      string        `json:"type" doc:"A stable name of what went wrong, for programs." example:"invalid"`
	Title     string        `json:"title" doc:"The same for people, in a few words." example:"The input is not valid."`
	Status    int           `json:"status" doc:"The HTTP status." example:"400"`
	Detail    string        `json:"detail" doc:"What went wrong this time, and what to do." example:"The input is not valid."`
	RequestID string        `json:"request_id" doc:"Tell us this when you ask for help: it is in our logs." example:"f3a1c0de5b7d4e21"`
	Errors    []fault.Field `json:"errors,omitempty" doc:"For invalid input: every bad field, at once."`
	Report    *importOut    `json:"report,omitempty" doc:"For a refused import: what is wrong with which line."`

	retryAfter time.Duration
	cause      error // for the log alone
}

func (p *problem) Error() string { return p.Detail }

// GetStatus makes problem an error of huma's.
func (p *problem) GetStatus() int { return p.Status }

// ContentType is what problems travel as.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// statusOf gives every kind of fault its HTTP status.
var statusOf = map[fault.Kind]int{
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Reauthenticate:  http.StatusForbidden,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Stale:           http.StatusPreconditionFailed,
	fault.Mismatch:        http.StatusUnprocessableEntity,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.TooMany:         http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Full:            http.StatusInsufficientStorage,
}

func problemOf(status int, kind, detail string) *problem {
	return &problem{Type: kind, Title: http.StatusText(status), Status: status, Detail: detail}
}

// explain turns an error into what the client may know of it. Only faults
// explain themselves; anything else is an opaque 500.
func explain(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	f := fault.As(err)
	if errors.Is(err, context.Canceled) { // the client has gone: nobody reads this, and nothing is wrong
		return problemOf(http.StatusServiceUnavailable, string(fault.Unavailable), "The request was given up.")
	}
	if f == nil {
		p := problemOf(http.StatusInternalServerError, "internal", "Something went wrong on our side. It has been noted.")
		p.cause = err
		return p
	}
	p := problemOf(statusOf[f.Kind], string(f.Kind), f.Message)
	p.Errors, p.retryAfter = f.Fields, f.RetryAfter
	if p.Status >= http.StatusInternalServerError {
		p.cause = err
	}
	return p
}

// fail answers with the problem that err is, and logs it once if it is ours.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := explain(err)
	a.logProblem(r, p)
	writeProblem(w, r, p)
}

// logProblem logs failures of the server. A busy answer is noted for the outermost
// ring instead, which logs many of them in one line.
func (a *API) logProblem(r *http.Request, p *problem) {
	switch {
	case p.Status == http.StatusServiceUnavailable && p.cause != nil:
		note.Busy(r.Context(), p.cause)
	case p.cause != nil:
		a.Log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("route", r.Pattern), slog.Int("status", p.Status),
			slog.String("request_id", requestID(r)), slog.Any("err", p.cause))
	}
}

// requestID is the number that the server gave the request.
func requestID(r *http.Request) string { return r.Header.Get("X-Request-Id") }

// writeProblem sends a problem document.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	p.RequestID = requestID(r)
	p.headers(w.Header().Set)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(p) // fails only if the client has gone
}

// headers sets those that go with the status.
func (p *problem) headers(set func(name, value string)) {
	switch {
	case p.Status == http.StatusUnauthorized:
		set("WWW-Authenticate", "Bearer")
	case p.retryAfter > 0:
		set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
}

// humaError makes the library's own refusals problems like all others: bad
// parameters of the path mean that there is nothing there, bad parameters of
// the query are named.
func humaError(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
	p := problemOf(status, "invalid", msg)
	if status == http.StatusUnprocessableEntity || status == http.StatusBadRequest {
		p = problemOf(http.StatusBadRequest, string(fault.Invalid), "The input is not valid.")
	}
	for _, err := range errs {
		if inner, ok := err.(*problem); ok { //nolint:errorlint // handed over as it is
			p = inner
			break
		}
		d, ok := err.(huma.ErrorDetailer)
		if !ok {
			continue
		}
		place, field, _ := strings.Cut(d.ErrorDetail().Location, ".")
		if place == "path" {
			p = problemOf(http.StatusNotFound, string(fault.NotFound), "There is nothing at this address.")
			break
		}
		message := strings.TrimPrefix(d.ErrorDetail().Message, "invalid value: ")
		p.Errors = append(p.Errors, fault.Field{Field: field, Code: codeOf(message), Message: message})
	}
	switch p.Status {
	case http.StatusRequestEntityTooLarge:
		p.Type, p.Detail = string(fault.TooLarge), "The request is too large."
	case http.StatusRequestTimeout:
		p.Type, p.Detail = "timeout", "The request took too long to arrive."
	case http.StatusInternalServerError:
		p.Type, p.Detail = "internal", "Something went wrong on our side. It has been noted."
		if len(errs) > 0 {
			p.cause = errs[0]
		}
	}
	if ctx != nil {
		p.RequestID = ctx.Header("X-Request-Id")
		p.headers(ctx.SetHeader)
	}
	return p
}
