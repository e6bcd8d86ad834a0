package legacyapi_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

func TestCarPost(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		r := ana.post("add-carpost", car(obj{"milleage": "84 000 km", "mpg": "5,2", "price": "1.200 €", "year": 2021, "door_number": nil, "version": missing}))
		want := car(obj{
			"id": r.at("id"), "user_id": ana.id, "created_at": r.at("created_at"), "milleage": "84000", "mpg": "5.2", "price": "1200", "year": "2021",
			"door_number": "", "image": missing,
		})
		r.says(200, want)
		path := fmt.Sprintf("%.0f", r.at("id"))
		dan.get("get-carpost/"+path).says(200, want)
		for _, odd := range []string{"999999", "0", "01", "x", "-1"} {
			dan.get("get-carpost/"+odd).says(404, obj{"detail": "Not found."})
		}
		w.browser().get("get-carpost/"+path).says(403, unauthenticated)

		// Whole in the other API: rent, in EUR, for no period.
		p, err := w.listings.Post(t.Context(), account.Actor{ID: int64(ana.id)}, int64(r.at("id").(float64)))
		if err != nil || p.Offer != "rent" || p.Currency != "EUR" || p.PricePeriod != nil || *p.Price != 1200_00 || *p.MileageKM != 84_000 {
			t.Errorf("%+v, %v", p.Details, err)
		}

		// What an update sends, changes; the rest stays.
		want["color"], want["price"] = "negru", "300"
		ana.form("update-ridepost/"+path, obj{"color": "negru", "price": "300"}, nil).says(200, want)
		ana.form("update-ridepost/"+path, obj{"color": "", "price": "999999999"}, nil).says(400, obj{
			"color": list("This field may not be blank."), "price": list("Ensure that there are no more than 8 digits before the decimal point."),
			"Message": "color: This field may not be blank. price: Ensure that there are no more than 8 digits before the decimal point.",
		})
		dan.form("update-ridepost/"+path, obj{"color": "roz"}, nil).says(403, obj{"Message": "You do not have permission to edit this car post."})
		ana.form("update-ridepost/999999", obj{"color": "roz"}, nil).says(404, obj{"detail": "Not found.", "Message": "Not found."})
		ana.get("get-carpost/"+path).says(200, want)

		dan.send("DELETE", "delete-ridepost", obj{"car_post_id": r.at("id")}).says(403, obj{"detail": "You do not have permission to delete this car post."})
		ana.send("DELETE", "delete-ridepost", obj{}).says(400, obj{"detail": "Missing required argument: car_post_id"})
		ana.send("DELETE", "delete-ridepost", obj{"car_post_id": 999999}).says(404, obj{"detail": "Not found."})
		ana.send("DELETE", "delete-ridepost", obj{"car_post_id": path}).says(200, obj{"message": "Car post deleted successfully!"})
		ana.get("get-carpost/"+path).says(404, obj{"detail": "Not found."})
	})
}

