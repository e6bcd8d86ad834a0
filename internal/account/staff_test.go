package account_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// office is a world with people of every sort.
type office struct {
	*world
	boss, second account.User // superusers
	clerk        account.User // staff
	driver       account.User
}

const (
	bossMail   = "sefa@example.com"
	secondMail = "sef@example.com"
	clerkMail  = "operator@example.com"
)

func newOffice(t *testing.T, s *store.Store) *office {
	t.Helper()
	o := &office{world: newWorld(t, s, func(o *account.Options) { o.Throttle = false })}
	var err error
	o.boss, err = o.CreateSuperuser(t.Context(), account.System(account.SourceCommand), "Maria Ene", bossMail, goodPass)
	must(t, err)
	o.second, err = o.CreateSuperuser(t.Context(), account.System(account.SourceCommand), "Radu Dan", secondMail, goodPass)
	must(t, err)
	o.clerk = o.register(clerkMail)
	o.driver = o.register(anaMail)
	must(t, o.revise(o.by(o.boss), o.clerk.ID, func(p *account.Profile) { p.Staff = true }))
	return o
}

// by is somebody at the admin site, as it makes them.
func (o *office) by(u account.User) account.Actor {
	return account.Actor{ID: u.ID, Source: account.SourceAdmin, Manages: true, Superuser: u.Superuser, Address: "198.51.100.7"}
}

func (o *office) revise(by account.Actor, id int64, change func(*account.Profile)) error {
	_, err := o.ReviseProfile(o.t.Context(), by, id, nil, func(p *account.Profile) fault.Fields {
		change(p)
		return nil
	})
	return err
}

func (o *office) profile(id int64) (account.User, account.Profile) {
	o.t.Helper()
	u, p, err := o.Profile(o.t.Context(), o.by(o.boss), id)
	must(o.t, err)
	return u, p
}

func (o *office) enter(email string) account.Credentials {
	o.t.Helper()
	c, err := o.SignIn(o.t.Context(), from("198.51.100.7"), account.SessionAdmin, email, goodPass)
	must(o.t, err)
	return c
}

// act is a row of the history.
type act struct {
	Actor, Owner    sql.NullInt64
	Source, Action  string
	Address, Change sql.NullString
}

func (w *world) acts(object string, id int64) []act {
	w.t.Helper()
	rows, err := w.store.Reader().QueryContext(w.t.Context(), `
		SELECT actor_id, owner_id, source, action, address, changes FROM history WHERE object_type = $1 AND object_id = $2 ORDER BY id`, object, id)
	must(w.t, err)
	defer rows.Close()
	var list []act
	for rows.Next() {
		var a act
		must(w.t, rows.Scan(&a.Actor, &a.Owner, &a.Source, &a.Action, &a.Address, &a.Change))
		list = append(list, a)
	}
	must(w.t, rows.Err())
	return list
}

// recorded checks that the last act on an object was by's, through the admin
// site, and returns what it changed.
func (o *office) recorded(by account.Actor, action, object string, id, owner int64) map[string][2]any {
	o.t.Helper()
	list := o.acts(object, id)
	if len(list) == 0 {
		o.t.Fatalf("nothing is recorded of %s %d", object, id)
	}
	got := list[len(list)-1]
	want := act{
		Actor: sql.NullInt64{Int64: by.ID, Valid: true}, Owner: sql.NullInt64{Int64: owner, Valid: owner != 0},
		Source: "admin", Action: action, Address: sql.NullString{String: by.Address, Valid: true}, Change: got.Change,
	}
	if got != want {
		o.t.Errorf("recorded of %s %d is %+v, want %+v", object, id, got, want)
	}
	var changes map[string][2]any
	must(o.t, json.Unmarshal([]byte(got.Change.String), &changes))
	return changes
}

func (o *office) count(text string, args ...any) int {
	o.t.Helper()
	var n int
	must(o.t, o.store.Reader().QueryRowContext(o.t.Context(), text, args...).Scan(&n))
	return n
}

func eachOffice(t *testing.T, test func(t *testing.T, o *office)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, newOffice(t, s)) })
}

func TestSignIn_AdminOnlyStaff_T4_Z6(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		steps := map[string][]string{}
		gone := o.register("gone@example.com")
		must(t, o.revise(o.by(o.boss), gone.ID, func(p *account.Profile) { p.Staff, p.Active = true, false }))
		for name, who := range map[string][2]string{
			"a driver": {anaMail, goodPass}, "nobody": {"nobody@example.com", goodPass}, "staff, wrongly": {clerkMail, newPass},
			"disabled staff": {"gone@example.com", goodPass},
		} {
			o.store.made = nil
			_, err := o.SignIn(t.Context(), from("192.0.2.1"), account.SessionAdmin, who[0], who[1])
			if fault.As(err) != account.ErrBadCredentials {
				t.Errorf("%s: %v, want the very %v", name, err, account.ErrBadCredentials)
			}
			steps[name] = o.store.made
		}
		for name, made := range steps {
			if want := []string{"UserByMailbox"}; !slices.Equal(made, want) {
				t.Errorf("%s: the store is asked for %v, want %v as for all", name, made, want)
			}
		}
		for _, email := range []string{clerkMail, bossMail} {
			c := o.enter(email)
			if c.Refresh != "" || c.Session.Kind != account.SessionAdmin {
				t.Errorf("%s enters with %+v, want an admin session without a refresh token", email, c)
			}
			p, err := o.Authenticate(t.Context(), account.SessionAdmin, c.Access)
			if err != nil || p.Session.ID != c.Session.ID {
				t.Errorf("Authenticate = %+v, %v", p, err)
			}
		}
		// Rights are read on each request, whatever became of the session.
		c := o.enter(clerkMail)
		o.exec(`UPDATE account SET is_staff = FALSE WHERE id = $1`, o.clerk.ID)
		_, err := o.Authenticate(t.Context(), account.SessionAdmin, c.Access)
		wantErr(t, "staff no longer", err, account.ErrUnauthenticated)
		_, err = o.store.CreateSession(t.Context(), c.Session, nil, o.hashOf(o.clerk.ID))
		wantErr(t, "a sign-in that was under way", err, account.ErrBadCredentials)
	})
}

func TestSignIn_AdminGuessing_B9_T6(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	_, err := w.CreateSuperuser(t.Context(), account.System(account.SourceCommand), "Maria", bossMail, goodPass)
	must(t, err)
	for i := range 10 {
		by := from("192.0.2.1")
		by.Manages = i%2 == 0 // however the site makes its actors
		_, err := w.SignIn(t.Context(), by, account.SessionAdmin, bossMail, newPass)
		wantErr(t, "a guess", err, account.ErrBadCredentials)
	}
	_, err = w.SignIn(t.Context(), from("192.0.2.1"), account.SessionAdmin, bossMail, goodPass)
	wantErr(t, "the 11th", err, fault.TooMany)
}

