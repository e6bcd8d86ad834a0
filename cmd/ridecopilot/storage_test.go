package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ridecopilot/ridecopilot/internal/browsertest"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// s3Settings are the settings of a fresh bucket.
func s3Settings(t *testing.T) []string {
	t.Helper()
	e := buckettest.S3Env(t)
	// AWS's own chain reads the credentials from the process's environment, as it
	// does in production.
	t.Setenv("AWS_ACCESS_KEY_ID", e.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", e.SecretKey)
	return []string{"S3_BUCKET=" + e.Bucket, "S3_ENDPOINT=" + e.Endpoint, "S3_REGION=" + e.Region, "S3_PATH_STYLE=on", "S3_PREFIX=rc/"}
}

// storages runs a test on local disk and on S3, on both engines.
func storages(t *testing.T, test func(t *testing.T, env []string, args ...string)) {
	t.Helper()
	t.Run("sqlite, disk", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("sqlite, s3", func(t *testing.T) { test(t, append(sqlite(t), s3Settings(t)...)) })
	t.Run("postgres, disk", func(t *testing.T) { test(t, postgres(t), "--migrate") })
	t.Run("postgres, s3", func(t *testing.T) { test(t, append(postgres(t), s3Settings(t)...), "--migrate") })
}

// uploadPage does in a browser what a client does: it posts a car, begins a
// photo, sends the file to wherever the permit says, completes it, waits until
// it is ready, and shows it.
const uploadPage = `<!doctype html><html lang="en"><title>upload</title><img id="shown" alt="the photo"><script>
async function call(api, token, method, path, body) {
	const res = await fetch(api + path, {method, headers: {Authorization: 'Bearer ' + token, 'Content-Type': 'application/json'}, body: body && JSON.stringify(body)})
	if (!res.ok) throw new Error(method + ' ' + path + ' = ' + res.status + ' ' + await res.text())
	return res.json()
}
async function upload(api, token, base64) {
	const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0))
	const post = await call(api, token, 'POST', '/api/carposts/', {make: 'Dacia', model: 'Logan', year: 2020, price: '100', price_period: 'day'})
	const photos = '/api/carposts/' + post.id + '/photos/'
	const begun = await call(api, token, 'POST', photos, {file_name: 'front.jpg', content_type: 'image/jpeg', size: bytes.length})
	const form = new FormData()
	for (const [name, value] of Object.entries(begun.upload.fields)) form.append(name, value)
	form.append('file', new File([bytes], 'front.jpg', {type: 'image/jpeg'}))
	const sent = await fetch(begun.upload.url, {method: begun.upload.method, body: form})
	if (!sent.ok) throw new Error('upload = ' + sent.status + ' ' + await sent.text())
	let photo = await call(api, token, 'POST', photos + begun.id + '/complete/')
	while (photo.state === 'processing') photo = await call(api, token, 'GET', photos + begun.id + '/')
	if (photo.state !== 'ready') throw new Error(photo.state + ': ' + photo.error)
	const shown = document.getElementById('shown')
	await new Promise((yes, no) => { shown.onload = yes; shown.onerror = () => no(new Error('the image does not show')); shown.src = photo.thumbnails.medium })
	return shown.naturalWidth + 'x' + shown.naturalHeight
}
</script></html>`

// pageServer serves a page of a client's, on another port than the server.
func pageServer(t *testing.T, html string) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, html)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// serveFor serves for pages of an origin, which the storage lets in as well, and
// tells which hosts such a page may ask.
func serveFor(t *testing.T, origin string, env []string, args ...string) (s *serving, hosts []string) {
	t.Helper()
	env = append(env, "CORS_ALLOWED_ORIGINS="+origin)
	hosts = []string{strings.TrimPrefix(origin, "http://")}
	for _, setting := range env {
		if endpoint, ok := strings.CutPrefix(setting, "S3_ENDPOINT=http://"); ok {
			hosts = append(hosts, endpoint)
			command(t, env, "", "storage", "setup").ended(t, 0, "now in place")
		}
	}
	s = serve(t, env, args...)
	return s, append(hosts, strings.TrimPrefix(s.base, "http://"))
}

// A page of another origin uploads a photo straight to the storage, and shows it.
func TestUpload_Browser_B3(t *testing.T) {
	page := pageServer(t, uploadPage)
	chromium := browsertest.Start(t)
	storages(t, func(t *testing.T, env []string, args ...string) {
		s, hosts := serveFor(t, page.URL, env, args...)
		token := signUp(t, s.base, "ana@example.com")
		p := browsertest.NewTab(chromium, t)
		p.Do(t, chromedp.Navigate(page.URL))
		got, err := chromedp.Run(p.Ctx, chromedp.Evaluate[string](
			fmt.Sprintf("upload(%q, %q, %q)", s.base, token, base64Of(mediatest.FromPhone(1600, 1200))),
			chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		if got != "960x1280" {
			t.Errorf("the image that shows is %s, want 960x1280: upright, and no larger than 1280", got)
		}
		p.Fine(t, hosts...)
	})
}

// The rules of a bucket: shown, put in place, and found in place; config check
// says when they are missing.
func TestStorageSetup(t *testing.T) {
	t.Chdir(t.TempDir())
	env := append(environment(t), s3Settings(t)...)
	env = append(env, "CORS_ALLOWED_ORIGINS=https://app.example.com")
	command(t, env, "", "config", "check").ended(t, 1, "storage setup puts it in place")
	command(t, env, "", "storage", "setup", "--dry-run").ended(t, 0, "missing", "https://app.example.com")
	command(t, env, "", "config", "check").ended(t, 1, "storage setup puts it in place")
	command(t, env, "", "storage", "setup").ended(t, 0, "now in place")
	r := command(t, env, "", "storage", "setup")
	r.ended(t, 0, "in place")
	if strings.Contains(r.out, "now in place") {
		t.Errorf("the second run has changed something:\n%s", r.out)
	}
	r = command(t, env, "", "config", "check")
	if strings.Contains(r.out, "storage setup") {
		t.Errorf("config check misses rules that are there:\n%s", r.out)
	}
	command(t, append(env, "S3_BUCKET=no-such-bucket"), "", "config", "check").ended(t, 1, "no-such-bucket")
	command(t, environment(t), "", "storage", "setup").ended(t, 0, "no rules")
	command(t, environment(t), "", "storage").ended(t, exitUsage)
}

// config check names what is wrong with the settings of the storage.
func TestConfig_Storage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct {
		env  string
		want string
	}{
		{"S3_PREFIX=a/", "S3_PREFIX is set, but S3_BUCKET is not"},
		{"S3_PATH_STYLE=on", "S3_PATH_STYLE is on, but S3_BUCKET is not"},
		{"S3_BUCKET=b CLOUDFRONT_DOMAIN=m.example.com CLOUDFRONT_KEY_ID=K CLOUDFRONT_PRIVATE_KEY=k", "the private key is not PEM"},
		{"S3_BUCKET=b S3_PREFIX=../a", "S3_PREFIX must be"},
		{"S3_BUCKET=b S3_ENDPOINT=s3.example.com", "S3_ENDPOINT must be"},
		{"S3_BUCKET=b S3_ENDPOINT=http://user:pass@s3.example.com", "S3_ENDPOINT must be"},
		{"S3_BUCKET=b S3_PATH_STYLE=maybe", "S3_PATH_STYLE must be on or off"},
		{"S3_BUCKET=b CLOUDFRONT_DOMAIN=media.example.com", "go together"},
		{"S3_BUCKET=b CLOUDFRONT_DOMAIN=https://m.example.com CLOUDFRONT_KEY_ID=K CLOUDFRONT_PRIVATE_KEY=k", "CLOUDFRONT_DOMAIN must be"},
	} {
		r := command(t, strings.Fields(tt.env), "", "config", "check")
		want := exitUsage
		if strings.HasSuffix(tt.want, "is not") || strings.HasSuffix(tt.want, "is not set") || strings.Contains(tt.want, "together") { // something is missing
			want = exitFailed
		}
		r.ended(t, want, tt.want)
		if strings.Contains(r.out, "pass@") {
			t.Errorf("%s: a password is printed:\n%s", tt.env, r.out)
		}
	}
}

// storage check compares by hand what is compared every night.
func TestStorageCheck_D14(t *testing.T) {
	env := sqlite(t)
	var objects string
	for _, setting := range env {
		if dir, ok := strings.CutPrefix(setting, "DATA_DIR="); ok {
			objects = filepath.Join(dir, "objects")
		}
	}
	s := serve(t, env)
	stray := filepath.Join(objects, "ridecopilot", "media", "1", "stray", "large.jpg")
	if err := os.MkdirAll(filepath.Dir(stray), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stray, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, env, "", "storage", "check").ended(t, 0, "younger than 48 hours: left alone", "agree")
	old := time.Now().Add(-49 * time.Hour)
	if err := os.Chtimes(stray, old, old); err != nil {
		t.Fatal(err)
	}
	command(t, env, "", "storage", "check", "--dry-run").ended(t, 1, "1 objects without a row, would be removed")
	command(t, env, "", "storage", "check").ended(t, 0, "1 objects without a row, removed")
	command(t, env, "", "storage", "check").ended(t, 0, "Rows and objects agree.")
	s.stop(t)
}

// A store that refuses to say whether it keeps versions removes nothing: storage
// check, /health/ and a metric say so.
func TestVersioningRefused_D12(t *testing.T) {
	env := append(sqlite(t), s3Settings(t)...)
	var faults *buckettest.Faults
	for i, setting := range env {
		if endpoint, ok := strings.CutPrefix(setting, "S3_ENDPOINT="); ok {
			faults = buckettest.NewFaults(t, endpoint)
			env[i] = "S3_ENDPOINT=" + faults.URL
		}
	}
	faults.Set(buckettest.Secretive)
	s := serve(t, env, "--metrics-addr", "127.0.0.1:0")
	address, ok := s.out.Find(`metrics     (http://\S+)\n`, s.done)
	if !ok {
		t.Fatalf("no address of metrics in %s", s.out)
	}
	command(t, env, "", "storage", "check").ended(t, 1, "nothing is removed from it: allow s3:GetBucketVersioning")
	if status, body := ask(t, http.MethodGet, s.base+"/health/", "", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, `"storage":"failing"`) || !strings.Contains(body, `"disk":"ok"`) {
		t.Errorf("health = %d %s", status, body)
	}
	if log := s.err.String(); !strings.Contains(log, "allow s3:GetBucketVersioning") {
		t.Errorf("the log does not say why: %s", log)
	}
	if _, body := ask(t, http.MethodGet, address, "", ""); !strings.Contains(body, "\nstorage_versioning_refused 1\n") {
		t.Error("the metric does not tell")
	}
	s.stop(t)
}

// /health/ fails once less is free on the disk than the 256 MB that uploads leave.
func TestHasRoom_D16(t *testing.T) {
	for free, want := range map[uint64]bool{0: false, 256<<20 - 1: false, 256 << 20: true, 1 << 40: true} {
		if err := hasRoom(func() (uint64, error) { return free, nil }); (err == nil) != want {
			t.Errorf("%d bytes free: %v", free, err)
		}
	}
	if err := hasRoom(func() (uint64, error) { return 0, http.ErrServerClosed }); err == nil {
		t.Error("a disk that cannot be asked is well")
	}
}

// Files kept on local disk are served with the rules for files of strangers, and
// what is not permitted is not there (promises B3, B4, U4 and U9).
func TestLocalFiles_U4_U9(t *testing.T) {
	s := serve(t, sqlite(t))
	token := signUp(t, s.base, "ana@example.com")
	raw := mediatest.JPEG(400, 300)
	photo, form := beginPhoto(t, s.base, token, raw)
	res := buckettest.Post(t, form, raw, func(fields map[string]string) { fields["key"] += "x" })
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("another key = %d, want 403", res.StatusCode)
	}
	if res = buckettest.Post(t, form, raw, nil); res.StatusCode != http.StatusNoContent {
		t.Fatalf("upload = %d", res.StatusCode)
	}
	shown := completePhoto(t, photo, token)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, shown, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "http://localhost:5173")
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	for name, want := range map[string]string{
		"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "cross-origin",
		"Access-Control-Allow-Origin": "http://localhost:5173",
	} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("%s: %q, want %q", name, h, want)
		}
	}
	if csp := got.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	u, err := url.Parse(shown)
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"no permit": u.Path, "folder": "/storage/", "out of it": "/storage/../ridecopilot.db", "database": "/storage/ridecopilot.db"} {
		if status, body := ask(t, http.MethodGet, s.base+path, "", ""); status < 400 || status >= 500 || bytes.Contains([]byte(body), []byte("SQLite")) {
			t.Errorf("%s = %d %s", name, status, body)
		}
	}
	if log := s.err.String(); strings.Contains(log, u.RawQuery) || strings.Contains(log, form.Fields["x-signature"]) {
		t.Error("a signed URL or a permit is in the log")
	}
}

