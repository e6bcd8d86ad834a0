package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/faulttest"
	"github.com/ridecopilot/ridecopilot/internal/store"
)

// resumes is how soon service is back after the database is (promise D6).
const resumes = 30 * time.Second

// TestFailover_D6 fails over to a standby while every connection to the first
// server stays open. Requests and jobs go on without a restart: mails leave, a
// deleted photo is removed, a new one is worked. The first server still answers
// reads, and yet no connection to it stays.
func TestFailover_D6(t *testing.T) {
	first := faulttest.NewCluster(t)
	standby := first.Standby(t)
	proxy := faulttest.NewProxy(t, first.Addr())
	env := append(environment(t), "DATABASE_URL="+first.URL(proxy.Addr()), "SECRET_KEY="+testSecret)
	command(t, env, "", "migrate").ended(t, 0, "up to date")
	p := startProcess(t, env)
	folder := filepath.Join(dataDir(env), "objects")
	token := signUp(t, p.Base, "ana@example.com")
	_, photo := photographed(t, p.Base, token)
	post, _, _ := strings.Cut(photo, "photos/")
	becomes(t, photo, token, `"state":"ready"`)
	pictures := objects(t, folder)
	if len(pictures) == 0 {
		t.Fatal("no picture is stored")
	}

	first.CaughtUp(t, standby)
	first.Set(t, "default_transaction_read_only", "on")
	standby.Promote(t)
	proxy.Turn(standby.Addr())
	back := time.Now()

	within := func(what string, ok func() (bool, string)) {
		t.Helper()
		faulttest.Eventually(t, resumes-time.Since(back), what, ok)
	}
	within("a post is deleted", func() (bool, string) {
		status, body := ask(t, http.MethodDelete, post, token, "")
		if status != http.StatusNoContent && status != http.StatusServiceUnavailable {
			t.Fatalf("delete = %d %s, want busy or done", status, body)
		}
		return status == http.StatusNoContent, body
	})
	mails := len(p.Err.String())
	within("somebody registers", func() (bool, string) {
		status, body := ask(t, http.MethodPost, p.Base+"/api/auth/register/", "", `{"name":"Bea","email":"bea@example.com","password":"Drumul-Taberei-35"}`)
		return status == http.StatusCreated, body
	})
	_, photo = photographed(t, p.Base, token)
	within("a mail leaves", func() (bool, string) {
		return strings.Contains(p.Err.String()[mails:], `"mail written"`), p.Err.String()
	})
	within("a new photo is worked", func() (bool, string) {
		_, body := ask(t, http.MethodGet, photo, token, "")
		return strings.Contains(body, `"state":"ready"`), body
	})
	within("the pictures of the deleted post are removed", func() (bool, string) {
		var left []string
		for _, path := range pictures {
			if _, err := os.Stat(path); err == nil {
				left = append(left, path)
			}
		}
		return len(left) == 0, fmt.Sprint(left)
	})
	old := first.Connect(t)
	within("nothing stays with the first server", func() (bool, string) {
		var n int
		err := old.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ridecopilot'`).Scan(&n)
		return err == nil && n == 0, fmt.Sprint(n, " connections, ", err)
	})
	within("health is well", func() (bool, string) {
		status, body := ask(t, http.MethodGet, p.Base+"/health/", "", "")
		return status == http.StatusOK, body
	})
	if code := p.Stop(t); code != 0 {
		t.Errorf("exit code = %d\n%s", code, p.Err)
	}
}

// TestHealth_OldestJob: jobs that nothing works fail on /health/, which tells for
// how long the oldest has been due.
func TestHealth_OldestJob(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		s := serve(t, env)
		health := func(want int, words string, known bool) {
			t.Helper()
			faulttest.Eventually(t, patience, "health", func() (bool, string) {
				status, body := ask(t, http.MethodGet, s.base+"/health/", "", "")
				var got struct {
					Oldest *int64 `json:"oldest_job_seconds"`
				}
				decode(t, body, &got)
				old := got.Oldest != nil && *got.Oldest >= 463
				return status == want && strings.Contains(body, words) && got.Oldest != nil && old == known, body
			})
		}
		health(http.StatusOK, `"jobs":"ok"`, false)
		db := opened(t, env).Writer()
		// A job of a queue that no worker looks at.
		_, err := db.ExecContext(t.Context(), `INSERT INTO river_job (kind, args, max_attempts, queue, state, scheduled_at, metadata)
			VALUES ('send_mail', '{}', 3, 'nowhere', 'available', $1, '{}')`, time.Now().UTC().Add(-463*time.Second).Format("2006-01-02 15:04:05.000"))
		if err != nil {
			t.Fatal(err)
		}
		health(http.StatusServiceUnavailable, `"jobs":"failing"`, true)
		if _, err := db.ExecContext(t.Context(), `DELETE FROM river_job WHERE queue = 'nowhere'`); err != nil {
			t.Fatal(err)
		}
		health(http.StatusOK, `"jobs":"ok"`, false)
		s.stop(t)
	})
}

// opened is the store of an environment, beside the program.
func opened(t *testing.T, env []string) *store.Store {
	t.Helper()
	o := store.Options{DataDir: dataDir(env)}
	for _, setting := range env {
		if url, ok := strings.CutPrefix(setting, "DATABASE_URL="); ok {
			o.URL = url
		}
	}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// dataDir is the data folder of an environment.
func dataDir(env []string) string {
	for _, setting := range env {
		if dir, ok := strings.CutPrefix(setting, "DATA_DIR="); ok {
			return dir
		}
	}
	return ""
}

// objects are the files of the local storage.
func objects(t *testing.T, folder string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
