package picture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

func render(tb testing.TB, raw []byte, contentType string) picture.Rendering {
	tb.Helper()
	made, err := picture.NewLane(512<<20, 2).Render(tb.Context(), raw, contentType)
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

func opened(tb testing.TB, raw []byte) image.Image {
	tb.Helper()
	m, err := jpeg.Decode(bytes.NewReader(raw))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// near tells whether two colours look alike after JPEG.
func near(a, b color.Color) bool {
	x, y := color.RGBAModel.Convert(a).(color.RGBA), color.RGBAModel.Convert(b).(color.RGBA)
	far := func(a, b uint8) bool { return max(a, b)-min(a, b) > 24 }
	return !far(x.R, y.R) && !far(x.G, y.G) && !far(x.B, y.B)
}

// corners names the corners of m that are marked with c while the others are white.
func corners(m image.Image, c color.Color) string {
	b := m.Bounds()
	d := min(b.Dx(), b.Dy()) / 8
	var found []string
	for _, at := range []struct {
		name string
		x, y int
	}{{"top left", d, d}, {"top right", b.Dx() - 1 - d, d}, {"bottom left", d, b.Dy() - 1 - d}, {"bottom right", b.Dx() - 1 - d, b.Dy() - 1 - d}} {
		got := m.At(at.x, at.y)
		switch {
		case near(got, c):
			found = append(found, at.name)
		case !near(got, color.White):
			found = append(found, fmt.Sprintf("%s is %v", at.name, got))
		}
	}
	return strings.Join(found, ", ")
}

func TestOrientation(t *testing.T) {
	wants := []string{ // where the upper left corner of what is stored is to be seen
		1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left",
		5: "top left", 6: "top right", 7: "bottom right", 8: "bottom left",
	}
	for _, size := range []image.Point{{32, 16}, {33, 17}, {2700, 151}} {
		raw := asJPEG(t, corner(size.X, size.Y, size.Y/2))
		for o := 1; o < len(wants); o++ {
			order := []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian}[o%2]
			turned := withExif(raw, exif(order, uint16(o)))
			t.Run(fmt.Sprint(size, o), func(t *testing.T) {
				info, err := picture.Inspect(bytes.NewReader(turned), picture.JPEG)
				if err != nil {
					t.Fatal(err)
				}
				made := render(t, turned, picture.JPEG)
				wantWidth, wantHeight := size.X, size.Y
				wantLarge := image.Pt(size.X, size.Y)
				if size.X > 2560 {
					wantLarge = image.Pt(2560, 143)
				}
				if o >= 5 {
					wantWidth, wantHeight = wantHeight, wantWidth
					wantLarge.X, wantLarge.Y = wantLarge.Y, wantLarge.X
				}
				if info.Width != wantWidth || info.Height != wantHeight {
					t.Errorf("Inspect = %+v, want %d by %d", info, wantWidth, wantHeight)
				}
				if made.Width != wantLarge.X || made.Height != wantLarge.Y {
					t.Errorf("Render = %d by %d, want %v", made.Width, made.Height, wantLarge)
				}
				for name, b := range map[string][]byte{"large": made.Large, "medium": made.Medium, "small": made.Small} {
					if got := corners(opened(t, b), red); got != wants[o] {
						t.Errorf("%s is marked %s, want %s", name, got, wants[o])
					}
				}
			})
		}
	}
}

// An EXIF block that makes no sense says nothing.
func TestOrientationUnknown(t *testing.T) {
	raw := asJPEG(t, corner(32, 16, 8))
	good := exif(binary.BigEndian, 6)
	blocks := map[string][]byte{
		"zero": exif(binary.BigEndian, 0), "nine": exif(binary.BigEndian, 9), "huge": exif(binary.BigEndian, 65535),
		"cut": good[:20], "cut earlier": good[:10], "empty": {}, "XMP": []byte("http://ns.adobe.com/xap/1.0/\x00<x/>"),
		"directory beyond":    append(append([]byte{}, good[:10]...), 0xff, 0xff, 0xff, 0xff, 0, 0),
		"directory in header": append(append([]byte{}, good[:10]...), 0, 0, 0, 2, 0, 0),
	}
	for name, block := range blocks {
		info, err := picture.Inspect(bytes.NewReader(withExif(raw, block)), picture.JPEG)
		if err != nil || info.Width != 32 || info.Height != 16 {
			t.Errorf("%s: Inspect = %+v, %v, want 32 by 16", name, info, err)
		}
	}
}

func TestRenderKinds_U6(t *testing.T) {
	plain := corner(32, 16, 8)
	onto := func(m draw.Image) image.Image {
		draw.Draw(m, m.Bounds(), plain, image.Point{}, draw.Src)
		return m
	}
	grey := color.Gray{Y: color.GrayModel.Convert(red).(color.Gray).Y}
	glass := image.NewNRGBA(plain.Rect)
	draw.Draw(glass, image.Rect(0, 0, 8, 8), image.NewUniform(red), image.Point{}, draw.Src)
	half := image.NewNRGBA(plain.Rect) // black, half transparent
	for i := 3; i < len(half.Pix); i += 4 {
		half.Pix[i] = 128
	}
	pure := color.RGBA{255, 0, 0, 255}
	tests := []struct {
		name, contentType string
		raw               []byte
		marked            color.Color
		want              string
	}{
		{"JPEG", picture.JPEG, asJPEG(t, plain), red, "top left"},
		{"grey JPEG", picture.JPEG, asJPEG(t, onto(image.NewGray(plain.Rect))), grey, "top left"},
		{"progressive JPEG", picture.JPEG, file(t, jpegProgressive), color.Black, "top left"},
		{"CMYK JPEG", picture.JPEG, file(t, jpegCMYK), pure, "top left"},
		{"PNG", picture.PNG, asPNG(t, plain), red, "top left"},
		{"16-bit PNG", picture.PNG, asPNG(t, onto(image.NewNRGBA64(plain.Rect))), red, "top left"},
		{"grey PNG", picture.PNG, asPNG(t, onto(image.NewGray(plain.Rect))), grey, "top left"},
		{"16-bit grey PNG", picture.PNG, asPNG(t, onto(image.NewGray16(plain.Rect))), grey, "top left"},
		{"paletted PNG", picture.PNG, asPNG(t, onto(image.NewPaletted(plain.Rect, color.Palette{color.White, red}))), red, "top left"},
		{"transparent palette", picture.PNG, asPNG(t, onto(image.NewPaletted(plain.Rect, color.Palette{color.Transparent, color.White, red}))), red, "top left"},
		{"transparent PNG", picture.PNG, asPNG(t, glass), red, "top left"},
		{"half transparent PNG", picture.PNG, asPNG(t, half), color.Gray{Y: 127}, "top left, top right, bottom left, bottom right"},
		{"lossy WebP", picture.WebP, file(t, webpLossy), color.Black, "top left"},
		{"lossless WebP", picture.WebP, file(t, webpLossless), color.Black, "top left"},
		{"transparent lossy WebP", picture.WebP, file(t, webpLossyAlpha), pure, "top left"},
		{"transparent lossless WebP", picture.WebP, file(t, webpLosslessAlpha), pure, "top left"},
	}
	lane := picture.NewLane(512<<20, 2)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made := render(t, tt.raw, tt.contentType)
			if made.Width != 32 || made.Height != 16 {
				t.Errorf("Render = %d by %d, want 32 by 16: nothing is enlarged", made.Width, made.Height)
			}
			for _, b := range [][]byte{made.Large, made.Medium, made.Small} {
				if got := corners(opened(t, b), tt.marked); got != tt.want {
					t.Errorf("marked: %s, want %s", got, tt.want)
				}
			}
			if err := lane.Check(t.Context(), tt.raw, tt.contentType); err != nil {
				t.Errorf("Check: %v", err)
			}
			// U6: no part of it passes for the whole.
			for _, n := range []int{len(tt.raw) / 3, len(tt.raw) / 2, len(tt.raw) * 3 / 4, len(tt.raw) - 3} {
				err := lane.Check(t.Context(), tt.raw[:n], tt.contentType)
				if code(err) != picture.CodeTruncated {
					t.Errorf("Check of %d bytes of %d: %v, want code %q", n, len(tt.raw), err, picture.CodeTruncated)
				}
			}
		})
	}
}

