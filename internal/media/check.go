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

// Report is what a comparison of rows and objects has found: numbers alone, for it
// is kept.
type Report struct {
	Uploads   int `json:"uploads"`   // rows that were looked at
	Objects   int `json:"objects"`   // objects that were looked at
	Unclaimed int `json:"unclaimed"` // objects that no row knows, old enough to be removed
	Young     int `json:"young"`     // objects that no row knows, which may belong to something under way
	Missing   int `json:"missing"`   // photos and files whose object is not there
	Found     int `json:"found"`     // those that were missing and are there again
	Redone    int `json:"redone"`    // photos whose thumbnails are missing: they are made again
	Foreign   int `json:"foreign"`   // objects under the prefix that are not of this server: never touched
	Failed    int `json:"failed"`    // repairs that did not work
}

// Clean tells whether rows and objects agree.
func (r Report) Clean() bool { return r.Unclaimed+r.Missing+r.Found+r.Redone == 0 }

// CheckOptions say what a comparison is to do.
type CheckOptions struct {
	Repair   bool                  // mend what differs
	Force    bool                  // also when it looks as if this were the wrong storage
	Progress func(done, total int) // is told how many of all rows are done; may be nil
}

// ErrSuspicious ends a comparison that would remove or mark so much that this is
// more likely the wrong storage, or the wrong database: nothing is mended then.
var ErrSuspicious = errors.New("so much differs that this may be the wrong storage or database: nothing was mended")

// The bounds of what is believed, and of what is remembered.
const (
	youngest     = 48 * time.Hour // the least age of an object that is removed (promise D14)
	claimsAtOnce = 500            // rows that are read at a time
	plausible    = 20             // one in so many may be missing, or not claimed
	few          = 50             // and so many in any case
	maxFindings  = 100_000        // of either kind; a further comparison finds the rest
)

// Check compares rows and objects and, with Repair, mends what differs: objects
// that no row knows are removed, if they lie where only this server writes and
// are old enough; photos and files whose object is not there are marked so, and
// taken back when it is; thumbnails are made again. No loss is made final: what
// is only marked keeps its place. Both sides are read in the order of the keys.
// One repair that fails does not keep the others back. The report of a comparison
// that came to an end is kept, for LastCheck.
func (s *Service) Check(ctx context.Context, o CheckOptions) (Report, error) {
	r, ended, err := s.check(ctx, o)
	if ended {
		err = errors.Join(err, s.store.KeepReport(ctx, s.now(), r, checksKept))
	}
	return r, err
}

// check is Check; ended tells whether both sides were read to their end.
func (s *Service) check(ctx context.Context, o CheckOptions) (r Report, ended bool, err error) {
	total, err := s.store.CountUploads(ctx)
	if err != nil {
		return Report{}, false, err
	}
	c := &comparison{s: s, ctx: ctx, progress: func(done int) {
		if o.Progress != nil {
			o.Progress(min(done, total), total)
		}
	}}
	if err := c.compare(); err != nil {
		return c.report, false, s.explain(err, "compare rows and objects")
	}
	c.progress(total)
	c.report.Unclaimed, c.report.Missing, c.report.Found = len(c.unclaimed), len(c.missing), len(c.found)
	if !o.Force && c.suspicious() {
		return c.report, true, ErrSuspicious
	}
	err = c.mend(o.Repair)
	return c.report, true, err
}

// checksKept is how many reports of comparisons are kept.
const checksKept = 30

// LastCheck is what the last comparison of rows and objects has found, and when;
// ok is false when there was none yet.
func (s *Service) LastCheck(ctx context.Context) (at time.Time, r Report, ok bool, err error) {
	return s.store.LastReport(ctx)
}

type comparison struct {
	s        *Service
	ctx      context.Context //nolint:containedctx // of the one call that this is a part of
	progress func(done int)
	report   Report

	claimed   int // objects that a row knows
	unclaimed []string
	missing   []Upload
	found     []Upload
}

// suspicious tells whether the findings speak against the storage itself.
func (c *comparison) suspicious() bool {
	r := c.report
	return (c.claimed == 0 && r.Missing > 0 && r.Unclaimed > 0) ||
		r.Missing > max(few, r.Uploads/plausible) || r.Unclaimed > max(few, r.Objects/plausible)
}

