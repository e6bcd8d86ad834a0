package legacyapi_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// whole is a post as the client sends it back: what it was given, where browsers
// write "null" for null.
func whole(post obj, changes obj) obj {
	form := obj{}
	for name, value := range post {
		if value == nil {
			value = "null"
		}
		if name != "id" && name != "user_id" && name != "created_at" {
			form[name] = value
		}
	}
	for name, value := range changes {
		form[name] = value
	}
	return form
}

// A post of the other API, which came without much, can be edited by this client,
// which sends whole posts; what it lacks is not demanded, and not made up.
func TestUpdate_Sparse(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		d := listing.DefaultDetails()
		year, price, period := 2020, fixed.Amount(100_00), "day"
		d.Make, d.Model, d.Year, d.Price, d.PricePeriod = "Dacia", "Logan", &year, &price, &period
		p, _, err := w.listings.Create(t.Context(), account.Actor{ID: int64(ana.id), Source: account.SourceAPI}, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		path := fmt.Sprintf("update-ridepost/%d", p.ID)
		post := ana.get(fmt.Sprintf("get-carpost/%d", p.ID)).want(200).json.(obj)
		r := ana.form(path, whole(post, obj{"color": "verde"}), nil).want(200)
		post["color"] = "verde"
		r.says(200, post)
		ana.form(path, obj{"color": ""}, nil).says(400, obj{"color": list("This field may not be blank."), "Message": "color: This field may not be blank."})
		got, err := w.listings.Post(t.Context(), account.Actor{ID: int64(ana.id)}, p.ID)
		if err != nil || got.Version != "" || got.Gears != nil || got.PricePeriod == nil || *got.PricePeriod != "day" {
			t.Errorf("%+v, %v", got.Details, err)
		}
	})
}

// An update is refused as a whole, and of photos that are edited at once one stays.
func TestUpdate_Photo(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		id := ana.post("add-carpost", car(nil)).want(200).at("id")
		path, read := fmt.Sprintf("update-ridepost/%.0f", id), fmt.Sprintf("get-carpost/%.0f", id)
		ana.form(path, obj{"color": "negru"}, []byte("not a picture")).want(400)
		ana.form(path, obj{"price": "999999999"}, mediatest.JPEG(30, 20)).want(400)
		if got := ana.get(read).want(200); got.at("color") != "alb" {
			t.Errorf("half of what was refused was done: %s", got.text)
		}
		photos := func() int {
			p, err := w.listings.Post(t.Context(), account.Actor{ID: int64(ana.id)}, int64(id.(float64)))
			if err != nil {
				t.Fatal(err)
			}
			return len(p.Photos)
		}
		if n := photos(); n != 0 {
			t.Errorf("%d photos came with what was refused", n)
		}
		ana.form(path, nil, mediatest.JPEG(30, 20)).want(200)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { ana.form(path, nil, mediatest.JPEG(40, 30)) }) // some are told to come back
		}
		wg.Wait()
		ana.form(path, nil, mediatest.JPEG(50, 40)).want(200)
		if n := photos(); n != 1 {
			t.Errorf("%d photos, want the one that is shown", n)
		}
	})
}

// Expense items stay when the client sends the total that it was given.
func TestEntry_Items(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		by := account.Actor{ID: int64(ana.id), Source: account.SourceAPI}
		e, _, err := w.earnings.Create(t.Context(), by, func(d *earnings.Details) fault.Fields {
			d.AppIncome, d.ItemsChanged = 100_00, true
			d.Items = []earnings.ExpenseItem{{Category: "fuel", Amount: 30_00}, {Category: "wash", Amount: 20_00}}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ana.send("PATCH", fmt.Sprintf("update-calculator-entry/%d", e.ID), obj{"app_income": "200", "expenses": "50.00", "earnings": "150"}).want(200)
		if got, err := w.earnings.Entry(t.Context(), by, e.ID); err != nil || len(got.Items) != 2 {
			t.Errorf("with the same total: %+v, %v", got.Details, err)
		}
		ana.send("PATCH", fmt.Sprintf("update-calculator-entry/%d", e.ID), obj{"expenses": "60"}).want(200)
		if got, err := w.earnings.Entry(t.Context(), by, e.ID); err != nil || len(got.Items) != 0 || got.Expenses != 60_00 {
			t.Errorf("with another total: %+v, %v", got.Details, err)
		}
	})
}
