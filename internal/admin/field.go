package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// Widget is how a field is typed in.
type Widget string

// The widgets. A field without one gets that of its type.
const (
	textWidget     Widget = "text"
	areaWidget     Widget = "area"
	numberWidget   Widget = "number"
	decimalWidget  Widget = "decimal"
	checkWidget    Widget = "check"
	dateWidget     Widget = "date"
	selectWidget   Widget = "select"
	manyWidget     Widget = "many" // several of a few
	relationWidget Widget = "relation"
	passwordWidget Widget = "password"
	matrixWidget   Widget = "matrix" // permissions: kinds of things by acts
	fileWidget     Widget = "file"
)

// Field is a field of a form. Make one with field, which finds its widget by the
// type of what it points at; the methods that return a Field say more about it.
type Field struct {
	Name, Label, Help string
	Widget            Widget
	Choices           []Choice
	Load              func(q *request) ([]Choice, error) // choices that are read
	Target            string                             // of a relation: the resource
	Required          bool
	ReadOnly          bool
	AddOnly           bool // it is chosen once
	Signed            bool // a sum that may be below zero; the service says which may
	Superuser         bool // others see it and cannot change it
	Suggestions       []string
	value             func(draft any) any // a pointer to the value
}

// as is a draft as the type that its resource works with: Blank, Load or Draft has
// made it so.
func as[D any](draft any) *D {
	return draft.(*D) //nolint:errcheck // anything else is a mistake in a declaration, and the tests see it
}

// field declares a field of a draft of type *D.
func field[D any](name, label string, value func(*D) any) Field {
	f := Field{Name: name, Label: label, value: func(draft any) any { return value(as[D](draft)) }}
	switch value(new(D)).(type) {
	case *bool:
		f.Widget = checkWidget
	case *int, **int, *int64:
		f.Widget = numberWidget
	case *fixed.Amount, **fixed.Amount:
		f.Widget = decimalWidget
	case *calendar.Day, **calendar.Day:
		f.Widget = dateWidget
	case *[]int64, *[]string:
		f.Widget = manyWidget
	default:
		f.Widget = textWidget
	}
	return f
}

func (f Field) help(text string) Field         { f.Help = text; return f }
func (f Field) required() Field                { f.Required = true; return f }
func (f Field) readOnly() Field                { f.ReadOnly = true; return f }
func (f Field) addOnly() Field                 { f.AddOnly = true; return f }
func (f Field) signed() Field                  { f.Signed = true; return f }
func (f Field) superuser() Field               { f.Superuser = true; return f }
func (f Field) as(w Widget) Field              { f.Widget = w; return f }
func (f Field) suggest(values ...string) Field { f.Suggestions = values; return f }
func (f Field) relation(resource string) Field {
	f.Widget, f.Target = relationWidget, resource
	return f
}
func (f Field) choose(list []Choice) Field   { return f.chosen(selectWidget, list) }
func (f Field) oneOf(values ...string) Field { return f.chosen(selectWidget, choices(values...)) }
func (f Field) chosen(w Widget, l []Choice) Field {
	f.Widget, f.Choices = w, l
	return f
}

func (f Field) loaded(load func(q *request) ([]Choice, error)) Field {
	f.Load = load
	return f
}

// many tells whether the field has many values.
func (f Field) many() bool { return f.Widget == manyWidget || f.Widget == matrixWidget }

// texts are what the value of a draft is in a form.
func (f Field) texts(draft any) []string {
	switch v := f.value(draft).(type) {
	case *[]string:
		return *v
	case *[]int64:
		out := make([]string, 0, len(*v))
		for _, n := range *v {
			out = append(out, strconv.FormatInt(n, 10))
		}
		return out
	default:
		if s := plainText(v); s != "" {
			return []string{s}
		}
		return nil
	}
}

