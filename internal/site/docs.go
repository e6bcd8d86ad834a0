package site

import (
	"encoding/json"
	"net/http"
)

// docsPath is where the page of the API's description lives.
const docsPath = "/api/docs/"

// docsCSP is that of the pages, and our own scripts, which read the description
// and try operations out on this very server. Nothing is evaluated.
const docsCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

// docsURLs is what docs/index.html needs to know.
type docsURLs struct {
	Description, Library, LibraryStyle, Script, Style string
}

// docs are the page and its files by their paths, and where the page finds them.
type docs struct {
	routes map[string]route
	urls   docsURLs
}

func (s *Site) newDocs(openAPI func() []byte) docs {
	routes := map[string]route{docsPath: {get: s.docsPage}}
	put := func(a *asset) string {
		routes[docsPath+a.name] = route{get: a.forever}
		return docsPath + a.name
	}
	const js, css, text = "text/javascript; charset=utf-8", "text/css; charset=utf-8", "text/plain; charset=utf-8"
	urls := docsURLs{
		Description:  "/api/openapi.json",
		Library:      put(zippedAsset("swagger-ui-bundle.js", js, mustRead("docs/swagger-ui/swagger-ui-bundle.js.gz"))),
		LibraryStyle: put(zippedAsset("swagger-ui.css", css, mustRead("docs/swagger-ui/swagger-ui.css.gz"))),
		Script:       put(newAsset("docs.js", js, mustRead("docs/docs.js"))),
		Style:        put(newAsset("docs.css", css, mustRead("docs/docs.css"))),
	}
	if openAPI != nil {
		urls.Description = put(newAsset("openapi.json", "application/json", openAPI()))
	}
	for _, name := range []string{"LICENSE", "NOTICE", "THIRD-PARTY"} {
		routes[docsPath+name] = route{get: newAsset(name, text, mustRead("docs/swagger-ui/"+name)).forADay}
	}
	return docs{routes, urls}
}

// Docs serves /api/docs/ and what is below it: the description of the API, to be
// read and tried out with no network but the way to this server.
func (s *Site) Docs() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pageHeaders(w.Header(), docsCSP)
		rt, ok := s.docs().routes[r.URL.Path]
		if !ok {
			if r.URL.Path+"/" == docsPath {
				addSlash(w, r)
				return
			}
			problem(w, r, http.StatusNotFound, "not_found", "There is nothing here.")
			return
		}
		r.Pattern = r.URL.Path
		if !rt.serve(w, r) {
			problem(w, r, http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed.")
		}
	})
}

func (s *Site) docsPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "index.html", s.docs().urls)
}

// problem answers below /api/ in the shape that all of the API has (I8).
func problem(w http.ResponseWriter, r *http.Request, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
	}{code, http.StatusText(status), status, detail, r.Header.Get("X-Request-Id")}) // fails only if the client has gone
}
