package account

import (
	"context"
	"errors"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// ErrClosed answers registering where accounts are made by operators only.
var ErrClosed = fault.New(fault.Forbidden, "Registration is closed.")

// registrationsPerHour is how often one source may try to register (promise T5).
const registrationsPerHour = 10

// Register opens an account. shown is false where the answer must not tell
// whether the address was known (REGISTRATION=verified): then the user returned
// is empty, and the holder of a known address gets a mail instead. bad is what
// the caller already knows to be wrong with the input.
func (s *Service) Register(ctx context.Context, by Actor, name, email, pw string, bad fault.Fields) (u User, shown bool, err error) {
	if s.o.Registration == RegistrationClosed {
		return User{}, false, ErrClosed
	}
	if err := s.limited(ctx, "register", by, registrationsPerHour, time.Hour); err != nil {
		return User{}, false, err
	}
	u, err = s.newUser(ctx, name, email, pw, bad)
	if err != nil {
		return User{}, false, err
	}
	known := false
	u, err = s.store.CreateUser(ctx, by, u, DefaultSettings(), []Mail{{Kind: MailVerify, Address: u.Email}})
	quiet := s.o.Registration == RegistrationVerified && by.Source != SourceLegacy // whose client has to be told (promise T5)
	if fault.As(err) == ErrEmailTaken && quiet {
		known, err = true, s.tellHolder(ctx, email)
	}
	if err != nil {
		return User{}, false, err
	}
	if !known {
		s.o.Log.InfoContext(ctx, "registered", "event", "register", "user", u.ID)
	}
	if quiet {
		return User{}, false, nil
	}
	return u, true, nil
}

func (s *Service) tellHolder(ctx context.Context, email string) error {
	address, _, _ := Mailbox(email)
	return s.store.QueueMail(ctx, Mail{Kind: MailAccountExists, Address: address})
}

// newUser checks what a new account is made of and hashes its password.
func (s *Service) newUser(ctx context.Context, name, email, pw string, bad fault.Fields) (User, error) {
	if !bad.Has("name") {
		name = checkName(name, &bad)
	}
	if !bad.Has("email") {
		email = checkEmail(email, &bad)
	}
	if !bad.Has("password") {
		checkPassword("password", pw, name, email, &bad)
	}
	if err := bad.Err(); err != nil {
		return User{}, err
	}
	hash, err := s.o.Hasher.Hash(ctx, pw)
	if err != nil {
		return User{}, err
	}
	now := s.now()
	return User{Name: name, Email: email, PasswordHash: hash, Active: true, CreatedAt: now, UpdatedAt: now, Version: 1}, nil
}

// CreateSuperuser makes a person who may do everything in the admin site. The
// operator vouches for the address.
func (s *Service) CreateSuperuser(ctx context.Context, by Actor, name, email, pw string) (User, error) {
	u, err := s.newUser(ctx, name, email, pw, nil)
	if err != nil {
		return User{}, err
	}
	u.Staff, u.Superuser, u.EmailVerifiedAt = true, true, &u.CreatedAt
	return s.store.CreateUser(ctx, by, u, DefaultSettings(), nil)
}

// SetPassword gives the person with that address a new password and ends all
// sessions; the owner is told by mail.
func (s *Service) SetPassword(ctx context.Context, by Actor, email, pw string) error {
	u, err := s.store.UserByMailbox(ctx, MailboxKey(email))
	if err != nil {
		return err
	}
	hash, err := s.newHash(ctx, u, "password", pw, nil)
	if err != nil {
		return err
	}
	_, err = s.store.UpdateUser(ctx, by, u.ID, func(u *User, e *Effects) error {
		s.setHash(u, e, hash, 0)
		return nil
	})
	return err
}

// newHash checks a new password against the rules and hashes it.
func (s *Service) newHash(ctx context.Context, u User, field, pw string, bad fault.Fields) (string, error) {
	if !bad.Has(field) {
		checkPassword(field, pw, u.Name, u.Email, &bad)
	}
	if err := bad.Err(); err != nil {
		return "", err
	}
	return s.o.Hasher.Hash(ctx, pw)
}

// setHash changes the password and what hangs on the old one: sessions but
// keep, and mailed links (promise T9).
func (s *Service) setHash(u *User, e *Effects, hash string, keep int64) {
	u.PasswordHash, u.UpdatedAt = hash, s.now()
	e.EndSessions, e.KeepSession = true, keep
	e.DropTokens = append(e.DropTokens, PurposeVerify, PurposeReset, PurposeChangeEmail)
	if u.Email != "" {
		e.Mails = append(e.Mails, Mail{Kind: MailPasswordChanged, UserID: &u.ID, Address: u.Email})
	}
}

// User reads the actor's own account.
func (s *Service) User(ctx context.Context, by Actor) (User, error) { return s.store.User(ctx, by.ID) }

// Edit is a change of one's own account; nil leaves a field alone.
type Edit struct {
	Name            *string
	Email           *string
	Password        *string
	CurrentPassword *string
	Bad             fault.Fields // what the caller already knows to be wrong
}

// Revise changes the actor's own account. A new address counts once its mailbox
// confirms; a new address or password needs the current password (promise T18),
// but for the older client, which cannot send it; a new password ends the other
// sessions.
func (s *Service) Revise(ctx context.Context, by Actor, match Match, e Edit) (User, error) {
	edit, err := s.prepare(ctx, by, match, e)
	if err != nil {
		return User{}, err
	}
	u, err := s.store.UpdateUser(ctx, by, by.ID, edit)
	return u, own(err)
}

// own explains that one's own account is not there: it was erased a moment ago,
// and the session with it.
func own(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrUnauthenticated
	}
	return err
}

