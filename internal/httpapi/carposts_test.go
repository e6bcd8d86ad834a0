package httpapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

func TestCarPost(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		full := obj{
			"make": "Škoda", "model": " Octavia ", "version": "Style", "engine": "2.0 TDI", "fuel": "diesel", "body": "break", "transmission": "automatic",
			"color": "negru", "emission_standard": "Euro 6", "location": "București", "contact": "0700 000 000", "description": "Bună\nși curată 🚕",
			"year": 2021, "gears": 7, "seats": 5, "doors": 5, "mileage_km": 84000, "power_hp": 150, "consumption": "5.2",
			"offer": "rent", "price": 280, "currency": "eur", "price_period": "week", "status": "active",
		}
		r := c.post("/api/carposts/", full).want(201)
		id := number(r.number("id"))
		if got := r.header.Get("Location"); got != "https://api.example.com/api/carposts/"+id+"/" {
			w.Errorf("Location = %q", got)
		}
		for field, want := range full {
			switch field {
			case "model":
				want = "Octavia"
			case "consumption":
				want = "5.20"
			case "price":
				want = "280.00"
			case "currency":
				want = "EUR"
			}
			if got := r.at(field); fmt.Sprint(got) != fmt.Sprint(want) {
				w.Errorf("%s = %v, want %v", field, got, want)
			}
		}
		if int64(r.number("owner", "id")) != c.id || r.at("moderation") != nil || r.at("cover") != nil || len(r.at("photos").([]any)) != 0 {
			w.Errorf("post = %s", r.body)
		}
		// Z4: nothing of the owner but number and name.
		if len(r.at("owner").(map[string]any)) != 2 {
			w.Errorf("owner = %v", r.at("owner"))
		}
		p := "/api/carposts/" + id + "/"
		if got := c.patch(p, obj{"price": "300.5", "seats": nil}).want(200); got.text("price") != "300.50" || got.at("seats") != nil || got.text("make") != "Škoda" {
			w.Errorf("after PATCH: %s", got.body)
		}
		if got := c.put(p, car(nil)).want(200); got.text("engine") != "" || got.at("gears") != nil || got.text("make") != "Dacia" {
			w.Errorf("after PUT: %s", got.body)
		}
		c.delete(p, nil).want(204)
		c.get(p).want(404)
		c.delete(p, nil).want(404)
	})
}

func TestCarPostErrors_Z3_I4(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		next := w.clock.now().Year() + 1
		tests := []struct {
			name string
			body any
			want string
		}{
			{"nothing", obj{}, "make required, model required, year required, price required, price_period required"},
			{"nulls", obj{"make": nil, "model": nil, "year": nil, "price": nil, "price_period": nil, "offer": nil}, "make null, model null, offer null, year required, price required, price_period required"},
			{"blank", car(obj{"make": " ", "model": ""}), "make blank, model blank"},
			{"too long", car(obj{"make": strings.Repeat("ă", 256), "description": strings.Repeat("ă", 5001), "contact": strings.Repeat("c", 256)}), "make max_length, contact max_length, description max_length"},
			{"numbers", car(obj{"year": 1949, "gears": 0, "seats": 61, "doors": 11, "mileage_km": -1, "power_hp": 5001}), "year min_value, gears min_value, seats max_value, doors max_value, mileage_km min_value, power_hp max_value"},
			{"far year", car(obj{"year": next + 1}), "year max_value"},
			{"not numbers", car(obj{"year": "2020", "gears": 1.5, "seats": true, "doors": "x", "mileage_km": []int{}}), "year invalid, gears invalid, seats invalid, doors invalid, mileage_km invalid"},
			{"choices", car(obj{"offer": "gift", "currency": "XYZ", "price_period": "year", "status": "sold"}), "price_period invalid_choice, offer invalid_choice, status invalid_choice, currency invalid_choice"},
			{"money", car(obj{"price": "1e5", "consumption": "NaN"}), "consumption invalid, price invalid"},
			{"read only", car(obj{"id": 1, "owner": obj{}, "photos": []int{}, "cover": 1, "moderation": obj{}, "is_favorite": true, "created_at": "x", "updated_at": "x"}), "id read_only, owner read_only, moderation read_only, photos read_only, cover read_only, is_favorite read_only, created_at read_only, updated_at read_only"},
			{"unknown", car(obj{"owner_id": 7, "Make": "x", "ſtatus": "draft"}), "owner_id unknown, Make unknown, ſtatus unknown"},
		}
		for _, tt := range tests {
			if got := c.post("/api/carposts/", tt.body).errors(); sorted(got) != sorted(tt.want) {
				w.Errorf("%s: errors = %q, want %q", tt.name, got, tt.want)
			}
		}
		for text, code := range map[string]string{
			`"1234567890"`: "max_whole_digits", `"12345678901"`: "max_digits", `"1.234"`: "max_decimal_places", `-1`: "min_value", `1e3`: "invalid",
			`"Infinity"`: "invalid", `"1,5"`: "invalid", `""`: "invalid", `true`: "invalid", `1E1000000000`: "invalid", `"١٢"`: "invalid", `[1]`: "invalid",
		} {
			body := `{"make":"A","model":"B","year":2020,"price_period":"day","price":` + text + `}`
			if got := c.post("/api/carposts/", body).errors(); got != "price "+code {
				w.Errorf("price %s: errors = %q, want price %s", text, got, code)
			}
		}
		if n := c.get("/api/carposts/").want(200).number("count"); n != 0 {
			w.Errorf("%v posts: a refused one was stored", n)
		}
		c.post("/api/carposts/", car(obj{"year": next, "price": 99999999.99, "doors": 0})).want(201)
	})
}

