package jpegread_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/media/picture/jpegread"
	"github.com/ridecopilot/ridecopilot/internal/media/picture/jpegread/jpegtest"
)

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func limits(raw []byte) jpegread.Limits {
	c, err := jpeg.DecodeConfig(bytes.NewReader(raw))
	if err != nil || c.Width*c.Height > 1<<20 {
		return jpegread.Limits{Width: 640, Height: 480, Scans: 50}
	}
	return jpegread.Limits{Width: c.Width, Height: c.Height, Scans: 50}
}

// small is a file of a few blocks, each of another grey.
func small(sampling []byte, restart int) jpegtest.File {
	return jpegtest.File{Width: 41, Height: 33, Sampling: sampling, Adobe: -1, Restart: restart, Value: func(_, x, y int) uint8 {
		return uint8(20*x + 30*y)
	}}
}

// same tells how a picture differs from the standard library's.
func same(t *testing.T, p *jpegread.Picture, m image.Image) {
	t.Helper()
	check := func(i int, pix []uint8, stride int) {
		plane := p.Planes[i]
		for y := range plane.Height {
			if !bytes.Equal(plane.Pix[y*plane.Stride:][:plane.Width], pix[y*stride:][:plane.Width]) {
				t.Fatalf("plane %d differs in row %d", i, y)
			}
		}
	}
	switch m := m.(type) {
	case *image.Gray:
		check(0, m.Pix, m.Stride)
	case *image.YCbCr:
		check(0, m.Y, m.YStride)
		check(1, m.Cb, m.CStride)
		check(2, m.Cr, m.CStride)
	case *image.RGBA:
		for i, plane := range p.Planes { // whose chroma, so to speak, has fewer samples
			for y := range p.Height {
				for x := range p.Width {
					if got := plane.Pix[int(float64(y)/plane.Down)*plane.Stride+int(float64(x)/plane.Across)]; got != m.Pix[y*m.Stride+4*x+i] {
						t.Fatalf("plane %d differs at %d, %d", i, x, y)
					}
				}
			}
		}
	case *image.CMYK: // the standard library turns YCCK into it, and CMYK around
		if p.Model != jpegread.CMYK && p.Model != jpegread.YCCK {
			t.Fatalf("model %d", p.Model)
		}
		check(3, every(m.Pix, 3, 255), len(m.Pix)/m.Rect.Dy()/4)
	default:
		t.Fatalf("%T", m)
	}
}

// every is one of four values of each pixel, taken from 255 where from is that.
func every(pix []uint8, i int, from uint8) []uint8 {
	one := make([]uint8, len(pix)/4)
	for n := range one {
		one[n] = max(from, pix[4*n+i]) - min(from, pix[4*n+i])
	}
	return one
}

// What the standard library decodes comes out the same.
func TestDecode(t *testing.T) {
	names, err := filepath.Glob("testdata/*.jpeg") // the standard library's own
	if err != nil || len(names) < 9 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range append(names, "../testdata/ok.jpg", "../testdata/display-p3-patches.jpg", "../testdata/adobe-rgb-patches.jpg") {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := jpegread.Decode(t.Context(), raw, limits(raw))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := jpeg.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(name), func(t *testing.T) { same(t, p, m) })
	}
}

