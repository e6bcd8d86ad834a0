package picture

import (
	"image"
	"image/color"
	"image/draw"

	"github.com/ridecopilot/ridecopilot/internal/media/picture/icc"
	"github.com/ridecopilot/ridecopilot/internal/media/picture/jpegread"
)

// model says what the planes of a raster hold.
type model uint8

const (
	modelGrey  model = iota
	modelYCbCr       // also what is written
	modelRGB
	modelCMYK // inverted: 255 is no ink
	modelYCCK // luma and chroma of CMY, and inverted black
)

// raster is a decoded picture: planes, the first of which has a sample for each
// pixel or nearly so.
type raster struct {
	width, height int
	model         model
	planes        []plane
	fill          func(y int) // prepares row y of all planes, nil where they are stored
}

// plane gives the samples of one component.
type plane struct {
	width, height int
	across, down  float64 // pixels to a sample
	row           func(y int) []uint8
}

// ofJPEG are the planes of a JPEG as they are.
func ofJPEG(p *jpegread.Picture) raster {
	r := raster{width: p.Width, height: p.Height}
	r.model = map[jpegread.Model]model{
		jpegread.Grey: modelGrey, jpegread.YCbCr: modelYCbCr, jpegread.RGB: modelRGB,
		jpegread.CMYK: modelCMYK, jpegread.YCCK: modelYCCK,
	}[p.Model]
	for _, from := range p.Planes {
		r.planes = append(r.planes, plane{
			from.Width, from.Height, from.Across, from.Down,
			func(y int) []uint8 { return from.Pix[y*from.Stride:][:from.Width] },
		})
	}
	return r
}

// ofImage makes rows of an image that is no JPEG. Luma and chroma are handed out as
// they are, all else is laid on white and becomes RGB row by row.
func ofImage(m image.Image) raster {
	b := m.Bounds()
	r := raster{width: b.Dx(), height: b.Dy(), model: modelYCbCr}
	if m, ok := m.(*image.YCbCr); ok { // the decoders' pictures begin at 0, 0
		sub := 1
		if m.SubsampleRatio == image.YCbCrSubsampleRatio420 { // of WebP, and of our own
			sub = 2
		}
		stored := func(pix []uint8, stride, sub int) plane {
			width := (r.width + sub - 1) / sub
			return plane{
				width, (r.height + sub - 1) / sub, float64(sub), float64(sub),
				func(y int) []uint8 { return pix[y*stride:][:width] },
			}
		}
		r.planes = []plane{stored(m.Y, m.YStride, 1), stored(m.Cb, m.CStride, sub), stored(m.Cr, m.CStride, sub)}
		return r
	}
	r.model = modelRGB
	row := image.NewRGBA(image.Rect(0, 0, r.width, 1))
	var rgb [3][]uint8
	for i := range rgb {
		rgb[i] = make([]uint8, r.width)
		r.planes = append(r.planes, plane{r.width, r.height, 1, 1, func(int) []uint8 { return rgb[i] }})
	}
	r.fill = func(y int) {
		draw.Draw(row, row.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(row, row.Rect, m, image.Pt(b.Min.X, b.Min.Y+y), draw.Over)
		for x := range r.width {
			c := row.Pix[4*x : 4*x+3]
			rgb[0][x], rgb[1][x], rgb[2][x] = c[0], c[1], c[2]
		}
	}
	return r
}

// toYCbCr makes the rows of an RGB raster luma and chroma.
func (r raster) toYCbCr() raster {
	fill := r.fill
	r.model = modelYCbCr
	r.fill = func(y int) {
		fill(y)
		red, green, blue := r.planes[0].row(y), r.planes[1].row(y), r.planes[2].row(y)
		for x := range red {
			red[x], green[x], blue[x] = color.RGBToYCbCr(red[x], green[x], blue[x])
		}
	}
	return r
}

// painter makes sRGB of the samples of a raster.
type painter struct {
	model   model
	profile *icc.Profile // of the samples; nil for sRGB, and for CMYK without one
	device  []uint8
}

// paint converts one row of each component to RGB.
func (p *painter) paint(to []uint8, rows [][]uint8) {
	n := 3
	switch p.model {
	case modelCMYK, modelYCCK:
		n = 4
	case modelGrey, modelRGB:
		if p.profile != nil {
			n = p.profile.Channels()
		}
	case modelYCbCr:
	}
	width := len(rows[0])
	if len(p.device) < n*width {
		p.device = make([]uint8, n*width)
	}
	device := p.device[:n*width]
	for x := range width {
		d := device[n*x : n*x+n]
		switch p.model {
		case modelGrey:
			for i := range d {
				d[i] = rows[0][x]
			}
		case modelRGB, modelCMYK:
			for i := range d {
				d[i] = rows[i][x]
			}
		case modelYCbCr, modelYCCK:
			d[0], d[1], d[2] = color.YCbCrToRGB(rows[0][x], rows[1][x], rows[2][x])
			if n == 4 { // what came of luma and chroma is the inverse of what is inverted
				d[0], d[1], d[2], d[3] = 255-d[0], 255-d[1], 255-d[2], rows[3][x]
			}
		}
	}
	switch {
	case n == 4 && p.profile == nil:
		for x := range width {
			for i := range 3 {
				to[3*x+i] = uint8((int(device[4*x+i])*int(device[4*x+3]) + 127) / 255)
			}
		}
	case n == 4:
		for i := range device {
			device[i] = 255 - device[i]
		}
		p.profile.Convert(to, device)
	case p.profile == nil:
		copy(to, device)
	default:
		p.profile.Convert(to, device)
	}
}
