package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// actor is a person at the API, from an address.
func actor(id int64) account.Actor {
	return account.Actor{ID: id, Source: account.SourceAPI, Address: "203.0.113.7"}
}

func aPost(owner int64) listing.Post {
	d := listing.DefaultDetails()
	year, price, period := 2020, fixed.Amount(12_000), "day"
	d.Make, d.Model, d.Year, d.Price, d.PricePeriod, d.Description = "Dacia", "Logan", &year, &price, &period, "Curată"
	return listing.Post{Details: d, OwnerID: owner, CreatedAt: noon, UpdatedAt: noon, Revision: 1}
}

func newPost(t *testing.T, s *store.Store, owner int64, change func(*listing.Post)) listing.Post {
	t.Helper()
	p := aPost(owner)
	if change != nil {
		change(&p)
	}
	p, _, err := s.CreatePost(t.Context(), actor(owner), p, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func anEntry(owner int64, day calendar.Day) earnings.Entry {
	return earnings.Entry{
		Details: earnings.Details{
			Date: day, Platform: "Uber", AppIncome: 20_000, Commission: 2500, Expenses: 3000, Currency: "RON", Note: "ploaie",
			Items: []earnings.ExpenseItem{{Category: "fuel", Amount: 3000, Note: "motorină"}},
		},
		OwnerID: owner, Earnings: 12_000, CreatedAt: noon, UpdatedAt: noon, Revision: 1,
	}
}

func newEntry(t *testing.T, s *store.Store, owner int64, day calendar.Day) earnings.Entry {
	t.Helper()
	e, _, err := s.CreateEntries(t.Context(), actor(owner), []earnings.Entry{anEntry(owner, day)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func aDocument(owner int64) document.Document {
	expires := calendar.Date(2026, time.June, 1)
	return document.Document{
		Details: document.Details{Type: "insurance", Title: "RCA", Number: "RO/77", ExpiresOn: &expires, RemindDays: []int{30, 7, 1}},
		OwnerID: owner, CreatedAt: noon, UpdatedAt: noon, Revision: 1,
	}
}

func newDocument(t *testing.T, s *store.Store, owner int64) document.Document {
	t.Helper()
	d, _, err := s.CreateDocument(t.Context(), actor(owner), aDocument(owner), 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type historyRow struct {
	ID, ObjectID           int64
	Actor, Owner           sql.NullInt64
	Source, Action, Object string
	Address, Changes       sql.NullString
	At                     time.Time
}

func history(t *testing.T, s *store.Store, object string, id int64) []historyRow {
	t.Helper()
	return query(t, s, func(rows *sql.Rows) (historyRow, error) {
		var h historyRow
		err := rows.Scan(&h.ID, &h.At, &h.Actor, &h.Source, &h.Address, &h.Action, &h.Object, &h.ObjectID, &h.Owner, &h.Changes)
		return h, err
	}, `SELECT id, at, actor_id, source, address, action, object_type, object_id, owner_id, changes FROM history
		WHERE object_type = $1 AND object_id = $2 ORDER BY id`, object, id)
}

func changes(t *testing.T, h historyRow) map[string][2]any {
	t.Helper()
	var m map[string][2]any
	if err := json.Unmarshal([]byte(h.Changes.String), &m); err != nil {
		t.Fatalf("history %+v: %v", h, err)
	}
	return m
}

func count(t *testing.T, s *store.Store, text string, args ...any) int {
	t.Helper()
	var n int
	if err := s.Reader().QueryRowContext(t.Context(), text, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

func exec(t testing.TB, s *store.Store, text string, args ...any) {
	t.Helper()
	if _, err := s.Writer().ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

var errStop = errors.New("the domain says no")

// Every kind of thing leaves its creation, its change and its end in the
// history, with who, through which door, from where, and what; a change that
// was refused leaves nothing.
func TestHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		by := actor(u.ID)
		post := newPost(t, s, u.ID, nil)
		entry := newEntry(t, s, u.ID, calendar.On(noon))
		doc := newDocument(t, s, u.ID)
		later := noon.Add(time.Hour)
		tests := []struct {
			object string
			id     int64
			update func(fail error) error
			remove func(fail error) error
			field  string
			change [2]any
		}{
			{"car_post", post.ID, func(fail error) error {
				_, err := s.UpdatePost(t.Context(), by, post.ID, func(p *listing.Post, _ *listing.Effects) error {
					p.Model, p.UpdatedAt = "Sandero", later
					return fail
				})
				return err
			}, func(fail error) error {
				return s.DeletePost(t.Context(), by, post.ID, func(listing.Post) error { return fail })
			}, "model", [2]any{"Logan", "Sandero"}},
			{"calculator_entry", entry.ID, func(fail error) error {
				_, err := s.UpdateEntry(t.Context(), by, u.ID, entry.ID, func(e *earnings.Entry) error {
					e.Tips, e.UpdatedAt = 1050, later
					return fail
				})
				return err
			}, func(fail error) error {
				return s.DeleteEntry(t.Context(), by, u.ID, entry.ID, func(earnings.Entry) error { return fail })
			}, "tips", [2]any{"0.00", "10.50"}},
			{"document", doc.ID, func(fail error) error {
				_, err := s.UpdateDocument(t.Context(), by, u.ID, doc.ID, func(d *document.Document, _ []int) error {
					d.Number, d.UpdatedAt = "RO/78", later
					return fail
				})
				return err
			}, func(fail error) error {
				return s.DeleteDocument(t.Context(), by, u.ID, doc.ID, func(document.Document) error { return fail })
			}, "number", [2]any{"RO/77", "RO/78"}},
			{"settings", u.ID, func(fail error) error {
				_, err := s.UpdateSettings(t.Context(), by, u.ID, func(set *account.Settings) error {
					set.Theme, set.UpdatedAt = "dark", later
					return fail
				}, nil)
				return err
			}, nil, "theme", [2]any{"auto", "dark"}},
			{"user", u.ID, func(fail error) error {
				_, err := s.UpdateUser(t.Context(), by, u.ID, func(u *account.User, _ *account.Effects) error {
					u.Name, u.UpdatedAt = "Ana Maria", later
					return fail
				})
				return err
			}, nil, "name", [2]any{"Ana", "Ana Maria"}},
		}
		for _, tt := range tests {
			want := []string{"create"}
			if tt.object == "settings" {
				want = nil // they come with the user
			}
			if err := tt.update(errStop); !errors.Is(err, errStop) {
				t.Errorf("%s: a refused update gives %v, want %v", tt.object, err, errStop)
			}
			if rows := history(t, s, tt.object, tt.id); len(rows) != len(want) {
				t.Errorf("%s: a refused update left history: %+v", tt.object, rows)
			}
			if err := tt.update(nil); err != nil {
				t.Fatalf("update %s: %v", tt.object, err)
			}
			want = append(want, "update")
			if tt.remove != nil {
				if err := tt.remove(errStop); !errors.Is(err, errStop) {
					t.Errorf("%s: a refused deletion gives %v, want %v", tt.object, err, errStop)
				}
				if err := tt.remove(nil); err != nil {
					t.Fatalf("delete %s: %v", tt.object, err)
				}
				want = append(want, "delete")
			}
			rows := history(t, s, tt.object, tt.id)
			var acts []string
			for _, h := range rows {
				acts = append(acts, h.Action)
				if h.Owner.Int64 != u.ID || h.Source != "api" {
					t.Errorf("%s %s: owner %v, source %q, want %d, api", tt.object, h.Action, h.Owner, h.Source, u.ID)
				}
				// The account itself was made by nobody that is known.
				if tt.object+h.Action != "usercreate" && (h.Actor.Int64 != u.ID || h.Address.String != by.Address) {
					t.Errorf("%s %s: actor %v from %v, want %d from %s", tt.object, h.Action, h.Actor, h.Address, u.ID, by.Address)
				}
				if h.Action == "update" {
					if got := changes(t, h); len(got) != 1 || got[tt.field] != tt.change {
						t.Errorf("%s: update remembered %v, want %s: %v alone", tt.object, got, tt.field, tt.change)
					}
					if !h.At.Equal(later) {
						t.Errorf("%s: updated at %v, want %v", tt.object, h.At, later)
					}
				}
				if h.Action == "delete" {
					if got := changes(t, h)[tt.field]; got[0] != tt.change[1] || got[1] != nil {
						t.Errorf("%s: deletion remembered %v, want the last value %v", tt.object, got, tt.change[1])
					}
				}
			}
			if !slices.Equal(acts, want) {
				t.Errorf("%s: history has %v, want %v", tt.object, acts, want)
			}
		}
	})
}

func TestHistory_NothingChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPost(t, s, newUser(t, s, "ana@example.com").ID, nil)
		if _, err := s.UpdatePost(t.Context(), actor(p.OwnerID), p.ID, func(*listing.Post, *listing.Effects) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if rows := history(t, s, "car_post", p.ID); len(rows) != 1 {
			t.Errorf("an update that changes nothing left %d rows of history, want the creation alone", len(rows))
		}
	})
}

func TestHistory_NoPassword_P4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		_, err := s.UpdateUser(t.Context(), actor(u.ID), u.ID, func(u *account.User, _ *account.Effects) error {
			u.PasswordHash = "$argon2id$marker"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		rows := history(t, s, "user", u.ID)
		got := changes(t, rows[len(rows)-1])
		if len(got) != 1 || got["password"] != [2]any{"…", "…"} {
			t.Errorf("a new password is remembered as %v, want that it changed and nothing else", got)
		}
		for _, h := range rows {
			if strings.Contains(h.Changes.String, "argon2id") || strings.Contains(h.Changes.String, "password_hash") {
				t.Errorf("the history holds a password: %s", h.Changes.String)
			}
		}
	})
}

// The number of a thing that is gone never names another.
func TestIDs_NeverUsedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		post, doc, entry := newPost(t, s, u.ID, nil), newDocument(t, s, u.ID), newEntry(t, s, u.ID, calendar.On(noon))
		for _, err := range []error{
			s.DeletePost(t.Context(), actor(u.ID), post.ID, func(listing.Post) error { return nil }),
			s.DeleteDocument(t.Context(), actor(u.ID), u.ID, doc.ID, func(document.Document) error { return nil }),
			s.DeleteEntry(t.Context(), actor(u.ID), u.ID, entry.ID, func(earnings.Entry) error { return nil }),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if p := newPost(t, s, u.ID, nil); p.ID <= post.ID {
			t.Errorf("a post after the deleted %d is %d", post.ID, p.ID)
		}
		if d := newDocument(t, s, u.ID); d.ID <= doc.ID {
			t.Errorf("a document after the deleted %d is %d", doc.ID, d.ID)
		}
		if e := newEntry(t, s, u.ID, calendar.On(noon)); e.ID <= entry.ID {
			t.Errorf("an entry after the deleted %d is %d", entry.ID, e.ID)
		}
		if err := s.DeleteUser(t.Context(), actor(u.ID), u.ID, func(account.User, account.Settings) error { return nil }, nil); err != nil {
			t.Fatal(err)
		}
		if again := newUser(t, s, "ana@example.com"); again.ID <= u.ID {
			t.Errorf("an account after the erased %d is %d", u.ID, again.ID)
		}
	})
}

// dump is every row of every table, as text, by table. What an index keeps of
// rows that are gone until it is tidied is not looked at.
func dump(t *testing.T, s *store.Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, name := range tableNames(t, s) {
		if strings.HasPrefix(name, "car_post_search_") {
			continue
		}
		all[name] = query(t, s, func(rows *sql.Rows) (string, error) {
			columns, err := rows.Columns()
			if err != nil {
				return "", err
			}
			values, to := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				to[i] = &values[i]
			}
			err = rows.Scan(to...)
			var b strings.Builder
			for i, v := range values {
				if raw, ok := v.([]byte); ok {
					v = string(raw)
				}
				fmt.Fprintf(&b, "%s=%v ", columns[i], v)
			}
			return b.String(), err
		}, `SELECT * FROM `+name)
	}
	return all
}

// fullLife gives an account something in every table that has a place for it.
func fullLife(t *testing.T, s *store.Store, u account.User, other listing.Post) {
	t.Helper()
	by := actor(u.ID)
	by.Once = account.Once{Key: "marker-key", Route: "POST /api/carposts/", RequestHash: "h"}
	p := aPost(u.ID)
	p.Description = "marker-description"
	p, _, err := s.CreatePost(t.Context(), by, p, 0)
	must(t, err)
	must(t, s.KeepAnswer(t.Context(), by, account.Answer{Status: 201, Body: []byte("marker-answer")}))
	by.Once = account.Once{}
	_, err = s.UpdatePost(t.Context(), by, p.ID, func(p *listing.Post, _ *listing.Effects) error { p.Contact = "marker-contact"; return nil })
	must(t, err)
	e := anEntry(u.ID, calendar.On(noon))
	e.Note, e.Items[0].Note = "marker-note", "marker-item"
	_, _, err = s.CreateEntries(t.Context(), by, []earnings.Entry{e})
	must(t, err)
	d := aDocument(u.ID)
	d.Title = "marker-title"
	d, _, err = s.CreateDocument(t.Context(), by, d, 0)
	must(t, err)
	must(t, s.Remind(t.Context(), d.ID, func(document.Reminder) document.Verdict {
		left := 1
		return document.Verdict{Done: []int{30}, Mail: &account.Mail{Kind: account.MailDocumentReminder, UserID: &u.ID, DocumentID: &d.ID, DaysLeft: &left}}
	}))
	session, err := s.CreateSession(t.Context(), account.Session{
		UserID: u.ID, Kind: account.SessionAPI, Device: "marker-device", Address: "203.0.113.7",
		CreatedAt: noon, LastUsedAt: noon, IdleUntil: noon.Add(time.Hour), ExpiresAt: noon.Add(time.Hour),
	}, []byte("marker-refresh"), u.PasswordHash)
	must(t, err)
	_, err = s.RotateRefresh(t.Context(), []byte("marker-refresh"), []byte("marker-successor"), noon, noon.Add(time.Hour), time.Second)
	must(t, err)
	must(t, s.CreateToken(t.Context(), firstMail(t, s), account.Token{
		Hash: []byte("marker-token"), UserID: u.ID, Purpose: account.PurposeReset, Address: "marker@example.com", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
	}))
	must(t, s.SetFavorite(t.Context(), by, other.ID, true, noon))
	must(t, s.CreateReport(t.Context(), by, listing.Report{PostID: other.ID, ReporterID: u.ID, Reason: "marker-reason", Text: "marker-text", At: noon}))
	must(t, s.QueueMail(t.Context(), account.Mail{Kind: account.MailReset, Address: "MARKER@example.com"})) // asked for by whoever
	_, err = s.UpdateUser(t.Context(), by, u.ID, func(u *account.User, fx *account.Effects) error {
		fx.Mails = []account.Mail{{Kind: account.MailConfirmNew, UserID: &u.ID, Address: "marker2@example.com"}}
		return nil
	})
	must(t, err)
	exec(t, s, `INSERT INTO staff_group (id, name, created_at, updated_at) VALUES (1, 'editors', $1, $1)`, noon)
	exec(t, s, `INSERT INTO staff_group_member (group_id, account_id) VALUES (1, $1)`, u.ID)
	exec(t, s, `UPDATE report SET resolved_by = $1`, u.ID)
	exec(t, s, `INSERT INTO upload (owner_id, post_id, state, upload_key, file_name, content_type, size, created_at, updated_at)
		VALUES ($1, $2, 'ready', 'random', 'car.jpg', 'image/jpeg', 1, $3, $3)`, u.ID, p.ID, noon)
	_ = session
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestErase_D13(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		other := newUser(t, s, "other@example.com")
		kept := newPost(t, s, other.ID, nil)
		u := newUser(t, s, "marker@example.com")
		fullLife(t, s, u, kept)
		columns := ownerColumns(t, s)
		for where := range columns {
			if where != "erased_account.account_id" && count(t, s, countOwned(where), u.ID) == 0 {
				t.Errorf("the test leaves %s empty, so it proves nothing about it", where)
			}
		}

		err := s.DeleteUser(t.Context(), actor(u.ID), u.ID, func(account.User, account.Settings) error { return errStop }, nil)
		if !errors.Is(err, errStop) || count(t, s, `SELECT count(*) FROM session`) != 1 {
			t.Fatalf("a refused erasure: %v, want %v and nothing gone", err, errStop)
		}
		must(t, s.DeleteUser(t.Context(), actor(u.ID), u.ID, func(account.User, account.Settings) error { return nil }, nil))

		for where := range columns {
			n := count(t, s, countOwned(where), u.ID)
			switch where {
			case "erased_account.account_id":
				if n != 1 {
					t.Errorf("erased_account has %d rows of the account, want 1", n)
				}
			case "history.owner_id": // who and when stay, see below
			default:
				if n != 0 {
					t.Errorf("%s still has %d rows of the erased account", where, n)
				}
			}
		}
		for table, rows := range dump(t, s) {
			for _, row := range rows {
				if strings.Contains(strings.ToLower(row), "marker") {
					t.Errorf("%s still holds something of the erased account: %s", table, row)
				}
			}
		}
		if n := count(t, s, `SELECT count(*) FROM history WHERE owner_id = $1 AND changes IS NOT NULL AND changes <> '{}'`, u.ID); n != 0 {
			t.Errorf("%d rows of history still have values of the erased account", n)
		}
		if n := count(t, s, `SELECT count(*) FROM history WHERE (owner_id = $1 OR actor_id = $1) AND address IS NOT NULL`, u.ID); n != 0 {
			t.Errorf("%d rows of history still have the address of the erased account", n)
		}
		rows := history(t, s, "user", u.ID)
		if last := rows[len(rows)-1]; last.Action != "delete" || last.Actor.Int64 != u.ID || len(rows) < 2 {
			t.Errorf("history of the erased account: %+v, want who and when to stay", rows)
		}
		// The person's things are gone, those of others are not, and the removal of
		// the stored objects is recorded (promises D12 and D13).
		if _, err := s.Post(t.Context(), kept.ID, other.ID); err != nil {
			t.Errorf("another's post: %v", err)
		}
		if n := count(t, s, `SELECT count(*) FROM purge WHERE object_key = 'random'`); n != 2 {
			t.Errorf("%d removals of what was uploaded are recorded, want 2: now, and when the permit has lapsed", n)
		}
		if n := count(t, s, `SELECT count(*) FROM purge WHERE whole AND object_key IN ($1, $2)`, fmt.Sprintf("ridecopilot/uploads/%d/", u.ID), fmt.Sprintf("ridecopilot/media/%d/", u.ID)); n != 4 {
			t.Errorf("%d removals of all that is below the account's prefixes are recorded, want 4", n)
		}
		// The same address may come again.
		newUser(t, s, "marker@example.com")
	})
}

