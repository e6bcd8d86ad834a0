package site_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/site"
)

// call is what a page asked of the accounts.
type call struct {
	act       string
	by        account.Actor
	token, pw string
	bad       fault.Fields
}

// accounts notes what it is asked, and answers with err.
type accounts struct {
	err   error
	calls []call
}

func (a *accounts) ConfirmAddress(_ context.Context, by account.Actor, token string) error {
	a.calls = append(a.calls, call{act: "address", by: by, token: token})
	return a.err
}

func (a *accounts) ConfirmReset(_ context.Context, by account.Actor, token, pw string, bad fault.Fields) error {
	a.calls = append(a.calls, call{act: "reset", by: by, token: token, pw: pw, bad: bad})
	if len(bad) > 0 {
		return bad.Err()
	}
	return a.err
}

const token = "c2VjcmV0-dG9rZW4_dGhhdCBub2JvZHkga25vd3M"

func newSite(a *accounts) *site.Site {
	return site.New(site.Options{Accounts: a, Secure: true, Log: slog.New(slog.DiscardHandler)})
}

func pages(a *accounts) http.Handler { return newSite(a).Pages() }

func get(h http.Handler, target string, header ...string) *http.Response {
	return send(h, httptest.NewRequest(http.MethodGet, target, nil), header...)
}

