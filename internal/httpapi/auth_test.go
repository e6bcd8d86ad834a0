package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

func TestRegister(t *testing.T) {
	each(t, func(w *world) {
		tests := []struct {
			name string
			body any
			want string
		}{
			{"nothing", obj{}, "name required, email required, password required"},
			{"null", obj{"name": nil, "email": nil, "password": nil}, "name null, email null, password null"},
			{"wrong types", obj{"name": 1, "email": true, "password": []int{}}, "name invalid, email invalid, password invalid"},
			{"blank", obj{"name": "  ", "email": "", "password": goodPassword}, "name blank, email blank"},
			{"no address", obj{"name": "Ana", "email": "ana", "password": goodPassword}, "email invalid"},
			{"unknown field", obj{"name": "Ana", "email": "ana@example.com", "password": goodPassword, "is_staff": true}, "is_staff unknown"},
			{"field in other case", obj{"Name": "Ana", "email": "ana@example.com", "password": goodPassword}, "Name unknown, name required"},
			{"every rule of passwords", obj{"name": "1234567", "email": "a@b.ro", "password": "1234567"}, "password password_too_similar, password password_too_short, password password_too_common, password password_entirely_numeric"},
			{"long password", obj{"name": "Ana", "email": "ana@example.com", "password": strings.Repeat("ă", 1025)}, "password max_length"},
			{"long name", obj{"name": strings.Repeat("ș", 256), "email": "ana@example.com", "password": goodPassword}, "name max_length"},
			{"control characters", obj{"name": "Ana\u0007", "email": "ana@example.com", "password": goodPassword}, "name invalid_characters"},
		}
		for i, tt := range tests {
			c := w.anyone()
			c.source = "203.0.113." + string(rune('1'+i%9)) + string(rune('0'+i/9)) // not throttled
			if got := c.post("/api/auth/register/", tt.body).errors(); got != tt.want {
				w.Errorf("%s: errors = %q, want %q", tt.name, got, tt.want)
			}
		}

		c := w.anyone()
		long := strings.Repeat("ș", 255)
		r := c.post("/api/auth/register/", obj{"name": long, "email": "Ana@Example.COM", "password": " spații la capete "}).want(201)
		if r.text("name") != long || r.text("email") != "Ana@example.com" || r.at("email_verified") != false || r.at("is_staff") != false {
			w.Errorf("registered %s", r.body)
		}
		for _, secret := range []string{"password", "hash"} {
			if strings.Contains(string(r.body), secret) {
				w.Errorf("the answer holds a %s: %s", secret, r.body)
			}
		}
		if got := c.post("/api/auth/register/", obj{"name": "B", "email": "ana@example.com", "password": goodPassword}).errors(); got != "email unique" {
			w.Errorf("a known address: errors = %q, want email unique", got)
		}
		// T2: the password counts exactly as it was sent.
		c.post("/api/auth/login/", obj{"email": "ana@example.com", "password": "spații la capete"}).want(401)
		c.post("/api/auth/login/", obj{"email": "ANA@example.com", "password": " spații la capete "}).want(200)
	})
}

func TestRegisterThrottle_T5(t *testing.T) {
	each(t, func(w *world) {
		c := w.anyone()
		for range 10 {
			c.post("/api/auth/register/", obj{}).want(400)
		}
		r := c.post("/api/auth/register/", obj{}).want(429)
		if r.header.Get("Retry-After") != "3600" {
			w.Errorf("Retry-After = %q, want the hour", r.header.Get("Retry-After"))
		}
		other := w.anyone()
		other.source = "192.0.2.99"
		other.post("/api/auth/register/", obj{}).want(400)
		w.clock.advance(time.Hour)
		c.post("/api/auth/register/", obj{}).want(400)
	})
}

