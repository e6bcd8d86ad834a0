package legacyapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

type userOut struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func newUserOut(u account.User) userOut { return userOut{u.ID, u.Name, u.Email} }

// accountErrors turns what is wrong with an account into the client's words: what
// is wrong with the address by field, the messages about a password under error
// as they are, and whatever else by field and under error.
func accountErrors(err error) error {
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid {
		return err
	}
	var messages []string
	others := fault.Fields{}
	for _, field := range f.Fields {
		if field.Field == "password" && (strings.HasPrefix(field.Code, "password_") || field.Code == "max_length") {
			messages = append(messages, field.Message)
		} else {
			others = append(others, field)
		}
	}
	body := byField(others).object()
	if messages = append(messages, sentences(body, "email")...); len(messages) > 0 {
		body["error"] = messages
	}
	return &refusal{http.StatusBadRequest, body}
}

// signUp serves POST register.
func (a *API) signUp(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	bad := complaints{}
	name, _ := in.text("name", required, bad)
	email, _ := in.text("email", required, bad)
	pw, _ := in.text("password", required, bad)
	if err := bad.err(); err != nil {
		return err
	}
	u, _, err := a.Accounts.Register(c.ctx(), c.by, name, email, pw, nil)
	if err != nil {
		return accountErrors(err)
	}
	answer(c.w, http.StatusOK, newUserOut(u))
	return nil
}

// signIn serves POST login.
func (a *API) signIn(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	bad := complaints{}
	email, _ := in.text("email", required, bad)
	pw, _ := in.secret("password", required, bad)
	if err := bad.err(); err != nil {
		return err
	}
	made, err := a.Accounts.SignIn(c.ctx(), c.by, account.SessionLegacy, email, pw)
	if errors.Is(err, account.ErrBadCredentials) {
		return refuse(http.StatusForbidden, "detail", "Incorrect email or password!")
	}
	if err != nil {
		return err
	}
	a.setCookie(c.w, made.Access, made.ExpiresIn)
	answer(c.w, http.StatusOK, object{"jwt": made.Access})
	return nil
}

// signOut serves POST logout; it works without a session, too.
func (a *API) signOut(c *call) error {
	err := a.identify(c)
	switch {
	case err == nil:
		err = a.Accounts.EndSession(c.ctx(), c.by, c.by.SessionID)
	case errors.Is(err, errUnauthenticated):
		err = nil
	}
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	a.setCookie(c.w, "", 0)
	answer(c.w, http.StatusOK, object{"message": "success"})
	return nil
}

// readUser serves GET user.
func (a *API) readUser(c *call) error {
	answer(c.w, http.StatusOK, newUserOut(c.user))
	return nil
}

// updateUser serves PUT user-update: of a new password the other sessions end
// and the owner is mailed, a new address counts once its mailbox confirms it.
func (a *API) updateUser(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	bad := complaints{}
	var e account.Edit
	for name, into := range map[string]**string{"name": &e.Name, "email": &e.Email} {
		if text, given := in.text(name, partial, bad); given {
			*into = &text
		}
	}
	if pw, given := in.text("password", partial, bad); given {
		e.Password = &pw
	}
	if err := bad.err(); err != nil {
		return err
	}
	u, err := a.Accounts.Revise(c.ctx(), c.asked(), nil, e)
	if err != nil {
		return accountErrors(err)
	}
	answer(c.w, http.StatusOK, newUserOut(u))
	return nil
}

// deleteUser serves DELETE user-delete: the session is enough, the owner is
// mailed.
func (a *API) deleteUser(c *call) error {
	if err := a.Accounts.Delete(c.ctx(), c.asked(), c.at, nil, nil, nil); err != nil {
		return err
	}
	a.setCookie(c.w, "", 0)
	c.w.WriteHeader(http.StatusOK)
	return nil
}
