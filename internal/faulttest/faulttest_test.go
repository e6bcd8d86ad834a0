package faulttest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/faulttest"
)

// TestFailover walks through what a test can do to a server: copy it, turn it
// read-only, promote the copy, and lead connections from one to the other.
func TestFailover(t *testing.T) {
	first := faulttest.NewCluster(t)
	first.Exec(t, "CREATE TABLE word (w text)", "INSERT INTO word VALUES ('kept')")
	second := first.Standby(t)
	first.Exec(t, "INSERT INTO word VALUES ('followed')")
	first.CaughtUp(t, second)

	proxy := faulttest.NewProxy(t, first.Addr())
	old, err := pgx.Connect(t.Context(), first.URL(proxy.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close(context.WithoutCancel(t.Context())) // the test is over
	first.Set(t, "default_transaction_read_only", "on")
	second.Promote(t)
	proxy.Turn(second.Addr())
	if _, err := old.Exec(t.Context(), "INSERT INTO word VALUES ('refused')"); err == nil {
		t.Error("the first server takes writes")
	}
	conn, err := pgx.Connect(t.Context(), first.URL(proxy.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) // the test is over
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM word").Scan(&n); err != nil || n != 2 {
		t.Errorf("words on the promoted server = %d, %v", n, err)
	}
	if _, err := conn.Exec(t.Context(), "INSERT INTO word VALUES ('taken')"); err != nil {
		t.Errorf("the promoted server refuses writes: %v", err)
	}

	answers := func(c *pgx.Conn, within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return c.Ping(ctx)
	}
	second.Pause(t)
	if err := answers(conn, 50*time.Millisecond); err == nil {
		t.Error("a paused server answers")
	}
	second.Resume()
	proxy.Hang(true)
	if again, err := pgx.Connect(withTimeout(t, 50*time.Millisecond), first.URL(proxy.Addr())); err == nil {
		t.Error("a proxy that hangs answers")
		_ = again.Close(t.Context())
	}
	proxy.Hang(false)
	if err := answers(old, faulttest.Patience); err != nil {
		t.Errorf("after the hang: %v", err)
	}
	proxy.Cut()
	if err := answers(old, faulttest.Patience); err == nil {
		t.Error("a connection that was cut answers")
	}
	proxy.Refuse(true)
	if _, err := pgx.Connect(t.Context(), first.URL(proxy.Addr())); err == nil {
		t.Error("a proxy that refuses connects")
	}
	second.Stop(t)
	second.Start(t)
	if err := answers(second.Connect(t), faulttest.Patience); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func withTimeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
