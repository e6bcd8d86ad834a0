// Package store is all the SQL of the product. A [Store] keeps the domain's
// things in SQLite or PostgreSQL through database/sql (but for what it reads from
// PostgreSQL: see reader.go), with one text for both engines; its methods are the
// interfaces that the domain packages declare.
// One method is one transaction, history and jobs included.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// Job is work that must follow a change: a plain value with a name, as River
// takes it.
type Job = interface{ Kind() string }

// Queue records jobs inside a running transaction. conn is the connection that
// the transaction runs on.
type Queue interface {
	Enqueue(ctx context.Context, conn *sql.Conn, tx *sql.Tx, job Job) error
}

// Store keeps everything. It is safe for concurrent use.
type Store struct {
	read    *sql.DB
	write   *sql.DB
	dialect dialect
	queue   Queue
	tracer  pgx.QueryTracer // SQLite only: on PostgreSQL the driver tells it

	options  Options
	requests *pgxpool.Pool // PostgreSQL only
	shares   *shares       // of requests, PostgreSQL only
	jobs     *pgxpool.Pool // PostgreSQL only: so that jobs and requests cannot starve one another
}

// dialect is what the two engines do not say alike.
type dialect struct {
	name         string
	forUpdate    string                      // locks the rows that a SELECT finds until the transaction ends
	forQuota     string                      // the same against others who do it, while rows that point there may come
	planAnew     []any                       // before arguments: see planAnew
	skipLocked   string                      // the same, without those that somebody else has locked
	collateC     string                      // compares text by its bytes
	beforeImport []string                    // statements at the begin of a transaction that takes minutes and fills tables
	searchMatch  func(words []string) string // the condition that car_post p has the words of a parameter
	searchTerm   func(words []string) string
	words        *strings.Replacer          // of the expressions of tabledefs.go
	utcDay       func(column string) string // the day of a moment, in UTC

	// What the database says of itself: see backup.go.
	hasTable        string   // whether there is a table
	tableNames      string   // all tables
	columns         string   // names and types of a table's columns, but for what is generated
	parents         string   // the tables that a table points to
	sequence        string   // what counts the numbers of a table's rows; no row when nothing does
	lastID          string   // the last number it has given, of a {sequence}
	setLastID       []string // go on from a number
	checkReferences string   // tables whose rows point to none; empty where that cannot be
	integrity       string   // "ok", or what is wrong with the file
	unlimited       []string // statements at the begin of a transaction that takes as long as it takes
}

// The limits of waiting (promises D6 and D8).
const (
	acquireTimeout   = 3 * time.Second
	operationTimeout = 5 * time.Second
	closeTimeout     = 2 * time.Second
	retries          = 3
)

// Options say where the database is.
type Options struct {
	URL       string // postgres://…; empty for the embedded database
	DataDir   string // of the embedded database
	MaxConns  int32  // PostgreSQL connections for requests; 0 is 16
	JobConns  int32  // PostgreSQL connections for jobs; 0 is 6
	Queue     Queue
	Password  func(context.Context) (string, error) // replaces the URL's password for each new connection
	Prefix    string                                // of the keys of stored objects; empty, or ending in a slash
	SyncOff   bool                                  // tests only: SQLite does not wait for the disk
	ReadConns int                                   // SQLite readers; 0 is 4
	Tracer    pgx.QueryTracer                       // is told of every statement, on SQLite with a nil connection; may be nil
}

// FileName is the name of the embedded database in its data folder.
const FileName = "ridecopilot.db"

// Open connects to the database; it neither migrates nor checks the schema.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.URL != "" {
		return openPostgres(ctx, o)
	}
	return openSQLite(ctx, o)
}

