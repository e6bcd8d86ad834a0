// Package legacyapi is the API of the older web client, which was written for a
// Django backend and cannot be changed: bare paths, a cookie, numbers as texts,
// and errors in the words of Django REST framework. It is a translation onto the
// services that the product's own API calls, and holds no rules of the business.
package legacyapi

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/web"
)

// Options are what the API is made of.
type Options struct {
	Accounts *account.Service
	Listings *listing.Service
	Earnings *earnings.Service
	Media    *media.Service
	// AllowedOrigin tells whether pages of an origin, as a browser spells it, may
	// use the API. The server's own origin is among them.
	AllowedOrigin func(origin string) bool
	Secure        bool          // cookies travel over https alone
	SameSite      http.SameSite // of the cookie; Lax when it is 0
	Log           *slog.Logger
}

// API serves the paths of the older client.
type API struct {
	Options
	gate    web.Gate
	methods map[string]map[string]handler // by path, by method
	screens map[string]screen             // by path
	forms   media.Turnstile               // for forms, which hold an image in memory (promise O3)
}

// handler answers a call; its error is answered by fail.
type handler func(c *call) error

// call is a request with who makes it.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	shows  screen
	by     account.Actor
	user   account.User
	at     time.Time // of the sign-in
	bearer bool      // signed in to the other API
}

func (c *call) ctx() context.Context { return c.r.Context() }

// New returns the API.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SameSite == 0 {
		o.SameSite = http.SameSiteLaxMode
	}
	a := &API{Options: o, gate: web.Gate{Secure: o.Secure, Allowed: o.AllowedOrigin}, methods: map[string]map[string]handler{}, screens: map[string]screen{}}
	a.register()
	return a
}

// The paths that are answered with a cookie.
const (
	loginPath  = "/api/login"
	logoutPath = "/api/logout"
)

// register is every route, with the member of a refusal that its screen shows.
// The routes of closed are for people who are signed in.
func (a *API) register() {
	open := func(method, path string, shows screen, h handler) {
		if a.methods[path] == nil {
			a.methods[path] = map[string]handler{}
		}
		a.methods[path][method], a.screens[path] = h, shows
	}
	closed := func(method, path string, shows screen, h handler) {
		open(method, path, shows, func(c *call) error {
			if err := a.identify(c); err != nil {
				return err
			}
			return h(c)
		})
	}
	open(http.MethodPost, "/api/register", showsError, a.signUp)
	open(http.MethodPost, loginPath, showsFields, a.signIn)
	open(http.MethodPost, logoutPath, showsDetail, a.signOut)
	closed(http.MethodGet, "/api/user", showsDetail, a.readUser)
	closed(http.MethodPut, "/api/user-update", showsError, a.updateUser)
	closed(http.MethodDelete, "/api/user-delete", showsDetail, a.deleteUser)

	closed(http.MethodPost, "/api/add-carpost", showsMessage, a.addPost)
	closed(http.MethodGet, "/api/get-carposts/{page}", showsDetail, a.posts(listing.Filter{}))
	closed(http.MethodGet, "/api/get-user-carposts/{page}", showsDetail, a.posts(listing.Filter{Own: true}))
	closed(http.MethodGet, "/api/get-carpost/{id}", showsDetail, a.readPost)
	closed(http.MethodPut, "/api/update-ridepost/{id}", showsMessage, a.updatePost)
	closed(http.MethodDelete, "/api/delete-ridepost", showsDetail, a.deletePost)

	closed(http.MethodPost, "/api/upload/direct/start", showsFields, a.startUpload)
	closed(http.MethodPost, "/api/upload/direct/finish", showsFields, a.finishUpload)
	closed(http.MethodGet, "/api/get-image-by-post-id/{id}", showsDetail, a.cover)

	closed(http.MethodPost, "/api/add-calculator-entry", showsFields, a.addEntry)
	closed(http.MethodGet, "/api/get-calculator-entries", showsDetail, a.entries)
	closed(http.MethodGet, "/api/get-recent-calculator-entries", showsDetail, a.recentEntries)
	closed(http.MethodPatch, "/api/update-calculator-entry/{id}", showsFields, a.updateEntry)
	closed(http.MethodDelete, "/api/delete-calculator-entry/{id}", showsDetail, a.deleteEntry)
}

// Mount puts the paths on a mux. next is asked for the methods that the older
// client does not use on a path that it shares with the product's own API.
func (a *API) Mount(mux *http.ServeMux, next http.Handler) {
	for path, methods := range a.methods {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			method := r.Method
			if method == http.MethodHead {
				method = http.MethodGet
			}
			h, ok := methods[method]
			switch {
			case ok:
				a.serve(w, r, a.screens[path], h)
			case path == "/api/user":
				next.ServeHTTP(w, r)
			default:
				w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
				a.screens[path].refuse(w, http.StatusMethodNotAllowed, object{"detail": `Method "` + r.Method + `" not allowed.`})
			}
		})
	}
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, shows screen, h handler) {
	c := &call{w: w, r: r, shows: shows, by: account.Actor{Source: account.SourceLegacy, Address: r.RemoteAddr, Device: r.UserAgent()}}
	err := a.sameSite(r)
	if err == nil {
		err = h(c)
	}
	if err != nil {
		a.fail(c, err)
	}
}

// id reads the number of the object in the path, in the one way there is.
func (c *call) id() (int64, error) {
	text := c.r.PathValue("id")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != text {
		return 0, errNotFound
	}
	return id, nil
}

// pageSize is how many things a page of a list has.
const pageSize = 10

type pagination struct {
	CurrentPage        int  `json:"current_page"`
	TotalPages         int  `json:"total_pages"`
	HasPrevious        bool `json:"has_previous"`
	HasNext            bool `json:"has_next"`
	PreviousPageNumber *int `json:"previous_page_number"`
	NextPageNumber     *int `json:"next_page_number"`
}

// The client reads the error of a list from a success.
var (
	errNoPage  = refuse(http.StatusOK, "error", "Page not found! The page number you're requesting is out of range!")
	errBadPage = refuse(http.StatusOK, "error", "Invalid page number. Page should be an integer!")
)

// maxPage bounds page numbers before they are multiplied.
const maxPage = 1 << 40

// pageNumber reads the number of a page.
func pageNumber(text string) (int, error) {
	n, err := pythonInt(text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errNoPage
	case err != nil:
		return 0, errBadPage
	case n < 1 || n > maxPage:
		return 0, errNoPage
	}
	return int(n), nil
}

// page answers with a page of a list. An empty list has one empty page.
func page[T any](c *call, n, count int, data []T) error {
	total := max(1, (count+pageSize-1)/pageSize)
	if n > total {
		return errNoPage
	}
	p := pagination{CurrentPage: n, TotalPages: total, HasPrevious: n > 1, HasNext: n < total}
	if p.HasPrevious {
		p.PreviousPageNumber = new(n - 1)
	}
	if p.HasNext {
		p.NextPageNumber = new(n + 1)
	}
	if data == nil {
		data = []T{}
	}
	answer(c.w, http.StatusOK, object{"data": data, "count": count, "pagination": p})
	return nil
}

// moment is a time as the client reads it: ISO 8601 with an offset.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00") }
