package site

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxForm is how much of a form is read: a password of 1,024 code points, twice
// and percent-encoded, is the most that a person can have to say here.
const maxForm = 16 << 10

// maxToken bounds mailed tokens, which are a lot shorter.
const maxToken = 512

// readForm reads the fields of a form that was sent from one of our own pages. A
// status other than 0 says why it was refused; nothing is repaired (I1, I2).
func (s *Site) readForm(w http.ResponseWriter, r *http.Request) (url.Values, int) {
	// No cookie is involved, the token is the credential; still, no other site has a
	// reason to send it from a browser.
	if !s.gate.Pass(r, false) {
		return nil, http.StatusForbidden
	}
	ct, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || ct != "application/x-www-form-urlencoded" || len(r.Header["Content-Type"]) > 1 ||
		params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, http.StatusUnsupportedMediaType
	}
	if r.ContentLength > maxForm { // reading would ask a client for it that waits with its body
		return nil, http.StatusRequestEntityTooLarge
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return nil, http.StatusBadRequest
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, http.StatusBadRequest
	}
	for _, values := range form {
		if len(values) != 1 || !clean(values[0]) {
			return nil, http.StatusBadRequest
		}
	}
	return form, 0
}

// clean tells whether s is text that both of our databases would take.
func clean(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// tokenOf is the one token among values; empty when there is none that could be one.
func tokenOf(values url.Values) string {
	t := values["token"]
	if len(t) != 1 || len(t[0]) > maxToken || !clean(t[0]) {
		return ""
	}
	return t[0]
}
