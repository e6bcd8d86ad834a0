package admin

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/table"
	"github.com/ridecopilot/ridecopilot/internal/trail"
)

// fieldView is a field with what stands in it.
type fieldView struct {
	Field
	Values   []string
	Text     string // of a relation: what the thing is called
	Problems []string
	Editable bool
	Options  []fieldOption
	Matrix   *matrix
	HTML     template.HTML // of a field that is only looked at
}

// Value is the one value of the field.
func (f fieldView) Value() string {
	if len(f.Values) == 0 {
		return ""
	}
	return f.Values[0]
}

type fieldOption struct {
	Choice
	On bool
}

// matrix is permissions: kinds of things by acts.
type matrix struct {
	Actions []string
	Rows    []matrixRow
}

type matrixRow struct {
	Label string
	Cells []fieldOption
}

// fieldOf is a field with values in it.
func (q *request) fieldOf(f Field, values []string) fieldView {
	fv := fieldView{Field: f, Values: values}
	list := f.Choices
	for _, v := range values { // an older value that is on no list (any longer) must not be lost by looking at it
		if f.Widget == selectWidget && !slices.ContainsFunc(list, func(c Choice) bool { return c.Value == v }) {
			list = append(slices.Clone(list), Choice{v, humane(v)})
		}
	}
	if f.Widget == selectWidget && !f.Required && !slices.ContainsFunc(list, func(c Choice) bool { return c.Value == "" }) {
		list = append([]Choice{{"", "–"}}, list...)
	}
	for _, c := range list {
		fv.Options = append(fv.Options, fieldOption{c, slices.Contains(values, c.Value) || (c.Value == "" && len(values) == 0)})
	}
	return fv
}

// formView is the page of one thing.
type formView struct {
	view
	Res       *Resource
	ID        int64
	Adding    bool
	Parts     bool // the form has a file, and is sent in parts
	ReadOnly  bool
	Version   int64
	Fieldsets []fieldsetView
	Inlines   []inlineView
	Bad       fault.Fields // those that belong to no field of the form
	Theirs    []changeView // what somebody else has changed since the form was loaded
	TheirsBy  string
	Actions   []Action
	Panels    []panelView
	Related   []relatedView
	Password  bool
	Owner     *table.Ref
	Notice    string
}

type fieldsetView struct {
	Title, Help string
	Fields      []fieldView
}

type inlineView struct {
	Inline
	Heads  []Field
	Rows   []inlineRow
	Spare  inlineRow // for "add another"
	Static bool
	Next   int
}

type inlineRow struct {
	N      int
	Drop   string
	Fields []fieldView
}

type panelView struct {
	Title, Template string
	View            formView
	Data            any
}

// fill puts a draft, or what was typed in, into the fields.
func (q *request) fill(v *formView, draft any, bad fault.Fields) error {
	typed := q.form != nil && q.form.get(formField) != ""
	used := map[int]bool{}
	problems := func(name string) []string {
		var out []string
		for i, e := range bad {
			if e.Field == name {
				out = append(out, e.Message)
				used[i] = true
			}
		}
		return out
	}
	for _, set := range v.Res.Fieldsets {
		sv := fieldsetView{Title: set.Title, Help: set.Help}
		for _, f := range set.Fields {
			if f.AddOnly && f.Widget == passwordWidget && !v.Adding {
				continue
			}
			if f.Load != nil {
				list, err := f.Load(q)
				if err != nil {
					return err
				}
				f.Choices = list
			}
			editable := f.editable(q, v.Adding) && !v.ReadOnly
			values := f.texts(draft)
			if typed && editable {
				values = q.form.all(f.Name)
			}
			if f.Widget == passwordWidget {
				values = nil
			}
			fv := q.fieldOf(f, values)
			if fv.Editable = editable; editable { // what is wrong with others stands above the form
				fv.Problems = problems(f.Name)
			}
			if err := q.complete(&fv); err != nil {
				return err
			}
			if !editable {
				fv.HTML = q.display(fv, draft)
			}
			sv.Fields = append(sv.Fields, fv)
		}
		v.Fieldsets = append(v.Fieldsets, sv)
	}
	for _, in := range v.Res.Inlines {
		v.Inlines = append(v.Inlines, q.fillInline(in, draft, typed && !v.ReadOnly, v.ReadOnly, problems))
	}
	if msgs := problems("current_password"); len(msgs) > 0 {
		v.Password = true
		v.Bad = append(v.Bad, fault.Field{Field: "current_password", Message: msgs[0]})
	}
	for i, e := range bad {
		if !used[i] {
			v.Bad = append(v.Bad, e)
		}
	}
	return nil
}

