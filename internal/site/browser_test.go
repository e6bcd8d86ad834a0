package site_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ridecopilot/ridecopilot/internal/browsertest"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/site"
)

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
	s := site.New(site.Options{Accounts: a, OpenAPI: func() []byte { return description }, AdminPath: "/admin/"})
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
	ctx := browsertest.Start(t)
	srv, asked := fakeAPI(t, &accounts{})
	host := strings.TrimPrefix(srv.URL, "http://")
	p := browsertest.NewTab(ctx, t)
	p.Do(t, browsertest.Look(1280, "light"), chromedp.Navigate(srv.URL+"/api/docs/"), chromedp.WaitVisible("#operations-Car_posts-deleteCarPost"))
	if n := browsertest.Eval[int](t, p, `document.querySelectorAll(".opblock").length`); n != 4 {
		t.Errorf("%d operations are listed, want 4", n)
	}
	for _, text := range []string{"Sign in", "Search the car posts", "Advertise a car", "Delete a car post", "OAS 3.1"} {
		if !browsertest.Eval[bool](t, p, fmt.Sprintf(`document.body.innerText.includes(%q)`, text)) {
			t.Errorf("the page does not say %q", text)
		}
	}
	if browsertest.Eval[bool](t, p, `document.body.innerText.includes("api.example.com")`) {
		t.Error("operations are tried out on another host")
	}
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			class := map[string]string{"light": "html:not(.dark-mode)", "dark": "html.dark-mode"}[scheme]
			p.Do(t, browsertest.Look(width, scheme), chromedp.WaitReady(class))
			if wide := browsertest.Eval[int](t, p, `document.documentElement.scrollWidth`); wide > int(width) {
				t.Errorf("the page is %d px wide in %d", wide, width)
			}
			if bad := browsertest.Eval[string](t, p, lowContrast); bad != "" {
				t.Errorf("hard to read in %s: %s", scheme, bad)
			}
			p.Keep(t, fmt.Sprintf("docs-%d-%s", width, scheme))
		}
	}

	p.Do(
		t, browsertest.Look(1280, "light"),
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
	if !browsertest.Eval[bool](t, p, `document.body.innerText.includes("Dacia from the server")`) {
		t.Error("the answer is not shown")
	}
	if hash := browsertest.Eval[string](t, p, `location.hash`); hash != "#/Car%20posts/listCarPosts" {
		t.Errorf("the link to the open operation is %q", hash)
	}
	p.Keep(t, "docs-open")
	got := asked()
	if len(got) != 1 || got[0].Get("Authorization") != "Bearer a-bearer-token" || got[0].Get("Cookie") != "" {
		t.Errorf("asked %+v, want once, with the token and no cookie", got)
	}

	// The link leads there again.
	p.Do(t, chromedp.Navigate("about:blank"), chromedp.Navigate(srv.URL+"/api/docs/#/Car%20posts/createCarPost"),
		chromedp.WaitVisible("#operations-Car_posts-createCarPost .opblock-body"))
	p.Fine(t, host)
}

// TestWholeAPIInBrowser shows the description of the real API: every operation is
// there, and opening each finds nothing to complain about.
func TestWholeAPIInBrowser(t *testing.T) {
	ctx := browsertest.Start(t)
	api := httpapi.New(httpapi.Options{})
	s := site.New(site.Options{Accounts: &accounts{}, OpenAPI: api.Description})
	srv := httptest.NewServer(s.Docs())
	defer srv.Close()
	p := browsertest.NewTab(ctx, t)
	p.Do(t, browsertest.Look(390, "light"), chromedp.Navigate(srv.URL+"/api/docs/"), chromedp.WaitVisible("#operations-Settings-delete-account"))
	operations := 0
	for _, r := range api.Routes() {
		if !strings.HasPrefix(r.Path, "/api/openapi.") { // the description does not describe itself
			operations++
		}
	}
	if n := browsertest.Eval[int](t, p, `document.querySelectorAll(".opblock").length`); n != operations {
		t.Errorf("%d operations are listed, want %d", n, operations)
	}
	p.Do(t, chromedp.Click("#operations-Car_posts-create-car-post .opblock-summary-control"), chromedp.WaitVisible("#operations-Car_posts-create-car-post .opblock-body"))
	if wide := browsertest.Eval[int](t, p, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %d px wide in 390", wide)
	}
	p.Keep(t, "docs-real-390")
	p.Fine(t, strings.TrimPrefix(srv.URL, "http://"))
}

