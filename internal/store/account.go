package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/note"
)

const userColumns = `a.id, a.name, COALESCE(a.email, ''), a.password_hash, a.email_verified_at, a.is_active, a.is_staff, a.is_superuser,
	a.last_login_at, a.created_at, a.updated_at, a.version`

func userFields(u *account.User) []any {
	return []any{
		&u.ID, &u.Name, &u.Email, &u.PasswordHash, &u.EmailVerifiedAt, &u.Active, &u.Staff, &u.Superuser,
		&u.LastLoginAt, &u.CreatedAt, &u.UpdatedAt, &u.Version,
	}
}

func scanUser(r row) (account.User, error) {
	var u account.User
	err := r.Scan(userFields(&u)...)
	return u, orNotFound(err, account.ErrNotFound)
}

// orNotFound turns "no rows" into the fault of the thing that was looked for.
func orNotFound(err error, notFound *fault.Error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound
	}
	return err
}

// emailArgs are the address and the key that makes it unique; NULL without one.
func emailArgs(email string) (address, key any) {
	if email == "" {
		return nil, nil
	}
	return email, account.MailboxKey(email)
}

// CreateUser stores a new user with settings and the first mails.
func (s *Store) CreateUser(ctx context.Context, by account.Actor, u account.User, set account.Settings, mails []account.Mail) (account.User, error) {
	return s.CreateProfile(ctx, by, u, nil, set, mails)
}

// CreateProfile is CreateUser of somebody who is in groups.
func (s *Store) CreateProfile(ctx context.Context, by account.Actor, u account.User, groups []int64, set account.Settings, mails []account.Mail) (account.User, error) {
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		if err := tx.insertUser(ctx, &u, set); err != nil {
			return err
		}
		changes, err := diff(nil, u)
		if err != nil {
			return err
		}
		if err := tx.setGroups(ctx, u.ID, nil, groups, changes); err != nil {
			return err
		}
		for _, m := range mails {
			m.UserID = &u.ID
			if err := tx.queueMail(ctx, m, u.CreatedAt); err != nil {
				return err
			}
		}
		if by.ID == 0 && !by.Manages { // whoever registers acts for the account it makes
			by.ID = u.ID
		}
		return tx.write(ctx, by, actCreate, objectUser, u.ID, u.ID, changes, u.CreatedAt)
	})
	if err != nil {
		return account.User{}, fmt.Errorf("create user: %w", err)
	}
	return u, nil
}

func (t *txn) insertUser(ctx context.Context, u *account.User, set account.Settings) error {
	email, key := emailArgs(u.Email)
	err := t.QueryRowContext(ctx, `
		INSERT INTO account (name, email, email_key, password_hash, email_verified_at, is_active, is_staff, is_superuser, created_at, updated_at, search, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)
		ON CONFLICT (email_key) DO NOTHING RETURNING id`,
		u.Name, email, key, u.PasswordHash, timeArg(u.EmailVerifiedAt), u.Active, u.Staff, u.Superuser, u.CreatedAt, u.UpdatedAt, u.SearchText()).Scan(&u.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return account.ErrEmailTaken
	}
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `
		INSERT INTO settings (account_id, theme, language, currency, time_zone, distance_unit, default_commission, weekly_goal, email_reminders, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)`,
		u.ID, set.Theme, set.Language, set.Currency, set.TimeZone, set.DistanceUnit, set.DefaultCommission, set.WeeklyGoal, set.EmailReminders, u.CreatedAt)
	return err
}

// User reads a user.
func (s *Store) User(ctx context.Context, id int64) (u account.User, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		u, err = scanUser(db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM account a WHERE a.id = $1`, id))
		return err
	})
	return u, err
}

// UserByMailbox reads the user that a mailbox belongs to.
func (s *Store) UserByMailbox(ctx context.Context, key string) (u account.User, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		u, err = scanUser(db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM account a WHERE a.email_key = $1`, key))
		return err
	})
	return u, err
}

