package main

import (
	"fmt"
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

// The origins of app shells, international names and ports that go without saying
// are read as browsers spell them; so is the host of PUBLIC_URL.
func TestConfig_spellings(t *testing.T) {
	t.Chdir(t.TempDir())
	p := &program{environ: []string{
		"CORS_ALLOWED_ORIGINS=capacitor://localhost, ionic://localhost, tauri://localhost, https://Șoferi.example:443, http://App.example.com:80/, http://localhost:5173",
		"PUBLIC_URL=https://Mașini.example:443", "TRUSTED_PROXIES=10.0.0.0/8,::ffff:192.0.2.0/120,192.0.2.7",
	}}
	c, err := p.load()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.origins, " "), "capacitor://localhost ionic://localhost tauri://localhost https://xn--oferi-e9b.example http://app.example.com http://localhost:5173"; got != want {
		t.Errorf("the origins are %s, want %s", got, want)
	}
	if got, want := c.publicURL.String(), "https://xn--maini-g9b.example"; got != want {
		t.Errorf("the public address is %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(c.proxies), "[10.0.0.0/8 192.0.2.0/24 192.0.2.7/32]"; got != want {
		t.Errorf("the proxies are %s, want %s", got, want)
	}
}

// The secret that SQLite begins with is named as generated.
func TestConfigCheck_generatedSecret(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if got := line(t, command(t, nil, "", "config", "check"), "SECRET_KEY"); got != "- from made at the first start" {
		t.Errorf("before the first start it is %q", got)
	}
	command(t, nil, "", "migrate").ended(t, 0)
	secret, err := os.ReadFile("data/secret.key")
	if err != nil {
		t.Fatal(err)
	}
	r := command(t, nil, "", "config", "check")
	r.ended(t, 0)
	if got := line(t, r, "SECRET_KEY"); got != "******** from generated, file data/secret.key" || strings.Contains(r.out, strings.TrimSpace(string(secret))) {
		t.Errorf("after it, it is %q", got)
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
		{"ADDR=0.0.0.0:8000", "missing: PUBLIC_URL is required"},
		{"ADDR=8000", "wrong:  ADDR"},
		{"PUBLIC_URL=api.example.com", "wrong:  PUBLIC_URL"},
		{"PUBLIC_URL=https://example.com/app", "wrong:  PUBLIC_URL"},
		{"DATABASE_URL=mysql://a:hunter22@db/x", "wrong:  DATABASE_URL"},
		{"SECRET_KEY=hunter22", "missing: SECRET_KEY is shorter"},
		{"SECRET_KEY=hunter22-hunter22-hunter22-hunter22-hunter22", "missing: SECRET_KEY repeats itself"},
		{"SECRET_KEY=0123456789abcdef0123456789abcdef0123456789abcdef", "missing: SECRET_KEY repeats itself"},
		{"SECRET_KEY=hunter22-secret-hunter23-secret-hunter24", "missing: SECRET_KEY looks like an example"},
		{"SECRET_KEY=Django-insecure-hunter22-0123456789abcdefgh", "missing: SECRET_KEY looks like an example"},
		{"ACCESS_TOKEN_TTL=1s", "wrong:  ACCESS_TOKEN_TTL"},
		{"REFRESH_TOKEN_TTL=soon", "wrong:  REFRESH_TOKEN_TTL"},
		{"DRAIN_DELAY=2h", "wrong:  DRAIN_DELAY"},
		// Of settings it counts whether they can work, not whether they have a form.
		{"CORS_ALLOWED_ORIGINS=*", `wrong:  CORS_ALLOWED_ORIGINS: "*" can never match`},
		{"CORS_ALLOWED_ORIGINS=https://app.example.com,https://*.example.com", `wrong:  CORS_ALLOWED_ORIGINS: "https://*.example.com" can never match`},
		{"CORS_ALLOWED_ORIGINS=null", "wrong:  CORS_ALLOWED_ORIGINS"},
		{"CORS_ALLOWED_ORIGINS=app.example.com", "wrong:  CORS_ALLOWED_ORIGINS"},
		{"CORS_ALLOWED_ORIGINS=https://app.example.com/app", "wrong:  CORS_ALLOWED_ORIGINS"},
		{"ADDR=127.0.0.1:80000", "wrong:  ADDR"},
		{"ADDR=127.0.0.1:", "wrong:  ADDR"},
		{"METRICS_ADDR=127.0.0.1:8000", "wrong:  METRICS_ADDR and ADDR are the same"},
		{"METRICS_ADDR=127.0.0.1:metrics-port", "wrong:  METRICS_ADDR"},
		{"DATA_DIR=/dev/null", "wrong:  DATA_DIR"},
		{"PUBLIC_URL=https://0.0.0.0:8000", "wrong:  PUBLIC_URL"},
		{"PUBLIC_URL=https://api.example.com:70000", "wrong:  PUBLIC_URL"},
		{"PUBLIC_URL=https://*.example.com", "wrong:  PUBLIC_URL"},
		{"REFRESH_TOKEN_TTL=1h", "wrong:  ACCESS_TOKEN_TTL is longer than REFRESH_TOKEN_TTL"},
		{"SMTP_URL=smtp://mail.example.com:465", "wrong:  SMTP_URL: port 465"},
		{"SMTP_URL=smtps://mail.example.com:587", "wrong:  SMTP_URL: port 587"},
		{"SMTP_URL=smtp://mail.example.com", "weak:   MAIL_FROM is at localhost"},
		{"TRUSTED_PROXIES=0.0.0.0/0", "weak:   TRUSTED_PROXIES trusts every address"},
		{"TRUSTED_PROXIES=::ffff:0.0.0.0/64", "wrong:  TRUSTED_PROXIES"},
		{"S3_BUCKET=s3://photos", "wrong:  S3_BUCKET must be the name of a bucket alone"},
		{"S3_REGION=eu-central-1", "missing: S3_REGION is set, but S3_BUCKET is not"},
		{"TRUSTED_PROXIES=somewhere", "wrong:  TRUSTED_PROXIES"},
		{"REGISTRATION=maybe", "wrong:  REGISTRATION"},
		{"THROTTLE=maybe", "wrong:  THROTTLE"},
		{"METRICS_ADDR=somewhere", "wrong:  METRICS_ADDR"},
		{"LOG_LEVEL=loud", "wrong:  LOG_LEVEL"},
		{"LOG_FORMAT=xml", "wrong:  LOG_FORMAT"},
	} {
		t.Run(tt.env, func(t *testing.T) {
			r := command(t, []string{tt.env}, "", "config", "check")
			want := 1 // weak or missing; 2 is for what cannot be read or cannot work
			if strings.HasPrefix(tt.verdict, "wrong") {
				want = 2
			}
			if r.code != want || !strings.Contains(r.out, "\n"+tt.verdict) || strings.Contains(r.out+r.errors, "hunter22") {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", r.code, want, tt.verdict, r.out, r.errors)
			}
			if name, _, _ := strings.Cut(tt.env, "="); !strings.HasPrefix(tt.verdict, "weak") {
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
