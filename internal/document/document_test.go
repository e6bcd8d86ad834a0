package document_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

func day(t *testing.T, s string) *calendar.Day {
	t.Helper()
	if s == "" {
		return nil
	}
	d, err := calendar.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestStatus(t *testing.T) {
	today := *day(t, "2026-05-04")
	tests := []struct {
		expires string
		status  document.Status
		left    int
	}{
		{"", document.NoExpiry, 0},
		{"2020-01-01", document.Expired, -2315},
		{"2026-05-03", document.Expired, -1},
		{"2026-05-04", document.Expiring, 0}, // the last day it is valid
		{"2026-05-05", document.Expiring, 1},
		{"2026-06-03", document.Expiring, 30},
		{"2026-06-04", document.Valid, 31},
	}
	for _, tt := range tests {
		d := document.Details{ExpiresOn: day(t, tt.expires)}
		left := d.DaysLeft(today)
		if got := d.StatusOn(today); got != tt.status || (left == nil) != (tt.expires == "") || left != nil && *left != tt.left {
			t.Errorf("expires %q: %s, want %s and %d days", tt.expires, got, tt.status, tt.left)
		}
	}
}

func TestReminders_Due(t *testing.T) {
	const bucharest = "Europe/Bucharest"
	tests := []struct {
		name, expires string
		leads, done   []int
		zone, now     string
		due           []int
		nearest       int
		next          string // of what is not done before now; empty for none
	}{
		{"no expiry", "", []int{30}, nil, bucharest, "2026-05-04T09:00:00Z", nil, 0, ""},
		{"far away", "2026-12-31", []int{30, 7, 1}, nil, bucharest, "2026-05-04T09:00:00Z", nil, 0, "2026-12-01T06:00:00Z"},
		{"just before 08:00", "2026-06-03", []int{30}, nil, bucharest, "2026-05-04T04:59:59Z", nil, 0, "2026-05-04T05:00:00Z"},
		{"at 08:00", "2026-06-03", []int{30}, nil, bucharest, "2026-05-04T05:00:00Z", []int{30}, 30, "2026-05-04T05:00:00Z"},
		{"done", "2026-06-03", []int{30, 7, 1}, []int{30}, bucharest, "2026-05-04T09:00:00Z", nil, 0, "2026-05-27T05:00:00Z"},
		{"all done", "2026-05-05", []int{30, 7, 1}, []int{30, 7, 1}, bucharest, "2026-05-04T09:00:00Z", nil, 0, ""},
		{"missed, the nearest counts", "2026-05-09", []int{30, 7, 1}, nil, bucharest, "2026-05-04T09:00:00Z", []int{30, 7}, 7, "2026-05-04T05:00:00Z"},
		{"missed, in any order", "2026-05-04", []int{1, 30, 0, 7}, nil, bucharest, "2026-05-04T09:00:00Z", []int{1, 30, 0, 7}, 0, "2026-05-04T05:00:00Z"},
		{"missed, at night", "2026-05-09", []int{30, 7, 1}, nil, bucharest, "2026-05-04T03:00:00Z", nil, 0, "2026-05-04T05:00:00Z"},
		{"the last day", "2026-05-04", []int{0}, nil, bucharest, "2026-05-04T20:59:59Z", []int{0}, 0, "2026-05-04T05:00:00Z"},
		{"expired at midnight", "2026-05-04", []int{0}, nil, bucharest, "2026-05-04T21:00:00Z", nil, 0, ""},
		{"no leads", "2026-05-05", nil, nil, bucharest, "2026-05-04T09:00:00Z", nil, 0, ""},
		// 08:00 on the wall, whatever the clocks do.
		{"winter", "2026-02-01", []int{1}, nil, bucharest, "2026-01-01T00:00:00Z", nil, 0, "2026-01-31T06:00:00Z"},
		{"before spring", "2026-03-29", []int{1}, nil, bucharest, "2026-03-01T00:00:00Z", nil, 0, "2026-03-28T06:00:00Z"},
		{"on the day of spring", "2026-03-30", []int{1}, nil, bucharest, "2026-03-01T00:00:00Z", nil, 0, "2026-03-29T05:00:00Z"},
		{"spring, an hour early", "2026-03-30", []int{1}, nil, bucharest, "2026-03-29T04:59:59Z", nil, 0, "2026-03-29T05:00:00Z"},
		{"spring, due", "2026-03-30", []int{1}, nil, bucharest, "2026-03-29T05:00:00Z", []int{1}, 1, "2026-03-29T05:00:00Z"},
		{"before autumn", "2026-10-25", []int{1}, nil, bucharest, "2026-10-01T00:00:00Z", nil, 0, "2026-10-24T05:00:00Z"},
		{"on the day of autumn", "2026-10-26", []int{1}, nil, bucharest, "2026-10-25T05:59:59Z", nil, 0, "2026-10-25T06:00:00Z"},
		{"autumn, due", "2026-10-26", []int{1}, nil, bucharest, "2026-10-25T06:00:00Z", []int{1}, 1, "2026-10-25T06:00:00Z"},
		{"Auckland", "2026-05-06", []int{1}, nil, "Pacific/Auckland", "2026-05-04T19:59:59Z", nil, 0, "2026-05-04T20:00:00Z"},
		{"Auckland, due", "2026-05-06", []int{1}, nil, "Pacific/Auckland", "2026-05-04T20:00:00Z", []int{1}, 1, "2026-05-04T20:00:00Z"},
		{"New York", "2026-05-06", []int{1}, nil, "America/New_York", "2026-05-05T11:59:59Z", nil, 0, "2026-05-05T12:00:00Z"},
	}
	for _, tt := range tests {
		loc, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		d := document.Details{ExpiresOn: day(t, tt.expires), RemindDays: tt.leads}
		due, nearest := d.Due(tt.done, now, loc)
		if !slices.Equal(due, tt.due) || nearest != tt.nearest {
			t.Errorf("%s: due %v, nearest %d, want %v, %d", tt.name, due, nearest, tt.due, tt.nearest)
		}
		next := ""
		if at := d.NextReminder(tt.done, now, loc); at != nil {
			next = at.Format(time.RFC3339)
		}
		if next != tt.next {
			t.Errorf("%s: next %q, want %q", tt.name, next, tt.next)
		}
	}
}

// folder is a service for one driver, with a clock.
type folder struct {
	*document.Service
	t  *testing.T
	s  *store.Store
	by account.Actor
	at time.Time
}

func newFolder(t *testing.T, s *store.Store) *folder {
	t.Helper()
	f := &folder{t: t, s: s, at: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)}
	u, err := s.CreateUser(t.Context(), account.Actor{}, account.User{
		Name: "Ana", Email: "ana@example.com", PasswordHash: "x", Active: true, EmailVerifiedAt: &f.at, CreatedAt: f.at, UpdatedAt: f.at,
	}, account.DefaultSettings(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.by = account.Actor{ID: u.ID, Source: account.SourceAPI}
	f.Service = document.NewService(s, s, func() time.Time { return f.at })
	return f
}

func (f *folder) file(expires string, leads ...int) document.Document {
	f.t.Helper()
	d, _, err := f.Create(f.t.Context(), f.by, document.Details{Type: "insurance", Title: "RCA", ExpiresOn: day(f.t, expires), RemindDays: leads}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// run sends the reminders at a moment and returns the days left that mails tell of.
func (f *folder) run(at string) []int {
	f.t.Helper()
	now, err := time.Parse(time.RFC3339, at)
	if err != nil {
		f.t.Fatal(err)
	}
	f.at = now
	var last int64
	if err := f.s.Reader().QueryRowContext(f.t.Context(), `SELECT COALESCE(max(id), 0) FROM mail`).Scan(&last); err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.SendReminders(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	rows, err := f.s.Reader().QueryContext(f.t.Context(), `SELECT days_left FROM mail WHERE kind = 'document_reminder' AND id > $1 ORDER BY id`, last)
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close()
	var left []int
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			f.t.Fatal(err)
		}
		left = append(left, n)
	}
	if err := rows.Err(); err != nil {
		f.t.Fatal(err)
	}
	return left
}

func (f *folder) wants(at string, want ...int) {
	f.t.Helper()
	if got := f.run(at); !slices.Equal(got, want) {
		f.t.Errorf("at %s mails go out for %v days left, want %v", at, got, want)
	}
}

func TestSendReminders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := newFolder(t, s)
		d := f.file("2026-06-10", 30, 7, 1)
		f.wants("2026-05-10T09:00:00Z")
		f.wants("2026-05-11T04:59:59Z")
		f.wants("2026-05-11T05:00:00Z", 30)
		f.wants("2026-05-11T05:00:00Z") // once
		f.wants("2026-05-11T12:00:00Z")
		f.wants("2026-06-03T05:00:00Z", 7)
		f.wants("2026-06-09T23:00:00Z") // it is the 10th there, and night
		f.wants("2026-06-10T05:00:00Z", 0)
		f.wants("2026-06-11T05:00:00Z")
		got, err := f.Document(t.Context(), f.by, d.ID)
		if err != nil || got.NextReminderAt != nil || got.Revision != 1 {
			t.Errorf("in the end: next %v, revision %d, %v, want none and the first", got.NextReminderAt, got.Revision, err)
		}
	})
}

