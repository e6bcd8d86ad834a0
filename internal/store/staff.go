package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

// ConfirmSession notes that the password was given again. A session that has
// ended, or a password that is another meanwhile, confirms nothing.
func (s *Store) ConfirmSession(ctx context.Context, userID, sessionID int64, passwordHash string, at time.Time) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE session SET confirmed_at = $4 WHERE id = $2 AND account_id = $1 AND ended_at IS NULL
				AND EXISTS (SELECT 1 FROM account a WHERE a.id = $1 AND a.password_hash = $3)`, userID, sessionID, passwordHash, at)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(account.ErrSessionNotFound, err)
		}
		return nil
	})
}

// RevokeSession ends anybody's session, if check agrees.
func (s *Store) RevokeSession(ctx context.Context, by account.Actor, sessionID int64, at time.Time, check func(account.Principal) error) error {
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		var owner int64
		err := tx.QueryRowContext(ctx, `SELECT account_id FROM session WHERE id = $1`, sessionID).Scan(&owner)
		if err != nil {
			return orNotFound(err, account.ErrSessionNotFound)
		}
		// The account before the session, as everybody locks them.
		if _, err := tx.lockUser(ctx, owner); err != nil {
			return orGone(err, account.ErrSessionNotFound)
		}
		p, err := scanPrincipal(tx.QueryRowContext(ctx, principalQuery, sessionID))
		if err != nil {
			return err
		}
		if err := check(p); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL`, sessionID, at); err != nil {
			return err
		}
		return tx.record(ctx, by, account.ActEnd, objectSession, sessionID, owner, nil, nil, at)
	})
	if err != nil {
		return fmt.Errorf("revoke session %d: %w", sessionID, err)
	}
	return nil
}

// orGone turns the fault of an account that is gone into that of what was its.
func orGone(err, gone error) error {
	if errors.Is(err, account.ErrNotFound) {
		return gone
	}
	return err
}

func groupsOf(ctx context.Context, db querier, id int64) ([]int64, error) {
	rows, err := db.QueryContext(ctx, `SELECT group_id FROM staff_group_member WHERE account_id = $1 ORDER BY group_id`, id)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r row) (int64, error) {
		var id int64
		err := r.Scan(&id)
		return id, err
	})
}

// Profile reads a user and the groups they are in, ascending.
func (s *Store) Profile(ctx context.Context, id int64) (u account.User, groups []int64, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		u, err = scanUser(db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM account a WHERE a.id = $1`, id))
		if err != nil {
			return err
		}
		groups, err = groupsOf(ctx, db, id)
		return err
	})
	return u, groups, err
}

// UpdateProfile is UpdateUser with what stands elsewhere. A change of groups
// counts as one of the user: it is in the same row of the history, and the
// version tells of it.
func (s *Store) UpdateProfile(ctx context.Context, by account.Actor, id int64,
	change func(*account.User, *account.Standing, *account.Effects) error,
) (account.User, error) {
	var u account.User
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		before, last, err := tx.lockStanding(ctx, id)
		if err != nil {
			return err
		}
		groups, err := groupsOf(ctx, tx, id)
		if err != nil {
			return err
		}
		u = before
		st := account.Standing{Groups: slices.Clone(groups), Last: last}
		var fx account.Effects
		if err := change(&u, &st, &fx); err != nil {
			return err
		}
		changes, err := diffUsers(before, u)
		if err != nil {
			return err
		}
		if err := tx.setGroups(ctx, id, groups, st.Groups, changes); err != nil {
			return err
		}
		if len(changes) == 0 {
			u = before
			return nil
		}
		u, err = tx.saveUser(ctx, by, u, changes, fx)
		return err
	})
	if err != nil {
		return account.User{}, fmt.Errorf("update profile %d: %w", id, err)
	}
	return u, nil
}

// setGroups makes somebody a member of the groups in after instead of those in
// before, and notes it among the changes.
func (t *txn) setGroups(ctx context.Context, id int64, before, after []int64, changes map[string][2]json.RawMessage) error {
	if slices.Equal(before, after) {
		return nil
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM staff_group_member WHERE account_id = $1`, id); err != nil {
		return err
	}
	for _, g := range after {
		_, err := t.ExecContext(ctx, `INSERT INTO staff_group_member (group_id, account_id) VALUES ($1, $2)`, g, id)
		if isForeignKey(err) {
			return account.ErrNoSuchGroup
		}
		if err != nil {
			return err
		}
	}
	was, err := json.Marshal(append([]int64{}, before...))
	if err != nil {
		return err
	}
	is, err := json.Marshal(append([]int64{}, after...))
	changes["groups"] = [2]json.RawMessage{was, is}
	return err
}

