package account_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

const (
	secret   = "a test secret of more than 32 bytes, number one"
	older    = "a test secret of more than 32 bytes, number two"
	goodPass = "plecat la munte 7"
	newPass  = "intors de la mare 8"
	anaMail  = "Ana.Pop@example.com"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// world is a service on a database, with a clock that stands still.
type world struct {
	*account.Service
	t     testing.TB
	store *calls
	hash  *password.Hasher
	mu    sync.Mutex
	at    time.Time
	log   bytes.Buffer
	waits []time.Duration
}

// calls counts what a service asks of its store.
type calls struct {
	*store.Store
	mu   sync.Mutex
	made []string
}

func (c *calls) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, what)
}

func (c *calls) UserByMailbox(ctx context.Context, key string) (account.User, error) {
	c.note("UserByMailbox")
	return c.Store.UserByMailbox(ctx, key)
}

func (c *calls) QueueMail(ctx context.Context, m account.Mail) error {
	c.note("QueueMail")
	return c.Store.QueueMail(ctx, m)
}

func (c *calls) CountAttempts(ctx context.Context, list []account.Attempt, now time.Time) ([]account.Count, error) {
	c.note("CountAttempts " + strconv.Itoa(len(list)))
	return c.Store.CountAttempts(ctx, list, now)
}

func (c *calls) ForgiveAttempts(ctx context.Context, keys []string) error {
	c.note("ForgiveAttempts")
	return c.Store.ForgiveAttempts(ctx, keys)
}

func (c *calls) CreateSession(ctx context.Context, s account.Session, hash []byte, pw string) (account.Session, error) {
	c.note("CreateSession")
	return c.Store.CreateSession(ctx, s, hash, pw)
}

