package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

const secret = "a secret of at least thirty-two bytes, for tests"

// goodPassword passes every check.
const goodPassword = "o parolă lungă și bună"

// cheap makes hashing cost next to nothing.
var cheap = password.NewHasher(password.Params{Memory: 64, Time: 1, Threads: 1, Slots: 8})

// clock is a time that stands still until it is told to go on. It begins at the
// present, since the outbox's quota goes by the database's clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now().UTC().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// world is the API on a real database.
type world struct {
	*testing.T
	api      *httpapi.API
	store    *store.Store
	accounts *account.Service
	listings *listing.Service
	docs     *document.Service
	media    *media.Service
	clock    *clock
	people   int
	waited   []time.Duration
}

type worldOption func(*account.Options)

func newWorld(t *testing.T, s *store.Store, options ...worldOption) *world {
	t.Helper()
	w := &world{T: t, store: s, clock: newClock()}
	o := account.Options{
		Secret: secret, Hasher: cheap, Now: w.clock.now, Throttle: true,
		Wait: func(_ context.Context, d time.Duration) error { w.waited = append(w.waited, d); return nil },
	}
	for _, set := range options {
		set(&o)
	}
	w.accounts = account.NewService(s, o)
	w.listings = listing.NewService(s, w.clock.now)
	w.docs = document.NewService(s, s, w.clock.now)
	b, _ := buckettest.DiskWith(t, disk.Options{Now: w.clock.now})
	w.media = media.NewService(media.Options{Store: s, Bucket: b, Posts: w.listings, Documents: w.docs, Now: w.clock.now})
	w.api = httpapi.New(httpapi.Options{
		Accounts: w.accounts, Listings: w.listings, Earnings: earnings.NewService(s, s, w.clock.now), Documents: w.docs, Media: w.media, Answers: s,
		PublicURL: &url.URL{Scheme: "https", Host: "api.example.com"}, Secret: secret, Now: w.clock.now,
	})
	return w
}

// each runs a test of the API on both engines.
func each(t *testing.T, test func(w *world), options ...worldOption) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(newWorld(t, s, options...)) })
}

// client makes requests as one person on one device.
type client struct {
	*world
	id      int64
	email   string
	access  string
	refresh string
	source  string
}

// anyone is a client without a credential.
func (w *world) anyone() *client { return &client{world: w, source: "192.0.2.1"} }

// person registers somebody new and signs them in. Everybody comes from an
// address of their own.
func (w *world) person() *client {
	w.Helper()
	w.people++
	c := &client{world: w, email: fmt.Sprintf("driver%d@example.com", w.people), source: fmt.Sprintf("198.51.100.%d", w.people)}
	r := c.post("/api/auth/register/", obj{"name": fmt.Sprintf("Șofer %d", w.people), "email": c.email, "password": goodPassword}).want(201)
	c.id = int64(r.number("id"))
	c.signIn()
	return c
}

func (c *client) signIn() {
	c.Helper()
	r := c.post("/api/auth/login/", obj{"email": c.email, "password": goodPassword}).want(200)
	c.access, c.refresh = r.text("access"), r.text("refresh")
}

type obj map[string]any

func (c *client) get(path string, headers ...string) *response {
	return c.do("GET", path, nil, headers...)
}

func (c *client) post(path string, body any, headers ...string) *response {
	return c.do("POST", path, body, headers...)
}

func (c *client) patch(path string, body any, headers ...string) *response {
	return c.do("PATCH", path, body, headers...)
}

func (c *client) put(path string, body any, headers ...string) *response {
	return c.do("PUT", path, body, headers...)
}

func (c *client) delete(path string, body any, headers ...string) *response {
	return c.do("DELETE", path, body, headers...)
}

// do makes a request and holds the answer against the description. A string
// or []byte body goes out as it is. Headers come in pairs.
func (c *client) do(method, path string, body any, headers ...string) *response {
	c.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	case []byte:
		text = b
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			c.Fatal(err)
		}
	}
	req := httptest.NewRequestWithContext(c.Context(), method, "https://api.example.com"+path, bytes.NewReader(text))
	req.RemoteAddr = c.source
	req.Header.Set("User-Agent", "test client")
	req.Header.Set("X-Request-Id", "test")
	if len(text) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.access != "" {
		req.Header.Set("Authorization", "Bearer "+c.access)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	c.api.ServeHTTP(rec, req)
	r := &response{c: c, what: method + " " + path, status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	if strings.Contains(r.header.Get("Content-Type"), "json") && len(r.body) > 0 {
		if err := json.Unmarshal(r.body, &r.json); err != nil {
			c.Fatalf("%s: body is not JSON: %v\n%s", r.what, err, r.body)
		}
	}
	conform(c.T, c.api.OpenAPI(), method, req.URL.Path, r)
	return r
}

type response struct {
	c      *client
	what   string
	status int
	header http.Header
	body   []byte
	json   any
}

func (r *response) want(status int) *response {
	r.c.Helper()
	if r.status != status {
		r.c.Fatalf("%s = %d, want %d\n%s", r.what, r.status, status, r.body)
	}
	if status >= 400 && r.header.Get("Content-Type") != "application/problem+json" {
		r.c.Errorf("%s: Content-Type = %q, want a problem document", r.what, r.header.Get("Content-Type"))
	}
	return r
}

// at walks into the JSON: names of members and indexes of lists.
func (r *response) at(path ...any) any {
	r.c.Helper()
	v := r.json
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				r.c.Fatalf("%s: no object at %v\n%s", r.what, path, r.body)
			}
			if v, ok = m[s]; !ok {
				r.c.Fatalf("%s: no member %q\n%s", r.what, s, r.body)
			}
		case int:
			l, ok := v.([]any)
			if !ok || s >= len(l) {
				r.c.Fatalf("%s: no item %d at %v\n%s", r.what, s, path, r.body)
			}
			v = l[s]
		}
	}
	return v
}

