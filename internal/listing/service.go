package listing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Report is what a reader says against a post. It is open until an operator has
// dealt with it.
type Report struct {
	ID         int64
	PostID     int64
	ReporterID int64
	Reason     string
	Text       string
	At         time.Time
	ResolvedAt *time.Time
	ResolvedBy *int64 // nil also when it was no person, or one who is gone
}

// Effects is what goes with a change of a post: the store carries it out in the
// transaction of the change.
type Effects struct {
	Tell    account.MailKind // a message to the owner about the post; empty for none
	Resolve *time.Time       // the moment at which all open reports about it are resolved; nil leaves them open
	Reopen  *time.Time       // reports that were resolved at this moment are open again; nil leaves them resolved
}

// Store is what Service needs from the database. A method is one transaction.
type Store interface {
	// CreatePost stores a post unless its owner has limit posts already
	// (ErrTooMany). With by.Once it is stored once: repeated is true, and the
	// post is the one made then, when the key was used before.
	CreatePost(ctx context.Context, by account.Actor, p Post, limit int) (post Post, repeated bool, err error)
	// Post reads a post; reader is whose favourite it may be.
	Post(ctx context.Context, id, reader int64) (Post, error)
	// UpdatePost loads, changes and saves a post. The effects are carried out
	// also when nothing of the post has changed.
	UpdatePost(ctx context.Context, by account.Actor, id int64, change func(*Post, *Effects) error) (Post, error)
	// DeletePost removes a post if check agrees.
	DeletePost(ctx context.Context, by account.Actor, id int64, check func(Post) error) error
	Posts(ctx context.Context, reader int64, f Filter, o Order, at Place) (Page, error)
	Facets(ctx context.Context, reader int64, f Filter) (Facets, error)
	SetFavorite(ctx context.Context, by account.Actor, postID int64, favorite bool, at time.Time) error
	CreateReport(ctx context.Context, by account.Actor, r Report) error
	// Reports are what a reader has reported, oldest first.
	Reports(ctx context.Context, reporter int64) ([]Report, error)
	// Remember ties a post to the actor's idempotency key; Recall takes it back once,
	// if that was after since, and returns 0 where there is none.
	Remember(ctx context.Context, by account.Actor, id int64, at time.Time) error
	Recall(ctx context.Context, by account.Actor, since time.Time) (id int64, err error)
	// UpdateReport loads, changes and saves what became of a report.
	UpdateReport(ctx context.Context, by account.Actor, id int64, at time.Time, change func(*Report) error) error
}

// Service is what people can do with car posts.
type Service struct {
	store Store
	now   func() time.Time
}

// NewService returns a Service on the store.
func NewService(store Store, now func() time.Time) *Service {
	return &Service{store: store, now: func() time.Time { return now().UTC().Truncate(time.Microsecond) }}
}

// Create advertises a car. bad is what the caller already knows to be wrong
// with the input. A repetition under the same idempotency key gives the post
// made the first time.
func (s *Service) Create(ctx context.Context, by account.Actor, d Details, bad fault.Fields) (post Post, repeated bool, err error) {
	now := s.now()
	d.tidy()
	d.validate(nil, now.Year(), older(by), &bad)
	if err := bad.Err(); err != nil {
		return Post{}, false, err
	}
	limit := MaxPosts
	if by.Manages {
		limit = 0
	}
	post, repeated, err = s.store.CreatePost(ctx, by, Post{Details: d, OwnerID: by.Owner(), CreatedAt: now, UpdatedAt: now, Revision: 1}, limit)
	return post.seenBy(by), repeated, err
}

// retryTime is how long after a photo was begun or refused the same post counts as
// another try.
const retryTime = time.Hour

// AwaitPhoto notes that the actor's post has no photo yet: one was begun, which the
// storage may refuse unseen, or refused. The older client makes the post before the
// photo, and makes both again with another one.
func (s *Service) AwaitPhoto(ctx context.Context, by account.Actor, id int64) error {
	p, err := s.store.Post(ctx, id, by.ID)
	if err != nil || p.OwnerID != by.ID || p.pictured() {
		return err
	}
	now := s.now()
	if now.Sub(p.CreatedAt) > retryTime {
		return nil
	}
	if by.Once, err = retry(p.Details); err != nil {
		return err
	}
	return s.store.Remember(ctx, by, id, now)
}

// Retried finds the actor's post with the same details that got no photo a moment
// ago (see AwaitPhoto). It finds it once.
func (s *Service) Retried(ctx context.Context, by account.Actor, d Details) (post Post, ok bool, err error) {
	d.tidy()
	if by.Once, err = retry(d); err != nil {
		return Post{}, false, err
	}
	id, err := s.store.Recall(ctx, by, s.now().Add(-retryTime))
	if id == 0 || err != nil {
		return Post{}, false, err
	}
	p, err := s.store.Post(ctx, id, by.ID)
	if errors.Is(err, fault.NotFound) {
		return Post{}, false, nil
	}
	if err != nil || p.OwnerID != by.ID || p.pictured() {
		return Post{}, false, err
	}
	is, err := retry(p.Details)
	return p, is == by.Once, err // it may have been changed meanwhile
}

// pictured tells whether the post has a photo, or will have one.
func (p Post) pictured() bool {
	return slices.ContainsFunc(p.Photos, func(u media.Upload) bool { return u.State == media.Ready || u.State == media.Processing })
}

