package inbrowser_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

// Who may come in, and how they go (promises B1, B5, B9 and Z6).
func TestSignIn_B1_B9_Z6(t *testing.T) {
	one(t, func(w *world) {
		p := w.tab()
		try := func(email, pw string, want int64) {
			w.Helper()
			p.open("login/")
			p.fill("#email", email)
			p.fill("#password", pw)
			w.status(p.press("main button"), want, "signing in as "+email)
			if want != 200 && p.has(".who") {
				w.Errorf("%s is in", email)
			}
		}
		w.status(p.open("posts/?q=logan"), 200, "the page to sign in")
		if got := p.path(); got != "/admin/login/?next=%2Fadmin%2Fposts%2F%3Fq%3Dlogan" {
			w.Errorf("sent to %s", got)
		}
		try("", "", 400)
		if p.count(".problem") != 2 {
			w.Error("not both fields are asked for")
		}
		said := map[string]bool{}
		for _, who := range [][2]string{{bossMail, "wrong-password"}, {driverMail, goodPass}, {"nobody@example.com", goodPass}} {
			try(who[0], who[1], 401)
			said[p.text()] = true
			if v := eval[string](p, `document.querySelector("#email").value + document.querySelector("#password").value`); v != who[0] {
				w.Errorf("the form comes back with %q", v)
			}
		}
		if len(said) != 1 {
			w.Errorf("the page tells accounts apart: %v", said)
		}
		try(bossMail, goodPass, 200)
		if got := eval[string](p, `document.cookie`); got != "" {
			w.Errorf("scripts read the cookie %q", got)
		}
		first := wait[string](p, `fetch("/admin/").then(r => r.text()).then(s => s.match(/name="_token" value="([^"]+)"/)[1])`)
		// A second sign-in is another session, and the first has ended.
		c := w.client()
		c.signIn(bossMail)
		old := c.cookie()
		c.signIn(bossMail)
		if old == c.cookie() {
			w.Error("the session is the same after another sign-in")
		}
		if _, err := w.accounts.Authenticate(w.Context(), account.SessionAdmin, old); err == nil {
			w.Error("the session before lives on")
		}
		// Their own sessions: all but this one end.
		p.open("me/")
		if n := p.count("table tbody tr"); n < 2 || p.count(".state.good") != 1 {
			w.Errorf("%d sessions, %d of them this one", n, p.count(".state.good"))
		}
		w.status(p.press(`button[name="_all"]`), 200, "ending the others")
		p.says("Your other sessions have ended")
		if n := p.count("table tbody tr"); n != 1 {
			w.Errorf("%d sessions are left", n)
		}
		w.status(c.send("GET", "posts/", "", "", nil), 302, "the other session")
		// Out again: the old cookie is worth nothing, and going back shows nothing.
		w.status(p.press(".who button"), 200, "signing out")
		if p.path() != "/admin/login/" {
			w.Errorf("signed out to %s", p.path())
		}
		p.open("posts/")
		if !strings.HasPrefix(p.path(), "/admin/login/") {
			w.Errorf("still in at %s", p.path())
		}
		try(bossMail, goodPass, 200)
		if again := eval[string](p, `document.querySelector("[name=_token]").value`); again == first {
			w.Error("the proof of forms is the same in another session")
		}
		// Guessing is slowed down and stopped.
		g := w.client()
		var last int64
		for range 11 {
			last = g.send("POST", "login/", "application/x-www-form-urlencoded", "email=guess%40example.com&password=x", http.Header{"Sec-Fetch-Site": {"same-origin"}})
		}
		w.status(last, 429, "the eleventh guess")
		p.fine()
	})
}

