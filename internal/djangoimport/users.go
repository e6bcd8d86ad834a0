package djangoimport

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
)

// user is a row of rideauth_user.
type user struct {
	id                                         int64
	password                                   string
	lastLogin, joined                          *time.Time
	superuser, staff, active                   bool
	firstName, lastName, name, email, username string
}

// Of addresses that are one mailbox the first keeps it: the account that signed
// in last, or the oldest.
const userQuery = `
	SELECT id::bigint, COALESCE(password::text, ''), ` + lastLogin + `, COALESCE(is_superuser, false),
		COALESCE(first_name::text, ''), COALESCE(last_name::text, ''), COALESCE(is_staff, false), COALESCE(is_active, false),
		CASE WHEN isfinite(date_joined) THEN date_joined::timestamptz END,
		COALESCE(name::text, ''), COALESCE(email::text, ''), COALESCE(username::text, '')
	FROM rideauth_user ORDER BY ` + lastLogin + ` DESC NULLS LAST, id`

const lastLogin = `CASE WHEN isfinite(last_login) THEN last_login::timestamptz END`

func scanUser(r pgx.Rows) (user, error) {
	var u user
	err := r.Scan(&u.id, &u.password, &u.lastLogin, &u.superuser, &u.firstName, &u.lastName, &u.staff, &u.active, &u.joined, &u.name, &u.email, &u.username)
	return u, err
}

func (r *run) users(ctx context.Context) error {
	inBatch := map[string]bool{} // the mailboxes of a batch that is not stored yet
	return read(ctx, r.from, userTable, userQuery, scanUser, func(batch []user) error {
		clear(inBatch)
		ids := make([]int64, len(batch))
		for i, u := range batch {
			ids[i] = u.id
			r.last[userTable] = max(r.last[userTable], u.id)
		}
		here, err := r.into.Users(ctx, ids)
		if err != nil {
			return err
		}
		erased, err := r.into.Erased(ctx, ids)
		if err != nil {
			return err
		}
		var users []account.User
		for _, u := range batch {
			joined, ok := moment(u.joined)
			if since, known := here[u.id]; known {
				if !since.Equal(joined) {
					return taken("account", u.id)
				}
				r.report.Users.Known++
				continue
			}
			if erased[u.id] {
				r.report.Users.LeftOut++
				if err := r.odd(Oddity{userTable, u.id, "id", fmt.Sprint(u.id), leftOut, Erased}); err != nil {
					return err
				}
				continue
			}
			if !ok {
				if _, err := r.since(userTable, u.id, "date_joined", u.joined); err != nil {
					return err
				}
			}
			made, err := r.user(ctx, u, joined, inBatch)
			if err != nil {
				return err
			}
			users = append(users, made)
		}
		settings := make([]account.Settings, len(users))
		for i := range settings {
			settings[i] = account.DefaultSettings()
			settings[i].UpdatedAt = users[i].CreatedAt
		}
		if err := r.into.LoadUsers(ctx, users, settings); err != nil {
			return err
		}
		r.report.Users.Taken += len(users)
		r.seen(userTable, "users", &r.report.Users, len(batch))
		return nil
	})
}

func (r *run) user(ctx context.Context, u user, joined time.Time, inBatch map[string]bool) (account.User, error) {
	made := account.User{
		ID: u.id, PasswordHash: u.password, Active: u.active, Staff: u.staff, Superuser: u.superuser, CreatedAt: joined, UpdatedAt: joined,
	}
	if at, ok := moment(u.lastLogin); ok {
		made.LastLoginAt = &at
	}
	var err error
	if made.Name, err = r.nameOf(u); err != nil {
		return made, err
	}
	if made.Email, err = r.addressOf(ctx, u, inBatch); err != nil {
		return made, err
	}
	if made.Email == "" {
		made.Active = false
	} else {
		made.EmailVerifiedAt = &made.CreatedAt
	}
	if !password.Known(u.password) {
		// What Django calls unusable, and hashes of other kinds: kept, and good for
		// nothing. The report says of which kind and no more.
		kind, _, _ := strings.Cut(u.password, "$")
		switch {
		case u.password == "":
			kind = "none"
		case strings.HasPrefix(kind, "!"):
			kind = "unusable"
		case len(kind) > 20 || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
			kind = "unknown"
		}
		err = r.odd(Oddity{userTable, u.id, "password", kind, "kept; nobody can sign in with it", PasswordLost})
	}
	return made, err
}

// nameOf is a person's name: whatever there is that could be one.
func (r *run) nameOf(u user) (string, error) {
	for _, c := range []struct{ column, text string }{
		{"name", u.name}, {"first_name", strings.TrimSpace(u.firstName + " " + u.lastName)}, {"username", u.username},
	} {
		name, err := r.line(userTable, u.id, c.column, c.text)
		if err != nil || visible(name) {
			return strings.TrimSpace(name), err
		}
	}
	local, _, _ := strings.Cut(u.email, "@")
	if local = strings.TrimSpace(clean(local, account.MaxText, false)); visible(local) {
		return local, nil
	}
	return fmt.Sprint("Driver ", u.id), nil
}

// addressOf is the address of an account, empty where it can have none.
func (r *run) addressOf(ctx context.Context, u user, inBatch map[string]bool) (string, error) {
	address, key, ok := account.Mailbox(u.email)
	if !ok {
		return "", r.odd(Oddity{userTable, u.id, "email", u.email, storedNull, AddressInvalid})
	}
	shared := inBatch[key]
	if !shared {
		var err error
		if shared, err = r.into.MailboxTaken(ctx, address); err != nil {
			return "", err
		}
	}
	if shared {
		return "", r.odd(Oddity{userTable, u.id, "email", u.email, storedNull, AddressShared})
	}
	inBatch[key] = true
	return address, nil
}

// orNone is the owner's id of a row in words.
func orNone(id *int64) string {
	if id == nil {
		return ""
	}
	return fmt.Sprint(*id)
}

// distinct are the owners of some rows, each once, without those that have none.
func distinct[T any](rows []T, id func(T) *int64) []int64 {
	seen := map[int64]bool{}
	var ids []int64
	for _, row := range rows {
		if p := id(row); p != nil && !seen[*p] {
			seen[*p] = true
			ids = append(ids, *p)
		}
	}
	return ids
}
