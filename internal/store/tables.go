package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/table"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// Tables looks through the rows of whatever the operators see: the tables are
// declared in tabledefs.go, and a query names nothing but their columns, so that no
// text of a client becomes SQL (promise B8).
type Tables struct{ s *Store }

// NewTables returns the tables of a store.
func NewTables(s *Store) *Tables { return &Tables{s} }

// tableDef is a table that can be looked through.
type tableDef struct {
	name    string
	from    string // with its alias
	joins   string // for the columns that are joined
	id      string
	columns []tableColumn
	search  func(t *Store, q *query, words string) // nil: only by number
	related []tableRelation
}

type tableColumn struct {
	name   string
	kind   table.Kind
	expr   string
	label  string // of a Link: what the thing is called, joined
	target string // of a Link
	joined bool   // expr is of the joined tables
	null   bool   // it may be missing: such rows sort last, up and down
	shown  bool   // worked out for the rows of a page alone
	ask    string // a condition with one "?" that stands for Is, where expr cannot be compared
}

// tableRelation is rows of another table that hang on one.
type tableRelation struct {
	table, column string
	count         string // SQL with one "?"
	kept          bool
}

func (d *tableDef) column(name string) (tableColumn, error) {
	for _, c := range d.columns {
		if c.name == name {
			return c, nil
		}
	}
	return tableColumn{}, table.Bad(name, "There is no such column.")
}

func tableOf(name string) (*tableDef, error) {
	i := slices.IndexFunc(tableDefs, func(d tableDef) bool { return d.name == name })
	if i < 0 {
		return nil, fmt.Errorf("no table %q", name)
	}
	return &tableDefs[i], nil
}

// Columns lists what a table has.
func (t *Tables) Columns(name string) ([]table.Column, error) {
	d, err := tableOf(name)
	if err != nil {
		return nil, err
	}
	var out []table.Column
	for _, c := range d.columns {
		out = append(out, table.Column{Name: c.name, Kind: c.kind, Target: c.target, Ask: !c.shown, Sort: !c.shown && c.ask == ""})
	}
	return out, nil
}

// tableQuery is a query on its way to SQL.
type tableQuery struct {
	query
	d      *tableDef
	s      *Store
	joined bool
}

// expr is the SQL of a column's value.
func (q *tableQuery) expr(c tableColumn) string { return q.s.dialect.words.Replace(c.expr) }

// sources is the FROM: with the joined tables where something asks for them.
func (q *tableQuery) sources() string {
	if q.joined {
		return ` FROM ` + q.d.from + q.d.joins
	}
	return ` FROM ` + q.d.from
}

// prepare turns conditions and words into SQL; without leaves one column's
// conditions out.
func (t *Tables) prepare(tq table.Query, args []any, without string) (*tableQuery, error) {
	d, err := tableOf(tq.Table)
	if err != nil {
		return nil, err
	}
	q := &tableQuery{query: query{args: args}, d: d, s: t.s}
	for _, c := range tq.Where {
		if c.Column == without {
			continue
		}
		col, err := d.column(c.Column)
		if err != nil {
			return nil, err
		}
		if err := q.condition(col, c, tq.Zone); err != nil {
			return nil, err
		}
	}
	if words := strings.TrimSpace(tq.Search); words != "" {
		q.search(words)
	}
	return q, nil
}

// search looks for words, and for the row of that number when they are one.
func (q *tableQuery) search(words string) {
	inner := &query{args: q.args}
	if q.d.search != nil {
		q.d.search(q.s, inner, words)
	}
	var alternatives []string
	if len(inner.conds) > 0 {
		alternatives = append(alternatives, "("+strings.Join(inner.conds, " AND ")+")")
	}
	q.args = inner.args
	if id, err := strconv.ParseInt(strings.TrimPrefix(words, "#"), 10, 64); err == nil {
		alternatives = append(alternatives, q.bind(q.d.id+" = ?", id))
	}
	if len(alternatives) == 0 {
		alternatives = []string{"1 = 0"}
	}
	q.conds = append(q.conds, "("+strings.Join(alternatives, " OR ")+")")
}

