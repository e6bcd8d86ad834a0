// Package fault names the kinds of failure that a caller can act on. A
// [fault.Error] is the only error whose text a client ever sees; everything
// else is our own business, is logged at the edge, and stays opaque.
package fault

import (
	"errors"
	"strings"
	"time"
)

// Kind is what a caller can do about a failure. A Kind is itself an error, so
// that errors.Is(err, fault.NotFound) holds for every fault of that kind.
type Kind string

// The kinds of failure. The edges give each its own answer (an HTTP status, an
// exit code).
const (
	Invalid         Kind = "invalid"              // the input is wrong; Fields say where
	Unauthenticated Kind = "unauthenticated"      // no credential, or a bad one
	Reauthenticate  Kind = "reauthenticate"       // the session is good, but this act needs the password
	Forbidden       Kind = "forbidden"            // the caller may see the thing, but not do this to it
	NotFound        Kind = "not_found"            // it is not there, or not there for this caller
	Conflict        Kind = "conflict"             // the state of things forbids it
	Stale           Kind = "precondition_failed"  // the thing has changed since the caller read it
	Mismatch        Kind = "idempotency_mismatch" // the idempotency key was used with another request
	TooLarge        Kind = "too_large"            // more bytes than are taken here
	Unsupported     Kind = "unsupported_media"    // a body of a type that is not read here
	TooMany         Kind = "throttled"            // the caller must slow down; RetryAfter says how much
	Unavailable     Kind = "unavailable"          // the server cannot do it now; RetryAfter says when to try
	Full            Kind = "storage_full"         // there is no room on disk
)

// Error makes a Kind usable with errors.Is.
func (k Kind) Error() string { return string(k) }

// Field is one thing wrong with one field of the input.
type Field struct {
	Field   string `json:"field"`   // as the client spelled it; "" speaks of the input as a whole
	Code    string `json:"code"`    // stable, for programs: required, max_digits, …
	Message string `json:"message"` // one sentence, for people
}

// Fields collects everything that is wrong with an input, so that a client
// learns it all at once.
type Fields []Field

// Add notes that field is wrong.
func (f *Fields) Add(field, code, message string) {
	*f = append(*f, Field{Field: field, Code: code, Message: message})
}

// Has tells whether something is already known to be wrong with field.
func (f Fields) Has(field string) bool {
	for _, e := range f {
		if e.Field == field {
			return true
		}
	}
	return false
}

// Err is nil when nothing is wrong, otherwise an Invalid fault that names every
// bad field.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Message: "The input is not valid.", Fields: f}
}

// Error is a failure that explains itself to the caller.
type Error struct {
	Kind       Kind
	Code       string // a finer, stable name than Kind, where clients need one; may be empty
	Message    string // one sentence for people, safe to show to anybody
	Fields     Fields // for Invalid: what is wrong where
	RetryAfter time.Duration
}

// New returns a fault of the given kind.
func New(k Kind, message string) *Error { return &Error{Kind: k, Message: message} }

// InvalidField returns an Invalid fault about a single field.
func InvalidField(field, code, message string) *Error {
	return &Error{Kind: Invalid, Message: "The input is not valid.", Fields: Fields{{field, code, message}}}
}

// Busy returns a fault that asks the caller to come back after d.
func Busy(k Kind, message string, d time.Duration) *Error {
	return &Error{Kind: k, Message: message, RetryAfter: d}
}

// Error is the message, with the bad fields where there are any: it is for logs
// and terminals.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	var b strings.Builder
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		b.WriteString(" ")
		if f.Field != "" {
			b.WriteString(f.Field + ": ")
		}
		b.WriteString(f.Message)
	}
	return b.String()
}

// Is makes errors.Is match the kind of a fault as well as the very fault.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && e.Kind == k
}

// As returns the fault in err's chain, or nil.
func As(err error) *Error {
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return nil
}