// lockStanding is lockUser, and tells whether the user is an active superuser as
// nobody else is. It locks all of those, in one order and before the user: of
// two who take the right from one another, the second waits and then sees what
// the first has done.
func (t *txn) lockStanding(ctx context.Context, id int64) (u account.User, last bool, err error) {
	var super bool
	err = t.QueryRowContext(ctx, `SELECT is_superuser FROM account WHERE id = $1`, id).Scan(&super)
	if err != nil {
		return u, false, orNotFound(err, account.ErrNotFound)
	}
	var all []int64
	if super {
		if all, err = t.lockSuperusers(ctx); err != nil {
			return u, false, err
		}
	}
	if u, err = t.lockUser(ctx, id); err != nil {
		return u, false, err
	}
	if u.Superuser && !super { // made one a moment ago
		if all, err = t.lockSuperusers(ctx); err != nil {
			return u, false, err
		}
	}
	last = u.Superuser && u.Active && !slices.ContainsFunc(all, func(other int64) bool { return other != id })
	return u, last, nil
}

func (t *txn) lockSuperusers(ctx context.Context) ([]int64, error) {
	rows, err := t.QueryContext(ctx, `SELECT id FROM account WHERE is_superuser AND is_active ORDER BY id`+t.s.dialect.forUpdate)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r row) (int64, error) {
		var id int64
		err := r.Scan(&id)
		return id, err
	})
}

// EraseUser is DeleteUser by an operator.
func (s *Store) EraseUser(ctx context.Context, by account.Actor, id int64, check func(account.User, bool) error, mails []account.Mail) error {
	var last bool
	return s.erase(ctx, by, id, func(tx *txn) (u account.User, err error) {
		u, last, err = tx.lockStanding(ctx, id)
		return u, err
	}, func(u account.User, _ account.Settings) error { return check(u, last) }, mails)
}

// MailTo queues a message to somebody and records it as act.
func (s *Store) MailTo(ctx context.Context, by account.Actor, id int64, act string, at time.Time, write func(account.User) (account.Mail, error)) error {
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		u, err := tx.lockUser(ctx, id)
		if err != nil {
			return err
		}
		m, err := write(u)
		if err != nil {
			return err
		}
		full, err := tx.mailQuotaFull(ctx, m, id, at)
		if err != nil {
			return err
		}
		if full {
			return errMailQuota
		}
		if err := tx.queueMail(ctx, m, at); err != nil {
			return err
		}
		return tx.record(ctx, by, act, objectUser, id, id, nil, nil, at)
	})
	if err != nil {
		return fmt.Errorf("mail to user %d: %w", id, err)
	}
	return nil
}