// After a long downtime only the nearest lead is told of.
func TestSendReminders_Downtime(t *testing.T) {
	f := newFolder(t, storetest.New(t))
	f.file("2026-06-10", 30, 14, 7, 1)
	f.wants("2026-06-05T09:00:00Z", 5)
	f.wants("2026-06-05T10:00:00Z")
	f.wants("2026-06-09T05:00:00Z", 1)
	f.file("2026-07-10", 30, 7)
	f.wants("2026-07-11T09:00:00Z") // too late for any
}

// A new expiry starts anew; an old one that comes back does not.
func TestRevise_Expiry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := newFolder(t, s)
		d := f.file("2026-06-03", 30, 7, 1)
		f.wants("2026-05-04T09:00:00Z", 30)
		set := func(change func(*document.Details)) {
			t.Helper()
			if _, err := f.Revise(t.Context(), f.by, d.ID, nil, func(d *document.Details) fault.Fields { change(d); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		set(func(d *document.Details) { d.Title = "CASCO" })
		f.wants("2026-05-04T09:01:00Z")
		set(func(d *document.Details) { d.ExpiresOn = day(t, "2026-06-02") })
		f.wants("2026-05-04T09:02:00Z", 29)
		set(func(d *document.Details) { d.ExpiresOn = day(t, "2026-06-03") })
		f.wants("2026-05-04T09:03:00Z")
		set(func(d *document.Details) { d.RemindDays = []int{60, 30} }) // the longer lead was missed
		f.wants("2026-05-04T09:04:00Z", 30)
		set(func(d *document.Details) { d.ExpiresOn = nil })
		f.wants("2026-06-02T09:00:00Z")
		set(func(d *document.Details) { d.ExpiresOn, d.RemindDays = day(t, "2027-06-03"), []int{30} })
		f.wants("2027-05-04T05:00:00Z", 30)
	})
}

