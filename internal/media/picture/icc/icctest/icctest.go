// Package icctest makes ICC profiles for tests.
package icctest

import (
	"encoding/binary"
	"math"
)

// Tag is a tag of a profile.
type Tag struct {
	Name string
	Body []byte
}

// Profile puts a profile together. Space and connection are four letters.
func Profile(version byte, class, space, connection string, tags ...Tag) []byte {
	b := append([]byte{}, make([]byte, 128)...)
	b[8] = version
	copy(b[12:], class)
	copy(b[16:], space)
	copy(b[20:], connection)
	copy(b[36:], "acsp")
	copy(b[68:], []byte{0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d})
	b = binary.BigEndian.AppendUint32(b, uint32(len(tags)))
	at := 132 + 12*len(tags)
	for _, t := range tags {
		b = append(b, t.Name...)
		b = binary.BigEndian.AppendUint32(b, uint32(at))
		b = binary.BigEndian.AppendUint32(b, uint32(len(t.Body)))
		at += (len(t.Body) + 3) &^ 3
	}
	for _, t := range tags {
		b = append(b, t.Body...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// Fixed are numbers with 16 bits behind the point.
func Fixed(list ...float64) []byte {
	var b []byte
	for _, v := range list {
		b = binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(v*(1<<16)))))
	}
	return b
}

// XYZ is a colour of the connection space.
func XYZ(x, y, z float64) []byte { return append([]byte("XYZ \x00\x00\x00\x00"), Fixed(x, y, z)...) }

// Parametric is a curve of a formula.
func Parametric(kind uint16, parameters ...float64) []byte {
	b := binary.BigEndian.AppendUint16([]byte("para\x00\x00\x00\x00"), kind)
	return append(append(b, 0, 0), Fixed(parameters...)...)
}

// Curve is a curve of samples; of one it is an exponent.
func Curve(samples ...uint16) []byte {
	b := binary.BigEndian.AppendUint32([]byte("curv\x00\x00\x00\x00"), uint32(len(samples)))
	for _, v := range samples {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// Matrix is a profile of an RGB device, of curves that are all alike and colorants
// by red, green and blue.
func Matrix(version byte, curve []byte, red, green, blue [3]float64) []byte {
	return Profile(
		version, "mntr", "RGB ", "XYZ ", Tag{"rXYZ", XYZ(red[0], red[1], red[2])}, Tag{"gXYZ", XYZ(green[0], green[1], green[2])},
		Tag{"bXYZ", XYZ(blue[0], blue[1], blue[2])}, Tag{"rTRC", curve}, Tag{"gTRC", curve}, Tag{"bTRC", curve}, Tag{"wtpt", XYZ(0.9642, 1, 0.8249)},
	)
}

// ProPhoto is the profile of ROMM RGB.
func ProPhoto() []byte {
	return Matrix(2, Curve(461), [3]float64{0.79767, 0.28804, 0}, [3]float64{0.13519, 0.71188, 0}, [3]float64{0.03134, 0.00009, 0.82491})
}

// Grey is a profile of a grey device.
func Grey(curve []byte) []byte {
	return Profile(2, "mntr", "GRAY", "XYZ ", Tag{"kTRC", curve}, Tag{"wtpt", XYZ(0.9642, 1, 0.8249)})
}

// Table is a tag from a device to L*a*b*, of a kind: "mft1", "mft2" or "mAB ". Its
// points are those of f, which gives L*, a* and b* of values between 0 and 1.
func Table(kind string, channels, grid int, f func([]float64) [3]float64) []byte {
	b := append([]byte(kind), 0, 0, 0, 0, byte(channels), 3, byte(grid), 0)
	var points []byte
	at := make([]int, channels)
	in := make([]float64, channels)
	for done := false; !done; {
		for i := range at {
			in[i] = float64(at[i]) / float64(grid-1)
		}
		c := f(in)
		for _, v := range []float64{c[0] / 100, (c[1] + 128) / 255, (c[2] + 128) / 255} {
			v = min(max(v, 0), 1)
			switch kind {
			case "mft1":
				points = append(points, byte(math.Round(255*v)))
			case "mft2":
				points = binary.BigEndian.AppendUint16(points, uint16(math.Round(65280*v)))
			default:
				points = binary.BigEndian.AppendUint16(points, uint16(math.Round(65535*v)))
			}
		}
		done = true
		for i := channels - 1; i >= 0; i-- {
			if at[i]++; at[i] < grid {
				done = false
				break
			}
			at[i] = 0
		}
	}
	identity := Fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
	switch kind {
	case "mft1":
		b = append(b, identity...)
		ramp := make([]byte, 256)
		for i := range ramp {
			ramp[i] = byte(i)
		}
		for range channels {
			b = append(b, ramp...)
		}
		b = append(b, points...)
		for range 3 {
			b = append(b, ramp...)
		}
	case "mft2":
		b = append(append(b, identity...), 0, 2, 0, 2)
		for range channels {
			b = append(b, 0, 0, 0xff, 0xff)
		}
		b = append(b, points...)
		for range 3 {
			b = append(b, 0, 0, 0xff, 0xff)
		}
	default:
		b[10] = 0
		curve := Parametric(0, 1)
		last := 32
		middle := last + 3*len(curve)
		matrix := middle + 3*len(curve)
		table := matrix + 48
		first := (table + 20 + len(points) + 3) &^ 3
		for _, offset := range []int{last, matrix, middle, table, first} {
			b = binary.BigEndian.AppendUint32(b, uint32(offset))
		}
		for range 6 {
			b = append(b, curve...)
		}
		b = append(append(b, identity...), Fixed(0, 0, 0)...)
		sizes := make([]byte, 16)
		for i := range channels {
			sizes[i] = byte(grid)
		}
		b = append(append(append(b, sizes...), 2, 0, 0, 0), points...)
		for len(b) < first {
			b = append(b, 0)
		}
		for range channels {
			b = append(b, curve...)
		}
	}
	return b
}

// Printer is a profile of a CMYK device, of no press in particular.
func Printer(kind string) []byte {
	version := byte(2)
	if kind == "mAB " {
		version = 4
	}
	table := Table(kind, 4, 5, func(v []float64) [3]float64 {
		c, m, y, k := v[0], v[1], v[2], v[3]
		light := 95 * (1 - k*0.85) * (1 - 0.35*c) * (1 - 0.45*m) * (1 - 0.08*y)
		return [3]float64{light, (1 - k) * (-35*c + 70*m - 5*y), (1 - k) * (-45*c - 5*m + 85*y)}
	})
	return Profile(version, "prtr", "CMYK", "Lab ", Tag{"A2B0", table}, Tag{"wtpt", XYZ(0.9642, 1, 0.8249)})
}

// Screen is a profile of an RGB device by a table.
func Screen(kind string) []byte {
	version := byte(2)
	if kind == "mAB " {
		version = 4
	}
	table := Table(kind, 3, 9, func(v []float64) [3]float64 {
		r, g, b := v[0], v[1], v[2]
		return [3]float64{100 * (0.25*r + 0.65*g + 0.1*b), 80 * (r - g), 70 * ((r+g)/2 - b)}
	})
	return Profile(version, "mntr", "RGB ", "Lab ", Tag{"A2B0", table}, Tag{"wtpt", XYZ(0.9642, 1, 0.8249)})
}