// maxValues bounds the values of one condition: SQLite refuses a statement whose
// parts are nested 1,000 deep.
const maxValues = 100

func (q *tableQuery) condition(c tableColumn, cond table.Cond, zone *time.Location) error {
	switch {
	case c.shown:
		return table.Bad(c.name, "This column cannot be asked for.")
	case len(cond.Values) > maxValues:
		return table.Bad(c.name, fmt.Sprintf("At most %d values can be asked for at once.", maxValues))
	}
	if c.ask != "" {
		return q.asked(c, cond)
	}
	q.joined = q.joined || c.joined
	e := q.expr(c)
	if cond.Op == table.Set {
		is := map[bool]string{true: " IS NOT NULL", false: " IS NULL"}[slices.Contains(cond.Values, "true")]
		q.conds = append(q.conds, e+is)
		return nil
	}
	var parts []string
	for _, v := range cond.Values {
		part, err := q.compare(c, e, cond.Op, v, zone)
		if err != nil {
			return err
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		q.conds = append(q.conds, "("+strings.Join(parts, " OR ")+")")
	}
	return nil
}

func (q *tableQuery) asked(c tableColumn, cond table.Cond) error {
	if cond.Op != table.Is {
		return table.Bad(c.name, "This column has no order.")
	}
	var parts []string
	for _, v := range cond.Values {
		if c.kind == table.Bool {
			not := map[bool]string{true: "", false: "NOT "}[v == "true"]
			parts = append(parts, not+"("+q.s.dialect.words.Replace(c.ask)+")")
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return table.Bad(c.name, "Choose one of the list.")
		}
		parts = append(parts, q.bind(c.ask, n))
	}
	if len(parts) > 0 {
		q.conds = append(q.conds, "("+strings.Join(parts, " OR ")+")")
	}
	return nil
}

// compare is one comparison of a column.
func (q *tableQuery) compare(c tableColumn, e string, op table.Op, value string, zone *time.Location) (string, error) {
	sign := map[table.Op]string{table.Is: " = ?", table.From: " >= ?", table.To: " <= ?"}[op]
	if sign == "" {
		return "", table.Bad(c.name, "This cannot be asked.")
	}
	switch c.kind {
	case table.Text, table.Choice:
		if op != table.Is {
			return "", table.Bad(c.name, "This column has no order.")
		}
		if value == "" {
			return "(" + e + " IS NULL OR " + e + " = '')", nil
		}
		return q.bind(e+sign, value), nil
	case table.Bool:
		switch value {
		case "true":
			return "(" + e + ")", nil
		case "false":
			return "NOT (" + e + ")", nil
		}
		return "", table.Bad(c.name, "Choose yes or no.")
	case table.Number, table.Link:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return "", table.Bad(c.name, map[bool]string{true: "Choose one of the list, or type its number.", false: "A valid integer is required."}[c.kind == table.Link])
		}
		return q.bind(e+sign, n), nil
	case table.Money:
		a, err := fixed.ParseSigned(value)
		if err != nil {
			return "", table.Bad(c.name, "A valid number is required.")
		}
		return q.bind(e+sign, int64(a)), nil
	}
	day, err := calendar.Parse(value)
	if err != nil {
		return "", table.Bad(c.name, err.Error())
	}
	if c.kind == table.Day {
		return q.bind(e+sign, day), nil
	}
	if zone == nil {
		zone = time.UTC
	}
	begin, end := day.At(0, zone).UTC(), (day+1).At(0, zone).UTC()
	switch op {
	case table.From:
		return q.bind(e+" >= ?", begin), nil
	case table.To:
		return q.bind(e+" < ?", end), nil
	}
	return q.bind("("+e+" >= ? AND "+e+" < ?)", begin, end), nil
}