// TestResetByKeyboard changes a password without a mouse: wrong at first, then right.
func TestResetByKeyboard(t *testing.T) {
	ctx := browsertest.Start(t)
	a := &accounts{}
	srv, _ := fakeAPI(t, a)
	p := browsertest.NewTab(ctx, t)
	p.Do(
		t, chromedp.Navigate(srv.URL+"/account/reset/?token="+token), chromedp.WaitReady("#new_password:focus"),
		chromedp.KeyEvent("a good password"+kb.Tab+"a god password"), waitFor(kb.Enter, ".alert"),
	)
	if s := browsertest.Eval[string](t, p, `[...document.querySelectorAll("input[type=password]")].map(i => i.value).join()`); s != "," {
		t.Errorf("the passwords came back: %q", s)
	}
	p.Do(t, chromedp.WaitReady("#new_password:focus"),
		chromedp.KeyEvent("a good password"+kb.Tab+"a good password"+kb.Tab), waitFor(kb.Enter, "main > p"))
	if h := browsertest.Eval[string](t, p, `document.querySelector("h1").innerText`); h != "Your password is changed" {
		t.Errorf("the page says %q", h)
	}
	if u := browsertest.Eval[string](t, p, `location.href`); strings.Contains(u, token) {
		t.Errorf("the token is still in the address: %s", u)
	}
	if len(a.calls) != 2 || a.calls[1].pw != "a good password" || a.calls[1].token != token || len(a.calls[1].bad) > 0 {
		t.Errorf("asked %+v", a.calls)
	}
	p.Fine(t, strings.TrimPrefix(srv.URL, "http://"))
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
	ctx := browsertest.Start(t)
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
		{"reset-refused", "/account/reset/?token=" + token, rules.Err(), []chromedp.Action[chromedp.Void]{chromedp.WaitReady("#new_password:focus"), chromedp.KeyEvent("password" + kb.Tab + "password"), submit}},
		{"not-found", "/nowhere/", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, _ := fakeAPI(t, &accounts{err: tt.err})
			p := browsertest.NewTab(ctx, t)
			for _, lang := range []string{"en", "ro"} {
				to, err := url.Parse(srv.URL + tt.path)
				if err != nil {
					t.Fatal(err)
				}
				q := to.Query()
				q.Set("lang", lang)
				to.RawQuery = q.Encode()
				p.Do(t, browsertest.Look(390, "light"), chromedp.Navigate(to.String()))
				p.Do(t, tt.steps...)
				if got := browsertest.Eval[string](t, p, `document.documentElement.lang`); got != lang {
					t.Errorf("the page is in %q, want %q", got, lang)
				}
				if n := browsertest.Eval[int](t, p, `document.querySelectorAll("h1").length`); n != 1 {
					t.Errorf("%d headings of the first rank, want 1", n)
				}
				for _, width := range []int64{390, 1280} {
					for _, scheme := range []string{"light", "dark"} {
						p.Do(t, browsertest.Look(width, scheme))
						if wide := browsertest.Eval[int](t, p, `document.documentElement.scrollWidth`); wide > int(width) {
							t.Errorf("the page is %d px wide in %d", wide, width)
						}
						if bad := browsertest.Eval[string](t, p, lowContrast); bad != "" {
							t.Errorf("hard to read in %s: %s", scheme, bad)
						}
						p.Keep(t, fmt.Sprintf("%s-%s-%d-%s", tt.name, lang, width, scheme))
					}
				}
			}
			p.Fine(t, strings.TrimPrefix(srv.URL, "http://"))
		})
	}
}
