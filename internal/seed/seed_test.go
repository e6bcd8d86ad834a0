package seed_test

import (
	"context"
	"fmt"
	"os"
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
	"github.com/ridecopilot/ridecopilot/internal/seed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

var noon = time.Date(2026, time.March, 18, 12, 0, 0, 0, time.UTC)

// memory is a Store that keeps what it is handed.
type memory struct {
	users     []account.User
	settings  []account.Settings
	docs      []document.Document
	posts     []listing.Post
	favorites []favorite
	reports   []listing.Report
	entries   []earnings.Entry
	finished  int
}

type favorite struct {
	user, post int64
	since      time.Time
}

func (m *memory) UserByMailbox(_ context.Context, key string) (account.User, error) {
	for _, u := range m.users {
		if account.MailboxKey(u.Email) == key {
			return u, nil
		}
	}
	return account.User{}, account.ErrNotFound
}

func (m *memory) LoadUsers(_ context.Context, users []account.User, settings []account.Settings) error {
	for i := range users {
		users[i].ID = int64(100 + len(m.users) + i)
		settings[i].UserID = users[i].ID
	}
	m.users, m.settings = append(m.users, users...), append(m.settings, settings...)
	return nil
}

func (m *memory) LoadDocuments(_ context.Context, docs []document.Document) error {
	m.docs = append(m.docs, docs...)
	return nil
}

func (m *memory) LoadPosts(_ context.Context, posts []listing.Post) error {
	for i := range posts {
		posts[i].ID = int64(1 + len(m.posts) + i)
	}
	m.posts = append(m.posts, posts...)
	return nil
}

func (m *memory) LoadFavorites(_ context.Context, users, posts []int64, at []time.Time) error {
	for i := range at {
		m.favorites = append(m.favorites, favorite{users[i], posts[i], at[i]})
	}
	return nil
}

func (m *memory) LoadReports(_ context.Context, reports []listing.Report) error {
	m.reports = append(m.reports, reports...)
	return nil
}

func (m *memory) LoadEntries(_ context.Context, entries []earnings.Entry) error {
	m.entries = append(m.entries, entries...)
	return nil
}

func (m *memory) FinishLoad(context.Context) error {
	m.finished++
	return nil
}

func run(t *testing.T, o seed.Options) (*memory, seed.Report) {
	t.Helper()
	m := &memory{}
	report, err := seed.Run(t.Context(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, report
}

func TestSizes(t *testing.T) {
	for _, size := range [][3]int{
		{1, 0, 0}, {1, 1, 1}, {1, 300, 5000}, {2, 5, 100}, {2, 100, 5000}, {3, 40, 7}, {20, 60, 2000}, {2500, 2001, 4003}, {500, 6000, 2000},
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			o := seed.Options{Drivers: size[0], Posts: size[1], Entries: size[2], RandomSeed: 3, Now: noon}
			last := map[string][2]int{}
			o.Progress = func(stage string, done, total int) {
				if done <= last[stage][0] {
					t.Errorf("Progress(%q) went from %d to %d", stage, last[stage][0], done)
				}
				last[stage] = [2]int{done, total}
			}
			m, report := run(t, o)
			items := 0
			for _, e := range m.entries {
				items += len(e.Items)
			}
			made := seed.Report{
				Drivers: len(m.users), Posts: len(m.posts), Entries: len(m.entries), ExpenseItems: items, Documents: len(m.docs),
				Favorites: len(m.favorites), Reports: len(m.reports), DemoEmail: seed.DemoEmail,
			}
			if report != made {
				t.Errorf("Run reports %+v, made %+v", report, made)
			}
			if got := [3]int{made.Drivers, made.Posts, made.Entries}; got != size {
				t.Errorf("made %v drivers, posts and entries, want %v", got, size)
			}
			for stage, want := range map[string]int{seed.StageDrivers: size[0], seed.StagePosts: size[1], seed.StageEntries: size[2]} {
				if got := last[stage]; got != [2]int{want, want} {
					t.Errorf("the last Progress(%q) = %v, want %d", stage, got, want)
				}
			}
			if m.finished != 1 {
				t.Errorf("FinishLoad was called %d times", m.finished)
			}
		})
	}
}

func TestSame(t *testing.T) {
	o := seed.Options{Drivers: 60, Posts: 300, Entries: 3000, RandomSeed: 11, Now: noon, PasswordHash: "x"}
	one, _ := run(t, o)
	o.Now = noon.Add(9 * time.Hour) // 23:00 in Bucharest: the same day
	two, _ := run(t, o)
	if !reflect.DeepEqual(one, two) {
		t.Error("the same random seed and day made different data")
	}
	o.RandomSeed++
	if other, _ := run(t, o); reflect.DeepEqual(one.posts, other.posts) || reflect.DeepEqual(one.entries, other.entries) {
		t.Error("another random seed made the same data")
	}
}

// TestSeededBefore needs no second database: the first run made the account.
func TestSeededBefore(t *testing.T) {
	m, _ := run(t, seed.Options{Drivers: 2, Now: noon})
	before := len(m.users)
	_, err := seed.Run(t.Context(), m, seed.Options{Drivers: 5, Posts: 5, Now: noon})
	if err == nil || !strings.Contains(err.Error(), "was seeded already") || !strings.Contains(err.Error(), seed.DemoEmail) {
		t.Errorf("Run on a seeded database = %v", err)
	}
	if len(m.users) != before || len(m.posts) != 0 {
		t.Error("Run on a seeded database stored something")
	}
}

func TestWrongOptions(t *testing.T) {
	for _, o := range []seed.Options{{}, {Drivers: 1, Posts: -1}, {Drivers: 1, Entries: -1}} {
		if _, err := seed.Run(t.Context(), &memory{}, o); err == nil {
			t.Errorf("Run(%+v) = nil, want an error", o)
		}
	}
}

// The fakes below let the domain's services judge what was made: they get as
// far as the store only with what is valid, and as they would store it.
type postStore struct {
	listing.Store
	got listing.Post
}

func (s *postStore) CreatePost(_ context.Context, _ account.Actor, p listing.Post, _ int) (listing.Post, bool, error) {
	s.got = p
	return p, false, nil
}

type entryStore struct {
	earnings.Store
	got earnings.Entry
}

func (s *entryStore) CreateEntries(_ context.Context, _ account.Actor, entries []earnings.Entry) (earnings.Entry, bool, error) {
	s.got = entries[0]
	return s.got, false, nil
}

type documentStore struct {
	document.Store
	got document.Document
}

func (s *documentStore) CreateDocument(_ context.Context, _ account.Actor, d document.Document, _ int) (document.Document, bool, error) {
	s.got = d
	return d, false, nil
}

type settingsStore struct {
	account.Store
	settings map[int64]account.Settings
}

func (s *settingsStore) UpdateSettings(ctx context.Context, _ account.Actor, id int64, change func(*account.Settings) error, _ func(*account.User, *account.Effects) error) (account.Settings, error) {
	set, err := s.Settings(ctx, id)
	if err == nil {
		err = change(&set)
	}
	return set, err
}

func (s *settingsStore) Settings(_ context.Context, id int64) (account.Settings, error) {
	return s.settings[id], nil
}

func TestValid(t *testing.T) {
	now := func() time.Time { return noon }
	day := calendar.On(noon.In(account.Location("Europe/Bucharest")))
	start := day.At(0, account.Location("Europe/Bucharest"))
	m, _ := run(t, seed.Options{Drivers: 800, Posts: 4000, Entries: 20_000, RandomSeed: 5, Now: noon})

	people := &settingsStore{settings: map[int64]account.Settings{}}
	joined := map[int64]account.User{}
	mailboxes := map[string]bool{}
	for i, u := range m.users {
		people.settings[u.ID] = m.settings[i]
		joined[u.ID] = u
		address, key, ok := account.Mailbox(u.Email)
		if !ok || address != u.Email || mailboxes[key] || !strings.HasSuffix(u.Email, ".test") {
			t.Errorf("address %q is no good, or taken", u.Email)
		}
		mailboxes[key] = true
		var bad fault.Fields
		account.CheckText(&bad, "name", u.Name, 1, account.MaxText, false)
		if err := bad.Err(); err != nil || strings.TrimSpace(u.Name) != u.Name {
			t.Errorf("name %q: %v", u.Name, err)
		}
		if u.CreatedAt.After(start) || u.CreatedAt.Before(start.AddDate(-2, 0, -2)) {
			t.Errorf("%s joined on %v", u.Name, u.CreatedAt)
		}
		if v := u.EmailVerifiedAt; v != nil && (v.Before(u.CreatedAt) || v.After(start)) {
			t.Errorf("%s joined on %v and verified on %v", u.Name, u.CreatedAt, v)
		}
		if i > 0 && u.CreatedAt.Before(m.users[i-1].CreatedAt) {
			t.Errorf("user %d joined before user %d", u.ID, m.users[i-1].ID)
		}
	}
	accounts := account.NewService(people, account.Options{Secret: strings.Repeat("s", 32)})
	for id := range people.settings {
		_, err := accounts.ReviseSettings(t.Context(), account.Actor{ID: id}, nil, func(*account.Settings) fault.Fields { return nil }, nil)
		if err != nil {
			t.Errorf("settings %+v: %v", people.settings[id], err)
		}
	}

	inTime := func(what string, owner int64, at time.Time) {
		if at.Before(joined[owner].CreatedAt) || at.After(start) {
			t.Errorf("%s of %v, owner joined %v", what, at, joined[owner].CreatedAt)
		}
	}
	posts := &postStore{}
	listings := listing.NewService(posts, now)
	byID := map[int64]listing.Post{}
	for _, p := range m.posts {
		byID[p.ID] = p
		if _, _, err := listings.Create(t.Context(), account.Actor{ID: p.OwnerID}, p.Details, nil); err != nil {
			t.Errorf("post %+v: %v", p.Details, err)
		} else if !reflect.DeepEqual(posts.got.Details, p.Details) {
			t.Errorf("the domain stores %+v, not %+v", posts.got.Details, p.Details)
		}
		if p.OwnerActive != joined[p.OwnerID].Active {
			t.Errorf("post %d: OwnerActive = %v", p.ID, p.OwnerActive)
		}
		inTime("post", p.OwnerID, p.CreatedAt)
		if *p.Price < 10_00 || (p.Offer == "sale") != (*p.PricePeriod == "total") {
			t.Errorf("%s %s: %s for %s %s a %s", p.Make, p.Model, p.Offer, p.Price, p.Currency, *p.PricePeriod)
		}
		if strings.ContainsAny(p.Description, "{}") {
			t.Errorf("description %q", p.Description)
		}
	}
	kept := map[[2]int64]bool{}
	for _, f := range m.favorites {
		p := byID[f.post]
		if kept[[2]int64{f.user, f.post}] || p.OwnerID == f.user || !p.Visible() || f.since.Before(p.CreatedAt) {
			t.Errorf("favourite %+v of post %+v", f, p)
		}
		kept[[2]int64{f.user, f.post}] = true
		inTime("favourite", f.user, f.since)
	}
	told := map[[2]int64]bool{}
	for _, r := range m.reports {
		p := byID[r.PostID]
		var bad fault.Fields
		account.CheckText(&bad, "reason", r.Reason, 1, account.MaxText, false)
		account.CheckText(&bad, "text", r.Text, 0, listing.MaxDescription, true)
		if told[[2]int64{r.ReporterID, r.PostID}] || p.OwnerID == r.ReporterID || r.At.Before(p.CreatedAt) || len(bad) > 0 {
			t.Errorf("report %+v of post %+v: %v", r, p, bad)
		}
		told[[2]int64{r.ReporterID, r.PostID}] = true
		inTime("report", r.ReporterID, r.At)
	}

	stored := &entryStore{}
	calculator := earnings.NewService(stored, people, now)
	for _, e := range m.entries {
		_, _, err := calculator.Create(t.Context(), account.Actor{ID: e.OwnerID}, func(d *earnings.Details) fault.Fields {
			*d = e.Details
			d.Items = slices.Clone(e.Items)
			d.ItemsChanged = len(e.Items) > 0
			return nil
		})
		if err != nil {
			t.Errorf("entry %+v: %v", e.Details, err)
		} else if !reflect.DeepEqual(stored.got.Details, e.Details) || stored.got.Earnings != e.Earnings {
			t.Errorf("the domain stores %+v, not %+v", stored.got, e)
		}
		for _, item := range e.Items {
			if item.Amount <= 0 {
				t.Errorf("expense %+v", item)
			}
		}
		if e.AppIncome <= 0 || e.Currency != people.settings[e.OwnerID].Currency || e.Date > day {
			t.Errorf("entry %+v", e.Details)
		}
		inTime("entry", e.OwnerID, e.CreatedAt)
	}

	papers := &documentStore{}
	documents := document.NewService(papers, people, func() time.Time { return start })
	for _, d := range m.docs {
		if _, _, err := documents.Create(t.Context(), account.Actor{ID: d.OwnerID}, d.Details, nil); err != nil {
			t.Errorf("document %+v: %v", d.Details, err)
			continue
		}
		if !reflect.DeepEqual(papers.got.Details, d.Details) {
			t.Errorf("the domain stores %+v, not %+v", papers.got.Details, d.Details)
		}
		if d.OwnerID == m.users[0].ID && !reflect.DeepEqual(papers.got.NextReminderAt, d.NextReminderAt) {
			t.Errorf("next reminder of %q at %v, want %v", d.Title, d.NextReminderAt, papers.got.NextReminderAt)
		}
		inTime("document", d.OwnerID, d.CreatedAt)
		// Nobody else's mails may start all at once.
		if next := d.NextReminderAt; next != nil && d.OwnerID != m.users[0].ID {
			if next.Before(start.Add(-24 * time.Hour)) {
				t.Errorf("%s is due since %v", d.Title, next)
			}
		}
	}
}

// TestWave holds the first round of reminders of a large seed small.
func TestWave(t *testing.T) {
	m, _ := run(t, seed.Options{Drivers: 3000, RandomSeed: 5, Now: noon})
	due := 0
	for _, d := range m.docs {
		if d.NextReminderAt != nil && !d.NextReminderAt.After(noon) {
			due++
		}
	}
	if due > len(m.docs)/50 {
		t.Errorf("%d of %d documents are due at once", due, len(m.docs))
	}
}

func TestDemo(t *testing.T) {
	m, _ := run(t, seed.Options{Drivers: 50, Posts: 400, Entries: 5000, RandomSeed: 1, Now: noon, PasswordHash: "hash"})
	u := m.users[0]
	if u.Email != seed.DemoEmail || u.Name != seed.DemoName || !u.Active || !u.Verified() || u.PasswordHash != "hash" {
		t.Errorf("the first driver is %+v", u)
	}
	day := calendar.On(noon)
	days, platforms, categories, today := map[calendar.Day]int{}, map[string]fixed.Amount{}, map[string]int{}, false
	for _, e := range m.entries {
		if e.OwnerID != u.ID {
			continue
		}
		days[e.Date]++
		platforms[e.Platform] += e.Earnings
		today = today || e.Date == day
		if e.Date <= day-90 || e.Commission < 20_00 || e.Commission > 25_00 || e.Currency != "RON" {
			t.Errorf("demo entry %+v", e.Details)
		}
		for _, item := range e.Items {
			categories[item.Category]++
		}
	}
	twice := 0
	for _, n := range days {
		if n == 2 {
			twice++
		}
	}
	if !today || len(days) < 50 || len(days) > 85 || twice < 5 || len(platforms) != 2 || len(categories) < 5 {
		t.Errorf("demo: today %v, %d days, %d with two entries, %v, %v", today, len(days), twice, platforms, categories)
	}
	statuses := map[document.Status]int{}
	for _, d := range m.docs {
		if d.OwnerID == u.ID {
			statuses[d.StatusOn(day)]++
		}
	}
	if len(statuses) != 4 {
		t.Errorf("demo documents: %v", statuses)
	}
	posts := map[string]int{}
	for _, p := range m.posts {
		if p.OwnerID == u.ID {
			posts[p.Status]++
		}
	}
	if len(posts) != 4 {
		t.Errorf("demo posts: %v", posts)
	}
	favorites := 0
	for _, f := range m.favorites {
		if f.user == u.ID {
			favorites++
		}
	}
	if favorites < 3 || favorites > 10 {
		t.Errorf("demo has %d favourites", favorites)
	}
	moderated := 0
	for _, p := range m.posts {
		if p.Moderation != nil {
			moderated++
		}
	}
	if moderated < 1 || moderated > 2 || len(m.reports) == 0 {
		t.Errorf("%d posts are moderated, %d reports", moderated, len(m.reports))
	}
}

// TestStore loads both engines and reads everything back through the services.
func TestStore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		o := seed.Options{Drivers: 300, Posts: 2300, Entries: 5100, RandomSeed: 7, Now: noon, PasswordHash: "hash"}
		want, wantReport := run(t, o)
		report, err := seed.Run(ctx, s, o)
		if err != nil {
			t.Fatal(err)
		}
		if report != wantReport {
			t.Errorf("Run on a database = %+v, in memory %+v", report, wantReport)
		}
		for table, n := range map[string]int{
			"account": report.Drivers, "settings": report.Drivers, "car_post": report.Posts, "entry": report.Entries,
			"expense_item": report.ExpenseItems, "document": report.Documents, "favorite": report.Favorites, "report": report.Reports,
			"history": 0, "mail": 0,
		} {
			var got int
			if err := s.Reader().QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&got); err != nil || got != n {
				t.Errorf("%s has %d rows, %v; want %d", table, got, err, n)
			}
		}

		// The ids were matched with the right rows: each person, post, entry and
		// document is that of its owner.
		owner := map[int64]int64{} // from memory's ids to the database's
		for _, u := range want.users {
			got, err := s.UserByMailbox(ctx, account.MailboxKey(u.Email))
			if err != nil {
				t.Fatal(err)
			}
			owner[u.ID] = got.ID
			u.ID = got.ID
			if !reflect.DeepEqual(got, u) {
				t.Errorf("user %+v, want %+v", got, u)
			}
		}
		demo := owner[want.users[0].ID]
		ids := map[int64]int64{}
		first := listing.Place{Limit: len(want.posts)}
		for _, u := range want.users[:20] {
			f := listing.Filter{Own: true}
			page, err := s.Posts(ctx, owner[u.ID], f, listing.Order{Key: "created_at"}, first)
			if err != nil {
				t.Fatal(err)
			}
			var own []listing.Post
			for _, p := range want.posts {
				if p.OwnerID == u.ID {
					p.OwnerID, p.OwnerName = owner[u.ID], u.Name
					own = append(own, p)
				}
			}
			slices.SortStableFunc(own, func(a, b listing.Post) int { return a.CreatedAt.Compare(b.CreatedAt) })
			if len(own) != len(page.Posts) {
				t.Fatalf("%s has %d posts, want %d", u.Name, len(page.Posts), len(own))
			}
			for i := range own {
				ids[own[i].ID] = page.Posts[i].ID
				own[i].ID, page.Posts[i].Favorite = page.Posts[i].ID, false
				if !reflect.DeepEqual(page.Posts[i], own[i]) {
					t.Errorf("post %+v, want %+v", page.Posts[i], own[i])
				}
			}

			entries, err := s.Entries(ctx, owner[u.ID], earnings.Filter{}, earnings.Place{Limit: len(want.entries)})
			if err != nil {
				t.Fatal(err)
			}
			sameEntries(t, entries.Entries, want.entries, u.ID)
			docs, err := s.Documents(ctx, owner[u.ID], document.Filter{}, calendar.On(noon), 100, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range want.docs {
				if d.OwnerID == u.ID && !slices.ContainsFunc(docs.Documents, func(got document.Document) bool {
					d.ID, d.OwnerID = got.ID, got.OwnerID
					return reflect.DeepEqual(got, d)
				}) {
					t.Errorf("%s is without %+v", u.Name, d)
				}
			}
		}

		// What was made can be searched and found like anything else.
		yes := true
		page, err := s.Posts(ctx, demo, listing.Filter{Favorite: &yes}, listing.Order{Key: "created_at", Desc: true}, first)
		if err != nil || page.Count == 0 {
			t.Errorf("favourites of the demo account: %d, %v", page.Count, err)
		}
		page, err = s.Posts(ctx, demo, listing.Filter{Words: []string{"skoda", "octavia"}}, listing.Order{Key: "price"}, first)
		if err != nil || page.Count == 0 {
			t.Errorf("search for skoda octavia: %d, %v", page.Count, err)
		}
		if page, err = s.Posts(ctx, demo, listing.Filter{Location: "bucuresti"}, listing.Order{Key: "price"}, first); err != nil || page.Count == 0 {
			t.Errorf("posts in bucuresti: %d, %v", page.Count, err)
		}

		if _, err := seed.Run(ctx, s, o); err == nil || !strings.Contains(err.Error(), "was seeded already") {
			t.Errorf("Run again = %v", err)
		}
	})
}

