package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/seed.md names files and tests that there are.
func TestSeedPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/seed.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, tests := 0, 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 3 || strings.Contains(line, "---") || strings.HasSuffix(strings.TrimSpace(line), "| proved by |") {
			continue
		}
		rows++
		where, proof := cells[len(cells)-2], cells[len(cells)-1]
		for _, m := range regexp.MustCompile("`([^` ]+/[^` ]*|[A-Z][a-z]+)`").FindAllStringSubmatch(where, -1) {
			if _, err := os.Stat("../../" + m[1]); err != nil {
				t.Errorf("%s: %v", strings.TrimSpace(cells[0]), err)
			}
		}
		for _, m := range regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(proof, -1) {
			tests++
			if !hasTest(t, m[1], m[2]) {
				t.Errorf("%s: there is no test %s.%s", strings.TrimSpace(cells[0]), m[1], m[2])
			}
		}
		if !strings.Contains(proof, "`") {
			t.Errorf("%s: proved by nothing", strings.TrimSpace(cells[0]))
		}
	}
	if rows < 40 || tests < rows {
		t.Errorf("%d rows and %d tests were found: the page is read in the wrong way", rows, tests)
	}
}

func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	dir := "../../internal/" + pkg
	if strings.HasPrefix(pkg, "cmd/") {
		dir = "../../" + pkg
	}
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+name+"(") {
			return true
		}
	}
	return false
}
