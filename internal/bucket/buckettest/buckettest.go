// Package buckettest gives tests a real bucket of their own, in a folder or on
// the store that TEST_S3_ENDPOINT names (scripts/with-s3 starts one), and holds
// the suite that every kind of bucket passes.
package buckettest

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
)

// Bucket is all that a bucket can do.
type Bucket interface {
	Form(ctx context.Context, u bucket.Upload) (bucket.Form, error)
	URL(ctx context.Context, d bucket.Download) (string, time.Time, error)
	Head(ctx context.Context, key string) (bucket.Object, error)
	Open(ctx context.Context, key, etag string) (io.ReadCloser, bucket.Object, error)
	Copy(ctx context.Context, from, etag, to, contentType string) error
	Put(ctx context.Context, key, contentType string, body []byte) error
	Delete(ctx context.Context, key string) error
	DeleteAll(ctx context.Context, prefix string) (int, error)
	List(ctx context.Context, prefix string, each func(bucket.Object) error) error
	Ping(ctx context.Context) error
}

// NewDisk makes a bucket in a folder of the test, and a server for its permits.
func NewDisk(t testing.TB) (*disk.Bucket, *httptest.Server) {
	t.Helper()
	return DiskWith(t, disk.Options{})
}

// DiskWith is NewDisk with options; the folder, secrets and address are those of
// the test where the options name none.
func DiskWith(t testing.TB, o disk.Options) (*disk.Bucket, *httptest.Server) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Secrets == nil {
		o.Secrets = []string{"the secret of the test"}
	}
	var srv *httptest.Server
	if o.BaseURL == nil {
		o.BaseURL = func() string { return srv.URL }
	}
	b, err := disk.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv = httptest.NewServer(b)
	t.Cleanup(func() {
		srv.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, srv
}

// Env is a fresh bucket on the store of the tests, for tests that start the
// whole program.
type Env struct {
	Endpoint  string
	AccessKey string
	SecretKey string
	Region    string
	Bucket    string
}

// S3Env makes a bucket. Where there is no store the test is skipped, but for CI
// (REQUIRE_S3), where it fails.
func S3Env(t testing.TB) Env {
	t.Helper()
	e := Env{
		Endpoint:  os.Getenv("TEST_S3_ENDPOINT"),
		AccessKey: os.Getenv("TEST_S3_ACCESS_KEY"),
		SecretKey: os.Getenv("TEST_S3_SECRET_KEY"),
		Region:    "us-east-1",
		Bucket:    "test-" + strings.ToLower(rand.Text()),
	}
	if e.Endpoint == "" {
		if os.Getenv("REQUIRE_S3") != "" || os.Getenv("CI") != "" {
			t.Fatal("TEST_S3_ENDPOINT is not set: run the tests by scripts/with-s3")
		}
		t.Skip("TEST_S3_ENDPOINT is not set: run the tests by scripts/with-s3")
	}
	if _, err := e.Client().CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &e.Bucket}); err != nil {
		t.Fatal(err)
	}
	return e
}

// Client talks to the store past our own code, to look behind it.
func (e Env) Client() *awss3.Client {
	return awss3.New(awss3.Options{
		BaseEndpoint: &e.Endpoint, Region: e.Region, UsePathStyle: true, Credentials: e.Credentials(),
	})
}

// Credentials are those of the store.
func (e Env) Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(e.AccessKey, e.SecretKey, "")
}

// Open opens the bucket, with whatever else the options say.
func (e Env) Open(t testing.TB, o s3.Options) *s3.Bucket {
	t.Helper()
	o.Bucket, o.Region, o.PathStyle = e.Bucket, e.Region, true
	if o.Endpoint == "" {
		o.Endpoint = e.Endpoint
	}
	if o.Credentials == nil {
		o.Credentials = e.Credentials()
	}
	b, err := s3.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// NewS3 makes a bucket on the store of the tests, whose rules let pages of the
// given origins in.
func NewS3(t testing.TB, origins ...string) *s3.Bucket {
	t.Helper()
	b := S3Env(t).Open(t, s3.Options{})
	if len(origins) > 0 {
		if _, err := b.Setup(t.Context(), origins, s3.Prefixes{Uploads: "uploads/", Media: "media/"}, true); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// get reads a URL as a browser does.
func get(t testing.TB, method, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	return do(t, req)
}

func do(t testing.TB, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
