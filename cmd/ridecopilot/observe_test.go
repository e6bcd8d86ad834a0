package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/media/mediatest"
)

// collector takes traces as one of OpenTelemetry does.
type collector struct {
	url string

	mu    sync.Mutex
	raw   bytes.Buffer // everything that was sent
	spans []*tracepb.Span
	from  map[string]string // the attributes of the resource
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{from: map[string]string{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent coltracepb.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		for _, rs := range sent.GetResourceSpans() {
			for _, a := range rs.GetResource().GetAttributes() {
				c.from[a.GetKey()] = a.GetValue().GetStringValue()
			}
			for _, ss := range rs.GetScopeSpans() {
				c.spans = append(c.spans, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

// roots are the spans of a name that have no parent.
func (c *collector) roots(name *regexp.Regexp) (found []*tracepb.Span) {
	for _, s := range c.spans {
		if len(s.GetParentSpanId()) == 0 && name.MatchString(s.GetName()) {
			found = append(found, s)
		}
	}
	return found
}

// below are the spans below a span, each with how deep it lies, in order of time.
func (c *collector) below(parent *tracepb.Span, depth int, visit func(s *tracepb.Span, depth int)) {
	var children []*tracepb.Span
	for _, s := range c.spans {
		if bytes.Equal(s.GetParentSpanId(), parent.GetSpanId()) && bytes.Equal(s.GetTraceId(), parent.GetTraceId()) {
			children = append(children, s)
		}
	}
	slices.SortFunc(children, func(a, b *tracepb.Span) int { return int(a.GetStartTimeUnixNano()) - int(b.GetStartTimeUnixNano()) })
	for _, s := range children {
		visit(s, depth)
		c.below(s, depth+1, visit)
	}
}

// statements are the statements below a span.
func (c *collector) statements(root *tracepb.Span) (texts []string) {
	c.below(root, 1, func(s *tracepb.Span, _ int) { texts = append(texts, attribute(s, "db.query.text").GetStringValue()) })
	return texts
}

func attribute(s *tracepb.Span, key string) *commonpb.AnyValue {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue()
		}
	}
	return nil
}

func keys(s *tracepb.Span) (names []string) {
	for _, a := range s.GetAttributes() {
		names = append(names, a.GetKey())
	}
	slices.Sort(names)
	return names
}

// tree is a trace, to look at.
func (c *collector) tree(root *tracepb.Span) string {
	var b strings.Builder
	show := func(s *tracepb.Span, depth int) {
		fmt.Fprintf(&b, "%s%s  %.1f ms", strings.Repeat("  ", depth), s.GetName(), float64(s.GetEndTimeUnixNano()-s.GetStartTimeUnixNano())/1e6)
		if text := attribute(s, "db.query.text").GetStringValue(); text != "" {
			fmt.Fprintf(&b, "  %.90s", text)
		}
		b.WriteByte('\n')
	}
	show(root, 0)
	c.below(root, 1, show)
	return b.String()
}

// lines are the lines of a log in JSON that have the message.
func lines(t *testing.T, log, msg string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("the log has a line that is no JSON: %s", line)
		}
		if one["msg"] == msg {
			found = append(found, one)
		}
	}
	return found
}

// photographed posts a car with a photo, and returns the permit that the photo
// was uploaded with. The request that completes it has the headers.
func photographed(t *testing.T, base, token string, headers ...string) (fields map[string]string, photo string) {
	t.Helper()
	raw := mediatest.JPEG(400, 300)
	_, body := ask(t, http.MethodPost, base+"/api/carposts/", token, `{"make":"Dacia","model":"Logan","year":2020,"price":"1","price_period":"day"}`)
	var made struct{ ID int64 }
	decode(t, body, &made)
	photos := fmt.Sprintf("%s/api/carposts/%d/photos/", base, made.ID)
	_, body = ask(t, http.MethodPost, photos, token, fmt.Sprintf(`{"file_name":"a.jpg","content_type":"image/jpeg","size":%d}`, len(raw)))
	var begun struct {
		ID     int64
		Upload struct {
			URL    string
			Fields map[string]string
		}
	}
	decode(t, body, &begun)
	if res := buckettest.Post(t, permitOf(begun.Upload.URL, begun.Upload.Fields), raw, nil); res.StatusCode >= 300 {
		t.Fatalf("upload = %d", res.StatusCode)
	}
	photo = fmt.Sprintf("%s%d/", photos, begun.ID)
	if status, body := ask(t, http.MethodPost, photo+"complete/", token, "", headers...); status != http.StatusOK {
		t.Fatalf("complete = %d %s", status, body)
	}
	return begun.Upload.Fields, photo
}

// becomes waits until an answer has a word.
func becomes(t *testing.T, address, token, word string) string {
	t.Helper()
	for range 3000 {
		if _, body := ask(t, http.MethodGet, address, token, ""); strings.Contains(body, word) {
			return body
		}
	}
	t.Fatalf("%s does not get %s", address, word)
	return ""
}

const theirTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// TestTraces: one request is one trace, through HTTP, SQL and the storage, with
// the job that it has made necessary; and no trace tells a secret (promise P4).
func TestTraces_P4(t *testing.T) {
	storages(t, func(t *testing.T, env []string, args ...string) {
		c := newCollector(t)
		t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
		s := serve(t, append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.url), args...)
		token := signUp(t, s.base, "ana@example.com")
		fields, photo := photographed(t, s.base, token, "traceparent", "00-"+theirTrace+"-00f067aa0ba902b7-01", "tracestate", "vendor=tell-tale")
		body := becomes(t, photo, token, `"state":"ready"`)
		var ready struct{ URL string }
		decode(t, body, &ready)
		ask(t, http.MethodGet, s.base+"/api/carposts/", token, "")
		ask(t, http.MethodPost, s.base+"/api/auth/password/reset/", "", `{"email":"ana@example.com"}`)
		link, ok := s.err.Find(`"file":"([^"]*\.eml)"`, s.done)
		if !ok {
			t.Fatal("no mail")
		}
		s.stop(t) // sends what is left

		complete := regexp.MustCompile(`^POST /api/carposts/\{\w+\}/photos/\{\w+\}/complete/$`)
		roots := c.roots(complete)
		if len(roots) != 1 {
			var names []string
			for _, s := range c.spans {
				names = append(names, s.GetName())
			}
			t.Fatalf("%d roots of the request, want 1, among %q", len(roots), names)
		}
		root := roots[0]
		t.Logf("the trace of one request:\n%s", c.tree(root))
		if got, want := strings.Join(keys(root), " "), "http.request.method http.response.status_code http.route request_id"; got != want {
			t.Errorf("the request tells %s, want %s", got, want)
		}
		// What the client says of a trace of its own is linked to, and not believed.
		if len(root.GetLinks()) != 1 || hex.EncodeToString(root.GetLinks()[0].GetTraceId()) != theirTrace || root.GetLinks()[0].GetTraceState() != "" {
			t.Errorf("links: %v", root.GetLinks())
		}
		if hex.EncodeToString(root.GetTraceId()) == theirTrace {
			t.Error("the request continues a trace of the client's")
		}
		direct, inJob := map[string]bool{}, map[string]bool{}
		var job *tracepb.Span
		c.below(root, 1, func(s *tracepb.Span, depth int) {
			if depth == 1 {
				direct[s.GetName()] = true
			}
			if s.GetName() == "job process_photo" {
				job = s
			}
		})
		if job == nil {
			t.Fatal("the job is not in the trace of its request")
		}
		c.below(job, 1, func(s *tracepb.Span, _ int) { inJob[s.GetName()] = true })
		for _, name := range []string{"SQL SELECT", "SQL UPDATE", "SQL BEGIN", "SQL COMMIT", "storage head", "storage copy"} {
			if !direct[name] {
				t.Errorf("no span %s below the request", name)
			}
		}
		for _, name := range []string{"SQL UPDATE", "storage open", "storage put"} {
			if !inJob[name] {
				t.Errorf("no span %s below the job", name)
			}
		}
		for _, list := range c.roots(regexp.MustCompile(`^GET /api/carposts/$`)) {
			if !strings.Contains(fmt.Sprint(c.statements(list)), "ORDER BY") {
				t.Errorf("no SELECT of the posts below their list:\n%s", c.tree(list))
			}
		}
		if len(c.roots(regexp.MustCompile("^(SQL|storage)"))) != 0 {
			t.Error("statements of nobody's request have traces of their own")
		}
		if len(c.roots(regexp.MustCompile("livez|readyz|health"))) != 0 {
			t.Error("probes are traced")
		}
		if c.from["service.name"] != "ridecopilot" || c.from["deployment.environment.name"] != "test" {
			t.Errorf("the service: %v", c.from)
		}
		found := false
		for _, l := range lines(t, s.err.String(), "request") {
			if complete.MatchString(fmt.Sprint(l["method"], " ", l["route"])) {
				found = l["trace_id"] == hex.EncodeToString(root.GetTraceId()) && l["request_id"] == attribute(root, "request_id").GetStringValue()
			}
		}
		if !found {
			t.Error("the line of the request does not name its trace")
		}

		text, err := os.ReadFile(link)
		if err != nil {
			t.Fatal(err)
		}
		reset := regexp.MustCompile(`token=(?:3D)?([\w-]{20})`).FindSubmatch(text)
		if reset == nil {
			t.Fatalf("no link in %s", text)
		}
		u, err := url.Parse(ready.URL)
		if err != nil {
			t.Fatal(err)
		}
		secrets := []string{token, "Drumul-Taberei-34", "ana@example.com", "Dumitrescu-Popa", "Logan", testSecret, string(reset[1]), u.RawQuery, u.Path, "tell-tale", "Go-http-client", "127.0.0.1"}
		for name, value := range fields {
			if name != "Content-Type" && len(value) > 8 {
				secrets = append(secrets, value)
			}
		}
		for _, secret := range secrets {
			if bytes.Contains(c.raw.Bytes(), []byte(secret)) {
				t.Errorf("the traces hold %q", secret)
			}
		}
	})
}

// A collector that refuses, or never answers, costs its traces and nothing else:
// requests are answered, and the server stops in time (promises O4 and O7).
func TestTraces_O4_O7(t *testing.T) {
	// Whoever waited for the collector would wait for longer than the test.
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "600000")
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
	arrived := make(chan struct{}, 100)
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request, released <-chan struct{}){
		"refuses": func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) {
			arrived <- struct{}{}
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "words-of-the-collector")
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request, released <-chan struct{}) {
			arrived <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body)
			<-released
		},
	} {
		t.Run(name, func(t *testing.T) {
			released := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, released) }))
			defer srv.Close()
			defer close(released)
			s := serve(t, append(sqlite(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+srv.URL+"/key-in-the-path"))
			token := signUp(t, s.base, "ana@example.com")
			<-arrived
			for range 50 { // many times what the queue holds
				if status, body := ask(t, http.MethodGet, s.base+"/api/user/", token, ""); status != http.StatusOK {
					t.Fatalf("user = %d %s", status, body)
				}
			}
			s.stop(t)
			log := s.err.String()
			if name == "refuses" && len(lines(t, log, "traces not sent")) == 0 {
				t.Error("nobody is told")
			}
			if strings.Contains(log, "key-in-the-path") || strings.Contains(log, "words-of-the-collector") {
				t.Errorf("the collector's address or answer is in the log (P4):\n%s", log)
			}
		})
	}
	t.Run("is gone", func(t *testing.T) {
		srv := httptest.NewServer(http.NotFoundHandler())
		srv.Close()
		s := serve(t, append(sqlite(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+srv.URL))
		signUp(t, s.base, "ana@example.com")
		s.stop(t)
		if len(lines(t, s.err.String(), "traces not sent")) == 0 {
			t.Error("nobody is told")
		}
	})
}