func openSQLite(ctx context.Context, o Options) (*Store, error) {
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(o.DataDir, FileName)
	if err := keepPrivate(path); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", sqliteDSN(path, o.SyncOff, false))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// One writer connection and a few readers: SQLite takes one writer at a
	// time, and waiting for it in Go is fair and cannot fail with "busy".
	write.SetMaxOpenConns(1)
	write.SetConnMaxIdleTime(0)
	read, err := sql.Open("sqlite", sqliteDSN(path, o.SyncOff, true))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	n := o.ReadConns
	if n == 0 {
		n = 4
	}
	read.SetMaxOpenConns(n)
	read.SetMaxIdleConns(n)
	s := &Store{read: read, write: write, dialect: sqliteDialect, queue: o.Queue, options: o, tracer: o.Tracer}
	if err := write.PingContext(ctx); err != nil { // also puts the file into WAL mode
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// keepPrivate makes the database a file of its owner alone; what SQLite puts
// beside it is made alike.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// sqliteDSN says how connections behave: the write-ahead log with a full sync
// at every commit (promise D1), foreign keys on, transactions that write from
// the start, and times as sortable UTC text.
func sqliteDSN(path string, syncOff, readOnly bool) string {
	q := url.Values{
		"_pragma":       {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-16384)"},
		"_busy_timeout": {"10000"},
		"_time_format":  {"sqlite"},
		"_timezone":     {"UTC"},
		"_texttotime":   {"1"},
	}
	if syncOff {
		q["_pragma"][1] = "synchronous(OFF)"
	}
	if readOnly {
		q.Set("_query_only", "1")
	} else {
		q.Set("_txlock", "immediate")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func openPostgres(ctx context.Context, o Options) (*Store, error) {
	s := &Store{dialect: postgresDialect, queue: o.Queue, options: o}
	cs := &connections{sockets: map[*socket]struct{}{}}
	var err error
	if s.requests, err = cs.open(ctx, o, max(o.MaxConns, 0), 16); err != nil {
		return nil, err
	}
	s.shares = newShares(s.requests.Config().MaxConns)
	if s.jobs, err = cs.open(ctx, o, o.JobConns, 6); err != nil {
		s.requests.Close()
		return nil, err
	}
	s.write = stdlib.OpenDBFromPool(s.requests)
	s.read = s.write
	return s, nil
}

// CheckURL tells what is wrong with a DATABASE_URL, without the password in it.
func CheckURL(url string) error {
	if _, err := pgxpool.ParseConfig(url); err != nil || !strings.Contains(url, "://") {
		return errNoURL
	}
	return nil
}

// Close ends all connections.
func (s *Store) Close() error {
	var errs []error
	if s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.requests != nil {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			var both sync.WaitGroup
			both.Go(s.requests.Close)
			both.Go(s.jobs.Close)
			both.Wait()
		}()
		select {
		case <-closed:
		case <-time.After(closeTimeout): // a server that hangs does not take leave
		}
	}
	return errors.Join(errs...)
}

// SetQueue says where jobs are recorded. It is called once, before the first
// change: the queue itself needs the store's connections.
func (s *Store) SetQueue(q Queue) { s.queue = q }

// JobPool is the PostgreSQL pool for jobs, nil on SQLite.
func (s *Store) JobPool() *pgxpool.Pool { return s.jobs }

// RequestPool is the PostgreSQL pool for requests, nil on SQLite.
func (s *Store) RequestPool() *pgxpool.Pool { return s.requests }

// Writer is the SQLite connection that writes (on PostgreSQL, the requests').
func (s *Store) Writer() *sql.DB { return s.write }

// Reader is the pool that reads.
func (s *Store) Reader() *sql.DB { return s.read }

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { return s.dialect.name }

// Ping is nil when the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		var one int
		return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	})
}

// txn is a running transaction, with the connection that it runs on.
type txn struct {
	*sql.Tx
	conn *sql.Conn
	s    *Store
}

// inTx runs do in one transaction, and again when the engine says that the
// attempt lost a race (promise D7): do must start from what it reads.
func (s *Store) inTx(ctx context.Context, w work, do func(*txn) error) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return s.inLongTx(ctx, w, do)
}

// inLongTx is inTx without its own limit of time.
func (s *Store) inLongTx(ctx context.Context, w work, do func(*txn) error) error {
	for attempt := 1; ; attempt++ {
		err := s.once(ctx, w, do)
		if err == nil || attempt > retries || !retryable(err) {
			return s.explain(err)
		}
		pause := time.NewTimer(time.Duration(rand.Int64N(int64(attempt) * int64(20*time.Millisecond)))) //nolint:gosec // jitter, not a secret
		select {
		case <-ctx.Done():
			pause.Stop()
			return s.explain(err)
		case <-pause.C:
		}
	}
}