func send(h http.Handler, r *http.Request, header ...string) *http.Response {
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// post sends a form as our own pages do.
func post(h http.Handler, target string, form url.Values, header ...string) *http.Response {
	return postRaw(h, target, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

func postRaw(h http.Handler, target, body string, header ...string) *http.Response {
	return send(h, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)), header...)
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// want checks the status, the headers that every page must have, and that the
// page holds the texts. It returns the page.
func want(t *testing.T, res *http.Response, status int, texts ...string) string {
	t.Helper()
	page := text(t, res)
	if res.StatusCode != status {
		t.Errorf("status = %d, want %d\n%s", res.StatusCode, status, page)
	}
	for k, v := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Cache-Control":           "no-store",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	} {
		if got := res.Header.Get(k); got != v {
			t.Errorf("%s = %q, want %q", k, got, v)
		}
	}
	for _, s := range texts {
		if !strings.Contains(page, s) {
			t.Errorf("page does not hold %q:\n%s", s, page)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "style=") {
		t.Errorf("page holds a script or a style of its own:\n%s", page)
	}
	return page
}

func TestStart(t *testing.T) {
	page := want(t, get(pages(&accounts{}), "/"), 200,
		`<html lang="en">`, `href="/api/docs/"`, `href="/api/openapi.json"`, `href="/health/"`, `href="/?lang=ro"`)
	if strings.Contains(page, "Administration") {
		t.Error("the start page leads to an admin that is not there")
	}
	h := site.New(site.Options{AdminPath: "/admin/"}).Pages()
	want(t, get(h, "/"), 200, `href="/admin/"`, "Administration")
}

func TestLanguage(t *testing.T) {
	tests := []struct{ target, accept, want string }{
		{"/", "", "en"},
		{"/", "ro", "ro"},
		{"/", "ro-RO,ro;q=0.9,en-US;q=0.8", "ro"},
		{"/", "de, en;q=0.2, ro;q=0.7", "ro"},
		{"/", "RO-md", "ro"},
		{"/", "ro;q=0, fr", "en"},
		{"/", "ro;q=x, en", "en"},
		{"/", ";;,,=;q", "en"},
		{"/?lang=ro", "en", "ro"},
		{"/?lang=en", "ro", "en"},
		{"/?lang=de", "ro", "ro"},
		{"/nowhere/?lang=ro", "", "ro"},
	}
	for _, tt := range tests {
		page := text(t, get(pages(&accounts{}), tt.target, "Accept-Language", tt.accept))
		if !strings.Contains(page, `<html lang="`+tt.want+`">`) {
			t.Errorf("GET %s with Accept-Language %q is not in %s", tt.target, tt.accept, tt.want)
		}
	}
}

func TestPathsAndMethods_I9(t *testing.T) {
	a := &accounts{}
	tests := []struct {
		method, target string
		status         int
		header, value  string
	}{
		{"GET", "/nowhere", 404, "", ""},
		{"POST", "/nowhere/", 404, "", ""},
		{"GET", "//", 404, "", ""},
		{"GET", "/account/verify/x", 404, "", ""},
		{"GET", "/account/", 404, "", ""},
		{"GET", "/static/", 404, "", ""},
		{"GET", "/account/verify?token=a%2Fb", 308, "Location", "/account/verify/?token=a%2Fb"},
		{"POST", "/account/reset", 308, "Location", "/account/reset/"},
		{"GET", "/robots.txt/", 404, "", ""},
		{"POST", "/", 405, "Allow", "GET, HEAD"},
		{"PUT", "/account/verify/", 405, "Allow", "GET, HEAD, POST"},
		{"DELETE", "/account/reset/", 405, "Allow", "GET, HEAD, POST"},
		{"OPTIONS", "/account/reset/", 405, "Allow", "GET, HEAD, POST"},
		{"POST", "/robots.txt", 405, "Allow", "GET, HEAD"},
		{"GET", "/favicon.ico", 308, "Location", "/favicon.svg"},
		{"HEAD", "/", 200, "Content-Type", "text/html; charset=utf-8"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, "http://site.test"+tt.target, nil)
		res := send(pages(a), r)
		if res.StatusCode != tt.status || tt.header != "" && res.Header.Get(tt.header) != tt.value {
			t.Errorf("%s %s = %d, %s %q; want %d, %q", tt.method, tt.target, res.StatusCode, tt.header, res.Header.Get(tt.header), tt.status, tt.value)
		}
	}
	want(t, get(pages(a), "/nowhere"), 404, "There is nothing here")
	if len(a.calls) > 0 {
		t.Errorf("accounts were asked: %+v", a.calls)
	}
}

// TestPattern checks that the log gets to know the route, and only that.
func TestPattern(t *testing.T) {
	s := newSite(&accounts{})
	tests := []struct {
		h            http.Handler
		target, want string
	}{
		{s.Pages(), "/account/verify/?token=" + token, "/account/verify/"},
		{s.Pages(), "/account/verify?token=" + token, "/account/verify/"},
		{s.Pages(), "/" + token, ""},
		{s.Docs(), "/api/docs/", "/api/docs/"},
		{s.Docs(), "/api/docs/" + token, ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, tt.target, nil)
		if send(tt.h, r); r.Pattern != tt.want {
			t.Errorf("pattern of %s = %q, want %q", tt.target, r.Pattern, tt.want)
		}
	}
}

func TestLinksChangeNothing_I9(t *testing.T) {
	a := &accounts{}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{"/account/verify/", "/account/reset/"} {
			r := httptest.NewRequest(method, path+"?token="+token, nil)
			r.Header.Set("X-HTTP-Method-Override", "POST")
			if res := send(pages(a), r); res.StatusCode != 200 {
				t.Errorf("%s %s = %d", method, path, res.StatusCode)
			}
		}
	}
	if len(a.calls) > 0 {
		t.Errorf("a link alone did something: %+v", a.calls)
	}
}

func TestIncompleteLinks(t *testing.T) {
	a := &accounts{}
	for _, path := range []string{"/account/verify/", "/account/reset/"} {
		for _, query := range []string{"", "?token=", "?token=a&token=b", "?token=a%00b", "?token=%ff", "?token=" + strings.Repeat("a", 600), "?Token=a"} {
			want(t, get(pages(a), path+query), 400, "This link is not complete")
		}
		want(t, post(pages(a), path, url.Values{"new_password": {"x"}}), 400, "This link is not complete")
		// The query of a POST is no credential.
		want(t, post(pages(a), path+"?token="+token, url.Values{}), 400, "This link is not complete")
	}
	if len(a.calls) > 0 {
		t.Errorf("accounts were asked: %+v", a.calls)
	}
}

func TestVerify(t *testing.T) {
	a := &accounts{}
	page := want(t, get(pages(a), "/account/verify/?token="+token), 200,
		`<form method="post" action="/account/verify/?lang=en">`, `name="token" value="`+token+`"`)
	if n := strings.Count(page, "<button"); n != 1 {
		t.Errorf("%d buttons, want 1", n)
	}
	want(t, get(pages(a), "/account/verify/?lang=ro&token="+token), 200, "Confirmă adresa", `href="/account/verify/?lang=en&amp;token=`+token+`"`)
	want(t, get(pages(a), "/account/verify/?token=%22%3E%3Cscript%3E"), 200, `value="&#34;&gt;&lt;script&gt;"`)

	r := httptest.NewRequest(http.MethodPost, "/account/verify/", strings.NewReader(url.Values{"token": {token}}.Encode()))
	r.RemoteAddr = "192.0.2.7"
	page = want(t, send(pages(a), r, "Content-Type", "application/x-www-form-urlencoded", "User-Agent", "Browser/1"), 200, "Your address is confirmed")
	if strings.Contains(page, token) {
		t.Error("the token is on the page that says it is spent")
	}
	by := account.Actor{Source: account.SourceAPI, Address: "192.0.2.7", Device: "Browser/1"}
	if wanted := []call{{act: "address", by: by, token: token}}; !reflect.DeepEqual(a.calls, wanted) {
		t.Errorf("asked %+v, want %+v", a.calls, wanted)
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		err        error
		status     int
		text       string
		retryAfter string
	}{
		{account.ErrBadToken, 400, "This link does not work", ""},
		{account.ErrNotFound, 400, "This link does not work", ""},
		{account.ErrEmailTaken, 400, "This address is in use", ""},
		{fault.Busy(fault.TooMany, "x", 90*time.Second+time.Millisecond), 429, "Too many attempts", "91"},
		{fault.New(fault.TooMany, "x"), 429, "Too many attempts", "60"},
		{fault.Busy(fault.Unavailable, "x", time.Millisecond), 503, "We are busy", "1"},
		{fault.New(fault.Full, "x"), 503, "We are busy", "5"},
		{errors.New("disk 7 said no"), 500, "Something went wrong on our side", ""},
		{fault.New(fault.Stale, "x"), 500, "Something went wrong on our side", ""},
	}
	for _, tt := range tests {
		for _, path := range []string{"/account/verify/", "/account/reset/"} {
			form := url.Values{"token": {token}, "new_password": {"a good one"}, "new_password_again": {"a good one"}}
			res := post(pages(&accounts{err: tt.err}), path, form)
			page := want(t, res, tt.status, tt.text)
			if got := res.Header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("%v: Retry-After = %q, want %q", tt.err, got, tt.retryAfter)
			}
			if strings.Contains(page, "disk 7") || strings.Contains(page, "a good one") {
				t.Errorf("the page tells too much:\n%s", page)
			}
		}
	}
}

