package calendar_test

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata" // the same clocks on every machine

	"github.com/ridecopilot/ridecopilot/internal/calendar"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	tm, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

func TestParse(t *testing.T) {
	for _, s := range []string{"1900-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "2026-05-04", "2199-12-31", "2200-01-01", "9999-12-31"} {
		d, err := calendar.Parse(s)
		if err != nil || d.String() != s {
			t.Errorf("Parse(%q) = %v, %v", s, d, err)
		}
	}
	for _, s := range []string{
		"", "1899-12-31", "10000-01-01", "9999-12-32", "0000-00-00", "2025-02-29", "2026-13-01", "2026-04-31", "2026-1-1", "26-01-01", "2026/01/01",
		" 2026-01-01", "2026-01-01 ", "2026-01-01T00:00:00Z", "+2026-01-01", "-026-01-01", "20260101", "2026-W01-1", "٢٠٢٦-01-01",
	} {
		if d, err := calendar.Parse(s); !errors.Is(err, calendar.ErrInvalid) || d != 0 {
			t.Errorf("Parse(%q) = %v, %v, want %v", s, d, err, calendar.ErrInvalid)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"2026-05-04", "1969-12-31", "2024-02-29", "2026-02-30", "1900-01-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := calendar.Parse(s)
		if err != nil {
			return
		}
		if d.String() != s || d < calendar.MinDay || d > calendar.MaxDay {
			t.Errorf("Parse(%q) = %v (%d)", s, d, int(d))
		}
	})
}

func TestDays(t *testing.T) {
	epoch := calendar.Date(1970, time.January, 1)
	if epoch != 0 || calendar.Date(1969, time.December, 31) != -1 || calendar.Date(2024, time.March, 1)-calendar.Date(2024, time.February, 28) != 2 {
		t.Error("days are not counted from 1970-01-01, one a day")
	}
	tests := []struct{ day, week, month, next string }{
		{"2026-05-04", "2026-05-04", "2026-05-01", "2026-06-01"}, // a Monday
		{"2026-05-10", "2026-05-04", "2026-05-01", "2026-06-01"}, // the Sunday after it
		{"2026-05-11", "2026-05-11", "2026-05-01", "2026-06-01"},
		{"2026-01-01", "2025-12-29", "2026-01-01", "2026-02-01"}, // a week over the turn of the year
		{"2026-12-31", "2026-12-28", "2026-12-01", "2027-01-01"},
		{"2024-02-29", "2024-02-26", "2024-02-01", "2024-03-01"},
		{"1969-12-31", "1969-12-29", "1969-12-01", "1970-01-01"}, // before the epoch
		{"1900-01-07", "1900-01-01", "1900-01-01", "1900-02-01"},
		{"2026-03-29", "2026-03-23", "2026-03-01", "2026-04-01"}, // the clocks change
	}
	for _, tt := range tests {
		d, err := calendar.Parse(tt.day)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]string{d.Week().String(), d.Month().String(), d.NextMonth().String()}; got != [3]string{tt.week, tt.month, tt.next} {
			t.Errorf("%s: week, month, next month = %v, want %v", tt.day, got, []string{tt.week, tt.month, tt.next})
		}
	}
	// Over ten years: every week begins on a Monday and holds its day.
	for d := calendar.Date(2020, time.January, 1); d < calendar.Date(2030, time.January, 1); d++ {
		w := d.Week()
		if w.UTC().Weekday() != time.Monday || w > d || d-w > 6 {
			t.Fatalf("%v.Week() = %v", d, w)
		}
		if again := calendar.On(d.UTC()); again != d {
			t.Fatalf("On(%v.UTC()) = %v", d, again)
		}
	}
}

func TestOn_ClockChanges(t *testing.T) {
	tests := []struct{ instant, zone, want string }{
		// Bucharest's spring: 29 March 2026 has 23 hours.
		{"2026-03-28T21:59:59Z", "Europe/Bucharest", "2026-03-28"},
		{"2026-03-28T22:00:00Z", "Europe/Bucharest", "2026-03-29"},
		{"2026-03-29T00:59:59Z", "Europe/Bucharest", "2026-03-29"},
		{"2026-03-29T01:00:00Z", "Europe/Bucharest", "2026-03-29"},
		{"2026-03-29T20:59:59Z", "Europe/Bucharest", "2026-03-29"},
		{"2026-03-29T21:00:00Z", "Europe/Bucharest", "2026-03-30"},
		// Its autumn: 25 October 2026 has 25.
		{"2026-10-24T20:59:59Z", "Europe/Bucharest", "2026-10-24"},
		{"2026-10-24T21:00:00Z", "Europe/Bucharest", "2026-10-25"},
		{"2026-10-25T21:30:00Z", "Europe/Bucharest", "2026-10-25"},
		{"2026-10-25T22:00:00Z", "Europe/Bucharest", "2026-10-26"},
		{"2026-05-04T12:00:00Z", "Pacific/Auckland", "2026-05-05"},
		{"2026-05-04T02:00:00Z", "America/New_York", "2026-05-03"},
	}
	for _, tt := range tests {
		if got := calendar.On(at(t, tt.instant).In(zone(t, tt.zone))); got.String() != tt.want {
			t.Errorf("On(%s in %s) = %v, want %s", tt.instant, tt.zone, got, tt.want)
		}
	}
}

