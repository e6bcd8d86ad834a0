package httpapi_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

func TestUser(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		r := c.get("/api/user/").want(200)
		if int64(r.number("id")) != c.id || r.text("email") != c.email {
			w.Errorf("user = %s", r.body)
		}
		if got := c.patch("/api/user/", obj{"name": "Ioana Șerban"}).want(200).text("name"); got != "Ioana Șerban" {
			w.Errorf("name = %q", got)
		}
		tests := []struct {
			method string
			body   obj
			want   string
		}{
			{"PATCH", obj{"name": ""}, "name blank"},
			{"PATCH", obj{"id": 7, "is_staff": true, "email_verified": true, "created_at": "x", "admin": 1}, "id read_only, email_verified read_only, is_staff read_only, created_at read_only, admin unknown"},
			{"PATCH", obj{"email": "x", "password": "1"}, "email invalid, password password_too_short, password password_too_common, password password_entirely_numeric"},
			{"PUT", obj{}, "name required, email required"},
		}
		for _, tt := range tests {
			got := c.do(tt.method, "/api/user/", tt.body).errors()
			if sorted(got) != sorted(tt.want) {
				w.Errorf("%s %v: errors = %q, want %q", tt.method, tt.body, got, tt.want)
			}
		}
		c.put("/api/user/", obj{"name": "Ioana", "email": c.email}).want(200)
	})
}

func sorted(list string) string {
	parts := strings.Split(list, ", ")
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func TestChangeOfAddress_T18(t *testing.T) {
	each(t, func(w *world) {
		c, other := w.person(), w.person()
		w.mails(c.email)
		r := c.patch("/api/user/", obj{"email": "new@example.com"}).want(403)
		if r.text("type") != "reauthenticate" || r.fields() != "current_password required" {
			w.Errorf("without the password: %s", r.body)
		}
		if got := c.patch("/api/user/", obj{"email": other.email, "current_password": goodPassword}).errors(); got != "email unique" {
			w.Errorf("a taken address: %q", got)
		}
		if got := c.patch("/api/user/", obj{"email": "new@example.com", "current_password": goodPassword}).want(200).text("email"); got != c.email {
			w.Errorf("the address counts before it is confirmed: %q", got)
		}
		told := w.mails(c.email)
		if len(told) != 1 || told[0].Kind != account.MailAddressAsked {
			w.Errorf("mails to the old address = %+v", told)
		}
		token := w.token("new@example.com", account.MailConfirmNew)
		c.post("/api/auth/email/verify/", obj{"token": token}).want(204)
		r = c.get("/api/user/").want(200)
		if r.text("email") != "new@example.com" || r.at("email_verified") != true {
			w.Errorf("after confirming: %s", r.body)
		}
		c.post("/api/auth/email/verify/", obj{"token": token}).want(400)
		if told := w.mails(c.email); len(told) != 1 || told[0].Kind != account.MailAddressChanged {
			w.Errorf("mails to the old address = %+v", told)
		}
		// Dead after a change of the password.
		c.patch("/api/user/", obj{"email": "newer@example.com", "current_password": goodPassword}).want(200)
		token = w.token("newer@example.com", account.MailConfirmNew)
		c.patch("/api/user/", obj{"password": "altă parolă bună", "current_password": goodPassword}).want(200)
		c.post("/api/auth/email/verify/", obj{"token": token}).want(400)
	})
}

func TestDeleteUser_D13(t *testing.T) {
	for _, path := range []string{"/api/user/", "/api/settings/"} {
		t.Run(path, func(t *testing.T) {
			each(t, func(w *world) {
				c, other := w.person(), w.person()
				post := c.post("/api/carposts/", car(nil)).want(201)
				c.post("/api/calculator/", obj{"app_income": 10}).want(201)
				c.post("/api/documents/", obj{"type": "other"}).want(201)
				w.clock.advance(16 * time.Minute)
				if got := c.delete(path, nil).want(403).fields(); got != "password required" {
					w.Errorf("without the password: %q", got)
				}
				if got := c.delete(path, obj{"password": "wrong"}).want(403).fields(); got != "password incorrect" {
					w.Errorf("with a wrong password: %q", got)
				}
				c.delete(path, obj{"password": goodPassword, "really": true}).want(400)
				c.delete(path, obj{"password": goodPassword}).want(204)
				c.get("/api/user/").want(401)
				c.post("/api/auth/token/refresh/", obj{"refresh": c.refresh}).want(401)
				c.post("/api/auth/login/", obj{"email": c.email, "password": goodPassword}).want(401)
				other.get("/api/carposts/" + number(post.number("id")) + "/").want(404)
				if n := w.mailsOf(c.email, account.MailAccountDeleted); n != 1 {
					w.Errorf("%d mails of farewell, want 1", n)
				}
				// Within 15 minutes of signing in the session is enough.
				other.signIn()
				other.delete(path, nil).want(204)
			})
		})
	}
}

func TestExportUser(t *testing.T) {
	each(t, func(w *world) {
		c, other := w.person(), w.person()
		theirs := other.post("/api/carposts/", car(obj{"make": "Tesla"})).want(201)
		id := number(theirs.number("id"))
		c.put("/api/carposts/"+id+"/favorite/", nil).want(204)
		c.post("/api/carposts/"+id+"/report/", obj{"reason": "fraud", "text": "nu există"}).want(202)
		for range 120 { // more than one page
			c.post("/api/calculator/", obj{"app_income": "1.50"}).want(201)
		}
		c.post("/api/carposts/", car(obj{"status": "draft"})).want(201)
		c.post("/api/documents/", obj{"type": "insurance", "expires_on": "2027-01-01"}).want(201)
		r := c.get("/api/user/export/").want(200)
		if r.header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(r.header.Get("Content-Disposition"), "attachment") {
			w.Errorf("headers = %v", r.header)
		}
		z, err := zip.NewReader(bytes.NewReader(r.body), int64(len(r.body)))
		if err != nil {
			w.Fatal(err)
		}
		sizes := map[string]int{}
		for _, f := range z.File {
			rc, err := f.Open()
			if err != nil {
				w.Fatal(err)
			}
			text := readAll(w.T, rc)
			if bytes.Contains(text, []byte(other.email)) || bytes.Contains(text, []byte("argon2")) {
				w.Errorf("%s tells too much: %s", f.Name, text)
			}
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				w.Errorf("%s is not JSON: %v", f.Name, err)
			}
			sizes[f.Name] = 1
			if l, ok := v.([]any); ok {
				sizes[f.Name] = len(l)
			}
		}
		want := map[string]int{
			"account.json": 1, "settings.json": 1, "sessions.json": 1, "reports.json": 1, "carposts.json": 1, "favorites.json": 1,
			"calculator.json": 120, "documents.json": 1,
		}
		for name, n := range want {
			if sizes[name] != n {
				w.Errorf("%s holds %d, want %d", name, sizes[name], n)
			}
		}
	})
}

