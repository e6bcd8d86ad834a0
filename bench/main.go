// Command bench measures the server under load: it starts the product and,
// beside it, the reference of bench/reference on the same database, drives both
// in turns over loopback, and prints a table and a JSON file. scripts/bench
// builds everything, finds PostgreSQL and keeps the filled database for the next
// time.
//
// The load is made here by hand. Wanted are requests a second, exact percentiles
// and errors at 1, 16 and 64 connections, each of which waits for its answer
// (closed loops), in turns between two servers: a load generator for open loops
// such as vegeta would have to be told a rate for each, and costs more of the two
// cores that client, server and database share than a small answer does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var o options
	o.flags(flag.CommandLine)
	flag.Parse()
	if err := o.run(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// options are the flags.
type options struct {
	fill      bool
	size      string
	database  string // postgres://…; empty for SQLite
	data      string // the data folder of the product
	product   string
	reference string
	postgres  int // the process
	scenarios string
	conns     string
	seconds   float64
	rounds    int
	out       string
	profiles  string
	plans     string
}

func (o *options) flags(f *flag.FlagSet) {
	f.BoolVar(&o.fill, "fill", false, "fill an empty database and end")
	f.StringVar(&o.size, "size", "small", "how much is filled in: "+strings.Join(sizeNames(), ", "))
	f.StringVar(&o.database, "database", os.Getenv("TEST_POSTGRES_URL"), "postgres://…; empty for SQLite")
	f.StringVar(&o.data, "data", "", "the data folder: of SQLite, and of what a filled database is known by")
	f.StringVar(&o.product, "product", "bin/ridecopilot", "the product's program")
	f.StringVar(&o.reference, "reference", "", "the reference's program; empty for none, and none on SQLite")
	pid, _ := strconv.Atoi(os.Getenv("TEST_POSTGRES_PID")) // 0 measures no database
	f.IntVar(&o.postgres, "postgres", pid, "the process of PostgreSQL, to measure")
	f.StringVar(&o.scenarios, "scenarios", "", "which, comma-separated; empty for all")
	f.StringVar(&o.conns, "conns", "1,16,64", "numbers of connections")
	f.Float64Var(&o.seconds, "seconds", 5, "how long a turn is")
	f.IntVar(&o.rounds, "rounds", 2, "how many turns each server has")
	f.StringVar(&o.out, "out", "", "the JSON file")
	f.StringVar(&o.profiles, "profiles", "", "a folder for CPU profiles of the product, one for each step; they cost some speed")
	f.StringVar(&o.plans, "plans", "", "a log of auto_explain: print the plans of the statements that took the most time, and end")
}

// sizes are how much can be filled in: drivers, posts and entries.
var sizes = map[string][3]int{
	"tiny":   {30, 400, 1500}, // for the tests
	"small":  {1000, 10_000, 100_000},
	"medium": {3000, 100_000, 500_000},
	"large":  {10_000, 1_000_000, 2_000_000},
}

func sizeNames() []string {
	var names []string
	for name := range sizes {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return sizes[a][1] - sizes[b][1] })
	return names
}

// known is what a filled database is known by, in the data folder.
type known struct {
	Size     string `json:"size"`
	Password string `json:"password"`
}

func (o *options) knownPath() string { return filepath.Join(o.data, "bench.json") }

func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	if o.plans != "" {
		return hottest(o.plans, out)
	}
	if o.data == "" {
		return errors.New("say where the data is: -data")
	}
	data, err := filepath.Abs(o.data)
	if err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	o.data = data
	if o.fill {
		return o.fillUp(ctx, progress)
	}
	r, err := o.measure(ctx, progress)
	if r != nil && len(r.Results) > 0 { // also what there is of a run that was broken off
		r.compare()
		r.table(out)
		err = errors.Join(err, o.save(r))
	}
	return err
}

func (o *options) save(r *report) error {
	if o.out == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(o.out, append(text, '\n'), 0o644) //nolint:gosec // numbers for everybody
	}
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

// measure runs all steps.
func (o *options) measure(ctx context.Context, progress io.Writer) (*report, error) {
	list, err := pick(o.scenarios)
	if err != nil {
		return nil, err
	}
	conns, err := numbers(o.conns)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(o.knownPath())
	if err != nil {
		return nil, fmt.Errorf("the database was not filled: %w", err)
	}
	var k known
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("read %s: %w", o.knownPath(), err)
	}
	st, err := store.Open(ctx, store.Options{URL: o.database, DataDir: o.data})
	if err != nil {
		return nil, err
	}
	defer st.Close() //nolint:errcheck // nothing of ours waits in it
	b := &bench{options: o, progress: progress, secret: secretText()}
	// A chain of refresh tokens for every connection to either server: its own,
	// those of the mixture, and of the comparison.
	if b.w, err = newWorld(ctx, st, b.secret, k.Password, 4*(slices.Max(conns)+2)); err != nil {
		return nil, err
	}
	b.report = report{
		At: time.Now().UTC().Truncate(time.Second), Engine: st.Engine(), Size: k.Size, Rows: b.w.rows, Cores: runtime.NumCPU(), Go: runtime.Version(),
		Seconds: o.seconds, Rounds: o.rounds,
	}
	return &b.report, b.run(ctx, list, conns)
}

func numbers(list string) ([]int, error) {
	var all []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 1000 {
			return nil, fmt.Errorf("%q is no number of connections", s)
		}
		all = append(all, n)
	}
	return all, nil
}
