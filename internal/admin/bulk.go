package admin

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/table"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// deleteAction is the deletion of one or many things, with a page that shows what
// goes with them.
func deleteAction(res *Resource) Action {
	return Action{
		Name: "delete", Label: "Delete", Done: "deleted", Permission: "delete", Dangerous: true,
		Confirm: "This cannot be undone.",
		Run:     func(q *request, id int64, _ any) error { return res.Delete(q, id) },
	}
}

// postList does what the buttons of a list say: save the edits in it, or do
// something with what is ticked.
func (s *Site) postList(q *request) error {
	res, err := q.target("view")
	if err != nil {
		return err
	}
	if q.form.get(saveField) != "" {
		return q.saveList(res)
	}
	name := q.form.get(actionField)
	actions := q.bulkActions(res)
	i := slices.IndexFunc(actions, func(a Action) bool { return a.Name == name })
	if i < 0 {
		if res.action(name) != nil || name == "delete" {
			return errNotAllowed
		}
		q.redirect(q.backToList(res), "Choose what is to be done.")
		return nil
	}
	if name == exportAction {
		return q.toExport(res)
	}
	ids, total, err := q.ticked(res)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		q.redirect(q.backToList(res), "Nothing was ticked.")
		return nil
	}
	if total > bulkLimit {
		return fault.New(fault.Conflict, fmt.Sprintf("At most %d are changed at once, and these are more. Narrow the list first; an export has no limit.", bulkLimit))
	}
	return q.act(res, actions[i], ids)
}

// toExport leads to the export of what is ticked, or of all that match.
func (q *request) toExport(res *Resource) error {
	target := Path + res.Name + "/export.csv?"
	if q.form.get(allField) != "" {
		values, err := url.ParseQuery(q.form.get(narrowField))
		if err != nil {
			return errForm
		}
		q.redirect(target+values.Encode(), "")
		return nil
	}
	ids := q.form.all(idField)
	if len(ids) == 0 {
		q.redirect(q.backToList(res), "Nothing was ticked.")
		return nil
	}
	q.redirect(target+url.Values{"id": ids[:min(len(ids), pageSize)]}.Encode(), "")
	return nil
}

// backToList is the address of the list as the operator sees it.
func (q *request) backToList(res *Resource) string {
	path := Path + res.Name + "/"
	if raw := q.r.URL.RawQuery; raw != "" {
		path += "?" + raw
	}
	return path
}

// ticked are the things that an act is for: those that are ticked, or all that
// the list's conditions leave, on all its pages.
func (q *request) ticked(res *Resource) (ids []int64, total int, err error) {
	if q.form.get(allField) == "" {
		for _, v := range q.form.all(idField) {
			id, err := parseID(v)
			if err != nil {
				return nil, 0, err
			}
			ids = append(ids, id)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		return ids, len(ids), nil
	}
	tq, err := q.narrowed(res, q.form.get(narrowField))
	if err != nil {
		return nil, 0, err
	}
	ids, err = q.site.Tables.IDs(q.ctx, tq, bulkLimit+1)
	return ids, len(ids), err
}

// narrowed is the query that an address of a list stands for.
func (q *request) narrowed(res *Resource, raw string) (table.Query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil || readable(values) != nil {
		return table.Query{}, errForm
	}
	l, err := q.parseList(res, values)
	if err != nil {
		return table.Query{}, err
	}
	return l.query(q)
}

type actView struct {
	view
	Res      *Resource
	Action   Action
	IDs      []int64
	Names    []crumb
	More     int
	Related  []relatedView
	Kept     []relatedView
	Fields   []fieldView
	Back     string
	Bad      fault.Fields
	Password bool
	Deletion bool
	PostTo   string
	Many     int64
}

type relatedView struct {
	Label string
	Path  string
	N     int64
}

// act does something with some things, once it is confirmed.
func (q *request) act(res *Resource, a Action, ids []int64) error {
	var bad fault.Fields
	var draft any
	if a.Draft != nil {
		draft = a.Draft()
	}
	asks := a.Confirm != "" || len(a.Fields) > 0 || (a.Dangerous && !q.session.Confirmed(q.site.Now()))
	confirmed := !asks
	if q.form.get(confirmedField) != "" {
		confirmed = true
		for _, f := range a.Fields {
			f.set(draft, q.form.all(f.Name), &bad)
		}
		if a.Dangerous && len(bad) == 0 {
			ok, err := q.confirmed(&bad)
			if err != nil {
				return err
			}
			confirmed = ok
		}
	}
	if confirmed && len(bad) == 0 {
		done, err := q.runAll(res, a, ids, draft)
		if f := fault.As(err); f == nil || f.Kind != fault.Invalid || done > 0 || len(ids) > 1 {
			return err
		} else if bad = f.Fields; !slices.ContainsFunc(bad, func(e fault.Field) bool {
			return slices.ContainsFunc(a.Fields, func(f Field) bool { return f.Name == e.Field })
		}) {
			return err
		}
	}
	return q.askToAct(res, a, ids, draft, bad)
}

func (q *request) askToAct(res *Resource, a Action, ids []int64, draft any, bad fault.Fields) error {
	v := actView{
		view: q.view(a.Label, crumb{res.Plural, Path + res.Name + "/"}), Res: res, Action: a, IDs: ids, Bad: bad,
		Many: int64(len(ids)), Back: q.backToList(res), Deletion: a.Name == "delete", PostTo: q.r.URL.RequestURI(),
		Password: a.Dangerous && !q.session.Confirmed(q.site.Now()),
	}
	const shown = 50
	names := make([]string, 0, shown)
	for _, id := range ids[:min(len(ids), shown)] {
		names = append(names, strconv.FormatInt(id, 10))
	}
	rows, err := q.site.Tables.Rows(q.ctx, table.Query{
		Table: res.Name, Columns: []string{res.Title}, Limit: shown,
		Where: []table.Cond{{Column: idColumn(res), Op: table.Is, Values: names}},
	})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errNoPage
	}
	for _, r := range rows {
		v.Names = append(v.Names, crumb{rowLabel(r.Values[res.Title], r.ID), Path + res.Name + "/" + strconv.FormatInt(r.ID, 10) + "/"})
	}
	v.More = len(ids) - len(rows)
	if v.Deletion {
		if v.Related, v.Kept, err = q.related(res, ids); err != nil {
			return err
		}
	}
	for _, f := range a.Fields {
		fv := q.fieldOf(f, q.form.all(f.Name))
		if q.form.get(confirmedField) == "" && draft != nil {
			fv.Values = f.texts(draft)
		}
		fv.Editable = true
		for _, e := range bad {
			if e.Field == f.Name {
				fv.Problems = append(fv.Problems, e.Message)
			}
		}
		v.Fields = append(v.Fields, fv)
	}
	status := http.StatusOK
	if len(bad) > 0 {
		status = http.StatusBadRequest
	}
	q.render(status, "act.html", v)
	return nil
}

