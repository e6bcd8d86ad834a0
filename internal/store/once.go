package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// IdempotencyTTL is how long a repetition under an idempotency key gives the
// first answer.
const IdempotencyTTL = 24 * time.Hour

// ErrKeyReused answers an idempotency key that comes with another request.
var ErrKeyReused = fault.New(fault.Mismatch, "This Idempotency-Key was used with another request.")

// madeBefore finds what was created under the actor's idempotency key. 0 means
// that the key is new (or that there is none).
func (t *txn) madeBefore(ctx context.Context, by account.Actor, now time.Time) (int64, error) {
	if by.Once.Key == "" {
		return 0, nil
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM idempotency WHERE account_id = $1 AND route = $2 AND key = $3 AND created_at <= $4`,
		by.ID, by.Once.Route, by.Once.Key, now.Add(-IdempotencyTTL)); err != nil {
		return 0, err
	}
	// The key is claimed before anything is made: a second request with it
	// waits here for the first to commit, and then finds what that one made.
	res, err := t.ExecContext(ctx, `
		INSERT INTO idempotency (account_id, route, key, request_hash, object_id, created_at) VALUES ($1, $2, $3, $4, 0, $5)
		ON CONFLICT (account_id, route, key) DO NOTHING`,
		by.ID, by.Once.Route, by.Once.Key, by.Once.RequestHash, now)
	if isForeignKey(err) { // the account was erased meanwhile
		return 0, account.ErrUnauthenticated
	}
	if err != nil {
		return 0, fmt.Errorf("claim idempotency key: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return 0, err
	}
	var id int64
	var hash string
	err = t.QueryRowContext(ctx, `SELECT object_id, request_hash FROM idempotency WHERE account_id = $1 AND route = $2 AND key = $3`,
		by.ID, by.Once.Route, by.Once.Key).Scan(&id, &hash)
	if err != nil {
		return 0, err
	}
	if hash != by.Once.RequestHash {
		return 0, ErrKeyReused
	}
	return id, nil
}

// made ties what was created to the actor's idempotency key.
func (t *txn) made(ctx context.Context, by account.Actor, id int64) error {
	if by.Once.Key == "" {
		return nil
	}
	_, err := t.ExecContext(ctx, `UPDATE idempotency SET object_id = $4 WHERE account_id = $1 AND route = $2 AND key = $3`,
		by.ID, by.Once.Route, by.Once.Key, id)
	return err
}

// Remember ties an object to the actor's idempotency key, whatever was tied to it
// before, so that Recall finds it once.
func (s *Store) Remember(ctx context.Context, by account.Actor, id int64, at time.Time) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO idempotency (account_id, route, key, request_hash, object_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (account_id, route, key) DO UPDATE SET object_id = excluded.object_id, created_at = excluded.created_at`,
			by.ID, by.Once.Route, by.Once.Key, by.Once.RequestHash, id, at)
		if isForeignKey(err) { // the account was erased meanwhile
			return account.ErrUnauthenticated
		}
		return err
	})
}

// Recall takes the object that was remembered under the actor's idempotency key
// since a moment; 0 when there is none.
func (s *Store) Recall(ctx context.Context, by account.Actor, since time.Time) (id int64, err error) {
	err = s.reading(ctx, onPeople, func(ctx context.Context, db querier) error { // so that nothing is written where nothing is remembered
		return db.QueryRowContext(ctx, `SELECT object_id FROM idempotency WHERE account_id = $1 AND route = $2 AND key = $3 AND created_at > $4`,
			by.ID, by.Once.Route, by.Once.Key, since).Scan(&id)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = s.inTx(ctx, onPeople, func(tx *txn) error {
		id = 0
		err := tx.QueryRowContext(ctx, `DELETE FROM idempotency WHERE account_id = $1 AND route = $2 AND key = $3 AND created_at > $4 RETURNING object_id`,
			by.ID, by.Once.Route, by.Once.Key, since).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) { // another request has taken it
			return nil
		}
		return err
	})
	return id, err
}

// Answer is what a creation was answered with, to be given again.
type Answer = account.Answer

// Answered finds the answer that was given under the actor's idempotency key;
// nil when none is kept.
func (s *Store) Answered(ctx context.Context, by account.Actor, now time.Time) (*Answer, error) {
	var a Answer
	var status sql.NullInt64
	var location, etag sql.NullString
	var hash string
	err := s.reading(ctx, onPeople, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `
			SELECT request_hash, status, location, etag, body FROM idempotency
			WHERE account_id = $1 AND route = $2 AND key = $3 AND created_at > $4`,
			by.ID, by.Once.Route, by.Once.Key, now.Add(-IdempotencyTTL)).Scan(&hash, &status, &location, &etag, &a.Body)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil //nolint:nilnil // no answer is no error
	case err != nil:
		return nil, err
	case hash != by.Once.RequestHash:
		return nil, ErrKeyReused
	case !status.Valid:
		return nil, nil //nolint:nilnil // made, but the answer was lost: the creation itself finds what it made
	}
	a.Status, a.Location, a.ETag = int(status.Int64), location.String, etag.String
	return &a, nil
}

// KeepAnswer remembers the answer of a creation for its repetitions.
func (s *Store) KeepAnswer(ctx context.Context, by account.Actor, a Answer) error {
	return s.inTx(ctx, onPeople, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE idempotency SET status = $4, location = $5, etag = $6, body = $7
			WHERE account_id = $1 AND route = $2 AND key = $3 AND status IS NULL`,
			by.ID, by.Once.Route, by.Once.Key, a.Status, nullText(a.Location), nullText(a.ETag), a.Body)
		return err
	})
}
