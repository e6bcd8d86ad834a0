package inbrowser_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// evil is text that would act if a page took it for more than text.
func evil(n int) string {
	return fmt.Sprintf(`<script>window.pwned=%d</script>"><img src=x onerror="window.pwned=%d">'`, n, n)
}

// evilName is such a text without a slash, behind which the names of files are cut.
func evilName(n int) string { return fmt.Sprintf(`"><img src=x onerror="window.pwned=%d">'`, n) }

// Whatever people have written is text on every page (promises B7 and I7).
func TestMarkupIsInert_B7_I7(t *testing.T) {
	one(t, func(w *world) {
		ctx := w.Context()
		system := account.System(account.SourceCommand)
		villain, err := w.accounts.CreateProfile(ctx, system, account.Profile{Name: evil(1), Email: "rau@example.com", Active: true}, goodPass, nil)
		w.must(err)
		by := w.as(villain)
		post := w.newPost(villain, listing.Details{
			Make: evil(2), Model: evil(3), Version: evil(4), Engine: evil(5), Fuel: evil(6), Body: evil(7), Transmission: evil(8), Color: evil(9),
			EmissionStandard: evil(10), Location: evil(11), Contact: evil(12), Description: evil(13) + "\n" + evil(14),
		})
		e, _, err := w.earnings.Create(ctx, by, func(d *earnings.Details) fault.Fields {
			d.Platform, d.Note, d.Currency = evil(15), evil(16), "RON"
			d.Items, d.ItemsChanged = []earnings.ExpenseItem{{Category: "fuel", Amount: 100, Note: evil(17)}}, true
			return nil
		})
		w.must(err)
		d, _, err := w.documents.Create(ctx, by, document.Details{Type: "other", Title: evil(18), Number: evil(19), Issuer: evil(20), Description: evil(21)}, nil)
		w.must(err)
		u, err := w.media.Take(ctx, by, media.Target{Post: post}, evilName(22), mediatest.JPEG(300, 200), 0)
		w.must(err)
		f, err := w.media.Take(ctx, by, media.Target{Document: d.ID}, evilName(23), mediatest.PDF("evil"), 0)
		w.must(err)
		w.must(w.media.Process(ctx, media.Process{UploadID: u.ID}))
		w.must(w.listings.Report(ctx, w.as(w.driver), post, evil(24), evil(25), nil))
		_, err = w.listings.Revise(ctx, by, post, nil, func(d *listing.Details) fault.Fields { d.Color = evil(26); return nil })
		w.must(err)
		operator := account.Actor{ID: w.boss.ID, Source: account.SourceAdmin, Manages: true, Superuser: true}
		_, err = w.listings.Close(ctx, operator, post, nil, evil(27), nil)
		w.must(err)
		_, err = w.accounts.SignIn(ctx, account.Actor{Source: account.SourceAPI, Address: "198.51.100.7", Device: evil(28)}, account.SessionAPI, "rau@example.com", goodPass)
		w.must(err)
		g, err := w.accounts.CreateGroup(ctx, system, account.GroupDetails{Name: evil(29), Permissions: []string{"posts:view"}}, nil)
		w.must(err)

		q := url.QueryEscape(evil(30))
		paths := []string{
			"", "users/", "users/{user}/", "users/{user}/history/", "users/{user}/delete/", "users/{user}/do/deactivate/", "settings/{user}/", "sessions/?f.owner={user}", "mails/?f.owner={user}",
			"posts/?f.owner={user}", "posts/{post}/", "posts/{post}/history/", "posts/{post}/delete/", "posts/{post}/do/close/", "reports/?f.post={post}",
			"entries/?f.owner={user}", "entries/{entry}/", "entries/{entry}/history/", "entries/{entry}/delete/",
			"documents/?f.owner={user}", "documents/{paper}/", "documents/{paper}/history/", "documents/{paper}/delete/",
			"uploads/?f.owner={user}", "uploads/{photo}/", "uploads/{file}/", "uploads/{photo}/delete/", "groups/", "groups/{group}/", "groups/{group}/delete/",
			"history/?f.owner={user}", "posts/add/?make=" + q, "posts/?q=" + q,
			"posts/?f.currency=" + q, "posts/?f.price.from=" + q, "posts/?x%22%3E=" + q,
		}
		numbers := strings.NewReplacer("{user}", fmt.Sprint(villain.ID), "{post}", fmt.Sprint(post), "{entry}", fmt.Sprint(e.ID), "{paper}", fmt.Sprint(d.ID),
			"{photo}", fmt.Sprint(u.ID), "{file}", fmt.Sprint(f.ID), "{group}", fmt.Sprint(g.ID))
		seen := map[string]bool{}
		for part := range slices.Chunk(paths, 9) {
			p := w.enter(bossMail)
			for _, path := range part {
				p.open(numbers.Replace(path))
				p.inert(seen)
			}
			p.Fine(w.T, w.host)
		}
		for n := 1; n <= 30; n++ {
			if !seen[fmt.Sprint(n)] {
				w.Errorf("nothing was seen of %s: it is not shown, or not whole", evil(n))
			}
		}

		// In what comes after a form: problems, messages, words that stand again.
		p := w.enter(bossMail)
		p.open(fmt.Sprintf("posts/%d/", post))
		p.fill(`[name="make"]`, "")
		p.fill(`[name="year"]`, evil(31))
		w.status(p.press(`.save button[value="list"]`), 400, "a form of evil")
		p.inert(seen)
		p.open(fmt.Sprintf("users/%d/", villain.ID))
		p.fill(`[name="name"]`, evil(32))
		w.status(p.press(`.save button[value="continue"]`), 200, "an evil name")
		p.inert(seen)
		// Another has changed it meanwhile.
		p.open(fmt.Sprintf("posts/%d/", post))
		_, err = w.listings.Revise(ctx, by, post, nil, func(d *listing.Details) fault.Fields { d.Engine = evil(33); return nil })
		w.must(err)
		w.status(p.press(`.save button[value="list"]`), 409, "an evil stale form")
		p.inert(seen)
		// Suggestions.
		p.open("posts/")
		box := `.filters .relation input[role="combobox"]`
		p.Do(w.T, chromedp.SendKeys(chromedp.CSS(box), "rau@"), chromedp.WaitVisible(chromedp.CSS(".options li")), chromedp.KeyEvent(kb.ArrowDown), enter(), chromedp.WaitNotVisible(chromedp.CSS(".options")))
		p.inert(seen)
		// In an export no cell begins a formula, and markup is what it is.
		w.rename(villain, "=HYPERLINK(1)")
		csv := wait[string](p, fmt.Sprintf(`Promise.all([fetch("/admin/users/export.csv?q=rau"), fetch("/admin/posts/export.csv?f.owner=%d")]).then(l => Promise.all(l.map(r => r.text()))).then(l => l.join("\n"))`, villain.ID))
		if strings.Contains(csv, `,=HYPERLINK`) || strings.Contains(csv, `,"=HYPERLINK`) || strings.Count(csv, "HYPERLINK") < 2 {
			w.Errorf("a formula in an export:\n%s", csv)
		}
		p.Fine(w.T, w.host)
	})
}

