package legacyapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

func TestEntry(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		r := ana.post("add-calculator-entry", obj{"app_income": "420.5", "commission": 25, "expenses": "120.40", "earnings": "195"})
		want := obj{"id": r.at("id"), "pub_date": r.at("pub_date"), "app_income": "420.50", "commission": "25.00", "expenses": "120.40", "earnings": "195.00"}
		r.says(200, want)
		if _, err := time.Parse(time.RFC3339, r.at("pub_date").(string)); err != nil {
			t.Error(err)
		}
		bare := ana.post("add-calculator-entry", obj{"app_income": "100"})
		bare.says(200, obj{"id": bare.at("id"), "pub_date": bare.at("pub_date"), "app_income": "100.00", "commission": nil, "expenses": nil, "earnings": nil})
		for _, tt := range []struct{ body, want obj }{
			{obj{}, obj{"app_income": list("This field is required.")}},
			{obj{"app_income": ""}, obj{"app_income": list("This field may not be blank.")}},
			{obj{"app_income": "x", "expenses": "1.234"}, obj{"app_income": list("A valid number is required."), "expenses": list("Ensure that there are no more than 2 decimal places.")}},
			{obj{"app_income": "12345678901"}, obj{"app_income": list("Ensure that there are no more than 10 digits in total.")}},
			{obj{"app_income": "1e5"}, obj{"app_income": list("A valid number is required.")}},
		} {
			ana.post("add-calculator-entry", tt.body).says(400, tt.want)
		}

		// The other API shows the computed figure, and a write there resets this one.
		by, id := account.Actor{ID: int64(ana.id), Source: account.SourceAPI}, int64(r.at("id").(float64))
		e, err := w.earnings.Entry(t.Context(), by, id)
		if err != nil || e.Earnings != 194_98 {
			t.Errorf("%v, %v, want 194.98", e.Earnings, err)
		}
		path := fmt.Sprintf("update-calculator-entry/%d", id)
		want["expenses"], want["earnings"] = "100.00", "215.00"
		ana.send("PATCH", path, obj{"expenses": "100", "earnings": 215}).says(200, want)
		want["app_income"] = "421.00"
		ana.send("PATCH", path, obj{"app_income": "421"}).says(200, want)
		if _, err := w.earnings.Revise(t.Context(), by, id, nil, func(d *earnings.Details) fault.Fields { d.Tips = 1_00; return nil }); err != nil {
			t.Fatal(err)
		}
		want["earnings"] = "216.75"
		if got := ana.get("get-calculator-entries").want(200); fmt.Sprint(got.at("data", 1)) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got.at("data", 1), want)
		}

		dan.send("PATCH", path, obj{"expenses": "1"}).says(403, obj{"detail": "You do not have permission to edit this entry."})
		gone := fmt.Sprintf("delete-calculator-entry/%d", id)
		dan.send("DELETE", gone, nil).says(403, obj{"detail": "You do not have permission to delete this entry."})
		ana.send("DELETE", gone, nil).says(200, obj{"message": "Calculator entry deleted successfully"})
		ana.send("DELETE", gone, nil).says(404, obj{"detail": "Not found."})
		ana.send("PATCH", "update-calculator-entry/x", obj{}).says(404, obj{"detail": "Not found."})
		w.browser().get("get-calculator-entries").says(403, unauthenticated)
	})
}

func TestEntries(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		ana.get("get-calculator-entries").says(200, obj{"data": []any{}, "count": 0, "pagination": obj{
			"current_page": 1, "total_pages": 1, "has_previous": false, "has_next": false, "previous_page_number": nil, "next_page_number": nil,
		}})
		by := account.Actor{ID: int64(ana.id), Source: account.SourceAPI}
		today, set, err := w.earnings.Today(t.Context(), by)
		if err != nil {
			t.Fatal(err)
		}
		for back := range 12 {
			_, _, err := w.earnings.Create(t.Context(), by, func(d *earnings.Details) fault.Fields {
				d.Date, d.AppIncome = today-calendar.Day(back), 100_00
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		first := ana.get("get-calculator-entries?page=1").want(200)
		if len(first.at("data").([]any)) != 10 || first.at("count") != 12.0 || first.at("pagination", "next_page_number") != 2.0 {
			t.Errorf("%s", first.text)
		}
		// Made by the other API, it has the computed total; worked on another day
		// than it was entered, it is shown at noon of that day.
		if first.at("data", 0, "earnings") != "100.00" {
			t.Errorf("%v", first.at("data", 0))
		}
		noon := (today - 3).At(12, set.Location()).UTC()
		if at, err := time.Parse(time.RFC3339, first.at("data", 3, "pub_date").(string)); err != nil || !at.Equal(noon) {
			t.Errorf("%v, %v, want %v", at, err, noon)
		}
		ana.get("get-calculator-entries?page=3").says(200, obj{"error": "Page not found! The page number you're requesting is out of range!"})
		ana.get("get-calculator-entries?page=x").says(200, obj{"error": "Invalid page number. Page should be an integer!"})
		for query, want := range map[string]int{"": 7, "?days=7": 7, "?days=07": 7, "?days=%2B7": 7, "?days=%207": 7, "?days=30": 12, "?days=3_0": 12, "?days=90": 12, "?days=%D9%A9%D9%A0": 12} {
			r := ana.get("get-recent-calculator-entries" + query).want(200)
			entries := r.json.([]any)
			if len(entries) != want || entries[0].(obj)["pub_date"].(string) > entries[want-1].(obj)["pub_date"].(string) {
				t.Errorf("%q: %s", query, r.text)
			}
		}
		for _, days := range []string{"8", "x", "-7", "7.0", "7_", "0x7", "99999999999999999999"} {
			ana.get("get-recent-calculator-entries?days="+days).says(400, obj{"detail": "Invalid number of days. Must be 7, 30, or 90."})
		}
	})
}
