package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/parts"
)

const (
	maxParts = 40       // of a form (promise U12)
	maxField = 8 << 10  // of one field that is not the file
	margin   = 64 << 10 // for all that is in a body beside the file
)

// A refusal is an upload's failure that the client is told about.
type refusal struct {
	status       int
	kind, detail string
}

func (r refusal) Error() string { return r.detail }

func invalid(detail string) refusal { return refusal{http.StatusBadRequest, "invalid", detail} }

// errBody is about a body that is beyond every limit.
var errBody = refusal{http.StatusRequestEntityTooLarge, "too_large", "The upload is larger than the form permits."}

// upload takes a form with a file. The permit is checked before a byte of the
// file is read, and nothing of a refused upload stays (promises U2, U4, U12).
func (b *Bucket) upload(w http.ResponseWriter, r *http.Request) {
	deadlines := http.NewResponseController(w)
	limit := time.Now().Add(transferLimit)
	_ = deadlines.SetReadDeadline(limit) // not every server has deadlines
	_ = deadlines.SetWriteDeadline(limit.Add(10 * time.Second))

	o, err := b.receive(w, r)
	var no refusal
	var permit permitError
	switch {
	case err == nil:
		w.Header().Set("ETag", o.ETag)
		w.WriteHeader(http.StatusNoContent)
	case errors.As(err, &no):
		refuse(w, r, no.status, no.kind, no.detail)
	case errors.As(err, &permit):
		refuse(w, r, http.StatusForbidden, "forbidden", permit.Error())
	case errors.Is(err, bucket.ErrFull):
		refuse(w, r, http.StatusInsufficientStorage, "storage_full", "There is no room for the file at the moment. Try again later.")
	default:
		fail(w, r)
	}
}

// body is the body of a request, whose limit is known only once the form has
// been read.
type body struct{ io.Reader }

func (b *Bucket) receive(w http.ResponseWriter, r *http.Request) (o bucket.Object, err error) {
	raw := r.Body
	limited := &body{http.MaxBytesReader(w, raw, margin)}
	r.Body = io.NopCloser(parts.Whole(limited))
	form, err := r.MultipartReader() // which takes multipart/mixed as well
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "multipart/form-data" {
		return bucket.Object{}, refusal{http.StatusUnsupportedMediaType, "unsupported_media", "An upload is a form: multipart/form-data."}
	}
	fields, file, err := readFields(form)
	if err != nil {
		return bucket.Object{}, err
	}
	p, err := b.readPolicy(fields)
	if err != nil {
		return bucket.Object{}, err
	}
	if r.ContentLength > p.MaxSize+margin {
		return bucket.Object{}, errBody
	}
	// A client that is still sending reads no answer, and sees a connection that was
	// cut. One with a permit is read to the end of what it may send, and then refused.
	defer func() {
		if err != nil {
			_, _ = io.CopyN(io.Discard, limited, p.MaxSize+margin)
		}
	}()
	limited.Reader = http.MaxBytesReader(w, raw, p.MaxSize+margin)
	if err := b.ask(r.Context(), p.Key); err != nil {
		return bucket.Object{}, err
	}
	most := p.MaxSize
	if r.ContentLength >= 0 {
		most = min(most, r.ContentLength) // the rest is not needed, so no room is asked for it
	}
	o, err = b.write(r.Context(), p.Key, file, p.MinSize, most, func() error {
		if err := end(form); err != nil {
			return err
		}
		return b.ask(r.Context(), p.Key)
	})
	return o, explain(err, p)
}

// ask refuses an upload that is not waited for any more.
func (b *Bucket) ask(ctx context.Context, key string) error {
	if b.wanted == nil {
		return nil
	}
	switch ok, err := b.wanted(ctx, key); {
	case err != nil:
		return fmt.Errorf("ask whether the upload is wanted: %w", err)
	case !ok:
		return permitError("The form does not count any more.")
	}
	return nil
}

// readFields reads a form up to its file.
func readFields(form *multipart.Reader) (map[string]string, io.Reader, error) {
	fields := map[string]string{}
	for range maxParts {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, nil, invalid("The form has no file.")
		}
		if err != nil {
			return nil, nil, badBody(err)
		}
		name := part.FormName()
		if name == fieldFile {
			return fields, part, nil
		}
		if _, twice := fields[name]; twice {
			return nil, nil, invalid("The form has a field twice.")
		}
		value, err := io.ReadAll(io.LimitReader(part, maxField+1))
		if err != nil {
			return nil, nil, badBody(err)
		}
		if len(value) > maxField {
			return nil, nil, invalid("The form has a field that is too long.")
		}
		fields[name] = string(value)
	}
	return nil, nil, invalid("The form has too many fields.")
}

// end makes sure that nothing follows the file. The file would have been stored
// by then, and what follows could be meant to say something about it.
func end(form *multipart.Reader) error {
	switch _, err := form.NextRawPart(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return badBody(err)
	default:
		return invalid("The file is not the last field of the form.")
	}
}

// badBody says what is wrong with a body that cannot be read.
func badBody(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errBody
	}
	return invalid("The upload was cut off, or is no form.")
}

// explain turns the failure of a write into what the client is told.
func explain(err error, p policy) error {
	var size sizeError
	var read readError
	switch {
	case errors.As(err, &read):
		return badBody(read.err)
	case errors.As(err, &size) && size.tooLarge:
		return refusal{http.StatusBadRequest, "too_large", fmt.Sprintf("The file is too large: at most %d bytes are taken.", p.MaxSize)}
	case errors.As(err, &size):
		return refusal{http.StatusBadRequest, "too_small", fmt.Sprintf("The file is too small: at least %d bytes are needed.", p.MinSize)}
	default:
		return err
	}
}
