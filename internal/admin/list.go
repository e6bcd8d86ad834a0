package admin

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/table"
)

// The sizes of lists.
const (
	pageSize   = 25
	countLimit = 100_000 // up to which a total is counted without being asked for
	facetLimit = 100_000 // up to which the values of filters are counted without being asked for
	bulkLimit  = 1_000   // things that one act changes at once
	maxPages   = countLimit / pageSize
	maxQuery   = 200 // of a search, in characters
)

// listQuery is what the address of a list says.
type listQuery struct {
	res    *Resource
	values url.Values
	kinds  map[string]table.Column
	page   int
}

// parseList reads the address of a list. What it does not know it leaves alone:
// only declared columns are ever asked for (promise B8).
func (q *request) parseList(res *Resource, values url.Values) (*listQuery, error) {
	cols, err := q.site.Tables.Columns(res.Name)
	if err != nil {
		return nil, err
	}
	l := &listQuery{res: res, values: values, kinds: map[string]table.Column{}, page: 1}
	for _, c := range cols {
		l.kinds[c.Name] = c
	}
	if p := values.Get("page"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > maxPages {
			return nil, fault.InvalidField("page", "invalid", fmt.Sprintf("The pages go from 1 to %d. Narrow the list to see what is beyond.", maxPages))
		}
		l.page = n
	}
	if len([]rune(values.Get("q"))) > maxQuery {
		return nil, fault.InvalidField("q", "max_length", fmt.Sprintf("A search has at most %d characters.", maxQuery))
	}
	return l, nil
}

// query is what the address asks of the table.
func (l *listQuery) query(q *request) (table.Query, error) {
	tq := table.Query{Table: l.res.Name, Search: l.values.Get("q"), Limit: pageSize, Offset: (l.page - 1) * pageSize, Zone: q.zone(), Order: l.order()}
	for _, f := range l.res.Filters {
		key := "f." + f.Column
		if vs := l.chosen(f.Column); len(vs) > 0 {
			tq.Where = append(tq.Where, table.Cond{Column: f.Column, Op: table.Is, Values: vs})
		}
		for suffix, op := range map[string]table.Op{".from": table.From, ".to": table.To, ".set": table.Set} {
			if v := strings.TrimSpace(l.values.Get(key + suffix)); v != "" {
				tq.Where = append(tq.Where, table.Cond{Column: f.Column, Op: op, Values: []string{v}})
			}
		}
	}
	if ids := l.values["id"]; len(ids) > 0 { // those that were ticked
		tq.Where = append(tq.Where, table.Cond{Column: idColumn(l.res), Op: table.Is, Values: ids})
	}
	if from, to, err := l.period(); err != nil {
		return tq, err
	} else if from != 0 {
		tq.Where = append(tq.Where, table.Cond{Column: l.res.Dates, Op: table.From, Values: []string{from.String()}},
			table.Cond{Column: l.res.Dates, Op: table.To, Values: []string{to.String()}})
	}
	return tq, nil
}

// chosen are the values that a filter is set to.
func (l *listQuery) chosen(column string) []string {
	vs := l.values["f."+column]
	if len(vs) == 1 && vs[0] == "" { // a form's "all"
		return nil
	}
	out := slices.Clone(vs)
	for i, v := range out {
		if v == emptyValue {
			out[i] = ""
		}
	}
	return out
}

// emptyValue stands in addresses for a value that is not there.
const emptyValue = "(none)"

// order is what the address sorts by: columns with a dot between, a minus before
// those that go down.
func (l *listQuery) order() []table.Order {
	var out []table.Order
	for part := range strings.SplitSeq(l.values.Get("o"), ".") {
		name, desc := strings.CutPrefix(part, "-")
		if c, ok := l.kinds[name]; ok && c.Sort && len(out) < 4 {
			out = append(out, table.Order{Column: name, Desc: desc})
		}
	}
	if len(out) == 0 {
		return l.res.Order
	}
	return out
}

