package site

import (
	"bytes"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// The fields of the forms. The password's is the name that the rules know.
const (
	fieldPassword = "new_password"
	fieldAgain    = "new_password_again"
)

// view is what a template is filled with.
type view struct {
	*words
	Style     string
	Title     string
	Path      string // of the page, for forms
	Switch    string // the same page in the other language; empty where there is no going back to it
	AdminPath string
	Token     string
	Text      []string

	// What is wrong with the fields of the form.
	Failed   bool
	BadNew   []string
	BadAgain []string
}

func (s *Site) view(r *http.Request, title func(*words) string) view {
	l := language(r)
	v := view{words: l, Style: s.style, Title: title(l), Path: r.URL.Path, AdminPath: s.admin}
	if r.Method != http.MethodPost {
		q := r.URL.Query()
		q.Set("lang", l.OtherLang)
		v.Switch = r.URL.Path + "?" + q.Encode()
	}
	return v
}

// render answers with a page, or with 500 when the template fails: then nothing
// of it has been sent yet.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		s.log.ErrorContext(r.Context(), "page failed", "route", r.Pattern, "err", err)
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // fails only if the client has gone
}

// say answers with a page that has nothing but a message on it.
func (s *Site) say(w http.ResponseWriter, r *http.Request, status int, m func(*words) message) {
	v := s.view(r, func(l *words) string { return m(l).Title })
	v.Text = m(v.words).Text
	s.render(w, r, status, "message.html", v)
}

func (s *Site) start(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "start.html", s.view(r, func(l *words) string { return l.Name }))
}

// askVerify shows the button that confirms an address. The link alone changes
// nothing (I9): scanners of mail follow links, too.
func (s *Site) askVerify(w http.ResponseWriter, r *http.Request) {
	s.ask(w, r, "verify.html", func(l *words) string { return l.VerifyTitle })
}

// askReset shows the form that takes a new password.
func (s *Site) askReset(w http.ResponseWriter, r *http.Request) {
	s.ask(w, r, "reset.html", func(l *words) string { return l.ResetTitle })
}

func (s *Site) ask(w http.ResponseWriter, r *http.Request, name string, title func(*words) string) {
	v := s.view(r, title)
	if v.Token = tokenOf(r.URL.Query()); v.Token == "" {
		s.say(w, r, http.StatusBadRequest, func(l *words) message { return l.NoToken })
		return
	}
	s.render(w, r, http.StatusOK, name, v)
}

// verify spends the token of the form on confirming the address.
func (s *Site) verify(w http.ResponseWriter, r *http.Request) {
	_, token, ok := s.form(w, r)
	if !ok {
		return
	}
	if err := s.accounts.ConfirmAddress(r.Context(), actor(r), token); err != nil {
		s.fail(w, r, err, func(l *words) message { return l.VerifyFailed })
		return
	}
	s.say(w, r, http.StatusOK, func(l *words) message { return l.Verified })
}

// reset spends the token of the form on setting a new password. The form comes
// back with what is wrong and with its token, but never with the passwords.
func (s *Site) reset(w http.ResponseWriter, r *http.Request) {
	form, token, ok := s.form(w, r)
	if !ok {
		return
	}
	pw := form.Get(fieldPassword)
	var bad fault.Fields
	if pw != form.Get(fieldAgain) {
		bad.Add(fieldAgain, "mismatch", english.Rules["mismatch"])
	}
	err := s.accounts.ConfirmReset(r.Context(), actor(r), token, pw, bad)
	if err == nil {
		s.say(w, r, http.StatusOK, func(l *words) message { return l.ResetDone })
		return
	}
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid || !f.Fields.Has(fieldPassword) && !f.Fields.Has(fieldAgain) {
		s.fail(w, r, err, func(l *words) message { return l.ResetFailed })
		return
	}
	v := s.view(r, func(l *words) string { return l.ResetTitle })
	v.Token, v.Failed = token, true
	for _, e := range f.Fields {
		switch e.Field {
		case fieldPassword:
			v.BadNew = append(v.BadNew, v.rule(e))
		case fieldAgain:
			v.BadAgain = append(v.BadAgain, v.rule(e))
		}
	}
	s.render(w, r, http.StatusBadRequest, "reset.html", v)
}

// form reads a form and the token in it, and answers for those it refuses.
func (s *Site) form(w http.ResponseWriter, r *http.Request) (form url.Values, token string, ok bool) {
	form, status := s.readForm(w, r)
	if status == 0 {
		if token = tokenOf(form); token != "" {
			return form, token, true
		}
		s.say(w, r, http.StatusBadRequest, func(l *words) message { return l.NoToken })
		return nil, "", false
	}
	s.say(w, r, status, func(l *words) message {
		switch status {
		case http.StatusForbidden:
			return l.Foreign
		case http.StatusRequestEntityTooLarge:
			return l.TooLarge
		}
		return l.BadForm
	})
	return nil, "", false
}

// fail answers for a token that was not spent. Only faults that are told apart
// here explain themselves; anything else is logged, once, and stays opaque.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error, refused func(*words) message) {
	status, say := http.StatusInternalServerError, func(l *words) message { return l.Broken }
	switch f := fault.As(err); {
	case f == nil:
	case f.Kind == fault.TooMany:
		status, say = http.StatusTooManyRequests, func(l *words) message { return l.TooMany }
		retryAfter(w, f, time.Minute)
	case f.Kind == fault.Unavailable || f.Kind == fault.Full:
		status, say = http.StatusServiceUnavailable, func(l *words) message { return l.Busy }
		retryAfter(w, f, 5*time.Second)
	case f.Kind == fault.Invalid && f.Fields.Has("email"):
		status, say = http.StatusBadRequest, func(l *words) message { return l.Taken }
	case f.Kind == fault.Invalid || f.Kind == fault.NotFound:
		status, say = http.StatusBadRequest, refused
	}
	if status == http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "err", err,
			"request_id", r.Header.Get("X-Request-Id"))
	}
	s.say(w, r, status, say)
}

// retryAfter tells the client when to come back: whole seconds, one at least.
func retryAfter(w http.ResponseWriter, f *fault.Error, otherwise time.Duration) {
	d := f.RetryAfter
	if d <= 0 {
		d = otherwise
	}
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))))
}

// actor is whoever holds the link.
func actor(r *http.Request) account.Actor {
	return account.Actor{Source: account.SourceAPI, Address: r.RemoteAddr, Device: r.UserAgent()}
}
