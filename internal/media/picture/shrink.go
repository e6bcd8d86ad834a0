package picture

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"math"
)

// shrink makes m fit into a square of side pixels, never larger than it is, and
// turns it upright. Transparent parts become white.
//
// It works on the planes of luma and chroma that JPEG is made of: what a JPEG
// decodes to is resampled as it is and goes back into the encoder without ever
// becoming RGB. Rows flow through one by one, so there is no intermediate picture,
// and turning is a matter of where a row is written.
//
// golang.org/x/image/draw and disintegration/imaging do the same with a
// picture of up to 32 bytes a pixel in between; imaging also in goroutines of
// its own, where a panic could not be caught (O5).
func shrink(ctx context.Context, m image.Image, turn orientation, side int) (*image.YCbCr, error) {
	from := planesOf(m)
	width, height := fit(from.width, from.height, side)
	flipAcross, flipDown := turn.flips()

	size := image.Rect(0, 0, width, height)
	if turn.transposed() {
		size = image.Rect(0, 0, height, width)
	}
	to := image.NewYCbCr(size, image.YCbCrSubsampleRatio420)
	var planes [3]*resampler
	for i := range planes {
		pix, stride, fromX, fromY, sub := to.Y, to.YStride, 1, 1, 1
		if i > 0 {
			pix, stride, fromX, fromY, sub = to.Cb, to.CStride, from.subX, from.subY, 2
		}
		if i > 1 {
			pix = to.Cr
		}
		planes[i] = &resampler{
			across:     newAxis(from.width, width, fromX, sub, flipAcross),
			down:       newAxis(from.height, height, fromY, sub, flipDown),
			pix:        pix,
			stride:     stride,
			transposed: turn.transposed(),
		}
	}
	for y := range from.height {
		if y%64 == 0 && ctx.Err() != nil {
			return nil, stopped(ctx.Err())
		}
		luma, cb, cr := from.rows(y)
		planes[0].push(y, luma)
		if y%from.subY == 0 {
			planes[1].push(y/from.subY, cb)
			planes[2].push(y/from.subY, cr)
		}
	}
	return to, nil
}

// fit is the size of a picture that fits into a square.
func fit(width, height, side int) (int, int) {
	longer := max(width, height)
	if longer <= side {
		return width, height
	}
	scaled := func(n int) int { return max(1, (n*side+longer/2)/longer) }
	return scaled(width), scaled(height)
}

// planes are the rows of a picture, in luma and chroma.
type planes struct {
	width, height int
	subX, subY    int // pixels to a sample of chroma
	// rows gives row y, which is valid until the next call. Chroma is asked
	// for only where y is a multiple of subY.
	rows func(y int) (luma, cb, cr []uint8)
}

