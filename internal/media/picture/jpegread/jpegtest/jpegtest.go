// Package jpegtest makes JPEG files for tests, of kinds that image/jpeg does not write.
package jpegtest

import "encoding/binary"

// File says what a file is like: blocks of eight by eight samples of one value each.
type File struct {
	Width, Height int
	Sampling      []byte // of each component, 0x21 for 2 by 1
	Adobe         int    // the transform that a segment of Adobe's names, -1 for no segment
	Restart       int    // units between restart markers
	Profile       []byte
	Value         func(component, x, y int) uint8 // of a block
}

// Encode makes a baseline file.
func (f File) Encode() []byte {
	b := []byte{0xff, 0xd8}
	segment := func(marker byte, body ...byte) {
		b = append(b, 0xff, marker)
		b = binary.BigEndian.AppendUint16(b, uint16(len(body)+2))
		b = append(b, body...)
	}
	if f.Adobe >= 0 {
		segment(0xee, append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), byte(f.Adobe))...)
	}
	const most = 60_000 // bytes of a profile in a segment
	parts := (len(f.Profile) + most - 1) / most
	for i := range parts {
		part := f.Profile[i*most : min((i+1)*most, len(f.Profile))]
		segment(0xe2, append(append([]byte("ICC_PROFILE\x00"), byte(i+1), byte(parts)), part...)...)
	}
	table := make([]byte, 65)
	for i := range 64 {
		table[1+i] = 8
	}
	segment(0xdb, table...)
	n := len(f.Sampling)
	frame := []byte{8, byte(f.Height >> 8), byte(f.Height), byte(f.Width >> 8), byte(f.Width), byte(n)}
	scan := []byte{byte(n)}
	maxH, maxV := 1, 1
	for i, s := range f.Sampling {
		frame = append(frame, byte(i+1), s, 0)
		scan = append(scan, byte(i+1), 0)
		maxH, maxV = max(maxH, int(s>>4)), max(maxV, int(s&15))
	}
	segment(0xc0, frame...)
	// Twelve codes of four bits for the first coefficients, one of one bit for the end.
	segment(0xc4, append([]byte{0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)...)
	segment(0xc4, append([]byte{0x10, 1}, make([]byte, 16)...)...)
	if f.Restart > 0 {
		segment(0xdd, byte(f.Restart>>8), byte(f.Restart))
	}
	segment(0xda, append(scan, 0, 63, 0)...)

	acc, held := uint32(0), 0
	put := func(v uint32, bits int) {
		acc, held = acc<<bits|v, held+bits
		for held >= 8 {
			c := byte(acc >> (held - 8))
			if b = append(b, c); c == 0xff {
				b = append(b, 0)
			}
			held -= 8
		}
	}
	last := make([]int, n)
	across, down := (f.Width+8*maxH-1)/(8*maxH), (f.Height+8*maxV-1)/(8*maxV)
	for u := range across * down {
		if f.Restart > 0 && u > 0 && u%f.Restart == 0 {
			put(1<<((8-held%8)%8)-1, (8-held%8)%8)
			b = append(b, 0xff, byte(0xd0+(u/f.Restart-1)%8))
			clear(last)
		}
		for i, s := range f.Sampling {
			h, v := int(s>>4), int(s&15)
			for j := range h * v {
				value := int(f.Value(i, u%across*h+j%h, u/across*v+j/h)) - 128
				diff := value - last[i]
				last[i] = value
				size := 0
				for d := max(diff, -diff); d > 0; d >>= 1 {
					size++
				}
				put(uint32(size), 4)
				if diff < 0 {
					diff += 1<<size - 1
				}
				put(uint32(diff), size)
				put(0, 1)
			}
		}
	}
	put(1<<((8-held%8)%8)-1, (8-held%8)%8)
	return append(b, 0xff, 0xd9)
}
