package picture_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// code is the Code of an *Error, "" without an error, or a word for any other.
func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*picture.Error](err); ok {
		return e.Code
	}
	return "not about the file"
}

// What a photo's metadata may give away.
const (
	secretMake  = "Kamera of Jane Doe\x00"
	secretPlace = "\x00\x00\x00\x2f\x00\x00\x00\x01\x00\x00\x00\x17\x00\x00\x00\x01\x00\x00\x0b\xb8\x00\x00\x00\x64"
)

var red = color.RGBA{200, 30, 30, 255}

// corner is a white picture with a red square in its upper left corner.
func corner(width, height, square int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(m, m.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(m, image.Rect(0, 0, square, square), image.NewUniform(red), image.Point{}, draw.Src)
	return m
}

func asJPEG(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// segment puts a segment behind the first marker of a JPEG.
func segment(raw []byte, marker byte, body []byte) []byte {
	out := append([]byte{}, raw[:2]...)
	out = append(out, 0xff, marker)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	out = append(out, body...)
	return append(out, raw[2:]...)
}

// withExif puts an EXIF block into a JPEG.
func withExif(raw, block []byte) []byte { return segment(raw, 0xe1, block) }

// exif is an EXIF block with the orientation, the camera's name and a place.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	const (
		entries = 8 + 2
		model   = entries + 3*12 + 4
		gps     = model + len(secretMake)
	)
	b := []byte("Exif\x00\x00MM\x00*")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = []byte("Exif\x00\x00II*\x00")
	}
	entry := func(tag, kind uint16, count, value uint32) {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, kind)
		b = order.AppendUint32(b, count)
		if kind == 3 { // a short, at the left of its field
			b = order.AppendUint16(b, uint16(value))
			b = order.AppendUint16(b, 0)
			return
		}
		b = order.AppendUint32(b, value)
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 3)
	entry(0x010f, 2, uint32(len(secretMake)), model) // Make
	entry(0x0112, 3, 1, uint32(orientation))         // Orientation
	entry(0x8825, 4, 1, uint32(gps))                 // GPS
	b = order.AppendUint32(b, 0)
	b = append(b, secretMake...)
	b = order.AppendUint16(b, 1)
	entry(0x0002, 5, 3, uint32(gps+2+12+4)) // GPSLatitude
	b = order.AppendUint32(b, 0)
	return append(b, secretPlace...)
}

// chunk is a chunk of a PNG.
func chunk(name string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, name...)
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

const pngMagic = "\x89PNG\r\n\x1a\n"

// Colour types of PNG.
const (
	pngGrey, pngRGB, pngRGBA = 0, 2, 6
)

// ihdr is the start of a PNG.
func ihdr(width, height uint32, depth, colour byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, width)
	b = binary.BigEndian.AppendUint32(b, height)
	return append([]byte(pngMagic), chunk("IHDR", append(b, depth, colour, 0, 0, 0))...)
}

// blackPNG is a whole and valid PNG of nothing but zeros, of rows of so many
// bytes. It is put together of compressed zeros, which repeat themselves.
func blackPNG(tb testing.TB, width, height uint32, depth, colour byte, row int) []byte {
	tb.Helper()
	const block = 1 << 20
	zeros := make([]byte, block)
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	pack := func(n int) []byte {
		b.Reset()
		if _, err := w.Write(zeros[:n]); err != nil {
			tb.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			tb.Fatal(err)
		}
		return bytes.Clone(b.Bytes())
	}
	size := int(height) * (1 + row)
	body := []byte{0x78, 0xda}
	if size >= block {
		body = append(body, pack(block)...)
		if blocks := size/block - 1; blocks > 0 {
			body = append(body, bytes.Repeat(pack(block), blocks)...)
		}
	}
	body = append(body, pack(size%block)...)
	b.Reset()
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	body = append(body, b.Bytes()...)
	body = binary.BigEndian.AppendUint32(body, uint32(size%65521)<<16|1) // Adler-32 of zeros
	out := append(ihdr(width, height, depth, colour), chunk("IDAT", body)...)
	return append(out, chunk("IEND", nil)...)
}

// jpegHeader is the start of a JPEG, up to its frame header.
func jpegHeader(width, height uint16) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8}
	b = binary.BigEndian.AppendUint16(b, height)
	b = binary.BigEndian.AppendUint16(b, width)
	return append(b, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0)
}

// riff is a WebP of these chunks.
func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)))
	return append(b, body...)
}

// webpChunk is a chunk of a WebP.
func webpChunk(name string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	b = append(b, body...)
	return append(b, make([]byte, len(body)%2)...)
}

// vp8x is the chunk that announces what a WebP has in it.
func vp8x(flags byte, width, height int) []byte {
	w, h := width-1, height-1
	return webpChunk("VP8X", []byte{
		flags, 0, 0, 0,
		byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16),
	})
}

const pdf = "%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\nxref\n0 1\ntrailer<</Root 1 0 R>>\nstartxref\n41\n%%EOF"