func TestAddCarPost_Fields(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		all := obj{}
		for _, name := range []string{"car_name", "model", "year", "engine", "fuel", "body", "transmission", "gear_number", "color", "seat_number", "milleage", "power", "emission_standard", "price"} {
			all[name] = list("This field is required.")
		}
		refused := func(body, want obj) {
			t.Helper()
			r := ana.post("add-carpost", body).want(400)
			said, _ := r.at("Message").(string)
			for name, texts := range want {
				if !strings.Contains(said, name+": "+texts.([]string)[0]) {
					t.Errorf("Message = %q, want %s in it", said, name)
				}
			}
			want["Message"] = said
			r.says(400, want)
		}
		refused(obj{"image": obj{}}, all)
		for _, tt := range []struct {
			changes, want obj
		}{
			{obj{"car_name": "", "engine": nil}, obj{"car_name": list("This field may not be blank."), "engine": list("This field may not be null.")}},
			{obj{"year": "1"}, obj{"year": list("Ensure this value is greater than or equal to 1950.")}},
			{obj{"power": "9999 hp"}, obj{"power": list("Ensure this value is less than or equal to 5000.")}},
			{obj{"power": "99999999999999999999"}, obj{"power": list("Ensure that there are no more than 8 digits before the decimal point.")}},
			{obj{"seat_number": strings.Repeat("x", 256)}, obj{"seat_number": list("Ensure this field has no more than 255 characters.")}},
			{obj{"price": obj{}, "mpg": []int{1}}, obj{"price": list("Not a valid string."), "mpg": list("Not a valid string.")}},
			{obj{"gear_number": "six?", "description": strings.Repeat("x", 4990)}, obj{"gear_number": list("This is not read as a number, and the description has no room left for it.")}},
			{obj{"model": strings.Repeat("x", 256)}, obj{"model": list("Ensure this field has no more than 255 characters.")}},
			{obj{"fuel": []string{"x"}}, obj{"fuel": list("Not a valid string.")}},
			{obj{"gear_number": "21"}, obj{"gear_number": list("Ensure this value is less than or equal to 20.")}},
			{obj{"description": strings.Repeat("x", 5001)}, obj{"description": list("Ensure this field has no more than 5000 characters.")}},
		} {
			refused(car(tt.changes), tt.want)
		}
		for written, want := range map[string]string{"280": "280", "280,50": "280.50", "280.5": "280.5", "280.00": "280.00", "280 EUR": "280", "1.200": "1200", "99 lei": "99", " 84 000 ": "84000"} {
			if got := ana.post("add-carpost", car(obj{"price": written})).want(200).at("price"); got != want {
				t.Errorf("price %q became %v, want %s", written, got, want)
			}
		}
		ana.post("add-carpost", car(obj{"description": strings.Repeat("ă", 5000)})).want(200)
		ana.post("add-carpost", `{"car_name": "a", "car_name": "b"}`).want(400)
		ana.post("add-carpost", `[]`).want(400)
	})
}

func TestCarPosts_Pages(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		one := func(n, total int, previous, next any) obj {
			return obj{
				"current_page": n, "total_pages": total, "has_previous": previous != nil, "has_next": next != nil,
				"previous_page_number": previous, "next_page_number": next,
			}
		}
		dan.get("get-carposts/1").says(200, obj{"data": []any{}, "count": 0, "pagination": one(1, 1, nil, nil)})
		var ids []any
		for range 12 {
			ids = append(ids, ana.post("add-carpost", car(nil)).want(200).at("id"))
		}
		r := dan.get("get-carposts/1").want(200)
		got := []any{}
		for _, p := range r.at("data").([]any) {
			got = append(got, p.(obj)["id"])
		}
		if !slices.Equal(got, ids[:10]) || r.at("count") != 12.0 {
			t.Errorf("%v of %v, want the first ten in the order of their numbers: %v", got, r.at("count"), ids)
		}
		if p := r.at("pagination").(obj); p["next_page_number"] != 2.0 || p["previous_page_number"] != nil || p["total_pages"] != 2.0 {
			t.Errorf("%v", p)
		}
		if p := dan.get("get-carposts/2").want(200).at("pagination").(obj); p["has_next"] != false || p["previous_page_number"] != 1.0 {
			t.Errorf("%v", p)
		}
		for _, path := range []string{"get-carposts/", "get-user-carposts/"} {
			for page, want := range map[string]string{
				"3": "Page not found! The page number you're requesting is out of range!", "٣": "Page not found! The page number you're requesting is out of range!", "0": "Page not found! The page number you're requesting is out of range!",
				"99999999999999999999": "Page not found! The page number you're requesting is out of range!",
				"x":                    "Invalid page number. Page should be an integer!", "1.5": "Invalid page number. Page should be an integer!",
				"1__0": "Invalid page number. Page should be an integer!", "_1": "Invalid page number. Page should be an integer!", "-1": "Page not found! The page number you're requesting is out of range!",
				"-99999999999999999999": "Page not found! The page number you're requesting is out of range!",
			} {
				dan.get(path+page).says(200, obj{"error": want})
			}
		}
		for _, two := range []string{"02", "+2", "%202%20", "0_2", "%D9%A2", "%EF%BC%92"} { // as Python reads them
			if r := dan.get("get-carposts/" + two).want(200); len(r.at("data").([]any)) != 2 {
				t.Errorf("page %s: %s", two, r.text)
			}
		}
		if n := ana.get("get-user-carposts/1").want(200).at("count"); n != 12.0 {
			t.Errorf("%v of ana's own", n)
		}
		if n := dan.get("get-user-carposts/1").want(200).at("count"); n != 0.0 {
			t.Errorf("%v of dan's own", n)
		}
	})
}

