package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README's walk is run as it stands, and every answer that it shows is
// compared with the real one.
func TestReadme(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("the walk needs ", tool)
		}
	}
	t.Run("sqlite", func(t *testing.T) { walk(t, serve(t, sqlite(t))) })
	t.Run("make run", func(t *testing.T) { // what scripts/run does in a new folder
		dir := filepath.Join(t.TempDir(), "data")
		env := append(sqlite(t), "DATA_DIR="+dir)
		script, err := os.ReadFile("../../scripts/run")
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`bin/ridecopilot (seed [-a-z0-9 ]+)`).FindSubmatch(script)
		if m == nil {
			t.Fatal("scripts/run does not seed")
		}
		seeded := command(t, env, "", strings.Fields(string(m[1]))...)
		seeded.ended(t, 0)
		const demoPassword = "5f1c0d8be0a94e7723b1c6da"
		admin := regexp.MustCompile(`bin/ridecopilot createsuperuser --email (\S+) --name "([^"]+)" --password-stdin`).FindSubmatch(script)
		said := regexp.MustCompile(`echo "(Sign in to the admin site as .*)\$password"`).FindSubmatch(script)
		if admin == nil || said == nil {
			t.Fatal("scripts/run makes no operator")
		}
		command(t, env, demoPassword+"\n", "createsuperuser", "--email", string(admin[1]), "--name", string(admin[2]), "--password-stdin").ended(t, 0)
		s := serve(t, env, "--metrics-addr", "127.0.0.1:0")
		if _, ok := s.out.Find(`metrics  .*\n`, s.done); !ok {
			t.Fatal("no address of metrics")
		}
		got := plain(seeded.out + string(said[1]) + demoPassword + "\n" + strings.ReplaceAll(s.out.String(), dir, "./data"))
		if !strings.Contains(plain(readReadme(t)), "```text\n"+got+"```\n") {
			t.Errorf("the README does not show what make run prints:\n%s", got)
		}
		walk(t, s)
	})
	t.Run("postgres", func(t *testing.T) {
		// The command of the README: two settings and --migrate.
		readme := readReadme(t)
		for _, word := range []string{"SECRET_KEY=", "DATABASE_URL=", "serve --migrate"} {
			if !strings.Contains(readme, word) {
				t.Errorf("the README does not say %s", word)
			}
		}
		walk(t, serve(t, postgres(t), "--migrate"))
	})
	t.Run("sqlite, s3", func(t *testing.T) { walk(t, serve(t, append(sqlite(t), s3Settings(t)...))) })
	t.Run("postgres, s3", func(t *testing.T) { walk(t, serve(t, append(postgres(t), s3Settings(t)...), "--migrate")) })
}

// plain takes out of a text what is different each time.
func plain(text string) string {
	for expression, instead := range map[string]string{
		`the password \S+`:          "the password …",
		`\d+ documents`:             "… documents",
		`http://127\.0\.0\.1:\d+`:   "http://…",
		`(?m)^Ridecopilot \S+, on `: "Ridecopilot …, on ",
	} {
		text = regexp.MustCompile(expression).ReplaceAllString(text, instead)
	}
	return text
}