// sameEntries compares what a driver has in the database with what was made.
func sameEntries(t *testing.T, got, made []earnings.Entry, owner int64) {
	t.Helper()
	n := 0
	for _, e := range made {
		if e.OwnerID != owner {
			continue
		}
		n++
		if !slices.ContainsFunc(got, func(g earnings.Entry) bool {
			g.ID, g.OwnerID = e.ID, e.OwnerID
			return reflect.DeepEqual(g, e)
		}) {
			t.Errorf("entry %+v was lost", e)
		}
	}
	if n != len(got) {
		t.Errorf("driver %d has %d entries, want %d", owner, len(got), n)
	}
}

// TestTaken has an address of the demo data taken by somebody else.
func TestTaken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := seed.Options{Drivers: 150, RandomSeed: 7, Now: noon}
		m, _ := run(t, o)
		if err := s.LoadUsers(t.Context(), m.users[5:6], m.settings[5:6]); err != nil {
			t.Fatal(err)
		}
		report, err := seed.Run(t.Context(), s, o)
		if err == nil || !strings.Contains(err.Error(), "was seeded already") || report.Drivers != 0 {
			t.Errorf("Run = %+v, %v", report, err)
		}
	})
}

// BenchmarkMake is the making alone, BenchmarkRun with the loading of a
// database that syncs as in production.
func BenchmarkMake(b *testing.B) {
	for b.Loop() {
		if _, err := seed.Run(b.Context(), discard{&memory{}}, size); err != nil {
			b.Fatal(err)
		}
	}
	perRow(b)
}

func BenchmarkRun(b *testing.B) {
	open := map[string]func() *store.Store{
		"sqlite": func() *store.Store { return storetest.New(b) },
	}
	if os.Getenv("TEST_POSTGRES_URL") != "" {
		open["postgres"] = func() *store.Store { return storetest.Postgres(b) }
	}
	for engine, open := range open {
		b.Run(engine, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := open()
				b.StartTimer()
				if _, err := seed.Run(b.Context(), s, size); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		})
	}
}

var size = seed.Options{Drivers: 200, Posts: 2000, Entries: 20_000, RandomSeed: 1, Now: noon, PasswordHash: "hash"}

func perRow(b *testing.B) {
	rows := float64(b.N * (size.Posts + size.Entries))
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
}

// discard is a memory that forgets.
type discard struct{ *memory }

func (d discard) LoadPosts(ctx context.Context, posts []listing.Post) error {
	d.posts = nil
	return d.memory.LoadPosts(ctx, posts)
}

func (d discard) LoadEntries(context.Context, []earnings.Entry) error { return nil }
