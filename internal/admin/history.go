package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/trail"
)

// historyPage is how many events a page of the history shows.
const historyPage = 50

type historyView struct {
	view
	Res     *Resource
	ID      int64
	Name    string
	Events  []eventView
	Older   string
	Restore bool
	// Again is the event that could not be put back to for want of the password; Bad
	// says so.
	Again int64
	Undo  bool // it was to be taken back
	Bad   fault.Fields
}

type eventView struct {
	trail.Event
	Who     template.HTML
	Changes []changeView
	// Restorable tells whether the thing can be put back to how it was right after
	// this event, and Undoable to how it was right before: of the newest, and of one
	// that nothing is known from before (what came with other data has no creation).
	Restorable, Undoable bool
}

type changeView struct{ Field, Old, New string }

// history shows what became of a thing: who changed what, from what to what.
func (s *Site) history(q *request) error {
	res, id, err := q.one("view")
	if err != nil {
		return err
	}
	return q.showHistory(res, id, http.StatusOK, 0, nil)
}

func (q *request) showHistory(res *Resource, id int64, status int, again int64, bad fault.Fields) (err error) {
	if res.Object == "" {
		return errNoPage
	}
	before := int64(0)
	if b := q.r.URL.Query().Get("before"); b != "" {
		if before, err = parseID(b); err != nil {
			return err
		}
	}
	events, err := q.site.Trail.Trail(q.ctx, res.Object, id, before, historyPage+1)
	if err != nil {
		return err
	}
	name := "#" + strconv.FormatInt(id, 10)
	alive := false
	if res.Load != nil {
		item, err := res.Load(q, id)
		switch {
		case err == nil:
			name, alive = item.Title, true
		case !errors.Is(err, fault.NotFound):
			return err
		case len(events) == 0: // it never was
			return err
		}
	}
	v := historyView{
		view: q.view("History of "+name, crumb{res.Plural, Path + res.Name + "/"}, crumb{name, Path + res.Name + "/" + strconv.FormatInt(id, 10) + "/"}),
		Res:  res, ID: id, Name: name, Restore: alive && q.can("change", res), Again: again, Undo: q.form.get("undo") != "", Bad: bad,
	}
	if !alive {
		v.Crumbs = v.Crumbs[:1]
	}
	if len(events) > historyPage {
		events = events[:historyPage]
		v.Older = "?before=" + strconv.FormatInt(events[historyPage-1].ID, 10)
	}
	if len(events) > 0 {
		if err := q.opened(res, id); err != nil {
			return err
		}
	}
	current := before == 0 // nothing has changed it since
	for i, e := range events {
		one := eventView{Event: e, Who: q.who(e), Changes: q.changes(e)}
		if v.Restore && len(e.Changes) > 0 && (e.Action == trail.Create || e.Action == trail.Update) {
			one.Restorable = !current
			one.Undoable = e.Action == trail.Update && (current || (i == len(events)-1 && v.Older == ""))
		}
		current = current && !e.Alters()
		v.Events = append(v.Events, one)
	}
	q.render(status, "history.html", v)
	return nil
}

// opened writes down that the operator sees what is, or was, in a thing.
func (q *request) opened(res *Resource, id int64) error {
	if res.Opened == nil {
		return nil
	}
	err := res.Opened(q, id)
	if errors.Is(err, fault.NotFound) { // its history is still there
		return q.site.Trail.Note(q.ctx, q.by, "open", res.Object, id)
	}
	return err
}

// audited are the values of an event of the audit log, for those who may see the
// thing that they are of; of others it says no more than who did what.
func (q *request) audited(id int64) (any, error) {
	e, err := q.site.Trail.Event(q.ctx, id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(q.site.resources, func(r *Resource) bool { return r.Object == e.Object && q.can("view", r) })
	if i < 0 {
		return nil, nil //nolint:nilnil // there is nothing, or nothing for this operator
	}
	if e.Alters() {
		if err := q.opened(q.site.resources[i], e.ObjectID); err != nil {
			return nil, err
		}
	}
	return q.changes(e), nil
}

func (q *request) who(e trail.Event) template.HTML {
	if e.ActorID == 0 {
		return template.HTML(`<span class="none">the system</span>`)
	}
	name := e.ActorName
	if name == "" {
		name = "#" + strconv.FormatInt(e.ActorID, 10)
	}
	if users := q.site.resource("users"); users != nil && q.allowed("view", users) == nil && e.ActorName != "" {
		return template.HTML(fmt.Sprintf(`<a href="%susers/%d/">%s</a>`, Path, e.ActorID, template.HTMLEscapeString(name))) //nolint:gosec // escaped
	}
	return template.HTML(template.HTMLEscapeString(name)) //nolint:gosec // escaped
}

// changes are those of an event, by field.
func (q *request) changes(e trail.Event) []changeView {
	var out []changeView
	for name, c := range e.Changes {
		one := changeView{humane(name), q.jsonText(c[0]), q.jsonText(c[1])}
		if one.Old != one.New || one.Old != "" { // a new thing's empty fields say nothing
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b changeView) int { return bytes.Compare([]byte(a.Field), []byte(b.Field)) })
	return out
}

// jsonText is a value of the history as people read it.
func (q *request) jsonText(raw json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return string(raw)
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t.In(q.zone()).Format("2 Jan 2006, 15:04")
		}
		return v
	case bool:
		if v {
			return "Yes"
		}
		return "No"
	case []any, map[string]any:
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return string(raw)
		}
		return string(text)
	}
	return fmt.Sprint(v)
}

// maxRewind is how many events a restoration goes back over.
const maxRewind = 1000

// restore puts a thing back to how it was right after an event, or right before it: the service of
// the domain judges the values as it does those of a form, and records the change.
func (s *Site) restore(q *request) error {
	res, id, err := q.one("change")
	if err != nil {
		return err
	}
	if res.Save == nil || res.Object == "" {
		return errNotAllowed
	}
	to, err := parseID(q.form.get("event"))
	if err != nil {
		return err
	}
	// It must be an event of this very thing: nobody reads another's through it.
	event, err := s.Trail.Event(q.ctx, to)
	if err != nil {
		return err
	}
	if event.Object != res.Object || event.ObjectID != id {
		return errNoPage
	}
	item, err := res.Load(q, id)
	if err != nil {
		return err
	}
	events, err := s.Trail.Trail(q.ctx, res.Object, id, 0, maxRewind)
	if err != nil {
		return err
	}
	now, err := trail.Fields(item.Draft)
	if err != nil {
		return err
	}
	then, err := trail.Rewind(now, events, to)
	if err != nil {
		return err
	}
	if q.form.get("undo") != "" {
		for name, c := range event.Changes {
			if string(c[0]) != trail.Hidden {
				then[name] = c[0]
			}
		}
	}
	save := res.Restore
	if save == nil {
		save = res.Save
	}
	err = save(q, id, account.AtVersion(item.Version), func(draft any) fault.Fields {
		var bad fault.Fields
		for name, value := range then {
			if bytes.Equal(now[name], value) {
				continue
			}
			one, err := json.Marshal(map[string]json.RawMessage{name: value})
			if err == nil {
				err = json.Unmarshal(one, draft)
			}
			if err != nil {
				bad.Add(name, "invalid", "This value of the history cannot be restored.")
			}
		}
		return bad
	})
	if f := fault.As(err); f != nil && f.Fields.Has("current_password") {
		return q.showHistory(res, id, http.StatusBadRequest, to, f.Fields)
	}
	if err != nil {
		return err
	}
	q.redirect(q.r.URL.Path, "The "+res.Label+" is as it was then.")
	return nil
}