func TestSizes(t *testing.T) {
	tests := []struct {
		width, height        int
		large, medium, small image.Point
	}{
		{5120, 384, image.Pt(2560, 192), image.Pt(1280, 96), image.Pt(320, 24)},
		{100, 2561, image.Pt(100, 2560), image.Pt(50, 1280), image.Pt(13, 320)},
		{1281, 128, image.Pt(1281, 128), image.Pt(1280, 128), image.Pt(320, 32)},
		{12_000, 1, image.Pt(2560, 1), image.Pt(1280, 1), image.Pt(320, 1)},
		{1, 12_000, image.Pt(1, 2560), image.Pt(1, 1280), image.Pt(1, 320)},
		{320, 7, image.Pt(320, 7), image.Pt(320, 7), image.Pt(320, 7)},
		{1, 1, image.Pt(1, 1), image.Pt(1, 1), image.Pt(1, 1)},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.width, tt.height), func(t *testing.T) {
			m := image.NewRGBA(image.Rect(0, 0, tt.width, tt.height))
			draw.Draw(m, m.Rect, image.NewUniform(red), image.Point{}, draw.Src)
			for contentType, raw := range map[string][]byte{picture.JPEG: asJPEG(t, m), picture.PNG: asPNG(t, m)} {
				made := render(t, raw, contentType)
				for _, size := range []struct {
					raw  []byte
					want image.Point
				}{{made.Large, tt.large}, {made.Medium, tt.medium}, {made.Small, tt.small}} {
					got := opened(t, size.raw)
					if got.Bounds().Size() != size.want {
						t.Errorf("%s: %v, want %v", contentType, got.Bounds().Size(), size.want)
					}
					for _, at := range []image.Point{{}, size.want.Sub(image.Pt(1, 1)), size.want.Div(2)} {
						if !near(got.At(at.X, at.Y), red) {
							t.Errorf("%s: pixel %v is %v, want %v", contentType, at, got.At(at.X, at.Y), red)
						}
					}
				}
			}
		})
	}
}

