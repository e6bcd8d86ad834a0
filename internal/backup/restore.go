package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// RestoreOptions say what is restored.
type RestoreOptions struct {
	// WithoutObjects leaves the storage as it is: it was kept by other means.
	WithoutObjects bool
	// Newer is a newer backup, or nil: the accounts that were erased by then
	// are erased again.
	Newer    io.ReadSeeker
	Progress Progress
}

// Restored is what a restore has brought back.
type Restored struct {
	MadeAt      time.Time
	Rows        map[string]int64
	Records     int64
	Objects     int64
	Gone        int64 // objects that were deleted while the backup was made
	ErasedAgain int
}

// Restore makes everything anew from a backup, in a place that holds nothing yet.
// The whole file is read and checked before anything is written, objects come
// before the rows that name them, and all rows come in one transaction: a restore
// that was cut off, wherever it was, is simply begun again with the same file. What
// the file's schema lacks is migrated afterwards.
func (s *Service) Restore(ctx context.Context, from io.ReadSeeker, o RestoreOptions) (Restored, error) {
	m, sums, objects, err := s.inspect(from, o.Progress)
	if err != nil {
		return Restored{}, err
	}
	erased, err := s.newerErasures(ctx, o.Newer, m)
	if err != nil {
		return Restored{}, err
	}
	withObjects := m.Objects && !o.WithoutObjects
	unsettled, err := s.o.Store.Unsettled(ctx)
	if err != nil {
		return Restored{}, err
	}
	if unsettled != sums.SHA256 { // else its rows, and so its objects, are there
		if err := s.checkPlace(ctx, m, objects, withObjects); err != nil {
			return Restored{}, err
		}
		if withObjects {
			if err := s.restoreObjects(ctx, from, len(objects), o.Progress); err != nil {
				return Restored{}, fmt.Errorf("restore objects: %w", err)
			}
		}
		if err := s.restoreRows(ctx, from, m, sums.SHA256, o.Progress); err != nil {
			return Restored{}, err
		}
	}
	r := Restored{MadeAt: m.MadeAt, Rows: sums.Rows, Gone: sums.Gone}
	for _, n := range sums.Rows {
		r.Records += n
	}
	if withObjects {
		r.Objects = sums.Objects
	}
	r.ErasedAgain, err = s.settle(ctx, erased)
	return r, err
}

// settle does what has to be done once the rows are there.
func (s *Service) settle(ctx context.Context, erased []Erasure) (again int, err error) {
	if err := s.o.Migrate(ctx, s.o.Newest); err != nil {
		return 0, err
	}
	if err := s.o.Store.FinishLoad(ctx); err != nil {
		return 0, err
	}
	if err := s.o.Store.Integrity(ctx); err != nil {
		return 0, fmt.Errorf("the rows are restored, but the database is not sound: %w", err)
	}
	again, err = s.eraseAgain(ctx, erased, false)
	if err == nil {
		var noted int
		noted, err = s.EraseAgain(ctx, false)
		again += noted
	}
	if err != nil {
		return again, fmt.Errorf("the rows are restored, but accounts that were erased since could not all be erased again: %w", err)
	}
	if err := s.o.Store.Resume(ctx, s.o.Now()); err != nil {
		return again, err
	}
	return again, s.o.Store.Settled(ctx)
}

// inspect reads a backup to its end and checks it; objects are those that it
// holds, with their sizes.
func (s *Service) inspect(from io.ReadSeeker, progress Progress) (m manifest, sums summary, objects map[string]int64, err error) {
	r, err := reopen(from)
	if err != nil {
		return m, sums, nil, err
	}
	m = r.manifest
	if m.Schema > s.o.Newest {
		return m, sums, nil, fault.New(fault.Invalid, fmt.Sprintf(
			"The backup was made by a newer program (%s): use that one, or a newer one.", m.Version))
	}
	objects = map[string]int64{}
	found, older := map[string]int64{}, map[string]bool{}
	var count int64
	progress.tell("check", 0, 1)
	sums, err = r.entries(func(t Table, body []byte) error {
		legacy := legacyColumn(t)
		return rowsOf(t, body, func(values []any) error {
			found[t.Name]++
			if legacy >= 0 {
				if key, ok := values[legacy].(string); ok {
					older[key] = true
				}
			}
			return nil
		})
	}, func(key string, body []byte) error {
		if !strings.HasPrefix(key, media.OwnPrefix(m.Prefix)) && !older[key] {
			return ErrDamaged // nothing of ours: it must not overwrite what somebody else has there
		}
		objects[key] = int64(len(body))
		count++
		return nil
	})
	if err != nil {
		return m, sums, objects, err
	}
	progress.tell("check", 1, 1)
	if count != sums.Objects || len(sums.Rows) != len(m.Tables) {
		return m, sums, objects, ErrDamaged
	}
	for _, t := range m.Tables {
		if found[t.Name] != sums.Rows[t.Name] {
			return m, sums, objects, ErrDamaged
		}
	}
	return m, sums, objects, nil
}

func reopen(from io.ReadSeeker) (*archiveReader, error) {
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("the backup cannot be read from its beginning (a pipe cannot): %w", err)
	}
	return openArchive(from)
}

