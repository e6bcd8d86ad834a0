package admin

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/parts"
)

// cookieName is that of the session: with the prefix that browsers guard where
// the site is on https (promise B1).
func (s *Site) cookieName() string {
	if s.Secure {
		return "__Host-ridecopilot-admin-session"
	}
	return "ridecopilot-admin-session"
}

func (s *Site) cookie(name, value string, seconds int) *http.Cookie {
	//nolint:gosec // G124: Secure is off in development over plain http, which says so aloud (promise B1)
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, Secure: s.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// The limits of forms: a text of 5,000 code points is the longest field, a photo
// the largest file.
const (
	maxLogin  = 64 << 10 // of those whom nobody knows yet
	maxForm   = 1 << 20
	maxUpload = 11 << 20
	maxParts  = 40
)

var errForm = fault.New(fault.Invalid, "The form or the address could not be read.")

// readForm reads the fields of a form of ours (promises B2, B5, I1, I2).
func (q *request) readForm() error {
	if !q.site.gate.Pass(q.r, true) {
		return errForged
	}
	form, err := q.site.parseForm(q.w, q.r)
	if err != nil {
		return err
	}
	q.form = form
	if !q.site.Accounts.CheckFormToken(q.session.ID, form.get(tokenField)) {
		return errForged
	}
	return nil
}

// parseForm reads a form, files included, within limits (promise U12). A field that
// has one value by its declaration is there once, as in JSON (promise I1).
func (s *Site) parseForm(w http.ResponseWriter, r *http.Request) (formValues, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(r.Header["Content-Type"]) > 1 || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, fault.New(fault.Unsupported, "A form is read here, and nothing else.")
	}
	var values url.Values
	switch kind {
	case "application/x-www-form-urlencoded":
		if r.ContentLength > maxForm { // reading would ask a client for it that waits with its body
			return nil, errTooLarge
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
		if err != nil {
			return nil, tooLarge(err)
		}
		if values, err = url.ParseQuery(string(body)); err != nil {
			return nil, errForm
		}
	case "multipart/form-data":
		if values, err = parseMultipart(w, r); err != nil {
			return nil, err
		}
	default:
		return nil, fault.New(fault.Unsupported, "A form is read here, and nothing else.")
	}
	if err := readable(values); err != nil {
		return nil, err
	}
	for name, list := range values {
		if len(list) > 1 && !s.repeats[name] {
			return nil, errTwice
		}
	}
	return formValues(values), nil
}

var errTwice = fault.New(fault.Invalid, "The form has a field more than once that has one value.")

// readable refuses texts that no page of ours sends and no database takes: those
// that are no UTF-8, or hold a zero (promise I1).
func readable(values url.Values) error {
	for name, list := range values {
		if name == fileField {
			continue
		}
		for _, v := range append(list, name) {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return errForm
			}
		}
	}
	return nil
}

// fileField is the field that holds a file: the bytes are its value, and the name
// of the file is in the field with ".name".
const fileField = "file"

func parseMultipart(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.ContentLength > maxUpload {
		return nil, errTooLarge
	}
	r.Body = io.NopCloser(parts.Whole(http.MaxBytesReader(w, r.Body, maxUpload)))
	form, err := r.MultipartReader()
	if err != nil {
		return nil, errForm
	}
	values := url.Values{}
	for n := 0; ; n++ {
		p, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, tooLarge(err)
		}
		if n >= maxParts {
			return nil, fault.New(fault.TooLarge, "The form has too many parts.")
		}
		body, err := io.ReadAll(p)
		if err != nil {
			return nil, tooLarge(err)
		}
		name := p.FormName()
		if name == fileField && p.FileName() != "" {
			values.Add(name+".name", strings.ToValidUTF8(p.FileName(), "\ufffd"))
		}
		if name == fileField && p.FileName() == "" { // none was chosen
			body = nil
		}
		values.Add(name, string(body))
	}
}

var errTooLarge = fault.New(fault.TooLarge, "The form is too large: a file may have 10 MB.")

func tooLarge(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return errForm
}

// toLogin sends somebody to the sign-in page, and back from there if they asked
// for a page (promise Z6).
func (q *request) toLogin() {
	target := Path + "login/"
	if q.r.Method == http.MethodGet && q.r.URL.Path != Path {
		target += "?next=" + url.QueryEscape(q.r.URL.RequestURI())
	}
	q.w.Header().Set("Location", target)
	q.w.WriteHeader(http.StatusFound)
}

// localPath is next if it is a page of this site, else the front page (promise B6).
func localPath(next string) string {
	if !strings.HasPrefix(next, Path) || len(next) > 4096 || strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return Path
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/../") ||
		strings.HasSuffix(u.Path, "/..") || u.Path == Path+"login/" || u.Path == Path+"logout/" {
		return Path
	}
	return next
}

type loginView struct {
	view
	Email, Next, Problem string
	Bad                  fault.Fields
}