// retry is the idempotency key of the same details.
func retry(d Details) (account.Once, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return account.Once{}, err
	}
	sum := sha256.Sum256(text)
	hash := hex.EncodeToString(sum[:])
	return account.Once{Route: "photo refused", Key: hash, RequestHash: hash}, nil
}

// Post reads one post. One that the actor may not see does not exist for it.
func (s *Service) Post(ctx context.Context, by account.Actor, id int64) (Post, error) {
	p, err := s.store.Post(ctx, id, by.ID)
	if err == nil && !p.readableBy(by) {
		return Post{}, ErrNotFound
	}
	return p.seenBy(by), err
}

// MayAttach tells whose the post is, if the actor may add photos to it.
func (s *Service) MayAttach(ctx context.Context, by account.Actor, id int64) (owner int64, err error) {
	p, err := s.store.Post(ctx, id, by.ID)
	if err == nil {
		err = manages(by, p)
	}
	return p.OwnerID, err
}

// Revise edits a post. change edits the details and returns what it could not
// read of its input. Only the owner may, or an actor of the admin site. What an
// operator has approved and the owner says otherwise now is not approved.
func (s *Service) Revise(ctx context.Context, by account.Actor, id int64, match account.Match, change func(*Details) fault.Fields) (Post, error) {
	p, err := s.store.UpdatePost(ctx, by, id, func(p *Post, _ *Effects) error {
		if err := manages(by, *p); err != nil {
			return err
		}
		if err := match.Check(p.Revision, p.Details); err != nil {
			return err
		}
		now := s.now()
		before := p.Details
		bad := change(&p.Details)
		p.tidy()
		p.validate(&before, now.Year(), older(by), &bad)
		if !older(by) && !same(p.Price, before.Price) { // typed elsewhere
			p.PricePlaces = 0
		}
		p.UpdatedAt = now
		if !by.Manages && p.saysElse(before) {
			p.ApprovedAt = nil
		}
		return bad.Err()
	})
	return p.seenBy(by), err
}

// Try tells what Revise would say, and changes nothing.
func (s *Service) Try(ctx context.Context, by account.Actor, id int64, change func(*Details) fault.Fields) error {
	p, err := s.store.Post(ctx, id, by.ID)
	if err != nil {
		return err
	}
	if err := manages(by, p); err != nil {
		return err
	}
	before := p.Details
	bad := change(&p.Details)
	p.tidy()
	p.validate(&before, s.now().Year(), older(by), &bad)
	return bad.Err()
}

// older tells whether the actor comes through the older client's API.
func older(by account.Actor) bool { return by.Source == account.SourceLegacy }

func manages(by account.Actor, p Post) error {
	switch {
	case !p.readableBy(by):
		return ErrNotFound
	case !by.MayManage(p.OwnerID):
		return ErrForbidden
	}
	return nil
}

// Delete removes a post; only its owner may.
func (s *Service) Delete(ctx context.Context, by account.Actor, id int64, match account.Match) error {
	return s.store.DeletePost(ctx, by, id, func(p Post) error {
		if err := manages(by, p); err != nil {
			return err
		}
		return match.Check(p.Revision, p.Details)
	})
}

// Posts lists what the actor may see and the filter asks for.
func (s *Service) Posts(ctx context.Context, by account.Actor, f Filter, o Order, at Place) (Page, error) {
	page, err := s.store.Posts(ctx, by.ID, s.own(by, f), o, at)
	for i, p := range page.Posts {
		page.Posts[i] = p.seenBy(by)
	}
	return page, err
}

// Facets counts the values of the posts that Posts would list.
func (s *Service) Facets(ctx context.Context, by account.Actor, f Filter) (Facets, error) {
	return s.store.Facets(ctx, by.ID, s.own(by, f))
}

// own makes asking for one's own posts by number the same as by "me".
func (s *Service) own(by account.Actor, f Filter) Filter {
	if f.OwnerID == by.ID && by.ID != 0 {
		f.Own, f.OwnerID = true, 0
	}
	return f
}

// SetFavorite keeps a post among the actor's favourites, or takes it out.
// Taking out works for a post that the actor may no longer see.
func (s *Service) SetFavorite(ctx context.Context, by account.Actor, id int64, favorite bool) error {
	if favorite {
		if _, err := s.Post(ctx, by, id); err != nil {
			return err
		}
	}
	return s.store.SetFavorite(ctx, by, id, favorite, s.now())
}

// Report tells the operators about a post, once a person and post.
func (s *Service) Report(ctx context.Context, by account.Actor, id int64, reason, text string, bad fault.Fields) error {
	p, err := s.Post(ctx, by, id)
	if err != nil {
		return err
	}
	if p.OwnerID == by.ID {
		return fault.New(fault.Conflict, "You cannot report your own car post.")
	}
	account.CheckText(&bad, "reason", reason, 1, account.MaxText, false)
	account.CheckText(&bad, "text", text, 0, MaxDescription, true)
	if err := bad.Err(); err != nil {
		return err
	}
	return s.store.CreateReport(ctx, by, Report{PostID: id, ReporterID: by.ID, Reason: reason, Text: text, At: s.now()})
}

// Reports lists what the actor has reported.
func (s *Service) Reports(ctx context.Context, by account.Actor) ([]Report, error) {
	return s.store.Reports(ctx, by.ID)
}

func itoa(n int) string { return strconv.Itoa(n) }
