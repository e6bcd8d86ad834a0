// Package parts reads forms of parts to their end.
package parts

import (
	"io"
	"strings"
)

// Whole returns body for a multipart.Reader, so that io.EOF of a next part means
// that the last boundary was read. Without it a body that has no boundary, or ends
// within the head of a part, looks like a form that ends there. A body that is cut
// off fails with io.ErrUnexpectedEOF.
func Whole(body io.Reader) io.Reader {
	// The line may end that the last boundary stands on.
	return io.MultiReader(body, strings.NewReader("\r\n"), cut{})
}

// cut is where more was to come.
type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
