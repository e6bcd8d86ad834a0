// Package browsertest drives a real Chromium in tests.
package browsertest

import (
	"context"
	"fmt"
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
)

// Start starts the Chromium that CHROMIUM names. Tabs opened from the context
// share it.
func Start(t *testing.T) context.Context {
	t.Helper()
	ctx, stop, err := start(path(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return ctx
}

// Shared is a browser for all tests of a process: starting one takes longer than
// many a test.
type Shared struct {
	once sync.Once
	ctx  context.Context //nolint:containedctx // chromedp's way to name a browser
	stop func()
	err  error
}

// Apart gives a test a part of the browser that shares no cookie with others.
func (s *Shared) Apart(t *testing.T) context.Context {
	t.Helper()
	name := path(t)
	s.once.Do(func() { s.ctx, s.stop, s.err = start(name) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	ctx, cancel := chromedp.NewContext(s.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// Stop ends the browser, if it was started.
func (s *Shared) Stop() {
	if s.stop != nil {
		s.stop()
	}
}

func path(t *testing.T) string {
	t.Helper()
	name := os.Getenv("CHROMIUM")
	if name == "" {
		if os.Getenv("REQUIRE_CHROMIUM") != "" || os.Getenv("CI") != "" {
			t.Fatal("CHROMIUM does not name a browser (scripts/need-chromium finds one)")
		}
		t.Skip("needs a browser: set CHROMIUM to the path of one (scripts/need-chromium finds one)")
	}
	return name
}

func start(path string) (context.Context, func(), error) {
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	outer, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, end := chromedp.NewContext(outer)
	stop := func() { end(); cancel() }
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, stop, nil
}

// Tab is a page that remembers what it complained about and whom it asked.
type Tab struct {
	Ctx context.Context // of the page: chromedp acts on it

	mu       sync.Mutex
	problems []string
	requests []string
}

// NewTab opens a page in a browser.
func NewTab(browser context.Context, t *testing.T) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	p := &Tab{Ctx: ctx}
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

// Do takes steps on the page, one after the other.
func (p *Tab) Do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for i, step := range steps {
		if err := chromedp.Do(p.Ctx, step); err != nil {
			t.Fatalf("step %d: %v (problems: %q)", i, err, p.problems)
		}
	}
}

// Eval is the value of an expression of the page.
func Eval[T any](t *testing.T, p *Tab, js string) T {
	t.Helper()
	v, err := chromedp.Run(p.Ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

// Fine fails the test if the page complained, or asked anybody but the hosts.
func (p *Tab) Fine(t *testing.T, hosts ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.problems {
		t.Errorf("the browser says: %s", s)
	}
	for _, s := range p.requests {
		if u, err := url.Parse(s); err != nil || u.Scheme != "data" && !slices.Contains(hosts, u.Host) {
			t.Errorf("the page asked for %.200s", s)
		}
	}
	if len(p.requests) == 0 {
		t.Error("no request was seen: this test sees nothing")
	}
}

// Look sets the size of the window and the colours that the person prefers.
func Look(width int64, scheme string) chromedp.Action[chromedp.Void] {
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

// Keep saves a picture of the page for people, if SCREENSHOTS names a folder.
func (p *Tab) Keep(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.Ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
