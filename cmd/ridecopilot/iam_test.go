package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// role stands for the endpoint from which the tasks of Amazon ECS have the
// credentials of their role.
type role struct {
	mu      sync.Mutex
	current aws.Credentials
	asked   int
}

func (r *role) set(c aws.Credentials) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = c
}

func (r *role) get() aws.Credentials {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// newRole starts the endpoint, and makes it the one source of credentials.
func newRole(t *testing.T, c aws.Credentials) *role {
	t.Helper()
	r := &role{current: c}
	const permit = "the permit of the task"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != permit {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked++
		_ = json.NewEncoder(w).Encode(map[string]any{
			"AccessKeyId": r.current.AccessKeyID, "SecretAccessKey": r.current.SecretAccessKey, "Token": r.current.SessionToken,
			"Expiration": r.current.Expires.Format(time.RFC3339),
		})
	}))
	t.Cleanup(srv.Close)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
		os.Unsetenv(name) // t.Setenv puts it back
	}
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", srv.URL+"/credentials")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", permit)
	return r
}

// rds stands for Amazon RDS before a real PostgreSQL: it lets in who brings a
// token that the role's present credentials have signed, no more than 15 minutes
// ago.
type rds struct {
	t        *testing.T
	role     *role
	real     string // the address of PostgreSQL, with the password that nobody else knows
	listener net.Listener

	mu      sync.Mutex
	open    map[net.Conn]bool
	let     map[string]int // by access key: who was let in
	refused []string
}

func newRDS(t *testing.T, r *role) *rds {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &rds{t: t, role: r, real: storetest.PostgresURL(t, false), listener: l, open: map[net.Conn]bool{}, let: map[string]int{}}
	t.Cleanup(func() { l.Close(); d.cut() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(conn)
		}
	}()
	return d
}

// url is the address with a user and no password.
func (d *rds) url() string {
	u, err := url.Parse(d.real)
	if err != nil {
		d.t.Fatal(err)
	}
	u.User, u.Host = url.User("ridecopilot"), d.listener.Addr().String()
	return u.String()
}

// cut ends all connections, as a failover does.
func (d *rds) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.open {
		conn.Close()
	}
}

func (d *rds) serve(conn net.Conn) {
	defer conn.Close()
	client := pgproto3.NewBackend(conn, conn)
	start, err := client.ReceiveStartupMessage()
	if err != nil {
		return
	}
	hello, ok := start.(*pgproto3.StartupMessage)
	if !ok {
		return
	}
	client.Send(&pgproto3.AuthenticationCleartextPassword{})
	if client.Flush() != nil || client.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	message, err := client.Receive()
	password, ok := message.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return
	}
	key, err := d.verify(password.Password, hello.Parameters["user"])
	if err != nil {
		d.mu.Lock()
		d.refused = append(d.refused, err.Error())
		d.mu.Unlock()
		client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "PAM authentication failed"})
		_ = client.Flush()
		return
	}
	behind, err := d.connect(hello.Parameters)
	if err != nil {
		d.t.Errorf("connect behind: %v", err)
		return
	}
	defer behind.Conn.Close()
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range behind.ParameterStatuses {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.BackendKeyData{ProcessID: behind.PID, SecretKey: behind.SecretKey})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: behind.TxStatus})
	if client.Flush() != nil {
		return
	}
	d.mu.Lock()
	d.open[conn] = true
	d.let[key]++
	d.mu.Unlock()
	go func() {
		_, _ = io.Copy(behind.Conn, conn)
		behind.Conn.Close()
	}()
	_, _ = io.Copy(conn, behind.Conn)
}

func (d *rds) connect(parameters map[string]string) (*pgconn.HijackedConn, error) {
	c, err := pgconn.ParseConfig(d.real)
	if err != nil {
		return nil, err
	}
	for name, value := range parameters {
		if name != "user" && name != "database" {
			c.RuntimeParams[name] = value
		}
	}
	conn, err := pgconn.ConnectConfig(context.Background(), c)
	if err != nil {
		return nil, err
	}
	return conn.Hijack()
}

