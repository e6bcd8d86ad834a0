package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/note"
)

const uploadColumns = `id, COALESCE(owner_id, 0), COALESCE(post_id, 0), COALESCE(document_id, 0), COALESCE(replaces_id, 0), state, position,
	COALESCE(upload_key, ''), COALESCE(folder, ''), COALESCE(legacy_key, ''), file_name, content_type, size, width, height,
	problem, created_at, completed_at, updated_at`

const uploadSelect = `SELECT ` + uploadColumns + ` FROM upload`

func scanUpload(r row) (media.Upload, error) {
	var u media.Upload
	err := r.Scan(&u.ID, &u.OwnerID, &u.Post, &u.Document, &u.ReplacesID, &u.State, &u.Position,
		&u.UploadKey, &u.Folder, &u.LegacyKey, &u.FileName, &u.ContentType, &u.Size, &u.Width, &u.Height,
		&u.Problem, &u.CreatedAt, &u.CompletedAt, &u.UpdatedAt)
	return u, orNotFound(err, media.ErrNotFound)
}

// nullID is NULL for no number.
func nullID(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// ofTarget is the condition that an upload is of a thing, whose number is the
// parameter n.
func ofTarget(t media.Target, n int) (cond string, id int64) {
	if t.Document != 0 {
		return "document_id = $" + strconv.Itoa(n), t.Document
	}
	return "post_id = $" + strconv.Itoa(n), t.Post
}

// CreateUpload stores an upload, counting in the same transaction what its owner
// has already (promise Z8).
func (s *Store) CreateUpload(ctx context.Context, by account.Actor, u media.Upload, unlimited bool) (made media.Upload, repeated bool, err error) {
	err = s.inTx(ctx, onUploads, func(tx *txn) error {
		id, err := tx.madeBefore(ctx, by, u.CreatedAt)
		if err != nil {
			return err
		}
		if repeated = id != 0; repeated {
			made, err = scanUpload(tx.QueryRowContext(ctx, uploadSelect+` WHERE id = $1 AND owner_id = $2`, id, u.OwnerID))
			return err
		}
		made = u
		return tx.insertUpload(ctx, by, &made, unlimited)
	})
	if err != nil {
		return media.Upload{}, false, fmt.Errorf("create upload: %w", err)
	}
	return made, repeated, nil
}

func (t *txn) insertUpload(ctx context.Context, by account.Actor, u *media.Upload, unlimited bool) error {
	if _, _, err := t.lockOwner(ctx, u.OwnerID); err != nil {
		return err
	}
	// The thing is still there, and still its owner's (promise Z1).
	table, id := "car_post", u.Post
	if u.Document != 0 {
		table, id = "document", u.Document
	}
	err := t.QueryRowContext(ctx, `SELECT id FROM `+table+` WHERE id = $1 AND owner_id = $2`, id, u.OwnerID).Scan(new(int64))
	if err != nil {
		return orNotFound(err, media.ErrNotFound)
	}
	if err := t.checkUploadLimits(ctx, by, *u, unlimited); err != nil {
		return err
	}
	err = t.QueryRowContext(ctx, `
		INSERT INTO upload (owner_id, post_id, document_id, replaces_id, state, position, upload_key, file_name, content_type, size, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, COALESCE((SELECT max(position) + 1 FROM upload WHERE post_id = $2), 0), $6, $7, $8, $9, $10, $11)
		RETURNING id, position`,
		u.OwnerID, nullID(u.Post), nullID(u.Document), nullID(u.ReplacesID), u.State, nullText(u.UploadKey), u.FileName, u.ContentType, u.Size,
		u.CreatedAt, u.UpdatedAt).Scan(&u.ID, &u.Position)
	if isForeignKey(err) { // the thing went away meanwhile
		return media.ErrNotFound
	}
	if err != nil {
		return err
	}
	return t.made(ctx, by, u.ID)
}

// checkUploadLimits counts what the owner can see and delete: nothing that was
// refused or deleted. The older client shows no list of what was begun, so at its door
// that counts only as long as something may still be sent for it.
func (t *txn) checkUploadLimits(ctx context.Context, by account.Actor, u media.Upload, unlimited bool) error {
	since := time.Unix(0, 0).UTC()
	if by.Source == account.SourceLegacy {
		since = u.CreatedAt.Add(-media.PermitLife)
	}
	if u.ReplacesID != 0 {
		var id int64
		// Locked, so that nothing takes its place before this one is known to be about to.
		err := t.QueryRowContext(ctx, `SELECT id FROM upload WHERE id = $1 AND post_id = $2 AND state <> 'started'`+t.s.dialect.forUpdate, u.ReplacesID, u.Post).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return media.ErrNoReplaced
		}
		if err != nil {
			return err
		}
	}
	if u.Post != 0 {
		var photos int
		// A photo that will go when another is ready does not count.
		err := t.QueryRowContext(ctx, `
			SELECT count(*) FROM upload u WHERE u.post_id = $1 AND u.id <> $2 AND (u.state <> 'started' OR u.created_at > $3)
				AND NOT EXISTS (SELECT 1 FROM upload r WHERE r.post_id = $1 AND r.replaces_id = u.id)`, u.Post, u.ReplacesID, since).Scan(&photos)
		if err != nil {
			return err
		}
		if photos >= media.MaxPhotos {
			note.Limit(ctx, "photos")
			return media.ErrTooMany
		}
	}
	if unlimited {
		return nil
	}
	var begun, unfinished, bytes int64
	err := t.QueryRowContext(ctx, `
		SELECT COALESCE(SUM(CASE WHEN created_at > $3 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN state = 'started' AND created_at > $2 THEN 1 ELSE 0 END), 0),
			CAST(COALESCE(SUM(CASE WHEN state <> 'dropped' AND (state <> 'started' OR created_at > $2) THEN size ELSE 0 END), 0) AS bigint)
		FROM upload WHERE owner_id = $1`, u.OwnerID, since, u.CreatedAt.Add(-media.PermitLife)).Scan(&begun, &unfinished, &bytes)
	switch {
	case err != nil:
		return err
	case begun >= media.MaxBegun:
		note.Limit(ctx, "begun_uploads")
		return media.ErrBegun
	case unfinished >= media.MaxUnfinished:
		note.Limit(ctx, "unfinished_uploads")
		return media.ErrUnfinished
	case bytes+u.Size > media.MaxBytes:
		note.Limit(ctx, "stored_bytes")
		return media.ErrQuota
	}
	return nil
}

