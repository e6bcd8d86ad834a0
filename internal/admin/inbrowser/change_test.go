package inbrowser_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// choose chooses in a field of another thing, as the number that is sent.
func (p *page) choose(field string, id int64) {
	p.w.Helper()
	p.fill(fmt.Sprintf(`input[name=%q]`, field), fmt.Sprint(id))
}

// Whatever can be added, changed and deleted is, by its forms, and what became of
// it is in its history.
func TestAddChangeDelete(t *testing.T) {
	dir := t.TempDir()
	photo, pdf := filepath.Join(dir, "side.jpg"), filepath.Join(dir, "papers.pdf")
	for name, raw := range map[string][]byte{photo: mediatest.JPEG(320, 240), pdf: mediatest.PDF("papers")} {
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	each(t, func(w *world) {
		files := func(name string) func(p *page) {
			return func(p *page) {
				p.Do(w.T, chromedp.SetUploadFiles(chromedp.CSS(`input[name="file"]`), []string{name}))
			}
		}
		for _, k := range []struct {
			name   string
			add    map[string]string
			owner  string // the field of another thing that an addition needs
			of     int64
			also   func(p *page)
			change string // a field, and what it says then
			to     string
		}{
			{"users", map[string]string{"name": "Ion Nou", "email": "ion@example.com"}, "", 0, nil, "name", "Ion Vechi"},
			{"groups", map[string]string{"name": "Moderators"}, "", 0, func(p *page) {
				p.Do(w.T, chromedp.Click(chromedp.CSS(`input[value="posts:view"]`)), chromedp.Click(chromedp.CSS(`input[value="posts:change"]`)))
			}, "name", "Moderators of posts"},
			{"posts", map[string]string{"make": "Tesla", "model": "Model 3", "year": "2021", "price": "99,50", "price_period": "day", "location": "Iași"}, "owner", w.driver.ID, nil, "location", "Arad"},
			{"entries", map[string]string{"date": "2026-01-31", "platform": "Bolt", "app_income": "100", "currency": "RON", "expense_items-0-amount": "20", "expense_items-0-note": "wash"}, "owner", w.driver.ID, nil, "platform", "Uber"},
			{"documents", map[string]string{"title": "Permis", "type": "badge", "remind_days": "30, 7"}, "owner", w.driver.ID, nil, "title", "Atestat"},
			{"uploads", map[string]string{"file_name": "papers of mine.pdf"}, "document", w.paper2(), files(pdf), "file_name", "renamed.pdf"},
		} {
			p := w.enter(bossMail)
			p.open(k.name + "/")
			w.status(p.press(`.headline a[href="add/"]`), 200, "the page to add to "+k.name)
			// Nothing filled in: told beside the fields, and nothing is stored.
			if k.name != "uploads" {
				w.status(p.press(`.save button[value="list"]`), 400, "an empty addition to "+k.name)
				if !p.has(`[aria-invalid="true"]`) || !p.has(".problem") {
					w.Errorf("%s: nothing is marked", k.name)
				}
			}
			for name, value := range k.add {
				p.fill(fmt.Sprintf(`[name=%q]`, name), value)
			}
			if k.owner != "" {
				p.choose(k.owner, k.of)
			}
			if k.also != nil {
				k.also(p)
			}
			w.status(p.press(`.save button[value="continue"]`), 200, "an addition to "+k.name)
			if !p.has(".message") {
				w.Errorf("%s was not added:\n%s", k.name, p.text())
				continue
			}
			address := p.path()
			for name, value := range k.add {
				if got := eval[string](p, fmt.Sprintf(`document.querySelector('[name=%q]').value`, name)); got != strings.ReplaceAll(strings.ReplaceAll(value, "99,50", "99.50"), "100", "100.00") && got != value+".00" {
					w.Errorf("%s: %s is %q, want %q", k.name, name, got, value)
				}
			}
			p.fill(fmt.Sprintf(`[name=%q]`, k.change), k.to)
			w.status(p.press(`.save button[value="list"]`), 200, "a change of "+k.name)
			if got := p.path(); got != "/admin/"+k.name+"/" || !p.has(".message") {
				w.Errorf("%s: saving leads to %s:\n%s", k.name, got, p.text())
			}
			p.open(k.name + "/?o=-id") // the newest, whatever the order is by itself
			p.says(k.to)
			w.status(p.to(w.base+address+"history/"), 200, "history of "+k.name)
			p.says("Maria Ene", "through admin", k.to)
			if p.count(".events > li") < 2 {
				w.Errorf("%s: the history has %d events", k.name, p.count(".events > li"))
			}
			if p.has(`button[name="to"]`) { // back to how it was added
				n := p.count(`button[name="to"]`)
				w.status(p.press(`.events > li:last-child button[name="to"]`), 200, "restoring "+k.name)
				p.says("is as it was then")
				if p.count(`button[name="to"]`) != n+1 {
					w.Errorf("%s: the restoration is not in the history", k.name)
				}
				p.to(w.base + address)
				if got := eval[string](p, fmt.Sprintf(`document.querySelector('[name=%q]').value`, k.change)); got != k.add[k.change] {
					w.Errorf("%s: restored to %q, want %q", k.name, got, k.add[k.change])
				}
			} else if k.name != "uploads" && k.name != "documents" {
				w.Errorf("%s: nothing can be put back", k.name)
			}
			w.status(p.to(w.base+address), 200, k.name)
			w.status(p.press(`.headline a[href="delete/"]`), 200, "the question whether to delete of "+k.name)
			w.status(p.press(`main form button`), 200, "a deletion of "+k.name)
			if got := p.path(); got != "/admin/"+k.name+"/" {
				w.Errorf("%s: deleting leads to %s:\n%s", k.name, got, p.text())
			}
			w.status(p.to(w.base+address), 404, "what was deleted of "+k.name)
			w.status(p.to(w.base+address+"history/"), 200, "the history of what is gone of "+k.name)
			p.fine()
		}
		// A photo goes on the page of its post, and what is no photo is refused there.
		p := w.enter(bossMail)
		post := fmt.Sprintf("posts/%d/", w.post)
		for name, want := range map[string]string{photo: "The photo was added", pdf: "The file was not taken"} {
			p.open(post)
			files(name)(p)
			p.called("main button", "Add")
			p.says(want)
		}
		if !eval[bool](p, `(i => i.complete && i.naturalWidth > 0)(document.querySelector(".photos img"))`) {
			w.Error("the photo does not show")
		}
		p.open(fmt.Sprintf("documents/%d/", w.paper))
		got := wait[string](p, fmt.Sprintf(`fetch("/admin/files/%d/file").then(r => r.status + r.headers.get("Content-Disposition") + r.headers.get("Content-Security-Policy"))`, w.file))
		if !strings.HasPrefix(got, "200attachment") || !strings.Contains(got, "sandbox") {
			w.Errorf("the file of a document: %s", got)
		}
		p.open(fmt.Sprintf("documents/%d/history/", w.paper))
		if n := strings.Count(strings.ToLower(p.text()), "open"); n < 2 {
			w.Errorf("that a document and its file were opened is recorded %d times", n)
		}
		p.fine()
	})
}

// paper2 is another document of the driver's, without a file.
func (w *world) paper2() int64 {
	w.Helper()
	d, _, err := w.documents.Create(w.Context(), w.as(w.driver), document.Details{Type: "contract", Title: "Contract"}, nil)
	w.must(err)
	return d.ID
}

// A form that somebody else was faster with shows both, and saves nothing yet.
func TestStale(t *testing.T) {
	each(t, func(w *world) {
		p := w.enter(bossMail)
		p.open(fmt.Sprintf("posts/%d/", w.post))
		_, err := w.listings.Revise(w.Context(), w.as(w.driver), w.post, nil, func(d *listing.Details) fault.Fields { d.Location = "Oradea"; return nil })
		w.must(err)
		p.fill(`[name="location"]`, "Sibiu")
		w.status(p.press(`.save button[value="list"]`), 409, "a stale form")
		p.says("Ana Pop has changed this meanwhile", "Oradea", "Cluj-Napoca")
		if got := eval[string](p, `document.querySelector('[name="location"]').value`); got != "Sibiu" {
			w.Errorf("what was typed in has become %q", got)
		}
		if got := w.location(); got != "Oradea" {
			w.Errorf("the place is %q", got)
		}
		w.status(p.press(`.save button[value="list"]`), 200, "meant")
		if got := w.location(); got != "Sibiu" {
			w.Errorf("the place is %q", got)
		}
		// In the list, a row that others have changed is left alone as well.
		p.open(fmt.Sprintf("posts/?f.owner=%d", w.driver.ID))
		_, err = w.listings.Revise(w.Context(), w.as(w.driver), w.post, nil, func(d *listing.Details) fault.Fields { d.Location = "Deva"; return nil })
		w.must(err)
		p.fill(`table.list select`, "paused")
		w.status(p.press(`button[name="_save"]`), 400, "a stale row")
		p.says("could not be saved")
		p.open(fmt.Sprintf("posts/?f.owner=%d", w.driver.ID))
		p.fill(`table.list select`, "paused")
		w.status(p.press(`button[name="_save"]`), 200, "a row")
		p.says("1 saved")
		post, err := w.listings.Post(w.Context(), w.as(w.driver), w.post)
		w.must(err)
		if post.Status != "paused" || post.Location != "Deva" {
			w.Errorf("the post is %s in %s", post.Status, post.Location)
		}
		p.fine()
	})
}

func (w *world) location() string {
	w.Helper()
	p, err := w.listings.Post(w.Context(), w.as(w.driver), w.post)
	w.must(err)
	return p.Location
}

// total is how many things a list says it has.
func (p *page) total() (n int) {
	p.w.Helper()
	shown := eval[string](p, `document.querySelector(".status span").innerText`)
	_, err := fmt.Sscan(shown[strings.LastIndex(shown, " ")+1:], &n)
	p.w.must(err)
	return n
}

// Acts on many: on what is ticked, and on all that match on every page; the effects
// are those that the domain has anywhere (promise B10).
func TestBulk_B10(t *testing.T) {
	each(t, func(w *world) {
		p := w.enter(bossMail)
		// Nothing ticked, nothing chosen.
		p.open("posts/")
		w.status(p.press(`button[name="_go"]`), 200, "nothing chosen")
		p.says("Choose what is to be done")
		p.fill("#action", "approve")
		p.press(`button[name="_go"]`)
		p.says("Nothing was ticked")
		p.open("posts/?f.closed=true")
		closed := p.total()
		p.open("posts/?f.closed=false")
		p.fill("#action", "close")
		// Two that are ticked are closed, for a reason that is asked for.
		p.Do(w.T, chromedp.Click(chromedp.CSS(`tbody tr:nth-child(1) input[name="_id"]`)), chromedp.Click(chromedp.CSS(`tbody tr:nth-child(2) input[name="_id"]`)))
		w.status(p.press(`button[name="_go"]`), 200, "the question why")
		if p.count(".names li") != 2 {
			w.Errorf("%d things are named", p.count(".names li"))
		}
		w.status(p.press(`main form button`), 400, "without a reason")
		p.fill(`[name="reason"]`, "Advertised twice.")
		w.status(p.press(`main form button`), 200, "with a reason")
		p.says("2 closed")
		p.open("posts/?f.closed=true")
		if got := p.total(); got != closed+2 {
			w.Errorf("%d posts are closed, want %d", got, closed+2)
		}
		// All on every page, with the box in the head for those of this page.
		p.open("posts/?f.status=active")
		p.Do(w.T, chromedp.Click(chromedp.CSS("[data-tick-all]")))
		if n, rows := p.count(`input[name="_id"]:checked`), p.count("tbody tr"); n != rows {
			w.Errorf("%d of %d are ticked", n, rows)
		}
		p.fill("#action", "approve")
		p.Do(w.T, chromedp.Click(chromedp.CSS(`input[name="_all"]`)))
		w.status(p.press(`button[name="_go"]`), 200, "approving all")
		p.says("approved.")
		p.open("posts/?f.status=active&f.approved=false")
		p.says("None")
		// People: who is deactivated is out, at once.
		c, err := w.accounts.SignIn(w.Context(), account.Actor{Source: account.SourceAPI, Address: "198.51.100.7"}, account.SessionAPI, driverMail, goodPass)
		w.must(err)
		p.open("users/?q=" + driverMail)
		p.fill("#action", "deactivate")
		p.Do(w.T, chromedp.Click(chromedp.CSS(`input[name="_id"]`)))
		p.press(`button[name="_go"]`)
		w.status(p.press(`main form button`), 200, "deactivating")
		p.says("1 deactivated")
		if _, err := w.accounts.Authenticate(w.Context(), account.SessionAPI, c.Access); !errors.Is(err, fault.Unauthenticated) {
			w.Errorf("deactivated, and still in: %v", err)
		}
		// What is erased takes everything with it; what goes is shown before.
		p.open("users/?q=" + driverMail)
		p.fill("#action", "delete")
		p.Do(w.T, chromedp.Click(chromedp.CSS(`input[name="_id"]`)))
		p.press(`button[name="_go"]`)
		p.says("Car posts: 1", "Documents: 1", "Calculator entries: 1")
		w.status(p.press(`main form button`), 200, "erasing")
		p.says("1 deleted")
		for _, path := range []string{fmt.Sprintf("posts/%d/", w.post), fmt.Sprintf("documents/%d/", w.paper), fmt.Sprintf("entries/%d/", w.entry), fmt.Sprintf("uploads/%d/", w.photo), fmt.Sprintf("users/%d/", w.driver.ID)} {
			w.status(p.open(path), 404, path)
		}
		// The last superuser stays.
		p.open("users/?q=" + bossMail)
		p.fill("#action", "delete")
		p.Do(w.T, chromedp.Click(chromedp.CSS(`input[name="_id"]`)))
		p.press(`button[name="_go"]`)
		if got := p.press(`main form button`); got < 400 || got >= 500 {
			w.Errorf("deleting the last superuser = %d:\n%s", got, p.text())
		}
		p.fine()
	})
}

// What is done with reports, mails, sessions and jobs.
func TestActions(t *testing.T) {
	each(t, func(w *world) {
		p := w.enter(bossMail)
		one := func(list string, label string, want ...string) {
			w.Helper()
			p.open(list)
			p.press("table.list a.open")
			w.status(p.called(".headline .row a, .headline .row button", label), 200, label)
			if p.has(`input[name="_confirmed"]`) {
				w.status(p.press("main form button"), 200, label)
			}
			p.says(want...)
		}
		one("reports/?f.resolved=false&q=sold", "Resolve", "1 resolved")
		one("reports/?f.resolved=true&q=sold", "Reopen", "1 reopened")
		one("users/?q="+driverMail, "Send password link", "1 sent a link")
		p.open("mails/?f.state=queued") // what waits to be sent is not sent twice
		p.press("table.list a.open")
		w.status(p.called(".headline .row button", "Send again"), 409, "sending again what waits")
		one("jobs/?f.state=available", "Cancel", "1 cancelled")
		one("jobs/?f.state=cancelled", "Run again", "1 to run again")
		// A new password for somebody, which signs them out.
		p.open(fmt.Sprintf("users/%d/do/password/", w.driver.ID))
		p.fill(`[name="password"]`, "password")
		w.status(p.press("main form button"), 400, "a weak password")
		p.fill(`[name="password"]`, "alt-cal-alta-baterie")
		w.status(p.press("main form button"), 200, "a good password")
		if _, err := w.accounts.SignIn(w.Context(), account.Actor{Source: account.SourceAPI, Address: "198.51.100.7"}, account.SessionAPI, driverMail, "alt-cal-alta-baterie"); err != nil {
			w.Errorf("the new password does not open: %v", err)
		}
		if strings.Contains(p.path(), "alt-cal") {
			w.Error("the password is in the address")
		}
		p.fine()
	})
}
