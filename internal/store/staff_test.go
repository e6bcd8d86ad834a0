package store_test

import (
	"fmt"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// Whatever writes a person writes the folded text that operators search, and a
// migration fills it in where a server of before left it empty.
func TestFoldedAccounts_D15(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		searched := func(id int64) string {
			var text string
			must(t, s.Reader().QueryRowContext(t.Context(), `SELECT search FROM account WHERE id = $1`, id).Scan(&text))
			return text
		}
		u := newUser(t, s, "Ana@Example.com")
		if got, want := searched(u.ID), "ana ana@example.com"; got != want {
			t.Errorf("a new account is searched by %q, want %q", got, want)
		}
		_, err := s.UpdateUser(t.Context(), actor(u.ID), u.ID, func(u *account.User, _ *account.Effects) error {
			u.Name = "Știrbei Ăna"
			return nil
		})
		must(t, err)
		if got, want := searched(u.ID), "stirbei ana ana@example.com"; got != want {
			t.Errorf("a renamed account is searched by %q, want %q", got, want)
		}

		loaded := make([]account.User, 2100) // more than two batches
		for i := range loaded {
			loaded[i] = account.User{Name: fmt.Sprint("Țiriac ", i), PasswordHash: "!", Active: true, CreatedAt: noon, UpdatedAt: noon}
		}
		settings := make([]account.Settings, len(loaded))
		for i := range settings {
			settings[i] = account.DefaultSettings()
		}
		must(t, s.LoadUsers(t.Context(), loaded, settings))
		if got, want := searched(loaded[7].ID), "tiriac 7 "; got != want {
			t.Errorf("a loaded account is searched by %q, want %q", got, want)
		}

		exec(t, s, `UPDATE account SET search = ''`)
		for range 2 { // and again, where nothing is to be done
			must(t, storetest.Migrate(t.Context(), s))
			if n := count(t, s, `SELECT count(*) FROM account WHERE search = ''`); n != 0 {
				t.Errorf("%d accounts are still without folded text", n)
			}
		}
		if got, want := searched(u.ID), "stirbei ana ana@example.com"; got != want {
			t.Errorf("an account filled in is searched by %q, want %q", got, want)
		}
	})
}
