package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
)

// operation is a route and all that is said of it.
type operation struct {
	method, path string
	id           string
	tag          string
	summary      string
	description  string
	open         bool // may be called without a credential
	status       int  // of success; 0 is 200, or 204 without a body
	creates      bool // honours Idempotency-Key
	fresh        bool // … but its answer holds a permit, which is not kept: a repetition is given a new one
	stores       bool // needs room in the storage of files
	media        string
	maxBody      int64
	problems     []int // that it answers besides those that go without saying
}

// metaCreates marks the operations that honour an Idempotency-Key.
const metaCreates = "creates"

// The limits of bodies (promise I1).
const (
	maxJSON  = 256 << 10
	jsonType = "application/json"
)

// handle registers an operation with its handler; I and O are the types that
// requests and answers are decoded into and encoded from.
func handle[I, O any](a *API, o operation, handler func(context.Context, *I) (*O, error)) {
	if o.media == "" {
		o.media = jsonType
	}
	if o.maxBody == 0 {
		o.maxBody = maxJSON
	}
	known := map[string]bool{} // the parameters of the query
	op := huma.Operation{
		Method: o.method, Path: o.path, OperationID: o.id, Tags: []string{o.tag}, Summary: o.summary, Description: o.description,
		DefaultStatus: o.status, MaxBodyBytes: -1, BodyReadTimeout: -1, SkipValidateBody: true, SkipValidateParams: true,
		Errors:      o.problemStatuses(),
		Metadata:    map[string]any{metaCreates: o.creates},
		Middlewares: huma.Middlewares{a.enter(o, known)},
	}
	if !o.open {
		op.Security = []map[string][]string{{"bearer": {}}}
	}
	a.routes = append(a.routes, Route{o.method, o.path, o.open})
	defer func() { // Register derives the parameters from the type of the input
		for _, p := range operationAt(a.huma.OpenAPI(), o).Parameters {
			if p.In == "query" {
				known[p.Name] = true
			}
		}
	}()
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			r := call(ctx).r
			p := explain(err)
			a.logProblem(r, p)
			p.RequestID = requestID(r)
			p.headers(call(ctx).w.Header().Set)
			return nil, p
		}
		return out, nil
	})
}

// problemStatuses are the errors that the description lists.
func (o operation) problemStatuses() []int {
	list := append([]int{http.StatusBadRequest, http.StatusServiceUnavailable}, o.problems...)
	if !o.open {
		list = append(list, http.StatusUnauthorized)
	}
	if strings.Contains(o.path, "{") {
		list = append(list, http.StatusNotFound)
	}
	if o.method != http.MethodGet {
		list = append(list, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if o.creates {
		list = append(list, http.StatusUnprocessableEntity)
	}
	if o.stores {
		list = append(list, http.StatusConflict, http.StatusInsufficientStorage)
	}
	return list
}

// callInfo is what an operation knows of its request besides its input.
type callInfo struct {
	r     *http.Request
	w     *answer
	by    account.Actor
	known account.Principal
}

type callKey struct{}

func call(ctx context.Context) *callInfo {
	c, ok := ctx.Value(callKey{}).(*callInfo)
	if !ok { // every operation is entered through enter
		panic("httpapi: operation without its call")
	}
	return c
}

// actor is who makes the request.
func actor(ctx context.Context) account.Actor { return call(ctx).by }

// requestURL is the path and query of the request.
func requestURL(ctx context.Context) *url.URL { return call(ctx).r.URL }

// enter is what comes before every operation: who is it, what does the body
// hold, and was it answered before.
func (a *API) enter(o operation, known map[string]bool) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		out, ok := w.(*answer)
		if !ok { // ServeHTTP wraps every writer
			panic("httpapi: operation outside ServeHTTP")
		}
		c := &callInfo{r: r, w: out, by: account.Actor{Source: account.SourceAPI, Address: r.RemoteAddr, Device: r.UserAgent()}}
		if err := a.identify(c, o.open); err != nil {
			a.fail(w, r, err)
			return
		}
		for _, name := range []string{"id", "photo", "file"} {
			if id := r.PathValue(name); id != "" && !plainID(id) {
				a.fail(w, r, fault.New(fault.NotFound, "There is nothing at this address."))
				return
			}
		}
		if err := checkQuery(r.URL.RawQuery, known); err != nil {
			a.fail(w, r, err)
			return
		}
		raw, err := readBody(r, o)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		ctx = huma.WithValue(ctx, callKey{}, c)
		if key := r.Header.Get("Idempotency-Key"); o.creates && key != "" {
			a.onlyOnce(c, o, key, raw, func() { next(ctx) })
			return
		}
		next(ctx)
	}
}

// operationAt finds an operation in the description.
func operationAt(doc *huma.OpenAPI, o operation) *huma.Operation {
	item := doc.Paths[o.path]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[o.method]
}

// checkQuery refuses parameters that the operation does not have, as unknown
// fields of a body are refused: a filter with a typo must not be lost silently.
func checkQuery(raw string, known map[string]bool) error {
	if raw == "" {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return fault.InvalidField("", "unreadable", "The query cannot be read.")
	}
	var bad fault.Fields
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch shown, values := strings.ToValidUTF8(name, "\ufffd"), query[name]; {
		case !known[name]:
			bad.Add(shown, "unknown", "There is no such parameter.")
		case len(values) > 1:
			bad.Add(shown, "duplicate", "This parameter stands in the query more than once.")
		}
	}
	return bad.Err()
}

