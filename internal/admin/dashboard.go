package admin

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/overview"
)

type dashboardView struct {
	view
	Days      int
	Spans     []crumb
	From, To  string
	Charts    []chartView
	Attention []attentionView
	Health    []healthView
	Check     *checkView
	Product   string
	Uptime    string
	At        time.Time
}

type chartView struct {
	Title, Total, Change, Trend string
	SVG                         template.HTML
	Table                       []chartRow
	Path                        string
}

type chartRow struct{ Day, Value string }

type attentionView struct {
	Label, Path, Detail string
	N                   int64
	Urgent              bool
}

type healthView struct {
	Name string
	OK   bool
}

type checkView struct {
	At    time.Time
	Words string
}

// checkWords tells what a comparison of rows and objects has found.
func checkWords(c overview.Check) string {
	if c.Unclaimed+c.Missing+c.Found+c.Redone+c.Failed == 0 {
		return "they agree."
	}
	return fmt.Sprintf("%d objects that belong to nothing, %d files missing, %d found again, %d to be prepared again, %d repairs that did not work.",
		c.Unclaimed, c.Missing, c.Found, c.Redone, c.Failed)
}

// healthTime bounds one look at what the server rests on.
const healthTime = 2 * time.Second

// dashboard shows how things go, and what needs an operator.
func (s *Site) dashboard(q *request) error {
	v := dashboardView{view: q.view("Dashboard"), Days: 30, At: s.Now(), Uptime: upFor(s.Now().Sub(s.started))}
	for _, n := range []int{7, 30, 90} {
		if q.r.URL.Query().Get("days") == fmt.Sprint(n) {
			v.Days = n
		}
		v.Spans = append(v.Spans, crumb{fmt.Sprintf("%d days", n), fmt.Sprintf("?days=%d", n)})
	}
	o, err := s.Overview.Overview(q.ctx, v.Days)
	if err != nil {
		return err
	}
	v.From, v.To = o.From.UTC().Format("2 Jan"), o.To.UTC().Format("2 Jan 2006")
	for _, c := range []struct {
		resource string
		series   overview.Series
	}{{"users", o.Users}, {"posts", o.Posts}, {"entries", o.Entries}, {"uploads", o.Uploads}} {
		res := s.resource(c.resource)
		if q.allowed("view", res) != nil {
			continue
		}
		v.Charts = append(v.Charts, countChart(res, c.series))
	}
	if q.allowed("view", s.resource("entries")) == nil {
		for _, m := range o.Earnings[:min(len(o.Earnings), 2)] {
			v.Charts = append(v.Charts, moneyChart(m))
		}
	}
	a, err := s.Overview.Attention(q.ctx)
	if err != nil {
		return err
	}
	v.Attention = q.attention(a)
	v.Product = s.Version
	if a.Check != nil {
		v.Check = &checkView{a.Check.At, checkWords(*a.Check)}
	}
	v.Health = s.health(q.ctx)
	q.render(http.StatusOK, "dashboard.html", v)
	return nil
}

// upFor is how long, in words.
func upFor(d time.Duration) string {
	switch days := int(d.Hours()) / 24; {
	case d < time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case days < 2:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", days)
	}
}

// attention is what needs somebody, of the things that the operator may see.
func (q *request) attention(a overview.Attention) []attentionView {
	var out []attentionView
	add := func(resource, label, query string, n int64, urgent bool) {
		res := q.site.resource(resource)
		if res == nil || n == 0 || q.allowed("view", res) != nil {
			return
		}
		out = append(out, attentionView{Label: label, Path: Path + resource + "/" + query, N: n, Urgent: urgent})
	}
	add("posts", "car posts with open reports", "?f.reported=true", a.ReportedPosts, true)
	add("posts", "new car posts that nobody has looked at", "?f.unseen=true", a.UnseenPosts, false)
	add("jobs", "jobs that failed", "?f.failing=true", a.FailedJobs, true)
	add("mails", "mails that did not leave", "?f.stuck=true", a.UnsentMails, true)
	add("uploads", "uploads that failed", "?f.state=failed", a.FailedUploads, false)
	add("uploads", "files that the storage has lost", "?f.state=lost", a.LostUploads, true)
	if a.OpenRemovals > 0 && q.user.Superuser {
		one := attentionView{Label: "objects still to be removed from the storage", N: a.OpenRemovals}
		if a.OldestRemoval != nil {
			age := q.site.Now().Sub(*a.OldestRemoval).Round(time.Minute)
			one.Detail, one.Urgent = "the oldest has waited for "+age.String(), age > time.Hour
		}
		out = append(out, one)
	}
	return out
}

