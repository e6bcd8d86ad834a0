package earnings

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// Filter says which entries are wanted; nil and empty do not narrow.
type Filter struct {
	From, To *calendar.Day // both included
	Platform *string       // without regard to case
	Currency string
}

// Place is where a page of a list begins.
type Place struct {
	Limit  int
	Offset int
	Cursor *Cursor
}

// Cursor names an entry by its place in the list: newest date first.
type Cursor struct {
	Date calendar.Day
	ID   int64
	Back bool
}

// Page is a part of a list.
type Page struct {
	Entries []Entry
	Count   int
	HasNext bool
	HasPrev bool
}

// DaySums are the totals of one day, platform and currency.
type DaySums struct {
	Date     calendar.Day
	Platform string
	Sums
}

// Parts are the sums that a summary is made of.
type Parts struct {
	Days       []DaySums     // by day and platform, in one currency
	Categories []CategorySum // of the expense items, in that currency, the largest first
	Others     []CurrencySums
}

// Store is what Service needs from the database. A method is one transaction.
// Every method that names an owner finds that owner's entries alone.
type Store interface {
	// CreateEntries stores entries, all or none. With by.Once they are stored
	// once: repeated tells that the key was used before, and the entry returned
	// is the one made then (for one entry).
	CreateEntries(ctx context.Context, by account.Actor, entries []Entry) (first Entry, repeated bool, err error)
	// MergeEntries hands what is there to m.Decide and stores what it returns, in one
	// transaction beside no other of the owner. With by.Once it does so once.
	MergeEntries(ctx context.Context, by account.Actor, m Merge) error
	Entry(ctx context.Context, owner, id int64) (Entry, error)
	// EntryOwner is whose an entry is, or ErrNotFound.
	EntryOwner(ctx context.Context, id int64) (int64, error)
	UpdateEntry(ctx context.Context, by account.Actor, owner, id int64, change func(*Entry) error) (Entry, error)
	DeleteEntry(ctx context.Context, by account.Actor, owner, id int64, check func(Entry) error) error
	Entries(ctx context.Context, owner int64, f Filter, at Place) (Page, error)
	// EachEntry calls do for every entry, oldest date first, without holding
	// them all.
	EachEntry(ctx context.Context, owner int64, f Filter, do func(Entry) error) error
	// Parts sums up what a summary is made of. ask knows the owner's settings and
	// says which entries count; the days go back to since.
	Parts(ctx context.Context, owner int64, ask func(account.Settings) (f Filter, since calendar.Day, err error)) (Parts, error)
}

// People is what Service needs to know of the drivers.
type People interface {
	Settings(ctx context.Context, userID int64) (account.Settings, error)
}

// Service is what drivers can do with their entries.
type Service struct {
	store  Store
	people People
	now    func() time.Time
}

// NewService returns a Service on the store.
func NewService(store Store, people People, now func() time.Time) *Service {
	return &Service{store: store, people: people, now: func() time.Time { return now().UTC().Truncate(time.Microsecond) }}
}

// Now is the current moment.
func (s *Service) Now() time.Time { return s.now() }

// Today is the current day on the actor's own calendar, with the settings that
// say so.
func (s *Service) Today(ctx context.Context, by account.Actor) (calendar.Day, account.Settings, error) {
	set, err := s.people.Settings(ctx, by.Owner())
	if err != nil {
		return 0, account.Settings{}, err
	}
	return s.today(set), set, nil
}

func (s *Service) today(set account.Settings) calendar.Day {
	return calendar.On(s.now().In(set.Location()))
}

// Create stores a day's work. change edits the details of a new entry and
// returns what it could not read.
func (s *Service) Create(ctx context.Context, by account.Actor, change func(*Details) fault.Fields) (e Entry, repeated bool, err error) {
	today, set, err := s.Today(ctx, by)
	if err != nil {
		return Entry{}, false, err
	}
	e, err = s.newEntry(by, DefaultDetails(today, set.Currency), originOf(by), change)
	if err != nil {
		return Entry{}, false, err
	}
	return s.store.CreateEntries(ctx, by, []Entry{e})
}

func (s *Service) newEntry(by account.Actor, d Details, from origin, change func(*Details) fault.Fields) (Entry, error) {
	bad := change(&d)
	d.tidy()
	d.validate(nil, from, &bad)
	e := Entry{Details: d, OwnerID: by.Owner(), CreatedAt: s.now(), Revision: 1}
	e.UpdatedAt = e.CreatedAt
	e.compute(nil, &bad)
	return e, bad.Err()
}

func originOf(by account.Actor) origin {
	if by.Source == account.SourceLegacy {
		return older
	}
	return ours
}

