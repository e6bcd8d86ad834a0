// Package admin is the site from which operators run and moderate the product:
// server-rendered pages that come from the declarations of resources (see
// [Resource]), a dashboard, and the operators' own sessions.
//
// It changes nothing by itself: every act is a call of a service of the domain with
// a staff actor, so that the same rules hold and the same effects follow as
// anywhere else (promise B10). What it lists it reads through declared tables.
package admin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/overview"
	"github.com/ridecopilot/ridecopilot/internal/table"
	"github.com/ridecopilot/ridecopilot/internal/trail"
	"github.com/ridecopilot/ridecopilot/internal/web"
)

// Path is where the site is.
const Path = "/admin/"

// Tables is how lists are read.
type Tables interface {
	Columns(name string) ([]table.Column, error)
	Rows(ctx context.Context, q table.Query) ([]table.Row, error)
	Count(ctx context.Context, q table.Query, limit int64) (table.Count, error)
	Facets(ctx context.Context, q table.Query, columns []string) (map[string][]table.Facet, error)
	Span(ctx context.Context, name, column string) (first, last *time.Time, err error)
	Each(ctx context.Context, q table.Query, do func(table.Row) error) error
	IDs(ctx context.Context, q table.Query, limit int) ([]int64, error)
	Related(ctx context.Context, name string, ids []int64) ([]table.Related, error)
}

// Trail is how the history is read.
type Trail interface {
	Trail(ctx context.Context, object string, id, before int64, limit int) ([]trail.Event, error)
	Event(ctx context.Context, id int64) (trail.Event, error)
	// Note records an act that changes no row of ours.
	Note(ctx context.Context, by account.Actor, act, object string, id int64) error
}

// Jobs is what can be done with jobs.
type Jobs interface {
	Retry(ctx context.Context, id int64) error
	Cancel(ctx context.Context, id int64) error
}

// Options are what a Site is made from.
type Options struct {
	Accounts  *account.Service
	Listings  *listing.Service
	Earnings  *earnings.Service
	Documents *document.Service
	Media     *media.Service
	Overview  *overview.Service
	Tables    Tables
	Trail     Trail
	Jobs      Jobs
	// Checks are named on the dashboard, with what is wrong while one of them fails.
	Checks  map[string]func(context.Context) error
	Version string // of the product and of the database, in words
	Secure  bool   // cookies are for https alone
	Log     *slog.Logger
	Now     func() time.Time
}

// Site is the admin site. Make one with New.
type Site struct {
	Options
	resources []*Resource
	sections  []section
	mux       *http.ServeMux
	style     *asset
	script    *asset
	started   time.Time
	gate      web.Gate
	repeats   map[string]bool // the fields that a form may hold many times
}

// section groups resources in the menu.
type section struct {
	Title     string
	Resources []*Resource
}

// New returns the site, ready to be served.
func New(o Options) *Site {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Site{Options: o, mux: http.NewServeMux(), started: o.Now(), gate: web.Gate{Secure: o.Secure}}
	s.declare()
	checkNames(s.resources, o.Tables.Columns)
	s.repeats = repeatable(s.resources)
	s.style = newAsset("admin.css", "text/css; charset=utf-8")
	s.script = newAsset("admin.js", "text/javascript; charset=utf-8")
	s.route()
	return s
}

