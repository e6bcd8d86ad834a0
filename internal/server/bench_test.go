package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/server"
)

// nowhere takes an answer and forgets it.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

// BenchmarkRequest is what the ring costs around a handler that does nothing.
func BenchmarkRequest(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/things/{id}/", func(http.ResponseWriter, *http.Request) {})
	s := server.New(server.Options{API: mux, Log: slog.New(slog.NewJSONHandler(nowhere{}, nil))})
	h := s.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/things/7/", http.NoBody)
		h.ServeHTTP(nowhere{http.Header{}}, r)
	}
}