// UpdateUser loads, changes and saves a user and carries out the effects.
func (s *Store) UpdateUser(ctx context.Context, by account.Actor, id int64, change func(*account.User, *account.Effects) error) (account.User, error) {
	var u account.User
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		var err error
		u, err = tx.updateUser(ctx, by, id, change)
		return err
	})
	if err != nil {
		return account.User{}, fmt.Errorf("update user %d: %w", id, err)
	}
	return u, nil
}

// lockUser reads a user whom nobody else changes until the transaction ends.
func (t *txn) lockUser(ctx context.Context, id int64) (account.User, error) {
	return scanUser(t.QueryRowContext(ctx, `SELECT `+userColumns+` FROM account a WHERE a.id = $1`+t.s.dialect.forUpdate, id))
}

func (t *txn) updateUser(ctx context.Context, by account.Actor, id int64, change func(*account.User, *account.Effects) error) (account.User, error) {
	u, err := t.lockUser(ctx, id)
	if err != nil {
		return u, err
	}
	before := u
	var fx account.Effects
	if err := change(&u, &fx); err != nil {
		return u, err
	}
	changes, err := diffUsers(before, u)
	if err != nil {
		return u, err
	}
	if len(changes) == 0 {
		return before, t.carryOut(ctx, u, fx)
	}
	return t.saveUser(ctx, by, u, changes, fx)
}

// saveUser writes a user that has changed, says so in the history, and carries
// out the effects.
func (t *txn) saveUser(ctx context.Context, by account.Actor, u account.User, changes map[string][2]json.RawMessage, fx account.Effects) (account.User, error) {
	u.Version++
	email, key := emailArgs(u.Email)
	_, err := t.ExecContext(ctx, `
		UPDATE account SET name = $2, email = $3, email_key = $4, password_hash = $5, email_verified_at = $6, is_active = $7, is_staff = $8,
			is_superuser = $9, updated_at = $10, version = $11, search = $12
		WHERE id = $1`,
		u.ID, u.Name, email, key, u.PasswordHash, timeArg(u.EmailVerifiedAt), u.Active, u.Staff, u.Superuser, u.UpdatedAt, u.Version, u.SearchText())
	if isUnique(err) {
		return u, account.ErrEmailTaken
	}
	if err != nil {
		return u, err
	}
	if err := t.write(ctx, by, actUpdate, objectUser, u.ID, u.ID, changes, u.UpdatedAt); err != nil {
		return u, err
	}
	return u, t.carryOut(ctx, u, fx)
}

// diffUsers lists what changed of a user; of a password it tells only that it did.
func diffUsers(before, after account.User) (map[string][2]json.RawMessage, error) {
	changes, err := diff(before, after)
	if err == nil && before.PasswordHash != after.PasswordHash {
		changes["password"] = [2]json.RawMessage{hidden, hidden}
	}
	return changes, err
}

// linkMails are the messages whose links serve a purpose.
var linkMails = map[account.Purpose][]account.MailKind{
	account.PurposeReset:       {account.MailReset},
	account.PurposeVerify:      {account.MailVerify, account.MailVerifyIfUnproven},
	account.PurposeChangeEmail: {account.MailConfirmNew},
}

