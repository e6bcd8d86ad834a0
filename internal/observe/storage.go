package observe

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Storage measures and traces what is asked of a bucket. Permits and addresses
// are signed without asking it, and are not counted.
type Storage struct {
	media.Bucket
	tracer   trace.Tracer
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewStorage returns b, measured with r and traced with t, which may be nil.
func NewStorage(b media.Bucket, r prometheus.Registerer, t trace.Tracer) *Storage {
	s := &Storage{
		Bucket: b,
		tracer: t,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "storage_requests_total", Help: "What was asked of the storage of photos and files, by what became of it.",
		}, []string{"operation", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "storage_request_duration_seconds", Help: "How long the storage took; of reading, until the first byte could be read.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation"}),
	}
	r.MustRegister(s.requests, s.duration)
	return s
}

// do runs one operation under its name.
func (s *Storage) do(ctx context.Context, operation string, run func(context.Context) error) error {
	ctx, span := start(ctx, s.tracer, trace.SpanKindClient, "storage "+operation)
	begun := time.Now()
	err := run(ctx)
	s.duration.WithLabelValues(operation).Observe(time.Since(begun).Seconds())
	s.requests.WithLabelValues(operation, outcomeOf(err)).Inc()
	end(span, err)
	return err
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, bucket.ErrNotFound):
		return "absent"
	case errors.Is(err, bucket.ErrChanged):
		return "changed"
	case errors.Is(err, bucket.ErrFull):
		return "full"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "error"
}

// Head is that of the bucket.
func (s *Storage) Head(ctx context.Context, key string) (o bucket.Object, err error) {
	err = s.do(ctx, "head", func(ctx context.Context) error {
		o, err = s.Bucket.Head(ctx, key)
		return err
	})
	return o, err
}

// Open is that of the bucket.
func (s *Storage) Open(ctx context.Context, key, etag string) (body io.ReadCloser, o bucket.Object, err error) {
	err = s.do(ctx, "open", func(ctx context.Context) error {
		body, o, err = s.Bucket.Open(ctx, key, etag)
		return err
	})
	return body, o, err
}

// Copy is that of the bucket.
func (s *Storage) Copy(ctx context.Context, from, etag, to, contentType string) error {
	return s.do(ctx, "copy", func(ctx context.Context) error { return s.Bucket.Copy(ctx, from, etag, to, contentType) })
}

// Put is that of the bucket.
func (s *Storage) Put(ctx context.Context, key, contentType string, body []byte) error {
	return s.do(ctx, "put", func(ctx context.Context) error { return s.Bucket.Put(ctx, key, contentType, body) })
}

// Delete is that of the bucket.
func (s *Storage) Delete(ctx context.Context, key string) error {
	return s.do(ctx, "delete", func(ctx context.Context) error { return s.Bucket.Delete(ctx, key) })
}

// DeleteAll is that of the bucket.
func (s *Storage) DeleteAll(ctx context.Context, prefix string) (n int, err error) {
	err = s.do(ctx, "delete_all", func(ctx context.Context) error {
		n, err = s.Bucket.DeleteAll(ctx, prefix)
		return err
	})
	return n, err
}

// List is that of the bucket.
func (s *Storage) List(ctx context.Context, prefix string, each func(bucket.Object) error) error {
	return s.do(ctx, "list", func(ctx context.Context) error { return s.Bucket.List(ctx, prefix, each) })
}