// RequeueMail queues a settled message again, if check agrees.
func (s *Store) RequeueMail(ctx context.Context, by account.Actor, id int64, at time.Time, check func(account.Addressed) error) error {
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		var owner sql.NullInt64
		err := tx.QueryRowContext(ctx, `
			SELECT COALESCE(m.account_id, (SELECT a.id FROM account a WHERE a.email_key = m.address_key)) FROM mail m WHERE m.id = $1`, id).Scan(&owner)
		if err != nil {
			return orNotFound(err, account.ErrMailNotFound)
		}
		var m account.Addressed
		if owner.Valid { // the account before the message, as everybody locks them
			u, err := tx.lockUser(ctx, owner.Int64)
			if err != nil {
				return orGone(err, account.ErrMailNotFound)
			}
			m.User = &u
		}
		err = tx.QueryRowContext(ctx, `
			SELECT id, kind, account_id, address, name, language, document_id, days_left, other, state, created_at,
				(document_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM document d WHERE d.id = document_id))
				OR (post_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM car_post p WHERE p.id = post_id))
			FROM mail WHERE id = $1`+s.dialect.forUpdate, id).
			Scan(&m.ID, &m.Kind, &m.UserID, &m.Address, &m.Name, &m.Language, &m.DocumentID, &m.DaysLeft, &m.Other, &m.State, &m.CreatedAt, &m.Gone)
		if err != nil {
			return orNotFound(err, account.ErrMailNotFound)
		}
		if err := check(m); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE mail SET state = $2, problem = '', settled_at = NULL WHERE id = $1`, id, account.MailQueued)
		if err != nil {
			return err
		}
		if err := tx.enqueue(ctx, account.SendMail{MailID: id}); err != nil {
			return err
		}
		return tx.record(ctx, by, account.ActSendAgain, objectMail, id, owner.Int64, nil, nil, at)
	})
	if err != nil {
		return fmt.Errorf("send mail %d again: %w", id, err)
	}
	return nil
}

const groupQuery = `SELECT g.id, g.name, g.created_at, g.updated_at, g.version,
	(SELECT count(*) FROM staff_group_member m WHERE m.group_id = g.id) FROM staff_group g`

func scanGroup(r row) (account.Group, error) {
	var g account.Group
	err := r.Scan(&g.ID, &g.Name, &g.CreatedAt, &g.UpdatedAt, &g.Version, &g.Members)
	g.Permissions = []string{}
	return g, orNotFound(err, account.ErrGroupNotFound)
}

// allow reads what the groups, in whatever order, let their members do.
func allow(ctx context.Context, db querier, groups []account.Group) error {
	at := make(map[int64]*account.Group, len(groups))
	for i := range groups {
		at[groups[i].ID] = &groups[i]
	}
	where, args := ``, []any(nil)
	if len(groups) == 1 {
		where, args = ` WHERE group_id = $1`, []any{groups[0].ID}
	}
	rows, err := db.QueryContext(ctx, `SELECT group_id, resource, action FROM staff_group_permission`+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var p account.Permission
		if err := rows.Scan(&id, &p.Resource, &p.Action); err != nil {
			return err
		}
		if g := at[id]; g != nil {
			g.Permissions = append(g.Permissions, p.String())
		}
	}
	for i := range groups {
		slices.Sort(groups[i].Permissions)
	}
	return rows.Err()
}

func oneGroup(ctx context.Context, db querier, id int64, lock string) (account.Group, error) {
	g, err := scanGroup(db.QueryRowContext(ctx, groupQuery+` WHERE g.id = $1`+lock, id))
	if err != nil {
		return g, err
	}
	one := []account.Group{g}
	err = allow(ctx, db, one)
	return one[0], err
}

// Group reads a group.
func (s *Store) Group(ctx context.Context, id int64) (g account.Group, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		g, err = oneGroup(ctx, db, id, "")
		return err
	})
	return g, err
}

// Groups reads all groups: there are few.
func (s *Store) Groups(ctx context.Context) (list []account.Group, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		rows, err := db.QueryContext(ctx, groupQuery+` ORDER BY g.id`)
		if err != nil {
			return err
		}
		if list, err = collect(rows, scanGroup); err != nil {
			return err
		}
		return allow(ctx, db, list)
	})
	return list, err
}

// CreateGroup stores a new group.
func (s *Store) CreateGroup(ctx context.Context, by account.Actor, g account.Group) (account.Group, error) {
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		err := tx.QueryRowContext(ctx, `
			INSERT INTO staff_group (name, created_at, updated_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id`,
			g.Name, g.CreatedAt, g.UpdatedAt).Scan(&g.ID)
		if errors.Is(err, sql.ErrNoRows) {
			return account.ErrGroupTaken
		}
		if err != nil {
			return err
		}
		if err := tx.insertPermissions(ctx, g); err != nil {
			return err
		}
		return tx.record(ctx, by, actCreate, objectGroup, g.ID, 0, nil, g.GroupDetails, g.CreatedAt)
	})
	if err != nil {
		return account.Group{}, fmt.Errorf("create group: %w", err)
	}
	return g, nil
}

func (t *txn) insertPermissions(ctx context.Context, g account.Group) error {
	for _, text := range g.Permissions {
		p, _ := account.ParsePermission(text)
		if _, err := t.ExecContext(ctx, `INSERT INTO staff_group_permission (group_id, resource, action) VALUES ($1, $2, $3)`,
			g.ID, p.Resource, p.Action); err != nil {
			return err
		}
	}
	return nil
}

// UpdateGroup loads, changes and saves a group.
func (s *Store) UpdateGroup(ctx context.Context, by account.Actor, id int64, change func(*account.Group) error) (account.Group, error) {
	var g account.Group
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		before, err := oneGroup(ctx, tx, id, s.dialect.forUpdate)
		if err != nil {
			return err
		}
		g = before
		g.Permissions = slices.Clone(before.Permissions)
		if err := change(&g); err != nil {
			return err
		}
		changes, err := diff(before.GroupDetails, g.GroupDetails)
		if err != nil || len(changes) == 0 {
			g = before
			return err
		}
		g.Version++
		_, err = tx.ExecContext(ctx, `UPDATE staff_group SET name = $2, updated_at = $3, version = $4 WHERE id = $1`, id, g.Name, g.UpdatedAt, g.Version)
		if isUnique(err) {
			return account.ErrGroupTaken
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM staff_group_permission WHERE group_id = $1`, id); err != nil {
			return err
		}
		if err := tx.insertPermissions(ctx, g); err != nil {
			return err
		}
		return tx.write(ctx, by, actUpdate, objectGroup, id, 0, changes, g.UpdatedAt)
	})
	if err != nil {
		return account.Group{}, fmt.Errorf("update group %d: %w", id, err)
	}
	return g, nil
}

