package disk_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
)

// files are all files and folders under dir, but for the bucket's own folder.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." && rel != ".tmp" {
			found = append(found, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestKeys: U1. Keys with path tricks are refused everywhere.
func TestKeys(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	b, _ := buckettest.DiskWith(t, disk.Options{Dir: filepath.Join(dir, "in")})
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a/./b", ".tmp/a", "a/.b", `a\b`, `..\a`,
		"a\x00b", "a\nb", "a\x7fb", "a\xffb", strings.Repeat("a", 256), strings.Repeat("a/", 600) + "a",
	} {
		if err := b.Put(ctx, key, "image/jpeg", []byte("x")); err == nil {
			t.Errorf("Put(%q) = nil", key)
		}
		if _, err := b.Head(ctx, key); err == nil || errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("Head(%q) = %v", key, err)
		}
		if _, _, err := b.Open(ctx, key, ""); err == nil {
			t.Errorf("Open(%q) = nil", key)
		}
		if err := b.Delete(ctx, key); err == nil {
			t.Errorf("Delete(%q) = nil", key)
		}
		if _, err := b.Form(ctx, buckettest.Upload(key)); err == nil {
			t.Errorf("Form(%q) = nil", key)
		}
		if _, _, err := b.URL(ctx, buckettest.Download(key)); err == nil {
			t.Errorf("URL(%q) = nil", key)
		}
	}
	if got := files(t, dir); len(got) != 2 { // in, in/.tmp
		t.Errorf("files: %q", got)
	}
}

// TestLinks: U1. A link that somebody put into the folder leads nowhere.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir})
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	if got, err := buckettest.Read(t.Context(), b, "link", ""); err == nil {
		t.Errorf("read %q through a link", got)
	}
	err := b.List(t.Context(), "", func(o bucket.Object) error { t.Errorf("listed %+v", o); return nil })
	if err != nil {
		t.Error(err)
	}
}

// TestModes: nobody else on the machine reads the objects.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir})
	if err := b.Put(t.Context(), "media/1", "image/jpeg", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"media", "media/1", ".tmp"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestFoldersGo: a folder that becomes empty goes with its last object.
func TestFoldersGo(t *testing.T) {
	dir := t.TempDir()
	b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir})
	for _, key := range []string{"a/b/c/1", "a/2"} {
		if err := b.Put(t.Context(), key, "image/jpeg", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(t.Context(), "a/b/c/1"); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) != 2 {
		t.Errorf("left: %q", got)
	}
	if err := b.Delete(t.Context(), "a"); err != nil { // a folder is no object
		t.Error(err)
	}
	if _, err := b.Head(t.Context(), "a"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("Head of a folder = %v", err)
	}
	if _, err := b.Head(t.Context(), "a/2/3"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("Head below an object = %v", err)
	}
	// What is no folder stays.
	if err := b.Delete(t.Context(), "a/2/3"); err != nil {
		t.Error(err)
	}
	if n, err := b.DeleteAll(t.Context(), "a/2/"); n != 0 || err != nil {
		t.Errorf("DeleteAll below an object = %d, %v", n, err)
	}
	if _, err := b.Head(t.Context(), "a/2"); err != nil {
		t.Errorf("after deletions below an object: %v", err)
	}
}

// strange are paths that somebody else may make beside objects, and that no key
// has.
var strange = []string{
	`m/7/back\slash`, "m/7/line\nbreak", "m/7/no\xfftext", "m/7/.hidden", "m/7/a/.hidden/1", "m/7/\xff/1", "m/7/\xff/.empty/", "m/7/new\n/line",
}

// withStrange is a folder with some objects, and with what is no object.
func withStrange(t *testing.T) (b *disk.Bucket, dir string) {
	t.Helper()
	dir = t.TempDir()
	b, _ = buckettest.DiskWith(t, disk.Options{Dir: dir})
	for _, key := range []string{"m/7/1", "m/7/a/2", "m/70/3"} {
		if err := b.Put(t.Context(), key, "image/jpeg", []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range strange {
		folder, file := filepath.Split(dir + "/" + name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Skip(err) // a file system that has no such names either
		}
		if file == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, file), []byte("x"), 0o600); err != nil {
			t.Skip(err)
		}
	}
	return b, dir
}

