// Package calendar knows civil days: a date on the wall calendar of the person
// it belongs to, without a time and without a time zone.
package calendar

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// Day is a civil day, counted from 1970-01-01, so that days can be compared and
// subtracted as numbers.
type Day int

// The days that are taken from clients. The last one is what many papers that do
// not expire have in place of an expiry.
var (
	MinDay = Date(1900, time.January, 1)
	MaxDay = Date(9999, time.December, 31)
)

// ErrInvalid is the answer to a text that is not a day.
var ErrInvalid = errors.New("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.") //nolint:staticcheck,revive // shown to people as it is, in Django REST framework's words

const secondsPerDay = 24 * 60 * 60

// Date is the day with that year, month and day of the month, normalised as
// time.Date does.
func Date(year int, month time.Month, day int) Day {
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

// On is the day that t falls on, on the calendar of t's own location.
func On(t time.Time) Day {
	y, m, d := t.Date()
	return Date(y, m, d)
}

// Parse reads YYYY-MM-DD and nothing else. The only error is ErrInvalid.
func Parse(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || len(s) != len(time.DateOnly) {
		return 0, ErrInvalid
	}
	d := On(t)
	if d < MinDay || d > MaxDay {
		return 0, ErrInvalid
	}
	return d, nil
}

// UTC is midnight UTC of the day: a handle on year, month and weekday, not an
// instant in the owner's life.
func (d Day) UTC() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// At is the first instant of the day, in loc, at which the clock shows hour
// o'clock or later. Where the clocks skip that hour, it is the hour after.
func (d Day) At(hour int, loc *time.Location) time.Time {
	y, m, day := d.UTC().Date()
	t := time.Date(y, m, day, hour, 0, 0, 0, loc)
	// Where the clocks change, time.Date takes either side. The first instant is
	// the one by the clock of before the change.
	_, before := t.Add(-3 * time.Hour).Zone()
	early := time.Date(y, m, day, hour, 0, 0, 0, time.FixedZone("", before)).In(loc)
	if t.Hour() != hour || (early.Before(t) && early.Hour() == hour) {
		return early
	}
	return t
}

// Week is the Monday of the day's week (ISO 8601).
func (d Day) Week() Day { return d - Day((d.UTC().Weekday()+6)%7) }

// Month is the first day of the day's month.
func (d Day) Month() Day {
	y, m, _ := d.UTC().Date()
	return Date(y, m, 1)
}

// NextMonth is the first day of the month after the day's.
func (d Day) NextMonth() Day {
	y, m, _ := d.UTC().Date()
	return Date(y, m+1, 1)
}

// String is the day as YYYY-MM-DD.
func (d Day) String() string { return d.UTC().Format(time.DateOnly) }

// MarshalText makes a Day travel as YYYY-MM-DD.
func (d Day) MarshalText() ([]byte, error) {
	return d.UTC().AppendFormat(make([]byte, 0, len(time.DateOnly)), time.DateOnly), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Day) UnmarshalText(text []byte) error {
	day, err := Parse(string(text))
	*d = day
	return err
}

// Value stores the day as both engines read a date.
func (d Day) Value() (driver.Value, error) { return d.String(), nil }

// Scan reads a date column of either engine.
func (d *Day) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		*d = On(v)
		return nil
	case string:
		t, err := time.Parse(time.DateOnly, v[:min(len(v), len(time.DateOnly))])
		if err != nil {
			return fmt.Errorf("scan day: %w", err)
		}
		*d = On(t)
		return nil
	default:
		return fmt.Errorf("scan day: unexpected %T", src)
	}
}
