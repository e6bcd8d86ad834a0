package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// result is a line of the table: one server under one load.
type result struct {
	Scenario  string    `json:"scenario"`
	Conns     int       `json:"connections"`
	Server    string    `json:"server"`
	Requests  int       `json:"requests"`
	Errors    int       `json:"errors"`
	Error     string    `json:"first_error,omitempty"`
	Rates     []float64 `json:"rates"` // answers a second, in each turn
	Rate      float64   `json:"rate"`  // their median
	P50       float64   `json:"p50_ms"`
	P90       float64   `json:"p90_ms"`
	P99       float64   `json:"p99_ms"`
	Max       float64   `json:"max_ms"`
	ServerCPU float64   `json:"server_cpu_us"` // of one answer
	DBCPU     float64   `json:"database_cpu_us"`
	ServerMem int64     `json:"server_memory"` // bytes, the most
	DBMem     int64     `json:"database_memory"`
	Ratio     float64   `json:"ratio,omitempty"`     // of the rate to the reference's
	RatioP50  float64   `json:"ratio_p50,omitempty"` // of the median time to the reference's
	Cost      float64   `json:"cost,omitempty"`      // of the time on a core, server and database together, to the reference's
}

// start is how a server came up.
type start struct {
	Server string  `json:"server"`
	Ready  float64 `json:"ready_ms"` // from the start of the process to the first good answer
	Idle   int64   `json:"idle_memory"`
}

// report is the JSON file.
type report struct {
	At       time.Time `json:"at"`
	Engine   string    `json:"engine"`
	Size     string    `json:"size"`
	Rows     rows      `json:"rows"`
	Cores    int       `json:"cores"`
	Go       string    `json:"go"`
	Seconds  float64   `json:"seconds"` // of a turn
	Rounds   int       `json:"rounds"`
	Page     int       `json:"deep_page"`
	Searches []string  `json:"searches"`
	Starts   []start   `json:"starts"`
	Results  []result  `json:"results"`
}

// compare fills in the ratios of the product to the reference.
func (r *report) compare() {
	type load struct {
		scenario string
		conns    int
	}
	ceiling := map[load]result{}
	for _, one := range r.Results {
		if one.Server == referenceName {
			ceiling[load{one.Scenario, one.Conns}] = one
		}
	}
	for i := range r.Results {
		one := &r.Results[i]
		c, ok := ceiling[load{one.Scenario, one.Conns}]
		if !ok || one.Server == referenceName || c.Rate == 0 || c.P50 == 0 {
			continue
		}
		one.Ratio, one.RatioP50 = one.Rate/c.Rate, one.P50/c.P50
		if all := c.ServerCPU + c.DBCPU; all > 0 {
			one.Cost = (one.ServerCPU + one.DBCPU) / all
		}
	}
}

// table prints the results for people.
func (r *report) table(w io.Writer) {
	for _, s := range r.Starts {
		fmt.Fprintf(w, "%s was ready after %.0f ms and kept %s idle\n", s.Server, s.Ready, mebibytes(s.Idle))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tconns\tserver\treq/s\tratio\tp50\tp99\terrors\tCPU/req\tdb CPU\tcost\tmemory\tdb\t")
	before := ""
	for _, one := range r.Results {
		name := one.Scenario
		if name == before {
			name = ""
		}
		before = one.Scenario
		fmt.Fprintf(t, "%s\t%d\t%s\t%.0f\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t\n", name, one.Conns, one.Server, one.Rate, times(one.Ratio),
			millis(one.P50), millis(one.P99), one.Errors, micros(one.ServerCPU), micros(one.DBCPU), times(one.Cost), mebibytes(one.ServerMem), mebibytes(one.DBMem))
	}
	_ = t.Flush() // to a person: nobody is left to tell
	for _, one := range r.Results {
		if one.Error != "" {
			fmt.Fprintf(w, "%s at %d connections, %s: %s\n", one.Scenario, one.Conns, one.Server, strings.TrimSpace(one.Error))
		}
	}
}

func times(ratio float64) string {
	if ratio <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f x", ratio)
}

func millis(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.2f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func micros(us float64) string {
	if us <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f us", us)
}

func mebibytes(n int64) string {
	if n <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}
