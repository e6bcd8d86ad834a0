package jpegread

import (
	"encoding/binary"
	"errors"
)

const (
	markerSOF0, markerSOF1, markerSOF2 = 0xc0, 0xc1, 0xc2
	markerDHT                          = 0xc4
	markerRST0, markerRST7             = 0xd0, 0xd7
	markerSOI, markerEOI, markerSOS    = 0xd8, 0xd9, 0xda
	markerDQT, markerDRI               = 0xdb, 0xdd
	markerAPP0, markerAPP14            = 0xe0, 0xee
	markerAPP15, markerCOM             = 0xef, 0xfe
)

var (
	errEnd   = errors.New("the file ends before its end marker")
	errScans = errors.New("too many scans")
)

// marker finds the next marker and tells where it ends. Bytes before it, and
// zeros behind 0xff, are passed over.
func (d *decoder) marker() (m byte, end int, ok bool) {
	for i := d.pos; i+1 < len(d.raw); i++ {
		if d.raw[i] == 0xff && d.raw[i+1] != 0 && d.raw[i+1] != 0xff {
			return d.raw[i+1], i + 2, true
		}
	}
	return 0, 0, false
}

// segments goes through the file. The error is nil when its end marker was reached.
func (d *decoder) segments() error {
	if len(d.raw) < 2 || d.raw[0] != 0xff || d.raw[1] != markerSOI {
		return ErrUnreadable
	}
	d.pos = 2
	for {
		m, end, ok := d.marker()
		if !ok {
			return errEnd
		}
		d.pos = end
		if m == markerEOI {
			return nil
		}
		if m >= markerRST0 && m <= markerRST7 {
			continue
		}
		if len(d.raw)-d.pos < 2 {
			return errEnd
		}
		n := int(binary.BigEndian.Uint16(d.raw[d.pos:]))
		switch {
		case n < 2:
			return ErrUnreadable
		case n > len(d.raw)-d.pos:
			return errEnd
		}
		body := d.raw[d.pos+2 : d.pos+n]
		d.pos += n
		if err := d.segment(m, body); err != nil {
			return err
		}
	}
}

func (d *decoder) segment(m byte, body []byte) error {
	switch m {
	case markerSOF0, markerSOF1, markerSOF2:
		d.progressive = m == markerSOF2
		return d.frame(body)
	case markerDHT:
		return d.huffmanTables(body)
	case markerDQT:
		return d.quantTables(body)
	case markerSOS:
		return d.scan(body)
	case markerDRI:
		if len(body) != 2 {
			return ErrUnreadable
		}
		d.restart = int(binary.BigEndian.Uint16(body))
	case markerAPP0:
		d.jfif = d.jfif || (len(body) >= 5 && string(body[:5]) == "JFIF\x00")
	case markerAPP14:
		if len(body) >= 12 && string(body[:5]) == "Adobe" {
			d.adobe, d.transform = true, body[11]
		}
	default:
		if (m < markerAPP0 || m > markerAPP15) && m != markerCOM {
			return ErrUnreadable
		}
	}
	return nil
}

// frame reads the frame header and sets the components up. Planes and
// coefficients are allocated by the first scan.
func (d *decoder) frame(b []byte) error {
	if d.components != nil || len(b) < 6 || b[0] != 8 {
		return ErrUnreadable
	}
	d.height, d.width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	n := int(b[5])
	if len(b) != 6+3*n || (n != 1 && n != 3 && n != 4) {
		return ErrUnreadable
	}
	if d.width != d.limits.Width || d.height != d.limits.Height || d.width == 0 || d.height == 0 {
		return ErrUnreadable
	}
	list := make([]component, n)
	maxH, maxV := 1, 1
	for i := range list {
		c := &list[i]
		c.id, c.h, c.v, c.table = b[6+3*i], int(b[7+3*i]>>4), int(b[7+3*i]&15), b[8+3*i]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table >= maxTables {
			return ErrUnreadable
		}
		for j := range i {
			if list[j].id == c.id {
				return ErrUnreadable
			}
		}
		if n == 1 { // never interleaved, whatever its factors
			c.h, c.v = 1, 1
		}
		maxH, maxV = max(maxH, c.h), max(maxV, c.v)
	}
	d.unitsX, d.unitsY = (d.width+8*maxH-1)/(8*maxH), (d.height+8*maxV-1)/(8*maxV)
	for i := range list {
		c := &list[i]
		width, height := (d.width*c.h+maxH-1)/maxH, (d.height*c.v+maxV-1)/maxV
		c.blocksX, c.blocksY, c.stride = (width+7)/8, (height+7)/8, d.unitsX*c.h
		c.plane = &Plane{
			Stride: 8 * c.stride, Width: width, Height: height,
			Across: float64(maxH) / float64(c.h), Down: float64(maxV) / float64(c.v),
		}
	}
	d.components = list
	return nil
}

// allocate makes room for the picture. It is grey where nothing comes.
func (d *decoder) allocate() {
	d.picture = &Picture{Width: d.width, Height: d.height}
	for i := range d.components {
		c := &d.components[i]
		blocks := c.stride * d.unitsY * c.v
		c.plane.Pix = make([]uint8, blocks*blockSize)
		if d.progressive {
			c.coefficients = make([]int16, blocks*blockSize)
		} else {
			for i := range c.plane.Pix {
				c.plane.Pix[i] = 128
			}
		}
	}
}

func (d *decoder) quantTables(b []byte) error {
	for len(b) > 0 {
		wide, t := b[0]>>4, b[0]&15
		b = b[1:]
		if t >= maxTables || wide > 1 || len(b) < blockSize<<wide {
			return ErrUnreadable
		}
		for i := range d.quant[t] {
			if wide == 0 {
				d.quant[t][i] = int32(b[i])
			} else {
				d.quant[t][i] = int32(binary.BigEndian.Uint16(b[2*i:]))
			}
		}
		b = b[blockSize<<wide:]
	}
	return nil
}
