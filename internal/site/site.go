// Package site serves the few public pages that are neither the API nor the
// admin: the start page, the pages that links in mails lead to, and the browsable
// description of the API. They need no cookie, and nothing from another host.
package site

import (
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"sync"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/web"
)

// Accounts is what the pages need to spend mailed tokens.
type Accounts interface {
	// ConfirmAddress spends a token that proves an address.
	ConfirmAddress(ctx context.Context, by account.Actor, token string) error
	// ConfirmReset spends a token and sets a new password, unless something is
	// bad with the input already. Failed rules name the field new_password.
	ConfirmReset(ctx context.Context, by account.Actor, token, pw string, bad fault.Fields) error
}

// Options is what a Site is made from.
type Options struct {
	Accounts Accounts
	// OpenAPI gives the description as JSON; it is asked when somebody first opens
	// the page of Docs. Without it, that page reads what /api/openapi.json gives.
	OpenAPI   func() []byte
	Secure    bool         // the pages are on https
	AdminPath string       // where the start page finds the admin; empty when there is none
	Log       *slog.Logger // slog.Default when nil
}

// Site is the public pages. Make one with New.
type Site struct {
	accounts Accounts
	admin    string
	gate     web.Gate
	log      *slog.Logger

	style string // where the style sheet of the pages is
	pages map[string]route
	docs  func() docs
}

// New returns the pages, ready to be served.
func New(o Options) *Site {
	s := &Site{accounts: o.Accounts, admin: o.AdminPath, log: o.Log, gate: web.Gate{Secure: o.Secure}}
	if s.log == nil {
		s.log = slog.Default()
	}
	style := newAsset("site.css", "text/css; charset=utf-8", mustRead("static/site.css"))
	s.style = "/static/" + style.name
	s.pages = map[string]route{
		"/":                {get: s.start},
		"/account/verify/": {get: s.askVerify, post: s.verify},
		"/account/reset/":  {get: s.askReset, post: s.reset},
		"/robots.txt":      {get: robots},
		"/favicon.svg":     {get: newAsset("favicon.svg", "image/svg+xml", mustRead("static/favicon.svg")).forADay},
		"/favicon.ico":     {get: favicon},
		s.style:            {get: style.forever},
	}
	// Half a megabyte of files that few ever look at is read for the first who does.
	s.docs = sync.OnceValue(func() docs { return s.newDocs(o.OpenAPI) })
	return s
}

// route is what a path answers: GET and HEAD, and POST where there is one.
type route struct {
	get, post http.HandlerFunc
}

// serve answers r with the method's handler; false when there is none.
func (rt route) serve(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		rt.get(w, r)
	case r.Method == http.MethodPost && rt.post != nil:
		rt.post(w, r)
	default:
		w.Header().Set("Allow", rt.allow())
		return false
	}
	return true
}

func (rt route) allow() string {
	if rt.post != nil {
		return "GET, HEAD, POST"
	}
	return "GET, HEAD"
}

// Pages serves everything outside of /api/. A path is exactly what it says (I9):
// only the slash at its end may be missing, which is answered with 308.
func (s *Site) Pages() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pageHeaders(w.Header(), pageCSP)
		rt, ok := s.pages[r.URL.Path]
		if !ok {
			if _, ok := s.pages[r.URL.Path+"/"]; ok {
				addSlash(w, r)
				return
			}
			s.say(w, r, http.StatusNotFound, func(l *words) message { return l.NotFound })
			return
		}
		r.Pattern = r.URL.Path
		if !rt.serve(w, r) {
			s.say(w, r, http.StatusMethodNotAllowed, func(l *words) message { return l.WrongMethod })
		}
	})
}

// addSlash sends the client to the canonical path. Only paths that are known get
// here, so none of them can lead to another host.
func addSlash(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Path + "/"
	r.Pattern = to
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusPermanentRedirect)
}

// pageCSP allows our own style sheet, our own pictures and forms to ourselves.
// There are no scripts on the pages.
const pageCSP = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// pageHeaders are those that a page must not be without, whatever stands in front.
func pageHeaders(h http.Header, csp string) {
	h.Set("Content-Security-Policy", csp)
	h.Set("Referrer-Policy", "no-referrer") // addresses of pages may hold tokens
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

//go:embed templates static docs
var files embed.FS

func mustRead(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // a file of ours that was there when we were built
	}
	return b
}

// templates are parsed for the first page that is shown: the commands show none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(files, "templates/*.html", "docs/index.html"))
})

func robots(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write([]byte("User-agent: *\nDisallow: /\n"))
}

// favicon is where browsers look that were not told of the picture.
func favicon(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	http.Redirect(w, r, "/favicon.svg", http.StatusPermanentRedirect)
}
