package picture

import (
	"errors"
	"fmt"
	"io"
)

// The ways in which a file can be at fault. Clients know them by these names.
const (
	CodeEmpty         = "empty"
	CodeWrongType     = "wrong_type"      // not the declared kind, or none that is taken
	CodeUnreadable    = "unreadable"      // of the declared kind, but broken
	CodeTruncated     = "truncated"       // ends too early
	CodeTooManyPixels = "too_many_pixels" // more than the limits, or than memory allows
	CodeAnimated      = "animated"        // more than one frame
)

// Error says why a file is not taken. Code is stable; Message is a sentence for
// the person who sent the file, and holds nothing of the file but its size.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }

var (
	errEmpty      = &Error{CodeEmpty, "The file is empty."}
	errUnreadable = &Error{CodeUnreadable, "The file is damaged or of a kind that cannot be opened."}
	errTruncated  = &Error{CodeTruncated, "The file ends too early. It may not have been sent in full."}
	errAnimated   = &Error{CodeAnimated, "Animated pictures are not taken."}
	errTooHeavy   = &Error{CodeTooManyPixels, "The picture needs too much memory to be opened. Please make it smaller."}
)

// readFailed makes an answer of an error of reading: an end that comes too
// early is the file's fault, any other failure is that of the place it lies in.
func readFailed(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return fmt.Errorf("read picture: %w", err)
}
