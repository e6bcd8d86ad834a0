package admin

import (
	"html/template"
	"slices"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/table"
)

// Resource is a kind of thing that operators see, declared: the pages come from
// the declaration, and what they change goes through its functions, which call
// the services of the domain. What is left out cannot be done: without Create
// there is no page to add one.
type Resource struct {
	Name   string // in addresses and permissions, and of the table in the store
	Label  string // of one: "car post"
	Plural string // of many: "Car posts"
	Object string // what the history calls it; empty when nothing is recorded of it
	Title  string // the column that a row is called by
	// Version is the column that grows with each change of a row. An edit in the list is
	// refused when it has grown since; a list with such columns needs it.
	Version string

	Columns []Column      // of the list
	Search  string        // what the search field looks for, in words; empty: there is none
	Filters []Filter      // beside the list
	Dates   string        // the column of the date hierarchy
	Order   []table.Order // when nobody has chosen one; nil is the newest first
	Export  []string      // the columns of the CSV; nil: those of the list

	SuperuserOnly    bool
	SuperuserChanges bool // others may at most look

	Fieldsets []Fieldset
	Inlines   []Inline
	// Blank is what the page to add one begins with.
	Blank func(q *request) (any, error)
	Load  func(q *request, id int64) (Item, error)
	// Create stores a draft and returns its number.
	Create func(q *request, draft any, bad fault.Fields) (int64, error)
	// Save loads, changes and saves; match refuses a version that the operator has
	// not seen.
	Save func(q *request, id int64, match account.Match, change func(any) fault.Fields) error
	// Restore is Save for what the history holds; nil: Save is.
	Restore func(q *request, id int64, match account.Match, change func(any) fault.Fields) error
	Delete  func(q *request, id int64) error
	// Note returns a hint about a thing that was just saved; empty: none.
	Note        func(q *request, id int64) (string, error)
	TimeVersion bool // an Item's version is when it was changed, in microseconds; else one more with every change
	// Opened is told that somebody looked at one.
	Opened func(q *request, id int64) error

	Actions []Action
	Panels  []Panel // below the form
}

// Column is a column of a list.
type Column struct {
	Name  string
	Label string
	Edit  *Field   // it can be edited in the list
	Needs []string // other columns that Show shows with it
	Show  func(q *request, row table.Row) template.HTML
}

// Filter narrows a list by a column: by its values, by yes and no, by a range of
// numbers or days, or by the thing that it points at.
type Filter struct {
	Column  string
	Label   string
	Choices []Choice // of a Choice column; nil: those that there are
}

// Choice is a value with what it is called.
type Choice struct{ Value, Label string }

// choices are values that are called what they are, more or less.
func choices(values ...string) []Choice {
	var out []Choice
	for _, v := range values {
		out = append(out, Choice{v, humane(v)})
	}
	return out
}

// Fieldset is fields under a heading.
type Fieldset struct {
	Title  string
	Help   string
	Fields []Field
}

// Item is a thing as it is loaded into a form.
type Item struct {
	Draft   any // a pointer, that the fields of the form know
	Version int64
	Title   string
	Owner   int64  // whose it is
	Notice  string // stands above the form; empty: none
}

// Action is something to be done with one thing or with many.
type Action struct {
	Name       string
	Label      string // on the button
	Done       string // "closed": what was done, in the message after it
	Permission string // add, change or delete
	Dangerous  bool   // it wants the operator's password, unless that was given just now
	Superuser  bool   // others are not offered it
	Confirm    string // a question; empty: it is done at once, unless there are Fields
	Fields     []Field
	Draft      func() any // what Fields know
	Run        func(q *request, id int64, draft any) error
	// Offered tells whether a thing has the action on its own page; nil: always.
	Offered func(item Item) bool
	OneOnly bool // not for many at once
}

// Panel is a part of the page of one thing, below its form.
type Panel struct {
	Title    string
	Template string
	Load     func(q *request, id int64, item Item) (any, error)
}

// knows tells whether there is something that a permission for an action would let
// an operator do.
func (r *Resource) knows(action string) bool {
	switch {
	case action == "view", action == "add" && r.Create != nil, action == "change" && r.Save != nil, action == "delete" && r.Delete != nil:
		return action == "view" || !r.SuperuserChanges
	}
	return slices.ContainsFunc(r.Actions, func(a Action) bool { return a.Permission == action })
}

func (r *Resource) action(name string) *Action {
	for i := range r.Actions {
		if r.Actions[i].Name == name {
			return &r.Actions[i]
		}
	}
	return nil
}

// sendsFile tells whether the form has a field for a file, so that it must be sent in parts.
func (r *Resource) sendsFile() bool {
	return slices.ContainsFunc(r.fields(), func(f Field) bool { return f.Widget == fileWidget })
}

// fields are all of the form.
func (r *Resource) fields() []Field {
	var out []Field
	for _, s := range r.Fieldsets {
		out = append(out, s.Fields...)
	}
	return out
}