func newWorld(t testing.TB, s *store.Store, change func(*account.Options)) *world {
	w := &world{t: t, store: &calls{Store: s}, at: noon, hash: password.NewHasher(password.Params{Memory: 64, Time: 1, Slots: 2})}
	o := account.Options{
		Secret: secret, Throttle: true, Hasher: w.hash, Now: w.now, Log: slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Wait: func(_ context.Context, d time.Duration) error { w.waits = append(w.waits, d); return nil },
	}
	if change != nil {
		change(&o)
	}
	w.Service = account.NewService(w.store, o)
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// from is somebody who is not signed in, at an address.
func from(address string) account.Actor {
	return account.Actor{Source: account.SourceAPI, Address: address, Device: "test"}
}

func as(c account.Credentials) account.Actor {
	return account.Actor{ID: c.User.ID, SessionID: c.Session.ID, Source: account.SourceAPI, Address: "192.0.2.1"}
}

func (w *world) register(email string) account.User {
	w.t.Helper()
	u, _, err := w.Register(w.t.Context(), account.System(account.SourceCommand), "Ana Pop", email, goodPass, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) signIn(email, pw string) account.Credentials {
	w.t.Helper()
	c, err := w.SignIn(w.t.Context(), account.Actor{Address: "192.0.2.1", Device: "test"}, account.SessionAPI, email, pw)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// mailed is the last message of a kind, made ready for sending.
func (w *world) mailed(kind account.MailKind) account.Outgoing {
	w.t.Helper()
	var id int64
	err := w.store.Reader().QueryRowContext(w.t.Context(), `SELECT id FROM mail WHERE kind = $1 ORDER BY id DESC LIMIT 1`, string(kind)).Scan(&id)
	if err != nil {
		w.t.Fatalf("no mail of kind %s: %v", kind, err)
	}
	out, ok, err := w.PrepareMail(w.t.Context(), id)
	if err != nil || !ok {
		w.t.Fatalf("PrepareMail(%s) = %v, %v", kind, ok, err)
	}
	return out
}

func (w *world) exec(text string, args ...any) {
	w.t.Helper()
	if _, err := w.store.Writer().ExecContext(w.t.Context(), text, args...); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
}

func (w *world) hashOf(id int64) string {
	w.t.Helper()
	u, err := w.store.User(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.PasswordHash
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func django(pw string) string {
	key, err := pbkdf2.Key(sha256.New, pw, []byte("salt"), 260, 32)
	if err != nil {
		panic(err)
	}
	return "pbkdf2_sha256$260$salt$" + base64.StdEncoding.EncodeToString(key)
}

func TestSignIn_RenewsHash_T1(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	u := w.register(anaMail)
	weak, err := password.NewHasher(password.Params{Memory: 32, Time: 1, Slots: 1}).Hash(t.Context(), goodPass)
	must(t, err)
	for name, old := range map[string]string{"Django": django(goodPass), "weak": weak} {
		w.exec(`UPDATE account SET password_hash = $1`, old)
		_, err := w.SignIn(t.Context(), from("192.0.2.1"), account.SessionAPI, anaMail, "wrong "+goodPass)
		wantErr(t, "a wrong password against a hash of "+name, err, account.ErrBadCredentials)
		if w.hashOf(u.ID) != old {
			t.Errorf("%s: a wrong password renewed the hash", name)
		}
		w.signIn(anaMail, goodPass)
		renewed := w.hashOf(u.ID)
		if !strings.HasPrefix(renewed, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("%s: after a sign-in the hash is %s", name, renewed)
		}
		w.signIn(anaMail, goodPass)
		if w.hashOf(u.ID) != renewed {
			t.Errorf("%s: a hash of today was renewed", name)
		}
	}
}

func TestPassword_AsSent_T2(t *testing.T) {
	w := newWorld(t, storetest.New(t), func(o *account.Options) { o.Throttle = false })
	for i, pw := range []string{"  spaces at the ends  ", "пароль на русском", "e\u0301tude composée", strings.Repeat("x9", 512), strings.Repeat("🚗", 80)} {
		email := fmt.Sprintf("u%d@example.com", i)
		_, _, err := w.Register(t.Context(), from("192.0.2.1"), "Ion", email, pw, nil)
		must(t, err)
		w.signIn(email, pw)
		for _, other := range []string{strings.TrimSpace(pw), strings.ToUpper(pw), pw + " ", strings.ReplaceAll(pw, "e\u0301", "é"), string([]rune(pw)[:len([]rune(pw))-1])} {
			if other == pw {
				continue
			}
			_, err := w.SignIn(t.Context(), from("192.0.2.1"), account.SessionAPI, email, other)
			if err == nil {
				t.Errorf("%.30q lets in who registered with %.30q", other, pw)
			}
		}
	}
	_, _, err := w.Register(t.Context(), from("192.0.2.1"), "Ion", "long@example.com", strings.Repeat("x9", 513), nil)
	wantErr(t, "1,026 code points", err, fault.Invalid)
	_, _, err = w.Register(t.Context(), from("192.0.2.1"), "Ion", "short@example.com", "abc", nil)
	if f := fault.As(err); f == nil || !f.Fields.Has("password") {
		t.Errorf("a short password: %v", err)
	}
}

// people are accounts of every sort that a sign-in must not tell apart.
func people(w *world) map[string]string {
	w.register("good@example.com")
	w.register("disabled@example.com")
	w.register("unproven@example.com")
	w.register("imported@example.com")
	w.register("passwordless@example.com")
	w.exec(`UPDATE account SET email_verified_at = $1 WHERE email_key <> 'unproven@example.com'`, noon)
	w.exec(`UPDATE account SET is_active = FALSE WHERE email_key = 'disabled@example.com'`)
	w.exec(`UPDATE account SET password_hash = $1 WHERE email_key = 'imported@example.com'`, django(goodPass))
	w.exec(`UPDATE account SET password_hash = '!' WHERE email_key = 'passwordless@example.com'`)
	return map[string]string{
		"unknown": "nobody@example.com", "no address": "not an address", "disabled": "disabled@example.com", "unproven": "unproven@example.com",
		"imported": "imported@example.com", "without a password": "passwordless@example.com", "good": "good@example.com",
	}
}

func TestSignIn_AnswersAlike_T4(t *testing.T) {
	w := newWorld(t, storetest.New(t), func(o *account.Options) { o.Registration = account.RegistrationVerified })
	registered := newWorld(t, w.store.Store, nil) // an open one, to fill the database
	steps := map[string][]string{}
	for name, email := range people(registered) {
		pw := goodPass
		if name == "good" || name == "imported" || name == "without a password" {
			pw = "wrong " + goodPass
		}
		w.store.made = nil
		_, err := w.SignIn(t.Context(), from("192.0.2.1"), account.SessionAPI, email, pw)
		if fault.As(err) != account.ErrBadCredentials {
			t.Errorf("%s: %v, want the very %v", name, err, account.ErrBadCredentials)
		}
		steps[name] = w.store.made
		// Verify refuses a password that is too long by itself: so the answer
		// shows that it is asked about everybody, known or not. What it costs
		// for an account that is not there, its own tests count.
		_, err = w.SignIn(t.Context(), from("192.0.2.1"), account.SessionAPI, email, strings.Repeat("x", password.MaxLength+1))
		if f := fault.As(err); f == nil || f.Kind != fault.Invalid {
			t.Errorf("%s: a password is not compared at all: %v", name, err)
		}
	}
	for name, made := range steps {
		if want := []string{"CountAttempts 3", "UserByMailbox"}; !slices.Equal(made, want) {
			t.Errorf("%s: the store is asked for %v, want %v as for all", name, made, want)
		}
	}
}

func TestAskReset_AnswersAlike_T4(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	for name, email := range people(w) {
		if name == "no address" {
			continue
		}
		for what, ask := range map[string]func(context.Context, account.Actor, string) error{"reset": w.AskReset, "verification": w.AskVerification} {
			w.store.made = nil
			if err := ask(t.Context(), from("192.0.2.1"), email); err != nil {
				t.Errorf("%s of %s: %v", what, name, err)
			}
			if want := []string{"CountAttempts 1", "QueueMail"}; !slices.Equal(w.store.made, want) {
				t.Errorf("%s of %s: the store is asked for %v, want %v as for all", what, name, w.store.made, want)
			}
		}
	}
	// Who gets one, the job finds out.
	got := map[string]bool{}
	for _, id := range w.mailsToAll() {
		out, ok, err := w.PrepareMail(t.Context(), id)
		must(t, err)
		if ok {
			got[string(out.Kind)+" "+out.Address] = true
		}
	}
	want := []string{
		"reset_password good@example.com", "reset_password imported@example.com", "reset_password passwordless@example.com",
		"reset_password unproven@example.com", "verify_resend unproven@example.com",
	}
	if list := slices.Sorted(maps.Keys(got)); !slices.Equal(list, want) {
		t.Errorf("mails go out: %v, want %v", list, want)
	}
}

// mailsToAll are the numbers of the mails that anybody may ask for.
func (w *world) mailsToAll() []int64 {
	return append(w.queued(account.MailReset), w.queued(account.MailVerifyIfUnproven)...)
}

func TestRegister_Verified_T5(t *testing.T) {
	w := newWorld(t, storetest.New(t), func(o *account.Options) { o.Registration = account.RegistrationVerified })
	for _, email := range []string{anaMail, strings.ToUpper(anaMail)} {
		u, shown, err := w.Register(t.Context(), from("192.0.2.1"), "Ana", email, goodPass, nil)
		if err != nil || shown || u.ID != 0 {
			t.Errorf("registering %s: %+v, %v, %v, want nothing told", email, u, shown, err)
		}
	}
	if out := w.mailed(account.MailAccountExists); account.MailboxKey(out.Address) != account.MailboxKey(anaMail) || out.Token != "" {
		t.Errorf("the holder of a known address gets %+v", out)
	}
	_, err := w.SignIn(t.Context(), from("192.0.2.1"), account.SessionAPI, anaMail, goodPass)
	wantErr(t, "signing in before the address is confirmed", err, account.ErrBadCredentials)
	must(t, w.ConfirmAddress(t.Context(), from("192.0.2.1"), w.mailed(account.MailVerify).Token))
	w.signIn(anaMail, goodPass)

	closed := newWorld(t, w.store.Store, func(o *account.Options) { o.Registration = account.RegistrationClosed })
	_, _, err = closed.Register(t.Context(), from("192.0.2.1"), "Ana", "b@example.com", goodPass, nil)
	wantErr(t, "registering where it is closed", err, fault.Forbidden)

	open := newWorld(t, w.store.Store, nil)
	_, _, err = open.Register(t.Context(), from("198.51.100.1"), "Ana", "ANA.POP@example.com", goodPass, nil)
	wantErr(t, "a known address where registering is open", err, account.ErrEmailTaken)
	for i := range 9 {
		_, _, err = open.Register(t.Context(), from("198.51.100.1"), "", "", "", nil)
		wantErr(t, fmt.Sprint("try ", i+2), err, fault.Invalid)
	}
	_, _, err = open.Register(t.Context(), from("198.51.100.1"), "Ana", "c@example.com", goodPass, nil)
	wantErr(t, "the 11th try in an hour", err, fault.TooMany)
	open.pass(time.Hour)
	_, _, err = open.Register(t.Context(), from("198.51.100.1"), "Ana", "c@example.com", goodPass, nil)
	must(t, err)
}

func TestGuessing_T6(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	guess := func(address, email, pw string) error {
		_, err := w.SignIn(t.Context(), from(address), account.SessionAPI, email, pw)
		return err
	}
	session := w.signIn(anaMail, goodPass)

	// Account and source together: ten, then none, right or wrong.
	for i := range 10 {
		wantErr(t, fmt.Sprint("guess ", i+1), guess("198.51.100.1", anaMail, "wrong"+newPass), account.ErrBadCredentials)
	}
	if len(w.waits) != 0 {
		t.Errorf("the first ten guesses waited %v", w.waits)
	}
	err := guess("198.51.100.1", anaMail, goodPass)
	wantErr(t, "the 11th guess", err, fault.TooMany)
	if f := fault.As(err); f == nil || f.RetryAfter != 15*time.Minute {
		t.Errorf("the 11th guess may come back after %v, want 15 min", fault.As(err))
	}
	wantErr(t, "the 12th with other letters", guess("198.51.100.1", strings.ToUpper(anaMail), goodPass), fault.TooMany)

	// The owner elsewhere gets in, if after a pause that grows and ends.
	w.waits = nil
	must(t, guess("203.0.113.9", anaMail, goodPass))
	if len(w.waits) != 1 || w.waits[0] <= 0 {
		t.Errorf("from elsewhere the owner waits %v, want a pause", w.waits)
	}
	w.waits = nil
	for i := range 60 {
		wantErr(t, "a guess from everywhere", guess(fmt.Sprintf("203.0.113.%d", 10+i), anaMail, "wrong"+newPass), account.ErrBadCredentials)
	}
	for i, d := range w.waits {
		if d > 2500*time.Millisecond || i > 0 && d < w.waits[i-1] {
			t.Errorf("guess %d from everywhere waits %v after %v", i, d, w.waits[max(i-1, 0)])
		}
	}
	// Three seconds are promised, with the hash and the wait for its lane.
	if len(w.waits) != 60 || w.waits[59] != 2500*time.Millisecond {
		t.Errorf("the pauses end at %v, want 2.5 s", w.waits[len(w.waits)-1])
	}
	must(t, guess("203.0.113.200", anaMail, goodPass))
	_, err = w.Authenticate(t.Context(), account.SessionAPI, session.Access)
	must(t, err) // open sessions live on

	// The source alone: a hundred.
	for i := range 100 {
		wantErr(t, "spraying", guess("198.51.100.2", fmt.Sprintf("victim%d@example.com", i), goodPass), account.ErrBadCredentials)
	}
	wantErr(t, "the 101st account from one source", guess("198.51.100.2", "one.more@example.com", goodPass), fault.TooMany)
	must(t, guess("198.51.100.3", anaMail, goodPass)) // the neighbour is not to blame

	// Windows end, and good sign-ins are not counted.
	w.pass(15 * time.Minute)
	for range 25 {
		must(t, guess("198.51.100.1", anaMail, goodPass))
	}
	wantErr(t, "after the window", guess("198.51.100.1", anaMail, "wrong"+newPass), account.ErrBadCredentials)
}

// Many at once cannot slip through the count.
func TestRaceGuessing_T6(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, nil)
		w.register(anaMail)
		var wg sync.WaitGroup
		var mu sync.Mutex
		refused := map[error]int{}
		for range 15 {
			wg.Go(func() {
				_, err := w.SignIn(t.Context(), from("198.51.100.1"), account.SessionAPI, anaMail, "wrong"+newPass)
				mu.Lock()
				defer mu.Unlock()
				for _, k := range []error{account.ErrBadCredentials, fault.TooMany} {
					if errors.Is(err, k) {
						refused[k]++
					}
				}
			})
		}
		wg.Wait()
		if refused[account.ErrBadCredentials] != 10 || refused[fault.TooMany] != 5 {
			t.Errorf("of 15 guesses at once %v, want 10 looked at and 5 refused", refused)
		}
	})
}

func TestGuessing_Off(t *testing.T) {
	w := newWorld(t, storetest.New(t), func(o *account.Options) { o.Throttle = false })
	w.register(anaMail)
	for range 15 {
		_, err := w.SignIn(t.Context(), from("198.51.100.1"), account.SessionAPI, anaMail, "wrong"+newPass)
		wantErr(t, "without throttling", err, account.ErrBadCredentials)
	}
}

func TestSource_T7(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	addresses := []string{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:3::%eth0"} // one /64
	for i := range 10 {
		_, err := w.SignIn(t.Context(), from(addresses[i%3]), account.SessionAPI, anaMail, "wrong"+newPass)
		wantErr(t, "a guess", err, account.ErrBadCredentials)
	}
	_, err := w.SignIn(t.Context(), from("2001:db8:1:2::99"), account.SessionAPI, anaMail, goodPass)
	wantErr(t, "the 11th from one /64", err, fault.TooMany)
	_, err = w.SignIn(t.Context(), from("2001:db8:1:3::1"), account.SessionAPI, anaMail, goodPass)
	must(t, err)
	for i := range 10 { // one IPv4 address, however it is written
		_, err := w.SignIn(t.Context(), from([]string{"198.51.100.1", "::ffff:198.51.100.1"}[i%2]), account.SessionAPI, anaMail, "wrong"+newPass)
		wantErr(t, "a guess", err, account.ErrBadCredentials)
	}
	_, err = w.SignIn(t.Context(), from("198.51.100.1"), account.SessionAPI, anaMail, goodPass)
	wantErr(t, "the 11th from one IPv4 address", err, fault.TooMany)
	_, err = w.SignIn(t.Context(), from("198.51.100.2"), account.SessionAPI, anaMail, goodPass)
	must(t, err)
}

func TestMailbox_T8(t *testing.T) {
	tests := []struct {
		in, address, key string
	}{
		{"ana@example.com", "ana@example.com", "ana@example.com"},
		{"  Ana.Pop+x@Example.COM ", "Ana.Pop+x@example.com", "ana.pop+x@example.com"},
		{"o'hara@example.com", "o'hara@example.com", "o'hara@example.com"},
		{"a@mail.bücher.example", "a@mail.xn--bcher-kva.example", "a@mail.xn--bcher-kva.example"},
		{"a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"a@пример.рф", "a@xn--e1afmkfd.xn--p1ai", "a@xn--e1afmkfd.xn--p1ai"},
		{strings.Repeat("l", 64) + "@example.com", strings.Repeat("l", 64) + "@example.com", strings.Repeat("l", 64) + "@example.com"},
	}
	for _, tt := range tests {
		address, key, ok := account.Mailbox(tt.in)
		if !ok || address != tt.address || key != tt.key || account.MailboxKey(tt.in) != tt.key {
			t.Errorf("Mailbox(%q) = %q, %q, %v, want %q, %q", tt.in, address, key, ok, tt.address, tt.key)
		}
	}
	for _, in := range []string{
		"", "@", "a", "a@", "@example.com", "a@localhost", "a@example.com.", "a@.example.com", "a@example..com", ".a@example.com", "a.@example.com", "a..b@example.com",
		"a b@example.com", "a@exa mple.com", "a\n@example.com", "a@example.com\nBcc: x@example.com", "a@example.com\x00", `"a b"@example.com`, "a,b@example.com", "a@b@example.com",
		"<a@example.com>", "Ana <a@example.com>", "аna@example.com", "ä@example.com", "a@exam_ple.com", "a@-example.com", "a@[127.0.0.1]", "a@example.com/x", "a@example.com?x",
		strings.Repeat("l", 65) + "@example.com", "a@" + strings.Repeat("l", 64) + ".com", "a@" + strings.Repeat("l.", 130) + "com", strings.Repeat("x", 1<<20) + "@example.com",
		"a\u200b@example.com", "a@exa\u202emple.com", "(c)a@example.com", "a;b@example.com", "a@\xff.com", "a@exa\ufffdmple.com", "a:b@example.com", `a\b@example.com`,
	} {
		if address, key, ok := account.Mailbox(in); ok {
			t.Errorf("Mailbox(%.40q) = %q, %q, want a refusal", in, address, key)
		}
	}
	// A look-alike is another mailbox, never the same.
	if account.MailboxKey("admin@example.com") == account.MailboxKey("admin@ехample.com") {
		t.Error("a domain with Cyrillic letters is the same as one without")
	}
	if account.MailboxKey("mike@example.com") == account.MailboxKey("mi\u212ae@example.com") { // the Kelvin sign
		t.Error("the Kelvin sign is a k")
	}
}

func FuzzMailbox(f *testing.F) {
	for _, s := range []string{"ana@example.com", "A.B+c@Bücher.example", "a@ß.example", "a@xn--a.example", "\u00a0a@b.c", "a@b.c\u3002d", "a@faß.de", "a@İ.example", "0@0.\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		address, key, ok := account.Mailbox(s)
		if !ok {
			if address != "" || key != "" {
				t.Fatalf("Mailbox(%q) refuses and gives %q, %q", s, address, key)
			}
			return
		}
		for _, r := range address {
			if r <= ' ' || r > '~' || strings.ContainsRune(`"(),:;<>[\]`, r) {
				t.Fatalf("Mailbox(%q) = %q, which holds %q", s, address, r)
			}
		}
		if len(address) > 254 || strings.Count(address, "@") != 1 || key != strings.ToLower(address) {
			t.Fatalf("Mailbox(%q) = %q, %q", s, address, key)
		}
		if a, k, ok := account.Mailbox(address); !ok || a != address || k != key {
			t.Fatalf("Mailbox(%q) = %q, but Mailbox of that is %q, %q, %v", s, address, a, k, ok)
		}
	})
}

func TestTokens_OneUse_T9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, func(o *account.Options) { o.Throttle = false })
		w.register(anaMail)
		must(t, w.AskReset(t.Context(), from("192.0.2.1"), anaMail))
		token := w.mailed(account.MailReset).Token
		if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(raw) != 32 {
			t.Errorf("the token %q has %d bytes, %v, want 256 bits", token, len(raw), err)
		}
		// Only its hash rests, in any table, job arguments included.
		raw, _ := base64.RawURLEncoding.DecodeString(token) // checked above
		verify := w.mailed(account.MailVerify).Token
		c := w.signIn(anaMail, goodPass)
		tables := dump(t, s)
		if len(tables) < 20 || len(tables["river_job"]) == 0 || len(tables["mailed_token"]) != 2 {
			t.Fatalf("only %d tables were looked at", len(tables))
		}
		for name, rows := range tables {
			for _, row := range rows {
				for what, secret := range map[string]string{"reset token": token, "its bytes": string(raw), "verification token": verify, "refresh token": c.Refresh, "access token": c.Access, "password": goodPass} {
					if strings.Contains(row, secret) || strings.Contains(row, hex.EncodeToString([]byte(secret))) {
						t.Errorf("%s holds the %s", name, what)
					}
				}
			}
		}
		// A race: one wins.
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() {
				errs[i] = w.ConfirmReset(t.Context(), from("192.0.2.1"), token, fmt.Sprintf("%s %d", newPass, i), nil)
			})
		}
		wg.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Error("a token was used twice")
			default:
				wantErr(t, "a token used before", err, account.ErrBadToken)
			}
		}
		if won < 0 {
			t.Fatal("nobody could use the token")
		}
		w.signIn(anaMail, fmt.Sprintf("%s %d", newPass, won))
	})
}

