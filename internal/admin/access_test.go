package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/admin"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/store"
)

// resources are all kinds of things, with what can be done to them.
var resources = []struct {
	name                string
	add, change, delete bool
}{
	{"users", true, true, true},
	{"settings", false, true, false},
	{"sessions", false, false, false},
	{"groups", false, false, false}, // by superusers alone
	{"posts", true, true, true},
	{"reports", false, false, false},
	{"uploads", true, true, true},
	{"entries", true, true, true},
	{"documents", true, true, true},
	{"mails", false, false, false},
	{"history", false, false, false},
	{"jobs", false, false, false},
}

// Nobody sees a page without signing in, whatever it is.
func TestAnonymous_Z6(t *testing.T) {
	each(t, func(w *world) {
		paths := []string{"", "me/", "nothing/", "files/1/small", "users/1/history/", "posts/1/do/close/"}
		for _, r := range resources {
			paths = append(paths, r.name+"/", r.name+"/export.csv", r.name+"/suggest/", r.name+"/add/", r.name+"/1/", r.name+"/1/delete/")
		}
		for _, p := range paths {
			a := w.stranger().get(p).want(http.StatusFound)
			if !strings.HasPrefix(a.location, "/admin/login/") {
				t.Errorf("%s sends to %s", p, a.location)
			}
			if strings.HasSuffix(p, "/") {
				w.stranger().post(p, form{"_confirmed": {"1"}}).want(http.StatusFound)
			}
		}
		w.stranger().get("login/").want(http.StatusOK).has(`name="email"`, `name="password"`, `action="/admin/login/"`)
		// Credentials of the API do not open the site, nor the other way round.
		c, err := w.accounts.SignIn(t.Context(), account.Actor{Source: account.SourceAPI}, account.SessionAPI, "root@example.com", goodPassword)
		if err != nil {
			t.Fatal(err)
		}
		o := w.stranger()
		o.cookies["ridecopilot-admin-session"] = c.Access
		o.get("users/").want(http.StatusFound)
		if _, err := w.accounts.Authenticate(t.Context(), account.SessionAPI, w.root.cookies["ridecopilot-admin-session"]); err == nil {
			t.Error("a session of the site opens the API")
		}
	})
}

func TestSignIn_B9_T4(t *testing.T) {
	each(t, func(w *world) {
		w.driver("Dan Driver")
		var pages []string
		for _, f := range []form{
			{"email": {"nobody@example.com"}, "password": {"wrong password"}},
			{"email": {"nobody@example.com"}, "password": {goodPassword}},
			{"email": {"dan.driver@example.com"}, "password": {goodPassword}}, // right, and no operator
			{"email": {"root@example.com"}, "password": {"wrong password"}},
		} {
			a := w.stranger().post("login/", f).want(http.StatusUnauthorized)
			pages = append(pages, strings.NewReplacer(f["email"][0], "EMAIL").Replace(nonces.ReplaceAllString(a.body, "")))
		}
		for _, p := range pages[1:] {
			if p != pages[0] {
				t.Errorf("the answers differ: %s", visible(p))
			}
		}
		w.stranger().post("login/", form{"email": {"root@example.com"}}).want(http.StatusBadRequest).has("This field is required.", `value="root@example.com"`)
		// Guessing is slowed down here as well.
		o := w.stranger()
		code := 0
		for range 12 {
			code = o.post("login/", form{"email": {"root@example.com"}, "password": {"wrong"}}).code
		}
		if code != http.StatusTooManyRequests {
			t.Errorf("the twelfth guess is answered with %d", code)
		}
	})
}

