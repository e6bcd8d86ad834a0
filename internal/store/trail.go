package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/trail"
)

const eventSelect = `
	SELECT h.id, h.at, COALESCE(h.actor_id, 0), COALESCE(a.name, ''), h.source, COALESCE(h.address, ''), h.action, h.object_type, h.object_id,
		COALESCE(h.owner_id, 0), h.changes
	FROM history h LEFT JOIN account a ON a.id = h.actor_id`

func scanEvent(r row) (trail.Event, error) {
	var e trail.Event
	var changes sql.NullString
	err := r.Scan(&e.ID, &e.At, &e.ActorID, &e.ActorName, &e.Source, &e.Address, &e.Action, &e.Object, &e.ObjectID, &e.OwnerID, &changes)
	if err == nil && changes.Valid {
		err = json.Unmarshal([]byte(changes.String), &e.Changes)
	}
	return e, orNotFound(err, trail.ErrNotFound)
}

// Trail is the history of an object, newest first: up to limit events before the
// one numbered before, or the newest when that is 0.
func (s *Store) Trail(ctx context.Context, object string, id, before int64, limit int) ([]trail.Event, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	return list(ctx, s, onDesk, scanEvent, eventSelect+`
		WHERE h.object_type = $1 AND h.object_id = $2 AND h.id < $3 ORDER BY h.id DESC LIMIT $4`, object, id, before, limit)
}

// Event reads one record of the history.
func (s *Store) Event(ctx context.Context, id int64) (e trail.Event, err error) {
	err = s.reading(ctx, onDesk, func(ctx context.Context, db querier) error {
		e, err = scanEvent(db.QueryRowContext(ctx, eventSelect+` WHERE h.id = $1`, id))
		return err
	})
	return e, err
}

// Note records an act that changes no row of ours.
func (s *Store) Note(ctx context.Context, by account.Actor, act, object string, id int64) error {
	return s.inTx(ctx, onDesk, func(tx *txn) error { return tx.write(ctx, by, act, object, id, 0, nil, now()) })
}
