package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/ridecopilot/ridecopilot/internal/store"
)

func (p *program) serveCommand() *cobra.Command {
	var migrate bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API; migrates an embedded database by itself",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.serve(cmd.Context(), migrate)
		},
	}
	c.Flags().BoolVar(&migrate, "migrate", false, "on PostgreSQL: migrate first")
	return c
}

func (p *program) serve(ctx context.Context, migrate bool) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	log := newLog(c, p.stderr)
	for _, w := range c.warnings {
		log.Warn("weak setting", "warning", w)
	}
	release, err := c.lockDataDir()
	if err != nil {
		return err
	}
	defer release() //nolint:errcheck // the lock ends with the process
	tracing, err := c.startTracing(ctx, log)
	if err != nil {
		return err
	}
	defer tracing.Stop(ctx)
	a, err := newApp(ctx, c, log, tracing.Tracer())
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.prepareSchema(ctx, migrate); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it served: the next start takes it up again
		}
		return err
	}
	public, err := listen(ctx, "ADDR", c.addr)
	if err != nil {
		return err
	}
	defer public.Close() // serving closes it before
	if c.from["PUBLIC_URL"] == "default" {
		c.publicURL.Host = public.Addr().String() // ADDR may have asked for any free port
	}
	private, err := listenPrivate(ctx, c, log)
	if err != nil {
		return err
	}
	runner, err := a.runner()
	if err != nil {
		return err
	}
	srv := a.server(runner)
	if err := runner.Start(ctx); err != nil {
		return err
	}
	defer a.writeFigures(p.stderr)()
	p.announce(a, public, private)
	// Jobs stop while the last requests are answered: what those enqueue waits
	// in the database for the next start.
	serving, done := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() {
		<-serving.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		stopped <- runner.Stop(stopping)
	}()
	err = srv.Serve(ctx, public, private)
	done()
	return errors.Join(err, <-stopped)
}

// stopTime is how long jobs get to end or go back to the queue (promise O7).
const stopTime = 12 * time.Second

// prepareSchema migrates an embedded database, or PostgreSQL when asked; else
// an older schema is a reason not to start.
func (a *app) prepareSchema(ctx context.Context, migrate bool) error {
	if sum, err := a.store.Unsettled(ctx); err != nil || sum != "" {
		if err == nil {
			err = errors.New("a restore was cut off here: run ridecopilot restore with the same file again, which finishes it")
		}
		return err
	}
	if migrate || !a.config.postgres() {
		done, err := a.migrate(ctx)
		if len(done) > 0 {
			a.log.Info("database migrated", "steps", len(done))
			// Reading the steps took more memory than serving does. What was taken is
			// kept for later unless it is given back; the first collection alone
			// leaves it in the pools of the reader.
			runtime.GC()
			debug.FreeOSMemory()
		}
		return err
	}
	n, err := a.store.Pending(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("the database is %d migrations behind: run ridecopilot migrate, or serve --migrate", n)
	}
	return nil
}

func listen(ctx context.Context, name, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be listened on: %w", name, addr, err)
	}
	return l, nil
}

// listenPrivate opens the listener of metrics and profiles. By default a taken
// port is no reason not to serve; one that was asked for is.
func listenPrivate(ctx context.Context, c *config, log *slog.Logger) (net.Listener, error) {
	if c.metricsAddr == "" {
		return nil, nil //nolint:nilnil // off
	}
	l, err := listen(ctx, "METRICS_ADDR", c.metricsAddr)
	if err == nil {
		return l, nil
	}
	if c.from["METRICS_ADDR"] == "default" {
		log.WarnContext(ctx, "no metrics: METRICS_ADDR is taken", "addr", c.metricsAddr)
		return nil, nil //nolint:nilnil // served without
	}
	return nil, err
}

// announce says where to go.
func (p *program) announce(a *app, public, private net.Listener) {
	base := a.config.publicURL.String()
	fmt.Fprintf(p.stdout, "Ridecopilot %s, on %s\n", version(), map[string]string{"sqlite": "SQLite in " + a.config.dataDir, "postgres": "PostgreSQL"}[a.store.Engine()])
	fmt.Fprintf(p.stdout, "  start page  %s/\n  API docs    %s/api/docs/\n  admin       %s/admin/\n  health      %s/health/\n", base, base, base, base)
	if private != nil {
		fmt.Fprintf(p.stdout, "  metrics     http://%s/metrics\n", private.Addr())
	}
	a.log.Info("serving", "addr", public.Addr().String(), "engine", a.store.Engine(), "version", version())
}

