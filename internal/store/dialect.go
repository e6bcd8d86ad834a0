package store

import "strings"

var sqliteDialect = dialect{
	name:        "sqlite",
	searchMatch: "p.id IN (SELECT rowid FROM car_post_search WHERE car_post_search MATCH ?)",
	searchTerm: func(words []string) string { // "skoda"* AND "octavia"*
		return `"` + strings.Join(words, `"* AND "`) + `"*`
	},
}

var postgresDialect = dialect{
	name:        "postgres",
	forUpdate:   " FOR UPDATE",
	collateC:    ` COLLATE "C"`,
	searchMatch: "p.search_vector @@ CAST(? AS tsquery)",
	searchTerm: func(words []string) string { // 'skoda':* & 'octavia':*
		return `'` + strings.Join(words, `':* & '`) + `':*`
	},
}
