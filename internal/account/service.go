package account

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/note"
)

// Effects is what goes with a change of a user: the store carries it out in the
// transaction of the change.
type Effects struct {
	EndSessions bool  // every session of the user …
	KeepSession int64 // … but this one
	EndAdmin    bool  // those of the admin site
	DropTokens  []Purpose
	Mails       []Mail
	MailQuota   bool // refuse the change when the user has had too many mails this hour
}

// Attempt is a counter that a guess counts against: max times in a window.
type Attempt struct {
	Key    string
	Max    int
	Window time.Duration
}

// Count is where a counter stands after it has counted.
type Count struct {
	N     int
	Until time.Time // when the window ends
}

// Rotation is what the store found when a refresh token was presented.
type Rotation struct {
	Principal  Principal
	Successor  []byte // hash of the token that takes its place
	Generation int64  // of the successor, see Session.SeenGeneration
	Reused     bool   // the token was used before, and so were the tokens it gave: the session has been ended
}

// Match tells whether a version of a thing, with its stored fields, is the one the
// caller has seen; nil matches any.
type Match func(version int64, stored any) bool

// AtVersion matches a version, whatever is stored.
func AtVersion(seen int64) Match {
	return func(version int64, _ any) bool { return version == seen }
}

// Check is ErrStale when the version is not the one the caller has seen. stored
// holds the fields that its holder may change, and says the same in JSON whenever
// they are the same.
func (m Match) Check(version int64, stored any) error {
	if m != nil && !m(version, stored) {
		return ErrStale
	}
	return nil
}

