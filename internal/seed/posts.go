package seed

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
)

// The posts of the demo account come first: one in each status.
var demoPosts = []struct {
	model, status string
	age           int // days
	sale          bool
}{
	{"Corolla", listing.StatusActive, 40, false},
	{"Logan", listing.StatusPaused, 25, false},
	{"Octavia", listing.StatusClosed, 65, true},
	{"Ioniq", listing.StatusDraft, 2, true},
}

// advertising is how far back the oldest post goes, in seconds: a year and a
// half.
const advertising = 540 * 24 * 60 * 60

const perDay = 24 * 60 * 60

var carLottery = byWeight()

// post makes the n-th post and names its owner's place.
func (w *world) post(n int) (p listing.Post, owner int) {
	r := w.dice(ofPost, n)
	now := w.start.Unix()
	if n < len(demoPosts) {
		demo := demoPosts[n]
		c := cars[slices.IndexFunc(cars, func(c car) bool { return c.model == demo.model })]
		p.Details = w.advert(r, c, w.people[0].city, demo.sale)
		p.Status = demo.status
		p.CreatedAt = moment(r, now-int64(demo.age)*perDay, now-int64(demo.age)*perDay+perDay)
	} else {
		// One after the other, the recent ones closer together, each by somebody
		// who had joined by then. Every twentieth driver has a fleet.
		begin := now - advertising
		if w.o.Drivers > 1 {
			begin = max(begin, w.people[1].created+1)
		}
		place := (float64(n) + r.Float64()) / float64(w.o.Posts)
		at := now - int64(float64(now-begin)*math.Pow(1-place, 1.6))
		p.CreatedAt = moment(r, at, at)
		if here := w.joined(at); here > 1 {
			owner = between(r, 1, here-1)
			if chance(r, 35) {
				owner -= (owner - 1) % 20
			}
		}
		p.Details = w.advert(r, cars[pick(r, carLottery)], w.people[owner].city, chance(r, 25))
		p.Status = status(r)
		if n == 7 || n == 31 || n%5000 == 4999 {
			p.Status = listing.StatusActive
			p.Moderation = &listing.Moderation{Reason: pick(r, moderations), At: moment(r, at, now)}
		}
	}
	p.UpdatedAt, p.OwnerID, p.Revision = p.CreatedAt, w.people[owner].id, 1
	p.OwnerActive = w.people[owner].active
	return p, owner
}

func status(r *rand.Rand) string {
	switch n := r.IntN(100); {
	case n < 84:
		return listing.StatusActive
	case n < 90:
		return listing.StatusPaused
	case n < 96:
		return listing.StatusClosed
	default:
		return listing.StatusDraft
	}
}

var moderations = []string{
	"Anunțul cere bani în avans în afara platformei.", "Fotografiile și datele aparțin altui anunț.", "Limbaj nepotrivit în descriere.",
}

// advert makes what a post says about a car.
func (w *world) advert(r *rand.Rand, c car, city int, sale bool) listing.Details {
	thisYear := w.start.Year()
	oldest := max(c.from, thisYear-12)
	newest := thisYear
	if c.to > 0 {
		newest = min(c.to, thisYear)
	}
	year := newest
	if oldest < newest {
		// Cars at work are rarely new and rarely old.
		year = (between(r, oldest, newest) + between(r, oldest, newest)) / 2
	}
	t := c.trims[0]
	for range 8 { // one that was made in that year
		if one := pick(r, c.trims); one.from <= year && (one.to == 0 || year <= one.to) {
			t = one
			break
		}
	}
	if t.to > 0 {
		year = min(year, t.to)
	}
	year = max(year, min(t.from, thisYear))
	age := max(0, thisYear-year)
	km := age*between(r, 22, 52)*1000 + between(r, 3, 18_500)
	km = min(km, 480_000+between(r, 0, 20_000))

	d := listing.DefaultDetails()
	d.Make, d.Model, d.Version, d.Engine, d.Fuel, d.Body = c.make, c.model, t.version, t.engine, t.fuel, c.body
	d.Transmission, d.Color, d.EmissionStandard = t.transmission, common(r, colors), standard(t.fuel, year)
	d.Location, d.Contact = cities[city], contact(r)
	d.Year, d.Seats, d.Doors, d.MileageKM, d.PowerHP = &year, ptr(c.seats), ptr(c.doors), &km, ptr(t.hp)
	if t.gears > 0 {
		d.Gears = ptr(t.gears)
	}
	d.Consumption = ptr(t.consumption + fixed.Amount(between(r, -4, 6)*5))
	// What the car is worth, EUR: less with age and with use beyond the usual.
	value := float64(c.price+t.extra) * math.Pow(0.87, float64(age)) * (1 - float64(km)/1_600_000) * (0.93 + 0.14*r.Float64())
	if sale {
		sell(r, &d, int(value))
	} else {
		rent(r, &d, int(value))
	}
	d.Description = describe(r, d, sale, age < 3)
	return d
}