func TestSettings(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		defaults := `{"theme":"auto","language":"en","currency":"RON","time_zone":"Europe/Bucharest","distance_unit":"km","default_commission":null,"weekly_goal":null,"email_reminders":true}`
		if got := strings.TrimSpace(string(c.get("/api/settings/").want(200).body)); got != defaults {
			w.Errorf("settings = %s, want %s", got, defaults)
		}
		r := c.patch("/api/settings/", obj{"theme": "dark", "language": "ro", "time_zone": "Europe/London", "default_commission": 25, "weekly_goal": "3000.5", "email_reminders": false}).want(200)
		if r.text("default_commission") != "25.00" || r.text("weekly_goal") != "3000.50" || r.at("email_reminders") != false || r.text("currency") != "RON" {
			w.Errorf("settings = %s", r.body)
		}
		bad := obj{"theme": "pink", "language": "fr", "currency": "XXX", "time_zone": "Mars/Olympus", "distance_unit": "m", "default_commission": 100.01, "weekly_goal": -1, "email_reminders": "yes", "tema": 1}
		want := "theme invalid_choice, language invalid_choice, currency invalid_choice, time_zone invalid_choice, distance_unit invalid_choice, default_commission max_value, weekly_goal min_value, email_reminders invalid, tema unknown"
		if got := c.patch("/api/settings/", bad).errors(); sorted(got) != sorted(want) {
			w.Errorf("errors = %q, want %q", got, want)
		}
		for _, zone := range []string{"", "Local", "europe/bucharest", "../etc/passwd", "UTC+2", "Factory", "posix/UTC", "right/UTC"} {
			if got := c.patch("/api/settings/", obj{"time_zone": zone}).errors(); got != "time_zone invalid_choice" {
				w.Errorf("time zone %q: %q", zone, got)
			}
		}
		if got := strings.TrimSpace(string(c.put("/api/settings/", obj{}).want(200).body)); got != defaults {
			w.Errorf("PUT of nothing = %s, want the defaults", got)
		}
		if got := c.patch("/api/settings/", obj{"currency": "eur"}).want(200).text("currency"); got != "EUR" {
			w.Errorf("currency = %q", got)
		}
		c.put("/api/settings/", obj{}).want(200)
		// Credentials by the rules of the account; both parts or neither.
		stale := c.get("/api/settings/").header.Get("ETag")
		c.patch("/api/settings/", obj{"distance_unit": "mi"}).want(200)
		c.patch("/api/settings/", obj{"theme": "dark", "password": "altă parolă bună", "current_password": goodPassword}, "If-Match", stale).want(412)
		c.post("/api/auth/login/", obj{"email": c.email, "password": goodPassword}).want(200)
		c.delete("/api/settings/", obj{"password": goodPassword}, "If-Match", stale).want(412)
		c.patch("/api/settings/", obj{"theme": "dark", "password": "altă parolă bună"}).want(403)
		if got := c.patch("/api/settings/", obj{"theme": "pink", "name": "", "password": "1"}).errors(); sorted(got) != sorted("theme invalid_choice, name blank, password password_too_short, password password_too_common, password password_entirely_numeric") {
			w.Errorf("errors = %q", got)
		}
		if got := c.get("/api/settings/").text("theme"); got != "auto" {
			w.Errorf("theme = %q: a refused change left something behind", got)
		}
		c.patch("/api/settings/", obj{"name": "Alt Nume", "theme": "light", "password": "altă parolă bună", "current_password": goodPassword}).want(200)
		c.post("/api/auth/login/", obj{"email": c.email, "password": "altă parolă bună"}).want(200)
		if got := c.get("/api/user/").text("name"); got != "Alt Nume" {
			w.Errorf("name = %q", got)
		}
	})
}
