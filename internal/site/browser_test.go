package site_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/site"
)

// browser starts the Chromium that CHROMIUM names. Tabs opened from the context
// share it.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		if os.Getenv("REQUIRE_CHROMIUM") != "" || os.Getenv("CI") != "" {
			t.Fatal("CHROMIUM does not name a browser (scripts/need-chromium finds one)")
		}
		t.Skip("needs a browser: set CHROMIUM to the path of one (scripts/need-chromium finds one)")
	}
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// tab is a page that remembers what it complained about and whom it asked.
type tab struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string
	requests []string
}

func newTab(browser context.Context, t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	p := &tab{ctx: ctx}
	err := chromedp.Listen(ctx, func(ev any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			p.requests = append(p.requests, ev.Request.URL)
		case *runtime.EventExceptionThrown:
			p.problems = append(p.problems, fmt.Sprintf("exception: %+v", ev.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			if ev.Type == "error" || ev.Type == "warning" || ev.Type == "assert" {
				p.problems = append(p.problems, fmt.Sprintf("console %s: %s", ev.Type, args(ev.Args)))
			}
		case *log.EventEntryAdded:
			// A page that is refused is in the log of the browser as well; that is meant.
			if ev.Entry.Level == "error" && !strings.HasPrefix(ev.Entry.Text, "Failed to load resource: the server responded with a status of 4") {
				p.problems = append(p.problems, fmt.Sprintf("%s: %s", ev.Entry.Source, ev.Entry.Text))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func args(list []*runtime.RemoteObject) string {
	var out []string
	for _, a := range list {
		out = append(out, fmt.Sprintf("%s%s", a.Value, a.Description))
	}
	return strings.Join(out, " ")
}

func (p *tab) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for i, step := range steps {
		if err := chromedp.Do(p.ctx, step); err != nil {
			t.Fatalf("step %d: %v (problems: %q)", i, err, p.problems)
		}
	}
}

func eval[T any](t *testing.T, p *tab, js string) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

// fine fails the test if the page complained, or asked anybody but host.
func (p *tab) fine(t *testing.T, host string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.problems {
		t.Errorf("the browser says: %s", s)
	}
	for _, s := range p.requests {
		if u, err := url.Parse(s); err != nil || u.Scheme != "data" && u.Host != host {
			t.Errorf("the page asked for %.200s", s)
		}
	}
	if len(p.requests) == 0 {
		t.Error("no request was seen: this test sees nothing")
	}
}

// look sets the size of the window and the colours that the person prefers.
func look(width int64, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 844)); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"}, // so that nothing is looked at half-way
			},
		})
		return err
	})
}

// keep saves a picture of the page for people, if SCREENSHOTS names a folder.
func (p *tab) keep(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fakeAPI is a server with all the pages, and one operation that notes how it
// was asked.
func fakeAPI(t *testing.T, a *accounts) (srv *httptest.Server, asked func() []http.Header) {
	t.Helper()
	description, err := os.ReadFile("testdata/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var headers []http.Header
	s := site.New(site.Options{Accounts: a, OpenAPI: description, AdminPath: "/admin/"})
	mux := http.NewServeMux()
	mux.Handle("/", s.Pages())
	mux.Handle("/api/docs/", s.Docs())
	mux.HandleFunc("/api/carposts/", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		headers = append(headers, r.Header.Clone())
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`[{"id": 7, "make": "Dacia from the server"}]`))
	})
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "older_client", Value: "1", HttpOnly: true, Path: "/"})
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv, func() []http.Header {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(headers)
	}
}

