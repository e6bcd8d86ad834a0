package picture

import (
	"bufio"
	"io"
)

// The markers of JPEG that are looked at. All begin with 0xff.
const (
	markerSOF0, markerSOF1, markerSOF2 = 0xc0, 0xc1, 0xc2 // baseline, extended, progressive
	markerDHT, markerJPG, markerDAC    = 0xc4, 0xc8, 0xcc // among the other frames, yet none
	markerSOF15                        = 0xcf
	markerRST0, markerRST7             = 0xd0, 0xd7
	markerSOI, markerEOI, markerSOS    = 0xd8, 0xd9, 0xda
	markerAPP1                         = 0xe1
)

// jpegHead walks the segments of a JPEG up to its frame header. As in jpegread,
// bytes between segments are passed over.
func jpegHead(r *bufio.Reader) (head, error) {
	if _, err := r.Discard(2); err != nil {
		return head{}, err
	}
	var turn orientation
	for {
		marker, err := nextMarker(r)
		if err != nil {
			return head{}, err
		}
		if marker >= markerRST0 && marker <= markerRST7 {
			continue
		}
		if marker == markerSOI || marker == markerEOI || marker == markerSOS {
			return head{}, errUnreadable
		}
		length, err := bigEndian(r)
		if err != nil {
			return head{}, err
		}
		if length < 2 {
			return head{}, errUnreadable
		}
		segment := &io.LimitedReader{R: r, N: int64(length) - 2}
		switch {
		case marker >= markerSOF0 && marker <= markerSOF2:
			h, err := jpegFrame(segment, marker == markerSOF2)
			h.turn = max(turn, upright)
			return h, err
		case marker > markerSOF2 && marker <= markerSOF15 && marker != markerDHT && marker != markerJPG && marker != markerDAC:
			return head{}, errUnreadable // lossless, hierarchical, arithmetic: never in photos
		case marker == markerAPP1 && turn == 0:
			turn, err = exifOrientation(segment)
			if err != nil {
				return head{}, err
			}
		}
		if err := skip(segment, segment.N); err != nil {
			return head{}, err
		}
	}
}

// nextMarker finds the next marker and reads it.
func nextMarker(r io.ByteReader) (byte, error) {
	for {
		b, err := r.ReadByte()
		for err == nil && b == 0xff {
			b, err = r.ReadByte()
			if err == nil && b != 0xff && b != 0 {
				return b, nil
			}
		}
		if err != nil {
			return 0, err
		}
	}
}

func bigEndian(r io.Reader) (int, error) {
	var b [2]byte
	_, err := io.ReadFull(r, b[:])
	return int(b[0])<<8 | int(b[1]), err
}

// jpegFrame reads a frame header, and weighs what jpegread allocates for it.
func jpegFrame(segment *io.LimitedReader, progressive bool) (head, error) {
	var b [6]byte
	if segment.N < int64(len(b)) {
		return head{}, errUnreadable
	}
	if _, err := io.ReadFull(segment, b[:]); err != nil {
		return head{}, err
	}
	height, width, n := int64(b[1])<<8|int64(b[2]), int64(b[3])<<8|int64(b[4]), int64(b[5])
	if err := withinLimits(width, height); err != nil {
		return head{}, err
	}
	if b[0] != 8 || (n != 1 && n != 3 && n != 4) || segment.N != 3*n {
		return head{}, errUnreadable
	}
	blocks, maxH, maxV := int64(0), int64(1), int64(1) // blocks of 8 by 8 samples, in a unit of the scan
	for range n {
		var c [3]byte
		if _, err := io.ReadFull(segment, c[:]); err != nil {
			return head{}, err
		}
		h, v := int64(c[1]>>4), int64(c[1]&15)
		if h < 1 || h > 4 || v < 1 || v > 4 {
			return head{}, errUnreadable
		}
		if n == 1 {
			h, v = 1, 1 // a single plane is never interleaved
		}
		maxH, maxV = max(maxH, h), max(maxV, v)
		blocks += h * v
	}
	unitsAcross, unitsDown := (width+8*maxH-1)/(8*maxH), (height+8*maxV-1)/(8*maxV)
	samples := unitsAcross * unitsDown * blocks * 64
	h := head{width: int(width), height: int(height), memory: samples}
	if progressive {
		h.memory += 2 * samples // the coefficients are kept to the end
	}
	return h, nil
}
