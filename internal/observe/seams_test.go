package observe_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/observe"
)

// counted are the series of a counter, by the values of its labels in the order
// of their names.
func counted(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			key := ""
			for _, l := range m.GetLabel() {
				key += l.GetValue() + " "
			}
			found[key] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return found
}

// broken is a bucket that answers one thing.
type broken struct {
	media.Bucket
	err error
}

func (b broken) Head(context.Context, string) (bucket.Object, error) {
	return bucket.Object{Key: "k"}, b.err
}

// TestStorage: the error comes back as it is, and is counted by its kind. Without
// a tracer, and with one that records nothing.
func TestStorage(t *testing.T) {
	for outcome, err := range map[string]error{
		"ok": nil, "absent": bucket.ErrNotFound, "changed": bucket.ErrChanged, "full": bucket.ErrFull, "canceled": context.Canceled,
		"error": context.DeadlineExceeded,
	} {
		if err != nil {
			err = fmt.Errorf("look at a secret key: %w", err)
		}
		r := prometheus.NewRegistry()
		o, got := observe.NewStorage(broken{err: err}, r, nil).Head(t.Context(), "k")
		if !errors.Is(got, err) || o.Key != "k" {
			t.Errorf("%s: %v, %v", outcome, o, got)
		}
		if n := counted(t, r, "storage_requests_total"); len(n) != 1 || n["head "+outcome+" "] != 1 {
			t.Errorf("%s is counted as %v", outcome, n)
		}
		if n := counted(t, r, "storage_request_duration_seconds"); n["head "] != 1 {
			t.Errorf("%s is measured as %v", outcome, n)
		}
		if _, got = observe.NewStorage(broken{err: err}, prometheus.NewRegistry(), noop.NewTracerProvider().Tracer("")).Head(t.Context(), "k"); !errors.Is(got, err) {
			t.Errorf("%s, with a tracer: %v", outcome, got)
		}
	}
}

func TestJobs(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		attempt int // of 2
		want    string
	}{
		"done":              {nil, 1, "done"},
		"put off":           {river.JobSnooze(1), 2, "put_off"},
		"given up":          {errors.Join(river.JobCancel(errors.New("rejected")), nil), 1, "given_up"},
		"tried again":       {errors.New("no"), 1, "failed"},
		"for the last time": {errors.New("no"), 2, "given_up"},
	} {
		r := prometheus.NewRegistry()
		j := observe.NewJobs(r, nil)
		row := &rivertype.JobRow{Kind: "k", Metadata: []byte("no JSON"), Attempt: tt.attempt, MaxAttempts: 2}
		got := j.Work(t.Context(), row, func(context.Context) error { return tt.err })
		if !errors.Is(got, tt.err) {
			t.Errorf("%s = %v", name, got)
		}
		if n := counted(t, r, "jobs_worked_total"); len(n) != 1 || n["k "+tt.want+" "] != 1 {
			t.Errorf("%s is counted as %v", name, n)
		}
	}
}

// Nothing is done for spans that nobody asks for.
func TestOff(t *testing.T) {
	if observe.NewStatements(nil, "sqlite") != nil {
		t.Error("statements are traced without a tracer")
	}
	job := &rivertype.JobInsertParams{}
	_, err := observe.NewJobs(prometheus.NewRegistry(), nil).InsertMany(t.Context(), []*rivertype.JobInsertParams{job},
		func(context.Context) ([]*rivertype.JobInsertResult, error) { return nil, nil })
	if err != nil || job.Metadata != nil {
		t.Errorf("a job has %s, %v", job.Metadata, err)
	}
	s := observe.NewStatements(noop.NewTracerProvider().Tracer(""), "sqlite")
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { // of what belongs to no trace
		if s.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: "SELECT 1"}) != ctx {
			t.Error("a statement of nobody's has a span")
		}
	}); n > 0 {
		t.Errorf("%v allocations a statement", n)
	}
}
