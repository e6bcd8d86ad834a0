// Package jsonbody looks at JSON that clients send before anything reads it:
// what two readers might understand in two ways is refused, never repaired
// (promise I1).
package jsonbody

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// maxDepth is how deep a body may be nested.
const maxDepth = 32

// Check makes sure that a body is one JSON object that everybody reads the same
// way: UTF-8 without lone surrogates, no name twice, no NUL, not too deep. The
// error is a fault that names the place.
func Check(raw []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for first := true; ; first = false {
		t, err := d.ReadToken()
		if err != nil {
			return unreadable(err)
		}
		if first && t.Kind() != '{' {
			return fault.InvalidField("", "invalid", "The body must be a JSON object.")
		}
		if d.StackDepth() > maxDepth {
			return fault.InvalidField("", "too_deep", "The body is nested deeper than 32 levels.")
		}
		if t.Kind() == '"' && strings.IndexByte(t.String(), 0) >= 0 {
			return fault.InvalidField(pathOf(string(d.StackPointer())), "null_characters_not_allowed", "Null characters are not allowed.")
		}
		if d.StackDepth() == 0 && t.Kind() == '}' {
			if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
				return fault.InvalidField("", "parse_error", "The body must be one JSON value and nothing behind it.")
			}
			return nil
		}
	}
}

// unreadable says what is wrong with a text that is not JSON.
func unreadable(err error) error {
	e, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return fault.InvalidField("", "parse_error", "The body is not valid JSON.")
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return fault.InvalidField(pathOf(string(e.JSONPointer)), "duplicate", "This name stands in the object more than once.")
	}
	return fault.InvalidField(pathOf(string(e.JSONPointer)), "parse_error", "The body is not valid JSON (at byte "+strconv.FormatInt(e.ByteOffset, 10)+").")
}

// pathOf spells a JSON pointer as field names are spelled here: /a/0/b is a[0].b.
func pathOf(pointer string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if _, err := strconv.Atoi(part); err == nil {
			b.WriteString("[" + part + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
	}
	return Clip(b.String())
}

// Clip keeps a name that a client made up from filling an answer.
func Clip(name string) string {
	if r := []rune(name); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return name
}
