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

// exifOrientation reads the orientation of an EXIF block: a TIFF file, which may
// stand behind an identifier, as it must in a JPEG. It needs no more than the first
// directory, keeps nothing of it, and finds nothing to complain about: a block that
// makes no sense says nothing. The error is that of the reader beneath.
func exifOrientation(block *io.LimitedReader) (orientation, error) {
	const ident = "Exif\x00\x00"
	var b [len(ident) + tiffHead]byte
	if block.N < tiffHead {
		return 0, nil
	}
	if _, err := io.ReadFull(block, b[:len(ident)]); err != nil {
		return 0, err
	}
	head := b[:tiffHead]
	if string(b[:len(ident)]) == ident {
		if block.N < tiffHead {
			return 0, nil
		}
		head = b[len(ident):]
		_, err := io.ReadFull(block, head)
		return tiffOrientation(head, block, err)
	}
	_, err := io.ReadFull(block, b[len(ident):tiffHead])
	return tiffOrientation(head, block, err)
}

const tiffHead = 8 // byte order, 42, offset of the first directory

// tiffOrientation reads the orientation from a TIFF file that begins with head.
func tiffOrientation(head []byte, rest *io.LimitedReader, err error) (orientation, error) {
	if err != nil {
		return 0, err
	}
	var order binary.ByteOrder = binary.BigEndian
	if head[0] == 'I' {
		order = binary.LittleEndian
	}
	if string(head[:4]) != "II*\x00" && string(head[:4]) != "MM\x00*" {
		return 0, nil
	}
	gap := int64(order.Uint32(head[4:])) - tiffHead
	if gap < 0 || gap+2 > rest.N {
		return 0, nil
	}
	if err := skip(rest, gap); err != nil {
		return 0, err
	}
	const entry = 12
	var e [entry]byte
	if _, err := io.ReadFull(rest, e[:2]); err != nil {
		return 0, err
	}
	for range order.Uint16(e[:2]) {
		if rest.N < entry {
			return 0, nil
		}
		if _, err := io.ReadFull(rest, e[:]); err != nil {
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
