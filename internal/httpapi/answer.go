package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

// answer holds a JSON answer back until it is whole, so that it can be tagged,
// compared with what the client has, and kept for a repetition. Anything else
// (an export) passes through.
type answer struct {
	http.ResponseWriter
	r       *http.Request
	status  int
	body    *bytes.Buffer
	through bool
}

func newAnswer(w http.ResponseWriter, r *http.Request) *answer {
	b := buffers.Get().(*bytes.Buffer) //nolint:errcheck // nothing else is put there
	b.Reset()
	return &answer{ResponseWriter: w, r: r, body: b}
}

// buffers are those of answers that are over.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxBuffer is how much a buffer may hold that waits for the next answer.
const maxBuffer = 64 << 10

// free gives the buffer back once nobody looks at the answer any more.
func (a *answer) free() {
	if a.body.Cap() <= maxBuffer {
		buffers.Put(a.body)
	}
	a.body = nil
}

func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	if ct := a.Header().Get("Content-Type"); ct != "" && !strings.HasPrefix(ct, "application/json") {
		a.through = true
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.through {
		return a.ResponseWriter.Write(b)
	}
	return a.body.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// SetReadDeadline does nothing: the body has been read when huma sets its own,
// under the rules of the server.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// tag sets the ETag. Of a single object it is version-state-view: state is a hash
// of the stored fields, view one of the answer, which holds more (signed addresses,
// days left, whether it is a favourite). Of anything else it is the view alone.
// If-Match compares version and state, If-None-Match the whole.
func (a *answer) tag() {
	if a.through || a.status < 200 || a.status > 299 || a.body.Len() == 0 {
		return
	}
	tag := digest(a.body.Bytes())
	if v := a.Header().Get(versionHeader); v != "" {
		tag = v + "-" + tag
	}
	a.Header().Set("ETag", `"`+tag+`"`)
}

// versionHeader carries an object's version and state from its handler to its tag;
// it never leaves.
const versionHeader = "X-Object-Version"

// digest is a short hash for a tag.
func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

// versionTag is the part of an object's tag that If-Match compares. Two databases,
// one restored from an older copy, may give one version to different fields: the
// hash of the stored fields tells them apart.
func versionTag(version int64, stored any) string {
	b, err := json.Marshal(stored)
	if err != nil { // made of our own types
		panic(err)
	}
	return itoa(version) + "-" + digest(b)
}

// flush sends what was held back.
func (a *answer) flush() {
	if a.through || a.status == 0 {
		return
	}
	a.tag()
	h := a.Header()
	h.Del(versionHeader)
	if a.status == http.StatusOK && (a.r.Method == http.MethodGet || a.r.Method == http.MethodHead) &&
		noneMatch(a.r.Header.Values("If-None-Match"), h.Get("ETag")) {
		h.Del("Content-Type")
		a.ResponseWriter.WriteHeader(http.StatusNotModified)
		return
	}
	if n := a.body.Len(); n > 0 {
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", "application/json")
		}
		h.Set("Content-Length", strconv.Itoa(n)) // or it would leave in chunks
	}
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = a.ResponseWriter.Write(a.body.Bytes()) // fails only if the client has gone
}

// noneMatch tells whether the client has the very answer that etag names (weak
// comparison, RFC 9110 section 13.1.2).
func noneMatch(headers []string, etag string) bool {
	for tag := range tagsOf(headers) {
		if tag == "*" || strong(tag) == strings.Trim(etag, `"`) {
			return true
		}
	}
	return false
}

// tagsOf lists the entity tags of If-Match or If-None-Match headers.
func tagsOf(headers []string) map[string]bool {
	tags := map[string]bool{}
	for _, h := range headers {
		for tag := range strings.SplitSeq(h, ",") {
			tags[strings.TrimSpace(tag)] = true
		}
	}
	return tags
}

// strong returns a tag of ours as it was before a proxy compressed the answer:
// without the mark of weakness, the suffixes that servers add, and its quotes. It
// returns "" for anything that is no tag.
func strong(tag string) string {
	tag = strings.TrimPrefix(tag, "W/")
	if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return ""
	}
	tag = tag[1 : len(tag)-1]
	for _, suffix := range []string{"-gzip", "-br", "-zstd"} { // of Apache and others
		tag = strings.TrimSuffix(tag, suffix)
	}
	return tag
}

// match reads If-Match: whether a version, with its stored fields, is one that the
// client has seen. A foreign tag matches nothing; without the header anything
// matches. A weak tag of ours counts, against RFC 9110 (13.1.1): proxies weaken the
// tags of answers they compress, and the compared part describes the stored fields,
// however the answer travelled.
func match(header string) account.Match {
	if header == "" {
		return nil
	}
	tags := tagsOf([]string{header})
	if tags["*"] {
		return nil
	}
	return func(version int64, stored any) bool {
		current := versionTag(version, stored)
		for tag := range tags {
			seen := strong(tag)
			if i := strings.LastIndexByte(seen, '-'); i > 0 && seen[:i] == current && len(seen)-i-1 == viewLength {
				return true
			}
		}
		return false
	}
}

// viewLength is that of the last part of an object's tag.
const viewLength = 16
