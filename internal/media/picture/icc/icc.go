// Package icc converts colours of a device to sRGB by the ICC profile that an
// image carries (specification ICC.1:2022, and what is left of version 2).
//
// It does what browsers do. A table from the device to the connection space is
// preferred to a matrix, the perceptual one to the colorimetric one. There is no
// compensation of black points, and colours outside of sRGB are clipped. A
// profile comes from strangers: nothing is allocated but in proportion to its
// length, and Parse refuses what Convert could not follow.
package icc

import (
	"encoding/binary"
	"errors"
	"math"
)

// Profile converts from one space of a device to sRGB. It may be used by many
// goroutines at once.
type Profile struct {
	channels int
	// device is the curve of each channel, for each of its values.
	device [4][256]float32
	// Behind the curves: a table with what follows it, or the matrix alone.
	table  *table
	second [3][]float32 // curves, nil for none
	matrix *[3][4]float32
	third  [3][]float32
	pcs    pcs
}

// pcs says how the last stage encodes the connection space.
type pcs uint8

const (
	linear    pcs = iota // sRGB with linear light: the matrix led there
	xyz                  // XYZ, 1 standing for 1 + 32767/32768
	lab                  // L*a*b* of version 4, and of 8 bits
	lab16                // L*a*b* of 16-bit tables, where 0xff00 is 100
	tagLength = 12
)

// ErrProfile reports a profile that is damaged, or that does not lead from grey,
// RGB or CMYK to a connection space.
var ErrProfile = errors.New("icc: no usable profile")

// Channels is the number of values of a colour: 1 for grey, 3 for RGB, 4 for CMYK.
func (p *Profile) Channels() int { return p.channels }

// Parse reads a profile.
func Parse(b []byte) (*Profile, error) {
	const header = 132
	if len(b) < header || string(b[36:40]) != "acsp" {
		return nil, ErrProfile
	}
	size := int64(binary.BigEndian.Uint32(b))
	if size < header || size > int64(len(b)) {
		return nil, ErrProfile
	}
	b = b[:size]
	p := &Profile{}
	switch string(b[16:20]) {
	case "GRAY":
		p.channels = 1
	case "RGB ":
		p.channels = 3
	case "CMYK":
		p.channels = 4
	default:
		return nil, ErrProfile
	}
	isLab := string(b[20:24]) == "Lab "
	if !isLab && string(b[20:24]) != "XYZ " {
		return nil, ErrProfile
	}
	tags, err := readTags(b)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"A2B0", "A2B1"} {
		if t := tags[name]; t != nil {
			return p, p.readTable(t, isLab)
		}
	}
	switch {
	case p.channels == 1:
		return p, p.readGrey(tags)
	case p.channels == 3 && !isLab:
		return p, p.readMatrix(tags)
	}
	return nil, ErrProfile
}

func readTags(b []byte) (map[string][]byte, error) {
	n := int64(binary.BigEndian.Uint32(b[128:]))
	if n*tagLength > int64(len(b)-132) {
		return nil, ErrProfile
	}
	tags := map[string][]byte{}
	for i := range n {
		e := b[132+i*tagLength:]
		start, length := int64(binary.BigEndian.Uint32(e[4:])), int64(binary.BigEndian.Uint32(e[8:]))
		if start+length > int64(len(b)) {
			return nil, ErrProfile
		}
		switch name := string(e[:4]); name {
		case "A2B0", "A2B1", "kTRC", "rTRC", "gTRC", "bTRC", "rXYZ", "gXYZ", "bXYZ":
			tags[name] = b[start : start+length]
		}
	}
	return tags, nil
}

// readGrey takes the curve of a grey device. What it gives is light of the
// connection space's white.
func (p *Profile) readGrey(tags map[string][]byte) error {
	c, _, err := readCurve(tags["kTRC"])
	if err != nil {
		return err
	}
	p.device[0] = c.device()
	p.matrix = &[3][4]float32{{1}, {1}, {1}}
	return nil
}

// readMatrix takes three curves and the colorants of an RGB device.
func (p *Profile) readMatrix(tags map[string][]byte) error {
	var colorants [3][3]float64 // by XYZ, then channel
	for i, name := range []string{"r", "g", "b"} {
		c, _, err := readCurve(tags[name+"TRC"])
		if err != nil {
			return err
		}
		p.device[i] = c.device()
		t := tags[name+"XYZ"]
		if len(t) < 20 || string(t[:4]) != "XYZ " {
			return ErrProfile
		}
		for j := range colorants {
			colorants[j][i] = fixed(t[8+4*j:])
		}
	}
	p.matrix = toLinear(colorants)
	return nil
}