func TestSessionKinds_Z6(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		kinds := []account.SessionKind{account.SessionAPI, account.SessionLegacy, account.SessionAdmin}
		for _, made := range kinds {
			c, err := o.SignIn(t.Context(), from("192.0.2.1"), made, bossMail, goodPass)
			must(t, err)
			for _, door := range kinds {
				_, err := o.Authenticate(t.Context(), door, c.Access)
				if (err == nil) != (door == made) {
					t.Errorf("a token of %s at the door of %s: %v", made, door, err)
				}
			}
			if err := o.Verify(t.Context(), c.Access); (err == nil) != (made == account.SessionAPI) {
				t.Errorf("Verify of a token of %s: %v", made, err)
			}
			if made == account.SessionAPI {
				_, err = o.Authenticate(t.Context(), account.SessionAdmin, c.Refresh)
				wantErr(t, "a refresh token at the admin site", err, account.ErrUnauthenticated)
				continue
			}
			_, err = o.Refresh(t.Context(), c.Access)
			wantErr(t, "refreshing with an access token", err, account.ErrUnauthenticated)
		}
		// Even a refresh token that should not be there opens nothing.
		c := o.enter(bossMail)
		api := o.signIn(bossMail, goodPass)
		o.exec(`UPDATE refresh_token SET session_id = $1 WHERE session_id = $2`, c.Session.ID, api.Session.ID)
		wantErr(t, "verifying it", o.Verify(t.Context(), api.Refresh), account.ErrUnauthenticated)
		_, err := o.Refresh(t.Context(), api.Refresh)
		wantErr(t, "refreshing an admin session", err, account.ErrUnauthenticated)
	})
}

func TestLives_Admin_T14(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		in := func(c account.Credentials) error {
			_, err := o.Authenticate(t.Context(), account.SessionAdmin, c.Access)
			return err
		}
		stored := func(c account.Credentials) account.Session {
			p, err := o.store.Principal(t.Context(), c.Session.ID)
			must(t, err)
			return p.Session
		}
		idle := o.enter(clerkMail)
		if idle.ExpiresIn != 12*time.Hour {
			t.Errorf("an admin token lives %v, want 12 h", idle.ExpiresIn)
		}
		o.pass(30*time.Minute - time.Second)
		must(t, in(idle))
		o.pass(30*time.Minute - time.Second) // from the use on
		must(t, in(idle))
		o.pass(30 * time.Minute)
		wantErr(t, "after half an hour without use", in(idle), account.ErrUnauthenticated)

		// Use is written down once a minute.
		c := o.enter(clerkMail)
		o.pass(time.Minute)
		must(t, in(c))
		if got := stored(c); !got.LastUsedAt.Equal(c.Session.CreatedAt) {
			t.Errorf("within the minute the use was noted at %v", got.LastUsedAt)
		}
		o.pass(time.Second)
		must(t, in(c))
		if got := stored(c); !got.LastUsedAt.Equal(o.now()) || !got.IdleUntil.Equal(o.now().Add(30*time.Minute)) {
			t.Errorf("after the minute: used at %v, idle until %v, want now and half an hour", got.LastUsedAt, got.IdleUntil)
		}
		for o.now().Add(20 * time.Minute).Before(c.Session.ExpiresAt) {
			o.pass(20 * time.Minute)
			must(t, in(c))
			if got := stored(c); got.IdleUntil.After(got.ExpiresAt) {
				t.Fatalf("idle until %v, past the end at %v", got.IdleUntil, got.ExpiresAt)
			}
		}
		o.pass(c.Session.ExpiresAt.Sub(o.now()))
		wantErr(t, "after 12 h, however busy", in(c), account.ErrUnauthenticated)

		// Other kinds are renewed by refreshing, not by use.
		api := o.signIn(clerkMail, goodPass)
		o.pass(time.Hour)
		_, err := o.Authenticate(t.Context(), account.SessionAPI, api.Access)
		must(t, err)
		if got := stored(api); !got.IdleUntil.Equal(api.Session.IdleUntil) || !got.LastUsedAt.Equal(o.now()) {
			t.Errorf("use moved the idle time of an API session to %v", got.IdleUntil)
		}
		// A life of its own, shorter tokens of the API or not.
		short := newWorld(t, o.store.Store, func(op *account.Options) {
			op.AccessTTL, op.AdminTTL, op.AdminIdle = time.Minute, 2*time.Hour, time.Hour
		})
		s, err := short.SignIn(t.Context(), from("192.0.2.1"), account.SessionAdmin, clerkMail, goodPass)
		if err != nil || s.ExpiresIn != 2*time.Hour || !s.Session.IdleUntil.Equal(short.now().Add(time.Hour)) {
			t.Errorf("with its own settings a session is %+v, %v", s, err)
		}
	})
}

func TestConfirm_T6(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		c := o.enter(bossMail)
		by := o.by(o.boss)
		by.SessionID = c.Session.ID
		confirmed := func() bool {
			p, err := o.store.Principal(t.Context(), c.Session.ID)
			must(t, err)
			return p.Session.Confirmed(o.now())
		}
		o.pass(15 * time.Minute)
		if !confirmed() {
			t.Error("15 minutes after the sign-in the password counts no longer")
		}
		o.pass(time.Second)
		if confirmed() {
			t.Error("the sign-in counts longer than 15 minutes")
		}
		for _, pw := range []string{newPass, "", strings.Repeat("x", 2000)} {
			f := fault.As(o.Confirm(t.Context(), by, pw))
			if f == nil || f.Kind != fault.Reauthenticate || !f.Fields.Has("current_password") {
				t.Errorf("confirming with %.20q: %v", pw, f)
			}
		}
		if confirmed() {
			t.Error("a wrong password confirms")
		}
		must(t, o.Confirm(t.Context(), by, goodPass))
		o.pass(15 * time.Minute)
		if !confirmed() {
			t.Error("confirming does not last 15 minutes")
		}
		o.pass(time.Second)
		if confirmed() {
			t.Error("confirming lasts longer")
		}
		must(t, o.EndSession(t.Context(), by, c.Session.ID))
		wantErr(t, "confirming an ended session", o.Confirm(t.Context(), by, goodPass), account.ErrUnauthenticated)
		other := o.enter(clerkMail)
		by.SessionID = other.Session.ID
		wantErr(t, "confirming another's session", o.Confirm(t.Context(), by, goodPass), account.ErrUnauthenticated)

		// Guesses count, operator or not.
		strict := newWorld(t, o.store.Store, nil)
		for range 10 {
			wantErr(t, "a guess", strict.Confirm(t.Context(), by, newPass), fault.Reauthenticate)
		}
		wantErr(t, "the 11th", strict.Confirm(t.Context(), by, goodPass), fault.TooMany)
	})
}