func (t *txn) carryOut(ctx context.Context, u account.User, fx account.Effects) error {
	if fx.EndSessions {
		_, err := t.ExecContext(ctx, `UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL AND id <> $3`, u.ID, u.UpdatedAt, fx.KeepSession)
		if err != nil {
			return err
		}
		if err := t.endPermits(ctx, u.ID); err != nil {
			return err
		}
	}
	if fx.EndAdmin {
		_, err := t.ExecContext(ctx, `UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL AND kind = $3`,
			u.ID, u.UpdatedAt, string(account.SessionAdmin))
		if err != nil {
			return err
		}
	}
	for _, p := range fx.DropTokens {
		if _, err := t.ExecContext(ctx, `DELETE FROM mailed_token WHERE account_id = $1 AND purpose = $2`, u.ID, string(p)); err != nil {
			return err
		}
		// A link that is still to be sent must not revive what was dropped.
		for _, kind := range linkMails[p] {
			if _, err := t.ExecContext(ctx, `UPDATE mail SET state = $4 WHERE (account_id = $1 OR address_key = $2) AND kind = $3 AND state = $5`,
				u.ID, account.MailboxKey(u.Email), string(kind), account.MailDropped, account.MailQueued); err != nil {
				return err
			}
		}
	}
	for _, m := range fx.Mails {
		if fx.MailQuota && m.Kind != account.MailAddressAsked { // which only goes along
			full, err := t.mailQuotaFull(ctx, m, u.ID, u.UpdatedAt)
			if err != nil {
				return err
			}
			if full {
				return errMailQuota
			}
		}
		if err := t.queueMail(ctx, m, u.UpdatedAt); err != nil {
			return err
		}
	}
	return nil
}

// RenewHash replaces a password hash, unless the password was changed meanwhile.
func (s *Store) RenewHash(ctx context.Context, id int64, old, renewed string) (done bool, err error) {
	err = s.inTx(ctx, onPeople, func(tx *txn) error {
		res, err := tx.ExecContext(ctx, `UPDATE account SET password_hash = $3 WHERE id = $1 AND password_hash = $2`, id, old, renewed)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		done = n == 1
		return err
	})
	return done, err
}

// HasDjangoHashes tells whether somebody's password still rests as the older
// backend kept it. A database without tables has none.
func (s *Store) HasDjangoHashes(ctx context.Context) (found bool, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM account WHERE password_hash LIKE 'pbkdf2_sha256$%')`).Scan(&found)
	})
	if pgCode(err) == pgNoTable || (sqliteCode(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "no such table")) {
		return false, nil
	}
	return found, err
}

// DeleteUser erases a user: every row goes with the account, the history keeps
// who and when but no values, and the number stays on the list of the erased.
func (s *Store) DeleteUser(ctx context.Context, by account.Actor, id int64, check func(account.User, account.Settings) error, mails []account.Mail) error {
	return s.erase(ctx, by, id, func(tx *txn) (account.User, error) { return tx.lockUser(ctx, id) }, check, mails)
}

// erase is the one way out: lock reads and locks the user.
func (s *Store) erase(ctx context.Context, by account.Actor, id int64, lock func(*txn) (account.User, error),
	check func(account.User, account.Settings) error, mails []account.Mail,
) error {
	err := s.inLongTx(ctx, onPeople, func(tx *txn) error {
		u, err := lock(tx)
		if err != nil {
			return err
		}
		set, err := scanSettings(tx.QueryRowContext(ctx, `SELECT `+settingsColumns+` FROM settings s WHERE s.account_id = $1`+s.dialect.forUpdate, id))
		if err != nil {
			return err
		}
		if err := check(u, set); err != nil {
			return err
		}
		at := now()
		// Its objects one by one, for those may lie elsewhere, and all that is
		// below its prefixes.
		if _, err := tx.dropUploads(ctx, `owner_id = $1`, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM upload WHERE owner_id = $1`, id); err != nil { // what would count until its permit lapses
			return err
		}
		if err := tx.purge(ctx, media.AccountPurges(s.options.Prefix, id, at)); err != nil {
			return err
		}
		for _, step := range []struct {
			sql  string
			args []any
		}{
			{`DELETE FROM mail WHERE account_id = $1 OR address_key = $2`, []any{id, account.MailboxKey(u.Email)}},
			{`UPDATE history SET changes = NULL, address = NULL WHERE owner_id = $1`, []any{id}},
			{`UPDATE history SET address = NULL WHERE actor_id = $1`, []any{id}},
			{`UPDATE report SET resolved_by = NULL WHERE resolved_by = $1`, []any{id}},
			{`DELETE FROM account WHERE id = $1`, []any{id}},
			{`INSERT INTO erased_account (account_id, at) VALUES ($1, $2)`, []any{id, at}},
		} {
			if _, err := tx.ExecContext(ctx, step.sql, step.args...); err != nil {
				return err
			}
		}
		for _, m := range mails {
			if err := tx.queueMail(ctx, m, at); err != nil {
				return err
			}
		}
		by := by
		if by.ID == id {
			by.Address = "" // it is theirs
		}
		return tx.record(ctx, by, actDelete, objectUser, id, id, nil, nil, at)
	})
	if err != nil {
		return fmt.Errorf("erase user %d: %w", id, err)
	}
	return nil
}

