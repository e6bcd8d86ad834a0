package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"

	"golang.org/x/image/webp"

	"github.com/ridecopilot/ridecopilot/internal/media/picture/jpegread"
)

// photoHead reads the head of a whole file and completes what it weighs. The
// decoder's own reading of the size must be the same: nothing is decoded that
// was not measured. That of a JPEG compares before it allocates.
func photoHead(raw []byte, contentType string) (head, error) {
	h, err := readHead(bytes.NewReader(raw), contentType)
	if err != nil {
		return head{}, err
	}
	if h.length > int64(len(raw)) {
		return head{}, errTruncated
	}
	c := image.Config{Width: h.width, Height: h.height}
	switch contentType {
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
	h.memory += int64(len(raw)) + 1<<20 // what decoders copy, and their tables
	return h, nil
}

// decode opens a picture that photoHead has measured. A lossy WebP comes in full range.
func decode(ctx context.Context, raw []byte, h head) (raster, error) {
	if h.contentType == JPEG {
		p, err := jpegread.Decode(ctx, raw, jpegread.Limits{Width: h.width, Height: h.height, Scans: maxScans(h)})
		switch {
		case ctx.Err() != nil:
			return raster{}, stopped(ctx.Err())
		case errors.Is(err, jpegread.ErrTruncated):
			return raster{}, errTruncated
		case err != nil:
			return raster{}, errUnreadable
		}
		return ofJPEG(p), nil
	}
	s := &source{ctx: ctx, rest: raw}
	var m image.Image
	var err error
	switch h.contentType {
	case PNG:
		m, err = png.Decode(s)
	case WebP:
		m, err = webp.Decode(s)
	}
	switch {
	case ctx.Err() != nil:
		return raster{}, stopped(ctx.Err())
	case err != nil && s.ended:
		return raster{}, errTruncated
	case err != nil:
		return raster{}, errUnreadable
	case m.Bounds() != image.Rect(0, 0, h.width, h.height):
		return raster{}, errUnreadable
	}
	if h.contentType == WebP {
		switch m := m.(type) {
		case *image.YCbCr:
			fullRange(m)
		case *image.NYCbCrA:
			fullRange(&m.YCbCr)
		}
	}
	return ofImage(m), nil
}

func stopped(err error) error { return fmt.Errorf("decode picture: %w", err) }

// maxScans is how often a JPEG may go over its pixels. Ten times is usual, while
// a file made for it could do so a hundred thousand times.
func maxScans(h head) int {
	const pixels = 1_500_000_000
	return min(max(pixels/(h.width*h.height), 24), 100)
}

// source hands a file to a decoder as long as its context lives.
type source struct {
	ctx   context.Context
	rest  []byte
	ended bool // the decoder wanted more than there is
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if len(s.rest) == 0 {
		s.ended = true
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