func TestFormToken_B5(t *testing.T) {
	s := storetest.New(t)
	w := newWorld(t, s, nil)
	token := w.FormToken(7)
	rotated := newWorld(t, s, func(o *account.Options) { o.Secret, o.PreviousSecret = older, secret })
	foreign := newWorld(t, s, func(o *account.Options) { o.Secret = older })
	for name, tt := range map[string]struct {
		got, want bool
	}{
		"its own":                      {w.CheckFormToken(7, token), true},
		"another session's":            {w.CheckFormToken(8, token), false},
		"session 77 of session 7":      {w.CheckFormToken(77, token), false},
		"none":                         {w.CheckFormToken(7, ""), false},
		"a longer one":                 {w.CheckFormToken(7, token+"A"), false},
		"under the previous secret":    {rotated.CheckFormToken(7, token), true},
		"under the new secret":         {rotated.CheckFormToken(7, rotated.FormToken(7)), true},
		"under a secret of no concern": {foreign.CheckFormToken(7, token), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	if rotated.FormToken(7) == token {
		t.Error("a new secret makes the same tokens")
	}
}

func TestRevokeSession_T15_B9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		driver, clerk, boss := o.signIn(anaMail, goodPass), o.enter(clerkMail), o.enter(bossMail)
		by := o.by(o.clerk)
		wantErr(t, "a driver ends another's session", o.RevokeSession(t.Context(), as(driver), clerk.Session.ID), account.ErrSessionNotFound)
		wantErr(t, "no session", o.RevokeSession(t.Context(), by, 999), account.ErrSessionNotFound)
		wantErr(t, "staff ends a superuser's session", o.RevokeSession(t.Context(), by, boss.Session.ID), fault.Forbidden)
		must(t, o.RevokeSession(t.Context(), by, driver.Session.ID))
		o.recorded(by, "end", "session", driver.Session.ID, o.driver.ID)
		_, err := o.Authenticate(t.Context(), account.SessionAPI, driver.Access)
		wantErr(t, "the ended session", err, account.ErrUnauthenticated)
		_, err = o.Refresh(t.Context(), driver.Refresh)
		wantErr(t, "its refresh token", err, account.ErrUnauthenticated)
		wantErr(t, "ending it again", o.RevokeSession(t.Context(), by, driver.Session.ID), account.ErrSessionNotFound)
		must(t, o.RevokeSession(t.Context(), by, clerk.Session.ID)) // their own
		must(t, o.RevokeSession(t.Context(), o.by(o.second), boss.Session.ID))
		if n := len(o.acts("session", boss.Session.ID)); n != 1 {
			t.Errorf("%d acts on the boss's session are recorded, want 1", n)
		}
	})
}

func TestProfile_OnlyOperators(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		outsider := account.Actor{ID: o.driver.ID, Source: account.SourceAPI, For: o.clerk.ID, Superuser: true}
		_, _, err := o.Profile(t.Context(), outsider, o.clerk.ID)
		wantErr(t, "reading", err, account.ErrNotFound)
		_, err = o.CreateProfile(t.Context(), outsider, account.Profile{Name: "B", Email: "b@example.com"}, "", nil)
		wantErr(t, "creating", err, fault.Forbidden)
		wantErr(t, "changing", o.revise(outsider, o.clerk.ID, func(p *account.Profile) { p.Name = "B" }), account.ErrNotFound)
		wantErr(t, "erasing", o.Erase(t.Context(), outsider, o.clerk.ID, nil), account.ErrNotFound)
		wantErr(t, "a password", o.SetPasswordOf(t.Context(), outsider, o.clerk.ID, newPass, nil), account.ErrNotFound)
		wantErr(t, "a reset", o.SendReset(t.Context(), outsider, o.clerk.ID), account.ErrNotFound)
		wantErr(t, "a verification", o.SendVerification(t.Context(), outsider, o.clerk.ID), account.ErrNotFound)
		wantErr(t, "a mail", o.SendAgain(t.Context(), outsider, 1), account.ErrMailNotFound)
		_, err = o.Group(t.Context(), outsider, 1)
		wantErr(t, "a group", err, account.ErrGroupNotFound)
		_, err = o.Groups(t.Context(), outsider)
		wantErr(t, "groups", err, fault.Forbidden)
		_, err = o.CreateGroup(t.Context(), outsider, account.GroupDetails{Name: "g"}, nil)
		wantErr(t, "a new group", err, fault.Forbidden)
		_, _, err = o.Profile(t.Context(), o.by(o.clerk), 999)
		wantErr(t, "an account that is not there", err, account.ErrNotFound)
	})
}

func TestCreateProfile_T3_B8_B9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by := o.by(o.clerk)
		// With a password: it works at once; the address is to be proven.
		u, err := o.CreateProfile(t.Context(), by, account.Profile{Name: " Ion Ene ", Email: "Ion@Example.com", Active: true}, newPass, nil)
		must(t, err)
		changes := o.recorded(by, "create", "user", u.ID, u.ID)
		if want := [2]any{nil, "Ion Ene"}; changes["name"] != want {
			t.Errorf("recorded is %v", changes)
		}
		o.signIn("ion@example.com", newPass)
		if out := o.mailed(account.MailVerify); out.Address != "Ion@example.com" || out.Token == "" {
			t.Errorf("the mail of a new account is %+v", out)
		}
		// Without: nothing opens it but a reset mail.
		u, err = o.CreateProfile(t.Context(), by, account.Profile{Name: "Dan", Email: "dan@example.com", Active: true, Verified: true}, "", nil)
		must(t, err)
		for _, pw := range []string{"", "!", goodPass} {
			_, err = o.SignIn(t.Context(), from("192.0.2.1"), account.SessionAPI, "dan@example.com", pw)
			wantErr(t, "signing in without a password", err, account.ErrBadCredentials)
		}
		if n := o.count(`SELECT count(*) FROM mail WHERE account_id = $1`, u.ID); n != 1 || !u.Verified() {
			t.Errorf("%d mails go to somebody vouched for (%v), want the reset", n, u.Verified())
		}
		must(t, o.ConfirmReset(t.Context(), from("192.0.2.1"), o.mailed(account.MailReset).Token, newPass, nil))
		o.signIn("dan@example.com", newPass)

		// All that is wrong, at once.
		bad := fault.Fields{}
		bad.Add("is_active", "invalid", "Not a boolean.")
		_, err = o.CreateProfile(t.Context(), o.by(o.boss), account.Profile{Name: " ", Email: strings.ToUpper(anaMail), Groups: []int64{99}}, "12345678", bad)
		f := fault.As(err)
		for _, field := range []string{"is_active", "name", "email", "password", "groups"} {
			if f == nil || !f.Fields.Has(field) {
				t.Errorf("%s is not refused: %v", field, err)
			}
		}
		_, err = o.CreateProfile(t.Context(), by, account.Profile{Name: "X", Email: "", Active: true}, newPass, nil)
		wantErr(t, "no address", err, fault.Invalid)
	})
}

