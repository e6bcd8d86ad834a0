package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// userOut is an account as its owner sees it.
type userOut struct {
	ID            int64     `json:"id" example:"1"`
	Name          string    `json:"name" example:"Andreea Popescu"`
	Email         string    `json:"email" example:"andreea@example.com"`
	EmailVerified bool      `json:"email_verified" doc:"Whether the address was confirmed by the link in a mail."`
	IsStaff       bool      `json:"is_staff" doc:"Whether the person may enter the admin site."`
	CreatedAt     time.Time `json:"created_at"`
}

func newUserOut(u account.User) userOut {
	return userOut{ID: u.ID, Name: u.Name, Email: u.Email, EmailVerified: u.Verified(), IsStaff: u.Staff, CreatedAt: u.CreatedAt}
}

type registerBody struct {
	Name     opt[string] `json:"name" required:"true" maxLength:"255" example:"Andreea Popescu"`
	Email    opt[string] `json:"email" required:"true" format:"email" example:"andreea@example.com"`
	Password opt[string] `json:"password" required:"true" minLength:"8" maxLength:"1024" doc:"Taken exactly as it is sent. Not like the name or address, not common, not only digits." example:"o parolă lungă și bună"`
}

// register serves POST /api/auth/register/.
func (a *API) registerUser(ctx context.Context, in *struct{ Body body[registerBody] }) (*out[userOut], error) {
	b, bad := in.Body.in, in.Body.bad
	name, email, pw := b.Name.require("name", &bad), b.Email.require("email", &bad), b.Password.require("password", &bad)
	u, shown, err := a.Accounts.Register(ctx, actor(ctx), name, email, pw, bad)
	if err != nil {
		return nil, err
	}
	if !shown {
		call(ctx).w.WriteHeader(http.StatusAccepted) // and no body: the status that comes after does not count
		return nil, nil                              //nolint:nilnil // see above
	}
	return &out[userOut]{Status: http.StatusCreated, Body: newUserOut(u)}, nil
}

type loginBody struct {
	Email    opt[string] `json:"email" required:"true" example:"andreea@example.com"`
	Password opt[string] `json:"password" required:"true" example:"o parolă lungă și bună"`
}

type loginOut struct {
	Access    string  `json:"access" doc:"Send it as Authorization: Bearer …"`
	Refresh   string  `json:"refresh" doc:"Good for one use at /api/auth/token/refresh/."`
	TokenType string  `json:"token_type" example:"Bearer"`
	ExpiresIn int     `json:"expires_in" doc:"Seconds that the access token lives." example:"86400"`
	User      userOut `json:"user"`
}

type tokensOut struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

func (a *API) signIn(ctx context.Context, b body[loginBody]) (account.Credentials, error) {
	bad := b.bad
	email, pw := b.in.Email.require("email", &bad), b.in.Password.require("password", &bad)
	if err := bad.Err(); err != nil {
		return account.Credentials{}, err
	}
	return a.Accounts.SignIn(ctx, actor(ctx), account.SessionAPI, email, pw)
}

