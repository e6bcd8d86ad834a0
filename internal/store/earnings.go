package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

const entryColumns = `e.id, e.owner_id, e.date, e.platform, e.app_income, e.tips, e.commission, e.expenses, e.hours, e.distance_km, e.trips,
	e.currency, e.note, e.earnings, e.legacy_earnings, e.commission_given, e.expenses_given, e.created_at, e.updated_at, e.revision`

func entryFields(e *earnings.Entry) []any {
	return []any{
		&e.ID, &e.OwnerID, &e.Date, &e.Platform, &e.AppIncome, &e.Tips, &e.Commission, &e.Expenses, &e.Hours, &e.DistanceKM, &e.Trips,
		&e.Currency, &e.Note, &e.Earnings, &e.LegacyEarnings, &e.CommissionGiven, &e.ExpensesGiven, &e.CreatedAt, &e.UpdatedAt, &e.Revision,
	}
}

func scanEntry(r row) (earnings.Entry, error) {
	var e earnings.Entry
	err := r.Scan(entryFields(&e)...)
	return e, orNotFound(err, earnings.ErrNotFound)
}

// entryRecord is what the history remembers of an entry.
type entryRecord struct {
	earnings.Details
	Earnings       any `json:"earnings"`
	LegacyEarnings any `json:"legacy_earnings"`
}

func recordOf(e earnings.Entry) entryRecord {
	return entryRecord{Details: e.Details, Earnings: e.Earnings, LegacyEarnings: e.LegacyEarnings}
}

// importTimeout bounds the creation of thousands of entries: it ends, and leaves
// nothing, before the answer's own limit of 60 seconds. One entry has the time of
// any other write.
const importTimeout = 45 * time.Second

