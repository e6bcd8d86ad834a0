package main

import (
	"strings"
	"testing"
)

func TestReadPlans(t *testing.T) {
	log := strings.Join([]string{
		"LOG:  database system is ready to accept connections",
		"LOG:  duration: 0.5 ms  plan:",
		"\tQuery Text: SELECT 1",
		"\tResult  (cost=0.00..0.01 rows=1 width=4)",
		"LOG:  duration: 2.25 ms  plan:",
		"\tQuery Text: ",
		"\t\tSELECT a",
		"\t\tFROM b",
		"\tSeq Scan on b  (cost=0.00..1.01 rows=1 width=4)",
		"\t  Filter: old",
		"LOG:  duration: 1.75 ms  plan:",
		"\tQuery Text: ",
		"\t\tSELECT a",
		"\t\tFROM b",
		"\tIndex Scan on b  (cost=0.00..1.01 rows=1 width=4)",
		"\t  Filter: new",
		"ERROR:  something else",
		"\tnot of a plan",
		"LOG:  duration: 0.75 ms  plan:",
		"\tQuery Text: SELECT 1",
		"\tResult  (cost=0.00..0.01 rows=1 width=4)",
	}, "\n")
	got, err := readPlans(strings.NewReader(log))
	if err != nil || len(got) != 2 {
		t.Fatalf("%d statements, %v, want 2", len(got), err)
	}
	want := []statement{
		{text: "\n\tSELECT a\n\tFROM b", runs: 2, total: 4, plan: "Index Scan on b  (cost=0.00..1.01 rows=1 width=4)\n  Filter: new"},
		{text: "SELECT 1", runs: 2, total: 1.25, plan: "Result  (cost=0.00..0.01 rows=1 width=4)"},
	}
	for i := range want {
		if *got[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i+1, *got[i], want[i])
		}
	}
}