func TestRegisterVerified_T5(t *testing.T) {
	each(t, func(w *world) {
		c := w.anyone()
		first := c.post("/api/auth/register/", obj{"name": "Ana", "email": "ana@example.com", "password": goodPassword}).want(202)
		again := c.post("/api/auth/register/", obj{"name": "Ion", "email": "ana@example.com", "password": goodPassword}).want(202)
		if len(first.body) != 0 || len(again.body) != 0 {
			w.Errorf("answers %q and %q tell something", first.body, again.body)
		}
		c.post("/api/auth/login/", obj{"email": "ana@example.com", "password": goodPassword}).want(401)
		mails := w.mails("ana@example.com")
		if len(mails) != 2 || mails[0].Kind != account.MailVerify || mails[1].Kind != account.MailAccountExists {
			w.Fatalf("mails = %+v, want one to verify and one that tells of the attempt", mails)
		}
		c.post("/api/auth/email/verify/", obj{"token": mails[0].Token}).want(204)
		c.post("/api/auth/login/", obj{"email": "ana@example.com", "password": goodPassword}).want(200)
	}, func(o *account.Options) { o.Registration = account.RegistrationVerified })
}

func TestRegisterClosed(t *testing.T) {
	each(t, func(w *world) {
		w.anyone().post("/api/auth/register/", obj{"name": "Ana", "email": "ana@example.com", "password": goodPassword}).want(403)
	}, func(o *account.Options) { o.Registration = account.RegistrationClosed })
}

func TestSignIn_T4(t *testing.T) {
	each(t, func(w *world) {
		known := w.person()
		c := w.anyone()
		wrong := c.post("/api/auth/login/", obj{"email": known.email, "password": "wrong password"}).want(401)
		unknown := c.post("/api/auth/login/", obj{"email": "nobody@example.com", "password": "wrong password"}).want(401)
		noAddress := c.post("/api/auth/login/", obj{"email": "no address", "password": "wrong password"}).want(401)
		if string(wrong.body) != string(unknown.body) || string(wrong.body) != string(noAddress.body) {
			w.Errorf("the answers differ:\n%s%s%s", wrong.body, unknown.body, noAddress.body)
		}
		if got := c.post("/api/auth/login/", obj{}).errors(); got != "email required, password required" {
			w.Errorf("errors = %q", got)
		}
		r := c.post("/api/auth/login/", obj{"email": known.email, "password": goodPassword}).want(200)
		if r.text("token_type") != "Bearer" || r.number("expires_in") != 86400 || int64(r.number("user", "id")) != known.id {
			w.Errorf("signed in: %s", r.body)
		}
		pair := c.post("/api/auth/token/", obj{"email": known.email, "password": goodPassword}).want(200)
		if len(pair.at().(map[string]any)) != 2 {
			w.Errorf("token/ = %s, want access and refresh alone", pair.body)
		}
		c.post("/api/auth/token/verify/", obj{"token": pair.text("access")}).want(200)
		c.post("/api/auth/token/verify/", obj{"token": pair.text("refresh")}).want(200)
		c.post("/api/auth/token/verify/", obj{"token": "x"}).want(401)
		if got := c.post("/api/auth/token/verify/", obj{}).errors(); got != "token required" {
			w.Errorf("errors = %q", got)
		}
	})
}

func TestGuessing_T6(t *testing.T) {
	each(t, func(w *world) {
		victim := w.person()
		attacker := w.anyone()
		guess := obj{"email": victim.email, "password": "a wrong guess"}
		for range 10 {
			attacker.post("/api/auth/login/", guess).want(401)
		}
		r := attacker.post("/api/auth/login/", guess).want(429)
		attacker.post("/api/auth/login/", obj{"email": victim.email, "password": goodPassword}).want(429)
		unknown := obj{"email": "nobody@example.com", "password": "a wrong guess"}
		for range 10 {
			attacker.post("/api/auth/login/", unknown).want(401)
		}
		same := attacker.post("/api/auth/login/", unknown).want(429)
		if string(r.body) != string(same.body) {
			w.Errorf("a throttled known account answers %s, an unknown one %s", r.body, same.body)
		}
		// The counters do not tell whom they count (promise P4).
		var telling int
		row := w.store.Reader().QueryRowContext(w.Context(), `SELECT count(*) FROM attempt WHERE key LIKE '%example%' OR key LIKE '%192.0%'`)
		if err := row.Scan(&telling); err != nil || telling != 0 {
			w.Errorf("%d counters tell whom they count, %v", telling, err)
		}
		// The owner elsewhere still gets in, and open sessions live on.
		victim.signIn()
		victim.get("/api/user/").want(200)
		w.clock.advance(15 * time.Minute)
		attacker.post("/api/auth/login/", guess).want(401)
	})
}

