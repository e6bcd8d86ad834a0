package picture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"image"
	"io"
)

// webpHead walks the chunks of a WebP up to its first pixels.
func webpHead(r *bufio.Reader) (head, error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return head{}, err
	}
	h := head{turn: upright, length: int64(binary.LittleEndian.Uint32(riff[4:])) + 8}
	extended, alpha, turned := false, false, false
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return head{}, err
		}
		length := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch string(chunk[:4]) {
		case "VP8X":
			var b [10]byte
			if extended || length != int64(len(b)) {
				return head{}, errUnreadable
			}
			if _, err := io.ReadFull(r, b[:]); err != nil {
				return head{}, err
			}
			const animation, exif, transparency = 1 << 1, 1 << 3, 1 << 4
			if b[0]&animation != 0 {
				return head{}, errAnimated
			}
			extended, alpha, turned = true, b[0]&transparency != 0, b[0]&exif != 0
			h.width = int(b[4]) | int(b[5])<<8 | int(b[6])<<16 + 1
			h.height = int(b[7]) | int(b[8])<<8 | int(b[9])<<16 + 1
			if err := withinLimits(int64(h.width), int64(h.height)); err != nil {
				return head{}, err
			}
		case "ANIM", "ANMF":
			return head{}, errAnimated
		case "VP8 ", "VP8L":
			frame := &io.LimitedReader{R: r, N: length}
			width, height, err := webpFrame(frame, chunk[3] == 'L')
			if err != nil {
				return head{}, err
			}
			if extended && (width != h.width || height != h.height) {
				return head{}, errUnreadable
			}
			h.width, h.height = width, height
			h.memory = webpMemory(int64(width), int64(height), chunk[3] == 'L', alpha)
			if err := withinLimits(int64(width), int64(height)); err != nil || !turned {
				return h, err
			}
			h.turn, err = webpOrientation(r, frame.N+length%2)
			return h, err
		default:
			if _, err := io.CopyN(io.Discard, r, length+length%2); err != nil {
				return head{}, err
			}
		}
	}
}

// webpOrientation looks for the orientation behind a frame of which so many bytes
// are left.
func webpOrientation(r *bufio.Reader, left int64) (orientation, error) {
	for {
		switch _, err := io.CopyN(io.Discard, r, left); {
		case errors.Is(err, io.EOF): // the frame is cut, or nothing follows
			return upright, nil
		case err != nil:
			return 0, err
		}
		var chunk [8]byte
		switch _, err := io.ReadFull(r, chunk[:]); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return upright, nil
		case err != nil:
			return 0, err
		}
		length := int64(binary.LittleEndian.Uint32(chunk[4:]))
		left = length + length%2
		if string(chunk[:4]) != "EXIF" {
			continue
		}
		turn, err := exifOrientation(&io.LimitedReader{R: r, N: length})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return max(turn, upright), err
	}
}

// webpFrame reads the size from the start of a lossless or a lossy frame.
func webpFrame(r io.Reader, lossless bool) (width, height int, err error) {
	if lossless {
		var b [5]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, 0, err
		}
		bits := binary.LittleEndian.Uint32(b[1:])
		if b[0] != 0x2f || bits>>29 != 0 {
			return 0, 0, errUnreadable
		}
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, nil
	}
	var b [10]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, 0, err
	}
	if b[0]&1 != 0 || string(b[3:6]) != "\x9d\x01\x2a" { // not a key frame
		return 0, 0, errUnreadable
	}
	return int(binary.LittleEndian.Uint16(b[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(b[8:]) & 0x3fff), nil
}

// webpMemory is what x/image/webp allocates for a frame, beside a copy of the
// file, which everybody is charged for.
func webpMemory(width, height int64, lossless, alpha bool) int64 {
	// Lossless: the pixels, twice with a palette; three planes of tiles of at
	// least 4 by 4; and a group of Huffman trees for each tile, of which the
	// decoder takes at most 2,600.
	const group = 56 << 10
	tiles := ((width + 3) / 4) * ((height + 3) / 4)
	exact := 8*width*height + 3*4*tiles + group*min(2600, tiles)
	if lossless {
		return exact
	}
	blocks := ((width + 15) / 16) * ((height + 15) / 16)
	memory := blocks * (16*16*3/2 + 8)
	if alpha { // a plane of its own, which is packed as a lossless picture
		memory += width*height + exact
	}
	return memory
}

// fullRange stretches the samples of a lossy WebP: they keep to the range of
// television (16 to 235), while everybody else's, and Go's colours, use all of it.
// x/image/webp hands them on as they are.
func fullRange(m *image.YCbCr) {
	var luma, chroma [256]uint8
	for i := range 256 {
		luma[i] = clamp(((int32(i)-16)*255 + 109) / 219)
		chroma[i] = clamp(((int32(i)-128)*255 + 128*224 + 112) / 224)
	}
	for _, p := range []struct {
		pix   []uint8
		table *[256]uint8
	}{{m.Y, &luma}, {m.Cb, &chroma}, {m.Cr, &chroma}} {
		for i, v := range p.pix {
			p.pix[i] = p.table[v]
		}
	}
}