// display is a field that the operator cannot change, as people read it.
func (q *request) display(fv fieldView, draft any) template.HTML {
	if d, ok := draft.(*rowDraft); ok {
		return q.show(d.kinds[fv.Name].Target, d.row.Values[fv.Name])
	}
	switch v := fv.value(draft).(type) {
	case *bool:
		return q.show("", *v)
	case **time.Time:
		return q.when(*v)
	}
	switch fv.Widget {
	case relationWidget:
		if fv.Value() == "" {
			return missing
		}
		id, _ := strconv.ParseInt(fv.Value(), 10, 64) // nobody has typed it in
		return q.show(fv.Target, table.Ref{ID: id, Label: fv.Text})
	case selectWidget, manyWidget, matrixWidget:
		var labels []string
		for _, v := range fv.Values {
			label := humane(v)
			for _, c := range fv.Choices {
				if c.Value == v {
					label = c.Label
				}
			}
			labels = append(labels, label)
		}
		return q.show("", strings.Join(labels, ", "))
	}
	return q.show("", strings.Join(fv.Values, ", "))
}

// complete finds what a field shows besides its value.
func (q *request) complete(fv *fieldView) error {
	switch fv.Widget {
	case relationWidget:
		if fv.Value() == "" {
			return nil
		}
		if _, err := parseID(fv.Value()); err != nil { // what was typed in stands as it is
			fv.Text = fv.Value()
			return nil //nolint:nilerr // it is told where the form is read
		}
		ref, err := q.label(fv.Target, fv.Value())
		if err != nil {
			return err
		}
		fv.Text = ref.Label + " #" + strconv.FormatInt(ref.ID, 10)
	case matrixWidget:
		m := &matrix{Actions: account.Actions}
		for _, name := range account.Resources {
			r := q.site.resource(name)
			row := matrixRow{Label: r.Plural}
			for _, a := range account.Actions {
				value := name + ":" + a
				if !r.knows(a) {
					value = ""
				}
				row.Cells = append(row.Cells, fieldOption{Choice{value, row.Label + ": " + a}, slices.Contains(fv.Values, value)})
			}
			m.Rows = append(m.Rows, row)
		}
		fv.Matrix = m
	}
	return nil
}

// spareRows are the empty rows that a page without scripts has to offer.
const spareRows = 2

func (q *request) fillInline(in Inline, draft any, typed, static bool, problems func(string) []string) inlineView {
	iv := inlineView{Inline: in, Heads: in.Fields, Static: static}
	row := func(n int, ptr any, from int) inlineRow {
		r := inlineRow{N: n, Drop: in.key(n, "drop")}
		for _, f := range in.Fields {
			var values []string
			switch {
			case from >= 0:
				values = q.form.all(in.key(from, f.Name))
			case ptr != nil:
				values = f.texts(ptr)
			}
			fv := q.fieldOf(f, values)
			fv.Name, fv.Editable = in.key(n, f.Name), !static
			fv.Problems = problems(in.Name + "[" + strconv.Itoa(n) + "]." + f.Name)
			r.Fields = append(r.Fields, fv)
		}
		return r
	}
	if typed {
		for n, from := range in.kept(q.form) {
			iv.Rows = append(iv.Rows, row(n, nil, from))
		}
	} else {
		for n, ptr := range in.rows(draft) {
			iv.Rows = append(iv.Rows, row(n, ptr, -1))
		}
	}
	iv.Next = len(iv.Rows)
	if !static {
		for range spareRows {
			iv.Rows = append(iv.Rows, row(iv.Next, nil, -1))
			iv.Next++
		}
		iv.Spare = row(-1, nil, -1)
		for i := range iv.Spare.Fields {
			iv.Spare.Fields[i].Name = in.Name + "-__-" + in.Fields[i].Name
		}
		iv.Spare.Drop = in.Name + "-__-drop"
	}
	return iv
}