func TestReset(t *testing.T) {
	a := &accounts{}
	want(t, get(pages(a), "/account/reset/?token="+token), 200,
		`name="token" value="`+token+`"`, `autocomplete="new-password"`, "at least 8 characters", "not like your name")

	// A password counts exactly as it was sent (T2).
	const pw = "  ünïcode + & = %41 pass  "
	page := want(t, post(pages(a), "/account/reset/", url.Values{"token": {token}, "new_password": {pw}, "new_password_again": {pw}}), 200, "Your password is changed")
	if strings.Contains(page, token) {
		t.Error("the token is on the page that says it is spent")
	}
	if len(a.calls) != 1 || a.calls[0].act != "reset" || a.calls[0].token != token || a.calls[0].pw != pw || len(a.calls[0].bad) != 0 {
		t.Errorf("asked %+v", a.calls)
	}
}

func TestResetRefused(t *testing.T) {
	var rules fault.Fields
	rules.Add("new_password", "password_too_short", "This password is too short. It must contain at least 8 characters.")
	rules.Add("new_password", "password_entirely_numeric", "This password is entirely numeric.")
	rules.Add("new_password", "from_tomorrow", "A rule <of> tomorrow.")
	form := func(again string) url.Values {
		return url.Values{"token": {token}, "new_password": {"7777777"}, "new_password_again": {again}}
	}
	tests := []struct {
		target string
		err    error
		form   url.Values
		texts  []string
	}{
		{"/account/reset/", rules.Err(), form("7777777"), []string{
			"too short", "entirely numeric", "A rule &lt;of&gt; tomorrow.", "<title>Error: ", `aria-describedby="new_errors rules" aria-invalid="true" autofocus`,
		}},
		{"/account/reset/?lang=ro", rules.Err(), form("7777777"), []string{
			"Parola este prea scurtă", "doar din cifre", "A rule &lt;of&gt; tomorrow.", "<title>Eroare: ", `action="/account/reset/?lang=ro"`,
		}},
		{"/account/reset/", nil, form("7777778"), []string{"The two passwords are not the same.", `aria-describedby="again_errors" aria-invalid="true"`}},
		{"/account/reset/", nil, form(""), []string{"The two passwords are not the same."}},
		{"/account/reset/?lang=ro", nil, form("7777778"), []string{"Cele două parole nu sunt identice."}},
	}
	for _, tt := range tests {
		page := want(t, post(pages(&accounts{err: tt.err}), tt.target, tt.form), 400, append(tt.texts, `name="token" value="`+token+`"`)...)
		if strings.Contains(page, "777777") {
			t.Errorf("the page gives the password back:\n%s", page)
		}
		if n := strings.Count(page, "autofocus"); n > 1 {
			t.Errorf("%d fields want the focus", n)
		}
	}
}

