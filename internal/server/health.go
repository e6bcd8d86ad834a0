package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func isProbe(route string) bool {
	return route == "/livez" || route == "/readyz" || route == "/health/"
}

// probed answers GET and HEAD with h, and notes the route, which no mux does here.
func (s *Server) probed(w *response, r *http.Request, h handler) {
	r.Pattern = strings.TrimSuffix(r.URL.Path, "/")
	if r.Pattern == "/health" {
		r.Pattern = "/health/"
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.refuse(w, r, http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed.")
		return
	}
	h(w, r)
}

type state struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
	// OldestJob is how many seconds the oldest due job has waited; absent when that is
	// not known.
	OldestJob *int64 `json:"oldest_job_seconds,omitempty"`
}

// livez speaks of the process only: that it answers is the answer (O6).
func (s *Server) livez(w *response, _ *http.Request) {
	answer(w, "application/json", http.StatusOK, state{Status: "ok"})
}

// readyz tells a balancer whether to send requests here.
func (s *Server) readyz(w *response, r *http.Request) {
	switch {
	case s.draining.Load():
		answer(w, "application/json", http.StatusServiceUnavailable, state{Status: "draining"})
	case !s.passes(r.Context(), s.ready):
		answer(w, "application/json", http.StatusServiceUnavailable, state{Status: "failing"})
	default:
		answer(w, "application/json", http.StatusOK, state{Status: "ok"})
	}
}

// health names what works and what does not, without saying why.
func (s *Server) health(w *response, r *http.Request) {
	ok := make([]bool, len(s.checks))
	var wg sync.WaitGroup
	for i, p := range s.checks {
		wg.Go(func() { ok[i] = s.passes(r.Context(), p) })
	}
	wg.Wait()
	st, status := state{Status: "ok", Checks: map[string]string{}}, http.StatusOK
	for i, p := range s.checks {
		st.Checks[p.name] = "ok"
		if !ok[i] {
			st.Checks[p.name] = "failing"
			st.Status, status = "failing", http.StatusServiceUnavailable
		}
	}
	if s.oldestJob != nil {
		if waited, ok := s.oldestJob(); ok {
			seconds := int64(waited.Seconds())
			st.OldestJob = &seconds
		}
	}
	answer(w, "application/json", status, st)
}

// passes runs p and puts it into the log when its state has changed.
func (s *Server) passes(ctx context.Context, p *probe) bool {
	err := p.state(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return false // the one who asked has gone: that says nothing of p
	}
	if bad := err != nil; p.bad.Swap(bad) != bad {
		ctx = context.WithoutCancel(ctx)
		if bad {
			s.log.LogAttrs(ctx, slog.LevelWarn, "check fails", slog.String("check", p.name), slog.Any("err", err))
		} else {
			s.log.LogAttrs(ctx, slog.LevelInfo, "check passes again", slog.String("check", p.name))
		}
	}
	return err == nil
}

var errProbeSlow = errors.New("check did not end in time")

// probe runs a check for all who ask at the same time once, and reuses its
// result for a moment: probes are open to everybody and must cost nothing. A
// check that hangs is not started a second time.
type probe struct {
	name string
	fn   func(context.Context) error
	now  func() time.Time
	bad  atomic.Bool // as the log has it

	mu   sync.Mutex
	run  *run      // in progress
	at   time.Time // of the last result; zero before the first
	last error
}

type run struct {
	ctx  context.Context
	done chan struct{}
	err  error
}

func newProbe(name string, fn func(context.Context) error, now func() time.Time) *probe {
	return &probe{name: name, fn: fn, now: now}
}

func newProbes(checks map[string]func(context.Context) error, now func() time.Time) []*probe {
	var ps []*probe
	for name, fn := range checks {
		ps = append(ps, newProbe(name, fn, now))
	}
	slices.SortFunc(ps, func(a, b *probe) int { return strings.Compare(a.name, b.name) })
	return ps
}

// state is nil when the check passes.
func (p *probe) state(ctx context.Context) error {
	if p.fn == nil {
		return nil
	}
	p.mu.Lock()
	if p.run == nil {
		if d := p.now().Sub(p.at); !p.at.IsZero() && d >= 0 && d < probeLife {
			defer p.mu.Unlock()
			return p.last
		}
		p.run = p.start(context.WithoutCancel(ctx))
	}
	run := p.run
	p.mu.Unlock()

	select {
	case <-run.done:
		return run.err
	case <-ctx.Done():
		return ctx.Err()
	case <-run.ctx.Done():
		select {
		case <-run.done:
			return run.err
		default:
			return errProbeSlow
		}
	}
}

// start runs the check apart from the request that asked for it, because others
// wait for it too.
func (p *probe) start(ctx context.Context) *run {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	r := &run{ctx: ctx, done: make(chan struct{})}
	go func() {
		defer cancel()
		defer func() {
			if v := recover(); v != nil {
				r.err = fmt.Errorf("check panicked: %s", panicText(v))
			}
			p.mu.Lock()
			p.run, p.last, p.at = nil, r.err, p.now()
			p.mu.Unlock()
			close(r.done)
		}()
		r.err = p.fn(ctx)
	}()
	return r
}
