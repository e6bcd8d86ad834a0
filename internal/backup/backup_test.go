package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/backup"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/seed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// service is the service on a store and a storage.
func service(s *store.Store, b backup.Bucket) *backup.Service {
	return backup.NewService(backup.Options{
		Store: s, Bucket: b, Newest: s.Newest(), Version: "test", Log: slog.New(slog.DiscardHandler),
		Migrate: func(ctx context.Context, to int64) error {
			return s.MigrateTo(ctx, to, func(ctx context.Context) error {
				return jobs.Migrate(ctx, jobs.DB{Postgres: s.JobPool(), SQLite: s.Writer()})
			})
		},
	})
}

func disk(t *testing.T) buckettest.Bucket {
	t.Helper()
	b, _ := buckettest.NewDisk(t)
	return b
}

func write(t *testing.T, s *backup.Service) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := s.Write(t.Context(), &b, backup.WriteOptions{})
	must(t, err)
	return b.Bytes()
}

// contents are all rows of a database, in the words of a backup, and the last
// numbers, but for what a restore sees to itself.
func contents(t *testing.T, s *store.Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	must(t, s.Snapshot(t.Context(), func(from backup.Source) error {
		for _, table := range from.Tables() {
			list := []string{}
			err := from.Rows(t.Context(), table, func(values []any) error {
				var line strings.Builder
				for i, v := range values {
					if b, ok := v.([]byte); ok {
						v = fmt.Sprintf("%x", b)
					}
					if at, ok := v.(time.Time); ok {
						v = at.Format(time.RFC3339Nano)
					}
					fmt.Fprintf(&line, "%s=%v ", table.Columns[i].Name, v)
				}
				list = append(list, line.String())
				return nil
			})
			if err != nil {
				return err
			}
			slices.Sort(list)
			all[table.Name] = append(list, fmt.Sprint("last number ", table.LastID))
		}
		return nil
	}))
	return all
}

