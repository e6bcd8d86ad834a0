// Package httpapi is the JSON API of the product: it decodes requests, says who
// acts, calls the domain's services, and encodes what they answer. It holds no
// rules of the business and no SQL. The description of the API (OpenAPI 3.1) is
// made from the very types that requests and answers are decoded into and from.
package httpapi

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Answers remembers the answers of creations under an idempotency key.
type Answers interface {
	Answered(ctx context.Context, by account.Actor, now time.Time) (*account.Answer, error)
	KeepAnswer(ctx context.Context, by account.Actor, a account.Answer) error
}

// Options are what the API is made of.
type Options struct {
	Accounts  *account.Service
	Listings  *listing.Service
	Earnings  *earnings.Service
	Documents *document.Service
	Media     *media.Service
	Answers   Answers
	PublicURL *url.URL // what next, previous and Location are built from
	Secret    string   // makes cursors opaque and unforgeable
	Exports   int      // how many exports run at once; 0 is 4
	Log       *slog.Logger
	Now       func() time.Time
}

// Version is that of the API, raised when a client has to know. Which build
// answers is nobody's business but the operator's (promise P6).
const Version = "2.0.0"

// API serves /api/.
type API struct {
	Options
	mux       *http.ServeMux
	huma      huma.API
	routes    []Route
	described func() []byte
	asYAML    func() []byte
	cursorKey []byte
	exports   chan struct{}
}

// Route is a row of the table of routes: what may be called, and by whom.
type Route struct {
	Method string
	Path   string
	Open   bool // without a credential
}

// Routes lists every route, in the order they were registered.
func (a *API) Routes() []Route { return a.routes }

// exactMux makes patterns that end in a slash match that path alone: to
// ServeMux they would be whole subtrees.
type exactMux struct{ *http.ServeMux }

func (m exactMux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	if strings.HasSuffix(pattern, "/") {
		pattern += "{$}"
	}
	m.ServeMux.HandleFunc(pattern, h)
}

// New returns the API.
func New(o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.PublicURL == nil {
		o.PublicURL = &url.URL{Scheme: "http", Host: "localhost:8000"}
	}
	if o.Exports == 0 {
		o.Exports = 4
	}
	key, err := hkdf.Key(sha256.New, []byte(o.Secret), nil, "ridecopilot cursor", sha256.Size)
	if err != nil { // only for a length that is asked for wrongly
		panic(err)
	}
	a := &API{Options: o, mux: http.NewServeMux(), cursorKey: key, exports: make(chan struct{}, o.Exports)}
	a.described = sync.OnceValue(func() []byte {
		b, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
		if err != nil { // made of our own types
			panic(err)
		}
		return append(b, '\n')
	})
	a.asYAML = sync.OnceValue(func() []byte {
		b, err := a.DescriptionYAML()
		if err != nil { // made of our own types
			panic(err)
		}
		return b
	})
	registry := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[fixed.Amount](), reflect.TypeFor[amountSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[calendar.Day](), reflect.TypeFor[daySchema]())
	huma.NewErrorWithContext = humaError // the library has no other place to say so
	huma.DefaultArrayNullable = false    // no array of ours is ever null
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaError(nil, status, msg, errs...)
	}
	a.huma = humago.New(exactMux{a.mux}, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Ridecopilot", Version: Version, Description: description, Contact: &huma.Contact{Name: "Ridecopilot"},
				License: &huma.License{Name: "MIT", Identifier: "MIT"},
			},
			Servers: []*huma.Server{{URL: strings.TrimSuffix(o.PublicURL.String(), "/")}},
			Tags:    tags,
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access token of a sign-in."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
	})
	a.register()
	a.finishDescription()
	return a
}

// jsonFormat is how bodies travel. Texts go out as they are: answers are JSON,
// and nobody embeds them in HTML unescaped.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	},
	Unmarshal: func(b []byte, v any) error {
		if u, ok := v.(json.Unmarshaler); ok { // readBody knows that it is JSON
			return u.UnmarshalJSON(b)
		}
		return json.Unmarshal(b, v)
	},
}

// Description is the OpenAPI document as JSON. It is written when somebody first
// asks: that takes tens of milliseconds and megabytes, and hardly a server of
// many is ever asked.
func (a *API) Description() []byte { return a.described() }

// DescriptionYAML is the OpenAPI document as YAML, for reading and comparing.
func (a *API) DescriptionYAML() ([]byte, error) { return a.huma.OpenAPI().YAML() }

// ServeHTTP answers a request of the API. Paths end in a slash; without it the
// client is sent to the path with it (308 keeps method and body).
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, pattern := a.mux.Handler(r)
	slash := strings.HasSuffix(r.URL.Path, "/")
	// ServeMux itself would send the client on with a 307.
	if pattern != "" && (slash || !strings.HasSuffix(pattern, "/{$}")) {
		out := newAnswer(w, r)
		a.mux.ServeHTTP(out, r) // sets the path's values, and r.Pattern for the log
		out.flush()
		out.free()
		return
	}
	if !slash && a.known(r) {
		to := *r.URL
		to.Path += "/"
		to.RawPath = ""
		w.Header().Set("Location", to.RequestURI())
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	// The mux knows the methods that a path has; it answers in plain text.
	probe := &probe{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		writeProblem(w, r, problemOf(http.StatusMethodNotAllowed, "method_not_allowed", "This method is not known here."))
		return
	}
	writeProblem(w, r, problemOf(http.StatusNotFound, "not_found", "There is nothing at this address."))
}

// known tells whether the path with a slash behind it is one of ours.
func (a *API) known(r *http.Request) bool {
	for _, method := range []string{r.Method, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		with := &http.Request{Method: method, Host: r.Host, URL: &url.URL{Path: r.URL.Path + "/"}}
		if _, pattern := a.mux.Handler(with); pattern != "" {
			return true
		}
	}
	return false
}

// probe takes the place of a client, to see what a handler would answer.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