// Nothing but pixels is left of a photo.
func TestRenderCleans_U8(t *testing.T) {
	secrets := map[string]string{
		"maker": secretMake, "place": secretPlace, "comment": "taken at home", "profile": "profile of my screen",
		"archive": "PK\x03\x04secret.zip", "page": "<html><script>alert(1)</script></html>", "EXIF": "Exif\x00\x00", "text": "tEXt",
	}
	appended := secrets["page"] + secrets["archive"]

	photo := segment(asJPEG(t, corner(32, 16, 8)), 0xfe, []byte(secrets["comment"]+secrets["page"]))
	photo = segment(photo, 0xe2, []byte("ICC_PROFILE\x00\x01\x01"+secrets["profile"]))
	photo = append(withExif(photo, exif(binary.BigEndian, 6)), appended...)

	drawn := asPNG(t, corner(16, 32, 8))
	extra := append(chunk("tEXt", []byte("Comment\x00"+secrets["comment"])), chunk("eXIf", exif(binary.BigEndian, 1)[6:])...)
	drawn = append(append(append(append([]byte{}, drawn[:33]...), extra...), drawn[33:]...), appended...)

	still := append(riff(file(t, webpLossless)[12:], webpChunk("EXIF", exif(binary.BigEndian, 1)), webpChunk("XMP ", []byte(secrets["profile"]))), appended...)

	for contentType, raw := range map[string][]byte{picture.JPEG: photo, picture.PNG: drawn, picture.WebP: still} {
		t.Run(contentType, func(t *testing.T) {
			if !bytes.Contains(raw, []byte(secretPlace)) || !bytes.HasSuffix(raw, []byte(appended)) {
				t.Fatal("the photo has no secrets to lose")
			}
			made := render(t, raw, contentType)
			for size, b := range map[string][]byte{"large": made.Large, "medium": made.Medium, "small": made.Small} {
				for name, secret := range secrets {
					if bytes.Contains(b, []byte(secret)) {
						t.Errorf("%s still has the %s", size, name)
					}
				}
				if got := markers(b); got != "d8 db c0 c4 da d9" {
					t.Errorf("%s has the markers %s", size, got)
				}
			}
		})
	}
}

// markers lists the markers of a JPEG, and whether anything follows its end.
func markers(raw []byte) string {
	list := "d8"
	for i := 2; i+1 < len(raw); {
		if raw[i] != 0xff || raw[i+1] == 0 {
			i++ // inside a scan
			continue
		}
		list += fmt.Sprintf(" %02x", raw[i+1])
		i += 2
		if raw[i-1] == 0xd9 {
			if i < len(raw) {
				list += " and more"
			}
			break
		}
		i += int(binary.BigEndian.Uint16(raw[i:]))
	}
	return list
}