// Who moved has another morning.
func TestZoneChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := newFolder(t, s)
		d := f.file("2026-06-10", 7)
		set := account.DefaultSettings()
		set.TimeZone = "Pacific/Auckland"
		if _, err := s.UpdateSettings(t.Context(), f.by, f.by.ID, func(to *account.Settings) error {
			to.TimeZone, to.UpdatedAt = set.TimeZone, f.at
			return nil
		}, nil); err != nil {
			t.Fatal(err)
		}
		f.wants("2026-05-04T09:05:00Z")
		got, err := f.Document(t.Context(), f.by, d.ID)
		want := time.Date(2026, 6, 2, 20, 0, 0, 0, time.UTC)
		if err != nil || got.NextReminderAt == nil || !got.NextReminderAt.Equal(want) {
			t.Errorf("the next reminder is due at %v, %v, want %v", got.NextReminderAt, err, want)
		}
		f.wants("2026-06-02T19:59:59Z")
		f.wants("2026-06-02T20:00:00Z", 7)
	})
}

// Who wants no mails gets none, and none later for what was due meanwhile.
func TestSendReminders_OptedOut(t *testing.T) {
	f := newFolder(t, storetest.New(t))
	f.file("2026-06-10", 30, 1)
	remind := func(on bool) {
		if _, err := f.s.UpdateSettings(t.Context(), f.by, f.by.ID, func(to *account.Settings) error {
			to.EmailReminders = on
			return nil
		}, nil); err != nil {
			t.Fatal(err)
		}
	}
	remind(false)
	f.wants("2026-05-11T05:00:00Z")
	remind(true)
	f.wants("2026-05-11T06:00:00Z")
	f.wants("2026-06-09T05:00:00Z", 1)
}

