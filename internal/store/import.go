package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Import is the transaction in which the rows of the older backend come in, with
// the ids that they had there. As with demo data it writes no history (nobody has
// changed anything), counts no quotas, and leaves the rules to its caller.
type Import struct{ tx *txn }

// Import runs fill in one transaction without a limit of time; nothing is stored
// when fill fails. Until it ends nobody else writes to the tables that it fills,
// so that no id is taken meanwhile.
func (s *Store) Import(ctx context.Context, fill func(*Import) error) error {
	// It does not run again when it loses a race: its source may be read once.
	err := s.once(ctx, onDesk, func(tx *txn) error {
		if err := tx.fillAlone(ctx); err != nil {
			return err
		}
		return fill(&Import{tx})
	})
	return s.explain(err)
}

// fillAlone lets the transaction take minutes, and keeps others from writing to the
// tables that it fills.
func (t *txn) fillAlone(ctx context.Context) error {
	for _, statement := range t.s.dialect.beforeImport {
		_, err := t.ExecContext(ctx, statement)
		if pgCode(err) == pgLockTimeout {
			return errInUse
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errInUse answers an import beside those who write.
var errInUse = fault.New(fault.Conflict, "Somebody writes to the tables that are to be filled. Stop the servers first.")

// Known is what is here under an id that the older backend has given as well. It
// has no name of its own, so that whoever needs it need not import this package.
type Known = struct {
	OwnerID   int64 // of a post or an entry
	LegacyKey string
	CreatedAt time.Time
}

// idList is the list of an IN, and its arguments. It is filled up to a power of
// two by the last id: few lengths are few statements.
func (i *Import) idList(ids []int64) (list string, args []any) {
	n := 1
	for n < len(ids) {
		n *= 2
	}
	for k := range n {
		args = append(args, ids[min(k, len(ids)-1)])
	}
	return rowsOfParams(n, 1, i.tx.s.dialect.name == postgresDialect.name), args
}

// query reads rows into each.
func (i *Import) query(ctx context.Context, each func(r row) error, sql string, args ...any) error {
	rows, err := i.tx.QueryContext(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Users tells which of the accounts are here, and since when.
func (i *Import) Users(ctx context.Context, ids []int64) (map[int64]time.Time, error) {
	found := map[int64]time.Time{}
	if len(ids) == 0 {
		return found, nil
	}
	list, args := i.idList(ids)
	err := i.query(ctx, func(r row) error {
		var id int64
		var at time.Time
		err := r.Scan(&id, &at)
		found[id] = at
		return err
	}, `SELECT id, created_at FROM account WHERE id IN `+list, args...)
	return found, err
}

// Erased tells which of the accounts were here and erased.
func (i *Import) Erased(ctx context.Context, ids []int64) (map[int64]bool, error) {
	found := map[int64]bool{}
	if len(ids) == 0 {
		return found, nil
	}
	list, args := i.idList(ids)
	err := i.query(ctx, func(r row) error {
		var id int64
		err := r.Scan(&id)
		found[id] = true
		return err
	}, `SELECT account_id FROM erased_account WHERE account_id IN `+list, args...)
	return found, err
}

// MailboxTaken tells whether an account has the mailbox.
func (i *Import) MailboxTaken(ctx context.Context, address string) (taken bool, err error) {
	err = i.tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM account WHERE email_key = $1)`, account.MailboxKey(address)).Scan(&taken)
	return taken, err
}

// Currencies are those of the settings of the accounts that are here.
func (i *Import) Currencies(ctx context.Context, owners []int64) (map[int64]string, error) {
	found := map[int64]string{}
	if len(owners) == 0 {
		return found, nil
	}
	list, args := i.idList(owners)
	err := i.query(ctx, func(r row) error {
		var id int64
		var currency string
		err := r.Scan(&id, &currency)
		found[id] = currency
		return err
	}, `SELECT account_id, currency FROM settings WHERE account_id IN `+list, args...)
	return found, err
}

// Posts are the car posts that are here under the ids from first to last.
func (i *Import) Posts(ctx context.Context, first, last int64) (map[int64]Known, error) {
	return i.known(ctx, `SELECT id, owner_id, '', created_at FROM car_post WHERE id BETWEEN $1 AND $2`, first, last)
}

// Entries are the calculator entries that are here under the ids from first to last.
func (i *Import) Entries(ctx context.Context, first, last int64) (map[int64]Known, error) {
	return i.known(ctx, `SELECT id, owner_id, '', created_at FROM entry WHERE id BETWEEN $1 AND $2`, first, last)
}

// Uploads are the photos and files that are here under the ids from first to last.
func (i *Import) Uploads(ctx context.Context, first, last int64) (map[int64]Known, error) {
	return i.known(ctx, `SELECT id, COALESCE(owner_id, 0), COALESCE(legacy_key, ''), created_at FROM upload WHERE id BETWEEN $1 AND $2`, first, last)
}

func (i *Import) known(ctx context.Context, sql string, first, last int64) (map[int64]Known, error) {
	found := map[int64]Known{}
	err := i.query(ctx, func(r row) error {
		var id int64
		var k Known
		err := r.Scan(&id, &k.OwnerID, &k.LegacyKey, &k.CreatedAt)
		found[id] = k
		return err
	}, sql, first, last)
	return found, err
}

// PostOwners are the owners of the posts that are here.
func (i *Import) PostOwners(ctx context.Context, ids []int64) (map[int64]int64, error) {
	found := map[int64]int64{}
	if len(ids) == 0 {
		return found, nil
	}
	list, args := i.idList(ids)
	err := i.query(ctx, func(r row) error {
		var id, owner int64
		err := r.Scan(&id, &owner)
		found[id] = owner
		return err
	}, `SELECT id, owner_id FROM car_post WHERE id IN `+list, args...)
	return found, err
}

// DeletedPosts are those of the ids from first to last under which a post was
// here and deleted. DeletedEntries and DeletedUploads are the same of the others.
func (i *Import) DeletedPosts(ctx context.Context, first, last int64) (map[int64]bool, error) {
	return i.deleted(ctx, objectPost, first, last)
}

// DeletedEntries is DeletedPosts of entries.
func (i *Import) DeletedEntries(ctx context.Context, first, last int64) (map[int64]bool, error) {
	return i.deleted(ctx, objectEntry, first, last)
}

// DeletedUploads is DeletedPosts of photos.
func (i *Import) DeletedUploads(ctx context.Context, first, last int64) (map[int64]bool, error) {
	return i.deleted(ctx, objectUpload, first, last)
}

func (i *Import) deleted(ctx context.Context, object string, first, last int64) (map[int64]bool, error) {
	found := map[int64]bool{}
	err := i.query(ctx, func(r row) error {
		var id int64
		err := r.Scan(&id)
		found[id] = true
		return err
	}, `SELECT object_id FROM history WHERE object_type = $1 AND action = $2 AND object_id BETWEEN $3 AND $4`, object, actDelete, first, last)
	return found, err
}

// LoadUsers stores people with their settings under the ids that they have.
func (i *Import) LoadUsers(ctx context.Context, users []account.User, settings []account.Settings) error {
	if len(users) != len(settings) {
		return errors.New("import users: everybody needs settings")
	}
	return i.tx.loadUsers(ctx, users, settings, true)
}

// LoadPosts stores car posts under the ids that they have.
func (i *Import) LoadPosts(ctx context.Context, posts []listing.Post) error {
	return i.tx.loadPosts(ctx, posts, true)
}

// LoadEntries stores entries under the ids that they have.
func (i *Import) LoadEntries(ctx context.Context, entries []earnings.Entry) error {
	_, err := i.tx.loadEntries(ctx, entries, true)
	return err
}

// LoadUploads stores photos under the ids that they have.
func (i *Import) LoadUploads(ctx context.Context, uploads []media.Upload) error {
	return i.tx.loadThings(ctx, "upload",
		`owner_id, post_id, state, position, legacy_key, file_name, content_type, size, created_at, completed_at, updated_at`,
		len(uploads), true, func(n int) *int64 { return &uploads[n].ID }, func(n int) []any {
			u := uploads[n]
			return []any{
				u.OwnerID, u.Post, u.State, u.Position, nullText(u.LegacyKey), u.FileName, u.ContentType, u.Size, u.CreatedAt,
				timeArg(u.CompletedAt), u.UpdatedAt,
			}
		})
}

// EntrySums are the sums of all entries that are here, in cents.
type EntrySums = struct {
	AppIncome, Expenses, Earnings, LegacyEarnings fixed.Amount
}

// EntrySums adds up the money of all entries.
func (i *Import) EntrySums(ctx context.Context) (sums EntrySums, err error) {
	err = i.tx.QueryRowContext(ctx, `
		SELECT CAST(COALESCE(SUM(app_income), 0) AS bigint), CAST(COALESCE(SUM(expenses), 0) AS bigint),
			CAST(COALESCE(SUM(earnings), 0) AS bigint), CAST(COALESCE(SUM(legacy_earnings), 0) AS bigint)
		FROM entry`).Scan(&sums.AppIncome, &sums.Expenses, &sums.Earnings, &sums.LegacyEarnings)
	return sums, err
}

// Continue makes new rows get ids above the last ones that the older backend has
// given. On PostgreSQL this is not undone with the transaction: it comes last.
func (i *Import) Continue(ctx context.Context, users, posts, entries, uploads int64) error {
	for table, last := range map[string]int64{"account": users, "car_post": posts, "entry": entries, "upload": uploads} {
		if last <= 0 {
			continue
		}
		if err := i.continueAfter(ctx, table, last); err != nil {
			return fmt.Errorf("go on counting in %s: %w", table, err)
		}
	}
	return nil
}

func (i *Import) continueAfter(ctx context.Context, table string, last int64) error {
	if i.tx.s.dialect.name == postgresDialect.name {
		// Nobody else writes to the table: what nextval gives is the next id.
		_, err := i.tx.ExecContext(ctx, `
			SELECT setval(pg_get_serial_sequence($1, 'id'), GREATEST($2, nextval(pg_get_serial_sequence($1, 'id')) - 1, 1))`, table, last)
		return err
	}
	done, err := i.tx.ExecContext(ctx, `UPDATE sqlite_sequence SET seq = max(seq, $2) WHERE name = $1`, table, last)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	_, err = i.tx.ExecContext(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)`, table, last)
	return err
}