// compute applies the formula and ends the older client's own total. An edit that
// says the same as before (nil for a new entry) leaves the entry as it was, that
// total included.
func (e *Entry) compute(before *Entry, bad *fault.Fields) {
	if len(*bad) > 0 {
		return
	}
	e.Earnings = Earnings(e.AppIncome, e.Commission, e.Tips, e.Expenses)
	legacy := e.Legacy
	e.ItemsChanged, e.Legacy = false, nil
	switch total := e.Earnings; {
	case legacy == nil && before != nil && e.Earnings == before.Earnings && e.same(before.Details):
		e.Details = before.Details
	case legacy == nil:
		e.LegacyEarnings = &total
	case legacy.Sent:
		e.LegacyEarnings = legacy.Value
	}
}

// same tells whether two details say the same to everyone but the older client,
// which alone tells 0 from nothing.
func (d Details) same(o Details) bool { return reflect.DeepEqual(d.plain(), o.plain()) }

// plain leaves out the difference between 0 and nothing.
func (d Details) plain() Details {
	d.CommissionGiven, d.ExpensesGiven = false, false
	if len(d.Items) == 0 {
		d.Items = nil
	}
	return d
}

// Entry reads one of the actor's entries.
func (s *Service) Entry(ctx context.Context, by account.Actor, id int64) (Entry, error) {
	return s.store.Entry(ctx, by.Owner(), id)
}

