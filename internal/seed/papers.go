package seed

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
)

// paper is a kind of document that drivers in Romania keep.
type paper struct {
	kind    string
	title   string
	number  string // a pattern for a number of six digits
	issuers []string
	valid   int // days; 0 for papers that do not expire
	percent int // of drivers who have filed it
	text    string
}

var papers = []paper{
	{"driving_license", "Permis de conducere, categoria B", "B00%06dX", []string{"DRPCIV", "SPCRPCÎV"}, 3652, 80, ""},
	{"registration", "Talon (certificat de înmatriculare)", "TL %06d", []string{"DRPCIV", "SPCRPCÎV"}, 0, 65, "Originalul este în mașină."},
	{"insurance", "Asigurare RCA", "RO/DEMO/%06d", []string{"Groupama Asigurări", "Omniasig", "Allianz-Țiriac", "Asirom", "Grawe România"}, 365, 75, "Extindere pentru transport alternativ."},
	{"inspection", "Inspecție tehnică periodică (ITP)", "ITP %06d", []string{"RAR", "Stație ITP autorizată RAR"}, 365, 60, ""},
	{"taxi_permit", "Copie conformă ARR", "CC %06d", []string{"Autoritatea Rutieră Română"}, 365, 55, "Se ține la bord, în original."},
	{"badge", "Ecuson transport alternativ", "EC %06d", []string{"Autoritatea Rutieră Română"}, 365, 50, "Pe parbriz și pe lunetă."},
	{"medical", "Aviz medical și psihologic", "AM %06d", []string{"Clinica Medicală Sfânta Maria", "Policlinica CFR", "Medicover"}, 365, 45, ""},
	{"criminal_record", "Cazier judiciar", "CJ %06d", []string{"Poliția Română"}, 183, 35, "Cerut de platformă la reînnoire."},
	{"contract", "Contract de închiriere auto", "CT %06d", []string{"Flota Drive SRL", "Auto Partener SRL"}, 365, 15, "Garanție 1.000 lei."},
	{"other", "Atestat profesional", "AT %06d", []string{"Autoritatea Rutieră Română"}, 1826, 20, ""},
}

// demoExpiries is how many days the papers of the demo account have left, in
// the order of papers: every state that a document can be in.
var demoExpiries = []int{2190, 0, 4, 25, 140, -12, 61, -40, 210, 903}

// papers makes the documents of the n-th driver.
func (w *world) papers(n int, set account.Settings) []document.Document {
	r := w.dice(ofPapers, n)
	loc := set.Location()
	var docs []document.Document
	for i, p := range papers {
		left := p.valid - r.IntN(p.valid*108/100+1) // some have run out
		switch {
		case n == 0:
			left = demoExpiries[i]
		case !chance(r, p.percent):
			continue
		}
		d := document.Document{Details: w.paper(r, p, left), OwnerID: w.people[n].id, Revision: 1}
		d.CreatedAt = moment(r, w.people[n].created, w.start.Unix())
		d.UpdatedAt = d.CreatedAt
		// The demo account is to see reminders at once. The others have had
		// those whose day has come, or a large seed would start with as large
		// a wave of mails.
		var done []int
		if n > 0 {
			done, _ = d.Due(nil, w.start.Add(-time.Minute), loc)
		}
		d.NextReminderAt = d.NextReminder(done, w.start, loc)
		docs = append(docs, d)
	}
	return docs
}

func (w *world) paper(r *rand.Rand, p paper, left int) document.Details {
	d := document.Details{
		Type: p.kind, Title: p.title, Number: fmt.Sprintf(p.number, r.IntN(1_000_000)), Issuer: pick(r, p.issuers),
		Description: p.text, RemindDays: document.DefaultRemindDays(),
	}
	if p.valid == 0 {
		d.IssuedOn = ptr(w.today - calendar.Day(between(r, 100, 2500)))
		return d
	}
	expires := w.today + calendar.Day(left)
	d.ExpiresOn, d.IssuedOn = &expires, ptr(expires-calendar.Day(p.valid))
	if chance(r, 10) {
		d.RemindDays = []int{60, 14, 3}
	}
	return d
}

// evening is a time after work on a day, and not later than anything may be.
func (w *world) evening(r *rand.Rand, d calendar.Day) time.Time {
	t := d.At(20, w.zone).Add(time.Duration(r.IntN(4*60*60)) * time.Second).UTC()
	if t.After(w.start) {
		return w.start
	}
	return t
}
