package account

import (
	"context"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// mailAsksPerHour is how often one source may ask for mails of one kind.
const mailAsksPerHour = 30

// AskReset sends a link that lets the holder of the mailbox choose a new
// password. What it does and how long it takes is the same for an unknown
// address: it writes down a message, and the job that sends it finds out whom
// it is for (promise T4).
func (s *Service) AskReset(ctx context.Context, by Actor, email string) error {
	return s.ask(ctx, by, MailReset, email)
}

// AskVerification sends another link that proves the address.
func (s *Service) AskVerification(ctx context.Context, by Actor, email string) error {
	return s.ask(ctx, by, MailVerifyIfUnproven, email)
}

func (s *Service) ask(ctx context.Context, by Actor, kind MailKind, email string) error {
	if err := s.limited(ctx, string(kind), by, mailAsksPerHour, time.Hour); err != nil {
		return err
	}
	address, _, ok := Mailbox(email)
	if !ok {
		return fault.InvalidField("email", "invalid", "Enter a valid email address.")
	}
	return s.store.QueueMail(ctx, Mail{Kind: kind, Address: address})
}

// ConfirmReset sets a new password with a mailed token: every session and every
// other link ends, and the address counts as proven (promise T11). The token is
// spent only when all is well with the password.
func (s *Service) ConfirmReset(ctx context.Context, by Actor, token, pw string, bad fault.Fields) error {
	if err := s.limited(ctx, "reset_token", by, guessesPerSource, guessWindow); err != nil {
		return err
	}
	if len(bad) > 0 {
		return bad.Err()
	}
	// The rules that need no person come first: a bad password is not hashed.
	if checkPassword("new_password", pw, "", "", &bad); len(bad) > 0 {
		return bad.Err()
	}
	hash, err := s.o.Hasher.Hash(ctx, pw)
	if err != nil {
		return err
	}
	u, err := s.store.UseToken(ctx, by, PurposeReset, hashSecret(token), s.now(), func(_ Token, u *User, fx *Effects) error {
		if !u.Active {
			return ErrBadToken
		}
		var bad fault.Fields
		if checkPassword("new_password", pw, u.Name, u.Email, &bad); len(bad) > 0 {
			return bad.Err()
		}
		s.setHash(u, fx, hash, 0)
		s.prove(u)
		return nil
	})
	if err == nil {
		s.o.Log.InfoContext(ctx, "password reset", "event", "password_reset", "user", u.ID)
	}
	return err
}

func (s *Service) prove(u *User) {
	if u.EmailVerifiedAt == nil {
		now := s.now()
		u.EmailVerifiedAt, u.UpdatedAt = &now, now
	}
}

// ConfirmAddress spends a mailed token that proves an address: the one the
// account has, or the one it is to have from now on.
func (s *Service) ConfirmAddress(ctx context.Context, by Actor, token string) error {
	if err := s.limited(ctx, "address_token", by, guessesPerSource, guessWindow); err != nil {
		return err
	}
	hash := hashSecret(token)
	_, err := s.store.UseToken(ctx, by, PurposeVerify, hash, s.now(), func(t Token, u *User, fx *Effects) error {
		if MailboxKey(t.Address) != MailboxKey(u.Email) || !u.Active {
			return ErrBadToken
		}
		s.prove(u)
		fx.DropTokens = []Purpose{PurposeVerify}
		return nil
	})
	if fault.As(err) != ErrBadToken {
		return err
	}
	_, err = s.store.UseToken(ctx, by, PurposeChangeEmail, hash, s.now(), func(t Token, u *User, fx *Effects) error {
		if !u.Active {
			return ErrBadToken
		}
		now := s.now()
		if u.Email != "" {
			fx.Mails = append(fx.Mails, Mail{Kind: MailAddressChanged, UserID: &u.ID, Address: u.Email, Other: t.Address})
		}
		u.Email, u.EmailVerifiedAt, u.UpdatedAt = t.Address, &now, now
		fx.DropTokens = []Purpose{PurposeVerify, PurposeReset, PurposeChangeEmail}
		return nil
	})
	return err
}

// Outgoing is a message of the outbox with all that its text needs.
type Outgoing struct {
	Mail
	Token string    // the secret of its link, made just now; empty where there is none
	At    time.Time // when it was asked for, on the clock of the person
}

// PrepareMail readies a message for sending. ok is false when there is nothing
// to send: it was sent, no account has that address, or it is no longer true.
// A message that was asked for by an address goes to the address as stored,
// however it was typed (promise T8): on a host that tells cases apart, the other
// spelling is another person's mailbox. A reminder that cannot be delivered gives
// its leads back (see Store.DropMail). The secret of a link is made here and rests
// only as a hash.
func (s *Service) PrepareMail(ctx context.Context, id int64) (out Outgoing, ok bool, err error) {
	m, err := s.store.Mail(ctx, id)
	if isNotFound(err) {
		return Outgoing{}, false, nil
	}
	if err != nil || m.State == MailSent || m.State == MailDropped {
		return Outgoing{}, false, err
	}
	out = Outgoing{Mail: m, At: m.CreatedAt}
	u, known, err := s.addressee(ctx, m)
	if err != nil {
		return Outgoing{}, false, err
	}
	if known {
		set, err := s.store.Settings(ctx, u.ID)
		if err != nil {
			return Outgoing{}, false, err
		}
		if m.UserID == nil {
			out.Address = u.Email
		}
		out.Name, out.Language, out.UserID, out.At = u.Name, set.Language, &u.ID, m.CreatedAt.In(set.Location())
	}
	purpose, wanted := s.wanted(m, u, known)
	if !wanted {
		return Outgoing{}, false, s.store.DropMail(ctx, id, s.now())
	}
	if purpose != "" {
		now := s.now()
		out.Token = secretText()
		if purpose == PurposeReset { // whatever the address was when it was asked for
			out.Address = u.Email
		}
		err = s.store.CreateToken(ctx, id, Token{
			Hash: hashSecret(out.Token), UserID: u.ID, Purpose: purpose, Address: out.Address,
			CreatedAt: now, ExpiresAt: now.Add(purpose.TTL()),
		})
		if isNotFound(err) {
			return Outgoing{}, false, nil
		}
	}
	return out, err == nil, err
}

// addressee finds whom a message is for: by account, or by mailbox.
func (s *Service) addressee(ctx context.Context, m Mail) (User, bool, error) {
	var u User
	var err error
	if m.UserID != nil {
		u, err = s.store.User(ctx, *m.UserID)
	} else {
		u, err = s.store.UserByMailbox(ctx, MailboxKey(m.Address))
	}
	if isNotFound(err) {
		return User{}, false, nil
	}
	return u, err == nil, err
}

// wanted tells whether a message still makes sense, and what its link is for.
func (s *Service) wanted(m Mail, u User, known bool) (Purpose, bool) {
	switch m.Kind {
	case MailAccountDeleted:
		return "", true
	case MailVerify, MailVerifyIfUnproven:
		return PurposeVerify, known && u.Active && !u.Verified() && MailboxKey(u.Email) == MailboxKey(m.Address)
	case MailReset:
		return PurposeReset, known && u.Active
	case MailConfirmNew:
		return PurposeChangeEmail, known && u.Active
	case MailDocumentReminder:
		return "", known && u.Active && u.Verified()
	default:
		return "", known
	}
}

// MailDone records what became of a message: MailSent, MailFailed or MailDropped.
func (s *Service) MailDone(ctx context.Context, id int64, state, problem string) error {
	return s.store.SetMailState(ctx, id, state, problem, s.now())
}

// Purge removes sessions, tokens and counters that have run out, and messages
// that are long gone. It returns how many rows went.
func (s *Service) Purge(ctx context.Context) (int64, error) { return s.store.Purge(ctx, s.now()) }
