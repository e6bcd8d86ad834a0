// Command reference is the ceiling that the benchmark measures the product
// against: the same routes on the same database, written by hand with net/http
// and pgx alone. It checks the same token, reads the same session and columns,
// writes the same rows and answers with the same JSON; it has no layers, no
// framework, no log and no limits. Nobody should run it for anything else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ridecopilot/ridecopilot/internal/account/password"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

type server struct {
	db     *pgxpool.Pool
	keys   keys
	hasher *password.Hasher
	base   string // where clients reach it
}

func run(ctx context.Context) error {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen; the rest comes from DATABASE_URL and SECRET_KEY")
	flag.Parse()
	pool, err := connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	s := &server{db: pool, hasher: password.NewHasher(password.Params{})}
	if s.keys, err = deriveKeys(os.Getenv("SECRET_KEY")); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.base = "http://" + l.Addr().String()
	srv := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = srv.Close() // nothing in flight is worth waiting for
	}()
	fmt.Fprintln(os.Stdout, "  start page ", s.base+"/")
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// connect opens a pool of as many connections as the product's, with the same
// settings.
func connect(ctx context.Context, address string) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errors.New("DATABASE_URL is no connection string")
	}
	c.MaxConns = 16
	c.ConnConfig.RuntimeParams["timezone"] = "UTC"
	c.ConnConfig.RuntimeParams["statement_timeout"] = "10000"
	c.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return pool, nil
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("POST /api/auth/login/{$}", s.login)
	mux.HandleFunc("POST /api/auth/token/refresh/{$}", s.refresh)
	mux.HandleFunc("GET /api/carposts/{$}", s.closed(s.listPosts))
	mux.HandleFunc("POST /api/carposts/{$}", s.closed(s.createPost))
	mux.HandleFunc("GET /api/carposts/facets/{$}", s.closed(s.facets))
	mux.HandleFunc("GET /api/carposts/{id}/{$}", s.closed(s.getPost))
	mux.HandleFunc("POST /api/carposts/{id}/photos/{$}", s.closed(s.startPhoto))
	mux.HandleFunc("GET /api/calculator/{$}", s.closed(s.listEntries))
	mux.HandleFunc("POST /api/calculator/{$}", s.closed(s.createEntry))
	mux.HandleFunc("GET /api/calculator/summary/{$}", s.closed(s.summary))
	return mux
}

// refusal is an error that has a status.
type refusal int

func (r refusal) Error() string { return http.StatusText(int(r)) }

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	if r, ok := errors.AsType[refusal](err); ok {
		http.Error(w, r.Error(), int(r))
		return
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

// link is the address of the request with one parameter changed.
func (s *server) link(u *url.URL, name, value string) *string {
	q := u.Query()
	q.Set(name, value)
	l := s.base + u.Path + "?" + q.Encode()
	return &l
}
