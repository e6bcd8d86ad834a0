// Package s3 keeps objects in a bucket of Amazon S3, or of a store that speaks
// its language. Clients talk to the store themselves, with the permits that are
// signed here; only the server's own reads and writes go through this package.
package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// Every wait has a limit (promise O4). These are for one call with its retries;
// the caller's context may end it sooner.
const (
	callLimit     = 8 * time.Second // what carries no bytes, or few; and the head of any answer
	headLimit     = 4 * time.Second // the head of an answer in one try: a call has time for a second
	transferLimit = 5 * time.Minute // what carries an object
	slowest       = 64 << 10        // bytes a second, for what is sent: a store that takes fewer hangs
)

// versionedFor is how long an answer about versioning is good. Objects that are
// deleted meanwhile in a bucket that has just become versioned leave versions.
const versionedFor = time.Minute

// Options say which bucket it is.
type Options struct {
	Bucket string
	// Region may be empty where the environment names one, or where the store
	// knows none.
	Region string
	// Endpoint is the address of a store that is not Amazon's; empty for S3.
	Endpoint string
	// PathStyle puts the bucket's name into the path instead of the host.
	PathStyle bool
	// CloudFront, when set, serves what is not private.
	CloudFront *CloudFront
	// Credentials sign; nil means AWS's default chain: environment, files, the
	// role of the task or of the machine.
	Credentials aws.CredentialsProvider
	// HTTPClient replaces our own, for tests.
	HTTPClient *http.Client
	// Now is the clock of permits, and of what is remembered about the bucket; nil
	// means time.Now. Waits have the system's.
	Now func() time.Time
}

// Bucket is one bucket.
type Bucket struct {
	name    string
	client  *s3.Client
	presign *s3.PresignClient
	signer  *v4.Signer
	edge    *edge // nil without CloudFront
	now     func() time.Time

	mu          sync.Mutex // never held while the store is asked
	versioned   bool       // whether the bucket keeps, or once kept, old versions
	versionedAt time.Time  // when that was asked; zero if never
	refused     bool       // the last answer to that was a refusal
}

// New prepares the client. It asks nobody: credentials are fetched when the
// first permit or call needs them, and Ping tells whether the bucket is there.
func New(ctx context.Context, o Options) (*Bucket, error) {
	if o.Bucket == "" {
		return nil, errors.New("open bucket: no name")
	}
	b := &Bucket{name: o.Bucket, now: o.Now}
	if b.now == nil {
		b.now = time.Now
	}
	var err error
	if o.CloudFront != nil {
		if b.edge, err = newEdge(*o.CloudFront); err != nil {
			return nil, fmt.Errorf("open bucket %s: CloudFront: %w", o.Bucket, err)
		}
	}
	var load []func(*config.LoadOptions) error
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(o.Credentials))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, err)
	}
	if cfg.Region == "" {
		if o.Endpoint == "" {
			return nil, fmt.Errorf("open bucket %s: no region", o.Bucket)
		}
		cfg.Region = "us-east-1" // signatures need one, and other stores take this
	}
	client := o.HTTPClient
	if client == nil {
		client = newHTTPClient()
	}
	b.client = s3.NewFromConfig(cfg, func(so *s3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		so.UsePathStyle = o.PathStyle
		so.HTTPClient = client
		so.Logger = logging.Nop{} // errors are returned, and logged once by who asked
		so.DisableLogOutputChecksumValidationSkipped = true
		so.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = 3
			r.MaxBackoff = time.Second // people wait
		})
	})
	b.presign = s3.NewPresignClient(b.client, s3.WithPresignClientFromClientOptions(func(so *s3.Options) {
		// Browsers would have to send what the checksums ask for.
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}))
	b.signer = v4.NewSigner(func(so *v4.SignerOptions) {
		so.DisableURIPathEscaping = true // S3 alone signs paths as they are
	})
	return b, nil
}

// newHTTPClient gives every wait its limit, and follows no redirect: a store
// does not decide where our requests go (promise U13).
func newHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   3 * time.Second,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
			ResponseHeaderTimeout: headLimit,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   32,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Ping tells whether the bucket answers, and us; also when it would not let us
