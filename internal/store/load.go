package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/listing"
)

// This file is how demo data comes in: many rows a statement, or by COPY where there
// is one, and one transaction a call. (An import of entries takes the same way: see CreateEntries; so do the
// rows of the older backend, ids and all: see Import.) It writes neither history nor jobs, because what it stores was made by
// a program and changed by nobody, and it counts no quotas. It checks no rules:
// callers hand it what the domain would have accepted.

// loadParams is how many parameters a loading statement has at most. SQLite keeps
// what a statement changes until it ends, and the full-text index writes what it
// has gathered: with 3,000 car posts took a quarter more. Both engines take more
// (SQLite 32,766, PostgreSQL 65,535), but longer statements were not faster.
const loadParams = 9000

// fewRows is up to how many rows a statement is not prepared for itself: the
// driver keeps it between transactions, which saves round trips. Longer ones
// would only fill its memory, each length being a statement of its own.
const fewRows = 8

// loadCache is the page cache of SQLite's writer from the first load on: with
// its usual 2 MB, indexes of some 100,000 rows are read again and again.
const loadCache = `PRAGMA cache_size = -65536` // KiB

// loading is one transaction of a load; it has no limit of time.
func (s *Store) loading(ctx context.Context, do func(*txn) error) error {
	return s.inLongTx(ctx, onDesk, func(tx *txn) error {
		if s.dialect.name == sqliteDialect.name {
			if _, err := tx.ExecContext(ctx, loadCache); err != nil {
				return err
			}
		}
		return do(tx)
	})
}

// load inserts n rows of width columns. into is the statement, whose rows go behind
// its VALUES, and args are the values of a row. With made, the ids that the database gave are
// handed back in the order of the rows.
func (t *txn) load(ctx context.Context, into string, width, n int, args func(i int) []any, made func(i int, id int64)) error {
	chunk := max(1, loadParams/width)
	rest := n - n%chunk
	if err := t.loadChunks(ctx, into, width, chunk, 0, rest, args, made); err != nil {
		return err
	}
	return t.loadChunks(ctx, into, width, n-rest, rest, n, args, made)
}

// loadChunks inserts the rows from first to last, chunk at a time: their number
// is a multiple of it.
func (t *txn) loadChunks(ctx context.Context, into string, width, chunk, first, last int, args func(i int) []any, made func(i int, id int64)) error {
	if first == last {
		return nil
	}
	head, tail, _ := strings.Cut(into, "VALUES ")
	into = head + "VALUES " + rowsOfParams(width, chunk, t.s.dialect.name == postgresDialect.name) + " " + tail
	if made != nil {
		into += " RETURNING id"
	}
	run := func(args []any) (rows, error) { return t.QueryContext(ctx, into, args...) }
	exec := func(args []any) (sql.Result, error) { return t.ExecContext(ctx, into, args...) }
	if last-first > fewRows {
		insert, err := t.PrepareContext(ctx, into) //nolint:sqlclosecheck // closed when all rows are in
		if err != nil {
			return err
		}
		defer insert.Close() //nolint:errcheck // the transaction tells of all that counts
		run = func(args []any) (rows, error) { return rowsOf(insert.QueryContext(ctx, args...)) }
		exec = func(args []any) (sql.Result, error) { return insert.ExecContext(ctx, args...) }
	}
	values := make([]any, 0, chunk*width)
	for from := first; from < last; from += chunk {
		values = values[:0]
		for i := range chunk {
			values = append(values, args(from+i)...)
		}
		if made == nil {
			if _, err := exec(values); err != nil {
				return err
			}
			continue
		}
		rows, err := run(values)
		if err != nil {
			return err
		}
		ids, err := collect(rows, scanID)
		if err != nil {
			return err
		}
		if len(ids) != chunk {
			return fmt.Errorf("inserted %d rows, want %d", len(ids), chunk)
		}
		// Neither engine promises an order of RETURNING, but both take the rows
		// of VALUES one after the other and give each the next, larger id.
		slices.Sort(ids)
		for i, id := range ids {
			made(from+i, id)
		}
	}
	return nil
}

// loadRows inserts n rows of a table, whose columns stand in columns and whose
// values are those of args.
func (t *txn) loadRows(ctx context.Context, table, columns string, n int, args func(i int) []any) error {
	if t.copies(n) {
		return t.copyRows(ctx, table, columns, n, args)
	}
	return t.load(ctx, `INSERT INTO `+table+` (`+columns+`) VALUES `, strings.Count(columns, ",")+1, n, args, nil)
}

