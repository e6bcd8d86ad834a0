package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestEntry(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		r := c.post("/api/calculator/", obj{
			"date": "2026-05-04", "platform": " Uber ", "app_income": "420", "tips": 15.5, "commission": "25", "hours": 9.5, "distance_km": "180.25", "trips": 18,
			"note": "plouă", "expense_items": []obj{{"category": "fuel", "amount": "85.10", "note": "Petrom"}, {"category": "wash", "amount": 20}},
		}).want(201)
		want := `"date":"2026-05-04","platform":"Uber","app_income":"420.00","tips":"15.50","commission":"25.00","expenses":"105.10","expense_items":[{"category":"fuel","amount":"85.10","note":"Petrom"},{"category":"wash","amount":"20.00","note":""}],"hours":"9.50","distance_km":"180.25","trips":18,"currency":"RON","note":"plouă","earnings":"225.40"`
		if !strings.Contains(string(r.body), want) {
			w.Errorf("entry = %s, want %s in it", r.body, want)
		}
		p := "/api/calculator/" + number(r.number("id")) + "/"
		if !strings.HasSuffix(r.header.Get("Location"), p) {
			w.Errorf("Location = %q", r.header.Get("Location"))
		}
		if got := c.patch(p, obj{"app_income": "400"}).want(200); got.text("earnings") != "210.40" || got.text("expenses") != "105.10" {
			w.Errorf("after PATCH of the income: %s", got.body)
		}
		if got := c.patch(p, obj{"expenses": "5"}).errors(); got != "expenses sum_of_items" {
			w.Errorf("expenses against their items: %q", got)
		}
		if got := c.patch(p, obj{"expense_items": []obj{}, "expenses": "5"}).want(200); got.text("expenses") != "5.00" || len(got.at("expense_items").([]any)) != 0 {
			w.Errorf("items taken away: %s", got.body)
		}
		if got := c.patch(p, obj{"expense_items": []obj{{"category": "tax", "amount": 7}}}).want(200); got.text("expenses") != "7.00" {
			w.Errorf("items given: %s", got.body)
		}
		if got := c.patch(p, obj{"expense_items": []obj{}}).want(200); got.text("expenses") != "0.00" {
			w.Errorf("the sum of no expenses: %s", got.body)
		}
		if got := c.put(p, obj{"app_income": "1"}).want(200); got.text("platform") != "" || got.at("hours") != nil || got.text("earnings") != "1.00" {
			w.Errorf("after PUT: %s", got.body)
		}
		c.delete(p, nil).want(204)
		c.get(p).want(404)
		// The seed's form of DELETE.
		for _, form := range []string{"body", "query"} {
			id := c.post("/api/calculator/", obj{"app_income": 1}).want(201).number("id")
			if form == "body" {
				c.delete("/api/calculator/", obj{"id": id}).want(204)
			} else {
				c.delete("/api/calculator/?id="+number(id), nil).want(204)
			}
			c.get("/api/calculator/" + number(id) + "/").want(404)
		}
		if got := c.delete("/api/calculator/", nil).errors(); got != "id required" {
			w.Errorf("errors = %q", got)
		}
		if got := c.delete("/api/calculator/", obj{"id": "x"}).errors(); got != "id invalid" {
			w.Errorf("errors = %q", got)
		}
		c.delete("/api/calculator/?id=999", nil).want(404)
	})
}

