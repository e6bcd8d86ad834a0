package main

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

// keys are derived from the secret as the product derives them, so that either
// server takes the other's tokens and cursors.
type keys struct {
	header                           string // of every token
	access, refresh, cursor, storage []byte
}

func deriveKeys(secret string) (keys, error) {
	derive := func(use string) []byte {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, use, sha256.Size)
		if err != nil { // only for a length that is asked for wrongly
			panic(err)
		}
		return key
	}
	if secret == "" {
		return keys{}, errors.New("SECRET_KEY is empty")
	}
	id := hex.EncodeToString(derive("ridecopilot key id")[:8])
	return keys{
		header: base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"` + id + `","typ":"JWT"}`)),
		access: derive("ridecopilot access token"), refresh: derive("ridecopilot refresh successor"),
		cursor: derive("ridecopilot cursor"), storage: derive("ridecopilot storage"),
	}, nil
}

func sum(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  []string `json:"aud"`
	Expires   int64    `json:"exp"`
	NotBefore int64    `json:"nbf"`
	IssuedAt  int64    `json:"iat"`
	Use       string   `json:"use"`
	Session   string   `json:"sid"`
}

const leeway = 30 // seconds

// parse checks a token by itself.
func (k keys) parse(token string) (session, user int64, err error) {
	rest, ok := strings.CutPrefix(token, k.header+".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if !ok || !ok2 || err != nil || !hmac.Equal(given, sum(k.access, token[:len(token)-len(signature)-1])) {
		return 0, 0, refusal(http.StatusUnauthorized)
	}
	var c claims
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	now := time.Now().Unix()
	if err != nil || c.Issuer != "ridecopilot" || len(c.Audience) != 1 || c.Audience[0] != "ridecopilot-api" || c.Use != "access" ||
		now > c.Expires+leeway || now < c.NotBefore-leeway {
		return 0, 0, refusal(http.StatusUnauthorized)
	}
	session, err1 := strconv.ParseInt(c.Session, 10, 64)
	user, err2 := strconv.ParseInt(c.Subject, 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, refusal(http.StatusUnauthorized)
	}
	return session, user, nil
}

func (k keys) sign(user, session int64, expires time.Time) string {
	now := time.Now()
	if limit := now.Add(account.DefaultAccessTTL); expires.After(limit) {
		expires = limit
	}
	payload, err := json.Marshal(claims{
		Issuer: "ridecopilot", Subject: itoa(user), Audience: []string{"ridecopilot-api"},
		Expires: expires.Unix(), NotBefore: now.Unix(), IssuedAt: now.Unix(), Use: "access", Session: itoa(session),
	})
	if err != nil { // texts and numbers
		panic(err)
	}
	token := k.header + "." + base64.RawURLEncoding.EncodeToString(payload)
	return token + "." + base64.RawURLEncoding.EncodeToString(sum(k.access, token))
}

// person is who asks, and the session.
type person struct {
	id, session              int64
	kind                     string
	device, address          string
	sessionCreated, lastUsed time.Time
	idleUntil, expires       time.Time
	ended, confirmed         *time.Time
	owner                    int64
	name, email, hash        string
	verified, lastLogin      *time.Time
	active, staff, superuser bool
	created, updated         time.Time
	version                  int64
}

const personQuery = `
	SELECT s.id, s.account_id, s.kind, s.device, s.address, s.created_at, s.last_used_at, s.idle_until, s.expires_at, s.ended_at, s.confirmed_at,
		a.id, a.name, COALESCE(a.email, ''), a.password_hash, a.email_verified_at, a.is_active, a.is_staff, a.is_superuser,
		a.last_login_at, a.created_at, a.updated_at, a.version
	FROM session s JOIN account a ON a.id = s.account_id WHERE s.id = $1`

func (p *person) scan(r pgx.Row) error {
	return r.Scan(&p.session, &p.owner, &p.kind, &p.device, &p.address, &p.sessionCreated, &p.lastUsed, &p.idleUntil, &p.expires, &p.ended, &p.confirmed,
		&p.id, &p.name, &p.email, &p.hash, &p.verified, &p.active, &p.staff, &p.superuser, &p.lastLogin, &p.created, &p.updated, &p.version)
}

func (p *person) live(now time.Time) bool {
	return p.active && p.kind == "api" && p.ended == nil && now.Before(p.idleUntil) && now.Before(p.expires)
}

// identify reads the session and the person behind a bearer token.
func (s *server) identify(r *http.Request) (*person, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, refusal(http.StatusUnauthorized)
	}
	session, user, err := s.keys.parse(token)
	if err != nil {
		return nil, err
	}
	var p person
	if err := p.scan(s.db.QueryRow(r.Context(), personQuery, session)); err != nil {
		return nil, notFound(err, http.StatusUnauthorized)
	}
	now := time.Now()
	if p.id != user || !p.live(now) {
		return nil, refusal(http.StatusUnauthorized)
	}
	if now.Sub(p.lastUsed) > 5*time.Minute {
		if _, err := s.db.Exec(r.Context(), `UPDATE session SET last_used_at = $2 WHERE id = $1 AND ended_at IS NULL`, session, now); err != nil {
			return nil, err
		}
	}
	return &p, nil
}

// notFound gives a missing row a status.
func notFound(err error, status int) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return refusal(status)
	}
	return err
}

// closed answers those who have a token.
func (s *server) closed(handle func(http.ResponseWriter, *http.Request, *person) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := s.identify(r)
		if err == nil {
			err = handle(w, r, p)
		}
		if err != nil {
			fail(w, err)
		}
	}
}

type userOut struct {
	ID            int64     `json:"id"`
	Name          string    `json:"name"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	IsStaff       bool      `json:"is_staff"`
	CreatedAt     time.Time `json:"created_at"`
}

