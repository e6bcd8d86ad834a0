// Package server is the outermost ring of the program: it owns the listeners,
// puts the rules that hold for every request around the handlers it is given
// (limits, headers, hosts, one log line each), answers health probes itself and
// stops without dropping anybody.
//
// It knows nothing of the product. The handlers inside need no import of it
// either: what they find out for the log line they leave in the request's
// [note.Request], the client's address is in Request.RemoteAddr as plain IP text, the
// request's id in its X-Request-Id header, and deadlines are moved through
// [http.ResponseController]. In return they leave the pattern that matched in
// Request.Pattern, as [http.ServeMux] does: it names the request in the log and in
// the metrics. Whoever copies a request in front of a mux copies it back.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/cors"
	"go.opentelemetry.io/otel/trace"
)

// StoragePath is where files are served that are kept on this machine.
const StoragePath = "/storage/"

// The limits of one connection. They are promises (O1), not settings.
const (
	headerTimeout = 5 * time.Second       // for the headers of a request
	headerBytes   = 32 << 10              // of headers at most
	maxBody       = 48 << 20              // of a body that announces its length; a photo that is too large for a route is told so by it
	idleTimeout   = 75 * time.Second      // longer than the 60 s of common balancers, so that they close first
	writeTimeout  = 60 * time.Second      // for an answer, unless its handler asks for more
	bodyTimeout   = 60 * time.Second      // waiting for a body, unless its handler asks for more
	bodyGrace     = 5 * time.Second       // that a body may take before its rate counts
	bodyRate      = 1 << 10               // bytes a second, at least
	stopTimeout   = 20 * time.Second      // for requests in flight after the drain delay
	settleTime    = 50 * time.Millisecond // without a connection that waits, before the listener is closed
	settleLimit   = 2 * time.Second
	settleStep    = 5 * time.Millisecond
	lingerTime    = 250 * time.Millisecond // for requests on connections that are kept alive
	probeTimeout  = 2 * time.Second        // for a readiness or health check
	probeLife     = time.Second            // that the result of one is reused
)

const (
	defaultInFlight = 512
	defaultConns    = 4096
)

// Options is what a Server is made from. Only API or Site is needed for
// something useful; every zero value works.
type Options struct {
	Log *slog.Logger // slog.Default when nil

	// PublicURL is where clients find this server. Once it is set, requests for
	// another host are refused with 421 (T10); nil serves every host.
	PublicURL *url.URL
	// TrustedProxies are the peers whose X-Forwarded-For counts (T7).
	TrustedProxies []netip.Prefix
	// CORSOrigins are the exact origins whose pages may use /api/. A star or
	// "null" in here is ignored: neither can be had with credentials.
	CORSOrigins []string
	// AllowLoopbackOrigins adds http://localhost and http://127.0.0.1 with any port.
	AllowLoopbackOrigins bool

	API http.Handler // everything under /api/
	// Refusal returns members that a refusal of a request under /api/ carries beside
	// those of a problem document, for clients that show others. detail is the
	// sentence. Nil, and a nil result, add nothing.
	Refusal func(r *http.Request, detail string) map[string]any
	Storage http.Handler // everything under /storage/: uploads and downloads of files, when they are kept here
	Site    http.Handler // everything else

	// Checks are named on /health/, which answers 503 while one of them fails.
	// Their errors go to the log, never to the client.
	Checks map[string]func(context.Context) error
	// OldestJob is how long the oldest due job had waited when the checks were made
	// last, which /health/ tells; false when that is not known. It may be nil.
	OldestJob func() (time.Duration, bool)
	// Ready decides /readyz. Nil is always ready.
	Ready func(context.Context) error

	MaxInFlight int           // requests at once, health probes apart; 512 when 0
	MaxConns    int           // connections at once; 4096 when 0
	MaxAnswers  int64         // bytes of large answers that wait for their readers; 48 MiB when 0
	DrainDelay  time.Duration // how long requests are still taken after the end was announced

	Registry *prometheus.Registry // a new one when nil
	Tracer   trace.Tracer         // begins a trace for every request, health probes apart; nil: nobody traces
	Now      func() time.Time     // time.Now when nil
}