// period is the days that the date hierarchy stands at: a year, a month or a day.
func (l *listQuery) period() (from, to calendar.Day, err error) {
	s := l.values.Get("d")
	if s == "" || l.res.Dates == "" {
		return 0, 0, nil
	}
	for layout, end := range map[string]func(calendar.Day) calendar.Day{
		"2006":       func(d calendar.Day) calendar.Day { y := d.UTC().Year(); return calendar.Date(y, time.December, 31) },
		"2006-01":    func(d calendar.Day) calendar.Day { return d.NextMonth() - 1 },
		"2006-01-02": func(d calendar.Day) calendar.Day { return d },
	} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= calendar.MinDay.UTC().Year() {
			from = calendar.On(t)
			return from, end(from), nil
		}
	}
	return 0, 0, fault.InvalidField("d", "invalid", "A period is a year, a month or a day.")
}

// with is the address of the same list with some parameters changed; empty
// values go. The page goes back to the first.
func (l *listQuery) with(pairs ...string) string {
	v := url.Values{}
	for k, list := range l.values {
		if k != "page" && k != "total" && list[0] != "" {
			v[k] = list
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return "?"
	}
	return "?" + v.Encode()
}

// narrowing is the part of the address that says which rows, for forms.
func (l *listQuery) narrowing() string { return strings.TrimPrefix(l.with("counts", "", "o", ""), "?") }

type listView struct {
	view
	Res      *Resource
	Query    string
	Narrow   string // the conditions, as an address
	Keep     []pair // parameters that the search form keeps
	Headers  []header
	Rows     []listRow
	Count    table.Count
	Shown    string
	Filters  []filterView
	Filtered bool
	Reset    string
	Counts   string // the address that shows the counts of filters; empty when they are shown
	Dates    *datesView
	Pages    []pageLink
	Prev     string
	Next     string
	Exact    string // the address that counts exactly; empty when the total is exact
	Actions  []Action
	Editing  bool
	Version  string
	Bad      map[int64]fault.Fields
	Export   string
}

type pair struct{ Name, Value string }

type header struct {
	Label    string
	Path     string // that sorts by it; empty when nothing can
	Mark     string // where it stands in the order
	Remove   string
	Numeric  bool
	AriaSort string
}

type listRow struct {
	ID    int64
	Path  string
	Label string
	Cells []listCell
	Bad   fault.Fields
	// Version is what the operator has seen, where the list can be edited.
	Version string
}

type listCell struct {
	Label   string
	HTML    template.HTML
	Numeric bool
	Empty   bool
	Input   *fieldView
}

type filterView struct {
	Label, Column, Kind string
	Options             []filterOption
	From, To            string
	FromName, ToName    string
	Chosen              *table.Ref // of a related thing
	Target              string
	Clear               string
	On                  bool
}

type filterOption struct {
	Label, Path string
	N           int64
	Counted     bool
	On          bool
}

type datesView struct {
	Up    *crumb
	Here  string
	Links []crumb
}

type pageLink struct {
	N    int
	Path string
	Here bool
}

// readList reads the address of a list, and counts the rows it asks for. A part that
// cannot be read is left out, and named among the problems: the page is not lost for
// one wrong filter. Acts and exports do without it, see narrowed: they would reach
// further than was meant.
func (q *request) readList(res *Resource, values url.Values) (l *listQuery, tq table.Query, count table.Count, problems []string, err error) {
	limit := int64(countLimit)
	if values.Get("total") == "exact" {
		limit = 0
	}
	for {
		if l, err = q.parseList(res, values); err == nil {
			tq, err = l.query(q)
		}
		if err == nil {
			count, err = q.site.Tables.Count(q.ctx, tq, limit)
		}
		f := fault.As(err)
		if f == nil || f.Kind != fault.Invalid || !leaveOut(values, f.Fields) {
			return l, tq, count, problems, err
		}
		for _, e := range f.Fields {
			problems = append(problems, filterLabel(res, e.Field)+": "+e.Message)
		}
	}
}

// leaveOut removes the parameters of an address that fields name, and tells
// whether there were any.
func leaveOut(values url.Values, fields fault.Fields) bool {
	before := len(values)
	for _, e := range fields {
		for _, key := range []string{e.Field, "f." + e.Field, "f." + e.Field + ".from", "f." + e.Field + ".to", "f." + e.Field + ".set"} {
			delete(values, key)
		}
	}
	return len(values) < before
}

// filterLabel returns the label of a filter, or of another part of a list's address.
func filterLabel(res *Resource, name string) string {
	for _, f := range res.Filters {
		if f.Column == name {
			return f.Label
		}
	}
	return map[string]string{"q": "Search", "d": "Dates", "page": "Page"}[name]
}

// list shows the rows of a resource.
func (s *Site) list(q *request) error {
	res, err := q.target("view")
	if err != nil {
		return err
	}
	return q.showList(res, http.StatusOK, nil)
}

// showList renders the list that the address asks for, with what was wrong with
// an edit in it.
func (q *request) showList(res *Resource, status int, bad map[int64]fault.Fields) error {
	l, tq, count, problems, err := q.readList(res, q.r.URL.Query())
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		status = http.StatusBadRequest
		q.flash = &flash{"Left out of what was asked for: " + strings.Join(problems, " ")}
	}
	v := listView{
		view: q.view(res.Plural), Res: res, Query: l.values.Get("q"), Narrow: l.narrowing(), Bad: bad,
		Filtered: len(tq.Where) > 0 || tq.Search != "", Reset: "?", Count: count,
	}
	tables := q.site.Tables
	for _, c := range res.Columns {
		tq.Columns = append(tq.Columns, c.Name)
		tq.Columns = append(tq.Columns, c.Needs...)
	}
	if !slices.Contains(tq.Columns, res.Title) {
		tq.Columns = append(tq.Columns, res.Title)
	}
	version := res.Version
	if version != "" {
		tq.Columns = append(tq.Columns, version)
	}
	rows, err := tables.Rows(q.ctx, tq)
	if err != nil {
		return err
	}
	v.Version = version
	q.fillRows(&v, l, rows, version)
	v.Headers = l.headers()
	if err := q.fillFilters(&v, l, tq); err != nil {
		return err
	}
	if v.Dates, err = q.dates(l); err != nil {
		return err
	}
	l.pages(&v, len(rows))
	v.Actions = q.bulkActions(res)
	v.Export = "export.csv" + l.with("counts", "", "o", "")
	for k, list := range l.values {
		if k != "q" && k != "page" && k != "total" {
			for _, one := range list {
				v.Keep = append(v.Keep, pair{k, one})
			}
		}
	}
	q.render(status, "list.html", v)
	return nil
}