// Upload reads one upload of a target of an owner.
func (s *Store) Upload(ctx context.Context, owner int64, t media.Target, id int64) (u media.Upload, err error) {
	cond, target := ofTarget(t, 3)
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		u, err = scanUpload(db.QueryRowContext(ctx, uploadSelect+` WHERE id = $1 AND owner_id = $2 AND `+cond, id, owner, target))
		return err
	})
	return u, err
}

// Unfinished is what an owner has begun and not completed, the latest first, and
// the bytes that count against the owner's limit.
func (s *Store) Unfinished(ctx context.Context, owner int64) (begun []media.Upload, bytes int64, err error) {
	begun, err = list(ctx, s, onUploads, scanUpload, uploadSelect+` WHERE owner_id = $1 AND state = 'started' ORDER BY id DESC`, owner)
	if err != nil {
		return nil, 0, err
	}
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(size), 0) AS bigint) FROM upload WHERE owner_id = $1 AND state <> 'dropped'`, owner).Scan(&bytes)
	})
	return begun, bytes, err
}

// UploadWanted tells whether an upload is waited for under a key.
func (s *Store) UploadWanted(ctx context.Context, key string) (wanted bool, err error) {
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM upload WHERE upload_key = $1 AND state = 'started')`, key).Scan(&wanted)
	})
	return wanted, err
}

// endPermits drops what an owner has begun to upload: its permits went to sessions
// that have ended.
func (t *txn) endPermits(ctx context.Context, owner int64) error {
	_, err := t.dropUploads(ctx, `owner_id = $1 AND state = 'started'`, owner)
	return err
}

// StartedUploads are the photos of a post that were started and not completed.
func (s *Store) StartedUploads(ctx context.Context, owner, post int64) ([]media.Upload, error) {
	return list(ctx, s, onUploads, scanUpload, uploadSelect+` WHERE post_id = $1 AND owner_id = $2 AND state = 'started' ORDER BY position, id`, post, owner)
}

// UploadByID reads any upload.
func (s *Store) UploadByID(ctx context.Context, id int64) (u media.Upload, err error) {
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		u, err = scanUpload(db.QueryRowContext(ctx, uploadSelect+` WHERE id = $1`, id))
		return err
	})
	return u, err
}

