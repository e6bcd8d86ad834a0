package buckettest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Mode is how a store fails.
type Mode int32

// The modes of Faults.
const (
	Pass      Mode = iota // as the store does
	Refuse                // 503 SlowDown to everything
	Hang                  // no answer until released
	Cut                   // half of every body, then the connection is closed
	Slow                  // half of every body, the rest when released
	Lie                   // writes are acknowledged and not made; reads give other bytes of the same length
	Short                 // reads give fewer bytes, and say that this is all
	Full                  // no room for any write
	Move                  // redirects to another store, which is counted
	Secretive             // 403 to the question whether versions are kept
)

// Faults stands in front of a store's endpoint, and fails as it is told. It
// passes on the Host that clients sign.
type Faults struct {
	URL string

	target  string
	mode    atomic.Int32
	calls   atomic.Int64
	strayed atomic.Int64

	mu   sync.Mutex
	hold chan struct{} // closed to release
}

// NewFaults starts a proxy in front of target, an address like "http://host:1".
func NewFaults(t testing.TB, target string) *Faults {
	t.Helper()
	f := &Faults{target: target, hold: make(chan struct{})}
	srv := httptest.NewServer(f)
	f.URL = srv.URL
	t.Cleanup(func() {
		f.Release()
		srv.Close()
	})
	return f
}

// Set makes the store fail in a way from now on.
func (f *Faults) Set(m Mode) { f.mode.Store(int32(m)) }

// Calls is how many requests there were since the last time that it was asked.
func (f *Faults) Calls() int64 { return f.calls.Swap(0) }

// Strayed is how many requests followed a redirect.
func (f *Faults) Strayed() int64 { return f.strayed.Load() }

// Release lets go of all that hangs now.
func (f *Faults) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.hold)
	f.hold = make(chan struct{})
}

// holding is what a request is held by. It is taken before the client hears
// anything: a release that the client asks for then cannot come too early.
func (f *Faults) holding() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hold
}

func wait(r *http.Request, hold <-chan struct{}) {
	select {
	case <-hold:
	case <-r.Context().Done():
	}
}

func problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>a fault of the test</Message></Error>`)
}

// ServeHTTP implements http.Handler.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hold := f.holding()
	f.calls.Add(1)
	if r.URL.Path == "/strayed" {
		f.strayed.Add(1)
		return
	}
	writes := r.Method != http.MethodGet && r.Method != http.MethodHead
	mode := Mode(f.mode.Load())
	// The whole request first: without it the server does not see a client go.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch {
	case mode == Refuse:
		problem(w, http.StatusServiceUnavailable, "SlowDown")
	case mode == Secretive && r.URL.Query().Has("versioning"):
		problem(w, http.StatusForbidden, "AccessDenied")
	case mode == Hang:
		wait(r, hold)
		panic(http.ErrAbortHandler)
	case mode == Move:
		http.Redirect(w, r, f.URL+"/strayed", http.StatusTemporaryRedirect)
	case mode == Full && writes:
		problem(w, http.StatusInsufficientStorage, "XMinioStorageFull")
	case mode == Lie && r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case mode == Lie && r.Header.Get("X-Amz-Copy-Source") != "":
		io.WriteString(w, `<CopyObjectResult><ETag>"made-up"</ETag></CopyObjectResult>`)
	case mode == Lie && writes:
		w.Header().Set("ETag", `"made-up"`)
	default:
		f.pass(w, r, body, mode, hold)
	}
}

// pass asks the store, and hands its answer on.
func (f *Faults) pass(w http.ResponseWriter, r *http.Request, body []byte, mode Mode, hold <-chan struct{}) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, f.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	out.Host = r.Host
	res, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	reads := r.Method == http.MethodGet && res.StatusCode == http.StatusOK && len(answer) > 1
	half := len(answer) / 2
	switch {
	case mode == Lie && reads:
		answer[half] ^= 1
	case mode == Short && reads:
		answer = answer[:half]
	}
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	if r.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	}
	w.WriteHeader(res.StatusCode)
	if (mode == Cut || mode == Slow) && len(answer) > 0 {
		w.Write(answer[:half])
		http.NewResponseController(w).Flush()
		if mode == Cut {
			panic(http.ErrAbortHandler)
		}
		wait(r, hold)
		answer = answer[half:]
	}
	w.Write(answer)
}