// Store is what Service needs from the database. A method is one transaction,
// history and jobs included.
type Store interface {
	// CreateUser stores a new user with settings; ErrEmailTaken when the
	// mailbox has an account already.
	CreateUser(ctx context.Context, by Actor, u User, s Settings, mails []Mail) (User, error)
	User(ctx context.Context, id int64) (User, error)
	UserByMailbox(ctx context.Context, key string) (User, error)
	// UpdateUser loads, changes and saves a user and carries out the effects.
	UpdateUser(ctx context.Context, by Actor, id int64, change func(*User, *Effects) error) (User, error)
	// RenewHash replaces a password hash by a stronger one of the same password,
	// unless the password was changed meanwhile.
	RenewHash(ctx context.Context, id int64, old, renewed string) (bool, error)
	// Profile reads a user and the groups they are in, ascending.
	Profile(ctx context.Context, id int64) (User, []int64, error)
	// CreateProfile is CreateUser with groups; ErrNoSuchGroup when one is not there.
	CreateProfile(ctx context.Context, by Actor, u User, groups []int64, s Settings, mails []Mail) (User, error)
	// UpdateProfile is UpdateUser with what stands elsewhere; changed groups are
	// saved. Of two changes that may each leave no superuser, one waits for the other.
	UpdateProfile(ctx context.Context, by Actor, id int64, change func(*User, *Standing, *Effects) error) (User, error)
	// MailTo queues a message to somebody and records it as act; a fault of kind
	// TooMany when they have had their share of this hour.
	MailTo(ctx context.Context, by Actor, id int64, act string, at time.Time, write func(User) (Mail, error)) error
	// EraseUser is DeleteUser by an operator; last tells whether the user is the
	// last active superuser.
	EraseUser(ctx context.Context, by Actor, id int64, check func(u User, last bool) error, mails []Mail) error
	// DeleteUser erases the user and all that belongs to them, if check agrees.
	DeleteUser(ctx context.Context, by Actor, id int64, check func(User, Settings) error, mails []Mail) error

	Settings(ctx context.Context, userID int64) (Settings, error)
	// UpdateSettings loads, changes and saves preferences and, if edit is not
	// nil, the user with them: both or neither.
	UpdateSettings(ctx context.Context, by Actor, userID int64, change func(*Settings) error, edit func(*User, *Effects) error) (Settings, error)

	// CreateSession records a sign-in, and the moment of it on the user. It is
	// ErrBadCredentials when the password is no longer the one that passwordHash
	// was of: a change of it ends sign-ins that are under way, too.
	CreateSession(ctx context.Context, s Session, refreshHash []byte, passwordHash string) (Session, error)
	// Principal reads a session and its user as they are now.
	Principal(ctx context.Context, sessionID int64) (Principal, error)
	// TouchSession notes that a session was used, and how long it may now idle,
	// nil for as long as before.
	TouchSession(ctx context.Context, sessionID int64, at time.Time, idleUntil *time.Time) error
	// ConfirmSession notes that the password was given again. It is
	// ErrSessionNotFound when the session has ended or the password is another.
	ConfirmSession(ctx context.Context, userID, sessionID int64, passwordHash string, at time.Time) error
	// RevokeSession ends anybody's session, if check agrees.
	RevokeSession(ctx context.Context, by Actor, sessionID int64, at time.Time, check func(Principal) error) error
	Sessions(ctx context.Context, userID int64, now time.Time) ([]Session, error)
	EndSession(ctx context.Context, userID, sessionID int64, at time.Time) error
	EndSessions(ctx context.Context, userID int64, at time.Time) error
	// SeeGeneration raises the SeenGeneration of a session to generation, if it is lower.
	SeeGeneration(ctx context.Context, sessionID, generation int64) error
	// RefreshSession finds the session of a refresh token that can still be exchanged.
	RefreshSession(ctx context.Context, hash []byte) (int64, error)
	// RotateRefresh replaces a refresh token by its successor, once. It finds the same
	// successor again until that, or an access token of its generation, was used, and
	// for grace afterwards; a later reuse ends the session.
	RotateRefresh(ctx context.Context, hash, successor []byte, now, idleUntil time.Time, grace time.Duration) (Rotation, error)

	// CountAttempts counts one more on each and returns where they stand.
	CountAttempts(ctx context.Context, attempts []Attempt, now time.Time) ([]Count, error)
	// ForgiveAttempts takes one count back from each.
	ForgiveAttempts(ctx context.Context, keys []string) error

	// QueueMail puts a message into the outbox, unless the mailbox has had its
	// share of this hour.
	QueueMail(ctx context.Context, m Mail) error
	// RequeueMail queues a settled message again, if check agrees.
	RequeueMail(ctx context.Context, by Actor, id int64, at time.Time, check func(Addressed) error) error
	Mail(ctx context.Context, id int64) (Mail, error)
	SetMailState(ctx context.Context, id int64, state, problem string, at time.Time) error
	// DropMail records that a message could not be delivered to the person it is
	// for. The leads that a reminder stood for are due again, in the same transaction.
	DropMail(ctx context.Context, id int64, at time.Time) error
	// CreateToken stores the secret of a message, ErrNotFound when the message is
	// no longer to be sent.
	CreateToken(ctx context.Context, mailID int64, t Token) error
	// UseToken consumes a token and changes its user, both or neither.
	UseToken(ctx context.Context, by Actor, purpose Purpose, hash []byte, now time.Time, change func(Token, *User, *Effects) error) (User, error)

	Group(ctx context.Context, id int64) (Group, error)
	Groups(ctx context.Context) ([]Group, error)
	// CreateGroup stores a new group; ErrGroupTaken when there is one of that name.
	CreateGroup(ctx context.Context, by Actor, g Group) (Group, error)
	UpdateGroup(ctx context.Context, by Actor, id int64, change func(*Group) error) (Group, error)
	DeleteGroup(ctx context.Context, by Actor, id int64, at time.Time, check func(Group) error) error
	// Permissions reads what the groups of a user allow.
	Permissions(ctx context.Context, userID int64) ([]Permission, error)

	// Purge removes what has run out and returns how many rows went.
	Purge(ctx context.Context, now time.Time) (int64, error)
}

// Registration says who may open an account.
type Registration string

// The ways of registering.
const (
	RegistrationOpen     Registration = "open"
	RegistrationVerified Registration = "verified" // nobody signs in before the address is confirmed
	RegistrationClosed   Registration = "closed"
)

// Options are the settings of a Service.
type Options struct {
	Secret         string // signs tokens; at least 32 bytes
	PreviousSecret string // still verifies; may be empty
	AccessTTL      time.Duration
	RefreshTTL     time.Duration // idle
	SessionTTL     time.Duration // in all
	AdminIdle      time.Duration // of the admin site: idle
	AdminTTL       time.Duration // in all
	Registration   Registration
	Throttle       bool
	Hasher         *password.Hasher
	Log            *slog.Logger
	Now            func() time.Time
	// Wait slows a guess down; it returns early with the context's error. Tests
	// replace it to see how long was asked for.
	Wait func(context.Context, time.Duration) error
}