// A sign-in makes a new session, and leaves none behind; signing out ends it.
func TestSession_B5_T15(t *testing.T) {
	each(t, func(w *world) {
		o := w.signIn("root@example.com")
		first := o.cookies["ridecopilot-admin-session"]
		o.post("login/", form{"email": {"root@example.com"}, "password": {goodPassword}}).want(http.StatusSeeOther)
		second := o.cookies["ridecopilot-admin-session"]
		if first == second {
			t.Fatal("the session is the same")
		}
		with := func(cookie string) *operator {
			s := w.stranger()
			s.cookies["ridecopilot-admin-session"] = cookie
			return s
		}
		with(first).get("").want(http.StatusFound)
		with(second).get("").want(http.StatusOK)
		o.get("me/").want(http.StatusOK)
		o.post("logout/", nil).want(http.StatusSeeOther)
		with(second).get("").want(http.StatusFound)

		// Half an hour unused, or twelve hours in all, end it (T14).
		idle := w.signIn("root@example.com")
		w.clock.advance(29 * time.Minute)
		idle.get("").want(http.StatusOK)
		w.clock.advance(31 * time.Minute)
		idle.get("").want(http.StatusFound)
		long := w.signIn("root@example.com")
		for range 24 {
			w.clock.advance(29 * time.Minute)
			long.get("")
		}
		w.clock.advance(29 * time.Minute)
		long.get("").want(http.StatusFound)
	})
}

// Whoever loses the rank loses the site with the next request.
func TestDemoted_Z6(t *testing.T) {
	each(t, func(w *world) {
		o := w.staff("staff@example.com", "posts:view")
		o.get("posts/").want(http.StatusOK)
		id := int64(w.count(`SELECT id FROM account WHERE email = 'staff@example.com'`))
		if err := w.accounts.SetActive(t.Context(), account.System(account.SourceCommand), id, false); err != nil {
			t.Fatal(err)
		}
		o.get("posts/").want(http.StatusFound)
	})
}

func TestForged_B2_B5(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		own := "users/" + itoa(dan.ID) + "/do/deactivate/"
		other := w.signIn("root@example.com")
		w.root.get(own).want(http.StatusOK)
		for name, spoil := range map[string]func(*http.Request, *operator){
			"another site":           func(r *http.Request, _ *operator) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"a sibling":              func(r *http.Request, _ *operator) { r.Header.Set("Sec-Fetch-Site", "same-site") },
			"a user before the host": func(r *http.Request, _ *operator) { r.Header.Set("Origin", "http://evil@example.com") },
			"a path behind the host": func(r *http.Request, _ *operator) {
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set("Origin", "http://example.com/x")
			},
			"another origin": func(r *http.Request, _ *operator) {
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set("Origin", "https://evil.example")
			},
			"another origin too": func(r *http.Request, _ *operator) { r.Header.Set("Origin", "http://example.com:81") },
			"another scheme": func(r *http.Request, _ *operator) {
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set("Origin", "https://example.com")
			},
			"nobody":               func(r *http.Request, _ *operator) { r.Header.Del("Sec-Fetch-Site") },
			"a null origin":        func(r *http.Request, _ *operator) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
			"another type of body": func(r *http.Request, _ *operator) { r.Header.Set("Content-Type", "text/plain") },
			"two types of body":    func(r *http.Request, _ *operator) { r.Header.Add("Content-Type", "text/plain") },
		} {
			r := w.root.request(own, form{"_confirmed": {"1"}})
			spoil(r, other)
			if a := w.root.send(r); a.code != http.StatusForbidden && a.code != http.StatusUnsupportedMediaType {
				t.Errorf("%s: status %d", name, a.code)
			}
		}
		for name, token := range map[string]string{"none": "", "an invented one": "abc", "that of another session": other.token} {
			if a := w.root.post(own, form{"_confirmed": {"1"}, "_token": {token}}); a.code != http.StatusForbidden {
				t.Errorf("a token that is %s: status %d", name, a.code)
			}
		}
		if w.count(`SELECT count(*) FROM account WHERE id = $1 AND is_active`, dan.ID) != 1 {
			t.Fatal("a forged request was carried out")
		}
		// The same by a page of ours, in an old browser and in a new one.
		r := w.root.request(own, form{"_confirmed": {"1"}})
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set("Origin", "http://example.com")
		w.root.send(r).want(http.StatusSeeOther)
		// A sign-in that another site's page sends is refused, too.
		r = w.stranger().request("login/", form{"email": {"root@example.com"}, "password": {goodPassword}})
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w.stranger().send(r).want(http.StatusForbidden)
	})
}

