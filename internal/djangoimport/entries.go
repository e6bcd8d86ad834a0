package djangoimport

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/legacy"
)

// entry is a row of ridecalc_calculatorentry; its numbers are read as text,
// whatever type their columns have.
type entry struct {
	id                                     int64
	user                                   *int64
	published                              *time.Time
	income, commission, expenses, earnings string
}

const entryQuery = `
	SELECT id::bigint, user_id::bigint, CASE WHEN isfinite(pub_date) THEN pub_date::timestamptz END, COALESCE(app_income::text, ''),
		COALESCE(commission::text, ''), COALESCE(expenses::text, ''), COALESCE(earnings::text, '')
	FROM ridecalc_calculatorentry ORDER BY id`

func scanEntry(r pgx.Rows) (entry, error) {
	var e entry
	err := r.Scan(&e.id, &e.user, &e.published, &e.income, &e.commission, &e.expenses, &e.earnings)
	return e, err
}

func (r *run) entries(ctx context.Context) error {
	return read(ctx, r.from, entryTable, entryQuery, scanEntry, func(batch []entry) error {
		first, last := batch[0].id, batch[len(batch)-1].id
		r.last[entryTable] = max(r.last[entryTable], last)
		here, err := r.into.Entries(ctx, first, last)
		if err != nil {
			return err
		}
		deleted, err := r.into.DeletedEntries(ctx, first, last)
		if err != nil {
			return err
		}
		owners, err := r.into.Currencies(ctx, distinct(batch, func(e entry) *int64 { return e.user }))
		if err != nil {
			return err
		}
		var entries []earnings.Entry
		for _, e := range batch {
			r.money.read(e)
			keep, err := r.keep(row{entryTable, "calculator entry", e.id, e.user, e.published}, here, deleted, owners, &r.report.Entries)
			if err != nil {
				return err
			}
			if !keep {
				continue
			}
			made, err := r.entry(e, owners[*e.user])
			if err != nil {
				return err
			}
			entries = append(entries, made)
		}
		if err := r.into.LoadEntries(ctx, entries); err != nil {
			return err
		}
		r.report.Entries.Taken += len(entries)
		r.seen(entryTable, "entries", &r.report.Entries, len(batch))
		return nil
	})
}

func (r *run) entry(e entry, currency string) (earnings.Entry, error) {
	at, err := r.since(entryTable, e.id, "pub_date", e.published)
	if err != nil {
		return earnings.Entry{}, err
	}
	made := earnings.Entry{
		ID: e.id, OwnerID: *e.user, CreatedAt: at, UpdatedAt: at,
		Details: earnings.DefaultDetails(calendar.On(at.In(r.zone)), currency),
	}
	var kept *fixed.Amount
	for _, c := range []struct {
		column, text string
		limit        fixed.Amount
		total        *total
		into         func(*fixed.Amount)
	}{
		{"app_income", e.income, fixed.Max, &r.money.income, func(a *fixed.Amount) { made.AppIncome = orZero(a) }},
		{"commission", e.commission, earnings.MaxCommission, nil, func(a *fixed.Amount) { made.Commission = orZero(a) }},
		{"expenses", e.expenses, fixed.Max, &r.money.expenses, func(a *fixed.Amount) { made.Expenses = orZero(a) }},
		{"earnings", e.earnings, fixed.Max, &r.money.earnings, func(a *fixed.Amount) { kept = a }},
	} {
		a, err := r.sum(e.id, c.column, c.text, c.limit, c.total)
		if err != nil {
			return made, err
		}
		c.into(a)
	}
	made.CommissionGiven, made.ExpensesGiven = e.commission != "", e.expenses != ""
	made.LegacyEarnings = kept
	made.Earnings = earnings.Earnings(made.AppIncome, made.Commission, 0, made.Expenses)
	return made, nil
}

func orZero(a *fixed.Amount) fixed.Amount {
	if a == nil {
		return 0
	}
	return *a
}

// sum reads one sum of an entry, nil where there is none, and adds it up in total.
func (r *run) sum(id int64, column, s string, limit fixed.Amount, t *total) (*fixed.Amount, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // no number
	}
	var odd Kind
	a, exact := plainSum(s)
	if exact != nil { // more decimals or digits than we keep
		a, odd = round(exact), NumberRounded
	} else if !isPlain(s) {
		odd = NumberRead
		n, err := legacy.Read(legacy.Sum, s)
		if a = n.Amount; err != nil || n.None {
			a, odd = 0, NumberLost
		}
	}
	if a > limit || a < -limit {
		a, odd = 0, NumberLost
	}
	stored := &a
	if odd == NumberLost && column == "earnings" {
		stored = nil
	}
	if t != nil {
		t.read(s)
	}
	if odd == "" {
		return stored, nil
	}
	if t != nil {
		t.explain(s, a)
	}
	word := storedNull
	if stored != nil {
		word = a.String()
	}
	return stored, r.odd(Oddity{entryTable, id, column, s, word, odd})
}

