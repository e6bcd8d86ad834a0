package main

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"math"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
	"github.com/ridecopilot/ridecopilot/internal/observe"
)

// namespaceForm is what CloudWatch takes; names that begin with AWS/ are its own.
var namespaceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/#-]{0,254}$`)

// parseObservation reads where traces and figures go.
func (c *config) parseObservation() {
	if c.collector = c.text["OTEL_EXPORTER_OTLP_ENDPOINT"]; c.collector != "" {
		u, err := url.Parse(c.collector)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			c.problem("OTEL_EXPORTER_OTLP_ENDPOINT must be the address of a collector that speaks OTLP over HTTP, such as http://127.0.0.1:4318")
		}
	}
	c.namespace = c.text["CLOUDWATCH_NAMESPACE"]
	if c.namespace == "" {
		return
	}
	if !namespaceForm.MatchString(c.namespace) || strings.HasPrefix(strings.ToLower(c.namespace), "aws/") {
		c.problem("CLOUDWATCH_NAMESPACE must be a name that does not begin with AWS/, such as Ridecopilot/prod")
	}
	switch c.logFormat {
	case "text":
		c.problem("CLOUDWATCH_NAMESPACE needs LOG_FORMAT=json: the metrics are lines of JSON in the log")
	case "":
		c.logFormat = "json" // on a terminal, too
	}
}

// engine is the database's name, as the store has it.
func (c *config) engine() string {
	if c.postgres() {
		return "postgres"
	}
	return "sqlite"
}

// startTracing sends traces to the collector; nil when there is none.
func (c *config) startTracing(ctx context.Context, log *slog.Logger) (*observe.Tracing, error) {
	if c.collector == "" {
		return nil, nil //nolint:nilnil // off
	}
	return observe.StartTracing(ctx, c.collector, version(), log)
}

// writeFigures writes the metrics of CloudWatch to the log's own writer until it
// is told to stop.
func (a *app) writeFigures(w io.Writer) (stop func()) {
	if a.config.namespace == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ticker := time.NewTicker(observe.EMFEvery)
	done := make(chan struct{})
	go func() {
		defer close(done)
		observe.NewEMF(a.registry, w, a.config.namespace, a.log).Run(ctx, ticker.C)
	}()
	return func() {
		ticker.Stop()
		cancel()
		<-done
	}
}

// measureHashes returns what is told of each hash of a password.
func measureHashes(r prometheus.Registerer) func(time.Duration) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "password_hash_duration_seconds", Help: "How long a password took to hash or to check, without the waiting.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5},
	})
	r.MustRegister(h)
	return func(took time.Duration) { h.Observe(took.Seconds()) }
}

func registerGauge(r prometheus.Registerer, name, help string, labels prometheus.Labels, value func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
}

func registerCounter(r prometheus.Registerer, name, help string, labels prometheus.Labels, value func() float64) {
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, value))
}

// measureMachine registers figures of this process and its machine.
func (a *app) measureMachine(r prometheus.Registerer) {
	registerCounter(r, "password_hashes_given_up_total", "Callers whom the full lane of password hashes has turned away.", nil, func() float64 {
		return float64(a.hasher.GivenUp())
	})
	inJobs, inRequests := a.media.Lanes()
	for name, lane := range map[string]*picture.Lane{"jobs": inJobs, "requests": inRequests} {
		labels := prometheus.Labels{"lane": name}
		registerGauge(r, "pictures_running", "Pictures being decoded.", labels, func() float64 { return float64(lane.Running()) })
		registerGauge(r, "pictures_waiting", "Pictures that wait for the lane.", labels, func() float64 { return float64(lane.Waiting()) })
	}
	registerGauge(r, "disk_free_bytes", "Room on the disk of DATA_DIR.", nil, func() float64 {
		free, err := disk.Free(a.config.dataDir)
		if err != nil {
			return math.NaN()
		}
		return float64(free)
	})
	registerGauge(r, "storage_versioning_refused", "1 while the storage refuses to say whether it keeps versions: nothing is removed then.", nil, func() float64 {
		if s, ok := a.storage.(interface{ VersioningRefused() bool }); ok && s.VersioningRefused() {
			return 1
		}
		return 0
	})
	registerGauge(r, "ridecopilot_info", "1; the label tells the version.", prometheus.Labels{"version": version()}, func() float64 { return 1 })
}

