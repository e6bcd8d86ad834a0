package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// line finds what config check says of a setting.
func line(t *testing.T, r result, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` +(.*?) +\((.*)\)$`).FindStringSubmatch(r.out)
	if m == nil {
		t.Fatalf("nothing is said of %s in:\n%s%s", name, r.out, r.errors)
	}
	return m[1] + " from " + m[2]
}

func TestConfigCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	r := command(t, nil, "", "config", "check")
	r.ended(t, 0, "Nothing is missing or weak.")
	for _, s := range settings {
		if s.def != "" {
			if got, want := line(t, r, s.name), s.def+" from default"; got != want {
				t.Errorf("%s is %q, want %q", s.name, got, want)
			}
		}
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("looking at the settings made %v, %v", entries, err)
	}
}

// A flag wins over the environment, and that over the file .env.
func TestConfig_order(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("secret", testSecret+"\n")
	write(".env", "# comment\nLOG_LEVEL=debug\nexport MAIL_FROM='Ana <ana@example.com>'\nREGISTRATION=closed\nSECRET_KEY_FILE="+secret+"\n")
	for _, tt := range []struct {
		env, args  []string
		name, want string
	}{
		{nil, nil, "LOG_LEVEL", "debug from .env"},
		{nil, nil, "MAIL_FROM", "Ana <ana@example.com> from .env"},
		{[]string{"LOG_LEVEL=warn"}, nil, "LOG_LEVEL", "warn from environment"},
		{[]string{"LOG_LEVEL="}, nil, "LOG_LEVEL", "debug from .env"},
		{[]string{"LOG_LEVEL=warn"}, []string{"--log-level", "error"}, "LOG_LEVEL", "error from flag --log-level"},
		{nil, []string{"--registration=verified"}, "REGISTRATION", "verified from flag --registration"},
		{nil, nil, "SECRET_KEY", "******** from .env, file " + secret},
		{[]string{"SECRET_KEY_FILE=" + secret}, nil, "SECRET_KEY", "******** from environment, file " + secret},
		{[]string{"DATABASE_URL_FILE=" + write("url", "postgres://a:hunter22@db/x?sslmode=verify-full\n")}, nil, "DATABASE_URL", "postgres://a:xxxxx@db/x?sslmode=verify-full from environment, file " + filepath.Join(dir, "url")},
	} {
		r := command(t, tt.env, "", append([]string{"config", "check"}, tt.args...)...)
		r.ended(t, 0)
		if got := line(t, r, tt.name); got != tt.want {
			t.Errorf("with %v and %v: %s is %q, want %q", tt.env, tt.args, tt.name, got, tt.want)
		}
	}
	command(t, []string{"SECRET_KEY=" + testSecret, "SECRET_KEY_FILE=" + secret}, "", "config", "check").ended(t, 2, "SECRET_KEY or SECRET_KEY_FILE, not both")
	command(t, []string{"SECRET_KEY_FILE=" + dir + "/none"}, "", "serve").ended(t, 2, "SECRET_KEY_FILE cannot be read")
	write(".env", "SECRET_KEY hunter22\n")
	r := command(t, nil, "", "serve")
	r.ended(t, 2, "the file .env cannot be read")
	if strings.Contains(r.errors, "hunter22") {
		t.Errorf("a line of .env is printed: %s", r.errors)
	}
}