// dump is every row of every table as text.
func dump(t *testing.T, s *store.Store) map[string][]string {
	t.Helper()
	list := `SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = 'public'`
	if s.Engine() == "sqlite" {
		list = `SELECT name FROM sqlite_master WHERE type = 'table'`
	}
	read := func(text string) []string {
		rows, err := s.Reader().QueryContext(t.Context(), text)
		must(t, err)
		defer rows.Close()
		var found []string
		for rows.Next() {
			found = append(found, rowText(t, rows))
		}
		must(t, rows.Err())
		return found
	}
	all := map[string][]string{}
	for _, name := range read(list) {
		all[name] = read(`SELECT * FROM ` + name)
	}
	return all
}

func rowText(t *testing.T, rows *sql.Rows) string {
	t.Helper()
	columns, err := rows.Columns()
	must(t, err)
	values, to := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		to[i] = &values[i]
	}
	must(t, rows.Scan(to...))
	var texts []string
	for _, v := range values {
		if raw, ok := v.([]byte); ok {
			v = string(raw)
		}
		texts = append(texts, fmt.Sprint(v))
	}
	return strings.Join(texts, " ")
}

func TestTokens_Dead_T9(t *testing.T) {
	reset := func(w *world) string {
		must(w.t, w.AskReset(w.t.Context(), from("192.0.2.1"), anaMail))
		return w.mailed(account.MailReset).Token
	}
	verify := func(w *world) string { return w.mailed(account.MailVerify).Token }
	change := func(w *world) string {
		c := w.signIn(anaMail, goodPass)
		_, err := w.Revise(w.t.Context(), as(c), nil, account.Edit{Email: ptr("new@example.com"), CurrentPassword: ptr(goodPass)})
		must(w.t, err)
		return w.mailed(account.MailConfirmNew).Token
	}
	useReset := func(w *world, token string) error {
		return w.ConfirmReset(w.t.Context(), from("192.0.2.1"), token, newPass, nil)
	}
	useAddress := func(w *world, token string) error { return w.ConfirmAddress(w.t.Context(), from("192.0.2.1"), token) }
	setPassword := func(w *world) {
		c := w.signIn(anaMail, goodPass)
		must(w.t, w.ChangePassword(w.t.Context(), as(c), ptr(goodPass), "trecut prin padure 9", nil))
	}
	tests := []struct {
		name  string
		make  func(*world) string
		then  func(*world)
		use   func(*world, string) error
		wrong bool
	}{
		{"reset", reset, nil, useReset, false},
		{"reset just in time", reset, func(w *world) { w.pass(30*time.Minute - time.Second) }, useReset, false},
		{"reset expired", reset, func(w *world) { w.pass(30 * time.Minute) }, useReset, true},
		{"reset to verify", reset, nil, useAddress, true},
		{"reset after a change of password", reset, setPassword, useReset, true},
		{"reset after a change of address", reset, func(w *world) { must(w.t, useAddress(w, change(w))) }, useReset, true},
		{"reset after another reset", reset, func(w *world) { must(w.t, useReset(w, reset(w))) }, useReset, true},
		{"reset of a disabled account", reset, func(w *world) { w.exec(`UPDATE account SET is_active = FALSE`) }, useReset, true},
		{"reset, twice", reset, nil, func(w *world, token string) error { must(w.t, useReset(w, token)); return useReset(w, token) }, true},
		{"verify", verify, nil, useAddress, false},
		{"verify just in time", verify, func(w *world) { w.pass(48*time.Hour - time.Second) }, useAddress, false},
		{"verify expired", verify, func(w *world) { w.pass(48 * time.Hour) }, useAddress, true},
		{"verify to reset", verify, nil, useReset, true},
		{"verify after a change of password", verify, setPassword, useAddress, true},
		{"verify after a reset", verify, func(w *world) { must(w.t, useReset(w, reset(w))) }, useAddress, true},
		{"verify after a change of address", verify, func(w *world) { must(w.t, useAddress(w, change(w))) }, useAddress, true},
		{"verify, twice", verify, nil, func(w *world, token string) error { must(w.t, useAddress(w, token)); return useAddress(w, token) }, true},
		{"change of address", change, nil, useAddress, false},
		{"change of address to reset", change, nil, useReset, true},
		{"change of address after a change of password", change, setPassword, useAddress, true},
		{"change of address after a reset", change, func(w *world) { must(w.t, useReset(w, reset(w))) }, useAddress, true},
		{"change of address, asked for anew", change, func(w *world) { change(w) }, useAddress, true},
		{"change of address expired", change, func(w *world) { w.pass(48 * time.Hour) }, useAddress, true},
		{"empty", func(*world) string { return "" }, nil, useReset, true},
		{"invented", func(*world) string { return strings.Repeat("A", 43) }, nil, useAddress, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, storetest.New(t), func(o *account.Options) { o.Throttle = false })
			w.register(anaMail)
			token := tt.make(w)
			if tt.then != nil {
				tt.then(w)
			}
			err := tt.use(w, token)
			if tt.wrong && fault.As(err) != account.ErrBadToken { // one text for wrong, used and old
				t.Errorf("%v, want the very %v", err, account.ErrBadToken)
			}
			if !tt.wrong && err != nil {
				t.Error(err)
			}
		})
	}
}

