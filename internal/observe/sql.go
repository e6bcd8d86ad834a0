package observe

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// longestStatement is how much of a statement a span shows, in bytes.
const longestStatement = 2000

// Statements traces SQL: each statement is a span below the request or job that
// asks. It shows the text, in which all values are parameters, and no argument.
type Statements struct {
	tracer trace.Tracer
	system string
}

// NewStatements returns what traces the statements of an engine, "sqlite" or
// "postgres"; nil, as an interface, when there is no tracer.
func NewStatements(t trace.Tracer, engine string) pgx.QueryTracer {
	if t == nil {
		return nil
	}
	if engine == "postgres" {
		engine = "postgresql" // its name in the conventions
	}
	return &Statements{t, engine}
}

// TraceQueryStart begins the span of a statement.
func (s *Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return s.start(ctx, data.SQL)
}

// TraceQueryEnd ends it.
func (s *Statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	finish(ctx, data.Err)
}

// TraceBatchStart begins the span of statements that are sent together.
func (s *Statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	texts := make([]string, 0, data.Batch.Len())
	for _, q := range data.Batch.QueuedQueries {
		texts = append(texts, q.SQL)
	}
	return s.start(ctx, strings.Join(texts, "; "))
}

// TraceBatchQuery is told of each of them; the span is that of all.
func (s *Statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd ends the span.
func (s *Statements) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	finish(ctx, data.Err)
}

func (s *Statements) start(ctx context.Context, statement string) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	operation := ""
	if rest, ok := strings.CutPrefix(statement, "-- name: "); ok { // so the queue's own statements are headed
		operation, rest, _ = strings.Cut(rest, " ")
		_, statement, _ = strings.Cut(rest, "\n")
	}
	text := strings.Join(strings.Fields(statement), " ")
	if len(text) > longestStatement {
		text = strings.ToValidUTF8(text[:longestStatement], "")
	}
	if operation == "" {
		operation, _, _ = strings.Cut(text, " ")
		operation = strings.ToUpper(operation)
	}
	ctx, _ = start(ctx, s.tracer, trace.SpanKindClient, "SQL "+operation,
		semconv.DBSystemNameKey.String(s.system), semconv.DBOperationName(operation), semconv.DBQueryText(text))
	return ctx
}

// finish ends the span of a statement. Where none was begun, the one in ctx does
// not record, and ending it does nothing.
func finish(ctx context.Context, err error) { end(trace.SpanFromContext(ctx), err) }
