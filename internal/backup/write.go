package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// atOnce is how many objects are on their way at a time, each whole in memory.
const atOnce = 8

// backupsKept is how many backups the database remembers.
const backupsKept = 30

// WriteOptions say what is backed up.
type WriteOptions struct {
	WithoutObjects bool // the rows alone: for a storage that is kept by other means
	Progress       Progress
}

// Written is what a backup holds, and how many objects were deleted while they
// were being copied.
type Written struct {
	Made
	Gone int64
}

// Write makes a backup: the rows as they are at one moment, and then the objects.
// What is deleted in between is not in the file any more, which a restore takes
// for what it is; what comes in between is there, and no row knows it.
func (s *Service) Write(ctx context.Context, to io.Writer, o WriteOptions) (Written, error) {
	counted := &counter{to: to}
	w := &archiveWriter{tar: tar.NewWriter(counted), digest: newDigest(), at: s.o.Now().UTC()}
	sums := summary{Rows: map[string]int64{}}
	var older []string // keys of photos of the older backend
	err := s.o.Store.Snapshot(ctx, func(from Source) error {
		m := manifest{
			Format: formatNumber, Version: s.o.Version, MadeAt: w.at, Schema: from.Schema(), Prefix: s.o.Prefix, Lineage: from.Lineage(), Objects: !o.WithoutObjects, Tables: from.Tables(),
		}
		if err := w.addJSON(manifestName, m); err != nil {
			return err
		}
		for i, t := range m.Tables {
			n, err := s.writeRows(ctx, w, from, t, &older)
			if err != nil {
				return fmt.Errorf("rows of %s: %w", t.Name, err)
			}
			sums.Rows[t.Name] = n
			o.Progress.tell("tables", i+1, len(m.Tables))
		}
		return nil
	})
	if err != nil {
		return Written{}, err
	}
	if !o.WithoutObjects {
		if err := s.writeObjects(ctx, w, older, &sums, o.Progress); err != nil {
			return Written{}, fmt.Errorf("objects: %w", err)
		}
	}
	sums.SHA256 = w.digest.String()
	if err := errors.Join(w.addJSON(summaryName, sums), w.tar.Close()); err != nil {
		return Written{}, err
	}
	made := Made{At: w.at, Objects: sums.Objects, Bytes: counted.n}
	for _, n := range sums.Rows {
		made.Records += n
	}
	return Written{made, sums.Gone}, nil
}

// Remember notes in the database that a backup was made and is kept.
func (s *Service) Remember(ctx context.Context, m Made) error {
	return s.o.Store.KeepBackup(ctx, m, backupsKept)
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

func (s *Service) writeRows(ctx context.Context, w *archiveWriter, from Source, t Table, older *[]string) (n int64, err error) {
	legacy := legacyColumn(t)
	p := &pieces{w: w, table: t}
	err = from.Rows(ctx, t, func(values []any) error {
		n++
		if legacy >= 0 {
			if key, ok := values[legacy].(string); ok && !strings.HasPrefix(key, s.own) {
				*older = append(*older, key)
			}
		}
		return p.row(values)
	})
	return n, errors.Join(err, p.flush())
}

// legacyColumn is the column of a table in which the keys of photos of the older
// backend stand, which lie anywhere; -1 in others.
func legacyColumn(t Table) int {
	if t.Name != "upload" {
		return -1
	}
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == "legacy_key" })
}

// fetched is an object on its way into the file.
type fetched struct {
	key  string
	body []byte
	err  error
}

// writeObjects copies the objects: a few are fetched at a time, and written in
// turn.
func (s *Service) writeObjects(ctx context.Context, w *archiveWriter, older []string, sums *summary, progress Progress) error {
	total := len(older)
	if err := s.o.Bucket.List(ctx, s.own, func(bucket.Object) error { total++; return nil }); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	line := make(chan chan fetched, atOnce)
	fetch := func(key string) error {
		one := make(chan fetched, 1)
		select {
		case line <- one:
		case <-ctx.Done():
			return ctx.Err()
		}
		go func() {
			body, err := s.read(ctx, key)
			one <- fetched{key, body, err}
		}()
		return nil
	}
	g.Go(func() error {
		defer close(line)
		for _, key := range older {
			if err := fetch(key); err != nil {
				return err
			}
		}
		return s.o.Bucket.List(ctx, s.own, func(o bucket.Object) error { return fetch(o.Key) })
	})
	g.Go(func() error {
		done := 0
		for one := range line {
			f := <-one
			switch {
			case errors.Is(f.err, bucket.ErrNotFound):
				sums.Gone++
			case f.err != nil:
				return f.err
			default:
				if err := w.add(objectFolder+f.key, f.body); err != nil {
					return err
				}
				sums.Objects++
			}
			done++
			progress.tell("objects", done, max(done, total))
		}
		return nil
	})
	return g.Wait()
}

// read is an object, whole.
func (s *Service) read(ctx context.Context, key string) ([]byte, error) {
	r, o, err := s.o.Bucket.Open(ctx, key, "")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if o.Size > maxObject {
		return nil, fmt.Errorf("%s has %d bytes, which is more than a backup takes", key, o.Size)
	}
	body := make([]byte, o.Size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return body, nil
}