func (w *world) rename(u account.User, name string) {
	w.Helper()
	w.revise(u, func(p *account.Profile) { p.Name = name })
}

// inert checks that nothing on the page came to life, and notes which texts were
// seen whole.
func (p *page) inert(seen map[string]bool) {
	p.w.Helper()
	if got := eval[string](p, `[String(window.pwned), document.querySelectorAll("main script, [onerror], img[src='x'], script:not([src])").length].join()`); got != "undefined,0" {
		p.w.Errorf("%s: markup has come to life: %s", p.path(), got)
	}
	for _, n := range eval[[]string](p, `(() => {
		const text = [document.body.textContent, document.title, ...[...document.querySelectorAll("input, textarea")].map(i => i.value),
			...[...document.querySelectorAll("[aria-label], [alt]")].map(e => (e.ariaLabel || "") + " " + (e.alt || ""))].join("\n");
		return [...text.matchAll(/(?:<script>window\.pwned=(\d+)<\/script>)?"><img src=x onerror="window\.pwned=(\d+)">'/g)].filter(m => !m[1] || m[1] === m[2]).map(m => m[2]);
	})()`) {
		seen[n] = true
	}
}

// Forms that no page of the site made change nothing (promises B2 and B5), nor do
// they from within somebody else's page.
func TestForged_B2_B5(t *testing.T) {
	one(t, func(w *world) {
		p := w.enter(bossMail)
		own := wait[string](p, fmt.Sprintf(`(async () => {
			const page = new DOMParser().parseFromString(await (await fetch("/admin/posts/%d/")).text(), "text/html");
			return page.querySelector("[name=_token]").value;
		})()`, w.post))
		other := w.enter(clerkMail)
		theirs := eval[string](other, `document.querySelector("[name=_token]").value`)
		attack := func(token string) int64 {
			w.Helper()
			return wait[int64](p, fmt.Sprintf(`fetch("/admin/posts/%d/delete/", {method: "POST", body: new URLSearchParams({%s confirmed: "1"})}).then(r => r.status)`, w.post, token))
		}
		w.status(attack(""), 403, "no token")
		w.status(attack(`token: "", `), 403, "an empty token")
		w.status(attack(fmt.Sprintf(`token: %q, `, theirs)), 403, "another session's token")
		w.status(attack(fmt.Sprintf(`token: %q, `, own[:len(own)-2]+"xx")), 403, "a token that was tampered with")
		w.alive("by forged tokens")

		// From pages of others. One is on another site, so that it has no cookie; one
		// is on another port of ours, so that it has.
		hostile := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(rw, `<!doctype html><html lang="en"><title>prizes</title><link rel="icon" href="data:,"><form method="post" action="%s/admin/posts/%d/delete/"><input name="_token" value="%s"><input name="_confirmed" value="1"><button>Win</button></form>`, w.base, w.post, own)
		}))
		w.Cleanup(hostile.Close)
		for name, address := range map[string]string{"another port": hostile.URL, "another site": strings.Replace(hostile.URL, "127.0.0.1", "localhost", 1)} {
			p.to(address)
			got := p.press("button")
			if name == "another port" {
				w.status(got, 403, name)
				p.says("did not come from a page of this site")
			} else if !strings.HasPrefix(p.path(), "/admin/") || p.has(".message") { // sent to sign in, and nothing was done
				w.Errorf("from %s: %d at %s", name, got, p.path())
			}
			w.alive("from " + name)
		}
		// A frame of the site in such a page stays empty.
		p.to(hostile.URL)
		framed := wait[string](p, fmt.Sprintf(`new Promise(done => {
			const f = document.createElement("iframe");
			f.onload = () => { try { done(String(f.contentDocument && f.contentDocument.body && f.contentDocument.body.innerText)) } catch (e) { done("out of reach") } };
			f.src = "%s/admin/";
			document.body.append(f);
		})`, w.base))
		if strings.Contains(framed, "Dashboard") {
			w.Error("the site is shown in a frame")
		}
		// The session is alive after all that.
		w.status(p.open("posts/"), 200, "the session")
		if p.path() != "/admin/posts/" {
			w.Errorf("thrown out to %s", p.path())
		}
	})
}