// DeleteGroup removes a group with what it allows and its memberships.
func (s *Store) DeleteGroup(ctx context.Context, by account.Actor, id int64, at time.Time, check func(account.Group) error) error {
	err := s.inTx(ctx, onPeople, func(tx *txn) error {
		g, err := oneGroup(ctx, tx, id, s.dialect.forUpdate)
		if err != nil {
			return err
		}
		if err := check(g); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM staff_group WHERE id = $1`, id); err != nil {
			return err
		}
		return tx.record(ctx, by, actDelete, objectGroup, id, 0, g.GroupDetails, nil, at)
	})
	if err != nil {
		return fmt.Errorf("delete group %d: %w", id, err)
	}
	return nil
}

// Permissions reads what the groups of a user allow.
func (s *Store) Permissions(ctx context.Context, userID int64) (list []account.Permission, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		rows, err := db.QueryContext(ctx, `
			SELECT DISTINCT p.resource, p.action FROM staff_group_member m JOIN staff_group_permission p ON p.group_id = m.group_id
			WHERE m.account_id = $1`, userID)
		if err != nil {
			return err
		}
		list, err = collect(rows, func(r row) (account.Permission, error) {
			var p account.Permission
			err := r.Scan(&p.Resource, &p.Action)
			return p, err
		})
		return err
	})
	return list, err
}
