package admin

import (
	"strconv"

	"github.com/ridecopilot/ridecopilot/internal/table"
)

// rowDraft is a row of a table that is only looked at.
type rowDraft struct {
	row   table.Row
	kinds map[string]table.Column
}

// shown declares a column of a row that is only looked at.
func shown(column, label string) Field {
	return Field{Name: column, Label: label, Widget: textWidget, ReadOnly: true, value: func(draft any) any {
		s := cellText(as[rowDraft](draft).row.Values[column])
		return &s
	}}
}

// loadRow makes a Load that reads the columns of a resource's own form from its
// table.
func loadRow(name string) func(q *request, id int64) (Item, error) {
	return func(q *request, id int64) (Item, error) {
		res := q.site.resource(name)
		cols, err := q.site.Tables.Columns(name)
		if err != nil {
			return Item{}, err
		}
		d := &rowDraft{kinds: map[string]table.Column{}}
		for _, c := range cols {
			d.kinds[c.Name] = c
		}
		tq := table.Query{Table: name, Columns: []string{res.Title}, Limit: 1, Where: []table.Cond{{Column: "id", Op: table.Is, Values: []string{strconv.FormatInt(id, 10)}}}}
		for _, f := range res.fields() {
			tq.Columns = append(tq.Columns, f.Name)
		}
		rows, err := q.site.Tables.Rows(q.ctx, tq)
		if err != nil {
			return Item{}, err
		}
		if len(rows) == 0 {
			return Item{}, errNoPage
		}
		d.row = rows[0]
		item := Item{Draft: d, Title: rowLabel(d.row.Values[res.Title], id)}
		if ref, ok := d.row.Values["owner"].(table.Ref); ok {
			item.Owner = ref.ID
		}
		return item, nil
	}
}
