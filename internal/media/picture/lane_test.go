package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"
	"testing/synctest"
)

// enters has someone enter l, and closes the channel when that one is in, who
// leaves again when told so.
func enters(t *testing.T, l *Lane, weight int64) (in chan struct{}, leave func()) {
	in, out := make(chan struct{}), make(chan struct{})
	go func() {
		left, err := l.enter(t.Context(), weight)
		if err != nil {
			t.Errorf("enter: %v", err)
			close(in)
			return
		}
		close(in)
		<-out
		left()
	}()
	synctest.Wait()
	return in, func() { close(out); synctest.Wait() }
}

func isIn(in chan struct{}) bool {
	select {
	case <-in:
		return true
	default:
		return false
	}
}

func TestLanePlaces_U7(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLane(100, 2)
		_, leaveA := enters(t, l, 1)
		_, leaveB := enters(t, l, 1)
		c, leaveC := enters(t, l, 1)
		if isIn(c) {
			t.Error("there are three in a lane for two")
		}
		leaveA()
		if !isIn(c) {
			t.Error("the third is not in when the first has left")
		}
		leaveB()
		leaveC()
	})
}

func TestLaneRoom_U7(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLane(100, 3)
		_, leaveA := enters(t, l, 60)
		b, leaveB := enters(t, l, 50)
		if isIn(b) {
			t.Error("110 are in a lane of 100")
		}
		leaveA()
		if !isIn(b) {
			t.Error("50 are not in an empty lane of 100")
		}
		heavy, leaveHeavy := enters(t, l, 1000)
		if isIn(heavy) {
			t.Error("one heavier than the lane is in beside another")
		}
		leaveB()
		if !isIn(heavy) {
			t.Error("one heavier than the lane does not get all of it")
		}
		c, leaveC := enters(t, l, 1)
		if isIn(c) {
			t.Error("there is somebody beside one heavier than the lane")
		}
		leaveHeavy()
		if !isIn(c) {
			t.Error("the lane is not free again")
		}
		leaveC()
	})
}

func TestLaneWaitEnds_O2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, l := range map[string]*Lane{"places": NewLane(100, 1), "room": NewLane(100, 2)} {
			_, leave := enters(t, l, 100)
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error, 1)
			go func() { failed <- l.run(ctx, 50, func() error { return nil }) }()
			synctest.Wait()
			select {
			case err := <-failed:
				t.Errorf("%s: did not wait: %v", name, err)
			default:
			}
			cancel()
			synctest.Wait()
			if err := <-failed; !errors.Is(err, ErrBusy) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want %v and %v", name, err, ErrBusy, context.Canceled)
			}
			leave()
			next, leaveNext := enters(t, l, 100)
			if !isIn(next) {
				t.Errorf("%s: whoever gave up still takes some", name)
			}
			leaveNext()
		}
	})
}

// A panic ends the picture it happened with, and nothing else.
func TestLanePanic_O5(t *testing.T) {
	l := NewLane(100, 1)
	for range 2 { // the second time finds the lane free
		err := l.run(t.Context(), 100, func() error {
			return errors.New(string([]byte("decoder")[len(t.Name()):])) // out of range
		})
		if !errors.Is(err, errUnreadable) {
			t.Errorf("run = %v, want %v", err, errUnreadable)
		}
	}
}

func TestMaxScans_U7(t *testing.T) {
	for _, tt := range []struct{ width, height, want int }{{1, 1, 100}, {4000, 1200, 100}, {10_000, 5_000, 30}, {8_000, 8_000, 24}} {
		if got := maxScans(head{width: tt.width, height: tt.height}); got != tt.want {
			t.Errorf("maxScans(%d by %d) = %d, want %d", tt.width, tt.height, got, tt.want)
		}
	}
}

// What a decoder allocates stays below what the picture was charged for. Most of
// these are no more than heads: all is allocated before the decoder finds out.
func TestMemory_O3(t *testing.T) {
	box := image.Rect(0, 0, 1201, 799)
	encoded := func(m image.Image) []byte {
		var b bytes.Buffer
		var err error
		switch m := m.(type) {
		case *image.YCbCr:
			err = jpeg.Encode(&b, m, nil)
		default:
			err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	frame := func(sof byte, components ...byte) []byte {
		raw := []byte{0xff, 0xd8, 0xff, sof, 0, byte(8 + len(components)), 8, 799 >> 8, 799 & 255, 1201 >> 8, 1201 & 255, byte(len(components) / 3)}
		raw = append(raw, components...)
		for i := 0; i < len(components); i += 3 { // scans of one component each
			raw = append(raw, 0xff, 0xda, 0, 8, 1, components[i], 0, 0, 0, 0)
		}
		return raw
	}
	interleaved := func(sof byte) []byte {
		raw := frame(sof, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0)
		return append(raw[:21], 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0)
	}
	webp := func(name string, start []byte) []byte {
		raw := append([]byte("RIFF\x00\x10\x00\x00WEBP"+name+"\xf4\x0f\x00\x00"), start...)
		return append(raw, make([]byte, 0x1008-len(raw))...)
	}
	tests := []struct {
		name, contentType string
		raw               []byte
	}{
		{"JPEG", JPEG, encoded(image.NewYCbCr(box, image.YCbCrSubsampleRatio420))},
		{"progressive JPEG", JPEG, interleaved(0xc2)},
		{"JPEG of full chroma", JPEG, frame(0xc0, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0)},
		{"JPEG of less chroma", JPEG, frame(0xc0, 1, 0x42, 0, 2, 0x11, 0, 3, 0x11, 0)},
		{"progressive CMYK", JPEG, frame(0xc2, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x22, 0)},
		{"progressive grey", JPEG, frame(0xc2, 1, 0x42, 0)},
		{"grey PNG", PNG, encoded(image.NewGray(box))},
		{"16-bit grey PNG", PNG, encoded(image.NewGray16(box))},
		{"paletted PNG", PNG, encoded(image.NewPaletted(box, []color.Color{color.White, color.Black}))},
		{"PNG", PNG, encoded(image.NewNRGBA(box))},
		{"16-bit PNG", PNG, encoded(image.NewNRGBA64(box))},
		{"lossy WebP", WebP, webp("VP8 ", []byte{0, 0, 0, 0x9d, 1, 0x2a, 1201 & 255, 1201 >> 8, 799 & 255, 799 >> 8})},
		// Five trees of one symbol each, so that no bits make all the pixels.
		{"lossless WebP", WebP, webp("VP8L", []byte{0x2f, 1200 & 255, 1200>>8 | 798<<6&255, 798 >> 2 & 255, 798 >> 10, 0x88, 0x88, 0x08})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := photoHead(tt.raw, tt.contentType)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = decode(t.Context(), tt.raw, h)
			runtime.ReadMemStats(&after)
			got := int64(after.TotalAlloc - before.TotalAlloc)
			t.Logf("charged %d KiB, allocated %d KiB, %v", h.memory>>10, got>>10, err)
			if got > h.memory || got < 1201*799 {
				t.Errorf("decode allocates %d bytes, charged were %d", got, h.memory)
			}
		})
	}
}
