package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/note"
)

const documentColumns = `d.id, d.owner_id, d.type, d.title, d.number, d.issuer, d.issued_on, d.expires_on, d.description, d.remind_days,
	d.next_reminder_at, d.created_at, d.updated_at, d.revision`

func documentFields(d *document.Document, leads *string) []any {
	return []any{
		&d.ID, &d.OwnerID, &d.Type, &d.Title, &d.Number, &d.Issuer, &d.IssuedOn, &d.ExpiresOn, &d.Description, leads,
		&d.NextReminderAt, &d.CreatedAt, &d.UpdatedAt, &d.Revision,
	}
}

func scanDocument(r row) (document.Document, error) { return scanDocumentAnd(r) }

// scanDocumentAnd reads a document and what a query selects behind it.
func scanDocumentAnd(r row, more ...any) (document.Document, error) {
	var d document.Document
	var leads string
	if err := r.Scan(append(documentFields(&d, &leads), more...)...); err != nil {
		return d, orNotFound(err, document.ErrNotFound)
	}
	err := json.Unmarshal([]byte(leads), &d.RemindDays)
	return d, err
}

// leads is how lead times rest: a JSON array of numbers.
func leads(days []int) string {
	if days == nil {
		days = []int{}
	}
	text, err := json.Marshal(days)
	if err != nil { // numbers always encode
		panic(err)
	}
	return string(text)
}

