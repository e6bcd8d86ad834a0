package djangoimport

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// Kind is in what way a value is odd.
type Kind string

// The kinds of oddities.
const (
	NumberRead     Kind = "number_read"     // a text that is one number by the rules
	NumberLost     Kind = "number_lost"     // a text that is none
	NumberRounded  Kind = "number_rounded"  // more than two decimals
	TextCut        Kind = "text_cut"        // longer than our limit
	TextCleaned    Kind = "text_cleaned"    // with control characters
	AddressShared  Kind = "address_shared"  // another account has the address
	AddressInvalid Kind = "address_invalid" // not an address by our rules
	PasswordLost   Kind = "password_lost"   // a hash of a kind that is not read here
	OwnerMissing   Kind = "owner_missing"   // left out: it is nobody's
	Erased         Kind = "erased"          // left out: the account was erased here
	Deleted        Kind = "deleted"         // left out: it was deleted here
	Unfinished     Kind = "unfinished"      // left out: a photo that never came
	NoTime         Kind = "no_time"         // the older database does not say when
	TypeUnknown    Kind = "type_unknown"    // of a photo
)

// kinds are all of them in the order of reports, with what they mean.
var kinds = []struct {
	kind  Kind
	about string
}{
	{OwnerMissing, "rows without an owner, left out"},
	{Erased, "accounts that were erased here, left out"},
	{Deleted, "rows that were deleted here, left out"},
	{Unfinished, "photos that were never uploaded, left out"},
	{AddressShared, "accounts whose address another one has: inactive, without an address"},
	{AddressInvalid, "accounts without a valid address: inactive, without an address"},
	{PasswordLost, "accounts without a password that can be checked: they have to reset it"},
	{NumberRead, "numbers read from what was typed (84 000 km is 84000)"},
	{NumberLost, "texts that are no number: nothing, or 0 for money, was stored"},
	{NumberRounded, "sums with more than two decimals, rounded"},
	{TextCut, "texts cut to our limit"},
	{TextCleaned, "texts freed of control characters"},
	{NoTime, "rows without a time: 1970-01-01 was stored"},
	{TypeUnknown, "photos of a type that is not taken: shown as JPEG until they are looked at"},
}

// Oddity is a value that is not stored as it was, or a row that is left out.
type Oddity struct {
	Table  string
	ID     int64
	Column string
	Text   string // what the older database has, but never of a password
	Stored string // what is stored instead
	Kind   Kind
}

// What Oddity.Stored says of no value and of no row.
const (
	storedNull = "null"
	leftOut    = "left out"
)

// Counts are the rows of a table.
type Counts struct {
	Read    int // in the older database
	Taken   int // stored by this import
	Known   int // stored by an earlier one
	LeftOut int
}

// Report is what an import has done.
type Report struct {
	Users, Posts, Photos, Entries Counts
	Oddities                      map[Kind]int
	Sums                          []Sum
	Earnings                      fixed.Amount // of the entries taken, by our formula
}

// Sum is the sum of a column of the calculator before and after.
type Sum struct {
	Column    string
	Older     *big.Rat     // of all rows of the older database that hold a plain number
	Taken     *big.Rat     // of those among them that were taken
	Explained *big.Rat     // what the values of the report make of a difference
	Here      fixed.Amount // of what was stored
}

// Print writes the report in short.
func (r Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%-12s %22s %12s %12s %12s\n", "", "in the older database", "taken in", "known", "left out")
	for _, line := range []struct {
		name string
		c    Counts
	}{{"users", r.Users}, {"car posts", r.Posts}, {"photos", r.Photos}, {"entries", r.Entries}} {
		fmt.Fprintf(w, "%-12s %22d %12d %12d %12d\n", line.name, line.c.Read, line.c.Taken, line.c.Known, line.c.LeftOut)
	}
	fmt.Fprintf(w, "\n%-12s %22s %18s %18s\n", "sum of", "in the older database", "of rows taken in", "stored here")
	for _, s := range r.Sums {
		fmt.Fprintf(w, "%-12s %22s %18s %18s\n", s.Column, decimal(s.Older), decimal(s.Taken), s.Here)
		if s.Explained.Sign() != 0 {
			fmt.Fprintf(w, "%12s the values of the report explain the difference of %s\n", "", decimal(s.Explained))
		}
	}
	fmt.Fprintf(w, "The earnings of the older client are kept for it; by the formula they are %s.\n\n", r.Earnings)
	none := true
	for _, k := range kinds {
		if n := r.Oddities[k.kind]; n > 0 {
			fmt.Fprintf(w, "%10d %s\n", n, k.about)
			none = false
		}
	}
	if none {
		fmt.Fprintln(w, "Every value is stored as it was.")
	}
}

// decimal is an exact number with at least two decimals.
func decimal(n *big.Rat) string {
	for places := fixed.Places; places < 20; places++ {
		s := n.FloatString(places)
		if again, ok := new(big.Rat).SetString(s); ok && again.Cmp(n) == 0 {
			return s
		}
	}
	return n.FloatString(20)
}

// CSV writes oddities as a table whose cells no spreadsheet takes for formulas
// (promise I7). It holds what people have written: their data.
type CSV struct{ w *csv.Writer }

// NewCSV writes the head of the table.
func NewCSV(w io.Writer) (*CSV, error) {
	c := &CSV{csv.NewWriter(w)}
	return c, c.w.Write([]string{"table", "id", "column", "text", "stored", "kind"})
}

// Write adds an oddity.
func (c *CSV) Write(o Oddity) error {
	return c.w.Write([]string{
		o.Table, strconv.FormatInt(o.ID, 10), o.Column, text.SafeCell(o.Text), text.SafeCell(strings.ToValidUTF8(o.Stored, "")), string(o.Kind),
	})
}

// Flush writes what is still in memory.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}