// A GET changes nothing, whatever it asks for.
func TestGetChangesNothing_I9(t *testing.T) {
	each(t, func(w *world) {
		p := w.post(w.driver("Dan Driver"), nil)
		before := w.count(`SELECT count(*) FROM history`)
		for _, path := range []string{"/delete/?confirmed=1", "/do/approve/?confirmed=1", "/do/close/?confirmed=1&reason=x", "/?then=list&make=X"} {
			w.root.get("posts/" + itoa(p.ID) + path).want(http.StatusOK)
		}
		if n := w.count(`SELECT count(*) FROM history`); n != before {
			t.Errorf("%d events more", n-before)
		}
		for _, m := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
			r := httptest.NewRequest(m, "/admin/posts/"+itoa(p.ID)+"/", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if a := w.root.send(r); a.code < 400 {
				t.Errorf("%s is answered with %d", m, a.code)
			}
		}
	})
}

// After signing in only a page of the site is gone to.
func TestNext_B6(t *testing.T) {
	each(t, func(w *world) {
		for next, want := range map[string]string{
			"":                                    "/admin/",
			"/admin/posts/?q=dacia&page=2":        "/admin/posts/?q=dacia&page=2",
			"https://evil.example/admin/":         "/admin/",
			"//evil.example/admin/":               "/admin/",
			`/\evil.example`:                      "/admin/",
			`/admin/\evil.example`:                "/admin/",
			"/admin/../../evil":                   "/admin/",
			"/admin//evil.example":                "/admin/",
			"javascript:alert(1)":                 "/admin/",
			"/admin/\nSet-Cookie: a=b":            "/admin/",
			"/api/docs/":                          "/admin/",
			"/admin/logout/":                      "/admin/",
			"/adminevil/":                         "/admin/",
			"/admin/" + strings.Repeat("x", 5000): "/admin/",
		} {
			a := w.stranger().post("login/", form{"email": {"root@example.com"}, "password": {goodPassword}, "next": {next}}).want(http.StatusSeeOther)
			if a.location != want {
				t.Errorf("next=%q goes to %q, want %q", next, a.location, want)
			}
		}
		a := w.stranger().get("posts/?q=logan").want(http.StatusFound)
		if a.location != "/admin/login/?next=%2Fadmin%2Fposts%2F%3Fq%3Dlogan" {
			t.Errorf("sent to %s", a.location)
		}
	})
}

