package httpapi

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// finishDescription says what the types of the operations do not.
func (a *API) finishDescription() {
	doc := a.huma.OpenAPI()
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				finishOperation(doc.Components.Schemas, op)
			}
		}
	}
}

func finishOperation(r huma.Registry, op *huma.Operation) {
	if op.Method == http.MethodPatch {
		media := op.RequestBody.Content[jsonType]
		media.Schema = patchSchema(r, media.Schema)
	}
	if op.Metadata[metaCreates] == true {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: "string", MaxLength: new(255), MinLength: new(1)},
			Description: "The same key and body within 24 hours gives the first answer again; the same key with another body is 422.",
		})
	} else {
		delete(op.Responses, "422") // the library's own status for what is 400 here
	}
	for status, r := range op.Responses {
		if problem := r.Content["application/problem+json"]; problem != nil {
			problem.Example = exampleProblem(status)
		}
		if status == "429" || status == "503" {
			r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait.", Schema: &huma.Schema{Type: "integer"}}}
		}
		if code, _ := strconv.Atoi(status); code < 300 && r.Content["application/json"] != nil {
			headers := map[string]*huma.Param{"ETag": {Description: "Names this very answer.", Schema: &huma.Schema{Type: "string"}}}
			if code == http.StatusCreated {
				headers["Location"] = &huma.Param{Description: "Where the new object is.", Schema: &huma.Schema{Type: "string", Format: "uri"}}
			}
			r.Headers = headers
		}
	}
	switch op.OperationID {
	case "register":
		op.Responses["202"] = &huma.Response{Description: "Accepted; nothing is said about the address (where addresses must be confirmed first)."}
	case "import-entries":
		op.RequestBody.Content[csvType].Schema = &huma.Schema{Type: "string", Examples: []any{"date,platform,app_income\n2026-05-04,Uber,420.00\n"}}
	case "export-entries":
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{csvType: {Schema: &huma.Schema{Type: "string"}}}}
	case "export-user":
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	}
	if op.Method == http.MethodGet && op.Responses["200"] != nil && op.Responses["200"].Content["application/json"] != nil {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: "string"}, Description: "The ETag that you have: 304 when nothing has changed.",
		})
		op.Responses["304"] = &huma.Response{Description: "Nothing has changed."}
	}
}

// exampleProblems are the problem documents of the statuses that have one.
var exampleProblems = map[string]problem{
	"400": {Type: "invalid", Detail: "The input is not valid."},
	"401": {Type: "unauthenticated", Detail: "Sign in first: the credential is missing, wrong, or no longer valid."},
	"403": {Type: "forbidden", Detail: "Only its owner may change this car post."},
	"404": {Type: "not_found", Detail: "There is no such car post."},
	"409": {Type: "conflict", Detail: "You have 200 car posts, which is the limit. Delete one first."},
	"412": {Type: "precondition_failed", Detail: "It has changed since you read it. Read it again and repeat your change."},
	"413": {Type: "too_large", Detail: "The body is larger than 256 KiB."},
	"415": {Type: "unsupported_media", Detail: "Send the body as application/json in UTF-8."},
	"422": {Type: "idempotency_mismatch", Detail: "This Idempotency-Key was used with another request."},
	"429": {Type: "throttled", Detail: "Too many attempts. Try again later."},
	"500": {Type: "internal", Detail: "Something went wrong on our side. It has been noted."},
	"507": {Type: "storage_full", Detail: "There is no room for more files."},
	"503": {Type: "unavailable", Detail: "The server is busy. Try again shortly."},
}

// exampleProblem is a problem document of a status.
func exampleProblem(status string) any {
	p, ok := exampleProblems[status]
	if !ok {
		return nil
	}
	code, _ := strconv.Atoi(status)
	p.Status, p.Title, p.RequestID = code, http.StatusText(code), "f3a1c0de5b7d4e21"
	return p
}