func TestEntryErrors(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		tests := []struct {
			name string
			body any
			want string
		}{
			{"nothing", obj{}, "app_income required"},
			{"nulls", obj{"app_income": nil, "date": nil, "commission": nil, "currency": nil}, "app_income null, date null, commission null, currency null"},
			{"money", obj{"app_income": "1e3", "tips": "-1", "expenses": "1.234", "commission": "100.01"}, "app_income invalid, tips min_value, expenses max_decimal_places, commission max_value"},
			{"more than a day", obj{"app_income": 1, "hours": "24.01"}, "hours max_value"},
			{"below zero", obj{"app_income": "-100000000", "expenses": "-1", "commission": -1, "tips": "-0.01"}, "app_income max_whole_digits, expenses min_value, commission min_value, tips min_value"},
			{"twenty digits", obj{"app_income": "00000000000000000280", "tips": "99999999999999999999"}, "app_income max_digits, tips max_digits"},
			{"others", obj{"app_income": 1, "hours": "x", "distance_km": -2, "trips": 10001, "currency": "lei", "date": "2026-02-30", "note": strings.Repeat("ă", 5001), "platform": strings.Repeat("ă", 256)}, "hours invalid, distance_km min_value, trips max_value, currency invalid_choice, date invalid, note max_length, platform max_length"},
			{"items", obj{"app_income": 1, "expense_items": []any{obj{}, obj{"category": "beer", "amount": 1}, obj{"category": "fuel", "amount": "x", "paid": true}, 7}}, "expense_items[0].category required, expense_items[0].amount required, expense_items[1].category invalid_choice, expense_items[2].amount invalid, expense_items[2].paid unknown, expense_items[3] invalid"},
			{"items no list", obj{"app_income": 1, "expense_items": obj{}}, "expense_items not_a_list"},
			{"read only", obj{"app_income": 1, "earnings": 5, "id": 1, "owner": 3}, "earnings read_only, id read_only, owner unknown"},
			{"too much in all", obj{"app_income": 1, "expense_items": []obj{{"category": "fuel", "amount": "99999999.99"}, {"category": "fuel", "amount": "0.01"}}}, "expense_items max_digits"},
		}
		for _, tt := range tests {
			if got := c.post("/api/calculator/", tt.body).errors(); sorted(got) != sorted(tt.want) {
				w.Errorf("%s: errors = %q, want %q", tt.name, got, tt.want)
			}
		}
		many := make([]obj, 51)
		for i := range many {
			many[i] = obj{"category": "fuel", "amount": 1}
		}
		if got := c.post("/api/calculator/", obj{"app_income": 1, "expense_items": many}).errors(); got != "expense_items max_length" {
			w.Errorf("51 items: %q", got)
		}
		if n := c.get("/api/calculator/").want(200).number("count"); n != 0 {
			w.Errorf("%v entries: a refused one was stored", n)
		}
	})
}

// A platform may take back, and a day has 24 hours.
func TestEntryBelowZero(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		for _, income := range []any{"-12.50", -12.5} {
			r := c.post("/api/calculator/", obj{"app_income": income, "hours": 24}).want(201)
			if r.text("app_income") != "-12.50" || r.text("earnings") != "-12.50" || r.text("commission") != "0.00" || r.text("expenses") != "0.00" {
				w.Errorf("%s", r.body)
			}
			path := fmt.Sprintf("/api/calculator/%.0f/", r.number("id"))
			if got := c.patch(path, obj{"app_income": "-99999999.99"}).want(200).text("earnings"); got != "-99999999.99" {
				w.Errorf("earnings = %s", got)
			}
		}
		if got := c.get("/api/calculator/summary/?days=1").want(200).text("totals", "earnings"); got != "-199999999.98" {
			w.Errorf("in all %s", got)
		}
	})
}

func TestEntriesAreOnesOwn_Z1(t *testing.T) {
	each(t, func(w *world) {
		c, other := w.person(), w.person()
		id := number(c.post("/api/calculator/", obj{"app_income": 1}).want(201).number("id"))
		doc := number(c.post("/api/documents/", obj{"type": "other"}).want(201).number("id"))
		for _, path := range []string{"/api/calculator/" + id + "/", "/api/documents/" + doc + "/"} {
			never := "/api/" + strings.Split(path, "/")[2] + "/424242/"
			body := obj{"app_income": 2}
			if strings.Contains(path, "documents") {
				body = obj{"type": "badge"}
			}
			for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
				var b any = body
				if method == "GET" || method == "DELETE" {
					b = nil
				}
				r, n := other.do(method, path, b).want(404), other.do(method, never, b).want(404)
				if string(r.body) != string(n.body) {
					w.Errorf("%s %s answers %s, one that never was %s", method, path, r.body, n.body)
				}
			}
			c.get(path).want(200)
		}
		other.delete("/api/calculator/?id="+id, nil).want(404)
		other.delete("/api/calculator/", obj{"id": 1}).want(404)
		if n := other.get("/api/calculator/").number("count") + other.get("/api/documents/").number("count"); n != 0 {
			w.Errorf("somebody else's things are listed: %v", n)
		}
	})
}

