package account

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// This file is what operators do to people, through the admin site or a command.
// Whether an operator may touch a kind of thing at all, the site finds out from
// Permissions; what nobody may do, whatever groups say, is decided here.

// The refusals of what operators ask for.
var (
	errNotOperator  = fault.New(fault.Forbidden, "Only operators may do this.")
	errSuperuser    = fault.New(fault.Forbidden, "Only a superuser may do this.")
	errOfStaff      = fault.New(fault.Forbidden, "Only a superuser may do this to somebody who is staff.")
	errMakesStaff   = fault.New(fault.Forbidden, "Only a superuser may say who is staff, who is a superuser, and who is in which group.")
	errSelf         = fault.New(fault.Conflict, "You cannot deactivate, demote or delete your own account here. Ask another superuser.")
	errLast         = fault.New(fault.Conflict, "This is the last active superuser. Make somebody else a superuser first.")
	errNoAddress    = fault.New(fault.Conflict, "This account has no address that a mail could go to.")
	errInactive     = fault.New(fault.Conflict, "This account is not active, so it gets no such mail. Activate it first.")
	errProven       = fault.New(fault.Conflict, "The address of this account is verified already.")
	errQueued       = fault.New(fault.Conflict, "This message is waiting to be sent already.")
	errWiped        = fault.New(fault.Conflict, "The address of this message was not kept once it had left, so it cannot be sent again.")
	errNothingLeft  = fault.New(fault.Conflict, "What this message is about is no longer there.")
	errAskedByOwner = fault.New(fault.Conflict, "Only the person can ask for a change of address. They have to ask again.")
)

// noPassword is a hash that no password has (Django marks such accounts alike).
// Hasher.Verify refuses it as it refuses anything, in the same time.
const noPassword = "!"

// Acts of operators that are no change of a row's fields, as the history names them.
const (
	ActEnd              = "end"
	ActSendReset        = "send_reset"
	ActSendVerification = "send_verification"
	ActSendAgain        = "send_again"
)

// Confirm takes the actor's own password again and notes it on the session, see
// Session.Confirmed. A wrong one is a fault of kind Reauthenticate and counts as
// a guess, of operators too: a session left open must not help to find it.
func (s *Service) Confirm(ctx context.Context, by Actor, pw string) error {
	u, err := s.store.User(ctx, by.ID)
	if err != nil {
		return own(err)
	}
	by.Manages = false
	err = s.Reauthenticate(ctx, by, u, &pw)
	if errors.Is(err, fault.Invalid) { // too long to be anybody's
		return reauthenticate("incorrect", "The current password is not correct.")
	}
	if err != nil {
		return err
	}
	err = s.store.ConfirmSession(ctx, by.ID, by.SessionID, u.PasswordHash, s.now())
	return unauthenticated(err)
}

// FormToken is what the forms of a session carry (promise B5): nobody without our
// key can make it, and it is good for that session alone.
func (s *Service) FormToken(sessionID int64) string { return s.keys[0].formToken(sessionID) }

// CheckFormToken tells whether a form came from a page of the session. One made
// under the previous secret counts.
func (s *Service) CheckFormToken(sessionID int64, token string) bool {
	good := false
	for _, k := range s.keys {
		if hmac.Equal([]byte(k.formToken(sessionID)), []byte(token)) {
			good = true
		}
	}
	return good
}