// CreateDocument stores a document, counting its owner's in the same transaction.
func (s *Store) CreateDocument(ctx context.Context, by account.Actor, d document.Document, limit int) (doc document.Document, repeated bool, err error) {
	err = s.inTx(ctx, onPapers, func(tx *txn) error {
		id, err := tx.madeBefore(ctx, by, d.CreatedAt)
		if err != nil {
			return err
		}
		if repeated = id != 0; repeated {
			doc, err = tx.document(ctx, d.OwnerID, id, "")
			return err
		}
		if limit > 0 {
			full, err := tx.quotaFull(ctx, "document", d.OwnerID, limit)
			if err != nil {
				return err
			}
			if full {
				note.Limit(ctx, "documents")
				return document.ErrTooMany
			}
		}
		doc = d
		err = tx.QueryRowContext(ctx, `
			INSERT INTO document (owner_id, type, title, number, issuer, issued_on, expires_on, description, remind_days, next_reminder_at,
				created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
			d.OwnerID, d.Type, d.Title, d.Number, d.Issuer, d.IssuedOn, d.ExpiresOn, d.Description, leads(d.RemindDays),
			timeArg(d.NextReminderAt), d.CreatedAt, d.UpdatedAt).Scan(&doc.ID)
		if err != nil {
			return err
		}
		if err := tx.made(ctx, by, doc.ID); err != nil {
			return err
		}
		return tx.record(ctx, by, actCreate, objectDocument, doc.ID, d.OwnerID, nil, d.Details, d.CreatedAt)
	})
	if err != nil {
		return document.Document{}, false, fmt.Errorf("create document: %w", err)
	}
	return doc, repeated, nil
}

func (t *txn) document(ctx context.Context, owner, id int64, lock string) (document.Document, error) {
	return oneDocument(ctx, t, owner, id, lock)
}

// oneDocument reads a document with its file.
func oneDocument(ctx context.Context, db querier, owner, id int64, lock string) (document.Document, error) {
	return documentRow(ctx, db, db.QueryRowContext(ctx, `SELECT `+documentColumns+` FROM document d WHERE d.id = $1 AND d.owner_id = $2`+lock, id, owner))
}

func documentRow(ctx context.Context, db querier, r row) (document.Document, error) {
	d, err := scanDocument(r)
	if err != nil {
		return document.Document{}, err
	}
	docs := []document.Document{d}
	err = withFiles(ctx, db, docs)
	return docs[0], err
}

// withFiles gives documents their files, in one statement for all of them.
func withFiles(ctx context.Context, db querier, docs []document.Document) error {
	ids := make([]int64, 0, len(docs))
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	files, err := uploadsOf(ctx, db, "document_id", ids)
	for i := range docs {
		docs[i].File = onFile(files[docs[i].ID])
	}
	return err
}

// onFile is the file of a document among its uploads; nil when there is none.
func onFile(uploads []media.Upload) *media.Upload {
	for _, u := range uploads {
		if u.State == media.Ready || u.State == media.Lost {
			return &u
		}
	}
	return nil
}

// Document reads a document of an owner.
func (s *Store) Document(ctx context.Context, owner, id int64) (d document.Document, err error) {
	err = s.reading(ctx, onPapers, func(ctx context.Context, db querier) error {
		d, err = oneDocument(ctx, db, owner, id, "")
		return err
	})
	return d, err
}

// DocumentByID reads anybody's document.
func (s *Store) DocumentByID(ctx context.Context, id int64) (d document.Document, err error) {
	err = s.reading(ctx, onPapers, func(ctx context.Context, db querier) error {
		d, err = documentRow(ctx, db, db.QueryRowContext(ctx, `SELECT `+documentColumns+` FROM document d WHERE d.id = $1`, id))
		return err
	})
	return d, err
}

// RecordOpened notes in the history what somebody has looked at of a document.
func (s *Store) RecordOpened(ctx context.Context, by account.Actor, d document.Document, what string, at time.Time) error {
	err := s.inTx(ctx, onPapers, func(tx *txn) error {
		return tx.record(ctx, by, actOpen, objectDocument, d.ID, d.OwnerID, nil, struct {
			What string `json:"what"`
		}{what}, at)
	})
	if err != nil {
		return fmt.Errorf("record that document %d was opened: %w", d.ID, err)
	}
	return nil
}

// UpdateDocument loads, changes and saves a document of an owner.
func (s *Store) UpdateDocument(ctx context.Context, by account.Actor, owner, id int64, change func(d *document.Document, done []int) error) (document.Document, error) {
	var d document.Document
	err := s.inTx(ctx, onPapers, func(tx *txn) error {
		var err error
		if d, err = tx.document(ctx, owner, id, s.dialect.forUpdate); err != nil {
			return err
		}
		done, err := tx.doneLeads(ctx, d)
		if err != nil {
			return err
		}
		loaded := d
		loaded.RemindDays = slices.Clone(d.RemindDays)
		if err := change(&d, done); err != nil {
			return err
		}
		changes, err := diff(loaded.Details, d.Details)
		if err != nil || len(changes) == 0 {
			d = loaded
			return err
		}
		d.Revision++
		_, err = tx.ExecContext(ctx, `
			UPDATE document SET type = $2, title = $3, number = $4, issuer = $5, issued_on = $6, expires_on = $7, description = $8,
				remind_days = $9, next_reminder_at = $10, updated_at = $11, revision = $12
			WHERE id = $1`,
			id, d.Type, d.Title, d.Number, d.Issuer, d.IssuedOn, d.ExpiresOn, d.Description, leads(d.RemindDays),
			timeArg(d.NextReminderAt), d.UpdatedAt, d.Revision)
		if err != nil {
			return err
		}
		return tx.write(ctx, by, actUpdate, objectDocument, id, d.OwnerID, changes, d.UpdatedAt)
	})
	if err != nil {
		return document.Document{}, fmt.Errorf("update document %d: %w", id, err)
	}
	return d, nil
}

// doneLeads are the lead times that are done with for the present expiry.
func (t *txn) doneLeads(ctx context.Context, d document.Document) ([]int, error) {
	if d.ExpiresOn == nil {
		return nil, nil
	}
	rows, err := t.QueryContext(ctx, `SELECT lead FROM document_reminder WHERE document_id = $1 AND expires_on = $2`, d.ID, *d.ExpiresOn)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r row) (int, error) {
		var lead int
		err := r.Scan(&lead)
		return lead, err
	})
}

// DeleteDocument removes a document of an owner if check agrees.
func (s *Store) DeleteDocument(ctx context.Context, by account.Actor, owner, id int64, check func(document.Document) error) error {
	err := s.inTx(ctx, onPapers, func(tx *txn) error {
		d, err := tx.document(ctx, owner, id, s.dialect.forUpdate)
		if err != nil {
			return err
		}
		if err := check(d); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM mail WHERE document_id = $1 AND state = $2`, id, account.MailQueued); err != nil {
			return err
		}
		if _, err := tx.dropUploads(ctx, `document_id = $1`, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM document WHERE id = $1`, id); err != nil {
			return err
		}
		return tx.record(ctx, by, actDelete, objectDocument, id, d.OwnerID, d.Details, nil, now())
	})
	if err != nil {
		return fmt.Errorf("delete document %d: %w", id, err)
	}
	return nil
}

// Documents lists an owner's documents, the soonest expiry first, those that do
// not expire last.
func (s *Store) Documents(ctx context.Context, owner int64, f document.Filter, today calendar.Day, limit, offset int) (document.Page, error) {
	var page document.Page
	err := s.reading(ctx, onPapers, func(ctx context.Context, db querier) error {
		q := &query{}
		q.where("d.owner_id = ?", owner)
		if f.Type != "" {
			q.where("d.type = ?", f.Type)
		}
		soon := today + document.ExpiringDays
		switch f.Status {
		case document.NoExpiry:
			q.where("d.expires_on IS NULL")
		case document.Expired:
			q.where("d.expires_on < ?", today)
		case document.Expiring:
			q.where("d.expires_on >= ?", today)
			q.where("d.expires_on <= ?", soon)
		case document.Valid:
			q.where("d.expires_on > ?", soon)
		}
		if f.Alerts {
			q.where("d.expires_on <= ?", soon)
		}
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM document d`+q.clause(), q.args...).Scan(&page.Count); err != nil {
			return err
		}
		rows, err := db.QueryContext(ctx, `SELECT `+documentColumns+` FROM document d`+q.clause()+
			` ORDER BY d.expires_on ASC NULLS LAST, d.id`+q.bind(` LIMIT ? OFFSET ?`, limit, offset), q.args...)
		if err != nil {
			return err
		}
		if page.Documents, err = collect(rows, scanDocument); err != nil {
			return err
		}
		return withFiles(ctx, db, page.Documents)
	})
	return page, err
}

