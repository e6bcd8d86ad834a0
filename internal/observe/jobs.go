package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ridecopilot/ridecopilot/internal/mail"
)

// Jobs measures and traces the work of jobs. The span of a job belongs to the
// trace of the request that made it necessary; the job's row holds the numbers of
// that trace and nothing else. It is both middlewares of River.
type Jobs struct {
	tracer   trace.Tracer
	worked   *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewJobs measures with r and traces with t, which may be nil.
func NewJobs(r prometheus.Registerer, t trace.Tracer) *Jobs {
	j := &Jobs{
		tracer: t,
		worked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobs_worked_total", Help: "Attempts at jobs, by what became of them.",
		}, []string{"kind", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "job_duration_seconds", Help: "How long an attempt at a job took.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 600},
		}, []string{"kind"}),
	}
	r.MustRegister(j.worked, j.duration)
	return j
}

// IsMiddleware is River's mark.
func (j *Jobs) IsMiddleware() bool { return true }

// IsPlugin is River's mark.
func (j *Jobs) IsPlugin() bool { return true }

// traceparent is the name of the trace in a job's metadata, and its format that
// of the W3C.
const traceparent = "traceparent"

// InsertMany notes the trace in the jobs that are recorded in it.
func (j *Jobs) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	if j.tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return insert(ctx)
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	for _, job := range jobs {
		metadata := map[string]any{}
		if len(job.Metadata) > 0 {
			if err := json.Unmarshal(job.Metadata, &metadata); err != nil {
				return nil, fmt.Errorf("read the metadata of a job: %w", err)
			}
		}
		metadata[traceparent] = carrier[traceparent]
		text, err := json.Marshal(metadata)
		if err != nil {
			return nil, fmt.Errorf("write the metadata of a job: %w", err)
		}
		job.Metadata = text
	}
	return insert(ctx)
}

// Work measures and traces an attempt.
func (j *Jobs) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	var span trace.Span
	if j.tracer != nil {
		var metadata struct {
			Traceparent string `json:"traceparent"`
		}
		_ = json.Unmarshal(job.Metadata, &metadata) // without one, or with a bad one, the job begins a trace of its own
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: metadata.Traceparent})
		ctx, span = j.tracer.Start(ctx, "job "+job.Kind, trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(attribute.String("job.kind", job.Kind), attribute.Int64("job.id", job.ID), attribute.Int("job.attempt", job.Attempt)))
	}
	begun := time.Now()
	err := work(ctx)
	j.duration.WithLabelValues(job.Kind).Observe(time.Since(begun).Seconds())
	outcome := jobOutcome(job, err)
	j.worked.WithLabelValues(job.Kind, outcome).Inc()
	if span != nil {
		span.SetAttributes(attribute.String("job.outcome", outcome))
	}
	if outcome == "put_off" { // is no failure
		end(span, nil)
	} else {
		end(span, err)
	}
	return err
}

func jobOutcome(job *rivertype.JobRow, err error) string {
	if err == nil {
		return "done"
	}
	if _, ok := errors.AsType[*rivertype.JobSnoozeError](err); ok {
		return "put_off"
	}
	if _, ok := errors.AsType[*rivertype.JobCancelError](err); ok {
		return "given_up"
	}
	if job.Attempt >= job.MaxAttempts {
		return "given_up"
	}
	return "failed"
}

// Sender is how mails leave.
type Sender interface {
	Send(ctx context.Context, m mail.Message) error
}

// Mails traces the sending of mails, of which it tells nothing but the time.
type Mails struct {
	Sender
	Tracer trace.Tracer // may be nil
}

// Send is that of the Sender.
func (m Mails) Send(ctx context.Context, message mail.Message) error {
	ctx, span := start(ctx, m.Tracer, trace.SpanKindClient, "mail send")
	err := m.Sender.Send(ctx, message)
	end(span, err)
	return err
}
