package server

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the memory that answers hold (O3).
const (
	defaultAnswers = 48 << 20         // bytes of large answers on their way
	smallWrite     = 16 << 10         // a write that the kernel buffers at once, not counted
	scarceTimeout  = 10 * time.Second // for a large answer while more than half of that is taken
)

// budget bounds the bytes of large answers that wait for their readers: a client
// that never reads holds a whole list in memory until its time is up. While more
// than half is taken that time is short, so that room comes back.
type budget struct {
	most int64
	used atomic.Int64
}

// take reserves n bytes, or returns false when there is no room for them.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.most {
		return true
	}
	b.used.Add(-n)
	return false
}

// give returns n reserved bytes.
func (b *budget) give(n int64) { b.used.Add(-n) }

// scarce tells whether more than half is taken.
func (b *budget) scarce() bool { return b.used.Load() > b.most/2 }

// busyEvery is how often answers that the server is busy are told of.
const busyEvery = time.Second

// busyLog tells of answers that the server is busy: a warning at most once a
// second, with how many there were since the last one. Each is a line "request" and
// a count in the metrics as well; the cause stands here alone.
type busyLog struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	at   time.Time // of the last warning
	n    int64     // since then
	why  error     // of the last of those
	from string    // its route
}

// add counts an answer, and warns if it is time.
func (b *busyLog) add(ctx context.Context, route string, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	b.why, b.from = why, route
	if now := b.now(); b.at.IsZero() || now.Sub(b.at) >= busyEvery || now.Before(b.at) {
		b.tell(ctx, now)
	}
}

// flush logs the answers that were not logged yet.
func (b *busyLog) flush(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n > 0 {
		b.tell(ctx, b.now())
	}
}

func (b *busyLog) tell(ctx context.Context, now time.Time) {
	b.log.LogAttrs(ctx, slog.LevelWarn, "answered that the server is busy", slog.Int64("count", b.n), slog.String("route", b.from), slog.Any("err", b.why))
	b.at, b.n, b.why = now, 0, nil
}
