package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// transferLimit is how long one upload or download may take (promise O4). It
// replaces the server's own, shorter limit, which is meant for JSON.
const transferLimit = 5 * time.Minute

// ServeHTTP honours permits: a form is posted to the handler's own path, an
// object is read below it.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	key, ok := strings.CutPrefix(r.URL.Path, b.path)
	switch {
	case !ok:
		refuse(w, r, http.StatusNotFound, "not_found", "There is nothing at this address.")
	case key == "" && r.Method == http.MethodPost:
		b.upload(w, r)
	case key == "":
		h.Set("Allow", "POST")
		refuse(w, r, http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed.")
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		b.download(w, r, key)
	default:
		h.Set("Allow", "GET, HEAD")
		refuse(w, r, http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed.")
	}
}

// download serves an object as its permit says (promises U9, U10, U11).
func (b *Bucket) download(w http.ResponseWriter, r *http.Request, key string) {
	d, err := b.readURL(key, r.URL)
	if err != nil {
		refuse(w, r, http.StatusForbidden, "forbidden", err.Error())
		return
	}
	f, o, err := b.open(r.Context(), key, "")
	if errors.Is(err, bucket.ErrNotFound) {
		refuse(w, r, http.StatusNotFound, "not_found", "The file is not there any more.")
		return
	}
	if err != nil {
		fail(w, r)
		return
	}
	defer f.Close()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferLimit)) // not every server has deadlines

	h := w.Header()
	h.Set("Content-Type", d.ContentType)
	if d.ContentType == "" {
		h.Set("Content-Type", "application/octet-stream")
	}
	h.Set("Content-Disposition", d.Disposition())
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // the web client has another origin
	h.Set("Cache-Control", cacheControl(d, b.now()))
	h.Set("ETag", o.ETag)
	// One range of bytes is streamed. Many would be a way to have the file many times
	// for the price of one request, and ranges of another unit are ignored (RFC 9110,
	// 14.2): net/http would refuse them.
	if asked := strings.Join(r.Header.Values("Range"), ","); strings.Contains(asked, ",") || !strings.HasPrefix(strings.ToLower(asked), "bytes=") {
		r.Header.Del("Range")
	} else {
		r.Header.Set("Range", "bytes="+asked[len("bytes="):]) // units have no case
	}
	http.ServeContent(&content{ResponseWriter: w, request: r}, r, "", o.Modified, f)
}

// content is the answer of [http.ServeContent], whose refusals are plain text or
// nothing: here they are told as all others are.
type content struct {
	http.ResponseWriter

	request *http.Request
	refused bool
}

// WriteHeader implements [http.ResponseWriter].
func (c *content) WriteHeader(status int) {
	if status < 400 {
		c.ResponseWriter.WriteHeader(status)
		return
	}
	c.refused = true
	h := c.Header()
	for _, about := range []string{"Content-Disposition", "Content-Length", "ETag", "Last-Modified"} {
		h.Del(about) // the file
	}
	switch status {
	case http.StatusRequestedRangeNotSatisfiable:
		refuse(c.ResponseWriter, c.request, status, "range_not_satisfiable", "The file has no such range of bytes.")
	case http.StatusPreconditionFailed:
		refuse(c.ResponseWriter, c.request, status, "precondition_failed", "The file has changed.")
	default:
		fail(c.ResponseWriter, c.request)
	}
}

// Write implements [io.Writer].
func (c *content) Write(p []byte) (int, error) {
	if c.refused {
		return len(p), nil // the text that was replaced
	}
	return c.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom], so that the refusals above are not passed by.
func (c *content) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(c.ResponseWriter, r)
}

// cacheControl is that of the Download, but nobody may keep the bytes longer
// than the URL is good for: here, unlike at an object store, the time left is
// known.
func cacheControl(d bucket.Download, now time.Time) string {
	left := max(int64(d.Expires.Sub(now)/time.Second), 0)
	if d.Private || left >= 1800 {
		return d.CacheControl()
	}
	return fmt.Sprintf("public, max-age=%d, s-maxage=%d", left, min(left, 60))
}

// problem is the document of RFC 9457 in the shape that all of the API has.
type problem struct {
	Type      string `json:"type"` // stable, for programs
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"` // for people
	RequestID string `json:"request_id"`
}

// refuse answers with a problem document.
func refuse(w http.ResponseWriter, r *http.Request, status int, kind, detail string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{
		Type: kind, Title: http.StatusText(status), Status: status, Detail: detail,
		RequestID: r.Header.Get("X-Request-Id"),
	}) // fails only if the client has gone
}

// fail answers what nobody foresaw, and keeps the reason to ourselves.
func fail(w http.ResponseWriter, r *http.Request) {
	refuse(w, r, http.StatusInternalServerError, "internal", "Something went wrong on our side.")
}
