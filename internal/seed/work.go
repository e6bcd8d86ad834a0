package seed

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// demoDays is how many days of work the demo account has.
const demoDays = 90

// habits are how a driver works.
type habits struct {
	platforms  []string
	commission []fixed.Amount // percent, of each platform
	dayOff     time.Weekday
	both       int          // percent of days on two platforms
	perKM      int          // cost of fuel, in bani
	rent       fixed.Amount // of the car, a week; 0 for one's own
	euro       bool
	holiday    [2]calendar.Day // first and last day away
}

// shift is one entry to be made: a day on one platform, with a percentage of
// the day's hours.
type shift struct {
	day      calendar.Day
	platform int
	percent  int
}

func (w *world) habits(r *rand.Rand, n int) habits {
	if n == 0 {
		return habits{
			platforms: []string{"Uber", "Bolt"}, commission: []fixed.Amount{25_00, 21_50}, dayOff: time.Monday, both: 30, perKM: 36,
			holiday: [2]calendar.Day{w.today - 47, w.today - 41},
		}
	}
	h := habits{
		platforms: []string{"Uber", "Bolt"}, commission: []fixed.Amount{25_00, fixed.Amount(between(r, 40, 48) * 50)},
		dayOff: time.Weekday(r.IntN(4)), both: between(r, 0, 40), perKM: between(r, 24, 58), euro: w.people[n].euro,
	}
	if chance(r, 50) { // the one used most comes first
		slices.Reverse(h.platforms)
		slices.Reverse(h.commission)
	}
	if chance(r, 6) {
		h.platforms, h.commission = append(h.platforms, "Clever"), append(h.commission, 20_00)
	}
	if chance(r, 30) {
		h.rent = fixed.Amount(between(r, 60, 95) * 10_00)
	}
	away := w.today - calendar.Day(between(r, 20, 200))
	h.holiday = [2]calendar.Day{away, away + calendar.Day(between(r, 4, 12))}
	return h
}

// work makes quota entries of the n-th driver, days before the last one (0: back
// to when the account was made), oldest first, and returns how many it did not
// make. A driver with more than fits is given the same days once more, if again
// is set: only at odd sizes, where a few drivers share very many entries.
func (w *world) work(n, quota, days int, again bool, add func(earnings.Entry) error) (left int, err error) {
	r := w.dice(ofWork, n)
	h := w.habits(r, n)
	first := calendar.On(time.Unix(w.people[n].created, 0).In(w.zone)) + 1
	last := w.today
	switch {
	case n == 0:
	case chance(r, 70):
		last = max(first, w.today-calendar.Day(between(r, 0, 2)))
	default: // has stopped
		last = max(first, w.today-calendar.Day(r.IntN(int(w.today-first)/2+1)))
	}
	for quota > 0 {
		begin := first
		if days > 0 {
			begin = max(first, last-calendar.Day(days)+1)
		}
		var shifts []shift
		for d := last; d >= begin && len(shifts) < quota; d-- {
			shifts = h.shifts(r, d, d == w.today && n == 0, shifts)
		}
		if len(shifts) == 0 {
			shifts = append(shifts, shift{last, 0, 100})
		}
		shifts = shifts[:min(len(shifts), quota)]
		slices.Reverse(shifts)
		for i, s := range shifts {
			firstOfDay := i == 0 || shifts[i-1].day != s.day
			if err := add(w.entry(r, h, w.people[n].id, s, firstOfDay)); err != nil {
				return quota, err
			}
		}
		quota -= len(shifts)
		if !again {
			break
		}
		if days > 0 { // now the days before those, and then all of them
			last, days = begin-1, 0
		} else {
			last = w.today
		}
		last = max(last, first)
	}
	return quota, nil
}

// shifts adds the work of one day to list, in the reverse order.
func (h habits) shifts(r *rand.Rand, d calendar.Day, surely bool, list []shift) []shift {
	day := d.UTC().Weekday()
	percent := 80
	switch day { // nobody's day off is a Friday or Saturday
	case time.Friday, time.Saturday:
		percent = 94
	case h.dayOff:
		percent = 8
	case time.Sunday:
		percent = 70
	}
	if d >= h.holiday[0] && d <= h.holiday[1] {
		percent = 0
	}
	if works := chance(r, percent); !works && !surely {
		return list
	}
	// The main platform on most days, the others now and then.
	main := 0
	if chance(r, 30) {
		main = r.IntN(len(h.platforms))
	}
	if !chance(r, h.both) {
		return append(list, shift{d, main, 100})
	}
	part := between(r, 50, 75)
	return append(list, shift{d, (main + 1) % len(h.platforms), 100 - part}, shift{d, main, part})
}