// TestDocsInBrowser reads the page as a person does, and tries an operation out
// with a bearer token.
func TestDocsInBrowser(t *testing.T) {
	ctx := browser(t)
	srv, asked := fakeAPI(t, &accounts{})
	host := strings.TrimPrefix(srv.URL, "http://")
	p := newTab(ctx, t)
	p.do(t, look(1280, "light"), chromedp.Navigate(srv.URL+"/api/docs/"), chromedp.WaitVisible("#operations-Car_posts-deleteCarPost"))
	if n := eval[int](t, p, `document.querySelectorAll(".opblock").length`); n != 4 {
		t.Errorf("%d operations are listed, want 4", n)
	}
	for _, text := range []string{"Sign in", "Search the car posts", "Advertise a car", "Delete a car post", "OAS 3.1"} {
		if !eval[bool](t, p, fmt.Sprintf(`document.body.innerText.includes(%q)`, text)) {
			t.Errorf("the page does not say %q", text)
		}
	}
	if eval[bool](t, p, `document.body.innerText.includes("api.example.com")`) {
		t.Error("operations are tried out on another host")
	}
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			class := map[string]string{"light": "html:not(.dark-mode)", "dark": "html.dark-mode"}[scheme]
			p.do(t, look(width, scheme), chromedp.WaitReady(class))
			if wide := eval[int](t, p, `document.documentElement.scrollWidth`); wide > int(width) {
				t.Errorf("the page is %d px wide in %d", wide, width)
			}
			if bad := eval[string](t, p, lowContrast); bad != "" {
				t.Errorf("hard to read in %s: %s", scheme, bad)
			}
			p.keep(t, fmt.Sprintf("docs-%d-%s", width, scheme))
		}
	}

	p.do(
		t, look(1280, "light"),
		chromedp.Click(".btn.authorize"),
		chromedp.SendKeys(".auth-container input", "a-bearer-token"),
		chromedp.Click(".auth-btn-wrapper .authorize"),
		chromedp.Click(".auth-btn-wrapper .btn-done"),
		chromedp.Click("#operations-Car_posts-listCarPosts .opblock-summary-control"),
		chromedp.Click("#operations-Car_posts-listCarPosts .try-out__btn"),
		chromedp.SendKeys(`#operations-Car_posts-listCarPosts tr[data-param-name="q"] input`, "dacia"),
		chromedp.Click("#operations-Car_posts-listCarPosts .execute"),
		chromedp.WaitVisible("#operations-Car_posts-listCarPosts .live-responses-table"),
	)
	if !eval[bool](t, p, `document.body.innerText.includes("Dacia from the server")`) {
		t.Error("the answer is not shown")
	}
	if hash := eval[string](t, p, `location.hash`); hash != "#/Car%20posts/listCarPosts" {
		t.Errorf("the link to the open operation is %q", hash)
	}
	p.keep(t, "docs-open")
	got := asked()
	if len(got) != 1 || got[0].Get("Authorization") != "Bearer a-bearer-token" || got[0].Get("Cookie") != "" {
		t.Errorf("asked %+v, want once, with the token and no cookie", got)
	}

	// The link leads there again.
	p.do(t, chromedp.Navigate("about:blank"), chromedp.Navigate(srv.URL+"/api/docs/#/Car%20posts/createCarPost"),
		chromedp.WaitVisible("#operations-Car_posts-createCarPost .opblock-body"))
	p.fine(t, host)
}

// TestWholeAPIInBrowser shows the description of the real API: every operation is
// there, and opening each finds nothing to complain about.
func TestWholeAPIInBrowser(t *testing.T) {
	ctx := browser(t)
	api := httpapi.New(httpapi.Options{})
	s := site.New(site.Options{Accounts: &accounts{}, OpenAPI: api.Description()})
	srv := httptest.NewServer(s.Docs())
	defer srv.Close()
	p := newTab(ctx, t)
	p.do(t, look(390, "light"), chromedp.Navigate(srv.URL+"/api/docs/"), chromedp.WaitVisible("#operations-Settings-delete-account"))
	operations := 0
	for _, r := range api.Routes() {
		if r.Path != "/api/openapi.json" { // the description does not describe itself
			operations++
		}
	}
	if n := eval[int](t, p, `document.querySelectorAll(".opblock").length`); n != operations {
		t.Errorf("%d operations are listed, want %d", n, operations)
	}
	p.do(t, chromedp.Click("#operations-Car_posts-create-car-post .opblock-summary-control"), chromedp.WaitVisible("#operations-Car_posts-create-car-post .opblock-body"))
	if wide := eval[int](t, p, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %d px wide in 390", wide)
	}
	p.keep(t, "docs-real-390")
	p.fine(t, strings.TrimPrefix(srv.URL, "http://"))
}

