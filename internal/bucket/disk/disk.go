// Package disk keeps objects in a folder, with the permits of an object store:
// forms and URLs that carry their own signature, and a handler that honours
// them. It asks nothing of a client but the permit (promise U4).
//
// Nothing is ever half there: bytes are written to a temporary file inside the
// same folder, and have its final name only once they are complete and on disk.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// Options say where a Bucket lies and how it is reached.
type Options struct {
	// Dir is the folder; it is made when it is not there.
	Dir string
	// Secrets sign permits: the first one new ones, any of them those that are
	// out. They are never logged.
	Secrets []string
	// BaseURL gives the public address of the server, "https://host", each time
	// a permit is made: the port may be known only once the server listens.
	BaseURL func() string
	// Path is where the handler is mounted, with a slash at both ends.
	// Empty means "/storage/".
	Path string
	// Wanted tells whether an upload under a key is still waited for. It is asked
	// before and after the file is read. Nil takes every upload with a permit.
	Wanted func(ctx context.Context, key string) (bool, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Free gives the bytes that are free where Dir lies; nil asks the system.
	Free func() (uint64, error)
	// Reserve is how many free bytes are left to others, the database above all
	// (promise D16). Zero means Reserve.
	Reserve uint64
}

// Reserve is how many free bytes are left to others where nothing else is said.
const Reserve = 256 << 20

const (
	// tempDir holds what is being written. No key leads here: none has a segment
	// that begins with a dot.
	tempDir = ".tmp"
	// abandoned is the age at which a temporary file has no writer any more: an
	// upload may take five minutes, see [transferLimit].
	abandoned = 15 * time.Minute
)

// Bucket is a folder of objects. It is an http.Handler for the permits that it
// gives.
type Bucket struct {
	root    *os.Root
	keys    [][]byte
	baseURL func() string
	path    string
	wanted  func(ctx context.Context, key string) (bool, error)
	now     func() time.Time
	free    func() (uint64, error)
	reserve uint64
	wrap    func(*os.File) writer // for tests: what the bytes go through

	parents sync.Mutex // held while folders are made, so that one that is there is also on disk

	mu    sync.Mutex
	held  uint64    // bytes promised to writes that are under way
	last  int64     // the newest stamp
	swept time.Time // when temporary files were last looked through
}

// New opens the folder, and removes what a crash has left half written.
func New(o Options) (*Bucket, error) {
	b := &Bucket{
		baseURL: o.BaseURL,
		path:    o.Path,
		wanted:  o.Wanted,
		now:     o.Now,
		free:    o.Free,
		reserve: o.Reserve,
		wrap:    func(f *os.File) writer { return f },
	}
	if b.path == "" {
		b.path = "/storage/"
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.free == nil {
		b.free = func() (uint64, error) { return Free(o.Dir) }
	}
	if b.reserve == 0 {
		b.reserve = Reserve
	}
	if b.baseURL == nil {
		return nil, errors.New("open bucket: no base URL")
	}
	if !strings.HasPrefix(b.path, "/") || !strings.HasSuffix(b.path, "/") {
		return nil, fmt.Errorf("open bucket: the path %q has no slash at both ends", b.path)
	}
	var err error
	if b.keys, err = deriveKeys(o.Secrets); err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	if b.root, err = os.OpenRoot(o.Dir); err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	if err := b.root.Mkdir(tempDir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, errors.Join(fmt.Errorf("open bucket: %w", err), b.root.Close())
	}
	b.sweep()
	return b, nil
}

// Close lets go of the folder.
func (b *Bucket) Close() error { return b.root.Close() }

// Ping tells whether the folder is still there.
func (b *Bucket) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := b.root.Stat(tempDir); err != nil {
		return fmt.Errorf("ping bucket: %w", err)
	}
	return nil
}

// sweep removes temporary files that nobody writes any more. It goes by age and
// not by who made them, because a second process may have the folder open.
func (b *Bucket) sweep() {
	b.mu.Lock()
	due := time.Since(b.swept) >= abandoned
	if due {
		b.swept = time.Now()
	}
	b.mu.Unlock()
	if !due {
		return
	}
	entries, err := fs.ReadDir(b.root.FS(), tempDir)
	if err != nil {
		return // the next write says what is wrong
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) >= abandoned {
			_ = b.root.Remove(path.Join(tempDir, e.Name())) // tried again next time
		}
	}
}

// hold sets n bytes of the disk aside for a write, and gives them back when it
// has ended. What others have set aside counts as used, so that many uploads at
// once cannot fill the disk together (promise D16).
func (b *Bucket) hold(n int64) (release func(), err error) {
	free, err := b.free()
	if err != nil {
		return nil, fmt.Errorf("ask for free space: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	need := b.reserve + b.held + uint64(n)
	if need < b.reserve || free < need {
		return nil, bucket.ErrFull
	}
	b.held += uint64(n)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.held -= uint64(n)
	}, nil
}

// stamp gives the time that a new object is marked with. No two are the same,
// which makes them good for tags: see [tag].
func (b *Bucket) stamp() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now().UnixNano()
	// The last digits are drawn, because two processes may write in one folder.
	now = now - now%1000 + random(1000)
	if now <= b.last && b.last < math.MaxInt64 {
		now = b.last + 1
	}
	b.last = now
	return time.Unix(0, now)
}
