package account

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/note"
)

// The limits on guessing (promise T6).
const (
	guessWindow      = 15 * time.Minute
	guessesPerPair   = 10  // by account and source together
	guessesPerSource = 100 // by source
	freeGuesses      = 10  // by account from anywhere, before they are slowed down
	firstDelay       = 250 * time.Millisecond
	longestDelay     = 2500 * time.Millisecond // the wait for the hash, 2 s at most, is part of it
)

// Credentials are what a sign-in gives.
type Credentials struct {
	Access    string
	Refresh   string // empty for kinds of session that are not refreshed
	ExpiresIn time.Duration
	User      User
	Session   Session
}

// SignIn opens a session for the person with that address and password. The
// answer is the same ErrBadCredentials, after the same work, whether the
// address is unknown, the password wrong, or the account disabled, unproven or,
// in the admin site, nobody's who works there (promises T4 and Z6); a fault of kind TooMany answers guessing.
// The older client alone is told with ErrUnproven that the password is right and the
// address not confirmed: it has no other page that could say so.
func (s *Service) SignIn(ctx context.Context, by Actor, kind SessionKind, email, pw string) (Credentials, error) {
	c, err := s.signIn(ctx, by, kind, email, pw)
	if errors.Is(err, ErrBadCredentials) && c.User.ID != 0 {
		// Right a moment ago: the password was changed meanwhile, or another
		// sign-in has renewed its hash. Once more tells which.
		c, err = s.signIn(ctx, by, kind, email, pw)
	}
	if err != nil {
		return Credentials{}, err
	}
	s.o.Log.InfoContext(ctx, "signed in", "event", "login", "user", c.User.ID, "session", c.Session.ID, "kind", string(kind), "source", by.Address)
	return c, nil
}

// signIn is one attempt at it; with ErrBadCredentials it returns the user when
// the password was right at first.
func (s *Service) signIn(ctx context.Context, by Actor, kind SessionKind, email, pw string) (Credentials, error) {
	if kind == SessionAdmin { // nobody manages yet who is still to show a password: guesses count (promise B9)
		by.Manages = false
	}
	u, err := s.authenticate(ctx, by, kind, email, pw)
	if err != nil {
		return Credentials{}, err
	}
	now := s.now()
	session := Session{
		UserID: u.ID, Kind: kind, Device: clip(by.Device, MaxText), Address: by.Address,
		CreatedAt: now, LastUsedAt: now, IdleUntil: now.Add(s.o.RefreshTTL), ExpiresAt: now.Add(s.o.SessionTTL),
	}
	refresh, hash := "", []byte(nil)
	switch kind { // cookies are never refreshed (promise T14)
	case SessionLegacy:
		session.ExpiresAt = now.Add(s.o.AccessTTL)
	case SessionAdmin:
		session.ExpiresAt = now.Add(s.o.AdminTTL)
		session.IdleUntil = s.idleUntil(session)
	case SessionAPI:
		refresh = secretText()
		hash = hashSecret(refresh)
	}
	session, err = s.store.CreateSession(ctx, session, hash, u.PasswordHash)
	if err != nil {
		return Credentials{User: u}, wrap("create session", err)
	}
	u.LastLoginAt = &now
	return s.credentials(u, session, refresh, 0)
}

// idleUntil is until when a session of the admin site may idle that is used now.
func (s *Service) idleUntil(session Session) time.Time {
	idle := s.now().Add(s.o.AdminIdle)
	if idle.After(session.ExpiresAt) {
		return session.ExpiresAt
	}
	return idle
}

// authenticate finds the person whom address and password belong to.
func (s *Service) authenticate(ctx context.Context, by Actor, kind SessionKind, email, pw string) (User, error) {
	key := MailboxKey(email)
	g, err := s.countGuess(ctx, by, "login", key)
	if err != nil {
		return User{}, err
	}
	u, err := s.store.UserByMailbox(ctx, key)
	if err != nil && !isNotFound(err) {
		return User{}, wrap("find user", err)
	}
	// An unknown address has an empty hash, which costs as much to refuse.
	good, renew, err := s.o.Hasher.Verify(ctx, u.PasswordHash, pw)
	if err == nil {
		err = s.hold(ctx, g)
	}
	if err != nil {
		return User{}, err
	}
	unproven := s.o.Registration == RegistrationVerified && !u.Verified()
	if !good || !u.Active || unproven || (kind == SessionAdmin && !u.operator()) {
		s.o.Log.WarnContext(ctx, "sign-in refused", "event", "login_refused", "address", s.hashed(email), "source", by.Address)
		if good && u.Active && kind == SessionLegacy {
			return User{}, ErrUnproven
		}
		return User{}, ErrBadCredentials
	}
	if err := s.store.ForgiveAttempts(ctx, g.counters); err != nil {
		return User{}, wrap("forgive attempts", err)
	}
	if renew {
		u.PasswordHash = s.renewHash(ctx, u, pw)
	}
	return u, nil
}