// Pages and acts follow the permissions of the groups.
func TestPermissions_Z6(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		p, e, d := w.post(dan, nil), w.entry(dan, 20000), w.document(dan, "RCA")
		ids := map[string]int64{"users": dan.ID, "settings": dan.ID, "posts": p.ID, "entries": e.ID, "documents": d.ID}
		for i, r := range resources {
			for _, action := range account.Actions {
				if r.name == "jobs" {
					continue
				}
				o := w.staff(fmt.Sprintf("s%d%s@example.com", i, action), r.name+":"+action)
				want := func(allowed bool) int {
					if allowed {
						return http.StatusOK
					}
					return http.StatusForbidden
				}
				if a := o.get(r.name + "/"); a.code != want(action == "view") {
					t.Errorf("%s alone: the list of %s is %d", action, r.name, a.code)
				}
				if a := o.get(r.name + "/export.csv"); a.code != want(action == "view") {
					t.Errorf("%s alone: the export of %s is %d", action, r.name, a.code)
				}
				if a := o.get(r.name + "/suggest/?q=a"); a.code != want(action == "view") {
					t.Errorf("%s alone: suggestions of %s are %d", action, r.name, a.code)
				}
				if r.add {
					if a := o.get(r.name + "/add/"); a.code != want(action == "add") {
						t.Errorf("%s alone: adding %s is %d", action, r.name, a.code)
					}
				}
				id, ok := ids[r.name]
				if !ok {
					continue
				}
				one := r.name + "/" + itoa(id) + "/"
				if a := o.get(one); a.code != want(action == "view") {
					t.Errorf("%s alone: one of %s is %d", action, r.name, a.code)
				}
				// Whoever acts on a thing must see it.
				o.get(one + "delete/").want(http.StatusForbidden)
				o.get("me/")
				o.post(one, form{"_form": {"1"}, "_version": {"0"}}).want(http.StatusForbidden)
				o.post(one+"history/", form{"event": {"1"}}).want(http.StatusForbidden)
				both := w.staff(fmt.Sprintf("v%d%s@example.com", i, action), r.name+":view", r.name+":"+action)
				if a := both.get(one + "delete/"); a.code != want(action == "delete") && r.delete {
					t.Errorf("view and %s: deleting of %s is %d", action, r.name, a.code)
				}
				if a := both.post(one, form{"_form": {"1"}, "_version": {"1"}}); (a.code == http.StatusForbidden) == (action == "change") && r.change {
					t.Errorf("view and %s: changing of %s is %d", action, r.name, a.code)
				}
				// The menu, and links, lead nowhere else.
				menu := o.get("").want(http.StatusOK)
				for _, other := range resources {
					has := strings.Contains(menu.body, `href="/admin/`+other.name+`/"`)
					if has != (other.name == r.name && action == "view") {
						t.Errorf("%s of %s: a link to %s is %v", action, r.name, other.name, has)
					}
				}
			}
		}
		// Bulk actions by name alone, and jobs, are refused as well.
		viewer := w.staff("viewer@example.com", "posts:view", "users:view", "uploads:view")
		viewer.get("posts/").want(http.StatusOK).hasNot(`value="close"`, `value="delete"`, "Add car post", "Save the list")
		for _, f := range []form{{"_action": {"delete"}}, {"_action": {"close"}}, {"_action": {"approve"}}, {"_save": {"1"}}} {
			f["_id"], f["_confirmed"], f["reason"] = []string{itoa(p.ID)}, []string{"1"}, []string{"x"}
			viewer.post("posts/", f).want(http.StatusForbidden)
		}
		viewer.get("jobs/").want(http.StatusForbidden)
		viewer.get("posts/"+itoa(p.ID)+"/").want(http.StatusOK).hasNot("Save and continue", ">Delete<", "/do/close/")
	})
}

// A member of staff cannot make themselves more.
func TestEscalation_Z6(t *testing.T) {
	each(t, func(w *world) {
		o := w.staff("staff@example.com", "users:view", "users:change", "users:add", "users:delete", "groups:view", "groups:change", "groups:add", "sessions:delete", "sessions:view")
		me := int64(w.count(`SELECT id FROM account WHERE email = 'staff@example.com'`))
		root := int64(w.count(`SELECT id FROM account WHERE email = 'root@example.com'`))
		dan := w.driver("Dan Driver")
		for _, id := range []int64{me, root, dan.ID} {
			f := o.get("users/" + itoa(id) + "/").want(http.StatusOK).fields()
			f["is_staff"], f["is_superuser"], f["groups"] = []string{"on"}, []string{"on"}, []string{"1"}
			o.post("users/"+itoa(id)+"/", f)
			f["email"] = []string{"mine@example.com"}
			if id != dan.ID {
				o.post("users/"+itoa(id)+"/", f).want(http.StatusForbidden)
			}
			o.post("users/"+itoa(id)+"/do/password/", form{"_confirmed": {"1"}, "password": {goodPassword + "x"}}).want(http.StatusForbidden)
			if id != dan.ID {
				o.post("users/"+itoa(id)+"/delete/", form{"_confirmed": {"1"}}).want(http.StatusForbidden)
			}
		}
		if n := w.count(`SELECT count(*) FROM account WHERE is_superuser`); n != 1 {
			t.Errorf("%d superusers", n)
		}
		if n := w.count(`SELECT count(*) FROM account WHERE is_staff`); n != 2 {
			t.Errorf("%d members of staff", n)
		}
		g := o.get("groups/1/").want(http.StatusOK).fields()
		g["permissions"] = []string{"documents:view"}
		o.post("groups/1/", g).want(http.StatusForbidden)
		o.post("groups/add/", form{"_form": {"1"}, "name": {"New"}, "permissions": {"documents:view"}}).want(http.StatusForbidden)
		session := w.count(`SELECT max(id) FROM session WHERE account_id = $1`, root)
		o.post("sessions/"+itoa(int64(session))+"/do/end/", form{"_confirmed": {"1"}}).want(http.StatusForbidden)
	})
}