func (q *request) fillRows(v *listView, l *listQuery, rows []table.Row, version string) {
	edits := q.can("change", l.res)
	for _, row := range rows {
		one := listRow{ID: row.ID, Path: Path + l.res.Name + "/" + strconv.FormatInt(row.ID, 10) + "/", Bad: v.Bad[row.ID]}
		one.Label = rowLabel(row.Values[l.res.Title], row.ID)
		for _, c := range l.res.Columns {
			value := row.Values[c.Name]
			kind := l.kinds[c.Name]
			cell := listCell{Label: c.Label, Numeric: kind.Kind == table.Number || kind.Kind == table.Money}
			switch {
			case c.Edit != nil && edits && version != "":
				v.Editing = true
				fv := q.fieldOf(*c.Edit, []string{cellText(value)})
				fv.Name = rowField(row.ID, c.Edit.Name)
				fv.Label = c.Label + " of " + one.Label
				fv.Editable = true
				if q.form != nil && q.form.get(saveField) != "" {
					fv.Values = q.form.all(fv.Name)
				}
				for _, e := range one.Bad {
					if e.Field == c.Edit.Name {
						fv.Problems = append(fv.Problems, e.Message)
					}
				}
				cell.Input = &fv
			case c.Show != nil:
				cell.HTML = c.Show(q, row)
			default:
				cell.HTML = q.show(kind.Target, value)
			}
			cell.Empty = cell.HTML == missing
			one.Cells = append(one.Cells, cell)
		}
		if n, ok := row.Values[version].(int64); ok && v.Editing {
			one.Version = strconv.FormatInt(n, 10)
		}
		v.Rows = append(v.Rows, one)
	}
}

