package inbrowser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

// kinds are all resources, with what a search for some of their rows asks for;
// empty where a list has no search but that by number.
var kinds = []struct{ name, plural, search string }{
	{"users", "Users", "ana@example"},
	{"settings", "Settings of users", "ana@example"},
	{"sessions", "Sessions", "a phone"},
	{"groups", "Groups", "read"},
	{"posts", "Car posts", "logan cluj"},
	{"reports", "Reports of posts", "sold"},
	{"uploads", "Files and uploads", "front"},
	{"entries", "Calculator entries", "ana@example"},
	{"documents", "Documents", "rca"},
	{"mails", "Mail outbox", "ana@example"},
	{"history", "Audit log", "radu"},
	{"jobs", "Jobs", ""},
}

// Every resource: its list from the menu, sorted, searched, filtered, exported,
// and the page of one thing with its history.
func TestResources(t *testing.T) {
	one(t, func(w *world) {
		// The clerk has done something, so that the log can be searched for it.
		w.must(w.listings.SetFavorite(w.Context(), w.as(w.clerk), w.post, true))
		d, err := w.listings.Post(w.Context(), w.as(w.driver), w.post)
		w.must(err)
		by := account.Actor{ID: w.clerk.ID, Source: account.SourceAdmin, Manages: true}
		_, err = w.listings.Close(w.Context(), by, d.ID, nil, "Sold.", nil)
		w.must(err)
		for part := range slices.Chunk(kinds, 3) {
			p := w.enter(bossMail)
			if p.count(".menu a") != len(kinds)+1 {
				w.Errorf("the menu has %d links", p.count(".menu a"))
			}
			for _, k := range part {
				p.lists(k.name, k.plural, k.search)
			}
			p.fine()
		}
	})
}

func (p *page) lists(name, plural, search string) {
	w := p.w
	w.Helper()
	w.status(p.press(fmt.Sprintf(`.menu a[href="/admin/%s/"]`, name)), 200, name)
	if p.heading() != plural || !p.has(`.menu a[aria-current="page"][href$="/`+name+`/"]`) {
		w.Errorf("the menu leads to %q, want %q, marked", p.heading(), plural)
	}
	all := p.count("table.list tbody tr")
	if all == 0 {
		w.Errorf("%s: no row", name)
		return
	}
	if p.has("thead th a") { // sorted the other way round
		w.status(p.press("thead th a"), 200, name+", sorted")
		if p.count("th[aria-sort]") == 0 || p.count("table.list tbody tr") != all {
			w.Errorf("%s: sorted by nothing, or rows are lost", name)
		}
	}
	if search != "" {
		p.open(name + "/")
		p.fill("#q", search)
		w.status(p.press(".search button"), 200, name+", searched")
		found := p.count("table.list tbody tr")
		if found == 0 || (all > 3 && found >= all && !strings.Contains(p.text(), "of")) {
			w.Errorf("%s: a search for %q leaves %d of %d", name, search, found, all)
		}
		p.fill("#q", "nothing is called xyzzy")
		p.press(".search button")
		if p.has("table.list") || !strings.Contains(p.text(), "Nothing here that matches") {
			w.Errorf("%s: found what is not there:\n%s", name, p.text())
		}
		w.status(p.press(".status a"), 200, name+", all again")
	}
	p.filters(name)
	// The page of one thing, and its history.
	w.status(p.open(name+"/"), 200, name)
	export := wait[string](p, `fetch("export.csv").then(async r => r.status + " " + r.headers.get("Content-Type") + " " + r.headers.get("Content-Disposition") + " " + (await r.text()).split("\n").length)`)
	var lines int
	if _, err := fmt.Sscanf(export[strings.LastIndex(export, " ")+1:], "%d", &lines); err != nil || !strings.HasPrefix(export, "200 text/csv; charset=utf-8 attachment") || lines < all+1 {
		w.Errorf("%s: the export of %d rows is %s", name, all, export)
	}
	w.status(p.press("table.list a.open"), 200, "one of "+name)
	if name != "history" && name != "jobs" && p.has(`.headline a[href="history/"]`) {
		w.status(p.press(`.headline a[href="history/"]`), 200, "history of one of "+name)
		if !strings.HasPrefix(p.heading(), "History of ") {
			w.Errorf("%s: the history is %q", name, p.heading())
		}
	}
}

// filters chooses by hand in one filter of each sort, and follows whatever else
// the list leads to, so that nothing a list offers is refused.
func (p *page) filters(name string) {
	w := p.w
	w.Helper()
	for i := range eval[[]string](p, `[...document.querySelectorAll(".filters section")].map(s => s.className)`) {
		one := fmt.Sprintf(".filters section:nth-of-type(%d) ", i+1)
		sort := eval[string](p, fmt.Sprintf(`(s => s.querySelector("li:nth-child(2)") ? "value" : s.querySelector(".relation") ? "thing" : s.querySelector("[type=date]") ? "days" : s.querySelector(".range") ? "numbers" : "")(document.querySelector(%q))`, one))
		if p.tried[sort] || sort == "" {
			continue
		}
		p.tried[sort] = true
		switch sort {
		case "value":
			w.status(p.press(one+"li:last-child a"), 200, name+", filtered")
			if p.count(one+`a[aria-current="true"]`) != 1 {
				w.Errorf("%s: %s: no value is marked", p.path(), one)
			}
		case "thing":
			w.status(p.leads(p.chosen(one+".relation", "1"), chromedp.Click(chromedp.CSS(one+"button"))), 200, name+", filtered by a thing")
		case "days":
			p.fill(one+"input", "2020-01-01")
			w.status(p.press(one+"button"), 200, name+", filtered by days")
		default:
			p.fill(one+"input", "1")
			w.status(p.press(one+"button"), 200, name+", filtered by numbers")
		}
		if !p.has(one+".on, .filters section.on") || !p.has(".status a[href='?']") {
			w.Errorf("%s: no filter is on, or nothing leads back", p.path())
		}
		p.open(name + "/")
	}
	if refused := wait[string](p, followed); refused != "" {
		w.Errorf("%s leads to what is refused:\n%s", name, refused)
	}
}