// What somebody may not see they do not read by another way: not in the audit log,
// not through what points at it, not in what is told when an act fails.
func TestOtherWays_Z6(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		d := w.document(dan, "Secret title")
		one := "documents/" + itoa(d.ID) + "/"
		w.root.edit(one, form{"number": {"SECRET-7"}}).want(http.StatusSeeOther)
		w.root.get(one)
		w.root.upload(one+"file/", "polita.pdf", mediatest.PDF("RCA"), nil).want(http.StatusSeeOther)
		file := int64(w.count(`SELECT max(id) FROM upload`))
		event := "history/" + itoa(int64(w.count(`SELECT max(id) FROM history WHERE object_type = 'document' AND action = 'update'`))) + "/"

		clerk := w.staff("clerk@example.com", "documents:change", "history:view", "uploads:view")
		clerk.post(one, form{"_form": {"1"}, "_version": {"0"}}).want(http.StatusForbidden)
		clerk.get(event).want(http.StatusOK).hasNot("SECRET-7")
		clerk.get("history/export.csv").want(http.StatusOK).hasNot("SECRET-7")
		for _, p := range []string{"uploads/", "uploads/export.csv", "uploads/" + itoa(file) + "/"} {
			clerk.get(p).want(http.StatusOK).has("polita.pdf").hasNot("Secret title", `href="/admin/documents/`, `href="/admin/files/`)
		}
		clerk.get("files/" + itoa(file) + "/file").want(http.StatusForbidden)

		// Whoever may see documents does so, and it is written down, whatever page it is on.
		opened := func() int { return w.count(`SELECT count(*) FROM history WHERE action IN ('open', 'export')`) }
		reader := w.staff("reader@example.com", "documents:view", "documents:change", "history:view")
		for _, p := range []string{event, one, one + "history/", "documents/export.csv"} {
			before := opened()
			reader.get(p).want(http.StatusOK).has("SECRET-7")
			if opened() != before+1 {
				t.Errorf("%s was seen, and nobody knows", p)
			}
		}
		before := opened()
		reader.get("me/")
		reader.post(one, form{"_form": {"1"}, "_version": {"0"}}).want(http.StatusConflict).has("SECRET-7")
		if opened() != before+1 {
			t.Error("a form was refused with what is in the document, and nobody knows")
		}
	})
}

// What only superusers do is offered to nobody else.
func TestOffers(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		o := w.staff("staff@example.com", "users:view", "users:change", "groups:view", "groups:add", "groups:change", "groups:delete")
		o.get("users/" + itoa(dan.ID) + "/").want(http.StatusOK).has("do/reset/").hasNot("do/password/")
		o.get("users/" + itoa(dan.ID) + "/do/password/").want(http.StatusForbidden)
		o.get("groups/").want(http.StatusOK).hasNot("Add group", `value="delete"`)
		o.get("groups/1/").want(http.StatusOK).hasNot("Save and continue", ">Delete<", "do/delete/")
		w.root.get("users/" + itoa(dan.ID) + "/").want(http.StatusOK).has("do/password/")
		// Permissions that would let nobody do anything are not offered either.
		w.root.get("groups/add/").want(http.StatusOK).
			has(`value="groups:view"`, `value="sessions:delete"`, `value="mails:change"`, `value="reports:change"`, `value="settings:change"`, `value="posts:add"`).
			hasNot(`value="groups:change"`, `value="sessions:add"`, `value="mails:delete"`, `value="history:add"`, `value="settings:add"`, `value="reports:delete"`)
	})
}

