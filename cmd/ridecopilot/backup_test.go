package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/faulttest"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// unprefixed are the settings of a fresh bucket for this server alone, as local
// objects have none either.
func unprefixed(t *testing.T) []string {
	t.Helper()
	return append(s3Settings(t), "S3_PREFIX=")
}

// oneMachine is the environment of a server on SQLite and local disk.
func oneMachine(t *testing.T) []string { t.Helper(); return sqlite(t) }

// manyMachines is the environment of servers on PostgreSQL and S3.
func manyMachines(t *testing.T) []string {
	t.Helper()
	return append(postgres(t), unprefixed(t)...)
}

// fetch reads what an address shows, with its type.
func fetch(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s = %d %v %.200s", strings.Split(url, "?")[0], res.StatusCode, err, body)
	}
	return body
}

// A backup that is made while people write is restored in an empty place, of the
// same kind or of the other: whatever was acknowledged before it began is there,
// with its photos, and people sign in as before (promise P1).
func TestBackup_P1(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to func(t *testing.T) []string
	}{
		{"one machine to the same", oneMachine, oneMachine},
		{"one machine to many", oneMachine, manyMachines},
		{"many machines to one", manyMachines, oneMachine},
		{"many machines to the same", manyMachines, manyMachines},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			from := append(tt.from(t), "SECRET_KEY="+testSecret)
			s := serve(t, from, migrated(from)...)
			token := signUp(t, s.base, "ana@example.com")
			photo, form := beginPhoto(t, s.base, token, mediatest.JPEG(400, 300))
			if res := buckettest.Post(t, form, mediatest.JPEG(400, 300), nil); res.StatusCode/100 != 2 {
				t.Fatalf("upload = %d", res.StatusCode)
			}
			shown := fetch(t, completePhoto(t, photo, token))

			before := backUpUnderLoad(t, from, s.base, token, "copy.tar")
			s.stop(t)

			to := append(tt.to(t), "SECRET_KEY="+testSecret)
			command(t, to, "", "restore", "copy.tar").ended(t, 0, "Restored as of", "1 accounts")
			command(t, to, "", "storage", "check").ended(t, 0, "Rows and objects agree.")
			command(t, to, "", "restore", "copy.tar").ended(t, 1, "The database is not empty")

			s = serve(t, to)
			if again, status := signIn(t, s.base, "ana@example.com", "Drumul-Taberei-34"); status != http.StatusOK || again == "" {
				t.Errorf("sign in = %d", status)
			}
			there := entries(t, s.base, token) // which the same secret still verifies
			for key, id := range before {
				if len(there[key]) != 1 || there[key][0].ID != id {
					t.Errorf("entry %s, acknowledged as %d before the backup, is %v", key, id, there[key])
				}
			}
			_, path, _ := strings.Cut(photo, "/api/")
			_, body := ask(t, http.MethodGet, s.base+"/api/"+path, token, "")
			var got struct{ State, URL string }
			decode(t, body, &got)
			if got.State != "ready" || string(fetch(t, got.URL)) != string(shown) {
				t.Errorf("the photo is another one: %s", body)
			}
			// New things get new numbers.
			status, body := ask(t, http.MethodPost, s.base+"/api/calculator/", token, entryOf("after"))
			var made madeEntry
			decode(t, body, &made)
			for key, list := range there {
				for _, e := range list {
					if e.ID >= made.ID {
						t.Errorf("the new entry has the number %d, and %s has %d", made.ID, key, e.ID)
					}
				}
			}
			if status != http.StatusCreated {
				t.Errorf("create = %d %s", status, body)
			}
			s.stop(t)
		})
	}
}

// migrated lets a server on PostgreSQL make its schema.
func migrated(env []string) []string {
	if strings.Contains(strings.Join(env, "\n"), "DATABASE_URL=") {
		return []string{"--migrate"}
	}
	return nil
}

