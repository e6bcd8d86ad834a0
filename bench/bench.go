package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	*options
	progress io.Writer
	secret   string
	w        *world
	report   report
	product  *process
	targets  []*target
}

// environ is what a server is told, and nothing that happens to be set here.
func (o *options) environ(secret string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + o.data, "DATA_DIR=" + o.data, "ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "THROTTLE=off", "LOG_FORMAT=json",
	}
	if secret != "" {
		env = append(env, "SECRET_KEY="+secret)
	}
	if o.database != "" {
		env = append(env, "DATABASE_URL="+o.database)
	}
	return env
}

// start brings up a server and makes it a target.
func (b *bench) start(ctx context.Context, name string, command ...string) (*process, error) {
	program, err := filepath.Abs(command[0])
	if err != nil {
		return nil, fmt.Errorf("find the %s: %w", name, err)
	}
	p, err := launch(ctx, name, b.data, b.environ(b.secret), append([]string{program}, command[1:]...)...)
	if err != nil {
		return nil, err
	}
	b.targets = append(b.targets, &target{name: name, addr: p.addr, pid: p.cmd.Process.Pid, w: b.w})
	time.Sleep(min(time.Second, time.Duration(b.seconds*float64(time.Second)))) // until what it does at first is done
	b.report.Starts = append(b.report.Starts, start{name, p.ready.Seconds() * 1000, memory(p.cmd.Process.Pid)})
	return p, nil
}

func (b *bench) run(ctx context.Context, list []*scenario, conns []int) error {
	product, err := b.start(ctx, productName, b.options.product, "serve")
	if err != nil {
		return err
	}
	defer product.stop()
	b.product = product
	if b.reference != "" && b.database != "" {
		reference, err := b.start(ctx, referenceName, b.reference)
		if err != nil {
			return err
		}
		defer reference.stop()
	}
	if err := b.prepare(ctx, list); err != nil {
		return err
	}
	for i, s := range list {
		for _, n := range conns {
			fmt.Fprintf(b.progress, "[%d/%d] %s at %d connections\n", i+1, len(list), s.name, n)
			if err := b.step(ctx, s, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare finds out what requests need to know, and makes sure that both servers
// answer them alike.
func (b *bench) prepare(ctx context.Context, list []*scenario) error {
	c := &client{addr: b.targets[0].addr}
	defer c.close()
	if err := errors.Join(b.w.findCursor(c), b.w.checkSearches(c)); err != nil {
		return err
	}
	b.report.Page, b.report.Searches = b.w.page, b.w.searches
	for _, t := range b.targets {
		if err := t.findTag(); err != nil {
			return err
		}
	}
	if len(b.targets) < 2 {
		return nil
	}
	for _, s := range list {
		if err := checkAlike(ctx, b.w, s, b.targets[0], b.targets[1]); err != nil {
			return err
		}
		if s.writes {
			if err := b.w.tidy(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// findTag reads the ETag of page 1 with a general client: ours keeps no headers.
func (t *target) findTag() error {
	r, err := http.NewRequest(http.MethodGet, "http://"+t.addr+"/api/carposts/", http.NoBody) //nolint:noctx // over loopback
	if err != nil {
		return fmt.Errorf("read page 1: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+t.w.people[0].Access)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("read page 1: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // the headers are here
	if t.etag = res.Header.Get("ETag"); res.StatusCode != http.StatusOK || t.etag == "" {
		return fmt.Errorf("read page 1: status %d, ETag %q", res.StatusCode, t.etag)
	}
	return nil
}

// step puts all servers under the same load, in turns.
func (b *bench) step(ctx context.Context, s *scenario, conns int) error {
	sums := make([]tally, len(b.targets))
	for round := range b.rounds {
		for i, t := range b.targets {
			done := func() error { return nil }
			if b.profiles != "" && i == 0 && round == 0 {
				done = b.profile(ctx, fmt.Sprintf("%s-%d.pprof", s.name, conns))
			}
			b.turn(ctx, s, t, conns, &sums[i])
			if err := errors.Join(done(), ctx.Err()); err != nil {
				return err
			}
			if s.writes {
				if err := b.w.tidy(ctx); err != nil {
					return err
				}
			}
		}
	}
	for i, t := range b.targets {
		b.report.Results = append(b.report.Results, sums[i].result(s.name, t.name, conns))
	}
	return nil
}

// tally adds up the turns of a server.
type tally struct {
	sample
	rates       []float64
	server, db  time.Duration // on a core
	serverM, dM int64
}

// turn is one server under load: a little to warm up, and then what counts.
func (b *bench) turn(ctx context.Context, s *scenario, t *target, conns int, sum *tally) {
	workers := make([]*worker, conns)
	for i := range workers {
		workers[i] = t.worker(s, i)
	}
	length := time.Duration(b.seconds * float64(time.Second))
	budget := int64(s.each * len(b.w.people))
	drive(ctx, t.addr, workers, length/10, budget/10)
	looking, enough := context.WithCancel(ctx)
	most := watch(looking, t.pid, b.postgres)
	server, db := cpu(t.pid), cpu(b.postgres)
	got := drive(ctx, t.addr, workers, length, budget)
	sum.server += cpu(t.pid) - server
	sum.db += cpu(b.postgres) - db
	enough()
	peaks := <-most
	sum.serverM, sum.dM = max(sum.serverM, peaks[0]), max(sum.dM, peaks[1])
	sum.rates = append(sum.rates, float64(len(got.took))/got.elapsed.Seconds())
	sum.add(got)
}

func (t *tally) result(scenario, server string, conns int) result {
	slices.Sort(t.took)
	ms := func(p float64) float64 { return percentile(t.took, p).Seconds() * 1000 }
	r := result{
		Scenario: scenario, Conns: conns, Server: server, Requests: len(t.took) + t.errors, Errors: t.errors, Error: t.first,
		Rates: t.rates, Rate: median(t.rates), P50: ms(50), P90: ms(90), P99: ms(99), Max: ms(100), ServerMem: t.serverM, DBMem: t.dM,
	}
	if r.Requests > 0 {
		r.ServerCPU = t.server.Seconds() * 1e6 / float64(r.Requests)
		r.DBCPU = t.db.Seconds() * 1e6 / float64(r.Requests)
	}
	return r
}

// profile takes a CPU profile of the product while a turn lasts.
func (b *bench) profile(ctx context.Context, name string) (done func() error) {
	result := make(chan error, 1)
	go func() {
		seconds := max(1, int(b.seconds))
		url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", b.product.metrics, seconds)
		result <- func() error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
			if err != nil {
				return err
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err == nil && res.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d: %s", res.StatusCode, strings.TrimSpace(string(text)))
			}
			if err == nil {
				err = os.MkdirAll(b.profiles, 0o755) //nolint:gosec // for everybody to read
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(b.profiles, name), text, 0o644) //nolint:gosec // for everybody to read
			}
			return err
		}()
	}()
	return func() error {
		if err := <-result; err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		return nil
	}
}
