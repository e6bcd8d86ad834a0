package admin_test

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/admin"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/overview"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

const (
	secret       = "a secret of at least thirty-two bytes, for tests"
	goodPassword = "o parolă lungă și bună"
)

// cheap makes hashing cost next to nothing.
var cheap = password.NewHasher(password.Params{Memory: 64, Time: 1, Threads: 1, Slots: 8})

// clock is a time that stands still until it is told to go on.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is the site on a real database.
type world struct {
	*testing.T
	store    *store.Store
	accounts *account.Service
	listings *listing.Service
	earnings *earnings.Service
	docs     *document.Service
	media    *media.Service
	site     *admin.Site
	clock    *clock
	root     *operator // a superuser
	people   int
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{T: t, store: s, clock: &clock{t: time.Now().UTC().Truncate(time.Second)}}
	w.accounts = account.NewService(s, account.Options{
		Secret: secret, Hasher: cheap, Now: w.clock.now, Throttle: true, Wait: func(context.Context, time.Duration) error { return nil },
	})
	w.listings = listing.NewService(s, w.clock.now)
	w.earnings = earnings.NewService(s, s, w.clock.now)
	w.docs = document.NewService(s, s, w.clock.now)
	b, _ := buckettest.DiskWith(t, disk.Options{Now: w.clock.now})
	w.media = media.NewService(media.Options{Store: s, Bucket: b, Posts: w.listings, Documents: w.docs, Now: w.clock.now})
	desk, err := jobs.NewDesk(jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()})
	if err != nil {
		t.Fatal(err)
	}
	w.site = admin.New(admin.Options{
		Accounts: w.accounts, Listings: w.listings, Earnings: w.earnings, Documents: w.docs, Media: w.media,
		Overview: overview.NewService(s, w.clock.now), Tables: store.NewTables(s), Trail: s, Jobs: desk,
		Checks: map[string]func(context.Context) error{"database": s.Ping}, Version: "Ridecopilot test", Now: w.clock.now,
	})
	if _, err := w.accounts.CreateSuperuser(t.Context(), account.System(account.SourceCommand), "Rodica Root", "root@example.com", goodPassword); err != nil {
		t.Fatal(err)
	}
	w.root = w.signIn("root@example.com")
	return w
}

// each runs a test of the site on both engines.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(newWorld(t, s)) })
}

// driver registers somebody.
func (w *world) driver(name string) account.Actor {
	w.Helper()
	w.people++ // everybody comes from an address of their own
	email := strings.Join(text.Words(name), ".") + "@example.com"
	u, _, err := w.accounts.Register(w.Context(), account.Actor{Source: account.SourceAPI, Address: fmt.Sprintf("198.51.%d.%d", w.people/200, w.people%200)}, name, email, goodPassword, nil)
	if err != nil {
		w.Fatal(err)
	}
	return account.Actor{ID: u.ID, Source: account.SourceAPI}
}