// The line of a request names its user by one keyed hash, through whichever door
// they came (promises P3 and P4); events have the id of their request.
func TestLog_P3_P4(t *testing.T) {
	env := sqlite(t)
	const pw = "Drumul-Taberei-34"
	command(t, env, pw+"\n", "createsuperuser", "--email", "boss@example.com", "--name", "Boss", "--password-stdin").ended(t, 0)
	s := serve(t, env)
	token, _ := signIn(t, s.base, "boss@example.com", pw)
	ask(t, http.MethodGet, s.base+"/api/user/", token, "")
	ask(t, http.MethodGet, s.base+"/api/user/", token+"x", "")
	jar := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var cookies []string
	for _, in := range []struct{ path, kind, body string }{
		{"/api/login", "application/json", `{"email":"boss@example.com","password":"` + pw + `"}`},
		{"/admin/login/", "application/x-www-form-urlencoded", url.Values{"email": {"boss@example.com"}, "password": {pw}}.Encode()},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+in.path, strings.NewReader(in.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", in.kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		res, err := jar.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(res.Cookies()) == 0 {
			t.Fatalf("%s = %d without a cookie", in.path, res.StatusCode)
		}
		cookies = append(cookies, res.Cookies()[0].Name+"="+res.Cookies()[0].Value)
	}
	ask(t, http.MethodGet, s.base+"/api/user", "", "", "Cookie", cookies[0], "Sec-Fetch-Site", "same-origin")
	ask(t, http.MethodGet, s.base+"/admin/", "", "", "Cookie", cookies[1])
	s.stop(t)

	users := map[string][]string{}
	requests := map[any]string{}
	for _, l := range lines(t, s.err.String(), "request") {
		user, ok := l["user"].(string)
		if !ok {
			t.Errorf("no user in %v", l)
		}
		route := l["method"].(string) + " " + l["route"].(string)
		users[route] = append(users[route], user)
		requests[l["request_id"]] = route
	}
	hash := users["GET /api/user/"][0]
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(hash) {
		t.Fatalf("user = %q", hash)
	}
	for route, want := range map[string][]string{"GET /api/user/": {hash, ""}, "GET /api/user": {hash}, "GET /admin/": {hash}, "POST /api/auth/login/": {""}} {
		if !slices.Equal(users[route], want) {
			t.Errorf("users of %s: %q, want %q", route, users[route], want)
		}
	}
	logins := map[string]bool{}
	for _, l := range lines(t, s.err.String(), "signed in") {
		logins[requests[l["request_id"]]] = true
	}
	if !logins["POST /api/auth/login/"] || !logins["POST /api/login"] || !logins["POST /admin/login/"] {
		t.Errorf("the events of signing in belong to %v", logins)
	}
}

