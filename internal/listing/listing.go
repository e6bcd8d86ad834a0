// Package listing is about cars that drivers advertise for rent or for sale:
// what a post may say, who sees it, who changes it, and how it is found.
package listing

import (
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// Details are what the owner says about a car: the fields that an edit writes.
type Details struct {
	Make             string        `json:"make"`
	Model            string        `json:"model"`
	Version          string        `json:"version"` // of the car, such as "1.5 dCi Life"
	Engine           string        `json:"engine"`
	Fuel             string        `json:"fuel"`
	Body             string        `json:"body"`
	Transmission     string        `json:"transmission"`
	Color            string        `json:"color"`
	EmissionStandard string        `json:"emission_standard"`
	Location         string        `json:"location"`
	Contact          string        `json:"contact"`
	Description      string        `json:"description"`
	Year             *int          `json:"year"` // nil on posts moved from the older database
	Gears            *int          `json:"gears"`
	Seats            *int          `json:"seats"`
	Doors            *int          `json:"doors"`
	MileageKM        *int          `json:"mileage_km"`
	PowerHP          *int          `json:"power_hp"`
	Consumption      *fixed.Amount `json:"consumption"` // litres (or kWh) per 100 km
	Offer            string        `json:"offer"`
	Price            *fixed.Amount `json:"price"` // nil on posts moved from the older database
	Currency         string        `json:"currency"`
	PricePeriod      *string       `json:"price_period"`           // nil on posts of the older client
	PricePlaces      int           `json:"price_places,omitempty"` // decimals of the price that the older client is shown at least, as it was typed there
	Status           string        `json:"status"`
}

// Moderation is an operator's word against a post: it hides the post from
// others until it is lifted, whatever the owner's status says.
type Moderation struct {
	Reason string
	At     time.Time
}

// Post is a car post. Times are UTC.
type Post struct {
	Details
	ID          int64
	OwnerID     int64
	OwnerName   string
	OwnerActive bool
	Moderation  *Moderation
	ApprovedAt  *time.Time // when an operator found nothing against what it says; nil after the owner has said something else
	Favorite    bool       // of the one who reads
	Photos      []media.Upload
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Revision    int64 // counts writes; what If-Match compares
}

// Record is a post as the history keeps it: the details, and the operators' word.
type Record struct {
	Details
	ModerationReason *string    `json:"moderation_reason"`
	ModeratedAt      *time.Time `json:"moderated_at"`
	ApprovedAt       *time.Time `json:"approved_at"`
}

// Record is the post as the history keeps it.
func (p Post) Record() Record {
	r := Record{Details: p.Details, ApprovedAt: p.ApprovedAt}
	if m := p.Moderation; m != nil {
		r.ModerationReason, r.ModeratedAt = &m.Reason, &m.At
	}
	return r
}

// The choices.
var (
	Offers       = []string{"rent", "sale"}
	PricePeriods = []string{"day", "week", "month", "total"}
	Statuses     = []string{StatusDraft, StatusActive, StatusPaused, StatusClosed}
)

// The owner's statuses; others see active posts only.
const (
	StatusDraft  = "draft"
	StatusActive = "active"
	StatusPaused = "paused"
	StatusClosed = "closed"
)

// Limits of a post.
const (
	MaxDescription = 5000
	MaxReason      = 1000 // of a moderation
	MaxPosts       = 200  // of one owner (promise Z8)
	FirstYear      = 1950
)

// DefaultDetails are a new post's before the owner says anything.
func DefaultDetails() Details {
	return Details{Offer: "rent", Currency: "EUR", Status: StatusActive}
}

// Sentinels that callers tell apart.
var (
	ErrNotFound  = fault.New(fault.NotFound, "There is no such car post.")
	ErrForbidden = fault.New(fault.Forbidden, "Only its owner may change this car post.")
	ErrTooMany   = fault.New(fault.Conflict, "You have 200 car posts, which is the limit. Delete one first.")
	ErrCursor    = fault.InvalidField("cursor", "invalid", "This cursor is not one of this list.")
	ErrReported  = fault.New(fault.Conflict, "You have reported this car post already.")
	ErrNoReport  = fault.New(fault.NotFound, "There is no such report.")
)

// Visible tells whether people other than the owner see the post.
func (p Post) Visible() bool {
	return p.Status == StatusActive && p.Moderation == nil && p.OwnerActive
}

// readableBy tells whether the actor may see the post.
func (p Post) readableBy(by account.Actor) bool {
	return by.MayManage(p.OwnerID) || p.Visible()
}

// seenBy leaves of the photos those that the actor may see.
func (p Post) seenBy(by account.Actor) Post {
	p.Photos = media.Shown(p.Photos, by.MayManage(p.OwnerID))
	return p
}

// saysElse tells whether somebody who reads d is told something else than by
// before, in words: what an operator has to look at anew. Numbers and choices
// are bound by their limits.
func (d Details) saysElse(before Details) bool {
	was := before.texts()
	for i, f := range d.texts() {
		if *f.value != *was[i].value {
			return true
		}
	}
	return d.Description != before.Description
}

// tidy drops the blanks around one-line texts.
func (d *Details) tidy() {
	for _, f := range d.texts() {
		*f.value = strings.TrimSpace(*f.value)
	}
	d.Currency = strings.ToUpper(d.Currency)
}

type textField struct {
	name    string
	value   *string
	minimum int
}

func (d *Details) texts() []textField {
	return []textField{
		{"make", &d.Make, 1},
		{"model", &d.Model, 1},
		{"version", &d.Version, 0},
		{"engine", &d.Engine, 0},
		{"fuel", &d.Fuel, 0},
		{"body", &d.Body, 0},
		{"transmission", &d.Transmission, 0},
		{"color", &d.Color, 0},
		{"emission_standard", &d.EmissionStandard, 0},
		{"location", &d.Location, 0},
		{"contact", &d.Contact, 0},
	}
}

// validate notes what is wrong with the details. before are those that the post
// had until now (nil for a new one): a value that an older post came with is
// not demanded better than it was, as long as it is left alone. A post of the
// older client may be without a year, a price and a period: its forms are free
// text, of which not all is a number, and know no periods.
func (d *Details) validate(before *Details, thisYear int, older bool, bad *fault.Fields) {
	for _, f := range d.texts() {
		if before == nil || !sameText(before, f.name, *f.value) {
			account.CheckText(bad, f.name, *f.value, f.minimum, account.MaxText, false)
		}
	}
	account.CheckText(bad, "description", d.Description, 0, MaxDescription, true)
	for _, n := range []struct {
		name             string
		value, old       *int
		minimum, maximum int
		required         bool
	}{
		{"year", d.Year, old(before, func(d *Details) *int { return d.Year }), FirstYear, thisYear + 1, true},
		{"gears", d.Gears, old(before, func(d *Details) *int { return d.Gears }), 1, 20, false},
		{"seats", d.Seats, old(before, func(d *Details) *int { return d.Seats }), 1, 60, false},
		{"doors", d.Doors, old(before, func(d *Details) *int { return d.Doors }), 0, 10, false},
		{"mileage_km", d.MileageKM, old(before, func(d *Details) *int { return d.MileageKM }), 0, 5_000_000, false},
		{"power_hp", d.PowerHP, old(before, func(d *Details) *int { return d.PowerHP }), 1, 5_000, false},
	} {
		switch {
		case bad.Has(n.name), before != nil && same(n.value, n.old):
		case n.value == nil:
			if n.required && !older {
				bad.Add(n.name, "required", "This field is required.")
			}
		default:
			checkRange(bad, n.name, *n.value, n.minimum, n.maximum)
		}
	}
	d.validatePrice(before, older, bad)
	account.CheckChoice(bad, "offer", d.Offer, Offers)
	account.CheckChoice(bad, "status", d.Status, Statuses)
	if before == nil || d.Currency != before.Currency {
		account.CheckCurrency(bad, "currency", d.Currency)
	}
}

func (d *Details) validatePrice(before *Details, older bool, bad *fault.Fields) {
	if d.Price == nil && !older && !bad.Has("price") && (before == nil || before.Price != nil) {
		bad.Add("price", "required", "This field is required.")
	}
	switch {
	case d.PricePeriod != nil:
		account.CheckChoice(bad, "price_period", *d.PricePeriod, PricePeriods)
	case !older && !bad.Has("price_period") && (before == nil || before.PricePeriod != nil):
		bad.Add("price_period", "required", "This field is required.")
	}
}

func old(before *Details, field func(*Details) *int) *int {
	if before == nil {
		return nil
	}
	return field(before)
}

func sameText(before *Details, name, value string) bool {
	for _, f := range before.texts() {
		if f.name == name {
			return *f.value == value
		}
	}
	return false
}

func same[T comparable](a, b *T) bool {
	return a == b || (a != nil && b != nil && *a == *b)
}

func checkRange(bad *fault.Fields, field string, n, minimum, maximum int) {
	switch {
	case n < minimum:
		bad.Add(field, "min_value", "Ensure this value is greater than or equal to "+itoa(minimum)+".")
	case n > maximum:
		bad.Add(field, "max_value", "Ensure this value is less than or equal to "+itoa(maximum)+".")
	}
}

// SearchText is what the full-text search looks through: the folded words of
// the fields that describe the car.
func (d Details) SearchText() string {
	return strings.Join(text.Words(strings.Join([]string{d.Make, d.Model, d.Version, d.Location, d.Description}, " ")), " ")
}