// ownerColumns are the columns that name an account, as table.column.
func ownerColumns(t *testing.T, s *store.Store) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for name, tb := range tables(t, s) {
		for _, c := range tb.Columns {
			if slices.Contains([]string{"account_id", "owner_id", "resolved_by"}, c.Name) {
				found[name+"."+c.Name] = true
			}
		}
	}
	if len(found) < 12 {
		t.Fatalf("only %v name an account", slices.Sorted(maps.Keys(found)))
	}
	return found
}

func countOwned(where string) string {
	table, column, _ := strings.Cut(where, ".")
	return `SELECT count(*) FROM ` + table + ` WHERE ` + column + ` = $1`
}

// A farewell goes to the address that was; it stays until it has left, no longer.
func TestErase_Farewell(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		must(t, s.DeleteUser(t.Context(), actor(u.ID), u.ID, func(account.User, account.Settings) error { return nil },
			[]account.Mail{{Kind: account.MailAccountDeleted, Address: u.Email, Name: u.Name, Language: "ro"}}))
		var id int64
		must(t, s.Reader().QueryRowContext(t.Context(), `SELECT id FROM mail`).Scan(&id))
		m, err := s.Mail(t.Context(), id)
		if err != nil || m.Address != u.Email || m.Name != "Ana" || m.Language != "ro" || m.State != account.MailQueued {
			t.Errorf("the farewell is %+v, %v", m, err)
		}
		must(t, s.SetMailState(t.Context(), id, account.MailSent, "", noon))
		if m, err = s.Mail(t.Context(), id); err != nil || m.Address != "" || m.Name != "" {
			t.Errorf("after it was sent the farewell is %+v, %v, want no name and no address", m, err)
		}
	})
}

