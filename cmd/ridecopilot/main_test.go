package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// engines runs a test of the whole program on both engines, each empty.
func engines(t *testing.T, test func(t *testing.T, env []string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("postgres", func(t *testing.T) {
		env := postgres(t)
		command(t, env, "", "migrate").ended(t, 0, "up to date")
		test(t, env)
	})
}

func TestServe(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		s := serve(t, env)
		token := signUp(t, s.base, "ana@example.com")
		status, body := ask(t, http.MethodGet, s.base+"/api/user/", token, "")
		if status != http.StatusOK || !strings.Contains(body, `"ana@example.com"`) {
			t.Errorf("user = %d %s", status, body)
		}
		if status, body = ask(t, http.MethodGet, s.base+"/health/", "", ""); status != http.StatusOK || strings.Contains(body, "failing") {
			t.Errorf("health = %d %s", status, body)
		}
		s.stop(t)

		// What was answered is there after a start of its own, and the secret
		// is the same: nobody has to sign in again (promises D1, T19).
		s = serve(t, env)
		if status, body = ask(t, http.MethodGet, s.base+"/api/user/", token, ""); status != http.StatusOK {
			t.Errorf("user after a restart = %d %s", status, body)
		}
		s.stop(t)
		for _, word := range []string{"ana@example.com", token, "Drumul"} { // promise P4
			if strings.Contains(s.err.String(), word) {
				t.Errorf("the log holds %q", word)
			}
		}
	})
}

// A data folder has one server (promise D3); short commands run beside it.
func TestServe_D3_oneServer(t *testing.T) {
	env := sqlite(t)
	s := serve(t, env)
	for _, args := range [][]string{{"serve"}, {"migrate"}} {
		command(t, env, "", args...).ended(t, 1, "Another ridecopilot uses this data folder. Stop it first.")
	}
	command(t, env, "Drumul-Taberei-34\n", "createsuperuser", "--email", "boss@example.com", "--name", "Boss", "--password-stdin").ended(t, 0)
	if _, status := signIn(t, s.base, "boss@example.com", "Drumul-Taberei-34"); status != http.StatusOK {
		t.Errorf("login = %d", status)
	}
	s.stop(t)
	serve(t, env).stop(t)
}

func TestServe_addressTaken(t *testing.T) {
	env := sqlite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	command(t, env, "", "serve", "--addr", l.Addr().String()).ended(t, 1, "ADDR "+l.Addr().String()+" cannot be listened on")
	command(t, env, "", "serve", "--metrics-addr", l.Addr().String()).ended(t, 1, "METRICS_ADDR")
}

func TestServe_metrics(t *testing.T) {
	s := serve(t, sqlite(t), "--metrics-addr", "127.0.0.1:0")
	url, ok := s.out.Find(`metrics     (http://\S+)\n`, s.done)
	if !ok {
		t.Fatalf("no address of metrics in %s", s.out)
	}
	status, body := ask(t, http.MethodGet, url, "", "")
	for _, name := range []string{"http_requests_total", "password_hashes_waiting", "database_connections_in_use", "go_goroutines"} {
		if status != http.StatusOK || !strings.Contains(body, name) {
			t.Errorf("metrics = %d without %s", status, name)
		}
	}
	if status, _ := ask(t, http.MethodGet, s.base+"/metrics", "", ""); status != http.StatusNotFound { // promise P2
		t.Errorf("metrics on the public listener = %d", status)
	}
}

// A request that the server has begun to read when it is told to stop gets its
// answer (promise O7).
func TestServe_O7(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		s := serve(t, env)
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const body = `{"name":"Ana","email":"ana@example.com","password":"Drumul-Taberei-34"}`
		fmt.Fprintf(conn, "POST /api/auth/register/ HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
			strings.TrimPrefix(s.base, "http://"), len(body))
		in := bufio.NewReader(conn)
		// The server says this when the handler begins to read the body.
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("%q, %v", line, err)
		}
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		s.cancel()
		if _, ok := s.err.Find(`"draining"`, s.done); !ok {
			t.Fatalf("the server did not drain:\n%s", s.err)
		}
		fmt.Fprint(conn, body)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusCreated {
			t.Errorf("answer = %d %s", res.StatusCode, text)
		}
		s.ended(t, 0)
	})
}