// fill puts demo data and a row with awkward values into every kind of table.
func fill(t *testing.T, s *store.Store, b buckettest.Bucket) {
	t.Helper()
	ctx := t.Context()
	_, err := seed.Run(ctx, s, seed.Options{Drivers: 5, Posts: 30, Entries: 2500, RandomSeed: 3, PasswordHash: "x", Now: time.Now()})
	must(t, err)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO session (account_id, kind, device, address, created_at, last_used_at, idle_until, expires_at) VALUES (1, 'api', $1, '', $2, $2, $2, $2)`, []any{"ș ț 🚕 \\ \" ' \n\t<b>&", now}},
		{`INSERT INTO refresh_token (hash, session_id, created_at) VALUES ($1, (SELECT max(id) FROM session), $2)`, []any{[]byte{0, 1, 0xff, '\n'}, now}},
		{`INSERT INTO mail (kind, account_id, address, address_key, state, created_at) VALUES ('password_reset', 1, 'a@example.com', 'a@example.com', 'queued', $1)`, []any{now}},
		{`INSERT INTO erased_account (account_id, at) VALUES (900, $1)`, []any{now}},
		{`INSERT INTO purge (object_key, whole, wanted_at, due_at) VALUES ('ridecopilot/uploads/9/', TRUE, $1, $1)`, []any{now}},
		{`INSERT INTO upload (owner_id, post_id, state, legacy_key, file_name, content_type, size, created_at, updated_at) VALUES (1, 1, 'ready', 'pictures/old one.jpg', '', 'image/jpeg', 3, $1, $1)`, []any{now}},
		{`INSERT INTO history (at, source, action, object_type, object_id, changes) VALUES ($1, 'api', 'change', 'post', 1, '{"a":[1,2]}')`, []any{now.Add(-time.Hour)}},
		{`DELETE FROM report`, nil},
	} {
		_, err := s.Writer().ExecContext(ctx, statement.sql, statement.args...)
		must(t, err)
	}
	must(t, b.Put(ctx, "ridecopilot/media/1/a/large.jpg", "image/jpeg", bytes.Repeat([]byte("photo"), 5000)))
	must(t, b.Put(ctx, "ridecopilot/media/1/b/file", "application/pdf", []byte{}))
	must(t, b.Put(ctx, "pictures/old one.jpg", "image/jpeg", []byte("old")))
	must(t, b.Put(ctx, "somebody/else", "text/plain", []byte("not ours")))
}

// Every row of every table comes back as it was, on the same engine and on the
// other, and so does every object (promise P1).
func TestRestore_P1(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		from := disk(t)
		fill(t, s, from)
		want := contents(t, s)
		copied := write(t, service(s, from))
		for _, engine := range []string{"sqlite", "postgres"} {
			t.Run("to "+engine, func(t *testing.T) {
				storetest.SkipUnless(t, engine)
				other, to := storetest.Empty(t, engine), disk(t)
				r, err := service(other, to).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{})
				must(t, err)
				got := contents(t, other)
				for table, rows := range want {
					if !slices.Equal(rows, got[table]) {
						t.Errorf("%s:\n got %v\nwant %v", table, got[table], rows)
					}
				}
				if len(got) != len(want) || r.Rows["entry"] != 2500 || r.Objects != 3 {
					t.Errorf("%d tables, %d entries, %d objects", len(got), r.Rows["entry"], r.Objects)
				}
				objects := map[string]string{}
				must(t, to.List(t.Context(), "", func(o bucket.Object) error {
					body, _, err := to.Open(t.Context(), o.Key, "")
					must(t, err)
					defer body.Close()
					text, err := io.ReadAll(body)
					objects[o.Key] = string(text)
					return err
				}))
				if want := map[string]string{
					"ridecopilot/media/1/a/large.jpg": strings.Repeat("photo", 5000), "ridecopilot/media/1/b/file": "", "pictures/old one.jpg": "old",
				}; !maps.Equal(objects, want) {
					t.Errorf("objects: %v", slices.Collect(maps.Keys(objects)))
				}
				// The counts of posts are kept by triggers, here as there.
				if a, b := tally(t, s), tally(t, other); a != b || a == 0 {
					t.Errorf("%d posts are counted, want %d", b, a)
				}
				// What waits is enqueued anew: the mail, and what is to be removed.
				for _, kind := range []string{"send_mail", "purge_objects"} {
					if n := count(t, other, `SELECT count(*) FROM river_job WHERE kind = $1`, kind); n != 1 {
						t.Errorf("%d jobs %s, want 1", n, kind)
					}
				}
			})
		}
	})
}

func count(t *testing.T, s *store.Store, query string, args ...any) (n int64) {
	t.Helper()
	must(t, s.Reader().QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}

func lineage(t *testing.T, s *store.Store) string {
	t.Helper()
	id, err := s.Lineage(t.Context())
	must(t, err)
	return id
}

func tally(t *testing.T, s *store.Store) int64 {
	t.Helper()
	return count(t, s, `SELECT CAST(COALESCE(sum(posts), 0) AS bigint) FROM post_tally`)
}

// A backup of an older schema is restored into that schema, and migrated then
// (promise D15).
func TestRestore_OlderSchema(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			storetest.SkipUnless(t, engine)
			old := storetest.Empty(t, engine)
			must(t, old.MigrateTo(t.Context(), 4, nil))
			_, err := old.Writer().ExecContext(t.Context(), `INSERT INTO account (id, name, email, email_key, password_hash, created_at, updated_at)
				VALUES (7, 'Ștefan', 'S@example.com', 's@example.com', 'x', $1, $1)`, time.Now().UTC())
			must(t, err)
			copied := write(t, service(old, disk(t)))

			s := storetest.Empty(t, engine)
			_, err = service(s, disk(t)).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{})
			must(t, err)
			if n, err := s.Pending(t.Context()); n != 0 || err != nil {
				t.Errorf("%d migrations are pending, %v", n, err)
			}
			if n := count(t, s, `SELECT count(*) FROM account WHERE search = 'stefan s@example.com'`); n != 1 {
				t.Error("what the later migrations add is not there")
			}
			migrated := storetest.Empty(t, engine)
			must(t, migrated.MigrateTo(t.Context(), migrated.Newest(), nil))
			_, err = service(migrated, disk(t)).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{})
			if err == nil || !strings.Contains(err.Error(), "newer schema") {
				t.Errorf("into a newer schema: %v", err)
			}
		})
	}
}

// failing is a storage that fails with the nth call of a kind.
type failing struct {
	buckettest.Bucket
	puts, opens, lists atomic.Int64 // calls until it fails; below zero: never
}

var errStorage = errors.New("the storage is down")

func (f *failing) Put(ctx context.Context, key, contentType string, body []byte) error {
	if f.puts.Add(-1) == 0 {
		return errStorage
	}
	return f.Bucket.Put(ctx, key, contentType, body)
}

func (f *failing) List(ctx context.Context, prefix string, each func(bucket.Object) error) error {
	if f.lists.Add(-1) == 0 {
		return errStorage
	}
	return f.Bucket.List(ctx, prefix, each)
}

func (f *failing) Open(ctx context.Context, key, etag string) (io.ReadCloser, bucket.Object, error) {
	if f.opens.Add(-1) == 0 {
		return nil, bucket.Object{}, errStorage
	}
	return f.Bucket.Open(ctx, key, etag)
}

// A storage that fails fails the backup, and a restore that failed is begun again
// as if nothing had been.
func TestFaults(t *testing.T) {
	s, from := storetest.New(t), &failing{Bucket: disk(t)}
	fill(t, s, from)
	from.opens.Store(2)
	if _, err := service(s, from).Write(t.Context(), io.Discard, backup.WriteOptions{}); !errors.Is(err, errStorage) {
		t.Errorf("backup: %v", err)
	}
	copied := write(t, service(s, from))
	other, to := storetest.Empty(t, "sqlite"), &failing{Bucket: disk(t)}
	to.puts.Store(2)
	if _, err := service(other, to).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{}); !errors.Is(err, errStorage) {
		t.Errorf("restore: %v", err)
	}
	if table, _, err := other.Holds(t.Context()); table != "" || err != nil {
		t.Errorf("the failed restore has left rows in %s, %v", table, err)
	}
	if _, err := service(other, to).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{}); err != nil {
		t.Errorf("the second try: %v", err)
	}
}

// A file that would put objects elsewhere than where this server keeps them is
// refused, and so is a place that holds another object under a key of the older
// backend's: in a shared bucket both are somebody else's.
func TestRestore_Elsewhere(t *testing.T) {
	s, from := storetest.New(t), disk(t)
	fill(t, s, from)
	copied := write(t, service(s, from))
	to := disk(t)
	must(t, to.Put(t.Context(), "pictures/old one.jpg", "image/jpeg", []byte("another's")))
	other := storetest.Empty(t, "sqlite")
	if _, err := service(other, to).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "pictures/old one.jpg") {
		t.Errorf("over another object: %v", err)
	}
	_, err := s.Writer().ExecContext(t.Context(), `UPDATE upload SET legacy_key = 'ridecopilot/media/x' WHERE legacy_key IS NOT NULL`)
	must(t, err)
	moved := write(t, service(s, renaming{from}))
	if _, err := service(other, disk(t)).Restore(t.Context(), bytes.NewReader(moved), backup.RestoreOptions{}); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("an object that is not ours: %v", err)
	}
}

// renaming lists an object that is not ours among those that are.
type renaming struct{ buckettest.Bucket }

func (r renaming) List(ctx context.Context, prefix string, each func(bucket.Object) error) error {
	if err := each(bucket.Object{Key: "somebody/else", Size: 8}); err != nil {
		return err
	}
	return r.Bucket.List(ctx, prefix, each)
}

// A restore that was cut off after its rows came is finished by beginning it again,
// and until then nothing else is done there.
func TestRestore_CutOff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		from := disk(t)
		fill(t, s, from)
		copied := write(t, service(s, from))
		other, to := storetest.Empty(t, s.Engine()), &failing{Bucket: disk(t)}
		to.lists.Store(2) // the second is of the list of the erased, when the rows are there
		if _, err := service(other, to).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{}); !errors.Is(err, errStorage) {
			t.Fatalf("the first try: %v", err)
		}
		if sum, err := other.Unsettled(t.Context()); sum == "" || err != nil {
			t.Errorf("nothing says that the restore is not settled: %v", err)
		}
		_, err := service(s, from).Restore(t.Context(), bytes.NewReader(write(t, service(s, from))), backup.RestoreOptions{})
		if err == nil {
			t.Error("restored over rows")
		}
		r, err := service(other, to).Restore(t.Context(), bytes.NewReader(copied), backup.RestoreOptions{})
		must(t, err)
		if sum, err := other.Unsettled(t.Context()); sum != "" || err != nil || r.Rows["entry"] != 2500 {
			t.Errorf("the second try has not settled it: %q %v %v", sum, err, r)
		}
		if n := count(t, other, `SELECT count(*) FROM river_job WHERE kind = 'send_mail'`); n != 1 {
			t.Errorf("%d mails are enqueued, want 1", n)
		}
		if lineage(t, s) != lineage(t, other) {
			t.Error("the restored database is another one")
		}
	})
}

// vanishing lists an object that is gone when it is asked for.
type vanishing struct{ buckettest.Bucket }

func (v vanishing) List(ctx context.Context, prefix string, each func(bucket.Object) error) error {
	if err := each(bucket.Object{Key: "ridecopilot/media/1/0/large.jpg", Size: 3}); err != nil {
		return err
	}
	return v.Bucket.List(ctx, prefix, each)
}

// What is deleted while it is copied is counted, and does no harm.
func TestWrite_DeletedMeanwhile(t *testing.T) {
	s, from := storetest.New(t), disk(t)
	fill(t, s, from)
	var b bytes.Buffer
	w, err := service(s, vanishing{from}).Write(t.Context(), &b, backup.WriteOptions{})
	must(t, err)
	if w.Gone != 1 || w.Objects != 3 {
		t.Errorf("%d gone and %d objects, want 1 and 3", w.Gone, w.Objects)
	}
	r, err := service(storetest.Empty(t, "sqlite"), disk(t)).Restore(t.Context(), bytes.NewReader(b.Bytes()), backup.RestoreOptions{})
	if err != nil || r.Gone != 1 {
		t.Errorf("restored with %d gone, %v", r.Gone, err)
	}
}

// The list of the erased is written beside the objects, again and again until it
// is there, and erases again whom an older database has brought back; who was
// given the number since stays (promise D13).
func TestErasures_D13(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		b := &failing{Bucket: disk(t)}
		svc := service(s, b)
		person := func(email string, at time.Time) int64 {
			u, err := s.CreateUser(t.Context(), account.Actor{}, account.User{
				Name: "Ana", Email: email, PasswordHash: "x", Active: true, CreatedAt: at, UpdatedAt: at,
			}, account.DefaultSettings(), nil)
			must(t, err)
			return u.ID
		}
		long := time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)
		id := person("a@example.com", long)
		person("b@example.com", long)
		must(t, s.DeleteUser(t.Context(), account.System(account.SourceCommand), id, func(account.User, account.Settings) error { return nil }, nil))
		b.puts.Store(1)
		if err := svc.NoteErasures(t.Context()); !errors.Is(err, errStorage) {
			t.Errorf("noted on a storage that is down: %v", err)
		}
		must(t, svc.NoteErasures(t.Context()))
		noted := 0
		must(t, b.List(t.Context(), "ridecopilot/erased/", func(bucket.Object) error { noted++; return nil }))
		if noted != 1 {
			t.Errorf("%d are noted, want 1", noted)
		}
		b.puts.Store(1) // everything is noted: nothing is written again
		must(t, svc.NoteErasures(t.Context()))

		if n, err := svc.EraseAgain(t.Context(), false); n != 0 || err != nil {
			t.Errorf("%d erased again, %v, want none", n, err)
		}
		backAs(t, s, id, long)
		if n, err := svc.EraseAgain(t.Context(), true); n != 1 || err != nil || count(t, s, `SELECT count(*) FROM account`) != 2 {
			t.Errorf("%d would be erased again, %v, want 1 and nothing done", n, err)
		}
		// What another database has noted in the same bucket is about other people,
		// and nobody was erased in the future.
		for _, key := range []string{"ridecopilot/erased/another/2-20300101T000000.000000Z", "ridecopilot/erased/2-20200101T000000.000000Z", "ridecopilot/erased/" + lineage(t, s) + "/2-29990101T000000.000000Z"} {
			must(t, b.Bucket.Put(t.Context(), key, "text/plain", nil))
		}
		for n := range 450 { // more than are looked up at a time
			must(t, b.Bucket.Put(t.Context(), fmt.Sprintf("ridecopilot/erased/%s/%d-20200101T000000.000000Z", lineage(t, s), 100000+n), "text/plain", nil))
		}
		if n, err := svc.EraseAgain(t.Context(), false); n != 1 || err != nil {
			t.Errorf("%d erased again, %v, want 1", n, err)
		}
		backAs(t, s, id, time.Now().UTC().Add(time.Hour))
		if n, err := svc.EraseAgain(t.Context(), false); n != 0 || err != nil {
			t.Errorf("%d erased again, %v: somebody else has the number now", n, err)
		}
		if n := count(t, s, `SELECT count(*) FROM account`); n != 2 {
			t.Errorf("%d accounts, want 2", n)
		}
	})
}

// backAs opens an account under a number, as an older database would hold it.
func backAs(t *testing.T, s *store.Store, id int64, created time.Time) {
	t.Helper()
	for _, statement := range []string{
		`DELETE FROM erased_account`,
		`INSERT INTO account (id, name, password_hash, created_at, updated_at) VALUES ($1, 'Ana', 'x', $2, $2)`,
		`INSERT INTO settings (account_id, theme, language, currency, time_zone, distance_unit, email_reminders, updated_at)
			VALUES ($1, 'system', 'en', 'RON', 'UTC', 'km', TRUE, $2)`,
	} {
		args := []any{id, created}
		if !strings.Contains(statement, "$1") {
			args = nil
		}
		_, err := s.Writer().ExecContext(t.Context(), statement, args...)
		must(t, err)
	}
}

// FuzzRestore feeds a restore with files of strangers: it refuses, and stores
// nothing.
func FuzzRestore(f *testing.F) {
	add := func(files ...string) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for i := 0; i < len(files); i += 2 {
			_ = w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o600})
			_, _ = w.Write([]byte(files[i+1]))
		}
		_ = w.Close()
		f.Add(b.Bytes())
	}
	const head = `{"format":1,"schema":6,"objects":true,"tables":[{"name":"account","columns":[{"name":"id","kind":"integer"}]}]}`
	add("manifest.json", head, "summary.json", `{"rows":{"account":0},"sha256":""}`)
	add("manifest.json", head, "rows/account/000001.jsonl.gz", "\x1f\x8b", "objects/../../etc/passwd", "x")
	add("manifest.json", `{"format":2}`)
	add("manifest.json", `{"format":1,"schema":99}`)
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, file []byte) {
		s := backup.NewService(backup.Options{Newest: 6, Log: slog.New(slog.DiscardHandler)})
		if _, err := s.Restore(t.Context(), bytes.NewReader(file), backup.RestoreOptions{}); err == nil {
			t.Error("restored without a database")
		}
	})
}