// order is the ORDER BY: the number breaks ties.
func (q *tableQuery) order(orders []table.Order) (string, error) {
	var parts []string
	desc := true
	for _, o := range orders {
		c, err := q.d.column(o.Column)
		if err != nil {
			return "", err
		}
		if c.shown || c.ask != "" {
			return "", table.Bad(c.name, "This column cannot be sorted by.")
		}
		e := q.expr(c)
		if c.label != "" {
			e = c.label
		}
		q.joined = q.joined || c.joined || c.label != ""
		part := e
		if desc = o.Desc; desc {
			part += " DESC"
		}
		if c.null || c.label != "" {
			part += " NULLS LAST"
		}
		parts = append(parts, part)
	}
	part := q.d.id
	if desc {
		part += " DESC"
	}
	return " ORDER BY " + strings.Join(append(parts, part), ", "), nil
}

// Rows are the rows of a page, in one statement: the page is found first, and
// only its rows are joined and worked out.
func (t *Tables) Rows(ctx context.Context, tq table.Query) ([]table.Row, error) {
	q, err := t.prepare(tq, nil, "")
	if err != nil {
		return nil, err
	}
	order, err := q.order(tq.Order)
	if err != nil {
		return nil, err
	}
	page := `SELECT ` + q.d.id + ` AS id` + q.sources() + q.clause() + order + q.bind(` LIMIT ? OFFSET ?`, tq.Limit, tq.Offset)
	return t.rows(ctx, q, tq.Columns, page, order)
}

func (t *Tables) rows(ctx context.Context, q *tableQuery, names []string, page, order string) ([]table.Row, error) {
	var columns []tableColumn
	exprs := []string{q.d.id}
	for _, name := range names {
		c, err := q.d.column(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
		exprs = append(exprs, q.expr(c))
		if c.label != "" {
			exprs = append(exprs, c.label)
		}
	}
	statement := `SELECT ` + strings.Join(exprs, ", ") + ` FROM (` + page + `) page JOIN ` + q.d.from + ` ON ` + q.d.id + ` = page.id` + q.d.joins + order
	return list(ctx, t.s, onDesk, func(r row) (table.Row, error) { return scanTableRow(r, columns) }, statement, q.args...)
}

func scanTableRow(r row, columns []tableColumn) (table.Row, error) {
	one := table.Row{Values: make(map[string]any, len(columns))}
	dest := []any{&one.ID}
	var settle []func()
	for _, c := range columns {
		d, value := cell(c)
		dest = append(dest, d...)
		settle = append(settle, func() { one.Values[c.name] = value() })
	}
	if err := r.Scan(dest...); err != nil {
		return one, err
	}
	for _, s := range settle {
		s()
	}
	return one, nil
}

// cell is where a column is scanned to, and the value that came.
func cell(c tableColumn) (dest []any, value func() any) {
	switch c.kind {
	case table.Number, table.Money:
		var n sql.NullInt64
		return []any{&n}, func() any {
			switch {
			case !n.Valid:
				return nil
			case c.kind == table.Money:
				return fixed.Amount(n.Int64)
			}
			return n.Int64
		}
	case table.Bool:
		var b sql.NullBool
		return []any{&b}, func() any { return b.Valid && b.Bool }
	case table.Time:
		var at sql.Null[momentCell]
		return []any{&at}, func() any {
			if !at.Valid {
				return nil
			}
			return at.V.UTC()
		}
	case table.Day:
		var d sql.Null[calendar.Day]
		return []any{&d}, func() any {
			if !d.Valid {
				return nil
			}
			return d.V
		}
	case table.Link:
		var id sql.NullInt64
		var label sql.NullString
		return []any{&id, &label}, func() any {
			if !id.Valid {
				return nil
			}
			return table.Ref{ID: id.Int64, Label: label.String}
		}
	}
	var s sql.NullString
	return []any{&s}, func() any {
		if !s.Valid {
			return nil
		}
		return s.String
	}
}

// momentCell reads a time that SQLite gives as text: a sorted subquery makes it
// forget what the column is.
type momentCell struct{ time.Time }

func (m *momentCell) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		m.Time = v
		return nil
	case string:
		for _, layout := range []string{"2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999"} {
			if t, err := time.Parse(layout, v); err == nil {
				m.Time = t
				return nil
			}
		}
	}
	return fmt.Errorf("scan time: unexpected %T", src)
}