// guess is a guess at a password that was counted.
type guess struct {
	counters []string      // to take it back from
	at       time.Time     // when it was made
	delay    time.Duration // from then on, before it is answered
}

// countGuess counts a guess at a password before it is looked at, so that many
// at once cannot slip through.
func (s *Service) countGuess(ctx context.Context, by Actor, what, account string) (guess, error) {
	if !s.o.Throttle || by.Manages {
		return guess{}, nil
	}
	source := network(by.Address)
	attempts := []Attempt{
		{s.counter(what, "pair", account, source), guessesPerPair, guessWindow},
		{s.counter(what, "source", source), guessesPerSource, guessWindow},
		{s.counter(what, "account", account), freeGuesses, guessWindow},
	}
	counts, err := s.store.CountAttempts(ctx, attempts, s.now())
	if err != nil {
		return guess{}, wrap("count attempt", err)
	}
	for i, c := range counts[:2] {
		if c.N > attempts[i].Max {
			note.Limit(ctx, what)
			s.o.Log.WarnContext(ctx, "throttled", "event", "throttled", "what", what, "address", s.hashed(account), "source", by.Address)
			return guess{}, s.tooMany(c.Until)
		}
	}
	return guess{[]string{attempts[0].Key, attempts[1].Key, attempts[2].Key}, s.now(), guessDelay(counts[2].N)}, nil
}

// hold keeps the answer to a guess back until its delay is over. The time that the
// password has waited for its hash counts: otherwise the right one would wait for
// both. A right and a wrong one are held alike, so that no one who guesses can hang
// up early on the wrong ones.
func (s *Service) hold(ctx context.Context, g guess) error {
	left := g.delay - s.now().Sub(g.at)
	if left <= 0 {
		return nil
	}
	if err := s.o.Wait(ctx, left); err != nil {
		return fault.Busy(fault.Unavailable, "The server is busy. Try again shortly.", time.Second)
	}
	return nil
}

// guessDelay is how long the nth guess at one account from anywhere waits: it
// grows and stays bearable, so that nobody can shut the owner out.
func guessDelay(n int) time.Duration {
	if n <= freeGuesses {
		return 0
	}
	return min(longestDelay, firstDelay<<min(n-freeGuesses-1, 10))
}

// renewHash replaces a weaker hash now that the password is at hand, and returns
// the one that stands. It may fail: the next sign-in tries again.
func (s *Service) renewHash(ctx context.Context, u User, pw string) string {
	renewed, err := s.o.Hasher.Hash(ctx, pw)
	done := false
	if err == nil {
		done, err = s.store.RenewHash(ctx, u.ID, u.PasswordHash, renewed)
	}
	if err != nil {
		s.o.Log.WarnContext(ctx, "password hash not renewed", "user", u.ID, "err", err)
	}
	if !done {
		return u.PasswordHash
	}
	return renewed
}

// Refresh exchanges a refresh token for new credentials. Used again it gives the
// same successor, until the successor or an access token that came with it was
// used once, and for 10 s after the exchange in any case: the answer may have been
// lost (promise T17). A later reuse ends the session (T16).
func (s *Service) Refresh(ctx context.Context, refresh string) (Credentials, error) {
	now := s.now()
	var successors []string
	for _, k := range s.keys {
		successors = append(successors, k.successor(refresh))
	}
	r, err := s.store.RotateRefresh(ctx, hashSecret(refresh), hashSecret(successors[0]), now, now.Add(s.o.RefreshTTL), refreshGrace)
	if err != nil {
		return Credentials{}, unauthenticated(err)
	}
	if r.Reused {
		s.o.Log.WarnContext(ctx, "refresh token used again: session ended", "event", "refresh_reuse",
			"user", r.Principal.User.ID, "session", r.Principal.Session.ID)
		return Credentials{}, ErrUnauthenticated
	}
	if r.Principal.Session.Kind != SessionAPI || !s.counts(r.Principal, now) {
		return Credentials{}, ErrUnauthenticated
	}
	for _, next := range successors { // made under the previous secret, perhaps
		if hmac.Equal(hashSecret(next), r.Successor) {
			return s.credentials(r.Principal.User, r.Principal.Session, next, r.Generation)
		}
	}
	return Credentials{}, ErrUnauthenticated
}