// isPlain tells whether s is digits, perhaps with a point and digits after it,
// perhaps below zero. The query of readSums asks the same.
func isPlain(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return digits(whole) && (!point || digits(fraction))
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// plainSum reads a plain number: in cents, or exactly where those do not do.
func plainSum(s string) (fixed.Amount, *big.Rat) {
	if !isPlain(s) {
		return 0, nil
	}
	number, negative := strings.CutPrefix(s, "-")
	if number = strings.TrimLeft(number, "0"); number == "" || number[0] == '.' {
		number = "0" + number
	}
	if whole, fraction, ok := strings.Cut(number, "."); ok && len(fraction) > fixed.Places {
		fraction = fraction[:fixed.Places] + strings.TrimRight(fraction[fixed.Places:], "0")
		number = whole + "." + fraction
	}
	a, err := fixed.Parse(number)
	if err != nil {
		exact, _ := new(big.Rat).SetString(s) // digits and a point
		return 0, exact
	}
	if negative {
		a = -a
	}
	return a, nil
}

// round is an exact number in cents, half to even; one that is far too large for
// money is larger than fixed.Max.
func round(exact *big.Rat) fixed.Amount {
	cents := new(big.Rat).Mul(exact, big.NewRat(100, 1))
	floor := new(big.Int).Div(cents.Num(), cents.Denom()) // Euclidean: floor, since the denominator is positive
	rest := new(big.Rat).Sub(cents, new(big.Rat).SetInt(floor))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || (c == 0 && floor.Bit(0) == 1) {
		floor.Add(floor, big.NewInt(1))
	}
	if !floor.IsInt64() {
		return fixed.Max + 1
	}
	return fixed.Amount(floor.Int64())
}

// total is the sum of a column: of the plain numbers in it, which is what the
// older database adds up to, and what the values that were stored otherwise make
// of a difference.
type total struct {
	cents     fixed.Amount
	rest      *big.Rat // what has more decimals or digits
	explained *big.Rat // nil is none
}

// explain notes that a value is not stored as it stood; the report tells, too.
func (t *total) explain(s string, stored fixed.Amount) {
	var alone total
	alone.read(s)
	if t.explained == nil {
		t.explained = new(big.Rat)
	}
	t.explained.Add(t.explained, new(big.Rat).Sub(big.NewRat(int64(stored), 100), alone.rat()))
}

// read adds a value as it stood.
func (t *total) read(s string) {
	a, exact := plainSum(s)
	t.cents += a
	if exact != nil {
		if t.rest == nil {
			t.rest = new(big.Rat)
		}
		t.rest.Add(t.rest, exact)
	}
}

func (t *total) rat() *big.Rat {
	sum := big.NewRat(int64(t.cents), 100)
	if t.rest != nil {
		sum.Add(sum, t.rest)
	}
	return sum
}

// sums are the money of the calculator: of the rows that were taken, and of all.
type sums struct {
	income, expenses, earnings          total
	allIncome, allExpenses, allEarnings total
}

func (s *sums) read(e entry) {
	s.allIncome.read(e.income)
	s.allExpenses.read(e.expenses)
	s.allEarnings.read(e.earnings)
}

// Money are sums of entries.
type Money = struct{ AppIncome, Expenses, Earnings, LegacyEarnings fixed.Amount }

// balance compares the sums of money, to the cent: what the older database says
// that it has against what was read of it, and what was taken of that against
// what the tables have grown by. What the report tells of single values explains
// the rest of the difference, and nothing else may.
func (r *run) balance(ctx context.Context, before, after Money) error {
	for _, c := range []struct {
		column     string
		all, taken *total
		grown      fixed.Amount
	}{
		{"app_income", &r.money.allIncome, &r.money.income, after.AppIncome - before.AppIncome},
		{"expenses", &r.money.allExpenses, &r.money.expenses, after.Expenses - before.Expenses},
		{"earnings", &r.money.allEarnings, &r.money.earnings, after.LegacyEarnings - before.LegacyEarnings},
	} {
		older, err := r.from.sum(ctx, c.column)
		if err != nil {
			return err
		}
		s := Sum{Column: c.column, Older: older, Taken: c.taken.rat(), Here: c.grown, Explained: new(big.Rat)}
		if c.taken.explained != nil {
			s.Explained = c.taken.explained
		}
		r.report.Sums = append(r.report.Sums, s)
		if older.Cmp(c.all.rat()) != 0 {
			return fmt.Errorf("the older database sums %s up to %s, but its rows to %s; nothing was stored", c.column, decimal(older), decimal(c.all.rat()))
		}
		want := new(big.Rat).Add(s.Taken, s.Explained)
		if want.Cmp(big.NewRat(int64(c.grown), 100)) != 0 {
			return fmt.Errorf("%s of the rows taken in is %s, but %s was stored, and the report does not explain it; nothing is kept", c.column, decimal(want), c.grown)
		}
	}
	r.report.Earnings = after.Earnings - before.Earnings
	return nil
}

var errSum = errors.New("it is not a number")

// sum is what a column of the calculator adds up to, as the older database says:
// of the plain numbers in it.
func (s *Source) sum(ctx context.Context, column string) (*big.Rat, error) {
	var text string
	err := s.tx.QueryRow(ctx, `
		SELECT COALESCE(sum(CASE WHEN `+column+`::text ~ '^-?[0-9]+([.][0-9]+)?$' THEN `+column+`::text::numeric END), 0)::text
		FROM ridecalc_calculatorentry`).Scan(&text)
	sum, ok := new(big.Rat).SetString(text)
	if err == nil && !ok {
		err = errSum
	}
	if err != nil {
		return nil, readError(entryTable, err)
	}
	return sum, nil
}
