package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/faulttest"
)

// TestLockedTable_D8 locks the car posts against sixty clients who read and write
// them: they are told to come again, and every route that is about other tables is
// answered as ever. On SQLite there is no such lock: one writer takes turns, and
// nothing keeps readers out.
func TestLockedTable_D8(t *testing.T) {
	env := postgres(t)
	command(t, env, "", "migrate").ended(t, 0, "up to date")
	s := serve(t, append(env, "LOG_LEVEL=error"))
	token := signUp(t, s.base, "ana@example.com")
	// Another account, since a new post locks the row of its owner's.
	other := signUp(t, s.base, "bea@example.com")
	const body = `{"make":"Dacia","model":"Logan","year":2020,"price":"1","price_period":"day"}`
	status, text := ask(t, http.MethodPost, s.base+"/api/carposts/", token, body)
	if status != http.StatusCreated {
		t.Fatalf("create = %d %s", status, text)
	}
	db := opened(t, env).Writer()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // it was ended before
	// The lock is held for as long as the test takes.
	for _, statement := range []string{`SET LOCAL idle_in_transaction_session_timeout = 0`, `LOCK TABLE car_post IN ACCESS EXCLUSIVE MODE`} {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer stop()
	var busy atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 60}}
	for n := range 60 {
		clients.Go(func() {
			for ctx.Err() == nil {
				method, payload := http.MethodGet, ""
				if n%3 == 0 {
					method, payload = http.MethodPost, body
				}
				status, text, err := try(ctx, client, method, s.base+"/api/carposts/", token, payload)
				switch {
				case err != nil: // the test is over
				case status == http.StatusServiceUnavailable:
					busy.Add(1)
				default:
					t.Errorf("%s of a locked table = %d %s", method, status, text)
					return
				}
			}
		})
	}
	faulttest.Eventually(t, patience, "statements wait for the lock", func() (bool, string) {
		var n int
		err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE relation = CAST('car_post' AS regclass) AND NOT granted`).Scan(&n)
		return err == nil && n >= 6, fmt.Sprint(n, err)
	})
	for round := range 20 {
		for _, route := range []string{
			"GET /api/user/", "GET /api/user/uploads/", "GET /api/calculator/", "POST /api/calculator/",
			"GET /api/documents/", "POST /api/auth/login/", "GET /readyz", "GET /health/",
		} {
			method, path, _ := strings.Cut(route, " ")
			payload := map[string]string{
				"POST /api/calculator/": entryOf("locked"), "POST /api/auth/login/": `{"email":"bea@example.com","password":"Drumul-Taberei-34"}`,
			}[route]
			if route == "POST /api/auth/login/" && round > 0 {
				continue // there is a limit
			}
			if status, text := ask(t, method, s.base+path, other, payload); status != http.StatusOK && status != http.StatusCreated {
				t.Errorf("round %d, %s beside a locked table = %d %s", round, route, status, text)
			}
		}
		if t.Failed() {
			return
		}
	}
	faulttest.Eventually(t, patience, "clients are told to come again", func() (bool, string) {
		return busy.Load() >= 60, fmt.Sprint(busy.Load())
	})
	stop()
	clients.Wait()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if status, text := ask(t, http.MethodGet, s.base+"/api/carposts/", token, ""); status != http.StatusOK {
		t.Errorf("the list after the lock = %d %s", status, text)
	}
	s.stop(t)
}