// successor is the refresh token that follows parent: whoever holds the parent
// within the grace gets the same one.
func (k keySet) successor(parent string) string {
	m := hmac.New(sha256.New, k.refresh)
	m.Write([]byte(parent))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// unauthenticated hides why a credential is no good.
func unauthenticated(err error) error {
	if isNotFound(err) {
		return ErrUnauthenticated
	}
	return err
}

func (s *Service) counts(p Principal, now time.Time) bool {
	return p.Session.Live(now) && p.User.Active && (s.o.Registration != RegistrationVerified || p.User.Verified()) &&
		(p.Session.Kind != SessionAdmin || p.User.operator())
}

// The fixed parts of an access token.
const (
	issuer    = "ridecopilot"
	audience  = "ridecopilot-api"
	useAccess = "access"
	leeway    = 30 * time.Second
)

// claims are what our tokens say, in the forms that we give it: those of
// jwt.RegisteredClaims take any that the standard knows, and several times as
// long to read on each request.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  []string `json:"aud"`
	ExpiresAt *int64   `json:"exp"` // seconds since 1970, as the other two
	NotBefore *int64   `json:"nbf"`
	IssuedAt  *int64   `json:"iat"`
	Use       string   `json:"use"`
	Session   string   `json:"sid"`
	// Generation is that of the refresh token it came with, see Session.SeenGeneration.
	Generation int64 `json:"gen,omitempty"`
}

func (c *claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return c.Audience, nil }
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return moment(c.ExpiresAt), nil }

func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return moment(c.NotBefore), nil }

func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return moment(c.IssuedAt), nil }

func moment(seconds *int64) *jwt.NumericDate {
	if seconds == nil {
		return nil
	}
	return &jwt.NumericDate{Time: time.Unix(*seconds, 0)}
}

func (s *Service) credentials(u User, session Session, refresh string, generation int64) (Credentials, error) {
	now := s.now()
	life := session.ExpiresAt.Sub(now)
	if session.Kind != SessionAdmin { // which is not refreshed, and read on each request all the same
		life = min(s.o.AccessTTL, life)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, &claims{
		Issuer: issuer, Audience: []string{audience}, Subject: strconv.FormatInt(u.ID, 10),
		IssuedAt: new(now.Unix()), NotBefore: new(now.Unix()), ExpiresAt: new(now.Add(life).Unix()),
		Use: useAccess, Session: strconv.FormatInt(session.ID, 10), Generation: generation,
	})
	t.Header["kid"] = s.keys[0].id
	signed, err := t.SignedString(s.keys[0].access)
	if err != nil {
		return Credentials{}, wrap("sign token", err)
	}
	return Credentials{Access: signed, Refresh: refresh, ExpiresIn: life.Truncate(time.Second), User: u, Session: session}, nil
}

// maxToken bounds what is looked at as a token.
const maxToken = 2048

func newTokenParser(now func() time.Time) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now), jwt.WithStrictDecoding())
}

// foreignHeaders change how a token is to be read. We set none, and the library
// ignores them, as RFC 7515 (4.1.11) and RFC 7797 forbid.
var foreignHeaders = []string{"crit", "b64", "zip"}

// accessKey finds the key that an access token names.
func (s *Service) accessKey(t *jwt.Token) (any, error) {
	for _, name := range foreignHeaders {
		if _, ok := t.Header[name]; ok {
			return nil, jwt.ErrTokenUnverifiable
		}
	}
	kid, _ := t.Header["kid"].(string)
	for _, k := range s.keys {
		if k.id == kid {
			return k.access, nil
		}
	}
	return nil, jwt.ErrTokenUnverifiable
}

// accessToken holds the claims of an access token.
type accessToken struct {
	session, user, generation int64
	issued                    time.Time
}

// parse checks an access token by itself: signature, purpose and times.
func (s *Service) parse(token string) (accessToken, error) {
	// The decoder skips line breaks, also when it is strict.
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return accessToken{}, ErrUnauthenticated
	}
	var c claims
	_, err := s.tokens.ParseWithClaims(token, &c, s.accessKey)
	if err != nil || c.Use != useAccess || c.IssuedAt == nil || c.NotBefore == nil {
		return accessToken{}, ErrUnauthenticated
	}
	session, err1 := strconv.ParseInt(c.Session, 10, 64)
	user, err2 := strconv.ParseInt(c.Subject, 10, 64)
	if err1 != nil || err2 != nil {
		return accessToken{}, ErrUnauthenticated
	}
	return accessToken{session, user, c.Generation, time.Unix(*c.IssuedAt, 0)}, nil
}