// plainID tells whether a path names an object in the one way there is: "+1" and
// "01" are no names of object 1 (promise I9).
func plainID(id string) bool {
	return id[0] >= '1' && id[0] <= '9' && strings.Trim(id, "0123456789") == ""
}

// identify finds out who makes the request. A credential counts in the
// Authorization header alone (promise T20); one that is sent to an open route
// is looked at only where the route asks.
func (a *API) identify(c *callInfo, open bool) error {
	token, given, err := bearer(c.r)
	if open && (!given || err != nil) {
		return nil //nolint:nilerr // on an open route a bad credential is as good as none
	}
	if err != nil {
		return err
	}
	p, err := a.Accounts.Authenticate(c.r.Context(), account.SessionAPI, token)
	if err != nil {
		if open && errors.Is(err, fault.Unauthenticated) {
			return nil
		}
		return err
	}
	c.known = p
	c.by.ID, c.by.SessionID = p.User.ID, p.Session.ID
	return nil
}

// bearer reads the Authorization header.
func bearer(r *http.Request) (token string, given bool, err error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", len(values) > 0, account.ErrUnauthenticated
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", true, account.ErrUnauthenticated
	}
	return token, true, nil
}

// readBody reads the whole body, within its limit and of its type only, and
// checks that a JSON body can be understood in one way only. What it has read
// stands in the request again for the decoder.
func readBody(r *http.Request, o operation) ([]byte, error) {
	if r.ContentLength > o.maxBody { // before a client that waits for "100 Continue" sends it
		return nil, tooLarge(o.maxBody)
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, o.maxBody+1))
	switch {
	case err != nil:
		if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge(e.Limit)
		}
		return nil, fault.InvalidField("", "unreadable", "The request could not be read to its end.")
	case int64(len(raw)) > o.maxBody:
		return nil, tooLarge(o.maxBody)
	case len(raw) == 0 && (o.method == http.MethodPatch || o.media != jsonType):
		return nil, fault.InvalidField("", "required", "Send a body.")
	case len(raw) == 0 && (o.method == http.MethodPost || o.method == http.MethodPut):
		// Nothing sent is nothing said: every missing field is named.
		r.Body = io.NopCloser(strings.NewReader("{}"))
		return nil, nil
	case len(raw) == 0:
		return nil, nil
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	right := media == o.media
	charset := strings.ToLower(params["charset"])
	if o.media == csvType { // the text tells its encoding by itself
		if right = slices.Contains(csvTypes, media); strings.HasPrefix(charset, "utf-16") {
			charset = ""
		}
	}
	if err != nil || !right || (charset != "" && charset != "utf-8") {
		return nil, fault.New(fault.Unsupported, "Send the body as "+o.media+" in UTF-8.")
	}
	if media == jsonType {
		if err := jsonbody.Check(raw); err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", jsonType)
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return raw, nil
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "The body is larger than "+strconv.FormatInt(limit>>10, 10)+" KiB.")
}

// onlyOnce runs a creation under an idempotency key: what was answered before
// is answered again, and a new answer is kept.
func (a *API) onlyOnce(c *callInfo, o operation, key string, raw []byte, run func()) {
	if len(key) > account.MaxText || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		a.fail(c.w, c.r, fault.InvalidField("Idempotency-Key", "invalid", "Ensure this header has at most 255 characters, all of them printable ASCII."))
		return
	}
	// The type belongs to the request: the same bytes may mean something else.
	hash := sha256.Sum256(raw)
	c.by.Once = account.Once{Key: key, Route: o.method + " " + c.r.URL.Path, RequestHash: hex.EncodeToString(hash[:])}
	ctx := c.r.Context()
	if o.fresh { // the creation itself finds what it made
		run()
		return
	}
	before, err := a.Answers.Answered(ctx, c.by, a.Now())
	if err != nil {
		a.fail(c.w, c.r, err)
		return
	}
	if before != nil {
		a.again(c.w, *before)
		return
	}
	run()
	if c.w.status < 200 || c.w.status > 299 {
		return // nothing was made
	}
	c.w.tag()
	h := c.w.Header()
	err = a.Answers.KeepAnswer(ctx, c.by, account.Answer{Status: c.w.status, Location: h.Get("Location"), ETag: h.Get(versionHeader), Body: c.w.body.Bytes()})
	if err != nil { // a repetition will be answered from what was made
		a.Log.WarnContext(ctx, "answer not kept", "route", c.r.Pattern, "err", err)
	}
}

// replayedHeader marks the answer of a repetition under an idempotency key.
const replayedHeader = "Idempotent-Replayed"

// again gives an answer a second time.
func (a *API) again(w *answer, before account.Answer) {
	h := w.Header()
	if before.Location != "" {
		h.Set("Location", before.Location)
	}
	if before.ETag != "" {
		h.Set(versionHeader, before.ETag)
	}
	h.Set(replayedHeader, "true")
	if len(before.Body) > 0 {
		h.Set("Content-Type", jsonType)
	}
	w.WriteHeader(before.Status)
	_, _ = w.Write(before.Body) // a buffer
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
