// Package backup copies the whole product, rows and objects, into one file while
// it serves, and makes it anew from such a file in an empty place (promise P1).
// The file is the same from either engine and from either kind of storage: what
// was backed up on SQLite and local disk can be restored on PostgreSQL and S3.
//
// It also keeps the numbers of erased accounts beside the objects, where they
// survive a database that is lost, and erases those again that an older copy of
// the database has brought back (promise D13).
package backup

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Kind is what a column holds, in words that both engines have.
type Kind string

// The kinds, and the Go values that stand for them: int64, string, bool,
// [time.Time] in UTC, calendar.Day, []byte. A missing value is nil.
const (
	Integer Kind = "integer"
	Text    Kind = "text"
	Bool    Kind = "bool"
	Time    Kind = "time"
	Date    Kind = "date"
	Bytes   Kind = "bytes"
)

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// Table is a table that holds what cannot be made from other tables. LastID is
// the greatest number that the database had ever given a row of it, so that none of
// before the backup is given twice; 0 where rows have no such number.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	LastID  int64    `json:"last_id,omitempty"`
}

// Source is one moment of a database.
type Source interface {
	// Schema is the number of the last migration that was applied.
	Schema() int64
	// Lineage tells this database from all others: a restored one has that of
	// the database that was backed up. It is empty before migration 6.
	Lineage() string
	// Tables are in an order in which they can be filled: no row points to a
	// table that comes later.
	Tables() []Table
	// Rows hands the rows of a table to each: their values in the order of the
	// columns. each must not keep the slice.
	Rows(ctx context.Context, t Table, each func(values []any) error) error
}

// Sink is a database that is being filled, in one transaction.
type Sink interface {
	Load(ctx context.Context, t Table, rows [][]any) error
}

// Erasure is an account that was erased, and when.
type Erasure struct {
	Account int64
	At      time.Time
}

// Made is what a backup holds.
type Made struct {
	At      time.Time
	Records int64 // rows of all tables
	Objects int64
	Bytes   int64 // of the file
}

// Store is what the backups need of the database.
type Store interface {
	// Snapshot runs read on one moment of the database; it keeps nobody waiting.
	Snapshot(ctx context.Context, read func(Source) error) error
	// Holds names a table that has rows, or "", and tells the number of the
	// last migration that was applied: 0 in a database without tables.
	Holds(ctx context.Context) (table string, schema int64, err error)
	// Refill runs fill in one transaction on a database whose tables are empty,
	// and notes that the restore of this backup is not settled.
	Refill(ctx context.Context, tables []Table, sum string, fill func(Sink) error) error
	// Unsettled is the sum of the backup whose rows are there and whose restore
	// was not settled; Settled says that it is.
	Unsettled(ctx context.Context) (sum string, err error)
	Settled(ctx context.Context) error
	// Lineage is that of the database.
	Lineage(ctx context.Context) (string, error)
	// FinishLoad lets the engine look at tables that were filled, so that it
	// plans well at once.
	FinishLoad(ctx context.Context) error
	// Integrity is nil when the engine finds nothing wrong with the database.
	Integrity(ctx context.Context) error
	// Resume enqueues the jobs of what was under way.
	Resume(ctx context.Context, now time.Time) error
	// Present are those of some erasures whose accounts are there, and were when
	// they were erased.
	Present(ctx context.Context, erased []Erasure) ([]Erasure, error)
	// EraseAgain erases such an account.
	EraseAgain(ctx context.Context, e Erasure) error
	// UnnotedErasures are some erasures that are not noted beside the objects;
	// NoteErasures says that they are.
	UnnotedErasures(ctx context.Context, limit int) ([]Erasure, error)
	NoteErasures(ctx context.Context, noted []Erasure, at time.Time) error
	// KeepBackup remembers the last backups, so many of them.
	KeepBackup(ctx context.Context, m Made, kept int) error
}

// Bucket is what the backups need of the storage.
type Bucket interface {
	Open(ctx context.Context, key, etag string) (io.ReadCloser, bucket.Object, error)
	Put(ctx context.Context, key, contentType string, body []byte) error
	List(ctx context.Context, prefix string, each func(bucket.Object) error) error
}