// CreateEntries stores entries, all or none.
func (s *Store) CreateEntries(ctx context.Context, by account.Actor, entries []earnings.Entry) (first earnings.Entry, repeated bool, err error) {
	if len(entries) == 0 {
		return earnings.Entry{}, false, nil
	}
	// What the history will say is worked out before others have to wait.
	changes := make([]string, len(entries))
	for i := range entries {
		if changes[i], err = creation(recordOf(entries[i])); err != nil {
			return earnings.Entry{}, false, fmt.Errorf("create entries: %w", err)
		}
	}
	limit := importTimeout
	if len(entries) == 1 {
		limit = operationTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = s.inLongTx(ctx, onEntries, func(tx *txn) error {
		id, err := tx.madeBefore(ctx, by, entries[0].CreatedAt)
		if err != nil {
			return err
		}
		if repeated = id != 0; repeated {
			first, err = tx.entry(ctx, entries[0].OwnerID, id, "")
			return err
		}
		ids, err := tx.insertEntries(ctx, entries)
		if isForeignKey(err) { // the account was erased meanwhile
			return account.ErrUnauthenticated
		}
		if err != nil {
			return err
		}
		first = entries[0]
		first.ID = ids[0]
		if err := tx.recordEntries(ctx, by, actCreate, entries, ids, changes); err != nil {
			return err
		}
		return tx.made(ctx, by, first.ID)
	})
	if err != nil {
		return earnings.Entry{}, false, fmt.Errorf("create entries: %w", err)
	}
	return first, repeated, nil
}

// recordEntries writes the history of many entries, as record does of one.
func (t *txn) recordEntries(ctx context.Context, by account.Actor, act string, entries []earnings.Entry, ids []int64, changes []string) error {
	err := t.load(ctx, insertHistory, 9, len(entries), func(i int) []any {
		return historyRow(by, act, objectEntry, ids[i], entries[i].OwnerID, changes[i], entries[i].UpdatedAt)
	}, nil)
	if err != nil {
		return fmt.Errorf("record history: %w", err)
	}
	return nil
}

// insertEntries stores entries with their expense items, many a statement, and
// returns their ids. What it is given stays as it is.
func (t *txn) insertEntries(ctx context.Context, entries []earnings.Entry) ([]int64, error) {
	return t.loadEntries(ctx, entries, false)
}

// loadEntries is insertEntries; with keep the entries keep the ids that they have.
func (t *txn) loadEntries(ctx context.Context, entries []earnings.Entry, keep bool) ([]int64, error) {
	ids := make([]int64, len(entries))
	for i := range entries {
		ids[i] = entries[i].ID
	}
	err := t.loadThings(ctx, "entry", `owner_id, date, platform, platform_key, app_income, tips, commission, expenses, hours, distance_km, trips,
		currency, note, earnings, legacy_earnings, commission_given, expenses_given, import_hash, created_at, updated_at`,
		len(entries), keep, func(i int) *int64 { return &ids[i] }, func(i int) []any {
			e := &entries[i]
			return []any{
				e.OwnerID, e.Date, e.Platform, text.Key(e.Platform), e.AppIncome, e.Tips, e.Commission, e.Expenses, e.Hours, e.DistanceKM, e.Trips,
				e.Currency, e.Note, e.Earnings, e.LegacyEarnings, e.CommissionGiven, e.ExpensesGiven, e.ImportHash, e.CreatedAt, e.UpdatedAt,
			}
		})
	if err != nil {
		return nil, err
	}
	type place struct{ entry, item int }
	var items []place
	for i := range entries {
		for n := range entries[i].Items {
			items = append(items, place{i, n})
		}
	}
	return ids, t.loadItems(ctx, len(items), func(i int) (int64, int, earnings.ExpenseItem) {
		p := items[i]
		return ids[p.entry], p.item, entries[p.entry].Items[p.item]
	})
}

// insertItems stores the expense items of one entry.
func (t *txn) insertItems(ctx context.Context, entry int64, items []earnings.ExpenseItem) error {
	return t.loadItems(ctx, len(items), func(i int) (int64, int, earnings.ExpenseItem) { return entry, i, items[i] })
}

// loadItems stores n expense items: item tells the entry and the place of each.
func (t *txn) loadItems(ctx context.Context, n int, item func(i int) (entry int64, position int, one earnings.ExpenseItem)) error {
	return t.loadRows(ctx, "expense_item", `entry_id, position, category, amount, note`, n, func(i int) []any {
		entry, position, one := item(i)
		return []any{entry, position, one.Category, one.Amount, one.Note}
	})
}

func (t *txn) entry(ctx context.Context, owner, id int64, lock string) (earnings.Entry, error) {
	e, err := scanEntry(t.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM entry e WHERE e.id = $1 AND e.owner_id = $2`+lock, id, owner))
	if err != nil {
		return e, err
	}
	err = withItems(ctx, t, []*earnings.Entry{&e})
	return e, err
}

// withItems reads the expense items of some entries in one query.
func withItems(ctx context.Context, db querier, entries []*earnings.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	byID := make(map[int64]*earnings.Entry, len(entries))
	var q query
	places := make([]string, len(entries))
	for i, e := range entries {
		byID[e.ID] = e
		places[i] = q.bind("?", e.ID)
	}
	rows, err := db.QueryContext(ctx, `SELECT entry_id, category, amount, note FROM expense_item WHERE entry_id IN (`+strings.Join(places, ", ")+`) ORDER BY entry_id, position`, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var item earnings.ExpenseItem
		if err := rows.Scan(&id, &item.Category, &item.Amount, &item.Note); err != nil {
			return err
		}
		byID[id].Items = append(byID[id].Items, item)
	}
	return rows.Err()
}

func pointers(entries []earnings.Entry) []*earnings.Entry {
	list := make([]*earnings.Entry, len(entries))
	for i := range entries {
		list[i] = &entries[i]
	}
	return list
}

// EntryOwner is whose an entry is.
func (s *Store) EntryOwner(ctx context.Context, id int64) (owner int64, err error) {
	err = s.reading(ctx, onEntries, func(ctx context.Context, db querier) error {
		return orNotFound(db.QueryRowContext(ctx, `SELECT owner_id FROM entry WHERE id = $1`, id).Scan(&owner), earnings.ErrNotFound)
	})
	return owner, err
}

// Entry reads an entry of an owner.
func (s *Store) Entry(ctx context.Context, owner, id int64) (e earnings.Entry, err error) {
	err = s.reading(ctx, onEntries, func(ctx context.Context, db querier) error {
		e, err = scanEntry(db.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM entry e WHERE e.id = $1 AND e.owner_id = $2`, id, owner))
		if err != nil {
			return err
		}
		return withItems(ctx, db, []*earnings.Entry{&e})
	})
	return e, err
}