func TestCarPostAccess_Z2(t *testing.T) {
	each(t, func(w *world) {
		owner, other := w.person(), w.person()
		shown := "/api/carposts/" + number(owner.post("/api/carposts/", car(nil)).want(201).number("id")) + "/"
		hidden := "/api/carposts/" + number(owner.post("/api/carposts/", car(obj{"status": "draft"})).want(201).number("id")) + "/"
		before := owner.get(shown).body
		other.get(shown).want(200)
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			other.do(method, shown, map[bool]any{true: nil, false: car(nil)}[method == "DELETE"]).want(403)
			r := other.do(method, hidden, map[bool]any{true: nil, false: car(nil)}[method == "DELETE"]).want(404)
			never := other.do(method, "/api/carposts/999999/", map[bool]any{true: nil, false: car(nil)}[method == "DELETE"]).want(404)
			if string(r.body) != string(never.body) {
				w.Errorf("%s of a hidden post answers %s, of one that never was %s", method, r.body, never.body)
			}
		}
		if string(owner.get(shown).body) != string(before) {
			w.Error("a refused change left something behind")
		}
		other.get(hidden).want(404)
		owner.get(hidden).want(200)
		// A deactivated owner's posts are not there until reactivation.
		active := func(on bool) {
			_, err := w.store.UpdateUser(w.Context(), account.System(account.SourceCommand), owner.id, func(u *account.User, _ *account.Effects) error {
				u.Active = on
				return nil
			})
			if err != nil {
				w.Fatal(err)
			}
		}
		other.put(shown+"favorite/", nil).want(204)
		active(false)
		other.get(shown).want(404)
		other.put(shown+"favorite/", nil).want(404)
		other.post(shown+"report/", obj{"reason": "x"}).want(404)
		for _, list := range []string{"/api/carposts/", "/api/carposts/?favorite=true", "/api/carposts/?cursor="} {
			if n := len(other.get(list).want(200).results("id")); n != 0 {
				w.Errorf("%s shows %d posts of a deactivated owner", list, n)
			}
		}
		if n := other.get("/api/carposts/facets/").want(200).number("count"); n != 0 {
			w.Errorf("facets count %v posts of a deactivated owner", n)
		}
		owner.get("/api/user/").want(401)
		active(true)
		if n := len(other.get("/api/carposts/?favorite=true").want(200).results("id")); n != 1 {
			w.Errorf("%d favourites after reactivation, want 1", n)
		}
	})
}