func (s *Site) resource(name string) *Resource {
	for _, r := range s.resources {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// route is every address of the site.
func (s *Site) route() {
	get := func(path string, h handler) { s.mux.Handle("GET "+Path+path, s.page(h)) }
	post := func(path string, h handler) { s.mux.Handle("POST "+Path+path, s.page(h)) }
	s.mux.HandleFunc("GET "+Path+"static/{name}", s.static)
	s.mux.HandleFunc("GET "+Path+"login/{$}", s.showLogin)
	s.mux.HandleFunc("POST "+Path+"login/{$}", s.login)
	post("logout/{$}", s.logout)
	get("{$}", s.dashboard)
	get("me/{$}", s.me)
	post("me/{$}", s.endOwn)
	get("files/{id}/{size}", s.serveFile)

	for _, res := range s.resources {
		of := func(h handler) handler {
			return func(q *request) error {
				q.r.SetPathValue("resource", res.Name)
				return h(q)
			}
		}
		name := res.Name
		get(name+"/{$}", of(s.list))
		post(name+"/{$}", of(s.postList))
		get(name+"/export.csv", of(s.export))
		get(name+"/suggest/{$}", of(s.suggest))
		get(name+"/add/{$}", of(s.showAdd))
		post(name+"/add/{$}", of(s.add))
		get(name+"/{id}/{$}", of(s.showChange))
		post(name+"/{id}/{$}", of(s.change))
		get(name+"/{id}/delete/{$}", of(s.deletion))
		post(name+"/{id}/delete/{$}", of(s.deletion))
		get(name+"/{id}/history/{$}", of(s.history))
		post(name+"/{id}/history/{$}", of(s.restore))
		get(name+"/{id}/do/{action}/{$}", of(s.oneAction))
		post(name+"/{id}/do/{action}/{$}", of(s.oneAction))
	}
	post("posts/{id}/photos/{$}", s.changePhotos)
	post("documents/{id}/file/{$}", s.changeFile)
	// Whatever else is asked for here is for nobody, and nobody is told before
	// they have signed in.
	s.mux.Handle(Path, s.page(func(*request) error { return errNoPage }))
}

// ServeHTTP answers whatever is below Path.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/") && r.Method == http.MethodGet && s.slashed(r) {
		target := r.URL.Path + "/"
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// slashed tells whether the path is one of a page, but for the slash at its end.
func (s *Site) slashed(r *http.Request) bool {
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	return !strings.Contains(last, ".") && !strings.HasPrefix(r.URL.Path, Path+"files/")
}

// handler answers a request of somebody who is signed in. An error becomes a page.
type handler func(q *request) error

// request is a request of an operator, with all that is known about it.
type request struct {
	w        http.ResponseWriter
	r        *http.Request
	ctx      context.Context //nolint:containedctx // it is r's, spelled out: a request lives no longer
	site     *Site
	user     account.User
	session  account.Session
	may      account.Permissions
	settings account.Settings
	by       account.Actor
	form     formValues // of a POST
	nonce    string
	flash    *flash
}

// formValues are the fields of a form.
type formValues url.Values

func (f formValues) get(name string) string   { return url.Values(f).Get(name) }
func (f formValues) all(name string) []string { return f[name] }

// page wraps a handler in what holds for every page: who is asking is read anew,
// and a change must come from a page of ours (promises Z6, B2, B5).
func (s *Site) page(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := s.begin(w, r)
		if err := q.identify(); err != nil {
			if errors.Is(err, fault.Unauthenticated) {
				q.toLogin()
				return
			}
			q.fail(err)
			return
		}
		if err := readable(r.URL.Query()); err != nil {
			q.fail(err)
			return
		}
		if r.Method == http.MethodPost {
			if err := q.readForm(); err != nil {
				q.fail(err)
				return
			}
		}
		if err := h(q); err != nil {
			q.fail(err)
			return
		}
		if r.Method == http.MethodPost { // promise P3; what has changed is in the history
			s.Log.InfoContext(q.ctx, "admin act", "event", "admin_act", "user", q.user.ID, "route", r.Pattern, "object", r.PathValue("id"),
				"source", q.by.Address, "request_id", r.Header.Get("X-Request-Id"))
		}
	})
}

// begin sets the headers of a page (promise B4).
func (s *Site) begin(w http.ResponseWriter, r *http.Request) *request {
	q := &request{w: w, r: r, ctx: r.Context(), site: s, nonce: rand.Text()}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+q.nonce+"'; style-src 'nonce-"+q.nonce+
		"'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return q
}

