package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/backup"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// This file is how everything goes out into a backup and comes in again. It
// names no tables: what the database says that it has is copied, so that a new
// table cannot be forgotten.

// derived are the tables that triggers fill from others.
var derived = []string{"post_tally"}

// copied tells whether a table is part of a backup: what River and the migrator
// keep is not. Jobs are made anew from the rows that wait for them: see Resume.
func copied(table string) bool {
	return !strings.HasPrefix(table, "river_") && table != gooseTable && !slices.Contains(derived, table)
}

const gooseTable = "goose_db_version"

// kinds are what the columns of either engine are declared as.
var kinds = map[string]backup.Kind{
	"integer": backup.Integer, "bigint": backup.Integer, "text": backup.Text, "boolean": backup.Bool,
	"timestamp": backup.Time, "timestamp with time zone": backup.Time, "date": backup.Date, "blob": backup.Bytes, "bytea": backup.Bytes,
}

// snapshot is a transaction that sees one moment of the database.
type snapshot struct {
	tx      querier
	s       *Store
	schema  int64
	lineage string
	tables  []backup.Table
}

// Snapshot runs read on one moment of the database, for as long as it takes.
func (s *Store) Snapshot(ctx context.Context, read func(backup.Source) error) (err error) {
	conn, err := acquire(ctx, s.read)
	if err != nil {
		return s.explain(err)
	}
	defer conn.Close() //nolint:errcheck // gives it back
	o := &sql.TxOptions{}
	if s.dialect.unlimited != nil { // PostgreSQL; a transaction of SQLite sees one moment anyway
		o.Isolation, o.ReadOnly = sql.LevelRepeatableRead, true
	}
	tx, err := conn.BeginTx(ctx, o)
	if err != nil {
		return s.explain(err)
	}
	defer tx.Rollback() // it has changed nothing
	for _, statement := range s.dialect.unlimited {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return s.explain(err)
		}
	}
	from := &snapshot{tx: sqlQuerier{tx, s.tracer}, s: s}
	if from.schema, err = s.schemaOf(ctx, from.tx); err == nil && from.schema == 0 {
		return fault.New(fault.Conflict, "There is nothing to back up: the database has no tables.")
	}
	if err == nil {
		from.tables, err = s.tablesOf(ctx, from.tx, true)
	}
	if err == nil && hasTable(from.tables, lineageTable) {
		err = from.tx.QueryRowContext(ctx, `SELECT id FROM lineage`).Scan(&from.lineage)
	}
	if err != nil {
		return s.explain(fmt.Errorf("look at the tables: %w", err))
	}
	return read(from) // whose failures may be of what it writes to
}

func (f *snapshot) Schema() int64          { return f.schema }
func (f *snapshot) Lineage() string        { return f.lineage }
func (f *snapshot) Tables() []backup.Table { return f.tables }

// Rows reads a table as it lies.
func (f *snapshot) Rows(ctx context.Context, t backup.Table, each func([]any) error) error {
	found, err := f.tx.QueryContext(ctx, `SELECT `+columnList(t)+` FROM `+t.Name)
	if err != nil {
		return f.s.explain(err)
	}
	defer found.Close()
	values := make([]any, len(t.Columns))
	into := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		into[i] = &kindScanner{kind: c.Kind, to: &values[i]}
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return f.s.explain(err)
		}
		if err := each(values); err != nil {
			return err
		}
	}
	return f.s.explain(found.Err())
}

