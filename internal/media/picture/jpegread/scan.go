package jpegread

// unzig maps from zig-zag order to natural order. What lies behind the last
// coefficient counts as the last.
var unzig = [blockSize + 16]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
}

// part is a component in a scan.
type part struct {
	*component
	dc, ac *huffman
	last   int32 // the first coefficient of the block before
}

// pass says which coefficients a scan brings, and which of their bits.
type pass struct {
	from, to int  // in zig-zag order
	refines  bool // adds a bit to what came before
	low      uint // the lowest bit that it brings
}

// header reads the header of a scan.
func (d *decoder) header(b []byte) ([]part, pass, error) {
	var p pass
	if d.components == nil || len(b) < 1 {
		return nil, p, ErrUnreadable
	}
	n := int(b[0])
	if n < 1 || n > len(d.components) || len(b) != 4+2*n {
		return nil, p, ErrUnreadable
	}
	p = pass{from: 0, to: blockSize - 1}
	if d.progressive {
		high, low := b[3+2*n]>>4, b[3+2*n]&15
		p = pass{from: int(b[1+2*n]), to: int(b[2+2*n]), refines: high != 0, low: uint(low)}
		if p.from > p.to || p.to >= blockSize || (p.from == 0 && p.to != 0) || (p.from != 0 && n != 1) ||
			(p.refines && high != low+1) || low > 13 {
			return nil, p, ErrUnreadable
		}
	}
	parts := make([]part, n)
	blocks := 0
	for i := range parts {
		id, tables := b[1+2*i], b[2+2*i]
		for j := range d.components {
			if d.components[j].id == id {
				parts[i].component = &d.components[j]
			}
		}
		c := parts[i].component
		if c == nil || tables>>4 >= maxTables || tables&15 >= maxTables {
			return nil, p, ErrUnreadable
		}
		for j := range i {
			if parts[j].component == c {
				return nil, p, ErrUnreadable
			}
		}
		parts[i].dc, parts[i].ac = &d.huff[0][tables>>4], &d.huff[1][tables&15]
		blocks += c.h * c.v
	}
	if n > 1 && blocks > 10 {
		return nil, p, ErrUnreadable
	}
	return parts, p, nil
}

// scan decodes a scan. Units without data are left as they are.
func (d *decoder) scan(header []byte) error {
	parts, p, err := d.header(header)
	if err != nil {
		return err
	}
	if d.scans++; d.scans > d.limits.Scans {
		return errScans
	}
	if d.picture == nil {
		d.allocate()
	}
	for _, c := range parts {
		if (p.from == 0 && !p.refines && !c.dc.set) || (p.to > 0 && !c.ac.set) {
			return ErrUnreadable
		}
	}
	acrossUnits, all := d.unitsX, d.unitsX*d.unitsY
	if len(parts) == 1 {
		acrossUnits, all = parts[0].blocksX, parts[0].blocksX*parts[0].blocksY
	}
	d.bits, d.endRun, d.short = bits{}, 0, false
	missing := 0
	expected := byte(markerRST0)
	for u := range all {
		if u%acrossUnits == 0 && d.ctx.Err() != nil {
			return d.ctx.Err()
		}
		if d.restart > 0 && u > 0 && u%d.restart == 0 {
			d.resume(expected)
			expected = markerRST0 + (expected-markerRST0+1)%8
			for i := range parts {
				parts[i].last = 0
			}
		}
		if d.short {
			missing++
			continue
		}
		x, y := u%acrossUnits, u/acrossUnits
		for i := range parts {
			c := &parts[i]
			if len(parts) == 1 {
				err = d.block(c, p, x, y)
			} else {
				for j := 0; j < c.h*c.v && err == nil; j++ {
					err = d.block(c, p, c.h*x+j%c.h, c.v*y+j/c.h)
				}
			}
			if err != nil {
				return err
			}
		}
		if d.bits.invented() {
			d.short = true
			missing++
		}
	}
	if enough(missing, all) {
		for i := range parts {
			c := parts[i].component
			c.seen = c.seen || p.from == 0
			if p.low == 0 {
				c.exact |= (1<<(p.to+1) - 1) &^ (1<<p.from - 1)
			}
		}
	}
	return nil
}

// resume goes on behind a restart marker. Should another one than expected come,
// the nearest in number decides whether data was lost or is there twice.
func (d *decoder) resume(expected byte) {
	d.bits, d.endRun, d.short = bits{}, 0, true
	for {
		m, end, ok := d.marker()
		if !ok {
			return
		}
		switch ahead := (m - expected) % 8; {
		case m < markerSOF0:
			d.pos = end
		case m < markerRST0, m > markerRST7:
			return
		case ahead == 1, ahead == 2: // what is expected was lost
			return
		case ahead == 6, ahead == 7: // it has been here before
			d.pos = end
		default:
			d.pos, d.short = end, false
			return
		}
	}
}

