package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newUser(t testing.TB, s *store.Store, email string) account.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), account.Actor{Source: account.SourceAPI}, account.User{
		Name: "Ana", Email: email, PasswordHash: "x", Active: true, CreatedAt: noon, UpdatedAt: noon, Version: 1,
	}, account.DefaultSettings(), []account.Mail{{Kind: account.MailVerify, Address: email}})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCreateUser_T8(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "Ana@example.com")
		got, err := s.UserByMailbox(t.Context(), "ana@example.com")
		if err != nil || got.ID != u.ID || got.Email != "Ana@example.com" || !got.CreatedAt.Equal(noon) {
			t.Errorf("UserByMailbox = %+v, %v, want user %d", got, err, u.ID)
		}
		_, err = s.CreateUser(t.Context(), account.Actor{}, account.User{Name: "B", Email: "ANA@EXAMPLE.COM", PasswordHash: "x"}, account.DefaultSettings(), nil)
		if !errors.Is(err, account.ErrEmailTaken) {
			t.Errorf("CreateUser of a taken mailbox = %v, want %v", err, account.ErrEmailTaken)
		}
	})
}
