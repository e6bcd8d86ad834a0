package legacyapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

var unauthenticated = obj{"detail": "Unauthenticated"}

func list(texts ...string) []string { return texts }

func TestRegister(t *testing.T) {
	each(t, func(w *world) {
		b := w.browser()
		r := b.post("register", obj{"name": "Ana", "email": "ana@example.com", "password": goodPassword})
		r.says(200, obj{"id": r.at("id"), "name": "Ana", "email": "ana@example.com"})
		for _, tt := range []struct {
			body any
			want obj
		}{
			{obj{}, obj{"name": list("This field is required."), "email": list("This field is required."), "password": list("This field is required."), "error": list("name: This field is required.", "password: This field is required.")}},
			{obj{"name": "", "email": nil, "password": ""}, obj{"name": list("This field may not be blank."), "email": list("This field may not be null."), "password": list("This field may not be blank."), "error": list("name: This field may not be blank.", "password: This field may not be blank.")}},
			{obj{"name": "Ana", "email": "ANA@example.com", "password": goodPassword}, obj{"email": list("user with this email already exists.")}},
			{obj{"name": "Ana", "email": "x@example.com", "password": "123"}, obj{"error": list("This password is too short. It must contain at least 8 characters.", "This password is too common.", "This password is entirely numeric.")}},
			{obj{"name": "Ana", "email": "marinescu@example.com", "password": "marinescu"}, obj{"error": list("The password is too similar to the email address.")}},
			{obj{"name": strings.Repeat("a", 256), "email": "x@example.com", "password": goodPassword}, obj{"name": list("Ensure this field has no more than 255 characters."), "error": list("name: Ensure this field has no more than 255 characters.")}},
		} {
			b := w.browser()
			b.post("register", tt.body).says(400, tt.want)
		}
		// A password of blanks alone is refused here. Otherwise it counts as it is sent,
		// blanks and all, and one that was chosen elsewhere opens the door (promise T2).
		const blanks = "            "
		for _, blank := range []string{blanks, "\t\u00a0         "} {
			w.browser().post("register", obj{"name": "Ana", "email": "blanks@example.com", "password": blank}).says(400, obj{
				"password": list("This field may not be blank."), "error": list("password: This field may not be blank."),
			})
		}
		b = w.browser()
		b.post("register", obj{"name": "Ana", "email": "blanks@example.com", "password": "  " + goodPassword + " "}).want(200)
		b.post("login", obj{"email": "blanks@example.com", "password": goodPassword}).want(403)
		b.post("login", obj{"email": "blanks@example.com", "password": "  " + goodPassword + " "}).want(200)
		b.send("PUT", "user-update", obj{"password": blanks}).says(400, obj{
			"password": list("This field may not be blank."), "error": list("password: This field may not be blank."),
		})
		if _, _, err := w.accounts.Register(t.Context(), account.Actor{}, "Ana", "elsewhere@example.com", blanks, nil); err != nil {
			t.Fatal(err)
		}
		b.post("login", obj{"email": "elsewhere@example.com", "password": blanks}).want(200)
		// A body that says a name twice is no body.
		w.browser().post("register", `{"name":"a","name":"b"}`).want(400)
	})
}