// loadThings is loadRows of a table with ids. The database gives them and *id(i)
// learns them; with keep, it gets them from there.
func (t *txn) loadThings(ctx context.Context, table, columns string, n int, keep bool, id func(i int) *int64, args func(i int) []any) error {
	if !keep && t.copies(n) { // COPY tells no ids: they are taken before
		if err := t.takeIDs(ctx, table, n, id); err != nil {
			return err
		}
		keep = true
	}
	if !keep {
		return t.load(ctx, `INSERT INTO `+table+` (`+columns+`) VALUES `, strings.Count(columns, ",")+1, n, args, func(i int, made int64) { *id(i) = made })
	}
	return t.loadRows(ctx, table, "id, "+columns, n, func(i int) []any { return append([]any{*id(i)}, args(i)...) })
}

// manyRows is from how many rows on PostgreSQL is given them by COPY.
const manyRows = 100

// copies tells whether n rows go in by COPY: it takes half the time that long
// statements take, and fires the same triggers.
func (t *txn) copies(n int) bool {
	return t.s.dialect.name == postgresDialect.name && n >= manyRows
}

// copyRows is loadRows by COPY.
func (t *txn) copyRows(ctx context.Context, table, columns string, n int, args func(i int) []any) error {
	names := strings.FieldsFunc(columns, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	rows := pgx.CopyFromSlice(n, func(i int) ([]any, error) {
		values := args(i)
		for k, v := range values {
			if day, ok := v.(calendar.Day); ok {
				values[k] = day.UTC() // its text would have to be read again
			}
		}
		return values, nil
	})
	return t.conn.Raw(func(dc any) error {
		copied, err := dc.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, names, rows) //nolint:errcheck // the store opens no other
		if err == nil && copied != int64(n) {
			return fmt.Errorf("copied %d rows, want %d", copied, n)
		}
		return err
	})
}

// takeIDs takes the next n ids of a table on PostgreSQL.
func (t *txn) takeIDs(ctx context.Context, table string, n int, id func(i int) *int64) error {
	rows, err := t.QueryContext(ctx, `SELECT nextval(CAST(pg_get_serial_sequence($1, 'id') AS regclass)) FROM generate_series(1, $2)`, table, n)
	if err != nil {
		return err
	}
	ids, err := collect(rows, scanID)
	if err != nil {
		return err
	}
	if len(ids) != n {
		return fmt.Errorf("took %d ids, want %d", len(ids), n)
	}
	for i, one := range ids {
		*id(i) = one
	}
	return nil
}

