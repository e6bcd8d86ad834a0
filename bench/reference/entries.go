package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/text"
)

type item struct {
	Category string `json:"category"`
	Amount   money  `json:"amount"`
	Note     string `json:"note"`
}

type entry struct {
	ID         int64     `json:"id"`
	Date       day       `json:"date"`
	Platform   string    `json:"platform"`
	AppIncome  money     `json:"app_income"`
	Tips       money     `json:"tips"`
	Commission money     `json:"commission"`
	Expenses   money     `json:"expenses"`
	Items      []item    `json:"expense_items"`
	Hours      *money    `json:"hours"`
	DistanceKM *money    `json:"distance_km"`
	Trips      *int      `json:"trips"`
	Currency   string    `json:"currency"`
	Note       string    `json:"note"`
	Earnings   money     `json:"earnings"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`

	commissionGiven, expensesGiven bool
}

// sentEntry tells a commission or expenses of 0 from none.
type sentEntry struct {
	entry
	Commission *money `json:"commission"`
	Expenses   *money `json:"expenses"`
}

func (e *entry) scan(r pgx.Row) error {
	var owner, revision int64
	var hours, distance, legacy *int64
	err := r.Scan(&e.ID, &owner, (*time.Time)(&e.Date), &e.Platform, (*int64)(&e.AppIncome), (*int64)(&e.Tips), (*int64)(&e.Commission),
		(*int64)(&e.Expenses), &hours, &distance, &e.Trips, &e.Currency, &e.Note, (*int64)(&e.Earnings), &legacy, &e.CreatedAt, &e.UpdatedAt, &revision)
	e.Hours, e.DistanceKM, e.Items = orNull(hours), orNull(distance), []item{}
	return err
}

