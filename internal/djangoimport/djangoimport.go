// Package djangoimport copies the database of the older backend, which Django
// kept in PostgreSQL, into ours: people, car posts, photos and calculator
// entries, with the ids that they have. What it reads it only reads, and what it
// stores is stored in one transaction, wholly or not at all. A second run adds
// what is missing and overwrites nothing.
//
// The older backend kept numbers as text that drivers typed, and whatever else
// they typed. Nothing of it is dropped: what our rules would refuse comes in as
// near as they allow, and every such value is told as an [Oddity].
package djangoimport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Known is what is here under an id that the older backend has given as well.
type Known = struct {
	OwnerID   int64 // of a post or an entry
	LegacyKey string
	CreatedAt time.Time
}

// Target is what an import needs of the transaction that it is stored in. Maps
// hold what is there and nothing else. Rows are stored under the ids they have.
type Target interface {
	Users(ctx context.Context, ids []int64) (createdAt map[int64]time.Time, err error)
	Erased(ctx context.Context, ids []int64) (map[int64]bool, error)
	MailboxTaken(ctx context.Context, address string) (bool, error)
	Currencies(ctx context.Context, owners []int64) (map[int64]string, error)
	PostOwners(ctx context.Context, posts []int64) (map[int64]int64, error)
	// Posts, Entries and Uploads know the ids from first to last.
	Posts(ctx context.Context, first, last int64) (map[int64]Known, error)
	Entries(ctx context.Context, first, last int64) (map[int64]Known, error)
	Uploads(ctx context.Context, first, last int64) (map[int64]Known, error)
	// What was here under those ids and was deleted.
	DeletedPosts(ctx context.Context, first, last int64) (map[int64]bool, error)
	DeletedEntries(ctx context.Context, first, last int64) (map[int64]bool, error)
	DeletedUploads(ctx context.Context, first, last int64) (map[int64]bool, error)

	LoadUsers(ctx context.Context, users []account.User, settings []account.Settings) error
	LoadPosts(ctx context.Context, posts []listing.Post) error
	LoadEntries(ctx context.Context, entries []earnings.Entry) error
	LoadUploads(ctx context.Context, uploads []media.Upload) error

	// EntrySums are the sums of all entries that are there.
	EntrySums(ctx context.Context) (Money, error)
	// Continue makes new rows get ids above these. It cannot be undone.
	Continue(ctx context.Context, users, posts, entries, uploads int64) error
}

// Options say how to import.
type Options struct {
	DryRun   bool                   // do all but what cannot be undone; the caller rolls back
	Reserved []string               // where the keys of our own objects begin: older keys must lie elsewhere
	Oddity   func(Oddity) error     // told of every value that is not stored as it was
	Progress func(string, int, int) // told how many rows of how many of a stage are done
}

// The older backend's tables.
const (
	userTable  = "rideauth_user"
	postTable  = "ridecars_carpost"
	photoTable = "rideposts_file"
	entryTable = "ridecalc_calculatorentry"
)

// batchRows is how many rows are held in memory at a time.
const batchRows = 1000

// epoch is stored where the older database has no time.
var epoch = time.Unix(0, 0).UTC()

// run is one import.
type run struct {
	o      Options
	from   *Source
	into   Target
	report Report
	zone   *time.Location
	last   map[string]int64 // the largest id of each table
	totals map[string]int   // the rows of each table, for the progress
	money  sums
}

// Run imports everything. Its error is a sentence for the operator; nothing of
// what was stored must be kept then.
func Run(ctx context.Context, from *Source, into Target, o Options) (Report, error) {
	r := &run{
		o: o, from: from, into: into, zone: account.DefaultSettings().Location(), last: map[string]int64{},
		report: Report{Oddities: map[Kind]int{}},
	}
	if err := r.all(ctx); err != nil {
		if ctx.Err() != nil {
			return r.report, errors.New("the import was stopped; nothing was stored")
		}
		return r.report, err
	}
	return r.report, nil
}

func (r *run) all(ctx context.Context) (err error) {
	if r.totals, err = r.from.count(ctx); err != nil {
		return err
	}
	before, err := r.into.EntrySums(ctx)
	if err != nil {
		return fmt.Errorf("add up what is there: %w", err)
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{{"users", r.users}, {"car posts", r.posts}, {"photos", r.photos}, {"entries", r.entries}} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("import %s: %w", step.name, err)
		}
	}
	after, err := r.into.EntrySums(ctx)
	if err != nil {
		return fmt.Errorf("add up what was stored: %w", err)
	}
	if err := r.balance(ctx, before, after); err != nil {
		return err
	}
	if r.o.DryRun {
		return nil
	}
	for _, t := range []string{userTable, postTable, entryTable, photoTable} {
		given, err := r.from.given(ctx, t)
		if err != nil {
			return err
		}
		r.last[t] = max(r.last[t], given)
	}
	if err := r.into.Continue(ctx, r.last[userTable], r.last[postTable], r.last[entryTable], r.last[photoTable]); err != nil {
		return fmt.Errorf("set where new ids begin: %w", err)
	}
	return nil
}

// seen notes a batch that is done.
func (r *run) seen(table, stage string, c *Counts, rows int) {
	c.Read += rows
	if r.o.Progress != nil {
		r.o.Progress(stage, min(c.Read, r.totals[table]), r.totals[table])
	}
}

// odd tells of a value that is not stored as it was.
func (r *run) odd(o Oddity) error {
	r.report.Oddities[o.Kind]++
	if r.o.Oddity == nil {
		return nil
	}
	if err := r.o.Oddity(o); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// taken refuses an id that somebody else's row has here.
func taken(what string, id int64) error {
	return fault.New(fault.Conflict, fmt.Sprintf("There is another %s %d here than in the older database, so ids cannot be kept: "+
		"import into an empty database, before anybody signs up and before createsuperuser.", what, id))
}

// moment is a time as it is stored: UTC, to the microsecond.
func moment(t *time.Time) (time.Time, bool) {
	if t == nil || t.Year() < 1 || t.Year() > 9999 {
		return epoch, false
	}
	return t.UTC().Truncate(time.Microsecond), true
}

// since is when a row was made; where the older database does not say, the epoch,
// and the report tells.
func (r *run) since(table string, id int64, column string, t *time.Time) (time.Time, error) {
	at, ok := moment(t)
	if ok {
		return at, nil
	}
	return at, r.odd(Oddity{table, id, column, "", at.Format(time.DateOnly), NoTime})
}

// reserved tells whether a key lies where only our own objects may.
func (r *run) reserved(key string) (prefix string, yes bool) {
	for _, p := range r.o.Reserved {
		if strings.HasPrefix(key, p) {
			return p, true
		}
	}
	return "", false
}
