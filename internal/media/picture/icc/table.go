package icc

import (
	"encoding/binary"
	"math"
)

// fixed reads a number with 16 bits behind the point.
func fixed(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / (1 << 16) }

// curve is a curve of a profile: samples over the range, or a formula. The zero
// curve changes nothing.
type curve struct {
	samples    []float32
	kind       uint16
	parameters []float64
}

// readCurve reads a curve and tells how many bytes it takes.
func readCurve(b []byte) (c curve, length int, err error) {
	if len(b) < 12 {
		return c, 0, ErrProfile
	}
	switch string(b[:4]) {
	case "curv":
		n := int64(binary.BigEndian.Uint32(b[8:]))
		if 12+2*n > int64(len(b)) {
			return c, 0, ErrProfile
		}
		switch n {
		case 0:
		case 1:
			c.parameters = []float64{float64(binary.BigEndian.Uint16(b[12:])) / 256}
		default:
			c.samples = samples16(b[12:], int(n))
		}
		return c, 12 + 2*int(n), nil
	case "para":
		counts := []int{1, 3, 4, 5, 7}
		kind := binary.BigEndian.Uint16(b[8:])
		if int(kind) >= len(counts) || len(b) < 12+4*counts[kind] {
			return c, 0, ErrProfile
		}
		c.kind = kind
		for i := range counts[kind] {
			c.parameters = append(c.parameters, fixed(b[12+4*i:]))
		}
		return c, 12 + 4*counts[kind], nil
	}
	return c, 0, ErrProfile
}

func samples16(b []byte, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(binary.BigEndian.Uint16(b[2*i:])) / 65535
	}
	return s
}

func samples8(b []byte) []float32 {
	s := make([]float32, len(b))
	for i := range s {
		s[i] = float32(b[i]) / 255
	}
	return s
}

// at is the curve at x, between 0 and 1.
func (c curve) at(x float64) float64 {
	if c.samples != nil {
		return float64(interpolate(c.samples, float32(x)))
	}
	if c.parameters == nil {
		return x
	}
	// g, a, b, c, d, e and f are as in the specification.
	var p [7]float64
	copy(p[:], c.parameters)
	g, a, b := p[0], p[1], p[2]
	power := func() float64 { return math.Pow(max(0, a*x+b), g) }
	y := 0.0
	switch c.kind {
	case 0:
		y = math.Pow(x, g)
	case 1:
		if a*x+b >= 0 {
			y = power()
		}
	case 2:
		if y = p[3]; a*x+b >= 0 {
			y += power()
		}
	case 3, 4:
		if x >= p[4] {
			y = power() + p[5]
		} else {
			y = p[3]*x + p[6]
		}
	}
	return min(max(y, 0), 1) // a NaN stays one, and is encoded as 0
}

// device are the values of the curve for each value of a channel.
func (c curve) device() (v [256]float32) {
	for i := range v {
		v[i] = float32(c.at(float64(i) / 255))
	}
	return v
}

// within are samples of the curve for use between other stages, nil if it changes
// nothing.
func (c curve) within() []float32 {
	if c.samples != nil || c.parameters == nil {
		return c.samples
	}
	s := make([]float32, 4096)
	for i := range s {
		s[i] = float32(c.at(float64(i) / float64(len(s)-1)))
	}
	return s
}

// interpolate reads between samples. What is outside of the range counts as its end.
func interpolate(s []float32, x float32) float32 {
	if !(x > 0) {
		return s[0]
	}
	last := len(s) - 1
	if x >= 1 {
		return s[last]
	}
	x *= float32(last)
	i := min(int(x), last-1)
	return s[i] + (s[i+1]-s[i])*(x-float32(i))
}

// table is a grid of colours.
type table struct {
	inputs int
	grid   [4]int
	stride [4]int // samples between neighbours
	points []uint16
}

// readGrid reads the points of a table, of bytes each, three to a colour. The rest
// is behind them.
func readGrid(b []byte, grid []uint8, bytes int) (t *table, rest []byte, err error) {
	t = &table{inputs: len(grid)}
	n := int64(3)
	for i := len(grid) - 1; i >= 0; i-- {
		if grid[i] < 2 {
			return nil, nil, ErrProfile
		}
		t.grid[i], t.stride[i] = int(grid[i]), int(n)
		if n *= int64(grid[i]); n > int64(len(b)) {
			return nil, nil, ErrProfile
		}
	}
	if n*int64(bytes) > int64(len(b)) {
		return nil, nil, ErrProfile
	}
	t.points = make([]uint16, n)
	for i := range t.points {
		if bytes == 1 {
			t.points[i] = uint16(b[i]) * 257
		} else {
			t.points[i] = binary.BigEndian.Uint16(b[2*i:])
		}
	}
	return t, b[n*int64(bytes):], nil
}