// After a sign-in only pages of the site are gone to (promise B6).
func TestOpenRedirects_B6(t *testing.T) {
	one(t, func(w *world) {
		bad := []string{
			"//evil.example/", "///evil.example/", "http://evil.example/", "https:evil.example", `/\evil.example/`, `\\evil.example`, "/admin/../api/docs/", "/admin/..//evil.example",
			"/admin//evil.example/../..", "javascript:alert(1)", "/admin\t/", "/admin/\nLocation: http://evil.example", "data:text/html,x", "/admin@evil.example", "//admin/", "/",
			"/admin/logout/", "/admin/login/?next=//evil.example", "/api/me/", "http:///admin/", "/admin/%00", "/admin/%2e%2e/account/reset/", strings.Repeat("/admin/", 700),
		}
		c := w.client()
		for _, next := range append(bad, "") {
			for _, method := range []string{"GET", "POST"} {
				if method == "GET" {
					c.signIn(bossMail) // who is in is sent on at once
				} else {
					c = w.client()
				}
				got := c.location(method, next)
				if got != "/admin/" && !(strings.HasPrefix(got, "/admin/") && strings.HasPrefix(next, "/admin/%")) {
					w.Errorf("%s with next=%q leads to %q", method, next, got)
				}
			}
		}
		for _, next := range []string{"/admin/posts/", "/admin/posts/?q=a+b&f.owner=1", "/admin/users/1/"} {
			if got := w.client().location("POST", next); got != next {
				w.Errorf("next=%q leads to %q", next, got)
			}
		}
		// In a browser, which reads addresses in its own way.
		for _, next := range []string{"//evil.example/", `/\evil.example/`, "/admin/..//evil.example", "/admin/posts/?q=logan"} {
			p := w.tab()
			p.open("login/?next=" + strings.NewReplacer(`\`, "%5C", "?", "%3F", "=", "%3D").Replace(next))
			p.fill("#email", bossMail)
			p.fill("#password", goodPass)
			p.press("main button")
			want := "/admin/"
			if strings.HasSuffix(next, "logan") {
				want = next
			}
			if got := eval[string](p, `location.href`); got != w.base+want {
				w.Errorf("next=%q leads to %s", next, got)
			}
			p.fine()
		}
	})
}

// What a group allows is all that its members see and do (promise Z6).
func TestLimitedGroup_Z6(t *testing.T) {
	one(t, func(w *world) {
		p := w.enter(clerkMail) // nothing yet
		if p.count(".menu a") != 1 || p.count(".charts section") != 0 || p.count(".attention li") != 0 {
			w.Errorf("without a permission there is:\n%s", p.text())
		}
		for _, k := range kinds {
			w.status(p.open(k.name+"/"), 403, k.name)
		}
		w.allow("posts:view", "posts:change", "reports:view")
		p.open("")
		if got := eval[string](p, `[...document.querySelectorAll(".menu a")].map(a => a.innerText).join()`); got != "Dashboard,Car posts,Reports of posts" {
			w.Errorf("the menu has %s", got)
		}
		if got := eval[string](p, `[...document.querySelectorAll(".charts h2, .attention a")].map(e => e.innerText).join()`); strings.Contains(got, "users") || strings.Contains(got, "jobs") || !strings.Contains(got, "car posts") {
			w.Errorf("the dashboard has %s", got)
		}
		w.status(p.open("posts/?q=logan+cluj"), 200, "what is allowed")
		if p.has(`a[href="add/"]`) || p.has(`#action option[value="delete"]`) || p.has(`td a[href^="/admin/users/"]`) {
			w.Error("the list offers what is not allowed")
		}
		p.open(fmt.Sprintf("posts/%d/", w.post))
		if p.has(`a[href="delete/"]`) || p.has(`button[value="new"]`) || p.has(`a[href^="/admin/users/"]`) || p.has(`a[href^="/admin/uploads/"]`) {
			w.Error("the page offers what is not allowed")
		}
		p.fill(`[name="location"]`, "Zalău")
		w.status(p.press(`.save button[value="list"]`), 200, "a change")
		if got := w.location(); got != "Zalău" {
			w.Errorf("the place is %q", got)
		}
		// Addresses that no page shows are refused as well.
		p.open("posts/")
		token := eval[string](p, `document.querySelector("[name=_token]").value`)
		ask := func(method, path, body string) int64 {
			w.Helper()
			init := "{}"
			if method == "POST" {
				init = fmt.Sprintf(`{method: "POST", body: new URLSearchParams(%q)}`, "_confirmed=1&_token="+token+body)
			}
			return wait[int64](p, fmt.Sprintf(`fetch("/admin/%s", %s).then(r => r.status)`, path, init))
		}
		numbers := strings.NewReplacer("{user}", fmt.Sprint(w.driver.ID), "{paper}", fmt.Sprint(w.paper), "{file}", fmt.Sprint(w.file), "{post}", fmt.Sprint(w.post))
		for _, path := range []string{
			"users/", "users/{user}/", "users/suggest/?q=a", "users/export.csv", "users/{user}/history/", "documents/{paper}/", "files/{file}/file", "history/", "jobs/",
			"posts/add/", "posts/{post}/delete/", "settings/{user}/", "groups/", "groups/add/", "uploads/", "sessions/", "mails/",
		} {
			path := numbers.Replace(path)
			w.status(ask("GET", path, ""), 403, path)
		}
		for path, body := range map[string]string{
			"posts/{post}/delete/": "", "posts/add/": "&make=x", "posts/": fmt.Sprintf("&_action=delete&_id=%d", w.post), "users/{user}/": "&name=x&_version=1", "users/{user}/do/deactivate/": "",
			"users/{user}/do/password/": "&password=alt-cal-alta-baterie", "documents/{paper}/file/": "&drop=1", "reports/1/do/resolve/": "", "users/{user}/history/": "&event=1",
			"groups/add/": "&name=x", "sessions/1/delete/": "",
		} {
			path := numbers.Replace(path)
			w.status(ask("POST", path, body), 403, "POST "+path)
		}
		// The history of another thing is not to be had through one that is allowed.
		events, err := w.store.Trail(w.Context(), "user", w.driver.ID, 0, 1)
		w.must(err)
		w.status(ask("POST", fmt.Sprintf("posts/%d/history/", w.post), fmt.Sprintf("&event=%d", events[0].ID)), 404, "another's event")
		w.status(ask("GET", fmt.Sprintf("files/%d/small", w.photo), ""), 200, "a photo of a post")
		// Somebody who may change people makes no staff, and touches none.
		w.allow("users:view", "users:change", "users:add", "users:delete", "groups:view", "groups:add", "groups:change")
		p.open(fmt.Sprintf("users/%d/", w.driver.ID))
		if p.has(`[name="is_staff"]`) || p.has(`[name="is_superuser"]`) || p.has(`[name="groups"]`) {
			w.Error("rights are offered to somebody who may not give them")
		}
		version := eval[string](p, `document.querySelector("[name=_version]").value`)
		p.open("users/")
		ask("POST", fmt.Sprintf("users/%d/", w.driver.ID), "&_form=1&name=Ana&email="+driverMail+"&is_active=on&email_verified=on&is_staff=on&is_superuser=on&_version="+version)
		u, profile, err := w.accounts.Profile(w.Context(), account.System(account.SourceCommand), w.driver.ID)
		w.must(err)
		if u.Staff || u.Superuser || profile.Name != "Ana" {
			w.Errorf("made staff by somebody who may not, or not saved: %+v", profile)
		}
		for path, body := range map[string]string{
			fmt.Sprintf("users/%d/delete/", w.boss.ID): "", fmt.Sprintf("users/%d/do/password/", w.boss.ID): "&password=alt-cal-alta-baterie", fmt.Sprintf("users/%d/do/deactivate/", w.boss.ID): "",
			"groups/add/": "&_form=1&name=mine&permissions=users:view",
		} {
			w.status(ask("POST", path, body), 403, "POST "+path)
		}
		// Demoted in the middle of it all, they are out with the next request.
		w.revise(w.clerk, func(p *account.Profile) { p.Staff = false })
		p.open("posts/")
		if !strings.HasPrefix(p.path(), "/admin/login/") {
			w.Errorf("demoted, and still at %s", p.path())
		}
		p.fine()
	})
}

// Everything can be done without a mouse.
func TestKeyboard(t *testing.T) {
	one(t, func(w *world) {
		p := w.tab()
		p.open("login/")
		p.Do(w.T, chromedp.WaitReady(chromedp.CSS("#email:focus")), chromedp.KeyEvent(bossMail+kb.Tab+goodPass))
		w.status(p.leads(enter()), 200, "signing in")
		// The first stop leads past the menu.
		p.Do(w.T, chromedp.KeyEvent(kb.Tab))
		if got := p.focus(); got != "Skip to the page" {
			w.Errorf("the first stop is %q", got)
		}
		if !eval[bool](p, `document.querySelector(".skip").getBoundingClientRect().left >= 0`) {
			w.Error("the link that skips cannot be seen")
		}
		p.Do(w.T, enter(), chromedp.WaitReady(chromedp.CSS("main:focus")), chromedp.KeyEvent(kb.Tab))
		if !eval[bool](p, `document.querySelector("main").contains(document.activeElement)`) {
			w.Errorf("after the skip the next stop is %q", p.focus())
		}
		// The menu, by its links.
		p.open("")
		p.tabTo("Car posts", 20)
		w.status(p.leads(enter()), 200, "the menu")
		// A search.
		p.tabTo("#q", 40)
		w.status(p.leads(chromedp.KeyEvent("dacia"), enter()), 200, "a search")
		if got := p.path(); got != "/admin/posts/?q=dacia" {
			w.Errorf("the search leads to %s", got)
		}
		// A filter by a person, out of suggestions.
		p.open("posts/")
		p.Do(w.T, chromedp.Focus(chromedp.CSS(`.filters section:nth-of-type(6) a`)))
		p.tabTo("combobox", 40)
		p.Do(w.T, chromedp.KeyEvent("ana@example"), chromedp.WaitVisible(chromedp.CSS(".options li")))
		if got := eval[string](p, `document.activeElement.getAttribute("aria-expanded")`); got != "true" {
			w.Errorf("aria-expanded is %s", got)
		}
		p.Do(w.T, chromedp.KeyEvent(kb.ArrowDown), chromedp.WaitReady(chromedp.CSS(`.options li[aria-selected="true"]`)))
		if !eval[bool](p, `document.activeElement.getAttribute("aria-activedescendant") === document.querySelector(".options [aria-selected=true]").id`) {
			w.Error("the suggestion that is marked is not told to readers of screens")
		}
		p.Do(w.T, enter(), chromedp.WaitNotVisible(chromedp.CSS(".options")))
		if got := eval[string](p, `document.activeElement.value + "|" + document.querySelector('[name="f.owner"]').value`); got != fmt.Sprintf("Ana Pop <%s> #%d|%d", driverMail, w.driver.ID, w.driver.ID) {
			w.Errorf("chosen: %s", got)
		}
		w.status(p.leads(enter()), 200, "the filter")
		p.says("1–1 of 1")
		// Escape closes the suggestions and keeps the words.
		p.Do(w.T, chromedp.Focus(chromedp.CSS(`.filters section:nth-of-type(6) a`)))
		p.tabTo("combobox", 40)
		p.Do(w.T, chromedp.KeyEvent("maria"), chromedp.WaitVisible(chromedp.CSS(".options li")), chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible(chromedp.CSS(".options")))
		// Something is ticked, opened and saved.
		p.Do(w.T, chromedp.Focus(chromedp.CSS("#action")))
		p.tabTo("Tick Dacia Logan", 80)
		p.Do(w.T, chromedp.KeyEvent(" "))
		if !p.has(`input[name="_id"]:checked`) {
			w.Error("the space bar does not tick")
		}
		p.Do(w.T, chromedp.KeyEvent(kb.Tab))
		w.status(p.leads(enter()), 200, "the car post")
		p.tabTo(`[name="location"]`, 80)
		p.Do(w.T, chromedp.KeyEvent(kb.End+", by night"))
		p.tabTo("Save", 40)
		w.status(p.leads(enter()), 200, "saving")
		if got := w.location(); got != "Cluj-Napoca, by night" {
			w.Errorf("the place is %q", got)
		}
		p.fine()
		// More rows of what belongs to an entry.
		p = w.enter(bossMail)
		p.open(fmt.Sprintf("entries/%d/", w.entry))
		p.Do(w.T, chromedp.Focus(chromedp.CSS(`[data-add-row]`)), enter())
		if got := eval[string](p, `document.activeElement.name`); got != "expense_items-3-category" {
			w.Errorf("after a new row the focus is on %q", got)
		}
		p.Do(w.T, chromedp.KeyEvent(kb.Tab+"12"+kb.Tab+"tolls"))
		w.status(p.leads(enter()), 200, "saving")
		e, err := w.earnings.Entry(w.Context(), w.as(w.driver), w.entry)
		w.must(err)
		if len(e.Items) != 2 || e.Expenses != 6_200 {
			w.Errorf("the items are %+v, of %s", e.Items, e.Expenses)
		}
		p.fine()
	})
}

// enter presses Enter as a keyboard does: a page that takes the key for itself
// keeps the form from being sent by it, which an event for the character alone
// would do all the same.
func enter() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, typ := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
			e := input.DispatchKeyEventParams{Type: typ, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13}
			if typ == input.DispatchKeyEventTypeKeyDown {
				e.Text, e.UnmodifiedText = "\r", "\r"
			}
			if _, err := cdp.Call(ctx, target, input.DispatchKeyEvent, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// focus is what has the focus, as people call it.
func (p *page) focus() string {
	p.w.Helper()
	return eval[string](p, `(e => e.ariaLabel || e.innerText || e.id || e.name || e.tagName)(document.activeElement)`)
}

// tabTo presses the tabulator until something has the focus that is called so, has
// that role or fits that selector; every stop on the way must be seen to have it.
func (p *page) tabTo(what string, most int) {
	p.w.Helper()
	for range most {
		p.Do(p.w.T, chromedp.KeyEvent(kb.Tab))
		got := eval[string](p, fmt.Sprintf(`((e, what) => {
			const fits = () => { try { return e.matches(what) } catch { return false } };
			if ([e.ariaLabel, (e.innerText || "").trim(), e.getAttribute("role")].includes(what) || fits()) return "there";
			const r = e.getBoundingClientRect();
			return e !== document.body && (r.width === 0 || r.height === 0) ? "unseen" : "";
		})(document.activeElement, %q)`, what))
		switch got {
		case "there":
			return
		case "unseen":
			p.w.Errorf("%s: %q has the focus and cannot be seen", p.path(), p.focus())
		}
	}
	p.w.Fatalf("%s: the tabulator does not come to %q in %d steps", p.path(), what, most)
}
