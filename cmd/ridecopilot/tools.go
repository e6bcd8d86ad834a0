package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/seed"
)

func (p *program) seedCommand() *cobra.Command {
	o := seed.Options{}
	c := &cobra.Command{
		Use:   "seed",
		Short: "Fill an empty database with realistic demo data",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withSchema(cmd.Context(), func(ctx context.Context, a *app) error {
				pw := newSecret()[:16]
				hash, err := a.hasher.Hash(ctx, pw)
				if err != nil {
					return err
				}
				o.PasswordHash, o.Now, o.Progress = hash, time.Now(), p.progress()
				r, err := seed.Run(ctx, a.store, o)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.stdout, "Demo data: %d drivers, %d car posts, %d calculator entries, %d documents.\n", r.Drivers, r.Posts, r.Entries, r.Documents)
				fmt.Fprintf(p.stdout, "Sign in as %s with the password %s (every demo driver has it).\n", r.DemoEmail, pw)
				return nil
			})
		},
	}
	c.Flags().IntVar(&o.Drivers, "drivers", 20, "how many drivers")
	c.Flags().IntVar(&o.Posts, "posts", 60, "how many car posts")
	c.Flags().IntVar(&o.Entries, "entries", 400, "how many calculator entries")
	c.Flags().Uint64Var(&o.RandomSeed, "random-seed", 1, "the same seed on the same day makes the same data")
	return c
}

// progress draws a bar on a terminal, and nothing elsewhere.
func (p *program) progress() func(stage string, done, total int) {
	if f, ok := p.stderr.(*os.File); !ok || !isTerminal(f) {
		return nil
	}
	return func(stage string, done, total int) {
		const width = 30
		full := width
		if total > 0 {
			full = min(width, width*done/total)
		}
		fmt.Fprintf(p.stderr, "\r%-10s [%s%s] %d/%d", stage, strings.Repeat("#", full), strings.Repeat(".", width-full), done, total)
		if done >= total {
			fmt.Fprintln(p.stderr)
		}
	}
}

func (p *program) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Look at the settings", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usageError{errors.New("say ridecopilot config check")} },
	}
	c.AddCommand(&cobra.Command{
		Use: "check", Short: "Print every setting with its source, and what is missing or weak", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.load()
			if err != nil {
				return err
			}
			for _, s := range settings {
				value, from := c.text[s.name], c.from[s.name]
				if from == "" {
					from = "not set"
				}
				if s.name == "SECRET_KEY" && value == "" {
					value, from = c.generatedSecret()
				}
				fmt.Fprintf(p.stdout, "%-22s %-45s (%s)\n", s.name, s.shown(value), from)
			}
			c.checkBucket(cmd.Context())
			for _, w := range c.warnings {
				fmt.Fprintln(p.stdout, "weak:  ", w)
			}
			for _, what := range c.lacking {
				fmt.Fprintln(p.stdout, "missing:", what)
			}
			for _, problem := range c.problems {
				fmt.Fprintln(p.stdout, "wrong: ", problem)
			}
			switch {
			case len(c.problems) > 0:
				return usageError{errQuiet}
			case len(c.lacking)+len(c.warnings) > 0:
				return errQuiet
			}
			fmt.Fprintln(p.stdout, "Nothing is missing or weak.")
			return nil
		},
	})
	return c
}

// generatedSecret is the secret that an embedded database begins with, and where it
// comes from.
func (c *config) generatedSecret() (value, from string) {
	if c.postgres() {
		return "", "not set"
	}
	path := filepath.Join(c.dataDir, secretFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "made at the first start"
	}
	if err != nil {
		c.problem("SECRET_KEY cannot be read from %s", path)
		return "", "generated, file " + path
	}
	return strings.TrimSpace(string(text)), "generated, file " + path
}

// shown is a value as it may be printed (promise P5).
func (s setting) shown(value string) string {
	switch {
	case value == "":
		return "-"
	case s.secret:
		return "********"
	case s.isURL:
		u, err := url.Parse(value)
		if err != nil {
			return "********"
		}
		for name := range u.Query() {
			if strings.Contains(strings.ToLower(name), "password") {
				return u.Scheme + "://" + u.Host + u.Path + "?********"
			}
		}
		return u.Redacted()
	}
	return value
}

func (p *program) openapiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the description of the API (OpenAPI 3.1)", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.stdout.Write(httpapi.New(httpapi.Options{}).Description())
			return err
		},
	}
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.stdout, "ridecopilot", version())
			return err
		},
	}
}

// version is the module's version, or the revision that was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}