func base64Of(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

// beginPhoto posts a car and asks for a permit for a photo of it: where the photo
// is found in the API, and the permit.
func beginPhoto(t *testing.T, base, token string, raw []byte) (photo string, form bucket.Form) {
	t.Helper()
	_, body := ask(t, http.MethodPost, base+"/api/carposts/", token, `{"make":"Dacia","model":"Logan","year":2020,"price":"1","price_period":"day"}`)
	var made struct{ ID int64 }
	decode(t, body, &made)
	photos := fmt.Sprintf("%s/api/carposts/%d/photos/", base, made.ID)
	status, body := ask(t, http.MethodPost, photos, token, fmt.Sprintf(`{"file_name":"a.jpg","content_type":"image/jpeg","size":%d}`, len(raw)))
	if status != http.StatusCreated {
		t.Fatalf("begin a photo = %d %s", status, body)
	}
	var begun struct {
		ID     int64
		Upload struct {
			URL       string
			Fields    map[string]string
			ExpiresAt time.Time `json:"expires_at"`
		}
	}
	decode(t, body, &begun)
	form = permitOf(begun.Upload.URL, begun.Upload.Fields)
	form.Expires = begun.Upload.ExpiresAt
	return fmt.Sprintf("%s%d/", photos, begun.ID), form
}

// completePhoto says that a photo is there, waits until it is ready, and returns
// its address.
func completePhoto(t *testing.T, photo, token string) string {
	t.Helper()
	if status, body := ask(t, http.MethodPost, photo+"complete/", token, ""); status != http.StatusOK {
		t.Fatalf("complete = %d %s", status, body)
	}
	var got struct {
		State string
		URL   string
	}
	for deadline := time.Now().Add(patience); got.State != "ready"; {
		_, body := ask(t, http.MethodGet, photo, token, "")
		decode(t, body, &got)
		if time.Now().After(deadline) {
			t.Fatalf("the photo does not become ready: %s", body)
		}
	}
	return got.URL
}

func permitOf(url string, fields map[string]string) bucket.Form {
	return bucket.Form{URL: url, Fields: fields}
}