// verify checks a token as RDS does, and tells which key has signed it.
func (d *rds) verify(token, user string) (string, error) {
	u, err := url.Parse("https://" + token)
	if err != nil {
		return "", err
	}
	q := u.Query()
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	c := d.role.get()
	switch {
	case err != nil:
		return "", err
	case u.Host != d.listener.Addr().String() || q.Get("Action") != "connect" || q.Get("DBUser") != user:
		return "", fmt.Errorf("it is for %s at %s", q.Get("DBUser"), u.Host)
	case q.Get("X-Amz-Expires") != "900" || time.Since(at) > 15*time.Minute:
		return "", errors.New("it is too old, or lives too long")
	case !strings.HasPrefix(q.Get("X-Amz-Credential"), c.AccessKeyID+"/") || !strings.Contains(q.Get("X-Amz-Credential"), "/us-east-1/rds-db/"):
		return "", fmt.Errorf("it was signed by %s", q.Get("X-Amz-Credential"))
	}
	want := url.URL{Scheme: "https", Host: u.Host, Path: "/", RawQuery: url.Values{"Action": {"connect"}, "DBUser": {user}, "X-Amz-Expires": {"900"}}.Encode()}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, want.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of no bytes
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), c, req, nothing, "rds-db", "us-east-1", at)
	if err != nil {
		return "", err
	}
	s, err := url.Parse(signed)
	if err != nil {
		return "", err
	}
	if _, err := hex.DecodeString(q.Get("X-Amz-Signature")); err != nil || s.Query().Get("X-Amz-Signature") != q.Get("X-Amz-Signature") {
		return "", errors.New("the signature is wrong")
	}
	return c.AccessKeyID, nil
}

// gatewayUser makes a user of the store of the tests, or removes one: that is how
// its credentials lapse.
func gatewayUser(t *testing.T, verb string, c aws.Credentials) {
	t.Helper()
	args := []string{
		"admin", "--access", os.Getenv("TEST_S3_ACCESS_KEY"), "--secret", os.Getenv("TEST_S3_SECRET_KEY"),
		"--endpoint-url", os.Getenv("TEST_S3_ENDPOINT"), verb, "--access", c.AccessKeyID,
	}
	if verb == "create-user" {
		args = append(args, "--secret", c.SecretAccessKey, "--role", "admin")
	}
	if out, err := exec.CommandContext(t.Context(), os.Getenv("TEST_S3_GATEWAY"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", verb, err, out)
	}
}

// taskRole is a server's environment in which nothing but the credentials of its
// task opens S3 and the database. They have no session token, which the store of
// the tests does not take; that permits carry one is tested in package s3.
func taskRole(t *testing.T, life time.Duration) (env []string, first aws.Credentials, r *role, db *rds) {
	t.Helper()
	bucket := s3Settings(t)
	first = aws.Credentials{AccessKeyID: "AKIA" + rand.Text(), SecretAccessKey: rand.Text(), CanExpire: true, Expires: time.Now().Add(life)}
	gatewayUser(t, "create-user", first)
	r = newRole(t, first)
	db = newRDS(t, r)
	return append(append(environment(t), bucket...), "DATABASE_URL="+db.url(), "DATABASE_IAM_AUTH=on", "SECRET_KEY="+testSecret), first, r, db
}

// uploadPhoto uploads a photo and looks at it; it returns when the permit ended.
func uploadPhoto(t *testing.T, base, token string) time.Time {
	t.Helper()
	raw := mediatest.JPEG(400, 300)
	photo, form := beginPhoto(t, base, token, raw)
	if res := buckettest.Post(t, form, raw, nil); res.StatusCode/100 != 2 {
		t.Fatalf("upload = %d", res.StatusCode)
	}
	fetch(t, completePhoto(t, photo, token))
	return form.Expires
}

// A server lives on the credentials of its task alone, for S3 and for the database,
// and no permit outlives them (promises U10 and P7).
func TestTaskRole_U10_P7(t *testing.T) {
	env, first, _, db := taskRole(t, 12*time.Minute)
	s := serve(t, env, "--migrate")
	token := signUp(t, s.base, "ana@example.com")
	if at, last := uploadPhoto(t, s.base, token), first.Expires; at.After(last) || at.After(time.Now().Add(9*time.Minute)) {
		t.Errorf("a permit lives until %v, and the credentials until %v", at, last)
	}
	db.check(t, first)
	s.stop(t)
}

// When the credentials are replaced the server goes on with the new ones, without
// a restart. Until then it gives no permit that would outlive the former
// (promises U10 and D6).
func TestTaskRoleReplaced_U10_D6(t *testing.T) {
	env, first, r, db := taskRole(t, 4*time.Minute)
	s := serve(t, env, "--migrate")
	token := signUp(t, s.base, "ana@example.com")
	if status, body := ask(t, http.MethodGet, s.base+"/health/", "", ""); status != http.StatusOK {
		t.Fatalf("with the first credentials: %d %s", status, body)
	}
	_, body := ask(t, http.MethodPost, s.base+"/api/carposts/", token, `{"make":"Dacia","model":"Logan","year":2020,"price":"1","price_period":"day"}`)
	var made struct{ ID int64 }
	decode(t, body, &made)
	status, body := ask(t, http.MethodPost, fmt.Sprintf("%s/api/carposts/%d/photos/", s.base, made.ID), token, `{"file_name":"a.jpg","content_type":"image/jpeg","size":9}`)
	if status != http.StatusServiceUnavailable {
		t.Errorf("a permit while the credentials are about to lapse = %d %s", status, body)
	}

	second := aws.Credentials{AccessKeyID: "AKIA" + rand.Text(), SecretAccessKey: rand.Text(), CanExpire: true, Expires: time.Now().Add(6 * time.Hour)}
	gatewayUser(t, "create-user", second)
	r.set(second)
	gatewayUser(t, "delete-user", first)
	db.cut()
	for deadline := time.Now().Add(patience); ; {
		status, body := ask(t, http.MethodGet, s.base+"/api/user/", token, "")
		if status == http.StatusOK {
			break
		}
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("after the change: %d %s", status, body)
		}
	}
	if at := uploadPhoto(t, s.base, token); at.Before(time.Now().Add(9 * time.Minute)) {
		t.Errorf("a permit of the new credentials lives until %v", at)
	}
	db.check(t, first, second)
	if log := s.err.String(); strings.Contains(log, "X-Amz-Signature") || strings.Contains(log, first.SecretAccessKey) || strings.Contains(log, second.SecretAccessKey) {
		t.Error("a token or a secret is in the log")
	}
	s.stop(t)
}

