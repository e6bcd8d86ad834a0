package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// writer is what is needed of a file that is being written.
type writer interface {
	io.Writer
	Sync() error
}

func random(n int64) int64 { return rand.Int64N(n) } //nolint:gosec // it only has to differ, not to be secret

// tag names the bytes of a file. Every object gets a stamp of its own as the
// time of its file, to the nanosecond, so that other bytes under the same key
// have another tag, even those of the same length a moment later; and the tag
// survives a backup, which the number of a file would not.
func tag(info fs.FileInfo) string {
	return fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
}

func object(key string, info fs.FileInfo) bucket.Object {
	return bucket.Object{Key: key, Size: info.Size(), ETag: tag(info), Modified: info.ModTime().UTC()}
}

// absent tells whether err says that no such file is there: also when a folder
// on the way to it is missing, or is a file.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// linked tells whether a symbolic link is on the way to a file. One that leads out of
// the folder, or in a circle, leads to no object.
func (b *Bucket) linked(name string) bool {
	for i := range name + "/" {
		if i < len(name) && name[i] != '/' {
			continue
		}
		info, err := b.root.Lstat(name[:i])
		if err != nil {
			return false
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// full turns what the system says when there is no room into ErrFull.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return bucket.ErrFull
	}
	return err
}

// Head tells what is stored under key, or ErrNotFound.
func (b *Bucket) Head(ctx context.Context, key string) (bucket.Object, error) {
	f, o, err := b.open(ctx, key, "")
	if err != nil {
		return bucket.Object{}, fmt.Errorf("look at %s: %w", key, err)
	}
	return o, f.Close()
}

// Open reads what is stored under key: any bytes, or only those that the tag
// names. Fails with ErrNotFound or ErrChanged.
func (b *Bucket) Open(ctx context.Context, key, etag string) (io.ReadCloser, bucket.Object, error) {
	f, o, err := b.open(ctx, key, etag)
	if err != nil {
		return nil, bucket.Object{}, fmt.Errorf("open %s: %w", key, err)
	}
	return f, o, nil
}

// open opens an object. The tag is that of the opened file, which no later
// upload can change: those write files of their own (promise U5).
func (b *Bucket) open(ctx context.Context, key, etag string) (io.ReadSeekCloser, bucket.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, bucket.Object{}, err
	}
	if err := checkKey(key); err != nil {
		return nil, bucket.Object{}, err
	}
	f, err := b.root.Open(key)
	if absent(err) || err != nil && b.linked(key) {
		return nil, bucket.Object{}, bucket.ErrNotFound
	}
	if err != nil {
		return nil, bucket.Object{}, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = bucket.ErrNotFound // a folder
	case etag != "" && etag != tag(info):
		err = bucket.ErrChanged
	default:
		return f, object(key, info), nil
	}
	return nil, bucket.Object{}, errors.Join(err, f.Close())
}

// Copy copies the bytes that etag names to another key. A later upload under
// the first key cannot slip in (promise U5). The disk keeps no types: the
// permit to read says as what the bytes are served.
func (b *Bucket) Copy(ctx context.Context, from, etag, to, _ string) error {
	f, o, err := b.open(ctx, from, etag)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	defer f.Close()
	if _, err := b.write(ctx, to, f, o.Size, o.Size, nil); err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, err)
	}
	return nil
}

// Put stores what the server made.
func (b *Bucket) Put(ctx context.Context, key, _ string, body []byte) error {
	n := int64(len(body))
	if _, err := b.write(ctx, key, bytes.NewReader(body), n, n, nil); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// Delete removes an object; one that is not there is no error. Folders that
// become empty go with it.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	if err := b.remove(key); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	b.prune(path.Dir(key))
	return nil
}

// prune removes a folder and those above it, as far as they are empty.
func (b *Bucket) prune(dir string) {
	for dir != "." && b.removeFolder(dir) {
		dir = path.Dir(dir)
	}
}