// What code forbids, the database forbids too.
func TestConstraints_D4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		p := newPost(t, s, u.ID, nil)
		e := newEntry(t, s, u.ID, calendar.On(noon))
		must(t, s.SetFavorite(t.Context(), actor(u.ID), p.ID, true, noon))
		for name, statement := range map[string]string{
			"two accounts, one mailbox":   `INSERT INTO account (name, email, email_key, password_hash, created_at, updated_at) VALUES ('B', 'x', 'ana@example.com', 'x', $1, $1)`,
			"post of nobody":              `UPDATE car_post SET owner_id = 4711 WHERE updated_at <= $1`,
			"entry of nobody":             `UPDATE entry SET owner_id = 4711 WHERE updated_at <= $1`,
			"document of nobody":          `INSERT INTO document (owner_id, type, title, number, issuer, description, remind_days, created_at, updated_at) VALUES (4711, 'other', '', '', '', '', '[]', $1, $1)`,
			"favourite twice":             `INSERT INTO favorite (account_id, post_id, created_at) SELECT account_id, post_id, $1 FROM favorite`,
			"favourite of no post":        `INSERT INTO favorite (account_id, post_id, created_at) SELECT id, 4711, $1 FROM account`,
			"session of nobody":           `INSERT INTO session (account_id, kind, device, address, created_at, last_used_at, idle_until, expires_at) VALUES (4711, 'api', '', '', $1, $1, $1, $1)`,
			"token without a hash":        `INSERT INTO mailed_token (hash, account_id, purpose, address, created_at, expires_at) SELECT NULL, id, 'reset', '', $1, $1 FROM account`,
			"item of no entry":            `INSERT INTO expense_item (entry_id, position, category, amount, note) SELECT 4711, 0, 'fuel', 1, CAST($1 AS text)`,
			"post without a make":         `UPDATE car_post SET make = NULL WHERE updated_at <= $1`,
			"two settings of one account": `INSERT INTO settings SELECT * FROM settings WHERE updated_at <= $1`,
		} {
			var arg any = noon
			if name == "item of no entry" {
				arg = "x"
			}
			if _, err := s.Writer().ExecContext(t.Context(), statement, arg); err == nil {
				t.Errorf("%s: the database took it", name)
			}
		}
		if _, err := s.Entry(t.Context(), u.ID, e.ID); err != nil {
			t.Error(err)
		}
	})
}

