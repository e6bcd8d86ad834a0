package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

type itemOut struct {
	Category string       `json:"category" enum:"fuel,car_rent,meals,wash,toll,parking,phone,insurance,repair,tax,other" example:"fuel"`
	Amount   fixed.Amount `json:"amount" example:"85.00"`
	Note     string       `json:"note" example:"Petrom"`
}

type entryOut struct {
	ID           int64         `json:"id" example:"1"`
	Date         calendar.Day  `json:"date" doc:"The day worked."`
	Platform     string        `json:"platform" example:"Uber"`
	AppIncome    fixed.Amount  `json:"app_income" example:"420.00"`
	Tips         fixed.Amount  `json:"tips" example:"15.00"`
	Commission   fixed.Amount  `json:"commission" doc:"Percent of app_income." example:"25.00"`
	Expenses     fixed.Amount  `json:"expenses" doc:"The sum of expense_items, when there are any." example:"85.00"`
	ExpenseItems []itemOut     `json:"expense_items"`
	Hours        *fixed.Amount `json:"hours" nullable:"true" example:"9.50"`
	DistanceKM   *fixed.Amount `json:"distance_km" nullable:"true" example:"180.00"`
	Trips        *int          `json:"trips" nullable:"true" example:"18"`
	Currency     string        `json:"currency" example:"RON"`
	Note         string        `json:"note"`
	Earnings     fixed.Amount  `json:"earnings" doc:"app_income − app_income × commission ÷ 100 + tips − expenses, rounded half to even to cents. Computed by the server." example:"245.00"`
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
}

func newEntryOut(e earnings.Entry) entryOut {
	o := entryOut{
		ID: e.ID, Date: e.Date, Platform: e.Platform, AppIncome: e.AppIncome, Tips: e.Tips, Commission: e.Commission, Expenses: e.Expenses,
		ExpenseItems: []itemOut{}, Hours: e.Hours, DistanceKM: e.DistanceKM, Trips: e.Trips, Currency: e.Currency, Note: e.Note,
		Earnings: e.Earnings, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
	}
	for _, i := range e.Items {
		o.ExpenseItems = append(o.ExpenseItems, itemOut(i))
	}
	return o
}

type itemBody struct {
	Category opt[string]       `json:"category" required:"true" enum:"fuel,car_rent,meals,wash,toll,parking,phone,insurance,repair,tax,other" example:"fuel"`
	Amount   opt[fixed.Amount] `json:"amount" required:"true"`
	Note     opt[string]       `json:"note" maxLength:"255" example:"Petrom"`
}

type entryBody struct {
	Date         opt[calendar.Day]   `json:"date" doc:"The day worked; today in the user's time zone by default."`
	Platform     opt[string]         `json:"platform" maxLength:"255" example:"Uber"`
	AppIncome    opt[signed]         `json:"app_income" required:"true" doc:"Below zero where a platform takes back."`
	Tips         opt[fixed.Amount]   `json:"tips"`
	Commission   opt[fixed.Amount]   `json:"commission" doc:"Percent of app_income, 0 to 100."`
	Expenses     opt[fixed.Amount]   `json:"expenses" doc:"Replaced by the sum of expense_items, when they are given."`
	ExpenseItems opt[[]itemBody]     `json:"expense_items"`
	Hours        maybe[fixed.Amount] `json:"hours" doc:"24 at most."`
	DistanceKM   maybe[fixed.Amount] `json:"distance_km"`
	Trips        maybe[int]          `json:"trips" minimum:"0" maximum:"10000" example:"18"`
	Currency     opt[string]         `json:"currency" doc:"ISO 4217; the user's by default." example:"RON"`
	Note         opt[string]         `json:"note" maxLength:"5000"`
}

func (entryBody) readOnlyFields() []string {
	return []string{"id", "earnings", "created_at", "updated_at"}
}

