package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const configurationHead = `# Configuration

<!-- Written by make schema from the table of settings, .env.example and the commands. Do not edit. -->

Settings come from flags, the environment, or a file ` + "`.env`" + ` in the working directory, the first of these that has one.
` + "`NAME_FILE`" + ` names a file that holds the value of ` + "`NAME`" + `, as for secrets of containers. Switches take ` + "`on`, `off`, `true`, `false`" + `.
` + "`ridecopilot config check`" + ` prints what is in force and where it comes from, secrets masked, and what is missing or weak.

## Settings

| setting | flag | default | meaning |
| --- | --- | --- | --- |
`

// configuration is the page, from what the program itself goes by.
func configuration(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)((?:^# .*\n)+)#([A-Z0-9_]+)=`).FindAllStringSubmatch(string(text), -1) {
		about[m[2]] = strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(m[1], "# "), "\n# ", " "))
	}
	var page strings.Builder
	page.WriteString(configurationHead)
	cell := strings.NewReplacer("|", `\|`, "<", "&lt;")
	for _, s := range settings {
		option, def := "`--"+s.flag()+"`", ""
		if s.secret {
			option = "none: it is a secret"
		}
		if s.def != "" {
			def = "`" + s.def + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", s.name, option, def, cell.Replace(about[s.name]))
	}
	page.WriteString("\n## Commands\n\nEach takes the flags of the settings as well. Exit codes: 0 done, 1 failed, 2 wrong usage or settings.\n\n| command | does | flags of its own |\n| --- | --- | --- |\n")
	var list func(c *cobra.Command)
	list = func(c *cobra.Command) {
		if c.HasParent() && c.Name() != "help" {
			var own []string
			c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" {
					own = append(own, "`--"+f.Name+"`: "+f.Usage)
				}
			})
			fmt.Fprintf(&page, "| `%s` | %s | %s |\n", cell.Replace(strings.TrimSuffix(c.UseLine(), " [flags]")), c.Short, cell.Replace(strings.Join(own, "; ")))
		}
		for _, sub := range c.Commands() {
			list(sub)
		}
	}
	list((&program{}).command())
	return page.String()
}

// docs/configuration.md says what the program does.
func TestConfiguration_Page(t *testing.T) {
	const path = "../../docs/configuration.md"
	want := configuration(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is not what the settings and commands say: make schema writes it")
	}
	for _, s := range settings {
		if !regexp.MustCompile("(?m)^\\| `" + s.name + "` .*[^| ] \\|$").MatchString(want) {
			t.Errorf("%s has no meaning", s.name)
		}
	}
}