func TestRefresh_T16_T17(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		first := c.refresh
		r := c.post("/api/auth/token/refresh/", obj{"refresh": first}).want(200)
		second := r.text("refresh")
		if second == first {
			w.Fatal("the refresh token did not change")
		}
		// Crossing refreshes get the very same successor.
		w.clock.advance(9 * time.Second)
		if got := c.post("/api/auth/token/refresh/", obj{"refresh": first}).want(200).text("refresh"); got != second {
			w.Error("within the grace another successor was given")
		}
		c.access = r.text("access")
		c.get("/api/user/").want(200)
		// After the grace the old one ends the whole family.
		w.clock.advance(2 * time.Second)
		c.post("/api/auth/token/refresh/", obj{"refresh": first}).want(401)
		c.post("/api/auth/token/refresh/", obj{"refresh": second}).want(401)
		c.get("/api/user/").want(401)
		if got := c.post("/api/auth/token/refresh/", obj{}).errors(); got != "refresh required" {
			w.Errorf("errors = %q", got)
		}
	})
}

func TestLifeOfTokens_T14(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		w.clock.advance(24*time.Hour + 29*time.Second)
		c.get("/api/user/").want(200)
		w.clock.advance(2 * time.Second)
		c.get("/api/user/").want(401)
		r := c.post("/api/auth/token/refresh/", obj{"refresh": c.refresh}).want(200)
		// 60 days in all, however busy.
		refresh := r.text("refresh")
		for range 5 {
			w.clock.advance(11 * 24 * time.Hour)
			refresh = c.post("/api/auth/token/refresh/", obj{"refresh": refresh}).want(200).text("refresh")
		}
		w.clock.advance(5 * 24 * time.Hour)
		c.post("/api/auth/token/refresh/", obj{"refresh": refresh}).want(401)
		// 14 days idle.
		c.signIn()
		w.clock.advance(14*24*time.Hour + time.Second)
		c.post("/api/auth/token/refresh/", obj{"refresh": c.refresh}).want(401)
	})
}

func TestSessions_T15(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		other := &client{world: w, id: c.id, email: c.email, source: "203.0.113.9"}
		other.signIn()
		r := c.get("/api/auth/sessions/").want(200)
		if r.number("count") != 2 {
			w.Fatalf("sessions = %s, want two", r.body)
		}
		var mine, theirs float64
		for _, s := range r.at("results").([]any) {
			m := s.(map[string]any)
			if m["current"] == true {
				mine = m["id"].(float64)
			} else {
				theirs = m["id"].(float64)
				if m["address"] != "203.0.113.9" || m["device"] != "test client" {
					w.Errorf("session = %v", m)
				}
			}
		}
		stranger := w.person()
		stranger.delete("/api/auth/sessions/"+number(theirs)+"/", nil).want(404) // Z1
		c.delete("/api/auth/sessions/"+number(theirs)+"/", nil).want(204)
		other.get("/api/user/").want(401)
		c.delete("/api/auth/sessions/"+number(theirs)+"/", nil).want(404)
		c.get("/api/user/").want(200)

		r = other.post("/api/auth/login/", obj{"email": c.email, "password": goodPassword}, "User-Agent", "odd \xff\x00 client").want(200)
		other.access = r.text("access")
		other.post("/api/auth/logout/", nil).want(204)
		other.get("/api/user/").want(401)
		other.signIn()
		w.anyone().post("/api/auth/logout/", obj{"refresh": other.refresh}).want(204)
		other.get("/api/user/").want(401)
		other.access = ""
		other.post("/api/auth/logout/", nil).want(401)
		other.signIn()
		c.post("/api/auth/logout-all/", nil).want(204)
		for _, one := range []*client{c, other} {
			one.get("/api/user/").want(401)
			one.post("/api/auth/token/refresh/", obj{"refresh": one.refresh}).want(401)
		}
		_ = mine
	})
}