func columnList(t backup.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// kindScanner reads a value of a kind.
type kindScanner struct {
	kind backup.Kind
	to   *any
}

// Scan implements [sql.Scanner].
func (c *kindScanner) Scan(src any) error {
	if src == nil {
		*c.to = nil
		return nil
	}
	switch c.kind {
	case backup.Integer:
		return scanInto[int64](c.to, src)
	case backup.Bool:
		return scanInto[bool](c.to, src)
	case backup.Text:
		return scanInto[string](c.to, src)
	case backup.Time:
		return scanInto[time.Time](c.to, src)
	case backup.Bytes:
		return scanInto[[]byte](c.to, src)
	case backup.Date:
		var d calendar.Day
		err := d.Scan(src)
		*c.to = d
		return err
	}
	return fmt.Errorf("no such kind: %q", c.kind)
}

func scanInto[T any](to *any, src any) error {
	var v sql.Null[T]
	err := v.Scan(src)
	*to = v.V
	return err
}

// schemaOf is the number of the last migration, 0 where there was none.
func (s *Store) schemaOf(ctx context.Context, db querier) (schema int64, err error) {
	var there bool
	if err := db.QueryRowContext(ctx, s.dialect.hasTable, gooseTable).Scan(&there); err != nil || !there {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(max(version_id), 0) FROM `+gooseTable).Scan(&schema)
	return schema, err
}

// tablesOf lists the tables of a backup, those that others point to first.
func (s *Store) tablesOf(ctx context.Context, db querier, numbers bool) ([]backup.Table, error) {
	names, err := texts(ctx, db, s.dialect.tableNames)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !copied(n) })
	if names, err = s.parentsFirst(ctx, db, names); err != nil {
		return nil, err
	}
	tables := make([]backup.Table, len(names))
	for i, name := range names {
		if tables[i], err = s.tableOf(ctx, db, name, numbers); err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
	}
	return tables, nil
}

func texts(ctx context.Context, db querier, query string, args ...any) ([]string, error) {
	found, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(found, func(r row) (s string, err error) { return s, r.Scan(&s) })
}

// parentsFirst orders tables so that none comes before one that it points to.
func (s *Store) parentsFirst(ctx context.Context, db querier, names []string) ([]string, error) {
	slices.Sort(names)
	parents := map[string][]string{}
	for _, name := range names {
		var err error
		if parents[name], err = texts(ctx, db, s.dialect.parents, name); err != nil {
			return nil, err
		}
	}
	var ordered []string
	for len(ordered) < len(names) {
		before := len(ordered)
		for _, name := range names {
			free := !slices.Contains(ordered, name) && !slices.ContainsFunc(parents[name], func(p string) bool { return p != name && !slices.Contains(ordered, p) })
			if free {
				ordered = append(ordered, name)
			}
		}
		if len(ordered) == before {
			return nil, errors.New("the tables point to one another in a circle")
		}
	}
	return ordered, nil
}

// tableOf reads the columns of a table, and with numbers also the last number.
func (s *Store) tableOf(ctx context.Context, db querier, name string, numbers bool) (backup.Table, error) {
	t := backup.Table{Name: name}
	found, err := db.QueryContext(ctx, s.dialect.columns, name)
	if err != nil {
		return t, err
	}
	t.Columns, err = collect(found, func(r row) (backup.Column, error) {
		var c backup.Column
		var declared string
		if err := r.Scan(&c.Name, &declared); err != nil {
			return c, err
		}
		kind, ok := kinds[strings.ToLower(declared)]
		if !ok {
			return c, fmt.Errorf("column %s is of an unknown type, %s", c.Name, declared)
		}
		c.Kind = kind
		return c, nil
	})
	if err != nil || !numbers {
		return t, err
	}
	var sequence *string
	err = db.QueryRowContext(ctx, s.dialect.sequence, name).Scan(&sequence)
	if errors.Is(err, sql.ErrNoRows) || (err == nil && sequence == nil) {
		return t, nil // its rows have no numbers of the database
	}
	if err == nil {
		err = db.QueryRowContext(ctx, strings.ReplaceAll(s.dialect.lastID, "{sequence}", *sequence)).Scan(&t.LastID)
	}
	return t, err
}

// Holds names a table that has rows, or "", and the number of the last migration.
func (s *Store) Holds(ctx context.Context) (table string, schema int64, err error) {
	err = s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		if schema, err = s.schemaOf(ctx, db); err != nil || schema == 0 {
			return err
		}
		table, err = s.filled(ctx, db)
		return err
	})
	return table, schema, err
}

// filled names a table that has rows.
func (s *Store) filled(ctx context.Context, db querier) (string, error) {
	tables, err := s.tablesOf(ctx, db, false)
	if err != nil {
		return "", err
	}
	for _, t := range tables {
		if t.Name == lineageTable { // every database has its own
			continue
		}
		var some bool
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+t.Name+`)`).Scan(&some); err != nil || some {
			return t.Name, err
		}
	}
	return "", nil
}

// sink is the transaction that fills the tables.
type sink struct{ tx *txn }

func (k sink) Load(ctx context.Context, t backup.Table, rows [][]any) error {
	return k.tx.loadRows(ctx, t.Name, columnList(t), len(rows), func(i int) []any { return rows[i] })
}

// lineageTable has one row: which database this is.
const lineageTable = "lineage"

// Refill fills the empty tables in one transaction; nobody else writes to them
// meanwhile. The database becomes the one that was backed up.
func (s *Store) Refill(ctx context.Context, tables []backup.Table, sum string, fill func(backup.Sink) error) error {
	err := s.once(ctx, onDesk, func(tx *txn) error {
		if err := tx.fillAlone(ctx); err != nil {
			return err
		}
		if some, err := s.filled(ctx, tx); err != nil || some != "" {
			return errors.Join(err, errNotEmpty)
		}
		known, err := s.tablesOf(ctx, tx, false)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := matches(t, known); err != nil {
				return err
			}
		}
		same := hasTable(tables, lineageTable)
		if same {
			if _, err := tx.ExecContext(ctx, `DELETE FROM lineage`); err != nil {
				return err
			}
		}
		if err := fill(sink{tx}); err != nil {
			return err
		}
		if same {
			if _, err := tx.ExecContext(ctx, `UPDATE lineage SET restoring = $1`, sum); err != nil {
				return err
			}
		}
		for _, t := range tables {
			if t.LastID == 0 {
				continue
			}
			for _, statement := range s.dialect.setLastID {
				if _, err := tx.ExecContext(ctx, statement, t.Name, t.LastID); err != nil {
					return fmt.Errorf("last number of %s: %w", t.Name, err)
				}
			}
		}
		// They are noted beside the objects of this place again.
		if hasColumn(tables, "erased_account", "noted_at") {
			if _, err := tx.ExecContext(ctx, `UPDATE erased_account SET noted_at = NULL`); err != nil {
				return err
			}
		}
		return tx.checkReferences(ctx)
	})
	switch {
	case pgCode(err) == pgNoRight:
		return fmt.Errorf("%w: %w", errNoRight, err)
	case isForeignKey(err) || isUnique(err):
		return fmt.Errorf("%w: %w", backup.ErrDamaged, err)
	}
	return s.explain(err)
}

var errNoRight = fault.New(fault.Conflict, "This role may not do that: restore as the role that owns the schema.")

var errNotEmpty = fault.New(fault.Conflict, "The database is not empty. A restore takes an empty one.")

// matches makes sure that a table of a backup is one that there is: its names
// become part of statements.
func matches(t backup.Table, known []backup.Table) error {
	i := slices.IndexFunc(known, func(k backup.Table) bool { return k.Name == t.Name })
	if i < 0 {
		return fault.New(fault.Invalid, fmt.Sprintf("The backup has a table %q, which its schema does not have.", t.Name))
	}
	for _, c := range t.Columns {
		if !slices.Contains(known[i].Columns, c) {
			return fault.New(fault.Invalid, fmt.Sprintf("The backup has a column %q in the table %s, which its schema does not have.", c.Name, t.Name))
		}
	}
	return nil
}

func hasTable(tables []backup.Table, name string) bool {
	return slices.ContainsFunc(tables, func(t backup.Table) bool { return t.Name == name })
}

func hasColumn(tables []backup.Table, table, column string) bool {
	return slices.ContainsFunc(tables, func(t backup.Table) bool {
		return t.Name == table && slices.ContainsFunc(t.Columns, func(c backup.Column) bool { return c.Name == column })
	})
}

// checkReferences is nil when every row that is pointed to is there. PostgreSQL
// has seen to it with every row.
func (t *txn) checkReferences(ctx context.Context) error {
	if t.s.dialect.checkReferences == "" {
		return nil
	}
	broken, err := texts(ctx, t, t.s.dialect.checkReferences)
	if err == nil && len(broken) > 0 {
		err = fault.New(fault.Invalid, "The backup is damaged: rows of the table "+broken[0]+" point to rows that are not there.")
	}
	return err
}

// Integrity asks the engine to look through its own file. PostgreSQL has nothing
// of the kind that every role may ask.
func (s *Store) Integrity(ctx context.Context) error {
	if s.dialect.integrity == "" {
		return nil
	}
	found, err := texts(ctx, sqlQuerier{s.read, s.tracer}, s.dialect.integrity)
	if err == nil && (len(found) != 1 || found[0] != "ok") {
		err = errors.New(strings.Join(found, "; "))
	}
	return err
}

// Resume enqueues the jobs of the rows that wait for one, where the queue itself
// was not brought along: mails that have not left, and photos in work.
func (s *Store) Resume(ctx context.Context, at time.Time) error {
	err := s.inLongTx(ctx, onDesk, func(tx *txn) error {
		found, err := tx.QueryContext(ctx, `SELECT id FROM mail WHERE state = $1 ORDER BY id`, account.MailQueued)
		if err != nil {
			return err
		}
		mails, err := collect(found, scanID)
		if err != nil {
			return err
		}
		for _, id := range mails {
			if err := tx.enqueue(ctx, account.SendMail{MailID: id}); err != nil {
				return err
			}
		}
		return tx.enqueue(ctx, media.PurgeObjects{})
	})
	for n := resumeBatch; err == nil && n == resumeBatch; {
		n, err = s.RequeuePhotos(ctx, at, at.Add(time.Microsecond), resumeBatch)
	}
	return err
}

// resumeBatch is how many photos a transaction of Resume enqueues.
const resumeBatch = 500

// Lineage is which database this is.
func (s *Store) Lineage(ctx context.Context) (id string, err error) {
	err = s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `SELECT id FROM lineage`).Scan(&id)
	})
	return id, err
}

// Unsettled is the sum of a backup whose restore was cut off after its rows came.
func (s *Store) Unsettled(ctx context.Context) (sum string, err error) {
	err = s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		var there bool
		if err := db.QueryRowContext(ctx, s.dialect.hasTable, lineageTable).Scan(&there); err != nil || !there {
			return err
		}
		return db.QueryRowContext(ctx, `SELECT COALESCE(max(restoring), '') FROM lineage`).Scan(&sum)
	})
	return sum, err
}

// Settled says that all of a restore is done.
func (s *Store) Settled(ctx context.Context) error {
	return s.inTx(ctx, onDesk, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `UPDATE lineage SET restoring = NULL`)
		return err
	})
}

// Present are those of some erasures whose accounts are there, and were opened
// before they were erased.
func (s *Store) Present(ctx context.Context, erased []backup.Erasure) (present []backup.Erasure, err error) {
	if len(erased) == 0 {
		return nil, nil
	}
	args := make([]any, len(erased))
	for i, e := range erased {
		args[i] = e.Account
	}
	opened := map[int64]time.Time{}
	err = s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		found, err := db.QueryContext(ctx, `SELECT id, created_at FROM account WHERE id IN `+rowsOfParams(len(args), 1, true), args...)
		if err != nil {
			return err
		}
		_, err = collect(found, func(r row) (struct{}, error) {
			var id int64
			var at time.Time
			err := r.Scan(&id, &at)
			opened[id] = at
			return struct{}{}, err
		})
		return err
	})
	for _, e := range erased {
		if at, ok := opened[e.Account]; ok && !at.After(e.At) {
			present = append(present, e)
		}
	}
	return present, err
}

// EraseAgain erases an account that was opened before it was erased.
func (s *Store) EraseAgain(ctx context.Context, e backup.Erasure) error {
	err := s.erase(ctx, account.System(account.SourceCommand), e.Account, func(tx *txn) (account.User, error) {
		return tx.lockUser(ctx, e.Account)
	}, func(u account.User, _ account.Settings) error {
		if u.CreatedAt.After(e.At) {
			return account.ErrNotFound
		}
		return nil
	}, nil)
	if errors.Is(err, account.ErrNotFound) { // somebody was quicker
		return nil
	}
	return err
}

// UnnotedErasures are some erasures that are not noted beside the objects yet.
func (s *Store) UnnotedErasures(ctx context.Context, limit int) (list []backup.Erasure, err error) {
	err = s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		found, err := db.QueryContext(ctx, `SELECT account_id, at FROM erased_account WHERE noted_at IS NULL ORDER BY account_id LIMIT $1`, limit)
		if err != nil {
			return err
		}
		list, err = collect(found, func(r row) (e backup.Erasure, err error) { return e, r.Scan(&e.Account, &e.At) })
		return err
	})
	return list, err
}

// NoteErasures says that they are.
func (s *Store) NoteErasures(ctx context.Context, noted []backup.Erasure, at time.Time) error {
	return s.inTx(ctx, onDesk, func(tx *txn) error {
		for _, e := range noted {
			if _, err := tx.ExecContext(ctx, `UPDATE erased_account SET noted_at = $2 WHERE account_id = $1`, e.Account, timeArg(&at)); err != nil {
				return err
			}
		}
		return nil
	})
}

// KeepBackup remembers the last backups, so many of them.
func (s *Store) KeepBackup(ctx context.Context, m backup.Made, kept int) error {
	return s.inTx(ctx, onDesk, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO backup (at, records, objects, bytes) VALUES ($1, $2, $3, $4)`, timeArg(&m.At), m.Records, m.Objects, m.Bytes)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM backup WHERE id NOT IN (SELECT id FROM backup ORDER BY id DESC LIMIT $1)`, kept)
		return err
	})
}

// LastBackup is when the last backup was made; ok is false when there was none.
func (s *Store) LastBackup(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `SELECT at FROM backup ORDER BY id DESC LIMIT 1`).Scan(&at)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return at, err == nil, err
}
