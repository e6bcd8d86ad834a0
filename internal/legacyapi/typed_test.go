package legacyapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
)

func (b *browser) idOf(r *response) int64 { return int64(r.want(200).at("id").(float64)) }

// What drivers type is read, and what cannot be read is kept in the description.
func TestTyped(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		for _, tt := range []struct{ sent, want obj }{
			{obj{"milleage": "52000 miles"}, obj{"milleage": "83686"}},
			{obj{"milleage": "84k"}, obj{"milleage": "84000"}},
			{obj{"power": "66 kW"}, obj{"power": "90"}},
			{obj{"power": "90 CP / 66 kW"}, obj{"power": "90"}},
			{obj{"power": "90.5"}, obj{"power": "90"}},
			{obj{"mpg": "5.2 l/100km"}, obj{"mpg": "5.2"}},
			{obj{"mpg": "5-6"}, obj{"mpg": "5.5"}},
			{obj{"door_number": "5 doors"}, obj{"door_number": "5"}},
			{obj{"door_number": "4/5"}, obj{"door_number": "", "description": "Doors: 4/5"}},
			{obj{"seat_number": "five"}, obj{"seat_number": "5"}},
			{obj{"price": "1.200,50"}, obj{"price": "1200.50"}},
			{obj{"price": "+280"}, obj{"price": "280"}},
			{obj{"price": "ca 280"}, obj{"price": "280"}},
			{obj{"price": "300/week"}, obj{"price": "300"}},
			{obj{"price": "negotiable"}, obj{"price": nil}},
			{obj{"year": "approx 2020"}, obj{"year": "2020"}},
			{obj{"gear_number": "CVT"}, obj{"gear_number": nil, "transmission": "manual", "description": "Gears: CVT"}},
			{obj{"gear_number": "Automatic", "transmission": "automatic"}, obj{"gear_number": nil, "transmission": "automatic"}},
			{obj{"gear_number": "CVT", "transmission": ""}, obj{"gear_number": nil, "transmission": "CVT"}},
			{obj{"gear_number": "CVT", "transmission": missing}, obj{"gear_number": nil, "transmission": "CVT"}},
			{obj{"contact": "0722\t123\n456", "model": "Logan\tMCV"}, obj{"contact": "0722 123 456", "model": "Logan MCV"}},
			{obj{"description": "a\tb\nc"}, obj{"description": "a\tb\nc"}},
			{
				obj{"year": "2015/2016", "seat_number": "5+2", "price": "300 / year", "mpg": "45 mpg", "description": "Nice.\n"},
				obj{"year": nil, "seat_number": nil, "price": nil, "mpg": "", "description": "Nice.\nYear: 2015/2016\nSeats: 5+2\nConsumption: 45 mpg\nPrice: 300 / year"},
			},
			{obj{"power": "a\tlot"}, obj{"power": nil, "description": "Power: a lot"}},
		} {
			r := ana.post("add-carpost", car(tt.sent)).want(200)
			want := car(obj{"id": r.at("id"), "user_id": ana.id, "created_at": r.at("created_at"), "image": missing})
			for name, value := range tt.want {
				want[name] = value
			}
			r.says(200, want)
			// The same text in an edit is read alike, and kept once.
			form := obj{}
			for name, value := range tt.sent {
				if value != missing && value != "" && name != "description" {
					form[name] = value
				}
			}
			ana.form(fmt.Sprintf("update-ridepost/%.0f", r.at("id")), form, nil).says(200, want)
		}
		// Other control characters than blanks are refused, wherever they stand.
		ana.post("add-carpost", car(obj{"model": "a\x01b"})).want(400)
		ana.post("add-carpost", car(obj{"power": "a\x01b"})).want(400)
	})
}