// check tells whether each of the credentials has opened the database, and nothing
// else was tried.
func (d *rds) check(t *testing.T, credentials ...aws.Credentials) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range credentials {
		if d.let[c.AccessKeyID] == 0 {
			t.Errorf("the credentials %s have not opened the database", c.AccessKeyID)
		}
	}
	if len(d.let) != len(credentials) || len(d.refused) > 0 {
		t.Errorf("let in: %v, refused: %v", d.let, d.refused)
	}
}

// The settings of signing in by token: what cannot be is named.
func TestConfig_DatabaseIAM(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct{ url, want string }{
		{"", "DATABASE_IAM_AUTH is on, but DATABASE_URL is not set"},
		{"postgres://u@db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=disable", "tokens need TLS"},
		{"postgres://u@db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=prefer", "tokens need TLS"},
		{"postgres://u@db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=require", "tokens need TLS"},
		{"postgres://u@db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=verify-ca", "tokens need TLS"},
		{"postgres://db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=verify-full", "there is no user"},
		{"postgres://u@db.abc.eu-central-1.rds.amazonaws.com/x", "tokens need TLS"},
		{"postgres://u@one.example.com,two.example.com/x?sslmode=verify-full", "a token is for one server"},
		{"postgres://u:pw@db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=verify-full", "which DATABASE_IAM_AUTH leaves unused"},
	} {
		env := []string{"DATABASE_IAM_AUTH=on", "SECRET_KEY=" + testSecret}
		if tt.url != "" {
			env = append(env, "DATABASE_URL="+tt.url)
		}
		want := exitUsage
		if tt.url == "" || strings.Contains(tt.want, "unused") { // it is missing, or weak
			want = exitFailed
		}
		command(t, env, "", "config", "check").ended(t, want, tt.want)
	}
	command(t, []string{"DATABASE_IAM_AUTH=on", "SECRET_KEY=" + testSecret, "DATABASE_URL=postgres://u@db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=verify-full"},
		"", "config", "check").ended(t, 0, "Nothing is missing or weak.")
}