type loginOut struct {
	Access    string  `json:"access"`
	Refresh   string  `json:"refresh"`
	TokenType string  `json:"token_type"`
	ExpiresIn int     `json:"expires_in"`
	User      userOut `json:"user"`
}

func (s *server) login(w http.ResponseWriter, r *http.Request) {
	out, err := s.signIn(r)
	if err == nil {
		err = answer(w, r, http.StatusOK, "", out)
	}
	if err != nil {
		fail(w, err)
	}
}

func (s *server) signIn(r *http.Request) (*loginOut, error) {
	var in struct{ Email, Password string }
	if err := body(r, &in); err != nil {
		return nil, err
	}
	ctx := r.Context()
	var p person
	err := s.db.QueryRow(ctx, `
		SELECT a.id, a.name, COALESCE(a.email, ''), a.password_hash, a.email_verified_at, a.is_active, a.is_staff, a.is_superuser,
			a.last_login_at, a.created_at, a.updated_at, a.version
		FROM account a WHERE a.email_key = $1`, account.MailboxKey(in.Email)).
		Scan(&p.id, &p.name, &p.email, &p.hash, &p.verified, &p.active, &p.staff, &p.superuser, &p.lastLogin, &p.created, &p.updated, &p.version)
	if err != nil {
		return nil, notFound(err, http.StatusUnauthorized)
	}
	good, _, err := s.hasher.Verify(ctx, p.hash, in.Password)
	switch {
	case err != nil: // the lane is full
		return nil, refusal(http.StatusServiceUnavailable)
	case !good || !p.active:
		return nil, refusal(http.StatusUnauthorized)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	refresh := base64.RawURLEncoding.EncodeToString(secret)
	hash := sha256.Sum256([]byte(refresh))
	var session int64
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE account SET last_login_at = $2 WHERE id = $1 AND is_active AND password_hash = $3`, p.id, now, p.hash)
		if err != nil || tag.RowsAffected() == 0 {
			return errors.Join(err, refusal(http.StatusUnauthorized))
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO session (account_id, kind, device, address, created_at, last_used_at, idle_until, expires_at)
			VALUES ($1, 'api', $2, $3, $4, $4, $5, $6) RETURNING id`,
			p.id, r.UserAgent(), host(r), now, now.Add(account.DefaultRefreshTTL), now.Add(account.DefaultSessionTTL)).Scan(&session)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO refresh_token (hash, session_id, created_at) VALUES ($1, $2, $3)`, hash[:], session, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &loginOut{
		Access: s.keys.sign(p.id, session, now.Add(account.DefaultSessionTTL)), Refresh: refresh, TokenType: "Bearer",
		ExpiresIn: int(account.DefaultAccessTTL.Seconds()),
		User:      userOut{p.id, p.name, p.email, p.verified != nil, p.staff, p.created},
	}, nil
}

type tokensOut struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	out, err := s.rotate(r)
	if err == nil {
		err = answer(w, r, http.StatusOK, "", out)
	}
	if err != nil {
		fail(w, err)
	}
}

// rotate replaces a refresh token. One that was used before is refused: the
// benchmark never repeats one.
func (s *server) rotate(r *http.Request) (*tokensOut, error) {
	var in struct{ Refresh string }
	if err := body(r, &in); err != nil {
		return nil, err
	}
	ctx := r.Context()
	next := base64.RawURLEncoding.EncodeToString(sum(s.keys.refresh, in.Refresh))
	hash, successor := sha256.Sum256([]byte(in.Refresh)), sha256.Sum256([]byte(next))
	now := time.Now().UTC().Truncate(time.Microsecond)
	var p person
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var session int64
		err := tx.QueryRow(ctx, `UPDATE refresh_token SET rotated_at = $3, successor = $2 WHERE hash = $1 AND rotated_at IS NULL RETURNING session_id`,
			hash[:], successor[:], now).Scan(&session)
		if err != nil {
			return notFound(err, http.StatusUnauthorized)
		}
		if err := p.scan(tx.QueryRow(ctx, personQuery, session)); err != nil {
			return err
		}
		if !p.live(now) {
			return refusal(http.StatusUnauthorized)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO refresh_token (hash, session_id, created_at) VALUES ($1, $2, $3)`, successor[:], session, now); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE session SET last_used_at = $2, idle_until = $3 WHERE id = $1`, session, now, now.Add(account.DefaultRefreshTTL))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &tokensOut{s.keys.sign(p.id, p.session, p.expires), next}, nil
}

// maxBody is how long a body may be.
const maxBody = 256 << 10

// body reads the JSON body.
func body(r *http.Request, into any) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(raw) > maxBody || json.Unmarshal(raw, into) != nil {
		return refusal(http.StatusBadRequest)
	}
	return nil
}

// host is the client's address.
func host(r *http.Request) string {
	h, _, _ := net.SplitHostPort(r.RemoteAddr) // net/http wrote it
	return h
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// answer encodes v, and tags it: version is that of a single object.
func answer(w http.ResponseWriter, r *http.Request, status int, version string, v any) error {
	b, ok := buffers.Get().(*bytes.Buffer)
	if !ok { // New makes nothing else
		panic("reference: no buffer")
	}
	defer buffers.Put(b)
	b.Reset()
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	hash := sha256.Sum256(b.Bytes())
	tag := `"` + version + hex.EncodeToString(hash[:8]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	if r.Method == http.MethodGet && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // fails only if the client has gone
	return nil
}

// inTx runs do in one transaction.
func (s *server) inTx(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.db, do)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
