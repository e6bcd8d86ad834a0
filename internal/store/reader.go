package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// querier is what reads: a connection, or a transaction. Rows must be closed.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) row
	// all puts several questions, which do not depend on one another's answers. To
	// PostgreSQL they go together.
	all(ctx context.Context, questions ...question) error
}

// question is a SELECT and what becomes of its rows, which read closes.
type question struct {
	query string
	args  []any
	read  func(rows) error
}

// collected is a question whose rows are collected.
func collected[T any](into *[]T, scan func(row) (T, error), query string, args []any) question {
	return question{query, args, func(found rows) (err error) {
		*into, err = collect(found, scan)
		return err
	}}
}

// one is a question with one row for an answer, which is read into dest.
func one(query string, args []any, dest ...any) question {
	return question{query, args, func(found rows) error {
		defer found.Close()
		if !found.Next() {
			return errors.Join(sql.ErrNoRows, found.Err())
		}
		if err := found.Scan(dest...); err != nil {
			return err
		}
		for found.Next() { // to the end, where errors are told
		}
		return found.Err()
	}}
}

// row is what a SELECT of one row gives.
type row interface{ Scan(dest ...any) error }

// rows are what a SELECT gives.
type rows interface {
	row
	Next() bool
	Err() error
	Close()
}

// collect reads all rows and closes them.
func collect[T any](rows rows, scan func(row) (T, error)) ([]T, error) {
	defer rows.Close()
	var list []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}

// sqlQuerier reads through database/sql: SQLite, and transactions.
type sqlQuerier struct {
	db interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	tracer pgx.QueryTracer // nil where the driver tells it, or where there is none
}

func (q sqlQuerier) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	if q.tracer == nil {
		return rowsOf(q.db.QueryContext(ctx, query, args...))
	}
	told := tell(ctx, q.tracer, query)
	found, err := rowsOf(q.db.QueryContext(ctx, query, args...))
	if err != nil {
		told.ended(err)
	}
	return &toldRows{found, told}, err
}

func (q sqlQuerier) QueryRowContext(ctx context.Context, query string, args ...any) row {
	if q.tracer == nil {
		return q.db.QueryRowContext(ctx, query, args...)
	}
	told := tell(ctx, q.tracer, query)
	return toldRow{q.db.QueryRowContext(ctx, query, args...), told}
}

// statement is one that a tracer was told of.
type statement struct {
	tracer pgx.QueryTracer // nil: nobody listens, or the end was told
	ctx    context.Context // what the tracer has put into it
}

// tell tells a tracer, if there is one, that a statement begins. Its arguments
// are not told: they are people's data (promise P4).
func tell(ctx context.Context, tracer pgx.QueryTracer, query string) statement {
	if tracer == nil {
		return statement{}
	}
	return statement{tracer, tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: query})}
}

func (s *statement) ended(err error) {
	if s.tracer != nil {
		s.tracer.TraceQueryEnd(s.ctx, nil, pgx.TraceQueryEndData{Err: err})
		s.tracer = nil
	}
}

// toldRows end their statement when they are closed: SQLite does its work while
// they are read.
type toldRows struct {
	rows
	told statement
}

func (r *toldRows) Close() {
	r.rows.Close()
	r.told.ended(r.Err())
}

type toldRow struct {
	*sql.Row
	told statement
}

func (r toldRow) Scan(dest ...any) error {
	err := r.Row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) { // an answer, too
		r.told.ended(nil)
	}
	r.told.ended(err)
	return err
}

func (q sqlQuerier) all(ctx context.Context, questions ...question) error {
	for _, one := range questions {
		found, err := q.QueryContext(ctx, one.query, one.args...)
		if err != nil {
			return err
		}
		if err := one.read(found); err != nil {
			return err
		}
	}
	return nil
}

type sqlRows struct{ *sql.Rows }

func rowsOf(found *sql.Rows, err error) (rows, error) { return sqlRows{found}, err }

func (r sqlRows) Close() { _ = r.Rows.Close() } // Err tells of what counts

// pgxQuerier reads from PostgreSQL without database/sql in between, which takes
// longer over a row than all the rest.
type pgxQuerier struct{ conn *pgx.Conn }

func (q pgxQuerier) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	return q.conn.Query(ctx, query, args...) //nolint:sqlclosecheck // by whoever reads it
}

func (q pgxQuerier) QueryRowContext(ctx context.Context, query string, args ...any) row {
	return q.conn.QueryRow(ctx, query, args...)
}

func (q pgxQuerier) all(ctx context.Context, questions ...question) error {
	var b pgx.Batch
	for _, one := range questions {
		b.Queue(one.query, one.args...)
	}
	answers := q.conn.SendBatch(ctx, &b)
	for _, one := range questions {
		found, err := answers.Query() //nolint:sqlclosecheck // by what reads it
		if err == nil {
			err = one.read(found)
		}
		if err != nil {
			_ = answers.Close() // reads what is left, and the first failure is the news
			return err
		}
	}
	return answers.Close()
}

// reading runs do on one connection, bounds it and explains its error.
func (s *Store) reading(ctx context.Context, w work, do func(context.Context, querier) error) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	leave, err := s.shares.enter(ctx, w)
	if err != nil {
		return s.explain(err)
	}
	defer leave()
	if s.requests != nil {
		return s.explain(readPostgres(ctx, s.requests, do))
	}
	conn, err := acquire(ctx, s.read)
	if err != nil {
		return s.explain(err)
	}
	defer conn.Close() //nolint:errcheck // gives it back
	return s.explain(do(ctx, sqlQuerier{conn, s.tracer}))
}

func readPostgres(ctx context.Context, pool *pgxpool.Pool, do func(context.Context, querier) error) error {
	conn, err := acquirePostgres(ctx, pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	return do(ctx, pgxQuerier{conn.Conn()})
}

func acquirePostgres(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquire connection: %w", err)
	}
	return conn, nil
}
