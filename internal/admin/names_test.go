package admin_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// changesAlways are the columns that every save may change, by table.
var changesAlways = map[string][]string{
	"account":                {"version", "updated_at"},
	"settings":               {"version", "updated_at"},
	"car_post":               {"revision", "updated_at"},
	"entry":                  {"revision", "updated_at"},
	"expense_item":           {"id"},
	"document":               {"revision", "updated_at"},
	"upload":                 {"updated_at"},
	"staff_group":            {"version", "updated_at"},
	"staff_group_permission": nil,
	"staff_group_member":     nil,
}

// dump returns every row of the tables that forms change, column by column.
func (w *world) dump() map[string]string {
	w.Helper()
	out := map[string]string{}
	for table, leftOut := range changesAlways {
		rows, err := w.store.Reader().QueryContext(w.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2")
		if err != nil {
			w.Fatal(err)
		}
		defer rows.Close() // read to its end below
		columns, err := rows.Columns()
		if err != nil {
			w.Fatal(err)
		}
		for n := 0; rows.Next(); n++ {
			values := make([]any, len(columns))
			pointers := make([]any, len(columns))
			for i := range values {
				pointers[i] = &values[i]
			}
			if err := rows.Scan(pointers...); err != nil {
				w.Fatal(err)
			}
			for i, c := range columns {
				if !slices.Contains(leftOut, c) {
					if b, ok := values[i].([]byte); ok {
						values[i] = string(b)
					}
					out[fmt.Sprintf("%s[%d].%s", table, n, c)] = fmt.Sprint(values[i])
				}
			}
		}
		if err := rows.Err(); err != nil {
			w.Fatal(err)
		}
	}
	return out
}

// Saving the form of any thing as it was loaded changes no column. The car's own
// "version" was once overwritten by the engine's.
func TestSaveUnchanged(t *testing.T) {
	each(t, func(w *world) {
		dan := w.driver("Dan Driver")
		n := func(i int) *int { return &i }
		a := func(v fixed.Amount) *fixed.Amount { return &v }
		day := calendar.On(w.clock.now())
		issued, expires := day-10, day+100
		post := w.post(dan, func(d *listing.Details) {
			d.Version, d.Engine, d.Fuel, d.Body, d.Transmission, d.Color = "Ambition 1.0 TSI", "1.0 TSI", "petrol", "wagon", "manual", "roșu"
			d.EmissionStandard, d.Contact, d.Description = "Euro 6", "0721 000 000", "First line.\nSecond line."
			d.Gears, d.Seats, d.Doors, d.MileageKM, d.PowerHP, d.Consumption = n(6), n(5), n(5), n(84000), n(110), a(520)
		})
		entry, _, err := w.earnings.Create(w.Context(), dan, func(d *earnings.Details) fault.Fields {
			d.Date, d.Platform, d.AppIncome, d.Commission, d.Tips, d.Currency, d.Note = day, "Bolt", 42050, 2500, 1800, "RON", "two\nlines"
			d.Items, d.ItemsChanged = []earnings.ExpenseItem{{Category: "fuel", Amount: 9540, Note: "OMV"}, {Category: "wash", Amount: 2500}}, true
			d.Hours, d.DistanceKM, d.Trips = a(950), a(18200), n(21)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// The older client's own: sums that others may not give, its rounded total, 0
		// beside nothing, a price with two places for no period, and no offer of ours.
		older := dan
		older.Source = account.SourceLegacy
		olderEntry, _, err := w.earnings.Create(w.Context(), older, func(d *earnings.Details) fault.Fields {
			d.Date, d.AppIncome, d.Commission, d.Expenses, d.CommissionGiven, d.Legacy = day-1, 10075, 15000, -300, true, &earnings.LegacyTotal{Sent: true, Value: a(4200)}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		typed := listing.DefaultDetails()
		typed.Make, typed.Model, typed.Year, typed.Price, typed.PricePlaces = "Dacia", "Logan", n(2020), a(28050), 2
		typed.Description, typed.Location, typed.Consumption = "Gears: CVT\nPower: some", "  Cluj ", a(550)
		olderPost, _, err := w.listings.Create(w.Context(), older, typed, nil)
		if err != nil {
			t.Fatal(err)
		}
		doc, _, err := w.docs.Create(w.Context(), dan, document.Details{
			Type: "insurance", Title: "RCA", Number: "RO/12", Issuer: "Asirom", IssuedOn: &issued, ExpiresOn: &expires, RemindDays: []int{30, 7, 1}, Description: "two\nlines",
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		sys := account.System(account.SourceCommand)
		group, err := w.accounts.CreateGroup(w.Context(), sys, account.GroupDetails{Name: "Desk", Permissions: []string{"posts:change", "posts:view"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		clerk, err := w.accounts.CreateProfile(w.Context(), sys, account.Profile{
			Name: "Clara Clerk", Email: "clara@example.com", Active: true, Verified: true, Staff: true, Groups: []int64{group.ID},
		}, goodPassword, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.root.get("posts/" + itoa(post.ID) + "/")
		w.root.upload("posts/"+itoa(post.ID)+"/photos/", "front.jpg", mediatest.JPEG(640, 480), nil).want(http.StatusSeeOther)
		photo := int64(w.count(`SELECT id FROM upload`))

		forms := map[string][]int64{
			"users": {clerk.ID}, "settings": {dan.ID}, "posts": {post.ID, olderPost.ID}, "entries": {entry.ID, olderEntry.ID}, "documents": {doc.ID},
			"groups": {group.ID}, "uploads": {photo},
		}
		tried := map[string]bool{}
		for _, name := range strings.Fields(w.root.get("").body) { // every resource of the menu that has a save button
			name, ok := strings.CutPrefix(name, `href="/admin/`)
			if name, _, _ = strings.Cut(name, `/"`); !ok || name == "" || strings.Contains(name, `"`) {
				continue
			}
			ids, ok := forms[name]
			if !ok {
				if page := w.root.get(name + "/").body; strings.Contains(page, `href="add/"`) {
					t.Errorf("%s has a form, and no test that saves it", name)
				}
				continue
			}
			if tried[name] {
				continue
			}
			tried[name] = true
			for _, id := range ids {
				before := w.dump()
				path := name + "/" + itoa(id) + "/"
				w.root.edit(path, form{"_current_password": {goodPassword}}).want(http.StatusSeeOther)
				after := w.dump()
				for _, column := range slices.Sorted(maps.Keys(before)) {
					if before[column] != after[column] {
						t.Errorf("saving %s unchanged: %s went from %q to %q", path, column, before[column], after[column])
					}
				}
				if len(before) != len(after) {
					t.Errorf("saving %s unchanged: %d values became %d", path, len(before), len(after))
				}
			}
		}
		if len(tried) != len(forms) {
			t.Errorf("%d forms were saved, want %d", len(tried), len(forms))
		}
	})
}