// UpdateEntry loads, changes and saves an entry of an owner.
func (s *Store) UpdateEntry(ctx context.Context, by account.Actor, owner, id int64, change func(*earnings.Entry) error) (earnings.Entry, error) {
	var e earnings.Entry
	err := s.inTx(ctx, onEntries, func(tx *txn) error {
		var err error
		if e, err = tx.entry(ctx, owner, id, s.dialect.forUpdate); err != nil {
			return err
		}
		loaded := e
		loaded.Items = slices.Clone(e.Items)
		if err := change(&e); err != nil {
			return err
		}
		changes, err := diff(recordOf(loaded), recordOf(e))
		if err != nil || len(changes) == 0 {
			e = loaded
			return err
		}
		e.Revision++
		return tx.saveEntry(ctx, by, loaded, e, changes)
	})
	if err != nil {
		return earnings.Entry{}, fmt.Errorf("update entry %d: %w", id, err)
	}
	return e, nil
}

// saveEntry writes an entry that was loaded, and the history of it.
func (t *txn) saveEntry(ctx context.Context, by account.Actor, loaded, e earnings.Entry, changes map[string][2]json.RawMessage) error {
	_, err := t.ExecContext(ctx, `
		UPDATE entry SET date = $2, platform = $3, platform_key = $4, app_income = $5, tips = $6, commission = $7, expenses = $8,
			hours = $9, distance_km = $10, trips = $11, currency = $12, note = $13, earnings = $14, legacy_earnings = $15,
			updated_at = $16, revision = $17, commission_given = $18, expenses_given = $19
		WHERE id = $1`,
		e.ID, e.Date, e.Platform, text.Key(e.Platform), e.AppIncome, e.Tips, e.Commission, e.Expenses, e.Hours, e.DistanceKM, e.Trips,
		e.Currency, e.Note, e.Earnings, e.LegacyEarnings, e.UpdatedAt, e.Revision, e.CommissionGiven, e.ExpensesGiven)
	if err != nil {
		return err
	}
	if !slices.Equal(loaded.Items, e.Items) {
		if _, err := t.ExecContext(ctx, `DELETE FROM expense_item WHERE entry_id = $1`, e.ID); err != nil {
			return err
		}
		if err := t.insertItems(ctx, e.ID, e.Items); err != nil {
			return err
		}
	}
	return t.write(ctx, by, actUpdate, objectEntry, e.ID, e.OwnerID, changes, e.UpdatedAt)
}

