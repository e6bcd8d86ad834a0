package admin_test

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/ridecopilot/ridecopilot/internal/browsertest"
)

func TestShots(t *testing.T) {
	list := os.Getenv("SHOTS")
	if list == "" {
		t.Skip()
	}
	b := browsertest.Start(t)
	p := browsertest.NewTab(b, t)
	base := "http://127.0.0.1:8123/admin/"
	p.Do(t, browsertest.Look(1280, "light"), chromedp.Navigate(base+"login/"), chromedp.SendKeys(chromedp.CSS("#email"), "root@example.com"), chromedp.SendKeys(chromedp.CSS("#password"), "correct-horse-battery\r"), chromedp.WaitVisible(chromedp.CSS("nav.menu")))
	for _, one := range strings.Fields(list) {
		parts := strings.SplitN(one, ":", 3) // w, scheme, path
		w := int64(1280)
		if parts[0] == "390" {
			w = 390
		}
		p.Do(t, browsertest.Look(w, parts[1]), chromedp.Navigate(base+parts[2]), chromedp.WaitVisible(chromedp.CSS("main")))
		p.Keep(t, strings.NewReplacer("/", "_", "?", "-", "&", "-").Replace(parts[2])+"-"+parts[0]+"-"+parts[1])
	}
	p.Fine(t, "127.0.0.1:8123")
}