// A token is spent only when all is well with the password.
func TestReset_BadPassword_T9(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	must(t, w.AskReset(t.Context(), from("192.0.2.1"), anaMail))
	token := w.mailed(account.MailReset).Token
	for _, pw := range []string{"short", "password", "1234567890", "ana.pop@example"} {
		wantErr(t, pw, w.ConfirmReset(t.Context(), from("192.0.2.1"), token, pw, nil), fault.Invalid)
	}
	must(t, w.ConfirmReset(t.Context(), from("192.0.2.1"), token, newPass, nil))
}

func ptr[T any](v T) *T { return &v }

func TestReset_T11(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	u := w.register(anaMail)
	one, two := w.signIn(anaMail, goodPass), w.signIn(anaMail, goodPass)
	_, err := w.Revise(t.Context(), as(one), nil, account.Edit{Email: ptr("thief@example.com"), CurrentPassword: ptr(goodPass)})
	must(t, err)
	pending := w.mailed(account.MailConfirmNew).Token
	must(t, w.AskReset(t.Context(), from("192.0.2.1"), anaMail))
	must(t, w.ConfirmReset(t.Context(), from("192.0.2.1"), w.mailed(account.MailReset).Token, newPass, nil))
	for _, c := range []account.Credentials{one, two} {
		_, err := w.Authenticate(t.Context(), account.SessionAPI, c.Access)
		wantErr(t, "an access token after a reset", err, account.ErrUnauthenticated)
		_, err = w.Refresh(t.Context(), c.Refresh)
		wantErr(t, "a refresh token after a reset", err, account.ErrUnauthenticated)
	}
	wantErr(t, "a pending address after a reset", w.ConfirmAddress(t.Context(), from("192.0.2.1"), pending), account.ErrBadToken)
	got, err := w.store.User(t.Context(), u.ID)
	if err != nil || !got.Verified() || got.Email != anaMail {
		t.Errorf("after a reset the account is %+v, %v, want its address verified", got, err)
	}
	if list, err := w.Sessions(t.Context(), account.Actor{ID: u.ID}); err != nil || len(list) != 0 {
		t.Errorf("a reset signed in: %v, %v", list, err)
	}
	_, err = w.SignIn(t.Context(), from("192.0.2.9"), account.SessionAPI, anaMail, goodPass)
	wantErr(t, "the old password", err, account.ErrBadCredentials)
	w.signIn(anaMail, newPass)
	if out := w.mailed(account.MailPasswordChanged); out.Address != anaMail {
		t.Errorf("the owner is told at %q", out.Address)
	}
}

func key(secret, use string) []byte {
	k, err := hkdf.Key(sha256.New, []byte(secret), nil, use, 32)
	if err != nil {
		panic(err)
	}
	return k
}

func kid(secret string) string { return hex.EncodeToString(key(secret, "ridecopilot key id")[:8]) }