// saveEntries is saveEntry of many that are there, many a statement. They are
// written as new ones whose ids are taken: rows have the types of the columns, and
// a statement for each is parsed for each.
func (t *txn) saveEntries(ctx context.Context, by account.Actor, loaded, entries []earnings.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	changes, ids := make([]string, len(entries)), make([]int64, len(entries))
	var dropped []int64 // whose items differ
	type place struct{ entry, item int }
	var items []place
	for i, e := range entries {
		var err error
		if changes[i], err = alteration(recordOf(loaded[i]), recordOf(e)); err != nil {
			return err
		}
		if ids[i] = e.ID; slices.Equal(loaded[i].Items, e.Items) {
			continue
		}
		dropped = append(dropped, e.ID)
		for n := range e.Items {
			items = append(items, place{i, n})
		}
	}
	err := t.load(ctx, updateEntries, 21, len(entries), func(i int) []any {
		e := &entries[i]
		return []any{
			e.ID, e.OwnerID, e.Date, e.Platform, text.Key(e.Platform), e.AppIncome, e.Tips, e.Commission, e.Expenses, e.Hours, e.DistanceKM, e.Trips,
			e.Currency, e.Note, e.Earnings, e.LegacyEarnings, e.CommissionGiven, e.ExpensesGiven, e.CreatedAt, e.UpdatedAt, e.Revision,
		}
	}, nil)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(dropped, namedAtOnce) {
		q := &query{}
		places := make([]string, len(chunk))
		for i, id := range chunk {
			places[i] = q.bind("?", id)
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM expense_item WHERE entry_id IN (`+strings.Join(places, ", ")+`)`, q.args...); err != nil {
			return err
		}
	}
	err = t.loadItems(ctx, len(items), func(i int) (int64, int, earnings.ExpenseItem) {
		p := items[i]
		return ids[p.entry], p.item, entries[p.entry].Items[p.item]
	})
	if err != nil {
		return err
	}
	return t.recordEntries(ctx, by, actUpdate, entries, ids, changes)
}

const updateEntries = `
	INSERT INTO entry (id, owner_id, date, platform, platform_key, app_income, tips, commission, expenses, hours, distance_km, trips,
		currency, note, earnings, legacy_earnings, commission_given, expenses_given, created_at, updated_at, revision)
	VALUES ON CONFLICT (id) DO UPDATE SET date = excluded.date, platform = excluded.platform, platform_key = excluded.platform_key,
		app_income = excluded.app_income, tips = excluded.tips, commission = excluded.commission, expenses = excluded.expenses,
		hours = excluded.hours, distance_km = excluded.distance_km, trips = excluded.trips, currency = excluded.currency,
		note = excluded.note, earnings = excluded.earnings, legacy_earnings = excluded.legacy_earnings,
		commission_given = excluded.commission_given, expenses_given = excluded.expenses_given,
		updated_at = excluded.updated_at, revision = excluded.revision`

// MergeEntries stores what m.Decide makes of a file and of the entries that are
// there, all or none.
func (s *Store) MergeEntries(ctx context.Context, by account.Actor, m earnings.Merge) error {
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	err := s.inLongTx(ctx, onEntries, func(tx *txn) error {
		if id, err := tx.madeBefore(ctx, by, now()); err != nil || id != 0 {
			return err
		}
		owner := by.Owner()
		if _, _, err := tx.lockOwner(ctx, owner); err != nil { // the same file twice at once
			return err
		}
		named, err := tx.entriesNamed(ctx, owner, m.IDs)
		if err != nil {
			return err
		}
		made, was, changed, err := m.Decide(named, func() (near []earnings.Entry, hashes map[int64]string, err error) {
			if near, err = tx.entriesBetween(ctx, owner, m.From, m.To); err == nil {
				hashes, err = tx.importHashes(ctx, owner)
			}
			return near, hashes, err
		})
		if err != nil {
			return err
		}
		if err := tx.saveEntries(ctx, by, was, changed); err != nil {
			return err
		}
		return tx.createEntries(ctx, by, made)
	})
	if err != nil {
		return fmt.Errorf("import entries: %w", err)
	}
	return nil
}

// createEntries makes the new entries of a file, with their history.
func (t *txn) createEntries(ctx context.Context, by account.Actor, entries []earnings.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	changes := make([]string, len(entries))
	for i := range entries {
		var err error
		if changes[i], err = creation(recordOf(entries[i])); err != nil {
			return err
		}
	}
	ids, err := t.insertEntries(ctx, entries)
	if err != nil {
		return err
	}
	if err := t.recordEntries(ctx, by, actCreate, entries, ids, changes); err != nil {
		return err
	}
	return t.made(ctx, by, ids[0])
}

// namedAtOnce is how many entries are asked for in one statement.
const namedAtOnce = 500

// entriesNamed reads those of the ids that are the owner's, and locks them.
func (t *txn) entriesNamed(ctx context.Context, owner int64, ids []int64) (found []earnings.Entry, err error) {
	for chunk := range slices.Chunk(ids, namedAtOnce) {
		q := &query{}
		q.where("e.owner_id = ?", owner)
		places := make([]string, len(chunk))
		for i, id := range chunk {
			places[i] = q.bind("?", id)
		}
		q.where("e.id IN (" + strings.Join(places, ", ") + ")")
		part, err := t.entriesWhere(ctx, q, t.s.dialect.forUpdate)
		if err != nil {
			return nil, err
		}
		found = append(found, part...)
	}
	return found, nil
}

// entriesBetween reads the owner's entries of some days.
func (t *txn) entriesBetween(ctx context.Context, owner int64, from, to calendar.Day) ([]earnings.Entry, error) {
	if from > to {
		return nil, nil
	}
	return t.entriesWhere(ctx, entryQuery(owner, earnings.Filter{From: &from, To: &to}), "")
}

func (t *txn) entriesWhere(ctx context.Context, q *query, lock string) ([]earnings.Entry, error) {
	rows, err := t.QueryContext(ctx, `SELECT `+entryColumns+` FROM entry e`+q.clause()+` ORDER BY e.id`+lock, q.args...)
	if err != nil {
		return nil, err
	}
	entries, err := collect(rows, scanEntry)
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(pointers(entries), namedAtOnce) {
		if err := withItems(ctx, t, chunk); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// importHashes are the hashes of the owner's imported entries.
func (t *txn) importHashes(ctx context.Context, owner int64) (map[int64]string, error) {
	rows, err := t.QueryContext(ctx, `SELECT id, import_hash FROM entry WHERE owner_id = $1 AND import_hash IS NOT NULL`, owner)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	hashes := map[int64]string{}
	for rows.Next() {
		var id int64
		var hash string
		if err := rows.Scan(&id, &hash); err != nil {
			return nil, err
		}
		hashes[id] = hash
	}
	return hashes, rows.Err()
}

// DeleteEntry removes an entry of an owner if check agrees.
func (s *Store) DeleteEntry(ctx context.Context, by account.Actor, owner, id int64, check func(earnings.Entry) error) error {
	err := s.inTx(ctx, onEntries, func(tx *txn) error {
		e, err := tx.entry(ctx, owner, id, s.dialect.forUpdate)
		if err != nil {
			return err
		}
		if err := check(e); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM entry WHERE id = $1`, id); err != nil {
			return err
		}
		return tx.record(ctx, by, actDelete, objectEntry, id, e.OwnerID, recordOf(e), nil, now())
	})
	if err != nil {
		return fmt.Errorf("delete entry %d: %w", id, err)
	}
	return nil
}

