package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// photoHead reads the head of a whole file and completes what it weighs. The
// decoder's own reading of the size must be the same: nothing is decoded that
// was not measured.
func photoHead(raw []byte, contentType string) (head, error) {
	h, err := readHead(bytes.NewReader(raw), contentType)
	if err != nil {
		return head{}, err
	}
	if h.length > int64(len(raw)) {
		return head{}, errTruncated
	}
	var c image.Config
	switch contentType {
	case JPEG:
		c, err = jpeg.DecodeConfig(bytes.NewReader(raw))
	case PNG:
		c, err = png.DecodeConfig(bytes.NewReader(raw))
	case WebP:
		c, err = webp.DecodeConfig(bytes.NewReader(raw))
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return head{}, errTruncated
	case err != nil, c.Width != h.width, c.Height != h.height:
		return head{}, errUnreadable
	}
	if h.ifRGB > 0 && bytes.Contains(raw, []byte("Adobe")) {
		h.memory += h.ifRGB
	}
	h.memory += int64(len(raw)) + 1<<20 // what decoders copy, and their tables
	return h, nil
}

// decode opens a picture that photoHead has measured. A lossy WebP comes in full range.
func decode(ctx context.Context, raw []byte, h head) (image.Image, error) {
	s := &source{ctx: ctx, rest: raw}
	var m image.Image
	var err error
	switch h.contentType {
	case JPEG:
		s.scans = maxScans(h)
		m, err = jpeg.Decode(s)
	case PNG:
		m, err = png.Decode(s)
	case WebP:
		m, err = webp.Decode(s)
	}
	switch {
	case ctx.Err() != nil:
		return nil, stopped(ctx.Err())
	case err != nil && s.ended:
		return nil, errTruncated
	case err != nil:
		return nil, errUnreadable
	case m.Bounds() != image.Rect(0, 0, h.width, h.height):
		return nil, errUnreadable
	}
	if h.contentType == WebP {
		switch m := m.(type) {
		case *image.YCbCr:
			fullRange(m)
		case *image.NYCbCrA:
			fullRange(&m.YCbCr)
		}
	}
	return m, nil
}

func stopped(err error) error { return fmt.Errorf("decode picture: %w", err) }

// maxScans is how often a JPEG may go over its pixels. Ten times is usual, while
// a file made for it could do so a hundred thousand times. Markers inside
// metadata are counted too, so there is some room.
func maxScans(h head) int {
	const pixels = 1_500_000_000
	return min(max(pixels/(h.width*h.height), 24), 100)
}

// source hands a file to a decoder as long as its context lives. Of a JPEG, it
// hands out no more than one scan at a time, and only so many of them.
type source struct {
	ctx   context.Context
	rest  []byte
	ended bool // the decoder wanted more than there is
	last  byte
	scans int // left, or 0 where they are not counted
}

var errTooManyScans = errors.New("too many scans")

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if len(s.rest) == 0 {
		s.ended = true
		return 0, io.EOF
	}
	n := min(len(p), len(s.rest))
	if s.scans > 0 && n > 0 {
		start := -1
		if s.last == 0xff && s.rest[0] == markerSOS {
			start = 1
		} else if i := bytes.Index(s.rest[:n], []byte{0xff, markerSOS}); i >= 0 {
			start = i + 2
		}
		if start > 0 {
			n = start
			if s.scans--; s.scans == 0 {
				return 0, errTooManyScans
			}
		}
		s.last = s.rest[n-1]
	}
	copy(p, s.rest[:n])
	s.rest = s.rest[n:]
	return n, nil
}
