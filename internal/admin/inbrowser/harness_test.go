// Package inbrowser_test drives the admin site in a real browser, as operators do: what
// the tests of admin itself hold against the answers, these see on the pages.
package inbrowser_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/admin"
	"github.com/ridecopilot/ridecopilot/internal/browsertest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/overview"
	"github.com/ridecopilot/ridecopilot/internal/seed"
	"github.com/ridecopilot/ridecopilot/internal/server"
	"github.com/ridecopilot/ridecopilot/internal/site"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

var browser browsertest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	browser.Stop()
	os.Exit(code)
}

// The people of the tests, and what they all sign in with.
const (
	bossMail   = "sefa@example.com"
	clerkMail  = "operator@example.com"
	driverMail = "ana@example.com"
	goodPass   = "corect-cal-baterie"
)

const secret = "the secret of the tests of the admin site"

// world is the whole server on a real database and a real storage, with people
// of every sort and rows of every kind.
type world struct {
	*testing.T
	store     *store.Store
	accounts  *account.Service
	listings  *listing.Service
	earnings  *earnings.Service
	documents *document.Service
	media     *media.Service
	base      string // of the server, without a slash
	host      string

	boss, clerk, driver account.User
	post, paper, entry  int64 // the driver's
	photo, file         int64 // the photo is on post, the file on paper

	in map[string]context.Context // by address: the parts of the browser where somebody is signed in
}

// each runs a test on both engines.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(newWorld(t, s, true)) })
}

// one runs a test on SQLite alone: what it looks at is the same page on
// PostgreSQL, where the tests over HTTP have seen it.
func one(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.SkipUnless(t, "sqlite")
	test(newWorld(t, storetest.New(t), true))
}