// history fields carry the names of the profile.
func TestReviseProfile_B9_D5(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		boss := o.by(o.boss)
		g, err := o.CreateGroup(t.Context(), boss, account.GroupDetails{Name: "Moderatori"}, nil)
		must(t, err)
		before, p := o.profile(o.driver.ID)
		if want := (account.Profile{Name: "Ana Pop", Email: anaMail, Active: true, Groups: []int64{}}); !reflect.DeepEqual(p, want) {
			t.Errorf("the profile is %+v, want %+v", p, want)
		}
		u, err := o.ReviseProfile(t.Context(), boss, o.driver.ID, account.AtVersion(before.Version), func(p *account.Profile) fault.Fields {
			p.Name, p.Superuser, p.Groups = "Ana Pop-Ene", true, []int64{g.ID, g.ID}
			return nil
		})
		if err != nil || u.Version != before.Version+1 || !u.Staff || !u.Superuser {
			t.Fatalf("ReviseProfile = %+v, %v", u, err)
		}
		want := map[string][2]any{
			"name": {"Ana Pop", "Ana Pop-Ene"}, "is_staff": {false, true}, "is_superuser": {false, true}, "groups": {[]any{}, []any{float64(g.ID)}},
		}
		if got := o.recorded(boss, "update", "user", o.driver.ID, o.driver.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("recorded is %v, want %v", got, want)
		}
		if _, p := o.profile(o.driver.ID); !slices.Equal(p.Groups, []int64{g.ID}) {
			t.Errorf("the groups are %v", p.Groups)
		}
		// Groups alone are a change of the account as well.
		again, err := o.ReviseProfile(t.Context(), boss, o.driver.ID, nil, func(p *account.Profile) fault.Fields { p.Groups = nil; return nil })
		if err != nil || again.Version != u.Version+1 {
			t.Errorf("without groups: version %d after %d, %v", again.Version, u.Version, err)
		}
		if got, want := o.recorded(boss, "update", "user", o.driver.ID, o.driver.ID), (map[string][2]any{"groups": {[]any{float64(g.ID)}, []any{}}}); !reflect.DeepEqual(got, want) {
			t.Errorf("recorded is %v, want %v", got, want)
		}
		// Nothing changed is nothing written; what was not seen is not overwritten.
		n := len(o.acts("user", o.driver.ID))
		must(t, o.revise(boss, o.driver.ID, func(*account.Profile) {}))
		_, err = o.ReviseProfile(t.Context(), boss, o.driver.ID, account.AtVersion(before.Version), func(p *account.Profile) fault.Fields {
			p.Name = "X"
			return nil
		})
		wantErr(t, "a version seen earlier", err, account.ErrStale)
		// All that is wrong, at once.
		_, err = o.ReviseProfile(t.Context(), boss, o.driver.ID, nil, func(p *account.Profile) fault.Fields {
			p.Name, p.Email, p.Groups = "", bossMail, []int64{99}
			return fault.Fields{{Field: "is_active", Code: "invalid", Message: "Not a boolean."}}
		})
		for _, field := range []string{"is_active", "name", "email", "groups"} {
			if f := fault.As(err); f == nil || !f.Fields.Has(field) {
				t.Errorf("%s is not refused: %v", field, err)
			}
		}
		if got := len(o.acts("user", o.driver.ID)); got != n {
			t.Errorf("%d acts are recorded of no change", got-n)
		}
		// What the older backend took may stay as long as nobody touches it.
		o.exec(`UPDATE account SET name = '', email = NULL, email_key = NULL WHERE id = $1`, o.driver.ID)
		must(t, o.SetActive(t.Context(), boss, o.driver.ID, false))
		wantErr(t, "an address that is none", o.revise(boss, o.driver.ID, func(p *account.Profile) { p.Email = "x" }), fault.Invalid)
		must(t, o.revise(boss, o.driver.ID, func(p *account.Profile) { p.Email = anaMail }))
	})
}

func TestReviseProfile_Address_T8_T9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by := o.by(o.clerk)
		must(t, o.revise(by, o.driver.ID, func(p *account.Profile) { p.Verified = true }))
		if u, _ := o.profile(o.driver.ID); !u.Verified() {
			t.Error("the operator's word does not count")
		}
		must(t, o.SendReset(t.Context(), by, o.driver.ID))
		reset := o.mailed(account.MailReset)
		must(t, o.revise(by, o.driver.ID, func(p *account.Profile) { p.Email = "noua@example.com" }))
		u, _ := o.profile(o.driver.ID)
		if u.Email != "noua@example.com" || u.Verified() {
			t.Errorf("after the change: %+v, want the new address, unproven", u)
		}
		if out := o.mailed(account.MailAddressChanged); out.Address != anaMail || out.Other != "noua@example.com" {
			t.Errorf("the old address is told %+v", out)
		}
		wantErr(t, "a link from before", o.ConfirmReset(t.Context(), from("192.0.2.1"), reset.Token, newPass, nil), account.ErrBadToken)
		must(t, o.ConfirmAddress(t.Context(), from("192.0.2.1"), o.mailed(account.MailVerify).Token))
		if u, _ := o.profile(o.driver.ID); !u.Verified() {
			t.Error("the mail to the new address proves nothing")
		}
		// A form sends the tick that it was filled with: that is nobody's word for
		// another address.
		must(t, o.revise(by, o.driver.ID, func(p *account.Profile) { p.Email, p.Verified = "alta@example.com", true }))
		if u, _ := o.profile(o.driver.ID); u.Verified() {
			t.Error("the proof of the old address counts for the new one")
		}
		n := o.count(`SELECT count(*) FROM mail WHERE kind = 'verify_address'`)
		must(t, o.revise(by, o.driver.ID, func(p *account.Profile) { p.Email, p.Verified = "a3a@example.com", true }))
		if u, _ := o.profile(o.driver.ID); !u.Verified() || o.count(`SELECT count(*) FROM mail WHERE kind = 'verify_address'`) != n {
			t.Error("an operator cannot vouch for an address")
		}
		must(t, o.revise(by, o.driver.ID, func(p *account.Profile) { p.Verified = false }))
		if u, _ := o.profile(o.driver.ID); u.Verified() {
			t.Error("an operator cannot take a proof back")
		}
	})
}