func TestForms_I1_I2(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	good := url.Values{"token": {token}}.Encode()
	tests := []struct {
		name, contentType, body string
		status                  int
	}{
		{"as browsers send it", form, good, 200},
		{"with a charset", form + "; charset=UTF-8", good, 200},
		{"another charset", form + "; charset=iso-8859-2", good, 415},
		{"JSON", "application/json", `{"token":"x"}`, 415},
		{"multipart", "multipart/form-data; boundary=x", "--x--", 415},
		{"no type", "", good, 415},
		{"the limit", form, good + "&x=" + strings.Repeat("x", 16<<10-len(good)-3), 200},
		{"too large", form, good + "&x=" + strings.Repeat("x", 16<<10-len(good)-2), 413},
		{"NUL", form, good + "%00", 400},
		{"NUL elsewhere", form, good + "&x=%00", 400},
		{"not UTF-8", form, good + "%ff", 400},
		{"broken escape", form, good + "%4", 400},
		{"twice", form, good + "&" + good, 400},
		{"empty", form, "", 400},
	}
	for _, tt := range tests {
		a := &accounts{}
		header := []string{"Content-Type", tt.contentType}
		if tt.contentType == "" {
			header = nil
		}
		want(t, postRaw(pages(a), "/account/verify/", tt.body, header...), tt.status)
		if called := len(a.calls) > 0; called != (tt.status == 200) {
			t.Errorf("%s: asked %+v", tt.name, a.calls)
		}
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// A form that is announced to be too large is refused before it is read.
func TestForms_Announced(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/account/verify/", unread{t})
	r.ContentLength = 16<<10 + 1
	want(t, send(pages(&accounts{}), r, "Content-Type", "application/x-www-form-urlencoded"), http.StatusRequestEntityTooLarge)
}

func TestForeignForms(t *testing.T) {
	tests := []struct {
		name   string
		header []string
		status int
	}{
		{"a program", nil, 200},
		{"our page", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://site.test"}, 200},
		{"our page, which says nothing of itself", []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, 200},
		{"our page in an older browser", []string{"Origin", "null"}, 200},
		{"our page in an older browser, which tells its origin", []string{"Origin", "https://site.test"}, 200},
		{"an origin as no browser spells it", []string{"Origin", "https://SITE.test:443"}, 403},
		{"a user before the host", []string{"Origin", "https://evil@site.test"}, 403},
		{"a path behind the host", []string{"Origin", "https://site.test/x"}, 403},
		{"plain HTTP", []string{"Origin", "http://site.test"}, 403},
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, 403},
		{"another site that hides", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sibling", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://www.site.test"}, 403},
		{"another origin", []string{"Origin", "https://evil.test"}, 403},
		{"another port", []string{"Origin", "https://site.test:8443"}, 403},
		{"two origins", []string{"Origin", "https://site.test", "Origin", "https://evil.test"}, 403},
		{"two sites", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, 403},
		{"no origin at all", []string{"Origin", "site.test"}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &accounts{}
			res := post(pages(a), "https://site.test/account/verify/", url.Values{"token": {token}}, tt.header...)
			want(t, res, tt.status)
			if called := len(a.calls) > 0; called != (tt.status == 200) {
				t.Errorf("asked %+v", a.calls)
			}
		})
	}
}