// compare goes through objects and rows side by side.
func (c *comparison) compare() error {
	kept, begun := &claims{c: c}, &claims{c: c, started: true}
	media, uploads := KeptPrefix(c.s.prefix), UploadsPrefix(c.s.prefix)
	var group folderObjects
	err := c.s.bucket.List(c.ctx, c.s.prefix, func(o bucket.Object) error {
		switch {
		case strings.HasPrefix(o.Key, media):
			c.report.Objects++
			folder := folderOf(media, o.Key)
			if folder == "" { // in no upload's place
				c.note(o)
				return nil
			}
			if folder != group.folder {
				if err := c.folder(kept, group); err != nil {
					return err
				}
				group = folderObjects{folder: folder}
			}
			group.objects = append(group.objects, o)
		case strings.HasPrefix(o.Key, uploads):
			c.report.Objects++
			u, err := begun.at(o.Key)
			switch {
			case err != nil:
				return err
			case u == nil:
				c.note(o)
			default:
				c.claimed++
			}
		case strings.HasPrefix(o.Key, ErasedPrefix(c.s.prefix)): // no upload's, but ours
		default:
			c.report.Foreign++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.folder(kept, group); err != nil {
		return err
	}
	// What is left of the rows has no objects at all.
	if _, err := kept.at(""); err != nil {
		return err
	}
	_, err = begun.at("")
	return err
}

// folderOf is the folder of an upload that a key lies in: two names below the
// prefix, however deep the key goes.
func folderOf(prefix, key string) string {
	owner, rest, ok := strings.Cut(strings.TrimPrefix(key, prefix), "/")
	if !ok {
		return ""
	}
	name, _, ok := strings.Cut(rest, "/")
	if !ok {
		return ""
	}
	return prefix + owner + "/" + name + "/"
}

type folderObjects struct {
	folder  string
	objects []bucket.Object
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
	there := map[string]bool{}
	for _, o := range g.objects {
		name := strings.TrimPrefix(o.Key, g.folder)
		if slices.Contains(needed, name) || slices.Contains(allowed, name) || (u != nil && u.State == Lost && name == originalName) {
			there[name] = true
			c.claimed++
			continue
		}
		c.note(o)
	}
	if u != nil {
		c.row(*u, there)
	}
	return nil
}

// row notes how a row stands to the objects that are there of it.
func (c *comparison) row(u Upload, there map[string]bool) {
	needed, _ := u.objects()
	whole := !slices.ContainsFunc(needed, func(name string) bool { return !there[name] })
	switch {
	case u.State == Lost && (whole || there[originalName] || there[path.Base(u.shown())]):
		c.found = remember(c.found, u)
	case u.State != Lost && !whole:
		c.missing = remember(c.missing, u)
	}
}

func remember[T any](list []T, one T) []T {
	if len(list) < maxFindings {
		list = append(list, one)
	}
	return list
}

// note keeps an object that no row knows, if it is old enough.
func (c *comparison) note(o bucket.Object) {
	if c.s.now().Sub(o.Modified) < youngest {
		c.report.Young++
		return
	}
	c.unclaimed = remember(c.unclaimed, o.Key)
}

// mend repairs what was found, or only has a second look at it.
func (c *comparison) mend(repair bool) error {
	c.report.Unclaimed, c.report.Missing, c.report.Found = 0, 0, 0
	var failures []error
	try := func(what string, id any, err error) {
		if err != nil {
			c.report.Failed++
			c.s.log.WarnContext(c.ctx, "not mended", "what", what, "id", id, "err", err)
			if len(failures) < 10 {
				failures = append(failures, fmt.Errorf("%s %v: %w", what, id, err))
			}
		}
	}
	for _, key := range c.unclaimed {
		try("object", key, c.removeUnclaimed(key, repair))
	}
	for _, u := range c.missing {
		try("upload", u.ID, c.lookAgain(u, repair))
	}
	for _, u := range c.found {
		try("upload", u.ID, c.takeBack(u, repair))
	}
	return errors.Join(failures...)
}

// removeUnclaimed removes an object, unless it is a photo of the older backend's.
func (c *comparison) removeUnclaimed(key string, repair bool) error {
	older, err := c.s.store.HasLegacyKey(c.ctx, key)
	if err != nil {
		return err
	}
	if older {
		c.report.Foreign++
		return nil
	}
	c.report.Unclaimed++
	if !repair {
		return nil
	}
	c.s.log.WarnContext(c.ctx, "object without a row removed", "object", key)
	return c.s.bucket.Delete(c.ctx, key)
}

// present tells which objects of an upload are there, after a second look at the
// row: ok is false when it has changed since it was listed.
func (c *comparison) present(listed Upload, names []string) (there map[string]bool, ok bool, err error) {
	u, err := c.s.store.UploadByID(c.ctx, listed.ID)
	if errors.Is(err, ErrNotFound) || (err == nil && (u.State != listed.State || u.Folder != listed.Folder)) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	there = map[string]bool{}
	for _, name := range names {
		switch _, err := c.s.bucket.Head(c.ctx, u.Folder+name); {
		case err == nil:
			there[name] = true
		case !errors.Is(err, bucket.ErrNotFound):
			return nil, false, err
		}
	}
	return there, true, nil
}

// lookAgain marks an upload whose object is not there, and makes thumbnails anew.
func (c *comparison) lookAgain(u Upload, repair bool) error {
	needed, _ := u.objects()
	there, ok, err := c.present(u, needed)
	if err != nil || !ok || len(there) == len(needed) {
		return err
	}
	if u.State == Ready && there[path.Base(u.shown())] {
		if !repair {
			c.report.Redone++
			return nil
		}
		made, err := c.s.redo(c.ctx, u)
		if made {
			c.report.Redone++
		} else if err == nil {
			c.report.Missing++
		}
		return err
	}
	c.report.Missing++
	if !repair {
		return nil
	}
	return c.s.lose(c.ctx, u)
}

// takeBack makes an upload what it was before its objects were missed.
func (c *comparison) takeBack(u Upload, repair bool) error {
	shown := path.Base(u.shown())
	there, ok, err := c.present(u, []string{shown, originalName})
	if err != nil || !ok || len(there) == 0 {
		return err
	}
	c.report.Found++
	if !repair {
		return nil
	}
	return c.s.find(c.ctx, u, there[shown] && !there[originalName])
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
			l.c.progress(l.c.report.Uploads)
		}
		if len(l.batch) == 0 {
			return nil, nil //nolint:nilnil // no row is no error
		}
		u := l.batch[0]
		k := l.key(u)
		if key != "" && k > key {
			return nil, nil //nolint:nilnil // no row is no error
		}
		l.batch = l.batch[1:]
		l.c.report.Uploads++
		if k == key {
			return &u, nil
		}
		if !l.started {
			l.c.row(u, nil)
		}
	}
}
