package djangoimport_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/djangoimport"
	"github.com/ridecopilot/ridecopilot/internal/djangoimport/djangotest"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/legacy"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// world is an older database and an empty one of ours.
type world struct {
	*testing.T
	old   *djangotest.DB
	store *store.Store
	odd   []djangoimport.Oddity // of the last import
}

// each runs a test on both engines as the target; the source is PostgreSQL.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		test(t, &world{T: t, old: djangotest.New(t, storetest.PostgresURL(t, false)), store: s})
	})
}

var errDryRun = errors.New("dry run")

// run imports as the command does.
func (w *world) run(ctx context.Context, o djangoimport.Options) (report djangoimport.Report, err error) {
	w.Helper()
	from, err := djangoimport.Open(ctx, w.old.URL)
	if err != nil {
		w.Fatal(err)
	}
	defer from.Close(ctx)
	w.odd = nil
	o.Oddity = func(odd djangoimport.Oddity) error {
		w.odd = append(w.odd, odd)
		return nil
	}
	err = w.store.Import(ctx, func(into *store.Import) error {
		var err error
		if report, err = djangoimport.Run(ctx, from, into, o); err == nil && o.DryRun {
			return errDryRun
		}
		return err
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return report, err
}

// must imports and fails the test when that fails.
func (w *world) must() djangoimport.Report {
	w.Helper()
	report, err := w.run(w.Context(), djangoimport.Options{})
	if err != nil {
		w.Fatal(err)
	}
	return report
}

func (w *world) count(table string) (n int) {
	w.Helper()
	if err := w.store.Reader().QueryRowContext(w.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *world) user(id int64) account.User {
	w.Helper()
	u, err := w.store.User(w.Context(), id)
	if err != nil {
		w.Fatalf("user %d: %v", id, err)
	}
	return u
}

func (w *world) post(id int64) listing.Post {
	w.Helper()
	p, err := w.store.Post(w.Context(), id, 0)
	if err != nil {
		w.Fatalf("post %d: %v", id, err)
	}
	return p
}

func (w *world) entry(owner, id int64) earnings.Entry {
	w.Helper()
	e, err := w.store.Entry(w.Context(), owner, id)
	if err != nil {
		w.Fatalf("entry %d: %v", id, err)
	}
	return e
}

// hears checks that the import told of these oddities and of no others.
func (w *world) hears(want ...djangoimport.Oddity) {
	w.Helper()
	for _, o := range want {
		if !slices.Contains(w.odd, o) {
			w.Errorf("the report does not have %+v", o)
		}
	}
	for _, o := range w.odd {
		if !slices.Contains(want, o) {
			w.Errorf("the report has %+v, which is not odd", o)
		}
	}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// person adds a plain person and returns the id.
func (w *world) person(id int64, email string) {
	w.Helper()
	w.old.Exec(w, `INSERT INTO rideauth_user (id, password, name, email) VALUES ($1, $2, $3, $4)`, id, djangotest.Hash(w, "a good password"), "Ana", email)
}

func TestUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hash := djangotest.Hash(t, "a good password")
		w.old.Exec(t, `
			INSERT INTO rideauth_user (id, password, last_login, is_superuser, is_staff, is_active, date_joined, name, first_name, last_name, username, email) VALUES
			(3, $1, '2024-05-01 12:00:00.123456+03', true, true, true, '2022-03-01 10:00:00.654321+02', 'Ana Pop', '', '', NULL, 'Ana@Example.com'),
			(5, $1, NULL, false, true, false, '2022-03-02 00:00:00+00', '', 'Dan', 'Ionescu', NULL, 'dan@example.com'),
			(6, $1, NULL, false, false, true, '2022-03-02 00:00:00+00', NULL, '', '', 'mihai', 'm.i@example.com'),
			(7, $1, NULL, false, false, true, '2022-03-02 00:00:00+00', ' ', '', '', '', 'ioana@example.com'),
			(8, '!x9', NULL, false, false, true, '2022-03-02 00:00:00+00', 'Four 🚕 bytes', '', '', '', 'taxi@example.com'),
			(9, 'md5$a$b', NULL, false, false, true, NULL, E'Bell\x07 and\nline', '', '', '', 'bell@example.com'),
			(11, $1, NULL, false, false, true, '2022-03-02 00:00:00+00', repeat('é', 300), '', '', '', 'șofer@example.com'),
			(12, $1, NULL, false, false, true, '2022-03-02 00:00:00+00', '', '', '', '', '')`, hash)
		report := w.must()
		if want := (djangoimport.Counts{Read: 8, Taken: 8}); report.Users != want {
			t.Errorf("users: %+v, want %+v", report.Users, want)
		}
		joined, login := at("2022-03-01T08:00:00.654321Z"), at("2024-05-01T09:00:00.123456Z")
		got := w.user(3)
		for _, c := range []struct {
			name string
			got  *time.Time
			want time.Time
		}{{"verified", got.EmailVerifiedAt, joined}, {"last login", got.LastLoginAt, login}, {"joined", &got.CreatedAt, joined}, {"updated", &got.UpdatedAt, joined}} {
			if c.got == nil || !c.got.Equal(c.want) {
				t.Errorf("user 3, %s: %v, want %v", c.name, c.got, c.want)
			}
		}
		got.EmailVerifiedAt, got.LastLoginAt, got.CreatedAt, got.UpdatedAt = nil, nil, time.Time{}, time.Time{}
		if want := (account.User{
			ID: 3, Name: "Ana Pop", Email: "Ana@example.com", PasswordHash: hash, Active: true, Staff: true, Superuser: true, Version: 1,
		}); got != want {
			t.Errorf("user 3 = %+v, want %+v", got, want)
		}
		for id, want := range map[int64]string{
			5: "Dan Ionescu", 6: "mihai", 7: "ioana", 8: "Four 🚕 bytes", 9: "Bell and line", 11: strings.Repeat("é", 255), 12: "Driver 12",
		} {
			if got := w.user(id).Name; got != want {
				t.Errorf("name of user %d = %q, want %q", id, got, want)
			}
		}
		for id, want := range map[int64]bool{3: true, 5: false, 6: true, 7: true, 8: true, 9: true, 11: false, 12: false} {
			u := w.user(id)
			if u.Active != want || u.Verified() != (u.Email != "") {
				t.Errorf("user %d: active %v, verified %v, want active %v", id, u.Active, u.Verified(), want)
			}
			set, err := w.store.Settings(t.Context(), id)
			if def := account.DefaultSettings(); err != nil || set.Language != def.Language || set.Currency != def.Currency || set.TimeZone != def.TimeZone || !set.EmailReminders {
				t.Errorf("settings of user %d = %+v, %v", id, set, err)
			}
		}
		w.hears(
			djangoimport.Oddity{Table: "rideauth_user", ID: 8, Column: "password", Text: "unusable", Stored: "kept; nobody can sign in with it", Kind: djangoimport.PasswordLost},
			djangoimport.Oddity{Table: "rideauth_user", ID: 9, Column: "password", Text: "md5", Stored: "kept; nobody can sign in with it", Kind: djangoimport.PasswordLost},
			djangoimport.Oddity{Table: "rideauth_user", ID: 9, Column: "date_joined", Text: "", Stored: "1970-01-01", Kind: djangoimport.NoTime},
			djangoimport.Oddity{Table: "rideauth_user", ID: 9, Column: "name", Text: "Bell\x07 and\nline", Stored: "Bell and line", Kind: djangoimport.TextCleaned},
			djangoimport.Oddity{Table: "rideauth_user", ID: 11, Column: "name", Text: strings.Repeat("é", 300), Stored: strings.Repeat("é", 255), Kind: djangoimport.TextCut},
			djangoimport.Oddity{Table: "rideauth_user", ID: 11, Column: "email", Text: "șofer@example.com", Stored: "null", Kind: djangoimport.AddressInvalid},
			djangoimport.Oddity{Table: "rideauth_user", ID: 12, Column: "email", Text: "", Stored: "null", Kind: djangoimport.AddressInvalid},
		)
	})
}

// Of addresses that differ only in case the account that signed in last keeps
// it, the others come in inactive and without one (promise T8).
func TestTwins_T8(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Exec(t, `
			INSERT INTO rideauth_user (id, password, last_login, name, email) VALUES
			(1, 'x', '2023-01-01', 'A', 'ana@example.com'), (2, 'x', '2024-01-01', 'B', 'ANA@example.com'), (3, 'x', NULL, 'C', 'Ana@Example.COM'),
			(4, 'x', NULL, 'D', 'dan@example.com'), (5, 'x', NULL, 'E', 'Dan@example.com')`)
		// Twins that are far apart, so that they are not in one batch.
		w.old.Exec(t, `INSERT INTO rideauth_user (id, password, name, email) SELECT n, 'x', 'F', 'f' || n || '@example.com' FROM generate_series(10, 2500) n`)
		w.old.Exec(t, `INSERT INTO rideauth_user (id, password, name, email) VALUES (3000, 'x', 'G', 'F10@example.com')`)
		report := w.must()
		if report.Users.Taken != 2497 || report.Oddities[djangoimport.AddressShared] != 4 {
			t.Errorf("%d users, %d twins, want 2497 and 4", report.Users.Taken, report.Oddities[djangoimport.AddressShared])
		}
		for id, want := range map[int64]string{1: "", 2: "ANA@example.com", 3: "", 4: "dan@example.com", 5: "", 10: "f10@example.com", 3000: ""} {
			if u := w.user(id); u.Email != want || u.Active != (want != "") {
				t.Errorf("user %d has the address %q (active %v), want %q", id, u.Email, u.Active, want)
			}
		}
	})
}

