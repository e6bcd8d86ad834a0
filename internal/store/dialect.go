package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/overview"
)

var sqliteDialect = dialect{
	name:     "sqlite",
	hasTable: `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1)`,
	// Neither what the full-text index is made of, nor what SQLite keeps itself.
	tableNames: `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`,
	columns:    `SELECT name, type FROM pragma_table_xinfo($1) WHERE hidden = 0`,
	parents:    `SELECT DISTINCT "table" FROM pragma_foreign_key_list($1)`,
	sequence:   `SELECT name FROM sqlite_sequence WHERE name = $1`,
	lastID:     `SELECT seq FROM sqlite_sequence WHERE name = '{sequence}'`,
	setLastID: []string{
		`INSERT INTO sqlite_sequence (name, seq) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = $1)`,
		`UPDATE sqlite_sequence SET seq = max(seq, $2) WHERE name = $1`,
	},
	checkReferences: `SELECT "table" FROM pragma_foreign_key_check`,
	integrity:       `PRAGMA integrity_check(10)`,
	words: strings.NewReplacer(
		"{now}", "strftime('%Y-%m-%d %H:%M:%f', 'now')", "{today}", "date('now')", "{in30days}", "date('now', '+30 days')",
		"{unseensince}", sqliteAgo(overview.UnseenFor), "{mailsbefore}", sqliteAgo(overview.MailPatience),
		"{joberror}", "json_extract(j.errors, '$[#-1].error')", "{jobargs}", "json(j.args)"),
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

// unlimited takes the limits of time from a transaction of PostgreSQL.
var unlimited = []string{`SET LOCAL lock_timeout = 0`, `SET LOCAL statement_timeout = 0`, `SET LOCAL idle_in_transaction_session_timeout = 0`}

var postgresDialect = dialect{
	hasTable:   `SELECT to_regclass(CAST($1 AS text)) IS NOT NULL`,
	tableNames: `SELECT CAST(relname AS text) FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace)`,
	columns: `SELECT CAST(attname AS text), format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = CAST(CAST($1 AS text) AS regclass) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
	parents: `SELECT DISTINCT CAST(p.relname AS text) FROM pg_constraint c JOIN pg_class p ON p.oid = c.confrelid
		WHERE c.contype = 'f' AND c.conrelid = CAST(CAST($1 AS text) AS regclass)`,
	sequence: `SELECT pg_get_serial_sequence($1, attname) FROM pg_attribute
		WHERE attrelid = CAST(CAST($1 AS text) AS regclass) AND attidentity <> ''`,
	lastID:    `SELECT COALESCE(pg_sequence_last_value(CAST('{sequence}' AS regclass)), 0)`,
	setLastID: []string{`SELECT setval(CAST(pg_get_serial_sequence($1, 'id') AS regclass), $2)`},
	unlimited: unlimited,
	name:      "postgres",
	utcDay:    func(column string) string { return "CAST(" + column + " AT TIME ZONE 'UTC' AS date)" },
	words: strings.NewReplacer(
		"{now}", "now()", "{today}", "CURRENT_DATE", "{in30days}", "(CURRENT_DATE + 30)",
		"{unseensince}", postgresAgo(overview.UnseenFor), "{mailsbefore}", postgresAgo(overview.MailPatience),
		"{joberror}", "(j.errors[array_upper(j.errors, 1)]->>'error')", "{jobargs}", "CAST(j.args AS text)"),
	planAnew:   []any{pgx.QueryExecModeCacheDescribe},
	forUpdate:  " FOR UPDATE",
	forQuota:   " FOR NO KEY UPDATE",
	skipLocked: " FOR UPDATE SKIP LOCKED",
	collateC:   ` COLLATE "C"`,
	beforeImport: append([]string{
		`LOCK TABLE account, settings, car_post, entry, expense_item, upload IN SHARE ROW EXCLUSIVE MODE`,
	}, unlimited...),
	searchMatch: func([]string) string { return "p.search_vector @@ CAST(? AS tsquery)" },
	searchTerm: func(words []string) string { // 'skoda':* & 'octavia':*
		return `'` + strings.Join(words, `':* & '`) + `':*`
	},
}

// sqliteAgo is the moment so long before now, as SQL.
func sqliteAgo(d time.Duration) string {
	return fmt.Sprintf("strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '-%d seconds')", int(d.Seconds()))
}

// postgresAgo is the moment so long before now, as SQL.
func postgresAgo(d time.Duration) string {
	return fmt.Sprintf("(now() - interval '%d seconds')", int(d.Seconds()))
}
