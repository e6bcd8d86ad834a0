package httpapi

import (
	"context"
	"strings"
)

// rootOut is the answer of GET /api/.
type rootOut struct {
	Name    string    `json:"name" example:"Ridecopilot"`
	Version string    `json:"version" doc:"Of the API." example:"2.0.0"`
	Links   rootLinks `json:"links"`
}

// rootLinks are absolute addresses.
type rootLinks struct {
	Docs        string `json:"docs" format:"uri" doc:"The description as pages." example:"https://copilot.example/api/docs/"`
	OpenAPI     string `json:"openapi" format:"uri" doc:"The description as JSON (OpenAPI 3.1)." example:"https://copilot.example/api/openapi.json"`
	OpenAPIYAML string `json:"openapi_yaml" format:"uri" doc:"The same as YAML." example:"https://copilot.example/api/openapi.yaml"`
	Login       string `json:"login" format:"uri" example:"https://copilot.example/api/auth/login/"`
	Register    string `json:"register" format:"uri" example:"https://copilot.example/api/auth/register/"`
	User        string `json:"user" format:"uri" example:"https://copilot.example/api/user/"`
	CarPosts    string `json:"carposts" format:"uri" example:"https://copilot.example/api/carposts/"`
	Calculator  string `json:"calculator" format:"uri" example:"https://copilot.example/api/calculator/"`
	Documents   string `json:"documents" format:"uri" example:"https://copilot.example/api/documents/"`
	Settings    string `json:"settings" format:"uri" example:"https://copilot.example/api/settings/"`
	Health      string `json:"health" format:"uri" example:"https://copilot.example/health/"`
}

// root serves GET /api/.
func (a *API) root(context.Context, *struct{}) (*out[rootOut], error) {
	at := func(path string) string { return strings.TrimSuffix(a.PublicURL.String(), "/") + path }
	return &out[rootOut]{Body: rootOut{
		Name: "Ridecopilot", Version: Version,
		Links: rootLinks{
			Docs: at("/api/docs/"), OpenAPI: at("/api/openapi.json"), OpenAPIYAML: at("/api/openapi.yaml"),
			Login: at("/api/auth/login/"), Register: at("/api/auth/register/"), User: at("/api/user/"), CarPosts: at("/api/carposts/"),
			Calculator: at("/api/calculator/"), Documents: at("/api/documents/"), Settings: at("/api/settings/"), Health: at("/health/"),
		},
	}}, nil
}
