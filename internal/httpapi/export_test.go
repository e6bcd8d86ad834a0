package httpapi

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// OpenAPI lets tests hold answers against the description.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

// Exported for the fuzz tests.
var (
	ReadLines = readLines
)

// OpenCursor reads a cursor as the list of posts does.
func (a *API) OpenCursor(text string) error {
	_, err := a.openCursor(text, "posts created_at down")
	return err
}

// ApplyLine reads a line of an import as the details of an entry.
func ApplyLine(l csvLine, d *earnings.Details) fault.Fields { return l.apply(d) }