func TestReviseProfile_Effects_B10(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by := o.by(o.clerk)
		c := o.signIn(anaMail, goodPass)
		must(t, o.SendReset(t.Context(), by, o.driver.ID))
		reset := o.mailed(account.MailReset)
		must(t, o.SetActive(t.Context(), by, o.driver.ID, false))
		_, err := o.Authenticate(t.Context(), account.SessionAPI, c.Access)
		wantErr(t, "a session of a disabled account", err, account.ErrUnauthenticated)
		must(t, o.SetActive(t.Context(), by, o.driver.ID, true))
		if changes := o.recorded(by, "update", "user", o.driver.ID, o.driver.ID); !reflect.DeepEqual(changes, map[string][2]any{"is_active": {false, true}}) {
			t.Errorf("recorded is %v", changes)
		}
		_, err = o.Authenticate(t.Context(), account.SessionAPI, c.Access)
		wantErr(t, "a session of before", err, account.ErrUnauthenticated)
		wantErr(t, "a link of before", o.ConfirmReset(t.Context(), from("192.0.2.1"), reset.Token, newPass, nil), account.ErrBadToken)

		// Who loses a right is out of the admin site, and nowhere else.
		for name, demote := range map[string]func(*account.Profile){
			"staff": func(p *account.Profile) { p.Staff, p.Superuser = false, false }, "superuser": func(p *account.Profile) { p.Superuser = false },
		} {
			admin, api := o.enter(secondMail), o.signIn(secondMail, goodPass)
			must(t, o.revise(o.by(o.boss), o.second.ID, demote))
			must(t, o.revise(o.by(o.boss), o.second.ID, func(p *account.Profile) { p.Superuser = true }))
			_, err = o.Authenticate(t.Context(), account.SessionAdmin, admin.Access)
			wantErr(t, "the admin session of one who lost "+name, err, account.ErrUnauthenticated)
			_, err = o.Authenticate(t.Context(), account.SessionAPI, api.Access)
			must(t, err)
		}
	})
}

// Nobody gets more by acting on others, or through groups, than they were given.
func TestEscalation_Z6(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		ctx, by, boss := t.Context(), o.by(o.clerk), o.by(o.boss)
		g, err := o.CreateGroup(ctx, boss, account.GroupDetails{Name: "Toate", Permissions: []string{"users:change", "groups:change"}}, nil)
		must(t, err)
		must(t, o.revise(boss, o.clerk.ID, func(p *account.Profile) { p.Groups = []int64{g.ID} }))
		seen := dump(t, o.store.Store)
		set := func(change func(*account.Profile)) func(int64) error {
			return func(id int64) error { return o.revise(by, id, change) }
		}
		for name, tt := range map[string]struct {
			do func(id int64) error
			of []account.User
		}{
			"name":       {set(func(p *account.Profile) { p.Name = "X" }), []account.User{o.boss, o.clerk}},
			"address":    {set(func(p *account.Profile) { p.Email = "x@example.com" }), []account.User{o.boss, o.clerk}},
			"verified":   {set(func(p *account.Profile) { p.Verified = !p.Verified }), []account.User{o.boss, o.clerk}},
			"deactivate": {func(id int64) error { return o.SetActive(ctx, by, id, false) }, []account.User{o.boss, o.clerk}},
			"staff":      {set(func(p *account.Profile) { p.Staff = !p.Staff }), []account.User{o.clerk, o.driver}},
			"superuser":  {set(func(p *account.Profile) { p.Superuser = !p.Superuser }), []account.User{o.boss, o.clerk, o.driver}},
			"groups":     {set(func(p *account.Profile) { p.Groups = append([]int64{g.ID + 1}, p.Groups...) }), []account.User{o.boss, o.clerk, o.driver}},
			"password":   {func(id int64) error { return o.SetPasswordOf(ctx, by, id, newPass, nil) }, []account.User{o.boss, o.clerk, o.driver}},
			"reset":      {func(id int64) error { return o.SendReset(ctx, by, id) }, []account.User{o.boss, o.clerk}},
			"erase":      {func(id int64) error { return o.Erase(ctx, by, id, nil) }, []account.User{o.boss, o.clerk}},
			"settings": {func(id int64) error {
				by := by
				by.For = id
				_, err := o.ReviseSettings(ctx, by, nil, func(s *account.Settings) fault.Fields { s.Theme = "dark"; return nil }, nil)
				return err
			}, []account.User{o.boss}},
			"a group": {func(int64) error {
				_, err := o.ReviseGroup(ctx, by, g.ID, nil, func(d *account.GroupDetails) fault.Fields {
					d.Permissions = append(d.Permissions, "history:view")
					return nil
				})
				return err
			}, []account.User{o.clerk}},
			"a new group": {func(int64) error {
				_, err := o.CreateGroup(ctx, by, account.GroupDetails{Name: "X"}, nil)
				return err
			}, []account.User{o.clerk}},
			"no group": {func(int64) error { return o.DeleteGroup(ctx, by, g.ID, nil) }, []account.User{o.clerk}},
			"a new superuser": {func(int64) error {
				_, err := o.CreateProfile(ctx, by, account.Profile{Name: "X", Email: "x@example.com", Superuser: true}, newPass, nil)
				return err
			}, []account.User{o.clerk}},
			"a new member": {func(int64) error {
				_, err := o.CreateProfile(ctx, by, account.Profile{Name: "X", Email: "x@example.com", Groups: []int64{g.ID}}, newPass, nil)
				return err
			}, []account.User{o.clerk}},
		} {
			for _, u := range tt.of {
				if err := tt.do(u.ID); !errors.Is(err, fault.Forbidden) {
					t.Errorf("staff, %s of %s: %v, want %v", name, u.Name, err, fault.Forbidden)
				}
			}
		}
		if after := dump(t, o.store.Store); !reflect.DeepEqual(after, seen) {
			t.Error("what was refused has left something behind")
		}
		// What stays as it is needs no right.
		must(t, o.revise(by, o.boss.ID, func(*account.Profile) {}))
		must(t, o.revise(by, o.driver.ID, func(p *account.Profile) { p.Name, p.Staff, p.Groups = "Ana", false, []int64{} }))
	})
}