// What cannot be undone wants the password, unless it was given just now.
func TestConfirmation(t *testing.T) {
	each(t, func(w *world) {
		p := w.post(w.driver("Dan Driver"), nil)
		one := "posts/" + itoa(p.ID) + "/delete/"
		w.root.get(one).want(http.StatusOK).hasNot("current_password")
		w.clock.advance(16 * time.Minute)
		w.root.get(one).want(http.StatusOK).has("current_password")
		w.root.post(one, form{"_confirmed": {"1"}}).want(http.StatusBadRequest).has("This needs your password.")
		w.root.post(one, form{"_confirmed": {"1"}, "_current_password": {"wrong"}}).want(http.StatusBadRequest).has("The current password is not correct.")
		if w.count(`SELECT count(*) FROM car_post`) != 1 {
			t.Fatal("it is gone")
		}
		w.root.post(one, form{"_confirmed": {"1"}, "_current_password": {goodPassword}}).want(http.StatusSeeOther)
		if w.count(`SELECT count(*) FROM car_post`) != 0 {
			t.Fatal("it is still there")
		}
		// Rights are dangerous, too; a name is not.
		w.clock.advance(16 * time.Minute)
		ana := w.driver("Ana Maria")
		user := "users/" + itoa(ana.ID) + "/"
		w.root.edit(user, form{"name": {"Ana-Maria"}}).want(http.StatusSeeOther)
		w.root.edit(user, form{"is_staff": {"on"}}).want(http.StatusBadRequest).has("This needs your password.", `name="is_staff" value="on" checked`)
		w.root.edit(user, form{"is_staff": {"on"}, "_current_password": {goodPassword}}).want(http.StatusSeeOther)
		if w.count(`SELECT count(*) FROM account WHERE id = $1 AND is_staff AND name = 'Ana-Maria'`, ana.ID) != 1 {
			t.Error("she is no member of staff")
		}
	})
}

func TestOwnSessions(t *testing.T) {
	each(t, func(w *world) {
		other, third := w.signIn("root@example.com"), w.signIn("root@example.com")
		page := w.root.get("me/").want(http.StatusOK).has("this one")
		id := w.count(`SELECT min(id) FROM session WHERE kind = 'admin' AND id > (SELECT min(id) FROM session)`)
		if n := strings.Count(page.body, `name="session"`); n != 3 {
			t.Errorf("%d sessions are listed", n)
		}
		w.root.post("me/", form{"session": {itoa(int64(id))}}).want(http.StatusSeeOther)
		other.get("").want(http.StatusFound)
		third.get("").want(http.StatusOK)
		w.root.post("me/", form{"_all": {"1"}}).want(http.StatusSeeOther)
		third.get("").want(http.StatusFound)
		w.root.get("").want(http.StatusOK)
		// Another's session is none of one's own.
		dan := w.driver("Dan Driver")
		c, err := w.accounts.SignIn(t.Context(), dan, account.SessionAPI, "dan.driver@example.com", goodPassword)
		if err != nil {
			t.Fatal(err)
		}
		w.root.get("me/")
		w.root.post("me/", form{"session": {itoa(c.Session.ID)}}).want(http.StatusNotFound)
	})
}

// Headers that keep browsers careful are on every answer, errors included.
func TestHeaders_B4(t *testing.T) {
	w := newWorld(t, memory(t))
	for _, a := range []*answer{w.stranger().get("login/"), w.root.get(""), w.root.get("nothing/"), w.root.get("posts/99/"), w.root.get("posts/export.csv")} {
		csp := a.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("CSP %q", csp)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
	rec := httptest.NewRecorder()
	site := admin.New(admin.Options{Tables: store.NewTables(w.store), Accounts: w.accounts, Secure: true, Now: w.clock.now})
	r := httptest.NewRequest(http.MethodPost, "https://example.com/admin/login/", strings.NewReader("email=root%40example.com&password="+strings.ReplaceAll(goodPassword, " ", "+")))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	site.ServeHTTP(rec, r)
	if c := rec.Header().Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-") || !strings.Contains(c, "; Secure") || !strings.Contains(c, "; HttpOnly") ||
		!strings.Contains(c, "; SameSite=Lax") || !strings.Contains(c, "Path=/;") {
		t.Errorf("the cookie is %q (promise B1)", c)
	}
}