func (s *server) listEntries(w http.ResponseWriter, r *http.Request, by *person) error {
	const size = 10
	v, ctx := r.URL.Query(), r.Context()
	page := 1
	if n, err := strconv.Atoi(v.Get("page")); err == nil && n > 0 {
		page = n
	}
	var count int
	if err := s.db.QueryRow(ctx, `SELECT count(*) FROM entry e WHERE e.owner_id = $1`, by.id).Scan(&count); err != nil {
		return err
	}
	rows, err := s.db.Query(ctx, `
		SELECT e.id, e.owner_id, e.date, e.platform, e.app_income, e.tips, e.commission, e.expenses, e.hours, e.distance_km, e.trips,
			e.currency, e.note, e.earnings, e.legacy_earnings, e.created_at, e.updated_at, e.revision
		FROM entry e WHERE e.owner_id = $1 ORDER BY e.date DESC, e.id DESC LIMIT $2 OFFSET $3`, by.id, size, (page-1)*size)
	if err != nil {
		return err
	}
	defer rows.Close()
	entries := make([]entry, 0, size)
	ids := make([]int64, 0, size)
	for rows.Next() {
		entries = append(entries, entry{})
		e := &entries[len(entries)-1]
		if err := e.scan(rows); err != nil {
			return err
		}
		ids = append(ids, e.ID)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(entries) > 0 {
		if err := s.addItems(ctx, entries, ids); err != nil {
			return err
		}
	}
	l := list{Count: &count, Results: entries}
	if (page-1)*size+len(entries) < count {
		l.Next = s.link(r.URL, "page", strconv.Itoa(page+1))
	}
	if page > 1 {
		l.Previous = s.link(r.URL, "page", strconv.Itoa(page-1))
	}
	return answer(w, r, http.StatusOK, "", l)
}

func (s *server) addItems(ctx context.Context, entries []entry, ids []int64) error {
	rows, err := s.db.Query(ctx, `SELECT entry_id, category, amount, note FROM expense_item WHERE entry_id = ANY($1) ORDER BY entry_id, position`, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var one item
		if err := rows.Scan(&id, &one.Category, (*int64)(&one.Amount), &one.Note); err != nil {
			return err
		}
		e := &entries[slices.Index(ids, id)]
		e.Items = append(e.Items, one)
	}
	return rows.Err()
}

// settings are what of somebody's settings counts here.
func (s *server) settings(ctx context.Context, by *person) (currency string, today time.Time, err error) {
	var name string
	if err := s.db.QueryRow(ctx, `SELECT s.currency, s.time_zone FROM settings s WHERE s.account_id = $1`, by.id).Scan(&currency, &name); err != nil {
		return "", time.Time{}, err
	}
	zone, ok := zones[name]
	if !ok {
		zone = time.UTC
	}
	y, m, d := time.Now().In(zone).Date()
	return currency, time.Date(y, m, d, 0, 0, 0, 0, time.UTC), nil
}

// zones are the time zones of the demo data.
var zones = func() map[string]*time.Location {
	m := map[string]*time.Location{}
	for _, name := range []string{"Europe/Bucharest", "Europe/Madrid", "Europe/Rome", "Europe/Berlin", "Europe/London", "Europe/Paris"} {
		if z, err := time.LoadLocation(name); err == nil {
			m[name] = z
		}
	}
	return m
}()

var categories = map[string]bool{
	"fuel": true, "car_rent": true, "meals": true, "wash": true, "toll": true, "parking": true, "phone": true, "insurance": true, "repair": true,
	"tax": true, "other": true,
}

func (s *server) createEntry(w http.ResponseWriter, r *http.Request, by *person) error {
	ctx := r.Context()
	currency, today, err := s.settings(ctx, by)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	sent := sentEntry{entry: entry{Date: day(today), Currency: currency, Items: []item{}, CreatedAt: now, UpdatedAt: now}}
	if err := body(r, &sent); err != nil {
		return err
	}
	e := sent.entry
	if e.commissionGiven = sent.Commission != nil; e.commissionGiven {
		e.Commission = *sent.Commission
	}
	if e.expensesGiven = sent.Expenses != nil; e.expensesGiven {
		e.Expenses = *sent.Expenses
	}
	if e.AppIncome == 0 || e.Commission > 100_00 || len(e.Items) > 50 || len(e.Note) > 20_000 || (e.Trips != nil && (*e.Trips < 0 || *e.Trips > 10_000)) {
		return refusal(http.StatusBadRequest)
	}
	for i, one := range e.Items {
		if i == 0 {
			e.Expenses = 0
		}
		if !categories[one.Category] {
			return refusal(http.StatusBadRequest)
		}
		e.Expenses += one.Amount
	}
	e.Earnings = money(divRound(int64(e.AppIncome)*(100_00-int64(e.Commission))+int64(e.Tips-e.Expenses)*100_00, 1, 100_00))
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO entry (owner_id, date, platform, platform_key, app_income, tips, commission, expenses, hours, distance_km, trips,
				currency, note, earnings, legacy_earnings, created_at, updated_at, commission_given, expenses_given)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $15, $16, $17) RETURNING id`,
			by.id, time.Time(e.Date), e.Platform, text.Key(e.Platform), int64(e.AppIncome), int64(e.Tips), int64(e.Commission), int64(e.Expenses),
			(*int64)(e.Hours), (*int64)(e.DistanceKM), e.Trips, e.Currency, e.Note, int64(e.Earnings), now,
			e.commissionGiven, e.expensesGiven).Scan(&e.ID)
		if err != nil {
			return err
		}
		if len(e.Items) > 0 {
			statement, args := `INSERT INTO expense_item (entry_id, position, category, amount, note) VALUES `, []any{e.ID}
			for i, one := range e.Items {
				n := len(args)
				statement += `($1, $` + strconv.Itoa(n+1) + `, $` + strconv.Itoa(n+2) + `, $` + strconv.Itoa(n+3) + `, $` + strconv.Itoa(n+4) + `), `
				args = append(args, i, one.Category, int64(one.Amount), one.Note)
			}
			if _, err := tx.Exec(ctx, strings.TrimSuffix(statement, ", "), args...); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, insertHistory, now, by.id, host(r), "calculator_entry", e.ID, e.changes())
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", s.base+"/api/calculator/"+itoa(e.ID)+"/")
	return answer(w, r, http.StatusCreated, "1-", e)
}

func (e *entry) changes() string {
	var c changes
	c.money("app_income", &e.AppIncome)
	c.money("commission", &e.Commission)
	c.given("commission_given", e.commissionGiven)
	c.text("currency", e.Currency)
	c.text("date", e.Date.String())
	c.money("distance_km", e.DistanceKM)
	c.money("earnings", &e.Earnings)
	if len(e.Items) > 0 {
		c.name("expense_items")
		for i, one := range e.Items {
			c.b = append(c.b, "[,"[min(i, 1)])
			c.b = appendText(append(c.b, `{"category":`...), one.Category)
			c.b = append(one.Amount.append(append(c.b, `,"amount":"`...)), `","note":`...)
			c.b = append(appendText(c.b, one.Note), '}')
		}
		c.b = append(c.b, `]]`...)
	}
	c.money("expenses", &e.Expenses)
	c.given("expenses_given", e.expensesGiven)
	c.money("hours", e.Hours)
	c.money("legacy_earnings", &e.Earnings)
	c.text("note", e.Note)
	c.text("platform", e.Platform)
	c.money("tips", &e.Tips)
	c.number("trips", e.Trips)
	return c.end()
}