func TestSecretsAreNotLogged_P4(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h := site.New(site.Options{Accounts: &accounts{err: errors.New("boom")}, Log: log}).Pages()
	get(h, "/account/reset/?token="+token)
	post(h, "/account/reset/", url.Values{"token": {token}, "new_password": {"hunter22"}, "new_password_again": {"hunter22"}})
	if s := b.String(); !strings.Contains(s, "boom") || strings.Contains(s, token) || strings.Contains(s, "hunter22") {
		t.Errorf("log = %s", s)
	}
}

func TestAssets(t *testing.T) {
	s := newSite(&accounts{})
	link := regexp.MustCompile(`(?:href|src)="(/(?:static|api/docs)/[^"]+\.[0-9a-f]{16}\.[a-z]+)"`)
	for _, tt := range []struct {
		h    http.Handler
		page string
		n    int
	}{{s.Pages(), "/", 1}, {s.Docs(), "/api/docs/", 4}} {
		found := link.FindAllStringSubmatch(text(t, get(tt.h, tt.page)), -1)
		if len(found) != tt.n {
			t.Fatalf("%s leads to %d files, want %d", tt.page, len(found), tt.n)
		}
		for _, m := range found {
			plain, zipped := get(tt.h, m[1]), get(tt.h, m[1], "Accept-Encoding", "br, gzip")
			if cc := plain.Header.Get("Cache-Control"); plain.StatusCode != 200 || cc != "public, max-age=31536000, immutable" {
				t.Errorf("%s = %d, Cache-Control %q", m[1], plain.StatusCode, cc)
			}
			if plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: encodings %q and %q", m[1], plain.Header.Get("Content-Encoding"), zipped.Header.Get("Content-Encoding"))
			}
			z, err := gzip.NewReader(zipped.Body)
			if err != nil {
				t.Fatal(err)
			}
			unzipped, err := io.ReadAll(z)
			if err != nil || string(unzipped) != text(t, plain) || len(unzipped) == 0 {
				t.Errorf("%s differs with and without compression (%v)", m[1], err)
			}
		}
	}
}

func TestAcceptEncoding(t *testing.T) {
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "GZIP": "gzip", "*": "gzip", "br": "", "gzip;q=0": "", "gzip; q=0.5": "gzip", "*;q=1, gzip;q=0": "", "identity, *;q=0": "",
	} {
		if got := get(pages(&accounts{}), "/favicon.svg", "Accept-Encoding", accept).Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q is answered with %q, want %q", accept, got, want)
		}
	}
}

func TestDocs(t *testing.T) {
	description, err := os.ReadFile("testdata/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	h := site.New(site.Options{OpenAPI: func() []byte { return description }}).Docs()
	res := get(h, "/api/docs/")
	page := text(t, res)
	if csp := res.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	if strings.Contains(page, "://") {
		t.Errorf("the page names another host:\n%s", page)
	}
	m := regexp.MustCompile(`data-description="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no description on the page:\n%s", page)
	}
	if got := text(t, get(h, m[1])); got != string(description) {
		t.Errorf("%s = %q", m[1], got)
	}
	if page := text(t, get(newSite(&accounts{}).Docs(), "/api/docs/")); !strings.Contains(page, `data-description="/api/openapi.json"`) {
		t.Errorf("without a description of its own the page does not read that of the API:\n%s", page)
	}
	for _, name := range []string{"LICENSE", "NOTICE", "THIRD-PARTY"} {
		if res := get(h, "/api/docs/"+name); res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s = %d, %q", name, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
}

func TestDocsRefusals_I8(t *testing.T) {
	h := newSite(&accounts{}).Docs()
	tests := []struct {
		method, target string
		status         int
		want           string
	}{
		{"GET", "/api/docs/swagger-ui", 404, `"type":"not_found"`},
		{"GET", "/api/docs/swagger-ui/VERSION", 404, `"type":"not_found"`},
		{"POST", "/api/docs/", 405, `"type":"method_not_allowed"`},
	}
	for _, tt := range tests {
		res := send(h, httptest.NewRequest(tt.method, tt.target, nil), "X-Request-Id", "r1")
		body := text(t, res)
		if res.StatusCode != tt.status || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, tt.want) || !strings.Contains(body, `"request_id":"r1"`) {
			t.Errorf("%s %s = %d %s", tt.method, tt.target, res.StatusCode, body)
		}
	}
	if res := get(h, "/api/docs"); res.StatusCode != 308 || res.Header.Get("Location") != "/api/docs/" {
		t.Errorf("GET /api/docs = %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}