func (p *program) migrateCommand() *cobra.Command {
	run := func(act func(context.Context, *app) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, _ []string) error { return p.withApp(cmd.Context(), act) }
	}
	var role string
	up := run(func(ctx context.Context, a *app) error {
		if role != "" && !a.config.postgres() {
			return usageError{errors.New("--serve-role is for PostgreSQL: SQLite has no roles")}
		}
		done, err := a.migrateAlone(ctx)
		for _, name := range done {
			fmt.Fprintln(p.stdout, "applied", name)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, "The database is up to date.")
		if role == "" {
			return nil
		}
		if err := a.store.GrantServing(ctx, role); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "The role %s may read and write rows, and not change the schema.\n", role)
		return nil
	})
	withRole := func(c *cobra.Command) *cobra.Command {
		c.Flags().StringVar(&role, "serve-role", "", "on PostgreSQL: the role that serves, which is made if need be, and gets rights on rows alone")
		return c
	}
	c := withRole(&cobra.Command{Use: "migrate [up|status]", Short: "Bring the database's schema up to date, or show how it stands", Args: cobra.NoArgs, RunE: up})
	c.AddCommand(
		withRole(&cobra.Command{Use: "up", Short: "Apply what is missing", Args: cobra.NoArgs, RunE: up}),
		&cobra.Command{Use: "status", Short: "List the steps and which are applied", Args: cobra.NoArgs, RunE: run(func(ctx context.Context, a *app) error {
			steps, err := a.store.Migrations(ctx)
			for _, m := range steps {
				fmt.Fprintf(p.stdout, "%-8s %s\n", map[bool]string{true: "applied", false: "pending"}[m.Applied], m.Name)
			}
			return err
		})},
	)
	return c
}

// lockDataDir keeps others from serving, migrating or restoring in the data folder
// of an embedded database; PostgreSQL sees to that itself.
func (c *config) lockDataDir() (release func() error, err error) {
	if c.postgres() {
		return func() error { return nil }, nil
	}
	return store.LockDataDir(c.dataDir)
}

// migrateAlone migrates while nobody else serves or migrates: PostgreSQL sees
// to that itself, on SQLite it is the lock of the data folder.
func (a *app) migrateAlone(ctx context.Context) ([]string, error) {
	release, err := a.config.lockDataDir()
	if err != nil {
		return nil, err
	}
	defer release() //nolint:errcheck // the lock ends with the process
	return a.migrate(ctx)
}

// withApp runs a command on the services, without a server.
func (p *program) withApp(ctx context.Context, act func(context.Context, *app) error) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	a, err := newApp(ctx, c, newLog(c, p.stderr), nil)
	if err != nil {
		return err
	}
	defer a.close()
	return act(ctx, a)
}

// withSchema is withApp for commands that need the tables to be there.
func (p *program) withSchema(ctx context.Context, act func(context.Context, *app) error) error {
	return p.withApp(ctx, func(ctx context.Context, a *app) error {
		n, err := a.store.Pending(ctx)
		if err != nil {
			return err
		}
		switch {
		case n > 0 && a.config.postgres():
			return fmt.Errorf("the database is %d migrations behind: run ridecopilot migrate", n)
		case n > 0:
			if _, err := a.migrateAlone(ctx); err != nil {
				return err
			}
		}
		return act(ctx, a)
	})
}

func (p *program) healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck", Short: "Exit 0 when the server at ADDR is ready", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.load()
			if err != nil {
				return err
			}
			host, port, err := net.SplitHostPort(c.addr)
			if err != nil {
				return usageError{errors.New("ADDR must be host:port")}
			}
			if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
				host = "127.0.0.1"
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
			if err != nil {
				return err
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return fmt.Errorf("the server at %s does not answer: %w", c.addr, err)
			}
			defer res.Body.Close()
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16)) // a few words
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("the server at %s is not ready (status %d)", c.addr, res.StatusCode)
			}
			fmt.Fprintln(p.stdout, "ready")
			return nil
		},
	}
}