// TestOwnDays keeps an entry on the day of the person who worked it, over both
// changes of the clock.
func TestOwnDays(t *testing.T) {
	each(t, func(w *world) {
		bucharest, err := time.LoadLocation("Europe/Bucharest")
		if err != nil {
			w.Fatal(err)
		}
		for _, day := range []string{"2026-03-28", "2026-03-29", "2026-03-30", "2026-07-01", "2026-10-24", "2026-10-25", "2026-10-26", "2026-12-31"} {
			late, err := time.ParseInLocation(time.DateTime, day+" 23:30:00", bucharest)
			if err != nil {
				w.Fatal(err)
			}
			w.clock.set(late)
			c := w.person()
			if got := c.post("/api/calculator/", obj{"app_income": "10"}).want(201).text("date"); got != day {
				w.Errorf("an entry at %v is of %s, want %s", late, got, day)
			}
			r := c.get("/api/calculator/summary/?days=1").want(200)
			if r.text("from") != day || r.text("to") != day || r.text("totals", "app_income") != "10.00" {
				w.Errorf("%s: summary of the day = %s", day, r.body)
			}
			if n := c.get("/api/calculator/?days=7").want(200).number("count"); n != 1 {
				w.Errorf("%s: %v entries in 7 days", day, n)
			}
			if got := c.post("/api/documents/", obj{"type": "other", "expires_on": day}).want(201); got.number("days_left") != 0 || got.text("status") != "expiring" {
				w.Errorf("%s: document = %s", day, got.body)
			}
			// Half an hour later it is the next day.
			w.clock.advance(31 * time.Minute)
			if got := c.get("/api/calculator/summary/?days=1").want(200).text("from"); got == day {
				w.Errorf("after midnight it is still %s", day)
			}
			c.patch("/api/settings/", obj{"time_zone": "America/New_York"}).want(200)
			if got := c.get("/api/calculator/summary/?days=1").want(200).text("from"); got != day {
				w.Errorf("in New York it is %s, want %s", got, day)
			}
		}
	})
}

func TestEntryList(t *testing.T) {
	each(t, func(w *world) {
		w.clock.set(time.Date(2026, 5, 30, 12, 0, 0, 0, time.UTC))
		c := w.person()
		for day := 1; day <= 30; day++ {
			c.post("/api/calculator/", obj{"date": fmt.Sprintf("2026-05-%02d", day), "app_income": day, "platform": []string{"Uber", "Bolt", ""}[day%3]}).want(201)
		}
		r := c.get("/api/calculator/?page_size=3").want(200)
		if got := fmt.Sprint(r.results("date")); got != "[2026-05-30 2026-05-29 2026-05-28]" || r.number("count") != 30 {
			w.Errorf("list = %s, count %v", got, r.at("count"))
		}
		for query, want := range map[string]int{
			"days=1": 1, "days=7": 7, "days=8": 8, "days=30": 30, "days=90": 30, "days=365": 30, "days=3660": 30, "from=2026-05-10&to=2026-05-12": 3, "from=2026-05-29": 2, "to=2026-05-03": 3,
			"platform=uber": 10, "platform=": 30, "days=7&platform=BOLT": 2,
		} {
			if got := c.get("/api/calculator/?" + query).want(200).number("count"); int(got) != want {
				w.Errorf("%s: %v entries, want %d", query, got, want)
			}
		}
		for query, want := range map[string]string{
			"days=0": "days invalid", "days=3661": "days invalid", "days=-7": "days invalid", "days=07": "days invalid", "days=%207": "days invalid", "days=x": "days invalid", "from=2026-5-1": "from invalid", "from=2026-05-10&to=2026-05-09": "from invalid",
			"days=7&from=2026-05-01": "days invalid", "cursor=AAAA": "cursor invalid", "platform=%00": "platform invalid",
		} {
			if got := c.get("/api/calculator/?" + query).errors(); got != want {
				w.Errorf("%s: errors = %q, want %q", query, got, want)
			}
		}
		var forth []any
		r = c.get("/api/calculator/?cursor=&page_size=7").want(200)
		for {
			forth = append(forth, r.results("date")...)
			next, ok := r.at("next").(string)
			if !ok {
				break
			}
			r = c.get(strings.TrimPrefix(next, "https://api.example.com")).want(200)
		}
		if len(forth) != 30 || forth[0] != "2026-05-30" || forth[29] != "2026-05-01" {
			w.Errorf("by cursor: %v", forth)
		}
		prev := c.get(strings.TrimPrefix(r.text("previous"), "https://api.example.com")).want(200)
		if got := fmt.Sprint(prev.results("date")); got != fmt.Sprint(forth[21:28]) {
			w.Errorf("one back = %s, want %v", got, forth[21:28])
		}
	})
}

