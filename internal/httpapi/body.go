package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
)

// body is a JSON object that is decoded into the fields of T, each by itself:
// what cannot be read is noted by name, and the rest still counts, so that a
// client learns of every bad field at once. A field of T is an opt or a maybe.
type body[T any] struct {
	in  T
	bad fault.Fields
}

// readOnly is implemented by the types of bodies that have fields which only
// the server writes.
type readOnly interface{ readOnlyFields() []string }

// Schema describes the body as T is described.
func (body[T]) Schema(r huma.Registry) *huma.Schema { return bodySchema(r, reflect.TypeFor[T]()) }

// bodySchema describes an object that clients send. Its fields may be left out
// but for those that are tagged as required (by POST and PUT: see patchSchema).
func bodySchema(r huma.Registry, t reflect.Type) *huma.Schema {
	ref := r.Schema(t, true, "")
	s := r.SchemaFromRef(ref.Ref)
	s.Required = nil
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("required") == "true" {
			s.Required = append(s.Required, f.Tag.Get("json"))
		}
	}
	return ref
}

// patchSchema is the same object where no field is required.
func patchSchema(r huma.Registry, ref *huma.Schema) *huma.Schema {
	whole := r.SchemaFromRef(ref.Ref)
	if len(whole.Required) == 0 {
		return ref
	}
	name := strings.TrimPrefix(ref.Ref, schemaPrefix) + "Patch"
	part := *whole
	part.Required = nil
	r.Map()[name] = &part
	return &huma.Schema{Ref: schemaPrefix + name}
}

const schemaPrefix = "#/components/schemas/"

// UnmarshalJSON decodes the fields; it never fails, see bad.
func (b *body[T]) UnmarshalJSON(raw []byte) error {
	decodeObject(raw, "", reflect.ValueOf(&b.in).Elem(), &b.bad)
	return nil
}

// decodeObject reads the members of an object into the fields of a struct, in
// the exact case of their names (promise I1). Unknown and read-only names are
// refused: a typo must not be lost silently.
func decodeObject(raw []byte, at string, into reflect.Value, bad *fault.Fields) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		bad.Add(strings.TrimSuffix(at, "."), "invalid", "This must be an object.")
		return
	}
	t := into.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		value, given := members[name]
		if !given {
			continue
		}
		delete(members, name)
		f, ok := into.Field(i).Addr().Interface().(field)
		if !ok {
			panic("httpapi: a field of a body is neither opt nor maybe: " + t.Field(i).Name)
		}
		f.decode(value, at+name, bad)
	}
	if ro, ok := into.Interface().(readOnly); ok {
		for _, name := range ro.readOnlyFields() {
			if _, given := members[name]; given {
				delete(members, name)
				bad.Add(at+name, "read_only", "This field is written by the server only.")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		bad.Add(at+jsonbody.Clip(name), "unknown", "There is no such field.")
	}
}

// field is a value of a body.
type field interface {
	decode(raw []byte, name string, bad *fault.Fields)
}

// opt is a field that may be absent, but not null.
type opt[T any] struct {
	Set bool
	V   T
}

func (o *opt[T]) decode(raw []byte, name string, bad *fault.Fields) {
	if string(raw) == "null" {
		bad.Add(name, "null", "This field may not be null.")
		return
	}
	o.Set = decodeValue(raw, &o.V, name, bad)
}

// Schema describes the field as T is described.
func (opt[T]) Schema(r huma.Registry) *huma.Schema { return valueSchema[T](r) }

// to writes the value, if there is one.
func (o opt[T]) to(v *T) {
	if o.Set {
		*v = o.V
	}
}

// ptr is the value, nil without one.
func (o opt[T]) ptr() *T {
	if !o.Set {
		return nil
	}
	return &o.V
}

// require notes that a field is missing.
func (o opt[T]) require(name string, bad *fault.Fields) T {
	if !o.Set && !bad.Has(name) {
		bad.Add(name, "required", "This field is required.")
	}
	return o.V
}

// maybe is a field that may be absent or null.
type maybe[T any] struct {
	Set bool
	V   *T
}

func (m *maybe[T]) decode(raw []byte, name string, bad *fault.Fields) {
	if string(raw) == "null" {
		m.Set = true
		return
	}
	var v T
	if decodeValue(raw, &v, name, bad) {
		m.Set, m.V = true, &v
	}
}

// Schema describes the field as T or null.
func (maybe[T]) Schema(r huma.Registry) *huma.Schema {
	s := valueSchema[T](r)
	if s.OneOf != nil {
		s.OneOf = append(s.OneOf, &huma.Schema{Type: "null"})
	} else {
		s.Nullable = true
	}
	return s
}

// to writes the value or the null, if there is one.
func (m maybe[T]) to(v **T) {
	if m.Set {
		*v = m.V
	}
}

// signed is an amount that may be below zero.
type signed fixed.Amount

// valueSchema describes a T as clients may send it.
func valueSchema[T any](r huma.Registry) *huma.Schema {
	var v T
	switch any(v).(type) {
	case fixed.Amount: // a number or a numeric string
		return &huma.Schema{OneOf: []*huma.Schema{{Type: "string", Pattern: `^[0-9]{1,8}(\.[0-9]{1,2})?$`}, {Type: "number", Minimum: new(float64)}}, Examples: []any{"1234.50"}}
	case signed:
		return &huma.Schema{OneOf: []*huma.Schema{{Type: "string", Pattern: `^-?[0-9]{1,8}(\.[0-9]{1,2})?$`}, {Type: "number"}}, Examples: []any{"1234.50"}}
	case []itemBody:
		return &huma.Schema{Type: "array", Items: bodySchema(r, reflect.TypeFor[itemBody]()), MaxItems: new(earnings.MaxItems)}
	}
	s := huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Format, s.Nullable = strings.TrimPrefix(s.Format, "int64"), false
	return s
}

// decodeValue reads one value and tells whether it could.
func decodeValue(raw []byte, into any, name string, bad *fault.Fields) bool {
	var code, message string
	switch v := into.(type) {
	case *string:
		if raw[0] == '"' && json.Unmarshal(raw, v) == nil {
			return true
		}
		code, message = "invalid", "Not a valid string."
	case *int:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err == nil && n >= math.MinInt32 && n <= math.MaxInt32 {
			*v = int(n)
			return true
		}
		code, message = "invalid", "A valid integer is required."
	case *int64:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err == nil {
			*v = n
			return true
		}
		code, message = "invalid", "A valid integer is required."
	case *bool:
		if string(raw) == "true" || string(raw) == "false" {
			*v = raw[0] == 't'
			return true
		}
		code, message = "invalid", "Must be true or false."
	case *fixed.Amount:
		return decodeAmount(unquoted(raw), v, name, bad)
	case *signed:
		return decodeSigned(unquoted(raw), (*fixed.Amount)(v), name, bad)
	case *calendar.Day:
		var text string
		if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
			return decodeDay(text, v, name, bad)
		}
		code, message = "invalid", calendar.ErrInvalid.Error()
	case *[]int:
		return decodeNumbers(raw, v, name, bad)
	case *[]int64:
		return decodeNumbers(raw, v, name, bad)
	case *[]itemBody:
		return decodeList(raw, name, bad, func(raw []byte, at string) {
			var item itemBody
			decodeObject(raw, at+".", reflect.ValueOf(&item).Elem(), bad)
			*v = append(*v, item)
		})
	default:
		panic("httpapi: no way to decode " + reflect.TypeOf(into).String())
	}
	bad.Add(name, code, message)
	return false
}

