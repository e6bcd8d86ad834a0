// Package jpegread decodes JPEG files as browsers do. It goes on where the
// standard library gives up: behind a damaged scan, at an end that comes too
// early, and with any sampling of the components.
//
// It is derived from the standard library's image/jpeg (see LICENSE in this
// folder). Damage is treated as libjpeg treats it, because browsers use libjpeg:
// an impossible code counts as zero, missing data leaves grey, and a restart
// marker brings the decoder back into step.
//
// A file becomes planes of samples, as they are stored. There is no interleaved
// picture, and coefficients of progressive files take 16 bits.
package jpegread

import (
	"bytes"
	"context"
	"errors"
)

// Model says what the planes of a Picture hold.
type Model uint8

// The models. CMYK is inverted, as every program writes it: 255 is no ink.
const (
	Grey Model = iota
	YCbCr
	RGB
	CMYK
	YCCK // luma and chroma of CMY that is not inverted, and inverted black
)

// Picture is a decoded file.
type Picture struct {
	Width, Height int
	Model         Model
	Planes        []Plane
}

// Plane holds the samples of one component.
type Plane struct {
	Pix           []uint8
	Stride        int
	Width, Height int     // in samples
	Across, Down  float64 // pixels to a sample
}

// Limits are what a file is held to before anything is allocated for it.
type Limits struct {
	Width, Height int // which it must have
	Scans         int // which it may have, at most
}

var (
	// ErrTruncated reports a file that ends too early for nine tenths of its lines to be there.
	ErrTruncated = errors.New("jpeg: ends too early")
	// ErrUnreadable reports a file that has lost more than a tenth of its lines in
	// between, or is of a kind that is not decoded.
	ErrUnreadable = errors.New("jpeg: damaged, or not supported")
)

// enough tells whether so many missing units of all leave nine tenths of the lines.
func enough(missing, all int) bool { return 10*missing <= all }

const (
	maxComponents = 4
	maxTables     = 4
	blockSize     = 64
)

type block [blockSize]int32

type component struct {
	h, v             int // sampling factors
	id               uint8
	table            uint8 // of quantization
	blocksX, blocksY int   // that hold samples of the picture
	stride           int   // blocks in a row, those behind the edge included
	plane            *Plane
	coefficients     []int16 // of a progressive file
	seen             bool    // a scan brought enough of its first coefficient
	exact            uint64  // coefficients, in zig-zag order, that came to their last bit
}

type decoder struct {
	ctx    context.Context //nolint:containedctx // of the one call that this is a part of
	raw    []byte
	pos    int
	limits Limits
	bits   bits

	width, height  int
	unitsX, unitsY int // of an interleaved scan
	progressive    bool
	components     []component
	restart        int  // units between two restart markers
	endRun         int  // blocks left without new coefficients
	short          bool // the data of the scan ended, or so it seems
	scans          int

	jfif, adobe bool
	transform   uint8

	huff    [2][maxTables]huffman
	quant   [maxTables][blockSize]int32 // in zig-zag order
	picture *Picture
}

// Decode decodes a JPEG. The error is ErrTruncated or ErrUnreadable when the file
// is at fault, and that of ctx when it ended first.
func Decode(ctx context.Context, raw []byte, limits Limits) (*Picture, error) {
	d := &decoder{ctx: ctx, raw: raw, limits: limits}
	fault := d.segments()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if errors.Is(fault, errScans) {
		return nil, ErrUnreadable
	}
	if d.picture == nil || !d.whole(fault) {
		if errors.Is(fault, errEnd) && !bytes.HasSuffix(bytes.TrimRight(raw, "\x00"), []byte{0xff, markerEOI}) {
			return nil, ErrTruncated
		}
		return nil, ErrUnreadable
	}
	if d.progressive {
		if err := d.reconstructAll(); err != nil {
			return nil, err
		}
	}
	d.picture.Model = d.model()
	for i := range d.components {
		d.picture.Planes = append(d.picture.Planes, *d.components[i].plane)
	}
	return d.picture, nil
}

// whole tells whether there is enough to be shown. A file with an end has all
// that it was meant to have, so the first coefficients are enough; one without
// must have every coefficient to its last bit.
func (d *decoder) whole(fault error) bool {
	for i := range d.components {
		c := &d.components[i]
		if !c.seen || (fault != nil && d.progressive && c.exact != 1<<blockSize-1) {
			return false
		}
	}
	return true
}

func (d *decoder) model() Model {
	c := d.components
	switch {
	case len(c) == 1:
		return Grey
	case len(c) == 4 && d.adobe && d.transform != 0:
		return YCCK
	case len(c) == 4:
		return CMYK
	case d.jfif:
		return YCbCr
	case d.adobe && d.transform == 0, !d.adobe && c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B':
		return RGB
	}
	return YCbCr
}