func TestSummary(t *testing.T) {
	each(t, func(w *world) {
		w.clock.set(time.Date(2026, 5, 30, 12, 0, 0, 0, time.UTC)) // a Saturday
		c := w.person()
		for _, e := range []obj{
			{"date": "2026-05-30", "platform": "Uber", "app_income": "100.01", "commission": "25", "tips": "5", "expense_items": []obj{{"category": "fuel", "amount": "30"}}, "hours": 4, "trips": 10, "distance_km": 100},
			{"date": "2026-05-30", "platform": "Bolt", "app_income": "50", "commission": "20", "expenses": "10"},
			{"date": "2026-05-28", "platform": "uber", "app_income": "33.33", "commission": "33.33", "hours": "2.5"},
			{"date": "2026-05-20", "platform": "Bolt", "app_income": "70"},
			{"date": "2026-05-29", "platform": "Uber", "app_income": "40", "currency": "EUR"},
		} {
			c.post("/api/calculator/", e).want(201)
		}
		r := c.get("/api/calculator/summary/?days=7").want(200)
		if r.text("from") != "2026-05-24" || r.text("to") != "2026-05-30" || r.text("currency") != "RON" {
			w.Errorf("period = %s", r.body)
		}
		// 75.0075+5−30 = 50.0075 → 50.01; 40−10 = 30; 33.33−11.108889 = 22.221111 → 22.22
		want := map[string]any{
			"entries": 3.0, "app_income": "183.34", "commission_amount": "46.11", "tips": "5.00", "expenses": "40.00", "earnings": "102.23",
			"hours": "6.50", "distance_km": "100.00", "trips": 10.0, "earnings_per_hour": "15.73", "earnings_per_km": "1.02", "earnings_per_trip": "10.22",
		}
		for field, v := range want {
			if got := r.at("totals", field); got != v {
				w.Errorf("totals.%s = %v, want %v", field, got, v)
			}
		}
		if r.text("previous", "app_income") != "70.00" || r.text("previous", "from") != "2026-05-17" || r.text("previous", "to") != "2026-05-23" {
			w.Errorf("previous = %v", r.at("previous"))
		}
		if n := len(r.at("series").([]any)); n != 7 || r.text("series", 0, "earnings") != "0.00" || r.text("series", 6, "earnings") != "80.01" {
			w.Errorf("series = %v", r.at("series"))
		}
		if r.text("platforms", 0, "platform") != "Uber" && r.text("platforms", 0, "platform") != "uber" || r.text("platforms", 0, "earnings") != "72.23" || len(r.at("platforms").([]any)) != 2 {
			w.Errorf("platforms = %v", r.at("platforms"))
		}
		if got := fmt.Sprint(r.at("expense_items")); got != "[map[amount:30.00 category:fuel] map[amount:10.00 category:other]]" {
			w.Errorf("expense_items = %s", got)
		}
		if len(r.at("other_currencies").([]any)) != 1 || r.text("other_currencies", 0, "currency") != "EUR" || r.text("other_currencies", 0, "app_income") != "40.00" {
			w.Errorf("other_currencies = %v", r.at("other_currencies"))
		}
		if got := c.get("/api/calculator/summary/?currency=eur&days=7").want(200).text("totals", "earnings"); got != "40.00" {
			w.Errorf("in EUR: %s", got)
		}
		weeks := c.get("/api/calculator/summary/?days=30&group=week").want(200)
		if n := len(weeks.at("series").([]any)); n != 5 || weeks.text("series", 4, "from") != "2026-05-25" || weeks.text("series", 4, "to") != "2026-05-30" || weeks.text("series", 0, "from") != "2026-05-01" {
			w.Errorf("weeks = %v", weeks.at("series"))
		}
		months := c.get("/api/calculator/summary/?from=2026-01-15&to=2026-05-30&group=month&platform=bolt").want(200)
		if n := len(months.at("series").([]any)); n != 5 || months.text("totals", "app_income") != "120.00" {
			w.Errorf("months = %s", months.body)
		}
		if got := c.get("/api/calculator/summary/").want(200).text("from"); got != "2026-05-01" {
			w.Errorf("without a period from = %s, want 30 days", got)
		}
		for query, want := range map[string]string{
			"group=year": "group invalid_choice", "days=0": "days invalid", "days=4000": "days invalid", "currency=zz": "currency invalid_choice",
			"from=1900-01-01&to=2199-12-31": "from max_value", "from=2026-05-02&to=2026-05-01": "from invalid", "to=x": "to invalid",
		} {
			if got := c.get("/api/calculator/summary/?" + query).errors(); got != want {
				w.Errorf("%s: errors = %q, want %q", query, got, want)
			}
		}
	})
}

