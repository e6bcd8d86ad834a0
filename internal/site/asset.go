package site

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// asset is a file that pages use. It rests compressed, and its name holds a hash
// of what is in it, so that browsers may keep it for as long as they like.
type asset struct {
	name, contentType string
	zipped            func() []byte
}

// newAsset takes a file of ours, and compresses it when somebody first asks: the
// compressor takes most of a megabyte for a file of any size.
func newAsset(name, contentType string, plain []byte) *asset {
	return &asset{name: hashed(name, plain), contentType: contentType, zipped: sync.OnceValue(func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(plain) // a buffer takes everything
		_ = z.Close()
		return b.Bytes()
	})}
}

// zippedAsset takes a file that is compressed already.
func zippedAsset(name, contentType string, zipped []byte) *asset {
	return &asset{name: hashed(name, zipped), contentType: contentType, zipped: func() []byte { return zipped }}
}

// hashed puts a hash of the content into a name.
func hashed(name string, content []byte) string {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
}

// forever serves the file under its name with the hash.
func (a *asset) forever(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, "public, max-age=31536000, immutable")
}

// forADay serves the file under a name that stays when the file changes.
func (a *asset) forADay(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, "public, max-age=86400")
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request, caching string) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", caching)
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header) {
		h.Set("Content-Encoding", "gzip")
		zipped := a.zipped()
		h.Set("Content-Length", strconv.Itoa(len(zipped)))
		_, _ = w.Write(zipped)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(a.zipped()))
	if err != nil {
		panic(err) // built in, and compressed by us
	}
	_, _ = io.Copy(w, z) //nolint:gosec // G110: its size is known, it is ours. It fails only if the client has gone.
}
