// Package bucket names what a place for objects can do, and what it says when
// it cannot. It has two implementations with the same permits: bucket/s3, and
// bucket/disk, which the product serves itself. buckettest holds the one test
// suite that both pass.
//
// Keys are made by the server: ASCII letters, digits, "-", "_", "." and single
// slashes between non-empty segments that do not begin with a dot. Keys that
// came with the older backend's data are kept as they are.
package bucket

import (
	"errors"
	"time"
)

// What an object store says when it cannot do what was asked. Anything else is
// a failure whose outcome is not known.
var (
	// ErrNotFound says that no such object is there.
	ErrNotFound = errors.New("no such object")
	// ErrChanged says that the object is no longer the one that was named by
	// its tag.
	ErrChanged = errors.New("the object has changed")
	// ErrFull says that there is no room for the object.
	ErrFull = errors.New("no room for the object")
)

// Object is what a bucket knows of a stored object. Size is in bytes, Modified
// in UTC. ETag names these very bytes under this key; it is opaque.
type Object struct {
	Key      string
	Size     int64
	ETag     string
	Modified time.Time
}

// Upload is what a client may put where: one key, one type, a size in bytes
// between two bounds (both included), until a moment.
type Upload struct {
	Key         string
	ContentType string
	MinSize     int64
	MaxSize     int64
	Expires     time.Time
}

// Form is a permit to upload: the client posts Fields as multipart/form-data to
// URL, with the bytes in a last field named "file". Expires may be sooner than
// was asked for, never later: a permit does not outlive the credentials that
// signed it.
type Form struct {
	URL     string
	Fields  map[string]string
	Expires time.Time
}

// Download is what a client may read: one key, as a type, between two moments.
// The same Download gives the same URL wherever the same credentials sign it,
// so that browsers can cache what is behind it: From is when the URL is said to
// have been signed.
type Download struct {
	Key         string
	ContentType string
	// FileName, when set, makes browsers save the object under this name
	// (Content-Disposition: attachment) instead of showing it.
	FileName string
	// Private keeps the object out of every shared cache ("private, no-store");
	// otherwise browsers may keep it for a while, see CacheControl.
	Private bool
	From    time.Time
	Expires time.Time
}

// CacheControl is how long the bytes behind a Download may be kept. Browsers
// may keep a photo as long as its URL is the current one, half an hour; a shared
// cache at the edge for a minute, so that a deleted photo is gone from there
// without being told (promise U10).
func (d Download) CacheControl() string {
	if d.Private {
		return "private, no-store"
	}
	return "public, max-age=1800, s-maxage=60"
}
