package picture_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ridecopilot/ridecopilot/internal/browsertest"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
	"github.com/ridecopilot/ridecopilot/internal/media/picture/icc/icctest"
	"github.com/ridecopilot/ridecopilot/internal/media/picture/jpegread/jpegtest"
)

// shown is what a browser shows of a picture, as sRGB: red, green, blue and alpha of
// each pixel.
type shown struct {
	Width, Height int
	Pix           string
	raw           []byte
}

func (s *shown) at(x, y int) [3]uint8 {
	i := 4 * (y*s.Width + x)
	return [3]uint8(s.raw[i : i+3])
}

// show has the browser decode a picture.
func show(t *testing.T, tab *browsertest.Tab, raw []byte, contentType string) *shown {
	t.Helper()
	s, err := chromedp.Run(tab.Ctx, chromedp.Evaluate[shown](fmt.Sprintf(`(async () => {
		const i = new Image();
		const done = new Promise((ok, bad) => { i.onload = ok; i.onerror = () => bad(new Error("not shown")); });
		i.src = "data:%s;base64,%s";
		await done;
		const c = document.createElement("canvas");
		c.width = i.naturalWidth;
		c.height = i.naturalHeight;
		const x = c.getContext("2d", {colorSpace: "srgb"});
		x.fillStyle = "white";
		x.fillRect(0, 0, c.width, c.height);
		x.drawImage(i, 0, 0);
		const d = x.getImageData(0, 0, c.width, c.height).data;
		let s = "";
		for (let n = 0; n < d.length; n += 4096) s += String.fromCharCode(...d.subarray(n, n + 4096));
		return {Width: c.width, Height: c.height, Pix: btoa(s)};
	})()`, contentType, base64.StdEncoding.EncodeToString(raw)), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if s.raw, err = base64.StdEncoding.DecodeString(s.Pix); err != nil {
		t.Fatal(err)
	}
	return &s
}

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// The pictures of these tests are patches of one colour each.
const (
	patch   = 48
	patches = 6 // on a side
)

// device is a value of a patch, spread over all there are.
func device(channel, x, y int) uint8 {
	return uint8([]int{51 * x, 51 * y, 255 - 25*(x+y), 30 * ((x + 2*y) % 4)}[channel])
}

func patchPNG(t *testing.T, grey bool, extra ...[]byte) []byte {
	t.Helper()
	box := image.Rect(0, 0, patches*patch, patches*patch)
	var m draw.Image = image.NewNRGBA(box)
	if grey {
		m = image.NewGray(box)
	}
	for y := range patches {
		for x := range patches {
			c := image.NewUniform(color.NRGBA{device(0, x, y), device(1, x, y), device(2, x, y), 255})
			if grey {
				c = image.NewUniform(color.Gray{uint8(40*y + 7*x)})
			}
			draw.Draw(m, image.Rect(x*patch, y*patch, (x+1)*patch, (y+1)*patch), c, image.Point{}, draw.Src)
		}
	}
	raw := asPNG(t, m)
	return append(append(bytes.Clone(raw[:33]), bytes.Join(extra, nil)...), raw[33:]...)
}

// inks is a CMYK file without black ink. Chromium mixes black into the others before
// it looks at the profile, which is against the specification.
func inks(profile []byte, transform int) []byte {
	return jpegtest.File{
		Width: patches * patch, Height: patches * patch, Sampling: []byte{0x11, 0x11, 0x11, 0x11}, Adobe: transform, Profile: profile,
		Value: func(i, x, y int) uint8 {
			if i == 3 {
				return 255
			}
			return device(i, x*8/patch, y*8/patch)
		},
	}.Encode()
}

func patchJPEG(sampling []byte, adobe int, profile []byte) []byte {
	return jpegtest.File{
		Width: patches * patch, Height: patches * patch, Sampling: sampling, Adobe: adobe, Profile: profile,
		Value: func(i, x, y int) uint8 { return device(i, x*8/patch, y*8/patch) },
	}.Encode()
}

// iccp is the chunk of a PNG with a profile.
func iccp(t *testing.T, profile []byte) []byte {
	t.Helper()
	b := bytes.NewBufferString("profile\x00\x00")
	z := zlib.NewWriter(b)
	if _, err := z.Write(profile); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return chunk("iCCP", b.Bytes())
}

func big(list ...uint32) []byte {
	var b []byte
	for _, v := range list {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// A browser shows a photo and what is made of it in the same colours, whatever the
// photo says of its own.
func TestColours_U8(t *testing.T) {
	tab := browsertest.NewTab(browsertest.Start(t), t)
	tab.Do(t, chromedp.Navigate("about:blank"))
	plain := []byte{0x11, 0x11, 0x11}
	four := []byte{0x11, 0x11, 0x11, 0x11}
	p3 := big(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
	webp := func(profile []byte) []byte {
		return riff(vp8x(0x20, 32, 16), webpChunk("ICCP", profile), file(t, webpLossless)[12:])
	}
	type test struct {
		name, contentType string
		raw               []byte
		off               int
	}
	tests := []test{
		{"JPEG in Display P3", picture.JPEG, sample(t, "display-p3-patches.jpg"), 2},
		{"JPEG in Adobe RGB", picture.JPEG, sample(t, "adobe-rgb-patches.jpg"), 2},
		{"JPEG in ProPhoto", picture.JPEG, patchJPEG(plain, 1, icctest.ProPhoto()), 2},
		{"JPEG of RGB in ProPhoto", picture.JPEG, patchJPEG(plain, 0, icctest.ProPhoto()), 2},
		{"JPEG of RGB", picture.JPEG, patchJPEG(plain, 0, nil), 2},
		{"grey JPEG", picture.JPEG, patchJPEG([]byte{0x11}, -1, icctest.Grey(icctest.Curve(300))), 2},
		{"grey JPEG with a profile of colours", picture.JPEG, patchJPEG([]byte{0x11}, -1, icctest.ProPhoto()), 2},
		{"JPEG with a profile of grey", picture.JPEG, patchJPEG(plain, 1, icctest.Grey(icctest.Curve(300))), 2},
		{"JPEG with a profile of a printer", picture.JPEG, patchJPEG(plain, 1, icctest.Printer("mft2")), 2},
		{"JPEG with a broken profile", picture.JPEG, patchJPEG(plain, 1, icctest.ProPhoto()[:200]), 2},
		{"CMYK", picture.JPEG, patchJPEG(four, 0, nil), 2},
		{"CMYK that Adobe has not written", picture.JPEG, patchJPEG(four, -1, nil), 2},
		{"CMYK with a profile of colours", picture.JPEG, patchJPEG(four, 0, icctest.ProPhoto()), 2},
		{"YCCK", picture.JPEG, patchJPEG(four, 2, nil), 2},
		{"PNG", picture.PNG, patchPNG(t, false), 2},
		{"PNG in ProPhoto", picture.PNG, patchPNG(t, false, iccp(t, icctest.ProPhoto())), 2},
		{"PNG with a profile of grey", picture.PNG, patchPNG(t, false, iccp(t, icctest.Grey(icctest.Curve(300)))), 2},
		{"grey PNG", picture.PNG, patchPNG(t, true, iccp(t, icctest.Grey(icctest.Curve(300)))), 2},
		{"grey PNG with a profile of colours", picture.PNG, patchPNG(t, true, iccp(t, icctest.ProPhoto())), 2},
		{"PNG of primaries and a gamma", picture.PNG, patchPNG(t, false, chunk("gAMA", big(45455)), chunk("cHRM", p3)), 2},
		{"PNG of another gamma", picture.PNG, patchPNG(t, false, chunk("gAMA", big(100000))), 2},
		{"PNG of primaries without a gamma", picture.PNG, patchPNG(t, false, chunk("cHRM", p3)), 2},
		{"grey PNG of another gamma", picture.PNG, patchPNG(t, true, chunk("gAMA", big(100000))), 2},
		{"PNG of a gamma that counts for nothing", picture.PNG, patchPNG(t, false, chunk("gAMA", big(100000)), chunk("sRGB", []byte{0})), 2},
		{"PNG in Display P3 by code points", picture.PNG, patchPNG(t, false, chunk("cICP", []byte{12, 13, 0, 1})), 2},
		{"PNG of television by code points", picture.PNG, patchPNG(t, false, chunk("cICP", []byte{9, 1, 0, 1})), 2},
		// These are so small that what is made of them is noisy.
		{"WebP in ProPhoto", picture.WebP, webp(icctest.ProPhoto()), 14},
		{"WebP of an inverted screen", picture.WebP, webp(icctest.Profile(4, "mntr", "RGB ", "Lab ", icctest.Tag{
			Name: "A2B0", Body: icctest.Table("mAB ", 3, 2, func(v []float64) [3]float64 { return [3]float64{100 - 60*v[0], 40 * v[1], -30} }),
		})), 14},
	}
	for _, kind := range []string{"mft1", "mft2", "mAB "} {
		off := 2
		if kind == "mft2" { // Chromium takes the older encoding of L*a*b* for the newer, which is a little less
			off = 8
		}
		tests = append(
			tests, test{"CMYK of a press by " + kind, picture.JPEG, inks(icctest.Printer(kind), 0), off},
			test{"YCCK of a press by " + kind, picture.JPEG, inks(icctest.Printer(kind), 2), off},
			test{"JPEG of a screen by " + kind, picture.JPEG, patchJPEG(plain, 1, icctest.Screen(kind)), off},
			test{"PNG of a screen by " + kind, picture.PNG, patchPNG(t, false, iccp(t, icctest.Screen(kind))), off},
		)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made := render(t, tt.raw, tt.contentType)
			want, got := show(t, tab, tt.raw, tt.contentType), show(t, tab, made.Large, picture.JPEG)
			alike(t, want, got, tt.off)
		})
	}
}

// alike compares what is shown of two pictures in the middle of each of their parts.
func alike(t *testing.T, want, got *shown, off int) {
	t.Helper()
	if got.Width != want.Width || got.Height != want.Height {
		t.Fatalf("%d by %d, the browser shows %d by %d", got.Width, got.Height, want.Width, want.Height)
	}
	for y := range patches {
		for x := range 2 * patches {
			px, py := (2*x+1)*want.Width/(4*patches), (2*y+1)*want.Height/(2*patches)
			if edge := px % (want.Width / patches); edge < 4 {
				continue
			}
			a, b := want.at(px, py), got.at(px, py)
			for i := range a {
				if int(max(a[i], b[i])-min(a[i], b[i])) > off {
					t.Errorf("pixel %d, %d is %v, the browser shows %v", px, py, b, a)
					break
				}
			}
		}
	}
}

// Two patches as they were measured, where there is no browser.
func TestColoursMeasured_U8(t *testing.T) {
	for name, want := range map[string][3]int{"display-p3-patches.jpg": {220, 0, 0}, "adobe-rgb-patches.jpg": {233, 24, 24}} {
		m := opened(t, render(t, sample(t, name), picture.JPEG).Large)
		c := color.RGBAModel.Convert(m.At(37, 50)).(color.RGBA)
		for i, v := range []uint8{c.R, c.G, c.B} {
			if d := int(v) - want[i]; d < -2 || d > 2 {
				t.Errorf("%s: %v, want %v", name, c, want)
			}
		}
	}
}

// Damage, and samplings that hardly any program writes, are shown as browsers show
// them.
func TestDamaged_U6(t *testing.T) {
	tab := browsertest.NewTab(browsertest.Start(t), t)
	tab.Do(t, chromedp.Navigate("about:blank"))
	small := jpegtest.File{Width: 288, Height: 288, Sampling: []byte{0x22, 0x11, 0x11}, Adobe: -1, Restart: 18, Value: func(i, x, y int) uint8 {
		return device(i, x/6>>min(i, 1)<<min(i, 1), y/6)
	}}
	striped := small.Encode()
	marker := func(n byte) int { return bytes.Index(striped, []byte{0xff, 0xd0 + n}) }
	flipped := bytes.Clone(striped)
	flipped[marker(6)+3] ^= 0x01
	full := small
	full.Sampling = []byte{0x41, 0x11, 0x11}
	for name, raw := range map[string][]byte{
		"without an end": sample(t, "no-eoi.jpg"), "without its last bytes": sample(t, "cut-last-10-bytes.jpg"),
		"sampled 3 by 1": sample(t, "ss-3x1.jpg"), "sampled 2 by 4": sample(t, "ss-2x4.jpg"), "sampled 4 by 1": full.Encode(),
		"with a flipped byte": flipped, "with a line lost": slices.Concat(striped[:marker(4)], striped[marker(5):]),
	} {
		t.Run(name, func(t *testing.T) {
			alike(t, show(t, tab, raw, picture.JPEG), show(t, tab, render(t, raw, picture.JPEG).Large, picture.JPEG), 5)
		})
	}
}

// Where an orientation is said in a PNG or a WebP, it is followed; of a PNG the
// browser is asked.
func TestOrientationElsewhere(t *testing.T) {
	still := file(t, webpLossless)
	for o, want := range []string{1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left", 5: "top left", 6: "top right", 7: "bottom right", 8: "bottom left"} {
		if o == 0 {
			continue
		}
		block := exif(binary.LittleEndian, uint16(o))
		plain := asPNG(t, corner(32, 16, 8))
		for name, tt := range map[string]struct {
			contentType string
			raw         []byte
			marked      color.Color
		}{
			"PNG":                     {picture.PNG, slices.Concat(plain[:33], chunk("eXIf", block[6:]), plain[33:]), red},
			"WebP":                    {picture.WebP, riff(vp8x(8, 32, 16), still[12:], webpChunk("EXIF", block[6:])), color.Black},
			"WebP with an identifier": {picture.WebP, riff(vp8x(8, 32, 16), still[12:], webpChunk("EXIF", block)), color.Black},
		} {
			info, err := picture.Inspect(bytes.NewReader(tt.raw), tt.contentType)
			made := render(t, tt.raw, tt.contentType)
			if err != nil || info.Width != made.Width || info.Height != made.Height || (o >= 5) != (made.Width == 16) {
				t.Errorf("%s, %d: Inspect = %+v, %v, Render = %d by %d", name, o, info, err, made.Width, made.Height)
			}
			if got := corners(opened(t, made.Large), tt.marked); got != want {
				t.Errorf("%s, %d is marked %s, want %s", name, o, got, want)
			}
		}
	}
}
