// Package mediatest makes files for tests of uploads.
package mediatest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
)

// picture is a gradient with one red corner, top left, by which a test sees how
// it was turned.
func picture(width, height int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.NRGBA{uint8(20 + 60*x/width), uint8(60 + 120*y/height), 200, 255}
			if x < width/4 && y < height/4 {
				c = color.NRGBA{230, 10, 10, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// JPEG is a photo of a size in pixels.
func JPEG(width, height int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(width, height), &jpeg.Options{Quality: 90}); err != nil {
		panic(err) // of our own making
	}
	return b.Bytes()
}

// PNG is the same without loss.
func PNG(width, height int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, picture(width, height)); err != nil {
		panic(err) // of our own making
	}
	return b.Bytes()
}

// Place is the text that FromPhone hides in a photo.
const Place = "44.4396N 26.0963E Strada Acasa 7"

// FromPhone is a JPEG as a phone writes it that was turned by 90 degrees: its
// metadata hold the orientation and the place.
func FromPhone(width, height int) []byte {
	var tiff bytes.Buffer
	write := func(v any) { _ = binary.Write(&tiff, binary.BigEndian, v) }
	tiff.WriteString("MM\x00*")
	write(uint32(8))
	write(uint16(3))
	entry := func(tag, kind uint16, n, value uint32) { write(tag); write(kind); write(n); write(value) }
	const after = 8 + 2 + 3*12 + 4
	entry(0x010e, 2, uint32(len(Place)+1), after)                            // description
	entry(0x0112, 3, 1, 6<<16)                                               // orientation: turn right
	entry(0x8825, 4, 1, after+uint32(len(Place)+1)+uint32((len(Place)+1)%2)) // position
	write(uint32(0))
	tiff.WriteString(Place + "\x00")
	if (len(Place)+1)%2 == 1 {
		tiff.WriteByte(0)
	}
	write(uint16(1))
	entry(0x0001, 2, 2, uint32('N')<<24)
	write(uint32(0))
	body := append([]byte("Exif\x00\x00"), tiff.Bytes()...)
	plain := JPEG(width, height)
	out := append([]byte{}, plain[:2]...)
	out = append(out, 0xff, 0xe1, byte((len(body)+2)>>8), byte(len(body)+2))
	return append(append(out, body...), plain[2:]...)
}

// PDF is the least that passes for one.
func PDF(text string) []byte {
	return []byte("%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n% " + text + "\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Root 1 0 R /Size 1 >>\nstartxref\n60\n%%EOF\n")
}