// Server serves. Make one with New.
type Server struct {
	log     *slog.Logger
	hosts   hosts
	https   bool
	trusted []netip.Prefix
	origins Origins
	api     http.Handler
	refusal func(r *http.Request, detail string) map[string]any
	storage http.Handler
	site    http.Handler
	ready   *probe
	checks  []*probe

	oldestJob func() (time.Duration, bool)
	maxFly    int64
	maxConns  int64
	delay     time.Duration
	registry  *prometheus.Registry
	metrics   *metrics
	tracer    trace.Tracer
	now       func() time.Time
	public    *url.URL
	answers   budget
	busy      *busyLog
	handler   http.Handler

	inFlight atomic.Int64
	conns    atomic.Int64
	draining atomic.Bool
}

// New returns a server that is ready to be served with Serve, or to be called
// through Handler. It registers its metrics, and those of the Go runtime and the
// process, with o.Registry.
func New(o Options) *Server {
	s := &Server{
		log:      o.Log,
		hosts:    newHosts(o.PublicURL),
		https:    o.PublicURL != nil && o.PublicURL.Scheme == "https",
		trusted:  o.TrustedProxies,
		origins:  NewOrigins(o.CORSOrigins, o.AllowLoopbackOrigins),
		site:     o.Site,
		refusal:  o.Refusal,
		maxFly:   int64(o.MaxInFlight),
		maxConns: int64(o.MaxConns),
		delay:    o.DrainDelay,
		registry: o.Registry,
		tracer:   o.Tracer,
		now:      o.Now,
		public:   o.PublicURL,
		answers:  budget{most: o.MaxAnswers},
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.maxFly <= 0 {
		s.maxFly = defaultInFlight
	}
	if s.maxConns <= 0 {
		s.maxConns = defaultConns
	}
	if s.answers.most <= 0 {
		s.answers.most = defaultAnswers
	}
	s.busy = &busyLog{log: s.log, now: s.now}
	if s.registry == nil {
		s.registry = prometheus.NewRegistry()
	}
	s.metrics = newMetrics(s.registry, &s.inFlight, &s.conns)
	s.api, s.storage = s.cross(o.API), s.cross(o.Storage)
	s.ready = newProbe("ready", o.Ready, s.now)
	s.checks, s.oldestJob = newProbes(o.Checks, s.now), o.OldestJob
	s.handler = s.identify(s.locate(s.observe(s.recovered(s.secure(s.framed(s.paced(s.route)))))))
	return s
}

// Handler is everything the public listener answers, for tests and for embedding.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on public, and with metrics and profiles on private, which may
// be nil, until ctx is cancelled; then it drains (O7). Readiness turns false at
// once, and requests are still taken for the drain delay. Then no new connection is
// taken, those that have begun are accepted and answered, and requests in flight have
// 20 s to end: a client that never ends is cut off, and the log says how many were.
// It returns nil after a drain, and both listeners are closed whatever it returns.
func (s *Server) Serve(ctx context.Context, public, private net.Listener) error {
	base := context.WithoutCancel(ctx) // requests outlive the order to stop
	pub := s.httpServer(base)
	failed := make(chan error, 2)
	go func() { failed <- pub.Serve(&listener{Listener: public, s: s}) }()

	var priv *http.Server
	if private != nil {
		priv = s.privateServer(base)
		go func() { failed <- priv.Serve(private) }()
		defer func() { _ = priv.Close() }() // last, so that a drain can be watched; nobody waits for its answers
	}

	select {
	case err := <-failed:
		_ = pub.Close() // the failure to serve is the news
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}

	s.draining.Store(true)
	s.log.InfoContext(base, "draining", "delay", s.delay, "in_flight", s.inFlight.Load())
	if s.delay > 0 {
		t := time.NewTimer(s.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case err := <-failed:
			_ = pub.Close()
			return fmt.Errorf("serve while draining: %w", err)
		}
	}
	stop, cancel := context.WithTimeout(base, stopTimeout)
	defer cancel()
	s.stopAccepting(public)
	if err := pub.Shutdown(stop); err != nil {
		s.log.WarnContext(base, "requests cut off", "in_flight", s.inFlight.Load(), "after", stopTimeout, "err", err)
		_ = pub.Close()
	}
	s.busy.flush(base)
	s.log.InfoContext(base, "drained")
	return nil
}

// stopAccepting takes no new connection, waits until those that have begun are
// accepted, and closes the listener. Connections that are kept alive get a moment
// for a request that is on its way: its answer closes them.
func (s *Server) stopAccepting(public net.Listener) {
	enough := time.Duration(0) // clients go on to connect where they cannot be kept from it
	if refuseNew(public) {
		enough = settleTime
	}
	quiet := time.Duration(0)
	for waited := time.Duration(0); waited < settleLimit; waited += settleStep {
		if waiting(public) {
			quiet = 0
		} else if quiet >= enough {
			break
		}
		time.Sleep(settleStep)
		quiet += settleStep
	}
	_ = public.Close() // the accepted connections stay
	for waited := time.Duration(0); waited < lingerTime && s.conns.Load() > 0; waited += settleStep {
		time.Sleep(settleStep)
	}
}

// httpServer is the public http.Server with its limits.
func (s *Server) httpServer(base context.Context) *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		MaxHeaderBytes:    headerBytes - 4096, // net/http reads 4 KiB more than this before it refuses
		IdleTimeout:       idleTimeout,
		WriteTimeout:      writeTimeout,
		Protocols:         http1(),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withConn,
		// "OPTIONS *" would otherwise be answered past all of our rules.
		DisableGeneralOptionsHandler: true,
	}
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// route answers health probes and hands what passes the rules to API or Site.
// Probes come first: they must be answered when the server is full, and under
// whatever name a balancer calls it.
func (s *Server) route(w *response, r *http.Request) {
	if strings.Contains(r.URL.RawQuery, ";") { // which some read as "&", and net/url drops with its parameter
		s.metrics.rejected.WithLabelValues("query").Inc()
		s.refuse(w, r, http.StatusBadRequest, "bad_request", "The query holds a semicolon: write %3B, or & between parameters.")
		return
	}
	switch r.URL.Path {
	case "/livez":
		s.probed(w, r, s.livez)
		return
	case "/readyz":
		s.probed(w, r, s.readyz)
		return
	case "/health/":
		s.probed(w, r, s.health)
		return
	case "/health":
		s.probed(w, r, func(w *response, _ *http.Request) {
			w.Header().Set("Location", "/health/")
			w.WriteHeader(http.StatusPermanentRedirect)
		})
		return
	}
	if !s.preflight(r) { // which costs nothing, and without which the browser would not show the refusal
		if !s.admit(w, r) {
			return
		}
		defer s.inFlight.Add(-1)
	}
	if !s.allowed(w, r) {
		return
	}
	h := s.site
	switch {
	case isAPI(r):
		h = s.api
	case isStorage(r):
		h = s.storage
	}
	if h == nil {
		s.refuse(w, r, http.StatusNotFound, "not_found", "There is nothing here.")
		return
	}
	h.ServeHTTP(w, r)
}