func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "on"
		}
		return ""
	}
	return fmt.Sprint(v)
}

func rowLabel(v any, id int64) string {
	if ref, ok := v.(table.Ref); ok && ref.Label != "" {
		return ref.Label
	}
	if s := cellText(v); s != "" {
		return s
	}
	return "#" + strconv.FormatInt(id, 10)
}

// headers are the heads of the columns, with the addresses that sort by them: the
// column that is clicked comes first, and the others stay behind it.
func (l *listQuery) headers() []header {
	current := l.order()
	var out []header
	for _, c := range l.res.Columns {
		kind := l.kinds[c.Name]
		h := header{Label: c.Label, Numeric: kind.Kind == table.Number || kind.Kind == table.Money}
		if kind.Sort {
			at := slices.IndexFunc(current, func(o table.Order) bool { return o.Column == c.Name })
			next := table.Order{Column: c.Name, Desc: kind.Kind == table.Time || kind.Kind == table.Day || h.Numeric}
			if at >= 0 {
				next.Desc = !current[at].Desc
				h.Mark, h.AriaSort = "↑", "ascending"
				if current[at].Desc {
					h.Mark, h.AriaSort = "↓", "descending"
				}
				if len(current) > 1 {
					h.Mark += strconv.Itoa(at + 1)
				}
				h.Remove = l.with("o", orderText(slices.Delete(slices.Clone(current), at, at+1)))
			}
			rest := slices.DeleteFunc(slices.Clone(current), func(o table.Order) bool { return o.Column == c.Name })
			h.Path = l.with("o", orderText(append([]table.Order{next}, rest...)))
		}
		out = append(out, h)
	}
	return out
}

func orderText(orders []table.Order) string {
	var parts []string
	for _, o := range orders {
		if o.Desc {
			parts = append(parts, "-"+o.Column)
		} else {
			parts = append(parts, o.Column)
		}
	}
	return strings.Join(parts[:min(len(parts), 4)], ".")
}

// fillFilters makes the filters, with counts where counting is cheap or was asked
// for.
func (q *request) fillFilters(v *listView, l *listQuery, tq table.Query) error {
	asked := l.values.Get("counts") != ""
	few := v.Count.Exact && v.Count.N <= facetLimit
	fewInAll := few
	if few && len(tq.Where) > 0 {
		all, err := q.site.Tables.Count(q.ctx, table.Query{Table: tq.Table}, facetLimit)
		if err != nil {
			return err
		}
		fewInAll = all.Exact
	}
	var columns []string
	for _, f := range l.res.Filters {
		k := l.kinds[f.Column].Kind
		if k != table.Choice && k != table.Bool {
			continue
		}
		// Of a filter that is set, the rows of its other values count, which may be many.
		if set := len(l.chosen(f.Column)) > 0; asked || fewInAll || (few && !set) {
			columns = append(columns, f.Column)
		} else {
			v.Counts = l.with("counts", "1")
		}
	}
	facets, err := q.site.Tables.Facets(q.ctx, tq, columns)
	if err != nil {
		return err
	}
	for _, f := range l.res.Filters {
		fv, err := q.filter(l, f, facets[f.Column], slices.Contains(columns, f.Column))
		if err != nil {
			return err
		}
		v.Filters = append(v.Filters, fv)
	}
	return nil
}