func show(v any) string {
	switch n := v.(type) {
	case *int:
		if n != nil {
			return fmt.Sprint(*n)
		}
	case *fixed.Amount:
		if n != nil {
			return legacy.Short(*n)
		}
	}
	return "null"
}

func TestPosts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person(1, "ana@example.com")
		w.old.Exec(t, `
			INSERT INTO ridecars_carpost (id, user_id, created_at, car_name, model, version, year, engine, fuel, body, transmission, gear_number, color,
				seat_number, door_number, milleage, power, mpg, description, emission_standard, location, contact, price) VALUES
			(10, 1, '2023-03-26 03:30:00+03', 'Škoda', 'Octavia', '', '2015', '1.6', 'Diesel', 'Sedan', 'Manual', '5', 'Alb', '5', '4', '84000', '105', '5.2',
				E'Two\nlines', 'Euro 5', 'București', '0700', '280'),
			(11, 1, '2023-03-26 00:30:00+00', 'A', 'B', NULL, '2015/2016', NULL, NULL, NULL, NULL, '5+2', NULL, '', NULL, 'about 80k', '140 CP', '5,2', NULL,
				NULL, NULL, NULL, '50 / day'),
			(12, 1, NULL, '🚗', 'B', '', '2015.0', '', '', '', '', ' 5', '', '5', '4', '84 000 km', '1.200', '1.200', E'a\x07b', '', '', '', '1.200'),
			(13, 1, '2023-03-26 00:30:00+00', repeat('x', 256), 'B', '', '', '', '', '', '', '', '', '', '', '', '', '', repeat('ț', 6000), '', E'here\tthere', '', '280 EUR'),
			(14, 1, '2023-03-26 00:30:00+00', 'A', 'B', '', '2020', '', '', '', '', 'CVT', '', 'five', '4/5', '52000 miles', '66 kW', '5-6', '', '', '', '', '280.50')`)
		report := w.must()
		if want := (djangoimport.Counts{Read: 5, Taken: 5}); report.Posts != want {
			t.Errorf("posts: %+v, want %+v", report.Posts, want)
		}
		p := w.post(10)
		d := listing.Details{
			Make: "Škoda", Model: "Octavia", Engine: "1.6", Fuel: "Diesel", Body: "Sedan", Transmission: "Manual", Color: "Alb", EmissionStandard: "Euro 5",
			Location: "București", Contact: "0700", Description: "Two\nlines", Offer: "rent", Currency: "EUR", Status: listing.StatusActive,
		}
		plain := p.Details
		plain.Year, plain.Gears, plain.Seats, plain.Doors, plain.MileageKM, plain.PowerHP, plain.Consumption, plain.Price = nil, nil, nil, nil, nil, nil, nil, nil
		if plain != d || p.OwnerID != 1 || !p.CreatedAt.Equal(at("2023-03-26T00:30:00Z")) || !p.UpdatedAt.Equal(p.CreatedAt) {
			t.Errorf("post 10 = %+v, want the details %+v", p, d)
		}
		for id, want := range map[int64]string{
			10: "2015 5 5 4 84000 105 5.2 280",
			11: "null null null null 80000 140 5.2 50",
			12: "2015 5 5 4 84000 1200 null 1200",
			13: "null null null null null null null 280",
		} {
			d := w.post(id).Details
			got := strings.Join([]string{show(d.Year), show(d.Gears), show(d.Seats), show(d.Doors), show(d.MileageKM), show(d.PowerHP), show(d.Consumption), show(d.Price)}, " ")
			if got != want {
				t.Errorf("the numbers of post %d are %s, want %s", id, got, want)
			}
		}
		if d := w.post(11).Details; d.PricePeriod == nil || *d.PricePeriod != "day" {
			t.Errorf("post 11 is for %v, want a day", show(d.PricePeriod))
		}
		if d := w.post(14).Details; d.Transmission != "CVT" || d.PricePlaces != 2 || *d.PowerHP != 90 || *d.MileageKM != 83686 {
			t.Errorf("post 14: %+v", d)
		}
		if d := w.post(13).Details; d.Make != strings.Repeat("x", 255) || d.Description != strings.Repeat("ț", 5000) || d.Location != "here there" {
			t.Errorf("post 13: %d and %d characters, %q", len([]rune(d.Make)), len([]rune(d.Description)), d.Location)
		}
		odd := func(id int64, column, text, stored string, kind djangoimport.Kind) djangoimport.Oddity {
			return djangoimport.Oddity{Table: "ridecars_carpost", ID: id, Column: column, Text: text, Stored: stored, Kind: kind}
		}
		w.hears(
			odd(11, "year", "2015/2016", "null", djangoimport.NumberLost), odd(11, "gear_number", "5+2", "null", djangoimport.NumberLost),
			odd(11, "milleage", "about 80k", "80000", djangoimport.NumberRead), odd(11, "power", "140 CP", "140", djangoimport.NumberRead),
			odd(11, "mpg", "5,2", "5.2", djangoimport.NumberRead), odd(11, "price", "50 / day", "50 day", djangoimport.NumberRead),
			odd(14, "gear_number", "CVT", "null", djangoimport.NumberRead), odd(14, "seat_number", "five", "5", djangoimport.NumberRead),
			odd(14, "door_number", "4/5", "null", djangoimport.NumberLost), odd(14, "milleage", "52000 miles", "83686", djangoimport.NumberRead),
			odd(14, "power", "66 kW", "90", djangoimport.NumberRead), odd(14, "mpg", "5-6", "5.5", djangoimport.NumberRead),
			odd(12, "created_at", "", "1970-01-01", djangoimport.NoTime), odd(12, "gear_number", " 5", "5", djangoimport.NumberRead),
			odd(12, "milleage", "84 000 km", "84000", djangoimport.NumberRead), odd(12, "power", "1.200", "1200", djangoimport.NumberRead),
			odd(12, "mpg", "1.200", "null", djangoimport.NumberLost), odd(12, "price", "1.200", "1200", djangoimport.NumberRead),
			odd(12, "description", "a\x07b", "ab", djangoimport.TextCleaned),
			odd(13, "car_name", strings.Repeat("x", 256), strings.Repeat("x", 255), djangoimport.TextCut),
			odd(13, "description", strings.Repeat("ț", 6000), strings.Repeat("ț", 5000), djangoimport.TextCut),
			odd(13, "location", "here\tthere", "here there", djangoimport.TextCleaned), odd(13, "price", "280 EUR", "280", djangoimport.NumberRead),
		)
		// They are found, as posts that were made here are.
		posts := listing.NewService(w.store, time.Now)
		found, err := posts.Posts(t.Context(), account.Actor{ID: 1}, listing.Filter{Words: []string{"skoda", "octavia", "bucuresti"}}, listing.Order{}, listing.Place{Limit: 10})
		if err != nil || len(found.Posts) != 1 || found.Posts[0].ID != 10 {
			t.Errorf("the search finds %+v, %v, want post 10", found.Posts, err)
		}
	})
}