// uploadRecord is what the history keeps of an upload.
type uploadRecord struct {
	PostID      int64  `json:"post_id,omitempty"`
	DocumentID  int64  `json:"document_id,omitempty"`
	FileName    string `json:"file_name"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
}

func recordOfUpload(u media.Upload) uploadRecord {
	return uploadRecord{u.Post, u.Document, u.FileName, u.ContentType, u.Size}
}

// UpdateUpload loads, changes and saves an upload, and carries out what goes
// with it.
func (s *Store) UpdateUpload(ctx context.Context, by account.Actor, id int64, change func(*media.Upload, *media.Effects) error) (media.Upload, error) {
	var u media.Upload
	err := s.inTx(ctx, onUploads, func(tx *txn) error {
		var err error
		if u, err = scanUpload(tx.QueryRowContext(ctx, uploadSelect+` WHERE id = $1`+s.dialect.forUpdate, id)); err != nil {
			return err
		}
		before := u
		var fx media.Effects
		if err := change(&u, &fx); err != nil {
			return err
		}
		if u != before {
			if err := tx.saveUpload(ctx, by, before, &u, fx); err != nil {
				return err
			}
		}
		if fx.Keep != "" {
			if _, err := tx.ExecContext(ctx, `DELETE FROM purge WHERE object_key = $1`, fx.Keep); err != nil {
				return err
			}
		}
		if err := tx.purge(ctx, fx.Purge); err != nil {
			return err
		}
		if fx.Process {
			return tx.enqueue(ctx, media.Process{UploadID: u.ID, Folder: u.Folder})
		}
		return nil
	})
	if err != nil {
		return media.Upload{}, fmt.Errorf("update upload %d: %w", id, err)
	}
	return u, nil
}

func (t *txn) saveUpload(ctx context.Context, by account.Actor, before media.Upload, u *media.Upload, fx media.Effects) error {
	// What was not announced is counted when it is known.
	if before.State == media.Started && u.Size > before.Size && !by.Manages {
		if _, _, err := t.lockOwner(ctx, u.OwnerID); err != nil {
			return err
		}
		var bytes int64
		err := t.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(size), 0) AS bigint) FROM upload WHERE owner_id = $1 AND id <> $2 AND state <> 'dropped'`, u.OwnerID, u.ID).Scan(&bytes)
		if err != nil {
			return err
		}
		if bytes+u.Size > media.MaxBytes {
			note.Limit(ctx, "stored_bytes")
			return media.ErrQuota
		}
	}
	if fx.Settle {
		if err := t.settle(ctx, by, u); err != nil {
			return err
		}
	}
	_, err := t.ExecContext(ctx, `
		UPDATE upload SET state = $2, position = $3, upload_key = $4, folder = $5, content_type = $6, size = $7, width = $8, height = $9, problem = $10,
			completed_at = $11, updated_at = $12, replaces_id = $13, file_name = $14, busy_until = NULL
		WHERE id = $1`,
		u.ID, u.State, u.Position, nullText(u.UploadKey), nullText(u.Folder), u.ContentType, u.Size, u.Width, u.Height, u.Problem,
		timeArg(u.CompletedAt), u.UpdatedAt, nullID(u.ReplacesID), u.FileName)
	if err != nil {
		return err
	}
	type state struct {
		State media.State `json:"state"`
	}
	switch {
	case before.State == media.Started && u.State != media.Started:
		return t.record(ctx, by, actCreate, objectUpload, u.ID, u.OwnerID, nil, recordOfUpload(*u), u.UpdatedAt)
	case by.Source == account.SourceJob || u.State == media.Started: // nobody's act, or of something that nobody saw
		return nil
	case fx.Process:
		return t.record(ctx, by, actRedo, objectUpload, u.ID, u.OwnerID, state{before.State}, state{u.State}, u.UpdatedAt)
	}
	changes, err := diff(recordOfUpload(before), recordOfUpload(*u))
	if err != nil || len(changes) == 0 {
		return err
	}
	return t.write(ctx, by, actUpdate, objectUpload, u.ID, u.OwnerID, changes, u.UpdatedAt)
}

