package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/djangoimport/djangotest"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

const importedPassword = "Drumul-Taberei-34"

// targets are programs on an empty database that is up to date.
func targets(t *testing.T, test func(t *testing.T, env []string)) {
	t.Helper()
	for name, env := range map[string]func(testing.TB) []string{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			env := env(t)
			command(t, env, "", "migrate").ended(t, 0)
			test(t, env)
		})
	}
}

// imports runs import-django.
func imports(t *testing.T, env []string, old *djangotest.DB, args ...string) result {
	t.Helper()
	return command(t, env, "", append([]string{"import-django", "--from", old.URL}, args...)...)
}

// TestImportDjango moves a small database as an operator does: a rehearsal, the
// import, the server, and once more.
func TestImportDjango(t *testing.T) {
	targets(t, func(t *testing.T, env []string) {
		old := djangotest.New(t, storetest.PostgresURL(t, false))
		old.Fill(t, 3, 20, 30)
		old.Exec(t, `UPDATE rideauth_user SET password = $1, email = 'Ana@example.com', is_superuser = true WHERE id = 2`, djangotest.Hash(t, importedPassword))
		old.Exec(t, `UPDATE ridecars_carpost SET milleage = '=about 80k' WHERE id = 7`)
		old.Exec(t, `UPDATE ridecalc_calculatorentry SET user_id = NULL WHERE id = 30`)

		file := filepath.Join(t.TempDir(), "report.csv")
		rehearsal := imports(t, env, old, "--dry-run", "--report", file)
		rehearsal.ended(t, 0, "This was a rehearsal: nothing was stored.")
		if got := reportOf(t, file); !slices.Contains(got, "ridecars_carpost 7 milleage '=about 80k null number_lost") {
			t.Errorf("the report is\n%s", strings.Join(got, "\n"))
		}
		before, _, _ := strings.Cut(rehearsal.out, "This was")

		done := imports(t, env, old, "--report", file)
		done.ended(t, 0, "Start the server anew")
		if after, _, _ := strings.Cut(done.out, "The data of"); after != before {
			t.Errorf("the rehearsal says\n%s\nand the import\n%s", before, after)
		}
		sum := old.Text(t, `SELECT sum(app_income)::text FROM ridecalc_calculatorentry WHERE user_id IS NOT NULL`)
		all := old.Text(t, `SELECT sum(app_income)::text FROM ridecalc_calculatorentry`)
		for _, want := range []string{
			fmt.Sprintf("users %27d %12d %12d %12d\n", 3, 3, 0, 0), fmt.Sprintf("entries %25d %12d %12d %12d\n", 30, 29, 0, 1),
			fmt.Sprintf("app_income %24s %18s %18s\n", all, sum, sum), "         1 rows without an owner, left out\n",
			"         2 numbers read from what was typed", "         1 texts that are no number",
		} {
			if !strings.Contains(strings.Join(strings.Fields(done.out), " "), strings.Join(strings.Fields(want), " ")) {
				t.Errorf("no line %q in\n%s", want, done.out)
			}
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the report has the mode %v, %v, want 0600", info.Mode(), err)
		}
		imports(t, env, old).ended(t, 0, "known")

		s := serve(t, env)
		token, status := signIn(t, s.base, "ana@example.com", importedPassword)
		if status != http.StatusOK {
			t.Fatalf("sign-in with the older password = %d", status)
		}
		var list struct{ Count int }
		_, body := ask(t, http.MethodGet, s.base+"/api/carposts/", token, "")
		if decode(t, body, &list); list.Count != 20 {
			t.Errorf("%d car posts are shown, want 20:\n%s", list.Count, body)
		}
	})
}

// reportOf reads the rows of a report.
func reportOf(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join(row, " "))
	}
	return lines
}

func TestImportDjangoRefuses(t *testing.T) {
	targets(t, func(t *testing.T, env []string) {
		old := djangotest.New(t, storetest.PostgresURL(t, false))
		old.Fill(t, 1, 1, 1)
		u, err := url.Parse(old.URL)
		if err != nil {
			t.Fatal(err)
		}
		secret, _ := u.User.Password()
		u.Path = "/no_such_database"
		for name, c := range map[string]struct {
			args []string
			code int
			want string
		}{
			"no source":      {nil, 2, "--from postgres://"},
			"not an address": {[]string{"--from", "host=x password=" + secret}, 2, "--from must be a connection string"},
			"an argument":    {[]string{"--from", old.URL, "x"}, 2, "unknown command"},
			"no database":    {[]string{"--from", u.String()}, 1, "the older database cannot be reached"},
			"no report":      {[]string{"--from", old.URL, "--report", filepath.Join(t.TempDir(), "no", "folder")}, 1, "the report cannot be written"},
		} {
			r := command(t, env, "", append([]string{"import-django"}, c.args...)...)
			r.ended(t, c.code, c.want)
			if strings.Contains(r.out+r.errors, secret) {
				t.Errorf("%s: the password is told", name)
			}
		}
		command(t, env, importedPassword, "createsuperuser", "--email", "op@example.com", "--name", "Op", "--password-stdin").ended(t, 0)
		imports(t, env, old).ended(t, 1, "There is another account 1 here", "import into an empty database")
	})
}

// On SQLite no server may run meanwhile.
func TestImportDjangoBesideServer(t *testing.T) {
	env := sqlite(t)
	old := djangotest.New(t, storetest.PostgresURL(t, false))
	s := serve(t, env)
	imports(t, env, old).ended(t, 1, store.ErrLocked.Message)
	ready(t, s.base)
}

// BenchmarkImportDjango is where the figures of docs/moving-from-django.md come
// from: 10,000 users, 100,000 posts and 1,000,000 entries; a rehearsal, the import,
// and another that finds nothing to do.
func BenchmarkImportDjango(b *testing.B) {
	old := djangotest.New(b, storetest.PostgresURL(b, false))
	old.Fill(b, 10_000, 100_000, 1_000_000)
	for name, env := range map[string]func(testing.TB) []string{"sqlite": sqlite, "postgres": postgres} {
		b.Run(name, func(b *testing.B) {
			env := env(b)
			finish(b, env, "migrate")
			for _, step := range []struct {
				name string
				args []string
			}{{"rehearsal", []string{"--dry-run"}}, {"import", nil}, {"again", nil}} {
				b.Run(step.name, func(b *testing.B) {
					before := usage(b)
					for b.Loop() {
						b.Log("\n" + finish(b, env, append([]string{"import-django", "--from", old.URL}, step.args...)...))
					}
					after := usage(b)
					spent := time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
					b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s/op") // without that of the databases' servers
					b.ReportMetric(float64(after.Maxrss)/1024, "peak-MB")
				})
			}
		})
	}
}

func usage(b *testing.B) (used syscall.Rusage) {
	b.Helper()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used
}

func finish(b *testing.B, env []string, args ...string) string {
	b.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, strings.NewReader(""), &out, &errs, env); code != 0 {
		b.Fatalf("%v: exit code %d\n%s", args, code, errs.String())
	}
	return out.String()
}