func isAPI(r *http.Request) bool {
	return r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/")
}

func isStorage(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, StoragePath) }

// preflight tells whether the request is a browser's question about another one,
// which rs/cors answers by itself.
func (s *Server) preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" &&
		(isAPI(r) && s.api != nil || isStorage(r) && s.storage != nil)
}

// exposed are the headers of an answer that pages of other origins may read.
var exposed = []string{"ETag", "Location", "Retry-After", "X-Request-Id", "Content-Disposition", "Idempotent-Replayed"}

// open lets pages of an allowed origin read a refusal that is made before rs/cors
// has seen the request. Without that their scripts learn of no status and no words.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	origins, h := r.Header["Origin"], w.Header()
	if !isAPI(r) && !isStorage(r) || len(origins) != 1 || h.Get("Access-Control-Allow-Origin") != "" || !s.origins.Allow(origins[0]) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origins[0])
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", strings.Join(exposed, ", "))
	h.Add("Vary", "Origin")
}

// admit counts the request in, or answers 503 at once when the server is full
// (O2). Whoever it admits must be counted out.
func (s *Server) admit(w *response, r *http.Request) bool {
	if s.inFlight.Add(1) <= s.maxFly {
		return true
	}
	s.inFlight.Add(-1)
	s.metrics.rejected.WithLabelValues("in_flight").Inc()
	w.Header().Set("Retry-After", "1")
	s.refuse(w, r, http.StatusServiceUnavailable, "busy", "The server is busy. Try again in a moment.")
	return false
}