// settle puts an upload in the place of the one that it replaces: the photo it
// names, or every earlier file of its document.
func (t *txn) settle(ctx context.Context, by account.Actor, u *media.Upload) error {
	if u.Document != 0 {
		// Locked, so that of two files at once one is the later.
		err := t.QueryRowContext(ctx, `SELECT id FROM document WHERE id = $1`+t.s.dialect.forUpdate, u.Document).Scan(new(int64))
		if err != nil {
			return orNotFound(err, media.ErrNotFound)
		}
		return t.dropRecorded(ctx, by, `document_id = $1 AND id <> $2 AND state <> 'started'`, u.Document, u.ID)
	}
	if u.ReplacesID == 0 {
		return nil
	}
	if err := t.QueryRowContext(ctx, `SELECT id FROM car_post WHERE id = $1`+t.s.dialect.forUpdate, u.Post).Scan(new(int64)); err != nil {
		return orNotFound(err, media.ErrNotFound)
	}
	err := t.QueryRowContext(ctx, `SELECT position FROM upload WHERE id = $1 AND post_id = $2`+t.s.dialect.forUpdate, u.ReplacesID, u.Post).Scan(&u.Position)
	if err != nil && !errors.Is(err, sql.ErrNoRows) { // it may have been deleted meanwhile
		return err
	}
	replaced := u.ReplacesID
	u.ReplacesID = 0
	// Of those that were to take the same place the latest stays: what was begun
	// before this one and is still in work goes, what was begun later takes its place.
	err = t.dropRecorded(ctx, by, `post_id = $1 AND replaces_id = $2 AND id < $3 AND state = 'processing'`, u.Post, replaced, u.ID)
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `UPDATE upload SET replaces_id = $1 WHERE replaces_id = $2 AND id <> $1`, u.ID, replaced); err != nil {
		return err
	}
	return t.dropRecorded(ctx, by, `id = $1 AND post_id = $2`, replaced, u.Post)
}

// purge records removals, and wakes the job that carries them out if one is due.
func (t *txn) purge(ctx context.Context, purges []media.Purge) error {
	if len(purges) == 0 {
		return nil
	}
	err := t.load(ctx, `INSERT INTO purge (object_key, whole, wanted_at, due_at) VALUES `, 4, len(purges), func(i int) []any {
		p := purges[i]
		return []any{p.Key, p.Whole, timeArg(&p.Due), timeArg(&p.Due)}
	}, nil)
	if err != nil {
		return fmt.Errorf("record removals: %w", err)
	}
	for _, p := range purges {
		if !p.Due.After(now()) {
			return t.enqueue(ctx, media.PurgeObjects{})
		}
	}
	return nil // the clock comes by
}

// dropUploads removes the uploads that a condition names, with all their
// objects: the removal is recorded in this transaction (promise D12). Of those
// whose permit may still be used a row stays until it has lapsed, so that a
// repetition of the request that made it makes no other. It counts for nothing.
func (t *txn) dropUploads(ctx context.Context, cond string, args ...any) ([]media.Upload, error) {
	at := now()
	open := fmt.Sprintf(`UPDATE upload SET state = 'dropped', post_id = NULL, document_id = NULL, replaces_id = NULL, updated_at = $%d
		WHERE %s AND state = 'started' AND created_at > $%d RETURNING `, len(args)+1, cond, len(args)+2)
	var dropped []media.Upload
	for _, step := range []struct {
		query string
		args  []any
	}{
		{open + uploadColumns, append(slices.Clone(args), at, at.Add(-media.PermitLife))},
		{`DELETE FROM upload WHERE ` + cond + ` AND NOT (state = 'dropped' AND updated_at = $` + strconv.Itoa(len(args)+1) + `) RETURNING ` + uploadColumns, append(slices.Clone(args), at)},
	} {
		rows, err := t.QueryContext(ctx, step.query, step.args...)
		if err != nil {
			return nil, err
		}
		some, err := collect(rows, scanUpload)
		if err != nil {
			return nil, err
		}
		dropped = append(dropped, some...)
	}
	var purges []media.Purge
	for _, u := range dropped {
		purges = append(purges, u.Purges(at)...)
	}
	return dropped, t.purge(ctx, purges)
}

// dropRecorded is dropUploads for uploads that go by themselves, not with their
// thing: the history tells of each that was completed.
func (t *txn) dropRecorded(ctx context.Context, by account.Actor, cond string, args ...any) error {
	dropped, err := t.dropUploads(ctx, cond, args...)
	for _, u := range dropped {
		if err == nil && u.CompletedAt != nil {
			err = t.record(ctx, by, actDelete, objectUpload, u.ID, u.OwnerID, recordOfUpload(u), nil, now())
		}
	}
	return err
}