func (q *request) filter(l *listQuery, f Filter, facets []table.Facet, counted bool) (filterView, error) {
	col := l.kinds[f.Column]
	key := "f." + f.Column
	fv := filterView{Label: f.Label, Column: f.Column, Kind: string(col.Kind), Target: col.Target}
	fv.FromName, fv.ToName = key+".from", key+".to"
	fv.From, fv.To = l.values.Get(fv.FromName), l.values.Get(fv.ToName)
	fv.On = len(l.chosen(f.Column)) > 0 || fv.From != "" || fv.To != ""
	fv.Clear = l.with(key, "", fv.FromName, "", fv.ToName, "")
	switch col.Kind {
	case table.Choice, table.Bool:
		fv.Kind = "choice"
		fv.Options = l.options(f, col, facets, counted)
	case table.Time, table.Day:
		fv.Kind = "days"
	case table.Number, table.Money:
		fv.Kind = "numbers"
	case table.Link:
		if chosen := l.chosen(f.Column); len(chosen) > 0 {
			ref, err := q.label(col.Target, chosen[0])
			if err != nil {
				return fv, err
			}
			fv.Chosen = ref
		}
	}
	return fv, nil
}

// maxOptions is how many values a filter offers: some columns hold what people type.
const maxOptions = 40

func (l *listQuery) options(f Filter, col table.Column, facets []table.Facet, counted bool) []filterOption {
	key := "f." + f.Column
	n := map[string]int64{}
	known := f.Choices
	if col.Kind == table.Bool {
		known = []Choice{{"true", "Yes"}, {"false", "No"}}
	}
	for _, facet := range facets {
		n[facet.Value] = facet.N
		if col.Kind == table.Choice && !slices.ContainsFunc(known, func(k Choice) bool { return k.Value == facet.Value }) {
			known = append(slices.Clip(known), Choice{facet.Value, humane(facet.Value)})
		}
	}
	chosen := l.chosen(f.Column)
	for _, c := range chosen { // it may be one that no row has
		if !slices.ContainsFunc(known[:min(len(known), maxOptions)], func(k Choice) bool { return k.Value == c }) {
			known = append([]Choice{{c, humane(c)}}, known...)
		}
	}
	out := []filterOption{{Label: "All", Path: l.with(key, ""), On: len(chosen) == 0}}
	for _, c := range known[:min(len(known), maxOptions)] {
		value, label := c.Value, c.Label
		if value == "" {
			value, label = emptyValue, "None"
		}
		out = append(out, filterOption{
			Label: label, Path: l.with(key, value), N: n[c.Value], Counted: counted, On: slices.Contains(chosen, c.Value),
		})
	}
	return out
}

// label finds what a thing is called.
func (q *request) label(resource, id string) (*table.Ref, error) {
	n, _ := strconv.ParseInt(id, 10, 64) // what is no number is 0, and no thing has that
	if n <= 0 {
		return nil, fault.InvalidField(resource, "invalid", "Choose one of the list.")
	}
	ref := &table.Ref{ID: n, Label: "#" + id}
	res := q.site.resource(resource)
	if res == nil || !q.can("view", res) {
		return ref, nil
	}
	rows, err := q.site.Tables.Rows(q.ctx, table.Query{
		Table: resource, Columns: []string{res.Title}, Limit: 1, Where: []table.Cond{{Column: "id", Op: table.Is, Values: []string{id}}},
	})
	if err == nil && len(rows) == 1 {
		ref.Label = rowLabel(rows[0].Values[res.Title], n)
	}
	return ref, err
}

// dates is the date hierarchy: years, then the months of one, then its days.
func (q *request) dates(l *listQuery) (*datesView, error) {
	if l.res.Dates == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	first, last, err := q.site.Tables.Span(q.ctx, l.res.Name, l.res.Dates)
	if err != nil || first == nil {
		return nil, err
	}
	zone := q.zone()
	if l.kinds[l.res.Dates].Kind == table.Day {
		zone = time.UTC
	}
	low, high := calendar.On(first.In(zone)), calendar.On(last.In(zone))
	v := &datesView{}
	d := l.values.Get("d")
	from, to, err := l.period()
	if err != nil {
		return nil, err
	}
	switch len(d) {
	case 0:
		for y := high.UTC().Year(); y >= low.UTC().Year() && len(v.Links) < 30; y-- {
			v.Links = append(v.Links, crumb{strconv.Itoa(y), l.with("d", strconv.Itoa(y))})
		}
	case len("2006"):
		v.Up, v.Here = &crumb{"All dates", l.with("d", "")}, d
		for m := from; m <= to; m = m.NextMonth() {
			if m.NextMonth() > low && m <= high {
				v.Links = append(v.Links, crumb{m.UTC().Format("January"), l.with("d", m.UTC().Format("2006-01"))})
			}
		}
	case len("2006-01"):
		v.Up, v.Here = &crumb{d[:4], l.with("d", d[:4])}, from.UTC().Format("January 2006")
		for day := max(from, low); day <= min(to, high); day++ {
			v.Links = append(v.Links, crumb{day.UTC().Format("2"), l.with("d", day.String())})
		}
	default:
		v.Up, v.Here = &crumb{from.UTC().Format("January 2006"), l.with("d", d[:7])}, from.UTC().Format("2 January 2006")
	}
	return v, nil
}