// What is gone by the time it is used is a fault that a client can act on.
func TestGoneMeanwhile_D4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		stranger := actor(4711)
		for name, tt := range map[string]struct {
			err  error
			want error
		}{
			"favourite of no post": {s.SetFavorite(t.Context(), actor(u.ID), 4711, true, noon), fault.NotFound},
			"report on no post":    {s.CreateReport(t.Context(), actor(u.ID), listing.Report{PostID: 4711, ReporterID: u.ID, At: noon}), fault.NotFound},
			"post of an erased account": {func() error {
				_, _, err := s.CreatePost(t.Context(), stranger, aPost(4711), 10)
				return err
			}(), fault.Unauthenticated},
			"document of an erased account": {func() error {
				_, _, err := s.CreateDocument(t.Context(), stranger, aDocument(4711), 10)
				return err
			}(), fault.Unauthenticated},
			"entry of an erased account": {func() error {
				_, _, err := s.CreateEntries(t.Context(), stranger, []earnings.Entry{anEntry(4711, calendar.On(noon))})
				return err
			}(), fault.Unauthenticated},
			"creation of an erased account, with a key": {func() error {
				by := stranger
				by.Once = account.Once{Key: "k", Route: "r", RequestHash: "h"}
				_, _, err := s.CreateEntries(t.Context(), by, []earnings.Entry{anEntry(4711, calendar.On(noon))})
				return err
			}(), fault.Unauthenticated},
			"session of an erased account": {func() error {
				_, err := s.CreateSession(t.Context(), account.Session{UserID: 4711, CreatedAt: noon}, nil, "x")
				return err
			}(), account.ErrBadCredentials},
		} {
			if !errors.Is(tt.err, tt.want) {
				t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
			}
		}
	})
}

