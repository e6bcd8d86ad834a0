package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// programs builds the two servers.
func programs(t *testing.T) (product, reference string) {
	t.Helper()
	dir := t.TempDir()
	product, reference = filepath.Join(dir, "ridecopilot"), filepath.Join(dir, "bench-reference")
	for _, b := range [][3]string{{"..", product, "./cmd/ridecopilot"}, {".", reference, "./reference"}} {
		c := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", b[1], b[2]) // links sooner
		c.Dir = b[0]
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", b[2], err, out)
		}
	}
	return product, reference
}

// database makes an empty PostgreSQL database for the test.
func database(t *testing.T) string {
	t.Helper()
	server := os.Getenv("TEST_POSTGRES_URL")
	if server == "" {
		if os.Getenv("REQUIRE_POSTGRES") != "" {
			t.Fatal("TEST_POSTGRES_URL is not set")
		}
		t.Skip("TEST_POSTGRES_URL is not set")
	}
	name := "bench_" + strings.ToLower(rand.Text())
	run := func(ctx context.Context, sql string) {
		c, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatal("connect:", err)
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	run(t.Context(), "CREATE DATABASE "+name)
	t.Cleanup(func() { run(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// TestRun fills a little database and puts each scenario under load for a moment,
// on both engines; on PostgreSQL beside the reference, whose answers are compared.
func TestRun(t *testing.T) {
	product, reference := programs(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // nothing is measured here
			o := options{size: "tiny", data: t.TempDir(), product: product, conns: "2", seconds: 0.05, rounds: 1}
			servers := 1
			if engine == "postgres" {
				o.database, o.reference, servers = database(t), reference, 2
				o.postgres, _ = strconv.Atoi(os.Getenv("TEST_POSTGRES_PID"))
			}
			o.out = filepath.Join(o.data, "out.json")
			var out, progress strings.Builder
			o.fill = true
			if err := o.run(t.Context(), &out, &progress); err != nil {
				t.Fatalf("fill: %v\n%s", err, progress.String())
			}
			o.fill = false
			if err := o.run(t.Context(), &out, &progress); err != nil {
				t.Fatalf("run: %v\n%s", err, progress.String())
			}
			text, err := os.ReadFile(o.out)
			if err != nil {
				t.Fatal(err)
			}
			var r report
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			if r.Engine != engine || r.Rows.Drivers != 30 || len(r.Starts) != servers || len(r.Results) != servers*len(scenarios()) {
				t.Errorf("engine %s, %d drivers, %d servers, %d results", r.Engine, r.Rows.Drivers, len(r.Starts), len(r.Results))
			}
			for _, one := range r.Results {
				if one.Requests == 0 || one.Errors > 0 {
					t.Errorf("%s, %s: %d requests, %d errors, first %s", one.Scenario, one.Server, one.Requests, one.Errors, one.Error)
				}
			}
			if strings.Count(out.String(), productName) < len(scenarios()) {
				t.Errorf("the table is\n%s", out.String())
			}
		})
	}
}

func TestRun_NotFilled(t *testing.T) {
	o := options{data: t.TempDir(), conns: "1"}
	if err := o.run(t.Context(), &strings.Builder{}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "was not filled") {
		t.Errorf("%v", err)
	}
}