func (s *Store) once(ctx context.Context, w work, do func(*txn) error) error {
	leave, err := s.shares.enter(ctx, w)
	if err != nil {
		return err
	}
	defer leave()
	conn, err := acquire(ctx, s.write)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // gives it back
	begin := tell(ctx, s.tracer, "begin")
	tx, err := conn.BeginTx(ctx, nil)
	begin.ended(err)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() // after a commit there is nothing to roll back
	if err := do(&txn{Tx: tx, conn: conn, s: s}); err != nil {
		return err
	}
	commit := tell(ctx, s.tracer, "commit")
	err = tx.Commit()
	commit.ended(err)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (t *txn) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	return sqlQuerier{t.Tx, t.s.tracer}.QueryContext(ctx, query, args...)
}

func (t *txn) QueryRowContext(ctx context.Context, query string, args ...any) row {
	return sqlQuerier{t.Tx, t.s.tracer}.QueryRowContext(ctx, query, args...)
}

// ExecContext is that of the transaction, of which the tracer is told.
func (t *txn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	exec := tell(ctx, t.s.tracer, query)
	res, err := t.Tx.ExecContext(ctx, query, args...)
	exec.ended(err)
	return res, err
}

func (t *txn) all(ctx context.Context, questions ...question) error {
	return sqlQuerier{t.Tx, t.s.tracer}.all(ctx, questions...)
}

// enqueue records a job in the transaction.
func (t *txn) enqueue(ctx context.Context, job Job) error {
	if t.s.queue == nil {
		return errors.New("store: no queue was set")
	}
	return t.s.queue.Enqueue(ctx, t.conn, t.Tx, job)
}

// acquire takes a connection out of a pool, or gives up soon.
func acquire(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquire connection: %w", err)
	}
	return conn, nil
}

// SQLSTATEs and classes that mean something here.
const (
	pgUnique        = "23505"
	pgForeignKey    = "23503"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgReadOnly      = "25006"
	pgDiskFull      = "53100"
	pgNoTable       = "42P01"
	pgLockTimeout   = "55P03"
	pgNoRight       = "42501"
)

func pgCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func retryable(err error) bool {
	code := pgCode(err)
	return code == pgSerialization || code == pgDeadlock
}

func isUnique(err error) bool {
	return pgCode(err) == pgUnique || sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT_UNIQUE || sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

func isForeignKey(err error) bool {
	return pgCode(err) == pgForeignKey || sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// The faults of the database as a whole.
var (
	errBusy = fault.Busy(fault.Unavailable, "The server is busy. Try again shortly.", time.Second)
	errFull = fault.New(fault.Full, "There is no room on disk.")
)

// explain turns what the database as a whole cannot do now into a fault that a
// client can act on. The cause stays in the chain for the log.
func (s *Store) explain(err error) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	switch code := sqliteCode(err) & 0xff; code {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%w: %w", errBusy, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", errFull, err)
	}
	switch code := pgCode(err); {
	case code == pgDiskFull:
		return fmt.Errorf("%w: %w", errFull, err)
	case code == "57014", code == pgReadOnly, code == pgLockTimeout, retryable(err), len(code) == 5 && (code[:2] == "08" || code[:2] == "53" || code[:3] == "57P"):
		return fmt.Errorf("%w: %w", errBusy, err)
	case code != "":
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || pgconn.Timeout(err) || isNetwork(err) {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}

// isNetwork tells whether the connection was lost or could not be made. A
// commit that ends so may or may not have happened: the client is told to try
// again, and its idempotency key finds out (promise D2).
func isNetwork(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn)
}

// timeArg is a time as both engines keep it: UTC, to the microsecond.
func timeArg(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond)
}

// text is NULL for an empty text.
func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// now is the store's own clock, for what no caller has a say in.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