// followed asks for all that a list leads to, forms of filters included, and tells
// what was refused.
const followed = `(async () => {
	const asked = new Set([...document.querySelectorAll(".filters a, thead a, .dates a, .pages a, .status a")].map(a => a.href));
	for (const form of document.querySelectorAll(".filters form")) {
		const own = form.querySelectorAll("input:not([type=hidden]), .relation input[name]");
		for (const i of own) if (i.name) i.value = i.type === "date" ? "2020-01-01" : "1";
		asked.add(location.pathname + "?" + new URLSearchParams(new FormData(form)));
		form.reset();
	}
	const answers = await Promise.all([...asked].map(async a => [a, await fetch(a)]));
	return answers.filter(([, r]) => r.status !== 200).map(([a, r]) => a + " = " + r.status).join("\n");
})()`

// chosen types a number into the field of another thing.
func (p *page) chosen(box, number string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(box+" input:not([type=hidden])"), number)
}

// What is found has to be right, not only there.
func TestSearchAndFilter(t *testing.T) {
	each(t, func(w *world) {
		p := w.enter(bossMail)
		p.open("posts/?q=logan+cluj&f.owner=" + fmt.Sprint(w.driver.ID))
		if n := p.count("table.list tbody tr"); n != 1 || !strings.Contains(p.text(), "1–1 of 1") {
			w.Errorf("%d posts found:\n%s", n, p.text())
		}
		p.says("Dacia Logan", "Ana Pop")
		w.status(p.press(".chosen a"), 200, "all drivers")
		if got := p.path(); got != "/admin/posts/?q=logan+cluj" {
			w.Errorf("the filter was taken off: %s", got)
		}
		today := time.Now().In(account.Location("Europe/Bucharest"))
		p.open("posts/?f.owner=" + fmt.Sprint(w.driver.ID))
		for _, label := range []string{today.Format("2006"), today.Format("January"), today.Format("2")} {
			w.status(p.called(".dates a", label), 200, label)
		}
		p.says("1–1 of 1", today.Format("2 January 2006"))
		// Several conditions hold at once, and stay while pages are turned.
		w.open25(p)
		// Addresses that nobody can mean are refused, not obeyed.
		for path, want := range map[string]int64{
			"posts/?page=0": 400, "posts/?page=99999": 400, "posts/?f.price.from=x": 400, "posts/?f.created_at.from=yesterday": 400, "posts/?d=20": 400,
			"posts/?f.owner=x": 400, "posts/?o=password_hash": 200, "users/?f.password_hash=x": 200, "users/?o=-password_hash.name": 200,
			"users/?q=" + strings.Repeat("x", 201): 400, "posts/?page=40": 200, "users/suggest/?q=%00": 400, "users/suggest/?q=%ff": 400, "posts/?q=%00": 400, "posts/?f.currency=%00": 400, "posts/?%00=1": 400, "posts/export.csv?q=%00": 400, "posts/add/?make=%00": 400, "users/export.csv?page=0": 400,
			"posts/9999999/": 404, "posts/x/": 404, "posts/9223372036854775808/": 404, "nothing/": 404, "posts/1/do/nothing/": 404, "files/9999999/small": 404,
		} {
			if p.count("main") == 0 || strings.Contains(path, "suggest") || strings.Contains(path, "export") || strings.Contains(path, "files/") {
				got := wait[int64](p, fmt.Sprintf(`fetch("/admin/%s").then(r => r.status)`, path))
				w.status(got, want, path)
				continue
			}
			w.status(p.open(path), want, path)
		}
		// A hash of a password is nowhere, whatever is asked for.
		got := wait[string](p, `Promise.all(["users/?f.password_hash=x", "users/export.csv", "users/suggest/?q=a", "users/1/"].map(a => fetch("/admin/" + a).then(r => r.text()))).then(l => l.join())`)
		if strings.Contains(got, "argon2") {
			w.Error("a hash of a password is shown")
		}
		p.fine()
	})
}

func (w *world) open25(p *page) {
	w.Helper()
	p.open("posts/?o=year&f.offer=rent")
	first := eval[string](p, `document.querySelector("table.list tbody").innerText`)
	if p.count("table.list tbody tr") != 25 {
		return // the demo data have fewer
	}
	w.status(p.press(`.pages a[rel="next"]`), 200, "the next page")
	if got := p.path(); !strings.Contains(got, "page=2") || !strings.Contains(got, "f.offer=rent") || !strings.Contains(got, "o=year") {
		w.Errorf("the second page is %s", got)
	}
	if first == eval[string](p, `document.querySelector("table.list tbody").innerText`) {
		w.Error("both pages show the same")
	}
	if !p.has(`.pages b[aria-current="page"]`) {
		w.Error("it is not marked which page this is")
	}
}
