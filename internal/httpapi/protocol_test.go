package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

func TestJSON_I1(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
		tests := []struct {
			name, body, want string
		}{
			{"empty object", `{}`, "make required, model required, year required, price required, price_period required"},
			{"cut", `{"make":`, "make parse_error"},
			{"a list", `[]`, " invalid"},
			{"a text", `"x"`, " invalid"},
			{"null", `null`, " invalid"},
			{"two values", `{}{}`, " parse_error"},
			{"rubbish behind", `{} x`, " parse_error"},
			{"comment", `{/* */}`, " parse_error"},
			{"single quotes", `{'make':1}`, " parse_error"},
			{"name twice", `{"make":"A","make":"B"}`, "make duplicate"},
			{"name twice, escaped", `{"make":"A","m\u0061ke":"B"}`, "make duplicate"},
			{"name twice inside", `{"x":{"a":1,"a":2}}`, "x.a duplicate"},
			{"NUL", `{"make":"A\u0000"}`, "make null_characters_not_allowed"},
			{"NUL in a name", `{"ma\u0000ke":"A"}`, "ma\x00ke null_characters_not_allowed"},
			{"not UTF-8", "{\"make\":\"\xff\"}", "make parse_error"},
			{"lone surrogate", `{"make":"\ud800"}`, "make parse_error"},
			{"deep", deep, " too_deep"},
			{"byte order mark", "\ufeff{}", " parse_error"},
		}
		for _, tt := range tests {
			got := c.post("/api/carposts/", tt.body).errors()
			if tt.name == "deep" {
				got = " " + got[strings.LastIndex(got, " ")+1:]
			}
			if got != tt.want {
				w.Errorf("%s: errors = %q, want %q", tt.name, got, tt.want)
			}
		}
		if got := c.post("/api/carposts/", nil).errors(); got != "make required, model required, year required, price required, price_period required" {
			w.Errorf("no body: errors = %q", got)
		}
		if got := c.put("/api/user/", nil).errors(); got != "name required, email required" {
			w.Errorf("PUT of nothing: errors = %q", got)
		}
		if got := c.patch("/api/user/", nil).errors(); got != " required" {
			w.Errorf("PATCH of nothing: errors = %q", got)
		}
		if got := c.patch("/api/user/", `{"zz":1,"aa":2,"mm":3}`).errors(); got != "aa unknown, mm unknown, zz unknown" {
			w.Errorf("unknown fields = %q, want them in order", got)
		}
		c.post("/api/carposts/", `{"make":"`+strings.Repeat("x", 256<<10)+`"}`).want(413)
	})
}

func TestMediaTypes_I2(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/cbor", "x", "application/jsonx"} {
			c.patch("/api/user/", `{"name":"X"}`, "Content-Type", ct).want(415)
		}
		c.patch("/api/user/", `{"name":"X"}`, "Content-Type", "").want(415)
		c.patch("/api/user/", `{"name":"X"}`, "Content-Type", "Application/JSON; charset=UTF-8").want(200)
		if got := c.get("/api/user/").text("name"); got != "X" {
			w.Errorf("name = %q", got)
		}
	})
}

func TestPaths_I9(t *testing.T) {
	w := newWorld(t, storetest.New(t))
	c := w.person()
	for _, tt := range []struct {
		method, path string
		want         int
		header       string
		value        string
	}{
		{"GET", "/api/user", 308, "Location", "/api/user/"},
		{"POST", "/api/auth/login?x=1", 308, "Location", "/api/auth/login/?x=1"},
		{"PATCH", "/api/carposts/1", 308, "Location", "/api/carposts/1/"},
		{"GET", "/api/nothing/", 404, "", ""},
		{"GET", "/api/nothing", 404, "", ""},
		{"GET", "/api/user/x/", 404, "", ""},
		{"GET", "/api/carposts/1/x/y/", 404, "", ""},
		{"GET", "/api/carposts/x/", 404, "", ""},
		{"GET", "/api/carposts/1.5/", 404, "", ""},
		{"GET", "/api/carposts/99999999999999999999/", 404, "", ""},
		{"GET", "/api/carposts/-1/", 404, "", ""},
		{"GET", "/api/carposts/+1/", 404, "", ""},
		{"GET", "/api/carposts/01/", 404, "", ""},
		{"GET", "/api/carposts/0/", 404, "", ""},
		{"GET", "/API/user/", 404, "", ""},
		{"PUT", "/api/auth/login/", 405, "Allow", "POST"},
		{"POST", "/api/user/", 405, "Allow", "DELETE, GET, HEAD, PATCH, PUT"},
		{"GET", "/api", 308, "Location", "/api/"},
		{"POST", "/api/", 405, "Allow", "GET, HEAD"},
		{"OPTIONS", "/api/user/", 405, "Allow", "DELETE, GET, HEAD, PATCH, PUT"},
		{"POST", "/api/openapi.json", 405, "Allow", "GET, HEAD"},
		{"GET", "/api/openapi.json/", 404, "", ""},
	} {
		r := c.do(tt.method, tt.path, nil)
		if r.status != tt.want || (tt.header != "" && r.header.Get(tt.header) != tt.value) {
			w.Errorf("%s %s = %d, %s %q, want %d, %q", tt.method, tt.path, r.status, tt.header, r.header.Get(tt.header), tt.want, tt.value)
		}
		if r.status >= 400 && r.header.Get("Content-Type") != "application/problem+json" {
			w.Errorf("%s %s: Content-Type = %q", tt.method, tt.path, r.header.Get("Content-Type"))
		}
	}
	// HEAD is GET without a body.
	if r := c.do("HEAD", "/api/user/", nil); r.status != 200 || r.header.Get("ETag") == "" {
		w.Errorf("HEAD = %d, ETag %q", r.status, r.header.Get("ETag"))
	}
	// Overrides of the method are ignored.
	c.do("GET", "/api/user/", nil, "X-HTTP-Method-Override", "DELETE").want(200)
	c.get("/api/user/").want(200)
}