func TestPasswordChange_T18(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		other := &client{world: w, id: c.id, email: c.email, source: "203.0.113.9"}
		other.signIn()
		const fresh = "altă parolă la fel de bună"
		path := "/api/auth/password/change/"
		if got := c.post(path, obj{}).errors(); got != "new_password required, current_password required" {
			w.Errorf("errors = %q", got)
		}
		if got := c.post(path, obj{"current_password": goodPassword, "new_password": "12345"}).errors(); got != "new_password password_too_short, new_password password_too_common, new_password password_entirely_numeric" {
			w.Errorf("errors = %q", got)
		}
		r := c.post(path, obj{"current_password": "wrong", "new_password": fresh}).want(403)
		if r.text("type") != "reauthenticate" || r.fields() != "current_password incorrect" {
			w.Errorf("a wrong current password: %s", r.body)
		}
		c.post(path, obj{"current_password": goodPassword, "new_password": fresh}).want(204)
		c.get("/api/user/").want(200)
		other.get("/api/user/").want(401)
		c.post("/api/auth/login/", obj{"email": c.email, "password": goodPassword}).want(401)
		c.post("/api/auth/login/", obj{"email": c.email, "password": fresh}).want(200)
		if w.mailsOf(c.email, account.MailPasswordChanged) != 1 {
			w.Error("the owner was not told")
		}
	})
}

// TestParallelPasswordChanges_T18 gives one current password to three changes at
// once: it is the current password of one alone.
func TestParallelPasswordChanges_T18(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		var wg sync.WaitGroup
		var done atomic.Int32
		for i := range 3 {
			wg.Go(func() {
				r := c.post("/api/auth/password/change/", obj{"current_password": goodPassword, "new_password": fmt.Sprint("parola bună numărul ", i)})
				switch r.status {
				case http.StatusNoContent:
					done.Add(1)
				case http.StatusForbidden, http.StatusUnauthorized:
				default:
					w.Errorf("change %d = %d %s", i, r.status, r.body)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 {
			w.Errorf("%d changes went through, want 1", done.Load())
		}
	})
}

// mailsOf counts the mails of a kind to a mailbox.
func (w *world) mailsOf(address string, kind account.MailKind) int {
	n := 0
	for _, m := range w.mails(address) {
		if m.Kind == kind {
			n++
		}
	}
	return n
}

func TestPasswordReset_T9_T11(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		unknown := w.anyone().post("/api/auth/password/reset/", obj{"email": "nobody@example.com"}).want(202)
		known := w.anyone().post("/api/auth/password/reset/", obj{"email": strings.ToUpper(c.email)}).want(202)
		if len(unknown.body)+len(known.body) != 0 || len(unknown.header) != len(known.header) {
			w.Errorf("the answers differ: %v %q and %v %q", unknown.header, unknown.body, known.header, known.body)
		}
		if n := len(w.mails("nobody@example.com")); n != 0 {
			w.Errorf("%d mails to nobody", n)
		}
		token := w.token(c.email, account.MailReset)
		confirm := "/api/auth/password/reset/confirm/"
		const fresh = "altă parolă la fel de bună"
		if got := c.post(confirm, obj{"token": token, "new_password": "password"}).errors(); got != "new_password password_too_common" {
			w.Errorf("errors = %q", got)
		}
		wrong := c.post(confirm, obj{"token": "x", "new_password": fresh}).want(400)
		w.clock.advance(29 * time.Minute)
		c.post(confirm, obj{"token": token, "new_password": fresh}).want(204)
		used := c.post(confirm, obj{"token": token, "new_password": fresh}).want(400)
		if string(wrong.body) != string(used.body) {
			w.Errorf("a wrong token answers %s, a used one %s", wrong.body, used.body)
		}
		c.get("/api/user/").want(401) // every session ended
		r := c.post("/api/auth/login/", obj{"email": c.email, "password": fresh}).want(200)
		if r.at("user", "email_verified") != true {
			w.Error("a reset proves the address")
		}
		// Too old, and dead after a change of the password.
		c.post("/api/auth/password/reset/", obj{"email": c.email}).want(202)
		late := w.token(c.email, account.MailReset)
		w.clock.advance(31 * time.Minute)
		c.post(confirm, obj{"token": late, "new_password": goodPassword}).want(400)
		c.post("/api/auth/password/reset/", obj{"email": c.email}).want(202)
		dead := w.token(c.email, account.MailReset)
		c.access = c.post("/api/auth/login/", obj{"email": c.email, "password": fresh}).want(200).text("access")
		c.post("/api/auth/password/change/", obj{"current_password": fresh, "new_password": goodPassword}).want(204)
		c.post(confirm, obj{"token": dead, "new_password": fresh}).want(400)
	})
}