// measurePools registers figures of the connections to the database.
func (a *app) measurePools(r prometheus.Registerer) {
	type pool struct {
		open, inUse, most, waits func() float64
		waited                   func() float64 // in seconds
	}
	pools := map[string]pool{}
	if a.config.postgres() {
		for name, p := range map[string]*pgxpool.Pool{"requests": a.store.RequestPool(), "jobs": a.store.JobPool()} {
			pools[name] = pool{
				open:   func() float64 { return float64(p.Stat().TotalConns()) },
				inUse:  func() float64 { return float64(p.Stat().AcquiredConns()) },
				most:   func() float64 { return float64(p.Stat().MaxConns()) },
				waits:  func() float64 { return float64(p.Stat().EmptyAcquireCount()) },
				waited: func() float64 { return p.Stat().EmptyAcquireWaitTime().Seconds() },
			}
		}
	} else {
		for name, p := range map[string]*sql.DB{"read": a.store.Reader(), "write": a.store.Writer()} {
			pools[name] = pool{
				open:   func() float64 { return float64(p.Stats().OpenConnections) },
				inUse:  func() float64 { return float64(p.Stats().InUse) },
				most:   func() float64 { return float64(p.Stats().MaxOpenConnections) },
				waits:  func() float64 { return float64(p.Stats().WaitCount) },
				waited: func() float64 { return p.Stats().WaitDuration.Seconds() },
			}
		}
	}
	for name, p := range pools {
		labels := prometheus.Labels{"pool": name}
		registerGauge(r, "database_connections", "Open connections to the database.", labels, p.open)
		registerGauge(r, "database_connections_in_use", "Connections at work.", labels, p.inUse)
		registerGauge(r, "database_connections_max", "Connections that there may be.", labels, p.most)
		registerCounter(r, "database_waits", "How often somebody had to wait for a connection.", labels, p.waits)
		registerCounter(r, "database_wait_seconds_total", "How long they have waited in all.", labels, p.waited)
	}
}

// jobStates are the states of jobs that have not ended well, or not yet.
var jobStates = []string{"available", "running", "retryable", "scheduled", "discarded"}

// measureBacklog registers what is still to be done. Promise D12 has an alarm on
// the oldest removal, P2 asks for the oldest job.
func (a *app) measureBacklog(r prometheus.Registerer) {
	b := &backlog{app: a}
	gauge := func(name, help string, labels prometheus.Labels, value func(waiting) float64) {
		registerGauge(r, name, help, labels, func() float64 {
			if is, ok := b.look(); ok {
				return value(is)
			}
			return math.NaN() // what is not known is not zero
		})
	}
	gauge("removals_open", "Objects to be removed that the storage has not confirmed yet.", nil, func(w waiting) float64 { return float64(w.removals) })
	gauge("removals_oldest_seconds", "How long the oldest open removal has waited.", nil, func(w waiting) float64 { return w.oldestRemoval.Seconds() })
	for _, state := range jobStates {
		gauge("jobs_waiting", "Jobs that have not ended well, or not yet.", prometheus.Labels{"state": state}, func(w waiting) float64 { return float64(w.jobs[state]) })
	}
	gauge("jobs_failing", "Jobs that have failed three times or more and are tried again.", nil, func(w waiting) float64 { return float64(w.failing) })
	gauge("jobs_oldest_seconds", "How long the oldest job that is due has waited.", nil, func(w waiting) float64 { return w.oldestJob.Seconds() })
	gauge("backup_age_seconds", "How old the last backup is that ridecopilot backup has made; not a number when there is none.", nil, func(w waiting) float64 {
		if w.lastBackup == nil {
			return math.NaN()
		}
		return time.Since(*w.lastBackup).Seconds()
	})
}

// backlog is what is still to be done. The gauges of one scrape share a look at
// the database.
type backlog struct {
	app *app
	mu  sync.Mutex
	at  time.Time
	is  waiting
	ok  bool
}

type waiting struct {
	removals      int64
	oldestRemoval time.Duration
	jobs          map[string]int64
	failing       int64
	oldestJob     time.Duration
	lastBackup    *time.Time
}

// lookTime bounds a look: the last one is taken while the program stops (promise
// O7).
const lookTime = time.Second

// look is what there is to do; ok is false while the database does not answer.
func (b *backlog) look() (is waiting, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.at) <= time.Second {
		return b.is, b.ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	is, err := b.app.waiting(ctx, now)
	if err != nil && (b.ok || b.at.IsZero()) { // once, and not with every look
		b.app.log.Warn("what is still to be done is not known", "err", err)
	}
	b.at, b.is, b.ok = time.Now(), is, err == nil
	return b.is, b.ok
}

// waiting asks the database what is still to be done.
func (a *app) waiting(ctx context.Context, now time.Time) (w waiting, err error) {
	n, removal, err := a.store.OpenPurges(ctx, now)
	if err != nil {
		return waiting{}, err
	}
	jobs, failing, job, err := a.store.JobsWaiting(ctx, now)
	if err != nil {
		return waiting{}, err
	}
	w = waiting{removals: n, oldestRemoval: since(removal, now), jobs: jobs, failing: failing, oldestJob: since(job, now)}
	at, made, err := a.store.LastBackup(ctx)
	if made {
		w.lastBackup = &at
	}
	return w, err
}

func since(moment *time.Time, now time.Time) time.Duration {
	if moment == nil {
		return 0
	}
	return now.Sub(*moment)
}