func (s *Site) showLogin(w http.ResponseWriter, r *http.Request) {
	q := s.begin(w, r)
	if q.identify() == nil {
		q.redirect(localPath(r.URL.Query().Get("next")), "")
		return
	}
	q.render(http.StatusOK, "login.html", loginView{view: q.view("Sign in"), Next: localPath(r.URL.Query().Get("next"))})
}

// login signs an operator in. Whatever is wrong with the account or the password,
// the answer is the same (promises T4, B9).
func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	q := s.begin(w, r)
	if !s.gate.Pass(r, true) { // it is answered with a cookie
		q.fail(errForged)
		return
	}
	if r.ContentLength > maxLogin {
		q.fail(errTooLarge)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	form, err := s.parseForm(w, r)
	if err != nil {
		q.fail(err)
		return
	}
	next := localPath(form.get("next"))
	if form.get("next") == "" {
		next = localPath(r.URL.Query().Get("next"))
	}
	by := account.Actor{Source: account.SourceAdmin, Address: r.RemoteAddr, Device: r.UserAgent()}
	v := loginView{view: q.view("Sign in"), Email: form.get("email"), Next: next}
	for _, name := range []string{"email", "password"} {
		if form.get(name) == "" {
			v.Bad.Add(name, "required", "This field is required.")
		}
	}
	if len(v.Bad) > 0 {
		q.render(http.StatusBadRequest, "login.html", v)
		return
	}
	c, err := s.Accounts.SignIn(q.ctx, by, account.SessionAdmin, form.get("email"), form.get("password"))
	if errors.Is(err, fault.Unauthenticated) || errors.Is(err, fault.TooMany) {
		f := fault.As(err)
		status := http.StatusUnauthorized
		v.Problem = "The address and the password do not belong to an operator."
		if f.Kind == fault.TooMany {
			status, v.Problem = http.StatusTooManyRequests, f.Message
			retryAfter(w, f)
		}
		q.render(status, "login.html", v)
		return
	}
	if err != nil {
		q.fail(err)
		return
	}
	if q.identify() == nil { // a session that is left behind would live on unseen
		if err := s.Accounts.EndSession(q.ctx, q.by, q.session.ID); err != nil {
			s.Log.WarnContext(q.ctx, "session not ended", "session", q.session.ID, "err", err)
		}
	}
	http.SetCookie(w, s.cookie(s.cookieName(), c.Access, int(c.ExpiresIn/time.Second)))
	q.redirect(next, "")
}

func (s *Site) logout(q *request) error {
	if err := s.Accounts.EndSession(q.ctx, q.by, q.session.ID); err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	http.SetCookie(q.w, s.cookie(s.cookieName(), "", -1))
	q.redirect(Path+"login/", "")
	return nil
}

// confirmed tells whether a dangerous act may go ahead: the password was given
// a moment ago, or stands in the form and is right. Where it is not, bad says so
// beside the field.
func (q *request) confirmed(bad *fault.Fields) (bool, error) {
	if q.session.Confirmed(q.site.Now()) {
		return true, nil
	}
	pw := q.form.get(passwordField)
	if pw == "" {
		bad.Add("current_password", "required", "This needs your password.")
		return false, nil
	}
	err := q.site.Accounts.Confirm(q.ctx, q.by, pw)
	if f := fault.As(err); f != nil && f.Kind == fault.Reauthenticate {
		*bad = append(*bad, f.Fields...)
		return false, nil
	}
	if err == nil {
		now := q.site.Now()
		q.session.ConfirmedAt = &now
	}
	return err == nil, err
}

type meView struct {
	view
	Sessions []account.Session
	Current  int64
}

// me shows where the operator is signed in.
func (s *Site) me(q *request) error {
	sessions, err := s.Accounts.Sessions(q.ctx, q.by)
	if err != nil {
		return err
	}
	q.render(http.StatusOK, "me.html", meView{view: q.view("Your sessions"), Sessions: sessions, Current: q.session.ID})
	return nil
}

// endOwn ends one of the operator's own sessions, or all but this one.
func (s *Site) endOwn(q *request) error {
	if q.form.get(allField) != "" {
		sessions, err := s.Accounts.Sessions(q.ctx, q.by)
		if err != nil {
			return err
		}
		for _, one := range sessions {
			if one.ID != q.session.ID {
				if err := s.Accounts.EndSession(q.ctx, q.by, one.ID); err != nil && !errors.Is(err, fault.NotFound) {
					return err
				}
			}
		}
		q.redirect(Path+"me/", "Your other sessions have ended.")
		return nil
	}
	id, err := parseID(q.form.get("session"))
	if err != nil {
		return err
	}
	if err := s.Accounts.EndSession(q.ctx, q.by, id); err != nil {
		return err
	}
	if id == q.session.ID {
		http.SetCookie(q.w, s.cookie(s.cookieName(), "", -1))
		q.redirect(Path+"login/", "")
		return nil
	}
	q.redirect(Path+"me/", "The session has ended.")
	return nil
}
