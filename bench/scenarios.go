package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
)

// scenario is one kind of load.
type scenario struct {
	name   string
	writes bool // rows, which are removed after each turn
	each   int  // how often in one turn a person may do it on average, before a limit is reached; 0: no limit
	// begin gives the requests of one connection to a server. The same connection
	// makes the same requests to either server.
	begin   func(t *target, conn int) *worker
	differs []string // fields of the answer that each server makes up for itself
	object  string   // what the history calls the thing that is made
}

// target is a server under load.
type target struct {
	name string
	addr string
	pid  int
	w    *world
	etag string // of page 1
	// workers keep their places between turns.
	workers map[string]map[int]*worker
}

func (t *target) worker(s *scenario, conn int) *worker {
	if t.workers[s.name] == nil {
		if t.workers == nil {
			t.workers = map[string]map[int]*worker{}
		}
		t.workers[s.name] = map[int]*worker{}
	}
	if t.workers[s.name][conn] == nil {
		t.workers[s.name][conn] = s.begin(t, conn)
	}
	return t.workers[s.name][conn]
}

func dice(kind, conn int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(kind), uint64(conn))) //nolint:gosec // it must be predictable
}

func one[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func escape(s string) string { return url.QueryEscape(s) }

// get appends a GET request.
func get(b []byte, addr, path, token string) []byte {
	b = append(append(append(b, "GET "...), path...), " HTTP/1.1\r\nHost: "...)
	b = append(append(append(b, addr...), "\r\nUser-Agent: bench\r\nAuthorization: Bearer "...), token...)
	return append(b, "\r\n\r\n"...)
}

// post appends a POST request; without a token it is a request of nobody.
func post(b []byte, addr, path, token, body string) []byte {
	b = append(append(append(b, "POST "...), path...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, addr...), "\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	if token != "" {
		b = append(append(b, "\r\nAuthorization: Bearer "...), token...)
	}
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}

// reading is a scenario of GET requests to paths.
func reading(name string, kind int, path func(w *world, r *rand.Rand) string) *scenario {
	return &scenario{name: name, begin: func(t *target, conn int) *worker {
		r := dice(kind, conn)
		return &worker{want: 200, next: func(b []byte) []byte {
			return get(b, t.addr, path(t.w, r), one(r, t.w.people).Access)
		}}
	}}
}

// scenarios are all there are, those that write last.
func scenarios() []*scenario {
	posts := reading("get-post", 1, func(w *world, r *rand.Rand) string { return fmt.Sprintf("/api/carposts/%d/", one(r, w.visible)) })
	page := reading("page-1", 2, func(*world, *rand.Rand) string { return "/api/carposts/" })
	number := reading("deep-number", 3, func(w *world, _ *rand.Rand) string { return fmt.Sprintf("/api/carposts/?page=%d", w.page) })
	cursor := reading("deep-cursor", 4, func(w *world, _ *rand.Rand) string { return "/api/carposts/?cursor=" + w.cursor })
	search := reading("search", 5, func(w *world, r *rand.Rand) string {
		return "/api/carposts/?offer=rent&year_min=2016&sort=price&q=" + escape(one(r, w.searches))
	})
	facets := reading("facets", 6, func(*world, *rand.Rand) string { return "/api/carposts/facets/" })
	facetsOf := reading("facets-search", 7, func(w *world, r *rand.Rand) string {
		return "/api/carposts/facets/?offer=rent&q=" + escape(one(r, w.searches))
	})
	entries := reading("own-entries", 8, func(*world, *rand.Rand) string { return "/api/calculator/" })
	summary := reading("summary", 9, func(w *world, _ *rand.Rand) string { return "/api/calculator/summary/?from=" + w.from + "&to=" + w.to })
	unchanged := &scenario{name: "unchanged", begin: func(t *target, conn int) *worker {
		r := dice(10, conn)
		return &worker{want: 304, or: 200, next: func(b []byte) []byte {
			b = get(b, t.addr, "/api/carposts/", one(r, t.w.people).Access)
			return append(append(append(b[:len(b)-2], "If-None-Match: "...), t.etag...), "\r\n\r\n"...)
		}}
	}}
	refresh := &scenario{name: "refresh", begin: refreshing, differs: []string{"access", "refresh"}}
	login := &scenario{name: "sign-in", begin: signingIn, differs: []string{"access", "refresh"}}
	upload := &scenario{name: "start-upload", writes: true, each: 8, begin: uploading, differs: []string{"id", "fields", "expires_at"}}
	entry := &scenario{name: "create-entry", writes: true, begin: creatingEntries, differs: made, object: "calculator_entry"}
	car := &scenario{name: "create-post", writes: true, each: 80, begin: creatingPosts, differs: made, object: "car_post"}
	// A day at work: much is read, little is written, and hardly anybody signs in.
	mixed := mixture("mixed-day", []share{
		{24, page},
		{24, posts},
		{14, entries},
		{8, summary},
		{7, search},
		{6, cursor},
		{4, facetsOf},
		{3, unchanged},
		{6, entry},
		{2, car},
		{1, upload},
		{1, refresh},
	})
	return []*scenario{posts, page, number, cursor, search, facets, facetsOf, entries, summary, unchanged, refresh, login, upload, entry, car, mixed}
}

var made = []string{"id", "created_at", "updated_at"}

// pick is the scenarios of a comma-separated list of names; empty for all.
func pick(names string) ([]*scenario, error) {
	all := scenarios()
	if names == "" {
		return all, nil
	}
	var known, picked []*scenario
	for name := range strings.SplitSeq(names, ",") {
		n := len(picked)
		for _, s := range all {
			if s.name == strings.TrimSpace(name) {
				picked = append(picked, s)
			}
		}
		if len(picked) == n {
			known = all
		}
	}
	if known != nil {
		var list []string
		for _, s := range known {
			list = append(list, s.name)
		}
		return nil, fmt.Errorf("there is no such scenario among %q; there are %s", names, strings.Join(list, ", "))
	}
	return picked, nil
}

type share struct {
	percent int
	of      *scenario
}

func mixture(name string, shares []share) *scenario {
	return &scenario{name: name, writes: true, each: 900, begin: func(t *target, conn int) *worker {
		r := dice(99, conn)
		var parts []*worker
		for _, s := range shares {
			w := s.of.begin(t, 1000+conn)
			for range s.percent {
				parts = append(parts, w)
			}
		}
		w := &worker{}
		w.next = func(b []byte) []byte {
			w.now = one(r, parts)
			return w.now.next(b)
		}
		return w
	}}
}

// refreshing renews the tokens of one session over and over. Each connection to
// each server has a session of its own, so that no token is used twice.
func refreshing(t *target, _ int) *worker {
	token := t.w.spare[0]
	t.w.spare = t.w.spare[1:]
	return &worker{
		want: 200,
		next: func(b []byte) []byte {
			return post(b, t.addr, "/api/auth/token/refresh/", "", `{"refresh": "`+token+`"}`)
		},
		took: func(body []byte) {
			var tokens struct{ Refresh string }
			if json.Unmarshal(body, &tokens) == nil && tokens.Refresh != "" {
				token = tokens.Refresh
			}
		},
	}
}

func signingIn(t *target, conn int) *worker {
	r := dice(12, conn)
	return &worker{want: 200, next: func(b []byte) []byte {
		return post(b, t.addr, "/api/auth/login/", "", fmt.Sprintf(`{"email": %q, "password": %q}`, one(r, t.w.people).Email, t.w.password))
	}}
}

// turns gives a connection the people one after the other, each connection from
// another place, so that nobody reaches a limit before the others.
func turns(w *world, conn int) func() *person {
	n := conn * 31
	return func() *person {
		n++
		return &w.people[n%len(w.people)]
	}
}

func uploading(t *target, conn int) *worker {
	who, r := turns(t.w, conn), dice(13, conn)
	return &worker{want: 201, next: func(b []byte) []byte {
		p := who()
		return post(b, t.addr, fmt.Sprintf("/api/carposts/%d/photos/", one(r, p.Posts)), p.Access, `{"file_name": "front.jpg", "content_type": "image/jpeg", "size": 284113}`)
	}}
}

func creatingEntries(t *target, conn int) *worker {
	r := dice(14, conn)
	return &worker{want: 201, next: func(b []byte) []byte {
		body := fmt.Sprintf(`{"date": %q, "platform": "Bolt", "app_income": "%d.50", "commission": "25", "tips": "18", "hours": "9.5", "distance_km": "182", `+
			`"trips": 21, "note": "Ploaie, coloane peste tot.", "expense_items": [{"category": "fuel", "amount": "95.40", "note": "Petrom"}, {"category": "wash", "amount": "25", "note": ""}]}`,
			t.w.to, 100+r.IntN(500))
		return post(b, t.addr, "/api/calculator/", one(r, t.w.people).Access, body)
	}}
}

func creatingPosts(t *target, conn int) *worker {
	who, r := turns(t.w, conn), dice(15, conn)
	return &worker{want: 201, next: func(b []byte) []byte {
		body := fmt.Sprintf(`{"make": "Škoda", "model": "Octavia", "version": "2.0 TDI Style", "engine": "2.0 TDI", "fuel": "Motorină", "body": "Break", `+
			`"transmission": "Automată", "color": "negru", "emission_standard": "Euro 6", "location": "București", "contact": "0700 000 000", `+
			`"description": "Închiriez Škoda Octavia pentru Uber și Bolt, din București. Întreținută la timp, cu istoric complet de service. Consumă în jur de 5,2 l/100 km.", `+
			`"year": %d, "gears": 7, "seats": 5, "doors": 5, "mileage_km": %d, "power_hp": 150, "consumption": "5.20", "offer": "rent", "price": "%d", "currency": "EUR", "price_period": "week", "status": "active"}`,
			2015+r.IntN(10), 10_000+r.IntN(200_000), 120+r.IntN(200))
		return post(b, t.addr, "/api/carposts/", who().Access, body)
	}}
}
