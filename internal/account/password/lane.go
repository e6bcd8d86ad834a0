package password

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// errBusy is what the lane answers when it is full.
var errBusy = fault.Busy(fault.Unavailable, "The server is busy checking passwords. Try again in a moment.", time.Second)

// lane lets a bounded number of callers work at once, and a bounded number wait
// for a bounded time, first come first served.
type lane struct {
	slots   chan struct{}
	queue   int64
	wait    time.Duration
	done    func(took time.Duration) // may be nil
	waiting atomic.Int64
	givenUp atomic.Int64
}

func newLane(slots, queue int, wait time.Duration, done func(time.Duration)) *lane {
	return &lane{slots: make(chan struct{}, slots), queue: int64(queue), wait: wait, done: done}
}

// do runs work when its turn comes. A panic of work ends the caller, as it
// should, and not the slot.
func (l *lane) do(ctx context.Context, work func()) error {
	if err := l.enter(ctx); err != nil {
		if errors.Is(err, errBusy) {
			l.givenUp.Add(1)
		}
		return err
	}
	defer func() { <-l.slots }()
	begun := time.Now()
	work()
	if l.done != nil {
		l.done(time.Since(begun))
	}
	return nil
}

func (l *lane) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A slot is free only if nobody waits: one that is given back goes to the
	// longest waiting send, so nobody can push in here.
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > l.queue {
		return errBusy
	}
	timeout := time.NewTimer(l.wait)
	defer timeout.Stop()
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return errBusy
	}
}

// slots is how many hashes may run at once: one a core, and together a quarter
// of the memory (of unknown size if 0), but always one.
func slots(cores int, memory, perHash int64) int {
	n := int64(cores)
	if memory > 0 {
		n = min(n, memory/4/perHash)
	}
	return int(max(n, 1))
}

// memoryLimit is how many bytes this process may use: GOMEMLIMIT if it is set,
// else what the container or the machine has, or 0 where that is not known.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	limit := int64(math.MaxInt64)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		limit = min(limit, memTotal(string(text)))
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			limit = min(limit, n)
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// memTotal reads the first line of /proc/meminfo, "MemTotal: 24684460 kB".
func memTotal(meminfo string) int64 {
	line, _, _ := strings.Cut(meminfo, "\n")
	if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" && f[2] == "kB" {
		if n, err := strconv.ParseInt(f[1], 10, 64); err == nil && n < math.MaxInt64>>10 {
			return n << 10
		}
	}
	return math.MaxInt64
}
