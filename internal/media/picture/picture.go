// Package picture looks at files that strangers sent: it tells from the first
// bytes whether they are what they claim to be, opens them within bounds, and
// makes clean photos of them.
//
// Three rules hold throughout. The head of a file is read by small parsers of
// our own before any decoder sees it, so that a picture is refused for its size
// without a pixel being allocated. Decoding happens in a Lane, which weighs each
// picture by the memory its decoder will ask for. And a photo that is shown
// carries nothing of the file it came from but its pixels: no place, no device,
// nothing appended.
package picture

import (
	"bufio"
	"fmt"
	"io"
)

// The content types taken. Photos are JPEG, PNG or WebP; documents also PDF.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
	WebP = "image/webp"
	PDF  = "application/pdf"
)

// The limits of a picture.
const (
	MaxPixels = 64_000_000
	MaxSide   = 20_000
)

// Info is what the head of a file says.
type Info struct {
	ContentType   string
	Width, Height int // as it is looked at, EXIF orientation applied; 0 for a PDF
}

// Inspect reads the head of r and tells whether the bytes are of one of the accepted
// content types and within the limits: a JPEG up to its frame header, a PNG or WebP up
// to its first pixels, a PDF's first line. The type in the Info is that of the bytes.
// Whether the rest of the file is good is for Lane.Render and Lane.Check to say.
//
// The error is an *Error when the file is at fault, and wraps that of r when
// reading failed.
func Inspect(r io.Reader, accepted ...string) (Info, error) {
	h, err := readHead(r, accepted...)
	if err != nil {
		return Info{}, err
	}
	return h.info(), nil
}

// head is what is known of a file before it is decoded.
type head struct {
	contentType   string
	width, height int
	turn          orientation
	memory        int64 // bytes that decoding allocates, at most
	length        int64 // bytes that the file says it has; 0 where its head does not
}

func (h head) info() Info {
	i := Info{h.contentType, h.width, h.height}
	if h.turn.transposed() {
		i.Width, i.Height = i.Height, i.Width
	}
	return i
}

// readHead does the work of Inspect.
func readHead(r io.Reader, accepted ...string) (head, error) {
	b := bufio.NewReader(r)
	contentType, err := ofKind(b, accepted)
	if err != nil {
		return head{}, readFailed(err)
	}
	var h head
	switch contentType {
	case JPEG:
		h, err = jpegHead(b)
	case PNG:
		h, err = pngHead(b)
	case WebP:
		h, err = webpHead(b)
	case PDF: // its first line was all there is to see
	}
	if err != nil {
		return head{}, readFailed(err)
	}
	h.contentType = contentType
	return h, nil
}

// withinLimits refuses what is too large to be opened. Sides come from headers,
// where they have up to 32 bits.
func withinLimits(width, height int64) error {
	switch {
	case width <= 0 || height <= 0:
		return errUnreadable
	case width > MaxSide || height > MaxSide:
		return &Error{CodeTooManyPixels, fmt.Sprintf(
			"The picture is %d by %d pixels. At most 20,000 on a side are taken.", width, height)}
	case width*height > MaxPixels: // no overflow: both are at most MaxSide
		return &Error{CodeTooManyPixels, fmt.Sprintf(
			"The picture is %d by %d pixels. At most 64 megapixels are taken.", width, height)}
	}
	return nil
}