// rowsOfParams is "($1, $2), ($3, $4)" for two rows of width two. Without
// numbers it is "(?, ?), (?, ?)": SQLite takes both, but looks each numbered
// parameter up among all of them, which made a statement of 2,000 parameters
// seven times slower.
func rowsOfParams(width, n int, numbered bool) string {
	var b strings.Builder
	for p := range n * width {
		switch {
		case p == 0:
			b.WriteByte('(')
		case p%width == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if numbered {
			b.WriteString("$" + strconv.Itoa(p+1))
		} else {
			b.WriteByte('?')
		}
	}
	b.WriteByte(')')
	return b.String()
}

// LoadUsers stores people with their settings and fills in the ids. The error
// is account.ErrEmailTaken when one of the mailboxes has an account.
func (s *Store) LoadUsers(ctx context.Context, users []account.User, settings []account.Settings) error {
	if len(users) != len(settings) {
		return errors.New("load users: everybody needs settings")
	}
	err := s.loading(ctx, func(tx *txn) error { return tx.loadUsers(ctx, users, settings, false) })
	if err != nil {
		return fmt.Errorf("load users: %w", err)
	}
	return nil
}

func (t *txn) loadUsers(ctx context.Context, users []account.User, settings []account.Settings, keep bool) error {
	err := t.loadThings(ctx, "account",
		`name, email, email_key, password_hash, email_verified_at, is_active, is_staff, is_superuser, last_login_at, created_at, updated_at, search`,
		len(users), keep, func(i int) *int64 { return &users[i].ID }, func(i int) []any {
			u := users[i]
			email, key := emailArgs(u.Email)
			return []any{
				u.Name, email, key, u.PasswordHash, timeArg(u.EmailVerifiedAt), u.Active, u.Staff, u.Superuser, timeArg(u.LastLoginAt),
				u.CreatedAt, u.UpdatedAt, u.SearchText(),
			}
		})
	if isUnique(err) {
		return account.ErrEmailTaken
	}
	if err != nil {
		return err
	}
	return t.loadRows(ctx, "settings", `account_id, theme, language, currency, time_zone, distance_unit, default_commission, weekly_goal,
		email_reminders, updated_at`, len(settings), func(i int) []any {
		set := &settings[i]
		set.UserID = users[i].ID
		return []any{
			set.UserID, set.Theme, set.Language, set.Currency, set.TimeZone, set.DistanceUnit, set.DefaultCommission, set.WeeklyGoal,
			set.EmailReminders, set.UpdatedAt,
		}
	})
}

// LoadPosts stores car posts and fills in the ids.
func (s *Store) LoadPosts(ctx context.Context, posts []listing.Post) error {
	err := s.loading(ctx, func(tx *txn) error { return tx.loadPosts(ctx, posts, false) })
	if err != nil {
		return fmt.Errorf("load car posts: %w", err)
	}
	return nil
}

func (t *txn) loadPosts(ctx context.Context, posts []listing.Post, keep bool) error {
	return t.loadThings(ctx, "car_post", `owner_id, created_at, updated_at, moderated_at, moderation_reason, approved_at,
		make, model, version, engine, fuel, body, transmission, color, emission_standard, location, contact,
		description, year, gears, seats, doors, mileage_km, power_hp, consumption, offer, price, currency, price_period, status,
		make_key, model_key, fuel_key, body_key, transmission_key, location_key, search, price_places`,
		len(posts), keep, func(i int) *int64 { return &posts[i].ID }, func(i int) []any {
			p := posts[i]
			var moderatedAt, reason any
			if p.Moderation != nil {
				moderatedAt, reason = timeArg(&p.Moderation.At), p.Moderation.Reason
			}
			return append([]any{p.OwnerID, p.CreatedAt, p.UpdatedAt, moderatedAt, reason, timeArg(p.ApprovedAt)}, detailArgs(p.Details)...)
		})
}

// LoadFavorites stores favourites given as columns: user userIDs[i] has kept
// post postIDs[i] since at[i]. No pair may be there already.
func (s *Store) LoadFavorites(ctx context.Context, userIDs, postIDs []int64, at []time.Time) error {
	if len(userIDs) != len(postIDs) || len(userIDs) != len(at) {
		return errors.New("load favorites: the columns differ in length")
	}
	err := s.loading(ctx, func(tx *txn) error {
		return tx.loadRows(ctx, "favorite", `account_id, post_id, created_at`, len(at), func(i int) []any {
			return []any{userIDs[i], postIDs[i], at[i]}
		})
	})
	if err != nil {
		return fmt.Errorf("load favorites: %w", err)
	}
	return nil
}

// LoadReports stores what readers said against posts.
func (s *Store) LoadReports(ctx context.Context, reports []listing.Report) error {
	err := s.loading(ctx, func(tx *txn) error {
		return tx.loadRows(ctx, "report", `post_id, account_id, reason, text, created_at`, len(reports), func(i int) []any {
			r := reports[i]
			return []any{r.PostID, r.ReporterID, r.Reason, r.Text, r.At}
		})
	})
	if err != nil {
		return fmt.Errorf("load reports: %w", err)
	}
	return nil
}

// LoadEntries stores entries with their expense items and fills in the ids.
func (s *Store) LoadEntries(ctx context.Context, entries []earnings.Entry) error {
	err := s.loading(ctx, func(tx *txn) error {
		ids, err := tx.insertEntries(ctx, entries)
		if err != nil {
			return err
		}
		for i, id := range ids {
			entries[i].ID = id
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load entries: %w", err)
	}
	return nil
}

// LoadDocuments stores documents and fills in the ids.
func (s *Store) LoadDocuments(ctx context.Context, docs []document.Document) error {
	err := s.loading(ctx, func(tx *txn) error {
		return tx.loadThings(ctx, "document", `owner_id, type, title, number, issuer, issued_on, expires_on, description, remind_days,
			next_reminder_at, created_at, updated_at`, len(docs), false, func(i int) *int64 { return &docs[i].ID }, func(i int) []any {
			d := docs[i]
			return []any{
				d.OwnerID, d.Type, d.Title, d.Number, d.Issuer, d.IssuedOn, d.ExpiresOn, d.Description, leads(d.RemindDays),
				timeArg(d.NextReminderAt), d.CreatedAt, d.UpdatedAt,
			}
		})
	})
	if err != nil {
		return fmt.Errorf("load documents: %w", err)
	}
	return nil
}

// FinishLoad lets PostgreSQL look at the tables that were filled, so that it
// plans well at once and not only after its own next look. SQLite plans by the
// indexes alone, here as in production.
func (s *Store) FinishLoad(ctx context.Context) error {
	if s.dialect.name != postgresDialect.name {
		return nil
	}
	if _, err := s.write.ExecContext(ctx, `ANALYZE account, settings, car_post, post_tally, favorite, report, entry, expense_item, document, upload`); err != nil {
		return fmt.Errorf("analyze tables: %w", s.explain(err))
	}
	return nil
}