// Authenticate tells whom an access token speaks for. Session and person are
// read anew each time, so that an ended one counts no longer (promise T15). The
// token must belong to a session of the given kind.
func (s *Service) Authenticate(ctx context.Context, kind SessionKind, token string) (Principal, error) {
	t, err := s.parse(token)
	if err != nil {
		return Principal{}, err
	}
	return s.principal(ctx, kind, t)
}

func (s *Service) principal(ctx context.Context, kind SessionKind, t accessToken) (Principal, error) {
	p, err := s.store.Principal(ctx, t.session)
	if err != nil {
		return Principal{}, unauthenticated(err)
	}
	now := s.now()
	// A database that was taken back to an earlier state gives the numbers that it
	// has lost again, to others: a token of before such a session is not for it.
	if p.User.ID != t.user || p.Session.Kind != kind || !s.counts(p, now) || t.issued.Add(leeway).Before(p.Session.CreatedAt) {
		return Principal{}, ErrUnauthenticated
	}
	note.User(ctx, func() string { return s.hashedID(t.user) })
	if t.generation > p.Session.SeenGeneration { // its first use: the refresh token that gave it is dead from here on
		if err := s.store.SeeGeneration(ctx, t.session, t.generation); err != nil { // the next use tries again
			s.o.Log.WarnContext(ctx, "generation of tokens not noted", "session", t.session, "err", err)
		}
	}
	every, idleUntil := touchEvery, (*time.Time)(nil)
	if kind == SessionAdmin { // whose use renews it (promise T14)
		every, idleUntil = touchAdminEvery, new(s.idleUntil(p.Session))
	}
	if now.Sub(p.Session.LastUsedAt) > every {
		if err := s.store.TouchSession(ctx, t.session, now, idleUntil); err != nil {
			s.o.Log.WarnContext(ctx, "session not touched", "session", t.session, "err", err)
		}
	}
	return p, nil
}

// Verify is nil when token is a good access or refresh token.
func (s *Service) Verify(ctx context.Context, token string) error {
	_, err := s.Authenticate(ctx, SessionAPI, token)
	if err == nil || !errors.Is(err, fault.Unauthenticated) {
		return err
	}
	sid, err := s.store.RefreshSession(ctx, hashSecret(token))
	if err != nil {
		return unauthenticated(err)
	}
	p, err := s.store.Principal(ctx, sid)
	if err != nil {
		return unauthenticated(err)
	}
	if p.Session.Kind != SessionAPI || !s.counts(p, s.now()) {
		return ErrUnauthenticated
	}
	return nil
}

// SignOut ends the session that a refresh token belongs to. A token that is
// known no longer has nothing left to end.
func (s *Service) SignOut(ctx context.Context, refresh string) error {
	sid, err := s.store.RefreshSession(ctx, hashSecret(refresh))
	if err != nil {
		return unauthenticated(err)
	}
	p, err := s.store.Principal(ctx, sid)
	if err != nil {
		return unauthenticated(err)
	}
	return s.EndSession(ctx, Actor{ID: p.User.ID}, sid)
}

// Sessions lists where the actor is signed in, the last used first.
func (s *Service) Sessions(ctx context.Context, by Actor) ([]Session, error) {
	return s.store.Sessions(ctx, by.ID, s.now())
}

// EndSession ends one of the actor's sessions; another's does not exist for it.
func (s *Service) EndSession(ctx context.Context, by Actor, id int64) error {
	err := s.store.EndSession(ctx, by.ID, id, s.now())
	if err == nil {
		s.o.Log.InfoContext(ctx, "session ended", "event", "logout", "user", by.ID, "session", id)
	}
	return err
}

// EndSessions ends every session of the actor.
func (s *Service) EndSessions(ctx context.Context, by Actor) error {
	err := s.store.EndSessions(ctx, by.ID, s.now())
	if err == nil {
		s.o.Log.InfoContext(ctx, "all sessions ended", "event", "logout_all", "user", by.ID)
	}
	return err
}

// clip makes a text that came unchecked (a User-Agent) one that can be stored:
// valid, and of n code points at most.
func clip(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "")
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