// login serves POST /api/auth/login/.
func (a *API) login(ctx context.Context, in *struct{ Body body[loginBody] }) (*out[loginOut], error) {
	c, err := a.signIn(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	return &out[loginOut]{Status: 200, Body: loginOut{
		Access: c.Access, Refresh: c.Refresh, TokenType: "Bearer", ExpiresIn: int(c.ExpiresIn.Seconds()), User: newUserOut(c.User),
	}}, nil
}

// token serves POST /api/auth/token/.
func (a *API) token(ctx context.Context, in *struct{ Body body[loginBody] }) (*out[tokensOut], error) {
	c, err := a.signIn(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	return &out[tokensOut]{Status: 200, Body: tokensOut{c.Access, c.Refresh}}, nil
}

type refreshBody struct {
	Refresh opt[string] `json:"refresh" required:"true"`
}

// refresh serves POST /api/auth/token/refresh/.
func (a *API) refresh(ctx context.Context, in *struct{ Body body[refreshBody] }) (*out[tokensOut], error) {
	bad := in.Body.bad
	token := in.Body.in.Refresh.require("refresh", &bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	c, err := a.Accounts.Refresh(ctx, token)
	if err != nil {
		return nil, err
	}
	return &out[tokensOut]{Status: 200, Body: tokensOut{c.Access, c.Refresh}}, nil
}

type tokenBody struct {
	Token opt[string] `json:"token" required:"true"`
}

func (b body[T]) only(name string, value opt[string]) (string, error) {
	bad := b.bad
	v := value.require(name, &bad)
	return v, bad.Err()
}

// emptyOut is {}.
type emptyOut struct{}

// verifyToken serves POST /api/auth/token/verify/.
func (a *API) verifyToken(ctx context.Context, in *struct{ Body body[tokenBody] }) (*out[emptyOut], error) {
	token, err := in.Body.only("token", in.Body.in.Token)
	if err != nil {
		return nil, err
	}
	if err := a.Accounts.Verify(ctx, token); err != nil {
		return nil, err
	}
	return &out[emptyOut]{Status: 200}, nil
}

type logoutBody struct {
	Refresh opt[string] `json:"refresh"`
}

// logout serves POST /api/auth/logout/: of the session of the refresh token,
// or of the one that makes the request.
func (a *API) logout(ctx context.Context, in *struct{ Body *body[logoutBody] }) (*none, error) {
	if in.Body != nil {
		if err := in.Body.bad.Err(); err != nil {
			return nil, err
		}
		if in.Body.in.Refresh.Set {
			return nil, a.Accounts.SignOut(ctx, in.Body.in.Refresh.V)
		}
	}
	by := actor(ctx)
	if by.ID == 0 {
		return nil, account.ErrUnauthenticated
	}
	return nil, a.Accounts.EndSession(ctx, by, by.SessionID)
}

// logoutAll serves POST /api/auth/logout-all/.
func (a *API) logoutAll(ctx context.Context, _ *struct{}) (*none, error) {
	return nil, a.Accounts.EndSessions(ctx, actor(ctx))
}

type sessionOut struct {
	ID         int64     `json:"id" example:"1"`
	Device     string    `json:"device" doc:"What the client said it was." example:"curl/8.5.0"`
	Address    string    `json:"address" doc:"Where it signed in from." example:"192.0.2.7"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	Current    bool      `json:"current" doc:"Whether it is the session that asks."`
}

// sessions serves GET /api/auth/sessions/.
func (a *API) sessions(ctx context.Context, in *struct{ Paging }) (*out[list[sessionOut]], error) {
	var bad fault.Fields
	limit, offset := in.place(&bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	by := actor(ctx)
	all, err := a.Accounts.Sessions(ctx, by)
	if err != nil {
		return nil, err
	}
	var results []sessionOut
	for _, s := range all[min(offset, len(all)):min(offset+limit, len(all))] {
		results = append(results, sessionOut{s.ID, s.Device, s.Address, s.CreatedAt, s.LastUsedAt, s.ID == by.SessionID})
	}
	return numbered(a, requestURL(ctx), in.Paging, limit, len(all), true, results)
}

// endSession serves DELETE /api/auth/sessions/{id}/.
func (a *API) endSession(ctx context.Context, in *struct {
	ID int64 `path:"id" example:"1"`
},
) (*none, error) {
	return nil, a.Accounts.EndSession(ctx, actor(ctx), in.ID)
}

type changePasswordBody struct {
	CurrentPassword opt[string] `json:"current_password" required:"true"`
	NewPassword     opt[string] `json:"new_password" required:"true" minLength:"8" maxLength:"1024"`
}

// changePassword serves POST /api/auth/password/change/.
func (a *API) changePassword(ctx context.Context, in *struct{ Body body[changePasswordBody] }) (*none, error) {
	b, bad := in.Body.in, in.Body.bad
	pw := b.NewPassword.require("new_password", &bad)
	return nil, a.Accounts.ChangePassword(ctx, actor(ctx), b.CurrentPassword.ptr(), pw, bad)
}

type emailBody struct {
	Email opt[string] `json:"email" required:"true" example:"andreea@example.com"`
}

type accepted struct{ Status int }

// askReset serves POST /api/auth/password/reset/.
func (a *API) askReset(ctx context.Context, in *struct{ Body body[emailBody] }) (*accepted, error) {
	email, err := in.Body.only("email", in.Body.in.Email)
	if err != nil {
		return nil, err
	}
	return &accepted{202}, a.Accounts.AskReset(ctx, actor(ctx), email)
}

type confirmResetBody struct {
	Token       opt[string] `json:"token" required:"true" doc:"From the link in the mail."`
	NewPassword opt[string] `json:"new_password" required:"true" minLength:"8" maxLength:"1024"`
}

// confirmReset serves POST /api/auth/password/reset/confirm/.
func (a *API) confirmReset(ctx context.Context, in *struct{ Body body[confirmResetBody] }) (*none, error) {
	b, bad := in.Body.in, in.Body.bad
	token, pw := b.Token.require("token", &bad), b.NewPassword.require("new_password", &bad)
	return nil, a.Accounts.ConfirmReset(ctx, actor(ctx), token, pw, bad)
}

// confirmAddress serves POST /api/auth/email/verify/.
func (a *API) confirmAddress(ctx context.Context, in *struct{ Body body[tokenBody] }) (*none, error) {
	token, err := in.Body.only("token", in.Body.in.Token)
	if err != nil {
		return nil, err
	}
	return nil, a.Accounts.ConfirmAddress(ctx, actor(ctx), token)
}

// askVerification serves POST /api/auth/email/verify/resend/.
func (a *API) askVerification(ctx context.Context, in *struct{ Body body[emailBody] }) (*accepted, error) {
	email, err := in.Body.only("email", in.Body.in.Email)
	if err != nil {
		return nil, err
	}
	return &accepted{202}, a.Accounts.AskVerification(ctx, actor(ctx), email)
}