func (w *world) alive(what string) {
	w.Helper()
	if _, err := w.listings.Post(w.Context(), w.as(w.driver), w.post); err != nil {
		w.Fatalf("the post was deleted %s: %v", what, err)
	}
}

// Requests that no browser makes: with one header of a browser missing or wrong,
// with other bodies, and with credentials of other doors.
func TestForged_Wire_B2_Z6(t *testing.T) {
	one(t, func(w *world) {
		c := w.client()
		token := c.signIn(bossMail)
		api, err := w.accounts.SignIn(w.Context(), account.Actor{Source: account.SourceAPI, Address: "198.51.100.7"}, account.SessionAPI, bossMail, goodPass)
		w.must(err)
		form := "_confirmed=1&_token=" + url.QueryEscape(token)
		const kind = "application/x-www-form-urlencoded"
		path := fmt.Sprintf("posts/%d/delete/", w.post)
		for name, h := range map[string]http.Header{
			"neither header":     {},
			"a sibling host":     {"Sec-Fetch-Site": {"same-site"}},
			"a user before it":   {"Origin": {"http://evil@" + w.host}},
			"a path behind it":   {"Origin": {"http://" + w.host + "/x"}},
			"a foreign page":     {"Sec-Fetch-Site": {"cross-site"}},
			"another origin":     {"Origin": {"http://evil.example"}},
			"https":              {"Origin": {"https://" + w.host}},
			"another port":       {"Origin": {"http://127.0.0.1:1"}},
			"null alone":         {"Origin": {"null"}},
			"two origins":        {"Origin": {w.base, "http://evil.example"}},
			"they contradict":    {"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://evil.example"}},
			"they contradict, 2": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {w.base}},
		} {
			w.status(c.send(http.MethodPost, path, kind, form, h), 403, name)
		}
		same := http.Header{"Sec-Fetch-Site": {"same-origin"}}
		for name, body := range map[string][2]string{
			"json": {"application/json", `{"_confirmed": "1"}`}, "plain text": {"text/plain", form}, "nothing": {"", form}, "latin": {kind + "; charset=iso-8859-1", form},
		} {
			w.status(c.send(http.MethodPost, path, body[0], body[1], same), 415, name)
		}
		w.status(c.send(http.MethodPost, path, kind, strings.Repeat("x", 2<<20), same), 413, "a huge form")
		w.status(c.send(http.MethodPost, path, kind, form+"&x=%00", same), 400, "a zero")
		w.status(c.send(http.MethodGet, path+"?_confirmed=1&_token="+url.QueryEscape(token), "", "", nil), 200, "a deletion by GET only asks")
		w.status(c.send(http.MethodPost, "logout/", kind, "", same), 403, "signed out by others")
		w.alive("by forged requests")

		// The door of the API does not open this one, nor this one that.
		stranger := w.client()
		w.status(stranger.send(http.MethodGet, "posts/", "", "", http.Header{"Authorization": {"Bearer " + api.Access}}), 302, "the API's token")
		w.status(stranger.send(http.MethodGet, "posts/", "", "", http.Header{"Cookie": {"ridecopilot-admin-session=" + api.Access}}), 302, "the API's token as a cookie")
		w.status(c.request(http.MethodGet, w.base+"/api/user/", "", "", http.Header{"Authorization": {"Bearer " + c.cookie()}}), 401, "the site's cookie at the API")
		for _, path := range []string{"", "posts/", "users/1/", "nothing/", "files/1/small", "users/suggest/", "users/export.csv"} {
			w.status(w.client().send(http.MethodGet, path, "", "", nil), 302, "nobody at "+path)
		}
		w.status(c.send(http.MethodPost, path, kind, form, same), 303, "the same form from a page of ours")
	})
}

