package picture

import (
	"encoding/binary"
	"io"
)

// orientation says how a stored picture is to be turned to be looked at, as in
// EXIF: 1 to 8, or 0 where nothing is said.
type orientation uint8

const upright orientation = 1

// transposed tells whether rows become columns.
func (o orientation) transposed() bool { return o >= 5 }

// flips tells whether columns and rows are to be mirrored, before transposing.
func (o orientation) flips() (across, down bool) {
	switch o {
	case 2, 8:
		return true, false
	case 3, 7:
		return true, true
	case 4, 6:
		return false, true
	}
	return false, false
}

// exifOrientation reads the orientation from the APP1 segment of a JPEG. It needs
// no more than the first directory of the TIFF file inside, keeps nothing of
// it, and finds nothing to complain about: a block that makes no sense says
// nothing. The error is that of the reader beneath.
func exifOrientation(segment *io.LimitedReader) (orientation, error) {
	const (
		ident = 6 // "Exif\0\0"
		tiff  = 8 // byte order, 42, offset of the first directory
		entry = 12
	)
	if segment.N < ident+tiff {
		return 0, nil
	}
	var b [ident + tiff]byte
	if _, err := io.ReadFull(segment, b[:]); err != nil {
		return 0, err
	}
	if string(b[:ident]) != "Exif\x00\x00" {
		return 0, nil
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[ident] == 'I' {
		order = binary.LittleEndian
	}
	if string(b[ident:ident+4]) != "II*\x00" && string(b[ident:ident+4]) != "MM\x00*" {
		return 0, nil
	}
	gap := int64(order.Uint32(b[ident+4:])) - tiff
	if gap < 0 || gap+2 > segment.N {
		return 0, nil
	}
	if err := skip(segment, gap); err != nil {
		return 0, err
	}
	var e [entry]byte
	if _, err := io.ReadFull(segment, e[:2]); err != nil {
		return 0, err
	}
	for range order.Uint16(e[:2]) {
		if segment.N < entry {
			return 0, nil
		}
		if _, err := io.ReadFull(segment, e[:]); err != nil {
			return 0, err
		}
		const tag, short = 0x0112, 3
		if order.Uint16(e[:]) != tag {
			continue
		}
		o := order.Uint16(e[8:])
		if order.Uint16(e[2:]) != short || order.Uint32(e[4:]) != 1 || o < 1 || o > 8 {
			return 0, nil
		}
		return orientation(o), nil
	}
	return 0, nil
}

// skip reads n bytes and forgets them.
func skip(r io.Reader, n int64) error {
	_, err := io.CopyN(io.Discard, r, n)
	return err
}