const settingsColumns = `s.account_id, s.theme, s.language, s.currency, s.time_zone, s.distance_unit, s.default_commission, s.weekly_goal,
	s.email_reminders, s.updated_at, s.version`

func settingsFields(s *account.Settings) []any {
	return []any{
		&s.UserID, &s.Theme, &s.Language, &s.Currency, &s.TimeZone, &s.DistanceUnit, &s.DefaultCommission, &s.WeeklyGoal,
		&s.EmailReminders, &s.UpdatedAt, &s.Version,
	}
}

func scanSettings(r row) (account.Settings, error) {
	var set account.Settings
	err := r.Scan(settingsFields(&set)...)
	return set, orNotFound(err, account.ErrNotFound)
}

// Settings reads a user's preferences.
func (s *Store) Settings(ctx context.Context, userID int64) (set account.Settings, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		set, err = settingsOf(ctx, db, userID)
		return err
	})
	return set, err
}

func settingsOf(ctx context.Context, db querier, userID int64) (account.Settings, error) {
	return scanSettings(db.QueryRowContext(ctx, `SELECT `+settingsColumns+` FROM settings s WHERE s.account_id = $1`, userID))
}

// UpdateSettings loads, changes and saves preferences. A new time zone moves
// the days of the documents: their reminders are looked at again. With edit, the user is
// changed as well: both or neither.
func (s *Store) UpdateSettings(ctx context.Context, by account.Actor, userID int64, change func(*account.Settings) error,
	edit func(*account.User, *account.Effects) error,
) (account.Settings, error) {
	var set account.Settings
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		if edit != nil {
			if _, err := tx.updateUser(ctx, by, userID, edit); err != nil {
				return err
			}
		}
		var err error
		set, err = scanSettings(tx.QueryRowContext(ctx, `SELECT `+settingsColumns+` FROM settings s WHERE s.account_id = $1`+s.dialect.forUpdate, userID))
		if err != nil {
			return err
		}
		loaded := set
		if err := change(&set); err != nil {
			return err
		}
		changes, err := diff(loaded, set)
		if err != nil || len(changes) == 0 {
			set = loaded
			return err
		}
		set.Version++
		_, err = tx.ExecContext(ctx, `
			UPDATE settings SET theme = $2, language = $3, currency = $4, time_zone = $5, distance_unit = $6, default_commission = $7,
				weekly_goal = $8, email_reminders = $9, updated_at = $10, version = $11
			WHERE account_id = $1`,
			userID, set.Theme, set.Language, set.Currency, set.TimeZone, set.DistanceUnit, set.DefaultCommission,
			set.WeeklyGoal, set.EmailReminders, set.UpdatedAt, set.Version)
		if err != nil {
			return err
		}
		if set.TimeZone != loaded.TimeZone {
			if _, err := tx.ExecContext(ctx, `UPDATE document SET next_reminder_at = $2 WHERE owner_id = $1 AND expires_on IS NOT NULL`, userID, set.UpdatedAt); err != nil {
				return err
			}
		}
		return tx.write(ctx, by, actUpdate, objectSettings, userID, userID, changes, set.UpdatedAt)
	})
	if err != nil {
		return account.Settings{}, fmt.Errorf("update settings of user %d: %w", userID, err)
	}
	return set, nil
}

