package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/faulttest"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// statementsOf are the statements of a migration, as goose runs them.
func statementsOf(t *testing.T, path string) (statements []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	var one strings.Builder
	whole := false
	for line := range strings.Lines(string(text)) {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "-- +goose StatementBegin":
			whole = true
			continue
		case trimmed == "-- +goose StatementEnd":
			whole = false
		case strings.HasPrefix(trimmed, "--") || trimmed == "":
			continue
		default:
			one.WriteString(line)
			if code, _, _ := strings.Cut(trimmed, " --"); !strings.HasSuffix(code, ";") {
				continue
			}
		}
		if !whole && strings.TrimSpace(one.String()) != "" {
			statements = append(statements, one.String())
			one.Reset()
		}
	}
	return statements
}

// TestMigrate_CutOff_D15 cuts each migration that is not one transaction off after
// every statement and begins it anew: the schema and the counts are the same.
func TestMigrate_CutOff_D15(t *testing.T) {
	s := storetest.Empty(t, "postgres")
	paths, err := filepath.Glob("migrations/postgres/*.sql")
	must(t, err)
	cut := 0
	for i, path := range paths {
		text, err := os.ReadFile(path)
		must(t, err)
		if !strings.Contains(string(text), "+goose NO TRANSACTION") {
			continue
		}
		before, err := version(paths[i-1])
		must(t, err)
		must(t, s.MigrateTo(t.Context(), before, nil))
		if before == 4 {
			olderPosts(t, s)
		}
		statements := statementsOf(t, path)
		conn, err := s.Writer().Conn(t.Context())
		must(t, err)
		for k := range statements {
			for _, statement := range statements[:k+1] {
				if _, err := conn.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s, begun anew after %d statements: %v in\n%s", path, k, err, statement)
				}
			}
		}
		must(t, conn.Close())
		cut++
	}
	if cut < 3 {
		t.Fatalf("only %d migrations were cut off", cut)
	}
	must(t, storetest.Migrate(t.Context(), s))
	want, err := os.ReadFile("schema/postgres.sql")
	must(t, err)
	if got := postgresText(t, s); got != string(want) {
		t.Errorf("the schema after migrations that were cut off:\n%s", got)
	}
	if n := count(t, s, `SELECT CAST(sum(posts) AS bigint) FROM post_tally`); n != 4 {
		t.Errorf("%d posts are counted, want those 4 of the active owner", n)
	}
	checkTally(t, s, "a migration that was cut off")
}

func version(path string) (n int64, err error) {
	_, err = fmt.Sscanf(filepath.Base(path), "%d_", &n)
	return n, err
}

// TestMigrate_BesideServer_D15 indexes the posts while a transaction is open that
// began before: others read and write meanwhile.
func TestMigrate_BesideServer_D15(t *testing.T) {
	s := storetest.Empty(t, "postgres")
	must(t, s.MigrateTo(t.Context(), 4, nil))
	olderPosts(t, s)
	// It holds no lock of the posts, but might look at them yet.
	open, err := s.Writer().BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	must(t, err)
	defer open.Rollback() // it was ended before
	_, err = open.ExecContext(t.Context(), `SELECT count(*) FROM account`)
	must(t, err)
	migrated := make(chan error, 1)
	go func() { migrated <- s.MigrateTo(t.Context(), 5, nil) }()
	faulttest.Eventually(t, faulttest.Patience, "an index waits for the open transaction", func() (bool, string) {
		n := count(t, s, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY car_post%' AND wait_event_type = 'Lock'`)
		return n == 1, fmt.Sprint(n)
	})
	if n := count(t, s, `SELECT count(*) FROM car_post`); n != 10 {
		t.Errorf("%d posts are read beside the migration, want 10", n)
	}
	exec(t, s, olderPost, 1, listing.StatusActive, noon)
	must(t, open.Commit())
	must(t, <-migrated)
	if n := count(t, s, `SELECT CAST(sum(posts) AS bigint) FROM post_tally`); n != 5 {
		t.Errorf("%d posts are counted, want 5", n)
	}
}

// TestMigrate_TriesAgain_D15: a step that does not get its lock lets go of its place
// in the queue, so that others are not kept waiting behind it, and tries again.
func TestMigrate_TriesAgain_D15(t *testing.T) {
	s := storetest.Empty(t, "postgres")
	must(t, s.MigrateTo(t.Context(), 4, nil))
	open, err := s.Writer().BeginTx(t.Context(), nil)
	must(t, err)
	defer open.Rollback() // it was ended before
	_, err = open.ExecContext(t.Context(), `SELECT count(*) FROM car_post`)
	must(t, err)
	migrated := make(chan error, 1)
	go func() { migrated <- s.MigrateTo(t.Context(), 5, nil) }()
	tries := map[string]bool{}
	faulttest.Eventually(t, faulttest.Patience, "the step tries twice", func() (bool, string) {
		for _, begun := range query(t, s, oneText, `SELECT CAST(query_start AS text) FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE 'ALTER TABLE car_post%' AND wait_event_type = 'Lock'`) {
			tries[begun] = true
		}
		return len(tries) > 1, fmt.Sprint(tries)
	})
	must(t, open.Commit())
	must(t, <-migrated)
}

// small are older tables that hold so little that an index is built in a moment.
var small = map[string]bool{"erased_account": true}

// TestMigrations_LockBriefly_D15 reads the migrations: none after the first keeps
// requests from an older table while it builds an index or rewrites it.
func TestMigrations_LockBriefly_D15(t *testing.T) {
	paths, err := filepath.Glob("migrations/postgres/*.sql")
	must(t, err)
	index := regexp.MustCompile(`(?i)CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?(?:IF NOT EXISTS )?\w+ ON (\w+)`)
	made := regexp.MustCompile(`(?i)CREATE TABLE (?:IF NOT EXISTS )?(\w+)`)
	long := regexp.MustCompile(`(?i)ACCESS EXCLUSIVE|ALTER COLUMN \w+ (?:SET DATA )?TYPE|ADD COLUMN[^;]*GENERATED ALWAYS`)
	for _, path := range paths[1:] {
		text, err := os.ReadFile(path)
		must(t, err)
		own := map[string]bool{}
		for _, m := range made.FindAllStringSubmatch(string(text), -1) {
			own[m[1]] = true
		}
		for _, m := range index.FindAllStringSubmatch(string(text), -1) {
			if m[1] == "" && !own[m[2]] && !small[m[2]] {
				t.Errorf("%s builds an index of %s and keeps others from writing to it: %s", path, m[2], m[0])
			}
		}
		if m := long.FindString(string(text)); m != "" {
			t.Errorf("%s keeps others from reading: %s", path, m)
		}
	}
}