// prepare does what an edit of the account needs before its transaction: it
// checks the input and the password, and hashes a new one.
func (s *Service) prepare(ctx context.Context, by Actor, match Match, e Edit) (func(*User, *Effects) error, error) {
	u, err := s.store.User(ctx, by.ID)
	if err != nil {
		return nil, own(err)
	}
	if err := match.Check(u.Version, u); err != nil {
		return nil, err
	}
	bad := e.Bad
	if e.Name != nil {
		*e.Name = checkName(*e.Name, &bad)
	}
	newAddress := ""
	if e.Email != nil {
		if address := checkEmail(*e.Email, &bad); address != u.Email {
			newAddress = address
		}
	}
	if e.Password != nil {
		name, email := u.Name, u.Email
		if e.Name != nil {
			name = *e.Name
		}
		checkPassword("password", *e.Password, name, email, &bad)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	proven := ""
	if (newAddress != "" || e.Password != nil) && by.Source != SourceLegacy {
		if err := s.Reauthenticate(ctx, by, u, e.CurrentPassword); err != nil {
			return nil, err
		}
		proven = u.PasswordHash
	}
	hash := ""
	if e.Password != nil {
		if hash, err = s.o.Hasher.Hash(ctx, *e.Password); err != nil {
			return nil, err
		}
	}
	if newAddress != "" {
		if err := s.freeMailbox(ctx, u.ID, newAddress); err != nil {
			return nil, err
		}
	}
	return func(u *User, fx *Effects) error {
		if err := match.Check(u.Version, *u); err != nil {
			return err
		}
		if err := stillProven(*u, proven); err != nil {
			return err
		}
		u.UpdatedAt = s.now()
		if e.Name != nil {
			u.Name = *e.Name
		}
		if hash != "" {
			s.setHash(u, fx, hash, by.SessionID)
		}
		if newAddress != "" {
			if by.Source == SourceLegacy { // which had to prove nothing
				fx.EndSessions, fx.KeepSession = true, by.SessionID
			}
			fx.MailQuota = true
			fx.DropTokens = append(fx.DropTokens, PurposeChangeEmail)
			fx.Mails = append(fx.Mails, Mail{Kind: MailConfirmNew, UserID: &u.ID, Address: newAddress})
			if u.Email != "" {
				fx.Mails = append(fx.Mails, Mail{Kind: MailAddressAsked, UserID: &u.ID, Address: u.Email, Other: newAddress})
			}
		}
		return nil
	}, nil
}

// stillProven refuses a change that a password was given for when that is the
// password no longer: it was changed or reset while this one was looked at.
func stillProven(u User, proven string) error {
	if proven != "" && u.PasswordHash != proven {
		return reauthenticate("incorrect", "The current password is not correct.")
	}
	return nil
}

// freeMailbox is ErrEmailTaken when somebody else has the address, where
// registering would tell as much. Otherwise the confirmation finds out.
func (s *Service) freeMailbox(ctx context.Context, id int64, address string) error {
	if s.o.Registration == RegistrationVerified {
		return nil
	}
	other, err := s.store.UserByMailbox(ctx, MailboxKey(address))
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return err
	case other.ID == id: // only the case of the letters changes
		return nil
	}
	return ErrEmailTaken
}

// Reauthenticate is nil when current is the password of u. It counts as a guess.
func (s *Service) Reauthenticate(ctx context.Context, by Actor, u User, current *string) error {
	if current == nil {
		return reauthenticate("required", "This needs your current password.")
	}
	g, err := s.countGuess(ctx, by, "reauthenticate", itoa(int(u.ID)))
	if err != nil {
		return err
	}
	good, _, err := s.o.Hasher.Verify(ctx, u.PasswordHash, *current)
	if err == nil {
		err = s.hold(ctx, g)
	}
	if err != nil {
		return err
	}
	if !good {
		s.o.Log.WarnContext(ctx, "current password refused", "event", "reauthentication_refused", "user", u.ID)
		return reauthenticate("incorrect", "The current password is not correct.")
	}
	return s.store.ForgiveAttempts(ctx, g.counters)
}

func reauthenticate(code, message string) error {
	return &fault.Error{Kind: fault.Reauthenticate, Message: message, Fields: fault.Fields{{Field: "current_password", Code: code, Message: message}}}
}