func TestSelf_B9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by := o.by(o.boss)
		for name, err := range map[string]error{
			"deactivating": o.SetActive(t.Context(), by, o.boss.ID, false),
			"not staff":    o.revise(by, o.boss.ID, func(p *account.Profile) { p.Staff, p.Superuser = false, false }),
			"no superuser": o.revise(by, o.boss.ID, func(p *account.Profile) { p.Superuser = false }),
			"erasing":      o.Erase(t.Context(), by, o.boss.ID, nil),
		} {
			wantErr(t, name+" oneself", err, fault.Conflict)
		}
		must(t, o.revise(by, o.boss.ID, func(p *account.Profile) { p.Name = "Maria" }))
		// Their own password: the session that asks stays.
		c := o.enter(bossMail)
		other := o.enter(bossMail)
		by.SessionID = c.Session.ID
		must(t, o.SetPasswordOf(t.Context(), by, o.boss.ID, newPass, nil))
		_, err := o.Authenticate(t.Context(), account.SessionAdmin, c.Access)
		must(t, err)
		_, err = o.Authenticate(t.Context(), account.SessionAdmin, other.Access)
		wantErr(t, "another session", err, account.ErrUnauthenticated)
	})
}

func TestLastSuperuser_B9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		system := account.System(account.SourceCommand)
		demote := func(p *account.Profile) { p.Superuser = false }
		must(t, o.SetActive(t.Context(), o.by(o.boss), o.second.ID, false)) // who is inactive counts for nothing
		wantErr(t, "demoting the last one", o.revise(system, o.boss.ID, demote), fault.Conflict)
		wantErr(t, "deactivating the last one", o.SetActive(t.Context(), system, o.boss.ID, false), fault.Conflict)
		wantErr(t, "erasing the last one", o.Erase(t.Context(), system, o.boss.ID, nil), fault.Conflict)
		must(t, o.revise(system, o.second.ID, demote)) // inactive: nothing is lost
		must(t, o.revise(system, o.second.ID, func(p *account.Profile) { p.Active, p.Superuser = true, true }))
		must(t, o.Erase(t.Context(), system, o.boss.ID, nil))
		wantErr(t, "the other is the last one now", o.revise(system, o.second.ID, demote), fault.Conflict)
	})
}

// Two superusers who take the right from one another at once: one of them stays.
func TestRaceLastSuperuser_D4(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		people := []account.User{o.boss, o.second}
		acts := map[string]func(by account.Actor, id int64) error{
			"demote": func(by account.Actor, id int64) error {
				return o.revise(by, id, func(p *account.Profile) { p.Superuser = false })
			},
			"deactivate": func(by account.Actor, id int64) error { return o.SetActive(t.Context(), by, id, false) },
			"erase":      func(by account.Actor, id int64) error { return o.Erase(t.Context(), by, id, nil) },
		}
		for i, name := range []string{"demote", "deactivate", "demote", "deactivate", "erase"} {
			o.exec(`UPDATE account SET is_superuser = TRUE, is_staff = TRUE, is_active = TRUE WHERE id IN ($1, $2)`, o.boss.ID, o.second.ID)
			errs := make([]error, 2)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for n := range errs {
				wg.Go(func() {
					<-start
					errs[n] = acts[name](o.by(people[n]), people[1-n].ID)
				})
			}
			close(start)
			wg.Wait()
			lost := 0
			for _, err := range errs {
				// Late comers may find the other without the account, or themselves.
				if errors.Is(err, fault.Conflict) || errors.Is(err, fault.NotFound) {
					lost++
				} else if err != nil {
					t.Errorf("round %d, %s: %v", i, name, err)
				}
			}
			if n := o.count(`SELECT count(*) FROM account WHERE is_superuser AND is_active`); lost != 1 || n != 1 {
				t.Errorf("round %d, %s: %v, and %d superusers are left, want one refused and one left", i, name, errs, n)
			}
		}
	})
}

func TestSetPasswordOf_T3_B8(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by := o.by(o.boss)
		c := o.signIn(anaMail, goodPass)
		f := fault.As(o.SetPasswordOf(t.Context(), by, o.driver.ID, "12345678", nil))
		if f == nil || !f.Fields.Has("password") {
			t.Errorf("a bad password: %v", f)
		}
		must(t, o.SetPasswordOf(t.Context(), by, o.driver.ID, newPass, nil))
		if got, want := o.recorded(by, "update", "user", o.driver.ID, o.driver.ID), (map[string][2]any{"password": {"…", "…"}}); !reflect.DeepEqual(got, want) {
			t.Errorf("recorded is %v, want %v", got, want)
		}
		if out := o.mailed(account.MailPasswordChanged); out.Address != anaMail {
			t.Errorf("the owner is told at %q", out.Address)
		}
		_, err := o.Authenticate(t.Context(), account.SessionAPI, c.Access)
		wantErr(t, "a session of before", err, account.ErrUnauthenticated)
		o.signIn(anaMail, newPass)
	})
}

func TestSendMails_B8_Z8(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by := o.by(o.clerk)
		must(t, o.SendReset(t.Context(), by, o.driver.ID))
		o.recorded(by, "send_reset", "user", o.driver.ID, o.driver.ID)
		if out := o.mailed(account.MailReset); out.Address != anaMail || out.Token == "" {
			t.Errorf("the reset is %+v", out)
		}
		must(t, o.SendVerification(t.Context(), by, o.driver.ID))
		o.recorded(by, "send_verification", "user", o.driver.ID, o.driver.ID)
		if out := o.mailed(account.MailVerifyIfUnproven); out.Address != anaMail || out.Token == "" {
			t.Errorf("the verification is %+v", out)
		}
		for range 4 {
			must(t, o.SendReset(t.Context(), by, o.driver.ID))
			must(t, o.SendVerification(t.Context(), by, o.driver.ID))
		}
		n := len(o.acts("user", o.driver.ID))
		wantErr(t, "the sixth mail of the hour", o.SendReset(t.Context(), by, o.driver.ID), fault.TooMany)
		wantErr(t, "of the other purpose", o.SendVerification(t.Context(), by, o.driver.ID), fault.TooMany)
		o.pass(time.Hour)
		must(t, o.SendReset(t.Context(), by, o.driver.ID))
		if got := len(o.acts("user", o.driver.ID)); got != n+1 {
			t.Errorf("%d acts were recorded, want 1: what was refused leaves nothing", got-n)
		}
		must(t, o.SendReset(t.Context(), o.by(o.boss), o.clerk.ID))
		wantErr(t, "proving what is proven", o.SendVerification(t.Context(), by, o.boss.ID), fault.Conflict)
		must(t, o.SetActive(t.Context(), by, o.driver.ID, false))
		wantErr(t, "a disabled account", o.SendReset(t.Context(), by, o.driver.ID), fault.Conflict)
		o.exec(`UPDATE account SET email = NULL, email_key = NULL, is_active = TRUE WHERE id = $1`, o.driver.ID)
		wantErr(t, "a reset to nowhere", o.SendReset(t.Context(), by, o.driver.ID), fault.Conflict)
		wantErr(t, "a verification of nothing", o.SendVerification(t.Context(), by, o.driver.ID), fault.Conflict)
		wantErr(t, "nobody", o.SendReset(t.Context(), by, 999), account.ErrNotFound)
	})
}