const sessionColumns = `s.id, s.account_id, s.kind, s.device, s.address, s.created_at, s.last_used_at, s.idle_until, s.expires_at, s.ended_at,
	s.confirmed_at, s.seen_generation`

func sessionFields(s *account.Session) []any {
	return []any{
		&s.ID, &s.UserID, &s.Kind, &s.Device, &s.Address, &s.CreatedAt, &s.LastUsedAt, &s.IdleUntil, &s.ExpiresAt, &s.EndedAt,
		&s.ConfirmedAt, &s.SeenGeneration,
	}
}

// CreateSession records a sign-in, and the moment of it on the user. A person
// who has just been disabled or erased, has just changed the password, or works
// in the admin site no longer that it is for, gets none: checking a password takes a while, and what ends sessions meanwhile must
// end this one as well (promise T15).
func (s *Store) CreateSession(ctx context.Context, session account.Session, refreshHash []byte, passwordHash string) (account.Session, error) {
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE account SET last_login_at = $2 WHERE id = $1 AND is_active AND password_hash = $3 AND ($4 OR is_staff OR is_superuser)`,
			session.UserID, session.CreatedAt, passwordHash, session.Kind != account.SessionAdmin)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(account.ErrBadCredentials, err)
		}
		err = tx.QueryRowContext(ctx, `
			INSERT INTO session (account_id, kind, device, address, created_at, last_used_at, idle_until, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
			session.UserID, string(session.Kind), session.Device, session.Address, session.CreatedAt, session.LastUsedAt,
			session.IdleUntil, session.ExpiresAt).Scan(&session.ID)
		if err != nil || refreshHash == nil {
			return err
		}
		return tx.insertRefresh(ctx, refreshHash, session.ID, 0, session.CreatedAt)
	})
	return session, err
}

func (t *txn) insertRefresh(ctx context.Context, hash []byte, sessionID, generation int64, at time.Time) error {
	_, err := t.ExecContext(ctx, `INSERT INTO refresh_token (hash, session_id, generation, created_at) VALUES ($1, $2, $3, $4)`, hash, sessionID, generation, at)
	return err
}

const principalQuery = `SELECT ` + sessionColumns + `, ` + userColumns + ` FROM session s JOIN account a ON a.id = s.account_id WHERE s.id = $1`

func scanPrincipal(r row) (account.Principal, error) {
	var p account.Principal
	err := r.Scan(append(sessionFields(&p.Session), userFields(&p.User)...)...)
	return p, orNotFound(err, account.ErrSessionNotFound)
}

// Principal reads a session and its user as they are now.
func (s *Store) Principal(ctx context.Context, sessionID int64) (p account.Principal, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		p, err = scanPrincipal(db.QueryRowContext(ctx, principalQuery, sessionID))
		return err
	})
	return p, err
}

// TouchSession notes that a session was used, and how long it may now idle, nil
// for as long as before.
func (s *Store) TouchSession(ctx context.Context, sessionID int64, at time.Time, idleUntil *time.Time) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE session SET last_used_at = $2, idle_until = COALESCE($3, idle_until) WHERE id = $1 AND ended_at IS NULL`,
			sessionID, at, timeArg(idleUntil))
		return err
	})
}

// Sessions lists a user's live sessions, the last used first.
func (s *Store) Sessions(ctx context.Context, userID int64, now time.Time) ([]account.Session, error) {
	var list []account.Session
	err := s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		rows, err := db.QueryContext(ctx, `
			SELECT `+sessionColumns+` FROM session s
			WHERE s.account_id = $1 AND s.ended_at IS NULL AND s.idle_until > $2 AND s.expires_at > $2
			ORDER BY s.last_used_at DESC, s.id DESC`, userID, now)
		if err != nil {
			return err
		}
		list, err = collect(rows, func(r row) (account.Session, error) {
			var one account.Session
			err := r.Scan(sessionFields(&one)...)
			return one, err
		})
		return err
	})
	return list, err
}

// EndSession ends one session of a user.
func (s *Store) EndSession(ctx context.Context, userID, sessionID int64, at time.Time) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		res, err := tx.ExecContext(ctx, `UPDATE session SET ended_at = $3 WHERE id = $2 AND account_id = $1 AND ended_at IS NULL`, userID, sessionID, at)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(account.ErrSessionNotFound, err)
		}
		return nil
	})
}

// EndSessions ends all sessions of a user.
func (s *Store) EndSessions(ctx context.Context, userID int64, at time.Time) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL`, userID, at); err != nil {
			return err
		}
		return tx.endPermits(ctx, userID)
	})
}