// The upload in three steps, and the picture of a post.
func TestPhotos(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		id := ana.post("add-carpost", car(nil)).want(200).at("id")
		picture := fmt.Sprintf("get-image-by-post-id/%.0f", id)
		dan.get(picture).says(200, obj{"message": "The car post no image!"})
		dan.get("get-image-by-post-id/999999").says(200, obj{"message": "The car post does not exist!"})
		dan.get("get-image-by-post-id/x").says(200, obj{"message": "The car post does not exist!"})

		ana.post("upload/direct/start", obj{}).says(400, obj{
			"file_name": list("This field is required."), "file_type": list("This field is required."), "car_post_id": list("This field is required."),
		})
		start := obj{"file_name": "front.jpg", "file_type": "image/jpeg", "car_post_id": id}
		dan.post("upload/direct/start", start).says(404, obj{"detail": "Not found."})
		ana.post("upload/direct/start", obj{"file_name": "a.gif", "file_type": "image/gif", "car_post_id": id}).want(400)
		r := ana.post("upload/direct/start", start).want(200)
		form := bucket.Form{URL: r.at("url").(string), Fields: map[string]string{}}
		for name, value := range r.at("fields").(obj) {
			form.Fields[name] = value.(string)
		}
		for _, name := range []string{"key", "Content-Type", "policy"} {
			if form.Fields[name] == "" {
				t.Errorf("fields have no %s", name)
			}
		}
		finish := obj{"file_id": r.at("id")}
		ana.post("upload/direct/finish", finish).says(400, obj{"file_id": list("Nothing has been uploaded yet: send the file to the storage first.")})
		ana.post("upload/direct/finish", obj{}).says(400, obj{"file_id": list("This field is required.")})
		dan.post("upload/direct/finish", finish).says(404, obj{"detail": "Not found."})
		buckettest.Post(t, form, mediatest.FromPhone(640, 480), nil)
		ana.post("upload/direct/finish", finish).says(200, obj{"id": r.at("id")})
		first := dan.get(picture).want(200).at("url").(string)
		if m := fetch(t, first); m != "480x640" {
			t.Errorf("the picture is %s, want it upright: 480x640", m)
		}

		// A new image by the form of an update takes the place of the first.
		path := fmt.Sprintf("update-ridepost/%.0f", id)
		dan.form(path, nil, mediatest.JPEG(50, 40)).want(403)
		ana.form(path, obj{"color": "verde"}, mediatest.JPEG(50, 40)).want(200)
		second := dan.get(picture).want(200).at("url").(string)
		if m := fetch(t, second); m != "50x40" {
			t.Errorf("the new picture is %s", m)
		}
		ana.form(path, nil, []byte("not a picture")).want(400)
		ana.form(path, nil, make([]byte, 10<<20+1)).says(400, obj{"Message": "The image size is too large. Please upload an image that is less than 10MB."})
		if now := dan.get(picture).want(200).at("url"); now != second {
			t.Error("what was refused has changed the picture")
		}
		p, err := w.listings.Post(t.Context(), account.Actor{ID: int64(ana.id)}, int64(id.(float64)))
		if err != nil || len(p.Photos) != 1 {
			t.Errorf("%d photos, %v, want one", len(p.Photos), err)
		}
	})
}

// Updates with an image at once on one post all succeed, and one photo stays.
func TestPhotos_AtOnce(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		id := ana.post("add-carpost", car(nil)).want(200).at("id")
		path := fmt.Sprintf("update-ridepost/%.0f", id)
		ana.form(path, nil, mediatest.JPEG(50, 40)).want(200)
		for range 3 {
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if r := ana.form(path, nil, mediatest.JPEG(640, 480)); r.status != 200 {
						t.Errorf("%d %s", r.status, r.text)
					}
				})
			}
			wg.Wait()
			p, err := w.listings.Post(t.Context(), account.Actor{ID: int64(ana.id)}, int64(id.(float64)))
			if err != nil || len(p.Photos) != 1 {
				t.Fatalf("%d photos, %v, want one", len(p.Photos), err)
			}
		}
	})
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%dx%d", m.Bounds().Dx(), m.Bounds().Dy())
}