// toLinear leads from colorants to sRGB with linear light.
func toLinear(colorants [3][3]float64) *[3][4]float32 {
	m := multiply(fromXYZ, colorants)
	var to [3][4]float32
	for i := range m {
		for j, v := range m[i] {
			to[i][j] = float32(v)
		}
	}
	return &to
}

// FromPrimaries is the profile of an RGB device that is told by its chromaticities
// (x and y of white, red, green and blue) and the exponent of its curves.
func FromPrimaries(xy [4][2]float64, gamma float64) (*Profile, error) {
	return fromPrimaries(xy, curve{parameters: []float64{gamma}})
}

// The code points of ITU-T H.273 that FromCodePoints knows.
var (
	d65       = [2]float64{0.3127, 0.3290}
	primaries = map[uint8][4][2]float64{
		1:  {d65, {0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}},
		9:  {d65, {0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}},
		12: {d65, {0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}},
	}
	// Those of television are as its screens show them.
	transfers = map[uint8][]float64{
		1: {2.4}, 6: {2.4}, 14: {2.4}, 15: {2.4}, 4: {2.2}, 5: {2.8}, 8: {1},
		13: {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045},
	}
)

// FromCodePoints is the profile of an RGB device that is told by code points of
// ITU-T H.273. Curves of high dynamic range are not known.
func FromCodePoints(primary, transfer uint8) (*Profile, error) {
	xy, ok := primaries[primary]
	c, known := transfers[transfer]
	if !ok || !known {
		return nil, ErrProfile
	}
	return fromPrimaries(xy, curve{kind: map[int]uint16{1: 0, 5: 3}[len(c)], parameters: c})
}

func fromPrimaries(xy [4][2]float64, c curve) (*Profile, error) {
	for _, p := range xy {
		if !(p[0] >= 0 && p[0] <= 1 && p[1] > 0 && p[1] <= 1) {
			return nil, ErrProfile
		}
	}
	if g := c.parameters[0]; !(g > 0 && g < 100) {
		return nil, ErrProfile
	}
	white := [3]float64{xy[0][0] / xy[0][1], 1, (1 - xy[0][0] - xy[0][1]) / xy[0][1]}
	var m [3][3]float64
	for i, p := range xy[1:] {
		m[0][i], m[1][i], m[2][i] = p[0]/p[1], 1, (1-p[0]-p[1])/p[1]
	}
	inverse, ok := invert(m)
	if !ok {
		return nil, ErrProfile
	}
	scale := apply(inverse, white)
	for i := range m {
		for j := range m[i] {
			m[i][j] *= scale[j]
		}
	}
	// Bradford's adaptation to the white of the connection space.
	back, _ := invert(bradford)
	from, to := apply(bradford, white), apply(bradford, d50)
	var adapt [3][3]float64
	for i := range adapt {
		if from[i] == 0 {
			return nil, ErrProfile
		}
		adapt[i][i] = to[i] / from[i]
	}
	p := &Profile{channels: 3, matrix: toLinear(multiply(multiply(back, multiply(adapt, bradford)), m))}
	for i := range 3 {
		p.device[i] = c.device()
	}
	return p, nil
}

// SRGB tells whether colours come out as they go in, but for a rounding.
func (p *Profile) SRGB() bool {
	if p.channels == 4 {
		return false
	}
	var from, to [3]uint8
	for r := 0; r < 256; r += 51 {
		for g := 0; g < 256; g += 51 {
			for b := 0; b < 256; b += 51 {
				from = [3]uint8{uint8(r), uint8(g), uint8(b)}
				if p.channels == 1 {
					from = [3]uint8{uint8(g), uint8(g), uint8(g)}
				}
				p.Convert(to[:], from[:p.channels])
				for i := range to {
					if max(to[i], from[i])-min(to[i], from[i]) > 1 {
						return false
					}
				}
			}
		}
	}
	return true
}