func TestCarPostList_I6(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.person(), w.person()
		add := func(c *client, more obj) float64 { return c.post("/api/carposts/", car(more)).want(201).number("id") }
		octavia := add(a, obj{"make": "Škoda", "model": "Octavia", "location": "București", "year": 2021, "price": "280", "fuel": "diesel", "seats": 5, "mileage_km": 84000, "description": "Mașină îngrijită"})
		logan := add(a, obj{"location": "Cluj-Napoca", "year": 2018, "price": "150.00", "fuel": "GPL", "offer": "rent"})
		tesla := add(b, obj{"make": "Tesla", "model": "Model 3", "location": "Bucuresti", "year": 2023, "price": "35000", "offer": "sale", "price_period": "total", "fuel": "electric", "mileage_km": 10000, "seats": 5})
		van := add(b, obj{"make": "Dacia", "model": "Jogger", "location": "Iași", "year": 2022, "price": "200", "seats": 7, "fuel": "gpl", "currency": "RON", "price_period": "day"})
		draft := add(b, obj{"make": "Audi", "status": "draft"})
		a.put("/api/carposts/"+number(tesla)+"/favorite/", nil).want(204)
		a.put("/api/carposts/"+number(tesla)+"/favorite/", nil).want(204)
		tests := []struct {
			query string
			want  []float64
		}{
			{"", []float64{van, tesla, logan, octavia}},
			{"sort=created_at", []float64{octavia, logan, tesla, van}},
			{"sort=price", []float64{logan, van, octavia, tesla}},
			{"sort=-price", []float64{tesla, octavia, van, logan}},
			{"sort=year", []float64{logan, octavia, van, tesla}},
			{"sort=-mileage_km", []float64{octavia, tesla, van, logan}},
			{"sort=mileage_km", []float64{tesla, octavia, logan, van}},
			{"sort=make", []float64{logan, van, octavia, tesla}},
			{"q=Skoda", []float64{octavia}},
			{"q=bucuresti", []float64{tesla, octavia}},
			{"q=BUCUREȘTI octavia", []float64{octavia}},
			{"q=Bucureşti", []float64{tesla, octavia}},
			{"q=mas ingri", []float64{octavia}},
			{"q=octavia tesla", nil},
			{"q=!!!", nil},
			{"q= ", []float64{van, tesla, logan, octavia}},
			{"q=' OR 1=1 --", nil},
			{`q="octavia":* & |`, []float64{octavia}},
			{"make=dacia", []float64{van, logan}},
			{"make=SKODA&model=octavia", []float64{octavia}},
			{"fuel=GPL", []float64{van, logan}},
			{"location=iasi", []float64{van}},
			{"offer=sale", []float64{tesla}},
			{"currency=ron", []float64{van}},
			{"price_period=day", []float64{van}},
			{"year_min=2021&year_max=2022", []float64{van, octavia}},
			{"price_min=200&price_max=280.00", []float64{van, octavia}},
			{"mileage_max=20000", []float64{tesla}},
			{"seats_min=6", []float64{van}},
			{"has_photo=true", nil},
			{"has_photo=false", []float64{van, tesla, logan, octavia}},
			{"favorite=true", []float64{tesla}},
			{"favorite=false", []float64{van, logan, octavia}},
			{"owner=me", []float64{logan, octavia}},
			{fmt.Sprint("owner=", a.id), []float64{logan, octavia}},
			{fmt.Sprint("owner=", b.id), []float64{van, tesla}},
			{"status=draft", nil},
			{"make=nothing", nil},
		}
		for _, tt := range tests {
			q := url.Values{}
			for pair := range strings.SplitSeq(tt.query, "&") {
				if name, value, ok := strings.Cut(pair, "="); ok {
					q.Set(name, value)
				}
			}
			if strings.Contains(tt.query, "&") && strings.HasPrefix(tt.query, `q="`) {
				q = url.Values{"q": {strings.TrimPrefix(tt.query, "q=")}}
			}
			r := a.get("/api/carposts/?" + q.Encode()).want(200)
			got := []float64{}
			for _, id := range r.results("id") {
				got = append(got, id.(float64))
			}
			if !slices.Equal(got, append([]float64{}, tt.want...)) {
				w.Errorf("%s = %v, want %v", tt.query, got, tt.want)
			}
			if int(r.number("count")) != len(tt.want) {
				w.Errorf("%s: count = %v, want %d", tt.query, r.at("count"), len(tt.want))
			}
			// The same list by cursor, two at a time, and back again.
			q.Set("cursor", "")
			q.Set("page_size", "2")
			if forth, back := w.walk(a, q); !slices.Equal(forth, got) || !slices.Equal(back, got) {
				w.Errorf("%s by cursor = %v, back %v, want %v", tt.query, forth, back, got)
			}
		}
		if got := b.get("/api/carposts/?owner=me&status=draft").want(200).results("id"); len(got) != 1 || got[0] != draft {
			w.Errorf("own drafts = %v, want %v", got, draft)
		}
		bad := map[string]string{
			"sort=owner":                     "sort invalid_choice",
			"sort=--price":                   "sort invalid_choice",
			"sort=price,id":                  "sort invalid_choice",
			"offer=gift":                     "offer invalid_choice",
			"status=x":                       "status invalid_choice",
			"price_min=1e3":                  "price_min invalid",
			"price_min=-1":                   "price_min min_value",
			"year_min=x":                     "year_min invalid",
			"owner=them":                     "owner invalid",
			"has_photo=2":                    "has_photo invalid",
			"page_size=0":                    "page_size invalid",
			"page_size=101":                  "page_size invalid",
			"page=x":                         "page invalid",
			"currency=XX":                    "currency invalid_choice",
			"cursor=x":                       "cursor invalid",
			"q=%00":                          "q invalid",
			"make=%ff":                       "make invalid",
			"year_min=x&q=%00&page_size=1e9": "year_min invalid, q invalid, page_size invalid",
		}
		for query, want := range bad {
			if got := a.get("/api/carposts/?" + query).errors(); sorted(got) != sorted(want) {
				w.Errorf("%s: errors = %q, want %q", query, got, want)
			}
		}
		for _, page := range []string{"0", "-1", "2", "999999999"} {
			a.get("/api/carposts/?page=" + page).want(404)
		}
		// A cursor of one order is none of another (and cannot be made up).
		next, _ := url.Parse(a.get("/api/carposts/?cursor=&page_size=1&sort=price").want(200).text("next"))
		a.get("/api/carposts/?sort=year&cursor=" + next.Query().Get("cursor")).want(400)

		facets := a.get("/api/carposts/facets/?offer=rent").want(200)
		want := `{"count":3,"count_exact":true,"make":[{"value":"Dacia","count":2},{"value":"Škoda","count":1}],"fuel":[{"value":"GPL","count":2},{"value":"diesel","count":1}],"body":[],"transmission":[],"location":[{"value":"București","count":1},{"value":"Cluj-Napoca","count":1},{"value":"Iași","count":1}]}`
		if got := strings.TrimSpace(string(facets.body)); got != want {
			w.Errorf("facets = %s, want %s", got, want)
		}
		if got := a.get("/api/carposts/facets/?year_min=x").errors(); got != "year_min invalid" {
			w.Errorf("facets: %q", got)
		}
		a.delete("/api/carposts/"+number(tesla)+"/favorite/", nil).want(204)
		a.delete("/api/carposts/"+number(tesla)+"/favorite/", nil).want(204)
		if r := a.get("/api/carposts/" + number(tesla) + "/").want(200); r.at("is_favorite") != false {
			w.Error("still a favourite")
		}
	})
}

