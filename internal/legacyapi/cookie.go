package legacyapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// cookieName is the name of the cookie. The prefix makes browsers refuse one
// that was set by a sibling host or over plain http (promise B1).
func (a *API) cookieName() string {
	if a.Secure {
		return "__Host-jwt"
	}
	return "jwt"
}

func (a *API) setCookie(w http.ResponseWriter, token string, life time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure wherever the server is reached by https
		Name: a.cookieName(), Value: token, Path: "/", HttpOnly: true, Secure: a.Secure, SameSite: a.SameSite, MaxAge: int(life / time.Second),
	}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// sameSite lets a changing request pass if a page of ours or of a configured
// origin has made it (promise B2). A request with an Authorization header, which no
// browser sends by itself, needs none of this. One that carries a cookie, or signs
// in or out and so is answered with one, must say where it comes from.
func (a *API) sameSite(r *http.Request) error {
	if _, bearer := r.Header["Authorization"]; bearer {
		return nil
	}
	cookie := len(r.Header["Cookie"]) > 0 || r.URL.Path == loginPath || r.URL.Path == logoutPath
	if !a.gate.Pass(r, cookie) {
		return errForeign
	}
	return nil
}

// identify finds out who makes the request: by the Authorization header if there
// is one, and then by it alone, else by the cookie (promise T20). Session and
// account are read each time (promise T15).
func (a *API) identify(c *call) error {
	kind, token := account.SessionLegacy, ""
	if values, ok := c.r.Header["Authorization"]; ok {
		scheme, bearer, _ := strings.Cut(values[0], " ")
		if len(values) != 1 || !strings.EqualFold(scheme, "Bearer") {
			return errUnauthenticated
		}
		kind, token = account.SessionAPI, bearer
	} else if cookies := c.r.CookiesNamed(a.cookieName()); len(cookies) == 1 {
		token = cookies[0].Value
	}
	if token == "" {
		return errUnauthenticated
	}
	p, err := a.Accounts.Authenticate(c.ctx(), kind, token)
	if errors.Is(err, fault.Unauthenticated) {
		return errUnauthenticated
	}
	if err != nil {
		return err
	}
	c.user, c.at, c.by.ID, c.by.SessionID = p.User, p.Session.CreatedAt, p.User.ID, p.Session.ID
	c.bearer = kind == account.SessionAPI
	return nil
}

// asked is the actor of changes of the account. One with a bearer token of the
// other API can send the current password there, and must.
func (c *call) asked() account.Actor {
	by := c.by
	if c.bearer {
		by.Source = account.SourceAPI
	}
	return by
}
