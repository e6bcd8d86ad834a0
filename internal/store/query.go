package store

import (
	"strconv"
	"strings"
)

// query builds the text of a list's SELECT: only the conditions in use stand in
// it, because an engine plans "($1 IS NULL OR col = $1)" badly. Every value is a
// parameter; a condition is written with "?" for each.
type query struct {
	conds []string
	args  []any
}

// where adds a condition.
func (q *query) where(cond string, args ...any) {
	q.conds = append(q.conds, q.bind(cond, args...))
}

// bind numbers the parameters of a piece of SQL.
func (q *query) bind(sql string, args ...any) string {
	var b strings.Builder
	for _, arg := range args {
		before, after, _ := strings.Cut(sql, "?")
		q.args = append(q.args, arg)
		b.WriteString(before)
		b.WriteString("$" + strconv.Itoa(len(q.args)))
		sql = after
	}
	return b.String() + sql
}

// clause is the WHERE of all the conditions.
func (q *query) clause() string {
	if len(q.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(q.conds, " AND ")
}
