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

// sameSite lets a changing request pass if it can be told that a page of ours or
// of a configured origin has made it (promise B2). Without any of the headers
// that tell, it passes only where there is no cookie that could be misused.
func (a *API) sameSite(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if _, bearer := r.Header["Authorization"]; bearer { // no browser sends it by itself
		return nil
	}
	origins, site := r.Header["Origin"], r.Header.Get("Sec-Fetch-Site")
	switch {
	case len(origins) == 1 && a.AllowedOrigin(origins[0]):
		return nil
	case len(origins) == 0 && site == "same-origin":
		return nil
	case len(origins) == 0 && site == "":
		if _, err := r.Cookie(a.cookieName()); errors.Is(err, http.ErrNoCookie) {
			return nil
		}
	}
	return errForeign
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