func TestPhotos(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person(1, "ana@example.com")
		w.old.Exec(t, `INSERT INTO ridecars_carpost (id, user_id, car_name, model) VALUES (10, 1, 'A', 'B'), (11, 1, 'A', 'B'), (12, 99, 'A', 'B')`)
		w.old.Exec(t, `
			INSERT INTO rideposts_file (id, post_id, file, original_file_name, file_name, file_type, upload_finished_at) VALUES
			(1, 10, 'files/one.jpg', 'C:\me\one.JPG', 'one.jpg', 'image/jpeg', '2023-01-01 00:00:00+00'),
			(2, 10, 'files/never.jpg', 'never.jpg', 'x', 'image/jpeg', NULL),
			(3, 11, 'files/three.png', E'\x07', '', 'image/PNG', '2023-01-01 00:00:00+00'),
			(4, 10, 'files/four ș.webp', 'four.webp', 'x', '', '2023-01-02 00:00:00+00'),
			(5, NULL, 'files/five.jpg', 'five.jpg', 'x', 'image/jpeg', '2023-01-01 00:00:00+00'),
			(6, 12, 'files/six.jpg', 'six.jpg', 'x', 'image/jpeg', '2023-01-01 00:00:00+00'),
			(7, 10, '', 'seven.jpg', 'x', 'image/jpeg', '2023-01-01 00:00:00+00'),
			(8, 10, 'files/eight', 'eight.gif', 'x', 'image/gif', '2023-01-01 00:00:00+00')`)
		report := w.must()
		if want := (djangoimport.Counts{Read: 8, Taken: 4, LeftOut: 4}); report.Photos != want {
			t.Errorf("photos: %+v, want %+v", report.Photos, want)
		}
		var got []string
		for _, post := range []int64{10, 11} {
			for _, u := range w.post(post).Photos {
				got = append(got, fmt.Sprintf("%d %s %s %s %s %d", u.ID, u.State, u.LegacyKey, u.FileName, u.ContentType, u.OwnerID))
				if u.Folder != "" || u.UploadKey != "" || u.CompletedAt == nil || u.CompletedAt.Year() != 2023 {
					t.Errorf("photo %d = %+v", u.ID, u)
				}
			}
		}
		want := []string{
			"1 ready files/one.jpg one.JPG image/jpeg 1", "4 ready files/four ș.webp four.webp image/webp 1", "8 ready files/eight eight.gif image/jpeg 1",
			"3 ready files/three.png three.png image/png 1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("photos:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		odd := func(id int64, column, text string, kind djangoimport.Kind) djangoimport.Oddity {
			return djangoimport.Oddity{Table: "rideposts_file", ID: id, Column: column, Text: text, Stored: "left out", Kind: kind}
		}
		w.hears(
			djangoimport.Oddity{Table: "ridecars_carpost", ID: 12, Column: "user_id", Text: "99", Stored: "left out", Kind: djangoimport.OwnerMissing},
			odd(2, "upload_finished_at", "files/never.jpg", djangoimport.Unfinished), odd(5, "post_id", "", djangoimport.OwnerMissing),
			odd(6, "post_id", "12", djangoimport.OwnerMissing), odd(7, "upload_finished_at", "", djangoimport.Unfinished),
			djangoimport.Oddity{Table: "rideposts_file", ID: 8, Column: "file_type", Text: "image/gif", Stored: "image/jpeg", Kind: djangoimport.TypeUnknown},
		)
		ids, err := w.store.LegacyUploads(t.Context(), 0, 10)
		if err != nil || !slices.Equal(ids, []int64{1, 3, 4, 8}) {
			t.Errorf("LegacyUploads = %v, %v, want those that the job has to re-encode", ids, err)
		}
	})
}