func TestCheckPDF_U6(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"plain", pdf, ""},
		{"ending in white space", pdf + "\r\n\x00 \t\n", ""},
		{"with a page in a comment", strings.Replace(pdf, "xref", "%<html>\nxref", 1), ""},
		{"without an end", strings.TrimSuffix(pdf, "%%EOF"), picture.CodeTruncated},
		{"cut", pdf[:20], picture.CodeTruncated},
		{"first line alone", "%PDF-1.7", picture.CodeTruncated},
		{"without startxref", strings.Replace(pdf, "startxref", "startxxxx", 1), picture.CodeUnreadable},
		{"startxref too far up", strings.Replace(pdf, "41", strings.Repeat("%\n", 1100), 1), picture.CodeUnreadable},
		{"with a page appended", pdf + "\n<html><script>alert(1)</script></html>", picture.CodeUnreadable},
		{"with an archive appended", pdf + "\nPK\x03\x04", picture.CodeUnreadable},
		{"with much appended", pdf + strings.Repeat("x", 4096), picture.CodeTruncated},
		{"behind a blank line", "\r\n" + pdf, ""},
		{"behind a mark", "\ufeff" + pdf, ""},
		{"behind 1,024 bytes", strings.Repeat("\x00\xff", 512) + pdf, ""},
		{"behind 1,025 bytes", strings.Repeat("\xff", 1025) + pdf, picture.CodeWrongType},
		{"behind binary and a page", "\xff\xfe<HTML>" + pdf, picture.CodeWrongType},
		{"behind a script", "<script>alert(1)</script>" + pdf, picture.CodeWrongType},
		{"behind an archive", "PK\x03\x04" + pdf, picture.CodeWrongType},
		{"of no version behind a line", "\n%PDF-9.1\nstartxref\n1\n%%EOF", picture.CodeUnreadable},
		{"page", "<html>" + pdf, picture.CodeWrongType},
		{"empty", "", picture.CodeEmpty},
	}
	lane := picture.NewLane(1, 1)
	for _, tt := range tests {
		if err := lane.Check(t.Context(), []byte(tt.raw), picture.PDF); code(err) != tt.want {
			t.Errorf("Check of a PDF %s: %v, want code %q", tt.name, err, tt.want)
		}
		if _, err := lane.Render(t.Context(), []byte(tt.raw), picture.PDF); code(err) != picture.CodeWrongType {
			t.Errorf("Render of a PDF %s: %v, want code %q", tt.name, err, picture.CodeWrongType)
		}
	}
}

// Broken pixels behind a good head are the file's fault, and none is taken for
// another kind on the way.
func TestBroken_U6(t *testing.T) {
	flip := func(raw []byte, at int) []byte {
		raw = bytes.Clone(raw)
		raw[at] ^= 0xff
		return raw
	}
	plain := asPNG(t, corner(32, 16, 8))
	tests := []struct {
		name, contentType string
		raw               []byte
	}{
		{"checksum of a PNG's header", picture.PNG, flip(plain, 30)},
		{"pixels of a PNG", picture.PNG, flip(plain, 60)},
		{"tables of a JPEG", picture.JPEG, bytes.Replace(asJPEG(t, corner(32, 16, 8)), []byte{0xff, 0xc4}, []byte{0xff, 0xe9}, 1)},
		{"lossless WebP", picture.WebP, riff(webpChunk("VP8L", append([]byte{0x2f, 0x1f, 0xc0, 3, 0}, bytes.Repeat([]byte{0xff}, 64)...)))},
	}
	lane := picture.NewLane(512<<20, 2)
	for _, tt := range tests {
		if err := lane.Check(t.Context(), tt.raw, tt.contentType); code(err) != picture.CodeUnreadable {
			t.Errorf("Check with broken %s: %v, want code %q", tt.name, err, picture.CodeUnreadable)
		}
		if _, err := lane.Render(t.Context(), tt.raw, tt.contentType); code(err) != picture.CodeUnreadable {
			t.Errorf("Render with broken %s: %v, want code %q", tt.name, err, picture.CodeUnreadable)
		}
	}
}

// A scan costs a few bytes to send and goes over all pixels.
func TestScanFlood_U7(t *testing.T) {
	raw := file(t, jpegProgressive)
	first := bytes.Index(raw, []byte{0xff, 0xda})
	scan := raw[first : first+2+bytes.Index(raw[first+2:], []byte{0xff, 0xc4})] // up to the tables of the next
	end := len(raw) - 2
	with := func(n int) []byte {
		return append(append(bytes.Clone(raw[:end]), bytes.Repeat(scan, n)...), raw[end:]...)
	}
	lane := picture.NewLane(512<<20, 2)
	if err := lane.Check(t.Context(), with(20), picture.JPEG); err != nil {
		t.Errorf("Check with 20 scans more: %v", err)
	}
	if err := lane.Check(t.Context(), with(200), picture.JPEG); code(err) != picture.CodeUnreadable {
		t.Errorf("Check with 200 scans more: %v, want code %q", err, picture.CodeUnreadable)
	}
}