// unquoted is a number, or the text of a string.
func unquoted(raw []byte) string {
	text := string(raw)
	if raw[0] == '"' && json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

func decodeAmount(text string, into *fixed.Amount, name string, bad *fault.Fields) bool {
	return takeAmount(fixed.Parse, text, into, name, bad)
}

func decodeSigned(text string, into *fixed.Amount, name string, bad *fault.Fields) bool {
	return takeAmount(fixed.ParseSigned, text, into, name, bad)
}

func takeAmount(parse func(string) (fixed.Amount, error), text string, into *fixed.Amount, name string, bad *fault.Fields) bool {
	a, err := parse(text)
	if err != nil {
		code := fixed.ErrInvalid.Code
		if e, ok := errors.AsType[*fixed.Error](err); ok {
			code = e.Code
		}
		bad.Add(name, code, err.Error())
		return false
	}
	*into = a
	return true
}

func decodeDay(text string, into *calendar.Day, name string, bad *fault.Fields) bool {
	d, err := calendar.Parse(text)
	if err != nil {
		bad.Add(name, "invalid", err.Error())
		return false
	}
	*into = d
	return true
}

// maxList bounds lists before their own limits are looked at.
const maxList = 1000

// decodeList reads the items of a list. One that cannot be read is noted by its
// own name and leaves the others to be looked at.
func decodeList(raw []byte, name string, bad *fault.Fields, each func(raw []byte, at string)) bool {
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		bad.Add(name, "not_a_list", "Expected a list of items.")
		return false
	}
	if len(list) > maxList {
		bad.Add(name, "max_length", "This list is too long.")
		return false
	}
	for i, item := range list {
		each(item, name+"["+strconv.Itoa(i)+"]")
	}
	return true
}

func decodeNumbers[T int | int64](raw []byte, into *[]T, name string, bad *fault.Fields) bool {
	return decodeList(raw, name, bad, func(raw []byte, at string) {
		var n T
		decodeValue(raw, &n, at, bad)
		*into = append(*into, n)
	})
}

// orNull is an object of an answer that may be null.
type orNull[T any] struct{ V *T }

// MarshalJSON encodes the object or null, as answers are encoded: addresses in
// it keep their ampersands.
func (o orNull[T]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := jsonFormat.Marshal(&b, o.V)
	return bytes.TrimSpace(b.Bytes()), err
}

// Schema describes the object or null.
func (orNull[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}

// amountSchema and daySchema describe the answers' decimals and days.
type (
	amountSchema struct{}
	daySchema    struct{}
)

func (amountSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Pattern: `^-?[0-9]+\.[0-9]{2}$`, Examples: []any{"1234.50"}}
}

func (daySchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Format: "date", Examples: []any{"2026-05-04"}}
}