func readReadme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The base of the addresses in the README.
const readmeBase = "http://127.0.0.1:8000"

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// walk runs the shell blocks of the section in one shell.
func walk(t *testing.T, s *serving) {
	t.Helper()
	_, section, ok := strings.Cut(readReadme(t), "\n## A walk with curl\n")
	if !ok {
		t.Fatal("the README has no walk")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var script strings.Builder
	var wants []string // what the README shows below each block, "" for nothing
	var kinds []string
	for _, block := range fence.FindAllStringSubmatch(section, -1) {
		if block[1] == "sh" {
			fmt.Fprintf(&script, "%s\nprintf '\\n\\036'\n", block[2])
			wants, kinds = append(wants, ""), append(kinds, "")
			continue
		}
		if len(wants) == 0 || wants[len(wants)-1] != "" {
			t.Fatalf("an answer without its command:\n%s", block[2])
		}
		wants[len(wants)-1], kinds[len(kinds)-1] = block[2], block[1]
	}
	if len(wants) < 12 {
		t.Fatalf("only %d shell blocks were found", len(wants))
	}
	if !strings.Contains(script.String(), readmeBase) {
		t.Fatalf("the walk does not begin at %s", readmeBase)
	}
	sh := exec.CommandContext(t.Context(), "sh", "-eu", "-c", strings.ReplaceAll(script.String(), readmeBase, s.base))
	sh.Dir = "../.."
	sh.Env = []string{"PATH=" + os.Getenv("PATH"), "no_proxy=*"}
	var complaints strings.Builder
	sh.Stderr = &complaints
	out, err := sh.Output()
	if err != nil {
		t.Fatalf("the walk failed: %v\n%s%s", err, out, complaints.String())
	}
	answers := strings.Split(string(out), "\x1e")
	for i, want := range wants {
		compare(t, kinds[i], want, strings.TrimSpace(answers[i]))
	}
}

func compare(t *testing.T, kind, want, got string) {
	t.Helper()
	if kind != "json" {
		if got != strings.TrimSpace(want) {
			t.Errorf("the README shows\n%sbut the answer is\n%s", want, got)
		}
		return
	}
	var shown, given any
	decode(t, want, &shown)
	if err := json.Unmarshal([]byte(got), &given); err != nil {
		t.Errorf("the README shows\n%sbut the answer is\n%s", want, got)
		return
	}
	if at := differs("answer", shown, given); at != "" {
		t.Errorf("%s: the README shows\n%sbut the answer is\n%s", at, want, got)
	}
}

// left stands in the README for whatever was left out.
const left = "…"

// differs says where an answer is not as it is shown: members and elements may
// be left out only where the README says so.
func differs(at string, shown, given any) string {
	switch want := shown.(type) {
	case string:
		if want == left || want == given {
			return ""
		}
	case map[string]any:
		got, ok := given.(map[string]any)
		if !ok {
			return at
		}
		_, more := want[left]
		for _, name := range slices.Sorted(maps.Keys(want)) {
			value, there := got[name]
			if name == left {
				continue
			}
			if !there {
				return at + "." + name
			}
			if d := differs(at+"."+name, want[name], value); d != "" {
				return d
			}
		}
		if !more && len(want) != len(got) {
			return at + " has other members"
		}
		return ""
	case []any:
		got, ok := given.([]any)
		if !ok {
			return at
		}
		if n := len(want); n > 0 && want[n-1] == left {
			want = want[:n-1]
			got = got[:min(len(want), len(got))]
		}
		if len(want) != len(got) {
			return at + " has another length"
		}
		for i := range want {
			if d := differs(fmt.Sprintf("%s[%d]", at, i), want[i], got[i]); d != "" {
				return d
			}
		}
		return ""
	default:
		if reflect.DeepEqual(shown, given) {
			return ""
		}
	}
	return at
}

// Every page that the README and docs/ lead to is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	pages := []string{"README.md", "CHANGELOG.md", "docs/admin.md", "docs/architecture.md", "docs/configuration.md", "docs/glossary.md", "docs/moving-from-django.md", "docs/observability.md", "docs/older-client.md", "docs/operations.md", "docs/performance.md", "docs/seed.md", "deploy/aws/README.md", "bench/README.md"}
	decisions, err := os.ReadDir("../../docs/adr")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range decisions {
		pages = append(pages, "docs/adr/"+d.Name())
	}
	for _, page := range pages {
		text, err := os.ReadFile("../../" + page)
		if err != nil {
			t.Error(err)
			continue
		}
		dir := "../../" + page[:strings.LastIndex(page, "/")+1]
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(dir + m[1]); err != nil {
				t.Errorf("%s leads to %s, which is not there", page, m[1])
			}
		}
	}
}

// The tables of docs/architecture.md have every package.
func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	tree, table, ok := strings.Cut(string(text), "## Who imports whom")
	if !ok {
		t.Fatal("docs/architecture.md has no table of imports")
	}
	packages, err := os.ReadDir("../../internal")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		if !strings.Contains(tree, "\n  "+p.Name()+"/ ") || !strings.Contains(table, "`"+p.Name()+"`") {
			t.Errorf("internal/%s is missing in the tree or in the table", p.Name())
		}
	}
}
