package parts_test

import (
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ridecopilot/ridecopilot/internal/parts"
)

// read returns the texts of a form's parts.
func read(body io.Reader) ([]string, error) {
	form := multipart.NewReader(parts.Whole(body), "b")
	var got []string
	for {
		p, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		got = append(got, string(text))
	}
}

const part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n"

func TestWhole(t *testing.T) {
	for body, want := range map[string]string{
		"--b--":                                "",
		"--b--\r\n":                            "",
		part + "--b--":                         "x",
		part + part + "--b--\r\n":              "x,x",
		"before\r\n" + part + "--b--\r\nafter": "x",
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(body), "bytes": iotest.OneByteReader(strings.NewReader(body))} {
			got, err := read(r)
			if err != nil || strings.Join(got, ",") != want {
				t.Errorf("%s of %q: %q, %v, want %q", name, body, got, err, want)
			}
		}
	}
	for _, body := range []string{"", "x", "\r\n", "--other--\r\n", "--b", "--b\r\n", "--b\r\nContent-Dis", part, part[:len(part)-2], part + "--b", part + "--b\r\n", part + "--b\r\n\r\n"} {
		if got, err := read(strings.NewReader(body)); err == nil {
			t.Errorf("%q is a form of %q, want an error", body, got)
		}
	}
}
