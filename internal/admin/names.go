package admin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ridecopilot/ridecopilot/internal/table"
)

// The form fields of the engine. Each begins with an underscore, which no name of
// a resource may (see checkNames), so that neither is ever read as the other. A
// resource once had a field "version" that the engine's own of that name overwrote.
const (
	tokenField     = "_token"            // proves that a page of this session made the form
	formField      = "_form"             // present when the form of a thing was sent
	versionField   = "_version"          // the version of the thing that the operator has seen
	thenField      = "_then"             // the button that was pressed
	passwordField  = "_current_password" // of the operator, before a dangerous act
	confirmedField = "_confirmed"        // the question of an action was answered
	actionField    = "_action"           // the action chosen in a list
	idField        = "_id"               // a row that is ticked
	allField       = "_all"              // all rows that match, not those ticked
	narrowField    = "_narrow"           // the conditions of the list, as a query
	saveField      = "_save"             // the edits in a list are to be saved
)

// rowField names a field of one row of a list.
func rowField(id int64, name string) string { return fmt.Sprintf("row-%d-%s", id, name) }

// declaredName is the form of a name that a resource may declare: "-" joins the
// parts of a row's field, and "." the parts of a filter.
var declaredName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// checkNames panics when the names that resources declare are reserved for the
// engine, or stand twice where one of them would be lost: fields and inline rows
// of a form, fields of an action, and columns of an export.
func checkNames(resources []*Resource, columns func(name string) ([]table.Column, error)) {
	for _, r := range resources {
		form := newNames(r.Name, "form")
		for _, f := range r.fields() {
			form.add(f)
		}
		for _, in := range r.Inlines {
			form.add(Field{Name: in.Name})
			row := newNames(r.Name, in.Name)
			for _, f := range in.Fields {
				row.add(f)
			}
		}
		for _, a := range r.Actions {
			action := newNames(r.Name, "action "+a.Name)
			for _, f := range a.Fields {
				action.add(f)
			}
		}
		list, err := columns(r.Name)
		if err != nil {
			panic(fmt.Sprintf("admin: resource %q: %v", r.Name, err))
		}
		if r.Version == "" && slices.ContainsFunc(r.Columns, func(c Column) bool { return c.Edit != nil }) {
			panic(fmt.Sprintf("admin: resource %q: its list can be edited, and no column is declared to be its version", r.Name))
		}
		export := newNames(r.Name, "export")
		for _, c := range list {
			export.add(Field{Name: c.Name})
			if c.Kind == table.Link {
				export.add(Field{Name: c.Name + linkNameSuffix})
			}
		}
	}
}

// repeatable are the fields that a form may hold many times: rows that are ticked,
// and the fields of any resource that have many values.
func repeatable(resources []*Resource) map[string]bool {
	names := map[string]bool{idField: true}
	for _, r := range resources {
		fields := r.fields()
		for _, a := range r.Actions {
			fields = append(fields, a.Fields...)
		}
		for _, f := range fields {
			if f.many() {
				names[f.Name] = true
			}
		}
	}
	return names
}

// linkNameSuffix ends the name of an export's column that holds the label of a
// linked thing, beside the column of its number.
const linkNameSuffix = "_name"

// names are those of one place of one resource.
type names struct {
	resource, place string
	seen            map[string]bool
}

func newNames(resource, place string) names {
	return names{resource, place, map[string]bool{}}
}

// add panics for a name that is reserved or was added before.
func (n names) add(f Field) {
	switch {
	case !declaredName.MatchString(f.Name):
		panic(fmt.Sprintf("admin: resource %q, %s: the name %q is reserved: names are lower-case letters, digits and underscores, beginning with a letter", n.resource, n.place, f.Name))
	case strings.TrimSuffix(f.Name, ".name") == fileField && f.Widget != fileWidget && n.place != "export":
		panic(fmt.Sprintf("admin: resource %q, %s: the name %q is reserved for a file", n.resource, n.place, f.Name))
	case n.seen[f.Name]:
		panic(fmt.Sprintf("admin: resource %q, %s: the name %q is declared twice", n.resource, n.place, f.Name))
	}
	n.seen[f.Name] = true
}