// TestResetByKeyboard changes a password without a mouse: wrong at first, then right.
func TestResetByKeyboard(t *testing.T) {
	ctx := browser(t)
	a := &accounts{}
	srv, _ := fakeAPI(t, a)
	p := newTab(ctx, t)
	p.do(
		t, chromedp.Navigate(srv.URL+"/account/reset/?token="+token), chromedp.WaitReady("#new_password:focus"),
		chromedp.KeyEvent("a good password"+kb.Tab+"a god password"), waitFor(kb.Enter, ".alert"),
	)
	if s := eval[string](t, p, `[...document.querySelectorAll("input[type=password]")].map(i => i.value).join()`); s != "," {
		t.Errorf("the passwords came back: %q", s)
	}
	p.do(t, chromedp.WaitReady("#new_password:focus"),
		chromedp.KeyEvent("a good password"+kb.Tab+"a good password"+kb.Tab), waitFor(kb.Enter, "main > p"))
	if h := eval[string](t, p, `document.querySelector("h1").innerText`); h != "Your password is changed" {
		t.Errorf("the page says %q", h)
	}
	if u := eval[string](t, p, `location.href`); strings.Contains(u, token) {
		t.Errorf("the token is still in the address: %s", u)
	}
	if len(a.calls) != 2 || a.calls[1].pw != "a good password" || a.calls[1].token != token || len(a.calls[1].bad) > 0 {
		t.Errorf("asked %+v", a.calls)
	}
	p.fine(t, strings.TrimPrefix(srv.URL, "http://"))
}

// waitFor presses a key that sends a form, and waits for the answer.
func waitFor(key, selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(key)); err != nil {
			return err
		}
		return chromedp.Do(ctx, chromedp.WaitVisible(selector))
	})
}

// lowContrast lists texts that are hard to tell from what is behind them.
const lowContrast = `(() => {
	const parse = (c) => c.match(/[\d.]+/g).map(Number);
	const lum = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] === 1) return c;
		}
		return [255, 255, 255];
	};
	const bad = [];
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
		const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(behind(e))].sort((x, y) => y - x);
		if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(e.tagName + ": " + e.textContent.slice(0, 40));
	}
	return bad.join("; ");
})()`

// TestPagesInBrowser looks at each page on a phone and on a desk, by day and by
// night, in both languages.
func TestPagesInBrowser(t *testing.T) {
	ctx := browser(t)
	var rules fault.Fields
	rules.Add("new_password", "password_too_short", "This password is too short. It must contain at least 8 characters.")
	rules.Add("new_password", "password_too_common", "This password is too common.")
	submit := waitFor(kb.Enter, "h1")
	tests := []struct {
		name, path string
		err        error
		steps      []chromedp.Action[chromedp.Void]
	}{
		{"start", "/", nil, nil},
		{"verify", "/account/verify/?token=" + token, nil, nil},
		{"verified", "/account/verify/?token=" + token, nil, []chromedp.Action[chromedp.Void]{chromedp.Focus("button"), submit}},
		{"verify-failed", "/account/verify/?token=" + token, fault.InvalidField("token", "invalid", "x"), []chromedp.Action[chromedp.Void]{chromedp.Focus("button"), submit}},
		{"reset", "/account/reset/?token=" + token, nil, nil},
		{"reset-refused", "/account/reset/?token=" + token, rules.Err(), []chromedp.Action[chromedp.Void]{chromedp.KeyEvent("password" + kb.Tab + "password"), submit}},
		{"not-found", "/nowhere/", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, _ := fakeAPI(t, &accounts{err: tt.err})
			p := newTab(ctx, t)
			for _, lang := range []string{"en", "ro"} {
				to, err := url.Parse(srv.URL + tt.path)
				if err != nil {
					t.Fatal(err)
				}
				q := to.Query()
				q.Set("lang", lang)
				to.RawQuery = q.Encode()
				p.do(t, look(390, "light"), chromedp.Navigate(to.String()))
				p.do(t, tt.steps...)
				if got := eval[string](t, p, `document.documentElement.lang`); got != lang {
					t.Errorf("the page is in %q, want %q", got, lang)
				}
				if n := eval[int](t, p, `document.querySelectorAll("h1").length`); n != 1 {
					t.Errorf("%d headings of the first rank, want 1", n)
				}
				for _, width := range []int64{390, 1280} {
					for _, scheme := range []string{"light", "dark"} {
						p.do(t, look(width, scheme))
						if wide := eval[int](t, p, `document.documentElement.scrollWidth`); wide > int(width) {
							t.Errorf("the page is %d px wide in %d", wide, width)
						}
						if bad := eval[string](t, p, lowContrast); bad != "" {
							t.Errorf("hard to read in %s: %s", scheme, bad)
						}
						p.keep(t, fmt.Sprintf("%s-%s-%d-%s", tt.name, lang, width, scheme))
					}
				}
			}
			p.fine(t, strings.TrimPrefix(srv.URL, "http://"))
		})
	}
}