// apply writes what was sent into the details and returns what could not be
// read, bad and more.
func (b entryBody) apply(d *earnings.Details, bad fault.Fields) fault.Fields {
	bad = slices.Clone(bad)
	b.Date.to(&d.Date)
	b.Platform.to(&d.Platform)
	b.AppIncome.to((*signed)(&d.AppIncome))
	b.Tips.to(&d.Tips)
	b.Commission.to(&d.Commission)
	b.Expenses.to(&d.Expenses)
	b.Hours.to(&d.Hours)
	b.DistanceKM.to(&d.DistanceKM)
	b.Trips.to(&d.Trips)
	b.Currency.to(&d.Currency)
	b.Note.to(&d.Note)
	d.CommissionGiven = d.CommissionGiven || b.Commission.Set
	d.ExpensesGiven = d.ExpensesGiven || b.Expenses.Set
	if !b.ExpenseItems.Set {
		return bad
	}
	d.ItemsChanged, d.Items = true, nil
	for i, item := range b.ExpenseItems.V {
		at := "expense_items[" + strconv.Itoa(i) + "]"
		if bad.Has(at) { // it is no object at all
			continue
		}
		at += "."
		d.Items = append(d.Items, earnings.ExpenseItem{
			Category: item.Category.require(at+"category", &bad), Amount: item.Amount.require(at+"amount", &bad), Note: item.Note.V,
		})
	}
	if len(d.Items) == 0 && !b.Expenses.Set { // the sum of no expenses
		d.Expenses = 0
	}
	return bad
}

// createEntry serves POST /api/calculator/.
func (a *API) createEntry(ctx context.Context, in *struct{ Body body[entryBody] }) (*out[entryOut], error) {
	in.Body.in.AppIncome.require("app_income", &in.Body.bad)
	e, repeated, err := a.Earnings.Create(ctx, actor(ctx), func(d *earnings.Details) fault.Fields { return in.Body.in.apply(d, in.Body.bad) })
	if err != nil {
		return nil, err
	}
	return made(ctx, a, "/api/calculator/", e.ID, e.Revision, e.Details, repeated, newEntryOut(e)), nil
}

