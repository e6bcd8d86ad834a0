package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// statement is what auto_explain has logged of all runs of one text.
type statement struct {
	text  string
	runs  int
	total float64 // ms
	plan  string  // of the last run: by then it is the plan that stays
}

// explained is the first line of a plan in the log; what follows is indented.
var explained = regexp.MustCompile(`^LOG:  duration: ([0-9.]+) ms  plan:$`)

// readPlans reads a log of PostgreSQL that auto_explain has written into, its
// lines without a prefix. Statements come back by the time they took in all.
func readPlans(r io.Reader) ([]*statement, error) {
	found := map[string]*statement{}
	var took float64
	var lines []string
	settle := func() {
		if lines == nil {
			return
		}
		// The statement comes first and ends where the plan's root begins.
		root := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "(cost=") })
		if root > 0 {
			text := strings.TrimPrefix(strings.Join(lines[:root], "\n"), "Query Text: ")
			s := found[text]
			if s == nil {
				s = &statement{text: text}
				found[text] = s
			}
			s.runs++
			s.total += took
			s.plan = strings.Join(lines[root:], "\n")
		}
		lines = nil
	}
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<22)
	for scan.Scan() {
		line := scan.Text()
		if m := explained.FindStringSubmatch(line); m != nil {
			settle()
			var err error
			if took, err = strconv.ParseFloat(m[1], 64); err != nil {
				return nil, fmt.Errorf("read the log: %w", err)
			}
			lines = []string{}
		} else if rest, ok := strings.CutPrefix(line, "\t"); ok && lines != nil {
			lines = append(lines, rest)
		} else {
			settle()
		}
	}
	settle()
	return slices.SortedFunc(maps.Values(found), func(a, b *statement) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.text, b.text))
	}), scan.Err()
}

// hottest prints the statements of a log with their plans, the one that took
// the most time first.
func hottest(log string, out io.Writer) error {
	f, err := os.Open(log)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	all, err := readPlans(f)
	if err != nil {
		return err
	}
	for i, s := range all {
		fmt.Fprintf(out, "%d. %d runs, %.3f ms each\n%s\n\n%s\n\n", i+1, s.runs, s.total/float64(s.runs), s.text, s.plan)
	}
	return nil
}