func TestMigrate(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		env := sqlite(t)
		command(t, env, "", "migrate", "status").ended(t, 0, "pending  0001_initial.sql")
		command(t, env, "", "migrate").ended(t, 0, "applied 0001_initial.sql", "up to date")
		command(t, env, "", "migrate", "up").ended(t, 0, "up to date")
		command(t, env, "", "migrate", "status").ended(t, 0, "applied  0001_initial.sql")
		command(t, env, "", "migrate", "sideways").ended(t, 2, "sideways")
	})
	t.Run("postgres", func(t *testing.T) {
		env := postgres(t)
		// Nobody migrates a database that others use without being told to.
		command(t, env, "", "serve").ended(t, 1, "migrations behind", "ridecopilot migrate")
		command(t, env, "", "createsuperuser", "--email", "a@example.com", "--name", "A", "--password-stdin").ended(t, 1, "ridecopilot migrate")
		command(t, env, "", "migrate", "status").ended(t, 0, "pending  0001_initial.sql")
		command(t, env, "", "migrate").ended(t, 0, "applied 0001_initial.sql")
		command(t, env, "", "migrate", "status").ended(t, 0, "applied  0001_initial.sql")
		serve(t, env).stop(t)
	})
	t.Run("postgres serve --migrate", func(t *testing.T) {
		env := postgres(t)
		s := serve(t, env, "--migrate")
		signUp(t, s.base, "ana@example.com")
		s.stop(t)
	})
}

// However many migrate at once, every step is taken once (promise D15).
func TestMigrate_D15_atOnce(t *testing.T) {
	env := postgres(t)
	results := make([]result, 4)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = command(t, env, "", "migrate") })
	}
	all.Wait()
	applied := 0
	for _, r := range results {
		r.ended(t, 0, "up to date")
		applied += strings.Count(r.out, "applied 0001_initial.sql")
	}
	if applied != 1 {
		t.Errorf("the first step was applied %d times, want once", applied)
	}
	serve(t, env).stop(t)
}

func TestCreateSuperuser(t *testing.T) {
	const good = "Drumul-Taberei-34"
	engines(t, func(t *testing.T, env []string) {
		flags := func(email string, more ...string) []string {
			return append([]string{"createsuperuser", "--email", email, "--name", "Ion Boss"}, more...)
		}
		command(t, env, good+"\n", flags("one@example.com", "--password-stdin")...).ended(t, 0, "Superuser one@example.com was created.")
		command(t, append(env, "SUPERUSER_PASSWORD="+good), "", flags("two@example.com")...).ended(t, 0, "two@example.com")
		command(t, append(env, "SUPERUSER_PASSWORD="+good), "three@example.com\nTrei\n", "createsuperuser").ended(t, 0, "three@example.com")

		for _, tt := range []struct {
			name, email, pw string
			code            int
			words           []string
		}{
			{"taken", "ONE@example.com", good, 1, []string{"email: user with this email already exists."}},
			{"weak in two ways", "four@example.com", "1234567", 1, []string{"password: This password is too short", "too common", "entirely numeric"}},
			{"no address", "nobody", good, 1, []string{"email: Enter a valid email address."}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				r := command(t, env, tt.pw, flags(tt.email, "--password-stdin")...)
				r.ended(t, tt.code, tt.words...)
				if strings.Contains(r.out+r.errors, tt.pw) {
					t.Errorf("the password is printed: %s%s", r.out, r.errors)
				}
			})
		}
		command(t, env, "", flags("five@example.com")...).ended(t, 2, "--password-stdin or SUPERUSER_PASSWORD")
		command(t, env, "", "createsuperuser").ended(t, 2, "nobody to ask")

		s := serve(t, env)
		for _, email := range []string{"one@example.com", "two@example.com", "three@example.com"} {
			token, status := signIn(t, s.base, email, good)
			if status != http.StatusOK {
				t.Errorf("login of %s = %d", email, status)
				continue
			}
			if _, body := ask(t, http.MethodGet, s.base+"/api/user/", token, ""); !strings.Contains(body, `"is_staff":true`) || !strings.Contains(body, `"email_verified":true`) {
				t.Errorf("%s = %s", email, body)
			}
		}
	})
}

