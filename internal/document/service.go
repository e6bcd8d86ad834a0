package document

import (
	"context"
	"errors"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// Filter says which documents are wanted; empty does not narrow.
type Filter struct {
	Status Status
	Type   string
	Alerts bool // expired or expiring
}

// Page is a part of a list, the soonest expiry first.
type Page struct {
	Documents []Document
	Count     int
}

// Reminder is what the store hands to the domain when a document may be due.
type Reminder struct {
	Document  Document
	Settings  account.Settings
	Reachable bool  // the owner's account is active and its address confirmed
	Done      []int // the leads that are done with, for this expiry
}

// Verdict is what becomes of a Reminder.
type Verdict struct {
	Done []int         // leads that are done with from now on
	Mail *account.Mail // to send, if any
	Next *time.Time    // when to look again
}

// Store is what Service needs from the database. A method is one transaction.
// Every method that names an owner finds that owner's documents alone.
type Store interface {
	// CreateDocument stores a document unless its owner has limit already
	// (ErrTooMany); with by.Once, once.
	CreateDocument(ctx context.Context, by account.Actor, d Document, limit int) (doc Document, repeated bool, err error)
	Document(ctx context.Context, owner, id int64) (Document, error)
	// DocumentByID reads anybody's document: for those who manage.
	DocumentByID(ctx context.Context, id int64) (Document, error)
	// RecordOpened notes in the history what somebody has looked at of a document.
	RecordOpened(ctx context.Context, by account.Actor, d Document, what string, at time.Time) error
	UpdateDocument(ctx context.Context, by account.Actor, owner, id int64, change func(d *Document, done []int) error) (Document, error)
	DeleteDocument(ctx context.Context, by account.Actor, owner, id int64, check func(Document) error) error
	Documents(ctx context.Context, owner int64, f Filter, today calendar.Day, limit, offset int) (Page, error)
	// DueReminders returns the ids of documents whose NextReminderAt has come and
	// whose owners can be reached. A lead waits for an owner who cannot.
	DueReminders(ctx context.Context, now time.Time, limit int) ([]int64, error)
	// Remind decides about one document and carries it out.
	Remind(ctx context.Context, id int64, decide func(Reminder) Verdict) error
}

// People is what Service needs to know of the drivers.
type People interface {
	Settings(ctx context.Context, userID int64) (account.Settings, error)
}

// Service is what drivers can do with their documents.
type Service struct {
	store  Store
	people People
	now    func() time.Time
}

// NewService returns a Service on the store.
func NewService(store Store, people People, now func() time.Time) *Service {
	return &Service{store: store, people: people, now: func() time.Time { return now().UTC().Truncate(time.Microsecond) }}
}

// Today is the current day on the actor's own calendar.
func (s *Service) Today(ctx context.Context, by account.Actor) (calendar.Day, error) {
	loc, err := s.zone(ctx, by.Owner())
	if err != nil {
		return 0, err
	}
	return calendar.On(s.now().In(loc)), nil
}

func (s *Service) zone(ctx context.Context, owner int64) (*time.Location, error) {
	set, err := s.people.Settings(ctx, owner)
	if err != nil {
		return nil, err
	}
	return set.Location(), nil
}

// Create files a document. bad is what the caller already knows to be wrong.
func (s *Service) Create(ctx context.Context, by account.Actor, d Details, bad fault.Fields) (doc Document, repeated bool, err error) {
	loc, err := s.zone(ctx, by.Owner())
	if err != nil {
		return Document{}, false, err
	}
	d.tidy()
	d.validate(&bad)
	if err := bad.Err(); err != nil {
		return Document{}, false, err
	}
	now := s.now()
	limit := MaxDocuments
	if by.Manages {
		limit = 0
	}
	return s.store.CreateDocument(ctx, by, Document{
		Details: d, OwnerID: by.Owner(), NextReminderAt: d.NextReminder(nil, now, loc), CreatedAt: now, UpdatedAt: now, Revision: 1,
	}, limit)
}

// Document reads one of the actor's documents.
func (s *Service) Document(ctx context.Context, by account.Actor, id int64) (Document, error) {
	return s.store.Document(ctx, by.Owner(), id)
}

// Find reads a document, whosever it is, for an actor who manages; for others
// there is none.
func (s *Service) Find(ctx context.Context, by account.Actor, id int64) (Document, error) {
	if !by.Manages {
		return Document{}, ErrNotFound
	}
	return s.store.DocumentByID(ctx, id)
}

// Opened records that an operator has looked at a document, or at a part of it
// such as its file: who opened whose papers can be told afterwards. Owners are
// not recorded.
func (s *Service) Opened(ctx context.Context, by account.Actor, id int64, what string) error {
	d, err := s.Find(ctx, by, id)
	if err != nil || d.OwnerID == by.ID {
		return err
	}
	return s.store.RecordOpened(ctx, by, d, what, s.now())
}

// MayAttach tells whose the document is, if the actor may add a file to it.
func (s *Service) MayAttach(ctx context.Context, by account.Actor, id int64) (owner int64, err error) {
	_, err = s.store.Document(ctx, by.Owner(), id)
	return by.Owner(), err
}

// Revise edits one of the actor's documents: change edits the details and
// returns what it could not read. A new expiry starts the reminders anew.
func (s *Service) Revise(ctx context.Context, by account.Actor, id int64, match account.Match, change func(*Details) fault.Fields) (Document, error) {
	loc, err := s.zone(ctx, by.Owner())
	if err != nil {
		return Document{}, err
	}
	return s.store.UpdateDocument(ctx, by, by.Owner(), id, func(d *Document, done []int) error {
		if err := match.Check(d.Revision, d.Details); err != nil {
			return err
		}
		before := d.ExpiresOn
		bad := change(&d.Details)
		d.tidy()
		d.validate(&bad)
		if err := bad.Err(); err != nil {
			return err
		}
		if before == nil || d.ExpiresOn == nil || *before != *d.ExpiresOn {
			done = nil
		}
		d.UpdatedAt = s.now()
		d.NextReminderAt = d.NextReminder(done, d.UpdatedAt, loc)
		return nil
	})
}

// Delete removes one of the actor's documents.
func (s *Service) Delete(ctx context.Context, by account.Actor, id int64, match account.Match) error {
	return s.store.DeleteDocument(ctx, by, by.Owner(), id, func(d Document) error { return match.Check(d.Revision, d.Details) })
}

// Documents lists the actor's documents, the soonest expiry first.
func (s *Service) Documents(ctx context.Context, by account.Actor, f Filter, limit, offset int) (Page, calendar.Day, error) {
	today, err := s.Today(ctx, by)
	if err != nil {
		return Page{}, 0, err
	}
	p, err := s.store.Documents(ctx, by.Owner(), f, today, limit, offset)
	return p, today, err
}

// remindersAtOnce bounds what one run takes on; the next takes the rest.
const remindersAtOnce = 1000

// SendReminders queues the reminder mails that have come due and returns how
// many documents it looked at. A mail goes out once per document and lead. Of
// leads that were missed only the nearest is sent: the server was down, the
// address was not confirmed yet, or the account was not active.
func (s *Service) SendReminders(ctx context.Context) (int, error) {
	ids, err := s.store.DueReminders(ctx, s.now(), remindersAtOnce)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		// One that was deleted meanwhile has nothing to remind of, and one that
		// fails must not hold up the others.
		if one := s.store.Remind(ctx, id, s.decide); one != nil && !errors.Is(one, ErrNotFound) {
			err = errors.Join(err, one)
		}
	}
	return len(ids), err
}

func (s *Service) decide(r Reminder) Verdict {
	loc, now := r.Settings.Location(), s.now()
	if !r.Reachable {
		return Verdict{Next: r.Document.NextReminder(r.Done, now, loc)}
	}
	due, _ := r.Document.Due(r.Done, now, loc)
	v := Verdict{Done: due, Next: r.Document.NextReminder(append(due, r.Done...), now, loc)}
	if len(due) > 0 && r.Settings.EmailReminders {
		v.Mail = &account.Mail{
			Kind: account.MailDocumentReminder, UserID: &r.Document.OwnerID, DocumentID: &r.Document.ID,
			DaysLeft: r.Document.DaysLeft(calendar.On(now.In(loc))),
		}
	}
	return v
}

// Reminding reads the document that a reminder mail is about.
func (s *Service) Reminding(ctx context.Context, owner, id int64) (Document, error) {
	return s.store.Document(ctx, owner, id)
}
