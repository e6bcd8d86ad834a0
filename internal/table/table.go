// Package table is about looking through the rows of any kind of thing, whatever
// they belong to: which columns there are, what can be asked about them, and what
// comes back. It reads only; changes go through the services of the domain.
package table

import (
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// Kind is what the values of a column are.
type Kind string

// The kinds, with what a Row holds for them. A missing value is nil.
const (
	Text   Kind = "text"   // string
	Choice Kind = "choice" // string, one of a few
	Number Kind = "number" // int64
	Money  Kind = "money"  // fixed.Amount
	Bool   Kind = "bool"   // bool
	Time   Kind = "time"   // time.Time, UTC
	Day    Kind = "day"    // calendar.Day
	Link   Kind = "link"   // Ref
)

// Ref is another thing that a row points at.
type Ref struct {
	ID    int64
	Label string // empty when the thing is gone
}

// Column is a column of a table.
type Column struct {
	Name   string
	Kind   Kind
	Target string // of a Link: the table that it points at
	// Ask and Sort tell whether conditions and orders may name the column: a value
	// that is worked out for the rows of a page alone can be in neither.
	Ask, Sort bool
}

// Op is what a condition asks of a column.
type Op string

// The conditions. From and To include their value; on a Time they take days, on
// the calendar of the query's zone.
const (
	Is   Op = "is"   // one of the values
	From Op = "from" // the value or more
	To   Op = "to"   // the value or less
	Set  Op = "set"  // there is a value ("true"), or there is none ("false")
)

// Cond is a condition on the rows.
type Cond struct {
	Column string
	Op     Op
	Values []string
}

// Order is a column that the rows are sorted by.
type Order struct {
	Column string
	Desc   bool
}

// Query says which rows are wanted. All conditions must hold; the number breaks
// ties of the order, and is the order when there is none: the newest first.
type Query struct {
	Table   string
	Columns []string
	Search  string // words; what they are looked for in is the table's business
	Where   []Cond
	Order   []Order
	Limit   int
	Offset  int
	Zone    *time.Location // of the days in conditions on times; UTC when nil
}

// Row is a row of a table.
type Row struct {
	ID     int64
	Values map[string]any // by column
}

// Count is how many rows there are: exactly, or at least.
type Count struct {
	N     int64
	Exact bool
}

// Facet is a value of a column and how many rows have it.
type Facet struct {
	Value string // as a condition takes it; empty for none
	N     int64
}

// Related is what hangs on a row: how many rows of another table, and the
// condition that finds them there. Kept says that they stay when it goes.
type Related struct {
	Table  string
	Column string
	N      int64
	Kept   bool
}

// Bad is the fault of a query that cannot be answered; field names the part of it.
func Bad(field, message string) error { return fault.InvalidField(field, "invalid", message) }