var notes = []string{
	"Concert, cerere mare toată seara.", "Ploaie, coloane peste tot.", "Două curse la aeroport.", "Bonus de weekend.", "Zi slabă, multe anulări.",
	"Am stat o oră la service.", "Meci, drumuri închise în centru.", "Curse lungi, fără timpi morți.", "Doar seara.",
}

// entry makes one day's work on one platform. Trips follow from hours,
// kilometres and income from trips, fuel from kilometres.
func (w *world) entry(r *rand.Rand, h habits, owner int64, s shift, firstOfDay bool) earnings.Entry {
	day := s.day.UTC().Weekday()
	busy := day == time.Friday || day == time.Saturday
	quarters, perTrip, fare := between(r, 20, 42), between(r, 23, 30), between(r, 1850, 2650) // hours ÷ 4, minutes, bani
	if busy {
		quarters, perTrip, fare = quarters+between(r, 0, 6), perTrip-3, fare*118/100
	}
	quarters = max(3, quarters*s.percent/100)
	trips := quarters * 15 / perTrip
	km := trips*between(r, 62, 98) + between(r, 0, 90) // in hundreds of metres
	income := trips*fare + between(r, -350, 350)
	tips := 0
	if chance(r, 60) {
		tips = trips * between(r, 10, 130) / 50 * 50
	}

	d := earnings.Details{
		Date: s.day, Platform: h.platforms[s.platform], AppIncome: h.money(income), Tips: h.money(tips), Commission: h.commission[s.platform],
		Hours: ptr(fixed.Amount(quarters * 25)), DistanceKM: ptr(fixed.Amount(km * 10)), Trips: &trips, Currency: "RON",
	}
	if h.euro {
		d.Currency = "EUR"
	}
	if chance(r, 9) {
		d.Note = pick(r, notes)
	}
	if chance(r, 8) { // gave the total alone
		d.Expenses = h.money(km * h.perKM / 10)
	} else {
		d.Items = h.expenses(r, s.day, km, firstOfDay)
		for _, item := range d.Items {
			d.Expenses += item.Amount
		}
	}
	e := earnings.Entry{Details: d, OwnerID: owner, CreatedAt: w.evening(r, s.day), Revision: 1}
	e.UpdatedAt = e.CreatedAt
	e.Earnings = earnings.Earnings(e.AppIncome, e.Commission, e.Tips, e.Expenses)
	e.LegacyEarnings = &e.Earnings
	return e
}

// money is an amount of bani in the driver's currency.
func (h habits) money(bani int) fixed.Amount {
	if h.euro {
		return fixed.Amount(bani / 3) // pay and prices abroad, not the rate of exchange
	}
	return fixed.Amount(bani)
}

// expenses are what a day cost; km counts hundreds of metres.
func (h habits) expenses(r *rand.Rand, d calendar.Day, km int, firstOfDay bool) []earnings.ExpenseItem {
	var items []earnings.ExpenseItem
	add := func(category string, bani int, note string) {
		items = append(items, earnings.ExpenseItem{Category: category, Amount: h.money(bani), Note: note})
	}
	if chance(r, 65) { // not every day, so that much more at a time
		add("fuel", km*h.perKM/10*100/65/10*10+10, pick(r, []string{"", "", "", "OMV", "Petrom", "Rompetrol", "MOL", "Lukoil"}))
	}
	if !firstOfDay {
		return items
	}
	weekday, date := d.UTC().Weekday(), d.UTC().Day()
	if h.rent > 0 && weekday == time.Monday {
		add("car_rent", int(h.rent), "rata săptămânii")
	}
	if chance(r, 40) {
		add("meals", between(r, 18, 48)*100, "")
	}
	if chance(r, 14) {
		add("wash", between(r, 5, 10)*500, pick(r, []string{"", "exterior", "interior și exterior"}))
	}
	if chance(r, 10) {
		add("parking", between(r, 3, 20)*100, pick(r, []string{"", "aeroport", "centru"}))
	}
	if chance(r, 2) {
		add("toll", pick(r, []int{1300, 2800, 3800}), pick(r, []string{"pod Fetești", "rovinietă"}))
	}
	switch date {
	case 5:
		add("phone", between(r, 30, 60)*100, "abonament")
	case 12:
		if chance(r, 25) {
			add("insurance", between(r, 120, 260)*100, "rată RCA")
		}
	case 25:
		if chance(r, 60) {
			add("tax", between(r, 90, 350)*100, "impozit și contribuții")
		}
	}
	if chance(r, 1) {
		add("repair", between(r, 12, 90)*1000, pick(r, []string{"plăcuțe de frână", "schimb de ulei", "pană", "becuri și ștergătoare"}))
	}
	if chance(r, 2) {
		add(earnings.Other, between(r, 8, 60)*100, pick(r, []string{"apă și șervețele", "odorizant", "prindere de telefon"}))
	}
	return items
}
