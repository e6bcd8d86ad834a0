package legacyapi

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

type entryOut struct {
	ID         int64   `json:"id"`
	PubDate    string  `json:"pub_date"`
	AppIncome  string  `json:"app_income"`
	Commission *string `json:"commission"`
	Expenses   *string `json:"expenses"`
	Earnings   *string `json:"earnings"`
}

// newEntryOut is an entry as the client knows it: a commission and expenses that
// were not given are null.
func newEntryOut(e earnings.Entry, loc *time.Location) entryOut {
	o := entryOut{
		ID: e.ID, AppIncome: e.AppIncome.String(),
		Commission: ifGiven(e.Commission, e.CommissionGiven), Expenses: ifGiven(e.Expenses, e.ExpensesGiven),
	}
	if e.LegacyEarnings != nil {
		o.Earnings = new(e.LegacyEarnings.String())
	}
	o.PubDate = moment(published(e, loc))
	return o
}

// published is when the client takes an entry to be made: noon of the day that it
// is for, where that is another one.
func published(e earnings.Entry, loc *time.Location) time.Time {
	if calendar.On(e.CreatedAt.In(loc)) != e.Date {
		return e.Date.At(12, loc)
	}
	return e.CreatedAt
}

func ifGiven(a fixed.Amount, given bool) *string {
	if a == 0 && !given {
		return nil
	}
	return new(a.String())
}

// zone is where the person's days begin.
func (a *API) zone(c *call) (*time.Location, error) {
	set, err := a.Accounts.Settings(c.ctx(), c.by)
	return set.Location(), err
}

// amount reads a decimal field, which may be below zero; given tells whether
// there is one.
func (in input) amount(name string, p presence, bad complaints) (n *fixed.Amount, given bool) {
	text, given := in.text(name, p, bad)
	if text = strings.TrimSpace(text); !given || text == "" {
		return nil, given
	}
	a, err := fixed.ParseSigned(text)
	if err != nil {
		bad.add(name, err.Error())
		return nil, false
	}
	return &a, true
}

// applyEntry writes the fields that were sent into the details of an entry.
func (in input) applyEntry(d *earnings.Details, must presence, bad complaints) {
	set := func(into *fixed.Amount, hold *bool, name string, p presence) {
		n, given := in.amount(name, p, bad)
		if !given {
			return
		}
		if *into, *hold = 0, n != nil; n != nil {
			*into = *n
		}
	}
	var income bool // there is always one
	set(&d.AppIncome, &income, "app_income", must)
	set(&d.Commission, &d.CommissionGiven, "commission", optional)
	was := d.Expenses
	if set(&d.Expenses, &d.ExpensesGiven, "expenses", optional); d.Expenses != was {
		d.Items, d.ItemsChanged = nil, true // the client knows the total alone
	}
	total, given := in.amount("earnings", optional, bad)
	d.Legacy = &earnings.LegacyTotal{Sent: given, Value: total}
}

// addEntry serves POST add-calculator-entry.
func (a *API) addEntry(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	bad := complaints{}
	in.applyEntry(&earnings.Details{}, required, bad)
	if err := bad.err(); err != nil {
		return err
	}
	e, _, err := a.Earnings.Create(c.ctx(), c.by, func(d *earnings.Details) fault.Fields {
		in.applyEntry(d, required, complaints{}) // which were none
		return nil
	})
	return a.entry(c, e, err)
}

// entry answers with an entry.
func (a *API) entry(c *call, e earnings.Entry, err error) error {
	if err != nil {
		return err
	}
	loc, err := a.zone(c)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, newEntryOut(e, loc))
	return nil
}

// entries serves GET get-calculator-entries, the newest first.
func (a *API) entries(c *call) error {
	n := 1
	if text := c.r.URL.Query().Get("page"); text != "" {
		var err error
		if n, err = pageNumber(text); err != nil {
			return err
		}
	}
	loc, err := a.zone(c)
	if err != nil {
		return err
	}
	found, err := a.Earnings.Entries(c.ctx(), c.by, earnings.Filter{}, earnings.Place{Limit: pageSize, Offset: (n - 1) * pageSize})
	if err != nil {
		return err
	}
	var data []entryOut
	for _, e := range found.Entries {
		data = append(data, newEntryOut(e, loc))
	}
	return page(c, n, found.Count, data)
}

// recentEntries serves GET get-recent-calculator-entries: a bare list, the
// oldest first, of the last 7, 30 or 90 times 24 hours.
func (a *API) recentEntries(c *call) error {
	days := int64(7)
	if text := c.r.URL.Query().Get("days"); text != "" {
		var err error
		if days, err = pythonInt(text); err != nil || days != 7 && days != 30 && days != 90 {
			return refuse(http.StatusBadRequest, "detail", "Invalid number of days. Must be 7, 30, or 90.")
		}
	}
	today, set, err := a.Earnings.Today(c.ctx(), c.by)
	if err != nil {
		return err
	}
	loc, since := set.Location(), a.Earnings.Now().Add(-time.Duration(days)*24*time.Hour)
	from, found := calendar.On(since.In(loc)), []earnings.Entry{}
	err = a.Earnings.EachEntry(c.ctx(), c.by, earnings.Filter{From: &from, To: &today}, func(e earnings.Entry) error {
		if !published(e, loc).Before(since) {
			found = append(found, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(found, func(a, b earnings.Entry) int { return published(a, loc).Compare(published(b, loc)) })
	data := make([]entryOut, 0, len(found))
	for _, e := range found {
		data = append(data, newEntryOut(e, loc))
	}
	answer(c.w, http.StatusOK, data)
	return nil
}

// updateEntry serves PATCH update-calculator-entry/{id}.
func (a *API) updateEntry(c *call) error {
	id, err := a.ownEntry(c, "You do not have permission to edit this entry.")
	if err != nil {
		return err
	}
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	bad := complaints{}
	in.applyEntry(&earnings.Details{}, partial, bad)
	if err := bad.err(); err != nil {
		return err
	}
	e, err := a.Earnings.Revise(c.ctx(), c.by, id, account.Match(nil), func(d *earnings.Details) fault.Fields {
		in.applyEntry(d, partial, complaints{}) // which were none
		return nil
	})
	return a.entry(c, e, err)
}

// deleteEntry serves DELETE delete-calculator-entry/{id}.
func (a *API) deleteEntry(c *call) error {
	id, err := a.ownEntry(c, "You do not have permission to delete this entry.")
	if err != nil {
		return err
	}
	if err := a.Earnings.Delete(c.ctx(), c.by, id, nil); err != nil {
		return err
	}
	answer(c.w, http.StatusOK, object{"message": "Calculator entry deleted successfully"})
	return nil
}

// ownEntry is the number of the entry in the path, if it is the caller's.
func (a *API) ownEntry(c *call, theirs string) (int64, error) {
	id, err := c.id()
	if err != nil {
		return 0, err
	}
	return id, mine(a.Earnings.Owned(c.ctx(), c.by, id), refuse(http.StatusForbidden, "detail", theirs))
}