// newerErasures are the erasures that a newer backup knows.
func (s *Service) newerErasures(ctx context.Context, newer io.ReadSeeker, than manifest) ([]Erasure, error) {
	if newer == nil {
		return nil, nil
	}
	r, err := reopen(newer)
	if err != nil {
		return nil, fmt.Errorf("the newer backup: %w", err)
	}
	if r.manifest.Lineage != than.Lineage {
		return nil, fault.New(fault.Invalid, "The backup that is to name the erased accounts is of another database.")
	}
	if r.manifest.MadeAt.Before(than.MadeAt) {
		return nil, fault.New(fault.Invalid, "The backup that is to name the erased accounts is older than the one to be restored.")
	}
	var list []Erasure
	_, err = r.entries(func(t Table, body []byte) error {
		if t.Name != "erased_account" {
			return ctx.Err()
		}
		return rowsOf(t, body, func(values []any) error {
			var e Erasure
			for i, c := range t.Columns {
				switch c.Name {
				case "account_id":
					e.Account, _ = values[i].(int64)
				case "at":
					e.At, _ = values[i].(time.Time)
				}
			}
			list = append(list, e)
			return nil
		})
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("the newer backup: %w", err)
	}
	return list, nil
}

// checkPlace makes sure that nothing would be overwritten or mixed.
func (s *Service) checkPlace(ctx context.Context, m manifest, objects map[string]int64, withObjects bool) error {
	if m.Prefix != s.o.Prefix {
		return fault.New(fault.Invalid, fmt.Sprintf("The backup was made with S3_PREFIX=%q, and here it is %q: the keys of all objects begin with it, so set it to the same.", m.Prefix, s.o.Prefix))
	}
	table, schema, err := s.o.Store.Holds(ctx)
	switch {
	case err != nil:
		return err
	case table != "":
		return fault.New(fault.Conflict, fmt.Sprintf("The database is not empty: its table %s has rows. A restore takes an empty one.", table))
	case schema > m.Schema:
		return fault.New(fault.Conflict, "The database is empty, but already of a newer schema than the backup. Make a new one, and do not migrate it.")
	}
	if !withObjects {
		return nil
	}
	taken := func(o bucket.Object) error {
		if size, ok := objects[o.Key]; !ok || size != o.Size {
			return fault.New(fault.Conflict, fmt.Sprintf(
				"The storage is not empty: it holds %s, which is not in the backup. A restore takes an empty one, or leaves it as it is with --without-objects.", o.Key))
		}
		return nil
	}
	for key := range objects {
		if strings.HasPrefix(key, s.own) {
			continue
		}
		body, o, err := s.o.Bucket.Open(ctx, key, "")
		switch {
		case errors.Is(err, bucket.ErrNotFound):
			continue
		case err == nil:
			body.Close()
			err = taken(o)
		}
		if err != nil {
			return err
		}
	}
	return s.o.Bucket.List(ctx, s.own, taken)
}

// restoreObjects stores the objects, a few at a time.
func (s *Service) restoreObjects(ctx context.Context, from io.ReadSeeker, total int, progress Progress) error {
	r, err := reopen(from)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	done := 0
	_, err = r.entries(nil, func(key string, body []byte) error {
		g.Go(func() error { return s.o.Bucket.Put(ctx, key, contentType(key), body) })
		done++
		progress.tell("objects", done, total)
		return ctx.Err()
	})
	if failed := g.Wait(); failed != nil {
		return failed
	}
	return err
}

// contentType is what an object is stored as. What clients get is what the row
// says, whatever is stored.
func contentType(key string) string {
	switch strings.ToLower(path.Ext(key)) {
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".webp":
		return "image/webp"
	}
	return "application/octet-stream"
}

// restoreRows fills the database.
func (s *Service) restoreRows(ctx context.Context, from io.ReadSeeker, m manifest, sum string, progress Progress) error {
	if err := s.o.Migrate(ctx, m.Schema); err != nil {
		return err
	}
	r, err := reopen(from)
	if err != nil {
		return err
	}
	err = s.o.Store.Refill(ctx, m.Tables, sum, func(into Sink) error {
		l := &loader{into: into, progress: progress, total: len(m.Tables)}
		_, err := r.entries(func(t Table, body []byte) error { return l.piece(ctx, t, body) }, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("restore rows: %w", err)
	}
	progress.tell("tables", len(m.Tables), len(m.Tables))
	return nil
}

// loader fills tables, so many rows at a time.
type loader struct {
	into     Sink
	progress Progress
	total    int
	tables   int
	last     string
}

func (l *loader) piece(ctx context.Context, t Table, body []byte) error {
	if t.Name != l.last {
		l.last = t.Name
		l.progress.tell("tables", l.tables, l.total)
		l.tables++
	}
	var rows [][]any
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		if err := l.into.Load(ctx, t, rows); err != nil {
			return fmt.Errorf("fill %s: %w", t.Name, err)
		}
		rows = rows[:0]
		return nil
	}
	err := rowsOf(t, body, func(values []any) error {
		if rows = append(rows, values); len(rows) < rowsAtOnce {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
