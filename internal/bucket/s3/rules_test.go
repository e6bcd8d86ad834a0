package s3_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
)

// rules is a store that keeps its rules as they are written, and nothing else:
// the store of the other tests has no lifecycle and no public access block.
type rules struct {
	mu      sync.Mutex
	kept    map[string]string
	written int
}

func (s *rules) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, missing := range map[string]string{
		"cors":              "NoSuchCORSConfiguration",
		"lifecycle":         "NoSuchLifecycleConfiguration",
		"publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
	} {
		switch text, ok := s.kept[kind]; {
		case !r.URL.Query().Has(kind):
		case r.Method == http.MethodPut:
			body, _ := io.ReadAll(r.Body)
			s.kept[kind] = string(body)
			s.written++
		case r.Method == http.MethodDelete:
			delete(s.kept, kind)
			w.WriteHeader(http.StatusNoContent)
		case ok:
			io.WriteString(w, text)
		default:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `<Error><Code>`+missing+`</Code></Error>`)
		}
	}
}

// TestSetupRules: U12, D13. All rules are made on a store that offers them all;
// those of others stay, and the second time nothing is written.
func TestSetupRules(t *testing.T) {
	const theirs = `<Rule><ID>theirs</ID><Prefix>logs/</Prefix><Status>Enabled</Status>` +
		`<Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>`
	store := &rules{kept: map[string]string{
		"lifecycle": `<LifecycleConfiguration>` + theirs +
			`<Rule><ID>ridecopilot-uploads</ID><Filter><Prefix>uploads/</Prefix></Filter><Status>Disabled</Status>` +
			`<Expiration><Days>2</Days></Expiration></Rule></LifecycleConfiguration>`,
		"publicAccessBlock": `<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>`,
	}}
	srv := httptest.NewServer(store)
	t.Cleanup(srv.Close)
	b := offline(t, s3.Options{Endpoint: srv.URL, PathStyle: true})

	states := map[string]string{
		"ridecopilot-cors": s3.Missing, "ridecopilot-uploads": s3.Different,
		"ridecopilot-media": s3.Missing, "public access block": s3.Different,
	}
	for _, apply := range []bool{false, true} {
		for rule, c := range setup(t, b, apply, "https://app.example.com") {
			if c.State != states[rule] || c.Applied != apply || c.After == "" || (c.Before == "") != (c.State == s3.Missing) {
				t.Errorf("apply %t: %+v", apply, c)
			}
		}
	}
	if store.written != 3 {
		t.Errorf("%d rules written, want 3", store.written)
	}
	for rule, c := range setup(t, b, true, "https://app.example.com") {
		if c.State != s3.InPlace || c.Applied || c.Before != c.After {
			t.Errorf("%s, the second time: %+v", rule, c)
		}
	}
	if store.written != 3 {
		t.Errorf("the second time something was written")
	}
	for _, want := range []string{
		"<ID>theirs</ID>", "<Filter><Prefix>logs/</Prefix></Filter>", "<StorageClass>GLACIER</StorageClass>", "<Prefix>uploads/</Prefix>", "<Prefix>media/</Prefix>",
		"<Days>2</Days>", "<DaysAfterInitiation>1</DaysAfterInitiation>", "<NoncurrentDays>1</NoncurrentDays>",
		"<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>",
	} {
		if !strings.Contains(store.kept["lifecycle"], want) {
			t.Errorf("lifecycle rules %s have no %s", store.kept["lifecycle"], want)
		}
	}
	if strings.Contains(store.kept["lifecycle"], "Disabled") || strings.Count(store.kept["publicAccessBlock"], "true") != 4 {
		t.Errorf("rules %s", store.kept)
	}

	// Without origins the last CORS rule goes, and with it the whole list.
	for _, apply := range []bool{false, true} {
		if c := setup(t, b, apply)["ridecopilot-cors"]; c.State != s3.Unwanted || c.Before == "" || c.After != "" || c.Applied != apply {
			t.Errorf("apply %t without origins: %+v", apply, c)
		}
	}
	if text, ok := store.kept["cors"]; ok || store.written != 3 {
		t.Errorf("left: %s, %d rules written", text, store.written)
	}
}
