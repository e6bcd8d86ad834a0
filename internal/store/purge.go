package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// How long things are kept after they have ended.
const (
	keepSessions = 30 * 24 * time.Hour
	keepMails    = 90 * 24 * time.Hour
)

// purgeBatch is how many rows a transaction of Purge removes: SQLite has one
// writer, and whoever waits for it gets a turn between two batches.
const purgeBatch = 2000

// Purge removes what has run out and returns how many rows went.
func (s *Store) Purge(ctx context.Context, now time.Time) (int64, error) {
	const ended = `ended_at <= $1 OR expires_at <= $1 OR idle_until <= $1`
	var total int64
	for _, step := range []struct {
		table, key string
		find       string // the keys of the rows that go
		until      time.Time
	}{
		{"attempt", "key", `SELECT key FROM attempt WHERE until <= $1`, now},
		{"mailed_token", "hash", `SELECT hash FROM mailed_token WHERE expires_at <= $1`, now},
		{
			"idempotency", "(account_id, route, key)",
			`SELECT account_id, route, key FROM idempotency WHERE created_at <= $1`, now.Add(-IdempotencyTTL),
		},
		// A session may have had thousands of tokens: they go before it.
		{
			"refresh_token", "hash",
			`SELECT t.hash FROM session s JOIN refresh_token t ON t.session_id = s.id WHERE ` + ended, now.Add(-keepSessions),
		},
		{"session", "id", `SELECT id FROM session WHERE ` + ended, now.Add(-keepSessions)},
		{"mail", "id", `SELECT id FROM mail WHERE created_at <= $1`, now.Add(-keepMails)},
		{"mail", "id", `SELECT id FROM mail WHERE account_id IS NULL AND created_at <= $1`, now.Add(-24 * time.Hour)},
	} {
		remove := `DELETE FROM ` + step.table + ` WHERE ` + step.key + ` IN (` + step.find + ` LIMIT ` + strconv.Itoa(purgeBatch) + `)`
		for n := int64(purgeBatch); n == purgeBatch; total += n {
			err := s.inTx(ctx, onPeople, func(tx *txn) error {
				res, err := tx.ExecContext(ctx, remove, step.until)
				if err != nil {
					return err
				}
				n, err = res.RowsAffected()
				return err
			})
			if err != nil {
				return total, fmt.Errorf("purge: %w", err)
			}
		}
	}
	return total, nil
}