// entry serves GET /api/calculator/{id}/.
func (a *API) entry(ctx context.Context, in *ObjectID) (*out[entryOut], error) {
	e, err := a.Earnings.Entry(ctx, actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return single(e.Revision, e.Details, newEntryOut(e)), nil
}

type reviseEntryIn struct {
	ByID
	Body body[entryBody]
}

// replaceEntry serves PUT /api/calculator/{id}/: what is not sent returns to
// its default.
func (a *API) replaceEntry(ctx context.Context, in *reviseEntryIn) (*out[entryOut], error) {
	in.Body.in.AppIncome.require("app_income", &in.Body.bad)
	blank, err := a.Earnings.Blank(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return a.changeEntry(ctx, in, func(d *earnings.Details) fault.Fields {
		*d = blank
		d.ItemsChanged = true
		return in.Body.in.apply(d, in.Body.bad)
	})
}

// reviseEntry serves PATCH /api/calculator/{id}/.
func (a *API) reviseEntry(ctx context.Context, in *reviseEntryIn) (*out[entryOut], error) {
	return a.changeEntry(ctx, in, func(d *earnings.Details) fault.Fields { return in.Body.in.apply(d, in.Body.bad) })
}

func (a *API) changeEntry(ctx context.Context, in *reviseEntryIn, change func(*earnings.Details) fault.Fields) (*out[entryOut], error) {
	e, err := a.Earnings.Revise(ctx, actor(ctx), in.ID, match(in.IfMatch), change)
	if err != nil {
		return nil, err
	}
	return single(e.Revision, e.Details, newEntryOut(e)), nil
}

// deleteEntry serves DELETE /api/calculator/{id}/.
func (a *API) deleteEntry(ctx context.Context, in *ByID) (*none, error) {
	return nil, a.Earnings.Delete(ctx, actor(ctx), in.ID, match(in.IfMatch))
}

type idBody struct {
	ID opt[int64] `json:"id" example:"1"`
}

// deleteNamedEntry serves DELETE /api/calculator/ with the number in the body
// or the query.
func (a *API) deleteNamedEntry(ctx context.Context, in *struct {
	ID      param[int] `query:"id" example:"1"`
	IfMatch string     `header:"If-Match"`
	Body    *body[idBody]
},
) (*none, error) {
	id, given := int64(in.ID.V), in.ID.Set
	if in.Body != nil {
		if err := in.Body.bad.Err(); err != nil {
			return nil, err
		}
		if b := in.Body.in.ID; b.Set {
			if given && b.V != id {
				return nil, fault.InvalidField("id", "invalid", "The body and the query name different entries.")
			}
			id, given = b.V, true
		}
	}
	if !given {
		return nil, fault.InvalidField("id", "required", "This field is required.")
	}
	return nil, a.Earnings.Delete(ctx, actor(ctx), id, match(in.IfMatch))
}

// Period is the days that lists and sums are asked for. Like every struct that
// inputs embed it is exported: the library passes over what is not.
type Period struct {
	Days     param[int]          `query:"days" doc:"The last so many days, today included: 1 to 3660." example:"30"`
	From     param[calendar.Day] `query:"from" doc:"The first day."`
	To       param[calendar.Day] `query:"to" doc:"The last day."`
	Platform param[string]       `query:"platform" doc:"Entries of one platform; case does not count." example:"Uber"`
}

func (p Period) span(bad *fault.Fields) earnings.Period {
	if p.Days.Set {
		switch {
		case p.Days.V < 1 || p.Days.V > earnings.MaxPeriod:
			bad.Add("days", "invalid", "Ensure this value is between 1 and 3660.")
		case p.From.Set || p.To.Set:
			bad.Add("days", "invalid", "Give either days, or from and to.")
		}
	}
	checkParams(bad, map[string]string{"platform": p.Platform.V})
	return earnings.Period{Days: p.Days.V, From: p.From.ptr(), To: p.To.ptr()}
}

// entryFilter turns the query into a filter on the actor's entries.
func (a *API) entryFilter(ctx context.Context, p Period, bad fault.Fields) (earnings.Filter, error) {
	span := p.span(&bad)
	if err := bad.Err(); err != nil {
		return earnings.Filter{}, err
	}
	f, err := a.Earnings.Filter(ctx, actor(ctx), span)
	f.Platform = p.Platform.ptr()
	return f, err
}

type entriesIn struct {
	Paging
	Period
	Cursor string `query:"cursor" doc:"A place in the list, from next or previous. Empty for the beginning; then count is null, and the cost does not grow with depth."`
}

// entries serves GET /api/calculator/, the newest date first.
func (a *API) entries(ctx context.Context, in *entriesIn) (*out[list[entryOut]], error) {
	var bad fault.Fields
	by, u := actor(ctx), requestURL(ctx)
	limit, offset := in.place(&bad)
	f, err := a.entryFilter(ctx, in.Period, bad)
	if err != nil {
		return nil, err
	}
	at := earnings.Place{Limit: limit, Offset: offset}
	if u.Query().Has("cursor") {
		return a.entriesAt(ctx, in.Cursor, f, at)
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	page, err := a.Earnings.Entries(ctx, by, f, at)
	if err != nil {
		return nil, err
	}
	return numbered(a, u, in.Paging, limit, page.Count, true, newEntriesOut(page.Entries))
}

const entryList = "entries"

func (a *API) entriesAt(ctx context.Context, text string, f earnings.Filter, at earnings.Place) (*out[list[entryOut]], error) {
	c, err := a.openCursor(text, entryList)
	if err != nil {
		return nil, err
	}
	at.Offset, at.Cursor = 0, &earnings.Cursor{ID: c.ID, Back: c.Back}
	if c.ID != 0 {
		if at.Cursor.Date, err = calendar.Parse(c.Key); err != nil {
			return nil, errCursor
		}
	}
	page, err := a.Earnings.Entries(ctx, actor(ctx), f, at)
	if err != nil {
		return nil, err
	}
	l, u := list[entryOut]{Results: newEntriesOut(page.Entries)}, requestURL(ctx)
	if n := len(page.Entries); n > 0 {
		first, last := page.Entries[0], page.Entries[n-1]
		if page.HasNext {
			l.Next = a.link(u, "cursor", a.seal(cursor{List: entryList, Key: last.Date.String(), ID: last.ID}))
		}
		if page.HasPrev {
			l.Previous = a.link(u, "cursor", a.seal(cursor{List: entryList, Key: first.Date.String(), ID: first.ID, Back: true}))
		}
	}
	return &out[list[entryOut]]{Status: http.StatusOK, Body: l}, nil
}

func newEntriesOut(entries []earnings.Entry) []entryOut {
	results := make([]entryOut, 0, len(entries))
	for _, e := range entries {
		results = append(results, newEntryOut(e))
	}
	return results
}

// SumsOut are totals and the rates that follow from them.
type SumsOut struct {
	Entries          int           `json:"entries" example:"24"`
	AppIncome        fixed.Amount  `json:"app_income" example:"9800.00"`
	CommissionAmount fixed.Amount  `json:"commission_amount" doc:"What the platforms kept: app_income + tips − expenses − earnings." example:"2450.00"`
	Tips             fixed.Amount  `json:"tips" example:"310.00"`
	Expenses         fixed.Amount  `json:"expenses" example:"2100.00"`
	Earnings         fixed.Amount  `json:"earnings" example:"5560.00"`
	Hours            fixed.Amount  `json:"hours" example:"210.00"`
	DistanceKM       fixed.Amount  `json:"distance_km" example:"4200.00"`
	Trips            int           `json:"trips" example:"430"`
	PerHour          *fixed.Amount `json:"earnings_per_hour" nullable:"true" doc:"null when no hours are known."`
	PerKM            *fixed.Amount `json:"earnings_per_km" nullable:"true"`
	PerTrip          *fixed.Amount `json:"earnings_per_trip" nullable:"true"`
}

func newSumsOut(s earnings.Sums) SumsOut {
	return SumsOut{
		s.Entries, s.AppIncome, s.CommissionAmount(), s.Tips, s.Expenses, s.Earnings, s.Hours, s.DistanceKM, s.Trips, s.PerHour(), s.PerKM(), s.PerTrip(),
	}
}

type stepOut struct {
	From calendar.Day `json:"from"`
	To   calendar.Day `json:"to"`
	SumsOut
}

type platformOut struct {
	Platform string `json:"platform" doc:"Empty for entries without one." example:"Uber"`
	SumsOut
}

type categoryOut struct {
	Category string       `json:"category" doc:"Expenses given as a bare total count as other." example:"fuel"`
	Amount   fixed.Amount `json:"amount"`
}

type currencyOut struct {
	Currency string `json:"currency" example:"EUR"`
	SumsOut
}

type summaryOut struct {
	From            calendar.Day  `json:"from"`
	To              calendar.Day  `json:"to"`
	Group           string        `json:"group" enum:"day,week,month"`
	Currency        string        `json:"currency" example:"RON"`
	Totals          SumsOut       `json:"totals"`
	Previous        stepOut       `json:"previous" doc:"The same number of days just before."`
	Series          []stepOut     `json:"series" doc:"For the chart: every step is there, empty ones with zeros."`
	Platforms       []platformOut `json:"platforms"`
	ExpenseItems    []categoryOut `json:"expense_items"`
	OtherCurrencies []currencyOut `json:"other_currencies" doc:"Entries in other currencies are told apart and never added."`
}

// summary serves GET /api/calculator/summary/.
func (a *API) summary(ctx context.Context, in *struct {
	Period
	Group    param[string] `query:"group" enum:"day,week,month" doc:"The step of the series; day by default." example:"day"`
	Currency param[string] `query:"currency" doc:"The user's by default." example:"RON"`
},
) (*out[summaryOut], error) {
	var bad fault.Fields
	p := in.span(&bad)
	in.Group.choice("group", earnings.Groups, &bad)
	group, currency := earnings.ByDay, strings.ToUpper(in.Currency.V)
	if in.Group.Set {
		group = earnings.Group(in.Group.V)
	}
	if currency != "" {
		account.CheckCurrency(&bad, "currency", currency)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	s, err := a.Earnings.Summary(ctx, actor(ctx), p, group, in.Platform.ptr(), currency)
	if err != nil {
		return nil, err
	}
	o := summaryOut{
		From: s.From, To: s.To, Group: string(s.Group), Currency: s.Currency, Totals: newSumsOut(s.Totals),
		Previous: stepOut{s.PreviousFrom, s.PreviousTo, newSumsOut(s.Previous)},
		Series:   []stepOut{}, Platforms: []platformOut{}, ExpenseItems: []categoryOut{}, OtherCurrencies: []currencyOut{},
	}
	for _, step := range s.Series {
		o.Series = append(o.Series, stepOut{step.From, step.To, newSumsOut(step.Sums)})
	}
	for _, p := range s.Platforms {
		o.Platforms = append(o.Platforms, platformOut{p.Platform, newSumsOut(p.Sums)})
	}
	for _, c := range s.ExpenseItems {
		o.ExpenseItems = append(o.ExpenseItems, categoryOut(c))
	}
	for _, c := range s.OtherCurrencies {
		o.OtherCurrencies = append(o.OtherCurrencies, currencyOut{c.Currency, newSumsOut(c.Sums)})
	}
	return &out[summaryOut]{Status: http.StatusOK, Body: o}, nil
}