// pages are the addresses of the pages around this one.
func (l *listQuery) pages(v *listView, rows int) {
	at := func(n int) string { return l.with("page", strconv.Itoa(n)) }
	last := int((v.Count.N + pageSize - 1) / pageSize)
	if !v.Count.Exact || last > maxPages {
		last = maxPages
	}
	if l.page > 1 {
		v.Prev = at(l.page - 1)
	}
	if l.page < last {
		v.Next = at(l.page + 1)
	}
	if !v.Count.Exact {
		v.Exact = l.with("page", strconv.Itoa(l.page), "total", "exact")
	}
	for n := 1; n <= last; n++ {
		if n == 1 || n == last || (n >= l.page-2 && n <= l.page+2) {
			v.Pages = append(v.Pages, pageLink{n, at(n), n == l.page})
		}
	}
	if last < 2 {
		v.Pages = nil
	}
	total := grouped(v.Count.N)
	if !v.Count.Exact {
		total = "more than " + total
	}
	switch {
	case v.Count.N == 0:
		v.Shown = "None"
	case rows == 0:
		v.Shown = "None on this page, of " + total
	default:
		v.Shown = fmt.Sprintf("%s–%s of %s", grouped(int64((l.page-1)*pageSize+1)), grouped(int64((l.page-1)*pageSize+rows)), total)
	}
}

// bulkActions are what can be done with many things at once.
func (q *request) bulkActions(res *Resource) []Action {
	var out []Action
	for _, a := range res.Actions {
		if !a.OneOnly && q.mayAct(res, a) {
			out = append(out, a)
		}
	}
	out = append(out, Action{Name: exportAction, Label: "Export CSV", Permission: "view"})
	if q.can("delete", res) {
		out = append(out, deleteAction(res))
	}
	return out
}

// exportAction is the act that changes nothing: it leads to the export.
const exportAction = "export"

func (q *request) mayAct(res *Resource, a Action) bool {
	return (!a.Superuser || q.user.Superuser) && q.allowed(a.Permission, res) == nil
}

// suggest answers an autocomplete with what the operator may see.
func (s *Site) suggest(q *request) error {
	res, err := q.target("view")
	if err != nil {
		return err
	}
	words := q.r.URL.Query().Get("q")
	if len([]rune(words)) > maxQuery {
		words = string([]rune(words)[:maxQuery])
	}
	columns := []string{res.Title}
	if res.Name == "users" {
		columns = append(columns, "email")
	}
	rows, err := s.Tables.Rows(q.ctx, table.Query{Table: res.Name, Columns: columns, Search: words, Limit: 10})
	if err != nil {
		return err
	}
	type suggestion struct {
		ID    int64  `json:"id"`
		Label string `json:"label"`
	}
	out := []suggestion{}
	for _, r := range rows {
		label := rowLabel(r.Values[res.Title], r.ID)
		if email := cellText(r.Values["email"]); email != "" && res.Name == "users" {
			label += " <" + email + ">"
		}
		out = append(out, suggestion{r.ID, label + " #" + strconv.FormatInt(r.ID, 10)})
	}
	q.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(q.w).Encode(out)
}