// allowed applies the rules that need nothing but the request's head, and
// answers for those it refuses.
func (s *Server) allowed(w *response, r *http.Request) bool {
	switch {
	case !s.hosts.serve(r.Host):
		s.metrics.rejected.WithLabelValues("host").Inc()
		s.refuse(w, r, http.StatusMisdirectedRequest, "misdirected", "This host is not served here.")
	case r.Method == http.MethodTrace || r.Method == http.MethodConnect:
		s.metrics.rejected.WithLabelValues("method").Inc()
		w.Header().Set("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
		s.refuse(w, r, http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed.")
	case !plainPath(r.URL.EscapedPath()):
		s.metrics.rejected.WithLabelValues("path").Inc()
		s.refuse(w, r, http.StatusNotFound, "not_found", "There is nothing here.")
	case r.ContentLength > maxBody: // before a client that waits for "100 Continue" sends it
		s.metrics.rejected.WithLabelValues("size").Inc()
		w.Header().Set("Connection", "close")
		s.refuse(w, r, http.StatusRequestEntityTooLarge, "too_large", "The request is larger than anything that is taken here.")
	case overPlain(r):
		s.metrics.rejected.WithLabelValues("plain_http").Inc()
		s.toHTTPS(w, r)
	case encoded(r.Header):
		s.metrics.rejected.WithLabelValues("encoding").Inc()
		w.Header().Set("Accept-Encoding", "identity")
		s.refuse(w, r, http.StatusUnsupportedMediaType, "unsupported_media", "Compressed bodies are not read.")
	default:
		return true
	}
	return false
}

// toHTTPS sends a browser that opened a page over plain HTTP to the same page on
// https, and refuses everything else: a token has travelled in the open already (P8).
func (s *Server) toHTTPS(w *response, r *http.Request) {
	page := !isAPI(r) && !isStorage(r) || strings.HasPrefix(r.URL.Path, "/api/docs")
	if page && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		w.Header().Set("Location", s.public.Scheme+"://"+s.public.Host+r.URL.RequestURI())
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	s.refuse(w, r, http.StatusForbidden, "https_required", "Use https: this server does not answer over plain HTTP.")
}

// cross lets pages of the allowed origins use what is behind it (B3). Requests
// with several Origin headers, which no browser sends, are refused before
// rs/cors could check one of them and echo all.
func (s *Server) cross(next http.Handler) http.Handler {
	if next == nil {
		return nil
	}
	next = cors.New(cors.Options{
		AllowOriginFunc:  s.origins.Allow,
		AllowCredentials: true,
		AllowedMethods:   []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
		AllowedHeaders:   []string{"Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-Id", "Baggage", "Sentry-Trace", "Traceparent", "Tracestate"},
		ExposedHeaders:   exposed,
		MaxAge:           600,
	}).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Origin"]) > 1 {
			s.metrics.rejected.WithLabelValues("origin").Inc()
			s.refuse(w, r, http.StatusBadRequest, "bad_request", "The request has more than one Origin.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isAbort tells whether a recovered value is the one with which a handler asks
// for its connection to be cut.
func isAbort(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