// block decodes one block, at a place in blocks.
func (d *decoder) block(c *part, p pass, x, y int) error {
	if !d.progressive {
		var b block
		if err := d.sequential(c, &b); err != nil {
			return err
		}
		d.reconstruct(c.component, &b, x, y)
		return nil
	}
	at := (y*c.stride + x) * blockSize
	b := (*[blockSize]int16)(c.coefficients[at : at+blockSize])
	switch {
	case p.from == 0 && !p.refines:
		n := d.code(c.dc)
		if n > 16 {
			return ErrUnreadable
		}
		c.last += d.signed(n)
		b[0] = int16(c.last << p.low)
	case p.from == 0:
		if d.take(1) != 0 {
			b[0] |= 1 << p.low
		}
	case !p.refines:
		d.first(c, p, b)
	default:
		d.refine(c, p, b)
	}
	return nil
}

// sequential decodes all coefficients of a block.
func (d *decoder) sequential(c *part, b *block) error {
	n := d.code(c.dc)
	if n > 16 {
		return ErrUnreadable
	}
	c.last += d.signed(n)
	b[0] = c.last
	for k := 1; k < blockSize; k++ {
		v := d.code(c.ac)
		run, size := int(v>>4), v&15
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		k += run
		b[unzig[k]] = d.signed(size)
	}
	return nil
}

// first decodes the high bits of coefficients.
func (d *decoder) first(c *part, p pass, b *[blockSize]int16) {
	if d.endRun > 0 {
		d.endRun--
		return
	}
	for k := p.from; k <= p.to; k++ {
		v := d.code(c.ac)
		run, size := int(v>>4), v&15
		switch {
		case size != 0:
			k += run
			b[unzig[k]] = int16(d.signed(size) << p.low)
		case run == 15:
			k += 15
		default:
			d.endRun = 1<<run + int(d.take(uint8(run))) - 1
			return
		}
	}
}

// refine decodes one more bit of coefficients.
func (d *decoder) refine(c *part, p pass, b *[blockSize]int16) {
	bit := int16(1) << p.low
	k := p.from
	if d.endRun == 0 {
		for ; k <= p.to; k++ {
			v := d.code(c.ac)
			run, size := int(v>>4), v&15
			value := int16(0)
			if size != 0 {
				value = -bit
				if d.take(1) != 0 {
					value = bit
				}
			} else if run != 15 {
				d.endRun = 1<<run + int(d.take(uint8(run)))
				break
			}
			k = d.refineKnown(b, k, p.to, run, bit)
			if value != 0 && k < blockSize {
				b[unzig[k]] = value
			}
		}
	}
	if d.endRun > 0 {
		d.endRun--
		d.refineKnown(b, k, p.to, -1, bit)
	}
}

// refineKnown refines coefficients that are not zero, until it has passed so many
// that are; with skip below 0, to the end.
func (d *decoder) refineKnown(b *[blockSize]int16, k, to, skip int, bit int16) int {
	for ; k <= to; k++ {
		v := &b[unzig[k]]
		if *v == 0 {
			if skip == 0 {
				break
			}
			skip--
			continue
		}
		if d.take(1) == 0 || *v&bit != 0 {
			continue
		}
		if *v > 0 {
			*v += bit
		} else {
			*v -= bit
		}
	}
	return k
}

// reconstructAll makes the samples of a progressive file.
func (d *decoder) reconstructAll() error {
	for i := range d.components {
		c := &d.components[i]
		for y := range c.blocksY {
			if err := d.ctx.Err(); err != nil {
				return err
			}
			for x := range c.blocksX {
				at := (y*c.stride + x) * blockSize
				var b block
				for k, v := range c.coefficients[at : at+blockSize] {
					b[k] = int32(v)
				}
				d.reconstruct(c, &b, x, y)
			}
		}
		c.coefficients = nil
	}
	return nil
}

// reconstruct makes samples of a block of coefficients.
func (d *decoder) reconstruct(c *component, b *block, x, y int) {
	table := &d.quant[c.table]
	for k, q := range table {
		b[unzig[k]] *= q
	}
	idct(b)
	stride := c.plane.Stride
	at := 8 * (y*stride + x)
	for row := range 8 {
		to := c.plane.Pix[at+row*stride:][:8]
		for i, v := range b[8*row:][:8] {
			to[i] = uint8(min(max(v+128, 0), 255))
		}
	}
}