// Another's private things are not there at all.
func TestOwner_Z1(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u, other := newUser(t, s, "ana@example.com"), newUser(t, s, "dan@example.com")
		e, d := newEntry(t, s, u.ID, calendar.On(noon)), newDocument(t, s, u.ID)
		session, err := s.CreateSession(t.Context(), account.Session{
			UserID: u.ID, Kind: account.SessionAPI, CreatedAt: noon, LastUsedAt: noon, IdleUntil: noon.Add(time.Hour), ExpiresAt: noon.Add(time.Hour),
		}, nil, u.PasswordHash)
		must(t, err)
		by := actor(other.ID)
		_, readEntry := s.Entry(t.Context(), other.ID, e.ID)
		_, changeEntry := s.UpdateEntry(t.Context(), by, other.ID, e.ID, func(*earnings.Entry) error { return nil })
		_, readDocument := s.Document(t.Context(), other.ID, d.ID)
		_, changeDocument := s.UpdateDocument(t.Context(), by, other.ID, d.ID, func(*document.Document, []int) error { return nil })
		for name, err := range map[string]error{
			"read entry": readEntry, "change entry": changeEntry,
			"delete entry":  s.DeleteEntry(t.Context(), by, other.ID, e.ID, func(earnings.Entry) error { return nil }),
			"read document": readDocument, "change document": changeDocument,
			"delete document": s.DeleteDocument(t.Context(), by, other.ID, d.ID, func(document.Document) error { return nil }),
			"end session":     s.EndSession(t.Context(), other.ID, session.ID, noon),
		} {
			if !errors.Is(err, fault.NotFound) {
				t.Errorf("%s of another: %v, want %v", name, err, fault.NotFound)
			}
		}
		if p, err := s.Entries(t.Context(), other.ID, earnings.Filter{}, earnings.Place{Limit: 10}); err != nil || len(p.Entries) != 0 || p.Count != 0 {
			t.Errorf("another's entries: %+v, %v", p, err)
		}
		if p, err := s.Documents(t.Context(), other.ID, document.Filter{}, calendar.On(noon), 10, 0); err != nil || len(p.Documents) != 0 || p.Count != 0 {
			t.Errorf("another's documents: %+v, %v", p, err)
		}
		if list, err := s.Sessions(t.Context(), other.ID, noon); err != nil || len(list) != 0 {
			t.Errorf("another's sessions: %+v, %v", list, err)
		}
		if p, err := s.Principal(t.Context(), session.ID); err != nil || p.Session.EndedAt != nil {
			t.Errorf("after another tried to end it the session is %+v, %v", p.Session, err)
		}
	})
}

