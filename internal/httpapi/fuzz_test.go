package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// FuzzCreate sends any body to the routes that create: the answer is 201 or
// names what is wrong, never a 500.
func FuzzCreate(f *testing.F) {
	for _, seed := range []string{
		`{"make":"A","model":"B","year":2020,"price":"1","price_period":"day"}`, `{"app_income":1,"expense_items":[{"category":"fuel","amount":"1"}]}`,
		`{"type":"other","expires_on":"2026-01-01","remind_days":[1]}`, `{"name":"x","password":"y","current_password":"z","time_zone":"UTC"}`, `{"make":"A` + "\u202e" + `"}`, `{}`,
	} {
		f.Add(seed)
	}
	s := storetest.New(f)
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t, s)
		c := fuzzer(w)
		for _, list := range []string{"/api/carposts/", "/api/calculator/", "/api/documents/"} {
			switch r := c.post(list, body); r.status {
			case http.StatusCreated, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusConflict:
			default:
				t.Errorf("POST %s %q = %d %s", list, body, r.status, r.body)
			}
		}
		if r := c.patch("/api/settings/", body); r.status >= 500 {
			t.Errorf("PATCH settings %q = %d %s", body, r.status, r.body)
		}
	})
}

// fuzzer signs in the one person of a fuzz test.
func fuzzer(w *world) *client {
	c := w.anyone()
	c.email = "fuzzer@example.com"
	c.post("/api/auth/register/", obj{"name": "Fuzzer", "email": c.email, "password": goodPassword})
	c.source = "203.0.113.1"
	c.signIn()
	return c
}

// FuzzCSV reads any file: an error names what is wrong, and what is read is a
// table of text.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"date,app_income\n2026-05-04,1\n", "date;app_income\n2026-05-04;1\n", "\ufeffdate,app_income,expense_items\n2026-05-04,1,\"[]\"\n", "date\n", "", "\"", "date,app_income\n\"\n",
		"sep=;\ndate;app_income\n04.05.2026;1.420,50\n", "date\tapp_income\r2026-05-04\t1,5\r", "\xff\xfed\x00", "date,app_income\n31/5/2026,-1\n;;\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		lines, err := httpapi.ReadLines([]byte(file))
		if err != nil {
			if fault.As(err) == nil {
				t.Errorf("ReadLines(%q) = %v, which is no answer for a client", file, err)
			}
			return
		}
		for _, l := range lines {
			var d earnings.Details
			for _, bad := range httpapi.ApplyLine(l, &d) {
				if bad.Field == "" || bad.Code == "" || bad.Message == "" {
					t.Errorf("ReadLines(%q): %+v says nothing", file, bad)
				}
			}
		}
	})
}

// FuzzCursor reads any cursor: only those that the server made are taken.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add(strings.Repeat("A", 5000))
	api := httpapi.New(httpapi.Options{Secret: secret})
	f.Fuzz(func(t *testing.T, text string) {
		if err := api.OpenCursor(text); err == nil && text != "" {
			t.Errorf("a made-up cursor %q is taken", text)
		}
	})
}