// A reminder waits for an owner who cannot be reached, and comes once they can:
// their address is confirmed, or their account active again. The kind: no lead is
// done with whose mail did not leave.
func TestSendReminders_Unreachable(t *testing.T) {
	for _, tt := range []struct{ name, away, back string }{
		{"address not confirmed", `UPDATE account SET email_verified_at = NULL`, `UPDATE account SET email_verified_at = created_at`},
		{"account not active", `UPDATE account SET is_active = FALSE`, `UPDATE account SET is_active = TRUE`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				f := newFolder(t, s)
				accounts := account.NewService(s, account.Options{Now: func() time.Time { return f.at }})
				exec := func(query string) {
					t.Helper()
					if _, err := s.Writer().ExecContext(t.Context(), query); err != nil {
						t.Fatal(err)
					}
				}
				prepare := func() bool {
					t.Helper()
					var id int64
					if err := s.Reader().QueryRowContext(t.Context(), `SELECT max(id) FROM mail`).Scan(&id); err != nil {
						t.Fatal(err)
					}
					_, ok, err := accounts.PrepareMail(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					return ok
				}
				f.file("2026-06-10", 30, 7, 1)

				// Away when it comes due: nothing is queued, and the lead waits.
				exec(tt.away)
				f.wants("2026-05-11T05:00:00Z")
				f.wants("2026-05-12T05:00:00Z")
				exec(tt.back)
				f.wants("2026-05-20T12:00:00Z", 21)
				f.wants("2026-05-20T12:05:00Z")

				// Away when the mail is to leave: the lead is taken back with it.
				f.wants("2026-06-03T05:00:00Z", 7)
				exec(tt.away)
				if prepare() {
					t.Error("a mail leaves to an owner who cannot be reached")
				}
				f.wants("2026-06-03T06:00:00Z")
				exec(tt.back)
				f.wants("2026-06-04T06:00:00Z", 6)
				if !prepare() {
					t.Error("no mail leaves to an owner who can be reached")
				}
				f.wants("2026-06-04T06:05:00Z")

				// Away until the document has expired: nothing comes for what is over.
				exec(tt.away)
				f.wants("2026-06-09T05:00:00Z")
				exec(tt.back)
				f.wants("2026-06-11T05:00:00Z")
			})
		})
	}
}

func TestCreate_Rules_Z8(t *testing.T) {
	f := newFolder(t, storetest.New(t))
	tests := []struct {
		name   string
		change func(*document.Details)
		field  string
	}{
		{"plain", func(*document.Details) {}, ""},
		{"type", func(d *document.Details) { d.Type = "passport" }, "type"},
		{"title", func(d *document.Details) { d.Title = strings.Repeat("ș", 255) }, ""},
		{"long title", func(d *document.Details) { d.Title = strings.Repeat("ș", 256) }, "title"},
		{"control character", func(d *document.Details) { d.Number = "1\x00" }, "number"},
		{"long description", func(d *document.Details) { d.Description = strings.Repeat("x", 5001) }, "description"},
		{"same day", func(d *document.Details) { d.IssuedOn, d.ExpiresOn = day(t, "2026-05-04"), day(t, "2026-05-04") }, ""},
		{"expired before it was issued", func(d *document.Details) { d.IssuedOn, d.ExpiresOn = day(t, "2026-05-05"), day(t, "2026-05-04") }, "expires_on"},
		{"leads", func(d *document.Details) { d.RemindDays = []int{0, 365} }, ""},
		{"negative lead", func(d *document.Details) { d.RemindDays = []int{-1} }, "remind_days"},
		{"long lead", func(d *document.Details) { d.RemindDays = []int{366} }, "remind_days"},
		{"many leads", func(d *document.Details) { d.RemindDays = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11} }, "remind_days"},
		{"the same lead often", func(d *document.Details) { d.RemindDays = []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7} }, ""},
	}
	for _, tt := range tests {
		d := document.Details{Type: "other"}
		tt.change(&d)
		got, _, err := f.Create(t.Context(), f.by, d, nil)
		if fa := fault.As(err); tt.field == "" && err != nil || tt.field != "" && (fa == nil || len(fa.Fields) != 1 || fa.Fields[0].Field != tt.field) {
			t.Errorf("%s: %v, want %q to be bad", tt.name, err, tt.field)
		}
		if tt.name == "the same lead often" && !slices.Equal(got.RemindDays, []int{7, 1}) {
			t.Errorf("leads are kept as %v, want each once, the longest first", got.RemindDays)
		}
	}
	for i := 5; i < document.MaxDocuments; i++ {
		f.file("")
	}
	if _, _, err := f.Create(t.Context(), f.by, document.Details{Type: "other"}, nil); !errors.Is(err, document.ErrTooMany) {
		t.Errorf("the 101st document: %v, want %v", err, document.ErrTooMany)
	}
}

