package legacyapi_test

import (
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/legacyapi"
)

var pythonNumber = regexp.MustCompile(`^[ \t\n\v\f\r]*[+-]?[0-9]+(_[0-9]+)*[ \t\n\v\f\r]*$`)

// FuzzPythonInt reads ASCII as Python's int does, and any other text without harm.
func FuzzPythonInt(f *testing.F) {
	for _, s := range []string{"7", " 07 ", "+7", "-7", "1_000", "1__0", "_1", "1_", "+", "", "٧", "２", "𝟐", "99999999999999999999", "0x7", "7.0", "\x1c7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := legacyapi.PythonInt(s)
		if !pythonNumber.MatchString(s) {
			if err == nil && strings.Trim(s, "+-_ \t\n\v\f\r\x1c\x1d\x1e\x1f0123456789") == "" && !strings.ContainsAny(s, "\x1c\x1d\x1e\x1f") {
				t.Fatalf("%q = %d, which is no number", s, got)
			}
			return
		}
		want, _ := new(big.Int).SetString(strings.ReplaceAll(strings.TrimSpace(s), "_", ""), 10)
		if errors.Is(err, strconv.ErrRange) && !want.IsInt64() {
			return
		}
		if err != nil || want.Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("%q = %d, %v, want %v", s, got, err, want)
		}
	})
}

// FuzzBody reads any body of any kind: what comes out is text in UTF-8 without NUL.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"a":"b","c":1,"d":null,"e":[]}`, "a=b&c=d", "a=b&a=c", "a=%00", "a=%ff", "a=b;c=d",
		"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n",
		"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nb\r\n--x--\r\n",
	} {
		for _, kind := range []string{"application/json", formType, "multipart/form-data; boundary=x", "text/plain", "application/json; charset=latin1"} {
			f.Add(kind, s)
		}
	}
	f.Fuzz(func(t *testing.T, kind, s string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(s))
		r.Header.Set("Content-Type", kind)
		texts, err := legacyapi.ReadBody(r)
		if err != nil {
			return
		}
		for name, text := range texts {
			if !utf8.ValidString(name+text) || strings.Contains(text, "\x00") {
				t.Fatalf("%s %q: %q = %q", kind, s, name, text)
			}
		}
	})
}