// read reads the form into a draft.
func (q *request) read(res *Resource, draft any, adding bool) fault.Fields {
	var bad fault.Fields
	for _, f := range res.fields() {
		if f.editable(q, adding) {
			f.set(draft, q.form.all(f.Name), &bad)
		}
	}
	for _, in := range res.Inlines {
		in.set(draft, q.form, &bad)
	}
	return bad
}

func (s *Site) showAdd(q *request) error {
	res, err := q.target("add")
	if err != nil {
		return err
	}
	if res.Create == nil {
		return errNoPage
	}
	draft, err := res.Blank(q)
	if err != nil {
		return err
	}
	// What the address says stands in the form: links from the page of a driver.
	for _, f := range res.fields() {
		if vs := q.r.URL.Query()[f.Name]; len(vs) > 0 && f.editable(q, true) && f.Widget != passwordWidget {
			var ignored fault.Fields
			f.set(draft, vs, &ignored)
		}
	}
	return q.showAddForm(res, draft, http.StatusOK, nil)
}

func (q *request) showAddForm(res *Resource, draft any, status int, bad fault.Fields) error {
	v := formView{view: q.view("Add "+res.Label, crumb{res.Plural, Path + res.Name + "/"}), Res: res, Adding: true, Parts: res.sendsFile()}
	if err := q.fill(&v, draft, bad); err != nil {
		return err
	}
	q.render(status, "form.html", v)
	return nil
}

// add stores a new thing.
func (s *Site) add(q *request) error {
	res, err := q.target("add")
	if err != nil {
		return err
	}
	if res.Create == nil {
		return errNoPage
	}
	return q.create(res)
}

func (q *request) create(res *Resource) error {
	draft, err := res.Blank(q)
	if err != nil {
		return err
	}
	bad := q.read(res, draft, true)
	id, err := res.Create(q, draft, bad)
	if f := fault.As(err); f != nil && (f.Kind == fault.Invalid || f.Kind == fault.Conflict) {
		if len(f.Fields) == 0 {
			f = &fault.Error{Fields: fault.Fields{{Message: f.Message}}}
		}
		return q.showAddForm(res, draft, http.StatusBadRequest, f.Fields)
	}
	if err != nil {
		return err
	}
	q.saved(res, id, "The "+res.Label+" was added.")
	return nil
}

// saved goes to where the button that was pressed leads.
func (q *request) saved(res *Resource, id int64, message string) {
	if res.Note != nil {
		note, err := res.Note(q, id)
		if err != nil { // it was saved all the same
			q.site.Log.WarnContext(q.ctx, "saved without a note", "resource", res.Name, "object", id, "err", err)
		}
		message = strings.TrimSpace(message + " " + note)
	}
	own := Path + res.Name + "/" + strconv.FormatInt(id, 10) + "/"
	switch {
	case q.form.get(thenField) == "again" && q.can("add", res):
		q.redirect(Path+res.Name+"/add/", message)
	case q.form.get(thenField) == "continue":
		q.redirect(own, message)
	default:
		q.redirect(Path+res.Name+"/", message)
	}
}

func (s *Site) showChange(q *request) error {
	res, id, err := q.one("view")
	if err != nil {
		return err
	}
	item, err := res.Load(q, id)
	if err != nil {
		return err
	}
	return q.showForm(res, id, item, http.StatusOK, nil, nil)
}

func (q *request) showForm(res *Resource, id int64, item Item, status int, bad fault.Fields, theirs *theirs) error {
	if err := q.opened(res, id); err != nil {
		return err
	}
	v := formView{
		view: q.view(item.Title, crumb{res.Plural, Path + res.Name + "/"}), Res: res, ID: id, Version: item.Version,
		ReadOnly: !q.can("change", res), Notice: item.Notice,
	}
	if theirs != nil {
		v.Theirs, v.TheirsBy = theirs.changes, theirs.by
	}
	if item.Owner != 0 && res.Name != "users" {
		ref, err := q.label("users", strconv.FormatInt(item.Owner, 10))
		if err != nil {
			return err
		}
		v.Owner = ref
	}
	if err := q.fill(&v, item.Draft, bad); err != nil {
		return err
	}
	for _, a := range res.Actions {
		if q.mayAct(res, a) && (a.Offered == nil || a.Offered(item)) {
			v.Actions = append(v.Actions, a)
		}
	}
	gone, kept, err := q.related(res, []int64{id})
	if err != nil {
		return err
	}
	v.Related = slices.Concat(gone, kept)
	for _, p := range res.Panels {
		data, err := p.Load(q, id, item)
		if err != nil {
			return err
		}
		if data != nil {
			v.Panels = append(v.Panels, panelView{p.Title, p.Template, v, data})
		}
	}
	q.render(status, "form.html", v)
	return nil
}

