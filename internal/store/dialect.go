package store

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

var sqliteDialect = dialect{
	name: "sqlite",
	words: strings.NewReplacer(
		"{now}", "strftime('%Y-%m-%d %H:%M:%f', 'now')", "{today}", "date('now')", "{in30days}", "date('now', '+30 days')",
		"{joberror}", "json_extract(CAST(j.errors AS text), '$[#-1].error')", "{jobargs}", "CAST(j.args AS text)"),
	beforeImport: []string{loadCache},
	searchMatch: func(words []string) string {
		const in = "p.id IN (SELECT rowid FROM car_post_search WHERE car_post_search MATCH ?)"
		for _, w := range words {
			if len(w) > 2 {
				return in
			}
		}
		// Most posts have a word that begins with a letter or two. The plus keeps
		// SQLite from beginning with all of them: it reads an index in the order
		// of the list instead, and stops when the page is full.
		return "+" + in
	},
	searchTerm: func(words []string) string { // "skoda"* AND "octavia"*
		return `"` + strings.Join(words, `"* AND "`) + `"*`
	},
	utcDay: func(column string) string { return "substr(" + column + ", 1, 10)" }, // moments are text that begins with it
}

var postgresDialect = dialect{
	name:   "postgres",
	utcDay: func(column string) string { return "CAST(" + column + " AT TIME ZONE 'UTC' AS date)" },
	words: strings.NewReplacer(
		"{now}", "now()", "{today}", "CURRENT_DATE", "{in30days}", "(CURRENT_DATE + 30)",
		"{joberror}", "(j.errors[array_upper(j.errors, 1)]->>'error')", "{jobargs}", "CAST(j.args AS text)"),
	planAnew:   []any{pgx.QueryExecModeCacheDescribe},
	forUpdate:  " FOR UPDATE",
	forQuota:   " FOR NO KEY UPDATE",
	skipLocked: " FOR UPDATE SKIP LOCKED",
	collateC:   ` COLLATE "C"`,
	beforeImport: []string{
		`SET LOCAL lock_timeout = 3000`,
		`LOCK TABLE account, settings, car_post, entry, expense_item, upload IN SHARE ROW EXCLUSIVE MODE`,
		`SET LOCAL statement_timeout = 0`,
		`SET LOCAL idle_in_transaction_session_timeout = 0`,
	},
	searchMatch: func([]string) string { return "p.search_vector @@ CAST(? AS tsquery)" },
	searchTerm: func(words []string) string { // 'skoda':* & 'octavia':*
		return `'` + strings.Join(words, `':* & '`) + `':*`
	},
}
