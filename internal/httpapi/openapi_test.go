package httpapi_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/httpapi"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestOpenAPI_Golden keeps docs/openapi.yaml what the server says of itself.
func TestOpenAPI_Golden(t *testing.T) {
	got, err := httpapi.New(httpapi.Options{}).DescriptionYAML()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "docs", "openapi.yaml")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/openapi.yaml is not what the server says of itself: run make schema and look at what changed")
	}
}

func TestOpenAPI_Complete(t *testing.T) {
	doc := httpapi.New(httpapi.Options{}).OpenAPI()
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi = %q, want 3.1.0", doc.OpenAPI)
	}
	for name := range doc.Components.Schemas.Map() {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Errorf("schema %q has a name that descriptions may not have", name)
		}
	}
	for name, want := range map[string]string{
		"CarPostBody": "[make model year price price_period]", "CarPostBodyPatch": "[]", "EntryBody": "[app_income]", "ItemBody": "[category amount]",
		"DocumentBodyPatch": "[]", "SettingsBody": "[]", "RegisterBody": "[name email password]", "LogoutBody": "[]",
	} {
		if got := fmt.Sprint(doc.Components.Schemas.Map()[name].Required); got != want {
			t.Errorf("%s requires %s, want %s", name, got, want)
		}
	}
	for path, item := range doc.Paths {
		for method, op := range map[string]any{"get": item.Get, "post": item.Post, "put": item.Put, "patch": item.Patch, "delete": item.Delete} {
			b, err := json.Marshal(op)
			if err != nil {
				t.Fatal(err)
			}
			if string(b) == "null" {
				continue
			}
			var o struct {
				Summary     string
				Description string
				OperationID string `json:"operationId"`
				Parameters  []struct {
					Name string
				}
				RequestBody *struct{ Content map[string]any }
				Responses   map[string]struct {
					Description string
					Content     map[string]struct {
						Schema  any
						Example any
					}
				}
			}
			if err := json.Unmarshal(b, &o); err != nil {
				t.Fatal(err)
			}
			what := method + " " + path
			if o.Summary == "" || o.Description == "" || o.OperationID == "" {
				t.Errorf("%s: summary, description or operation id is missing", what)
			}
			if (method == "post" || method == "put" || method == "patch") && o.RequestBody == nil &&
				!strings.HasSuffix(path, "/favorite/") && !strings.HasSuffix(path, "/logout-all/") && !strings.HasSuffix(path, "/complete/") {
				t.Errorf("%s: no request body", what)
			}
			if o.Responses["422"].Description != "" && method != "post" {
				t.Errorf("%s lists 422, which is for idempotency keys alone", what)
			}
			for status, r := range o.Responses {
				for media, c := range r.Content {
					if c.Schema == nil {
						t.Errorf("%s: %s %s has no schema", what, status, media)
					}
					if media == "application/problem+json" && c.Example == nil {
						t.Errorf("%s: %s has no example", what, status)
					}
				}
			}
		}
	}
}

// TestOpenAPI_Arrays holds that no array is nullable: clients in strict languages
// would have to ask of each whether it is there. The harness holds every answer of
// every test to its schema.
func TestOpenAPI_Arrays(t *testing.T) {
	var doc any
	if err := json.Unmarshal(httpapi.New(httpapi.Options{}).Description(), &doc); err != nil {
		t.Fatal(err)
	}
	arrays := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			types, several := v["type"].([]any)
			if v["type"] == "array" {
				arrays++
			}
			if several && slices.Contains(types, any("array")) {
				t.Errorf("%s may be %v", path, types)
			}
			for name, inner := range v {
				walk(path+"/"+name, inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprint(path, "/", i), inner)
			}
		}
	}
	walk("", doc)
	if arrays < 20 {
		t.Errorf("only %d arrays were looked at", arrays)
	}
}

// A parameter of the query that an operation does not have is refused by name, at
// every operation; the same for a query that cannot be read.
func TestUnknownParameters(t *testing.T) {
	w := newWorld(t, storetest.New(t))
	c := w.person()
	for _, r := range w.api.Routes() {
		path := strings.NewReplacer("{id}", "1", "{photo}", "1", "{file}", "1").Replace(r.Path)
		for query, want := range map[string]string{"?pgae=2&_=1": "pgae unknown", "?page=%zz": " unreadable"} {
			if res := c.do(r.Method, path+query, nil); res.status != 400 || !strings.Contains(res.fields(), want) {
				t.Errorf("%s %s%s = %d %s", r.Method, path, query, res.status, res.body)
			}
		}
	}
	if got := c.get("/api/calculator/?days=7&days=8").want(400).errors(); got != "days duplicate" {
		t.Errorf("errors = %q", got)
	}
	// The case counts, as it does in bodies.
	if got := c.get("/api/carposts/?Page=2").want(400).errors(); got != "Page unknown" {
		t.Errorf("errors = %q", got)
	}
}

// TestRoutes_Z5 holds the table of routes, and who may call them, against the
// running router.
func TestRoutes_Z5(t *testing.T) {
	open := []string{
		"POST /api/auth/register/", "POST /api/auth/login/", "POST /api/auth/token/", "POST /api/auth/token/refresh/",
		"POST /api/auth/token/verify/", "POST /api/auth/logout/", "POST /api/auth/password/reset/", "POST /api/auth/password/reset/confirm/",
		"POST /api/auth/email/verify/", "POST /api/auth/email/verify/resend/", "GET /api/openapi.json", "GET /api/openapi.yaml", "GET /api/",
	}
	w := newWorld(t, storetest.New(t))
	routes := w.api.Routes()
	if len(routes) < 45 {
		t.Fatalf("%d routes, want the whole API", len(routes))
	}
	for _, r := range routes {
		name := r.Method + " " + r.Path
		if r.Open != slices.Contains(open, name) {
			t.Errorf("%s: open = %v, want %v", name, r.Open, !r.Open)
		}
		if r.Open {
			continue
		}
		res := w.anyone().do(r.Method, strings.ReplaceAll(r.Path, "{id}", "1"), nil)
		if res.status != http.StatusUnauthorized || res.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s without a credential = %d, want 401 with WWW-Authenticate", name, res.status)
		}
	}
}
