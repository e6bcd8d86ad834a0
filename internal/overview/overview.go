// Package overview is numbers for operators: what grows, and what needs somebody.
package overview

import (
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// Day is how many there were of something on a day, in UTC.
type Day struct {
	Day calendar.Day
	N   int64
}

// DayMoney is what entries made on a day, in UTC, add up to.
type DayMoney struct {
	Day      calendar.Day
	Entries  int64
	Earnings fixed.Amount
}

// Money is what entries in one currency add up to, with every day of the period.
type Money struct {
	Currency string
	Entries  int64
	Earnings fixed.Amount
	Days     []DayMoney
}

// Series is how many of something were made in a period, with every day of it,
// and how many in the period before, of the same length.
type Series struct {
	Name   string
	Total  int64
	Before int64
	Days   []Day
}

// Overview is what was made in a period, both days included.
type Overview struct {
	From, To                       calendar.Day
	Users, Posts, Entries, Uploads Series
	Earnings                       []Money // the most entries first
	At                             time.Time
}

// Check is what the last comparison of rows and objects has found.
type Check struct {
	At        time.Time
	Uploads   int
	Objects   int
	Unclaimed int
	Young     int
	Missing   int
	Found     int
	Redone    int
	Foreign   int
	Failed    int
}

// Attention is what may need an operator.
type Attention struct {
	ReportedPosts int64 // with open reports
	UnseenPosts   int64 // active ones of the last UnseenFor that no operator has looked at
	FailedJobs    int64 // given up, or failed FailedAttempts times and more
	UnsentMails   int64 // failed, or waiting for longer than MailPatience
	FailedUploads int64
	LostUploads   int64
	OpenRemovals  int64      // of objects, due and not confirmed by the storage
	OldestRemoval *time.Time // since when the oldest of them has waited
	Check         *Check     // nil when there was none yet
	At            time.Time
}

// What counts as needing somebody.
const (
	UnseenFor      = 7 * 24 * time.Hour
	FailedAttempts = 3
	MailPatience   = 15 * time.Minute
)

// MaxDays is the longest period of an Overview.
const MaxDays = 366

// ErrDays answers a period that is too short or too long.
var ErrDays = fault.InvalidField("days", "invalid", "The period must be between 1 and 366 days long.")

// Kind is what a Count counts.
type Kind string

// The kinds.
const (
	Users   Kind = "users"
	Posts   Kind = "posts"
	Entries Kind = "entries"
	Uploads Kind = "uploads"
)

// Count is how many of a kind were made on a day; days without any are left out.
type Count struct {
	Kind Kind
	Day
}

// Sum is what the entries made on a day in one currency add up to; days without
// any are left out.
type Sum struct {
	Currency string
	DayMoney
}

// series spreads counts over every day of the period; what is before it is Before.
func series(kind Kind, counts []Count, from, to calendar.Day) Series {
	s := Series{Name: string(kind), Days: make([]Day, 0, to-from+1)}
	for d := from; d <= to; d++ {
		s.Days = append(s.Days, Day{Day: d})
	}
	for _, c := range counts {
		switch {
		case c.Kind != kind || c.Day.Day > to:
		case c.Day.Day < from:
			s.Before += c.N
		default:
			s.Total += c.N
			s.Days[c.Day.Day-from].N += c.N
		}
	}
	return s
}
