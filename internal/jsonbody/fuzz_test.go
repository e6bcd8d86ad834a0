package jsonbody_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
)

// FuzzCheck_I1 holds our reading of a body against the standard library's:
// what we take it takes, too, as an object of valid text.
func FuzzCheck_I1(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,"x",null,{"b":true}]}`, `{"a":1,"a":2}`, `{"a":"\u0000"}`, `{"a":"\ud800"}`, "{\"\xff\":1}", `[]`, `{}{}`, `{"a":1e999}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if err := jsonbody.Check([]byte(body)); err != nil {
			if fault.As(err) == nil {
				t.Errorf("Check(%q) = %v, which is no answer for a client", body, err)
			}
			return
		}
		var v map[string]any
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber() // a number may be larger than any machine's
		if err := d.Decode(&v); err != nil || v == nil || !utf8.ValidString(body) {
			t.Errorf("Check(%q) takes what is no object of valid text: %v", body, err)
		}
	})
}