// Convert converts colours of the device, Channels values each, to sRGB, three
// values each. CMYK is in the sense of the profile: 0 is no ink.
func (p *Profile) Convert(to, from []uint8) {
	var v [3]float32
	for i, n := 0, p.channels; n*i+n <= len(from) && 3*i+3 <= len(to); i++ {
		in, out := from[n*i:n*i+n], to[3*i:3*i+3]
		if i > 0 && string(in) == string(from[n*i-n:n*i]) {
			copy(out, to[3*i-3:3*i])
			continue
		}
		var d [4]float32
		for j, c := range in {
			d[j] = p.device[j][c]
		}
		v = [3]float32{d[0], d[1], d[2]}
		if p.table != nil {
			v = p.table.at(&d)
		}
		follow(&v, &p.second)
		if m := p.matrix; m != nil {
			v = [3]float32{
				m[0][0]*v[0] + m[0][1]*v[1] + m[0][2]*v[2] + m[0][3],
				m[1][0]*v[0] + m[1][1]*v[1] + m[1][2]*v[2] + m[1][3],
				m[2][0]*v[0] + m[2][1]*v[1] + m[2][2]*v[2] + m[2][3],
			}
		}
		follow(&v, &p.third)
		if p.pcs != linear {
			v = light(v, p.pcs)
		}
		out[0], out[1], out[2] = encode(v[0]), encode(v[1]), encode(v[2])
	}
}

func follow(v *[3]float32, curves *[3][]float32) {
	for i, c := range curves {
		if c != nil {
			v[i] = interpolate(c, v[i])
		}
	}
}

// light makes sRGB with linear light of the connection space.
func light(v [3]float32, p pcs) [3]float32 {
	x := [3]float64{float64(v[0]), float64(v[1]), float64(v[2])}
	switch p {
	case xyz:
		for i := range x {
			x[i] *= 65535.0 / 32768
		}
	case lab16:
		for i := range x {
			x[i] *= 65535.0 / 65280
		}
		fallthrough
	case lab:
		y := (100*x[0] + 16) / 116
		f := [3]float64{y + (255*x[1]-128)/500, y, y - (255*x[2]-128)/200}
		for i, t := range f {
			const knee = 6.0 / 29
			if t > knee {
				x[i] = d50[i] * t * t * t
			} else {
				x[i] = d50[i] * 3 * knee * knee * (t - 4.0/29)
			}
		}
	case linear:
		return v
	}
	x = apply(fromXYZ, x)
	return [3]float32{float32(x[0]), float32(x[1]), float32(x[2])}
}

var (
	d50 = [3]float64{0.96420288, 1, 0.82490540}

	bradford = [3][3]float64{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}

	// fromXYZ leads from XYZ, white as D50, to sRGB with linear light.
	fromXYZ = must(invert([3][3]float64{
		{0.436065674, 0.385147095, 0.143066406},
		{0.222488403, 0.716873169, 0.060607910},
		{0.013916016, 0.097076416, 0.714096069},
	}))

	encoded = func() (t [1<<14 + 1]uint8) {
		for i := range t {
			v := float64(i) / (1 << 14)
			if v <= 0.0031308 {
				v *= 12.92
			} else {
				v = 1.055*math.Pow(v, 1/2.4) - 0.055
			}
			t[i] = uint8(math.Round(255 * v))
		}
		return t
	}()
)

// encode makes a value of sRGB out of linear light.
func encode(v float32) uint8 {
	if !(v > 0) {
		return 0
	}
	return encoded[int(min(v, 1)*(1<<14)+0.5)]
}

func must(m [3][3]float64, ok bool) [3][3]float64 {
	if !ok {
		panic("icc: no inverse")
	}
	return m
}

func apply(m [3][3]float64, v [3]float64) (to [3]float64) {
	for i := range m {
		to[i] = m[i][0]*v[0] + m[i][1]*v[1] + m[i][2]*v[2]
	}
	return to
}

func multiply(a, b [3][3]float64) (to [3][3]float64) {
	for i := range a {
		for j := range a {
			to[i][j] = a[i][0]*b[0][j] + a[i][1]*b[1][j] + a[i][2]*b[2][j]
		}
	}
	return to
}

func invert(m [3][3]float64) (to [3][3]float64, ok bool) {
	minor := func(i, j int) float64 {
		a, b, c, d := (i+1)%3, (i+2)%3, (j+1)%3, (j+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	det := m[0][0]*minor(0, 0) + m[0][1]*minor(0, 1) + m[0][2]*minor(0, 2)
	if math.Abs(det) < 1e-9 {
		return to, false
	}
	for i := range m {
		for j := range m {
			to[j][i] = minor(i, j) / det
		}
	}
	return to, true
}