// backUpUnderLoad makes a backup while entries are being written, and returns
// those that were acknowledged before it began.
func backUpUnderLoad(t *testing.T, env []string, base, token, file string) map[string]int64 {
	t.Helper()
	j := &journal{acknowledged: map[string]int64{}}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	enough := make(chan struct{})
	var once sync.Once
	for w := range writers {
		writing.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := fmt.Sprintf("%d-%d", w, n)
				status, body, err := try(t.Context(), http.DefaultClient, http.MethodPost, base+"/api/calculator/", token, entryOf(key), "Idempotency-Key", key)
				if err != nil || status != http.StatusCreated {
					t.Errorf("create %s = %d %v %s", key, status, err, body)
					once.Do(func() { close(enough) })
					return
				}
				var e madeEntry
				decode(t, body, &e)
				j.mu.Lock()
				j.acknowledged[key] = e.ID
				if len(j.acknowledged) >= 20 {
					once.Do(func() { close(enough) })
				}
				j.mu.Unlock()
			}
		})
	}
	<-enough
	before := map[string]int64{}
	j.mu.Lock()
	for key, id := range j.acknowledged {
		before[key] = id
	}
	j.mu.Unlock()
	command(t, env, "", "backup", file).ended(t, 0, "Backed up")
	stop()
	writing.Wait()
	return before
}

// Accounts that were erased after a backup stay erased when it is restored: the
// storage has kept their numbers, or a newer backup has (promise D13).
func TestRestore_D13(t *testing.T) {
	t.Chdir(t.TempDir())
	erased := func(t *testing.T, env []string) {
		t.Helper()
		s := serve(t, env)
		if _, status := signIn(t, s.base, "ion@example.com", "Drumul-Taberei-34"); status != http.StatusUnauthorized {
			t.Errorf("the erased account signs in: %d", status)
		}
		if _, status := signIn(t, s.base, "ana@example.com", "Drumul-Taberei-34"); status != http.StatusOK {
			t.Errorf("the other account does not sign in: %d", status)
		}
		s.stop(t)
	}
	for engine, fresh := range map[string]func(*testing.T) []string{
		"sqlite": func(t *testing.T) []string { return sqlite(t) }, "postgres": func(t *testing.T) []string { return postgres(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			dir := t.TempDir()
			older, newer := filepath.Join(dir, "older.tar"), filepath.Join(dir, "newer.tar")
			bucket := unprefixed(t)
			env := append(append(fresh(t), bucket...), "SECRET_KEY="+testSecret)
			s := serve(t, env, migrated(env)...)
			signUp(t, s.base, "ana@example.com")
			token := signUp(t, s.base, "ion@example.com")
			command(t, env, "", "backup", older).ended(t, 0)
			if status, body := ask(t, http.MethodDelete, s.base+"/api/user/", token, `{"password":"Drumul-Taberei-34"}`); status != http.StatusNoContent {
				t.Fatalf("erase = %d %s", status, body)
			}
			if _, ok := s.err.Find(`account erased`, s.done); !ok {
				t.Fatal("no word of the erasure")
			}
			db := opened(t, env)
			faulttest.Eventually(t, patience, "the erasure is noted in the storage", func() (bool, string) {
				open, err := db.UnnotedErasures(t.Context(), 1)
				return err == nil && len(open) == 0, fmt.Sprint(open, err)
			})
			command(t, env, "", "backup", newer).ended(t, 0)
			s.stop(t)

			t.Run("the storage has the list", func(t *testing.T) {
				to := append(append(fresh(t), bucket...), "SECRET_KEY="+testSecret)
				command(t, to, "", "restore", older).ended(t, 1, "The storage is not empty", "--without-objects")
				command(t, to, "", "restore", older, "--without-objects").ended(t, 0, "1 accounts that were erased after the backup have been erased again")
				erased(t, to)
			})
			t.Run("a newer backup has it", func(t *testing.T) {
				to := append(fresh(t), "SECRET_KEY="+testSecret)
				command(t, to, "", "restore", newer, "--erased-in", older).ended(t, 1, "is older than the one to be restored")
				command(t, to, "", "restore", older, "--erased-in", newer).ended(t, 0, "1 accounts that were erased after the backup have been erased again")
				erased(t, to)
			})
			t.Run("neither has it", func(t *testing.T) {
				to := append(fresh(t), "SECRET_KEY="+testSecret)
				command(t, to, "", "restore", older).ended(t, 0, "2 accounts")
				s := serve(t, to)
				// Somebody else who is given the number of one that was erased
				// stays: see the tests of package store.
				if _, status := signIn(t, s.base, "ion@example.com", "Drumul-Taberei-34"); status != http.StatusOK {
					t.Errorf("sign in = %d", status)
				}
				s.stop(t)
			})
		})
	}
}

