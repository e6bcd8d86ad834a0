package legacyapi

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/note"
)

// screen is the member of a refusal that the client's screen of a route shows.
// The others it passes over: without its own member a refusal looks like
// nothing, or like a success.
type screen int

const (
	showsDetail  screen = iota // detail, one sentence
	showsFields                // the complaints by field, and detail where there are none
	showsMessage               // Message, one sentence, beside the complaints by field
	showsError                 // email, and error for everything else, both lists of sentences
)

// refuse answers with a body to which the member that the screen shows is added
// where it is missing.
func (s screen) refuse(w http.ResponseWriter, status int, body object) {
	if status >= http.StatusMultipleChoices { // the client reads some refusals from a success
		body = s.complete(body)
	}
	answer(w, status, body)
}

// complete is body with the member that the screen shows.
func (s screen) complete(body object) object {
	var name string
	var value any
	switch s {
	case showsFields:
		return body
	case showsDetail:
		name, value = "detail", strings.Join(sentences(body, ""), " ")
	case showsMessage:
		name, value = "Message", strings.Join(sentences(body, ""), " ")
	case showsError:
		left := sentences(body, "email")
		if len(left) == 0 { // the address alone is wrong
			return body
		}
		name, value = "error", left
	}
	if _, given := body[name]; given {
		return body
	}
	body = maps.Clone(body)
	body[name] = value
	return body
}

// sentences are what a refusal says, "<field>: <sentence>" for complaints about
// fields, in the order of their names. The field except is left out,
// if it is not empty.
func sentences(body object, except string) (said []string) {
	for _, name := range slices.Sorted(maps.Keys(body)) {
		switch v := body[name].(type) {
		case string:
			said = append(said, v)
		case []string:
			if name == except && except != "" {
				continue
			}
			prefix := name + ": "
			if name == nonField || name == "" {
				prefix = ""
			}
			for _, text := range v {
				said = append(said, prefix+text)
			}
		}
	}
	return said
}

// Refusal returns the members that a refusal of the request must carry beside
// those of a problem document, so that the client's screen shows the sentence.
// It is for refusals from outside of this package. It returns nil for requests
// that are not the client's.
func (a *API) Refusal(r *http.Request, sentence string) map[string]any {
	for path, s := range a.screens {
		if !matches(path, r.URL.Path) {
			continue
		}
		body := s.complete(object{"detail": sentence})
		delete(body, "detail")
		return body
	}
	return nil
}

// matches tells whether a path is one of the pattern, whose last segment may be
// a wildcard.
func matches(pattern, path string) bool {
	fixed, _, wild := strings.Cut(pattern, "{")
	if !wild {
		return path == pattern
	}
	rest, ok := strings.CutPrefix(path, fixed)
	return ok && rest != "" && !strings.Contains(rest, "/")
}

// refusal is an answer that is no success, in the client's own words.
type refusal struct {
	status int
	body   object
}

func (r *refusal) Error() string { return "refused with " + strconv.Itoa(r.status) }

type object = map[string]any

// refuse is a refusal with one member.
func refuse(status int, name string, value any) error {
	return &refusal{status, object{name: value}}
}

// The refusals that are the same everywhere.
var (
	errUnauthenticated = refuse(http.StatusForbidden, "detail", "Unauthenticated")
	errForeign         = refuse(http.StatusForbidden, "detail", "Requests from this origin are not allowed.")
	errNotFound        = refuse(http.StatusNotFound, "detail", "Not found.")
)

// fail answers with what an error comes down to for the client.
func (a *API) fail(c *call, err error) {
	if r, ok := errors.AsType[*refusal](err); ok {
		c.shows.refuse(c.w, r.status, r.body)
		return
	}
	f := fault.As(err)
	if errors.Is(err, context.Canceled) { // the client has gone
		f = fault.New(fault.Unavailable, "The request was given up.")
	}
	if f == nil {
		a.logProblem(c, http.StatusInternalServerError, err)
		c.shows.refuse(c.w, http.StatusInternalServerError, object{"detail": "Something went wrong on our side. It has been noted."})
		return
	}
	if f.RetryAfter > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	status := statusOf[f.Kind]
	switch f.Kind { //nolint:exhaustive // the others answer with their sentence
	case fault.Invalid:
		c.shows.refuse(c.w, status, byField(f.Fields).object())
		return
	case fault.NotFound:
		c.shows.refuse(c.w, status, object{"detail": "Not found."})
		return
	case fault.Unauthenticated:
		c.shows.refuse(c.w, status, object{"detail": "Unauthenticated"})
		return
	}
	if status >= http.StatusInternalServerError {
		a.logProblem(c, status, err)
	}
	c.shows.refuse(c.w, status, object{"detail": f.Message})
}

var statusOf = map[fault.Kind]int{
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusForbidden,
	fault.Reauthenticate:  http.StatusForbidden,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Stale:           http.StatusConflict,
	fault.Mismatch:        http.StatusConflict,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.TooMany:         http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Full:            http.StatusInsufficientStorage,
}

func (a *API) logProblem(c *call, status int, err error) {
	if errors.Is(err, fault.Unavailable) { // it passes, and the outermost ring tells of many in one line
		note.Busy(c.ctx(), err)
		return
	}
	a.Log.ErrorContext(c.ctx(), "request failed", "route", c.r.Pattern, "status", status, "request_id", c.r.Header.Get("X-Request-Id"), "err", err)
}

// answer sends JSON.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // fails only if the client has gone
}