func (k keySet) formToken(sessionID int64) string {
	m := hmac.New(sha256.New, k.form)
	m.Write([]byte(strconv.FormatInt(sessionID, 10)))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// RevokeSession ends anybody's session. That of an operator ends only by a
// superuser's word, or their own.
func (s *Service) RevokeSession(ctx context.Context, by Actor, id int64) error {
	if !by.Manages {
		return ErrSessionNotFound
	}
	err := s.store.RevokeSession(ctx, by, id, s.now(), func(p Principal) error {
		switch {
		case p.Session.EndedAt != nil:
			return ErrSessionNotFound
		case p.User.operator() && !by.Superuser && p.User.ID != by.ID:
			return errOfStaff
		}
		return nil
	})
	s.acted(ctx, by, "session_revoked", id, err)
	return err
}

// acted writes the log line of what an operator has done (promise P3).
func (s *Service) acted(ctx context.Context, by Actor, event string, id int64, err error) {
	if err == nil {
		s.o.Log.InfoContext(ctx, "operator acted", "event", event, "operator", by.ID, "object", id, "source", by.Address)
	}
}

// Profile is what the admin site edits of a person.
type Profile struct {
	Name      string  `json:"name"`
	Email     string  `json:"email"`
	Active    bool    `json:"is_active"`
	Verified  bool    `json:"email_verified"`
	Staff     bool    `json:"is_staff"`
	Superuser bool    `json:"is_superuser"` // makes them staff as well
	Groups    []int64 `json:"groups"`       // ids, ascending
}

func profileOf(u User, groups []int64) Profile {
	return Profile{
		Name: u.Name, Email: u.Email, Active: u.Active, Verified: u.Verified(), Staff: u.operator(), Superuser: u.Superuser,
		Groups: sortedIDs(groups),
	}
}

// sortedIDs is a copy in order, each once; never nil, so that the history shows a
// list.
func sortedIDs(ids []int64) []int64 {
	ids = append([]int64{}, ids...)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Standing is what of a person stands in other rows than their own.
type Standing struct {
	Groups []int64 // that they are in, ascending
	Last   bool    // they are an active superuser, and nobody else is
}

// Profile reads a person with the groups they are in.
func (s *Service) Profile(ctx context.Context, by Actor, id int64) (User, Profile, error) {
	if !by.Manages {
		return User{}, Profile{}, ErrNotFound
	}
	u, groups, err := s.store.Profile(ctx, id)
	if err != nil {
		return User{}, Profile{}, err
	}
	return u, profileOf(u, groups), nil
}

// tidy brings a profile into the form that is stored.
func (p *Profile) tidy() {
	p.Staff = p.Staff || p.Superuser
	p.Groups = sortedIDs(p.Groups)
}

// check notes what is wrong with the fields that are new; was is nil for a new
// account. Imported people may have what nobody could enter today: it may stay.
func (p *Profile) check(was *Profile, bad *fault.Fields) {
	if was == nil || p.Name != was.Name {
		p.Name = checkName(p.Name, bad)
	}
	if (was == nil || p.Email != was.Email) && !bad.Has("email") {
		if address := checkEmail(p.Email, bad); address != "" {
			p.Email = address
		}
	}
}

// checkElsewhere notes what only other rows tell: a mailbox that is somebody
// else's, groups that do not exist.
func (s *Service) checkElsewhere(ctx context.Context, id int64, was, p Profile, bad *fault.Fields) error {
	if p.Email != was.Email && !bad.Has("email") {
		other, err := s.store.UserByMailbox(ctx, MailboxKey(p.Email))
		switch {
		case isNotFound(err):
		case err != nil:
			return err
		case other.ID != id:
			*bad = append(*bad, ErrEmailTaken.Fields...)
		}
	}
	if slices.Equal(p.Groups, was.Groups) || bad.Has("groups") {
		return nil
	}
	groups, err := s.store.Groups(ctx)
	if err != nil {
		return err
	}
	for _, id := range p.Groups {
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.ID == id }) {
			*bad = append(*bad, ErrNoSuchGroup.Fields...)
			break
		}
	}
	return nil
}