// Where a database came back by other means than restore, the comparison by hand
// erases again who was erased since; nothing but counting is done on trial (promise D13).
func TestStorageCheck_D13(t *testing.T) {
	env := append(sqlite(t), "SECRET_KEY="+testSecret)
	var file string
	for _, setting := range env {
		if dir, ok := strings.CutPrefix(setting, "DATA_DIR="); ok {
			file = filepath.Join(dir, "ridecopilot.db")
		}
	}
	s := serve(t, env)
	token := signUp(t, s.base, "ion@example.com")
	s.stop(t)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s = serve(t, env)
	if status, body := ask(t, http.MethodDelete, s.base+"/api/user/", token, `{"password":"Drumul-Taberei-34"}`); status != http.StatusNoContent {
		t.Fatalf("erase = %d %s", status, body)
	}
	// The list is written by the job that removes what they had stored.
	list := filepath.Join(filepath.Dir(file), "objects", "ridecopilot", "erased", "*", "1-*")
	for deadline := time.Now().Add(patience); ; {
		if found, err := filepath.Glob(list); err != nil || len(found) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the erasure is not noted beside the objects")
		}
	}
	s.stop(t)
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, env, "", "storage", "check", "--dry-run").ended(t, 0, "1 accounts that had been erased are there again, and would be erased")
	command(t, env, "", "storage", "check").ended(t, 0, "1 accounts that had been erased, and were there again, have been erased")
	command(t, env, "", "storage", "check").ended(t, 0, "Rows and objects agree.")
}

// What is no backup, or not a whole one, and places that are not empty are named,
// and nothing is changed by the attempt.
func TestRestore_Refused(t *testing.T) {
	t.Chdir(t.TempDir())
	env := append(sqlite(t), "SECRET_KEY="+testSecret)
	command(t, env, "", "backup", "none.tar").ended(t, 1, "There is nothing to back up")
	command(t, env, "", "seed", "--drivers", "3", "--posts", "5", "--entries", "10").ended(t, 0)
	command(t, env, "", "backup", "copy.tar").ended(t, 0)
	command(t, env, "", "backup", "copy.tar").ended(t, 1, "copy.tar is there already")
	command(t, env, "", "backup", filepath.Join("no", "such", "folder.tar")).ended(t, 1, "cannot be written")
	command(t, env, "", "backup").ended(t, exitUsage)
	command(t, env, "", "restore").ended(t, exitUsage)

	whole, err := os.ReadFile("copy.tar")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat("copy.tar"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a backup can be read by others: %v %v", info.Mode(), err)
	}
	write := func(name string, content []byte) string {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 1
	empty := append(sqlite(t), "SECRET_KEY="+testSecret)
	for name, want := range map[string]string{
		write("text.tar", []byte("hello")):                "This is no backup of Ridecopilot.",
		write("nothing.tar", nil):                         "This is no backup of Ridecopilot.",
		write("cut.tar", whole[:len(whole)/2]):            "The backup is not complete",
		write("endless.tar", whole[:len(whole)-1024-513]): "The backup is",
		write("flipped.tar", flipped):                     "The backup is damaged",
		"no-such.tar":                                     "the backup cannot be read",
		write("more.tar", append(whole[:len(whole)-1024:len(whole)-1024], whole...)): "The backup is damaged",
	} {
		command(t, empty, "", "restore", name).ended(t, 1, want)
	}
	command(t, empty, "", "restore", "copy.tar").ended(t, 0, "3 accounts")

	// A server holds the data folder.
	busy := append(sqlite(t), "SECRET_KEY="+testSecret)
	s := serve(t, busy)
	command(t, busy, "", "restore", "copy.tar").ended(t, 1, "Another ridecopilot uses this data folder")
	s.stop(t)
	// It has migrated the folder, which holds nothing else.
	command(t, busy, "", "restore", "copy.tar").ended(t, 0, "3 accounts")

	prefixed := append(environment(t), append(s3Settings(t), "SECRET_KEY="+testSecret)...)
	command(t, prefixed, "", "restore", "copy.tar").ended(t, 1, "S3_PREFIX")

	// To standard output, and without the photos.
	r := command(t, env, "", "backup", "-", "--without-objects")
	if r.code != 0 || len(r.out) < 1024 {
		t.Fatalf("backup - = %d, %d bytes\n%s", r.code, len(r.out), r.errors)
	}
	command(t, append(sqlite(t), "SECRET_KEY="+testSecret), "", "restore", write("piped.tar", []byte(r.out))).ended(t, 0, "3 accounts")
}
