package main

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/text"
)

type totals struct {
	Entries          int    `json:"entries"`
	AppIncome        money  `json:"app_income"`
	CommissionAmount money  `json:"commission_amount"`
	Tips             money  `json:"tips"`
	Expenses         money  `json:"expenses"`
	Earnings         money  `json:"earnings"`
	Hours            money  `json:"hours"`
	DistanceKM       money  `json:"distance_km"`
	Trips            int    `json:"trips"`
	PerHour          *money `json:"earnings_per_hour"`
	PerKM            *money `json:"earnings_per_km"`
	PerTrip          *money `json:"earnings_per_trip"`
}

const sums = `count(*),
	CAST(sum(e.app_income) AS bigint), CAST(sum(e.tips) AS bigint), CAST(sum(e.expenses) AS bigint), CAST(sum(e.earnings) AS bigint),
	CAST(COALESCE(sum(e.hours), 0) AS bigint), CAST(COALESCE(sum(e.distance_km), 0) AS bigint), CAST(COALESCE(sum(e.trips), 0) AS bigint)`

func (t *totals) fields() []any {
	return []any{
		&t.Entries, (*int64)(&t.AppIncome), (*int64)(&t.Tips), (*int64)(&t.Expenses), (*int64)(&t.Earnings), (*int64)(&t.Hours), (*int64)(&t.DistanceKM),
		&t.Trips,
	}
}

func (t *totals) add(o *totals) {
	t.Entries += o.Entries
	t.AppIncome += o.AppIncome
	t.Tips += o.Tips
	t.Expenses += o.Expenses
	t.Earnings += o.Earnings
	t.Hours += o.Hours
	t.DistanceKM += o.DistanceKM
	t.Trips += o.Trips
}

// finish works out what follows from the sums.
func (t *totals) finish() {
	t.CommissionAmount = t.AppIncome + t.Tips - t.Expenses - t.Earnings
	rate := func(n, scale int64) *money {
		if n <= 0 {
			return nil
		}
		m := money(divRound(int64(t.Earnings), scale, n))
		return &m
	}
	t.PerHour, t.PerKM, t.PerTrip = rate(int64(t.Hours), 100), rate(int64(t.DistanceKM), 100), rate(int64(t.Trips), 1)
}

type stepOut struct {
	From day `json:"from"`
	To   day `json:"to"`
	totals
}

type platformOut struct {
	Platform string `json:"platform"`
	totals
}

type categoryOut struct {
	Category string `json:"category"`
	Amount   money  `json:"amount"`
}

type currencyOut struct {
	Currency string `json:"currency"`
	totals
}

type summaryOut struct {
	From            day           `json:"from"`
	To              day           `json:"to"`
	Group           string        `json:"group"`
	Currency        string        `json:"currency"`
	Totals          totals        `json:"totals"`
	Previous        stepOut       `json:"previous"`
	Series          []stepOut     `json:"series"`
	Platforms       []platformOut `json:"platforms"`
	ExpenseItems    []categoryOut `json:"expense_items"`
	OtherCurrencies []currencyOut `json:"other_currencies"`
}

// summary sums up by day, from one day to another, in the person's currency.
func (s *server) summary(w http.ResponseWriter, r *http.Request, by *person) error {
	ctx, v := r.Context(), r.URL.Query()
	currency, _, err := s.settings(ctx, by)
	if err != nil {
		return err
	}
	from, err1 := time.Parse(time.DateOnly, v.Get("from"))
	to, err2 := time.Parse(time.DateOnly, v.Get("to"))
	if err1 != nil || err2 != nil || from.After(to) || to.Sub(from) > 3660*24*time.Hour {
		return refusal(http.StatusBadRequest)
	}
	days := int(to.Sub(from).Hours()/24) + 1
	before := from.AddDate(0, 0, -days)
	out := summaryOut{
		From: day(from), To: day(to), Group: "day", Currency: currency, Previous: stepOut{From: day(before), To: day(from.AddDate(0, 0, -1))},
		Series: make([]stepOut, days), Platforms: []platformOut{}, ExpenseItems: []categoryOut{}, OtherCurrencies: []currencyOut{},
	}
	for i := range out.Series {
		d := day(from.AddDate(0, 0, i))
		out.Series[i].From, out.Series[i].To = d, d
	}

	rows, err := s.db.Query(ctx, `SELECT e.date, e.platform, `+sums+` FROM entry e
		WHERE e.owner_id = $1 AND e.date >= $2 AND e.date <= $3 AND e.currency = $4
		GROUP BY e.date, e.platform ORDER BY e.date, e.platform COLLATE "C"`, by.id, before, to, currency)
	if err != nil {
		return err
	}
	at := map[string]int{}
	var date time.Time
	var platform string
	var t totals
	_, err = pgx.ForEachRow(rows, append([]any{&date, &platform}, t.fields()...), func() error {
		if date.Before(from) {
			out.Previous.add(&t)
			return nil
		}
		out.Totals.add(&t)
		out.Series[int(date.Sub(from).Hours()/24)].add(&t)
		key := text.Key(platform)
		i, known := at[key]
		if !known {
			i, at[key] = len(out.Platforms), len(out.Platforms)
			out.Platforms = append(out.Platforms, platformOut{Platform: platform})
		}
		out.Platforms[i].add(&t)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(out.Platforms, func(a, b platformOut) int {
		if a.Earnings != b.Earnings {
			return int(b.Earnings - a.Earnings)
		}
		return strings.Compare(a.Platform, b.Platform)
	})

	rows, err = s.db.Query(ctx, `SELECT i.category, CAST(sum(i.amount) AS bigint) AS total FROM entry e JOIN expense_item i ON i.entry_id = e.id
		WHERE e.owner_id = $1 AND e.date >= $2 AND e.date <= $3 AND e.currency = $4
		GROUP BY i.category ORDER BY total DESC, i.category`, by.id, from, to, currency)
	if err != nil {
		return err
	}
	rest, other := out.Totals.Expenses, -1
	var c categoryOut
	_, err = pgx.ForEachRow(rows, []any{&c.Category, (*int64)(&c.Amount)}, func() error {
		if rest -= c.Amount; c.Category == "other" {
			other = len(out.ExpenseItems)
		}
		out.ExpenseItems = append(out.ExpenseItems, c)
		return nil
	})
	if err != nil {
		return err
	}
	if rest != 0 {
		if other < 0 {
			other = len(out.ExpenseItems)
			out.ExpenseItems = append(out.ExpenseItems, categoryOut{"other", 0})
		}
		out.ExpenseItems[other].Amount += rest
		slices.SortStableFunc(out.ExpenseItems, func(a, b categoryOut) int { return int(b.Amount - a.Amount) })
	}

	rows, err = s.db.Query(ctx, `SELECT e.currency, `+sums+` FROM entry e
		WHERE e.owner_id = $1 AND e.date >= $2 AND e.date <= $3 AND e.currency <> $4 GROUP BY e.currency ORDER BY e.currency`, by.id, from, to, currency)
	if err != nil {
		return err
	}
	var o currencyOut
	_, err = pgx.ForEachRow(rows, append([]any{&o.Currency}, o.fields()...), func() error {
		o.finish()
		out.OtherCurrencies = append(out.OtherCurrencies, o)
		return nil
	})
	if err != nil {
		return err
	}
	out.Totals.finish()
	out.Previous.finish()
	for i := range out.Series {
		out.Series[i].finish()
	}
	for i := range out.Platforms {
		out.Platforms[i].finish()
	}
	return answer(w, r, http.StatusOK, "", out)
}
