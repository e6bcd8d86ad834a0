package main

import (
	"strings"
	"testing"
	"time"
)

func TestTally(t *testing.T) {
	sum := tally{rates: []float64{10, 30}, server: 20 * time.Millisecond, db: 10 * time.Millisecond}
	sum.add(sample{took: []time.Duration{3 * time.Millisecond, time.Millisecond}, errors: 1, first: "refused"})
	sum.add(sample{took: []time.Duration{2 * time.Millisecond}, errors: 1, first: "again"})
	r := sum.result("page-1", productName, 16)
	if r.Requests != 5 || r.Errors != 2 || r.Error != "refused" {
		t.Errorf("requests %d, errors %d, first %q", r.Requests, r.Errors, r.Error)
	}
	if r.Rate != 20 || r.P50 != 2 || r.P99 != 3 || r.Max != 3 {
		t.Errorf("rate %v, p50 %v, p99 %v, max %v", r.Rate, r.P50, r.P99, r.Max)
	}
	if r.ServerCPU != 4000 || r.DBCPU != 2000 {
		t.Errorf("CPU of an answer: %v and %v, want 4000 and 2000", r.ServerCPU, r.DBCPU)
	}
}

func TestReport(t *testing.T) {
	r := report{
		Starts: []start{{productName, 123.4, 40 << 20}},
		Results: []result{
			{Scenario: "page-1", Conns: 1, Server: productName, Rate: 90, P50: 2, P99: 12.4, ServerCPU: 500, ServerMem: 50 << 20},
			{Scenario: "page-1", Conns: 1, Server: referenceName, Rate: 100, P50: 1, P99: 3, ServerCPU: 300, DBCPU: 100},
			{Scenario: "page-1", Conns: 16, Server: productName, Rate: 300, Errors: 1, Error: "status 503"},
			{Scenario: "page-1", Conns: 16, Server: referenceName},
		},
	}
	r.compare()
	if one := r.Results[0]; one.Ratio != 0.9 || one.RatioP50 != 2 || one.Cost != 1.25 {
		t.Errorf("ratios %v, %v and %v, want 0.9, 2 and 1.25", one.Ratio, one.RatioP50, one.Cost)
	}
	if one := r.Results[2]; one.Ratio != 0 {
		t.Errorf("a ratio to nothing: %v", one.Ratio)
	}
	var b strings.Builder
	r.table(&b)
	want := `product was ready after 123 ms and kept 40 MiB idle
  scenario  conns     server  req/s   ratio      p50      p99  errors  CPU/req  db CPU    cost  memory  db
    page-1      1    product     90  0.90 x  2.00 ms    12 ms       0   500 us       -  1.25 x  50 MiB   -
                1  reference    100          1.00 ms  3.00 ms       0   300 us  100 us               -   -
               16    product    300          0.00 ms  0.00 ms       1        -       -               -   -
               16  reference      0          0.00 ms  0.00 ms       0        -       -               -   -
page-1 at 16 connections, product: status 503
`
	if b.String() != want {
		t.Errorf("the table is\n%swant\n%s", b.String(), want)
	}
}