func TestErase_B10_D13(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by, boss := o.by(o.clerk), o.by(o.boss)
		c := o.signIn(anaMail, goodPass)
		g, err := o.CreateGroup(t.Context(), boss, account.GroupDetails{Name: "G"}, nil)
		must(t, err)
		must(t, o.revise(boss, o.driver.ID, func(p *account.Profile) { p.Groups = []int64{g.ID} }))
		must(t, o.RevokeSession(t.Context(), boss, c.Session.ID))
		wantErr(t, "a version seen earlier", o.Erase(t.Context(), by, o.driver.ID, account.AtVersion(1)), account.ErrStale)
		must(t, o.Erase(t.Context(), by, o.driver.ID, nil))
		list := o.acts("user", o.driver.ID)
		last := list[len(list)-1]
		if last.Action != "delete" || last.Actor.Int64 != o.clerk.ID || last.Source != "admin" || last.Address.String != by.Address {
			t.Errorf("the erasure is recorded as %+v", last)
		}
		for _, a := range append(list[:len(list)-1], o.acts("session", c.Session.ID)...) {
			if a.Address.Valid || a.Change.Valid {
				t.Errorf("the history still holds %+v", a)
			}
		}
		for _, table := range []string{"staff_group_member", "session", "mailed_token"} {
			if n := o.count(`SELECT count(*) FROM `+table+` WHERE account_id = $1`, o.driver.ID); n != 0 {
				t.Errorf("%d rows are left of %s", n, table)
			}
		}
		if n := o.count(`SELECT count(*) FROM erased_account WHERE account_id = $1`, o.driver.ID); n != 1 {
			t.Error("the number is not on the list of the erased")
		}
		if out := o.mailed(account.MailAccountDeleted); out.Address != anaMail || out.Name != "Ana Pop" {
			t.Errorf("the farewell is %+v", out)
		}
		wantErr(t, "once more", o.Erase(t.Context(), by, o.driver.ID, nil), account.ErrNotFound)
		// An operator who goes leaves no address behind.
		must(t, o.Erase(t.Context(), boss, o.clerk.ID, nil))
		if n := o.count(`SELECT count(*) FROM history WHERE actor_id = $1 AND address IS NOT NULL`, o.clerk.ID); n != 0 {
			t.Errorf("%d rows of history still hold the operator's address", n)
		}
	})
}

func TestGroups_Z6_B9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		ctx, by := t.Context(), o.by(o.boss)
		g, err := o.CreateGroup(ctx, by, account.GroupDetails{Name: " Țară ", Permissions: []string{"users:view", "posts:view", "posts:change", "posts:view"}}, nil)
		must(t, err)
		want := account.GroupDetails{Name: "Țară", Permissions: []string{"posts:change", "posts:view", "users:view"}}
		if !reflect.DeepEqual(g.GroupDetails, want) || g.Version != 1 || g.ID == 0 {
			t.Errorf("CreateGroup = %+v, want %+v", g, want)
		}
		o.recorded(by, "create", "group", g.ID, 0)
		must(t, o.revise(by, o.clerk.ID, func(p *account.Profile) { p.Groups = []int64{g.ID} }))
		got, err := o.Group(ctx, by, g.ID)
		g.Members = 1
		if err != nil || !reflect.DeepEqual(got, g) {
			t.Errorf("Group = %+v, %v, want %+v", got, err, g)
		}
		_, err = o.CreateGroup(ctx, by, account.GroupDetails{Name: "Țară"}, nil)
		wantErr(t, "the name again", err, account.ErrGroupTaken)
		_, err = o.CreateGroup(ctx, by, account.GroupDetails{Permissions: []string{"posts:everything", "", "Posts:view", "posts"}}, nil)
		if f := fault.As(err); f == nil || !f.Fields.Has("name") || !f.Fields.Has("permissions") {
			t.Errorf("a bad group: %v", err)
		}
		z, err := o.CreateGroup(ctx, by, account.GroupDetails{Name: "Ștefan"}, nil)
		must(t, err)
		a, err := o.CreateGroup(ctx, by, account.GroupDetails{Name: "zi"}, nil)
		must(t, err)
		list, err := o.Groups(ctx, o.by(o.clerk))
		must(t, err)
		if len(list) != 3 || list[0].ID != z.ID || list[1].ID != g.ID || list[2].ID != a.ID || !slices.Equal(list[1].Permissions, want.Permissions) || list[0].Permissions == nil {
			t.Errorf("Groups = %+v", list)
		}

		may := func(u account.User, action, resource string) bool {
			u, _ = o.profile(u.ID)
			p, err := o.Permissions(ctx, u)
			must(t, err)
			return p.May(action, resource)
		}
		for _, tt := range []struct {
			who              account.User
			action, resource string
			want             bool
		}{
			{o.clerk, "view", "posts", true},
			{o.clerk, "change", "posts", true},
			{o.clerk, "delete", "posts", false},
			{o.clerk, "view", "history", false},
			{o.boss, "delete", "history", true},
			{o.driver, "view", "posts", false},
		} {
			if got := may(tt.who, tt.action, tt.resource); got != tt.want {
				t.Errorf("%s may %s %s: %v, want %v", tt.who.Name, tt.action, tt.resource, got, tt.want)
			}
		}
		must(t, o.revise(by, o.driver.ID, func(p *account.Profile) { p.Groups = []int64{g.ID} }))
		if may(o.driver, "view", "posts") {
			t.Error("a group lets somebody in who is no staff")
		}

		g, err = o.ReviseGroup(ctx, by, g.ID, account.AtVersion(1), func(d *account.GroupDetails) fault.Fields {
			d.Permissions = []string{"users:view"}
			return nil
		})
		if err != nil || g.Version != 2 || may(o.clerk, "view", "posts") {
			t.Errorf("ReviseGroup = %+v, %v", g, err)
		}
		changes := o.recorded(by, "update", "group", g.ID, 0)
		if want := map[string][2]any{"permissions": {[]any{"posts:change", "posts:view", "users:view"}, []any{"users:view"}}}; !reflect.DeepEqual(changes, want) {
			t.Errorf("recorded is %v, want %v", changes, want)
		}
		_, err = o.ReviseGroup(ctx, by, g.ID, account.AtVersion(1), func(*account.GroupDetails) fault.Fields { return nil })
		wantErr(t, "a version seen earlier", err, account.ErrStale)
		_, err = o.ReviseGroup(ctx, by, g.ID, nil, func(d *account.GroupDetails) fault.Fields { d.Name = "zi"; return nil })
		wantErr(t, "another's name", err, account.ErrGroupTaken)
		wantErr(t, "deleting what has changed", o.DeleteGroup(ctx, by, g.ID, account.AtVersion(1)), account.ErrStale)
		must(t, o.DeleteGroup(ctx, by, g.ID, nil))
		o.recorded(by, "delete", "group", g.ID, 0)
		wantErr(t, "deleting it again", o.DeleteGroup(ctx, by, g.ID, nil), account.ErrGroupNotFound)
		if _, p := o.profile(o.clerk.ID); len(p.Groups) != 0 || may(o.clerk, "view", "users") {
			t.Error("a deleted group lets people do things")
		}
	})
}

