package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/admin"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/legacyapi"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/mail"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/observe"
	"github.com/ridecopilot/ridecopilot/internal/overview"
	"github.com/ridecopilot/ridecopilot/internal/rdsauth"
	"github.com/ridecopilot/ridecopilot/internal/server"
	"github.com/ridecopilot/ridecopilot/internal/site"
	"github.com/ridecopilot/ridecopilot/internal/store"
)

// djangoIterations is what Django 3.2, the older backend's, hashes with.
const djangoIterations = 260_000

// app is the product, put together: every constructor is called here and
// nowhere else.
type app struct {
	config    *config
	log       *slog.Logger
	store     *store.Store
	hasher    *password.Hasher
	accounts  *account.Service
	listings  *listing.Service
	earnings  *earnings.Service
	documents *document.Service
	media     *media.Service
	desk      *jobs.Desk
	storage   storage
	registry  *prometheus.Registry
	tracer    trace.Tracer // nil: nobody traces
	watched   *observe.Jobs
	migrated  atomic.Bool // the schema was seen to be up to date
}

// newApp connects to the database and makes the services on it. Commands use
// them as the server does: the same rules, and no second path to a table. The
// tracer may be nil.
func newApp(ctx context.Context, c *config, log *slog.Logger, tracer trace.Tracer) (*app, error) {
	if !c.postgres() {
		if err := c.ensureSecret(); err != nil {
			return nil, err
		}
	}
	o := store.Options{URL: c.databaseURL, DataDir: c.dataDir, Prefix: c.s3.prefix, Tracer: observe.NewStatements(tracer, c.engine())}
	if c.databaseIAM {
		tokens, err := rdsauth.New(ctx, c.databaseURL)
		if err != nil {
			return nil, usageError{fmt.Errorf("DATABASE_IAM_AUTH: %w", err)}
		}
		o.Password = tokens.Password
	}
	s, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	watched := observe.NewJobs(registry, tracer)
	queue, err := jobs.NewQueue(jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()}, watched)
	if err != nil {
		return nil, err
	}
	s.SetQueue(queue)
	params := password.Params{Done: measureHashes(registry)}
	switch imported, err := s.HasDjangoHashes(ctx); {
	case err != nil:
		return nil, errors.Join(err, s.Close())
	case imported:
		// Until the last of them is renewed every check does the work of one, so
		// that nobody can tell imported accounts by the time (promise T4).
		params.DjangoIterations = djangoIterations
	}
	a := &app{config: c, log: log, store: s, hasher: password.NewHasher(params), registry: registry, tracer: tracer, watched: watched}
	a.accounts = account.NewService(s, account.Options{
		Secret: c.secret, PreviousSecret: c.previousSecret, AccessTTL: c.accessTTL, RefreshTTL: c.refreshTTL,
		Registration: c.registration, Throttle: c.throttle, Hasher: a.hasher, Log: log,
	})
	a.listings = listing.NewService(s, time.Now)
	a.earnings = earnings.NewService(s, s, time.Now)
	a.documents = document.NewService(s, s, time.Now)
	if a.desk, err = jobs.NewDesk(jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	wanted := func(ctx context.Context, key string) (bool, error) { return a.media.Wanted(ctx, key) }
	if a.storage, err = c.openStorage(ctx, wanted); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	a.media = media.NewService(media.Options{
		Store: s, Bucket: observe.NewStorage(a.storage, registry, tracer), Posts: a.listings, Documents: a.documents, Prefix: c.s3.prefix, Log: log,
	})
	return a, nil
}

func (a *app) close() {
	if err := a.store.Close(); err != nil {
		a.log.Warn("database not closed", "err", err)
	}
}

// jobDB is where the jobs live.
func (a *app) jobDB() jobs.DB {
	return jobs.DB{Postgres: a.store.JobPool(), SQLite: a.store.Writer()}
}

// migrate brings the schema up to date and returns the steps that were taken.
func (a *app) migrate(ctx context.Context) ([]string, error) {
	return a.store.Migrate(ctx, a.migrateQueue)
}

// migrateQueue brings the tables of the jobs up to date.
func (a *app) migrateQueue(ctx context.Context) error { return jobs.Migrate(ctx, a.jobDB()) }

// api is the JSON API.
func (a *app) api() *httpapi.API {
	return httpapi.New(httpapi.Options{
		Accounts: a.accounts, Listings: a.listings, Earnings: a.earnings, Documents: a.documents, Media: a.media, Answers: a.store,
		PublicURL: a.config.publicURL, Secret: a.config.secret, Log: a.log,
	})
}

// sender is how mails leave: by SMTP, or into a folder.
func (a *app) sender() (jobs.Sender, error) {
	if a.config.smtpURL != "" {
		return mail.NewSMTP(a.config.smtpURL, a.config.mailFrom)
	}
	f, err := mail.NewFolder(filepath.Join(a.config.dataDir, "mail"), a.config.mailFrom)
	if err != nil {
		return nil, err
	}
	f.Wrote = func(path string) { a.log.Info("mail written", "file", path) }
	return f, nil
}

// runner works the jobs.
func (a *app) runner() (*jobs.Runner, error) {
	sender, err := a.sender()
	if err != nil {
		return nil, usageError{fmt.Errorf("SMTP_URL or MAIL_FROM: %w", err)}
	}
	return jobs.NewRunner(jobs.Options{
		DB: a.jobDB(), Accounts: a.accounts, Documents: a.documents, Listings: a.listings, Media: a.media, Erasures: a.backups(),
		Sender: observe.Mails{Sender: sender, Tracer: a.tracer}, PublicURL: a.config.publicURL, Log: a.log, Oldest: a.store.OldestJob,
		Middleware: []rivertype.Middleware{a.watched},
	})
}