func idColumn(res *Resource) string {
	if res.Name == "settings" {
		return "owner"
	}
	return "id"
}

// related is what goes with some things when they are deleted, and what stays.
func (q *request) related(res *Resource, ids []int64) (gone, kept []relatedView, err error) {
	list, err := q.site.Tables.Related(q.ctx, res.Name, ids)
	for _, r := range list {
		one := relatedView{Label: humane(r.Table), N: r.N}
		if other := q.site.resource(r.Table); other != nil {
			one.Label = other.Plural
			if r.Column != "" && len(ids) == 1 && q.allowed("view", other) == nil {
				one.Path = Path + r.Table + "/?f." + r.Column + "=" + strconv.FormatInt(ids[0], 10)
			}
		}
		if r.Kept {
			kept = append(kept, one)
		} else {
			gone = append(gone, one)
		}
	}
	return gone, kept, err
}

// runAll acts on each, by the service of the domain; what cannot be done is told
// one by one, and the others are done.
func (q *request) runAll(res *Resource, a Action, ids []int64, draft any) (done int, err error) {
	var problems []string
	var first error
	for _, id := range ids {
		err := a.Run(q, id, draft)
		switch f := fault.As(err); {
		case err == nil:
			done++
		case f == nil || f.Kind == fault.Unavailable || f.Kind == fault.Full:
			if done > 0 {
				q.site.Log.ErrorContext(q.ctx, "act cut off", "route", q.r.Pattern, "action", a.Name, "object", id, "done", done, "err", err,
					"request_id", q.r.Header.Get("X-Request-Id"))
				q.redirect(q.backToList(res), fmt.Sprintf("%d of %d %s; then the server was busy. Repeat it for the others.", done, len(ids), a.Done))
				return done, nil
			}
			return done, err
		default:
			if first == nil {
				first = err
			}
			problems = append(problems, fmt.Sprintf("#%d: %s", id, f.Error()))
		}
	}
	if len(ids) == 1 && first != nil {
		return done, first
	}
	message := fmt.Sprintf("%d %s.", done, a.Done)
	if len(problems) > 0 {
		const told = 5
		message += fmt.Sprintf(" %d could not be: %s", len(problems), strings.Join(problems[:min(len(problems), told)], " "))
	}
	back := q.backToList(res)
	if q.r.PathValue("id") != "" { // from the page of one
		back = Path + res.Name + "/" + q.r.PathValue("id") + "/"
		if a.Name == "delete" {
			back = Path + res.Name + "/"
		}
	}
	q.redirect(back, message)
	return done, nil
}

