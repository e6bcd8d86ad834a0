package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDocument(t *testing.T) {
	each(t, func(w *world) {
		w.clock.set(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		c := w.person()
		r := c.post("/api/documents/", obj{"type": "insurance", "title": " RCA ", "number": "RO/1", "issuer": "Groupama", "issued_on": "2025-05-10", "expires_on": "2026-05-10", "description": "asigurare", "remind_days": []int{1, 30, 7, 30}}).want(201)
		if r.text("status") != "expiring" || r.number("days_left") != 6 || r.text("title") != "RCA" || fmt.Sprint(r.at("remind_days")) != "[30 7 1]" || r.at("file") != nil {
			w.Errorf("document = %s", r.body)
		}
		p := "/api/documents/" + number(r.number("id")) + "/"
		if got := c.patch(p, obj{"expires_on": "2026-06-04"}).want(200); got.text("status") != "valid" || got.number("days_left") != 31 || got.text("title") != "RCA" {
			w.Errorf("after PATCH: %s", got.body)
		}
		if got := c.patch(p, obj{"expires_on": nil}).want(200); got.text("status") != "no_expiry" || got.at("days_left") != nil {
			w.Errorf("without expiry: %s", got.body)
		}
		if got := c.put(p, obj{"type": "badge", "expires_on": "2026-05-03"}).want(200); got.text("status") != "expired" || got.number("days_left") != -1 || got.text("number") != "" {
			w.Errorf("after PUT: %s", got.body)
		}
		// The last day there is, as papers have it that do not expire, is a day like others.
		const last = "9999-12-31"
		if got := c.patch(p, obj{"issued_on": last, "expires_on": last, "remind_days": []int{365, 0}}).want(200); got.text("status") != "valid" || got.number("days_left") != 2912319 || got.text("expires_on") != last || got.text("issued_on") != last {
			w.Errorf("the last day: %s", got.body)
		}
		for _, zone := range []string{"Etc/GMT+12", "Pacific/Kiritimati", "Europe/Bucharest"} {
			c.patch("/api/settings/", obj{"time_zone": zone}).want(200)
			if got := c.get("/api/documents/?status=valid").want(200); got.number("count") != 1 || got.text("results", 0, "expires_on") != last {
				w.Errorf("%s: %s", zone, got.body)
			}
		}
		if n := c.get("/api/documents/?status=expiring").want(200).number("count"); n != 0 {
			w.Errorf("%v documents expire", n)
		}
		entry := c.post("/api/calculator/", obj{"date": last, "app_income": 1}).want(201)
		for _, query := range []string{"from=" + last, "from=" + last + "&to=" + last, ""} {
			if n := c.get("/api/calculator/?" + query).want(200).number("count"); n != 1 {
				w.Errorf("%s: %v entries", query, n)
			}
		}
		for _, group := range []string{"day", "week", "month"} {
			if got := c.get("/api/calculator/summary/?from=9999-12-01&to="+last+"&group="+group).want(200).text("totals", "earnings"); got != "1.00" {
				w.Errorf("by %s: %s", group, got)
			}
		}
		c.delete("/api/calculator/"+number(entry.number("id"))+"/", nil).want(204)
		c.patch(p, obj{"expires_on": "10000-01-01"}).want(400)
		c.delete(p, nil).want(204)
		c.get(p).want(404)

		tests := []struct {
			body any
			want string
		}{
			{obj{}, "type required"},
			{obj{"type": "passport", "title": strings.Repeat("x", 256), "expires_on": "10.05.2026", "remind_days": "x"}, "type invalid_choice, title max_length, expires_on invalid, remind_days not_a_list"},
			{obj{"type": "badge", "issued_on": "2026-05-10", "expires_on": "2026-05-09"}, "expires_on invalid"},
			{obj{"type": "badge", "remind_days": []int{-1}}, "remind_days invalid"},
			{obj{"type": "badge", "remind_days": []any{"x", nil}}, "remind_days[0] invalid, remind_days[1] invalid"},
			{obj{"type": "badge", "remind_days": []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}, "remind_days max_length"},
			{obj{"type": "badge", "status": "valid", "days_left": 3, "file": nil, "owner_id": 1}, "status read_only, days_left read_only, file read_only, owner_id unknown"},
			{obj{"type": nil, "title": nil}, "type null, title null"},
		}
		for _, tt := range tests {
			if got := c.post("/api/documents/", tt.body).errors(); sorted(got) != sorted(tt.want) {
				w.Errorf("%v: errors = %q, want %q", tt.body, got, tt.want)
			}
		}
	})
}

func TestDocumentList(t *testing.T) {
	each(t, func(w *world) {
		w.clock.set(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		c := w.person()
		for title, expires := range map[string]any{
			"none": nil, "gone": "2026-05-03", "today": "2026-05-04", "soon": "2026-06-03", "later": "2026-06-04", "long gone": "2020-01-01",
		} {
			c.post("/api/documents/", obj{"type": map[bool]string{true: "badge", false: "other"}[title == "soon"], "title": title, "expires_on": expires}).want(201)
		}
		for query, want := range map[string]string{
			"":                         "[long gone gone today soon later none]",
			"?status=expired":          "[long gone gone]",
			"?status=expiring":         "[today soon]",
			"?status=valid":            "[later]",
			"?status=no_expiry":        "[none]",
			"?type=badge":              "[soon]",
			"?type=badge&status=valid": "[]",
			"?page_size=2&page=2":      "[today soon]",
			"alerts/":                  "[long gone gone today soon]",
		} {
			if got := fmt.Sprint(c.get("/api/documents/" + query).want(200).results("title")); got != want {
				w.Errorf("%q = %s, want %s", query, got, want)
			}
		}
		if got := c.get("/api/documents/?status=x&type=y&page_size=0").errors(); got != "status invalid_choice, type invalid_choice, page_size invalid" {
			w.Errorf("errors = %q", got)
		}
		c.get("/api/documents/?page=9").want(404)
	})
}

func TestQuotas_Z8(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		for range 100 {
			c.post("/api/documents/", obj{"type": "other"}).want(201)
		}
		if r := c.post("/api/documents/", obj{"type": "other"}).want(409); !strings.Contains(r.text("detail"), "100") {
			w.Errorf("the limit is not told: %s", r.body)
		}
		for range 200 {
			c.post("/api/carposts/", car(nil)).want(201)
		}
		if r := c.post("/api/carposts/", car(nil)).want(409); !strings.Contains(r.text("detail"), "200") {
			w.Errorf("the limit is not told: %s", r.body)
		}
	})
}
