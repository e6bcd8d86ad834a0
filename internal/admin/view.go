package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/note"
	"github.com/ridecopilot/ridecopilot/internal/table"
)

//go:embed templates static
var files embed.FS

// asset is a file that pages use; its name holds a hash of what is in it, so that
// browsers may keep it.
type asset struct {
	name, kind string
	body       []byte
}

func newAsset(name, kind string) *asset {
	body, err := files.ReadFile("static/" + name)
	if err != nil {
		panic(err) // a file of ours that was there when we were built
	}
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	return &asset{name: strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext, kind: kind, body: body}
}

func (s *Site) static(w http.ResponseWriter, r *http.Request) {
	for _, a := range []*asset{s.style, s.script} {
		if a.name == r.PathValue("name") {
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write(a.body)
			return
		}
	}
	http.NotFound(w, r)
}

// view is what every page is made of.
type view struct {
	q      *request
	Title  string
	Crumbs []crumb
	Status string // why the page is not what was asked for
}

type crumb struct{ Label, Path string }

func (q *request) view(title string, crumbs ...crumb) view {
	return view{q: q, Title: title, Crumbs: crumbs}
}

// The methods that templates use.

func (v view) Nonce() string    { return v.q.nonce }
func (v view) Style() string    { return Path + "static/" + v.q.site.style.name }
func (v view) Script() string   { return Path + "static/" + v.q.site.script.name }
func (v view) SignedIn() bool   { return v.q.user.ID != 0 }
func (v view) UserName() string { return v.q.user.Name }
func (v view) Superuser() bool  { return v.q.user.Superuser }
func (v view) Theme() string    { return v.q.settings.Theme }
func (v view) Message() string {
	if v.q.flash != nil {
		return v.q.flash.Text
	}
	return ""
}
func (v view) ZoneName() string    { return v.q.zone().String() }
func (v view) NeedsPassword() bool { return !v.q.session.Confirmed(v.q.site.Now()) }

// Token is the proof that a form is one of ours (promise B5).
func (v view) Token() string { return v.q.site.Accounts.FormToken(v.q.session.ID) }

// Here tells whether the menu stands at a resource.
func (v view) Here(name string) bool { return strings.HasPrefix(v.q.r.URL.Path, Path+name+"/") }

// Menu is what the operator may see.
func (v view) Menu() []section {
	var out []section
	for _, s := range v.q.site.sections {
		kept := section{Title: s.Title}
		for _, r := range s.Resources {
			if v.q.allowed("view", r) == nil {
				kept.Resources = append(kept.Resources, r)
			}
		}
		if len(kept.Resources) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

// Can tells whether the operator may do something with a kind of thing.
func (v view) Can(action string, r *Resource) bool { return v.q.can(action, r) }

// Sees tells whether the operator may see a kind of thing: links to what they may
// not see lead nowhere.
func (v view) Sees(name string) bool { return v.q.allowed("view", v.q.site.resource(name)) == nil }

// When shows a time on the operator's own clock.
func (v view) When(t any) template.HTML { return v.q.when(t) }

func (q *request) when(value any) template.HTML {
	var t time.Time
	switch v := value.(type) {
	case time.Time:
		t = v
	case *time.Time:
		if v == nil {
			return missing
		}
		t = *v
	default:
		return missing
	}
	local := t.In(q.zone())
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // numbers alone
		t.UTC().Format(time.RFC3339), t.UTC().Format("2006-01-02 15:04:05 UTC"), local.Format("2 Jan 2006, 15:04")))
}

const missing = template.HTML(`<span class="none">–</span>`)

// Show is a value of a table as people read it.
func (v view) Show(c table.Column, value any) template.HTML { return v.q.show(c.Target, value) }

