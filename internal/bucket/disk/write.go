package disk

import (
	"context"
	crand "crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// A sizeError says that there were fewer or more bytes than asked for.
type sizeError struct{ tooLarge bool }

func (e sizeError) Error() string {
	if e.tooLarge {
		return "more bytes than expected"
	}
	return "fewer bytes than expected"
}

// A readError is a failure of what is read, as opposed to one of the disk.
type readError struct{ err error }

func (e readError) Error() string { return "read: " + e.err.Error() }
func (e readError) Unwrap() error { return e.err }

// write stores what it reads under key, at least least bytes and at most most.
// Before the object appears under its name, complete is asked, if there is one.
// Whatever fails, nothing is left behind.
func (b *Bucket) write(ctx context.Context, key string, from io.Reader, least, most int64, complete func() error) (bucket.Object, error) {
	if err := checkKey(key); err != nil {
		return bucket.Object{}, err
	}
	b.sweep()
	release, err := b.hold(most)
	if err != nil {
		return bucket.Object{}, err
	}
	defer release()

	temp := path.Join(tempDir, crand.Text())
	f, err := b.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return bucket.Object{}, full(err)
	}
	o, err := b.fill(ctx, f, temp, from, least, most)
	if err == nil && complete != nil {
		err = complete()
	}
	if err == nil {
		err = b.publish(temp, key)
	}
	if err != nil {
		_ = b.root.Remove(temp) // what stays is swept later
		return bucket.Object{}, full(err)
	}
	o.Key = key
	return o, nil
}

// fill writes a temporary file, marks it with a stamp and sees it on disk.
func (b *Bucket) fill(ctx context.Context, f *os.File, temp string, from io.Reader, least, most int64) (bucket.Object, error) {
	w := b.wrap(f)
	err := transfer(ctx, w, io.LimitReader(from, most), least)
	if err == nil {
		// One more byte is one too many, unless it never comes.
		var more [1]byte
		switch _, readErr := io.ReadFull(from, more[:]); {
		case readErr == nil:
			err = sizeError{tooLarge: true}
		case !errors.Is(readErr, io.EOF):
			err = readError{readErr}
		}
	}
	if err == nil {
		at := b.stamp()
		err = b.root.Chtimes(temp, at, at)
	}
	if err == nil {
		err = w.Sync()
	}
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return bucket.Object{}, err
	}
	return object("", info), nil
}

// transfer copies until the end, or until ctx ends.
func transfer(ctx context.Context, w io.Writer, r io.Reader, least int64) error {
	var n int64
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, err := r.Read(buf)
		if got > 0 {
			if _, err := w.Write(buf[:got]); err != nil {
				return err
			}
			n += int64(got)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return readError{err}
		}
	}
	if n < least {
		return sizeError{}
	}
	return nil
}

// publish gives a complete file its final name, and sees the name on disk. A
// folder may be removed, empty, just before the file gets there; then it is
// made again.
func (b *Bucket) publish(temp, key string) error {
	var err error
	for range 100 {
		if err = b.makeParents(key); err == nil {
			if err = b.root.Rename(temp, key); err == nil {
				return b.syncParent(key)
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// makeParents makes the folders that key lies in, each one on disk before
// anybody takes it for granted.
func (b *Bucket) makeParents(key string) error {
	b.parents.Lock()
	defer b.parents.Unlock()
	for i, c := range key {
		if c != '/' {
			continue
		}
		err := b.root.Mkdir(key[:i], 0o700)
		if err == nil {
			err = b.syncParent(key[:i])
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// syncParent sees on disk what was renamed to name or removed from there. If
// the folder itself has gone meanwhile, that is what has to be on disk.
func (b *Bucket) syncParent(name string) error {
	for {
		name = path.Dir(name)
		d, err := b.root.Open(name)
		if absent(err) && name != "." {
			continue
		}
		if err != nil {
			return err
		}
		err = errors.Join(d.Sync(), d.Close())
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
			return nil // file systems that do not know this do it by themselves, or not at all
		}
		return err
	}
}