func TestMailQuota_Z8(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		w.mails(c.email)
		for range 8 {
			c.post("/api/auth/password/reset/", obj{"email": c.email}).want(202)
		}
		if n := len(w.mails(c.email)); n != 5 {
			w.Errorf("%d mails in an hour, want 5", n)
		}
	})
}

func TestVerifyEmail(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		first := w.token(c.email, account.MailVerify)
		c.post("/api/auth/email/verify/resend/", obj{"email": "nobody@example.com"}).want(202)
		c.post("/api/auth/email/verify/resend/", obj{"email": c.email}).want(202)
		second := w.token(c.email, account.MailVerifyIfUnproven)
		if got := c.post("/api/auth/email/verify/", obj{"token": "wrong"}).errors(); got != "token invalid" {
			w.Errorf("errors = %q", got)
		}
		// T13: a token for one purpose is none for another.
		c.post("/api/auth/password/reset/confirm/", obj{"token": first, "new_password": "altă parolă bună"}).want(400)
		c.post("/api/auth/email/verify/", obj{"token": first}).want(204)
		c.post("/api/auth/email/verify/", obj{"token": second}).want(400)
		if c.get("/api/user/").want(200).at("email_verified") != true {
			w.Error("the address is not verified")
		}
		c.post("/api/auth/email/verify/resend/", obj{"email": c.email}).want(202)
		if n := len(w.mails(c.email)); n != 0 {
			w.Errorf("%d mails to a proven address", n)
		}
	})
}

func TestCredentialPlaces_T20(t *testing.T) {
	each(t, func(w *world) {
		c := w.person()
		token := c.access
		c.access = ""
		for name, r := range map[string]*response{
			"query":        c.get("/api/user/?access_token=" + token + "&token=" + token),
			"cookie":       c.get("/api/user/", "Cookie", "jwt="+token+"; __Host-jwt="+token),
			"other scheme": c.get("/api/user/", "Authorization", "JWT "+token),
			"no scheme":    c.get("/api/user/", "Authorization", token),
			"basic":        c.get("/api/user/", "Authorization", "Basic "+token),
			"refresh":      c.get("/api/user/", "Authorization", "Bearer "+c.refresh),
			"two tokens":   c.get("/api/user/", "Authorization", "Bearer "+token+" "+token),
		} {
			if r.status != http.StatusUnauthorized {
				w.Errorf("credential by %s = %d, want 401", name, r.status)
			}
		}
		c.get("/api/user/", "Authorization", "bearer "+token).want(200)
	})
}
