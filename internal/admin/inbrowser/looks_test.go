package inbrowser_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/browsertest"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// axe is the source of axe-core (scripts/vendor-axe fetches it).
func axe(t *testing.T) string {
	t.Helper()
	f, err := os.Open("testdata/axe-core/axe.min.js.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	source, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// broken lists what axe-core finds that keeps people out: of impact serious or
// critical, by all of its rules by day, by those of contrast by night.
const broken = `(async (night) => {
	const r = await axe.run(document, night ? {runOnly: ["color-contrast"], resultTypes: ["violations"]} : {resultTypes: ["violations"]});
	return r.violations.filter(v => v.impact === "serious" || v.impact === "critical")
		.flatMap(v => v.nodes.slice(0, 3).map(n => v.id + " (" + v.impact + "): " + n.html.slice(0, 160) + " – " + n.any.concat(n.all, n.none).map(c => c.message).join(" "))).join("\n");
})`

// Every sort of page, on a phone and on a desk, by day and by night: nothing that
// keeps people out, nothing wider than the window, and a picture of each for people
// (SCREENSHOTS=folder). The pages are the same on either engine; one is enough.
func TestLooks(t *testing.T) {
	source := axe(t)
	storetest.SkipUnless(t, "sqlite")
	w := newWorld(t, storetest.New(t), true)
	_, err := w.listings.Revise(t.Context(), w.as(w.driver), w.post, nil, func(d *listing.Details) fault.Fields { d.Color = "red"; return nil })
	w.must(err)

	w.enter(bossMail) // whom the tabs below are of
	send := func(selector string) func(p *page) { return func(p *page) { p.press(selector) } }
	for _, one := range []struct {
		name, path string
		then       func(p *page)
	}{
		{"dashboard", "", nil},
		{"list", "posts/", nil},
		{"filtered", fmt.Sprintf("posts/?f.owner=%d&f.status=active&q=dacia&d=2026", w.driver.ID), nil},
		{"form", fmt.Sprintf("posts/%d/", w.post), nil},
		{"user", fmt.Sprintf("users/%d/", w.driver.ID), nil},
		{"document", fmt.Sprintf("documents/%d/", w.paper), nil},
		{"entry-errors", "entries/add/", send(`.save button[value="list"]`)},
		{"delete", fmt.Sprintf("users/%d/delete/", w.driver.ID), nil},
		{"close", fmt.Sprintf("posts/%d/do/close/", w.post), send(`main form button`)},
		{"history", fmt.Sprintf("posts/%d/history/", w.post), nil},
		{"group", "groups/1/", nil},
		{"me", "me/", nil},
		{"message", "posts/", send(`button[name="_go"]`)},
		{"fail", "nothing/", nil},
		{"login", "login/", nil},
	} {
		t.Run(one.name, func(t *testing.T) {
			w := *w
			w.T = t
			for _, width := range []int64{1280, 390} {
				// Light on a desk and dark on a phone; all four where pictures are kept.
				schemes := map[int64][]string{1280: {"light"}, 390: {"dark"}}[width]
				if os.Getenv("SCREENSHOTS") != "" {
					schemes = []string{"light", "dark"}
				}
				p := w.tab()
				if one.name != "login" {
					p = w.enter(bossMail)
				}
				p.Do(t, browsertest.Look(width, "light"))
				p.open(one.path)
				if one.then != nil {
					one.then(p)
				}
				eval[bool](p, source+"; true")
				for _, scheme := range schemes {
					p.Do(t, browsertest.Look(width, scheme))
					if got := eval[int](p, `document.documentElement.scrollWidth`); got > int(width) {
						t.Errorf("the page is %d px wide in %d", got, width)
					}
					// A card is no column of the grid that the menu makes: once it had 164 px of 1280.
					if got := eval[int](p, `Math.min(...[...document.querySelectorAll("main, .card")].map(e => e.clientWidth))`); got < min(int(width)-60, 400) {
						t.Errorf("something is squeezed into %d px of %d", got, width)
					}
					if got := eval[int](p, `innerWidth < 700 ? 0 : [...document.querySelectorAll(".list time")].filter(e => e.getClientRects().length > 1).length`); got > 0 {
						t.Errorf("%d dates are broken over lines", got)
					}
					if got := wait[string](p, fmt.Sprintf("%s(%t)", broken, scheme == "dark" && width == 1280)); got != "" {
						t.Errorf("%d px, %s:\n%s", width, scheme, got)
					}
					p.Keep(t, fmt.Sprintf("admin-%s-%d-%s", one.name, width, scheme))
				}
				if one.name == "login" { // so that it is known to find what there is
					eval[bool](p, `document.querySelector("main").append(document.createElement("button")), true`)
					if got := wait[string](p, broken+"(false)"); !strings.Contains(got, "button-name (critical)") {
						t.Errorf("a button without a name: %q", got)
					}
				}
				if n := p.count("h1"); n != 1 {
					t.Errorf("%d headings of the first rank", n)
				}
				p.fine()
			}
		})
	}
}

// The theme that an operator has chosen counts, whatever the system prefers.
func TestTheme(t *testing.T) {
	one(t, func(w *world) {
		p := w.enter(bossMail)
		ground := `getComputedStyle(document.body).backgroundColor`
		light := eval[string](p, ground)
		_, err := w.accounts.ReviseSettings(w.Context(), w.as(w.boss), nil, func(s *account.Settings) fault.Fields { s.Theme = "dark"; return nil }, nil)
		w.must(err)
		p.open("")
		if dark := eval[string](p, ground); dark == light || strings.TrimSpace(dark) == "" {
			w.Errorf("the ground is %s in either theme", dark)
		}
		p.fine()
	})
}
