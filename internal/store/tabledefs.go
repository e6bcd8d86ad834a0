package store

import (
	"fmt"
	"strings"

	"github.com/ridecopilot/ridecopilot/internal/overview"
	"github.com/ridecopilot/ridecopilot/internal/table"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// ofOwner looks for the person that a row belongs to.
func ofOwner(column string) func(*Store, *query, string) {
	return func(_ *Store, q *query, words string) {
		inner := &query{args: q.args}
		likeWords(inner, `search LIKE ? ESCAPE '\'`, words)
		q.args = inner.args
		q.conds = append(q.conds, column+" IN (SELECT id FROM account"+inner.clause()+")")
	}
}

// ofTexts looks for the person, or for a text of the row itself. What is looked
// for is folded by the engine, as the text is: SQLite folds ASCII letters alone.
func ofTexts(owner string, columns ...string) func(*Store, *query, string) {
	person := ofOwner(owner)
	return func(s *Store, q *query, words string) {
		inner := &query{args: q.args}
		person(s, inner, words)
		either := inner.conds
		for _, c := range columns {
			either = append(either, inner.bind("lower("+c+`) LIKE lower(?) ESCAPE '\'`, "%"+likeEscape.Replace(words)+"%"))
		}
		q.args = inner.args
		q.conds = append(q.conds, "("+strings.Join(either, " OR ")+")")
	}
}

// The columns that many tables have.
func link(name, id, label, target string) tableColumn {
	return tableColumn{name: name, kind: table.Link, expr: id, label: label, target: target}
}

func plain(kind table.Kind, prefix string, names ...string) []tableColumn {
	var out []tableColumn
	for _, n := range names {
		out = append(out, tableColumn{name: n, kind: kind, expr: prefix + n})
	}
	return out
}

func nullable(kind table.Kind, prefix string, names ...string) []tableColumn {
	out := plain(kind, prefix, names...)
	for i := range out {
		out[i].null = true
	}
	return out
}

func columns(groups ...[]tableColumn) []tableColumn {
	var out []tableColumn
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// personLabel is what a person is called where they are pointed at.
func personLabel(alias string) string {
	return "COALESCE(NULLIF(" + alias + ".name, ''), " + alias + ".email)"
}

const carLabel = "(p.make || ' ' || p.model)"

// tableDefs are the tables. Secrets (hashes, tokens, storage keys) are columns of
// none: nobody can ask for them by a filter either (promise B8).
var tableDefs = []tableDef{
	{
		name: "users", from: "account a", id: "a.id",
		columns: columns(
			plain(table.Number, "a.", "id", "version"),
			plain(table.Text, "a.", "name"),
			nullable(table.Text, "a.", "email"),
			plain(table.Bool, "a.", "is_active", "is_staff", "is_superuser"),
			nullable(table.Time, "a.", "last_login_at", "email_verified_at"),
			plain(table.Time, "a.", "created_at", "updated_at"),
			[]tableColumn{
				{name: "verified", kind: table.Bool, expr: "(a.email_verified_at IS NOT NULL)"},
				{name: "posts", kind: table.Number, expr: "(SELECT count(*) FROM car_post x WHERE x.owner_id = a.id)", shown: true},
				{name: "entries", kind: table.Number, expr: "(SELECT count(*) FROM entry x WHERE x.owner_id = a.id)", shown: true},
				{name: "documents", kind: table.Number, expr: "(SELECT count(*) FROM document x WHERE x.owner_id = a.id)", shown: true},
				{name: "group", kind: table.Link, target: "groups", ask: "a.id IN (SELECT account_id FROM staff_group_member WHERE group_id = ?)"},
			}),
		search: func(_ *Store, q *query, words string) { likeWords(q, `a.search LIKE ? ESCAPE '\'`, words) },
		related: []tableRelation{
			{table: "posts", column: "owner", count: "SELECT count(*) FROM car_post WHERE owner_id = ?"},
			{table: "entries", column: "owner", count: "SELECT count(*) FROM entry WHERE owner_id = ?"},
			{table: "documents", column: "owner", count: "SELECT count(*) FROM document WHERE owner_id = ?"},
			{table: "uploads", column: "owner", count: "SELECT count(*) FROM upload WHERE owner_id = ?"},
			{table: "sessions", column: "owner", count: "SELECT count(*) FROM session WHERE account_id = ?"},
			{table: "mails", column: "owner", count: "SELECT count(*) FROM mail WHERE account_id = ?"},
			{table: "reports", column: "reporter", count: "SELECT count(*) FROM report WHERE account_id = ?"},
			{table: "favorites", count: "SELECT count(*) FROM favorite WHERE account_id = ?"},
			{table: "history", column: "owner", count: "SELECT count(*) FROM history WHERE owner_id = ?", kept: true},
		},
	},
	{
		name: "settings", from: "settings t", id: "t.account_id", joins: " LEFT JOIN account o ON o.id = t.account_id",
		columns: columns(
			[]tableColumn{link("owner", "t.account_id", personLabel("o"), "users")},
			plain(table.Choice, "t.", "theme", "language", "currency", "distance_unit"),
			plain(table.Text, "t.", "time_zone"),
			nullable(table.Money, "t.", "default_commission", "weekly_goal"),
			plain(table.Bool, "t.", "email_reminders"),
			plain(table.Time, "t.", "updated_at"),
			plain(table.Number, "t.", "version")),
		search: ofOwner("t.account_id"),
	},
	{
		name: "posts", from: "car_post p", id: "p.id", joins: " LEFT JOIN account o ON o.id = p.owner_id",
		columns: columns(
			plain(table.Number, "p.", "id", "revision"),
			[]tableColumn{
				link("owner", "p.owner_id", personLabel("o"), "users"),
				{name: "car", kind: table.Text, expr: "(p.make || ' ' || p.model)"},
			},
			plain(table.Text, "p.", "make", "model", "version", "engine", "color", "location", "contact", "description"),
			plain(table.Choice, "p.", "fuel", "body", "transmission", "emission_standard", "offer", "currency", "status"),
			nullable(table.Choice, "p.", "price_period"),
			nullable(table.Number, "p.", "year", "gears", "seats", "doors", "mileage_km", "power_hp"),
			nullable(table.Money, "p.", "price", "consumption"),
			nullable(table.Time, "p.", "moderated_at", "approved_at"),
			nullable(table.Text, "p.", "moderation_reason"),
			plain(table.Time, "p.", "created_at", "updated_at"),
			[]tableColumn{
				{name: "closed", kind: table.Bool, expr: "(p.moderated_at IS NOT NULL)"},
				{name: "approved", kind: table.Bool, expr: "(p.approved_at IS NOT NULL)"},
				// The dashboard counts the same: Store.Attention.
				{name: "unseen", kind: table.Bool, ask: "p.approved_at IS NULL AND p.moderated_at IS NULL AND p.status = 'active' AND p.created_at >= {unseensince}"},
				{name: "reported", kind: table.Bool, ask: "p.id IN (SELECT post_id FROM report WHERE resolved_at IS NULL)"},
				{name: "reports", kind: table.Number, expr: "(SELECT count(*) FROM report r WHERE r.post_id = p.id AND r.resolved_at IS NULL)", shown: true},
				{name: "photos", kind: table.Number, expr: "(SELECT count(*) FROM upload u WHERE u.post_id = p.id AND u.state = 'ready')", shown: true},
				{name: "cover", kind: table.Number, expr: "(SELECT u.id FROM upload u WHERE u.post_id = p.id AND u.state = 'ready' ORDER BY u.position, u.id LIMIT 1)", shown: true},
			}),
		search: func(s *Store, q *query, words string) {
			if w := text.Words(words); len(w) > 0 {
				q.where(strings.TrimPrefix(s.dialect.searchMatch(w), "+"), s.dialect.searchTerm(w))
			}
		},
		related: []tableRelation{
			{table: "uploads", column: "post", count: "SELECT count(*) FROM upload WHERE post_id = ?"},
			{table: "reports", column: "post", count: "SELECT count(*) FROM report WHERE post_id = ?"},
			{table: "favorites", count: "SELECT count(*) FROM favorite WHERE post_id = ?"},
		},
	},
	{
		name: "uploads", from: "upload u", id: "u.id",
		joins: " LEFT JOIN account o ON o.id = u.owner_id LEFT JOIN car_post p ON p.id = u.post_id LEFT JOIN document d ON d.id = u.document_id",
		columns: columns(
			plain(table.Number, "u.", "id", "position", "size"),
			nullable(table.Number, "u.", "width", "height"),
			[]tableColumn{
				link("owner", "u.owner_id", personLabel("o"), "users"),
				link("post", "u.post_id", carLabel, "posts"),
				link("document", "u.document_id", "COALESCE(NULLIF(d.title, ''), d.type)", "documents"),
				{name: "kind", kind: table.Choice, expr: "(CASE WHEN u.document_id IS NULL THEN 'photo' ELSE 'file' END)"},
			},
			plain(table.Choice, "u.", "state", "content_type"),
			plain(table.Text, "u.", "file_name", "problem"),
			plain(table.Time, "u.", "created_at", "updated_at"),
			nullable(table.Time, "u.", "completed_at")),
		search: ofTexts("u.owner_id", "u.file_name"),
	},
	{
		name: "reports", from: "report r", id: "r.id",
		joins: " LEFT JOIN car_post p ON p.id = r.post_id LEFT JOIN account o ON o.id = r.account_id LEFT JOIN account b ON b.id = r.resolved_by",
		columns: columns(
			plain(table.Number, "r.", "id"),
			[]tableColumn{
				link("post", "r.post_id", carLabel, "posts"),
				link("reporter", "r.account_id", personLabel("o"), "users"),
				link("resolved_by", "r.resolved_by", personLabel("b"), "users"),
				{name: "resolved", kind: table.Bool, expr: "(r.resolved_at IS NOT NULL)"},
			},
			plain(table.Text, "r.", "reason", "text"),
			plain(table.Time, "r.", "created_at"),
			nullable(table.Time, "r.", "resolved_at")),
		search: ofTexts("r.account_id", "r.reason", "r.text"),
	},
	{
		name: "entries", from: "entry e", id: "e.id", joins: " LEFT JOIN account o ON o.id = e.owner_id",
		columns: columns(
			plain(table.Number, "e.", "id", "revision"),
			[]tableColumn{link("owner", "e.owner_id", personLabel("o"), "users")},
			plain(table.Day, "e.", "date"),
			plain(table.Choice, "e.", "platform", "currency"),
			plain(table.Money, "e.", "app_income", "tips", "commission", "expenses", "earnings"),
			nullable(table.Money, "e.", "hours", "distance_km"),
			nullable(table.Number, "e.", "trips"),
			plain(table.Text, "e.", "note"),
			plain(table.Time, "e.", "created_at", "updated_at"),
			[]tableColumn{{name: "items", kind: table.Number, expr: "(SELECT count(*) FROM expense_item i WHERE i.entry_id = e.id)", shown: true}}),
		search:  ofOwner("e.owner_id"),
		related: []tableRelation{{table: "expense_items", count: "SELECT count(*) FROM expense_item WHERE entry_id = ?"}},
	},
	{
		name: "documents", from: "document d", id: "d.id", joins: " LEFT JOIN account o ON o.id = d.owner_id",
		columns: columns(
			plain(table.Number, "d.", "id", "revision"),
			[]tableColumn{
				link("owner", "d.owner_id", personLabel("o"), "users"),
				// By the day of UTC: the driver's own day may be another for some hours.
				{name: "status", kind: table.Choice, expr: "(CASE WHEN d.expires_on IS NULL THEN 'no_expiry' WHEN d.expires_on < {today} THEN 'expired' WHEN d.expires_on <= {in30days} THEN 'expiring' ELSE 'valid' END)"},
				{name: "file", kind: table.Bool, ask: "d.id IN (SELECT document_id FROM upload WHERE document_id IS NOT NULL AND state = 'ready')"},
				{name: "files", kind: table.Number, expr: "(SELECT count(*) FROM upload u WHERE u.document_id = d.id AND u.state = 'ready')", shown: true},
			},
			plain(table.Choice, "d.", "type"),
			plain(table.Text, "d.", "title", "number", "issuer", "description"),
			nullable(table.Day, "d.", "issued_on", "expires_on"),
			nullable(table.Time, "d.", "next_reminder_at"),
			plain(table.Time, "d.", "created_at", "updated_at")),
		search: ofTexts("d.owner_id", "d.title", "d.number", "d.issuer"),
		related: []tableRelation{
			{table: "uploads", column: "document", count: "SELECT count(*) FROM upload WHERE document_id = ?"},
		},
	},
	{
		name: "sessions", from: "session s", id: "s.id", joins: " LEFT JOIN account o ON o.id = s.account_id",
		columns: columns(
			plain(table.Number, "s.", "id"),
			[]tableColumn{
				link("owner", "s.account_id", personLabel("o"), "users"),
				{name: "live", kind: table.Bool, expr: "(s.ended_at IS NULL AND s.idle_until > {now} AND s.expires_at > {now})"},
			},
			plain(table.Choice, "s.", "kind"),
			plain(table.Text, "s.", "device", "address"),
			plain(table.Time, "s.", "created_at", "last_used_at", "idle_until", "expires_at"),
			nullable(table.Time, "s.", "ended_at", "confirmed_at")),
		search: ofTexts("s.account_id", "s.address", "s.device"),
	},
	{
		name: "groups", from: "staff_group g", id: "g.id",
		columns: columns(
			plain(table.Number, "g.", "id", "version"),
			plain(table.Text, "g.", "name"),
			plain(table.Time, "g.", "created_at", "updated_at"),
			[]tableColumn{
				{name: "members", kind: table.Number, expr: "(SELECT count(*) FROM staff_group_member m WHERE m.group_id = g.id)", shown: true},
				{name: "permissions", kind: table.Number, expr: "(SELECT count(*) FROM staff_group_permission m WHERE m.group_id = g.id)", shown: true},
			}),
		search: func(_ *Store, q *query, words string) {
			q.where(`lower(g.name) LIKE lower(?) ESCAPE '\'`, "%"+likeEscape.Replace(words)+"%")
		},
		related: []tableRelation{{table: "users", column: "group", count: "SELECT count(*) FROM staff_group_member WHERE group_id = ?", kept: true}},
	},
	{
		name: "mails", from: "mail m", id: "m.id", joins: " LEFT JOIN account o ON o.id = m.account_id",
		columns: columns(
			plain(table.Number, "m.", "id"),
			[]tableColumn{
				link("owner", "m.account_id", personLabel("o"), "users"),
				{name: "stuck", kind: table.Bool, ask: "m.state = 'failed' OR (m.state = 'queued' AND m.created_at <= {mailsbefore})"},
			},
			plain(table.Choice, "m.", "kind", "state", "language"),
			plain(table.Text, "m.", "address", "problem", "name"),
			nullable(table.Number, "m.", "document_id", "post_id", "days_left"),
			plain(table.Time, "m.", "created_at"),
			nullable(table.Time, "m.", "settled_at")),
		search: ofTexts("m.account_id", "m.address"),
	},
	{
		name: "history", from: "history h", id: "h.id",
		joins: " LEFT JOIN account b ON b.id = h.actor_id LEFT JOIN account o ON o.id = h.owner_id",
		columns: columns(
			plain(table.Number, "h.", "id", "object_id"),
			[]tableColumn{
				link("actor", "h.actor_id", personLabel("b"), "users"),
				link("owner", "h.owner_id", personLabel("o"), "users"),
			},
			plain(table.Time, "h.", "at"),
			plain(table.Choice, "h.", "source", "action", "object_type"),
			nullable(table.Text, "h.", "address")),
		search: func(_ *Store, q *query, words string) {
			inner := &query{args: q.args}
			likeWords(inner, `search LIKE ? ESCAPE '\'`, words)
			people := "(SELECT id FROM account" + inner.clause() + ")"
			q.args = inner.args
			q.conds = append(q.conds, "(h.actor_id IN "+people+" OR h.owner_id IN "+people+")")
		},
	},
	{
		name: "jobs", from: "river_job j", id: "j.id",
		columns: columns(
			plain(table.Number, "j.", "id", "attempt", "max_attempts"),
			plain(table.Choice, "j.", "kind", "queue"),
			[]tableColumn{
				{name: "state", kind: table.Choice, expr: "CAST(j.state AS text)"},
				// The dashboard counts the same: Store.Attention.
				{name: "failing", kind: table.Bool, ask: fmt.Sprintf(
					"j.state = 'discarded' OR (j.state = 'retryable' AND j.attempt >= %[1]d) OR (j.state IN ('available', 'running') AND j.attempt > %[1]d)", overview.FailedAttempts)},
				{name: "error", kind: table.Text, expr: "{joberror}", shown: true},
				{name: "args", kind: table.Text, expr: "{jobargs}", shown: true},
			},
			plain(table.Time, "j.", "created_at", "scheduled_at"),
			nullable(table.Time, "j.", "attempted_at", "finalized_at")),
	},
}