// What is weak or wrong is named, and secrets never are (promise P5).
func TestConfigCheck_P5(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct{ env, verdict string }{
		{"THROTTLE=off", "weak:   THROTTLE"},
		{"METRICS_ADDR=0.0.0.0:9090", "weak:   METRICS_ADDR"},
		{"PUBLIC_URL=http://api.example.com", "weak:   PUBLIC_URL is not https"},
		{"ACCESS_TOKEN_TTL=48h", "weak:   ACCESS_TOKEN_TTL"},
		{"REFRESH_TOKEN_TTL=1000h", "weak:   REFRESH_TOKEN_TTL"},
		{"ADDR=0.0.0.0:8000", "wrong:  PUBLIC_URL is required"},
		{"ADDR=8000", "wrong:  ADDR"},
		{"PUBLIC_URL=api.example.com", "wrong:  PUBLIC_URL"},
		{"PUBLIC_URL=https://example.com/app", "wrong:  PUBLIC_URL"},
		{"DATABASE_URL=mysql://a:hunter22@db/x", "wrong:  DATABASE_URL"},
		{"SECRET_KEY=hunter22", "wrong:  SECRET_KEY"},
		{"ACCESS_TOKEN_TTL=1s", "wrong:  ACCESS_TOKEN_TTL"},
		{"REFRESH_TOKEN_TTL=soon", "wrong:  REFRESH_TOKEN_TTL"},
		{"DRAIN_DELAY=2h", "wrong:  DRAIN_DELAY"},
		{"CORS_ALLOWED_ORIGINS=*", "wrong:  CORS_ALLOWED_ORIGINS"},
		{"CORS_ALLOWED_ORIGINS=https://app.example.com/", "wrong:  CORS_ALLOWED_ORIGINS"},
		{"TRUSTED_PROXIES=somewhere", "wrong:  TRUSTED_PROXIES"},
		{"REGISTRATION=maybe", "wrong:  REGISTRATION"},
		{"THROTTLE=maybe", "wrong:  THROTTLE"},
		{"METRICS_ADDR=somewhere", "wrong:  METRICS_ADDR"},
		{"LOG_LEVEL=loud", "wrong:  LOG_LEVEL"},
		{"LOG_FORMAT=xml", "wrong:  LOG_FORMAT"},
	} {
		t.Run(tt.env, func(t *testing.T) {
			r := command(t, []string{tt.env}, "", "config", "check")
			if r.code != 1 || !strings.Contains(r.out, "\n"+tt.verdict) || strings.Contains(r.out+r.errors, "hunter22") {
				t.Errorf("exit code %d, want 1 and %q:\n%s%s", r.code, tt.verdict, r.out, r.errors)
			}
			if name, _, _ := strings.Cut(tt.env, "="); strings.HasPrefix(tt.verdict, "wrong") {
				r := command(t, []string{tt.env}, "", "serve")
				r.ended(t, 2)
				if !strings.Contains(r.errors, name) || strings.Contains(r.errors, "hunter22") {
					t.Errorf("serve says %s", r.errors)
				}
			}
		})
	}
	t.Run("database without a check of its server", func(t *testing.T) { // promise P8
		env := []string{"SECRET_KEY=" + testSecret, "DATABASE_URL=postgres://ana:hunter22@db.example.com/x", "SMTP_URL=smtp://ana:hunter22@mail.example.com:587"}
		r := command(t, env, "", "config", "check")
		if r.code != 1 || !strings.Contains(r.out, "weak:   DATABASE_URL should say sslmode=verify-full") {
			t.Errorf("exit code %d:\n%s", r.code, r.out)
		}
		for _, word := range []string{"hunter22", testSecret} {
			if strings.Contains(r.out+r.errors, word) {
				t.Errorf("%q is printed:\n%s", word, r.out)
			}
		}
	})
	t.Run("all wrong at once", func(t *testing.T) {
		r := command(t, []string{"LOG_LEVEL=loud", "THROTTLE=maybe"}, "", "serve")
		r.ended(t, 2, "LOG_LEVEL", "THROTTLE")
	})
}

// .env.example names every setting, in the order of the table, with its default.
func TestEnvExample(t *testing.T) {
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	row := regexp.MustCompile(`^#([A-Z][A-Z0-9_]*)=(.*)$`)
	comment := false // whether a comment stands right above
	for i, l := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		m := row.FindStringSubmatch(l)
		switch {
		case m == nil && l != "" && !strings.HasPrefix(l, "# "):
			t.Errorf("line %d is neither a comment nor a setting: %s", i+1, l)
		case m != nil && !comment:
			t.Errorf("%s has no comment", m[1])
		case m != nil:
			names = append(names, m[1])
			for _, s := range settings {
				if s.name == m[1] && m[2] != s.def {
					t.Errorf("%s=%s, but the default is %q", s.name, m[2], s.def)
				}
			}
		}
		comment = strings.HasPrefix(l, "# ")
	}
	var want []string
	for _, s := range settings {
		want = append(want, s.name)
	}
	if got := strings.Join(names, " "); got != strings.Join(want, " ") {
		t.Errorf(".env.example has\n%s\nwant\n%s", got, strings.Join(want, " "))
	}
	// With every line in force it is a file that the program reads.
	t.Chdir(t.TempDir())
	live := regexp.MustCompile(`(?m)^#([A-Z])`).ReplaceAllString(string(text), "$1")
	if err := os.WriteFile(".env", []byte(live), 0o600); err != nil {
		t.Fatal(err)
	}
	r := command(t, nil, "", "config", "check")
	r.ended(t, 0, "Nothing is missing or weak.")
	if got := line(t, r, "MAIL_FROM"); got != "Rideshare Copilot <no-reply@localhost> from .env" {
		t.Errorf("MAIL_FROM is %q", got)
	}
}