// Photos that lie where the nightly comparison removes what it does not know are
// not taken for ours (promise D14).
func TestReservedKeys_D14(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person(1, "ana@example.com")
		w.old.Exec(t, `INSERT INTO ridecars_carpost (id, user_id, car_name, model) VALUES (10, 1, 'A', 'B')`)
		w.old.Exec(t, `INSERT INTO rideposts_file (id, post_id, file, file_type) VALUES (1, 10, 'ridecopilot/media/one.jpg', 'image/jpeg')`)
		_, err := w.run(t.Context(), djangoimport.Options{Reserved: []string{media.KeptPrefix(""), media.UploadsPrefix("")}})
		if f := fault.As(err); f == nil || !strings.Contains(f.Message, "S3_PREFIX") || w.count("account") != 0 {
			t.Errorf("import = %v, %d accounts, want a refusal that names S3_PREFIX", err, w.count("account"))
		}
		if _, err := w.run(t.Context(), djangoimport.Options{Reserved: []string{media.KeptPrefix("rc/"), media.UploadsPrefix("rc/")}}); err != nil {
			t.Error(err)
		}
	})
}

// The day of an entry is that of Romania's calendar, also around midnight and
// where the clocks change.
func TestEntries(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person(1, "ana@example.com")
		w.old.Exec(t, `
			INSERT INTO ridecalc_calculatorentry (id, user_id, pub_date, app_income, commission, expenses, earnings) VALUES
			(1, 1, '2023-07-01 20:59:59.999999+00', 100.00, 25, 10.50, 64),
			(2, 1, '2023-07-01 21:00:00+00', 100.01, 0, NULL, 100.01),
			(3, 1, '2023-01-01 21:59:59+00', -50, NULL, 20, -70),
			(4, 1, '2023-01-01 22:00:00+00', 10, 250, 0, NULL),
			(5, 1, '2023-03-26 00:59:59+00', 0, 0, 0, 0),
			(6, 1, '2023-10-29 00:30:00+00', 99999999.99, 100, 99999999.99, -99999999.99),
			(7, 1, '2023-10-28 21:30:00+00', 1, 99999999.99, 0, 1),
			(8, NULL, '2023-10-28 21:30:00+00', 1000, 0, 0, 0),
			(9, 77, '2023-10-28 21:30:00+00', 1000, 0, 0, 0)`)
		report := w.must()
		if want := (djangoimport.Counts{Read: 9, Taken: 7, LeftOut: 2}); report.Entries != want {
			t.Errorf("entries: %+v, want %+v", report.Entries, want)
		}
		for id, want := range map[int64]string{
			1: "2023-07-01 100.00 25.00 10.50 64.50 64", 2: "2023-07-02 100.01 0.00 0.00 100.01 100.01", 3: "2023-01-01 -50.00 0.00 20.00 -70.00 -70",
			4: "2023-01-02 10.00 250.00 0.00 -15.00 null", 5: "2023-03-26 0.00 0.00 0.00 0.00 0",
			6: "2023-10-29 99999999.99 100.00 99999999.99 -99999999.99 -99999999.99", 7: "2023-10-29 1.00 0.00 0.00 1.00 1",
		} {
			e := w.entry(1, id)
			got := strings.Join([]string{e.Date.String(), e.AppIncome.String(), e.Commission.String(), e.Expenses.String(), e.Earnings.String(), show(e.LegacyEarnings)}, " ")
			if got != want || e.Currency != "RON" || e.Tips != 0 {
				t.Errorf("entry %d = %s %s, want %s", id, got, e.Currency, want)
			}
		}
		for id, want := range map[int64][2]bool{1: {true, true}, 2: {true, false}, 3: {false, true}, 4: {true, true}} {
			if e := w.entry(1, id); e.CommissionGiven != want[0] || e.ExpensesGiven != want[1] {
				t.Errorf("entry %d: commission and expenses given: %v and %v, want %v", id, e.CommissionGiven, e.ExpensesGiven, want)
			}
		}
		if e := w.entry(1, 1); !e.CreatedAt.Equal(at("2023-07-01T20:59:59.999999Z")) || !e.UpdatedAt.Equal(e.CreatedAt) {
			t.Errorf("entry 1 was made at %v, want the very moment", e.CreatedAt)
		}
		w.hears(
			djangoimport.Oddity{Table: "ridecalc_calculatorentry", ID: 7, Column: "commission", Text: "99999999.99", Stored: "0.00", Kind: djangoimport.NumberLost},
			djangoimport.Oddity{Table: "ridecalc_calculatorentry", ID: 8, Column: "user_id", Text: "", Stored: "left out", Kind: djangoimport.OwnerMissing},
			djangoimport.Oddity{Table: "ridecalc_calculatorentry", ID: 9, Column: "user_id", Text: "77", Stored: "left out", Kind: djangoimport.OwnerMissing},
		)
		for _, want := range []struct{ column, older, taken, here string }{
			{"app_income", "100002161.00", "100000161.00", "100000161.00"},
			{"expenses", "100000030.49", "100000030.49", "100000030.49"},
			{"earnings", "-99999904.98", "-99999904.98", "-99999904.98"},
		} {
			i := slices.IndexFunc(report.Sums, func(s djangoimport.Sum) bool { return s.Column == want.column })
			if i < 0 {
				t.Fatalf("no sum of %s", want.column)
			}
			s := report.Sums[i]
			if s.Older.FloatString(2) != want.older || s.Taken.FloatString(2) != want.taken || s.Here.String() != want.here || s.Explained.Sign() != 0 {
				t.Errorf("%s = %s, %s, %s (%s explained), want %+v", s.Column, s.Older.FloatString(2), s.Taken.FloatString(2), s.Here, s.Explained, want)
			}
		}
	})
}