// A value that is sent back as it was shown keeps what it stands for.
func TestTyped_SentBack(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		by := account.Actor{ID: int64(ana.id), Source: account.SourceAPI}
		id := ana.idOf(ana.post("add-carpost", car(obj{"price": "300.50 / week", "mpg": "5-6"})))
		read, path := fmt.Sprintf("get-carpost/%d", id), fmt.Sprintf("update-ridepost/%d", id)
		check := func(price, period string, places int) {
			t.Helper()
			p, err := w.listings.Post(t.Context(), by, id)
			if err != nil || p.Price == nil || p.Price.String() != price || p.PricePeriod == nil || *p.PricePeriod != period || p.PricePlaces != places {
				t.Errorf("%+v, %v, want %s a %s", p.Details, err, price, period)
			}
		}
		check("300.50", "week", 2)
		post := ana.get(read).want(200).json.(obj)
		post["color"] = "verde"
		ana.form(path, whole(post, nil), nil).says(200, post)
		check("300.50", "week", 2)
		// Another number leaves the period, another period is another one.
		ana.form(path, obj{"price": "280"}, nil).want(200)
		check("280.00", "week", 0)
		ana.form(path, obj{"price": "50/day"}, nil).want(200)
		check("50.00", "day", 0)
		ana.form(path, obj{"price": "50.00"}, nil).want(200)
		check("50.00", "day", 2)
		// Typed elsewhere, it is shown short again.
		if _, err := w.listings.Revise(t.Context(), by, id, nil, func(d *listing.Details) (bad fault.Fields) {
			d.Price = new(fixed.Amount(60_50))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		check("60.50", "day", 0)
		if got := ana.get(read).want(200).at("price"); got != "60.5" {
			t.Errorf("price = %v", got)
		}
		// No price is for no period.
		ana.form(path, obj{"price": "negociabil"}, nil).want(200)
		if p, err := w.listings.Post(t.Context(), by, id); err != nil || p.Price != nil || p.PricePeriod != nil {
			t.Errorf("%+v, %v", p.Details, err)
		}
		// What a post of the other API holds comes back as it was, to the cent.
		d := listing.DefaultDetails()
		d.Make, d.Model, d.Year, d.Price, d.PricePeriod = "Dacia", "Logan", new(2020), new(fixed.Amount(1234_56)), new("month")
		d.Consumption, d.MileageKM, d.PowerHP = new(fixed.Amount(5_25)), new(1200), new(90)
		p, _, err := w.listings.Create(t.Context(), by, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		path = fmt.Sprintf("update-ridepost/%d", p.ID)
		ana.form(path, whole(ana.get(fmt.Sprintf("get-carpost/%d", p.ID)).want(200).json.(obj), nil), nil).want(200)
		again, err := w.listings.Post(t.Context(), by, p.ID)
		if err != nil || again.Revision != p.Revision {
			t.Errorf("%+v, %v: saving the form unchanged has changed the post", again.Details, err)
		}
	})
}

// A bearer token of the other API makes posts by the rules of this one.
func TestAddCarPost_Bearer(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		api, err := w.accounts.SignIn(t.Context(), account.Actor{}, account.SessionAPI, ana.email, goodPassword)
		if err != nil {
			t.Fatal(err)
		}
		bearer := func(method, path, body string) *response {
			return w.browser().raw(method, path, "application/json", []byte(body), "Authorization", "Bearer "+api.Access)
		}
		body := `{"car_name":"Dacia","model":"Logan","year":"2020","engine":"1.0","fuel":"GPL","body":"sedan","transmission":"manual","gear_number":"CVT",
			"color":"alb","seat_number":"5","milleage":"84k","power":"66 kW","emission_standard":"Euro 6","price":"negotiable"}`
		r := bearer("POST", "add-carpost", body).want(200)
		bearer("PUT", fmt.Sprintf("update-ridepost/%.0f", r.at("id")), `{"price":"ask","year":"old"}`).want(200)
		e := bearer("POST", "add-calculator-entry", `{"app_income":"-10","commission":"150","expenses":"-1"}`).want(200)
		bearer("PATCH", fmt.Sprintf("update-calculator-entry/%.0f", e.at("id")), `{"commission":"160"}`).want(200)
		// Its holder can send the current password to the other API, and must.
		bearer("PUT", "user-update", `{"password":"`+goodPassword+`2"}`).want(403)
	})
}

// The calculator keeps what the older backend took.
func TestEntry_AsBefore(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		r := ana.post("add-calculator-entry", obj{"app_income": "-12.50", "commission": "150", "expenses": "-3", "earnings": "-5"}).want(200)
		r.says(200, obj{"id": r.at("id"), "pub_date": r.at("pub_date"), "app_income": "-12.50", "commission": "150.00", "expenses": "-3.00", "earnings": "-5.00"})
		path := fmt.Sprintf("update-calculator-entry/%.0f", r.at("id"))
		ana.send("PATCH", path, obj{"commission": "-20"}).want(200)
		ana.send("PATCH", path, obj{"commission": "10000.01"}).says(400, obj{"commission": list("Ensure this value is less than or equal to 10000.")})
		ana.post("add-calculator-entry", obj{"app_income": "1", "commission": "-10001"}).says(400, obj{"commission": list("Ensure this value is greater than or equal to -10000.")})
		ana.post("add-calculator-entry", obj{"app_income": "00000000000000000280"}).says(400, obj{"app_income": list("Ensure that there are no more than 10 digits in total.")})
		// What was given comes back, also a 0; the other API answers 0.00 in any case.
		for _, tt := range []struct{ sent, want obj }{
			{obj{"app_income": "0", "commission": "0", "expenses": 0}, obj{"commission": "0.00", "expenses": "0.00"}},
			{obj{"app_income": "1"}, obj{"commission": nil, "expenses": nil}},
			{obj{"app_income": "1", "commission": nil, "expenses": ""}, obj{"commission": nil, "expenses": nil}},
		} {
			r := ana.post("add-calculator-entry", tt.sent).want(200)
			for name, want := range tt.want {
				if r.at(name) != want {
					t.Errorf("%v: %s = %v, want %v", tt.sent, name, r.at(name), want)
				}
			}
		}
		path = fmt.Sprintf("update-calculator-entry/%.0f", r.at("id"))
		r = ana.send("PATCH", path, obj{"commission": "0", "expenses": nil}).want(200)
		if r.at("commission") != "0.00" || r.at("expenses") != nil {
			t.Errorf("%s", r.text)
		}
		r = ana.send("PATCH", path, obj{"commission": nil, "expenses": "0"}).want(200)
		if r.at("commission") != nil || r.at("expenses") != "0.00" {
			t.Errorf("%s", r.text)
		}
		if got := ana.get("get-calculator-entries").want(200); !strings.Contains(got.text, `"commission":null,"expenses":"0.00"`) {
			t.Errorf("%s", got.text)
		}
	})
}