func TestDocuments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := newFolder(t, s)
		for _, e := range []string{"", "2026-06-04", "2026-06-03", "2026-05-04", "2026-05-03"} {
			f.file(e)
		}
		for _, tt := range []struct {
			f    document.Filter
			want string
		}{
			{document.Filter{}, "[2026-05-03 2026-05-04 2026-06-03 2026-06-04 <nil>]"},
			{document.Filter{Status: document.Expired}, "[2026-05-03]"},
			{document.Filter{Status: document.Expiring}, "[2026-05-04 2026-06-03]"},
			{document.Filter{Status: document.Valid}, "[2026-06-04]"},
			{document.Filter{Status: document.NoExpiry}, "[<nil>]"},
			{document.Filter{Alerts: true}, "[2026-05-03 2026-05-04 2026-06-03]"},
			{document.Filter{Type: "contract"}, "[]"},
		} {
			p, today, err := f.Documents(t.Context(), f.by, tt.f, 10, 0)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range p.Documents {
				text := "<nil>"
				if d.ExpiresOn != nil {
					text = d.ExpiresOn.String()
				}
				got = append(got, text)
				if tt.f.Status != "" && d.StatusOn(today) != tt.f.Status {
					t.Errorf("%+v lists a document that is %s", tt.f, d.StatusOn(today))
				}
			}
			if fmt.Sprint(got) != tt.want || p.Count != len(got) {
				t.Errorf("%+v lists %v and counts %d, want %s", tt.f, got, p.Count, tt.want)
			}
		}
	})
}

// An operator finds anybody's document, and the history tells who has opened it.
func TestFindAndOpened_B9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := newFolder(t, s)
		d := f.file("2026-06-10", 7)
		u, err := s.CreateUser(t.Context(), account.Actor{}, account.User{Name: "Eva", Email: "eva@example.com", PasswordHash: "x", Active: true, CreatedAt: f.at, UpdatedAt: f.at}, account.DefaultSettings(), nil)
		if err != nil {
			t.Fatal(err)
		}
		eva := account.Actor{ID: u.ID, Source: account.SourceAdmin, Manages: true, Address: "203.0.113.9"}
		if got, err := f.Find(t.Context(), eva, d.ID); err != nil || got.ID != d.ID || got.OwnerID != f.by.ID {
			t.Errorf("Find = %+v, %v", got, err)
		}
		for who, by := range map[string]account.Actor{"the owner": f.by, "another": {ID: u.ID}} {
			if _, err := f.Find(t.Context(), by, d.ID); !errors.Is(err, document.ErrNotFound) {
				t.Errorf("Find by %s = %v, want %v", who, err, document.ErrNotFound)
			}
			if err := f.Opened(t.Context(), by, d.ID, "file"); !errors.Is(err, document.ErrNotFound) {
				t.Errorf("Opened by %s = %v, want %v", who, err, document.ErrNotFound)
			}
		}
		if err := f.Opened(t.Context(), eva, 4711, "file"); !errors.Is(err, document.ErrNotFound) {
			t.Errorf("Opened of none = %v, want %v", err, document.ErrNotFound)
		}
		staff := f.by // looks at papers of their own
		staff.Manages = true
		for _, by := range []account.Actor{eva, staff} {
			if err := f.Opened(t.Context(), by, d.ID, "file"); err != nil {
				t.Error(err)
			}
		}
		var n int
		var changes string
		if err := s.Reader().QueryRowContext(t.Context(), `
			SELECT count(*), max(changes) FROM history
			WHERE action = 'open' AND object_type = 'document' AND object_id = $1 AND actor_id = $2 AND owner_id = $3 AND source = 'admin' AND address = '203.0.113.9'`,
			d.ID, eva.ID, f.by.ID).Scan(&n, &changes); err != nil || n != 1 || changes != `{"what":[null,"file"]}` {
			t.Errorf("%d records with %s, %v", n, changes, err)
		}
		if err := s.Reader().QueryRowContext(t.Context(), `SELECT count(*) FROM history WHERE action = 'open'`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d records of openings, %v, want none of an owner's", n, err)
		}
	})
}