// The older client's route tells also where the other API does not (promise T5).
func TestRegister_Verified_T5(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, account.Options{Registration: account.RegistrationVerified})
		b := w.browser()
		body := obj{"name": "Ana", "email": "ana@example.com", "password": goodPassword}
		b.post("register", body).want(200)
		b.post("register", body).says(400, obj{"email": list("user with this email already exists.")})
		// A sign-in says that the address is not confirmed, to those who know the password.
		b.post("login", obj{"email": "ana@example.com", "password": goodPassword}).says(403, obj{
			"detail": "Your email address is not confirmed yet. Open the link in the mail that was sent to it, then sign in.",
		})
		b.post("login", obj{"email": "ana@example.com", "password": goodPassword + "x"}).says(403, obj{"detail": "Incorrect email or password!"})
		if _, err := w.accounts.SignIn(t.Context(), account.Actor{}, account.SessionAPI, "ana@example.com", goodPassword); !errors.Is(err, account.ErrBadCredentials) {
			t.Errorf("the other API says %v", err)
		}
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE account SET email_verified_at = created_at`); err != nil {
			t.Fatal(err)
		}
		b.post("login", obj{"email": "ana@example.com", "password": goodPassword}).want(200)
	})
}

func TestLogin(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		ana.get("user").says(200, obj{"id": ana.id, "name": "Ana", "email": ana.email})
		b := w.browser()
		wrong := obj{"detail": "Incorrect email or password!"}
		b.post("login", obj{"email": ana.email, "password": "wrong"}).says(403, wrong)
		b.post("login", obj{"email": "nobody@example.com", "password": "wrong"}).says(403, wrong)
		b.post("login", obj{"email": ana.email}).says(400, obj{"password": list("This field is required.")})
		b.get("user").says(403, unauthenticated)
		r := b.post("login", obj{"email": ana.email, "password": goodPassword})
		r.says(200, obj{"jwt": r.at("jwt")})
		cookie := r.header.Get("Set-Cookie")
		for _, attribute := range []string{"jwt=", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=86"} {
			if !strings.Contains(cookie, attribute) {
				t.Errorf("cookie %q has no %s", cookie, attribute)
			}
		}
		// Signing out ends the session at once, and works without one, too.
		token := r.at("jwt").(string)
		b.post("logout", nil).says(200, obj{"message": "success"})
		b.get("user").says(403, unauthenticated)
		b.raw("GET", "user", "", nil, "Cookie", "jwt="+token).says(403, unauthenticated)
		b.post("logout", nil).says(200, obj{"message": "success"})
		ana.get("user").want(200)
	})
}

// Credentials: each opens its own door only, a bad bearer never falls back to a
// cookie, and what changes comes from a page that may (promises T13, T20, B2).
func TestDoors_T13_T20_B2(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		api, err := w.accounts.SignIn(t.Context(), account.Actor{}, account.SessionAPI, ana.email, goodPassword)
		if err != nil {
			t.Fatal(err)
		}
		ana.raw("GET", "user", "", nil, "Authorization", "Bearer nonsense").says(403, unauthenticated)
		b := w.browser()
		b.raw("GET", "user", "", nil, "Cookie", "jwt="+api.Access).says(403, unauthenticated)
		b.raw("GET", "user", "", nil, "Authorization", "Bearer "+api.Access).want(200)
		r := b.post("login", obj{"email": ana.email, "password": goodPassword}).want(200)
		if _, err := w.accounts.Authenticate(t.Context(), account.SessionAPI, r.at("jwt").(string)); err == nil {
			t.Error("the cookie opens the other API")
		}
		for _, tt := range []struct {
			name, origin string
			headers      []string
			want         int
		}{
			{"foreign", "https://evil.example", nil, 403},
			{"null", "null", nil, 403},
			{"look-alike", clientOrigin + ".evil.example", nil, 403},
			{"none at all", "", nil, 403},
			{"same origin by the other header", "", []string{"Sec-Fetch-Site", "same-origin"}, 200},
			{"another site by the other header", "", []string{"Sec-Fetch-Site", "same-site"}, 403},
			{"foreign, and the other header lies", "https://evil.example", []string{"Sec-Fetch-Site", "same-origin"}, 403},
		} {
			ana.origin = tt.origin
			if got := ana.raw("PUT", "user-update", "application/json", []byte(`{"name":"Ana"}`), tt.headers...); got.status != tt.want {
				t.Errorf("%s = %d %s, want %d", tt.name, got.status, got.text, tt.want)
			}
		}
		ana.origin = ""
		ana.get("user").want(200)
		b.origin = "https://evil.example"
		b.post("login", obj{"email": ana.email, "password": goodPassword}).want(403)
		// What is answered with a cookie must say where it comes from as well.
		stranger := w.browser()
		stranger.origin = ""
		stranger.post("login", obj{"email": ana.email, "password": goodPassword}).want(403)
		stranger.post("logout", obj{}).want(403)
		stranger.raw("POST", "login", "application/json", []byte(`{"email":"`+ana.email+`","password":"`+goodPassword+`"}`), "Sec-Fetch-Site", "none").want(200)
	})
}

func TestUserUpdate_T18(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		second := w.browser()
		second.post("login", obj{"email": ana.email, "password": goodPassword}).want(200)
		ana.send("PUT", "user-update", obj{"name": "Ana Maria"}).says(200, obj{"id": ana.id, "name": "Ana Maria", "email": ana.email})
		ana.send("PUT", "user-update", obj{"name": ""}).says(400, obj{"name": list("This field may not be blank."), "error": list("name: This field may not be blank.")})
		ana.send("PUT", "user-update", obj{"password": "12345678"}).says(400, obj{"error": list("This password is too common.", "This password is entirely numeric.")})
		other := w.person()
		ana.send("PUT", "user-update", obj{"email": other.email}).says(400, obj{"email": list("user with this email already exists.")})
		// A new address counts when its mailbox has confirmed it, and ends the other
		// sessions, as a new password does; the owner is mailed.
		ana.send("PUT", "user-update", obj{"email": "new@example.com"}).says(200, obj{"id": ana.id, "name": "Ana Maria", "email": ana.email})
		second.get("user").says(403, unauthenticated)
		second.post("login", obj{"email": ana.email, "password": goodPassword}).want(200)
		ana.send("PUT", "user-update", obj{"password": "cu totul altă parolă"}).want(200)
		ana.get("user").want(200)
		second.get("user").says(403, unauthenticated)
		var mails int
		err := w.store.Reader().QueryRowContext(t.Context(), `SELECT count(*) FROM mail WHERE account_id = $1 AND kind = $2`, int64(ana.id), string(account.MailPasswordChanged)).Scan(&mails)
		if err != nil || mails != 1 {
			t.Errorf("%d mails about the password, %v", mails, err)
		}
		w.browser().send("PUT", "user-update", obj{"name": "x"}).says(403, obj{"detail": "Unauthenticated", "error": list("Unauthenticated")})
	})
}

func TestUserDelete(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		r := ana.send("DELETE", "user-delete", nil).want(200)
		if r.text != "" {
			t.Errorf("body = %q, want none", r.text)
		}
		ana.get("user").says(403, unauthenticated)
		ana.post("login", obj{"email": ana.email, "password": goodPassword}).want(403)
		w.browser().send("DELETE", "user-delete", nil).says(403, unauthenticated)
	})
}

// Methods that are not used answer as Django REST framework does; on the path
// that both APIs share, the other one is asked.
func TestMethods(t *testing.T) {
	each(t, func(w *world) {
		ana := w.person()
		r := ana.get("register").says(http.StatusMethodNotAllowed, obj{"detail": `Method "GET" not allowed.`, "error": list(`Method "GET" not allowed.`)})
		if r.header.Get("Allow") != "POST" {
			t.Errorf("Allow = %q", r.header.Get("Allow"))
		}
		ana.send("PUT", "user", obj{}).want(http.StatusTeapot)
		ana.get("register/").want(http.StatusTeapot)
	})
}
