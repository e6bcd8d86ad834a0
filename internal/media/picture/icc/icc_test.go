package icc_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/media/picture/icc"
	"github.com/ridecopilot/ridecopilot/internal/media/picture/icc/icctest"
)

// srgb is sRGB by its own curve and colorants.
func srgb() []byte {
	return icctest.Matrix(
		4, icctest.Parametric(3, 2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045),
		[3]float64{0.43607, 0.22249, 0.01392}, [3]float64{0.38515, 0.71687, 0.09708}, [3]float64{0.14307, 0.06061, 0.71410},
	)
}

func convert(tb testing.TB, profile []byte, from ...uint8) string {
	tb.Helper()
	p, err := icc.Parse(profile)
	if err != nil {
		tb.Fatal(err)
	}
	to := make([]uint8, 3*len(from)/p.Channels())
	p.Convert(to, from)
	return fmt.Sprintf("%d", to)
}

func TestConvert(t *testing.T) {
	ramp := icctest.Curve(0, 32768, 65535)
	tests := []struct {
		name    string
		profile []byte
		from    []uint8
		want    string
	}{
		{"sRGB", srgb(), []uint8{0, 0, 0, 1, 2, 3, 200, 30, 29, 255, 255, 255}, "[0 0 0 1 2 3 200 30 29 255 255 255]"},
		{"ProPhoto", icctest.ProPhoto(), []uint8{128, 128, 128, 255, 255, 255, 255, 0, 0}, "[146 146 146 255 255 255 255 0 0]"},
		{"grey of gamma 1", icctest.Grey(icctest.Curve()), []uint8{0, 55, 255}, "[0 0 0 128 128 128 255 255 255]"},
		{"grey of samples", icctest.Grey(ramp), []uint8{0, 55, 255}, "[0 0 0 128 128 128 255 255 255]"},
		{"white paper", icctest.Printer("mft2"), []uint8{0, 0, 0, 0}, "[241 241 241]"},
	}
	for _, tt := range tests {
		if got := convert(t, tt.profile, tt.from...); got != tt.want {
			t.Errorf("%s: %v becomes %s, want %s", tt.name, tt.from, got, tt.want)
		}
	}
	// The kinds of tables differ in how exact they are, and in nothing else.
	for _, make := range []func(string) []byte{icctest.Printer, icctest.Screen} {
		a, b := convert(t, make("mft2"), 40, 120, 10, 30, 200, 100, 0, 90, 7, 7, 7, 7), convert(t, make("mAB "), 40, 120, 10, 30, 200, 100, 0, 90, 7, 7, 7, 7)
		if a != b {
			t.Errorf("by mft2 %s, by mAB %s", a, b)
		}
	}
}

func TestSRGB(t *testing.T) {
	for name, tt := range map[string]struct {
		profile []byte
		want    bool
	}{
		"sRGB": {srgb(), true}, "ProPhoto": {icctest.ProPhoto(), false}, "a screen": {icctest.Screen("mft2"), false},
		"a printer": {icctest.Printer("mft2"), false},
		"grey":      {icctest.Grey(icctest.Parametric(3, 2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045)), true},
		"dark grey": {icctest.Grey(icctest.Curve(300)), false},
	} {
		p, err := icc.Parse(tt.profile)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.SRGB(); got != tt.want {
			t.Errorf("SRGB of %s = %t", name, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := srgb()
	edit := func(at int, text string) []byte {
		b := append([]byte{}, good...)
		copy(b[at:], text)
		return b
	}
	table := icctest.Table("mft2", 3, 9, func([]float64) [3]float64 { return [3]float64{} })
	screen := func(table []byte) []byte {
		return icctest.Profile(2, "mntr", "RGB ", "Lab ", icctest.Tag{Name: "A2B0", Body: table})
	}
	grid := append([]byte{}, table...)
	grid[10] = 255
	for name, b := range map[string][]byte{
		"nothing": nil, "a header alone": good[:128], "another file": edit(36, "xxxx"), "cut": good[:len(good)-8],
		"a size of its own": edit(0, "\xff\xff\xff\xff"), "Lab": edit(16, "Lab "), "HSV between": edit(20, "HSV "),
		"four thousand million tags": edit(128, "\xff\xff\xff\xff"), "a tag beyond": edit(136, "\xff\xff\xff\xff"),
		"no curves": edit(132, "xXYZ"), "a cut table": screen(table[:len(table)-1]), "no table": screen(nil), "a grid beyond": screen(grid),
		"CMYK by a matrix": edit(16, "CMYK"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := icc.Parse(b)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("Parse of %s = %v", name, p)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 {
			t.Errorf("Parse of %s allocates %d bytes", name, n)
		}
	}
	for _, xy := range [][4][2]float64{{}, {{0.3, 0.3}, {0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}}, {{0.3, 0.3}, {2, 0.5}, {0.1, 0.5}, {0.5, 0.2}}} {
		if _, err := icc.FromPrimaries(xy, 2.2); err == nil {
			t.Errorf("FromPrimaries takes %v", xy)
		}
	}
	if _, err := icc.FromCodePoints(9, 16); err == nil {
		t.Error("FromCodePoints takes high dynamic range")
	}
}

// Parse and Convert hold with any bytes, and Parse allocates in proportion to them.
func FuzzParse_U7(f *testing.F) {
	f.Add(srgb(), uint8(7))
	f.Add(icctest.ProPhoto(), uint8(200))
	f.Add(icctest.Grey(icctest.Curve(0, 9, 65535)), uint8(1))
	for _, kind := range []string{"mft1", "mft2", "mAB "} {
		f.Add(icctest.Printer(kind), uint8(90))
		f.Add(icctest.Screen(kind), uint8(90))
	}
	f.Fuzz(func(t *testing.T, raw []byte, v uint8) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := icc.Parse(raw)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+64*len(raw)) {
			t.Fatalf("Parse of %d bytes allocates %d", len(raw), n)
		}
		if err != nil {
			return
		}
		from := make([]uint8, 8*p.Channels())
		for i := range from {
			from[i] = v * uint8(i)
		}
		p.Convert(make([]uint8, 24), from)
		p.SRGB()
	})
}
