package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/ridecopilot/ridecopilot/internal/note"
	"github.com/ridecopilot/ridecopilot/internal/server"
)

// TestTraceP4: a request is a trace of its own, whatever came with it, under the
// name of its route; what the inside notes is in its log line.
func TestTraceP4(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/things/{id}/", func(w http.ResponseWriter, r *http.Request) {
		note.User(r.Context(), func() string { return "hash" })
		note.Limit(r.Context(), "things")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	var log logged
	h := server.New(server.Options{API: mux, Log: log.logger(), Tracer: provider.Tracer("")}).Handler()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/things/7/?token=secret", http.NoBody)
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	r.Header.Set("Tracestate", "vendor=secret")
	res := do(h, r)
	do(h, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/livez", http.NoBody))

	spans := recorder.Ended()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1: probes have none", len(spans))
	}
	span := spans[0]
	if span.Name() != "GET /api/things/{id}/" || span.Parent().IsValid() || span.Status().Code != codes.Error {
		t.Errorf("span %q, parent %v, status %v", span.Name(), span.Parent(), span.Status())
	}
	if l := span.Links(); len(l) != 1 || l[0].SpanContext.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || l[0].SpanContext.TraceState().Len() != 0 {
		t.Errorf("links: %+v", l)
	}
	got := map[string]string{}
	for _, a := range span.Attributes() {
		got[string(a.Key)] = a.Value.String()
	}
	want := map[string]string{
		"http.request.method": "GET", "http.route": "/api/things/{id}/", "http.response.status_code": "503", "request_id": res.Header.Get("X-Request-Id"),
	}
	for k, v := range got {
		if want[k] != v {
			t.Errorf("%s = %q", k, v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("attributes: %v", got)
	}
	if l := log.lines(t, "request")[0]; l["user"] != "hash" || l["limit"] != "things" {
		t.Errorf("line: %v", l)
	}
}
