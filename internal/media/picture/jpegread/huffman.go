package jpegread

const (
	longestCode = 16
	quickBits   = 8
)

// huffman is a table of codes.
type huffman struct {
	set   bool
	vals  [256]uint8
	quick [1 << quickBits]uint16 // value and length of codes of up to quickBits, by what begins with them
	// The smallest and the largest code of each length, -1 without any, and
	// where the value of the smallest is.
	min, max, first [longestCode]int32
}

func (d *decoder) huffmanTables(b []byte) error {
	for len(b) > 0 {
		if len(b) < 1+longestCode {
			return ErrUnreadable
		}
		class, t := b[0]>>4, b[0]&15
		if class > 1 || t >= maxTables {
			return ErrUnreadable
		}
		n, err := d.huff[class][t].read(b[1:])
		if err != nil {
			return err
		}
		b = b[1+n:]
	}
	return nil
}

// read makes the table of lengths and values, and tells how many bytes they took.
func (h *huffman) read(b []byte) (int, error) {
	all := 0
	for _, n := range b[:longestCode] {
		all += int(n)
	}
	if all == 0 || all > len(h.vals) || len(b) < longestCode+all {
		return 0, ErrUnreadable
	}
	*h = huffman{set: true}
	copy(h.vals[:], b[longestCode:longestCode+all])
	code, index := int32(0), int32(0)
	for i, count := range b[:longestCode] {
		n := int32(count)
		if code+n > 1<<(i+1) { // more codes than there can be
			return 0, ErrUnreadable
		}
		h.min[i], h.max[i], h.first[i] = code, code+n-1, index
		if n == 0 {
			h.min[i], h.max[i] = -1, -1
		}
		for range n {
			if i < quickBits {
				free := quickBits - 1 - i
				for k := range int32(1) << free {
					h.quick[code<<free|k] = uint16(h.vals[index])<<8 | uint16(i+1)
				}
			}
			code++
			index++
		}
		code <<= 1
	}
	return longestCode + all, nil
}

// bits are bits of a scan that were read and not used. Behind the end of the
// data they are zeros, of which made are at the end.
type bits struct {
	a     uint64 // the last n
	n     uint
	made  uint
	ended bool
}

// invented tells whether bits were used that the file does not have.
func (b *bits) invented() bool { return b.n < b.made }

// fill reads until there are more than 56 bits. It stops before a marker.
func (d *decoder) fill() {
	b := &d.bits
	for b.n <= 56 {
		if b.ended {
			b.a, b.n, b.made = b.a<<8, b.n+8, b.made+8
			continue
		}
		if d.pos < len(d.raw) && d.raw[d.pos] != 0xff {
			b.a, b.n = b.a<<8|uint64(d.raw[d.pos]), b.n+8
			d.pos++
			continue
		}
		next := d.pos + 1
		for next < len(d.raw) && d.raw[next] == 0xff {
			next++
		}
		if next < len(d.raw) && d.raw[next] == 0 {
			b.a, b.n = b.a<<8|0xff, b.n+8
			d.pos = next + 1
			continue
		}
		b.ended = true
	}
}

// code reads a value. An impossible code counts as zero.
func (d *decoder) code(h *huffman) uint8 {
	b := &d.bits
	if b.n <= longestCode {
		d.fill()
	}
	if v := h.quick[b.a>>(b.n-quickBits)&(1<<quickBits-1)]; v != 0 {
		b.n -= uint(v & 0xff)
		return uint8(v >> 8)
	}
	next := int32(b.a >> (b.n - longestCode) & (1<<longestCode - 1))
	for i := quickBits; i < longestCode; i++ {
		if c := next >> (longestCode - 1 - i); c <= h.max[i] {
			b.n -= uint(i + 1)
			return h.vals[h.first[i]+c-h.min[i]]
		}
	}
	b.n -= longestCode + 1
	return 0
}

// take reads n bits, 16 at most.
func (d *decoder) take(n uint8) int32 {
	b := &d.bits
	if b.n < uint(n) {
		d.fill()
	}
	b.n -= uint(n)
	return int32(b.a >> b.n & (1<<n - 1))
}

// signed reads a number of n bits, whose first one says its sign.
func (d *decoder) signed(n uint8) int32 {
	x := d.take(n)
	if n > 0 && x < 1<<(n-1) {
		x += -1<<n + 1
	}
	return x
}
