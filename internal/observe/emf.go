package observe

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// figure is a metric as CloudWatch gets it: a family of Prometheus, its series
// added up.
type figure struct {
	name, unit string
	family     string                    // where it is read from; name when empty
	only       func(*dto.LabelPair) bool // of the series that have such a label; nil: of all
}

func failed(l *dto.LabelPair) bool {
	return l.GetName() == "status" && strings.HasPrefix(l.GetValue(), "5") || l.GetName() == "outcome" && l.GetValue() == "error"
}

// figures are those that alarms and the first look at a dashboard want. One whose
// family is not registered is left out.
var figures = []figure{
	{name: "http_requests_total", unit: "Count"},
	{name: "http_errors_total", unit: "Count", family: "http_requests_total", only: failed},
	{name: "http_rejected_total", unit: "Count"},
	{name: "http_request_duration_seconds", unit: "Seconds"},
	{name: "http_requests_in_flight", unit: "Count"},
	{name: "throttled_total", unit: "Count"},
	{name: "password_hashes_waiting", unit: "Count"},
	{name: "database_connections_in_use", unit: "Count"},
	{name: "database_waits", unit: "Count"},
	{name: "jobs_oldest_seconds", unit: "Seconds"},
	{name: "removals_open", unit: "Count"},
	{name: "removals_oldest_seconds", unit: "Seconds"},
	{name: "storage_errors_total", unit: "Count", family: "storage_requests_total", only: failed},
	{name: "disk_free_bytes", unit: "Bytes"},
	{name: "backup_age_seconds", unit: "Seconds"},
}

// EMFEvery is how often the figures are written.
const EMFEvery = time.Minute

// EMF writes figures of Prometheus as metrics of CloudWatch, in its embedded
// metric format: one line of JSON, which CloudWatch Logs turns into metrics
// without an agent. What counts up is written as the difference to the line
// before.
type EMF struct {
	from      prometheus.Gatherer
	to        io.Writer
	namespace string
	log       *slog.Logger
	before    map[string]float64            // by figure
	buckets   map[string]map[float64]uint64 // by figure, then by upper bound
}

// NewEMF returns an EMF that has written nothing. Each line is one Write to to.
func NewEMF(from prometheus.Gatherer, to io.Writer, namespace string, log *slog.Logger) *EMF {
	return &EMF{from, to, namespace, log, map[string]float64{}, map[string]map[float64]uint64{}}
}

// Run writes a line at every tick until ctx ends, and then the last.
func (e *EMF) Run(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case at := <-tick:
			e.Write(at)
		case <-ctx.Done():
			e.Write(time.Now())
			return
		}
	}
}

type metricName struct {
	Name string
	Unit string
}

// distribution is many values of one figure, with the members that AWS's own
// exporter of OpenTelemetry gives it (awsemfexporter).
type distribution struct {
	Values []float64
	Counts []uint64
	Max    float64
	Min    float64
	Count  uint64
	Sum    float64
}

// Write writes one line.
func (e *EMF) Write(at time.Time) {
	families, err := e.from.Gather()
	if err != nil { // the others are there all the same
		e.log.Warn("not all metrics could be read", "err", err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	line, names := map[string]any{}, []metricName{}
	for _, f := range figures {
		family := byName[f.name]
		if f.family != "" {
			family = byName[f.family]
		}
		if v := e.value(f, family); v != nil {
			line[f.name] = v
			names = append(names, metricName{f.name, f.unit})
		}
	}
	if len(names) == 0 {
		return
	}
	line["time"], line["level"], line["msg"] = at.UTC(), slog.LevelInfo, "metrics"
	line["_aws"] = map[string]any{
		"Timestamp": at.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": e.namespace, "Dimensions": [][]string{{}}, "Metrics": names,
		}},
	}
	text, err := json.Marshal(line)
	if err != nil {
		e.log.Warn("metrics not written", "err", err)
		return
	}
	_, _ = e.to.Write(append(text, '\n')) // as the log itself: nobody is left to tell
}

// value is what a figure has to say now; nil is nothing.
func (e *EMF) value(f figure, family *dto.MetricFamily) any {
	if family == nil {
		return nil
	}
	if family.GetType() == dto.MetricType_HISTOGRAM {
		if d := e.distribution(f.name, family); len(d.Values) > 0 {
			return d
		}
		return nil
	}
	sum := 0.0
	for _, m := range family.GetMetric() {
		if f.only == nil || slices.ContainsFunc(m.GetLabel(), f.only) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) { // CloudWatch knows neither
		return nil
	}
	if family.GetType() == dto.MetricType_COUNTER {
		sum, e.before[f.name] = sum-e.before[f.name], sum
	}
	return sum
}

// distribution are the values since the line before: of each bucket its upper
// bound, so that a percentile is never told too low.
func (e *EMF) distribution(name string, family *dto.MetricFamily) distribution {
	now, bounds := map[float64]uint64{}, []float64{}
	for i, m := range family.GetMetric() {
		below := uint64(0)
		for _, b := range m.GetHistogram().GetBucket() {
			if i == 0 {
				bounds = append(bounds, b.GetUpperBound())
			}
			now[b.GetUpperBound()] += b.GetCumulativeCount() - below
			below = b.GetCumulativeCount()
		}
		if n := len(bounds); n > 0 { // what is beyond counts as the last bound
			now[bounds[n-1]] += m.GetHistogram().GetSampleCount() - below
		}
	}
	var d distribution
	for _, bound := range bounds {
		if n := now[bound] - e.buckets[name][bound]; n > 0 {
			d.Values, d.Counts = append(d.Values, bound), append(d.Counts, n)
			d.Count += n
			d.Sum += bound * float64(n)
		}
	}
	if len(d.Values) > 0 {
		d.Min, d.Max = slices.Min(d.Values), slices.Max(d.Values)
	}
	e.buckets[name] = now
	return d
}