// SeeGeneration raises the seen generation of a session, if it is lower.
func (s *Store) SeeGeneration(ctx context.Context, sessionID, generation int64) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `UPDATE session SET seen_generation = $2 WHERE id = $1 AND seen_generation < $2`, sessionID, generation)
		return err
	})
}

// unseenSuccessor is true for a refresh token r of a session s if no token of its
// successor's generation was used: the answer may have been lost on the way.
const unseenSuccessor = `EXISTS (SELECT 1 FROM refresh_token n WHERE n.hash = r.successor AND n.generation > s.seen_generation)`

// RefreshSession finds the session of a refresh token that can still be exchanged.
func (s *Store) RefreshSession(ctx context.Context, hash []byte) (id int64, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		return orNotFound(db.QueryRowContext(ctx, `
			SELECT r.session_id FROM refresh_token r JOIN session s ON s.id = r.session_id
			WHERE r.hash = $1 AND (r.rotated_at IS NULL OR `+unseenSuccessor+`)`, hash).Scan(&id),
			account.ErrSessionNotFound)
	})
	return id, err
}

// RotateRefresh replaces a refresh token by its successor, once: the one
// conditional UPDATE decides who is first. The others learn the successor while
// nothing of its generation was used, and within the grace; later the token ends
// its session.
func (s *Store) RotateRefresh(ctx context.Context, hash, successor []byte, now, idleUntil time.Time, grace time.Duration) (account.Rotation, error) {
	var r account.Rotation
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		r = account.Rotation{Successor: successor}
		var id, generation int64
		err := tx.QueryRowContext(ctx, `
			UPDATE refresh_token SET rotated_at = $3, successor = $2 WHERE hash = $1 AND rotated_at IS NULL RETURNING session_id, generation`,
			hash, successor, now).Scan(&id, &generation)
		if errors.Is(err, sql.ErrNoRows) {
			return tx.rotatedBefore(ctx, hash, now, grace, &r)
		}
		if err != nil {
			return err
		}
		if r.Principal, err = scanPrincipal(tx.QueryRowContext(ctx, principalQuery, id)); err != nil {
			return err
		}
		if !r.Principal.Session.Live(now) {
			return account.ErrSessionNotFound
		}
		r.Generation = generation + 1
		if err := tx.insertRefresh(ctx, successor, id, r.Generation, now); err != nil {
			return err
		}
		r.Principal.Session.LastUsedAt, r.Principal.Session.IdleUntil = now, idleUntil
		_, err = tx.ExecContext(ctx, `
			UPDATE session SET last_used_at = $2, idle_until = $3, seen_generation = CASE WHEN seen_generation < $4 THEN $4 ELSE seen_generation END
			WHERE id = $1`, id, now, idleUntil, generation)
		return err
	})
	return r, err
}

func (t *txn) rotatedBefore(ctx context.Context, hash []byte, now time.Time, grace time.Duration, r *account.Rotation) error {
	var id int64
	var rotatedAt time.Time
	var unseen bool
	err := t.QueryRowContext(ctx, `
		SELECT r.session_id, r.rotated_at, r.successor, r.generation + 1, `+unseenSuccessor+`
		FROM refresh_token r JOIN session s ON s.id = r.session_id WHERE r.hash = $1`, hash).
		Scan(&id, &rotatedAt, &r.Successor, &r.Generation, &unseen)
	if err != nil {
		return orNotFound(err, account.ErrSessionNotFound)
	}
	if r.Principal, err = scanPrincipal(t.QueryRowContext(ctx, principalQuery, id)); err != nil {
		return err
	}
	if unseen || now.Sub(rotatedAt) <= grace {
		return nil
	}
	r.Reused = true
	_, err = t.ExecContext(ctx, `UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL`, id, now)
	return err
}