// saveList saves the edits in a list: each row by itself, and only what was
// changed. A row that somebody else has changed meanwhile is left as it is.
func (q *request) saveList(res *Resource) error {
	if !q.can("change", res) {
		return errNotAllowed
	}
	bad := map[int64]fault.Fields{}
	saved, rows := 0, 0
	for name := range q.form {
		rest, ok := strings.CutPrefix(name, "row-")
		if !ok || !strings.HasSuffix(rest, "-"+versionField) {
			continue
		}
		id, err := parseID(strings.TrimSuffix(rest, "-"+versionField))
		if err != nil {
			return err
		}
		if rows++; rows > pageSize {
			return errForm
		}
		seen, err := strconv.ParseInt(q.form.get(name), 10, 64)
		if err != nil {
			return errForm
		}
		changed, err := q.saveRow(res, id, seen)
		switch f := fault.As(err); {
		case err == nil:
			if changed {
				saved++
			}
		case f == nil:
			return err
		case f.Kind == fault.Invalid:
			bad[id] = f.Fields
		default:
			bad[id] = fault.Fields{{Message: f.Message}}
		}
	}
	if len(bad) > 0 {
		q.flash = &flash{fmt.Sprintf("%d saved; %d could not be saved, see below.", saved, len(bad))}
		return q.showList(res, http.StatusBadRequest, bad)
	}
	q.redirect(q.backToList(res), fmt.Sprintf("%d saved.", saved))
	return nil
}

// saveRow saves the edits of one row. Only where something differs from what is
// stored now does it matter whether that is what the operator has seen.
func (q *request) saveRow(res *Resource, id, seen int64) (changed bool, err error) {
	current := seen
	stale := false
	err = res.Save(q, id, func(v int64, _ any) bool { current = v; return true }, func(draft any) fault.Fields {
		var bad fault.Fields
		changed = false
		for _, c := range res.Columns {
			if c.Edit == nil || !c.Edit.editable(q, false) {
				continue
			}
			before := c.Edit.texts(draft)
			c.Edit.set(draft, q.form.all(rowField(id, c.Edit.Name)), &bad)
			changed = changed || !slices.Equal(before, c.Edit.texts(draft))
		}
		if stale = changed && current != seen; stale {
			bad.Add("", "stale", account.ErrStale.Message)
		}
		return bad
	})
	if stale {
		return false, account.ErrStale
	}
	return changed, err
}

// export streams the rows of a list as CSV: no cell of it is a formula to a
// spreadsheet (promise B7).
func (s *Site) export(q *request) error {
	res, err := q.target("view")
	if err != nil {
		return err
	}
	tq, err := q.narrowed(res, q.r.URL.RawQuery)
	if err != nil {
		return err
	}
	cols, err := s.Tables.Columns(res.Name)
	if err != nil {
		return err
	}
	names := res.Export
	if names == nil {
		for _, c := range cols {
			if !c.Ask || c.Sort {
				names = append(names, c.Name)
			}
		}
	}
	tq.Columns = names
	var head []string
	links := map[string]string{} // columns that point at things, and at what
	for _, name := range names {
		head = append(head, name)
		i := slices.IndexFunc(cols, func(c table.Column) bool { return c.Name == name })
		if i >= 0 && cols[i].Kind == table.Link {
			links[name] = cols[i].Target
			head = append(head, name+linkNameSuffix)
		}
	}
	if !slices.Contains(names, "id") {
		head = append([]string{"id"}, head...)
	}
	if res.Opened != nil { // it is as good as having opened them all
		if err := s.Trail.Note(q.ctx, q.by, exportAction, res.Object, 0); err != nil {
			return err
		}
	}
	w := csv.NewWriter(q.w)
	n := 0
	out := http.NewResponseController(q.w)
	begin := func() error {
		h := q.w.Header()
		h.Set("Content-Type", "text/csv; charset=utf-8")
		h.Set("Content-Disposition", `attachment; filename="`+res.Name+"-"+s.Now().In(q.zone()).Format(time.DateOnly)+`.csv"`)
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		return w.Write(head)
	}
	err = s.Tables.Each(q.ctx, tq, func(r table.Row) error {
		if n == 0 {
			if err := begin(); err != nil {
				return err
			}
		}
		if n++; n%1000 == 0 { // a slow reader of a long list is not cut off
			_ = out.SetWriteDeadline(time.Now().Add(time.Minute))
		}
		var line []string
		if !slices.Contains(names, "id") {
			line = append(line, strconv.FormatInt(r.ID, 10))
		}
		for _, name := range names {
			v := r.Values[name]
			if target, ok := links[name]; ok {
				ref, ok := v.(table.Ref)
				if !ok {
					line = append(line, "", "")
					continue
				}
				line = append(line, strconv.FormatInt(ref.ID, 10), text.SafeCell(q.called(target, ref)))
				continue
			}
			line = append(line, csvCell(v))
		}
		return w.Write(line)
	})
	switch {
	case err != nil && n > 0:
		s.Log.WarnContext(q.ctx, "export cut off", "resource", res.Name, "rows", n, "err", err)
		panic(http.ErrAbortHandler) // half an export must not pass for a whole one
	case err != nil:
		return err
	case n == 0:
		if err := begin(); err != nil {
			return err
		}
	}
	w.Flush()
	s.Log.InfoContext(q.ctx, "exported", "event", "admin_export", "user", q.user.ID, "resource", res.Name, "rows", n)
	return w.Error()
}

func csvCell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return text.SafeCell(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}