// 64 megapixels of 16 bits are more than this lane has, and still work.
func TestHeaviest_U7(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 512 MB")
	}
	raw := blackPNG(t, 8_000, 8_000, 16, pngRGB, 48_000)
	made, err := picture.NewLane(64<<20, 2).Render(t.Context(), raw, picture.PNG)
	if err != nil || made.Width != 2560 || made.Height != 2560 {
		t.Errorf("Render = %d by %d, %v", made.Width, made.Height, err)
	}
}

// There are pictures within the limits that no lane opens: this one has luma, chroma,
// and an alpha plane that is packed as a lossless picture.
func TestTooHeavy_U7(t *testing.T) {
	frame := []byte{0, 0, 0, 0x9d, 1, 0x2a, 8000 & 255, 8000 >> 8, 8000 & 255, 8000 >> 8}
	raw := riff(vp8x(0x10, 8000, 8000), webpChunk("VP8 ", frame))
	lane := picture.NewLane(2<<30, 1)
	var err error
	grown := allocated(func() { err = lane.Check(t.Context(), raw, picture.WebP) })
	if code(err) != picture.CodeTooManyPixels || grown > 1<<20 {
		t.Errorf("Check: %v, with %d bytes allocated", err, grown)
	}
}

// ending is a context that ends after so many questions.
type ending struct {
	context.Context
	left atomic.Int64
}

func (e *ending) Err() error {
	if e.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestRenderStops(t *testing.T) {
	lane := picture.NewLane(512<<20, 1)
	for contentType, raw := range map[string][]byte{
		picture.JPEG: asJPEG(t, corner(200, 200, 100)), picture.PNG: asPNG(t, corner(200, 200, 100)), picture.WebP: file(t, webpLossyAlpha),
	} {
		asked := &ending{Context: t.Context()}
		asked.left.Store(1 << 40)
		if _, err := lane.Render(asked, raw, contentType); err != nil {
			t.Fatal(err)
		}
		for n := range 1<<40 - asked.left.Load() {
			ctx := &ending{Context: t.Context()}
			ctx.left.Store(n)
			made, err := lane.Render(ctx, raw, contentType)
			if !errors.Is(err, context.Canceled) || made.Large != nil {
				t.Fatalf("%s: Render that is stopped at question %d = %d bytes, %v", contentType, n, len(made.Large), err)
			}
		}
		if err := lane.Check(t.Context(), raw, contentType); err != nil {
			t.Errorf("Check: %v: the lane was not left", err)
		}
	}
}

func FuzzRender_U7(f *testing.F) {
	types := []string{picture.JPEG, picture.PNG, picture.WebP}
	f.Add(uint8(0), withExif(asJPEG(f, corner(33, 17, 8)), exif(binary.BigEndian, 7)))
	f.Add(uint8(0), asJPEG(f, image.NewGray(image.Rect(0, 0, 9, 9))))
	f.Add(uint8(0), file(f, jpegProgressive))
	f.Add(uint8(0), file(f, jpegCMYK))
	f.Add(uint8(1), asPNG(f, corner(32, 16, 8)))
	f.Add(uint8(1), asPNG(f, image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.Transparent, red})))
	f.Add(uint8(1), asPNG(f, image.NewNRGBA64(image.Rect(0, 0, 9, 9))))
	f.Add(uint8(2), file(f, webpLossy))
	f.Add(uint8(2), file(f, webpLossless))
	f.Add(uint8(2), file(f, webpLossyAlpha))
	f.Add(uint8(2), file(f, webpLosslessAlpha))
	lane := picture.NewLane(64<<20, 2)
	f.Fuzz(func(t *testing.T, i uint8, raw []byte) {
		contentType := types[int(i)%len(types)]
		info, err := picture.Inspect(bytes.NewReader(raw), contentType)
		if err == nil && info.Width*info.Height > 1<<16 {
			t.Skip("slow")
		}
		made, failed := lane.Render(t.Context(), raw, contentType)
		if failed != nil {
			if code(failed) == "not about the file" {
				t.Fatalf("Render: %v, want an *Error", failed)
			}
			return
		}
		if err != nil {
			t.Fatalf("Render takes what Inspect refuses: %v", err)
		}
		if got := opened(t, made.Large).Bounds().Size(); got != image.Pt(made.Width, made.Height) {
			t.Fatalf("Large is %v, Render says %d by %d", got, made.Width, made.Height)
		}
		opened(t, made.Medium)
		opened(t, made.Small)
		if got := markers(made.Large); !strings.HasSuffix(got, "da d9") {
			t.Fatalf("markers %s", got)
		}
		if err := lane.Check(t.Context(), raw, contentType); err != nil {
			t.Fatalf("Check refuses what Render takes: %v", err)
		}
	})
}
