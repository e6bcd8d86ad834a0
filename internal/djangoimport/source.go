package djangoimport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Source is the older database, read in one transaction that sees one moment of
// it and cannot write.
type Source struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

// ErrURL answers an address that is none. It does not repeat it: there is a
// password in it (promise P4).
var ErrURL = errors.New("--from must be a connection string like postgres://user:password@host:5432/database")

// connectTime is how long the older database may take to answer.
const connectTime = 10 * time.Second

// columns are what is read of each table.
var columns = map[string][]string{
	userTable: {
		"id", "password", "last_login", "is_superuser", "first_name", "last_name", "is_staff", "is_active", "date_joined", "name", "email",
		"username",
	},
	postTable: {
		"id", "user_id", "created_at", "car_name", "model", "version", "year", "engine", "fuel", "body", "transmission", "gear_number", "color",
		"seat_number", "door_number", "milleage", "power", "mpg", "description", "emission_standard", "location", "contact", "price",
	},
	photoTable: {"id", "post_id", "file", "original_file_name", "file_name", "file_type", "upload_finished_at"},
	entryTable: {"id", "user_id", "pub_date", "app_income", "commission", "expenses", "earnings"},
}

// Open connects to the older database and begins to read. The error is a
// sentence for the operator, without the password.
func Open(ctx context.Context, url string) (*Source, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil || !strings.Contains(url, "://") {
		return nil, ErrURL
	}
	c.ConnectTimeout = connectTime
	c.RuntimeParams["default_transaction_read_only"] = "on"
	c.RuntimeParams["timezone"] = "UTC"
	c.RuntimeParams["statement_timeout"] = "0" // a table is read in one statement, at the pace of our writing
	c.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	c.RuntimeParams["application_name"] = "ridecopilot import-django"
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("the older database cannot be reached; see that --from is right: %s", reason(err))
	}
	s := &Source{conn: conn}
	if s.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err == nil {
		err = s.check(ctx)
	}
	if err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

// reason is why there is no connection, in one line.
func reason(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Message
	}
	text := strings.TrimSpace(err.Error())
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		if inner := e.Unwrap(); inner != nil {
			text = strings.TrimSpace(inner.Error())
		}
	}
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// Close ends the connection.
func (s *Source) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // nothing was written
}

// check sees that all is there that will be read.
func (s *Source) check(ctx context.Context) error {
	for _, table := range []string{userTable, postTable, photoTable, entryTable} {
		rows, err := s.tx.Query(ctx, `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`, table)
		if err != nil {
			return readError(table, err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return readError(table, err)
		}
		if len(found) == 0 {
			return fmt.Errorf("the database of --from has no table %s: it is not that of the older backend", table)
		}
		for _, c := range columns[table] {
			if !slices.Contains(found, c) {
				return fmt.Errorf("the table %s of --from has no column %s: it is not that of the older backend", table, c)
			}
		}
	}
	return nil
}

// count is how many rows the tables have.
func (s *Source) count(ctx context.Context) (map[string]int, error) {
	n := map[string]int{}
	for table := range columns {
		var rows int
		if err := s.tx.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&rows); err != nil {
			return nil, readError(table, err)
		}
		n[table] = rows
	}
	return n, nil
}

// given is the last id that the older backend has given, rows deleted since
// included; 0 where that cannot be seen.
func (s *Source) given(ctx context.Context, table string) (last int64, err error) {
	err = s.tx.QueryRow(ctx, `
		SELECT COALESCE(max(s.last_value), 0) FROM pg_sequences s
		WHERE format('%I.%I', s.schemaname, s.sequencename) = pg_get_serial_sequence($1, 'id')`, table).Scan(&last)
	if err != nil {
		return 0, readError(table, err)
	}
	return last, nil
}

// readError is why a table cannot be read. The cause is not in its chain: nobody
// is to take it for a failure of our own database.
func readError(table string, err error) error {
	return fmt.Errorf("the table %s of --from cannot be read: %s", table, reason(err))
}

// read hands over the rows of a query in batches. The server sends them as they
// are taken, so only a batch is held at a time.
func read[T any](ctx context.Context, s *Source, table, query string, scan func(pgx.Rows) (T, error), each func([]T) error) error {
	rows, err := s.tx.Query(ctx, query)
	if err != nil {
		return readError(table, err)
	}
	defer rows.Close()
	batch := make([]T, 0, batchRows)
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return readError(table, err)
		}
		if batch = append(batch, one); len(batch) == batchRows {
			if err := each(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return readError(table, err)
	}
	if len(batch) > 0 {
		return each(batch)
	}
	return nil
}