// CountAttempts counts one more on each counter and returns where they stand.
func (s *Store) CountAttempts(ctx context.Context, attempts []account.Attempt, now time.Time) ([]account.Count, error) {
	counts := make([]account.Count, len(attempts))
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		for i, a := range attempts {
			err := tx.QueryRowContext(ctx, `
				INSERT INTO attempt (key, n, until) VALUES ($1, 1, $3)
				ON CONFLICT (key) DO UPDATE SET
					n     = CASE WHEN attempt.until <= $2 THEN 1 ELSE attempt.n + 1 END,
					until = CASE WHEN attempt.until <= $2 THEN excluded.until ELSE attempt.until END
				RETURNING n, until`,
				a.Key, now, now.Add(a.Window)).Scan(&counts[i].N, &counts[i].Until)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return counts, err
}

// ForgiveAttempts takes one count back from each counter.
func (s *Store) ForgiveAttempts(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		for _, k := range keys {
			if _, err := tx.ExecContext(ctx, `UPDATE attempt SET n = n - 1 WHERE key = $1 AND n > 0`, k); err != nil {
				return err
			}
		}
		return nil
	})
}

// mailsPerHour is how many mails of one purpose a mailbox gets an hour on request
// (promise Z8). Each purpose counts apart, and a mail that was dropped counts for
// none: otherwise a stranger who asks for verifications, of which an account that
// is verified gets none, would use up the owner's password resets.
const mailsPerHour = 5

var errMailQuota = fault.Busy(fault.TooMany, "Too many mails were asked for. Try again in an hour.", time.Hour)

func (t *txn) mailQuotaFull(ctx context.Context, m account.Mail, userID int64, at time.Time) (bool, error) {
	var n int
	err := t.QueryRowContext(ctx, `
		SELECT count(*) FROM mail WHERE (address_key = $1 OR account_id = $2) AND created_at > $3 AND kind = $4 AND state <> $5`,
		account.MailboxKey(m.Address), userID, at.Add(-time.Hour), string(m.Kind), account.MailDropped).Scan(&n)
	if n >= mailsPerHour {
		note.Limit(ctx, "mails")
	}
	return n >= mailsPerHour, err
}