func TestProblems_I8(t *testing.T) {
	w := newWorld(t, storetest.New(t))
	c := w.person()
	r := c.get("/api/carposts/1/").want(404)
	if r.text("type") != "not_found" || r.text("title") != "Not Found" || r.number("status") != 404 || r.text("detail") == "" || r.text("request_id") != "test" {
		w.Errorf("problem = %s", r.body)
	}
	// A failure of ours is opaque.
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	r = c.get("/api/user/")
	if r.status < 500 || strings.Contains(string(r.body), "sql") || strings.Contains(string(r.body), "database") {
		w.Errorf("with the database gone: %d %s", r.status, r.body)
	}
}

func TestETag_D5(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		made := map[string]string{
			"/api/carposts/":   "make",
			"/api/calculator/": "note",
			"/api/documents/":  "title",
		}
		paths := map[string]string{"/api/user/": "name", "/api/settings/": "currency"}
		for list, field := range made {
			body := map[string]obj{"/api/carposts/": car(nil), "/api/calculator/": {"app_income": 1}, "/api/documents/": {"type": "other"}}[list]
			r := c.post(list, body).want(201)
			path := list + number(r.number("id")) + "/"
			if got := c.get(path).header.Get("ETag"); got == "" || got != r.header.Get("ETag") {
				w.Errorf("%s: ETag %q after creation, %q when read", path, r.header.Get("ETag"), got)
			}
			paths[path] = field
			tag := c.get(list).header.Get("ETag")
			if got := c.get(list, "If-None-Match", tag); got.status != http.StatusNotModified || len(got.body) != 0 {
				w.Errorf("%s unchanged = %d %s, want 304", list, got.status, got.body)
			}
		}
		for path, field := range paths {
			first := c.get(path).want(200).header.Get("ETag")
			c.get(path, "If-None-Match", first).want(304)
			c.get(path, "If-None-Match", `"other", W/`+first).want(304)
			c.get(path, "If-None-Match", "*").want(304)
			c.get(path, "If-None-Match", `"other"`).want(200)
			change := func(v, tag string, want int) *response {
				return c.patch(path, obj{field: v}, "If-Match", tag).want(want)
			}
			second := change("EUR", first, 200).header.Get("ETag")
			if second == first {
				w.Errorf("%s: the ETag did not change", path)
			}
			if got := change("EUR", second, 200).header.Get("ETag"); got != second {
				w.Errorf("%s: an edit that changes nothing gave ETag %s after %s", path, got, second)
			}
			change("USD", first, 412)
			parts := strings.Split(strings.Trim(second, `"`), "-")
			if len(parts) != 3 {
				w.Fatalf("%s: the tag %s is not version-state-view", path, second)
			}
			for _, wrong := range []string{
				`"x"`, `W/"x"`, `"` + parts[0] + `-anything"`, `"` + parts[0] + "-" + parts[1] + `"`, `"` + parts[0] + "-0123456789abcdef-" + parts[2] + `"`,
				`"` + parts[0] + "-" + parts[1] + `-x"`, strings.Trim(second, `"`), `"` + parts[0] + `"`, `""`, `W/`, `"-"`, `"9` + second[1:],
			} {
				change("USD", wrong, 412)
			}
			// A proxy that compresses weakens the tag, or adds to it.
			last := second
			for i, seen := range []func(string) string{
				func(tag string) string { return "W/" + tag },
				func(tag string) string { return strings.TrimSuffix(tag, `"`) + `-gzip"` },
				func(tag string) string { return "W/" + strings.TrimSuffix(tag, `"`) + `-br"` },
				func(tag string) string { return `"x", ` + tag },
				// The part of the answer beside the stored fields does not matter.
				func(tag string) string { return tag[:len(tag)-17] + `0123456789abcdef"` },
			} {
				c.get(path, "If-None-Match", seen(last)).want(map[bool]int{true: 200, false: 304}[i == 4])
				last = change([]string{"USD", "EUR"}[i%2], seen(last), 200).header.Get("ETag")
			}
			change("GBP", "*", 200)
			if got := c.get(path).text(field); got != "GBP" {
				w.Errorf("%s: %s = %q, want GBP", path, field, got)
			}
			c.get(path, "If-None-Match", second).want(200)
			if path != "/api/settings/" && path != "/api/user/" {
				c.delete(path, nil, "If-Match", first).want(412)
				c.delete(path, nil, "If-Match", c.get(path).header.Get("ETag")).want(204)
			}
		}
		c.delete("/api/user/", obj{"password": goodPassword}, "If-Match", `"0-x"`).want(412)
	})
}