// TestStrangeNames: D14, U1. What is listed is what the other calls take.
func TestStrangeNames(t *testing.T) {
	b, _ := withStrange(t)
	for prefix, want := range map[string]int{"": 3, "m/": 3, "m/7/": 2, "m/7/.": 0, "m/7/\xff/": 0, `m/7/back\`: 0} {
		n := 0
		err := b.List(t.Context(), prefix, func(o bucket.Object) error {
			n++
			_, err := b.Head(t.Context(), o.Key)
			return err
		})
		if err != nil || n != want {
			t.Errorf("List(%q) = %d objects, %v, want %d", prefix, n, err, want)
		}
	}
}

// TestDeleteAllStrange: D13. A folder of ours is emptied whatever lies in it,
// and nothing beside it is.
func TestDeleteAllStrange(t *testing.T) {
	b, dir := withStrange(t)
	outside := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"m/7/link": outside, "m/7/folder": filepath.Dir(outside)} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	fresh := filepath.Join(dir, ".tmp", "fresh") // may be being written
	if err := os.WriteFile(fresh, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{".", ".tmp", ".tmp/", "./", "/", "../", "m/.", "m//", "m/7/../", "m/7/1/", "m/7/none/"} {
		if n, err := b.DeleteAll(t.Context(), prefix); n != 0 || err != nil {
			t.Errorf("DeleteAll(%q) = %d, %v", prefix, n, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := b.DeleteAll(gone, "m/7/"); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled, DeleteAll = %d, %v", n, err)
	}
	for _, want := range []int{len(strange) - 1 + 2 + 2, 0} { // without its empty folder, with two objects and two links
		if n, err := b.DeleteAll(t.Context(), "m/7/"); n != want || err != nil {
			t.Errorf("DeleteAll = %d, %v, want %d", n, err, want)
		}
	}
	if got, want := files(t, dir), []string{".tmp/fresh", "m", "m/70", "m/70/3"}; !slices.Equal(got, want) {
		t.Errorf("left: %q, want %q", got, want)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("behind a link: %v", err)
	}
	// A prefix may end within a name; the folders that it empties go.
	if n, err := b.DeleteAll(t.Context(), "m/7"); n != 1 || err != nil {
		t.Errorf("DeleteAll(m/7) = %d, %v", n, err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{".tmp/fresh"}) {
		t.Errorf("left: %q", got)
	}
}

// TestDeleteAllReports: D13. What cannot be removed is told, and keeps nothing
// else.
func TestDeleteAllReports(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may remove everything")
	}
	b, dir := withStrange(t)
	locked := filepath.Join(dir, "m/7/a")
	if err := os.Chmod(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(locked, 0o700)
	n, err := b.DeleteAll(t.Context(), "m/7/")
	// All of strange but its empty folder, and the other object.
	if n != len(strange) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "m/7/a/2") {
		t.Errorf("DeleteAll = %d, %v", n, err)
	}
	want := []string{"m", "m/7", "m/7/a", "m/7/a/.hidden", "m/7/a/2", "m/70", "m/70/3"}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("left: %q, want %q", got, want)
	}
}

// TestFoldersComeBack: U4. Writers and deleters of one folder do not break each
// other, even when it vanishes between two steps.
func TestFoldersComeBack(t *testing.T) {
	b, _ := buckettest.NewDisk(t)
	var wg sync.WaitGroup
	for _, key := range []string{"x/y/1", "x/y/2", "x/3"} {
		wg.Go(func() {
			for range 100 {
				if err := b.Put(t.Context(), key, "", []byte(key)); err != nil {
					t.Errorf("Put = %v", err)
				}
				if _, err := b.Head(t.Context(), key); err != nil {
					t.Errorf("Head = %v", err)
				}
				if err := b.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete = %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestLeftovers: U4. What a crash left half written goes; what may still be
// written by another process stays.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(dir, ".tmp", "old"), filepath.Join(dir, ".tmp", "fresh")
	for _, name := range []string{old, fresh} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir})
	if got := files(t, dir); len(got) != 1 || got[0] != ".tmp/fresh" {
		t.Errorf("left: %q", got)
	}
	for _, prefix := range []string{"", ".", ".tmp/", ".tmp"} {
		if err := b.List(t.Context(), prefix, func(o bucket.Object) error { t.Errorf("listed %+v", o); return nil }); err != nil {
			t.Error(err)
		}
	}
}

// TestTags: U5. Other bytes of the same length have another tag, however quick,
// whatever the clock says; and the tag is the same after a restart.
func TestTags(t *testing.T) {
	dir := t.TempDir()
	still := time.Now()
	o := disk.Options{Dir: dir, Now: func() time.Time { return still }}
	b, _ := buckettest.DiskWith(t, o)
	seen := map[string]bool{}
	last := ""
	for range 50 {
		if err := b.Put(t.Context(), "media/1", "image/jpeg", []byte("same")); err != nil {
			t.Fatal(err)
		}
		got, err := b.Head(t.Context(), "media/1")
		if err != nil || seen[got.ETag] {
			t.Fatalf("Head = %+v, %v: seen before", got, err)
		}
		seen[got.ETag], last = true, got.ETag
	}
	again, _ := buckettest.DiskWith(t, o)
	if got, err := again.Head(t.Context(), "media/1"); err != nil || got.ETag != last {
		t.Errorf("after a restart %+v, %v, want %s", got, err, last)
	}
}

// brokenWriter fails after some bytes, as a disk does.
type brokenWriter struct {
	f    *os.File
	room int
	err  error
	sync bool // fails only when asked to see the bytes on disk
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 && !w.sync {
		return 0, w.err
	}
	return w.f.Write(p)
}

func (w *brokenWriter) Sync() error {
	if w.sync {
		return w.err
	}
	return w.f.Sync()
}

// TestDiskFull: D16. A full disk fails writes cleanly, keeps reads, and heals.
func TestDiskFull(t *testing.T) {
	var room uint64 = 1 << 40
	wrap := func(err error, sync bool) func(*os.File) disk.Writer {
		return func(f *os.File) disk.Writer { return &brokenWriter{f: f, room: 100, err: err, sync: sync} }
	}
	for _, tt := range []struct {
		name string
		free uint64
		wrap func(*os.File) disk.Writer
		full bool
	}{
		{"under the reserve", 1000, nil, true},
		{"just under", 1<<20 + 499, nil, true},
		{"no space", 1 << 40, wrap(&os.PathError{Op: "write", Err: syscall.ENOSPC}, false), true},
		{"quota", 1 << 40, wrap(syscall.EDQUOT, false), true},
		{"no space found late", 1 << 40, wrap(syscall.ENOSPC, true), true},
		{"broken", 1 << 40, wrap(syscall.EIO, false), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			free := room
			b, _ := buckettest.DiskWith(t, disk.Options{Dir: dir, Reserve: 1 << 20, Free: func() (uint64, error) { return free, nil }})
			body := []byte(strings.Repeat("x", 500))
			if err := b.Put(t.Context(), "media/1", "image/jpeg", body); err != nil {
				t.Fatal(err)
			}
			form, err := b.Form(t.Context(), buckettest.Upload("uploads/1"))
			if err != nil {
				t.Fatal(err)
			}
			free = tt.free
			if tt.wrap != nil {
				b.WrapWrites(tt.wrap)
			}
			for name, err := range map[string]error{
				"Put":  b.Put(t.Context(), "media/2", "image/jpeg", body),
				"Copy": b.Copy(t.Context(), "media/1", "", "media/2", "image/jpeg"),
			} {
				if err == nil || errors.Is(err, bucket.ErrFull) != tt.full {
					t.Errorf("%s = %v", name, err)
				}
			}
			want := 507
			if !tt.full {
				want = 500
			}
			if res := buckettest.Post(t, form, body, nil); res.StatusCode != want {
				t.Errorf("upload: %s", res.Status)
			}
			if got := files(t, dir); len(got) != 2 {
				t.Errorf("left: %q", got)
			}
			if _, err := buckettest.Read(t.Context(), b, "media/1", ""); err != nil {
				t.Errorf("reads go on: %v", err)
			}
			free = room
			b.WrapWrites(func(f *os.File) disk.Writer { return f })
			if res := buckettest.Post(t, form, body, nil); res.StatusCode != 204 {
				t.Errorf("with room again: %s", res.Status)
			}
		})
	}
}

// TestOptions: what cannot work is refused at the start.
func TestOptions(t *testing.T) {
	base := func() string { return "http://x" }
	for name, o := range map[string]disk.Options{
		"no secret":    {BaseURL: base},
		"empty secret": {BaseURL: base, Secrets: []string{"a", ""}},
		"no base":      {Secrets: []string{"a"}},
		"path":         {BaseURL: base, Secrets: []string{"a"}, Path: "storage"},
	} {
		o.Dir = t.TempDir()
		if _, err := disk.New(o); err == nil {
			t.Errorf("%s: New = nil", name)
		}
	}
}