func (r *response) text(path ...any) string {
	r.c.Helper()
	s, ok := r.at(path...).(string)
	if !ok {
		r.c.Fatalf("%s: %v is no text\n%s", r.what, path, r.body)
	}
	return s
}

func (r *response) number(path ...any) float64 {
	r.c.Helper()
	n, ok := r.at(path...).(float64)
	if !ok {
		r.c.Fatalf("%s: %v is no number\n%s", r.what, path, r.body)
	}
	return n
}

// results are the values of one member of a list's results.
func (r *response) results(member string) []any {
	r.c.Helper()
	found := []any{}
	for _, one := range r.at("results").([]any) {
		found = append(found, one.(map[string]any)[member])
	}
	return found
}

// errors are the bad fields with their codes: "price max_digits".
func (r *response) errors() string {
	r.c.Helper()
	r.want(400)
	return r.fields()
}

func (r *response) fields() string {
	var list []string
	m, _ := r.json.(map[string]any)
	errs, _ := m["errors"].([]any)
	for _, e := range errs {
		f := e.(map[string]any)
		if f["message"] == "" {
			r.c.Errorf("%s: %v has no message", r.what, f)
		}
		list = append(list, fmt.Sprint(f["field"], " ", f["code"]))
	}
	return strings.Join(list, ", ")
}

// conform holds an answer against the description: the status must be listed
// and the body must be of its schema.
func conform(t *testing.T, doc *huma.OpenAPI, method, path string, r *response) {
	t.Helper()
	op := operation(doc, method, path)
	if op == nil {
		if r.status != 404 && r.status != 405 && r.status != 308 && method != "HEAD" && !strings.HasPrefix(path, "/api/openapi.") {
			t.Errorf("%s = %d, but it is not in the description", r.what, r.status)
		}
		return
	}
	described := op.Responses[fmt.Sprint(r.status)]
	if described == nil {
		t.Errorf("%s = %d, a status that the description does not list\n%s", r.what, r.status, r.body)
		return
	}
	if len(r.body) == 0 {
		return
	}
	media := described.Content[strings.Split(r.header.Get("Content-Type"), ";")[0]]
	if media == nil || media.Schema == nil {
		t.Errorf("%s: the description of %d has no body of type %q", r.what, r.status, r.header.Get("Content-Type"))
		return
	}
	if r.json == nil {
		return
	}
	var res huma.ValidateResult
	huma.Validate(doc.Components.Schemas, media.Schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeReadFromServer, r.json, &res)
	for _, err := range res.Errors {
		t.Errorf("%s: the answer is not as described: %v\n%s", r.what, err, r.body)
	}
}

// operation finds a path's operation in the description.
func operation(doc *huma.OpenAPI, method, path string) *huma.Operation {
	var best *huma.Operation
	for template, item := range doc.Paths {
		if !matches(template, path) {
			continue
		}
		op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[method]
		if op != nil && (best == nil || !strings.Contains(template, "{")) {
			best = op
		}
	}
	return best
}

func matches(template, path string) bool {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}

// mails are the messages waiting for a mailbox, the oldest first, readied as
// the job that sends them would.
func (w *world) mails(address string) []account.Outgoing {
	w.Helper()
	rows, err := w.store.Reader().QueryContext(w.Context(), `SELECT id FROM mail WHERE address_key = $1 AND state = 'queued' ORDER BY id`, account.MailboxKey(address))
	if err != nil {
		w.Fatal(err)
	}
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			w.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Close(); err != nil {
		w.Fatal(err)
	}
	var list []account.Outgoing
	for _, id := range ids {
		out, ok, err := w.accounts.PrepareMail(w.Context(), id)
		if err != nil {
			w.Fatal(err)
		}
		if ok {
			list = append(list, out)
			if err := w.accounts.MailDone(w.Context(), id, account.MailSent, ""); err != nil {
				w.Fatal(err)
			}
		}
	}
	return list
}

// token is the secret of the last mail of a kind to a mailbox.
func (w *world) token(address string, kind account.MailKind) string {
	w.Helper()
	token := ""
	for _, m := range w.mails(address) {
		if m.Kind == kind {
			token = m.Token
		}
	}
	if token == "" {
		w.Fatalf("no mail of kind %s to %s", kind, address)
	}
	return token
}

// car is a post with all that is required.
func car(more obj) obj {
	o := obj{"make": "Dacia", "model": "Logan", "year": 2020, "price": "120.00", "price_period": "week"}
	for k, v := range more {
		if v == nil {
			delete(o, k)
			continue
		}
		o[k] = v
	}
	return o
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// number is an id as a path has it.
func number(n float64) string { return strconv.FormatInt(int64(n), 10) }