// ChangePassword replaces the actor's password and ends the other sessions.
func (s *Service) ChangePassword(ctx context.Context, by Actor, current *string, pw string, bad fault.Fields) error {
	u, err := s.store.User(ctx, by.ID)
	if err != nil {
		return own(err)
	}
	if !bad.Has("new_password") {
		checkPassword("new_password", pw, u.Name, u.Email, &bad)
	}
	if current == nil && !bad.Has("current_password") {
		bad.Add("current_password", "required", "This field is required.")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if err := s.Reauthenticate(ctx, by, u, current); err != nil {
		return err
	}
	hash, err := s.o.Hasher.Hash(ctx, pw)
	if err != nil {
		return err
	}
	proven := u.PasswordHash
	_, err = s.store.UpdateUser(ctx, by, by.ID, func(u *User, fx *Effects) error {
		if err := stillProven(*u, proven); err != nil {
			return err
		}
		s.setHash(u, fx, hash, by.SessionID)
		return nil
	})
	err = own(err)
	if err == nil {
		s.o.Log.InfoContext(ctx, "password changed", "event", "password_changed", "user", by.ID)
	}
	return err
}

// reauthenticationGrace is how long a sign-in stands for the password when an
// account is deleted, and in the admin site.
const reauthenticationGrace = 15 * time.Minute

// Delete erases the actor's account with all that belongs to it. It needs the
// password, or a sign-in of the last 15 minutes (promise T18); of the older
// client the session is enough. user and settings
// match what the caller has seen of either.
func (s *Service) Delete(ctx context.Context, by Actor, signedInAt time.Time, user, settings Match, pw *string) error {
	u, err := s.store.User(ctx, by.ID)
	if err != nil {
		return own(err)
	}
	proven := ""
	if by.Source != SourceLegacy && (pw != nil || s.now().Sub(signedInAt) > reauthenticationGrace) {
		proven = u.PasswordHash
		if err := s.Reauthenticate(ctx, by, u, pw); err != nil {
			f := fault.As(err)
			if f != nil && f.Kind == fault.Reauthenticate { // here the field is called password
				return &fault.Error{Kind: f.Kind, Message: f.Message, Fields: fault.Fields{{Field: "password", Code: f.Fields[0].Code, Message: f.Message}}}
			}
			return err
		}
	}
	set, err := s.store.Settings(ctx, by.ID)
	if err != nil {
		return own(err)
	}
	err = own(s.store.DeleteUser(ctx, by, by.ID, func(u User, set Settings) error {
		return errors.Join(user.Check(u.Version, u), settings.Check(set.Version, set), stillProven(u, proven))
	}, farewell(u, set)))
	if err == nil {
		s.o.Log.InfoContext(ctx, "account erased", "event", "erased", "user", by.ID)
	}
	return err
}

// farewell tells somebody that their account is gone.
func farewell(u User, set Settings) []Mail {
	if u.Email == "" {
		return nil
	}
	return []Mail{{Kind: MailAccountDeleted, Address: u.Email, Name: u.Name, Language: set.Language}}
}

// Settings reads the actor's preferences.
func (s *Service) Settings(ctx context.Context, by Actor) (Settings, error) {
	return s.store.Settings(ctx, by.Owner())
}

// ReviseSettings changes the actor's preferences: change edits them and returns
// what it could not read. With account, the account is changed as well, by the
// rules of Revise: both or neither.
func (s *Service) ReviseSettings(ctx context.Context, by Actor, match Match, change func(*Settings) fault.Fields, account *Edit) (Settings, error) {
	others := by.Owner() != by.ID
	if others && account != nil {
		return Settings{}, fault.New(fault.Forbidden, "Another's account is changed by itself, not with the settings.")
	}
	revise := func(set *Settings) (fault.Fields, error) {
		if err := match.Check(set.Version, *set); err != nil {
			return nil, err
		}
		bad := change(set)
		set.validate(&bad)
		set.UpdatedAt = s.now()
		return bad, nil
	}
	var edit func(*User, *Effects) error
	if account != nil {
		// What is wrong with either is told at once, before a password is looked at.
		set, err := s.store.Settings(ctx, by.Owner())
		if err != nil {
			return Settings{}, err
		}
		if account.Bad, err = revise(&set); err != nil {
			return Settings{}, err
		}
		if edit, err = s.prepare(ctx, by, nil, *account); err != nil {
			return Settings{}, err
		}
	}
	if others && !by.Superuser { // nothing of an operator is changed by others, the account as little as this
		edit = func(u *User, _ *Effects) error {
			if u.operator() {
				return errOfStaff
			}
			return nil
		}
	}
	set, err := s.store.UpdateSettings(ctx, by, by.Owner(), func(set *Settings) error {
		bad, err := revise(set)
		return errors.Join(err, bad.Err())
	}, edit)
	if others {
		s.acted(ctx, by, "settings_revised", by.Owner(), err)
		return set, err
	}
	return set, own(err)
}