func TestAt_ClockChanges(t *testing.T) {
	tests := []struct {
		day  calendar.Day
		hour int
		zone string
		want string
	}{
		{calendar.Date(2026, time.January, 15), 8, "Europe/Bucharest", "2026-01-15T06:00:00Z"},
		{calendar.Date(2026, time.July, 15), 8, "Europe/Bucharest", "2026-07-15T05:00:00Z"},
		// Spring: 03:00 becomes 04:00.
		{calendar.Date(2026, time.March, 29), 0, "Europe/Bucharest", "2026-03-28T22:00:00Z"},
		{calendar.Date(2026, time.March, 29), 2, "Europe/Bucharest", "2026-03-29T00:00:00Z"},
		{calendar.Date(2026, time.March, 29), 3, "Europe/Bucharest", "2026-03-29T01:00:00Z"}, // there is none: the clock shows 04:00
		{calendar.Date(2026, time.March, 29), 4, "Europe/Bucharest", "2026-03-29T01:00:00Z"},
		{calendar.Date(2026, time.March, 29), 8, "Europe/Bucharest", "2026-03-29T05:00:00Z"},
		// Autumn: 04:00 becomes 03:00, so that there are two: the first counts.
		{calendar.Date(2026, time.October, 25), 2, "Europe/Bucharest", "2026-10-24T23:00:00Z"},
		{calendar.Date(2026, time.October, 25), 3, "Europe/Bucharest", "2026-10-25T00:00:00Z"},
		{calendar.Date(2026, time.October, 25), 4, "Europe/Bucharest", "2026-10-25T02:00:00Z"},
		{calendar.Date(2026, time.October, 25), 8, "Europe/Bucharest", "2026-10-25T06:00:00Z"},
		// The same west of Greenwich, where the arithmetic goes the other way.
		{calendar.Date(2026, time.March, 8), 1, "America/New_York", "2026-03-08T06:00:00Z"},
		{calendar.Date(2026, time.March, 8), 2, "America/New_York", "2026-03-08T07:00:00Z"},
		{calendar.Date(2026, time.March, 8), 3, "America/New_York", "2026-03-08T07:00:00Z"},
		{calendar.Date(2026, time.March, 8), 8, "America/New_York", "2026-03-08T12:00:00Z"},
		{calendar.Date(2026, time.November, 1), 1, "America/New_York", "2026-11-01T05:00:00Z"},
		{calendar.Date(2026, time.November, 1), 2, "America/New_York", "2026-11-01T07:00:00Z"},
		{calendar.Date(2026, time.November, 1), 8, "America/New_York", "2026-11-01T13:00:00Z"},
		// Days that begin at 01:00.
		{calendar.Date(2026, time.April, 24), 0, "Africa/Cairo", "2026-04-23T22:00:00Z"},
		{calendar.Date(2026, time.September, 6), 0, "America/Santiago", "2026-09-06T04:00:00Z"},
		{calendar.Date(2026, time.September, 27), 8, "Pacific/Auckland", "2026-09-26T19:00:00Z"},
		{calendar.Date(2026, time.April, 5), 8, "Pacific/Auckland", "2026-04-04T20:00:00Z"},
	}
	for _, tt := range tests {
		got := tt.day.At(tt.hour, zone(t, tt.zone))
		if !got.Equal(at(t, tt.want)) {
			t.Errorf("%v.At(%d, %s) = %v, want %s", tt.day, tt.hour, tt.zone, got.UTC().Format(time.RFC3339), tt.want)
		}
	}
}

// Whatever the zone does, the answer of At is what its comment says: no earlier
// quarter of an hour of that day shows the hour, or a later one.
func TestAt_IsTheFirst(t *testing.T) {
	for _, name := range []string{"Europe/Bucharest", "America/New_York", "Pacific/Auckland", "Australia/Lord_Howe", "America/St_Johns", "UTC"} {
		loc := zone(t, name)
		for d := calendar.Date(2026, time.January, 1); d < calendar.Date(2027, time.January, 1); d++ {
			for _, hour := range []int{1, 2, 3, 4, 8} {
				got := d.At(hour, loc)
				first := d.UTC().Add(-15 * time.Hour) // no clock is that far ahead
				for ; calendar.On(first.In(loc)) != d || first.In(loc).Hour() < hour; first = first.Add(15 * time.Minute) {
				}
				if !got.Equal(first) {
					t.Fatalf("%v.At(%d, %s) = %v, want %v", d, hour, name, got, first.In(loc))
				}
			}
		}
	}
}

func TestScan(t *testing.T) {
	want := calendar.Date(2026, time.May, 4)
	for _, src := range []any{
		"2026-05-04", "2026-05-04 00:00:00+00:00", "2026-05-04T00:00:00Z", time.Date(2026, time.May, 4, 0, 0, 0, 0, time.UTC),
	} {
		var d calendar.Day
		if err := d.Scan(src); err != nil || d != want {
			t.Errorf("Scan(%v) = %v, %v, want %v", src, d, err, want)
		}
	}
	for _, src := range []any{nil, "", "today", 7, []byte("2026-05-04")} {
		var d calendar.Day
		if err := d.Scan(src); err == nil {
			t.Errorf("Scan(%v) = %v, want an error", src, d)
		}
	}
	if v, err := want.Value(); v != "2026-05-04" || err != nil {
		t.Errorf("Value() = %v, %v", v, err)
	}
}

func TestText(t *testing.T) {
	for _, want := range []calendar.Day{calendar.MinDay, 0, calendar.Date(2026, time.May, 4), calendar.MaxDay} {
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got calendar.Day
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	var d calendar.Day
	if err := d.UnmarshalText([]byte("2026-02-30")); err == nil {
		t.Errorf("no such day is read as %v", d)
	}
}