// planesOf gives the rows of m. The JPEG decoder's planes are handed out as they
// are, all else is laid on white and converted row by row.
func planesOf(m image.Image) planes {
	b := m.Bounds()
	p := planes{width: b.Dx(), height: b.Dy(), subX: 1, subY: 1}
	if m, ok := m.(*image.YCbCr); ok {
		p.subX, p.subY = subsampling(m.SubsampleRatio)
		chroma := (p.width + p.subX - 1) / p.subX
		p.rows = func(y int) (luma, cb, cr []uint8) {
			i, j := y*m.YStride, y/p.subY*m.CStride // the decoders' pictures begin at 0, 0
			return m.Y[i : i+p.width], m.Cb[j : j+chroma], m.Cr[j : j+chroma]
		}
		return p
	}
	row := image.NewRGBA(image.Rect(0, 0, p.width, 1))
	luma, cb, cr := make([]uint8, p.width), make([]uint8, p.width), make([]uint8, p.width)
	p.rows = func(y int) ([]uint8, []uint8, []uint8) {
		draw.Draw(row, row.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(row, row.Rect, m, image.Pt(b.Min.X, b.Min.Y+y), draw.Over)
		for x := range luma {
			c := row.Pix[4*x : 4*x+3]
			luma[x], cb[x], cr[x] = color.RGBToYCbCr(c[0], c[1], c[2])
		}
		return luma, cb, cr
	}
	return p
}

func subsampling(r image.YCbCrSubsampleRatio) (x, y int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// Numbers are fixed-point: weights have 14 bits behind the point, and a row that
// was resampled across keeps 6. The largest product of both, ringing included,
// is below 1<<30.
const (
	weightBits = 14
	rowBits    = 6
)

// axis says how the samples along one side of a plane are made of those of
// another: sample i is the sum of weights[i] times those from first[i] on.
type axis struct {
	first   []int
	weights [][]int32
	flipped bool
	longest int // of weights
}

// newAxis maps a plane of a side of from pixels, where a sample stands for
// fromSub of them, to one of to pixels and toSub.
func newAxis(from, to, fromSub, toSub int, flipped bool) axis {
	samples := (to + toSub - 1) / toSub
	have := (from + fromSub - 1) / fromSub
	a := axis{first: make([]int, samples), weights: make([][]int32, samples), flipped: flipped}
	ratio := float64(from) / float64(to)
	scale := max(1, ratio*float64(toSub)/float64(fromSub))
	for i := range samples {
		centre := (float64(i) + 0.5) * float64(toSub)
		if flipped {
			centre = float64(to) - centre
		}
		centre = centre*ratio/float64(fromSub) - 0.5
		begin := max(0, int(math.Ceil(centre-support*scale)))
		end := min(have-1, int(math.Floor(centre+support*scale)))
		a.first[i], a.weights[i] = weigh(centre, scale, begin, end)
		a.longest = max(a.longest, len(a.weights[i]))
	}
	return a
}

// weigh gives the samples from begin to end their weights, which add up to one.
// There is at least one sample with a weight.
func weigh(centre, scale float64, begin, end int) (int, []int32) {
	sum := 0.0
	for i := begin; i <= end; i++ {
		sum += kernel((float64(i) - centre) / scale)
	}
	weights := make([]int32, end-begin+1)
	left, heaviest := int32(1<<weightBits), 0
	for i := range weights {
		weights[i] = int32(math.Round(kernel((float64(begin+i)-centre)/scale) / sum * (1 << weightBits)))
		left -= weights[i]
		if weights[i] > weights[heaviest] {
			heaviest = i
		}
	}
	weights[heaviest] += left
	for len(weights) > 1 && weights[0] == 0 {
		begin, weights = begin+1, weights[1:]
	}
	for len(weights) > 1 && weights[len(weights)-1] == 0 {
		weights = weights[:len(weights)-1]
	}
	return begin, weights
}

// support is how far kernel reaches.
const support = 3

// kernel is Lanczos' filter.
func kernel(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x == 0:
		return 1
	case x >= support:
		return 0
	}
	x *= math.Pi
	return support * math.Sin(x) * math.Sin(x/support) / (x * x)
}

// resampler makes one plane of another, which comes in by rows.
type resampler struct {
	across, down axis
	pix          []uint8
	stride       int
	transposed   bool

	recent [][]int32 // the last rows, resampled across; row y at y modulo the length
	sum    []int32
	done   int // rows written
}

// push takes row y of the source and writes what can be written now.
func (r *resampler) push(y int, row []uint8) {
	if r.recent == nil {
		r.recent = make([][]int32, r.down.longest)
		for i := range r.recent {
			r.recent[i] = make([]int32, len(r.across.first))
		}
		r.sum = make([]int32, len(r.across.first))
	}
	into := r.recent[y%len(r.recent)]
	for x, weights := range r.across.weights {
		sum := int32(1 << (weightBits - rowBits - 1))
		for i, v := range row[r.across.first[x]:][:len(weights)] {
			sum += weights[i] * int32(v)
		}
		into[x] = sum >> (weightBits - rowBits)
	}
	for r.done < len(r.down.first) {
		at := r.done // rows come from the top, and are needed from there
		if r.down.flipped {
			at = len(r.down.first) - 1 - r.done
		}
		if r.down.first[at]+len(r.down.weights[at])-1 > y {
			return
		}
		r.write(at)
		r.done++
	}
}

// write makes row at of the plane, or its column.
func (r *resampler) write(at int) {
	for x := range r.sum {
		r.sum[x] = 1 << (weightBits + rowBits - 1)
	}
	for i, weight := range r.down.weights[at] {
		row := r.recent[(r.down.first[at]+i)%len(r.recent)][:len(r.sum)]
		for x, v := range row {
			r.sum[x] += weight * v
		}
	}
	if r.transposed {
		for x, v := range r.sum {
			r.pix[x*r.stride+at] = clamp(v >> (weightBits + rowBits))
		}
		return
	}
	to := r.pix[at*r.stride:][:len(r.sum)]
	for x, v := range r.sum {
		to[x] = clamp(v >> (weightBits + rowBits))
	}
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