// Count counts rows, exactly up to limit; 0 is no limit.
func (t *Tables) Count(ctx context.Context, tq table.Query, limit int64) (table.Count, error) {
	q, err := t.prepare(tq, nil, "")
	if err != nil {
		return table.Count{}, err
	}
	statement := `SELECT count(*)` + q.sources() + q.clause()
	if limit > 0 {
		statement = `SELECT count(*) FROM (SELECT 1` + q.sources() + q.clause() + q.bind(` LIMIT ?`, limit+1) + `) AS matches`
	}
	c := table.Count{Exact: true}
	err = t.s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, statement, q.args...).Scan(&c.N)
	})
	if limit > 0 && c.N > limit {
		c = table.Count{N: limit}
	}
	return c, err
}

// Facets counts the values of some columns, in one statement. A column that the
// conditions name is counted among the rows that the others leave, so that its
// other values are seen; the rest share one pass over the rows.
func (t *Tables) Facets(ctx context.Context, tq table.Query, columns []string) (map[string][]table.Facet, error) {
	named := func(name string) bool {
		return slices.ContainsFunc(tq.Where, func(c table.Cond) bool { return c.Column == name })
	}
	shared, err := t.prepare(tq, nil, "")
	if err != nil {
		return nil, err
	}
	var exprs, parts []string
	args := shared.args
	for i, name := range columns {
		place := strconv.Itoa(i)
		if !named(name) {
			e, err := t.facet(shared, name)
			if err != nil {
				return nil, err
			}
			exprs = append(exprs, e+` AS c`+place)
			parts = append(parts, `SELECT `+place+` AS place, COALESCE(CAST(c`+place+` AS text), '') AS value, count(*) AS n FROM m GROUP BY 2`)
			continue
		}
		q, err := t.prepare(tq, args, name)
		if err != nil {
			return nil, err
		}
		e, err := t.facet(q, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, `SELECT `+place+` AS place, COALESCE(CAST(`+e+` AS text), '') AS value, count(*) AS n`+q.sources()+q.clause()+` GROUP BY 2`)
		args = q.args
	}
	found := map[string][]table.Facet{}
	if len(parts) == 0 {
		return found, nil
	}
	with := ""
	if len(exprs) > 0 {
		with = `WITH m AS MATERIALIZED (SELECT ` + strings.Join(exprs, ", ") + shared.sources() + shared.clause() + `) `
	} else if len(shared.args) > 0 {
		// PostgreSQL wants every parameter used, also those of the pass that is not made.
		with = `WITH m AS MATERIALIZED (SELECT 1` + shared.sources() + shared.clause() + ` LIMIT 0) `
	}
	type counted struct {
		place int
		table.Facet
	}
	counts, err := list(ctx, t.s, onDesk, func(r row) (counted, error) {
		var c counted
		err := r.Scan(&c.place, &c.Value, &c.N)
		return c, err
	}, with+strings.Join(parts, ` UNION ALL `)+` ORDER BY 1, 3 DESC, 2`, args...)
	for _, c := range counts {
		found[columns[c.place]] = append(found[columns[c.place]], c.Facet)
	}
	return found, err
}

// facet is the SQL of what a column is counted by.
func (t *Tables) facet(q *tableQuery, name string) (string, error) {
	c, err := q.d.column(name)
	if err != nil {
		return "", err
	}
	e := q.expr(c)
	if c.ask != "" {
		e = t.s.dialect.words.Replace(c.ask)
	}
	q.joined = q.joined || c.joined
	if c.kind == table.Bool {
		e = `CASE WHEN ` + e + ` THEN 'true' ELSE 'false' END`
	}
	return e, nil
}

