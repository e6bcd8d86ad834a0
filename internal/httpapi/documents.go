package httpapi

import (
	"context"
	"slices"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

type documentOut struct {
	ID          int64           `json:"id" example:"1"`
	Type        string          `json:"type" enum:"driving_license,registration,insurance,inspection,taxi_permit,badge,medical,criminal_record,contract,other" example:"insurance"`
	Title       string          `json:"title" example:"RCA"`
	Number      string          `json:"number" example:"RO/25/H25/0012345"`
	Issuer      string          `json:"issuer" example:"Groupama"`
	IssuedOn    *calendar.Day   `json:"issued_on" nullable:"true"`
	ExpiresOn   *calendar.Day   `json:"expires_on" nullable:"true" doc:"The last day that it is valid."`
	Description string          `json:"description"`
	RemindDays  []int           `json:"remind_days" doc:"How many days before the expiry to remind by mail."`
	File        orNull[fileOut] `json:"file"`
	Status      string          `json:"status" enum:"valid,expiring,expired,no_expiry" doc:"On today's date in the user's time zone; expiring is within 30 days." example:"valid"`
	DaysLeft    *int            `json:"days_left" nullable:"true" doc:"From today to the last valid day; negative after it." example:"120"`
	CreatedAt   time.Time       `json:"created_at"`
	UpdatedAt   time.Time       `json:"updated_at"`
}

func newDocumentOut(d document.Document, today calendar.Day, link func(media.Upload) string) documentOut {
	leads := d.RemindDays
	if leads == nil {
		leads = []int{}
	}
	o := documentOut{
		ID: d.ID, Type: d.Type, Title: d.Title, Number: d.Number, Issuer: d.Issuer, IssuedOn: d.IssuedOn, ExpiresOn: d.ExpiresOn,
		Description: d.Description, RemindDays: leads, Status: string(d.StatusOn(today)), DaysLeft: d.DaysLeft(today),
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
	if d.File != nil {
		f := newFileOut(*d.File, link)
		o.File.V = &f
	}
	return o
}

type documentBody struct {
	Type        opt[string]         `json:"type" required:"true" enum:"driving_license,registration,insurance,inspection,taxi_permit,badge,medical,criminal_record,contract,other" example:"insurance"`
	Title       opt[string]         `json:"title" maxLength:"255" example:"RCA"`
	Number      opt[string]         `json:"number" maxLength:"255"`
	Issuer      opt[string]         `json:"issuer" maxLength:"255" example:"Groupama"`
	IssuedOn    maybe[calendar.Day] `json:"issued_on"`
	ExpiresOn   maybe[calendar.Day] `json:"expires_on" doc:"null for papers that do not expire."`
	Description opt[string]         `json:"description" maxLength:"5000"`
	RemindDays  opt[[]int]          `json:"remind_days" maxItems:"10" doc:"Days before the expiry, 0 to 365; [30, 7, 1] by default."`
}

func (documentBody) readOnlyFields() []string {
	return []string{"id", "file", "status", "days_left", "created_at", "updated_at"}
}

func (b documentBody) apply(d *document.Details) {
	b.Type.to(&d.Type)
	b.Title.to(&d.Title)
	b.Number.to(&d.Number)
	b.Issuer.to(&d.Issuer)
	b.IssuedOn.to(&d.IssuedOn)
	b.ExpiresOn.to(&d.ExpiresOn)
	b.Description.to(&d.Description)
	if b.RemindDays.Set {
		d.RemindDays = slices.Clone(b.RemindDays.V)
	}
}

// createDocument serves POST /api/documents/.
func (a *API) createDocument(ctx context.Context, in *struct{ Body body[documentBody] }) (*out[documentOut], error) {
	by := actor(ctx)
	d := document.Details{RemindDays: document.DefaultRemindDays()}
	in.Body.in.Type.require("type", &in.Body.bad)
	in.Body.in.apply(&d)
	doc, repeated, err := a.Documents.Create(ctx, by, d, in.Body.bad)
	if err != nil {
		return nil, err
	}
	today, err := a.Documents.Today(ctx, by)
	if err != nil {
		return nil, err
	}
	return made(ctx, a, "/api/documents/", doc.ID, doc.Revision, doc.Details, repeated, newDocumentOut(doc, today, a.fileLinks(ctx))), nil
}

func (a *API) documentAnswer(ctx context.Context, doc document.Document, err error) (*out[documentOut], error) {
	if err != nil {
		return nil, err
	}
	today, err := a.Documents.Today(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return single(doc.Revision, doc.Details, newDocumentOut(doc, today, a.fileLinks(ctx))), nil
}

// document serves GET /api/documents/{id}/.
func (a *API) document(ctx context.Context, in *ObjectID) (*out[documentOut], error) {
	doc, err := a.Documents.Document(ctx, actor(ctx), in.ID)
	return a.documentAnswer(ctx, doc, err)
}

type reviseDocumentIn struct {
	ByID
	Body body[documentBody]
}

// replaceDocument serves PUT /api/documents/{id}/: what is not sent returns to
// its default.
func (a *API) replaceDocument(ctx context.Context, in *reviseDocumentIn) (*out[documentOut], error) {
	return a.changeDocument(ctx, in, func(d *document.Details) {
		in.Body.in.Type.require("type", &in.Body.bad)
		*d = document.Details{RemindDays: document.DefaultRemindDays()}
		in.Body.in.apply(d)
	})
}

// reviseDocument serves PATCH /api/documents/{id}/.
func (a *API) reviseDocument(ctx context.Context, in *reviseDocumentIn) (*out[documentOut], error) {
	return a.changeDocument(ctx, in, in.Body.in.apply)
}

func (a *API) changeDocument(ctx context.Context, in *reviseDocumentIn, apply func(*document.Details)) (*out[documentOut], error) {
	doc, err := a.Documents.Revise(ctx, actor(ctx), in.ID, match(in.IfMatch), func(d *document.Details) fault.Fields {
		apply(d)
		return slices.Clone(in.Body.bad)
	})
	return a.documentAnswer(ctx, doc, err)
}

// deleteDocument serves DELETE /api/documents/{id}/.
func (a *API) deleteDocument(ctx context.Context, in *ByID) (*none, error) {
	return nil, a.Documents.Delete(ctx, actor(ctx), in.ID, match(in.IfMatch))
}

type documentsIn struct {
	Paging
	Status param[string] `query:"status" enum:"valid,expiring,expired,no_expiry"`
	Type   param[string] `query:"type" enum:"driving_license,registration,insurance,inspection,taxi_permit,badge,medical,criminal_record,contract,other"`
}

// documents serves GET /api/documents/, the soonest expiry first.
func (a *API) documents(ctx context.Context, in *documentsIn) (*out[list[documentOut]], error) {
	var bad fault.Fields
	in.Status.choice("status", document.Statuses, &bad)
	in.Type.choice("type", document.Types, &bad)
	return a.listDocuments(ctx, in.Paging, document.Filter{Status: document.Status(in.Status.V), Type: in.Type.V}, bad)
}

// alerts serves GET /api/documents/alerts/: what is expired or expiring.
func (a *API) alerts(ctx context.Context, in *struct{ Paging }) (*out[list[documentOut]], error) {
	return a.listDocuments(ctx, in.Paging, document.Filter{Alerts: true}, nil)
}

func (a *API) listDocuments(ctx context.Context, p Paging, f document.Filter, bad fault.Fields) (*out[list[documentOut]], error) {
	limit, offset := p.place(&bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	page, today, err := a.Documents.Documents(ctx, actor(ctx), f, limit, offset)
	if err != nil {
		return nil, err
	}
	var results []documentOut
	for _, d := range page.Documents {
		results = append(results, newDocumentOut(d, today, a.fileLinks(ctx)))
	}
	return numbered(a, requestURL(ctx), p, limit, page.Count, true, results)
}