func TestSendAgain_B9_T9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		ctx, by := t.Context(), o.by(o.clerk)
		last := func(kind account.MailKind) (id int64) {
			must(t, o.store.Reader().QueryRowContext(ctx, `SELECT max(id) FROM mail WHERE kind = $1`, string(kind)).Scan(&id))
			return id
		}
		jobs := func() int { return o.count(`SELECT count(*) FROM river_job WHERE kind = 'send_mail'`) }
		must(t, o.SendVerification(ctx, by, o.driver.ID))
		id := last(account.MailVerifyIfUnproven)
		wantErr(t, "what is queued", o.SendAgain(ctx, by, id), fault.Conflict)
		for _, state := range []string{account.MailSent, account.MailFailed, account.MailDropped} {
			must(t, o.MailDone(ctx, id, state, "rejected"))
			n := jobs()
			must(t, o.SendAgain(ctx, by, id))
			o.recorded(by, "send_again", "mail", id, o.driver.ID)
			m, err := o.store.Mail(ctx, id)
			if err != nil || m.State != account.MailQueued || jobs() != n+1 {
				t.Errorf("after %s: %+v, %v, %d new jobs", state, m, err, jobs()-n)
			}
			if _, ok, err := o.PrepareMail(ctx, id); !ok || err != nil {
				t.Errorf("after %s it is not to be sent: %v", state, err)
			}
		}
		wantErr(t, "no message", o.SendAgain(ctx, by, 999), account.ErrMailNotFound)

		// Wiped: that of somebody without an account, once it has left.
		must(t, o.AskReset(ctx, from("192.0.2.1"), "nobody@example.com"))
		id = last(account.MailReset)
		must(t, o.MailDone(ctx, id, account.MailSent, ""))
		wantErr(t, "without an address", o.SendAgain(ctx, by, id), fault.Conflict)

		// Staff get resets by a superuser's word alone, asked for by whomever.
		for _, ask := range []func() error{
			func() error { return o.SendReset(ctx, o.by(o.boss), o.second.ID) },
			func() error { return o.AskReset(ctx, from("192.0.2.1"), secondMail) },
		} {
			must(t, ask())
			id = last(account.MailReset)
			must(t, o.MailDone(ctx, id, account.MailFailed, "given up"))
			wantErr(t, "a reset of staff", o.SendAgain(ctx, by, id), fault.Forbidden)
			must(t, o.SendAgain(ctx, o.by(o.boss), id))
			o.recorded(o.by(o.boss), "send_again", "mail", id, o.second.ID)
		}

		// A wish that a new password has undone is not revived.
		c := o.signIn(anaMail, goodPass)
		_, err := o.Revise(ctx, as(c), nil, account.Edit{Email: ptr("hot@example.com"), CurrentPassword: ptr(goodPass)})
		must(t, err)
		must(t, o.SetPasswordOf(ctx, o.by(o.boss), o.driver.ID, newPass, nil))
		wantErr(t, "a change of address", o.SendAgain(ctx, o.by(o.boss), last(account.MailConfirmNew)), fault.Conflict)

		// About something that is gone.
		o.exec(`INSERT INTO mail (kind, account_id, address, address_key, document_id, days_left, state, created_at)
			VALUES ('document_reminder', $1, 'a@example.com', 'a@example.com', 999, 7, 'failed', $2)`, o.driver.ID, noon)
		wantErr(t, "a document that is gone", o.SendAgain(ctx, by, last(account.MailDocumentReminder)), fault.Conflict)
	})
}

func TestSettings_OfOthers_B9(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		by := o.by(o.clerk)
		by.For = o.driver.ID
		dark := func(s *account.Settings) fault.Fields { s.Theme = "dark"; return nil }
		set, err := o.ReviseSettings(t.Context(), by, nil, dark, nil)
		if err != nil || set.UserID != o.driver.ID || set.Theme != "dark" {
			t.Errorf("ReviseSettings = %+v, %v", set, err)
		}
		if got, want := o.recorded(by, "update", "settings", o.driver.ID, o.driver.ID), (map[string][2]any{"theme": {"auto", "dark"}}); !reflect.DeepEqual(got, want) {
			t.Errorf("recorded is %v, want %v", got, want)
		}
		if got, err := o.Settings(t.Context(), by); err != nil || got != set {
			t.Errorf("Settings = %+v, %v, want %+v", got, err, set)
		}
		if own, err := o.Settings(t.Context(), o.by(o.clerk)); err != nil || own.Theme != "auto" {
			t.Errorf("the operator's own are %+v, %v", own, err)
		}
		name := "X"
		_, err = o.ReviseSettings(t.Context(), by, nil, dark, &account.Edit{Name: &name})
		wantErr(t, "with the account", err, fault.Forbidden)
		by.For = 999
		_, err = o.ReviseSettings(t.Context(), by, nil, dark, nil)
		wantErr(t, "of nobody", err, account.ErrNotFound)
		// Who does not manage means themselves, whatever For says.
		set, err = o.ReviseSettings(t.Context(), account.Actor{ID: o.driver.ID, For: o.clerk.ID, Source: account.SourceAPI}, nil, dark, nil)
		if err != nil || set.UserID != o.driver.ID {
			t.Errorf("a driver changes the settings of %d, %v", set.UserID, err)
		}
	})
}

func TestLogs_Operators_P3_P4(t *testing.T) {
	o := newOffice(t, storetest.New(t))
	o.log.Reset()
	must(t, o.SetActive(t.Context(), o.by(o.clerk), o.driver.ID, false))
	must(t, o.Erase(t.Context(), o.by(o.clerk), o.driver.ID, nil))
	for _, want := range []string{`"event":"account_revised"`, `"event":"erased"`, fmt.Sprintf(`"operator":%d`, o.clerk.ID)} {
		if !strings.Contains(o.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, o.log.String())
		}
	}
	if strings.Contains(strings.ToLower(o.log.String()), "ana.pop") {
		t.Errorf("the log tells an address: %s", o.log.String())
	}
}