// ronPerEUR is the rate at which owners reckon.
const ronPerEUR = 5

func sell(r *rand.Rand, d *listing.Details, value int) {
	d.Offer, d.PricePeriod = "sale", ptr("total")
	value = max(1500, value)
	if chance(r, 8) {
		d.Currency, value = "RON", value*ronPerEUR
	}
	d.Price = ptr(fixed.Amount(value / 100 * 100_00))
	if chance(r, 40) {
		*d.Price -= 10_00 // 8,990 looks better than 9,000
	}
}

func rent(r *rand.Rand, d *listing.Details, value int) {
	d.Offer = "rent"
	week := 70 + value*between(r, 55, 75)/10_000 // EUR
	n, period, step := week, "week", 5
	switch roll := r.IntN(100); {
	case roll < 12:
		n, period, step = week/6, "day", 1
	case roll < 30:
		n, period, step = week*4*94/100, "month", 10
	}
	if chance(r, 40) {
		d.Currency, n, step = "RON", n*ronPerEUR, step*5
	}
	d.PricePeriod = &period
	d.Price = ptr(fixed.Amount((n + step - 1) / step * step * 100))
}

// contact is a telephone number in a block of zeros that nobody has.
func contact(r *rand.Rand) string {
	n := r.IntN(1000)
	switch r.IntN(3) {
	case 0:
		return fmt.Sprintf("0700 000 %03d", n)
	case 1:
		return fmt.Sprintf("+40 700 000 %03d", n)
	default:
		return fmt.Sprintf("0700.000.%03d (și WhatsApp)", n)
	}
}

// The sentences that descriptions are put together from. {car}, {year}, {km},
// {city}, {use} and {fuel} stand for what the post says elsewhere.
var (
	rentOpenings = []string{
		"Închiriez {car} pentru Uber și Bolt, din {city}.",
		"Ofer spre închiriere {car}, an {year}, pregătită pentru transport alternativ.",
		"{car} disponibilă imediat pentru ridesharing în {city}.",
		"Caut șofer serios pentru {car} din {year}, eventual două ture.",
		"Dau în chirie {car}, ideală pentru cine vrea să câștige fără bătăi de cap.",
		"Firmă cu flotă proprie, închiriem {car} cu tot ce trebuie pentru platforme.",
	}
	saleOpenings = []string{
		"Vând {car} din {year}, folosită la ridesharing în {city}.",
		"De vânzare {car}, {km} km reali, verificabili la reprezentanță.",
		"Vând {car}, proprietar în acte, fără taxe ascunse.",
		"Ofer spre vânzare {car}, an fabricație {year}, perfectă pentru Uber sau Bolt.",
		"Schimb mașina, așa că vând {car} în stare foarte bună.",
	}
	states = []string{
		"Întreținută la timp, cu istoric complet de service.",
		"Revizia făcută luna trecută, anvelope noi.",
		"Interior îngrijit, tapițerie curată, nefumător.",
		"Mecanic impecabilă, mici zgârieturi de oraș pe bara din spate.",
		"Distribuția schimbată, baterie nouă, fără martori în bord.",
		"Plăcuțe și discuri schimbate recent, direcția reglată.",
		"Are {km} km, majoritatea în oraș și pe autostradă.",
	}
	youngStates = append([]string{"Garanție de la producător încă valabilă.", "Aproape nouă, fără nicio reparație."}, states...)
	economy     = []string{
		"Consumă în jur de {use} în {city}.",
		"Consum real {use}, ceea ce se vede la sfârșitul lunii.",
		"Motor {fuel}, foarte economic în oraș: {use}.",
	}
	extras = []string{
		"Dotări: climatronic, cameră de marșarier, senzori de parcare, Apple CarPlay.",
		"Are aer condiționat, pilot automat, Bluetooth și încălzire în scaune.",
		"Navigație mare, faruri LED, portbagaj încăpător pentru curse la aeroport.",
		"Prindere pentru telefon, încărcător rapid și covorașe de cauciuc noi.",
		"Scaune confortabile în spate, geamuri fumurii, prize USB pentru clienți.",
	}
	rentTerms = []string{
		"Chiria include RCA, CASCO, rovinietă și reviziile. Garanție o săptămână.",
		"Copie conformă și ecusoane la zi, pornești la drum a doua zi.",
		"Kilometri nelimitați în oraș. Plata săptămânal, cu factură.",
		"Se cere atestat, cazier și minimum doi ani vechime la permis.",
		"Mașină de schimb în caz de defecțiune. Fără costuri ascunse.",
		"Posibilitate de cumpărare în rate după 24 de luni.",
	}
	saleTerms = []string{
		"Acte la zi, ITP valabil, se poate pleca imediat la drum.",
		"Accept verificare la orice service. Preț ușor negociabil la fața locului.",
		"Se vinde cu două rânduri de anvelope și cu ecusoanele pe parbriz.",
		"Se poate achiziționa și în leasing. Nu răspund la mesaje cu schimburi.",
		"Fiscal pe loc, fără intermediari.",
	}
	closings = []string{
		"Detalii la telefon.", "Sunați între 9 și 20.", "Mai multe detalii pe WhatsApp.", "Se poate vedea în {city}, cu programare.",
		"Rog seriozitate.", "",
	}
)