// Defaults of the life of credentials.
const (
	DefaultAccessTTL  = 24 * time.Hour
	DefaultRefreshTTL = 14 * 24 * time.Hour
	DefaultSessionTTL = 60 * 24 * time.Hour
	DefaultAdminIdle  = 30 * time.Minute
	DefaultAdminTTL   = 12 * time.Hour
	refreshGrace      = 10 * time.Second
	touchEvery        = 5 * time.Minute
	touchAdminEvery   = time.Minute
)

// Service is what people can do with their accounts.
type Service struct {
	store  Store
	o      Options
	keys   []keySet // the first signs, all verify
	tokens *jwt.Parser
}

// keySet are the keys derived from one secret, each for one use.
type keySet struct {
	id      string // kid: names the secret without telling it
	access  []byte
	refresh []byte
	form    []byte
}

// NewService returns a Service on the store. Zero options take their defaults,
// but for Secret and Hasher.
func NewService(store Store, o Options) *Service {
	setDefault(&o.AccessTTL, DefaultAccessTTL)
	setDefault(&o.RefreshTTL, DefaultRefreshTTL)
	setDefault(&o.SessionTTL, max(DefaultSessionTTL, o.RefreshTTL))
	setDefault(&o.AdminIdle, DefaultAdminIdle)
	setDefault(&o.AdminTTL, DefaultAdminTTL)
	setDefault(&o.Registration, RegistrationOpen)
	setDefault(&o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	s := &Service{store: store, o: o, keys: []keySet{newKeySet(o.Secret)}}
	if o.PreviousSecret != "" {
		s.keys = append(s.keys, newKeySet(o.PreviousSecret))
	}
	s.tokens = newTokenParser(s.now)
	return s
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func newKeySet(secret string) keySet {
	return keySet{
		id:      hex.EncodeToString(derive(secret, "ridecopilot key id")[:8]),
		access:  derive(secret, "ridecopilot access token"),
		refresh: derive(secret, "ridecopilot refresh successor"),
		form:    derive(secret, "ridecopilot form token"),
	}
}

// derive makes an independent key for one use out of the secret (HKDF, RFC 5869).
func derive(secret, use string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, use, sha256.Size)
	if err != nil { // only for a length that is asked for wrongly
		panic(err)
	}
	return key
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// now is UTC, in the precision that both engines keep.
func (s *Service) now() time.Time { return s.o.Now().UTC().Truncate(time.Microsecond) }

// hashed is an address as logs may show it: the same person is the same text,
// and nobody without the key can tell who (promise P4).
func (s *Service) hashed(address string) string { return s.pseudonym(MailboxKey(address)) }

// hashedID is an account's number as the line of a request shows it. No mailbox
// is spelled like it.
func (s *Service) hashedID(id int64) string {
	return s.pseudonym("account\x00" + strconv.FormatInt(id, 10))
}

func (s *Service) pseudonym(of string) string {
	m := hmac.New(sha256.New, s.keys[0].refresh)
	m.Write([]byte("log\x00" + of))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// counter is the key of a counter: nobody without our key can tell from it whose
// it is, of people unknown to us neither.
func (s *Service) counter(parts ...string) string {
	m := hmac.New(sha256.New, s.keys[0].refresh)
	m.Write([]byte("counter\x00" + strings.Join(parts, "\x00")))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// secretText is 256 random bits as text, for a link or a credential.
func secretText() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// hashSecret is how a secret rests: it has 256 random bits, so a fast hash will do.
func hashSecret(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// network is what counts as one source: the address, or the /64 of an IPv6
// address, which is what one customer gets (promise T7).
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // fails only for lengths out of range
		return p.String()
	}
	return a.String()
}

// limited counts a try by a source against one limit and refuses it beyond.
func (s *Service) limited(ctx context.Context, what string, by Actor, maximum int, window time.Duration) error {
	if !s.o.Throttle || by.Manages {
		return nil
	}
	counts, err := s.store.CountAttempts(ctx, []Attempt{{s.counter(what, network(by.Address)), maximum, window}}, s.now())
	if err != nil {
		return err
	}
	if counts[0].N > maximum {
		note.Limit(ctx, what)
		s.o.Log.WarnContext(ctx, "throttled", "event", "throttled", "what", what, "source", by.Address)
		return s.tooMany(counts[0].Until)
	}
	return nil
}

func (s *Service) tooMany(until time.Time) error {
	return fault.Busy(fault.TooMany, "Too many attempts. Try again later.", max(until.Sub(s.now()), time.Second))
}

func isNotFound(err error) bool { return errors.Is(err, fault.NotFound) }

func itoa(n int) string { return strconv.Itoa(n) }

// wrap says what was being done when an error came up.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
