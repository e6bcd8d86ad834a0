package media

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// Report is what a comparison of rows and objects has found.
type Report struct {
	Uploads   int // rows that were looked at
	Objects   int // objects that were looked at
	Unclaimed int // objects that no row knows, old enough to be removed
	Young     int // objects that no row knows, which may belong to something under way
	Missing   int // photos and files whose object is gone
	Redone    int // photos whose thumbnails are gone: they are made again
	Foreign   int // objects under the prefix that are not of this server: never touched
	Repaired  bool
}

// Clean tells whether rows and objects agree.
func (r Report) Clean() bool { return r.Unclaimed+r.Missing+r.Redone == 0 }

// youngest is the least age of an object that the comparison removes (promise
// D14): younger ones may belong to something under way.
const youngest = 48 * time.Hour

// claimsAtOnce is how many rows are read at a time.
const claimsAtOnce = 500

// Check compares rows and objects and, with repair, mends what differs: objects
// that no row knows are removed, if they lie where only this server writes and
// are old enough; photos and files whose object is gone are marked so; thumbnails
// that are gone are made again. progress, if given, is told how many of all rows
// are done. Both are read in the order of the keys, so memory does not grow with
// them.
func (s *Service) Check(ctx context.Context, repair bool, progress func(done, total int)) (Report, error) {
	r := Report{Repaired: repair}
	total, err := s.store.CountUploads(ctx)
	if err != nil {
		return r, err
	}
	c := &comparison{s: s, ctx: ctx, report: &r, repair: repair, progress: func() {
		if progress != nil {
			progress(min(r.Uploads, total), total)
		}
	}}
	kept := &claims{started: false, c: c}
	begun := &claims{started: true, c: c}
	media, uploads := KeptPrefix(s.prefix), UploadsPrefix(s.prefix)
	var group folderObjects
	err = s.bucket.List(ctx, s.prefix, func(o bucket.Object) error {
		switch {
		case strings.HasPrefix(o.Key, media):
			r.Objects++
			if dir := path.Dir(o.Key) + "/"; dir != group.folder {
				if err := c.folder(kept, group); err != nil {
					return err
				}
				group = folderObjects{folder: dir}
			}
			group.objects = append(group.objects, o)
			return nil
		case strings.HasPrefix(o.Key, uploads):
			r.Objects++
			u, err := begun.at(o.Key)
			if err != nil || u != nil {
				return err
			}
			return c.unclaimed(o)
		}
		r.Foreign++
		return nil
	})
	if err != nil {
		return r, s.explain(err, "compare rows and objects")
	}
	if err := c.folder(kept, group); err != nil {
		return r, err
	}
	// What is left of the rows has no objects at all.
	if _, err := kept.at(""); err != nil {
		return r, err
	}
	_, err = begun.at("")
	if err == nil && progress != nil {
		progress(total, total)
	}
	return r, err
}

type folderObjects struct {
	folder  string
	objects []bucket.Object
}

type comparison struct {
	s        *Service
	ctx      context.Context //nolint:containedctx // of the one call that this is a part of
	report   *Report
	repair   bool
	progress func()
}

// folder compares the objects of one folder with the row that has it.
func (c *comparison) folder(kept *claims, g folderObjects) error {
	if g.folder == "" {
		return nil
	}
	u, err := kept.at(g.folder)
	if err != nil {
		return err
	}
	var needed, allowed []string
	if u != nil {
		needed, allowed = u.objects()
	}
	for _, o := range g.objects {
		name := path.Base(o.Key)
		if i := slices.Index(needed, name); i >= 0 {
			needed = slices.Delete(slices.Clone(needed), i, i+1)
			continue
		}
		// An original is only allowed for as long as a removal of it may be under
		// way; unclaimed looks at its age.
		if u != nil && u.State == Processing && slices.Contains(allowed, name) {
			continue
		}
		if err := c.unclaimed(o); err != nil {
			return err
		}
	}
	if u != nil && len(needed) > 0 {
		return c.missing(*u, needed)
	}
	return nil
}

// unclaimed notes an object that no row knows, and removes it if it is old
// enough.
func (c *comparison) unclaimed(o bucket.Object) error {
	if c.s.now().Sub(o.Modified) < youngest {
		c.report.Young++
		return nil
	}
	c.report.Unclaimed++
	if !c.repair {
		return nil
	}
	c.s.log.WarnContext(c.ctx, "object without a row removed", "object", o.Key, "bytes", o.Size)
	return c.s.bucket.Delete(c.ctx, o.Key)
}

// missing notes a row whose objects are gone, after a second look: both may have
// changed since they were listed.
func (c *comparison) missing(listed Upload, names []string) error {
	u, err := c.s.store.UploadByID(c.ctx, listed.ID)
	if errors.Is(err, ErrNotFound) || (err == nil && (u.State != listed.State || u.Folder != listed.Folder)) {
		return nil
	}
	if err != nil {
		return err
	}
	gone, shownGone := 0, false
	for _, name := range names {
		_, err := c.s.bucket.Head(c.ctx, u.Folder+name)
		switch {
		case errors.Is(err, bucket.ErrNotFound):
			gone++
			shownGone = shownGone || u.Folder+name == u.shown()
		case err != nil:
			return fmt.Errorf("look for an object of upload %d: %w", u.ID, err)
		}
	}
	switch {
	case gone == 0:
		return nil
	case shownGone:
		c.report.Missing++
		if !c.repair {
			return nil
		}
		c.s.log.ErrorContext(c.ctx, "stored file is gone", "upload", u.ID)
		return c.s.fail(c.ctx, u, "The stored file is gone.")
	}
	c.report.Redone++
	if !c.repair {
		return nil
	}
	c.s.log.WarnContext(c.ctx, "thumbnails are gone, made again", "upload", u.ID)
	return c.s.remake(c.ctx, u, u.shown())
}

// claims goes through the rows in the order of their keys, beside the objects.
type claims struct {
	c       *comparison
	started bool
	batch   []Upload
	last    string
	ended   bool
}

func (l *claims) key(u Upload) string {
	if l.started {
		return u.UploadKey
	}
	return u.Folder
}

// at is the row with a key, if there is one; the rows before it have no objects.
// An empty key is behind all others.
func (l *claims) at(key string) (*Upload, error) {
	for {
		if len(l.batch) == 0 && !l.ended {
			var err error
			if l.batch, err = l.c.s.store.KeptUploads(l.c.ctx, l.started, l.last, claimsAtOnce); err != nil {
				return nil, err
			}
			if n := len(l.batch); n > 0 {
				l.last = l.key(l.batch[n-1])
			}
			l.ended = len(l.batch) < claimsAtOnce
			l.c.progress()
		}
		if len(l.batch) == 0 {
			return nil, nil //nolint:nilnil // no row is no error
		}
		u := l.batch[0]
		if k := l.key(u); key != "" && k > key {
			return nil, nil //nolint:nilnil // no row is no error
		} else if l.batch = l.batch[1:]; k == key {
			l.c.report.Uploads++
			return &u, nil
		}
		l.c.report.Uploads++
		if needed, _ := u.objects(); len(needed) > 0 {
			if err := l.c.missing(u, needed); err != nil {
				return nil, err
			}
		}
	}
}