// server is the root of all requests.
func (a *app) server(runner *jobs.Runner) *server.Server {
	api := a.api()
	pages := site.New(site.Options{Accounts: a.accounts, OpenAPI: api.Description, AdminPath: admin.Path, Secure: a.config.publicURL.Scheme == "https", Log: a.log})
	checks := map[string]func(context.Context) error{"database": a.store.Ping, "jobs": runner.Check, "storage": a.storage.Ping}
	if a.store.Engine() == "sqlite" || a.files() != nil {
		checks["disk"] = func(context.Context) error {
			return hasRoom(func() (uint64, error) { return disk.Free(a.config.dataDir) })
		}
	}
	html := http.NewServeMux()
	html.Handle("/", pages.Pages())
	html.Handle(admin.Path, a.admin(checks))
	mux := http.NewServeMux()
	mux.Handle("/api/docs", pages.Docs()) // which sends clients on to the slash
	mux.Handle("/api/docs/", pages.Docs())
	var refusal func(*http.Request, string) map[string]any
	if a.config.legacyAPI {
		older := a.legacy()
		older.Mount(mux, api)
		refusal = older.Refusal
	}
	mux.Handle("/", api)
	a.measure(a.registry)
	return server.New(server.Options{
		Log: a.log, PublicURL: a.config.publicURL, TrustedProxies: a.config.proxies, CORSOrigins: a.config.origins,
		AllowLoopbackOrigins: a.loopbackOrigins(),
		API:                  mux, Refusal: refusal, Storage: a.files(), Site: html,
		Checks: checks, OldestJob: runner.Waited,
		Ready: a.ready, DrainDelay: a.config.drainDelay, Registry: a.registry, Tracer: a.tracer,
	})
}

// hasRoom fails when the disk is so full that no upload is taken, and the database
// will be next.
func hasRoom(free func() (uint64, error)) error {
	n, err := free()
	if err == nil && n < disk.Reserve {
		err = fmt.Errorf("the disk of DATA_DIR is full: %d MB are free, uploads are refused below %d", n>>20, disk.Reserve>>20)
	}
	return err
}

// admin is the operators' site.
func (a *app) admin(checks map[string]func(context.Context) error) *admin.Site {
	return admin.New(admin.Options{
		Accounts: a.accounts, Listings: a.listings, Earnings: a.earnings, Documents: a.documents, Media: a.media,
		Overview: overview.NewService(a.store, time.Now), Tables: store.NewTables(a.store), Trail: a.store, Jobs: a.desk, Checks: checks,
		Version: "Ridecopilot " + version() + " on " + map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[a.store.Engine()],
		Secure:  a.config.publicURL.Scheme == "https", Log: a.log,
	})
}

// legacy is the API of the older web client.
func (a *app) legacy() *legacyapi.API {
	origins := server.NewOrigins(append(slices.Clone(a.config.origins), a.config.publicURL.String()), a.loopbackOrigins())
	return legacyapi.New(legacyapi.Options{
		Accounts: a.accounts, Listings: a.listings, Earnings: a.earnings, Media: a.media,
		AllowedOrigin: origins.Allow, Secure: a.config.publicURL.Scheme == "https", SameSite: a.config.sameSite, Log: a.log,
	})
}

// loopbackOrigins tells whether pages of this machine may use the API without
// being named: in development.
func (a *app) loopbackOrigins() bool { return len(a.config.origins) == 0 && a.config.loopback() }

// ready is nil when requests can be served: the database answers, with the
// schema that this binary knows.
func (a *app) ready(ctx context.Context) error {
	if a.migrated.Load() { // migrations only go forward
		return a.store.Ping(ctx)
	}
	n, err := a.store.Pending(ctx)
	if err == nil && n > 0 {
		return fmt.Errorf("%d migrations are not applied", n)
	}
	a.migrated.Store(err == nil)
	return err
}

// files serves what is kept on local disk; nil when files are kept elsewhere.
func (a *app) files() http.Handler {
	h, ok := a.storage.(http.Handler)
	if !ok {
		return nil
	}
	mux := http.NewServeMux() // which notes the pattern for the log
	mux.Handle(server.StoragePath, h)
	return mux
}

// measure registers the figures of what is wired here.
func (a *app) measure(r *prometheus.Registry) {
	gauge := func(name, help string, value func() float64) {
		registerGauge(r, name, help, nil, value)
	}
	gauge("password_hashes_running", "Passwords being hashed.", func() float64 { return float64(a.hasher.Running()) })
	gauge("password_hashes_waiting", "Requests that wait for the lane of password hashes.", func() float64 { return float64(a.hasher.Waiting()) })
	a.measureBacklog(r)
	a.measureMachine(r)
	a.measurePools(r)
}

// newLog writes events in UTC, one line each: for people on a terminal, for
// machines elsewhere.
func newLog(c *config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.logLevel)) // checked when the settings were read
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			a.Value = slog.TimeValue(a.Value.Time().UTC())
		}
		return a
	}}
	if c.logFormat == "text" || (c.logFormat == "" && isTerminal(w)) {
		return slog.New(observe.Log(slog.NewTextHandler(w, o)))
	}
	return slog.New(observe.Log(slog.NewJSONHandler(w, o)))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// newSecret is 48 random bytes as text.
func newSecret() string {
	b := make([]byte, 48)
	rand.Read(b) // never fails: it ends the process instead
	return base64.RawStdEncoding.EncodeToString(b)
}
