package store

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/listing"
)

// PlanPosts is how the engine would read a page of posts.
func (s *Store) PlanPosts(ctx context.Context, reader int64, f listing.Filter, o listing.Order, at listing.Place) (string, error) {
	q := s.postQuery(reader, f)
	statement, err := q.posts(o, at)
	if err != nil {
		return "", err
	}
	explain, columns := `EXPLAIN `, 1
	if s.dialect.name == sqliteDialect.name {
		explain, columns = `EXPLAIN QUERY PLAN `, 4
	}
	rows, err := sqlQuerier{s.read, s.tracer}.QueryContext(ctx, explain+statement, q.args...)
	if err != nil {
		return "", err
	}
	lines, err := collect(rows, func(r row) (string, error) {
		var line string
		dest := []any{new(any), new(any), new(any), &line}[4-columns:]
		err := r.Scan(dest...)
		return line, err
	})
	return strings.Join(lines, "\n"), err
}

// Show reads one value in the transaction of an import.
func (i *Import) Show(ctx context.Context, sql string) (value string, err error) {
	err = i.tx.QueryRowContext(ctx, sql).Scan(&value)
	return value, err
}

// Creation and Compared are what the history says of a thing that was made, each
// found out in its own way.
func Creation(made any) (string, error) { return creation(made) }

// Compared: see Creation.
func Compared(made any) (string, error) {
	changes, err := diff(nil, made)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(changes)
	return string(text), err
}

// LookAgain has a connection asked at its next use whether its server takes writes.
func LookAgain(c *pgx.Conn) { delete(c.PgConn().CustomData(), lookedAt) }
