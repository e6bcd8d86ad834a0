package server

import (
	"encoding/json"
	"net/http"
	"strings"
)

// problem is the document of RFC 9457 in the shape that all of the API has.
type problem struct {
	Type      string `json:"type"` // stable, for programs
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"` // one sentence, for people
	RequestID string `json:"request_id"`
}

// refuse answers with a problem document, to which o.Refusal may add members.
// Pages of allowed origins may read it, wherever on the way it was refused.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, code, detail string) {
	s.open(w, r)
	p := problem{
		Type: code, Title: http.StatusText(status), Status: status, Detail: detail,
		RequestID: r.Header.Get("X-Request-Id"),
	}
	if s.refusal == nil || !isAPI(r) {
		answer(w, problemType, status, p)
		return
	}
	body := s.refusal(r, detail)
	if len(body) == 0 {
		answer(w, problemType, status, p)
		return
	}
	body["type"], body["title"], body["status"], body["detail"], body["request_id"] = p.Type, p.Title, p.Status, p.Detail, p.RequestID
	answer(w, problemType, status, body)
}

const problemType = "application/problem+json"

func answer(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has gone
}

// restart forgets the headers of an answer that will not be given, so that its
// cookies, length or tag do not end up on the problem document that is given
// instead. What was set around the handler stays or is set again.
func (s *Server) restart(w *response) {
	h := w.Header()
	for k := range h {
		if k != "X-Request-Id" && k != "Vary" && !strings.HasPrefix(k, "Access-Control-") {
			delete(h, k)
		}
	}
	s.secureHeaders(h)
	if s.draining.Load() {
		h.Set("Connection", "close")
	}
}