// post advertises a car.
func (w *world) post(by account.Actor, edit func(*listing.Details)) listing.Post {
	w.Helper()
	year, price, period := 2021, fixed.Amount(50000), "week"
	d := listing.DefaultDetails()
	d.Make, d.Model, d.Location, d.Year, d.Price, d.PricePeriod = "Dacia", "Logan", "București", &year, &price, &period
	if edit != nil {
		edit(&d)
	}
	p, _, err := w.listings.Create(w.Context(), by, d, nil)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w *world) entry(by account.Actor, day calendar.Day, items ...earnings.ExpenseItem) earnings.Entry {
	w.Helper()
	e, _, err := w.earnings.Create(w.Context(), by, func(d *earnings.Details) fault.Fields {
		d.Date, d.Platform, d.AppIncome, d.Commission, d.Currency, d.Items, d.ItemsChanged = day, "Uber", 30000, 2500, "RON", items, len(items) > 0
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func (w *world) document(by account.Actor, title string) document.Document {
	w.Helper()
	expires := calendar.On(w.clock.now()) + 100
	d, _, err := w.docs.Create(w.Context(), by, document.Details{Type: "insurance", Title: title, ExpiresOn: &expires, RemindDays: []int{30, 7}}, nil)
	if err != nil {
		w.Fatal(err)
	}
	return d
}

// operator is somebody's browser on the site.
type operator struct {
	*world
	cookies map[string]string
	token   string // of the page that was seen last
}

// stranger is a browser that nobody has signed in with.
func (w *world) stranger() *operator { return &operator{world: w, cookies: map[string]string{}} }

func (w *world) signIn(email string) *operator {
	w.Helper()
	o := w.stranger()
	o.post("login/", form{"email": {email}, "password": {goodPassword}}).want(http.StatusSeeOther)
	o.get("me/").want(http.StatusOK)
	return o
}

// staff makes a member of staff in a group of these permissions.
func (w *world) staff(email string, permissions ...string) *operator {
	w.Helper()
	by := account.System(account.SourceCommand)
	g, err := w.accounts.CreateGroup(w.Context(), by, account.GroupDetails{Name: email, Permissions: permissions}, nil)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := w.accounts.CreateProfile(w.Context(), by, account.Profile{
		Name: "Sanda Staff", Email: email, Active: true, Verified: true, Staff: true, Groups: []int64{g.ID},
	}, goodPassword, nil); err != nil {
		w.Fatal(err)
	}
	return w.signIn(email)
}

type form map[string][]string

// answer is what came back.
type answer struct {
	*operator
	code     int
	header   http.Header
	body     string
	location string
}

var tokenField = regexp.MustCompile(`name="_token" value="([^"]+)"`)

func (o *operator) send(r *http.Request) *answer {
	o.Helper()
	r.RemoteAddr = "192.0.2.7"
	for name, value := range o.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	o.site.ServeHTTP(rec, r)
	res := rec.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		o.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if o.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(o.cookies, c.Name)
		}
	}
	if m := tokenField.FindStringSubmatch(string(body)); m != nil {
		o.token = m[1]
	}
	return &answer{o, res.StatusCode, res.Header, string(body), res.Header.Get("Location")}
}

// path is a path of the site, or a whole one.
func path(p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return admin.Path + p
}

func (o *operator) get(p string) *answer {
	o.Helper()
	return o.send(httptest.NewRequest(http.MethodGet, path(p), nil))
}

// request is a POST as a page of ours sends it.
func (o *operator) request(p string, f form) *http.Request {
	values := url.Values{}
	for k, v := range f {
		values[k] = v
	}
	if _, ok := f["_token"]; !ok && o.token != "" {
		values.Set("_token", o.token)
	}
	r := httptest.NewRequest(http.MethodPost, path(p), strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func (o *operator) post(p string, f form) *answer {
	o.Helper()
	return o.send(o.request(p, f))
}

// upload posts a form with a file.
func (o *operator) upload(p, name string, content []byte, f form) *answer {
	o.Helper()
	var b strings.Builder
	m := multipart.NewWriter(&b)
	fields := form{"_token": {o.token}}
	for k, v := range f {
		fields[k] = v
	}
	for k, list := range fields {
		for _, v := range list {
			if err := m.WriteField(k, v); err != nil {
				o.Fatal(err)
			}
		}
	}
	part, err := m.CreateFormFile("file", name)
	if err != nil {
		o.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		o.Fatal(err)
	}
	if err := m.Close(); err != nil {
		o.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, path(p), strings.NewReader(b.String()))
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return o.send(r)
}

func (a *answer) want(code int) *answer {
	a.Helper()
	if a.code != code {
		a.Fatalf("status %d, want %d: %s", a.code, code, visible(a.body))
	}
	return a
}

func (a *answer) has(words ...string) *answer {
	a.Helper()
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			a.Errorf("the page does not say %q: %s", w, visible(a.body))
		}
	}
	return a
}

func (a *answer) hasNot(words ...string) *answer {
	a.Helper()
	for _, w := range words {
		if strings.Contains(a.body, w) {
			a.Errorf("the page says %q", w)
		}
	}
	return a
}

// follow goes where the answer sends to.
func (a *answer) follow() *answer {
	a.Helper()
	a.want(http.StatusSeeOther)
	page, _, _ := strings.Cut(a.location, "#")
	return a.get(page)
}

var tags = regexp.MustCompile(`(?s)<(script|style|select)[^>]*>.*?</(script|style|select)>|<[^>]*>`)

// visible is a page without its tags.
func visible(page string) string {
	text := strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
	if len(text) > 1500 {
		text = text[:1500] + " …"
	}
	return text
}

var inputs = regexp.MustCompile(`(?s)<input ([^>]*)>|<textarea ([^>]*)>([^<]*)</textarea>|<select ([^>]*)>(.*?)</select>`)

// fields are those of the main form of the page, as a browser would send them.
func (a *answer) fields() form {
	a.Helper()
	begin := strings.Index(a.body, `class="form"`)
	if begin < 0 {
		a.Fatalf("there is no form: %s", visible(a.body))
	}
	page, _, _ := strings.Cut(a.body[begin:], "</form>")
	if before, after, ok := strings.Cut(page, "<template>"); ok {
		_, after, _ = strings.Cut(after, "</template>")
		page = before + after
	}
	f := form{}
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		attrs := m[1] + m[2] + m[4]
		name, ok := attribute(attrs, "name")
		kind, _ := attribute(attrs, "type")
		value, _ := attribute(attrs, "value")
		switch {
		case !ok, kind == "file":
			continue
		case kind == "checkbox" && !strings.Contains(attrs, " checked"):
			continue
		case m[2] != "":
			value = unescape(m[3])
		case m[4] != "":
			value = ""
			for i, o := range regexp.MustCompile(`<option value="([^"]*)"([^>]*)>`).FindAllStringSubmatch(m[5], -1) {
				if i == 0 || strings.Contains(o[2], "selected") {
					value = unescape(o[1])
				}
			}
		}
		f[name] = append(f[name], value)
	}
	return f
}

func attribute(attrs, name string) (string, bool) {
	m := regexp.MustCompile(`(?:^|\s)` + name + `="([^"]*)"`).FindStringSubmatch(attrs)
	if m == nil {
		return "", false
	}
	return unescape(m[1]), true
}

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&#43;", "+", "&amp;", "&").Replace(s)
}

// edit opens the form of a thing, changes fields and saves.
func (o *operator) edit(p string, changes form) *answer {
	o.Helper()
	f := o.get(p).want(http.StatusOK).fields()
	for k, v := range changes {
		f[k] = v
	}
	return o.post(p, f)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// count counts rows by a condition.
func (w *world) count(query string, args ...any) int {
	w.Helper()
	var n int
	if err := w.store.Reader().QueryRowContext(w.Context(), query, args...).Scan(&n); err != nil {
		w.Fatal(fmt.Errorf("%s: %w", query, err))
	}
	return n
}

// nonces are what differs between two pages that are the same.
var nonces = regexp.MustCompile(`nonce="[^"]*"`)

// memory is an empty SQLite store.
func memory(t *testing.T) *store.Store {
	t.Helper()
	return storetest.New(t)
}

var idField = regexp.MustCompile(`name="_id" value="(\d+)"`)
