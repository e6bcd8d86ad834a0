package account_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// queued returns the numbers of the mails of a kind, the oldest first.
func (w *world) queued(kind account.MailKind) []int64 {
	w.t.Helper()
	rows, err := w.store.Reader().QueryContext(w.t.Context(), `SELECT id FROM mail WHERE kind = $1 ORDER BY id`, string(kind))
	must(w.t, err)
	defer rows.Close() // read to its end below
	var ids []int64
	for rows.Next() {
		var id int64
		must(w.t, rows.Scan(&id))
		ids = append(ids, id)
	}
	must(w.t, rows.Err())
	return ids
}

// A mail that anybody can cause by typing an address goes to the spelling that is
// stored: on a host that tells cases apart the typed one is another mailbox.
func TestMail_StoredSpelling_T8(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const stored, typed = "Ana.Pop@example.com", "ana.pop@EXAMPLE.com"
		w := newWorld(t, s, func(o *account.Options) { o.Registration = account.RegistrationVerified })
		w.register(stored)
		other := from("192.0.2.66")
		asks := []struct {
			kind account.MailKind
			ask  func(context.Context) error
		}{
			{account.MailVerifyIfUnproven, func(ctx context.Context) error { return w.AskVerification(ctx, other, typed) }},
			{account.MailReset, func(ctx context.Context) error { return w.AskReset(ctx, other, typed) }},
			{account.MailAccountExists, func(ctx context.Context) error {
				_, _, err := w.Register(ctx, other, "Mallory", typed, goodPass, nil)
				return err
			}},
		}
		for _, tt := range asks {
			t.Run(string(tt.kind), func(t *testing.T) {
				must(t, tt.ask(t.Context()))
				out := w.mailed(tt.kind)
				if out.Address != stored {
					t.Errorf("%s goes to %q, want %q", tt.kind, out.Address, stored)
				}
				if out.Token != "" {
					var address string
					must(t, s.Reader().QueryRowContext(t.Context(), `SELECT address FROM mailed_token ORDER BY created_at DESC LIMIT 1`).Scan(&address))
					if address != stored {
						t.Errorf("the link of %s stands for %q, want %q", tt.kind, address, stored)
					}
				}
			})
		}
		// No other mail is queued without naming its account: the test above has met all of them.
		for _, m := range dump(t, s)["mail"] {
			if strings.Contains(m, typed) && !strings.Contains(m, string(account.MailVerifyIfUnproven)) && !strings.Contains(m, string(account.MailReset)) &&
				!strings.Contains(m, string(account.MailAccountExists)) {
				t.Errorf("a mail of another kind holds what was typed: %s", m)
			}
		}
	})
}

// Requests of strangers for one purpose leave the mails of another alone, and a
// mail that is dropped counts for nothing.
func TestMailQuota_ByPurpose_Z8(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, nil)
		w.register(anaMail)
		verify := func(i int) { must(t, w.AskVerification(t.Context(), from(fmt.Sprint("198.51.100.", i)), anaMail)) }
		reset := func(i int) { must(t, w.AskReset(t.Context(), from(fmt.Sprint("203.0.113.", i)), anaMail)) }
		wants := func(what string, kind account.MailKind, n int) {
			t.Helper()
			if got := len(w.queued(kind)); got != n {
				t.Errorf("%s: %d mails of %s, want %d", what, got, kind, n)
			}
		}
		for i := range 7 {
			verify(i)
		}
		wants("seven verifications asked for", account.MailVerifyIfUnproven, 5)
		for i := range 7 {
			reset(i)
		}
		wants("seven resets asked for, after the verifications", account.MailReset, 5)

		// The account is verified: its verifications are dropped, and count no longer.
		w.exec(`UPDATE account SET email_verified_at = created_at`)
		for _, id := range w.queued(account.MailVerifyIfUnproven) {
			if _, ok, err := w.PrepareMail(t.Context(), id); ok || err != nil {
				t.Fatalf("a verification of a verified address: %v, %v", ok, err)
			}
		}
		verify(8)
		wants("one more verification", account.MailVerifyIfUnproven, 6)
		w.exec(`UPDATE mail SET state = 'dropped' WHERE kind = 'reset_password'`)
		reset(8)
		wants("one more reset", account.MailReset, 6)
	})
}

// A stranger who asks for a link kills none: every link of the last 30 minutes is
// good until one of them is used, then all are dead.
func TestReset_EveryLinkUntilOneIsUsed_T9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for used := range 3 {
			w := newWorld(t, s, func(o *account.Options) { o.Throttle = false })
			email := fmt.Sprintf("ana%d@example.com", used)
			w.register(email)
			var tokens []string
			for range 3 {
				must(t, w.AskReset(t.Context(), from("192.0.2.1"), email))
				tokens = append(tokens, w.mailed(account.MailReset).Token)
			}
			must(t, w.ConfirmReset(t.Context(), from("192.0.2.1"), tokens[used], newPass, nil))
			for i, token := range tokens {
				wantErr(t, fmt.Sprintf("link %d after link %d was used", i, used), w.ConfirmReset(t.Context(), from("192.0.2.1"), token, newPass, nil), account.ErrBadToken)
			}
		}
	})
}

// lanes is a store in which a guess waits for its hash: the lane is as full as that.
type lanes struct {
	*calls
	wait func()
}

func (l *lanes) UserByMailbox(ctx context.Context, key string) (account.User, error) {
	l.wait()
	return l.calls.UserByMailbox(ctx, key)
}

// The pause of a guess and the wait for its hash are one: the right password is held
// back for 2.5 s at most, however full the lane is. A right and a wrong one are held
// alike.
func TestGuessDelay_CountsTheLane_T6(t *testing.T) {
	s := storetest.New(t)
	for _, tt := range []struct{ lane, pause time.Duration }{{0, 2500 * time.Millisecond}, {1900 * time.Millisecond, 600 * time.Millisecond}, {3 * time.Second, 0}} {
		w := newWorld(t, s, nil)
		email := fmt.Sprintf("ana%d@example.com", tt.lane)
		w.register(email)
		held := account.NewService(&lanes{w.store, func() { w.pass(tt.lane) }}, account.Options{
			Secret: secret, Throttle: true, Hasher: w.hash, Now: w.now,
			Wait: func(_ context.Context, d time.Duration) error { w.waits = append(w.waits, d); return nil },
		})
		for i := range 30 {
			_, err := w.SignIn(t.Context(), from(fmt.Sprintf("203.0.113.%d", i)), account.SessionAPI, email, "wrong"+newPass)
			wantErr(t, "a guess", err, account.ErrBadCredentials)
		}
		for name, pw := range map[string]string{"right": goodPass, "wrong": newPass} {
			w.waits = nil
			_, err := held.SignIn(t.Context(), from("198.51.100."+name), account.SessionAPI, email, pw)
			if (err == nil) != (name == "right") {
				t.Errorf("the %s password: %v", name, err)
			}
			var pause time.Duration
			for _, d := range w.waits {
				pause += d
			}
			if pause != tt.pause {
				t.Errorf("after %v in the lane the %s password waits %v more, want %v", tt.lane, name, pause, tt.pause)
			}
		}
	}
}
