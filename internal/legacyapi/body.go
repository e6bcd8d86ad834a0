package legacyapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
)

// maxBody is how large a JSON body may be (promise I1).
const maxBody = 256 << 10

// The words of Django REST framework.
const (
	saysRequired = "This field is required."
	saysBlank    = "This field may not be blank."
	saysNull     = "This field may not be null."
	saysNumber   = "A valid number is required."
	saysInteger  = "A valid integer is required."
	saysString   = "Not a valid string."
)

// value is what a client sent for a field: a text, a number as it was written,
// null, or something that is neither.
type value struct {
	text  string
	null  bool
	other bool
}

// input is the fields of a body. Unknown ones are ignored: the client sends whole
// objects (promise Z3).
type input map[string]value

// The kinds of body that are read, as the older backend did.
const (
	jsonType      = "application/json"
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data"
)

// readBody reads the body of a request, of one of the kinds. Nothing sent is
// nothing said.
func readBody(r *http.Request) (input, error) {
	if r.ContentLength > maxBody { // reading would ask a client for it that waits with its body
		return nil, errBodyTooLarge
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(raw) > maxBody {
		return nil, errBodyTooLarge
	}
	if len(raw) == 0 {
		return input{}, nil
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != jsonType && media != formType && media != multipartType {
		return nil, refuse(http.StatusUnsupportedMediaType, "detail", "Send the body as application/json.")
	}
	if !isUTF8(params) || !utf8.Valid(raw) || media == jsonType && bytes.IndexByte(raw, 0) >= 0 { // as UTF-16 has them
		return nil, errNotUTF8
	}
	switch media {
	case formType:
		return readForm(string(raw))
	case multipartType:
		in, _, err := readParts(bytes.NewReader(raw), params["boundary"], "")
		return in, err
	default:
		return readJSON(raw)
	}
}

var errBodyTooLarge = refuse(http.StatusRequestEntityTooLarge, "detail", "The body is too large.")

var errNotUTF8 = refuse(http.StatusUnsupportedMediaType, "detail", "Send the body in UTF-8.")

// isUTF8 tells whether a media type names no other encoding of text.
func isUTF8(params map[string]string) bool {
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii":
		return true
	}
	return false
}

// readForm reads the fields of a form as HTML sends it.
func readForm(text string) (input, error) {
	fields, err := url.ParseQuery(text)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "detail", "The form could not be read.")
	}
	in := input{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			if err := in.take(name, value); err != nil {
				return nil, err
			}
		}
	}
	return in, nil
}

// take adds a field of a form, within the limits that JSON has as well: none is
// there twice, and all are text.
func (in input) take(name, text string) error {
	_, twice := in[name]
	switch {
	case twice:
		return complaints{jsonbody.Clip(name): {"This field is there more than once."}}.err()
	case !utf8.ValidString(name) || !utf8.ValidString(text):
		return errNotUTF8
	case strings.IndexByte(text, 0) >= 0:
		return complaints{jsonbody.Clip(name): {"Null characters are not allowed."}}.err()
	}
	in[name] = value{text: text}
	return nil
}

func readJSON(raw []byte) (input, error) {
	if err := jsonbody.Check(raw); err != nil {
		return nil, refuse(http.StatusBadRequest, "detail", "JSON parse error - "+fault.As(err).Error())
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, refuse(http.StatusBadRequest, "detail", "JSON parse error")
	}
	in := input{}
	for name, member := range members {
		var v value
		switch member[0] {
		case '"':
			v.other = json.Unmarshal(member, &v.text) != nil
		case 'n':
			v.null = true
		case '{', '[', 't', 'f':
			v.other = true
		default:
			v.text = string(member)
		}
		in[name] = v
	}
	return in, nil
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errBodyTooLarge
	}
	return refuse(http.StatusBadRequest, "detail", "The request could not be read to its end.")
}

// complaints are what is wrong, by the client's names of the fields.
type complaints map[string][]string

func (b complaints) add(name, text string) { b[name] = append(b[name], text) }

func (b complaints) err() error {
	if len(b) == 0 {
		return nil
	}
	return &refusal{http.StatusBadRequest, b.object()}
}

// object is the complaints as the body of an answer.
func (b complaints) object() object {
	body := object{}
	for name, texts := range b {
		body[name] = texts
	}
	return body
}

// nonField is the name under which a complaint about no field stands.
const nonField = "non_field_errors"

// byField turns a service's complaints into the client's.
func byField(fields fault.Fields) complaints {
	bad := complaints{}
	for _, f := range fields {
		name := f.Field
		if older, ok := olderNames[name]; ok {
			name = older
		}
		if name == "" {
			name = nonField
		}
		bad.add(name, f.Message)
	}
	return bad
}

// olderNames are the fields that the client calls otherwise.
var olderNames = map[string]string{
	"make": "car_name", "gears": "gear_number", "seats": "seat_number", "doors": "door_number", "mileage_km": "milleage",
	"power_hp": "power", "consumption": "mpg", "content_type": "file_type", "file": "file_id",
}

// presence is whether a field must be sent, and may be empty.
type presence int

const (
	optional presence = iota // may be left out, blank or null
	required                 // must be sent, and hold something
	partial                  // may be left out, but not emptied: an update of a required one
)

// secret is text for a password that was chosen elsewhere, where blanks count
// (promise T2). New ones of blanks alone are refused here.
func (in input) secret(name string, p presence, bad complaints) (text string, given bool) {
	if v := in[name]; v.text != "" && !v.other && strings.TrimSpace(v.text) == "" {
		return v.text, true
	}
	return in.text(name, p, bad)
}

// text reads a text field; given tells whether there is one.
func (in input) text(name string, p presence, bad complaints) (text string, given bool) {
	v, given := in[name]
	text = strings.TrimSpace(v.text)
	switch {
	case !given:
		if p == required {
			bad.add(name, saysRequired)
		}
		return "", false
	case v.null && p == optional:
		return "", true
	case v.null:
		bad.add(name, saysNull)
	case v.other:
		bad.add(name, saysString)
	case text == "" && p != optional:
		bad.add(name, saysBlank)
	default:
		return v.text, true
	}
	return "", false
}
