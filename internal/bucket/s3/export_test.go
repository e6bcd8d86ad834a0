package s3

import "net/http"

// NewHTTPClient makes the client that talks to the store.
func NewHTTPClient() *http.Client { return newHTTPClient() }