// walk follows a list by its cursors to the end, and back to the beginning.
func (w *world) walk(c *client, q url.Values) (forth, back []float64) {
	w.Helper()
	forth, back = []float64{}, []float64{}
	ids := func(r *response) (list []float64) {
		for _, id := range r.results("id") {
			list = append(list, id.(float64))
		}
		return list
	}
	r := c.get("/api/carposts/?" + q.Encode()).want(200)
	if r.at("count") != nil || r.at("previous") != nil {
		w.Errorf("first page by cursor: count %v, previous %v, want null", r.at("count"), r.at("previous"))
	}
	for {
		forth = append(forth, ids(r)...)
		next, ok := r.at("next").(string)
		if !ok {
			break
		}
		r = c.get(strings.TrimPrefix(next, "https://api.example.com")).want(200)
	}
	for {
		back = append(ids(r), back...)
		prev, ok := r.at("previous").(string)
		if !ok {
			return forth, back
		}
		r = c.get(strings.TrimPrefix(prev, "https://api.example.com")).want(200)
	}
}

func TestPages_I5(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		for range 12 {
			c.post("/api/carposts/", car(nil)).want(201)
		}
		r := c.get("/api/carposts/?make=dacia").want(200)
		if r.number("count") != 12 || r.text("next") != "https://api.example.com/api/carposts/?make=dacia&page=2" || r.at("previous") != nil || len(r.results("id")) != 10 {
			w.Errorf("first page = %s", r.body)
		}
		r = c.get("/api/carposts/?page=2&make=dacia").want(200)
		if r.at("next") != nil || r.text("previous") != "https://api.example.com/api/carposts/?make=dacia&page=1" || len(r.results("id")) != 2 {
			w.Errorf("second page = %s", r.body)
		}
		if n := len(c.get("/api/carposts/?page_size=100").want(200).results("id")); n != 12 {
			w.Errorf("%d results, want 12", n)
		}
	})
}

func TestReport(t *testing.T) {
	each(t, func(w *world) {
		owner, c := w.person(), w.person()
		path := "/api/carposts/" + number(owner.post("/api/carposts/", car(nil)).want(201).number("id")) + "/report/"
		if got := c.post(path, obj{"text": 1, "why": ""}).errors(); sorted(got) != sorted("text invalid, why unknown, reason required") {
			w.Errorf("errors = %q", got)
		}
		c.post(path, obj{"reason": "fraud", "text": "Cere avans."}).want(202)
		c.post(path, obj{"reason": "fraud"}).want(409)
		owner.post(path, obj{"reason": "fraud"}).want(409)
		c.post("/api/carposts/999/report/", obj{"reason": "x"}).want(404)
	})
}
