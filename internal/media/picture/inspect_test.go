package picture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

func TestInspect_U6(t *testing.T) {
	plainJPEG, plainPNG := asJPEG(t, corner(32, 16, 8)), asPNG(t, corner(32, 16, 8))
	html := "<!DOCTYPE html><html><script>alert(1)</script></html>"
	tests := []struct {
		name, contentType string
		raw               []byte
		want              string // code
		says              string
	}{
		{"JPEG", picture.JPEG, plainJPEG, "", ""},
		{"progressive JPEG", picture.JPEG, file(t, jpegProgressive), "", ""},
		{"CMYK JPEG", picture.JPEG, file(t, jpegCMYK), "", ""},
		{"PNG", picture.PNG, plainPNG, "", ""},
		{"lossy WebP", picture.WebP, file(t, webpLossy), "", ""},
		{"lossless WebP", picture.WebP, file(t, webpLossless), "", ""},
		{"lossy WebP with alpha", picture.WebP, file(t, webpLossyAlpha), "", ""},
		{"lossless WebP with alpha", picture.WebP, file(t, webpLosslessAlpha), "", ""},
		{"PDF 1", picture.PDF, []byte(pdf), "", ""},
		{"PDF 2", picture.PDF, []byte(strings.Replace(pdf, "1.7", "2.0", 1)), "", ""},

		{"PNG as JPEG", picture.JPEG, plainPNG, picture.CodeWrongType, "The file is a PNG picture, not a JPEG picture."},
		{"JPEG as PNG", picture.PNG, plainJPEG, picture.CodeWrongType, "a JPEG picture, not a PNG"},
		{"WebP as JPEG", picture.JPEG, file(t, webpLossy), picture.CodeWrongType, "a WebP picture, not"},
		{"JPEG as PDF", picture.PDF, plainJPEG, picture.CodeWrongType, "not a PDF document"},
		{"PDF as JPEG", picture.JPEG, []byte(pdf), picture.CodeWrongType, "a PDF document, not"},
		{"text as JPEG", picture.JPEG, []byte("Dear reader, these are ș and ț."), picture.CodeWrongType, "plain text, not a JPEG"},
		{"long text as JPEG", picture.JPEG, []byte("x" + strings.Repeat("ș", 5000)), picture.CodeWrongType, "plain text, not a JPEG"},
		{"page as JPEG", picture.JPEG, []byte(html), picture.CodeWrongType, "a web page, not"},
		{"page as PDF", picture.PDF, []byte(html), picture.CodeWrongType, "a web page, not"},
		{"page, then PDF", picture.PDF, []byte(html + pdf), picture.CodeWrongType, "a web page, not"},
		{"SVG as PNG", picture.PNG, []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`), picture.CodeWrongType, "an SVG drawing, not"},
		{"ZIP as PDF", picture.PDF, []byte("PK\x03\x04\x14\x00\x00\x00"), picture.CodeWrongType, "a ZIP archive, not"},
		{"GIF header before JPEG", picture.JPEG, append([]byte("GIF89a"), plainJPEG...), picture.CodeWrongType, "a GIF picture, not"},
		{"HEIC as JPEG", picture.JPEG, []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), picture.CodeWrongType, "a HEIC picture, not"},
		{"HEIC as JPEG, and what to do", picture.JPEG, sample(t, "heic-stub-named.jpg"), picture.CodeWrongType, "Most Compatible"},
		{"JPEG XL as JPEG", picture.JPEG, []byte("\xff\x0a\x00\x00"), picture.CodeWrongType, "a JPEG XL picture, not a JPEG picture. Please save it as JPEG"},
		{"JPEG XL in a box", picture.PNG, []byte("\x00\x00\x00\x0cJXL \r\n\x87\n"), picture.CodeWrongType, "a JPEG XL picture, not"},
		{"AVIF as JPEG", picture.JPEG, []byte("\x00\x00\x00\x18ftypavif"), picture.CodeWrongType, "an AVIF picture, not"},
		{"sound in RIFF", picture.WebP, []byte("RIFF\x24\x00\x00\x00WAVEfmt "), picture.CodeWrongType, "The file is not a WebP picture."},
		{"rubbish", picture.JPEG, []byte("\x00\x01\x02\xfe"), picture.CodeWrongType, "The file is not a JPEG picture."},
		{"GIF asked for", "image/gif", []byte("GIF89a"), picture.CodeWrongType, "Only JPEG"},
		{"nothing asked for", "", plainJPEG, picture.CodeWrongType, "Only JPEG"},
		{"empty", picture.JPEG, nil, picture.CodeEmpty, "empty"},
		{"empty PDF", picture.PDF, nil, picture.CodeEmpty, "empty"},

		{"PDF of no version", picture.PDF, []byte("%PDF-9.1\n%%EOF"), picture.CodeUnreadable, "damaged"},
		{"JPEG without a frame", picture.JPEG, []byte("\xff\xd8\xff\xd9"), picture.CodeUnreadable, ""},
		{"JPEG with a lossless frame", picture.JPEG, bytes.Replace(jpegHeader(9, 9), []byte{0xff, 0xc0}, []byte{0xff, 0xc3}, 1), picture.CodeUnreadable, ""},
		{"JPEG with a short segment", picture.JPEG, []byte("\xff\xd8\xff\xe1\x00\x01"), picture.CodeUnreadable, ""},
		{"PNG without pixels", picture.PNG, append(ihdr(9, 9, 8, pngGrey), chunk("IEND", nil)...), picture.CodeUnreadable, ""},
		{"PNG of no such colour", picture.PNG, append(ihdr(9, 9, 3, pngRGB), chunk("IDAT", nil)...), picture.CodeUnreadable, ""},
		{"WebP that is no key frame", picture.WebP, riff(webpChunk("VP8 ", []byte{1, 0, 0, 0x9d, 1, 0x2a, 1, 0, 1, 0})), picture.CodeUnreadable, ""},
		{"WebP of two sizes", picture.WebP, riff(vp8x(0, 9, 9), file(t, webpLossless)[12:]), picture.CodeUnreadable, ""},
		{"three bytes of a JPEG", picture.JPEG, plainJPEG[:3], picture.CodeTruncated, ""},
		{"half a PNG header", picture.PNG, plainPNG[:20], picture.CodeTruncated, ""},
		{"WebP without chunks", picture.WebP, riff(), picture.CodeTruncated, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info, err := picture.Inspect(iotest.OneByteReader(bytes.NewReader(tt.raw)), tt.contentType)
			if code(err) != tt.want {
				t.Fatalf("Inspect = %+v, %v, want code %q", info, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Inspect says %q, want %q in it", err, tt.says)
			}
			if err == nil {
				want := picture.Info{ContentType: tt.contentType, Width: 32, Height: 16}
				if tt.contentType == picture.PDF {
					want.Width, want.Height = 0, 0
				}
				if info != want {
					t.Errorf("Inspect = %+v, want %+v", info, want)
				}
			}
		})
	}
}

func TestInspectLimits_U7(t *testing.T) {
	still := func(width, height uint32) []byte {
		return append(ihdr(width, height, 8, pngGrey), chunk("IDAT", nil)...)
	}
	lossless := func(width, height uint32) []byte {
		return riff(webpChunk("VP8L", binary.LittleEndian.AppendUint32([]byte{0x2f}, width-1|(height-1)<<14)))
	}
	tests := []struct {
		name, contentType string
		raw               []byte
		want              string
	}{
		{"20,000 on a side", picture.PNG, still(20_000, 1), ""},
		{"20,000 on the other", picture.JPEG, jpegHeader(1, 20_000), ""},
		{"64 megapixels", picture.PNG, still(8_000, 8_000), ""},
		{"20,001 on a side", picture.PNG, still(20_001, 1), picture.CodeTooManyPixels},
		{"20,001 on the other", picture.JPEG, jpegHeader(1, 20_001), picture.CodeTooManyPixels},
		{"a row more of a WebP", picture.WebP, lossless(8_001, 8_000), picture.CodeTooManyPixels},
		{"20,001 of a canvas", picture.WebP, riff(vp8x(0, 1, 20_001)), picture.CodeTooManyPixels},
		{"a row more than 64 megapixels", picture.PNG, still(8_000, 8_001), picture.CodeTooManyPixels},
		{"largest JPEG", picture.JPEG, jpegHeader(65_535, 65_535), picture.CodeTooManyPixels},
		{"largest WebP", picture.WebP, lossless(1<<14, 1<<14), picture.CodeTooManyPixels},
		{"largest canvas", picture.WebP, riff(vp8x(0, 1<<24, 1<<24)), picture.CodeTooManyPixels},
		{"product of 2^32", picture.PNG, still(1<<16, 1<<16), picture.CodeTooManyPixels},
		{"product of 2^64", picture.PNG, still(1<<31, 1<<31), picture.CodeTooManyPixels},
		{"largest PNG", picture.PNG, still(1<<32-1, 1<<32-1), picture.CodeTooManyPixels},
		{"no width", picture.PNG, still(0, 1), picture.CodeUnreadable},
		{"no height", picture.JPEG, jpegHeader(1, 0), picture.CodeUnreadable},
		{"no size of a WebP", picture.WebP, riff(webpChunk("VP8 ", []byte{0, 0, 0, 0x9d, 1, 0x2a, 0, 0, 0, 0})), picture.CodeUnreadable},

		{"animated PNG", picture.PNG, append(append(ihdr(1, 1, 8, pngGrey), chunk("acTL", make([]byte, 8))...), still(1, 1)...), picture.CodeAnimated},
		{"animated WebP", picture.WebP, file(t, webpAnimated), picture.CodeAnimated},
		{"animated WebP that hides it", picture.WebP, riff(vp8x(0, 32, 16), webpChunk("ANIM", make([]byte, 6))), picture.CodeAnimated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info, err := picture.Inspect(bytes.NewReader(tt.raw), tt.contentType)
			if code(err) != tt.want {
				t.Errorf("Inspect = %+v, %v, want code %q", info, err, tt.want)
			}
		})
	}
}

// counting counts what is read.
type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A PNG of 400 megapixels is small to send and would be 400 MB to open.
func TestPixelFlood_U7(t *testing.T) {
	bomb := blackPNG(t, 20_000, 20_000, 8, pngGrey, 20_000)
	if len(bomb) > 512<<10 {
		t.Fatalf("the file has %d bytes", len(bomb))
	}
	r := &counting{Reader: bytes.NewReader(bomb)}
	var err error
	grown := allocated(func() { _, err = picture.Inspect(r, picture.PNG) })
	if code(err) != picture.CodeTooManyPixels {
		t.Errorf("Inspect: %v, want code %q", err, picture.CodeTooManyPixels)
	}
	if r.n >= 64<<10 || grown >= 1<<20 {
		t.Errorf("Inspect read %d bytes and allocated %d", r.n, grown)
	}
	lane := picture.NewLane(1<<20, 1)
	grown = allocated(func() { _, err = lane.Render(t.Context(), bomb, picture.PNG) })
	if code(err) != picture.CodeTooManyPixels || grown >= 1<<20 {
		t.Errorf("Render: %v, with %d bytes allocated", err, grown)
	}
}

// Lengths in headers ask for nothing either, where the bytes do not follow.
func TestFalseLengths_U7(t *testing.T) {
	frame := webpChunk("VP8 ", []byte{0, 0xff, 0xff, 0x9d, 1, 0x2a, 16, 0, 16, 0})
	binary.LittleEndian.PutUint32(frame[4:], 1<<30)
	long := riff(frame)
	binary.LittleEndian.PutUint32(long[4:], 1<<30+12)
	tests := []struct {
		name, contentType string
		raw               []byte
	}{
		{"WebP", picture.WebP, long},
		{"PNG", picture.PNG, append(ihdr(1, 1, 8, pngGrey), "\x7f\xff\xff\xffzTXt"...)},
		{"JPEG", picture.JPEG, []byte("\xff\xd8\xff\xe1\xff\xffExif\x00\x00II*\x00\xff\xff\xff\xff")},
	}
	lane := picture.NewLane(1<<20, 1)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			grown := allocated(func() { err = lane.Check(t.Context(), tt.raw, tt.contentType) })
			if code(err) != picture.CodeTruncated || grown > 256<<10 {
				t.Errorf("Check: %v, with %d bytes allocated", err, grown)
			}
		})
	}
}

// The file is not at fault when its storage is.
func TestInspectFailingReader(t *testing.T) {
	down := errors.New("the storage is down")
	for contentType, raw := range map[string][]byte{
		picture.JPEG: asJPEG(t, corner(32, 16, 8))[:20],
		picture.PNG:  asPNG(t, corner(32, 16, 8))[:20],
		picture.WebP: file(t, webpLossy)[:14],
		picture.PDF:  nil,
	} {
		r := io.MultiReader(bytes.NewReader(raw), iotest.ErrReader(down))
		_, err := picture.Inspect(r, contentType)
		if !errors.Is(err, down) || code(err) != "not about the file" {
			t.Errorf("Inspect(%s) = %v, want it to wrap %v", contentType, err, down)
		}
	}
}

// Of several kinds, what the bytes say counts, whatever the file is called.
func TestInspectKinds_U6(t *testing.T) {
	photos := []string{picture.JPEG, picture.PNG, picture.WebP}
	files := append([]string{picture.PDF}, photos...)
	for name, want := range map[string]string{
		"png-named.jpg": picture.PNG, "webp-named.jpg": picture.WebP, "ok.jpg": picture.JPEG,
		"plain.pdf": picture.PDF, "bom-first.pdf": picture.PDF, "newline-first.pdf": picture.PDF,
	} {
		raw := sample(t, name)
		if info, err := picture.Inspect(bytes.NewReader(raw), files...); err != nil || info.ContentType != want {
			t.Errorf("%s: %+v, %v, want %s", name, info, err, want)
		}
		if err := picture.NewLane(64<<20, 1).Check(t.Context(), raw, want); err != nil {
			t.Errorf("Check of %s: %v", name, err)
		}
		if want == picture.PDF {
			_, err := picture.Inspect(bytes.NewReader(raw), photos...)
			if code(err) != picture.CodeWrongType || !strings.Contains(err.Error(), "a PDF document. Only JPEG, PNG and WebP pictures are taken.") {
				t.Errorf("%s as a photo: %v", name, err)
			}
		}
	}
	for contentType, want := range map[string]string{
		"image/jpg": picture.JPEG, "IMAGE/JPEG": picture.JPEG, "image/pjpeg": picture.JPEG, "Image/X-PNG": picture.PNG, "image/webp; q=1": picture.WebP,
		"application/pdf": picture.PDF, "image/gif": "image/gif", "": "",
	} {
		if got := picture.CanonicalType(contentType); got != want {
			t.Errorf("CanonicalType(%q) = %q, want %q", contentType, got, want)
		}
	}
	for contentType, want := range map[string]string{"image/heic": "Most Compatible", "image/jxl": "JPEG XL", "image/jpeg": "", "text/html": ""} {
		if got := picture.RefusedType(contentType); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("RefusedType(%q) = %q", contentType, got)
		}
	}
}

func FuzzInspect_U7(f *testing.F) {
	types := []string{picture.JPEG, picture.PNG, picture.WebP, picture.PDF}
	add := func(i uint8, raw []byte) { f.Add(i, raw) }
	add(0, withExif(asJPEG(f, corner(32, 16, 8)), exif(binary.BigEndian, 6)))
	add(0, withExif(asJPEG(f, corner(32, 16, 8)), exif(binary.LittleEndian, 3)))
	add(0, file(f, jpegProgressive))
	add(0, jpegHeader(65_535, 65_535))
	add(1, asPNG(f, corner(32, 16, 8)))
	add(1, ihdr(1<<31, 1<<31, 16, pngRGBA))
	add(2, file(f, webpLossy))
	add(2, file(f, webpLosslessAlpha))
	add(2, file(f, webpAnimated))
	add(3, []byte(pdf))
	f.Fuzz(func(t *testing.T, i uint8, raw []byte) {
		contentType := types[int(i)%len(types)]
		info, err := picture.Inspect(bytes.NewReader(raw), contentType)
		if err != nil {
			if code(err) == "not about the file" {
				t.Fatalf("Inspect: %v, want an *Error", err)
			}
			return
		}
		if contentType == picture.PDF {
			return
		}
		if info.Width < 1 || info.Height < 1 || max(info.Width, info.Height) > picture.MaxSide || info.Width*info.Height > picture.MaxPixels {
			t.Fatalf("Inspect = %+v", info)
		}
	})
}