// One role migrates, and another serves, which cannot change the schema (promise P7).
func TestServeRole_P7(t *testing.T) {
	owner := postgres(t)
	address := ""
	for _, setting := range owner {
		if u, ok := strings.CutPrefix(setting, "DATABASE_URL="); ok {
			address = u
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := "serves_" + strings.Trim(u.Path, "/")
	admin, err := pgconn.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if _, err := admin.Exec(ctx, `DROP OWNED BY `+name+`; DROP ROLE `+name).ReadAll(); err != nil {
			t.Error(err)
		}
		_ = admin.Close(ctx)
	})
	command(t, owner, "", "migrate", "--serve-role", "no such role").ended(t, 1, "A role is named in small letters")
	command(t, owner, "", "migrate", "--serve-role", u.User.Username()).ended(t, 1, "must be another than the one that migrates")
	command(t, owner, "", "migrate", "--serve-role", "pg_monitor").ended(t, 1, "A role is named in small letters")
	// What it had before is taken away, but for what nobody here can take.
	if _, err := admin.Exec(t.Context(), `CREATE ROLE `+name+` LOGIN SUPERUSER`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	command(t, owner, "", "migrate", "--serve-role", name).ended(t, 1, "must be an ordinary one")
	left := `ALTER ROLE ` + name + ` NOSUPERUSER; GRANT CREATE ON SCHEMA public TO ` + name + `; GRANT ALL ON ALL TABLES IN SCHEMA public TO ` + name
	if _, err := admin.Exec(t.Context(), left).ReadAll(); err != nil {
		t.Fatal(err)
	}
	command(t, owner, "", "migrate", "--serve-role", name).ended(t, 0, "may read and write rows, and not change the schema")
	command(t, owner, "", "migrate", "up", "--serve-role", name).ended(t, 0, "may read and write rows") // again, as before every release
	command(t, sqlite(t), "", "migrate", "--serve-role", name).ended(t, exitUsage, "SQLite has no roles")
	if _, err := admin.Exec(t.Context(), `ALTER ROLE `+name+` PASSWORD 'serves'`).ReadAll(); err != nil {
		t.Fatal(err)
	}

	u.User = url.UserPassword(name, "serves")
	env := append(environment(t), "DATABASE_URL="+u.String(), "SECRET_KEY="+testSecret)
	s := serve(t, env)
	token := signUp(t, s.base, "ana@example.com")
	raw := mediatest.JPEG(40, 30)
	photo, form := beginPhoto(t, s.base, token, raw)
	if res := buckettest.Post(t, form, raw, nil); res.StatusCode/100 != 2 {
		t.Fatalf("upload = %d", res.StatusCode)
	}
	completePhoto(t, photo, token) // which a job does
	command(t, env, "", "backup", t.TempDir()+"/copy.tar").ended(t, 0, "Backed up")
	command(t, env, "", "storage", "check").ended(t, 0, "Rows and objects agree.")
	if status, body := ask(t, http.MethodDelete, s.base+"/api/user/", token, `{"password":"Drumul-Taberei-34"}`); status != http.StatusNoContent {
		t.Errorf("erase = %d %s", status, body)
	}
	s.stop(t)

	serves, err := pgconn.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer serves.Close(t.Context())
	for _, statement := range []string{
		`CREATE TABLE mine (id bigint)`, `DROP TABLE car_post`, `ALTER TABLE account ADD COLUMN x text`, `TRUNCATE account`,
		`DELETE FROM goose_db_version`, `TRUNCATE goose_db_version`, `CREATE ROLE other`, `CREATE EXTENSION pg_trgm`,
	} {
		if _, err := serves.Exec(t.Context(), statement).ReadAll(); err == nil {
			t.Errorf("%s is allowed", statement)
		}
	}
}
