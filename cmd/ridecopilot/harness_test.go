package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/faulttest"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// asProgram makes this test binary be the program itself: a process to kill.
const asProgram = "RIDECOPILOT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what takes milliseconds.
const patience = faulttest.Patience

// testSecret is a good SECRET_KEY.
const testSecret = "0123456789-abcdefghijklmnopqrstuvwxyz"

// sqlite is the environment of a program on an empty embedded database.
func sqlite(t testing.TB) []string {
	t.Helper()
	storetest.SkipUnless(t, "sqlite")
	return environment(t)
}

// postgres is the environment of a program on an empty PostgreSQL database.
func postgres(t testing.TB) []string {
	t.Helper()
	return append(environment(t), "DATABASE_URL="+storetest.PostgresURL(t, false), "SECRET_KEY="+testSecret)
}

func environment(t testing.TB) []string {
	t.Helper()
	return []string{"ADDR=127.0.0.1:0", "METRICS_ADDR=off", "DATA_DIR=" + t.TempDir()}
}

// result is what a command has left behind.
type result struct {
	code        int
	out, errors string
}

// command runs a command to its end.
func command(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	code := run(ctx, args, strings.NewReader(stdin), &out, &errs, env)
	return result{code, out.String(), errs.String()}
}

// ended checks how a command has ended: its exit code, and words of its output
// and of its errors.
func (r result) ended(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code = %d, want %d\n%s%s", r.code, code, r.out, r.errors)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.errors, w) {
			t.Errorf("no word of %q in:\n%s%s", w, r.out, r.errors)
		}
	}
	if code != 0 && r.errors != "" {
		last := strings.TrimSpace(r.errors[strings.LastIndex(strings.TrimSpace(r.errors), "\n")+1:])
		if !strings.HasPrefix(last, "ridecopilot: ") {
			t.Errorf("the error is not a sentence of the program: %q", last)
		}
	}
}

// announced is the line of the start page, from which a test learns the address.
const announced = `start page  (http://\S+)/\n`

// serving is a running `ridecopilot serve`.
type serving struct {
	base     string
	out, err *faulttest.Output
	cancel   context.CancelFunc // what SIGTERM does
	done     chan struct{}
	code     int // once done is closed
}

// serve starts the program in this process and waits until it is ready.
func serve(t *testing.T, env []string, args ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{out: faulttest.NewOutput(), err: faulttest.NewOutput(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.code = run(ctx, append([]string{"serve"}, args...), strings.NewReader(""), s.out, s.err, env)
	}()
	t.Cleanup(func() {
		cancel()
		<-s.done
	})
	giveUp, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	defer context.AfterFunc(giveUp, cancel)()
	base, ok := s.out.Find(announced, s.done)
	if !ok {
		t.Fatalf("the server ended with %d and did not announce itself:\n%s%s", s.code, s.out, s.err)
	}
	s.base = base
	ready(t, base)
	return s
}

// startProcess runs this test binary as the program, which can be killed.
func startProcess(t *testing.T, env []string) *faulttest.Program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := faulttest.Start(t, faulttest.Command{
		Path: self, Args: []string{"serve"}, Env: append([]string{asProgram + "=1"}, env...), Announced: announced,
	})
	ready(t, p.Base)
	return p
}

// ready fails the test if the server that has announced itself does not take
// requests: it listens by then, so that the first try must be answered.
func ready(t *testing.T, base string) {
	t.Helper()
	if status, body := ask(t, http.MethodGet, base+"/readyz", "", ""); status != http.StatusOK {
		t.Fatalf("/readyz = %d %s", status, body)
	}
}

// stop ends the server as SIGTERM does, and checks its exit code.
func (s *serving) stop(t *testing.T) {
	t.Helper()
	s.cancel()
	s.ended(t, 0)
}

func (s *serving) ended(t *testing.T, code int) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatalf("the server does not end:\n%s", s.err)
	}
	if s.code != code {
		t.Fatalf("exit code = %d, want %d\n%s", s.code, code, s.err)
	}
}

// ask makes a request; headers come as name, value, name, value.
func ask(t *testing.T, method, url, token, body string, headers ...string) (int, string) {
	t.Helper()
	status, text, err := try(t.Context(), http.DefaultClient, method, url, token, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return status, text
}

func try(ctx context.Context, client *http.Client, method, url, token, body string, headers ...string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// signUp opens an account and returns an access token of it.
func signUp(t *testing.T, base, email string) string {
	t.Helper()
	const pw = "Drumul-Taberei-34"
	if status, body := ask(t, http.MethodPost, base+"/api/auth/register/", "", `{"name":"Ana Dumitrescu-Popa","email":"`+email+`","password":"`+pw+`"}`); status != http.StatusCreated {
		t.Fatalf("register = %d %s", status, body)
	}
	token, status := signIn(t, base, email, pw)
	if status != http.StatusOK {
		t.Fatalf("login = %d", status)
	}
	return token
}

func signIn(t *testing.T, base, email, pw string) (token string, status int) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": pw})
	if err != nil {
		t.Fatal(err)
	}
	status, text := ask(t, http.MethodPost, base+"/api/auth/login/", "", string(body))
	var pair struct{ Access string }
	if status == http.StatusOK {
		decode(t, text, &pair)
	}
	return pair.Access, status
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