// plainText is a value as a form has it: what set takes again.
func plainText(v any) string {
	switch v := v.(type) {
	case *string:
		return *v
	case **string:
		return deref(*v)
	case *bool:
		if *v {
			return "on"
		}
		return ""
	case *int:
		return strconv.Itoa(*v)
	case **int:
		if *v == nil {
			return ""
		}
		return strconv.Itoa(**v)
	case *int64:
		if *v == 0 {
			return ""
		}
		return strconv.FormatInt(*v, 10)
	case *fixed.Amount:
		return v.String()
	case **fixed.Amount:
		if *v == nil {
			return ""
		}
		return (*v).String()
	case *calendar.Day:
		return v.String()
	case **calendar.Day:
		if *v == nil {
			return ""
		}
		return (*v).String()
	case *[]int:
		parts := make([]string, 0, len(*v))
		for _, n := range *v {
			parts = append(parts, strconv.Itoa(n))
		}
		return strings.Join(parts, ", ")
	case **time.Time:
		if *v == nil {
			return ""
		}
		return (*v).UTC().Format(time.RFC3339)
	}
	panic(fmt.Sprintf("admin: no form for %T", v))
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// set reads what was typed in into a draft, and notes what it cannot read. What
// the words mean beyond that is for the domain to judge.
func (f Field) set(draft any, values []string, bad *fault.Fields) {
	one := ""
	if len(values) > 0 {
		one = values[0]
	}
	if len(values) > 1 && !f.many() { // it is many in another resource
		bad.Add(f.Name, "duplicate", "This field is there more than once.")
		return
	}
	trimmed := strings.TrimSpace(one)
	if f.Required && trimmed == "" && f.Widget != checkWidget {
		bad.Add(f.Name, "required", "This field is required.")
		return
	}
	switch v := f.value(draft).(type) {
	case *string:
		if *v = one; f.Widget != fileWidget { // whose bytes are nobody's lines
			*v = strings.ReplaceAll(one, "\r\n", "\n")
		}
	case **string:
		*v = nil
		if trimmed != "" {
			*v = &trimmed
		}
	case *bool:
		*v = one != ""
	case *int:
		f.number(trimmed, bad, func(n int64) { *v = int(n) })
	case **int:
		if *v = nil; trimmed != "" {
			f.number(trimmed, bad, func(n int64) { i := int(n); *v = &i })
		}
	case *int64:
		if *v = 0; trimmed != "" {
			f.number(trimmed, bad, func(n int64) { *v = n })
		}
	case *fixed.Amount:
		if trimmed == "" {
			*v = 0
			return
		}
		f.amount(trimmed, bad, func(a fixed.Amount) { *v = a })
	case **fixed.Amount:
		if *v = nil; trimmed != "" {
			f.amount(trimmed, bad, func(a fixed.Amount) { *v = &a })
		}
	case *calendar.Day:
		f.day(trimmed, bad, func(d calendar.Day) { *v = d })
	case **calendar.Day:
		if *v = nil; trimmed != "" {
			f.day(trimmed, bad, func(d calendar.Day) { *v = &d })
		}
	case *[]int:
		*v = nil
		for part := range strings.FieldsFuncSeq(trimmed, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
			f.number(part, bad, func(n int64) { *v = append(*v, int(n)) })
		}
	case *[]int64:
		*v = nil
		for _, s := range values {
			f.number(s, bad, func(n int64) { *v = append(*v, n) })
		}
		slices.Sort(*v)
	case *[]string:
		*v = slices.Clone(values)
		slices.Sort(*v)
	default:
		panic(fmt.Sprintf("admin: no form for %T", v))
	}
}

func (f Field) number(s string, bad *fault.Fields, take func(int64)) {
	n, err := strconv.ParseInt(s, 10, 32)
	if f.Widget == relationWidget {
		n, err = strconv.ParseInt(s, 10, 64)
	}
	if err != nil && f.Widget == relationWidget {
		bad.Add(f.Name, "invalid", "Choose one of the suggestions that appear while you type, or type its number.")
		return
	}
	if err != nil {
		bad.Add(f.Name, "invalid", "A valid integer is required.")
		return
	}
	take(n)
}

func (f Field) amount(s string, bad *fault.Fields, take func(fixed.Amount)) {
	parse := fixed.Parse
	if f.Signed {
		parse = fixed.ParseSigned
	}
	a, err := parse(strings.Replace(s, ",", ".", 1)) // a comma is what Romanian keyboards have
	if err != nil {
		code := "invalid"
		if e, ok := err.(*fixed.Error); ok { //nolint:errorlint // the only errors of Parse
			code = e.Code
		}
		bad.Add(f.Name, code, err.Error())
		return
	}
	take(a)
}

func (f Field) day(s string, bad *fault.Fields, take func(calendar.Day)) {
	d, err := calendar.Parse(s)
	if err != nil {
		bad.Add(f.Name, "invalid", err.Error())
		return
	}
	take(d)
}

// editable tells whether the operator may type the field in.
func (f Field) editable(q *request, adding bool) bool {
	return !f.ReadOnly && (adding || !f.AddOnly) && (!f.Superuser || q.user.Superuser)
}

// Inline is rows of another kind that belong to the thing of the form.
type Inline struct {
	Name, Label, Help string
	Fields            []Field
	rows              func(draft any) []any // pointers to the rows
	reset             func(draft any, n int) []any
	changed           func(draft any)
}

// inline declares the rows of a draft of type *D.
func inline[D, E any](name, label string, rows func(*D) *[]E, changed func(*D), fields ...Field) Inline {
	of := func(draft any) *[]E { return rows(as[D](draft)) }
	pointers := func(list []E) []any {
		out := make([]any, 0, len(list))
		for i := range list {
			out = append(out, &list[i])
		}
		return out
	}
	return Inline{
		Name: name, Label: label, Fields: fields,
		rows: func(draft any) []any { return pointers(*of(draft)) },
		reset: func(draft any, n int) []any {
			*of(draft) = make([]E, n)
			return pointers(*of(draft))
		},
		changed: func(draft any) {
			if changed != nil {
				changed(as[D](draft))
			}
		},
	}
}

// maxInline bounds the rows that a form is read for.
const maxInline = 200

// set reads the rows of a form: those that say nothing, or are ticked to go, are
// left out.
func (in Inline) set(draft any, form formValues, bad *fault.Fields) {
	kept := in.kept(form)
	before := len(in.rows(draft))
	for n, ptr := range in.reset(draft, len(kept)) {
		for _, f := range in.Fields {
			var own fault.Fields
			f.set(ptr, form.all(in.key(kept[n], f.Name)), &own)
			for _, e := range own {
				bad.Add(in.Name+"["+strconv.Itoa(n)+"]."+e.Field, e.Code, e.Message)
			}
		}
	}
	if before > 0 || len(kept) > 0 {
		in.changed(draft)
	}
}

// kept are the numbers of the rows of a form that say something.
func (in Inline) kept(form formValues) []int {
	var kept []int
	for i := range maxInline {
		says := slices.ContainsFunc(in.Fields, func(f Field) bool {
			return f.Widget != selectWidget && strings.TrimSpace(form.get(in.key(i, f.Name))) != ""
		})
		if says && form.get(in.key(i, "drop")) == "" {
			kept = append(kept, i)
		}
	}
	return kept
}

func (in Inline) key(i int, fieldName string) string {
	return in.Name + "-" + strconv.Itoa(i) + "-" + fieldName
}

// humane is a name in code as people would write it.
func humane(s string) string {
	s = strings.ReplaceAll(s, "_", " ")
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