// Find reads an entry, whosever it is, for an actor who manages; for others there
// is none.
func (s *Service) Find(ctx context.Context, by account.Actor, id int64) (Entry, error) {
	if !by.Manages {
		return Entry{}, ErrNotFound
	}
	owner, err := s.store.EntryOwner(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	return s.store.Entry(ctx, owner, id)
}

// Owned is nil when the entry is the actor's, and tells one of somebody else
// (ErrForbidden) from one that is not there (ErrNotFound): for the older client,
// which shows the difference. Everybody else finds their own entries alone.
func (s *Service) Owned(ctx context.Context, by account.Actor, id int64) error {
	owner, err := s.store.EntryOwner(ctx, id)
	if err == nil && owner != by.Owner() {
		return ErrForbidden
	}
	return err
}

// Revise edits one of the actor's entries.
func (s *Service) Revise(ctx context.Context, by account.Actor, id int64, match account.Match, change func(*Details) fault.Fields) (Entry, error) {
	return s.store.UpdateEntry(ctx, by, by.Owner(), id, func(e *Entry) error {
		if err := match.Check(e.Revision, e.Details); err != nil {
			return err
		}
		before := *e
		before.Items = slices.Clone(e.Items)
		bad := change(&e.Details)
		if len(before.Items) > 0 && !e.ItemsChanged && e.Expenses != before.Expenses && !bad.Has("expenses") {
			bad.Add("expenses", "sum_of_items", "The expenses are the sum of expense_items: change those, or send an empty list with the new total.")
		}
		e.tidy()
		e.validate(&before.Details, originOf(by), &bad)
		e.compute(&before, &bad)
		e.UpdatedAt = s.now()
		return bad.Err()
	})
}

// Blank resets the details to those of a new entry: what a whole replacement
// starts from.
func (s *Service) Blank(ctx context.Context, by account.Actor) (Details, error) {
	today, set, err := s.Today(ctx, by)
	return DefaultDetails(today, set.Currency), err
}

// Delete removes one of the actor's entries.
func (s *Service) Delete(ctx context.Context, by account.Actor, id int64, match account.Match) error {
	return s.store.DeleteEntry(ctx, by, by.Owner(), id, func(e Entry) error { return match.Check(e.Revision, e.Details) })
}

// Entries lists the actor's entries, the newest date first.
func (s *Service) Entries(ctx context.Context, by account.Actor, f Filter, at Place) (Page, error) {
	return s.store.Entries(ctx, by.Owner(), f, at)
}

// EachEntry calls do for each of the actor's entries, oldest date first.
func (s *Service) EachEntry(ctx context.Context, by account.Actor, f Filter, do func(Entry) error) error {
	return s.store.EachEntry(ctx, by.Owner(), f, do)
}

// Period is the days that a client asks for: the last n days, today included,
// or from one day to another, both included.
type Period struct {
	Days     int // 0: not given
	From, To *calendar.Day
}

// span turns a period into two days. An open end is today, an open beginning is
// 30 days long.
func (p Period) span(today calendar.Day) (from, to calendar.Day, err error) {
	if p.Days > 0 {
		return today - calendar.Day(p.Days) + 1, today, nil
	}
	to = today
	if p.To != nil {
		to = *p.To
	}
	from = to - 29
	if p.From != nil {
		from = *p.From
	}
	switch {
	case from > to:
		return 0, 0, fault.InvalidField("from", "invalid", "The period must begin before it ends.")
	case to-from >= MaxPeriod:
		return 0, 0, fault.InvalidField("from", "max_value", "The period must be no longer than ten years.")
	}
	return from, to, nil
}

// Filter turns a period into a filter on the actor's entries. Only a number of
// days has to know which day it is for the actor.
func (s *Service) Filter(ctx context.Context, by account.Actor, p Period) (Filter, error) {
	var today calendar.Day
	if p.Days > 0 {
		var err error
		if today, _, err = s.Today(ctx, by); err != nil {
			return Filter{}, err
		}
	}
	return p.Filter(today)
}

// Filter turns a period into a filter on entries; nothing given does not narrow.
func (p Period) Filter(today calendar.Day) (Filter, error) {
	if p.Days > 0 {
		from := today - calendar.Day(p.Days) + 1
		return Filter{From: &from, To: &today}, nil
	}
	if p.From != nil && p.To != nil && *p.From > *p.To {
		return Filter{}, fault.InvalidField("from", "invalid", "The period must begin before it ends.")
	}
	return Filter{From: p.From, To: p.To}, nil
}

// Summary sums up a period of the actor's entries in one currency (the user's
// own when none is given), with the same number of days before it.
func (s *Service) Summary(ctx context.Context, by account.Actor, p Period, g Group, platform *string, currency string) (Summary, error) {
	var sum Summary
	parts, err := s.store.Parts(ctx, by.Owner(), func(set account.Settings) (Filter, calendar.Day, error) {
		from, to, err := p.span(s.today(set))
		if err != nil {
			return Filter{}, 0, err
		}
		if currency == "" {
			currency = set.Currency
		}
		length := to - from + 1
		sum = Summary{From: from, To: to, PreviousFrom: from - length, PreviousTo: from - 1, Group: g, Currency: currency}
		return Filter{From: &from, To: &to, Platform: platform, Currency: currency}, sum.PreviousFrom, nil
	})
	if err != nil {
		return Summary{}, err
	}
	sum.fill(parts.Days)
	sum.ExpenseItems, sum.OtherCurrencies = parts.Categories, parts.Others
	sum.addUnitemized()
	return sum, nil
}

// fill spreads the daily totals over the periods, steps and platforms. Steps
// with nothing in them are there with zeros.
func (sum *Summary) fill(days []DaySums) {
	index := map[calendar.Day]int{}
	for d := sum.Group.start(sum.From); d <= sum.To; d = sum.Group.next(d) {
		index[d] = len(sum.Series)
		sum.Series = append(sum.Series, Step{From: max(d, sum.From), To: min(sum.Group.next(d)-1, sum.To)})
	}
	platforms := map[string]*PlatformSums{} // by what stays the same when a name is spelled otherwise
	spelled := map[string]*PlatformSums{}
	for _, d := range days {
		if d.Date < sum.From {
			sum.Previous.Add(d.Sums)
			continue
		}
		sum.Totals.Add(d.Sums)
		sum.Series[index[sum.Group.start(d.Date)]].Add(d.Sums)
		p := spelled[d.Platform]
		if p == nil {
			key := text.Key(d.Platform)
			if p = platforms[key]; p == nil {
				p = &PlatformSums{Platform: d.Platform}
				platforms[key] = p
			}
			spelled[d.Platform] = p
		}
		p.Add(d.Sums)
	}
	for _, p := range platforms {
		sum.Platforms = append(sum.Platforms, *p)
	}
	slices.SortFunc(sum.Platforms, func(a, b PlatformSums) int {
		if a.Earnings != b.Earnings {
			return int(sign(b.Earnings - a.Earnings))
		}
		return strings.Compare(a.Platform, b.Platform)
	})
}

// addUnitemized puts the expenses that were given as a bare total under Other,
// so that the categories add up to the expenses.
func (sum *Summary) addUnitemized() {
	rest := sum.Totals.Expenses
	other := -1
	for i, c := range sum.ExpenseItems {
		rest -= c.Amount
		if c.Category == Other {
			other = i
		}
	}
	switch {
	case rest == 0:
		return
	case other >= 0:
		sum.ExpenseItems[other].Amount += rest
	default:
		sum.ExpenseItems = append(sum.ExpenseItems, CategorySum{Other, rest})
	}
	slices.SortStableFunc(sum.ExpenseItems, func(a, b CategorySum) int { return int(sign(b.Amount - a.Amount)) })
}

func sign(a fixed.Amount) int64 {
	switch {
	case a < 0:
		return -1
	case a > 0:
		return 1
	}
	return 0
}

func itoa(n int) string { return strconv.Itoa(n) }
