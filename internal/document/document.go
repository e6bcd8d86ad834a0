// Package document is about the papers that drivers must keep valid: what they
// are, when they run out, and when to say so.
package document

import (
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Details are what the driver says about a paper: the fields that an edit
// writes. Days are on the driver's own calendar.
type Details struct {
	Type        string        `json:"type"`
	Title       string        `json:"title"`
	Number      string        `json:"number"`
	Issuer      string        `json:"issuer"`
	IssuedOn    *calendar.Day `json:"issued_on"`
	ExpiresOn   *calendar.Day `json:"expires_on"` // the last day it is valid; nil for papers that do not expire
	Description string        `json:"description"`
	RemindDays  []int         `json:"remind_days"` // lead times of the reminders, in days, longest first
}

// Document is a paper kept on file. Times are UTC.
type Document struct {
	Details
	ID             int64
	OwnerID        int64
	File           *media.Upload // what is on file of it; nil when nothing is
	NextReminderAt *time.Time    // when the next reminder is due; nil when there is none to come
	CreatedAt      time.Time
	UpdatedAt      time.Time
	Revision       int64
}

// Types of papers.
var Types = []string{
	"driving_license", "registration", "insurance", "inspection", "taxi_permit", "badge", "medical", "criminal_record", "contract", "other",
}

// Status is how a paper stands today.
type Status string

// The statuses.
const (
	Valid    Status = "valid"
	Expiring Status = "expiring" // within ExpiringDays
	Expired  Status = "expired"
	NoExpiry Status = "no_expiry"
)

// Statuses are all of them.
var Statuses = []string{string(Valid), string(Expiring), string(Expired), string(NoExpiry)}

// Limits of a document.
const (
	ExpiringDays   = 30
	MaxDescription = 5000
	MaxReminders   = 10
	MaxLead        = 365
	MaxDocuments   = 100 // of one owner (promise Z8)
	ReminderHour   = 8   // o'clock, on the owner's clock
)

// DefaultRemindDays are the lead times of a new document.
func DefaultRemindDays() []int { return []int{30, 7, 1} }

// Sentinels that callers tell apart.
var (
	ErrNotFound = fault.New(fault.NotFound, "There is no such document.")
	ErrTooMany  = fault.New(fault.Conflict, "You have 100 documents, which is the limit. Delete one first.")
)

// StatusOn tells how the document stands on a day.
func (d Details) StatusOn(today calendar.Day) Status {
	switch {
	case d.ExpiresOn == nil:
		return NoExpiry
	case *d.ExpiresOn < today:
		return Expired
	case *d.ExpiresOn-today <= ExpiringDays:
		return Expiring
	default:
		return Valid
	}
}

// DaysLeft counts the days from today to the last valid one; negative after it,
// nil for a document that does not expire.
func (d Details) DaysLeft(today calendar.Day) *int {
	if d.ExpiresOn == nil {
		return nil
	}
	n := int(*d.ExpiresOn - today)
	return &n
}

func (d *Details) tidy() {
	for _, s := range []*string{&d.Title, &d.Number, &d.Issuer} {
		*s = strings.TrimSpace(*s)
	}
	slices.SortFunc(d.RemindDays, func(a, b int) int { return b - a })
	d.RemindDays = slices.Compact(d.RemindDays)
}

// validate notes what is wrong with the details.
func (d *Details) validate(bad *fault.Fields) {
	account.CheckChoice(bad, "type", d.Type, Types)
	for _, f := range []struct{ name, value string }{{"title", d.Title}, {"number", d.Number}, {"issuer", d.Issuer}} {
		account.CheckText(bad, f.name, f.value, 0, account.MaxText, false)
	}
	account.CheckText(bad, "description", d.Description, 0, MaxDescription, true)
	if d.IssuedOn != nil && d.ExpiresOn != nil && *d.ExpiresOn < *d.IssuedOn && !bad.Has("expires_on") {
		bad.Add("expires_on", "invalid", "The document cannot expire before it was issued.")
	}
	if bad.Has("remind_days") {
		return
	}
	if len(d.RemindDays) > MaxReminders {
		bad.Add("remind_days", "max_length", "Ensure this field has no more than 10 items.")
	}
	for _, n := range d.RemindDays {
		if n < 0 || n > MaxLead {
			bad.Add("remind_days", "invalid", "Ensure every lead time is between 0 and 365 days.")
			break
		}
	}
}

// NextReminder is when the next reminder is due, given the leads that are done
// with: at 08:00 on the owner's clock, expires_on less lead. It is nil when
// there is none to come. A lead whose day has come already is due now, at 08:00
// at the earliest.
func (d Details) NextReminder(done []int, now time.Time, loc *time.Location) *time.Time {
	if d.ExpiresOn == nil {
		return nil
	}
	today := calendar.On(now.In(loc))
	if *d.ExpiresOn < today {
		return nil
	}
	var next *time.Time
	for _, lead := range d.RemindDays {
		if slices.Contains(done, lead) {
			continue
		}
		at := max(*d.ExpiresOn-calendar.Day(lead), today).At(ReminderHour, loc).UTC()
		if next == nil || at.Before(*next) {
			next = &at
		}
	}
	return next
}

// Due are the leads that have come by now and are not done with, and the
// nearest of them: the only one to mail about, the others were missed.
func (d Details) Due(done []int, now time.Time, loc *time.Location) (due []int, nearest int) {
	today := calendar.On(now.In(loc))
	if d.ExpiresOn == nil || *d.ExpiresOn < today || now.Before(today.At(ReminderHour, loc)) {
		return nil, 0
	}
	for _, lead := range d.RemindDays {
		if slices.Contains(done, lead) || now.Before((*d.ExpiresOn-calendar.Day(lead)).At(ReminderHour, loc)) {
			continue
		}
		if due = append(due, lead); len(due) == 1 || lead < nearest {
			nearest = lead
		}
	}
	return due, nearest
}