func TestAccessToken_Forged_T12_T13(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	u := w.register(anaMail)
	w.register("dan@example.com")
	c := w.signIn(anaMail, goodPass)
	legacy, err := w.SignIn(t.Context(), from("192.0.2.1"), account.SessionLegacy, anaMail, goodPass)
	must(t, err)
	type edit func(h map[string]any, cl jwt.MapClaims) (method jwt.SigningMethod, signingKey any)
	hs256 := func(do func(h map[string]any, cl jwt.MapClaims)) edit {
		return func(h map[string]any, cl jwt.MapClaims) (jwt.SigningMethod, any) {
			do(h, cl)
			return jwt.SigningMethodHS256, key(secret, "ridecopilot access token")
		}
	}
	claim := func(name string, value any) edit {
		return hs256(func(_ map[string]any, cl jwt.MapClaims) { cl[name] = value })
	}
	without := func(name string) edit {
		return hs256(func(_ map[string]any, cl jwt.MapClaims) { delete(cl, name) })
	}
	header := func(name string, value any) edit {
		return hs256(func(h map[string]any, _ jwt.MapClaims) { h[name] = value })
	}
	secs := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	tests := []struct {
		name string
		edit edit
		good bool
	}{
		{"as it is made", hs256(func(map[string]any, jwt.MapClaims) {}), true},
		{"key material in the header is ignored", hs256(func(h map[string]any, _ jwt.MapClaims) {
			h["jku"], h["jwk"], h["x5u"] = "https://evil.example/keys", map[string]any{"kty": "oct", "k": "AAAA"}, "file:///etc/passwd"
		}), true},
		{"alg none", func(h map[string]any, _ jwt.MapClaims) (jwt.SigningMethod, any) {
			h["alg"] = "none"
			return jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
		}, false},
		{"HS512", func(h map[string]any, _ jwt.MapClaims) (jwt.SigningMethod, any) {
			h["alg"] = "HS512"
			return jwt.SigningMethodHS512, key(secret, "ridecopilot access token")
		}, false},
		{"signed with the secret itself", func(map[string]any, jwt.MapClaims) (jwt.SigningMethod, any) {
			return jwt.SigningMethodHS256, []byte(secret)
		}, false},
		{"signed with the key of another use", func(map[string]any, jwt.MapClaims) (jwt.SigningMethod, any) {
			return jwt.SigningMethodHS256, key(secret, "ridecopilot refresh successor")
		}, false},
		{"signed with another secret under our kid", func(map[string]any, jwt.MapClaims) (jwt.SigningMethod, any) {
			return jwt.SigningMethodHS256, key(older, "ridecopilot access token")
		}, false},
		{"signed with nothing", func(map[string]any, jwt.MapClaims) (jwt.SigningMethod, any) { return jwt.SigningMethodHS256, []byte{} }, false},
		{"signed with the key in its header", func(h map[string]any, _ jwt.MapClaims) (jwt.SigningMethod, any) {
			h["jwk"] = map[string]any{"kty": "oct", "k": "AAAA"}
			return jwt.SigningMethodHS256, []byte{0, 0, 0}
		}, false},
		{"kid of nobody", header("kid", "0011223344556677"), false},
		{"kid of a file", header("kid", "../../dev/null"), false},
		{"kid of another type", header("kid", 7), false},
		{"no kid", hs256(func(h map[string]any, _ jwt.MapClaims) { delete(h, "kid") }), false},
		{"another alg in the header", header("alg", "none"), false},
		{"critical extension", header("crit", []string{"exp"}), false},
		{"critical extension of none", header("crit", []string{}), false},
		{"payload that is not encoded", header("b64", false), false},
		{"payload that is encoded, in so many words", header("b64", true), false},
		{"compressed", header("zip", "DEF"), false},
		{"no iss", without("iss"), false},
		{"no aud", without("aud"), false},
		{"no exp", without("exp"), false},
		{"no nbf", without("nbf"), false},
		{"no iat", without("iat"), false},
		{"no use", without("use"), false},
		{"no session", without("sid"), false},
		{"no subject", without("sub"), false},
		{"another issuer", claim("iss", "elsewhere"), false},
		{"another audience", claim("aud", "ridecopilot-admin"), false},
		{"another use", claim("use", "refresh"), false},
		{"use in other letters", claim("use", "Access"), false},
		{"another person", claim("sub", strconv.FormatInt(u.ID+1, 10)), false},
		{"another session", claim("sid", "4711"), false},
		{"a session of another kind", claim("sid", strconv.FormatInt(legacy.Session.ID, 10)), false},
		{"session as a number", claim("sid", c.Session.ID), false},
		{"session that is no number", claim("sid", "1 OR 1=1"), false},
		{"expired within the tolerance", claim("exp", secs(-29*time.Second)), true},
		{"expired", claim("exp", secs(-31*time.Second)), false},
		{"expires as text", claim("exp", "never"), false},
		{"valid soon", claim("nbf", secs(29*time.Second)), true},
		{"valid later", claim("nbf", secs(31*time.Second)), false},
		{"made a little later", claim("iat", secs(29*time.Second)), true},
		{"made later", claim("iat", secs(31*time.Second)), false},
	}
	for _, tt := range tests {
		h := map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid(secret)}
		cl := jwt.MapClaims{
			"iss": "ridecopilot", "aud": []string{"ridecopilot-api"}, "sub": strconv.FormatInt(u.ID, 10), "sid": strconv.FormatInt(c.Session.ID, 10), "use": "access",
			"exp": secs(time.Hour), "nbf": secs(0), "iat": secs(0),
		}
		method, signingKey := tt.edit(h, cl)
		signed, err := (&jwt.Token{Header: h, Claims: cl, Method: method}).SignedString(signingKey)
		must(t, err)
		p, err := w.Authenticate(t.Context(), account.SessionAPI, signed)
		if tt.good && (err != nil || p.User.ID != u.ID) {
			t.Errorf("%s: %v, want it to count", tt.name, err)
		}
		if !tt.good && fault.As(err) != account.ErrUnauthenticated {
			t.Errorf("%s: %v, want the very %v", tt.name, err, account.ErrUnauthenticated)
		}
	}
	// One credential never stands in for another.
	must(t, w.AskReset(t.Context(), from("192.0.2.1"), anaMail))
	mailed := w.mailed(account.MailReset).Token
	for name, token := range map[string]string{
		"refresh": c.Refresh, "reset": mailed, "empty": "", "dots": "..", "huge": strings.Repeat("a", 1<<20), "cut": c.Access[:len(c.Access)-1], "with a tail": c.Access + ".x",
		"blank in front": " " + c.Access, "access of the older client": legacy.Access,
	} {
		_, err := w.Authenticate(t.Context(), account.SessionAPI, token)
		wantErr(t, name+" as access", err, account.ErrUnauthenticated)
		if name == "refresh" {
			continue
		}
		_, err = w.Refresh(t.Context(), token)
		wantErr(t, name+" as refresh", err, account.ErrUnauthenticated)
	}
	_, err = w.Refresh(t.Context(), c.Access)
	wantErr(t, "access as refresh", err, account.ErrUnauthenticated)
	for name, token := range map[string]string{"access": c.Access, "refresh": c.Refresh} {
		must(t, w.refusedForReset(token))
		wantErr(t, name+" as address token", w.ConfirmAddress(t.Context(), from("192.0.2.1"), token), account.ErrBadToken)
		must(t, w.Verify(t.Context(), token))
	}
	wantErr(t, "reset to verify", w.Verify(t.Context(), mailed), account.ErrUnauthenticated)
}

// refusedForReset is nil when a token is refused for a reset.
func (w *world) refusedForReset(token string) error {
	err := w.ConfirmReset(w.t.Context(), from("192.0.2.1"), token, newPass, nil)
	if errors.Is(err, account.ErrBadToken) {
		return nil
	}
	return fmt.Errorf("a token of another sort resets a password: %w", err)
}