func (s *Site) health(ctx context.Context) []healthView {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	var out []healthView
	for name, check := range s.Checks {
		out = append(out, healthView{humane(name), check(ctx) == nil})
	}
	slices.SortFunc(out, func(a, b healthView) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func countChart(res *Resource, s overview.Series) chartView {
	c := chartView{Title: "New " + strings.ToLower(res.Plural), Total: grouped(s.Total), Path: Path + res.Name + "/"}
	c.Change, c.Trend = change(s.Total, s.Before)
	bars := make([]bar, 0, len(s.Days))
	for _, d := range s.Days {
		bars = append(bars, bar{d.Day, d.N, grouped(d.N)})
	}
	c.draw(bars)
	return c
}

func moneyChart(m overview.Money) chartView {
	c := chartView{Title: "Earnings of drivers, " + m.Currency, Total: grouped(int64(m.Earnings) / 100), Path: Path + "entries/?f.currency=" + m.Currency}
	c.Change = grouped(m.Entries) + " entries"
	bars := make([]bar, 0, len(m.Days))
	for _, d := range m.Days {
		bars = append(bars, bar{d.Day, int64(d.Earnings), d.Earnings.String()})
	}
	c.draw(bars)
	return c
}

// change tells how a sum compares with the one before.
func change(now, before int64) (text, trend string) {
	switch {
	case before == 0 && now == 0:
		return "as before", "same"
	case before == 0:
		return "none before", "up"
	}
	percent := (now - before) * 100 / before
	switch {
	case percent > 0:
		return fmt.Sprintf("%d %% more than before", percent), "up"
	case percent < 0:
		return fmt.Sprintf("%d %% less than before", -percent), "down"
	}
	return "as before", "same"
}

type bar struct {
	day   calendar.Day
	value int64
	text  string
}

// The size of a chart, in its own units.
const (
	chartWidth  = 600
	chartHeight = 120
)

// draw makes the chart: bars of a day each, as SVG with a text for those who do
// not see it, and the same as a table.
func (c *chartView) draw(bars []bar) {
	if len(bars) == 0 {
		return
	}
	var high, low int64
	for _, b := range bars {
		high, low = max(high, b.value), min(low, b.value)
		c.Table = append(c.Table, chartRow{b.day.UTC().Format("2 Jan 2006"), b.text})
	}
	if high == low { // nothing at all: the axis is at the foot
		high++
	}
	span := high - low
	y := func(v int64) float64 { return float64(high-v) / float64(span) * chartHeight }
	step := float64(chartWidth) / float64(len(bars))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, chartWidth, chartHeight+1,
		template.HTMLEscapeString(fmt.Sprintf("%s by day, from %s to %s, at most %s", c.Title, bars[0].day, bars[len(bars)-1].day, grouped(high))))
	for i, one := range bars {
		top, bottom := y(max(one.value, 0)), y(min(one.value, 0))
		fmt.Fprintf(&b, `<g><title>%s: %s</title><rect class="slot" x="%.2f" y="0" width="%.2f" height="%d"></rect><rect class="bar" x="%.2f" y="%.2f" width="%.2f" height="%.2f"></rect></g>`,
			one.day.UTC().Format("2 Jan"), one.text, float64(i)*step, step, chartHeight, float64(i)*step+step*.1, top, step*.8, max(bottom-top, 0))
	}
	fmt.Fprintf(&b, `<line class="axis" x1="0" x2="%d" y1="%.2f" y2="%.2f"></line></svg>`, chartWidth, y(0), y(0))
	c.SVG = template.HTML(b.String()) //nolint:gosec // numbers, and escaped words
}
