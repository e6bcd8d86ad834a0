package buckettest

import (
	"bytes"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// Post posts a form as a browser does: the fields, and then the file. change,
// when there is one, is a client that does not keep to what it was given. The
// body of the response has been read and may be read again.
func Post(t testing.TB, form bucket.Form, file []byte, change func(fields map[string]string)) *http.Response {
	t.Helper()
	fields := maps.Clone(form.Fields)
	if change != nil {
		change(fields)
	}
	contentType, body := Multipart(t, fields, file)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, text := do(t, req)
	res.Body = io.NopCloser(strings.NewReader(text))
	return res
}

// Multipart writes a form as it travels: fields in sorted order, the file last.
// The file's own type says HTML, which must not matter.
func Multipart(t testing.TB, fields map[string]string, file []byte) (contentType string, body []byte) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := w.WriteField(name, fields[name]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreatePart(map[string][]string{
		"Content-Disposition": {`form-data; name="file"; filename="../../evil.html"`},
		"Content-Type":        {"text/html"},
	})
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), buf.Bytes()
}
