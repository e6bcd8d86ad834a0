package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ridecopilot/ridecopilot/internal/observe"
)

// line is a line of metrics, read.
type line struct {
	members map[string]any
	metrics map[string]string // name → unit
}

// read checks a line against the specification of CloudWatch's embedded metric
// format.
func read(t *testing.T, text []byte, at time.Time) line {
	t.Helper()
	if bytes.Count(text, []byte("\n")) != 1 || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("not one line: %q", text)
	}
	l := line{map[string]any{}, map[string]string{}}
	var root struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	for _, into := range []any{&root, &l.members} {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	if root.AWS.Timestamp != at.UnixMilli() || len(root.AWS.CloudWatchMetrics) != 1 {
		t.Fatalf("_aws: %+v", root.AWS)
	}
	m := root.AWS.CloudWatchMetrics[0]
	if m.Namespace != "Ridecopilot/test" || !reflect.DeepEqual(m.Dimensions, [][]string{{}}) || len(m.Metrics) > 100 {
		t.Errorf("directive: %+v", m)
	}
	for _, d := range m.Metrics {
		if l.members[d.Name] == nil || !slices.Contains([]string{"Count", "Seconds", "Bytes"}, d.Unit) {
			t.Errorf("%s in %s is %v", d.Name, d.Unit, l.members[d.Name])
		}
		l.metrics[d.Name] = d.Unit
	}
	return l
}

func TestEMF(t *testing.T) {
	r := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, []string{"status", "route"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds", Buckets: []float64{.01, .1, 1}}, []string{"route"})
	inUse := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "database_connections_in_use"}, []string{"pool"})
	backup := prometheus.NewGauge(prometheus.GaugeOpts{Name: "backup_age_seconds"})
	other := prometheus.NewGauge(prometheus.GaugeOpts{Name: "nobody_asks_for_this"})
	r.MustRegister(requests, took, inUse, backup, other)
	var out bytes.Buffer
	e := observe.NewEMF(r, &out, "Ridecopilot/test", slog.New(slog.DiscardHandler))
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	next := func() line {
		out.Reset()
		e.Write(at)
		return read(t, out.Bytes(), at)
	}
	want := func(l line, name string, value any) {
		t.Helper()
		if !reflect.DeepEqual(l.members[name], value) {
			t.Errorf("%s = %v, want %v", name, l.members[name], value)
		}
	}

	requests.WithLabelValues("200", "/a").Add(5)
	requests.WithLabelValues("500", "/a").Add(2)
	requests.WithLabelValues("503", "/b").Add(1)
	took.WithLabelValues("/a").Observe(.05)
	took.WithLabelValues("/b").Observe(.05)
	took.WithLabelValues("/b").Observe(7) // beyond the last bound
	inUse.WithLabelValues("requests").Set(3)
	inUse.WithLabelValues("jobs").Set(1)
	backup.Set(math.NaN()) // there is none
	first := next()
	want(first, "http_requests_total", 8.0)
	want(first, "http_errors_total", 3.0)
	want(first, "http_request_duration_seconds", map[string]any{"Values": []any{.1, 1.0}, "Counts": []any{2.0, 1.0}, "Min": .1, "Max": 1.0, "Count": 3.0, "Sum": 1.2})
	want(first, "database_connections_in_use", 4.0)
	for _, name := range []string{"backup_age_seconds", "nobody_asks_for_this", "storage_errors_total"} {
		want(first, name, nil)
	}

	requests.WithLabelValues("200", "/c").Add(4)
	took.WithLabelValues("/c").Observe(.001)
	inUse.WithLabelValues("requests").Set(0)
	backup.Set(60)
	second := next()
	want(second, "http_requests_total", 4.0) // of the minute
	want(second, "http_errors_total", 0.0)
	want(second, "http_request_duration_seconds", map[string]any{"Values": []any{.01}, "Counts": []any{1.0}, "Min": .01, "Max": .01, "Count": 1.0, "Sum": .01})
	want(second, "database_connections_in_use", 1.0)
	want(second, "backup_age_seconds", 60.0)

	third := next()
	want(third, "http_requests_total", 0.0)
	want(third, "http_request_duration_seconds", nil) // no value is no metric
	if _, ok := third.metrics["http_request_duration_seconds"]; ok {
		t.Error("a metric without a value is announced")
	}
}

// A line at every tick, and one when it is told to stop.
func TestEMF_Run(t *testing.T) {
	r := prometheus.NewRegistry()
	r.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "http_rejected_total"}))
	var out bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	tick, done := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(done)
		observe.NewEMF(r, &out, "x", slog.New(slog.DiscardHandler)).Run(ctx, tick)
	}()
	tick <- time.Unix(1, 0)
	tick <- time.Unix(2, 0)
	stop()
	<-done
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 3 {
		t.Errorf("%d lines, want 3:\n%s", n, out.Bytes())
	}
}