// newWorld serves the site. The clerk is staff, and may nothing yet.
func newWorld(t *testing.T, s *store.Store, filled bool) *world {
	t.Helper()
	w := &world{T: t, store: s, in: map[string]context.Context{}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	w.must(err)
	w.host = listener.Addr().String()
	w.base = "http://" + w.host
	public, err := url.Parse(w.base)
	w.must(err)

	log := slog.New(slog.NewTextHandler(&complaints{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	w.accounts = account.NewService(s, account.Options{
		Secret: secret, Hasher: password.NewHasher(password.Params{Memory: 64, Time: 1, Slots: 2}), Throttle: true, Log: log,
	})
	w.listings, w.earnings, w.documents = listing.NewService(s, time.Now), earnings.NewService(s, s, time.Now), document.NewService(s, s, time.Now)
	bucket, _ := buckettest.DiskWith(t, disk.Options{BaseURL: func() string { return w.base }})
	w.media = media.NewService(media.Options{Store: s, Bucket: bucket, Posts: w.listings, Documents: w.documents, Prefix: "rc/", Log: log})
	desk, err := jobs.NewDesk(jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()})
	w.must(err)

	checks := map[string]func(context.Context) error{"database": s.Ping, "storage": bucket.Ping}
	api := httpapi.New(httpapi.Options{
		Accounts: w.accounts, Listings: w.listings, Earnings: w.earnings, Documents: w.documents, Media: w.media, Answers: s,
		PublicURL: public, Secret: secret, Log: log,
	})
	html := http.NewServeMux()
	html.Handle("/", site.New(site.Options{Accounts: w.accounts, OpenAPI: api.Description, AdminPath: admin.Path, Log: log}).Pages())
	html.Handle(admin.Path, admin.New(admin.Options{
		Accounts: w.accounts, Listings: w.listings, Earnings: w.earnings, Documents: w.documents, Media: w.media,
		Overview: overview.NewService(s, time.Now), Tables: store.NewTables(s), Trail: s, Jobs: desk, Checks: checks, Version: "Ridecopilot of the tests", Log: log,
	}))
	srv := server.New(server.Options{Log: log, PublicURL: public, API: api, Storage: bucket, Site: html, Checks: checks})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, listener, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})

	w.people()
	if filled {
		w.things()
	}
	return w
}

// complaints fail a test with what the server logs as an error.
type complaints struct{ t *testing.T }

func (c *complaints) Write(line []byte) (int, error) {
	c.t.Errorf("the server logs: %s", line)
	return len(line), nil
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) people() {
	w.Helper()
	system := account.System(account.SourceCommand)
	var err error
	w.boss, err = w.accounts.CreateSuperuser(w.Context(), system, "Maria Ene", bossMail, goodPass)
	w.must(err)
	add := func(name, email string, staff bool) account.User {
		u, err := w.accounts.CreateProfile(w.Context(), system, account.Profile{Name: name, Email: email, Verified: true, Active: true, Staff: staff}, goodPass, nil)
		w.must(err)
		return u
	}
	w.clerk, w.driver = add("Radu Operator", clerkMail, true), add("Ana Pop", driverMail, false)
}

// as is somebody at a phone.
func (w *world) as(u account.User) account.Actor {
	return account.Actor{ID: u.ID, Source: account.SourceAPI, Address: "198.51.100.7", Device: "a phone"}
}

// things fills every list: with demo data, and with what only services make.
func (w *world) things() {
	w.Helper()
	ctx := w.Context()
	_, err := seed.Run(ctx, w.store, seed.Options{Drivers: 40, Posts: 60, Entries: 150, RandomSeed: 1, Now: time.Now()})
	w.must(err)
	w.post = w.newPost(w.driver, listing.Details{Make: "Dacia", Model: "Logan", Location: "Cluj-Napoca", Description: "Like new."})
	e, _, err := w.earnings.Create(ctx, w.as(w.driver), func(d *earnings.Details) fault.Fields {
		d.Platform, d.AppIncome, d.Currency = "Uber", 40_000, "RON"
		d.Items, d.ItemsChanged = []earnings.ExpenseItem{{Category: "fuel", Amount: 5_000, Note: "full tank"}}, true
		return nil
	})
	w.must(err)
	w.entry = e.ID
	d, _, err := w.documents.Create(ctx, w.as(w.driver), document.Details{Type: "insurance", Title: "RCA 2026", RemindDays: []int{7}}, nil)
	w.must(err)
	w.paper = d.ID
	w.photo = w.take(media.Target{Post: w.post}, "front.jpg", mediatest.JPEG(400, 300))
	w.file = w.take(media.Target{Document: w.paper}, "policy.pdf", mediatest.PDF("a policy"))
	w.must(w.media.Process(ctx, media.Process{UploadID: w.photo}))
	w.must(w.listings.Report(ctx, w.as(w.clerk), w.post, "spam", "It is sold already.", nil))
	_, err = w.accounts.CreateGroup(ctx, account.System(account.SourceCommand), account.GroupDetails{Name: "Readers", Permissions: []string{"users:view"}}, nil)
	w.must(err)
	w.must(w.accounts.SendReset(ctx, account.System(account.SourceCommand), w.driver.ID))
	_, err = w.accounts.SignIn(ctx, account.Actor{Source: account.SourceAPI, Address: "198.51.100.7", Device: "a phone"}, account.SessionAPI, driverMail, goodPass)
	w.must(err)
}

func (w *world) newPost(owner account.User, d listing.Details) int64 {
	w.Helper()
	def := listing.DefaultDetails()
	d.Offer, d.Currency, d.Status = def.Offer, def.Currency, def.Status
	year, price, period := 2020, fixed.Amount(12_000), "day"
	d.Year, d.Price, d.PricePeriod = &year, &price, &period
	p, _, err := w.listings.Create(w.Context(), w.as(owner), d, nil)
	w.must(err)
	return p.ID
}

func (w *world) take(t media.Target, name string, raw []byte) int64 {
	w.Helper()
	u, err := w.media.Take(w.Context(), w.as(w.driver), t, name, raw, 0)
	w.must(err)
	return u.ID
}

// allow puts the clerk into a new group.
func (w *world) allow(permissions ...string) {
	w.Helper()
	g, err := w.accounts.CreateGroup(w.Context(), account.System(account.SourceCommand), account.GroupDetails{Name: "Clerks " + fmt.Sprint(time.Now().UnixNano()), Permissions: permissions}, nil)
	w.must(err)
	w.revise(w.clerk, func(p *account.Profile) { p.Groups = []int64{g.ID} })
}

func (w *world) revise(u account.User, change func(*account.Profile)) {
	w.Helper()
	_, err := w.accounts.ReviseProfile(w.Context(), account.System(account.SourceCommand), u.ID, nil, func(p *account.Profile) fault.Fields { change(p); return nil })
	w.must(err)
}

// page is an operator's tab.
type page struct {
	*browsertest.Tab
	w     *world
	tried map[string]bool // sorts of filters, by hand
}

// tab opens a page in a browser of its own: no cookie comes from elsewhere.
func (w *world) tab() *page {
	w.Helper()
	return w.page(browser.Apart(w.T))
}

func (w *world) page(ctx context.Context) *page {
	w.Helper()
	p := &page{browsertest.NewTab(ctx, w.T), w, map[string]bool{}}
	p.Do(w.T, browsertest.Look(1600, "light"))
	return p
}

// enter signs somebody in, or opens another tab of somebody who is.
func (w *world) enter(email string) *page {
	w.Helper()
	if ctx := w.in[email]; ctx != nil {
		p := w.page(ctx)
		p.open("")
		return p
	}
	ctx := browser.Apart(w.T)
	p := w.page(ctx)
	w.in[email] = ctx
	p.open("login/")
	p.fill("#email", email)
	p.fill("#password", goodPass)
	p.press(`main button`)
	if got := p.path(); got != admin.Path {
		w.Fatalf("signed in at %s", got)
	}
	return p
}

// open goes to a page below the site's path and returns its status.
func (p *page) open(path string) int64 {
	p.w.Helper()
	return p.to(p.w.base + admin.Path + path)
}

func (p *page) to(address string) int64 {
	p.w.Helper()
	res, err := chromedp.Run(p.Ctx, chromedp.NavigateResponse(address))
	if err != nil || res == nil {
		p.w.Fatalf("%s: %v", address, err)
	}
	return res.Status
}

// press clicks what leads to another page and returns that page's status.
func (p *page) press(selector string) int64 {
	p.w.Helper()
	if n := eval[int](p, fmt.Sprintf(`document.querySelectorAll(%q).length`, selector)); n == 0 {
		p.w.Fatalf("%s has no %s", p.path(), selector)
	}
	return p.leads(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// called clicks the one that is called so, of what a selector finds.
func (p *page) called(selector, label string) int64 {
	p.w.Helper()
	return p.leads(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(
			`(e => { if (e) e.click(); return !!e })([...document.querySelectorAll(%q)].find(e => e.innerText.trim() === %q))`, selector, label)))
		if err == nil && !ok {
			err = fmt.Errorf("no %s is called %q", selector, label)
		}
		return err
	}))
}