// DueReminders returns the ids of documents with a reminder that is due and an owner
// who can be reached. The others wait until their owners can be.
func (s *Store) DueReminders(ctx context.Context, now time.Time, limit int) ([]int64, error) {
	return list(ctx, s, onPapers, func(r row) (int64, error) {
		var id int64
		err := r.Scan(&id)
		return id, err
	}, `
		SELECT d.id FROM document d JOIN account a ON a.id = d.owner_id
		WHERE d.next_reminder_at <= $1 AND a.is_active AND a.email_verified_at IS NOT NULL AND a.email IS NOT NULL
		ORDER BY d.next_reminder_at, d.id LIMIT $2`, now, limit)
}

// Remind decides about one document and carries it out: the leads that are done
// with, the mail, and when to look again, all or nothing.
func (s *Store) Remind(ctx context.Context, id int64, decide func(document.Reminder) document.Verdict) error {
	return s.inTx(ctx, onPapers, func(tx *txn) error {
		var r document.Reminder
		var email string
		var err error
		lock := s.dialect.forUpdate
		if lock != "" {
			lock += " OF d"
		}
		r.Document, err = scanDocumentAnd(tx.QueryRowContext(ctx, `
			SELECT `+documentColumns+`, `+settingsColumns+`, COALESCE(a.email, ''), a.is_active AND a.email_verified_at IS NOT NULL AND a.email IS NOT NULL
			FROM document d JOIN settings s ON s.account_id = d.owner_id JOIN account a ON a.id = d.owner_id
			WHERE d.id = $1`+lock, id), append(settingsFields(&r.Settings), &email, &r.Reachable)...)
		if err != nil {
			return err
		}
		if r.Done, err = tx.doneLeads(ctx, r.Document); err != nil {
			return err
		}
		at := now()
		v := decide(r)
		for _, lead := range v.Done {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO document_reminder (document_id, expires_on, lead, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
				id, *r.Document.ExpiresOn, lead, at); err != nil {
				return err
			}
		}
		if v.Mail != nil {
			m := *v.Mail
			m.Address = email
			if err := tx.queueMail(ctx, m, at); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE document SET next_reminder_at = $2 WHERE id = $1`, id, timeArg(v.Next))
		return err
	})
}