// Where the sums are text, or have more decimals, the report explains each
// difference.
func TestEntriesOfOtherTypes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person(1, "ana@example.com")
		w.old.Exec(t, `ALTER TABLE ridecalc_calculatorentry ALTER app_income TYPE text, ALTER expenses TYPE numeric(20, 4), ALTER earnings TYPE text`)
		w.old.Exec(t, `
			INSERT INTO ridecalc_calculatorentry (id, user_id, app_income, commission, expenses, earnings) VALUES
			(1, 1, '100', 0, 1.5, '5'), (2, 1, '1 200,50 lei', 0, 0.125, 'about 80'), (3, 1, 'much', 0, 0.135, ''), (4, 1, '-5.10', 0, 123456789.5, '7,25'),
			(5, 1, '1e3', 0, -0.0050, '-0'), (6, 1, '1,200', 0, 0, NULL)`)
		report := w.must()
		var got []string
		for id := range int64(6) {
			e := w.entry(1, id+1)
			got = append(got, fmt.Sprintf("%s %s %s", e.AppIncome, e.Expenses, show(e.LegacyEarnings)))
		}
		want := []string{"100.00 1.50 5", "1200.50 0.12 null", "0.00 0.14 null", "-5.10 0.00 7.25", "0.00 0.00 0", "0.00 0.00 null"}
		if !slices.Equal(got, want) {
			t.Errorf("entries:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		odd := func(id int64, column, text, stored string, kind djangoimport.Kind) djangoimport.Oddity {
			return djangoimport.Oddity{Table: "ridecalc_calculatorentry", ID: id, Column: column, Text: text, Stored: stored, Kind: kind}
		}
		w.hears(
			odd(2, "app_income", "1 200,50 lei", "1200.50", djangoimport.NumberRead), odd(2, "expenses", "0.1250", "0.12", djangoimport.NumberRounded),
			odd(2, "earnings", "about 80", "null", djangoimport.NumberLost), odd(3, "app_income", "much", "0.00", djangoimport.NumberLost),
			odd(3, "expenses", "0.1350", "0.14", djangoimport.NumberRounded), odd(4, "expenses", "123456789.5000", "0.00", djangoimport.NumberLost),
			odd(4, "earnings", "7,25", "7.25", djangoimport.NumberRead), odd(5, "app_income", "1e3", "0.00", djangoimport.NumberLost),
			odd(5, "expenses", "-0.0050", "0.00", djangoimport.NumberRounded), odd(6, "app_income", "1,200", "0.00", djangoimport.NumberLost),
		)
		for i, want := range []string{"1200.5", "-123456789.495", "7.25"} {
			r, _ := new(big.Rat).SetString(want)
			if s := report.Sums[i]; s.Explained.Cmp(r) != 0 {
				t.Errorf("the report explains %s of %s, want %s", s.Explained.FloatString(4), s.Column, want)
			}
		}
		var out bytes.Buffer
		report.Print(&out)
		for _, want := range []string{"1295.40", "123456791.255", "1.76", "the difference of -123456789.495"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %s in\n%s", want, out.String())
			}
		}
	})
}