// DeleteUpload removes an upload of a target of an owner.
func (s *Store) DeleteUpload(ctx context.Context, by account.Actor, owner int64, t media.Target, id int64) error {
	cond, target := ofTarget(t, 3)
	err := s.inTx(ctx, onUploads, func(tx *txn) error {
		cond := `id = $1 AND owner_id = $2 AND ` + cond
		dropped, err := tx.dropUploads(ctx, cond, id, owner, target)
		switch {
		case err != nil:
			return err
		case len(dropped) == 0:
			return media.ErrNotFound
		case dropped[0].CompletedAt == nil: // nothing that anybody saw
			return nil
		}
		return tx.record(ctx, by, actDelete, objectUpload, id, owner, recordOfUpload(dropped[0]), nil, now())
	})
	if err != nil {
		return fmt.Errorf("delete upload %d: %w", id, err)
	}
	return nil
}

// OrderPhotos gives the photos of a post an order.
func (s *Store) OrderPhotos(ctx context.Context, by account.Actor, owner, post int64, ids []int64, at time.Time) error {
	err := s.inTx(ctx, onUploads, func(tx *txn) error {
		rows, err := tx.QueryContext(ctx, uploadSelect+` WHERE post_id = $1 AND owner_id = $2 ORDER BY position, id`+s.dialect.forUpdate, post, owner)
		if err != nil {
			return err
		}
		uploads, err := collect(rows, scanUpload)
		if err != nil {
			return err
		}
		place := map[int64]int{}
		for i, id := range ids {
			place[id] = i
		}
		var before []int64
		next := len(ids) // for those under way, behind the others
		for _, u := range uploads {
			position, named := place[u.ID]
			if shown := u.State != media.Started; shown != named {
				return media.ErrOrder
			} else if shown {
				before = append(before, u.ID)
			} else {
				position = next
				next++
			}
			if position == u.Position {
				continue
			}
			if _, err := tx.ExecContext(ctx, `UPDATE upload SET position = $2, updated_at = $3 WHERE id = $1`, u.ID, position, at); err != nil {
				return err
			}
		}
		if len(before) != len(ids) {
			return media.ErrOrder
		}
		type order struct {
			Photos []int64 `json:"photos"`
		}
		changes, err := diff(order{before}, order{ids})
		if err != nil || len(changes) == 0 {
			return err
		}
		return tx.write(ctx, by, actUpdate, objectPost, post, owner, changes, at)
	})
	if err != nil {
		return fmt.Errorf("order photos of car post %d: %w", post, err)
	}
	return nil
}

// BeginCompletion takes a started upload for one request alone.
func (s *Store) BeginCompletion(ctx context.Context, id int64, at, until time.Time, hold media.Purge) error {
	return s.inTx(ctx, onUploads, func(tx *txn) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE upload SET busy_until = $3 WHERE id = $1 AND state = 'started' AND (busy_until IS NULL OR busy_until <= $2)`, id, at, until)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(media.ErrBusy, err)
		}
		return tx.purge(ctx, []media.Purge{hold})
	})
}

// EndCompletion lets an upload go again that was not taken in; what was made for
// it is removed, unless it was taken in after all.
func (s *Store) EndCompletion(ctx context.Context, id int64, at time.Time, folder string) error {
	return s.inTx(ctx, onUploads, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `UPDATE upload SET busy_until = NULL WHERE id = $1 AND state = 'started'`, id); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE purge SET wanted_at = $2, due_at = $2 WHERE object_key = $1`, folder, at)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return tx.enqueue(ctx, media.PurgeObjects{})
	})
}

// HoldPurge records removals that no other change makes necessary.
func (s *Store) HoldPurge(ctx context.Context, purges []media.Purge) error {
	return s.inTx(ctx, onUploads, func(tx *txn) error { return tx.purge(ctx, purges) })
}

