package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a PostgreSQL server of the test's own, with a folder and a port that
// nothing else uses. It ends with the test.
type Cluster struct {
	bin, home, data string
	owner           *syscall.Credential // nil: the user of the test
	port            int
	server          *exec.Cmd
	done            chan struct{}
	paused          []int
}

const (
	superuser = "ridecopilot"
	password  = "kept-on-loopback" // the server listens there alone
)

// NewCluster makes and starts a server. Its programs are in the folder that
// TEST_POSTGRES_BIN names (scripts/with-postgres sets it); without it the test is
// skipped, or fails where PostgreSQL is required.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := newCluster(t)
	secret := filepath.Join(c.home, "secret")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o644); err != nil { // for the server's user, in a folder of its own
		t.Fatal(err)
	}
	c.command(t, "initdb", "--pgdata="+c.data, "--username="+superuser, "--pwfile="+secret,
		"--auth=password", "--encoding=UTF8", "--locale=C", "--no-sync")
	c.Start(t)
	return c
}

func newCluster(t testing.TB) *Cluster {
	t.Helper()
	bin := os.Getenv("TEST_POSTGRES_BIN")
	if only := os.Getenv("TEST_ENGINES"); only != "" && !strings.Contains(only, "postgres") {
		t.Skip("TEST_ENGINES leaves postgres out")
	}
	if bin == "" {
		if os.Getenv("REQUIRE_POSTGRES") != "" || os.Getenv("CI") != "" {
			t.Fatal("TEST_POSTGRES_BIN is not set: run scripts/with-postgres go test ./...")
		}
		t.Skip("TEST_POSTGRES_BIN is not set: run scripts/with-postgres go test ./...")
	}
	c := &Cluster{bin: bin}
	parent := os.TempDir()
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		parent = "/tmp" // which other users can enter
		c.owner = unprivileged(t)
	}
	home, err := os.MkdirTemp(parent, "ridecopilot-cluster.")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Log(err)
		}
	})
	c.home, c.data = home, filepath.Join(home, "data")
	if c.owner != nil {
		if err := os.Chown(home, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(c.kill)
	return c
}

// unprivileged is the user postgres, or nobody where there is none.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uerr, gerr); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// program is one of PostgreSQL's, run as the owner of the cluster.
func (c *Cluster) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...) // of this machine's PostgreSQL
	cmd.Dir = c.home
	cmd.Env = []string{"PGPASSWORD=" + password, "LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	return cmd
}

func (c *Cluster) command(t testing.TB, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if out, err := c.program(ctx, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Start starts the server after NewCluster or Stop and waits until it answers. It
// keeps its port.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	// No port can be reserved for another process: a taken one is replaced.
	for range 20 {
		port := c.port
		if port == 0 {
			port = 30000 + rand.IntN(15000) // not a secret
		}
		log, started := c.start(t, port)
		if started {
			c.port = port
			return
		}
		if c.port != 0 || !strings.Contains(log, "Address already in use") {
			t.Fatalf("the server does not start:\n%s", log)
		}
	}
	t.Fatal("no free port was found")
}

func (c *Cluster) start(t testing.TB, port int) (said string, started bool) {
	t.Helper()
	c.server = c.program(context.WithoutCancel(t.Context()), "postgres", "-D", c.data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+c.home,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=60", "-c", "shared_buffers=32MB",
		"-c", "jit=off", "-c", "timezone=UTC", "-c", "wal_level=replica", "-c", "max_wal_senders=4", "-c", "hot_standby=on")
	out := NewOutput()
	c.server.Stdout, c.server.Stderr = out, out
	if err := c.server.Start(); err != nil {
		t.Fatal(err)
	}
	done, server := make(chan struct{}), c.server
	c.done = done
	go func() {
		defer close(done)
		_ = server.Wait() // it is killed
	}()
	deadline := time.After(Patience)
	for {
		if state := c.state(); strings.HasPrefix(state, "ready") || strings.HasPrefix(state, "standby") {
			return "", true
		}
		select {
		case <-done:
			return out.String(), false
		case <-deadline:
			c.kill()
			return out.String(), false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// state is the line of the server's own file that tells how it is.
func (c *Cluster) state() string {
	text, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 8 || strings.TrimSpace(lines[0]) != strconv.Itoa(c.server.Process.Pid) {
		return ""
	}
	return lines[7]
}

// Stop ends the server and all its connections, and keeps its data.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	c.Resume()
	if err := c.server.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.done:
	case <-time.After(Patience):
		t.Fatal("the server does not stop")
	}
}

func (c *Cluster) kill() {
	if c.server == nil {
		return
	}
	c.Resume()
	_ = c.server.Process.Signal(syscall.SIGQUIT) // it may have ended
	select {
	case <-c.done:
	case <-time.After(Patience):
		_ = c.server.Process.Kill()
		<-c.done
	}
}

// Addr is the host and port of the server.
func (c *Cluster) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)) }