// The source can be read by a role that may do nothing else, and is not written to.
func TestSourceIsOnlyRead(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Fill(t, 3, 4, 5)
		role := fmt.Sprintf("reader_%d", time.Now().UnixNano())
		w.old.Exec(t, `CREATE ROLE `+role+` LOGIN PASSWORD 'only reads'`)
		t.Cleanup(func() { w.old.Exec(t, `DROP OWNED BY `+role+`; DROP ROLE `+role) })
		w.old.Exec(t, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO `+role)
		u, err := url.Parse(w.old.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(role, "only reads")
		before := w.old.Text(t, `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::text FROM pg_stat_user_tables`)
		w.old.URL = u.String()
		if report := w.must(); report.Entries.Taken != 5 || report.Photos.Taken != 2 {
			t.Errorf("report = %+v", report)
		}
		if after := w.old.Text(t, `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::text FROM pg_stat_user_tables`); after != before {
			t.Errorf("%s rows were written, want %s", after, before)
		}
	})
}

// A second run adds what is missing and overwrites nothing.
func TestSecondRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Fill(t, 10, 20, 30)
		w.must()
		ana := account.Actor{ID: 2, Source: account.SourceAPI}
		name := "New Name"
		accounts := account.NewService(w.store, account.Options{Hasher: password.NewHasher(password.Params{}), Log: slog.New(slog.DiscardHandler)})
		if _, err := accounts.Revise(t.Context(), ana, nil, account.Edit{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.UpdatePost(t.Context(), ana, 1, func(p *listing.Post, _ *listing.Effects) error { p.Model = "Changed"; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := earnings.NewService(w.store, w.store, time.Now).Delete(t.Context(), account.Actor{ID: 2}, 1, nil); err != nil {
			t.Fatal(err)
		}
		w.old.Exec(t, `UPDATE rideauth_user SET name = 'Older'`)
		w.old.Exec(t, `INSERT INTO rideauth_user (id, password, name, email) VALUES (100, 'x', 'Late', 'late@example.com'), (101, 'x', 'Twin', 'DRIVER3@example.com')`)
		w.old.Exec(t, `INSERT INTO ridecars_carpost (id, user_id, car_name, model) VALUES (100, 100, 'A', 'B')`)
		w.old.Exec(t, `INSERT INTO ridecalc_calculatorentry (id, user_id, app_income, expenses, earnings) VALUES (100, 100, 12.34, 1.11, 11.23)`)
		w.old.Exec(t, `INSERT INTO rideposts_file (id, post_id, file, file_type) VALUES (100, 100, 'files/late.jpg', 'image/jpeg')`)
		report := w.must()
		for name, c := range map[string]struct{ got, want djangoimport.Counts }{
			"users":   {report.Users, djangoimport.Counts{Read: 12, Taken: 2, Known: 10}},
			"posts":   {report.Posts, djangoimport.Counts{Read: 21, Taken: 1, Known: 20}},
			"photos":  {report.Photos, djangoimport.Counts{Read: 11, Taken: 1, Known: 10}},
			"entries": {report.Entries, djangoimport.Counts{Read: 31, Taken: 1, Known: 29, LeftOut: 1}},
		} {
			if c.got != c.want {
				t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
			}
		}
		if u, p := w.user(2), w.post(1); u.Name != name || p.Model != "Changed" {
			t.Errorf("user 2 is %s and post 1 a %s: both were overwritten", u.Name, p.Model)
		}
		if u := w.user(101); u.Email != "" || u.Active {
			t.Errorf("the late twin is %+v", u)
		}
		if s := report.Sums[0]; s.Here.String() != "12.34" {
			t.Errorf("app_income taken in = %s, want 12.34", s.Here)
		}
		if report.Oddities[djangoimport.Deleted] != 1 || report.Oddities[djangoimport.AddressShared] != 1 {
			t.Errorf("oddities = %v", report.Oddities)
		}
		// And a third finds nothing to do.
		if again := w.must(); again.Users.Taken+again.Posts.Taken+again.Photos.Taken+again.Entries.Taken != 0 {
			t.Errorf("the third run took in %+v", again)
		}
	})
}

// An account that was erased here does not come back (promise D13).
func TestErasedStaysErased_D13(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Fill(t, 3, 3, 3)
		w.must()
		if err := w.store.DeleteUser(t.Context(), account.System(account.SourceCommand), 2, func(account.User, account.Settings) error { return nil }, nil); err != nil {
			t.Fatal(err)
		}
		report := w.must()
		if report.Users.LeftOut != 1 || report.Posts.LeftOut != 1 || report.Entries.LeftOut != 1 || w.count("account") != 2 {
			t.Errorf("report = %+v, %d accounts", report, w.count("account"))
		}
	})
}

// Whatever ends an import leaves nothing behind.
func TestInterrupted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Fill(t, 10, 1500, 5000)
		for _, stage := range []string{"users", "car posts", "photos", "entries"} {
			ctx, cancel := context.WithCancel(t.Context())
			heard := false
			_, err := w.run(ctx, djangoimport.Options{Progress: func(s string, _, _ int) {
				if s == stage {
					heard = true
					cancel()
				}
			}})
			cancel()
			if err == nil || !heard || !strings.Contains(err.Error(), "stopped") {
				t.Errorf("import that was stopped at %s = %v", stage, err)
			}
			for _, table := range []string{"account", "settings", "car_post", "upload", "entry"} {
				if n := w.count(table); n != 0 {
					t.Errorf("%d rows of %s after an import that was stopped at %s", n, table, stage)
				}
			}
		}
		// The next one does it all.
		if report := w.must(); report.Entries.Taken != 5000 || w.count("car_post") != 1500 {
			t.Errorf("report = %+v", report)
		}
	})
}

func TestDryRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Fill(t, 3, 20, 5)
		rehearsal, err := w.run(t.Context(), djangoimport.Options{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		odd := w.odd
		if n := w.count("account") + w.count("entry"); n != 0 {
			t.Errorf("a rehearsal has stored %d rows", n)
		}
		made, err := w.store.CreateUser(t.Context(), account.Actor{}, account.User{Name: "x", PasswordHash: "x", CreatedAt: at("2026-01-01T00:00:00Z")}, account.DefaultSettings(), nil)
		if err != nil || made.ID > 1 && w.store.Engine() == "sqlite" {
			t.Errorf("the first account after a rehearsal has the number %d, %v", made.ID, err)
		}
		if _, err := w.store.Writer().ExecContext(t.Context(), `DELETE FROM account`); err != nil {
			t.Fatal(err)
		}
		report := w.must()
		var a, b bytes.Buffer
		rehearsal.Print(&a)
		report.Print(&b)
		if a.String() != b.String() || !slices.Equal(odd, w.odd) {
			t.Errorf("the rehearsal said\n%s\nand the import\n%s", a.String(), b.String())
		}
	})
}

// New rows get ids that the older backend has never given.
func TestSequences(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Fill(t, 5, 10, 20)
		// The last of each were deleted there, and one has nobody.
		w.old.Exec(t, `DELETE FROM rideauth_user WHERE id = 5`)
		w.old.Exec(t, `DELETE FROM rideposts_file WHERE id = 5`)
		w.must()
		u, err := w.store.CreateUser(t.Context(), account.Actor{}, account.User{Name: "x", Email: "x@example.com", PasswordHash: "x", Active: true, CreatedAt: at("2026-01-01T00:00:00Z")}, account.DefaultSettings(), nil)
		if err != nil || u.ID != 6 {
			t.Errorf("the new account has the number %d, %v, want 6", u.ID, err)
		}
		by := account.Actor{ID: u.ID}
		p, _, err := w.store.CreatePost(t.Context(), by, listing.Post{OwnerID: u.ID, Details: listing.DefaultDetails()}, 0)
		if err != nil || p.ID != 11 {
			t.Errorf("the new post has the number %d, %v, want 11", p.ID, err)
		}
		e, _, err := w.store.CreateEntries(t.Context(), by, []earnings.Entry{{OwnerID: u.ID}})
		if err != nil || e.ID != 21 {
			t.Errorf("the new entry has the number %d, %v, want 21", e.ID, err)
		}
		up, _, err := w.store.CreateUpload(t.Context(), by, media.Upload{OwnerID: u.ID, Target: media.Target{Post: p.ID}, State: media.Started, UploadKey: "k"}, false)
		if err != nil || up.ID != 6 {
			t.Errorf("the new photo has the number %d, %v, want 6", up.ID, err)
		}
	})
}

// A database that was used has other things under those ids.
func TestUsedDatabase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.old.Fill(t, 5, 10, 20)
		if _, err := w.store.CreateUser(t.Context(), account.Actor{}, account.User{Name: "x", Email: "x@example.com", PasswordHash: "x", Active: true, CreatedAt: at("2026-01-01T00:00:00Z")}, account.DefaultSettings(), nil); err != nil {
			t.Fatal(err)
		}
		_, err := w.run(t.Context(), djangoimport.Options{})
		if !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "another account 1") || w.count("account") != 1 {
			t.Errorf("import into a database in use = %v, %d accounts", err, w.count("account"))
		}
	})
}

// An imported password opens the account, and rests as ours from then on
// (promise T1); one that no hash is kept of opens nothing.
func TestSignIn_T1(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person(1, "ana@example.com")
		w.old.Exec(t, `INSERT INTO rideauth_user (id, password, name, email) VALUES (2, '!', 'Dan', 'dan@example.com'), (3, '', 'Eva', 'eva@example.com')`)
		w.must()
		if found, err := w.store.HasDjangoHashes(t.Context()); err != nil || !found {
			t.Errorf("HasDjangoHashes = %v, %v, want true", found, err)
		}
		accounts := account.NewService(w.store, account.Options{
			Secret: strings.Repeat("s", 32), AccessTTL: time.Hour, RefreshTTL: time.Hour, Hasher: password.NewHasher(password.Params{}), Log: slog.New(slog.DiscardHandler),
		})
		by := account.Actor{Source: account.SourceAPI, Address: "192.0.2.1"}
		if _, err := accounts.SignIn(t.Context(), by, account.SessionAPI, "ana@example.com", "a good password"); err != nil {
			t.Errorf("sign-in with the older password: %v", err)
		}
		if hash := w.user(1).PasswordHash; !strings.HasPrefix(hash, "$argon2id$") {
			t.Errorf("the password rests as %.20s…, want argon2id", hash)
		}
		for _, email := range []string{"dan@example.com", "eva@example.com"} {
			for _, pw := range []string{"!", "", "a good password"} {
				if _, err := accounts.SignIn(t.Context(), by, account.SessionAPI, email, pw); !errors.Is(err, fault.Unauthenticated) {
					t.Errorf("sign-in of %s with %q = %v, want a refusal", email, pw, err)
				}
			}
		}
	})
}

// What is wrong with the source is told in a sentence without its password
// (promise P4).
func TestOpen_P4(t *testing.T) {
	empty := storetest.PostgresURL(t, false)
	half := djangotest.New(t, storetest.PostgresURL(t, false))
	half.Exec(t, `ALTER TABLE ridecars_carpost DROP COLUMN milleage`)
	bad, err := url.Parse(empty)
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"":                                 "--from must be",
		"host=x password=secretword":       "--from must be",
		"postgres://a:secretword@[::x/db":  "--from must be",
		"mysql://a:secretword@localhost/x": "--from must be",
		"postgres://a:secretword@127.0.0.1:1/db?sslmode=disable":                        "cannot be reached",
		"postgres://ridecopilot:secretword@" + bad.Host + bad.Path + "?sslmode=disable": "password authentication failed",
		strings.Replace(empty, bad.Path, "/no_such_database", 1):                        "does not exist",
		empty:    "has no table rideauth_user",
		half.URL: "has no column milleage",
	} {
		s, err := djangoimport.Open(t.Context(), url)
		if err == nil {
			s.Close(t.Context())
			t.Errorf("Open(%s) is taken", url)
			continue
		}
		if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "secretword") || strings.Contains(text, "\n") {
			t.Errorf("Open(%s) = %q, want a sentence with %q", url, text, want)
		}
	}
}

// The transaction that reads cannot write.
func TestOpenReadsOnly(t *testing.T) {
	old := djangotest.New(t, storetest.PostgresURL(t, false))
	s, err := djangoimport.Open(t.Context(), old.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	err = djangoimport.Exec(t.Context(), s, `INSERT INTO rideauth_user (name) VALUES ('x')`)
	if err == nil || !strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("a write through the source = %v, want a refusal", err)
	}
}

func TestCSV_I7(t *testing.T) {
	var out bytes.Buffer
	w, err := djangoimport.NewCSV(&out)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(djangoimport.Oddity{Table: "t", ID: 7, Column: "c", Text: "=1+1,\n\"x\"", Stored: "-5.00", Kind: djangoimport.NumberRead}), w.Flush()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 2 || !slices.Equal(rows[1], []string{"t", "7", "c", "'=1+1,\n\"x\"", "'-5.00", "number_read"}) {
		t.Errorf("rows = %q, %v", rows, err)
	}
}
