// Package earnings works out what drivers really earned: income less commission
// and expenses, a day at a time, and summed over periods. Money is counted in
// cents and percentages in hundredths; nothing is ever a floating-point number.
package earnings

import (
	"math"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// ExpenseItem is one expense of a day's work.
type ExpenseItem struct {
	Category string       `json:"category"`
	Amount   fixed.Amount `json:"amount"`
	Note     string       `json:"note"`
}

// Details are what the driver says about a day's work: the fields that an edit
// writes.
type Details struct {
	Date       calendar.Day  `json:"date"` // the day worked, on the driver's own calendar
	Platform   string        `json:"platform"`
	AppIncome  fixed.Amount  `json:"app_income"` // below zero where a platform takes back
	Tips       fixed.Amount  `json:"tips"`
	Commission fixed.Amount  `json:"commission"` // percent of AppIncome
	Expenses   fixed.Amount  `json:"expenses"`   // the sum of Items when there are any
	Items      []ExpenseItem `json:"expense_items"`
	Hours      *fixed.Amount `json:"hours"`
	DistanceKM *fixed.Amount `json:"distance_km"`
	Trips      *int          `json:"trips"`
	Currency   string        `json:"currency"`
	Note       string        `json:"note"`

	// Whether they were given. Only the older client tells 0 from nothing.
	CommissionGiven bool `json:"commission_given,omitempty"`
	ExpensesGiven   bool `json:"expenses_given,omitempty"`

	ItemsChanged bool         `json:"-"` // the edit gave a list of items, so that Expenses is their sum
	Legacy       *LegacyTotal `json:"-"` // the edit is the older client's
}

// LegacyTotal is what an edit of the older client says of its own rounded total.
type LegacyTotal struct {
	Sent  bool          // otherwise what it said before stands
	Value *fixed.Amount // nil for none
}

// Entry is a day's work on one platform. Times are UTC.
type Entry struct {
	Details
	ID             int64
	OwnerID        int64
	Earnings       fixed.Amount  // computed by the formula on every write
	ImportHash     *string       // of the row of a file that it was imported from
	LegacyEarnings *fixed.Amount // the older client's own total, which only that client reads; any change elsewhere makes it Earnings
	CreatedAt      time.Time
	UpdatedAt      time.Time
	Revision       int64
}

// Categories of expenses.
var Categories = []string{"fuel", "car_rent", "meals", "wash", "toll", "parking", "phone", "insurance", "repair", "tax", Other}

// Other is the category of expenses that were given as a bare total.
const Other = "other"

// Limits of an entry.
const (
	MaxNote  = 5000
	MaxItems = 50
	MaxTrips = 10_000
	// MaxCommission is the largest percentage of rows that are not of our own
	// making, and the least is its negative.
	MaxCommission = 100 * fixed.Hundred
)

// MaxHours are the hours of a day.
const MaxHours fixed.Amount = 24_00

// ErrNotFound answers for entries of others, too.
var ErrNotFound = fault.New(fault.NotFound, "There is no such calculator entry.")

// ErrForbidden answers the older client about entries of others.
var ErrForbidden = fault.New(fault.Forbidden, "This calculator entry is not yours.")

// Earnings is what is left of a day's income, in cents:
//
//	income − income × commission ÷ 100 + tips − expenses
//
// rounded half to even to the cent (IEEE 754's default, which favours neither
// side), exact before that. commission is a percentage.
func Earnings(income, commission, tips, expenses fixed.Amount) fixed.Amount {
	// In hundredths of a percent of a cent, so that nothing is lost before the
	// one rounding: every term is below 10^10 × 10^4.
	const unit = 100 * 100
	exact := int64(income)*(unit-int64(commission)) + (int64(tips)-int64(expenses))*unit
	return fixed.Amount(fixed.DivRound(exact, 1, unit))
}

// DefaultDetails are a new entry's before the driver says anything.
func DefaultDetails(today calendar.Day, currency string) Details {
	return Details{Date: today, Currency: currency}
}

func (d *Details) tidy() {
	d.Platform = strings.TrimSpace(d.Platform)
	d.Currency = strings.ToUpper(d.Currency)
}

// validate notes what is wrong with the details and sums up the expense items.
// before are those that the entry had until now (nil for a new one): what is
// left alone is not looked at again.
func (d *Details) validate(before *Details, from origin, bad *fault.Fields) {
	account.CheckText(bad, "platform", d.Platform, 0, account.MaxText, false)
	account.CheckText(bad, "note", d.Note, 0, MaxNote, true)
	d.validateSums(before, from, bad)
	account.CheckCurrency(bad, "currency", d.Currency)
	if d.Trips != nil && !bad.Has("trips") && (*d.Trips < 0 || *d.Trips > MaxTrips) {
		code, word := "min_value", "greater than or equal to 0."
		if *d.Trips > MaxTrips {
			code, word = "max_value", "less than or equal to 10000."
		}
		bad.Add("trips", code, "Ensure this value is "+word)
	}
	if d.ItemsChanged {
		d.sumItems(bad)
	}
}

// origin is where details come from: some may say what others may not.
type origin int

const (
	ours     origin = iota
	imported        // from a file, such as one's own export: as wide as the older client's
	older           // from the older client: sums may be below zero, and a commission over 100 percent
)

func (d *Details) validateSums(before *Details, from origin, bad *fault.Fields) {
	if before == nil {
		before = &Details{}
	}
	for _, f := range []struct {
		name     string
		now, was fixed.Amount
	}{{"tips", d.Tips, before.Tips}, {"commission", d.Commission, before.Commission}, {"expenses", d.Expenses, before.Expenses}} {
		if f.now < 0 && f.now != f.was && from == ours && !bad.Has(f.name) {
			bad.Add(f.name, fixed.ErrNegative.Code, fixed.ErrNegative.Message)
		}
	}
	switch {
	case d.Commission == before.Commission:
	case from == ours && d.Commission >= 0:
		account.CheckPercent(bad, "commission", d.Commission)
	case !bad.Has("commission") && d.Commission > MaxCommission:
		bad.Add("commission", "max_value", "Ensure this value is less than or equal to 10000.")
	case !bad.Has("commission") && d.Commission < -MaxCommission:
		bad.Add("commission", fixed.ErrNegative.Code, "Ensure this value is greater than or equal to -10000.")
	}
	if d.Hours != nil && *d.Hours > MaxHours && !bad.Has("hours") && (before.Hours == nil || *before.Hours != *d.Hours) {
		bad.Add("hours", "max_value", "A day has 24 hours: ensure this value is less than or equal to 24.")
	}
}

func (d *Details) sumItems(bad *fault.Fields) {
	if len(d.Items) > MaxItems {
		bad.Add("expense_items", "max_length", "Ensure this field has no more than 50 items.")
		return
	}
	if len(d.Items) == 0 { // an empty list takes the items away and leaves the total
		return
	}
	d.Expenses = 0
	for i := range d.Items {
		item := &d.Items[i]
		at := "expense_items[" + itoa(i) + "]."
		account.CheckChoice(bad, at+"category", item.Category, Categories)
		account.CheckText(bad, at+"note", item.Note, 0, account.MaxText, false)
		d.Expenses += item.Amount
	}
	if d.Expenses > fixed.Max {
		bad.Add("expense_items", "max_digits", "The sum of the expenses is too large: "+fixed.ErrDigits.Message)
	}
}

// Sums are the totals of some entries. Rates are derived, never stored.
type Sums struct {
	Entries    int
	AppIncome  fixed.Amount
	Tips       fixed.Amount
	Expenses   fixed.Amount
	Earnings   fixed.Amount
	Hours      fixed.Amount
	DistanceKM fixed.Amount
	Trips      int
}

// CommissionAmount is what the platforms kept: income + tips − expenses −
// earnings, so that totals add up to the cent whatever was rounded.
func (s Sums) CommissionAmount() fixed.Amount {
	return s.AppIncome + s.Tips - s.Expenses - s.Earnings
}

// PerHour is the earnings of an hour, nil when no hours are known.
func (s Sums) PerHour() *fixed.Amount { return rate(s.Earnings, int64(s.Hours), 100) }

// PerKM is the earnings of a kilometre, nil when no distance is known.
func (s Sums) PerKM() *fixed.Amount { return rate(s.Earnings, int64(s.DistanceKM), 100) }

// PerTrip is the earnings of a trip, nil when no trips are known.
func (s Sums) PerTrip() *fixed.Amount { return rate(s.Earnings, int64(s.Trips), 1) }

// rate is amount for one of n, where n counts scale parts of one.
func rate(amount fixed.Amount, n, scale int64) *fixed.Amount {
	if n <= 0 {
		return nil
	}
	r := fixed.Amount(fixed.DivRound(int64(amount), scale, n))
	return &r
}

// Add adds the totals of other entries.
func (s *Sums) Add(o Sums) {
	s.Entries += o.Entries
	s.AppIncome += o.AppIncome
	s.Tips += o.Tips
	s.Expenses += o.Expenses
	s.Earnings += o.Earnings
	s.Hours += o.Hours
	s.DistanceKM += o.DistanceKM
	s.Trips += o.Trips
}

// Group is the step of a series.
type Group string

// The steps; weeks begin on Monday.
const (
	ByDay   Group = "day"
	ByWeek  Group = "week"
	ByMonth Group = "month"
)

// Groups are the steps that a series can have.
var Groups = []string{string(ByDay), string(ByWeek), string(ByMonth)}

// start is the first day of the step that d is in.
func (g Group) start(d calendar.Day) calendar.Day {
	switch g {
	case ByWeek:
		return d.Week()
	case ByMonth:
		return d.Month()
	default:
		return d
	}
}

// next is the first day of the step after the one that begins on d.
func (g Group) next(d calendar.Day) calendar.Day {
	switch g {
	case ByWeek:
		return d + 7
	case ByMonth:
		return d.NextMonth()
	default:
		return d + 1
	}
}

// Step is one point of the chart: the days From to To, both included.
type Step struct {
	From, To calendar.Day
	Sums
}

// PlatformSums are the totals of one platform; the name is empty for entries
// without one.
type PlatformSums struct {
	Platform string
	Sums
}

// CategorySum is the total of one expense category.
type CategorySum struct {
	Category string
	Amount   fixed.Amount
}

// CurrencySums are the totals in another currency: they are told, never added.
type CurrencySums struct {
	Currency string
	Sums
}

// Summary is a period at a glance.
type Summary struct {
	From, To        calendar.Day
	Group           Group
	Currency        string
	Totals          Sums
	PreviousFrom    calendar.Day
	PreviousTo      calendar.Day
	Previous        Sums // of the same number of days just before
	Series          []Step
	Platforms       []PlatformSums
	ExpenseItems    []CategorySum
	OtherCurrencies []CurrencySums
}

// MaxPeriod is the longest period of a summary, in days: ten years.
const MaxPeriod = 3660

// Unbounded days of a filter.
const (
	Earliest calendar.Day = math.MinInt32
	Latest   calendar.Day = math.MaxInt32
)