// TestPartialEdits_D5 lets two edits of different fields cross: both survive.
func TestPartialEdits_D5(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		path := "/api/carposts/" + number(c.post("/api/carposts/", car(nil)).want(201).number("id")) + "/"
		var wg sync.WaitGroup
		fields := []string{"engine", "fuel", "body", "color", "location", "contact"}
		for _, f := range fields {
			wg.Go(func() {
				if r := c.patch(path, obj{f: "new"}); r.status != 200 {
					w.Errorf("%s: %d %s", f, r.status, r.body)
				}
			})
		}
		wg.Wait()
		r := c.get(path).want(200)
		for _, f := range fields {
			if r.text(f) != "new" {
				w.Errorf("%s = %q: an edit was lost", f, r.text(f))
			}
		}
	})
}

func TestIdempotency_D2(t *testing.T) {
	each(t, func(w *world) {
		c, other := w.person(), w.person()
		for list, body := range map[string]obj{"/api/carposts/": car(nil), "/api/calculator/": {"app_income": 1}, "/api/documents/": {"type": "other"}} {
			key := []string{"Idempotency-Key", "key-1"}
			first := c.post(list, body, key...).want(201)
			again := c.post(list, body, key...).want(201)
			if string(first.body) != string(again.body) || first.header.Get("Location") != again.header.Get("Location") || first.header.Get("ETag") != again.header.Get("ETag") {
				w.Errorf("%s: first %v %s, again %v %s", list, first.header, first.body, again.header, again.body)
			}
			if again.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
				w.Errorf("%s: the repetition does not say so, or the first answer does", list)
			}
			c.post(list, obj{"something": "else"}, key...).want(422)
			if got := other.post(list, body, key...).want(201).number("id"); got == first.number("id") {
				w.Errorf("%s: a key of one person gave another's answer", list)
			}
			// A refused creation leaves the key free.
			c.post(list, obj{"bad": 1}, "Idempotency-Key", "key-2").want(400)
			c.post(list, body, "Idempotency-Key", "key-2").want(201)
			// Many at once make one.
			var wg sync.WaitGroup
			ids := make(chan float64, 8)
			for range 8 {
				wg.Go(func() {
					r := c.post(list, body, "Idempotency-Key", "at once")
					if r.status != 201 {
						w.Errorf("%s at once: %d %s", list, r.status, r.body)
						return
					}
					ids <- r.json.(map[string]any)["id"].(float64)
				})
			}
			wg.Wait()
			close(ids)
			seen := map[float64]bool{}
			for id := range ids {
				seen[id] = true
			}
			if len(seen) != 1 {
				w.Errorf("%s: %d things were made at once, want 1", list, len(seen))
			}
			if n := c.get(list + map[bool]string{true: "?owner=me"}[list == "/api/carposts/"]).number("count"); n != 3 {
				w.Errorf("%s: %v things, want 3", list, n)
			}
			for _, key := range []string{strings.Repeat("k", 256), "\xff", "k\x00", "ă"} {
				c.post(list, body, "Idempotency-Key", key).want(400)
			}
			w.clock.advance(24*time.Hour - time.Minute)
			c.access = c.post("/api/auth/token/refresh/", obj{"refresh": c.refresh}).want(200).text("access")
			other.signIn()
			c.signIn()
			c.post(list, body, key...).want(201)
			w.clock.advance(2 * time.Minute)
			if got := c.post(list, body, key...).want(201).number("id"); got == first.number("id") {
				w.Errorf("%s: after 24 h the key still gives the first answer", list)
			}
		}
	})
}

func TestExportLane_O2(t *testing.T) {
	w := newWorld(t, storetest.New(t))
	c := w.person()
	// Every place in the lane is given back.
	for i := range 10 {
		if r := c.get("/api/calculator/export.csv"); r.status != 200 {
			t.Fatal(fmt.Sprint("export ", i, " = ", r.status))
		}
	}
}
