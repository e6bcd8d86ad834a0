package store_test

import (
	"errors"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// An import that fails leaves nothing, whatever it has stored by then.
func TestImport_RollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		failed := errors.New("failed")
		err := s.Import(t.Context(), func(in *store.Import) error {
			users, settings := []account.User{{ID: 7, Name: "Ana", PasswordHash: "x", CreatedAt: noon, UpdatedAt: noon}}, []account.Settings{account.DefaultSettings()}
			if err := in.LoadUsers(t.Context(), users, settings); err != nil {
				t.Error(err)
			}
			if here, err := in.Users(t.Context(), []int64{5, 6, 7}); err != nil || len(here) != 1 || !here[7].Equal(noon) {
				t.Errorf("Users = %v, %v, want the one that was stored", here, err)
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("Import = %v, want %v", err, failed)
		}
		if _, err := s.User(t.Context(), 7); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("User = %v, want %v", err, account.ErrNotFound)
		}
	})
}

// Where new ids begin only ever goes up.
func TestImport_Continue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		after := func(last, want int64, email string) {
			t.Helper()
			if err := s.Import(t.Context(), func(in *store.Import) error { return in.Continue(t.Context(), last, 0, 0, 0) }); err != nil {
				t.Fatal(err)
			}
			if u := newUser(t, s, email); u.ID != want {
				t.Errorf("after Continue(%d) an account gets the number %d, want %d", last, u.ID, want)
			}
		}
		after(0, 1, "a@example.com")
		after(1, 2, "b@example.com")
		after(100, 101, "c@example.com")
		after(50, 102, "d@example.com")
		after(101, 103, "e@example.com")
	})
}

// Beside somebody who writes an import does not wait for ever.
func TestImport_InUse(t *testing.T) {
	s := storetest.Postgres(t)
	tx, err := s.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `DELETE FROM entry`); err != nil {
		t.Fatal(err)
	}
	err = s.Import(t.Context(), func(*store.Import) error {
		t.Error("the import began")
		return nil
	})
	if !errors.Is(err, fault.Conflict) {
		t.Errorf("Import = %v, want %v", err, fault.Conflict)
	}
}

// An import may take longer than anything else: no limit of the server ends it.
func TestImport_NoLimits(t *testing.T) {
	s := storetest.Postgres(t)
	for name, sql := range map[string]string{
		"statement_timeout": `SHOW statement_timeout`, "idle_in_transaction_session_timeout": `SHOW idle_in_transaction_session_timeout`,
	} {
		err := s.Import(t.Context(), func(in *store.Import) error {
			if got, err := in.Show(t.Context(), sql); err != nil || got != "0" {
				t.Errorf("%s = %q, %v, want none", name, got, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