// theirs is what somebody else has changed while a form was open.
type theirs struct {
	changes []changeView
	by      string
}

// change saves the form of one thing. Where somebody else was faster, their
// change is shown and nothing is written over (promise D5).
func (s *Site) change(q *request) error {
	res, id, err := q.one("change")
	if err != nil {
		return err
	}
	if res.Save == nil {
		return errNotAllowed
	}
	if q.form.get(thenField) == "new" { // save as new
		if !q.can("add", res) {
			return errNotAllowed
		}
		// What is chosen once, such as whose it is, is no field of this form.
		item, err := res.Load(q, id)
		if err != nil {
			return err
		}
		for _, f := range res.fields() {
			if f.AddOnly && f.Widget == relationWidget && len(q.form.all(f.Name)) == 0 {
				q.form[f.Name] = f.texts(item.Draft)
			}
		}
		return q.create(res)
	}
	seen, err := strconv.ParseInt(q.form.get(versionField), 10, 64)
	if err != nil {
		return errForm
	}
	err = res.Save(q, id, account.AtVersion(seen), func(draft any) fault.Fields { return q.read(res, draft, false) })
	f := fault.As(err)
	switch {
	case err == nil:
		q.saved(res, id, "The "+res.Label+" was saved.")
		return nil
	case f == nil || errors.Is(err, fault.NotFound):
		return err
	case f.Kind == fault.Stale:
		return q.showStale(res, id, seen)
	case f.Kind == fault.Invalid, f.Kind == fault.Conflict, f.Kind == fault.Forbidden, f.Kind == fault.Reauthenticate:
	default:
		return err
	}
	item, err := res.Load(q, id)
	if err != nil {
		return err
	}
	item.Version = seen
	bad := f.Fields
	if len(bad) == 0 {
		bad = fault.Fields{{Message: f.Message}}
	}
	return q.showForm(res, id, item, statusOf[f.Kind], bad, nil)
}

// showStale shows what somebody else has changed meanwhile, above a form that
// still holds what was typed in. Saving it again is then meant.
func (q *request) showStale(res *Resource, id, seen int64) error {
	item, err := res.Load(q, id)
	if err != nil {
		return err
	}
	t := &theirs{}
	const most = 50
	events, err := q.site.Trail.Trail(q.ctx, res.Object, id, 0, most)
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, func(e trail.Event) bool { return !e.Alters() || (res.TimeVersion && e.At.UnixMicro() <= seen) })
	if n := max(item.Version-seen, 1); !res.TimeVersion && n < int64(len(events)) {
		events = events[:n]
	}
	for _, e := range events {
		if t.by == "" {
			t.by = e.ActorName
		}
		t.changes = append(t.changes, q.changes(e)...)
	}
	return q.showForm(res, id, item, http.StatusConflict, nil, t)
}

// deletion deletes one thing, by the code that the API deletes it with, once it
// was asked for twice.
func (s *Site) deletion(q *request) error {
	res, id, err := q.one("delete")
	if err != nil {
		return err
	}
	if res.Delete == nil {
		return errNotAllowed
	}
	return q.actOnOne(res, deleteAction(res), id)
}

// oneAction does something with one thing.
func (s *Site) oneAction(q *request) error {
	res, id, err := q.one("view")
	if err != nil {
		return err
	}
	a := res.action(q.r.PathValue("action"))
	if a == nil {
		return errNoPage
	}
	if !q.mayAct(res, *a) {
		return errNotAllowed
	}
	return q.actOnOne(res, *a, id)
}

// actOnOne asks before a GET does anything (promise I9: it never does).
func (q *request) actOnOne(res *Resource, a Action, id int64) error {
	if q.r.Method != http.MethodPost {
		var draft any
		if a.Draft != nil {
			draft = a.Draft()
		}
		return q.askToAct(res, a, []int64{id}, draft, nil)
	}
	return q.act(res, a, []int64{id})
}