// CreateProfile opens an account for somebody. Without a password nobody can
// sign in to it yet: the person gets a mail to choose one. Unless the operator
// vouches for the address, a mail asks for its proof.
func (s *Service) CreateProfile(ctx context.Context, by Actor, p Profile, pw string, bad fault.Fields) (User, error) {
	if !by.Manages {
		return User{}, errNotOperator
	}
	if p.tidy(); !by.Superuser && (p.Staff || len(p.Groups) > 0) {
		return User{}, errMakesStaff
	}
	p.check(nil, &bad)
	if pw != "" && !bad.Has("password") {
		checkPassword("password", pw, p.Name, p.Email, &bad)
	}
	if err := s.checkElsewhere(ctx, 0, Profile{}, p, &bad); err != nil {
		return User{}, err
	}
	if err := bad.Err(); err != nil {
		return User{}, err
	}
	now := s.now()
	u := User{
		Name: p.Name, Email: p.Email, PasswordHash: noPassword, Active: p.Active, Staff: p.Staff, Superuser: p.Superuser,
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	var mails []Mail
	if p.Verified {
		u.EmailVerifiedAt = &now
	} else {
		mails = append(mails, Mail{Kind: MailVerify, Address: u.Email})
	}
	if pw == "" {
		mails = append(mails, Mail{Kind: MailReset, Address: u.Email})
	} else {
		hash, err := s.o.Hasher.Hash(ctx, pw)
		if err != nil {
			return User{}, err
		}
		u.PasswordHash = hash
	}
	u, err := s.store.CreateProfile(ctx, by, u, p.Groups, DefaultSettings(), mails)
	s.acted(ctx, by, "account_created", u.ID, err)
	return u, err
}

// ReviseProfile changes somebody's account: change edits the profile, maybe more
// than once, and returns what it could not read.
//
// A new address counts at once and is told to the old one. It is unproven, whatever
// it was before, unless the same change turns Verified on: an operator who
// corrects the address of somebody verified has to vouch for it in a second step.
// Who is deactivated is signed out everywhere, who loses a right out of the admin
// site; mailed links of either address or of a deactivated account are dead.
func (s *Service) ReviseProfile(ctx context.Context, by Actor, id int64, match Match, change func(*Profile) fault.Fields) (User, error) {
	u, was, err := s.Profile(ctx, by, id)
	if err != nil {
		return User{}, err
	}
	if err := match.Check(u.Version, u); err != nil {
		return User{}, err
	}
	// What other rows tell is looked up before, so that all that is wrong is told
	// at once; the database has the last word.
	p, bad, err := judge(by, id, was, false, change)
	if err == nil {
		err = s.checkElsewhere(ctx, id, was, p, &bad)
	}
	if err != nil {
		return User{}, err
	}
	if err := bad.Err(); err != nil {
		return User{}, err
	}
	u, err = s.store.UpdateProfile(ctx, by, id, func(u *User, st *Standing, fx *Effects) error {
		if err := match.Check(u.Version, *u); err != nil {
			return err
		}
		was := profileOf(*u, st.Groups)
		p, bad, err := judge(by, id, was, st.Last, change)
		if err != nil {
			return err
		}
		if err := bad.Err(); err != nil {
			return err
		}
		s.apply(u, was, p, fx)
		st.Groups = p.Groups
		return nil
	})
	s.acted(ctx, by, "account_revised", id, err)
	return u, err
}

// judge makes the change of a profile and decides whether the actor may.
func judge(by Actor, id int64, was Profile, last bool, change func(*Profile) fault.Fields) (Profile, fault.Fields, error) {
	p := was
	p.Groups = slices.Clone(was.Groups)
	bad := change(&p)
	p.tidy()
	demoted := (was.Staff && !p.Staff) || (was.Superuser && !p.Superuser)
	rights := p.Staff != was.Staff || p.Superuser != was.Superuser || !slices.Equal(p.Groups, was.Groups)
	changed := rights || p.Name != was.Name || p.Email != was.Email || p.Active != was.Active || p.Verified != was.Verified
	switch {
	case changed && was.Staff && !by.Superuser:
		return p, nil, errOfStaff
	case rights && !by.Superuser:
		return p, nil, errMakesStaff
	case (demoted || (was.Active && !p.Active)) && id == by.ID:
		return p, nil, errSelf
	case last && (!p.Superuser || !p.Active):
		return p, nil, errLast
	}
	p.check(&was, &bad)
	return p, bad, nil
}

// apply writes a judged profile to the user, with what follows.
func (s *Service) apply(u *User, was, p Profile, fx *Effects) {
	now := s.now()
	u.Name, u.Active, u.UpdatedAt = p.Name, p.Active, now
	if p.Staff != was.Staff || p.Superuser != was.Superuser {
		u.Staff, u.Superuser = p.Staff, p.Superuser
	}
	moved := p.Email != was.Email
	switch {
	case p.Verified && !was.Verified:
		u.EmailVerifiedAt = &now
	case moved || !p.Verified:
		u.EmailVerifiedAt = nil
	}
	if moved {
		if u.Email != "" {
			fx.Mails = append(fx.Mails, Mail{Kind: MailAddressChanged, UserID: &u.ID, Address: u.Email, Other: p.Email})
		}
		u.Email = p.Email
		if !u.Verified() {
			fx.Mails = append(fx.Mails, Mail{Kind: MailVerify, UserID: &u.ID, Address: u.Email})
		}
	}
	if was.Active && !p.Active {
		fx.EndSessions = true
	}
	if moved || fx.EndSessions {
		fx.DropTokens = []Purpose{PurposeVerify, PurposeReset, PurposeChangeEmail}
	}
	fx.EndAdmin = (was.Staff && !p.Staff) || (was.Superuser && !p.Superuser)
}

// SetActive lets somebody in again, or no longer.
func (s *Service) SetActive(ctx context.Context, by Actor, id int64, active bool) error {
	_, err := s.ReviseProfile(ctx, by, id, nil, func(p *Profile) fault.Fields {
		p.Active = active
		return nil
	})
	return err
}

// SetPasswordOf gives somebody a new password, which only a superuser may: all
// their sessions end but the one that asks, and the owner is told by mail.
func (s *Service) SetPasswordOf(ctx context.Context, by Actor, id int64, pw string, bad fault.Fields) error {
	u, _, err := s.Profile(ctx, by, id)
	if err != nil {
		return err
	}
	if !by.Superuser {
		return errSuperuser
	}
	hash, err := s.newHash(ctx, u, "password", pw, bad)
	if err != nil {
		return err
	}
	_, err = s.store.UpdateUser(ctx, by, id, func(u *User, fx *Effects) error {
		s.setHash(u, fx, hash, by.SessionID)
		return nil
	})
	s.acted(ctx, by, "password_set", id, err)
	return err
}

// SendReset sends somebody a link to choose a new password, to the address that
// the account has. It counts among the mails of the hour (promise Z8).
func (s *Service) SendReset(ctx context.Context, by Actor, id int64) error {
	return s.sendTo(ctx, by, id, ActSendReset, MailReset, func(u User) error {
		if u.operator() && !by.Superuser {
			return errOfStaff
		}
		return nil
	})
}

// SendVerification sends somebody another link that proves the address. It
// counts among the mails of the hour.
func (s *Service) SendVerification(ctx context.Context, by Actor, id int64) error {
	return s.sendTo(ctx, by, id, ActSendVerification, MailVerifyIfUnproven, func(u User) error {
		if u.Verified() {
			return errProven
		}
		return nil
	})
}

func (s *Service) sendTo(ctx context.Context, by Actor, id int64, act string, kind MailKind, check func(User) error) error {
	if !by.Manages {
		return ErrNotFound
	}
	err := s.store.MailTo(ctx, by, id, act, s.now(), func(u User) (Mail, error) {
		if err := check(u); err != nil {
			return Mail{}, err
		}
		switch {
		case u.Email == "":
			return Mail{}, errNoAddress
		case !u.Active:
			return Mail{}, errInactive
		}
		return Mail{Kind: kind, UserID: &u.ID, Address: u.Email}, nil
	})
	s.acted(ctx, by, act, id, err)
	return err
}

// Erase erases somebody's account with all that belongs to it, as they could
// themselves (promise B10).
func (s *Service) Erase(ctx context.Context, by Actor, id int64, match Match) error {
	u, _, err := s.Profile(ctx, by, id)
	if err != nil {
		return err
	}
	set, err := s.store.Settings(ctx, id)
	if err != nil {
		return err
	}
	err = s.store.EraseUser(ctx, by, id, func(u User, last bool) error {
		if err := match.Check(u.Version, u); err != nil {
			return err
		}
		switch {
		case u.operator() && !by.Superuser:
			return errOfStaff
		case id == by.ID:
			return errSelf
		case last:
			return errLast
		}
		return nil
	}, farewell(u, set))
	s.acted(ctx, by, "erased", id, err)
	return err
}

// Addressed is a message with what decides whether it can be sent again.
type Addressed struct {
	Mail
	User *User // whom it is for; nil for one of whom nothing is known any longer
	Gone bool  // what it is about is no longer there
}

// SendAgain queues a message that has left, could not leave, or was dropped once
// more. What is no longer true is dropped when its turn comes, as ever.
func (s *Service) SendAgain(ctx context.Context, by Actor, mailID int64) error {
	if !by.Manages {
		return ErrMailNotFound
	}
	err := s.store.RequeueMail(ctx, by, mailID, s.now(), func(m Addressed) error {
		switch {
		case m.State == MailQueued:
			return errQueued
		case m.Address == "":
			return errWiped
		case m.Gone:
			return errNothingLeft
		case m.Kind == MailConfirmNew: // a new password may have undone the wish
			return errAskedByOwner
		case m.Kind == MailReset && m.User != nil && m.User.operator() && !by.Superuser:
			return errOfStaff
		}
		return nil
	})
	s.acted(ctx, by, ActSendAgain, mailID, err)
	return err
}
