package httpapi

import (
	"context"
	"slices"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// user serves GET /api/user/.
func (a *API) user(ctx context.Context, _ *struct{}) (*out[userOut], error) {
	u := call(ctx).known.User // read for this very request
	return single(u.Version, u, newUserOut(u)), nil
}

type userBody struct {
	Name            opt[string] `json:"name" required:"true" maxLength:"255" example:"Andreea Popescu"`
	Email           opt[string] `json:"email" required:"true" doc:"Counts once the link in a mail to it is followed. Needs current_password." example:"andreea@example.com"`
	Password        opt[string] `json:"password" minLength:"8" maxLength:"1024" doc:"A new password. Needs current_password, and ends the other sessions."`
	CurrentPassword opt[string] `json:"current_password"`
}

func (userBody) readOnlyFields() []string {
	return []string{"id", "email_verified", "is_staff", "created_at"}
}

type userIn struct {
	IfMatch string `header:"If-Match" doc:"The ETag that you have seen: 412 when the account has changed since."`
	Body    body[userBody]
}

// replaceUser serves PUT /api/user/: name and address must be there.
func (a *API) replaceUser(ctx context.Context, in *userIn) (*out[userOut], error) {
	in.Body.in.Name.require("name", &in.Body.bad)
	in.Body.in.Email.require("email", &in.Body.bad)
	return a.reviseUser(ctx, in)
}

// reviseUser serves PATCH /api/user/.
func (a *API) reviseUser(ctx context.Context, in *userIn) (*out[userOut], error) {
	b := in.Body.in
	u, err := a.Accounts.Revise(ctx, actor(ctx), match(in.IfMatch), account.Edit{
		Name: b.Name.ptr(), Email: b.Email.ptr(), Password: b.Password.ptr(), CurrentPassword: b.CurrentPassword.ptr(), Bad: in.Body.bad,
	})
	if err != nil {
		return nil, err
	}
	return single(u.Version, u, newUserOut(u)), nil
}

type passwordBody struct {
	Password opt[string] `json:"password" doc:"Not needed within 15 minutes of signing in."`
}

type deleteUserIn struct {
	IfMatch string `header:"If-Match"`
	Body    *body[passwordBody]
}

// deleteAccount serves DELETE /api/settings/: what If-Match names there is the
// settings.
func (a *API) deleteAccount(ctx context.Context, in *deleteUserIn) (*none, error) {
	return a.erase(ctx, in, nil, match(in.IfMatch))
}

// deleteUser serves DELETE /api/user/.
func (a *API) deleteUser(ctx context.Context, in *deleteUserIn) (*none, error) {
	return a.erase(ctx, in, match(in.IfMatch), nil)
}

func (a *API) erase(ctx context.Context, in *deleteUserIn, user, settings account.Match) (*none, error) {
	var pw *string
	if in.Body != nil {
		if err := in.Body.bad.Err(); err != nil {
			return nil, err
		}
		pw = in.Body.in.Password.ptr()
	}
	return nil, a.Accounts.Delete(ctx, actor(ctx), call(ctx).known.Session.CreatedAt, user, settings, pw)
}

type settingsOut struct {
	Theme             string        `json:"theme" enum:"auto,light,dark" example:"auto"`
	Language          string        `json:"language" enum:"en,ro" example:"ro"`
	Currency          string        `json:"currency" doc:"ISO 4217." example:"RON"`
	TimeZone          string        `json:"time_zone" doc:"IANA name: where the days of entries and documents begin and end." example:"Europe/Bucharest"`
	DistanceUnit      string        `json:"distance_unit" enum:"km,mi" doc:"How clients show distances; the API speaks of kilometres." example:"km"`
	DefaultCommission *fixed.Amount `json:"default_commission" nullable:"true" doc:"Percent; a prefill for clients." example:"25.00"`
	WeeklyGoal        *fixed.Amount `json:"weekly_goal" nullable:"true" doc:"Money, in currency." example:"3000.00"`
	EmailReminders    bool          `json:"email_reminders" doc:"Whether reminders of documents are mailed."`
}

func newSettingsOut(s account.Settings) settingsOut {
	return settingsOut{s.Theme, s.Language, s.Currency, s.TimeZone, s.DistanceUnit, s.DefaultCommission, s.WeeklyGoal, s.EmailReminders}
}

type settingsBody struct {
	Theme             opt[string]         `json:"theme" enum:"auto,light,dark" example:"dark"`
	Language          opt[string]         `json:"language" enum:"en,ro" example:"ro"`
	Currency          opt[string]         `json:"currency" doc:"ISO 4217." example:"RON"`
	TimeZone          opt[string]         `json:"time_zone" doc:"IANA name." example:"Europe/Bucharest"`
	DistanceUnit      opt[string]         `json:"distance_unit" enum:"km,mi" example:"km"`
	DefaultCommission maybe[fixed.Amount] `json:"default_commission" doc:"Percent, 0 to 100."`
	WeeklyGoal        maybe[fixed.Amount] `json:"weekly_goal"`
	EmailReminders    opt[bool]           `json:"email_reminders"`
	Name              opt[string]         `json:"name" maxLength:"255" doc:"As at /api/user/."`
	Password          opt[string]         `json:"password" minLength:"8" maxLength:"1024" doc:"A new password, as at /api/user/. Needs current_password."`
	CurrentPassword   opt[string]         `json:"current_password"`
}

func (b settingsBody) apply(s *account.Settings) {
	b.Theme.to(&s.Theme)
	b.Language.to(&s.Language)
	b.Currency.to(&s.Currency)
	b.TimeZone.to(&s.TimeZone)
	b.DistanceUnit.to(&s.DistanceUnit)
	b.DefaultCommission.to(&s.DefaultCommission)
	b.WeeklyGoal.to(&s.WeeklyGoal)
	b.EmailReminders.to(&s.EmailReminders)
}

// settings serves GET /api/settings/.
func (a *API) settings(ctx context.Context, _ *struct{}) (*out[settingsOut], error) {
	s, err := a.Accounts.Settings(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return single(s.Version, s, newSettingsOut(s)), nil
}

type settingsIn struct {
	IfMatch string `header:"If-Match" doc:"The ETag that you have seen: 412 when the settings have changed since."`
	Body    body[settingsBody]
}

// replaceSettings serves PUT /api/settings/: what is not sent returns to its
// default.
func (a *API) replaceSettings(ctx context.Context, in *settingsIn) (*out[settingsOut], error) {
	return a.changeSettings(ctx, in, func(s *account.Settings) {
		fresh := account.DefaultSettings()
		fresh.UserID, fresh.Version = s.UserID, s.Version
		*s = fresh
		in.Body.in.apply(s)
	})
}

// reviseSettings serves PATCH /api/settings/.
func (a *API) reviseSettings(ctx context.Context, in *settingsIn) (*out[settingsOut], error) {
	return a.changeSettings(ctx, in, in.Body.in.apply)
}

// changeSettings changes preferences and, where they are sent along, the name
// and password by the rules of the account.
func (a *API) changeSettings(ctx context.Context, in *settingsIn, apply func(*account.Settings)) (*out[settingsOut], error) {
	by, b := actor(ctx), in.Body.in
	change := func(s *account.Settings) fault.Fields {
		apply(s)
		return slices.Clone(in.Body.bad)
	}
	var edit *account.Edit
	if b.Name.Set || b.Password.Set {
		edit = &account.Edit{Name: b.Name.ptr(), Password: b.Password.ptr(), CurrentPassword: b.CurrentPassword.ptr()}
	}
	s, err := a.Accounts.ReviseSettings(ctx, by, match(in.IfMatch), change, edit)
	if err != nil {
		return nil, err
	}
	return single(s.Version, s, newSettingsOut(s)), nil
}