func (t *txn) queueMail(ctx context.Context, m account.Mail, at time.Time) error {
	var id int64
	err := t.QueryRowContext(ctx, `
		INSERT INTO mail (kind, account_id, address, address_key, name, language, document_id, days_left, other, state, created_at, post_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		string(m.Kind), m.UserID, m.Address, account.MailboxKey(m.Address), m.Name, m.Language, m.DocumentID, m.DaysLeft, m.Other,
		account.MailQueued, at, m.PostID).Scan(&id)
	if err != nil {
		return fmt.Errorf("queue mail: %w", err)
	}
	return t.enqueue(ctx, account.SendMail{MailID: id})
}

// QueueMail puts a message into the outbox, unless the mailbox has had its
// share of this hour: then nothing happens, and nobody can tell.
func (s *Store) QueueMail(ctx context.Context, m account.Mail) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		at := now()
		full, err := tx.mailQuotaFull(ctx, m, 0, at)
		if err != nil || full {
			return err
		}
		return tx.queueMail(ctx, m, at)
	})
}

// Mail reads a message of the outbox.
func (s *Store) Mail(ctx context.Context, id int64) (m account.Mail, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		err := db.QueryRowContext(ctx, `
			SELECT id, kind, account_id, address, name, language, document_id, days_left, other, state, created_at, post_id FROM mail WHERE id = $1`, id).
			Scan(&m.ID, &m.Kind, &m.UserID, &m.Address, &m.Name, &m.Language, &m.DocumentID, &m.DaysLeft, &m.Other, &m.State, &m.CreatedAt, &m.PostID)
		return orNotFound(err, account.ErrNotFound)
	})
	return m, err
}

// SetMailState records what became of a message. Of a person without an
// account nothing is kept once the message has left.
func (s *Store) SetMailState(ctx context.Context, id int64, state, problem string, at time.Time) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `UPDATE mail SET state = $2, problem = $3, settled_at = $4 WHERE id = $1`, id, state, problem, at)
		if err != nil || state == account.MailFailed {
			return err
		}
		return tx.forgetStranger(ctx, id)
	})
}

// forgetStranger removes the address and name of a person without an account from a settled message.
func (t *txn) forgetStranger(ctx context.Context, id int64) error {
	_, err := t.ExecContext(ctx, `UPDATE mail SET address = '', name = '' WHERE id = $1 AND account_id IS NULL`, id)
	return err
}

// DropMail records that a message could not be delivered. The leads that a
// reminder stood for, which carry its time, are taken back, and the document is
// due at once: DueReminders waits until its owner can be reached.
func (s *Store) DropMail(ctx context.Context, id int64, at time.Time) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		var document *int64
		var made time.Time
		err := tx.QueryRowContext(ctx, `
			UPDATE mail SET state = $2, problem = '', settled_at = $3 WHERE id = $1 RETURNING document_id, created_at`,
			id, account.MailDropped, at).Scan(&document, &made)
		if err != nil {
			return orNotFound(err, account.ErrMailNotFound)
		}
		if err := tx.forgetStranger(ctx, id); err != nil || document == nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM document_reminder WHERE document_id = $1 AND at = $2`, *document, made)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE document SET next_reminder_at = $2 WHERE id = $1`, *document, at)
		return err
	})
}

// CreateToken stores the secret of a message that is still to be sent: one that
// was dropped meanwhile gets none.
func (s *Store) CreateToken(ctx context.Context, mailID int64, t account.Token) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		// The account before the message, as everybody locks them.
		if _, err := scanUser(tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM account a WHERE a.id = $1`+s.dialect.forUpdate, t.UserID)); err != nil {
			return err
		}
		var state string
		err := tx.QueryRowContext(ctx, `SELECT state FROM mail WHERE id = $1`+s.dialect.forUpdate, mailID).Scan(&state)
		if err != nil {
			return orNotFound(err, account.ErrNotFound)
		}
		if state != account.MailQueued && state != account.MailFailed {
			return account.ErrNotFound
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO mailed_token (hash, account_id, purpose, address, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			t.Hash, t.UserID, string(t.Purpose), t.Address, t.CreatedAt, t.ExpiresAt)
		return err
	})
}

// UseToken consumes a token and changes its user, both or neither: deleting the
// row is what makes it good for one use even in a race (promise T9).
func (s *Store) UseToken(ctx context.Context, by account.Actor, purpose account.Purpose, hash []byte, now time.Time,
	change func(account.Token, *account.User, *account.Effects) error,
) (account.User, error) {
	var u account.User
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		t := account.Token{Hash: hash, Purpose: purpose}
		err := tx.QueryRowContext(ctx, `
			DELETE FROM mailed_token WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING account_id, address, created_at, expires_at`,
			hash, string(purpose), now).Scan(&t.UserID, &t.Address, &t.CreatedAt, &t.ExpiresAt)
		if err != nil {
			return orNotFound(err, account.ErrBadToken)
		}
		by := by
		by.ID = t.UserID // whoever holds the link acts for the person it was sent to
		u, err = tx.updateUser(ctx, by, t.UserID, func(u *account.User, fx *account.Effects) error { return change(t, u, fx) })
		return err
	})
	return u, err
}