// remove anything, because it does not say whether it keeps versions.
func (b *Bucket) Ping(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	if _, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name}); err != nil {
		return fmt.Errorf("ping bucket %s: %w", b.name, err)
	}
	_, err := b.isVersioned(ctx)
	return err
}

// VersioningRefused tells whether the store has refused to say whether it keeps
// versions, when it was asked last. Nothing is removed as long as it does.
func (b *Bucket) VersioningRefused() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

// limited is ctx with the limit of one call.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callLimit)
}

// explain turns the store's answer into the errors of package bucket, where it
// is one of them. A bucket that is missing is not an object that is missing; but
// the answer to a HEAD does not say which of the two it is, see [Bucket.Head].
func explain(err error) error {
	code, status := answered(err)
	switch {
	case code == "NoSuchBucket":
		return err
	case status == http.StatusNotFound, code == "NoSuchKey", code == "NotFound":
		return bucket.ErrNotFound
	case status == http.StatusPreconditionFailed, code == "PreconditionFailed":
		return bucket.ErrChanged
	case status == http.StatusInsufficientStorage, full[code]:
		return fmt.Errorf("%w: %w", bucket.ErrFull, err)
	default:
		return err
	}
}

// full are the codes of stores that have no room.
var full = map[string]bool{
	"InsufficientStorage":            true,
	"QuotaExceeded":                  true,
	"XMinioAdminBucketQuotaExceeded": true,
	"XMinioStorageFull":              true,
}

// answered gives the code and the HTTP status that the store answered with, if
// it answered.
func answered(err error) (code string, status int) {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code = e.ErrorCode()
	}
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = e.HTTPStatusCode()
	}
	return code, status
}

// notOffered tells whether the store says that it does not know such a call.
func notOffered(err error) bool {
	code, status := answered(err)
	switch code {
	case "NotImplemented", "MethodNotAllowed", "VersioningNotConfigured", "XNotImplemented":
		return true
	default:
		return status == http.StatusNotImplemented
	}
}

// isVersioned tells whether deleting an object leaves versions of it behind. A
// bucket that once kept versions may hold some for ever. While nothing is known,
// everybody asks for himself: nobody waits for another's question.
func (b *Bucket) isVersioned(ctx context.Context) (bool, error) {
	now := b.now()
	if versioned, ok := b.knownVersioned(now); ok {
		return versioned, nil
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	versioned := false
	out, err := b.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.name})
	switch {
	case err == nil:
		versioned = out.Status == types.BucketVersioningStatusEnabled || out.Status == types.BucketVersioningStatusSuspended
	case !notOffered(err):
		if code, status := answered(err); status == http.StatusForbidden || code == "AccessDenied" {
			b.mu.Lock()
			b.refused = true
			b.mu.Unlock()
			return false, fmt.Errorf("bucket %s does not say whether it keeps versions, so nothing is removed from it: allow s3:GetBucketVersioning: %w", b.name, err)
		}
		return false, fmt.Errorf("ask for versioning of bucket %s: %w", b.name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = false
	if !now.Before(b.versionedAt) { // or a question that was put later has been answered sooner
		b.versioned, b.versionedAt = versioned, now
	}
	return versioned, nil
}

// knownVersioned is what was answered not long ago, if anything was.
func (b *Bucket) knownVersioned(now time.Time) (versioned, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.versioned, !b.versionedAt.IsZero() && now.Sub(b.versionedAt) < versionedFor
}

// escape writes a key as a path: every byte but those that no reader takes for
// something else, and the slashes between segments.
func escape(key string) string {
	const hex = "0123456789ABCDEF"
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/"
	var s strings.Builder
	for _, c := range []byte(key) {
		if strings.IndexByte(plain, c) >= 0 {
			s.WriteByte(c)
		} else {
			s.WriteByte('%')
			s.WriteByte(hex[c>>4])
			s.WriteByte(hex[c&15])
		}
	}
	return s.String()
}