// Span is the first and the last time in a column; nil in an empty table.
func (t *Tables) Span(ctx context.Context, name, column string) (first, last *time.Time, err error) {
	d, err := tableOf(name)
	if err != nil {
		return nil, nil, err
	}
	c, err := d.column(column)
	if err != nil {
		return nil, nil, err
	}
	read := func(dir string) (*time.Time, error) {
		q := tableQuery{d: d, s: t.s}
		e := q.expr(c)
		statement := `SELECT ` + e + ` FROM ` + d.from + ` WHERE ` + e + ` IS NOT NULL ORDER BY ` + e + dir + ` LIMIT 1`
		dest, value := cell(c)
		err := t.s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
			return db.QueryRowContext(ctx, statement).Scan(dest...)
		})
		if errors.Is(err, sql.ErrNoRows) || err != nil {
			return nil, orNil(err)
		}
		switch v := value().(type) {
		case time.Time:
			return &v, nil
		case calendar.Day:
			at := v.UTC()
			return &at, nil
		}
		return nil, fmt.Errorf("column %q is no time", column)
	}
	if first, err = read(""); err != nil || first == nil {
		return nil, nil, err
	}
	last, err = read(" DESC")
	return first, last, err
}

func orNil(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// Each calls do for every row that the conditions leave, by number, without
// holding them all or a connection meanwhile.
func (t *Tables) Each(ctx context.Context, tq table.Query, do func(table.Row) error) error {
	for after := int64(0); ; {
		q, err := t.prepare(tq, nil, "")
		if err != nil {
			return err
		}
		q.where(q.d.id+" > ?", after)
		order := ` ORDER BY ` + q.d.id
		rows, err := t.rows(ctx, q, tq.Columns, `SELECT `+q.d.id+` AS id`+q.sources()+q.clause()+order+q.bind(` LIMIT ?`, exportBatch), order)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := do(r); err != nil {
				return err
			}
		}
		if len(rows) < exportBatch {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// IDs are the numbers of the rows that the conditions leave, up to limit.
func (t *Tables) IDs(ctx context.Context, tq table.Query, limit int) ([]int64, error) {
	q, err := t.prepare(tq, nil, "")
	if err != nil {
		return nil, err
	}
	return list(ctx, t.s, onDesk, scanID, `SELECT `+q.d.id+q.sources()+q.clause()+` ORDER BY `+q.d.id+q.bind(` LIMIT ?`, limit), q.args...)
}

// Related counts what hangs on some rows, in one statement; what there is none
// of is left out.
func (t *Tables) Related(ctx context.Context, name string, ids []int64) ([]table.Related, error) {
	d, err := tableOf(name)
	if err != nil || len(d.related) == 0 || len(ids) == 0 {
		return nil, err
	}
	q := &query{}
	var parts []string
	for i, r := range d.related {
		in := strings.Replace(r.count, "= ?", "IN ("+marks(len(ids))+")", 1)
		parts = append(parts, `SELECT `+strconv.Itoa(i)+` AS place, (`+q.bind(in, anys(ids)...)+`) AS n`)
	}
	type counted struct {
		place int
		n     int64
	}
	counts, err := list(ctx, t.s, onDesk, func(r row) (counted, error) {
		var c counted
		err := r.Scan(&c.place, &c.n)
		return c, err
	}, strings.Join(parts, ` UNION ALL `)+` ORDER BY 1`, q.args...)
	var out []table.Related
	for _, c := range counts {
		if r := d.related[c.place]; c.n > 0 {
			out = append(out, table.Related{Table: r.table, Column: r.column, N: c.n, Kept: r.kept})
		}
	}
	return out, err
}

// likeWords adds a condition a word: it stands somewhere in the folded text.
func likeWords(q *query, cond, words string) {
	for w := range strings.FieldsSeq(text.Fold(words)) {
		q.where(cond, "%"+likeEscape.Replace(w)+"%")
	}
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
