package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc, the same on all common systems.
const tick = time.Second / 100

// stat is what /proc tells of a process.
type stat struct {
	pid, parent int
	own         time.Duration // on a core
	children    time.Duration // of those that have ended and were waited for
}

// parseStat reads /proc/PID/stat (see proc(5)). The name in it may hold anything.
func parseStat(text []byte) (stat, error) {
	pid, _, ok1 := bytes.Cut(text, []byte(" ("))
	end := bytes.LastIndex(text, []byte(") "))
	if !ok1 || end < 0 {
		return stat{}, errors.New("unreadable stat of a process")
	}
	f := strings.Fields(string(text[end+2:]))
	if len(f) < 15 {
		return stat{}, errors.New("unreadable stat of a process")
	}
	var n [6]int
	for i, s := range []string{string(pid), f[1], f[11], f[12], f[13], f[14]} {
		var err error
		if n[i], err = strconv.Atoi(s); err != nil {
			return stat{}, fmt.Errorf("unreadable stat of a process: %w", err)
		}
	}
	return stat{pid: n[0], parent: n[1], own: time.Duration(n[2]+n[3]) * tick, children: time.Duration(n[4]+n[5]) * tick}, nil
}

// family is a process with its children.
func family(pid int) []stat {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	var list []stat
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil { // it has ended meanwhile
			continue
		}
		if s, err := parseStat(text); err == nil && (s.pid == pid || s.parent == pid) {
			list = append(list, s)
		}
	}
	return list
}

// cpu is what a process and its children, also those that have ended, took.
func cpu(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	var sum time.Duration
	for _, s := range family(pid) {
		sum += s.own
		if s.pid == pid {
			sum += s.children
		}
	}
	return sum
}

// memory is what a process and its children keep resident, in bytes. What they
// share counts once.
func memory(pid int) int64 {
	if pid == 0 {
		return 0
	}
	var own, shared int64
	for _, s := range family(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
		if err != nil {
			continue
		}
		m := parseStatus(string(text))
		own += m["RssAnon"] + m["RssFile"]
		shared = max(shared, m["RssShmem"])
	}
	return own + shared
}

// parseStatus finds the sizes in /proc/PID/status, in bytes.
func parseStatus(text string) map[string]int64 {
	m := map[string]int64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		if number, ok := strings.CutSuffix(strings.TrimSpace(value), " kB"); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64); err == nil {
				m[name] = n << 10
			}
		}
	}
	return m
}

// watch looks at the memory of processes until ctx ends, and gives the most of
// each.
func watch(ctx context.Context, pids ...int) <-chan []int64 {
	most := make(chan []int64, 1)
	go func() {
		peaks := make([]int64, len(pids))
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			for i, pid := range pids {
				peaks[i] = max(peaks[i], memory(pid))
			}
			select {
			case <-ctx.Done():
				most <- peaks
				return
			case <-t.C:
			}
		}
	}()
	return most
}
