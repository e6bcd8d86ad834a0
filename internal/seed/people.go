package seed

import (
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// homeZone is where almost all of the drivers live.
const homeZone = "Europe/Bucharest"

// abroad are the zones of the few who drive elsewhere.
var abroad = []string{"Europe/Chisinau", "Europe/Berlin", "Europe/Rome", "Europe/London", "Europe/Madrid"}

// joining is how far back the oldest account goes, in seconds: two years.
const joining = 2 * 365 * 24 * 60 * 60

// First names and surnames, the most frequent first.
var (
	women = strings.Fields(`Maria Elena Ioana Andreea Mihaela Cristina Alexandra Ana Daniela Gabriela Alina Georgiana Simona
		Roxana Raluca Florentina Nicoleta Mădălina Oana Diana Adriana Carmen Monica Laura Bianca Larisa Denisa Corina Ramona Loredana
		Camelia Anca Irina Claudia Teodora Ștefania Luminița Mirela Petronela Ilinca Crăița`)
	men = strings.Fields(`Andrei Alexandru Mihai Ion Gheorghe Ionuț Cristian Florin Vasile Marian Daniel Adrian Gabriel Constantin
		Bogdan Marius Cătălin Nicolae Ștefan Dan George Răzvan Sorin Liviu Radu Cosmin Vlad Ciprian Ovidiu Claudiu Lucian Dumitru
		Viorel Robert Sebastian Petru Dragoș Tudor Emil Silviu Eduard Octavian Laurențiu Horia Traian Attila Zoltán`)
	surnames = strings.Fields(`Popa Popescu Ionescu Radu Dumitru Stan Stoica Gheorghe Matei Ciobanu Rusu Munteanu Constantin Marin
		Dinu Șerban Lazăr Moldovan Florea Mihai Stanciu Toma Dumitrescu Vasile Stefan Diaconu Oprea Sandu Georgescu Barbu Nistor
		Enache Tudor Dobre Cristea Manole Ene Preda Anghel Voicu Pop Nicolae Neagu Iordache Andrei Mocanu Ștefan Roman Dragomir Pavel
		Cojocaru Bălan Nagy Szabó Chiriac Grigore Ghiță Țăranu Ungureanu Mureșan Sârbu Crăciun Bogdan Filip Lungu Tănase Petrescu
		Avram Păun Vlad Olaru Cozma Rotaru Dănilă Apostol Zamfir Niță Ursu Mușat Văduva Iliescu Bucur Înțeleptu Székely Kovács`)
)

// cities are where the drivers work, the largest first.
var cities = []string{
	"București", "Cluj-Napoca", "Timișoara", "Iași", "Constanța", "Brașov", "Craiova", "Oradea", "Sibiu", "Ploiești",
	"Galați", "Arad", "Pitești", "Bacău", "Târgu Mureș", "Suceava",
}

// driver makes the n-th driver. The first is the demo account.
func (w *world) driver(n int) (account.User, account.Settings, person) {
	r := w.dice(ofDriver, n)
	now, slot := w.start.Unix(), int64(joining/w.o.Drivers)
	// One after the other, each in the first half of a slot of their own, so
	// that ids follow the order of joining.
	p := person{created: now - joining + int64(n)*joining/int64(w.o.Drivers) + r.Int64N(slot/2+1), city: w.city(n), active: true}
	created := time.Unix(p.created, 0).UTC()
	u := account.User{
		Name: DemoName, Email: DemoEmail, PasswordHash: w.o.PasswordHash, EmailVerifiedAt: ptr(created.Add(7 * time.Minute)),
		Active: true, CreatedAt: created, UpdatedAt: created, Version: 1,
	}
	set := account.DefaultSettings()
	set.Language, set.UpdatedAt = "ro", created
	if n == 0 {
		set.DefaultCommission, set.WeeklyGoal = ptr(fixed.Amount(25_00)), ptr(fixed.Amount(2500_00))
		return u, set, p
	}

	first := men
	if chance(r, 22) {
		first = women
	}
	given, family := common(r, first), common(r, surnames)
	local := given
	if chance(r, 12) {
		if second := common(r, first); second != given {
			given += " " + second
		}
	}
	u.Name = given + " " + family
	u.Email = text.Fold(local) + "." + text.Fold(family) + "." + strconv.Itoa(n) + "@example.test"
	verified := moment(r, p.created, min(now, p.created+2*24*60*60))
	if u.EmailVerifiedAt = &verified; chance(r, 12) {
		u.EmailVerifiedAt = nil
	}
	p.active = !chance(r, 3)
	u.Active = p.active

	if chance(r, 14) {
		set.Language = "en"
	}
	if chance(r, 5) {
		set.TimeZone, set.Currency, p.euro = pick(r, abroad), "EUR", true
	}
	set.Theme = pick(r, account.Themes)
	set.EmailReminders = !chance(r, 20)
	if chance(r, 60) {
		set.DefaultCommission = ptr(fixed.Amount(pick(r, []int{20_00, 21_00, 22_50, 25_00})))
	}
	if chance(r, 40) {
		goal := fixed.Amount(between(r, 10, 35) * 100_00)
		if p.euro {
			goal /= 4
		}
		set.WeeklyGoal = &goal
	}
	return u, set, p
}

// city is where the n-th driver works; the demo account is in the capital.
func (w *world) city(n int) int {
	if n == 0 {
		return 0
	}
	r := w.dice(ofDriver, -n)
	if chance(r, 30) {
		return 0
	}
	return min(r.IntN(len(cities)), r.IntN(len(cities)))
}