func TestChangePassword(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		s := serve(t, env)
		token := signUp(t, s.base, "ana@example.com")
		change := func(pw, email string) result {
			return command(t, env, pw, "changepassword", "--password-stdin", email)
		}
		change("Alt-Cuvant-Lung-7\n", "Ana@Example.com").ended(t, 0, "The password was changed.")
		if status, _ := ask(t, http.MethodGet, s.base+"/api/user/", token, ""); status != http.StatusUnauthorized {
			t.Errorf("the old session = %d, want 401 (promise T15)", status)
		}
		if _, status := signIn(t, s.base, "ana@example.com", "Drumul-Taberei-34"); status != http.StatusUnauthorized {
			t.Errorf("login with the old password = %d", status)
		}
		if _, status := signIn(t, s.base, "ana@example.com", "Alt-Cuvant-Lung-7"); status != http.StatusOK {
			t.Errorf("login with the new password = %d", status)
		}
		change("password1", "ana@example.com").ended(t, 1, "too common")
		change("Alt-Cuvant-Lung-7", "nobody@example.com").ended(t, 1, "There is no such account.")
		command(t, env, "", "changepassword").ended(t, 2)
	})
}

func TestSeed(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		args := []string{"seed", "--drivers", "3", "--posts", "5", "--entries", "10"}
		r := command(t, env, "", args...)
		r.ended(t, 0, "Demo data: 3 drivers, 5 car posts, 10 calculator entries")
		_, line, _ := strings.Cut(r.out, "\n")
		var email, pw string
		if _, err := fmt.Sscanf(line, "Sign in as %s with the password %s", &email, &pw); err != nil {
			t.Fatalf("%v in %s", err, r.out)
		}
		command(t, env, "", args...).ended(t, 1, "seeded already", "seed an empty database")
		s := serve(t, env)
		if _, status := signIn(t, s.base, email, pw); status != http.StatusOK {
			t.Errorf("login as %s = %d", email, status)
		}
		command(t, env, "", "seed", "--drivers", "many").ended(t, 2, "--drivers")
	})
}

func TestOpenAPI(t *testing.T) {
	r := command(t, nil, "", "openapi")
	r.ended(t, 0)
	var d struct {
		OpenAPI string
		Paths   map[string]any
	}
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") || d.Paths["/api/carposts/"] == nil {
		t.Errorf("openapi %q with %d paths", d.OpenAPI, len(d.Paths))
	}
}

func TestHealthcheck(t *testing.T) {
	env := sqlite(t)
	s := serve(t, env)
	addr := strings.TrimPrefix(s.base, "http://")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	command(t, env, "", "healthcheck", "--addr", addr).ended(t, 0, "ready")
	// A container's ADDR names no host to ask.
	command(t, env, "", "healthcheck", "--addr", ":"+port).ended(t, 0, "ready")
	command(t, env, "", "healthcheck", "--addr", "0.0.0.0:"+port).ended(t, 0, "ready")
	s.stop(t)
	command(t, env, "", "healthcheck", "--addr", addr).ended(t, 1, "does not answer")
	command(t, env, "", "healthcheck", "--addr", "nonsense").ended(t, 2, "ADDR")
}

func TestUsage(t *testing.T) {
	command(t, nil, "", "version").ended(t, 0, "ridecopilot ")
	command(t, nil, "", "serve", "--help").ended(t, 0, "--migrate", "--data-dir")
	for _, args := range [][]string{
		{}, {"--nonsense"}, {"serve", "--nonsense"}, {"serve", "now"}, {"version", "please"}, {"config"}, {"migrate", "down"}, {"changepassword", "a", "b"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) { command(t, nil, "", args...).ended(t, 2) })
	}
}

// A database that cannot be had is no reason to show its password.
func TestDatabase_P4(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close() // nobody listens there now
	for _, url := range []string{"postgres://ana:hunter22@" + addr + "/x?sslmode=disable", "postgres://ana:hunter22%zz@" + addr + "/x"} {
		env := append(environment(t), "SECRET_KEY="+testSecret, "DATABASE_URL="+url)
		for _, args := range [][]string{{"serve"}, {"migrate"}, {"seed"}} {
			r := command(t, env, "", args...)
			if r.code == 0 || strings.Contains(r.out+r.errors, "hunter22") || !strings.Contains(r.errors, "ridecopilot: ") {
				t.Errorf("%v = %d %s%s", args, r.code, r.out, r.errors)
			}
		}
	}
}

