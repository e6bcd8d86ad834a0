// Package observe watches the places where time is spent: statements, the
// storage, jobs, mails. It measures them for Prometheus, traces them for a
// collector of OpenTelemetry, and writes the figures that matter into the log as
// metrics of CloudWatch.
//
// What it tells is made of names that stand in the source: operations, kinds of
// job, texts of statements with their parameters left out. No key, address,
// argument or text of an error goes into a metric or a trace (promise P4).
package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// flushTime is how long the last spans may take to leave when the program ends
// (promise O7).
const flushTime = 2 * time.Second

// Tracing sends spans to a collector, in batches and beside the work: a collector
// that is slow or gone costs spans and nothing else.
type Tracing struct {
	provider *sdktrace.TracerProvider
}

// StartTracing sends to the collector at endpoint, which speaks OTLP over HTTP:
// the base of its address, without /v1/traces. The standard variables of the SDK
// count besides (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, …). What goes wrong with
// sending is told to log, at most once a minute.
func StartTracing(ctx context.Context, endpoint, version string, log *slog.Logger) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("make the exporter of traces: %w", err)
	}
	from, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("ridecopilot"), semconv.ServiceVersion(version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv()) // the last one counts
	if errors.Is(err, resource.ErrPartialResource) { // labels are not worth a server
		log.WarnContext(ctx, "OTEL_RESOURCE_ATTRIBUTES cannot be read as a whole")
	} else if err != nil {
		return nil, fmt.Errorf("describe this process: %w", err)
	}
	otel.SetErrorHandler(&complaints{log: log}) // else they go to standard error, past the log
	return &Tracing{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(from))}, nil
}

// Tracer begins spans; it is nil when there is no Tracing.
func (t *Tracing) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer("github.com/ridecopilot/ridecopilot")
}

// Stop sends what is left, within a few seconds; what does not leave by then is
// lost.
func (t *Tracing) Stop(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// complaints are the SDK's.
type complaints struct {
	log  *slog.Logger
	last atomic.Int64 // when one was passed on, in seconds since 1970
}

// Handle is called by the SDK, as often as it fails.
func (c *complaints) Handle(err error) {
	if now, last := time.Now().Unix(), c.last.Load(); now-last < 60 || !c.last.CompareAndSwap(last, now) {
		return
	}
	// Its kind alone: the text may hold the address, whose path may be a secret, and
	// what the collector has answered.
	c.log.Warn("traces not sent", "kind", errorType(err))
}

// start begins a span below the one in ctx. Where nobody traces, or not this
// request, it costs nothing: span is nil then.
func start(ctx context.Context, t trace.Tracer, kind trace.SpanKind, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, nil
	}
	return t.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attrs...))
}

// end ends a span of start. Of an error it tells the kind: its text may hold anything.
func end(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(semconv.ErrorTypeKey.String(errorType(err)))
	}
	span.End()
}

func errorType(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "SQLSTATE " + e.Code
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	if outcome := outcomeOf(err); outcome != "error" { // a storage's answer
		return outcome
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}
