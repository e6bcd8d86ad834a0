package listing

import (
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// Filter says which posts are wanted; a zero field does not narrow. Texts match
// without regard to case and diacritics.
type Filter struct {
	Words         []string // folded; each must begin a word of the post
	Make          string
	Model         string
	Fuel          string
	Body          string
	Transmission  string
	Location      string
	Offer         string
	Currency      string
	PricePeriod   string
	YearMin       *int
	YearMax       *int
	PriceMin      *fixed.Amount
	PriceMax      *fixed.Amount
	MileageMax    *int
	SeatsMin      *int
	OwnerID       int64
	Own           bool // all of the reader's own posts, hidden ones too
	Status        string
	HasPhoto      *bool
	Favorite      *bool // of the reader
	NoSuchMatches bool  // the words hold nothing that could be found
}

// Narrow tells whether the filter asks for less than what the reader may see.
func (f Filter) Narrow() bool {
	return len(f.Words) > 0 || f.NoSuchMatches || f.Make != "" || f.Model != "" || f.Fuel != "" || f.Body != "" || f.Transmission != "" ||
		f.Location != "" || f.Offer != "" || f.Currency != "" || f.PricePeriod != "" || f.YearMin != nil || f.YearMax != nil ||
		f.PriceMin != nil || f.PriceMax != nil || f.MileageMax != nil || f.SeatsMin != nil || f.OwnerID != 0 || f.Status != "" ||
		f.HasPhoto != nil || f.Favorite != nil
}

// Sorts are the orders a list can have; "-" before one turns it round.
var Sorts = []string{"created_at", "price", "year", "mileage_km", "make"}

// Order is how a list is sorted; posts alike in Key follow by id, and posts
// without the value come last.
type Order struct {
	Key  string // one of Sorts, or "id" (by number of page alone)
	Desc bool
}

// CountLimit is where the counting of narrowed lists stops.
const CountLimit = 10_000

// Place is where a page of a list begins: after a number of posts, or after
// (before, when Back) the post that a cursor names.
type Place struct {
	Limit  int
	Offset int
	Cursor *Cursor
}

// Cursor names a post by its place in an order.
type Cursor struct {
	Key  string // the sort value as text; see store
	ID   int64
	Back bool
}

// Page is a part of a list.
type Page struct {
	Posts      []Post
	Count      int  // 0 when not counted
	Exact      bool // the count did not stop at CountLimit
	HasNext    bool // there are posts after the last one
	HasPrev    bool // there are posts before the first one (cursors only)
	SortValues []string
}

// FacetValue is one value of a field with the number of posts that have it.
type FacetValue struct {
	Value string
	Count int
}

// Facets are the values of the fields that people narrow by, the most frequent
// first, among the newest CountLimit posts that match.
type Facets struct {
	Count  int
	Exact  bool
	Values map[string][]FacetValue // by FacetFields
}

// FacetFields are the fields that facets are counted for.
var FacetFields = []string{"make", "fuel", "body", "transmission", "location"}