// identify finds out who is asking, and what they may do.
func (q *request) identify() error {
	c, err := q.r.Cookie(q.site.cookieName())
	if err != nil {
		return account.ErrUnauthenticated
	}
	p, err := q.site.Accounts.Authenticate(q.ctx, account.SessionAdmin, c.Value)
	if err != nil {
		return err
	}
	q.user, q.session = p.User, p.Session
	q.by = account.Actor{
		ID: p.User.ID, SessionID: p.Session.ID, Source: account.SourceAdmin, Manages: true, Superuser: p.User.Superuser,
		Address: q.r.RemoteAddr, Device: q.r.UserAgent(),
	}
	if q.may, err = q.site.Accounts.Permissions(q.ctx, p.User); err != nil {
		return err
	}
	q.settings, err = q.site.Accounts.Settings(q.ctx, q.by)
	q.flash = q.takeFlash()
	return err
}

// of is the actor who means the things of an owner.
func (q *request) of(owner int64) account.Actor {
	by := q.by
	by.For = owner
	return by
}

// allowed is nil when the operator may do something with a kind of thing.
func (q *request) allowed(action string, r *Resource) error {
	mine := q.user.Superuser || (!r.SuperuserOnly && (!r.SuperuserChanges || action == "view"))
	if !mine || !q.may.May(action, r.Name) {
		return errNotAllowed
	}
	return nil
}

// can is allowed for templates.
func (q *request) can(action string, r *Resource) bool {
	switch action {
	case "add":
		if r.Create == nil {
			return false
		}
	case "change":
		if r.Save == nil {
			return false
		}
	case "delete":
		if r.Delete == nil {
			return false
		}
	}
	return q.allowed(action, r) == nil
}

var (
	errNotAllowed = fault.New(fault.Forbidden, "You are not allowed to do this. A superuser can give you the permission.")
	errNoPage     = fault.New(fault.NotFound, "There is no such page.")
	errForged     = fault.New(fault.Forbidden, "This form did not come from a page of this site, or your session has changed. Go back, load the page again and repeat.")
)

// target finds the resource that the address names, if the operator may see it.
func (q *request) target(action string) (*Resource, error) {
	r := q.site.resource(q.r.PathValue("resource"))
	if r == nil {
		return nil, errNoPage
	}
	return r, q.allowed(action, r)
}

// one is target with the number of a thing. Whoever does something to a thing must
// be allowed to see it: pages that tell why it did not work show what is in it.
func (q *request) one(action string) (*Resource, int64, error) {
	r, err := q.target("view")
	if err == nil {
		err = q.allowed(action, r)
	}
	if err != nil {
		return nil, 0, err
	}
	id, err := parseID(q.r.PathValue("id"))
	return r, id, err
}

// redirect sends the operator to a page of ours, with a message perhaps.
func (q *request) redirect(path string, message string) {
	if message != "" {
		q.keepFlash(message)
	}
	q.w.Header().Set("Location", path)
	q.w.WriteHeader(http.StatusSeeOther)
}

// flash is a message for the next page.
type flash struct{ Text string }

func (s *Site) flashName() string { return strings.TrimSuffix(s.cookieName(), "session") + "flash" }

const maxFlash = 2800 // bytes: a browser drops a cookie of more than 4,096, and base64 takes a third more

func (q *request) keepFlash(message string) {
	if len(message) > maxFlash {
		message = strings.ToValidUTF8(message[:maxFlash], "") + "…"
	}
	http.SetCookie(q.w, q.site.cookie(q.site.flashName(), base64.RawURLEncoding.EncodeToString([]byte(message)), 60))
}

func (q *request) takeFlash() *flash {
	c, err := q.r.Cookie(q.site.flashName())
	if err != nil {
		return nil
	}
	http.SetCookie(q.w, q.site.cookie(q.site.flashName(), "", -1))
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return nil
	}
	return &flash{string(text)}
}

// zone is the operator's own: what they see of times and days is in it.
func (q *request) zone() *time.Location { return q.settings.Location() }