func TestDecodeDamaged_U6(t *testing.T) {
	progressive, err := os.ReadFile("testdata/video-001.progressive.jpeg")
	if err != nil {
		t.Fatal(err)
	}
	lastScan := bytes.LastIndex(progressive, []byte{0xff, 0xda})
	ok := sample(t, "ok.jpg")
	scan := bytes.Index(ok, []byte{0xff, 0xda})
	part := func(tenths float64) []byte { return ok[:scan+int(float64(len(ok)-scan)*tenths/10)] }
	lost := bytes.Clone(ok)
	copy(lost[scan+(len(ok)-scan)/2:], "\xff\xfe\x10\x00") // a comment in the middle
	tests := []struct {
		name string
		raw  []byte
		want error
	}{
		{"without an end", sample(t, "no-eoi.jpg"), nil},
		{"without its last bytes", sample(t, "cut-last-10-bytes.jpg"), nil},
		{"without a thirtieth", part(9.7), nil},
		{"without a fifth", part(8), jpegread.ErrTruncated},
		{"without a scan", ok[:scan], jpegread.ErrTruncated},
		{"with a fifth lost in between", sample(t, "one-flipped-scan-byte.jpg"), jpegread.ErrUnreadable},
		{"with half lost in between", lost, jpegread.ErrUnreadable},
		{"of several scans without its last bytes", progressive[:len(progressive)-20], nil},
		{"of several scans without half of the last", progressive[:(lastScan+len(progressive))/2], jpegread.ErrTruncated},
		{"of several scans without the last", progressive[:lastScan], jpegread.ErrTruncated},
		{"of several scans without the last, but with an end", append(bytes.Clone(progressive[:lastScan]), 0xff, 0xd9), nil},
		{"sampled 3 by 1", sample(t, "ss-3x1.jpg"), nil},
		{"sampled 2 by 4", sample(t, "ss-2x4.jpg"), nil},
	}
	for _, tt := range tests {
		if _, err := jpegread.Decode(t.Context(), tt.raw, limits(tt.raw)); !errors.Is(err, tt.want) {
			t.Errorf("Decode of a file %s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Whichever bit is flipped, Decode ends, and does not panic.
func TestDecodeFlipped_O5(t *testing.T) {
	raw := sample(t, "display-p3-patches.jpg")
	for i := 0; i < len(raw); i += 23 {
		for _, bit := range []byte{1, 0x80} {
			raw[i] ^= bit
			_, err := jpegread.Decode(t.Context(), raw, jpegread.Limits{Width: 600, Height: 100, Scans: 50})
			if err != nil && !errors.Is(err, jpegread.ErrTruncated) && !errors.Is(err, jpegread.ErrUnreadable) {
				t.Fatalf("byte %d: %v", i, err)
			}
			raw[i] ^= bit
		}
	}
}

// Components have a sample for as many pixels as their factors say, whichever of
// them has most.
func TestDecodeSampling(t *testing.T) {
	for _, sampling := range [][]byte{
		{0x11, 0x11, 0x11}, {0x22, 0x11, 0x11}, {0x31, 0x11, 0x11}, {0x12, 0x21, 0x11}, {0x32, 0x11, 0x21}, {0x24, 0x11, 0x11}, {0x22, 0x11, 0x11, 0x22},
	} {
		f := small(sampling, 3)
		p, err := jpegread.Decode(t.Context(), f.Encode(), jpegread.Limits{Width: 41, Height: 33, Scans: 1})
		if err != nil {
			t.Fatalf("%x: %v", sampling, err)
		}
		for i, plane := range p.Planes {
			for y := range plane.Height {
				for x := range plane.Width {
					if got, want := plane.Pix[y*plane.Stride+x], f.Value(i, x/8, y/8); got != want {
						t.Fatalf("%x: sample %d, %d of component %d is %d, want %d", sampling, x, y, i, got, want)
					}
				}
			}
			if w, h := float64(plane.Width)*plane.Across, float64(plane.Height)*plane.Down; w < 41 || w >= 45 || h < 33 || h >= 37 {
				t.Errorf("%x: component %d stands for %v by %v pixels", sampling, i, w, h)
			}
		}
	}
}

// A restart marker that was lost, or is there twice, costs the data around it.
func TestDecodeRestart(t *testing.T) {
	f := jpegtest.File{Width: 320, Height: 320, Sampling: []byte{0x11}, Adobe: -1, Restart: 40, Value: func(_, x, y int) uint8 { return uint8(3*x + 3*y) }}
	raw := f.Encode()
	at := func(n byte) int { return bytes.Index(raw, []byte{0xff, 0xd0 + n}) }
	for name, edited := range map[string][]byte{
		"lost with its data": append(bytes.Clone(raw[:at(2)]), raw[at(3):]...),
		"twice":              append(bytes.Clone(raw[:at(3)]), raw[at(2):]...),
		"with zeros before":  append(append(bytes.Clone(raw[:at(2)]), make([]byte, 9)...), raw[at(2):]...),
	} {
		p, err := jpegread.Decode(t.Context(), edited, jpegread.Limits{Width: 320, Height: 320, Scans: 1})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wrong := 0
		for y := range 40 {
			if p.Planes[0].Pix[8*y*p.Planes[0].Stride] != f.Value(0, 0, y) {
				wrong++
			}
		}
		if wrong > 2 {
			t.Errorf("%s: %d rows of 40 are wrong", name, wrong)
		}
	}
}

func TestDecodeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	raw := sample(t, "ok.jpg")
	if p, err := jpegread.Decode(ctx, raw, limits(raw)); !errors.Is(err, context.Canceled) {
		t.Errorf("Decode = %v, %v", p, err)
	}
}

// Nothing is allocated for a file of another size than was measured.
func TestDecodeOtherSize_U7(t *testing.T) {
	raw := sample(t, "ok.jpg")
	if _, err := jpegread.Decode(t.Context(), raw, jpegread.Limits{Width: 640, Height: 481, Scans: 50}); !errors.Is(err, jpegread.ErrUnreadable) {
		t.Errorf("Decode: %v", err)
	}
}

func FuzzDecode_O5(f *testing.F) {
	for _, sampling := range [][]byte{{0x11}, {0x22, 0x11, 0x11}, {0x31, 0x11, 0x11}, {0x12, 0x21, 0x11}, {0x32, 0x11, 0x21}, {0x11, 0x11, 0x11, 0x11}} {
		f.Add(small(sampling, 0).Encode())
		f.Add(small(sampling, 2).Encode())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := jpegread.Decode(t.Context(), raw, limits(raw))
		if err != nil {
			if !errors.Is(err, jpegread.ErrTruncated) && !errors.Is(err, jpegread.ErrUnreadable) {
				t.Fatal(err)
			}
			return
		}
		for i, plane := range p.Planes {
			if plane.Width > plane.Stride || plane.Height*plane.Stride > len(plane.Pix) {
				t.Fatalf("plane %d: %d by %d in %d bytes", i, plane.Width, plane.Height, len(plane.Pix))
			}
		}
	})
}