// leads takes steps that lead to another page.
func (p *page) leads(steps ...chromedp.Action[chromedp.Void]) int64 {
	p.w.Helper()
	res, err := chromedp.RunResponse(p.Ctx, steps...)
	if err != nil || res == nil {
		p.w.Fatalf("from %s: %v", p.path(), err)
	}
	return res.Status
}

// fill types over what stands in a field.
func (p *page) fill(selector, value string) {
	p.w.Helper()
	if ok := eval[bool](p, fmt.Sprintf(`(() => { const e = document.querySelector(%q); if (!e) return false; e.value = %q; return true })()`, selector, value)); !ok {
		p.w.Fatalf("%s has no field %s", p.path(), selector)
	}
}

func eval[T any](p *page, js string) T {
	p.w.Helper()
	return browsertest.Eval[T](p.w.T, p.Tab, js)
}

// wait evaluates an asynchronous expression.
func wait[T any](p *page, js string) T {
	p.w.Helper()
	v, err := chromedp.Run(p.Ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.w.Fatalf("%s: %v", js, err)
	}
	return v
}

func (p *page) path() string {
	p.w.Helper()
	return eval[string](p, `location.pathname + location.search`)
}

func (p *page) text() string {
	p.w.Helper()
	return eval[string](p, `document.querySelector("main").innerText`)
}

func (p *page) heading() string {
	p.w.Helper()
	return eval[string](p, `document.querySelector("h1").innerText`)
}

// says checks that the page says something.
func (p *page) says(parts ...string) {
	p.w.Helper()
	text := p.text()
	for _, s := range parts {
		if !strings.Contains(text, s) {
			p.w.Errorf("%s does not say %q but:\n%.1500s", p.path(), s, text)
		}
	}
}

func (p *page) has(selector string) bool {
	p.w.Helper()
	return eval[bool](p, fmt.Sprintf(`!!document.querySelector(%q)`, selector))
}

func (p *page) count(selector string) int {
	p.w.Helper()
	return eval[int](p, fmt.Sprintf(`document.querySelectorAll(%q).length`, selector))
}

// fine checks that the pages complained of nothing and asked nobody else.
func (p *page) fine() {
	p.w.Helper()
	p.Fine(p.w.T, p.w.host)
}

// status checks what a page answered with.
func (w *world) status(got, want int64, what string) {
	w.Helper()
	if got != want {
		w.Errorf("%s = %d, want %d", what, got, want)
	}
}