func FuzzAuthenticate(f *testing.F) {
	w := newWorld(f, storetest.New(f), func(o *account.Options) { o.Throttle = false })
	w.register(anaMail)
	c := w.signIn(anaMail, goodPass)
	f.Add(c.Access)
	f.Add(c.Refresh)
	parts := strings.Split(c.Access, ".")
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".")
	f.Add(parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1e999,"aud":[[]]}`)) + "." + parts[2])
	f.Add("....")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := w.Authenticate(t.Context(), account.SessionAPI, token)
		if err == nil && token != c.Access {
			t.Fatalf("Authenticate(%q) = user %d: only the one token that was made may count", token, p.User.ID)
		}
		if err != nil && fault.As(err) != account.ErrUnauthenticated {
			t.Fatalf("Authenticate(%q): %v, want %v", token, err, account.ErrUnauthenticated)
		}
	})
}

func TestLives_T14(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	c := w.signIn(anaMail, goodPass)
	if c.ExpiresIn != 24*time.Hour {
		t.Errorf("access lives %v, want 24 h", c.ExpiresIn)
	}
	w.pass(24*time.Hour + 29*time.Second)
	_, err := w.Authenticate(t.Context(), account.SessionAPI, c.Access)
	must(t, err)
	w.pass(2 * time.Second)
	_, err = w.Authenticate(t.Context(), account.SessionAPI, c.Access)
	wantErr(t, "access after a day", err, account.ErrUnauthenticated)

	// Idle for 14 days.
	idle := w.signIn(anaMail, goodPass)
	w.pass(14*24*time.Hour - time.Second)
	idle, err = w.Refresh(t.Context(), idle.Refresh)
	must(t, err)
	w.pass(14 * 24 * time.Hour)
	_, err = w.Refresh(t.Context(), idle.Refresh)
	wantErr(t, "refresh after 14 days", err, account.ErrUnauthenticated)

	// 60 days in all, however busy; the last access tokens end with them.
	busy := w.signIn(anaMail, goodPass)
	began := w.now()
	for range 59 {
		w.pass(24 * time.Hour)
		busy, err = w.Refresh(t.Context(), busy.Refresh)
		must(t, err)
	}
	w.pass(23 * time.Hour)
	busy, err = w.Refresh(t.Context(), busy.Refresh)
	must(t, err)
	if busy.ExpiresIn != time.Hour || w.now().Add(busy.ExpiresIn) != began.Add(60*24*time.Hour) {
		t.Errorf("an hour before its end a session gives tokens of %v, want an hour", busy.ExpiresIn)
	}
	w.pass(time.Hour)
	_, err = w.Refresh(t.Context(), busy.Refresh)
	wantErr(t, "refresh after 60 days", err, account.ErrUnauthenticated)
	_, err = w.Authenticate(t.Context(), account.SessionAPI, busy.Access)
	wantErr(t, "access after 60 days", err, account.ErrUnauthenticated)
}

func TestEnded_T15(t *testing.T) {
	tests := map[string]func(*world, account.Credentials, account.Credentials){
		"log-out": func(w *world, c, _ account.Credentials) { must(w.t, w.SignOut(w.t.Context(), c.Refresh)) },
		"ended": func(w *world, c, other account.Credentials) {
			must(w.t, w.EndSession(w.t.Context(), as(other), c.Session.ID))
		},
		"log-out all": func(w *world, _, other account.Credentials) { must(w.t, w.EndSessions(w.t.Context(), as(other))) },
		"password": func(w *world, _, other account.Credentials) {
			must(w.t, w.ChangePassword(w.t.Context(), as(other), ptr(goodPass), newPass, nil))
			_, err := w.Authenticate(w.t.Context(), account.SessionAPI, other.Access)
			must(w.t, err) // the session that changed it lives on
		},
		"operator": func(w *world, _, _ account.Credentials) {
			must(w.t, w.SetPassword(w.t.Context(), account.System(account.SourceCommand), anaMail, newPass))
		},
		"disabled": func(w *world, _, _ account.Credentials) { w.exec(`UPDATE account SET is_active = FALSE`) },
		"deleted": func(w *world, _, other account.Credentials) {
			must(w.t, w.Delete(w.t.Context(), as(other), other.Session.CreatedAt, nil, nil, ptr(goodPass)))
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.New(t), nil)
			w.register(anaMail)
			c, other := w.signIn(anaMail, goodPass), w.signIn(anaMail, goodPass)
			_, err := w.Authenticate(t.Context(), account.SessionAPI, c.Access)
			must(t, err)
			end(w, c, other)
			_, err = w.Authenticate(t.Context(), account.SessionAPI, c.Access)
			wantErr(t, "the next request", err, account.ErrUnauthenticated)
			_, err = w.Refresh(t.Context(), c.Refresh)
			wantErr(t, "the next refresh", err, account.ErrUnauthenticated)
			wantErr(t, "verifying access", w.Verify(t.Context(), c.Access), account.ErrUnauthenticated)
			wantErr(t, "verifying refresh", w.Verify(t.Context(), c.Refresh), account.ErrUnauthenticated)
		})
	}
}

func TestEndSession_Others_Z1(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	w.register("dan@example.com")
	ana, dan := w.signIn(anaMail, goodPass), w.signIn("dan@example.com", goodPass)
	wantErr(t, "ending another's session", w.EndSession(t.Context(), as(dan), ana.Session.ID), fault.NotFound)
	_, err := w.Authenticate(t.Context(), account.SessionAPI, ana.Access)
	must(t, err)
}

func TestRotate_T16_T17(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, nil)
		w.register(anaMail)
		first := w.signIn(anaMail, goodPass)
		second, err := w.Refresh(t.Context(), first.Refresh)
		must(t, err)
		if second.Refresh == first.Refresh || second.Session.ID != first.Session.ID {
			t.Fatalf("rotation gives %+v", second)
		}
		must(t, w.Verify(t.Context(), first.Refresh)) // its answer may have been lost: it can still be exchanged
		// Within the grace: the very same successor, and no fork.
		w.pass(10 * time.Second)
		again, err := w.Refresh(t.Context(), first.Refresh)
		if err != nil || again.Refresh != second.Refresh {
			t.Errorf("within the grace: %v, the successor is the same: %v", err, again.Refresh == second.Refresh)
		}
		// After it: the end of the family.
		third, err := w.Refresh(t.Context(), second.Refresh)
		must(t, err)
		wantErr(t, "verifying a used token", w.Verify(t.Context(), first.Refresh), account.ErrUnauthenticated)
		w.pass(time.Microsecond)
		_, err = w.Refresh(t.Context(), first.Refresh)
		wantErr(t, "reuse after the grace", err, account.ErrUnauthenticated)
		_, err = w.Refresh(t.Context(), third.Refresh)
		wantErr(t, "the youngest of the family", err, account.ErrUnauthenticated)
		_, err = w.Authenticate(t.Context(), account.SessionAPI, third.Access)
		wantErr(t, "access of the family", err, account.ErrUnauthenticated)
		if !strings.Contains(w.log.String(), `"event":"refresh_reuse"`) {
			t.Error("the reuse is no event of the log")
		}
		w.signIn(anaMail, goodPass) // the person may come back
	})
}

// Each token has one spelling: base64url that is not canonical is refused in every part.
func TestAccessToken_Canonical_T12(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	good := w.signIn(anaMail, goodPass).Access
	parts := strings.Split(good, ".")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i, part := range parts {
		spellings := map[string]string{
			"padded": part + strings.Repeat("=", (4-len(part)%4)%4+4*(1-min(len(part)%4, 1))), "a line break": part[:3] + "\n" + part[3:], "a carriage return at its end": part + "\r",
			"the other alphabet": strings.Replace(part, part[len(part)-1:], "+", 1), "a space": part + " ",
		}
		if len(part)%4 != 0 { // the last letter has bits to spare
			last := strings.IndexByte(alphabet, part[len(part)-1])
			spellings["spare bits"] = part[:len(part)-1] + string(alphabet[last^1])
		}
		for name, other := range spellings {
			list := slices.Clone(parts)
			list[i] = other
			_, err := w.Authenticate(t.Context(), account.SessionAPI, strings.Join(list, "."))
			wantErr(t, fmt.Sprintf("part %d with %s", i, name), err, account.ErrUnauthenticated)
		}
	}
	_, err := w.Authenticate(t.Context(), account.SessionAPI, good)
	must(t, err)
}

// A phone that lost an answer asks again, hours later: it gets the same successor
// until that, or an access token that came with it, was used once.
func TestRotate_LostAnswer_T16_T17(t *testing.T) {
	for _, tt := range []struct {
		name string
		use  func(*world, account.Credentials) error
	}{
		{"the refresh token is used", func(w *world, c account.Credentials) error {
			_, err := w.Refresh(w.t.Context(), c.Refresh)
			return err
		}},
		{"the access token is used", func(w *world, c account.Credentials) error {
			_, err := w.Authenticate(w.t.Context(), account.SessionAPI, c.Access)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				w := newWorld(t, s, nil)
				w.register(anaMail)
				first := w.signIn(anaMail, goodPass)
				lost, err := w.Refresh(t.Context(), first.Refresh)
				must(t, err)
				for range 3 {
					w.pass(5 * time.Hour)
					again, err := w.Refresh(t.Context(), first.Refresh)
					if err != nil || again.Refresh != lost.Refresh {
						t.Fatalf("after a lost answer: %v, the same successor: %v", err, again.Refresh == lost.Refresh)
					}
					// An access token of before the exchange says nothing about its answer.
					_, err = w.Authenticate(t.Context(), account.SessionAPI, first.Access)
					must(t, err)
					lost = again
				}
				must(t, tt.use(w, lost))
				w.pass(11 * time.Second)
				_, err = w.Refresh(t.Context(), first.Refresh)
				wantErr(t, "reuse once its successor was used", err, account.ErrUnauthenticated)
				_, err = w.Refresh(t.Context(), lost.Refresh)
				wantErr(t, "the family", err, account.ErrUnauthenticated)
			})
		})
	}
	// Signing out with a token that was exchanged, and the answer lost, ends the session.
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	first := w.signIn(anaMail, goodPass)
	lost, err := w.Refresh(t.Context(), first.Refresh)
	must(t, err)
	must(t, w.SignOut(t.Context(), first.Refresh))
	_, err = w.Refresh(t.Context(), lost.Refresh)
	wantErr(t, "after signing out", err, account.ErrUnauthenticated)
	// However late, but within its life.
	second := w.signIn(anaMail, goodPass)
	_, err = w.Refresh(t.Context(), second.Refresh)
	must(t, err)
	w.pass(14*24*time.Hour + time.Second)
	_, err = w.Refresh(t.Context(), second.Refresh)
	wantErr(t, "idle for 14 days", err, account.ErrUnauthenticated)
}

func TestRaceRotate_T17(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, nil)
		w.register(anaMail)
		c := w.signIn(anaMail, goodPass)
		for round := range 3 {
			var wg sync.WaitGroup
			next := make([]string, 20)
			errs := make([]error, 20)
			for i := range next {
				wg.Go(func() {
					got, err := w.Refresh(t.Context(), c.Refresh)
					next[i], errs[i] = got.Refresh, err
				})
			}
			wg.Wait()
			for i := range next {
				if errs[i] != nil || next[i] != next[0] {
					t.Fatalf("round %d: refresh %d of 20 at once: %v, the same successor: %v", round, i, errs[i], next[i] == next[0])
				}
			}
			c.Refresh = next[0]
		}
		var tokens, open int
		must(t, s.Reader().QueryRowContext(t.Context(), `SELECT count(*), count(*) - count(rotated_at) FROM refresh_token`).Scan(&tokens, &open))
		if tokens != 4 || open != 1 {
			t.Errorf("after three rotations there are %d tokens, %d of them open, want 4 and 1", tokens, open)
		}
	})
}

func TestKeyRotation_T19(t *testing.T) {
	s := storetest.New(t)
	old := newWorld(t, s, func(o *account.Options) { o.Secret = older })
	old.register(anaMail)
	c := old.signIn(anaMail, goodPass)
	crossed, err := old.Refresh(t.Context(), c.Refresh)
	must(t, err)
	both := newWorld(t, s, func(o *account.Options) { o.PreviousSecret = older })
	_, err = both.Authenticate(t.Context(), account.SessionAPI, c.Access)
	must(t, err)
	// Within the grace the successor is the one made under the old key.
	again, err := both.Refresh(t.Context(), c.Refresh)
	if err != nil || again.Refresh != crossed.Refresh {
		t.Errorf("a refresh over the change of keys: %v, the same successor: %v", err, again.Refresh == crossed.Refresh)
	}
	fresh, err := both.Refresh(t.Context(), crossed.Refresh)
	must(t, err)
	only := newWorld(t, s, nil)
	_, err = only.Authenticate(t.Context(), account.SessionAPI, fresh.Access)
	must(t, err)
	_, err = only.Authenticate(t.Context(), account.SessionAPI, c.Access)
	wantErr(t, "a token of a key that has gone", err, account.ErrUnauthenticated)
	_, err = only.Refresh(t.Context(), fresh.Refresh)
	must(t, err)
}

func TestRevise_T18(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	w.register("dan@example.com")
	c := w.signIn(anaMail, goodPass)
	other := w.signIn(anaMail, goodPass)
	for name, e := range map[string]account.Edit{
		"address without the password":    {Email: ptr("new@example.com")},
		"address with a wrong one":        {Email: ptr("new@example.com"), CurrentPassword: ptr("wrong")},
		"password without the password":   {Password: ptr(newPass)},
		"password with a wrong one":       {Password: ptr(newPass), CurrentPassword: ptr(newPass)},
		"password with an empty password": {Password: ptr(newPass), CurrentPassword: ptr("")},
	} {
		_, err := w.Revise(t.Context(), as(c), nil, e)
		wantErr(t, name, err, fault.Reauthenticate)
	}
	_, err := w.Revise(t.Context(), as(c), nil, account.Edit{Email: ptr("DAN@example.com"), CurrentPassword: ptr(goodPass)})
	wantErr(t, "another's address", err, account.ErrEmailTaken)
	u, err := w.Revise(t.Context(), as(c), nil, account.Edit{Name: ptr("Ana Maria")}) // a name needs none
	if err != nil || u.Name != "Ana Maria" {
		t.Errorf("a new name: %+v, %v", u, err)
	}
	u, err = w.Revise(t.Context(), as(c), nil, account.Edit{Email: ptr("new@example.com"), CurrentPassword: ptr(goodPass)})
	if err != nil || u.Email != anaMail {
		t.Errorf("a new address counts before it is confirmed: %q, %v", u.Email, err)
	}
	if out := w.mailed(account.MailAddressAsked); out.Address != anaMail || out.Other != "new@example.com" || out.Token != "" {
		t.Errorf("the old address is told %+v", out)
	}
	must(t, w.ConfirmAddress(t.Context(), from("192.0.2.1"), w.mailed(account.MailConfirmNew).Token))
	if u, err = w.User(t.Context(), as(c)); err != nil || u.Email != "new@example.com" || !u.Verified() {
		t.Errorf("after its confirmation: %+v, %v", u, err)
	}
	if out := w.mailed(account.MailAddressChanged); out.Address != anaMail {
		t.Errorf("the change is told to %q", out.Address)
	}
	_, err = w.Revise(t.Context(), as(c), nil, account.Edit{Password: ptr(newPass), CurrentPassword: ptr(goodPass)})
	must(t, err)
	_, err = w.Authenticate(t.Context(), account.SessionAPI, c.Access)
	must(t, err)
	_, err = w.Authenticate(t.Context(), account.SessionAPI, other.Access)
	wantErr(t, "the other session", err, account.ErrUnauthenticated)

	stale := account.AtVersion(1)
	_, err = w.Revise(t.Context(), as(c), stale, account.Edit{Name: ptr("X")})
	wantErr(t, "an edit of an older version", err, fault.Stale)
}

func TestDelete_T18(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	c := w.signIn(anaMail, goodPass)
	w.pass(15*time.Minute + time.Second)
	wantErr(t, "without a password, long after the sign-in", w.Delete(t.Context(), as(c), c.Session.CreatedAt, nil, nil, nil), fault.Reauthenticate)
	wantErr(t, "with a wrong password", w.Delete(t.Context(), as(c), c.Session.CreatedAt, nil, nil, ptr("wrong")), fault.Reauthenticate)
	err := w.Delete(t.Context(), as(c), c.Session.CreatedAt, nil, nil, ptr("wrong"))
	if f := fault.As(err); f == nil || !f.Fields.Has("password") {
		t.Errorf("the refusal names %+v, want password", f)
	}
	fresh := w.signIn(anaMail, goodPass)
	wantErr(t, "with a wrong password just after the sign-in", w.Delete(t.Context(), as(fresh), fresh.Session.CreatedAt, nil, nil, ptr("wrong")), fault.Reauthenticate)
	w.pass(15 * time.Minute)
	must(t, w.Delete(t.Context(), as(fresh), fresh.Session.CreatedAt, nil, nil, nil))
	if out := w.mailed(account.MailAccountDeleted); out.Address != anaMail || out.Language != "en" {
		t.Errorf("the farewell is %+v", out)
	}
	_, err = w.SignIn(t.Context(), from("192.0.2.1"), account.SessionAPI, anaMail, goodPass)
	wantErr(t, "signing in to an erased account", err, account.ErrBadCredentials)
}

// The current password is a password: it is guessed at no faster.
func TestReauthenticate_T6_T18(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	c := w.signIn(anaMail, goodPass)
	for range 10 {
		wantErr(t, "a guess", w.ChangePassword(t.Context(), as(c), ptr("wrong"), newPass, nil), fault.Reauthenticate)
	}
	wantErr(t, "the 11th", w.ChangePassword(t.Context(), as(c), ptr(goodPass), newPass, nil), fault.TooMany)
}

// Nothing that is logged holds a secret or an address.
func TestLogs_P4(t *testing.T) {
	w := newWorld(t, storetest.New(t), func(o *account.Options) { o.Registration = account.RegistrationOpen })
	u, _, err := w.Register(t.Context(), from("192.0.2.77"), "Ana Pop", anaMail, goodPass, nil)
	must(t, err)
	c := w.signIn(anaMail, goodPass)
	_, err = w.SignIn(t.Context(), from("192.0.2.77"), account.SessionAPI, anaMail, "wrong"+newPass)
	wantErr(t, "a wrong password", err, account.ErrBadCredentials)
	_, err = w.SignIn(t.Context(), from("192.0.2.77"), account.SessionAPI, "nobody@example.com", newPass)
	wantErr(t, "nobody", err, account.ErrBadCredentials)
	for range 11 {
		_, err = w.SignIn(t.Context(), from("192.0.2.78"), account.SessionAPI, anaMail, "wrong"+newPass)
	}
	wantErr(t, "guessing", err, fault.TooMany)
	next, err := w.Refresh(t.Context(), c.Refresh)
	must(t, err)
	_, err = w.Authenticate(t.Context(), account.SessionAPI, next.Access)
	must(t, err)
	w.pass(time.Minute)
	_, err = w.Refresh(t.Context(), c.Refresh)
	wantErr(t, "reuse", err, account.ErrUnauthenticated)
	must(t, w.AskReset(t.Context(), from("192.0.2.77"), anaMail))
	token := w.mailed(account.MailReset).Token
	must(t, w.ConfirmReset(t.Context(), from("192.0.2.77"), token, newPass, nil))
	c = w.signIn(anaMail, newPass)
	wantErr(t, "a wrong current password", w.ChangePassword(t.Context(), as(c), ptr("wrong"+goodPass), goodPass, nil), fault.Reauthenticate)
	must(t, w.EndSession(t.Context(), as(c), c.Session.ID))
	c = w.signIn(anaMail, newPass)
	must(t, w.Delete(t.Context(), as(c), c.Session.CreatedAt, nil, nil, ptr(newPass)))

	log := w.log.String()
	for _, event := range []string{"register", "login", "login_refused", "throttled", "refresh_reuse", "password_reset", "reauthentication_refused", "logout", "erased"} {
		if !strings.Contains(log, `"event":"`+event+`"`) {
			t.Errorf("%s is no event of the log (promise P3)", event)
		}
	}
	for what, secret := range map[string]string{
		"address": anaMail, "address folded": account.MailboxKey(anaMail), "unknown address": "nobody@example.com", "password": goodPass, "new password": newPass,
		"reset token": token, "access": next.Access, "refresh": next.Refresh, "hash": "argon2id", "name": "Ana Pop", "domain": "example.com",
	} {
		if strings.Contains(strings.ToLower(log), strings.ToLower(secret)) {
			t.Errorf("the log holds the %s", what)
		}
	}
	if !strings.Contains(log, `"user":`+strconv.FormatInt(u.ID, 10)) {
		t.Error("the log does not say whom its events are about")
	}
}

func TestSettings(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	u := w.register(anaMail)
	by := account.Actor{ID: u.ID, Source: account.SourceAPI}
	got, err := w.Settings(t.Context(), by)
	want := account.DefaultSettings()
	want.UserID, want.UpdatedAt = u.ID, got.UpdatedAt
	if err != nil || got != want {
		t.Errorf("new settings are %+v, %v, want %+v", got, err, want)
	}
	tests := []struct {
		name  string
		edit  func(*account.Settings)
		field string // that is bad; none when empty
	}{
		{"theme", func(s *account.Settings) { s.Theme = "dark" }, ""},
		{"bad theme", func(s *account.Settings) { s.Theme = "Dark" }, "theme"},
		{"language", func(s *account.Settings) { s.Language = "ro" }, ""},
		{"bad language", func(s *account.Settings) { s.Language = "de" }, "language"},
		{"currency", func(s *account.Settings) { s.Currency = "EUR" }, ""},
		{"bad currency", func(s *account.Settings) { s.Currency = "lei " }, "currency"},
		{"no currency", func(s *account.Settings) { s.Currency = "XXX" }, "currency"},
		{"zone", func(s *account.Settings) { s.TimeZone = "Pacific/Auckland" }, ""},
		{"the machine's zone", func(s *account.Settings) { s.TimeZone = "Local" }, "time_zone"},
		{"no zone", func(s *account.Settings) { s.TimeZone = "" }, "time_zone"},
		{"zone of a path", func(s *account.Settings) { s.TimeZone = "../../etc/passwd" }, "time_zone"},
		{"zone in other letters", func(s *account.Settings) { s.TimeZone = "europe/bucharest" }, "time_zone"},
		{"unit", func(s *account.Settings) { s.DistanceUnit = "mi" }, ""},
		{"bad unit", func(s *account.Settings) { s.DistanceUnit = "m" }, "distance_unit"},
		{"commission", func(s *account.Settings) { s.DefaultCommission = ptr(fixed.Hundred) }, ""},
		{"too much commission", func(s *account.Settings) { s.DefaultCommission = ptr(fixed.Hundred + 1) }, "default_commission"},
	}
	for _, tt := range tests {
		before, err := w.Settings(t.Context(), by)
		must(t, err)
		got, err := w.ReviseSettings(t.Context(), by, nil, func(s *account.Settings) fault.Fields { tt.edit(s); return nil }, nil)
		if tt.field == "" {
			if err != nil || got.Version != before.Version+1 {
				t.Errorf("%s: version %d, %v", tt.name, got.Version, err)
			}
			continue
		}
		f := fault.As(err)
		if f == nil || len(f.Fields) != 1 || f.Fields[0].Field != tt.field {
			t.Errorf("%s: %v, want %s refused", tt.name, err, tt.field)
		}
		if after, err := w.Settings(t.Context(), by); err != nil || !reflect.DeepEqual(after, before) {
			t.Errorf("%s: after a refusal the settings are %+v, %v, want %+v", tt.name, after, err, before)
		}
	}
}

// A database that was taken back to an earlier state gives the numbers of sessions
// and accounts that it has lost again. A token of before is not for who has them
// now (promises T13 and T15).
func TestNumbersGivenAgain_T15(t *testing.T) {
	w := newWorld(t, storetest.New(t), nil)
	w.register(anaMail)
	lost := w.signIn(anaMail, goodPass)
	w.exec(`DELETE FROM account`)
	w.exec(`DELETE FROM sqlite_sequence`)
	w.pass(time.Minute)
	w.register("yvonne@example.com")
	later := w.signIn("yvonne@example.com", goodPass)
	if later.Session.ID != lost.Session.ID || later.User.ID != lost.User.ID {
		t.Fatalf("session %d of account %d, and before %d of %d: the numbers are not given again", later.Session.ID, later.User.ID, lost.Session.ID, lost.User.ID)
	}
	_, err := w.Authenticate(t.Context(), account.SessionAPI, later.Access)
	must(t, err)
	_, err = w.Authenticate(t.Context(), account.SessionAPI, lost.Access)
	wantErr(t, "the token of before", err, account.ErrUnauthenticated)
}
