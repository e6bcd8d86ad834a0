package picture

import (
	"bufio"
	"encoding/binary"
	"io"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

// pngHead walks the chunks of a PNG up to its first pixels.
func pngHead(r *bufio.Reader) (head, error) {
	if _, err := r.Discard(len(pngMagic)); err != nil {
		return head{}, err
	}
	var first struct {
		Length                                        uint32
		Name                                          [4]byte
		Width, Height                                 uint32
		Depth, Colour, Compression, Filter, Interlace uint8
		Sum                                           uint32
	}
	if err := binary.Read(r, binary.BigEndian, &first); err != nil {
		return head{}, err
	}
	if first.Length != 13 || string(first.Name[:]) != "IHDR" {
		return head{}, errUnreadable
	}
	if err := withinLimits(int64(first.Width), int64(first.Height)); err != nil {
		return head{}, err
	}
	transparent, turn, err := pngChunks(r)
	if err != nil {
		return head{}, err
	}
	each := pngPixel(first.Depth, first.Colour, transparent)
	if each == 0 {
		return head{}, errUnreadable
	}
	h := head{width: int(first.Width), height: int(first.Height), turn: max(turn, upright)}
	h.memory = each * int64(first.Width) * int64(first.Height)
	if first.Interlace != 0 {
		h.memory += h.memory / 2 // the last pass, beside the whole
	}
	return h, nil
}

// pngChunks walks the chunks between header and pixels and tells whether they name
// a transparent colour, and how the picture is turned. Those that make an animation
// are refused.
func pngChunks(r *bufio.Reader) (transparent bool, turn orientation, err error) {
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return false, 0, err
		}
		body := &io.LimitedReader{R: r, N: int64(binary.BigEndian.Uint32(chunk[:4]))}
		switch string(chunk[4:]) {
		case "IDAT":
			return transparent, turn, nil
		case "acTL":
			return false, 0, errAnimated
		case "IEND":
			return false, 0, errUnreadable
		case "tRNS":
			transparent = true
		case "eXIf":
			if turn == 0 {
				if turn, err = exifOrientation(body); err != nil {
					return false, 0, err
				}
			}
		}
		if err := skip(r, body.N+4); err != nil { // and the checksum
			return false, 0, err
		}
	}
}

// pngPixel is the number of bytes that a pixel takes in image/png, or 0 if there
// is no such kind of pixel.
func pngPixel(depth, colour uint8, transparent bool) int64 {
	const grey, rgb, palette, greyAlpha, rgbAlpha = 0, 2, 3, 4, 6
	switch {
	case colour == palette && (depth == 1 || depth == 2 || depth == 4 || depth == 8):
		return 1
	case colour == grey && (depth == 1 || depth == 2 || depth == 4 || depth == 8):
		if transparent {
			return 4
		}
		return 1
	case colour == grey && depth == 16 && !transparent:
		return 2
	case colour == rgb, colour == greyAlpha, colour == rgbAlpha, colour == grey && depth == 16:
		switch depth {
		case 8:
			return 4
		case 16:
			return 8
		}
	}
	return 0
}
