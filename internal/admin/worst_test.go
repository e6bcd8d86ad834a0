package admin_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/listing"
)

// A wrong value of a filter is named, and the page stands with the others. An act
// or an export on it is refused: it would reach further than was meant.
func TestWrongFilters(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		w.post(dan, nil)
		w.post(dan, func(d *listing.Details) { d.Status, d.Make = listing.StatusPaused, "Skoda" })
		o := w.root
		for query, says := range map[string]string{
			"f.price.from=abc": "Price: A valid number is required.", "f.year.to=soon": "Year: A valid integer is required.",
			"f.created_at.from=yesterday": "Posted:", "f.owner=Dan": "Driver: Choose one of the list, or type its number.",
			"f.closed=maybe": "Closed by operators: Choose yes or no.", "page=x": "Page:", "d=20x": "Dates:", "q=" + strings.Repeat("x", 201): "Search:",
		} {
			o.get("posts/?f.status=paused&"+query).want(http.StatusBadRequest).has(says, "Skoda", "1–1 of 1", `class="list"`)
			if !strings.HasPrefix(query, "page") {
				o.get("posts/export.csv?" + query).want(http.StatusBadRequest)
			}
		}
		o.get("posts/?f.price.from=abc&f.year.to=soon").want(http.StatusBadRequest).has("Price: A valid number is required.", "Year: A valid integer is required.", "of 2")
		o.post("posts/", form{"_action": {"approve"}, "_all": {"1"}, "_narrow": {"f.price.from=abc"}}).want(http.StatusBadRequest)
	})
}

// A closed post says so on its own page and is not offered to be closed again. Undoing
// a closing opens the reports again that it resolved.
func TestClosedPost(t *testing.T) {
	each(t, func(w *world) {
		dan, eve := w.driver("Dan Driver"), w.driver("Eve Reader")
		p := w.post(dan, nil)
		report := func(by account.Actor, text string) {
			if err := w.listings.Report(t.Context(), by, p.ID, "scam", text, nil); err != nil {
				t.Fatal(err)
			}
		}
		open := func(want int) {
			t.Helper()
			if n := w.count(`SELECT count(*) FROM report WHERE resolved_at IS NULL`); n != want {
				t.Errorf("%d reports are open, want %d", n, want)
			}
		}
		report(eve, "resolved long ago")
		o := w.root
		o.post("reports/"+itoa(int64(w.count(`SELECT id FROM report`)))+"/do/resolve/", form{"_confirmed": {"1"}}).want(http.StatusSeeOther)
		open(0)
		w.clock.advance(time.Minute)
		report(w.driver("Ion Reader"), "still open")
		one := "posts/" + itoa(p.ID) + "/"
		o.get(one).want(http.StatusOK).has(one + "do/close/").hasNot("Closed by an operator")
		undo := func() {
			event := w.count(`SELECT max(id) FROM history WHERE object_type = 'car_post'`)
			o.get(one + "history/")
			o.post(one+"history/", form{"event": {itoa(int64(event))}, "undo": {"1"}}).follow().has("is as it was then")
		}
		o.post(one+"do/close/", form{"_confirmed": {"1"}, "reason": {"It is a scam."}}).want(http.StatusSeeOther)
		open(0)
		o.get(one).want(http.StatusOK).has("Closed by an operator", "It is a scam.", one+"do/approve/").hasNot(one + "do/close/")
		w.clock.advance(time.Minute)
		undo()
		open(1)
		o.get(one).want(http.StatusOK).has(one + "do/close/").hasNot("Closed by an operator")
		// The same for an approval.
		w.clock.advance(time.Minute)
		o.post(one+"do/approve/", form{"_confirmed": {"1"}}).want(http.StatusSeeOther)
		open(0)
		w.clock.advance(time.Minute)
		undo()
		open(1)
		if n := w.count(`SELECT count(*) FROM history WHERE object_type = 'report' AND action = 'update'`); n != 5 {
			t.Errorf("%d changes of reports are on record, want 5", n)
		}
	})
}