// ClaimPurges takes removals that are due. Until the lease has passed nobody else
// is given them; a worker that dies with some leaves them to the next.
func (s *Store) ClaimPurges(ctx context.Context, now time.Time, lease time.Duration, limit int) (claimed []media.Purge, err error) {
	err = s.inTx(ctx, onUploads, func(tx *txn) error {
		rows, err := tx.QueryContext(ctx, `
			UPDATE purge SET due_at = $2, tries = tries + 1
			WHERE id IN (SELECT id FROM purge WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3`+s.dialect.skipLocked+`)
			RETURNING id, object_key, whole, due_at, tries`, now, now.Add(lease), limit)
		if err != nil {
			return err
		}
		claimed, err = collect(rows, func(r row) (media.Purge, error) {
			var p media.Purge
			err := r.Scan(&p.ID, &p.Key, &p.Whole, &p.Due, &p.Tries)
			return p, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim removals: %w", err)
	}
	return claimed, nil
}

// SettlePurges forgets the removals that are done and puts off the others.
func (s *Store) SettlePurges(ctx context.Context, done []int64, again []media.Purge) error {
	err := s.inTx(ctx, onUploads, func(tx *txn) error {
		if len(done) > 0 {
			q := &query{}
			if _, err := tx.ExecContext(ctx, `DELETE FROM purge WHERE id IN (`+q.bind(marks(len(done)), anys(done)...)+`)`, q.args...); err != nil {
				return err
			}
		}
		for _, p := range again {
			if _, err := tx.ExecContext(ctx, `UPDATE purge SET due_at = $2 WHERE id = $1`, p.ID, timeArg(&p.Due)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle removals: %w", err)
	}
	return nil
}

// marks is a list of n parameters, for query.bind.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func anys[T any](list []T) []any {
	args := make([]any, 0, len(list))
	for _, v := range list {
		args = append(args, v)
	}
	return args
}

// OpenPurges is how many removals have not been confirmed by the storage though
// they are due, and since when the oldest has waited; nil when there is none.
func (s *Store) OpenPurges(ctx context.Context, at time.Time) (n int64, oldest *time.Time, err error) {
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		n, oldest, err = openPurges(ctx, db, at)
		return err
	})
	return n, oldest, err
}

func openPurges(ctx context.Context, db querier, at time.Time) (n int64, oldest *time.Time, err error) {
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM purge WHERE wanted_at <= $1`, at).Scan(&n); err != nil || n == 0 {
		return 0, nil, err
	}
	var since time.Time
	err = db.QueryRowContext(ctx, `SELECT wanted_at FROM purge WHERE wanted_at <= $1 ORDER BY wanted_at LIMIT 1`, at).Scan(&since)
	if errors.Is(err, sql.ErrNoRows) {
		return n, nil, nil
	}
	return n, &since, err
}

// DropUploads removes uploads that were never completed, those that were dropped
// and whose permit has lapsed, and those whose thing is gone.
func (s *Store) DropUploads(ctx context.Context, startedBefore, droppedBefore time.Time, limit int) (n int, err error) {
	for _, some := range []struct {
		find string // the ids, by an index of theirs
		args []any
	}{
		{`SELECT id FROM upload WHERE state = 'started' AND created_at <= $1 ORDER BY created_at LIMIT $2`, []any{startedBefore, limit}},
		{`SELECT id FROM upload WHERE state = 'dropped' AND created_at <= $1 ORDER BY created_at LIMIT $2`, []any{droppedBefore, limit}},
		{`SELECT id FROM upload WHERE post_id IS NULL AND document_id IS NULL AND state <> 'dropped' LIMIT $1`, []any{limit}},
	} {
		ids, err := list(ctx, s, onUploads, scanID, some.find, some.args...)
		if err != nil {
			return n, fmt.Errorf("drop uploads: %w", err)
		}
		if len(ids) == 0 {
			continue
		}
		err = s.inTx(ctx, onUploads, func(tx *txn) error {
			q := &query{}
			_, err := tx.dropUploads(ctx, `id IN (`+q.bind(marks(len(ids)), anys(ids)...)+`)`, q.args...)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("drop uploads: %w", err)
		}
		n += len(ids)
	}
	return n, nil
}

// RequeuePhotos enqueues the job again of photos that have been in work since
// before a moment, and counts them as touched; photos of the older backend that
// were missing a day ago are shown again, until they are missed again.
func (s *Store) RequeuePhotos(ctx context.Context, since, at time.Time, limit int) (n int, err error) {
	err = s.inTx(ctx, onUploads, func(tx *txn) error {
		rows, err := tx.QueryContext(ctx, `
			UPDATE upload SET updated_at = $2
			WHERE id IN (SELECT id FROM upload WHERE state = 'processing' AND created_at <= $1 AND updated_at <= $1 ORDER BY created_at LIMIT $3`+s.dialect.skipLocked+`)
			RETURNING `+uploadColumns, since, at, limit)
		if err != nil {
			return err
		}
		stuck, err := collect(rows, scanUpload)
		if err != nil {
			return err
		}
		// Photos of the older backend that were missing are looked for once a day.
		_, err = tx.ExecContext(ctx, `
			UPDATE upload SET state = 'ready', problem = '', updated_at = $2
			WHERE state = 'lost' AND folder IS NULL AND legacy_key IS NOT NULL AND updated_at <= $1`, at.Add(-24*time.Hour), at)
		if err != nil {
			return err
		}
		n = len(stuck)
		for _, u := range stuck {
			if err := tx.enqueue(ctx, media.Process{UploadID: u.ID, Folder: u.Folder}); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

func scanID(r row) (id int64, err error) {
	err = r.Scan(&id)
	return id, err
}

// KeepReport keeps what a comparison has found, of the last so many.
func (s *Store) KeepReport(ctx context.Context, at time.Time, r media.Report, kept int) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, onUploads, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO storage_check (at, report) VALUES ($1, $2)`, at, string(text)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM storage_check WHERE id NOT IN (SELECT id FROM storage_check ORDER BY id DESC LIMIT $1)`, kept)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the report of a comparison: %w", err)
	}
	return nil
}

// LastReport is the report that was kept last.
func (s *Store) LastReport(ctx context.Context) (at time.Time, r media.Report, ok bool, err error) {
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		at, r, ok, err = lastReport(ctx, db)
		return err
	})
	return at, r, ok, err
}

func lastReport(ctx context.Context, db querier) (at time.Time, r media.Report, ok bool, err error) {
	var text string
	err = db.QueryRowContext(ctx, `SELECT at, report FROM storage_check ORDER BY id DESC LIMIT 1`).Scan(&at, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, media.Report{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &r)
	}
	return at, r, err == nil, err
}

// HasLegacyKey tells whether an upload's object lies under a key that came with
// the older backend's data.
func (s *Store) HasLegacyKey(ctx context.Context, key string) (found bool, err error) {
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM upload WHERE legacy_key = $1)`, key).Scan(&found)
	})
	return found, err
}

