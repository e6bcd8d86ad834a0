package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	s, err := parseStat([]byte("42 (a) (b) S 7 42 42 0 -1 4194560 100 200 0 0 150 50 30 20 20 0 1 0 100 1000 10 18446744073709551615"))
	want := stat{pid: 42, parent: 7, own: 2 * time.Second, children: time.Second / 2}
	if err != nil || s != want {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
	for _, text := range []string{"", "42", "42 (a", "42 (a) S 7", "x (a) S 7 42 42 0 -1 4194560 100 200 0 0 150 50 30 20"} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q passed for a stat", text)
		}
	}
}

func TestParseStatus(t *testing.T) {
	m := parseStatus("Name:\tpostgres\nVmRSS:\t    2048 kB\nRssShmem:\t   1 kB\nThreads:\t9\n")
	if m["VmRSS"] != 2<<20 || m["RssShmem"] != 1<<10 || len(m) != 2 {
		t.Errorf("%v", m)
	}
}

func TestMeasureOurselves(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here: CPU and memory are not measured")
	}
	if n := memory(os.Getpid()); n < 1<<20 {
		t.Errorf("we take %d bytes", n)
	}
	before := cpu(os.Getpid())
	for begin := time.Now(); cpu(os.Getpid()) == before; {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("no time goes by")
		}
	}
}
