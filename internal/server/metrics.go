package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts requests, failures and durations. Every label has a bounded set
// of values: none of them is the client's text.
type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	rejected  *prometheus.CounterVec
	throttled *prometheus.CounterVec
	known     sync.Map // of labels → series: finding them by their labels takes longer than all the counting
}

// labels are what requests have in common that are counted together.
type labels struct {
	method, route string
	status        int
}

type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// count counts a request that was answered.
func (m *metrics) count(of labels, took time.Duration) {
	one, ok := m.known.Load(of)
	if !ok {
		one, _ = m.known.LoadOrStore(of, series{
			m.requests.WithLabelValues(of.method, of.route, strconv.Itoa(of.status)), m.duration.WithLabelValues(of.method, of.route),
		})
	}
	s := one.(series) //nolint:errcheck // nothing else is stored
	s.requests.Inc()
	s.duration.Observe(took.Seconds())
}

func newMetrics(reg *prometheus.Registry, inFlight, conns *atomic.Int64) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests answered.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time from the head of a request to the end of its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"method", "route"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_rejected_total", Help: "Requests and connections refused before they reached a handler.",
		}, []string{"reason"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "throttled_total", Help: "Requests refused by a limit on guessing, rates or quotas.",
		}, []string{"limit"}),
	}
	reg.MustRegister(m.requests, m.duration, m.rejected, m.throttled,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "http_requests_in_flight", Help: "Requests being answered, health probes apart.",
		}, func() float64 { return float64(inFlight.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "http_connections", Help: "Open connections of the public listener.",
		}, func() float64 { return float64(conns.Load()) }))
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		// Somebody may have registered these before us.
		if err := reg.Register(c); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			panic(err)
		}
	}
	return m
}

// privateServer answers operators: metrics and profiles (P2). It belongs on a
// listener that the world cannot reach.
func (s *Server) privateServer(base context.Context) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError),
	}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-store")
			mux.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      5 * time.Minute, // profiles take as long as they are asked to
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		Protocols:         http1(),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
}
