package picture_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// photo is a JPEG like one of a camera, on its side: gradients under noise.
func photo(tb testing.TB, width, height int) []byte {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for y := range height {
		for x := range width {
			m.Y[y*m.YStride+x] = uint8(x*200/width + y*40/height + rnd.IntN(12))
		}
	}
	for i := range m.Cb {
		m.Cb[i] = uint8(110 + i%m.CStride*30/m.CStride + rnd.IntN(3))
		m.Cr[i] = uint8(120 + i/m.CStride*30/height + rnd.IntN(3))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 92}); err != nil {
		tb.Fatal(err)
	}
	return withExif(b.Bytes(), exif(binary.BigEndian, 6))
}

// bench times f, and then runs it once more to report the most memory that the
// heap held beyond what it held before, garbage included. Watching costs time,
// hence the second run.
func bench(b *testing.B, f func()) {
	b.Helper()
	for b.Loop() {
		f()
	}
	runtime.GC()
	held := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(held)
	before := held[0].Value.Uint64()
	peak := before
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			metrics.Read(held)
			peak = max(peak, held[0].Value.Uint64())
			runtime.Gosched()
		}
	}
	b.ReportMetric(float64(peak-before)/(1<<20), "peak-MiB")
}

func BenchmarkRender(b *testing.B) {
	for _, tt := range []struct {
		name          string
		width, height int
	}{{"12MP", 4000, 3000}, {"48MP", 8000, 6000}} {
		b.Run(tt.name, func(b *testing.B) {
			raw := photo(b, tt.width, tt.height)
			lane := picture.NewLane(512<<20, 2)
			b.SetBytes(int64(len(raw)))
			bench(b, func() {
				if _, err := lane.Render(b.Context(), raw, picture.JPEG); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkInspect(b *testing.B) {
	raw := photo(b, 4000, 3000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := picture.Inspect(bytes.NewReader(raw), picture.JPEG); err != nil {
			b.Fatal(err)
		}
	}
}