// describe writes the text of a post.
func describe(r *rand.Rand, d listing.Details, sale, young bool) string {
	openings, terms := rentOpenings, rentTerms
	if sale {
		openings, terms = saleOpenings, saleTerms
	}
	state := pick(r, states)
	if young {
		state = pick(r, youngStates)
	}
	parts := []string{pick(r, openings), state}
	for _, more := range [][]string{economy, extras, terms} {
		if chance(r, 65) {
			parts = append(parts, pick(r, more))
		}
	}
	parts = append(parts, pick(r, closings))
	gap := " "
	if chance(r, 25) { // some write a line each
		gap = "\n"
	}
	unit := " l/100 km"
	if d.Fuel == electric {
		unit = " kWh/100 km"
	}
	use := strings.Replace(d.Consumption.String(), ".", ",", 1)
	return strings.TrimSpace(strings.NewReplacer(
		"{car}", d.Make+" "+d.Model, "{year}", fmt.Sprint(*d.Year), "{km}", thousands(*d.MileageKM), "{city}", d.Location,
		"{use}", use[:len(use)-1]+unit, "{fuel}", strings.ToLower(d.Fuel),
	).Replace(strings.Join(parts, gap)))
}

// thousands writes a number as Romanians do: 123.456.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d.%03d", n/1000, n%1000)
}

// readers is what people keep and report of a batch of posts.
type readers struct {
	users, posts []int64
	since        []time.Time
	reports      []listing.Report
}

var complaints = []struct{ reason, text string }{
	{"Informații false", "Kilometrajul nu este cel din istoricul mașinii."},
	{"Fraudă", "Cere garanție prin transfer înainte să văd mașina."},
	{"Anunț duplicat", "Aceeași mașină apare de trei ori, cu prețuri diferite."},
	{"Nu mai este disponibilă", "Am sunat, mașina s-a vândut acum o lună."},
	{"Alt motiv", ""},
}

// read lets people keep and report the n-th post. Only what others can see is
// kept, and nobody keeps or reports their own.
func (w *world) read(to *readers, n int, p listing.Post, owner int) {
	r := w.dice(ofReaders, n)
	now := w.start.Unix()
	since := func(reader int) time.Time {
		return moment(r, max(p.CreatedAt.Unix(), w.people[reader].created), now)
	}
	if p.Visible() {
		step := max(1, w.o.Posts/8)
		if owner != 0 && n%step == len(demoPosts)%step {
			to.keep(w.people[0].id, p.ID, since(0))
		}
		for _, reader := range w.others(r, owner, max(0, between(r, -5, 4))) {
			to.keep(w.people[reader].id, p.ID, since(reader))
		}
	}
	reports := 0
	switch {
	case p.Moderation != nil:
		reports = between(r, 1, 3)
	case p.Visible() && r.IntN(150) == 0:
		reports = 1
	}
	for _, reader := range w.others(r, owner, reports) {
		c := pick(r, complaints)
		to.reports = append(to.reports, listing.Report{
			PostID: p.ID, ReporterID: w.people[reader].id, Reason: c.reason, Text: c.text, At: since(reader),
		})
	}
}

func (to *readers) keep(user, post int64, since time.Time) {
	to.users, to.posts, to.since = append(to.users, user), append(to.posts, post), append(to.since, since)
}

// others are up to n different people, neither the owner nor the demo account.
func (w *world) others(r *rand.Rand, owner, n int) []int {
	var list []int
	for range n {
		if w.o.Drivers < 3 {
			break
		}
		if one := between(r, 1, w.o.Drivers-1); one != owner && !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}