// The log holds metrics of CloudWatch when it is asked to, as lines of its own.
func TestCloudWatch(t *testing.T) {
	engines(t, func(t *testing.T, env []string) {
		s := serve(t, append(env, "CLOUDWATCH_NAMESPACE=Ridecopilot/test"))
		for range 3 {
			ask(t, http.MethodGet, s.base+"/api/carposts/", "", "")
		}
		s.stop(t) // writes the last line
		figures := lines(t, s.err.String(), "metrics")
		if len(figures) != 1 {
			t.Fatalf("%d lines of metrics, want 1 in a life of less than a minute", len(figures))
		}
		last := figures[0]
		if n := last["http_requests_total"]; n != float64(len(lines(t, s.err.String(), "request"))+1) { // the probe is for debugging
			t.Errorf("%v requests in\n%s", n, s.err)
		}
		for _, name := range []string{"http_errors_total", "database_connections_in_use", "database_waits", "jobs_oldest_seconds", "removals_open", "disk_free_bytes"} {
			if _, ok := last[name].(float64); !ok {
				t.Errorf("%s = %v", name, last[name])
			}
		}
	})
	t.Run("not in words", func(t *testing.T) {
		command(t, append(sqlite(t), "CLOUDWATCH_NAMESPACE=x", "LOG_FORMAT=text"), "", "serve").ended(t, 2, "CLOUDWATCH_NAMESPACE needs LOG_FORMAT=json")
		command(t, append(sqlite(t), "CLOUDWATCH_NAMESPACE=AWS/x"), "", "serve").ended(t, 2, "does not begin with AWS/")
		command(t, append(sqlite(t), "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"), "", "serve").ended(t, 2, "OTEL_EXPORTER_OTLP_ENDPOINT must be")
		r := command(t, append(sqlite(t), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"), "", "config", "check")
		r.ended(t, 0, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	})
}

// metricsOf are the families that a server serves after it has done a bit of
// everything, those of the Go runtime and the process apart, and the names of all
// samples.
func metricsOf(t *testing.T, env []string, args ...string) (own, samples map[string]bool) {
	t.Helper()
	s := serve(t, env, append(args, "--metrics-addr", "127.0.0.1:0")...)
	address, ok := s.out.Find(`metrics     (http://\S+)\n`, s.done)
	if !ok {
		t.Fatalf("no address of metrics in %s", s.out)
	}
	token := signUp(t, s.base, "ana@example.com")
	_, photo := photographed(t, s.base, token)
	becomes(t, photo, token, `"state":"ready"`)
	ask(t, http.MethodGet, s.base+"//", "", "") // rejected
	for range 11 {
		signIn(t, s.base, "nobody@example.com", "Drumul-Taberei-34")
	}
	own, samples = map[string]bool{}, map[string]bool{}
	_, text := ask(t, http.MethodGet, address, "", "")
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`^(go|process|promhttp)_`).MatchString(m[1]) {
			own[m[1]] = true
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)[{ ]`).FindAllStringSubmatch(text, -1) {
		samples[m[1]] = true
	}
	for _, line := range []string{`throttled_total{limit="login"} 1`, `http_rejected_total{reason="path"} 1`, `storage_requests_total{operation="copy",outcome="ok"} 1`, `jobs_worked_total{kind="process_photo",outcome="done"} 1`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	for _, secret := range []string{"ana@example.com", "nobody@example.com", token, "127.0.0.1", ".jpg"} { // promise P4
		if strings.Contains(text, secret) {
			t.Errorf("the metrics hold %q", secret)
		}
	}
	return own, samples
}

// The table of docs/observability.md has every metric, the dashboard and the rules
// ask for none that is not there, and what P2 promises is among them.
func TestMetrics_P2(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { checkMetrics(t, sqlite(t)) })
	t.Run("postgres", func(t *testing.T) { checkMetrics(t, postgres(t), "--migrate") })
}

func checkMetrics(t *testing.T, env []string, args ...string) {
	own, samples := metricsOf(t, env, args...)
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## Metrics\n")
	table, _, _ = strings.Cut(table, "\n## ")
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		told[m[1]] = true
		if !own[m[1]] {
			t.Errorf("docs/observability.md tells of %s, which is not served", m[1])
		}
	}
	for name := range own {
		if !told[name] {
			t.Errorf("%s is not in the table of docs/observability.md", name)
		}
	}
	for _, name := range []string{"backup_age_seconds", "jobs_oldest_seconds", "database_waits", "throttled_total", "disk_free_bytes"} {
		if !own[name] {
			t.Errorf("P2: no %s", name)
		}
	}
	for _, file := range []string{"ridecopilot.json", "alerts.yml"} {
		text, err := os.ReadFile("../../deploy/grafana/" + file)
		if err != nil {
			t.Fatal(err)
		}
		expressions := regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(string(text), -1)
		if strings.HasSuffix(file, ".json") {
			expressions = nil
			var board any
			decode(t, string(text), &board)
			for _, e := range stringsUnder(board, "expr") {
				expressions = append(expressions, []string{"", e})
			}
		}
		asked := 0
		for _, e := range expressions {
			for _, name := range asksFor(e[1]) {
				asked++
				if !samples[name] {
					t.Errorf("%s asks for %s, which is not served: %s", file, name, e[1])
				}
			}
		}
		if asked < 10 {
			t.Errorf("%s asks for %d metrics: they were not found", file, asked)
		}
	}
}

// stringsUnder are the texts under a key, at any depth.
func stringsUnder(v any, key string) (found []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if text, ok := inner.(string); ok && k == key {
				found = append(found, text)
			}
			found = append(found, stringsUnder(inner, key)...)
		}
	case []any:
		for _, inner := range v {
			found = append(found, stringsUnder(inner, key)...)
		}
	}
	return found
}

// asksFor are the metrics of an expression of Prometheus: the words that are
// neither functions, nor labels, nor inside braces and brackets.
func asksFor(expression string) (names []string) {
	bare := regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)|"[^"]*"`).ReplaceAllString(expression, " ")
	for _, m := range regexp.MustCompile(`[a-zA-Z_]\w*\(?`).FindAllString(bare, -1) {
		if strings.HasSuffix(m, "(") || regexp.MustCompile(`^(sum|max|min|count|e\d+)$`).MatchString(m) {
			continue
		}
		names = append(names, m)
	}
	return names
}
