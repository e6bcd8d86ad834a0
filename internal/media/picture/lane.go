package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Heaviest is the memory that decoding one picture may take, in bytes. Ordinary
// files of 64 megapixels stay below it, progressive JPEGs and 16-bit PNGs too;
// what does not is refused.
const Heaviest = 768 << 20

// The sizes a photo is rendered in: pixels of the longer side, JPEG quality.
const (
	largeSide, largeQuality   = 2560, 85
	mediumSide, mediumQuality = 1280, 82
	smallSide, smallQuality   = 320, 80
)

// ErrBusy is the failure to get a place in a Lane before the context ended.
var ErrBusy = errors.New("picture: too many pictures at once")

// Lane bounds decoding: how many pictures are open at once, and how much memory
// they take together. A picture is charged for all that its decoder may
// allocate, told from its head, and waits until there is room. One that alone is
// heavier than the lane takes all of it, so the memory to plan for is that of
// the lane or Heaviest, whichever is more. Memory that is no longer used counts
// until the garbage collector has been there: set GOMEMLIMIT.
type Lane struct {
	memory int64
	room   *semaphore.Weighted // bytes
	places *semaphore.Weighted // pictures

	waiting, running atomic.Int64
}

// NewLane makes a Lane of so many bytes for so many pictures. Both are positive.
func NewLane(memory int64, atOnce int) *Lane {
	if memory < 1 || atOnce < 1 {
		panic("picture: a lane without room")
	}
	return &Lane{memory: memory, room: semaphore.NewWeighted(memory), places: semaphore.NewWeighted(int64(atOnce))}
}

// Running is how many pictures are being worked on.
func (l *Lane) Running() int { return int(l.running.Load()) }

// Waiting is how many wait for a place or for room.
func (l *Lane) Waiting() int { return int(l.waiting.Load()) }

// Rendering is a photo in the three sizes it is shown in: JPEG, upright, opaque,
// with no more in it than pixels. None is larger than the photo was.
type Rendering struct {
	Large, Medium, Small []byte
	Width, Height        int // of Large
}

// Render decodes a photo and makes its Rendering. The error is an *Error when the
// file is at fault, ErrBusy (with the reason of ctx) when there was no room for
// it in time, and that of ctx when it ended later.
func (l *Lane) Render(ctx context.Context, raw []byte, contentType string) (Rendering, error) {
	if contentType == PDF {
		return Rendering{}, &Error{CodeWrongType, "A photo must be a JPEG, PNG or WebP picture."}
	}
	h, err := photoHead(raw, contentType)
	if err != nil {
		return Rendering{}, err
	}
	var made Rendering
	err = l.run(ctx, h.memory+renderMemory(h)+profileMemory(raw, h), func() error {
		made, err = render(ctx, raw, h)
		return err
	})
	if err != nil {
		return Rendering{}, err
	}
	return made, nil
}

// Check tells whether a document can be opened: a picture is decoded as a whole,
// of a PDF the frame is looked at. Errors are those of Render.
func (l *Lane) Check(ctx context.Context, raw []byte, contentType string) error {
	if contentType == PDF {
		if _, err := readHead(bytes.NewReader(raw), contentType); err != nil {
			return err
		}
		return checkPDF(raw)
	}
	h, err := photoHead(raw, contentType)
	if err != nil {
		return err
	}
	return l.run(ctx, h.memory, func() error {
		_, err := decode(ctx, raw, h)
		return err
	})
}

// run does work once there is room for it. A panic in it is taken for the
// file's fault: whatever a decoder stumbled over, it came from there.
func (l *Lane) run(ctx context.Context, weight int64, work func() error) (err error) {
	if weight > Heaviest {
		return errTooHeavy
	}
	leave, err := l.enter(ctx, weight)
	if err != nil {
		return err
	}
	defer leave()
	defer func() {
		if recover() != nil {
			err = errUnreadable
		}
	}()
	return work()
}

// enter waits for a place and then for room. Whoever waits for room holds a
// place, but never the other way round, so that nobody waits for each other.
func (l *Lane) enter(ctx context.Context, weight int64) (leave func(), err error) {
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	if err := l.places.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	weight = min(weight, l.memory)
	if err := l.room.Acquire(ctx, weight); err != nil {
		l.places.Release(1)
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	l.running.Add(1)
	return func() {
		l.running.Add(-1)
		l.room.Release(weight)
		l.places.Release(1)
	}, nil
}

// render makes the three sizes, each from the one before it.
func render(ctx context.Context, raw []byte, h head) (Rendering, error) {
	decoded, err := decode(ctx, raw, h)
	if err != nil {
		return Rendering{}, err
	}
	large, err := shrink(ctx, decoded, colours(raw, h, decoded.model), h.turn, largeSide)
	if err != nil {
		return Rendering{}, err
	}
	medium, err := shrink(ctx, ofImage(large), nil, upright, mediumSide)
	if err != nil {
		return Rendering{}, err
	}
	small, err := shrink(ctx, ofImage(medium), nil, upright, smallSide)
	if err != nil {
		return Rendering{}, err
	}
	made := Rendering{Width: large.Rect.Dx(), Height: large.Rect.Dy()}
	for _, size := range []struct {
		to      *[]byte
		from    *image.YCbCr
		quality int
	}{{&made.Large, large, largeQuality}, {&made.Medium, medium, mediumQuality}, {&made.Small, small, smallQuality}} {
		if err := ctx.Err(); err != nil {
			return Rendering{}, stopped(err)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, size.from, &jpeg.Options{Quality: size.quality}); err != nil {
			return Rendering{}, fmt.Errorf("encode photo: %w", err)
		}
		*size.to = b.Bytes()
	}
	return made, nil
}

// renderMemory is what the sizes take: samples and rows of three pictures, what
// encoding makes of them, and four planes of what is converted to sRGB.
func renderMemory(h head) int64 {
	width, height := fit(h.width, h.height, largeSide)
	return 1<<20 + 9*int64(width)*int64(height)
}