// client asks without a browser.
type client struct {
	w *world
	c *http.Client
}

func (w *world) client() *client {
	w.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &client{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (c *client) cookie() string {
	u, err := url.Parse(c.w.base)
	c.w.must(err)
	for _, one := range c.c.Jar.Cookies(u) {
		if one.Name == "ridecopilot-admin-session" {
			return one.Value
		}
	}
	return ""
}

// signIn returns a token for forms.
func (c *client) signIn(email string) string {
	c.w.Helper()
	form := url.Values{"email": {email}, "password": {goodPass}}.Encode()
	c.w.status(c.send(http.MethodPost, "login/", "application/x-www-form-urlencoded", form, http.Header{"Sec-Fetch-Site": {"same-origin"}}), 303, "signing in")
	p, err := c.w.accounts.Authenticate(c.w.Context(), account.SessionAdmin, c.cookie())
	c.w.must(err)
	return c.w.accounts.FormToken(p.Session.ID)
}

func (c *client) send(method, path, kind, body string, h http.Header) int64 {
	c.w.Helper()
	return c.request(method, c.w.base+"/admin/"+path, kind, body, h)
}

func (c *client) request(method, address, kind, body string, h http.Header) int64 {
	c.w.Helper()
	req, err := http.NewRequestWithContext(c.w.Context(), method, address, strings.NewReader(body))
	c.w.must(err)
	for k, list := range h {
		req.Header[k] = list
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := c.c.Do(req)
	c.w.must(err)
	defer res.Body.Close()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := res.Header.Get(name); got != want {
			c.w.Errorf("%s %s: %s is %q, want %q", method, address, name, got, want)
		}
	}
	if csp := res.Header.Values("Content-Security-Policy"); len(csp) != 1 || !strings.HasPrefix(csp[0], "default-src 'none'") || !strings.Contains(csp[0], "frame-ancestors 'none'") && !strings.Contains(csp[0], "sandbox") {
		c.w.Errorf("%s %s: Content-Security-Policy %q", method, address, csp)
	}
	return int64(res.StatusCode)
}

// location is where a sign-in, or the page for it, sends on to.
func (c *client) location(method, next string) string {
	c.w.Helper()
	address := c.w.base + "/admin/login/?next=" + url.QueryEscape(next)
	body, kind := "", ""
	if method == http.MethodPost {
		address, kind = c.w.base+"/admin/login/", "application/x-www-form-urlencoded"
		body = url.Values{"email": {bossMail}, "password": {goodPass}, "next": {next}}.Encode()
	}
	req, err := http.NewRequestWithContext(c.w.Context(), method, address, strings.NewReader(body))
	c.w.must(err)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := c.c.Do(req)
	c.w.must(err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		c.w.Errorf("%s with next=%q = %d", method, next, res.StatusCode)
	}
	return res.Header.Get("Location")
}