// firstMail is the number of the message that a registration queued.
func firstMail(t *testing.T, s *store.Store) (id int64) {
	t.Helper()
	must(t, s.Reader().QueryRowContext(t.Context(), `SELECT min(id) FROM mail`).Scan(&id))
	return id
}

// What is made is what it differs in from nothing, to the byte.
func TestCreation(t *testing.T) {
	full := anEntry(1, 20_000).Details
	full.Note = "a \"b\": [{,}] <i> & \u2028 é \\ \n"
	full.Hours = new(fixed.Amount(950))
	post := aPost(1)
	for _, made := range []any{full, earnings.Details{}, post.Record(), listing.Record{}, aDocument(1).Details, account.User{Name: "Ana"}, struct{}{}} {
		got, err := store.Creation(made)
		must(t, err)
		want, err := store.Compared(made)
		must(t, err)
		if got != want {
			t.Errorf("of %T the history says\n%s, want\n%s", made, got, want)
		}
	}
	if got, err := store.Creation(make(chan int)); err == nil {
		t.Errorf("of a channel the history says %s", got)
	}
}

// A new post is answered as it will be read.
func TestCreatePost_AsRead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		for _, limit := range []int{0, 5} {
			p := aPost(u.ID)
			p.Consumption, p.Seats, p.Description = new(fixed.Amount(540)), new(5), "Curată.\n<b> & \"așa\""
			made, _, err := s.CreatePost(t.Context(), actor(u.ID), p, limit)
			must(t, err)
			read, err := s.Post(t.Context(), made.ID, u.ID)
			must(t, err)
			if !reflect.DeepEqual(made, read) || made.OwnerName != u.Name || !made.OwnerActive {
				t.Errorf("made %+v, read %+v", made, read)
			}
		}
	})
}