// The embedded database makes a secret of its own, for its owner's eyes only,
// and keeps it (promise T19).
func TestSecret_T19_made(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	env := append(sqlite(t), "DATA_DIR="+dir)
	read := func() string {
		t.Helper()
		path := filepath.Join(dir, "secret.key")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("the secret's file is %v, want 0600", info.Mode())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	s := serve(t, env)
	first := read()
	if len(strings.TrimSpace(first)) < 32 {
		t.Errorf("the secret has %d bytes", len(first))
	}
	if strings.Contains(s.err.String()+s.out.String(), strings.TrimSpace(first)) {
		t.Error("the secret was printed")
	}
	s.stop(t)
	serve(t, env).stop(t)
	if read() != first {
		t.Error("the secret is another one after a restart")
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder is %v, %v, want 0700", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.key"), []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := command(t, env, "", "serve")
	r.ended(t, 2, "secret.key")
	if left, err := filepath.Glob(filepath.Join(dir, ".secret-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A new secret signs nobody out while the one before is named (promise T19).
func TestSecret_T19_rotation(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		const second = "another-0123456789-ABCDEFGHIJKLMNOPQ"
		env = append(env, "SECRET_KEY="+testSecret)
		s := serve(t, env)
		token := signUp(t, s.base, "ana@example.com")
		s.stop(t)
		s = serve(t, append(env, "SECRET_KEY="+second, "SECRET_KEY_PREVIOUS="+testSecret))
		if status, _ := ask(t, http.MethodGet, s.base+"/api/user/", token, ""); status != http.StatusOK {
			t.Errorf("the old token while both secrets count = %d", status)
		}
		s.stop(t)
		s = serve(t, append(env, "SECRET_KEY="+second))
		if status, _ := ask(t, http.MethodGet, s.base+"/api/user/", token, ""); status != http.StatusUnauthorized {
			t.Errorf("the old token under the new secret alone = %d", status)
		}
	})
}

// The secret that was made at the first start is changed as docs/operations.md
// says.
func TestSecret_T19_madeAndChanged(t *testing.T) {
	dir := t.TempDir()
	env := append(sqlite(t), "DATA_DIR="+dir)
	s := serve(t, env)
	token := signUp(t, s.base, "ana@example.com")
	s.stop(t)
	s = serve(t, append(env, "SECRET_KEY="+testSecret, "SECRET_KEY_PREVIOUS_FILE="+filepath.Join(dir, "secret.key")))
	if status, _ := ask(t, http.MethodGet, s.base+"/api/user/", token, ""); status != http.StatusOK {
		t.Errorf("the old token = %d", status)
	}
}

func TestSecret_T19_refused(t *testing.T) {
	const url = "postgres://ana@127.0.0.1:1/x"
	for _, tt := range []struct {
		name, value, word string
		more              []string
	}{
		{"sample of the older server", "secret", "shorter than 32 bytes", nil},
		{"short", "q8XvTz-3", "shorter than 32 bytes", nil},
		{"long sample", "django-insecure-9d8f7g6h5j4k3l2m1n0b9v8c7x", "looks like an example", nil},
		{"monotonous", "abababababababababababababababababab", "too few different", nil},
		{"same as before", testSecret, "SECRET_KEY_PREVIOUS", []string{"SECRET_KEY_PREVIOUS=" + testSecret}},
		{"weak before", testSecret, "SECRET_KEY_PREVIOUS", []string{"SECRET_KEY_PREVIOUS=tiny-one"}},
		{"missing", "", "required on PostgreSQL", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := append(environment(t), "DATABASE_URL="+url, "SECRET_KEY="+tt.value)
			for _, args := range [][]string{{"serve"}, {"migrate"}, {"seed"}} {
				r := command(t, append(env, tt.more...), "", args...)
				r.ended(t, 2, "SECRET_KEY", tt.word)
				if tt.value != "" && strings.Contains(r.errors, tt.value) || strings.Contains(r.errors, "tiny-one") {
					t.Errorf("the value is printed: %s", r.errors)
				}
			}
		})
	}
	t.Run("on SQLite", func(t *testing.T) {
		storetest.SkipUnless(t, "sqlite")
		command(t, append(environment(t), "SECRET_KEY=secret"), "", "serve").ended(t, 2, "SECRET_KEY is shorter than 32 bytes")
	})
}
