package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// journal is what clients know of their own requests.
type journal struct {
	mu           sync.Mutex
	acknowledged map[string]int64 // by key: the id that came with the 201
	open         []string         // keys whose request got no answer
}

const writers = 6

// entryOf is the body under a key; the note tells which it is.
func entryOf(key string) string {
	return `{"app_income":"100.00","commission":"25","expense_items":[{"category":"fuel","amount":"12.34"}],"note":"` + key + `"}`
}

type madeEntry struct {
	ID       int64
	Note     string
	Earnings string
	Items    []struct{ Amount string } `json:"expense_items"`
}

// write creates entries under new keys until the server is gone, and calls
// wrote after each acknowledged one.
func (j *journal) write(t *testing.T, base, token, prefix string, wrote func()) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := 0; ; n++ {
		key := prefix + "-" + strconv.Itoa(n)
		status, body, err := try(ctx, client, http.MethodPost, base+"/api/calculator/", token, entryOf(key), "Idempotency-Key", key)
		if err != nil {
			j.mu.Lock()
			j.open = append(j.open, key)
			j.mu.Unlock()
			return
		}
		if status != http.StatusCreated {
			t.Errorf("create %s = %d %s", key, status, body)
			return
		}
		var e madeEntry
		decode(t, body, &e)
		j.mu.Lock()
		j.acknowledged[key] = e.ID
		j.mu.Unlock()
		wrote()
	}
}

// entries reads all entries of the account, by their keys.
func entries(t *testing.T, base, token string) map[string][]madeEntry {
	t.Helper()
	found := map[string][]madeEntry{}
	for page := 1; ; page++ {
		status, body := ask(t, http.MethodGet, fmt.Sprintf("%s/api/calculator/?page_size=100&page=%d", base, page), token, "")
		if status != http.StatusOK {
			t.Fatalf("page %d = %d %s", page, status, body)
		}
		var list struct {
			Next    *string
			Results []madeEntry
		}
		decode(t, body, &list)
		for _, e := range list.Results {
			found[e.Note] = append(found[e.Note], e)
		}
		if list.Next == nil {
			return found
		}
	}
}

// What was acknowledged survives SIGKILL (promise D1); what was not is there
// wholly or not at all, and its repetition makes it exactly once (promise D2).
func TestCrash_D1(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		env = append(env, "LOG_LEVEL=warn")
		p := startProcess(t, env)
		token := signUp(t, p.Base, "ana@example.com")
		j := &journal{acknowledged: map[string]int64{}}
		for round := range 3 {
			// The moment: some time after a random number of answers, while the
			// other writers are in the middle of something.
			var answers atomic.Int64
			last := 20 + rand.Int64N(100)
			pause := time.Duration(rand.Int64N(int64(4 * time.Millisecond)))
			victim := p
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					j.write(t, victim.Base, token, fmt.Sprintf("round%d-writer%d", round, w), func() {
						if answers.Add(1) == last {
							time.AfterFunc(pause, victim.Kill)
						}
					})
				})
			}
			all.Wait()
			victim.Kill()
			if t.Failed() {
				t.Fatalf("%s", victim.Err)
			}
			p = startProcess(t, env)
			j.check(t, p.Base, token, round)
			if t.Failed() {
				t.Fatalf("%s", p.Err)
			}
		}
	})
}

// check compares the journal with what is there, and repeats what got no answer.
func (j *journal) check(t *testing.T, base, token string, round int) {
	t.Helper()
	found := entries(t, base, token)
	for key, id := range j.acknowledged {
		if got := found[key]; len(got) != 1 || got[0].ID != id {
			t.Errorf("round %d: the acknowledged entry %s (%d) is there as %v", round, key, id, got)
		}
	}
	survived := 0
	for _, key := range j.open {
		if n := len(found[key]); n > 1 {
			t.Errorf("round %d: %s is there %d times", round, key, n)
		} else {
			survived += n
		}
	}
	for key, got := range found {
		for _, e := range got {
			if e.Earnings != "62.66" || len(e.Items) != 1 || e.Items[0].Amount != "12.34" {
				t.Errorf("round %d: half of %s is there: %+v", round, key, e)
			}
		}
		if _, known := j.acknowledged[key]; !known && !slices.Contains(j.open, key) {
			t.Errorf("round %d: nobody made %s", round, key)
		}
	}
	t.Logf("round %d: %d acknowledged in all, %d without an answer, of which %d had been made", round, len(j.acknowledged), len(j.open), survived)
	for _, key := range j.open {
		for range 2 {
			status, body := ask(t, http.MethodPost, base+"/api/calculator/", token, entryOf(key), "Idempotency-Key", key)
			var e madeEntry
			if status != http.StatusCreated {
				t.Errorf("round %d: repeat %s = %d %s", round, key, status, body)
				continue
			}
			decode(t, body, &e)
			if before := j.acknowledged[key]; before != 0 && before != e.ID {
				t.Errorf("round %d: %s is %d now and was %d", round, key, e.ID, before)
			}
			if was := found[key]; len(was) == 1 && was[0].ID != e.ID {
				t.Errorf("round %d: %s was made as %d and again as %d", round, key, was[0].ID, e.ID)
			}
			j.acknowledged[key] = e.ID
		}
	}
	j.open = nil
	found = entries(t, base, token)
	if len(found) != len(j.acknowledged) {
		t.Errorf("round %d: %d entries are there, want %d", round, len(found), len(j.acknowledged))
	}
	for key, got := range found {
		if len(got) != 1 {
			t.Errorf("round %d: %s is there %d times", round, key, len(got))
		}
	}
}