// Options are what a Service works with.
type Options struct {
	Store  Store
	Bucket Bucket
	// Prefix begins all keys of this server; empty, or ending in a slash.
	Prefix string
	// Migrate brings the schema to a migration.
	Migrate func(ctx context.Context, to int64) error
	// Newest is the number of the last migration that this program has.
	Newest  int64
	Version string // of the program, for the file
	Log     *slog.Logger
	Now     func() time.Time
}

// Service makes backups and restores them.
type Service struct {
	o   Options
	own string // begins the keys of all that is backed up, but for photos of the older backend
}

// NewService returns a Service.
func NewService(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o: o, own: media.OwnPrefix(o.Prefix)}
}

// Progress is told how far a stage is; it may be nil.
type Progress func(stage string, done, total int)

func (p Progress) tell(stage string, done, total int) {
	if p != nil {
		p(stage, done, total)
	}
}

// What the file or the place can be told not to be fit for. Each names what to
// do about it.
var (
	ErrNotOurs = fault.New(fault.Invalid, "This is no backup of Ridecopilot.")
	ErrCut     = fault.New(fault.Invalid, "The backup is not complete: its end is missing. Take another one.")
	ErrDamaged = fault.New(fault.Invalid, "The backup is damaged: it does not hold what its sums say. Take another one.")
)

// erasureTime is how the moment is written in the name of a noted erasure: an
// object without content, whose name says all there is to say.
const erasureTime = "20060102T150405.000000Z"

// erasureBatch is how many erasures are noted, or looked up, at a time.
const erasureBatch = 200

// NoteErasures writes down beside the objects which accounts were erased, so that
// the list survives the database. What fails is tried again with the next call.
func (s *Service) NoteErasures(ctx context.Context) error {
	for {
		list, err := s.o.Store.UnnotedErasures(ctx, erasureBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		folder, err := s.erasures(ctx)
		if err != nil {
			return err
		}
		for _, e := range list {
			key := folder + strconv.FormatInt(e.Account, 10) + "-" + e.At.UTC().Format(erasureTime)
			if err := s.o.Bucket.Put(ctx, key, "text/plain", nil); err != nil {
				return err
			}
		}
		if err := s.o.Store.NoteErasures(ctx, list, s.o.Now()); err != nil {
			return err
		}
	}
}

// erasures is where the erasures of this database are noted. Another database that
// has lived in the same bucket has its own place: its numbers are other people's.
func (s *Service) erasures(ctx context.Context) (string, error) {
	lineage, err := s.o.Store.Lineage(ctx)
	return media.ErasedPrefix(s.o.Prefix) + lineage + "/", err
}

// parseErasure reads the name of a noted erasure, below its folder.
func parseErasure(name string) (Erasure, bool) {
	id, at, found := strings.Cut(name, "-")
	account, err := strconv.ParseInt(id, 10, 64)
	if !found || err != nil {
		return Erasure{}, false
	}
	when, err := time.Parse(erasureTime, at)
	return Erasure{account, when}, err == nil
}

// EraseAgain erases the accounts that are noted as erased and are there all the
// same, because an older copy of the database has brought them back; dry only
// counts them. An account that was opened later under the same number is somebody
// else's, and stays.
func (s *Service) EraseAgain(ctx context.Context, dry bool) (int, error) {
	folder, err := s.erasures(ctx)
	if err != nil {
		return 0, err
	}
	var list []Erasure
	err = s.o.Bucket.List(ctx, folder, func(o bucket.Object) error {
		if e, ok := parseErasure(strings.TrimPrefix(o.Key, folder)); ok && !e.At.After(s.o.Now()) { // nobody was erased in the future
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return s.eraseAgain(ctx, list, dry)
}

// eraseAgain erases those of the list who are there; one failure does not keep the
// others back.
func (s *Service) eraseAgain(ctx context.Context, list []Erasure, dry bool) (n int, err error) {
	var failed []error
	for some := range slices.Chunk(list, erasureBatch) {
		present, err := s.o.Store.Present(ctx, some)
		if err != nil {
			return n, errors.Join(append(failed, err)...)
		}
		for _, e := range present {
			if !dry {
				if err := s.o.Store.EraseAgain(ctx, e); err != nil {
					failed = append(failed, err)
					continue
				}
				s.o.Log.WarnContext(ctx, "account erased again", "event", "erased", "user", e.Account)
			}
			n++
		}
	}
	return n, errors.Join(failed...)
}
