package picture

import (
	"context"
	"image"
	"image/color"
	"math"

	"github.com/ridecopilot/ridecopilot/internal/media/picture/icc"
)

// shrink makes r fit into a square of side pixels, never larger than it is, and
// turns it upright. The result is sRGB; profile says what r is, nil for sRGB.
//
// It works on the planes of luma and chroma that JPEG is made of: those of an
// ordinary JPEG are resampled as they are and go back into the encoder without ever
// becoming RGB. Rows flow through one by one, so there is no intermediate picture,
// and turning is a matter of where a row is written. Other colours are resampled in
// their own space and converted afterwards, when few pixels are left.
//
// golang.org/x/image/draw and disintegration/imaging do the same with a
// picture of up to 32 bytes a pixel in between; imaging also in goroutines of
// its own, where a panic could not be caught (O5).
func shrink(ctx context.Context, r raster, profile *icc.Profile, turn orientation, side int) (*image.YCbCr, error) {
	if profile == nil && r.model == modelRGB && r.fill != nil {
		r = r.toYCbCr()
	}
	width, height := fit(r.width, r.height, side)
	size := image.Rect(0, 0, width, height)
	if turn.transposed() {
		size = image.Rect(0, 0, height, width)
	}
	to := image.NewYCbCr(size, image.YCbCrSubsampleRatio420)
	if profile == nil && (r.model == modelYCbCr || r.model == modelGrey) {
		into := []samples{{to.Y, to.YStride, 1}, {to.Cb, to.CStride, 2}, {to.Cr, to.CStride, 2}}
		if r.model == modelGrey {
			for i := range to.Cb {
				to.Cb[i], to.Cr[i] = 128, 128
			}
		}
		return to, resample(ctx, r, into[:len(r.planes)], turn, width, height)
	}
	into := make([]samples, len(r.planes))
	for i := range into {
		into[i] = samples{make([]uint8, size.Dx()*size.Dy()), size.Dx(), 1}
	}
	if err := resample(ctx, r, into, turn, width, height); err != nil {
		return nil, err
	}
	return to, paint(ctx, to, into, &painter{model: r.model, profile: profile})
}

// samples is where a resampled plane goes.
type samples struct {
	pix    []uint8
	stride int
	sub    int // pixels to a sample
}

// resample makes planes of width by height pixels, before turning, of those of r.
func resample(ctx context.Context, r raster, into []samples, turn orientation, width, height int) error {
	flipAcross, flipDown := turn.flips()
	rows := r.height
	resamplers := make([]*resampler, len(into))
	for i, to := range into {
		p := r.planes[i]
		resamplers[i] = &resampler{
			across:     newAxis(r.width, width, p.width, p.across, to.sub, flipAcross),
			down:       newAxis(r.height, height, p.height, p.down, to.sub, flipDown),
			pix:        to.pix,
			stride:     to.stride,
			transposed: turn.transposed(),
		}
	}
	for y := range rows {
		if y%64 == 0 && ctx.Err() != nil {
			return stopped(ctx.Err())
		}
		if r.fill != nil {
			r.fill(y)
		}
		for i, to := range resamplers {
			if p := r.planes[i]; y < p.height {
				to.push(y, p.row(y))
			}
		}
	}
	return nil
}

// paint makes sRGB of resampled planes, and luma and chroma of that: the chroma of
// four pixels is their mean.
func paint(ctx context.Context, to *image.YCbCr, from []samples, p *painter) error {
	width, height := to.Rect.Dx(), to.Rect.Dy()
	rows := make([][]uint8, len(from))
	var rgb [2][]uint8
	for i := range rgb {
		rgb[i] = make([]uint8, 3*width)
	}
	for y := 0; y < height; y += 2 {
		if y%64 == 0 && ctx.Err() != nil {
			return stopped(ctx.Err())
		}
		pair := rgb[:min(2, height-y)]
		for i, row := range pair {
			for j, s := range from {
				rows[j] = s.pix[(y+i)*s.stride:][:width]
			}
			p.paint(row, rows)
			for x := range width {
				c := row[3*x : 3*x+3]
				to.Y[(y+i)*to.YStride+x], _, _ = color.RGBToYCbCr(c[0], c[1], c[2])
			}
		}
		for x := 0; x < width; x += 2 {
			var sum [3]int
			n := 0
			for _, row := range pair {
				for _, c := range [][]uint8{row[3*x:], row[3*min(x+1, width-1):]} {
					for i := range sum {
						sum[i] += int(c[i])
					}
					n++
				}
			}
			mean := func(i int) uint8 { return uint8((sum[i] + n/2) / n) }
			_, cb, cr := color.RGBToYCbCr(mean(0), mean(1), mean(2))
			to.Cb[y/2*to.CStride+x/2], to.Cr[y/2*to.CStride+x/2] = cb, cr
		}
	}
	return nil
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

// newAxis maps a plane of a side of from pixels, of which it has so many samples
// that stand for fromSub pixels each, to one of to pixels and toSub.
func newAxis(from, to, have int, fromSub float64, toSub int, flipped bool) axis {
	samples := (to + toSub - 1) / toSub
	a := axis{first: make([]int, samples), weights: make([][]int32, samples), flipped: flipped}
	ratio := float64(from) / float64(to)
	scale := max(1, ratio*float64(toSub)/fromSub)
	for i := range samples {
		centre := (float64(i) + 0.5) * float64(toSub)
		if flipped {
			centre = float64(to) - centre
		}
		centre = centre*ratio/fromSub - 0.5
		begin := min(have-1, max(0, int(math.Ceil(centre-support*scale))))
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