// entryQuery is the conditions that a filter stands for.
func entryQuery(owner int64, f earnings.Filter) *query {
	q := &query{}
	q.where("e.owner_id = ?", owner)
	if f.From != nil {
		q.where("e.date >= ?", *f.From)
	}
	if f.To != nil {
		q.where("e.date <= ?", *f.To)
	}
	if f.Platform != nil {
		q.where("e.platform_key = ?", text.Key(*f.Platform))
	}
	if f.Currency != "" {
		q.where("e.currency = ?", f.Currency)
	}
	return q
}

// Entries lists an owner's entries, the newest date first. By number it also
// counts; by cursor it does not.
func (s *Store) Entries(ctx context.Context, owner int64, f earnings.Filter, at earnings.Place) (earnings.Page, error) {
	var page earnings.Page
	err := s.reading(ctx, onEntries, func(ctx context.Context, db querier) error {
		q := entryQuery(owner, f)
		var ask []question
		if at.Cursor == nil {
			ask = append(ask, one(`SELECT count(*) FROM entry e`+q.clause(), q.args, &page.Count))
		}
		back := at.Cursor != nil && at.Cursor.Back
		if c := at.Cursor; c != nil && c.ID != 0 {
			q.where("(e.date, e.id) "+map[bool]string{true: ">", false: "<"}[back]+" (?, ?)", c.Date, c.ID)
		}
		dir := map[bool]string{true: " ASC", false: " DESC"}[back]
		list := `SELECT ` + entryColumns + ` FROM entry e` + q.clause() + ` ORDER BY e.date` + dir + `, e.id` + dir + q.bind(` LIMIT ? OFFSET ?`, at.Limit+1, at.Offset)
		if err := db.all(ctx, append(ask, collected(&page.Entries, scanEntry, list, q.args))...); err != nil {
			return err
		}
		more := len(page.Entries) > at.Limit
		page.Entries = page.Entries[:min(len(page.Entries), at.Limit)]
		page.HasNext, page.HasPrev = more, at.Cursor != nil && at.Cursor.ID != 0
		if back {
			slices.Reverse(page.Entries)
			page.HasPrev, page.HasNext = more, true
		}
		return withItems(ctx, db, pointers(page.Entries))
	})
	return page, err
}

// exportBatch is how many entries an export holds at once.
const exportBatch = 500