func (q *request) show(target string, value any) template.HTML {
	switch v := value.(type) {
	case nil:
		return missing
	case string:
		if v == "" {
			return missing
		}
		return template.HTML(template.HTMLEscapeString(v)) //nolint:gosec // escaped
	case int64:
		return template.HTML(strconv.FormatInt(v, 10)) //nolint:gosec // a number
	case fixed.Amount:
		return template.HTML(v.String()) //nolint:gosec // a number
	case bool:
		if v {
			return `<span class="yes">Yes</span>`
		}
		return `<span class="no">No</span>`
	case time.Time:
		return q.when(v)
	case calendar.Day:
		return template.HTML(v.UTC().Format("2 Jan 2006")) //nolint:gosec // numbers
	case table.Ref:
		label := q.called(target, v)
		r := q.site.resource(target)
		if r == nil || q.allowed("view", r) != nil {
			return template.HTML(template.HTMLEscapeString(label)) //nolint:gosec // escaped
		}
		return template.HTML(fmt.Sprintf(`<a href="%s%s/%d/">%s</a>`, Path, target, v.ID, template.HTMLEscapeString(label))) //nolint:gosec // escaped
	}
	return template.HTML(template.HTMLEscapeString(fmt.Sprint(value))) //nolint:gosec // escaped
}

// called is what a thing that another points at is called. Whoever sees a thing is
// told whose it is; what else it points at has a number for those who may not
// see it.
func (q *request) called(target string, ref table.Ref) string {
	r := q.site.resource(target)
	if ref.Label == "" || (target != "users" && (r == nil || q.allowed("view", r) != nil)) {
		return "#" + strconv.FormatInt(ref.ID, 10)
	}
	return ref.Label
}

// grouped is a number with its thousands apart, for a glance.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return sign + s
}

// templates are parsed for the first page that is shown: the commands, and many
// a server, show none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"humane":  humane,
		"grouped": grouped,
		"path":    func() string { return Path },
		"dict": func(pairs ...any) map[string]any {
			m := map[string]any{}
			for i := 0; i+1 < len(pairs); i += 2 {
				m[fmt.Sprint(pairs[i])] = pairs[i+1]
			}
			return m
		},
	}).ParseFS(files, "templates/*.html"))
})

// render writes a page whole or not at all.
func (q *request) render(status int, name string, data any) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		q.site.Log.ErrorContext(q.ctx, "page not rendered", "template", name, "err", err, "request_id", q.r.Header.Get("X-Request-Id"))
		http.Error(q.w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(b.Bytes())
}

// statusOf gives every kind of fault its HTTP status.
var statusOf = map[fault.Kind]int{
	fault.Invalid: http.StatusBadRequest, fault.Unauthenticated: http.StatusForbidden, fault.Reauthenticate: http.StatusForbidden,
	fault.Forbidden: http.StatusForbidden, fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict, fault.Stale: http.StatusConflict,
	fault.TooLarge: http.StatusRequestEntityTooLarge, fault.Unsupported: http.StatusUnsupportedMediaType, fault.TooMany: http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable, fault.Full: http.StatusInsufficientStorage,
}

type failView struct {
	view
	Code   int
	Text   string
	Fields fault.Fields
}

// fail answers with a page about an error. Only faults explain themselves;
// anything else is logged here, once, and stays opaque.
func (q *request) fail(err error) {
	if errors.Is(err, context.Canceled) { // the browser has gone: nobody reads this, and nothing is wrong
		return
	}
	v := failView{view: q.view("This did not work"), Code: http.StatusInternalServerError, Text: "Something went wrong on our side. It has been written down."}
	if f := fault.As(err); f != nil {
		v.Code, v.Text, v.Fields = statusOf[f.Kind], f.Message, f.Fields
		if v.Code == 0 {
			v.Code = http.StatusInternalServerError
		}
		retryAfter(q.w, f)
		if errors.Is(err, fault.NotFound) {
			v.Title = "Not found"
		}
	}
	switch {
	case errors.Is(err, fault.Unavailable):
		note.Busy(q.ctx, err)
	case v.Code >= http.StatusInternalServerError:
		q.site.Log.ErrorContext(q.ctx, "request failed", "route", q.r.Pattern, "err", err, "request_id", q.r.Header.Get("X-Request-Id"))
	}
	q.render(v.Code, "fail.html", v)
}

func retryAfter(w http.ResponseWriter, f *fault.Error) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(f.RetryAfter.Seconds())))))
	}
}

func parseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 {
		return 0, errNoPage
	}
	return id, nil
}