// KeptUploads are uploads with objects in the order of the keys, which on both
// engines is that of the bytes.
func (s *Store) KeptUploads(ctx context.Context, started bool, after string, limit int) ([]media.Upload, error) {
	key := "folder"
	if started {
		key = "upload_key"
	}
	return list(ctx, s, onUploads, scanUpload, uploadSelect+` WHERE `+key+` > $1 ORDER BY `+key+` LIMIT $2`, after, limit)
}

// LegacyUploads are the ids of photos that are shown as they came from the older
// backend.
func (s *Store) LegacyUploads(ctx context.Context, after int64, limit int) ([]int64, error) {
	return list(ctx, s, onUploads, func(r row) (int64, error) {
		var id int64
		err := r.Scan(&id)
		return id, err
	}, `
		SELECT id FROM upload
		WHERE folder IS NULL AND legacy_key IS NOT NULL AND state = $1 AND post_id IS NOT NULL AND id > $2
		ORDER BY id LIMIT $3`, string(media.Ready), after, limit)
}

// CountUploads is how many uploads have objects.
func (s *Store) CountUploads(ctx context.Context) (n int, err error) {
	err = s.reading(ctx, onUploads, func(ctx context.Context, db querier) error {
		return db.QueryRowContext(ctx, `SELECT count(*) FROM upload WHERE folder IS NOT NULL OR upload_key IS NOT NULL`).Scan(&n)
	})
	return n, err
}

// uploadsOf reads the uploads of several posts or documents in one statement, by
// the thing that they are of, photos in their order.
func uploadsOf(ctx context.Context, db querier, column string, ids []int64) (map[int64][]media.Upload, error) {
	found := map[int64][]media.Upload{}
	if len(ids) == 0 {
		return found, nil
	}
	q := &query{}
	rows, err := db.QueryContext(ctx, uploadSelect+` WHERE `+column+` IN (`+q.bind(marks(len(ids)), anys(ids)...)+`) ORDER BY position, id`, q.args...)
	if err != nil {
		return nil, err
	}
	uploads, err := collect(rows, scanUpload)
	for _, u := range uploads {
		id := u.Post + u.Document // one of them is 0
		found[id] = append(found[id], u)
	}
	return found, err
}