// EachEntry calls do for every entry, oldest date first, a batch at a time, so
// that neither memory nor a connection is held for as long as a client reads.
func (s *Store) EachEntry(ctx context.Context, owner int64, f earnings.Filter, do func(earnings.Entry) error) error {
	var after earnings.Entry
	for {
		var batch []earnings.Entry
		err := s.reading(ctx, onEntries, func(ctx context.Context, db querier) error {
			q := entryQuery(owner, f)
			if after.ID != 0 {
				q.where("(e.date, e.id) > (?, ?)", after.Date, after.ID)
			}
			rows, err := db.QueryContext(ctx, `SELECT `+entryColumns+` FROM entry e`+q.clause()+
				q.bind(` ORDER BY e.date, e.id LIMIT ?`, exportBatch), q.args...)
			if err != nil {
				return err
			}
			if batch, err = collect(rows, scanEntry); err != nil {
				return err
			}
			return withItems(ctx, db, pointers(batch))
		})
		if err != nil {
			return err
		}
		for _, e := range batch {
			if err := do(e); err != nil {
				return err
			}
		}
		if len(batch) < exportBatch {
			return nil
		}
		after = batch[len(batch)-1]
	}
}

// sums is the columns of earnings.Sums. The casts are for PostgreSQL, whose sum
// of whole numbers is a numeric.
const sums = `count(*), ` +
	`CAST(sum(e.app_income) AS bigint), CAST(sum(e.tips) AS bigint), CAST(sum(e.expenses) AS bigint), CAST(sum(e.earnings) AS bigint), ` +
	`CAST(COALESCE(sum(e.hours), 0) AS bigint), CAST(COALESCE(sum(e.distance_km), 0) AS bigint), CAST(COALESCE(sum(e.trips), 0) AS bigint)`

func sumFields(s *earnings.Sums) []any {
	return []any{&s.Entries, &s.AppIncome, &s.Tips, &s.Expenses, &s.Earnings, &s.Hours, &s.DistanceKM, &s.Trips}
}

// list runs a query in the reading pool and collects its rows.
func list[T any](ctx context.Context, s *Store, w work, scan func(row) (T, error), query string, args ...any) (found []T, err error) {
	err = s.reading(ctx, w, func(ctx context.Context, db querier) error {
		rows, err := db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		found, err = collect(rows, scan)
		return err
	})
	return found, err
}

// Parts sums up what a summary is made of, on one connection.
func (s *Store) Parts(ctx context.Context, owner int64, ask func(account.Settings) (earnings.Filter, calendar.Day, error)) (earnings.Parts, error) {
	var p earnings.Parts
	err := s.reading(ctx, onEntries, func(ctx context.Context, db querier) error {
		set, err := settingsOf(ctx, db, owner)
		if err != nil {
			return err
		}
		f, since, err := ask(set)
		if err != nil {
			return err
		}
		days := f
		days.From = &since
		return db.all(ctx, s.daySums(owner, days, &p.Days), categorySums(owner, f, &p.Categories), otherCurrencies(owner, f, &p.Others))
	})
	return p, err
}

func (s *Store) daySums(owner int64, f earnings.Filter, into *[]earnings.DaySums) question {
	q := entryQuery(owner, f)
	var d earnings.DaySums
	fields := append([]any{&d.Date, &d.Platform}, sumFields(&d.Sums)...)
	return collected(into, func(r row) (earnings.DaySums, error) { err := r.Scan(fields...); return d, err },
		`SELECT e.date, e.platform, `+sums+` FROM entry e`+q.clause()+` GROUP BY e.date, e.platform ORDER BY e.date, e.platform`+s.dialect.collateC, q.args)
}

func categorySums(owner int64, f earnings.Filter, into *[]earnings.CategorySum) question {
	q := entryQuery(owner, f)
	return collected(into, func(r row) (c earnings.CategorySum, err error) {
		err = r.Scan(&c.Category, &c.Amount)
		return c, err
	}, `SELECT i.category, CAST(sum(i.amount) AS bigint) AS total FROM entry e JOIN expense_item i ON i.entry_id = e.id`+q.clause()+
		` GROUP BY i.category ORDER BY total DESC, i.category`, q.args)
}

// otherCurrencies sums up the entries in other currencies than the filter's.
func otherCurrencies(owner int64, f earnings.Filter, into *[]earnings.CurrencySums) question {
	currency := f.Currency
	f.Currency = ""
	q := entryQuery(owner, f)
	q.where("e.currency <> ?", currency)
	return collected(into, func(r row) (c earnings.CurrencySums, err error) {
		err = r.Scan(append([]any{&c.Currency}, sumFields(&c.Sums)...)...)
		return c, err
	}, `SELECT e.currency, `+sums+` FROM entry e`+q.clause()+` GROUP BY e.currency ORDER BY e.currency`, q.args)
}
