package legacyapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/legacyapi"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// messageRoute is the route whose dialog says "updated" unless a refusal has a
// Message.
const messageRoute = "update-ridepost/"

// message checks that a refusal of an update shows in the client's dialog.
func (r *response) message(status int, want string) {
	r.b.Helper()
	if got := r.want(status).at("Message"); got != want {
		r.b.Errorf("%s: Message = %v, want %q in %s", r.what, got, want, r.text)
	}
}

func TestRefusals_Message(t *testing.T) {
	each(t, func(w *world) {
		ana, dan := w.person(), w.person()
		id := ana.post("add-carpost", car(nil)).want(200).at("id")
		path := fmt.Sprintf(messageRoute+"%.0f", id)
		ana.form(path, obj{"color": ""}, nil).message(400, "color: This field may not be blank.")
		ana.form(path, obj{"color": "", "model": strings.Repeat("x", 256)}, nil).message(400, "color: This field may not be blank.")
		ana.form(path, obj{"model": strings.Repeat("x", 256)}, nil).message(400, "model: Ensure this field has no more than 255 characters.")
		ana.form(path, obj{"seat_number": "61"}, nil).message(400, "seat_number: Ensure this value is less than or equal to 60.")
		ana.form(path, nil, []byte("not a picture")).want(400)
		ana.form(path, nil, make([]byte, 10<<20+1)).message(400, "The image size is too large. Please upload an image that is less than 10MB.")
		if m, _ := ana.form(path, nil, []byte("not a picture")).at("Message").(string); !strings.HasPrefix(m, "image: ") {
			t.Errorf("Message = %q, want one about the image", m)
		}
		dan.form(path, obj{"color": "roz"}, nil).message(403, "You do not have permission to edit this car post.")
		w.browser().form(path, obj{"color": "roz"}, nil).message(403, "Unauthenticated")
		for _, odd := range []string{"999999", "0", "x"} {
			ana.form(messageRoute+odd, obj{"color": "roz"}, nil).message(404, "Not found.")
		}
		ana.raw("PUT", path, "text/plain", []byte("color=roz")).message(415, "Send the body as multipart/form-data.")
		ana.raw("PUT", path, "multipart/form-data; boundary=x", []byte("--x\r\nrubbish")).message(400, "Multipart form parse error.")
		ana.raw("PUT", path, "application/json", []byte(`{"color":`)).want(400)
		ana.send("POST", path, obj{}).message(405, `Method "POST" not allowed.`)
		if m, _ := ana.raw("PUT", path, "application/json", []byte(`{"color":`)).at("Message").(string); !strings.HasPrefix(m, "JSON parse error") {
			t.Errorf("Message = %q", m)
		}
		ana.raw("PUT", path, "application/json", make([]byte, 300<<10)).message(413, "The body is too large.")
		ana.origin = "https://evil.example"
		ana.form(path, obj{"color": "roz"}, nil).message(403, "Requests from this origin are not allowed.")
	})
}

// register and user-update show email and error alone.
func TestRefusals_Error(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, account.Options{Throttle: true})
		b := w.browser()
		const short, common, numeric = "This password is too short. It must contain at least 8 characters.", "This password is too common.", "This password is entirely numeric."
		long := strings.Repeat("a", 256)
		const tooLong = "Ensure this field has no more than 255 characters."
		b.post("register", obj{"name": long, "email": "x@example.com", "password": "123"}).says(400, obj{
			"name": list(tooLong), "error": list(short, common, numeric, "name: "+tooLong),
		})
		b.post("register", obj{"name": "", "email": "x@example.com", "password": goodPassword}).says(400, obj{
			"name": list("This field may not be blank."), "error": list("name: This field may not be blank."),
		})
		b.post("register", obj{"name": "Ana", "email": "x", "password": goodPassword}).says(400, obj{"email": list("Enter a valid email address.")})
		b.raw("POST", "register", "text/plain", []byte("x")).says(415, obj{
			"detail": "Send the body as application/json.", "error": list("Send the body as application/json."),
		})
		foreign := w.browser()
		foreign.origin = "https://evil.example"
		foreign.post("register", obj{"name": "Ana", "email": "x@example.com", "password": goodPassword}).says(403, obj{
			"detail": "Requests from this origin are not allowed.", "error": list("Requests from this origin are not allowed."),
		})
		ana := w.person()
		ana.send("PUT", "user-update", obj{"name": ""}).says(400, obj{
			"name": list("This field may not be blank."), "error": list("name: This field may not be blank."),
		})
		ana.send("PUT", "user-update", obj{"name": long, "password": "123"}).says(400, obj{
			"name": list(tooLong), "error": list(short, common, numeric, "name: "+tooLong),
		})
		w.browser().send("PUT", "user-update", obj{"name": "x"}).says(403, obj{"detail": "Unauthenticated", "error": list("Unauthenticated")})
		// One that has had too many tries learns it in the same place.
		r := b.post("register", obj{})
		for n := 0; r.status != http.StatusTooManyRequests && n < 30; n++ {
			r = b.post("register", obj{"name": "Ana", "email": fmt.Sprintf("many%d@example.com", n), "password": goodPassword})
		}
		if said := r.want(429).at("error").([]any); len(said) != 1 || said[0] != r.at("detail") {
			t.Errorf("429: %s", r.text)
		}
	})
}

// A complaint by field on a route whose screen shows detail has one, too.
func TestRefusals_Detail(t *testing.T) {
	each(t, func(w *world) {
		w.person().send("DELETE", "delete-ridepost", obj{"car_post_id": "x"}).says(400, obj{
			"car_post_id": list("A valid integer is required."), "detail": "car_post_id: A valid integer is required.",
		})
	})
}

// Every route has the member that its screen shows, also for what is refused
// before the API is asked.
func TestRefusal_OfOthers(t *testing.T) {
	a := legacyapi.New(legacyapi.Options{})
	for path, want := range map[string]string{
		"/api/update-ridepost/7": "Message", "/api/update-ridepost/x": "Message", "/api/add-carpost": "Message", "/api/register": "error", "/api/user-update": "error",
		"/api/update-ridepost/": "", "/api/update-ridepost/7/8": "", "/api/register/": "", "/api/login": "", "/api/carposts/": "", "/": "",
	} {
		got := a.Refusal(httptest.NewRequest(http.MethodPut, path, http.NoBody), "Busy.")
		switch want {
		case "":
			if len(got) != 0 {
				t.Errorf("%s: %v, want nothing", path, got)
			}
		case "Message":
			if len(got) != 1 || got[want] != "Busy." {
				t.Errorf("%s: %v", path, got)
			}
		case "error":
			if said, _ := got[want].([]string); len(got) != 1 || len(said) != 1 || said[0] != "Busy." {
				t.Errorf("%s: %v", path, got)
			}
		}
	}
}

// A storage that is full or away shows in the dialog, too.
func TestRefusals_Faults(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		path := fmt.Sprintf(messageRoute+"%.0f", ana.post("add-carpost", car(nil)).want(200).at("id"))
		for status, f := range map[int]error{
			507: fault.New(fault.Full, "There is no room left."), 409: fault.New(fault.Conflict, "The post has changed."), 503: errors.New("broken"),
		} {
			w.bucket.fail = f
			if r := ana.form(path, nil, mediatest.JPEG(30, 20)).want(status); r.at("Message") == nil || r.at("Message") != r.at("detail") {
				t.Errorf("%v = %d %s", f, r.status, r.text)
			}
		}
	})
}
