package admin

import (
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/table"
)

// A name that the engine keeps for itself, or that would be lost beside its twin, fails at start.
func TestCheckNames(t *testing.T) {
	type draft struct{ Text string }
	named := func(names ...string) []Field {
		var out []Field
		for _, n := range names {
			out = append(out, field(n, n, func(d *draft) any { return &d.Text }))
		}
		return out
	}
	form := func(names ...string) *Resource {
		return &Resource{Name: "things", Fieldsets: []Fieldset{{Fields: named(names...)}}}
	}
	type row struct{ Text string }
	rows := func(name string, fields ...Field) *Resource {
		return &Resource{Name: "things", Fieldsets: []Fieldset{{Fields: named("lines")}}, Inlines: []Inline{inline(name, name, func(*draft) *[]row { return nil }, nil, fields...)}}
	}
	for _, tt := range []struct {
		name    string
		res     *Resource
		columns []table.Column
		ok      bool
	}{
		{"plain", form("version", "id", "action", "name2", "form_of_it"), nil, true},
		{"engine's token", form(tokenField), nil, false},
		{"engine's version", form("make", versionField), nil, false},
		{"any underscore", form("_x"), nil, false},
		{"row of a list", form("row-7-status"), nil, false},
		{"filter", form("f.status"), nil, false},
		{"empty", form(""), nil, false},
		{"file without its widget", form(fileField), nil, false},
		{"twice", form("make", "make"), nil, false},
		{"inline", rows("items"), nil, true},
		{"inline like a field", rows("lines"), nil, false},
		{"inline's field", rows("items", named("_drop")...), nil, false},
		{"action's field", &Resource{Name: "things", Actions: []Action{{Name: "close", Fields: named(confirmedField)}}}, nil, false},
		{"list that can be edited, without a version", &Resource{Name: "things", Columns: []Column{{Name: "status", Edit: &Field{}}}}, nil, false},
		{"export", form("make"), []table.Column{{Name: "owner", Kind: table.Link}, {Name: "owner_name"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if r := recover(); (r == nil) != tt.ok {
					t.Errorf("recovered %v", r)
				}
			}()
			checkNames([]*Resource{tt.res}, func(string) ([]table.Column, error) { return tt.columns, nil })
		})
	}
}
