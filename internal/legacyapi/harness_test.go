package legacyapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/textproto"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/legacyapi"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

const (
	clientOrigin = "http://localhost:5173"
	goodPassword = "o parolă lungă și bună"
)

var cheap = password.NewHasher(password.Params{Memory: 64, Time: 1, Threads: 1, Slots: 8})

// world is the API on a real database and a real storage.
type world struct {
	*testing.T
	store    *store.Store
	accounts *account.Service
	listings *listing.Service
	earnings *earnings.Service
	media    *media.Service
	bucket   *failing
	url      string
	people   int
}

// failing is a storage that takes nothing while fail is set.
type failing struct {
	media.Bucket
	fail error
}

func (f *failing) Put(ctx context.Context, key, contentType string, body []byte) error {
	if f.fail != nil {
		return f.fail
	}
	return f.Bucket.Put(ctx, key, contentType, body)
}

// each runs a test on both engines.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(newWorld(t, s, account.Options{})) })
}

func newWorld(t *testing.T, s *store.Store, o account.Options) *world {
	t.Helper()
	o.Secret, o.Hasher = "a secret of at least thirty-two bytes, for tests", cheap
	w := &world{T: t, store: s, accounts: account.NewService(s, o)}
	w.listings, w.earnings = listing.NewService(s, time.Now), earnings.NewService(s, s, time.Now)
	b, _ := buckettest.NewDisk(t)
	w.bucket = &failing{Bucket: b}
	w.media = media.NewService(media.Options{Store: s, Bucket: w.bucket, Posts: w.listings, Documents: document.NewService(s, s, time.Now)})
	mux := http.NewServeMux()
	other := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.Handle("/", other)
	legacyapi.New(legacyapi.Options{
		Accounts: w.accounts, Listings: w.listings, Earnings: w.earnings, Media: w.media,
		AllowedOrigin: func(origin string) bool { return origin == clientOrigin },
	}).Mount(mux, other)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "192.0.2.1"
		if source := r.Header.Get("X-Test-Source"); source != "" {
			r.RemoteAddr = source
		}
		mux.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// browser behaves as the client's does: it keeps cookies, and every request says
// from where it comes.
type browser struct {
	*world
	client *http.Client
	origin string
	source string
	id     float64
	email  string
}

func (w *world) browser() *browser {
	w.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	w.people++
	return &browser{world: w, client: &http.Client{Jar: jar}, origin: clientOrigin, source: fmt.Sprintf("198.51.100.%d", w.people)}
}

// person signs up and in.
func (w *world) person() *browser {
	w.Helper()
	b := w.browser()
	b.email = fmt.Sprintf("driver%d@example.com", w.people)
	b.id = b.post("register", obj{"name": "Ana", "email": b.email, "password": goodPassword}).want(200).at("id").(float64)
	b.post("login", obj{"email": b.email, "password": goodPassword}).want(200)
	return b
}

type obj = map[string]any

func (b *browser) get(path string) *response            { return b.send("GET", path, nil) }
func (b *browser) post(path string, body any) *response { return b.send("POST", path, body) }

// send makes a request with a JSON body.
func (b *browser) send(method, path string, body any) *response {
	b.Helper()
	var text []byte
	switch v := body.(type) {
	case nil:
	case string:
		text = []byte(v)
	default:
		var err error
		if text, err = json.Marshal(v); err != nil {
			b.Fatal(err)
		}
	}
	kind := ""
	if len(text) > 0 {
		kind = "application/json"
	}
	return b.raw(method, path, kind, text)
}

func (b *browser) raw(method, path, contentType string, body []byte, headers ...string) *response {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.url+"/api/"+path, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if b.origin != "" {
		req.Header.Set("Origin", b.origin)
	}
	req.Header.Set("X-Test-Source", b.source)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	r := &response{b: b, what: method + " " + path, status: res.StatusCode, header: res.Header, text: string(text)}
	if len(text) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &r.json); err != nil {
			b.Fatalf("%s: %v in %s", r.what, err, text)
		}
	}
	return r
}

// form sends multipart/form-data as the client does on an update: the fields,
// and the image, or the text "undefined" for it.
func (b *browser) form(path string, fields obj, image []byte) *response {
	b.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, fmt.Sprint(value)); err != nil {
			b.Fatal(err)
		}
	}
	if image == nil {
		_ = form.WriteField("image", "undefined") // a buffer
	} else {
		part, err := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="image"; filename="new.jpg"`}, "Content-Type": {"image/jpeg"},
		})
		if err != nil {
			b.Fatal(err)
		}
		_, _ = part.Write(image) // a buffer
	}
	_ = form.Close() // a buffer
	return b.raw("PUT", path, form.FormDataContentType(), body.Bytes())
}

type response struct {
	b      *browser
	what   string
	status int
	header http.Header
	text   string
	json   any
}

func (r *response) want(status int) *response {
	r.b.Helper()
	if r.status != status {
		r.b.Fatalf("%s = %d, want %d: %s", r.what, r.status, status, r.text)
	}
	return r
}

// says checks the whole answer.
func (r *response) says(status int, body any) *response {
	r.b.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		r.b.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(raw, &want); err != nil {
		r.b.Fatal(err)
	}
	if r.status != status || !reflect.DeepEqual(r.json, want) {
		r.b.Errorf("%s = %d %s, want %d %s", r.what, r.status, r.text, status, raw)
	}
	return r
}

// at walks into the JSON.
func (r *response) at(path ...any) any {
	r.b.Helper()
	v := r.json
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				r.b.Fatalf("%s: no object at %v: %s", r.what, path, r.text)
			}
			v = m[s]
		case int:
			l, ok := v.([]any)
			if !ok || s >= len(l) {
				r.b.Fatalf("%s: no item %d at %v: %s", r.what, s, path, r.text)
			}
			v = l[s]
		}
	}
	return v
}

// car is a whole post as the client sends it.
func car(changes obj) obj {
	c := obj{
		"car_name": "Dacia", "model": "Logan", "version": "", "year": "2020", "engine": "1.0 TCe", "fuel": "GPL", "body": "sedan",
		"transmission": "manual", "gear_number": "5", "color": "alb", "seat_number": "5", "door_number": "", "milleage": "84000", "power": "90",
		"mpg": "", "description": "", "emission_standard": "Euro 6", "location": "", "contact": "", "price": "280", "image": obj{},
	}
	for name, value := range changes {
		if value == missing {
			delete(c, name)
		} else {
			c[name] = value
		}
	}
	return c
}

const missing = "(not sent)"