// URL is the address of the database postgres, by way of a host and port that
// lead to the server, such as Addr or those of a Proxy.
func (c *Cluster) URL(addr string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", superuser, password, addr)
}

// Connect returns a connection to the server itself, which ends with the test.
func (c *Cluster) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL(c.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) //nolint:usetesting // the test's context has ended
	return conn
}

// Exec runs statements on the server itself, one at a time.
func (c *Cluster) Exec(t testing.TB, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL(c.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) // the statements have ended
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// Set changes a setting of the running server, as ALTER SYSTEM and a reload do,
// and waits until new statements see it.
func (c *Cluster) Set(t testing.TB, name, value string) {
	t.Helper()
	conn := c.Connect(t)
	c.Exec(t, "ALTER SYSTEM SET "+name+" = '"+value+"'", "SELECT pg_reload_conf()")
	Eventually(t, Patience, name, func() (bool, string) {
		var is string
		err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&is)
		return err == nil && is == value, fmt.Sprint(is, err)
	})
}

// Standby makes and starts a copy of the server that follows it.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	s := newCluster(t)
	s.command(t, "pg_basebackup", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-D", s.data, "-d", c.URL(c.Addr()))
	s.Start(t)
	return s
}

// CaughtUp waits until a standby has everything that the server has.
func (c *Cluster) CaughtUp(t testing.TB, standby *Cluster) {
	t.Helper()
	var at string
	if err := c.Connect(t).QueryRow(t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&at); err != nil {
		t.Fatal(err)
	}
	conn := standby.Connect(t)
	Eventually(t, Patience, "the standby follows", func() (bool, string) {
		var there bool
		err := conn.QueryRow(t.Context(), "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", at).Scan(&there)
		return there, fmt.Sprint(err)
	})
}

// Promote makes a server of a standby, which takes writes when it returns.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	var done bool
	err := c.Connect(t).QueryRow(t.Context(), "SELECT pg_promote(true, 30)").Scan(&done)
	if err != nil || !done {
		t.Fatalf("promote = %v, %v", done, err)
	}
}

// Pause freezes the server and everything that serves its connections: they stay
// open and nothing answers.
func (c *Cluster) Pause(t testing.TB) {
	t.Helper()
	postmaster := c.server.Process.Pid
	// The postmaster first, so that it starts no more children.
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.paused = []int{postmaster}
	out, err := exec.CommandContext(t.Context(), "ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var pid, parent int
		if n, _ := fmt.Sscan(line, &pid, &parent); n == 2 && parent == postmaster && syscall.Kill(pid, syscall.SIGSTOP) == nil {
			c.paused = append(c.paused, pid)
		}
	}
}

// Resume lets a paused server go on.
func (c *Cluster) Resume() {
	for _, pid := range c.paused {
		_ = syscall.Kill(pid, syscall.SIGCONT) // a child may have ended
	}
	c.paused = nil
}