// Each number of the dashboard is that of the list behind it.
func TestDashboardAgreesWithLists(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		w.driver("Ana Maria") // her mail waits for a moment only
		seen, old := w.post(dan, nil), w.post(dan, nil)
		w.post(dan, nil)
		w.post(dan, nil)
		w.post(dan, func(d *listing.Details) { d.Status = listing.StatusPaused })
		if _, err := w.listings.Approve(t.Context(), account.Actor{ID: 1, Source: account.SourceAdmin, Manages: true}, seen.ID, nil); err != nil {
			t.Fatal(err)
		}
		for _, change := range []string{
			fmt.Sprintf(`UPDATE car_post SET created_at = '2020-01-01 00:00:00' WHERE id = %d`, old.ID),
			`UPDATE mail SET state = 'failed' WHERE id = (SELECT min(id) FROM mail)`,
			`UPDATE river_job SET state = 'retryable', attempt = 3, max_attempts = 25 WHERE id = (SELECT max(id) FROM river_job)`,
			`UPDATE river_job SET state = 'retryable', attempt = 2, max_attempts = 25 WHERE id = (SELECT min(id) FROM river_job)`,
		} {
			if _, err := w.store.Writer().ExecContext(t.Context(), change); err != nil {
				t.Fatal(err)
			}
		}
		page := w.root.get("").want(http.StatusOK)
		looked := 0
		for _, m := range regexp.MustCompile(`<b>(\d+)</b> <a href="(/admin/[^"]+)">([^<]+)`).FindAllStringSubmatch(page.body, -1) {
			looked++
			w.root.get(strings.ReplaceAll(m[2], "&amp;", "&")).want(http.StatusOK).has("1–" + m[1] + " of " + m[1])
		}
		page.has("<b>2</b> <a", "<b>1</b> <a")
		if looked < 3 {
			t.Errorf("only %d numbers were looked at: %s", looked, visible(page.body))
		}
	})
}

// The page of a job shows its arguments, on either engine.
func TestJobsPage(t *testing.T) {
	each(t, func(w *world) {
		w.driver("Dan Driver")
		id := w.count(`SELECT max(id) FROM river_job WHERE kind = 'send_mail'`)
		mail := w.count(`SELECT max(id) FROM mail`)
		page := w.root.get("jobs/" + itoa(int64(id)) + "/").want(http.StatusOK)
		if !regexp.MustCompile(fmt.Sprintf(`\{&#34;mail_id&#34;: ?%d\}`, mail)).MatchString(page.body) {
			t.Errorf("the arguments are not there: %s", visible(page.body))
		}
	})
}

// Entries stand by their day and documents by their expiry when no order was chosen.
func TestDefaultOrders(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		today := calendar.On(w.clock.now())
		for _, ago := range []calendar.Day{2, 0, 9, 1} {
			w.entry(dan, today-ago)
		}
		for _, in := range []calendar.Day{30, 5, 300} {
			expires := today + in
			if _, _, err := w.docs.Create(t.Context(), dan, document.Details{Type: "insurance", Title: fmt.Sprintf("in %d days", in), ExpiresOn: &expires}, nil); err != nil {
				t.Fatal(err)
			}
		}
		inOrder := func(page *answer, words ...string) {
			t.Helper()
			from := 0
			for _, word := range words {
				i := strings.Index(page.body[from:], word)
				if i < 0 {
					t.Fatalf("%q does not come after what is before it: %s", word, visible(page.body))
				}
				from += i
			}
		}
		list := func(page string) *answer {
			a := w.root.get(page).want(http.StatusOK)
			_, a.body, _ = strings.Cut(a.body, "<tbody>")
			return a
		}
		day := func(ago calendar.Day) string { return (today - ago).UTC().Format("2 Jan 2006") }
		inOrder(list("entries/"), day(0), day(1), day(2), day(9))
		inOrder(list("documents/"), "in 5 days", "in 30 days", "in 300 days")
	})
}

// A hint about something overlooked is shown when a thing is saved.
func TestNotes(t *testing.T) {
	each(t, func(w *world) {
		o := w.root
		o.post("groups/add/", form{"_form": {"1"}, "name": {"Desk"}, "permissions": {"posts:view"}, "_then": {"continue"}}).follow().has("No member of staff is in it yet")
		group := itoa(int64(w.count(`SELECT id FROM staff_group`)))
		dan := w.driver("Dan Driver")
		user := "users/" + itoa(dan.ID) + "/"
		o.edit(user, form{"groups": {group}, "_current_password": {goodPassword}}).follow().has("in a group without being staff")
		o.edit("groups/"+group+"/", form{"name": {"Front desk"}, "_current_password": {goodPassword}}).follow().has("No member of staff is in it yet")
		o.edit(user, form{"is_staff": {"on"}, "_current_password": {goodPassword}}).follow().hasNot("without being staff")
		o.edit("groups/"+group+"/", form{"name": {"Desk"}, "_current_password": {goodPassword}}).follow().hasNot("No member of staff")
		// A thing that was typed and not chosen.
		o.post("posts/add/", form{"_form": {"1"}, "owner": {"Dan Driver"}, "make": {"Dacia"}, "model": {"Logan"}}).want(http.StatusBadRequest).
			has("Choose one of the suggestions that appear while you type, or type its number.", `value="Dan Driver"`)
	})
}