// at interpolates between the corners around a colour.
func (t *table) at(in *[4]float32) (out [3]float32) {
	var step [4]int
	var part [4]float32
	base := 0
	for i := range t.inputs {
		x := in[i]
		if !(x > 0) {
			x = 0
		}
		x = min(x, 1) * float32(t.grid[i]-1)
		at := min(int(x), t.grid[i]-2)
		base += at * t.stride[i]
		step[i], part[i] = t.stride[i], x-float32(at)
	}
	for corner := range 1 << t.inputs {
		weight, at := float32(1.0/65535), base
		for i := range t.inputs {
			if corner>>i&1 == 0 {
				weight *= 1 - part[i]
			} else {
				weight *= part[i]
				at += step[i]
			}
		}
		if weight == 0 {
			continue
		}
		p := t.points[at : at+3]
		out[0] += weight * float32(p[0])
		out[1] += weight * float32(p[1])
		out[2] += weight * float32(p[2])
	}
	return out
}

// readTable takes a table from the device to the connection space.
func (p *Profile) readTable(b []byte, isLab bool) error {
	if len(b) < 32 || int(b[8]) != p.channels || b[9] != 3 {
		return ErrProfile
	}
	p.pcs = xyz
	if isLab {
		p.pcs = lab
	}
	switch string(b[:4]) {
	case "mft1":
		return p.readTables(b, 48, 1, 256, 256)
	case "mft2":
		if len(b) < 52 {
			return ErrProfile
		}
		if isLab {
			p.pcs = lab16
		}
		return p.readTables(b, 52, 2, int(binary.BigEndian.Uint16(b[48:])), int(binary.BigEndian.Uint16(b[50:])))
	case "mAB ":
		return p.readStages(b)
	}
	return ErrProfile
}

// readTables reads curves, grid and curves that stand behind one another.
func (p *Profile) readTables(b []byte, start, bytes, before, after int) error {
	if len(b) < start || before < 2 || after < 2 || before > 4096 || after > 4096 {
		return ErrProfile
	}
	grid := b[10]
	b = b[start:]
	next := func(n int) (c curve, err error) {
		if len(b) < n*bytes {
			return c, ErrProfile
		}
		if bytes == 1 {
			c.samples = samples8(b[:n])
		} else {
			c.samples = samples16(b, n)
		}
		b = b[n*bytes:]
		return c, nil
	}
	for i := range p.channels {
		c, err := next(before)
		if err != nil {
			return err
		}
		p.device[i] = c.device()
	}
	var err error
	points := []uint8{grid, grid, grid, grid}
	if p.table, b, err = readGrid(b, points[:p.channels], bytes); err != nil {
		return err
	}
	for i := range p.third {
		c, err := next(after)
		if err != nil {
			return err
		}
		p.third[i] = c.samples
	}
	return nil
}

// readStages reads the stages of version 4, each where the tag says. Only the last
// curves must be there.
func (p *Profile) readStages(b []byte) error {
	at := func(field int) []byte {
		if n := int64(binary.BigEndian.Uint32(b[field:])); n > 0 && n < int64(len(b)) {
			return b[n:]
		}
		return nil
	}
	stated := func(field int) bool { return binary.BigEndian.Uint32(b[field:]) != 0 }
	const lastCurves, matrix, middleCurves, grid, firstCurves = 12, 16, 20, 24, 28
	first, err := curves(at(firstCurves), p.channels, stated(firstCurves))
	if err != nil {
		return err
	}
	middle, err := curves(at(middleCurves), 3, stated(middleCurves))
	if err != nil {
		return err
	}
	last, err := curves(at(lastCurves), 3, true)
	if err != nil {
		return err
	}
	if stated(grid) {
		g := at(grid)
		if len(g) < 20 || (g[16] != 1 && g[16] != 2) {
			return ErrProfile
		}
		if p.table, _, err = readGrid(g[20:], g[:p.channels], int(g[16])); err != nil {
			return err
		}
		for i := range p.channels {
			p.device[i] = first[i].device()
		}
		for i := range p.second {
			p.second[i] = middle[i].within()
		}
	} else { // without a table, the curves in the middle are the first
		if p.channels != 3 {
			return ErrProfile
		}
		for i := range 3 {
			p.device[i] = middle[i].device()
		}
	}
	if stated(matrix) {
		m := at(matrix)
		if len(m) < 48 {
			return ErrProfile
		}
		p.matrix = &[3][4]float32{}
		for i := range 3 {
			for j := range 3 {
				p.matrix[i][j] = float32(fixed(m[4*(3*i+j):]))
			}
			p.matrix[i][3] = float32(fixed(m[4*(9+i):]))
		}
	}
	for i := range p.third {
		p.third[i] = last[i].within()
	}
	return nil
}

// curves reads so many curves, which begin at multiples of four bytes.
func curves(b []byte, n int, stated bool) ([]curve, error) {
	list := make([]curve, n)
	if !stated {
		return list, nil
	}
	for i := range list {
		c, length, err := readCurve(b)
		if err != nil {
			return nil, err
		}
		list[i] = c
		b = b[min((length+3)&^3, len(b)):]
	}
	return list, nil
}