func TestCSV_I7(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		for _, note := range []string{"=1+1", "+x", "-x", "@x", "'x", "'=x", "ok, \"quoted\"\nline", "plain", "  blanks  ", "\u00a0"} {
			c.post("/api/calculator/", obj{"date": "2026-05-04", "app_income": "10.5", "platform": "Uber", "note": note, "trips": 3, "hours": 2, "expense_items": []obj{{"category": "fuel", "amount": 5, "note": "a\"b"}}}).want(201)
		}
		r := c.get("/api/calculator/export.csv").want(200)
		if !strings.HasPrefix(r.header.Get("Content-Type"), "text/csv") || !strings.Contains(string(r.body), "'=1+1") || strings.Contains(string(r.body), ",=1+1") {
			w.Errorf("export = %s", r.body)
		}
		other := w.person()
		report := other.post("/api/calculator/import/", r.body, "Content-Type", "text/csv").want(200)
		if report.number("accepted") != 10 || len(report.at("refused").([]any)) != 0 {
			w.Errorf("report = %s", report.body)
		}
		list := func(c *client) string {
			r := c.get("/api/calculator/?page_size=100").want(200)
			return fmt.Sprint(r.results("note"), r.results("expense_items"), r.results("earnings"), r.results("trips"), r.results("hours"))
		}
		if list(c) != list(other) {
			w.Errorf("imported %s, want %s", list(other), list(c))
		}
		if got := c.get("/api/calculator/export.csv?from=2026-05-05").want(200); strings.Count(string(got.body), "\n") != 1 {
			w.Errorf("an empty export = %s", got.body)
		}
		// Spreadsheets of this part of the world.
		other.post("/api/calculator/import/", "\ufeffdate;app_income\r\n2026-05-06;12.50\r\n", "Content-Type", "text/csv; charset=utf-8").want(200)
	})
}

func TestImportErrors(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		csv := []string{"Content-Type", "text/csv"}
		r := c.post("/api/calculator/import/", "date,app_income,trips\n2026-05-04,10,1\n2026-02-30,1e3,x\n,,\n2026-05-06,,2\n2026-05-05,20,2\n", csv...).want(400)
		if r.number("report", "accepted") != 2 || r.number("report", "refused", 0, "line") != 3 || r.number("report", "refused", 1, "line") != 5 {
			w.Errorf("report = %s", r.body)
		}
		if got := r.fields(); got != "line 3: date invalid, line 3: app_income invalid, line 3: trips invalid, line 5: app_income required" {
			w.Errorf("errors = %q", got)
		}
		for name, tt := range map[string]struct{ body, want string }{
			"unknown column":  {"date,app_income,owner\n", "owner unknown"},
			"missing column":  {"date\n", "app_income required"},
			"column twice":    {"date,date,app_income\n", "date duplicate"},
			"broken quotes":   {"date,app_income\n\"2026,1\n", "line 2 parse_error"},
			"too few cells":   {"date,app_income\n2026-05-04\n", "line 2 parse_error"},
			"NUL":             {"date,app_income\n2026-05-04,1\x00\n", " encoding"},
			"not UTF-8":       {"date,app_income\n2026-05-04,\xff\n", " encoding"},
			"bad items":       {"date,app_income,expense_items\n2026-05-04,1,\"[{\"\"category\"\":1}]\"\n", "line 2: expense_items[0].category invalid, line 2: expense_items[0].amount required"},
			"items and more":  {"date,app_income,expense_items\n2026-05-04,1,\"[],\"\"note\"\":\"\"x\"\",\"\"app_income\"\":99\"\n", "line 2: expense_items invalid"},
			"items no JSON":   {"date,app_income,expense_items\n2026-05-04,1,x\n", "line 2: expense_items invalid"},
			"bad in any case": {"date,app_income,currency\n2026-05-04,1,XXX\n", "line 2: currency invalid_choice"},
		} {
			if got := c.post("/api/calculator/import/", tt.body, csv...).errors(); got != tt.want {
				w.Errorf("%s: errors = %q, want %q", name, got, tt.want)
			}
		}
		c.post("/api/calculator/import/", "date,app_income\n").want(415)
		c.post("/api/calculator/import/", "date,app_income\n"+strings.Repeat(" ", 5<<20), csv...).want(413)
		if n := c.get("/api/calculator/").want(200).number("count"); n != 0 {
			w.Errorf("%v entries: a refused file left something behind", n)
		}
		body := "date,app_income\n2026-05-04,1\n"
		key := []string{"Content-Type", "text/csv", "Idempotency-Key", "once"}
		c.post("/api/calculator/import/", body, key...).want(200)
		c.post("/api/calculator/import/", body, key...).want(200)
		if n := c.get("/api/calculator/").want(200).number("count"); n != 1 {
			w.Errorf("%v entries after a repeated import, want 1", n)
		}
	})
}