// removeFolder removes a folder if it is one, and empty. What a key goes through
// may be an object.
func (b *Bucket) removeFolder(name string) bool {
	info, err := b.root.Lstat(name)
	return err == nil && info.IsDir() && b.root.Remove(name) == nil
}

// remove removes a file, and sees it gone from disk: whoever asked notes that it
// is gone, and must be right after a crash too (promise D12).
func (b *Bucket) remove(key string) error {
	info, err := b.root.Lstat(key)
	if absent(err) || err == nil && info.IsDir() || err != nil && b.linked(path.Dir(key)) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := b.root.Remove(key); err != nil && !absent(err) {
		return err
	}
	return b.syncParent(key)
}

// DeleteAll removes every file whose path begins with prefix, and tells how many
// it removed: objects, and what somebody else has put beside them under names
// that no key has, which List leaves out. One that cannot be removed does not
// keep the others.
func (b *Bucket) DeleteAll(ctx context.Context, prefix string) (int, error) {
	if prefix == "" {
		return 0, errors.New("delete all: no prefix")
	}
	if !isKey(strings.TrimSuffix(prefix, "/")) {
		return 0, nil // nothing of ours is there; our temporary files are
	}
	dir := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir = prefix[:i]
	}
	n, err := b.clear(ctx, dir, prefix)
	b.prune(dir)
	if err != nil {
		return n, fmt.Errorf("delete all under %q: %w", prefix, err)
	}
	return n, nil
}

// clear removes the files inside a folder whose paths begin with prefix, and
// the folders below it that become empty, and sees them gone from disk.
func (b *Bucket) clear(ctx context.Context, dir, prefix string) (n int, err error) {
	entries, err := b.entries(dir)
	if absent(err) || err != nil && b.linked(dir) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var failed []error
	removed := ""
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			failed = append(failed, err)
			break
		}
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir() && strings.HasPrefix(name+"/", prefix):
			below, err := b.clear(ctx, name, prefix)
			n += below
			if err != nil {
				failed = append(failed, err)
			}
			b.removeFolder(name) // unless something is left or has come
		case !e.IsDir() && strings.HasPrefix(name, prefix):
			switch err := b.root.Remove(name); {
			case err == nil:
				n++
				removed = name
			case !absent(err):
				failed = append(failed, err)
			}
		}
	}
	if removed != "" {
		failed = append(failed, b.syncParent(removed))
	}
	return n, errors.Join(failed...)
}

// entries reads a folder, whatever the names in it are: an fs.FS would not take
// all of them.
func (b *Bucket) entries(dir string) ([]fs.DirEntry, error) {
	d, err := b.root.Open(dir)
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	return entries, errors.Join(err, d.Close())
}

// List hands every object whose key begins with prefix to each, in the byte
// order of the keys. At most one folder on each level is in memory. Files whose
// names can be no key, because somebody else has put them there, are left out:
// they are no objects, and no other call would take their names.
func (b *Bucket) List(ctx context.Context, prefix string, each func(bucket.Object) error) error {
	dir := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir = prefix[:i]
		if !isKey(dir) {
			return nil // nothing has such a key
		}
	}
	if err := b.list(ctx, dir, prefix, each); err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	return nil
}

func (b *Bucket) list(ctx context.Context, dir, prefix string, each func(bucket.Object) error) error {
	entries, err := fs.ReadDir(b.root.FS(), dir)
	if absent(err) || err != nil && b.linked(dir) {
		return nil
	}
	if err != nil {
		return err
	}
	// The keys inside a folder "a" begin with "a/", and this is what has to be
	// compared: "a-b" comes before them.
	sortKey := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(sortKey(x), sortKey(y)) })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := path.Join(dir, e.Name())
		switch {
		case !isKey(key):
		case e.IsDir():
			if strings.HasPrefix(key+"/", prefix) {
				err = b.list(ctx, key, prefix, each)
			}
		case e.Type().IsRegular() && strings.HasPrefix(key, prefix):
			info, infoErr := e.Info()
			if absent(infoErr) {
				continue // deleted meanwhile
			}
			if err = infoErr; err == nil {
				err = each(object(key, info))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
