package admin

import (
	"errors"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/table"
)

// showHumane shows a name in code as people would write it.
func showHumane(column string) func(*request, table.Row) template.HTML {
	return func(q *request, row table.Row) template.HTML { return q.show("", humane(cellText(row.Values[column]))) }
}

// showState shows a state, marked by how it stands.
func showState(column string) func(*request, table.Row) template.HTML {
	return func(_ *request, row table.Row) template.HTML { return stateMark(cellText(row.Values[column])) }
}

func stateMark(s string) template.HTML {
	class := "plain"
	switch s {
	case "active", "ready", "sent", "completed", "valid":
		class = "good"
	case "failed", "lost", "discarded", "expired", "cancelled":
		class = "bad"
	case "queued", "started", "processing", "retryable", "available", "running", "scheduled", "pending", "expiring", "draft", "paused":
		class = "open"
	}
	return template.HTML(`<span class="state ` + class + `">` + template.HTMLEscapeString(humane(s)) + `</span>`) //nolint:gosec // escaped
}

// showCar shows what a post is called and how it stands with operators, with the
// photo that its list begins with.
func showCar(_ *request, row table.Row) template.HTML {
	html := template.HTMLEscapeString(cellText(row.Values["car"]))
	if year, ok := row.Values["year"].(int64); ok {
		html += " " + strconv.FormatInt(year, 10)
	}
	if id, ok := row.Values["cover"].(int64); ok {
		html = `<img class="cover" src="` + Path + `files/` + strconv.FormatInt(id, 10) + `/small" alt="" loading="lazy" width="64" height="48">` + html
	}
	if row.Values["closed"] == true {
		html += ` <span class="state bad">closed</span>`
	}
	if n, ok := row.Values["reports"].(int64); ok && n > 0 {
		html += ` <span class="state open">reported ` + strconv.FormatInt(n, 10) + `×</span>`
	}
	return template.HTML(html) //nolint:gosec // escaped, and numbers
}

// showPrice shows a price as a driver reads it.
func showPrice(q *request, row table.Row) template.HTML {
	price, ok := row.Values["price"].(fixed.Amount)
	if !ok {
		return missing
	}
	text := price.String() + " " + cellText(row.Values["currency"])
	if period := cellText(row.Values["price_period"]); period != "" && period != "total" {
		text += " a " + period
	}
	return q.show("", text)
}

// owned declares whose a thing is: chosen when it is added, and never changed.
func owned[D any](owner func(*D) any) Field {
	return field("owner", "Driver", owner).relation("users").required().addOnly().help("Type a part of the name or address.")
}

// car is the draft of a car post.
type car struct {
	listing.Record
	Owner  int64 `json:"-"`
	photos []media.Upload
}

func (s *Site) posts() *Resource {
	text := func(name, label string, of func(*car) *string) Field {
		return field(name, label, func(d *car) any { return of(d) })
	}
	status := field("status", "Status", func(d *car) any { return &d.Status }).oneOf(listing.Statuses...).required()
	return &Resource{
		Name: "posts", Label: "car post", Plural: "Car posts", Object: "car_post", Title: "car", Version: "revision",
		Search: "make, model, version, place, description",
		Columns: []Column{
			{Name: "car", Label: "Car", Needs: []string{"year", "cover", "closed", "reports"}, Show: showCar},
			{Name: "owner", Label: "Driver"},
			{Name: "price", Label: "Price", Needs: []string{"currency", "price_period"}, Show: showPrice},
			{Name: "location", Label: "Place"},
			{Name: "status", Label: "Status", Edit: &status},
			{Name: "created_at", Label: "Posted"},
		},
		Filters: []Filter{
			{Column: "reported", Label: "With open reports"},
			{Column: "unseen", Label: "New, not looked at"},
			{Column: "closed", Label: "Closed by operators"},
			{Column: "approved", Label: "Approved"},
			{Column: "status", Label: "Status", Choices: choices(listing.Statuses...)},
			{Column: "offer", Label: "Offer", Choices: choices(listing.Offers...)},
			{Column: "currency", Label: "Currency", Choices: []Choice{{"EUR", "EUR"}, {"RON", "RON"}}},
			{Column: "owner", Label: "Driver"},
			{Column: "price", Label: "Price"},
			{Column: "year", Label: "Year"},
			{Column: "created_at", Label: "Posted"},
		},
		Dates: "created_at",
		Fieldsets: []Fieldset{
			{Title: "Car", Fields: []Field{
				owned(func(d *car) any { return &d.Owner }),
				text("make", "Make", func(d *car) *string { return &d.Make }).required(), text("model", "Model", func(d *car) *string { return &d.Model }).required(),
				text("version", "Version", func(d *car) *string { return &d.Version }), field("year", "Year", func(d *car) any { return &d.Year }),
				text("fuel", "Fuel", func(d *car) *string { return &d.Fuel }), text("body", "Body", func(d *car) *string { return &d.Body }),
				text("transmission", "Transmission", func(d *car) *string { return &d.Transmission }), text("engine", "Engine", func(d *car) *string { return &d.Engine }),
				text("color", "Colour", func(d *car) *string { return &d.Color }), text("emission_standard", "Emission standard", func(d *car) *string { return &d.EmissionStandard }),
				field("gears", "Gears", func(d *car) any { return &d.Gears }), field("seats", "Seats", func(d *car) any { return &d.Seats }), field("doors", "Doors", func(d *car) any { return &d.Doors }),
				field("mileage_km", "Mileage, km", func(d *car) any { return &d.MileageKM }), field("power_hp", "Power, hp", func(d *car) any { return &d.PowerHP }),
				field("consumption", "Consumption per 100 km", func(d *car) any { return &d.Consumption }),
			}},
			{Title: "Offer", Fields: []Field{
				field("offer", "Offer", func(d *car) any { return &d.Offer }).oneOf(listing.Offers...).required(),
				field("price", "Price", func(d *car) any { return &d.Price }), text("currency", "Currency", func(d *car) *string { return &d.Currency }).required(),
				field("price_period", "For a", func(d *car) any { return &d.PricePeriod }).oneOf(listing.PricePeriods...), status,
				text("location", "Place", func(d *car) *string { return &d.Location }), text("contact", "Contact", func(d *car) *string { return &d.Contact }),
				text("description", "Description", func(d *car) *string { return &d.Description }).as(areaWidget),
			}},
			{Title: "Moderation", Help: "Close and Approve, above, change it.", Fields: []Field{
				field("moderation_reason", "Closed because", func(d *car) any { return &d.ModerationReason }).readOnly(),
				field("moderated_at", "Closed", func(d *car) any { return &d.ModeratedAt }).readOnly(),
				field("approved_at", "Approved", func(d *car) any { return &d.ApprovedAt }).readOnly(),
			}},
		},
		Blank: func(*request) (any, error) {
			return &car{Record: listing.Record{Details: listing.DefaultDetails()}}, nil
		},
		Load: func(q *request, id int64) (Item, error) {
			p, err := s.Listings.Post(q.ctx, q.by, id)
			item := Item{Draft: &car{Record: p.Record(), Owner: p.OwnerID, photos: p.Photos}, Version: p.Revision, Title: strings.TrimSpace(p.Make + " " + p.Model), Owner: p.OwnerID}
			if p.Moderation != nil {
				item.Notice = "Closed by an operator, and hidden from others until it is approved: " + p.Moderation.Reason
			}
			return item, err
		},
		Create: func(q *request, draft any, bad fault.Fields) (int64, error) {
			d := as[car](draft)
			if err := q.ownerExists(d.Owner, &bad); err != nil {
				return 0, err
			}
			p, _, err := s.Listings.Create(q.ctx, q.of(d.Owner), d.Details, bad)
			return p.ID, err
		},
		Save: func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			_, err := s.Listings.Revise(q.ctx, q.by, id, match, func(d *listing.Details) fault.Fields {
				draft := &car{Record: listing.Record{Details: *d}}
				bad := change(draft)
				*d = draft.Details
				return bad
			})
			return err
		},
		Restore: func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			_, err := s.Listings.Restore(q.ctx, q.by, id, match, func(r *listing.Record) fault.Fields {
				draft := &car{Record: *r}
				bad := change(draft)
				*r = draft.Record
				return bad
			})
			return err
		},
		Delete: func(q *request, id int64) error { return s.Listings.Delete(q.ctx, q.by, id, nil) },
		Actions: []Action{
			{
				Name: "close", Label: "Close", Done: "closed", Permission: "change",
				Fields: []Field{field("reason", "Reason", func(d *closing) any { return &d.Reason }).as(areaWidget).required().help("The driver gets it by mail. The post is hidden from others until it is approved.")},
				Draft:  func() any { return &closing{} },
				Run: func(q *request, id int64, draft any) error {
					_, err := s.Listings.Close(q.ctx, q.by, id, nil, as[closing](draft).Reason, nil)
					return err
				},
				Offered: func(i Item) bool { return as[car](i.Draft).ModeratedAt == nil },
			},
			{
				Name: "approve", Label: "Approve", Done: "approved", Permission: "change",
				Run: func(q *request, id int64, _ any) error {
					_, err := s.Listings.Approve(q.ctx, q.by, id, nil)
					return err
				},
				Offered: func(i Item) bool { return as[car](i.Draft).ApprovedAt == nil },
			},
		},
		Panels: []Panel{
			{Title: "Photos", Template: "panel-photos", Load: func(_ *request, _ int64, i Item) (any, error) {
				return append([]media.Upload{}, as[car](i.Draft).photos...), nil
			}},
			{Title: "Reports", Template: "panel-reports", Load: s.reportsOf},
		},
	}
}

type closing struct{ Reason string }

// ownerExists notes when nobody has the number that was chosen.
func (q *request) ownerExists(id int64, bad *fault.Fields) error {
	if bad.Has("owner") {
		return nil
	}
	_, _, err := q.site.Accounts.Profile(q.ctx, q.by, id)
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	bad.Add("owner", "does_not_exist", "There is no such user.")
	return nil
}

// reportsOf are what readers say against a post.
func (s *Site) reportsOf(q *request, id int64, _ Item) (any, error) {
	if !q.can("view", s.resource("reports")) {
		return nil, nil //nolint:nilnil // it is not for this operator
	}
	rows, err := s.Tables.Rows(q.ctx, table.Query{
		Table: "reports", Columns: []string{"reporter", "reason", "text", "created_at", "resolved"}, Limit: 20,
		Where: []table.Cond{{Column: "post", Op: table.Is, Values: []string{strconv.FormatInt(id, 10)}}},
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows, nil
}

func (s *Site) reports() *Resource {
	return &Resource{
		Name: "reports", Label: "report", Plural: "Reports of posts", Object: "report", Title: "reason", Search: "the reporter's name or address, the words",
		Columns: []Column{
			{Name: "reason", Label: "Reason"}, {Name: "post", Label: "Car post"}, {Name: "reporter", Label: "By"}, {Name: "resolved", Label: "Resolved"}, {Name: "created_at", Label: "When"},
		},
		Filters: []Filter{{Column: "resolved", Label: "Resolved"}, {Column: "post", Label: "Car post"}, {Column: "reporter", Label: "By"}, {Column: "created_at", Label: "When"}},
		Dates:   "created_at",
		Fieldsets: []Fieldset{{Fields: []Field{
			shown("post", "Car post"), shown("reporter", "By"), shown("reason", "Reason"), shown("text", "In their words"), shown("created_at", "When"),
			shown("resolved_at", "Resolved"), shown("resolved_by", "Resolved by"),
		}}},
		Load: loadRow("reports"),
		Actions: []Action{
			{
				Name: "resolve", Label: "Resolve", Done: "resolved", Permission: "change", Run: func(q *request, id int64, _ any) error { return s.Listings.ResolveReport(q.ctx, q.by, id) },
				Offered: func(i Item) bool { return as[rowDraft](i.Draft).row.Values["resolved_at"] == nil },
			},
			{
				Name: "reopen", Label: "Reopen", Done: "reopened", Permission: "change", Run: func(q *request, id int64, _ any) error { return s.Listings.ReopenReport(q.ctx, q.by, id) },
				Offered: func(i Item) bool { return as[rowDraft](i.Draft).row.Values["resolved_at"] != nil },
			},
		},
	}
}

// file is the draft of an upload.
type file struct {
	media.Upload
	Post, Document int64
	Bytes          string `json:"-"`
	FileName       string `json:"file_name"`
}

func (s *Site) uploads() *Resource {
	find := func(q *request, id int64) (media.Upload, account.Actor, error) {
		u, err := s.Media.Find(q.ctx, q.by, id)
		return u, q.of(u.OwnerID), err
	}
	number := func(f func(*file) *int64) func(*file) any { return func(d *file) any { return f(d) } }
	return &Resource{
		Name: "uploads", Label: "file", Plural: "Files and uploads", Object: "upload", Title: "file_name", Search: "the owner's name or address, the name of the file", TimeVersion: true,
		Columns: []Column{
			{Name: "file_name", Label: "Name"},
			{Name: "kind", Label: "Kind", Show: showHumane("kind")},
			{Name: "state", Label: "State", Show: showState("state")},
			{Name: "owner", Label: "Driver"},
			{Name: "post", Label: "Car post"},
			{Name: "document", Label: "Document"},
			{Name: "content_type", Label: "Type"},
			{Name: "size", Label: "Bytes"},
			{Name: "created_at", Label: "Begun"},
		},
		Filters: []Filter{
			{Column: "state", Label: "State", Choices: choices("started", "processing", "ready", "failed", "lost")},
			{Column: "kind", Label: "Kind", Choices: choices("photo", "file")},
			{Column: "content_type", Label: "Type"},
			{Column: "owner", Label: "Driver"},
			{Column: "post", Label: "Car post"},
			{Column: "document", Label: "Document"},
			{Column: "size", Label: "Bytes"},
			{Column: "created_at", Label: "Begun"},
		},
		Dates: "created_at",
		Fieldsets: []Fieldset{
			{Fields: []Field{
				field("post", "Car post", number(func(d *file) *int64 { return &d.Post })).relation("posts").addOnly().help("A photo is for a post …"),
				field("document", "Document", number(func(d *file) *int64 { return &d.Document })).relation("documents").addOnly().help("… a file for a document."),
				field(fileField, "File", func(d *file) any { return &d.Bytes }).as(fileWidget).addOnly().help("JPEG, PNG, WebP, for a document also PDF; up to 10 MB."),
				field("file_name", "Name", func(d *file) any { return &d.FileName }).help("What it is called when it is downloaded. Left empty, as the file is called."),
			}},
			{Title: "State", Fields: []Field{
				field("state", "State", func(d *file) any { s := string(d.State); return &s }).readOnly(), field("problem", "Problem", func(d *file) any { return &d.Problem }).readOnly(),
				field("content_type", "Type", func(d *file) any { return &d.ContentType }).readOnly(), field("size", "Bytes", func(d *file) any { return &d.Size }).readOnly(),
				field("width", "Width", func(d *file) any { return &d.Width }).readOnly(), field("height", "Height", func(d *file) any { return &d.Height }).readOnly(),
				field("completed_at", "Completed", func(d *file) any { return &d.CompletedAt }).readOnly(),
			}},
		},
		Blank: func(*request) (any, error) { return &file{}, nil },
		Load: func(q *request, id int64) (Item, error) {
			u, _, err := find(q, id)
			return Item{Draft: &file{Upload: u, Post: u.Post, Document: u.Document, FileName: u.FileName}, Version: u.UpdatedAt.UnixMicro(), Title: u.FileName, Owner: u.OwnerID}, err
		},
		Create: s.createUpload,
		Save: func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			u, by, err := find(q, id)
			if err != nil {
				return err
			}
			if err := match.Check(u.UpdatedAt.UnixMicro(), u); err != nil {
				return err
			}
			d := &file{Upload: u, FileName: u.FileName}
			bad := change(d)
			_, err = s.Media.Rename(q.ctx, by, u.Target, id, d.FileName, bad)
			return err
		},
		Delete: func(q *request, id int64) error {
			u, by, err := find(q, id)
			if err != nil {
				return err
			}
			return s.Media.Delete(q.ctx, by, u.Target, id)
		},
		Actions: []Action{{
			Name: "redo", Label: "Prepare again", Done: "to be prepared again", Permission: "change", Run: func(q *request, id int64, _ any) error { return s.Media.Redo(q.ctx, q.by, id) },
			Offered: func(i Item) bool {
				u := as[file](i.Draft)
				return u.Upload.Document == 0 && u.State != media.Ready && u.State != media.Started
			},
		}},
		Panels: []Panel{{Title: "Picture", Template: "panel-picture", Load: func(_ *request, _ int64, i Item) (any, error) {
			return as[file](i.Draft).Upload, nil
		}}},
	}
}

// createUpload takes a file for a post or for a document, by the inspection that
// everybody's files pass.
func (s *Site) createUpload(q *request, draft any, bad fault.Fields) (int64, error) {
	d := as[file](draft)
	if d.Bytes == "" && !bad.Has(fileField) {
		bad.Add(fileField, "required", "Choose a file.")
	}
	target, by := media.Target{Post: d.Post, Document: d.Document}, q.by
	var err error
	switch {
	case d.Post != 0 && !q.can("change", s.resource("posts")), d.Document != 0 && !q.can("change", s.resource("documents")):
		return 0, errNotAllowed // it changes what others see of the thing, or takes the place of its file
	case (d.Post == 0) == (d.Document == 0):
		bad.Add("post", "invalid", "Choose a car post or a document.")
	case d.Post != 0:
		var p listing.Post
		if p, err = s.Listings.Post(q.ctx, q.by, d.Post); err == nil {
			by = q.of(p.OwnerID)
		}
	default:
		var one document.Document
		if one, err = s.Documents.Find(q.ctx, q.by, d.Document); err == nil {
			by = q.of(one.OwnerID)
		}
	}
	if f := fault.As(err); f != nil && f.Kind == fault.NotFound {
		bad.Add(map[bool]string{true: "post", false: "document"}[d.Post != 0], "does_not_exist", f.Message)
	} else if err != nil {
		return 0, err
	}
	if err := bad.Err(); err != nil {
		return 0, err
	}
	name := d.FileName
	if name == "" {
		name = q.form.get(fileField + ".name")
	}
	u, err := s.Media.Take(q.ctx, by, target, name, []byte(d.Bytes), 0)
	return u.ID, err
}

// work is the draft of a calculator entry.
type work struct {
	earnings.Details
	Owner    int64        `json:"-"`
	Earnings fixed.Amount `json:"-"`
}

func (s *Site) entries() *Resource {
	revise := func(restore bool) func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
		return func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			e, err := s.Earnings.Find(q.ctx, q.by, id)
			if err != nil {
				return err
			}
			_, err = s.Earnings.Revise(q.ctx, q.of(e.OwnerID), id, match, func(d *earnings.Details) fault.Fields {
				draft := &work{Details: *d}
				draft.Items = slices.Clone(d.Items)
				bad := change(draft)
				if restore { // the items of then, or none and the total of then
					draft.ItemsChanged = len(d.Items) > 0 || len(draft.Items) > 0
				}
				*d = draft.Details
				return bad
			})
			return err
		}
	}
	type item = earnings.ExpenseItem
	return &Resource{
		Name: "entries", Label: "entry", Plural: "Calculator entries", Object: "calculator_entry", Title: "date", Order: []table.Order{{Column: "date", Desc: true}}, Search: "the driver's name or address",
		Columns: []Column{
			{Name: "date", Label: "Day"},
			{Name: "owner", Label: "Driver"},
			{Name: "platform", Label: "Platform"},
			{Name: "app_income", Label: "Income"},
			{Name: "commission", Label: "Commission, %"},
			{Name: "tips", Label: "Tips"},
			{Name: "expenses", Label: "Expenses"},
			{Name: "earnings", Label: "Earnings"},
			{Name: "currency", Label: "Currency"},
			{Name: "items", Label: "Items"},
		},
		Filters: []Filter{
			{Column: "owner", Label: "Driver"},
			{Column: "platform", Label: "Platform", Choices: []Choice{{"Uber", "Uber"}, {"Bolt", "Bolt"}}},
			{Column: "currency", Label: "Currency", Choices: []Choice{{"EUR", "EUR"}, {"RON", "RON"}}},
			{Column: "date", Label: "Day"},
			{Column: "earnings", Label: "Earnings"},
			{Column: "app_income", Label: "Income"},
			{Column: "created_at", Label: "Written down"},
		},
		Dates: "date",
		Fieldsets: []Fieldset{
			{Title: "Day's work", Fields: []Field{
				owned(func(d *work) any { return &d.Owner }), field("date", "Day", func(d *work) any { return &d.Date }).required(), field("platform", "Platform", func(d *work) any { return &d.Platform }).suggest("Uber", "Bolt"),
				field("hours", "Hours", func(d *work) any { return &d.Hours }), field("distance_km", "Distance, km", func(d *work) any { return &d.DistanceKM }), field("trips", "Trips", func(d *work) any { return &d.Trips }),
			}},
			{Title: "Money", Fields: []Field{
				field("currency", "Currency", func(d *work) any { return &d.Currency }).required(), field("app_income", "Income", func(d *work) any { return &d.AppIncome }).signed().help("Below zero where a platform takes back."),
				field("commission", "Commission, %", func(d *work) any { return &d.Commission }).signed(), field("tips", "Tips", func(d *work) any { return &d.Tips }).signed(),
				field("expenses", "Expenses", func(d *work) any { return &d.Expenses }).signed().help("The sum of the items below, where there are any."),
				field("earnings", "Earnings", func(d *work) any { return &d.Earnings }).readOnly().help("Income less commission, and tips, less expenses: worked out when it is saved."),
				field("note", "Note", func(d *work) any { return &d.Note }).as(areaWidget),
			}},
		},
		Inlines: []Inline{inline("expense_items", "Expense items", func(d *work) *[]item { return &d.Items }, func(d *work) { d.ItemsChanged = true },
			field("category", "Category", func(d *item) any { return &d.Category }).oneOf(earnings.Categories...).required(),
			field("amount", "Amount", func(d *item) any { return &d.Amount }).required(), field("note", "Note", func(d *item) any { return &d.Note }))},
		Blank: func(q *request) (any, error) {
			d, err := s.Earnings.Blank(q.ctx, q.by)
			return &work{Details: d}, err
		},
		Load: func(q *request, id int64) (Item, error) {
			e, err := s.Earnings.Find(q.ctx, q.by, id)
			return Item{Draft: &work{Details: e.Details, Owner: e.OwnerID, Earnings: e.Earnings}, Version: e.Revision, Title: strings.TrimSpace(e.Date.String() + " " + e.Platform), Owner: e.OwnerID}, err
		},
		Create: func(q *request, draft any, bad fault.Fields) (int64, error) {
			d := as[work](draft)
			if err := q.ownerExists(d.Owner, &bad); err != nil {
				return 0, err
			}
			if bad.Has("owner") { // whose settings a new entry begins with
				return 0, bad.Err()
			}
			e, _, err := s.Earnings.Create(q.ctx, q.of(d.Owner), func(to *earnings.Details) fault.Fields { *to = d.Details; return bad })
			return e.ID, err
		},
		Save: revise(false), Restore: revise(true),
		Delete: func(q *request, id int64) error {
			e, err := s.Earnings.Find(q.ctx, q.by, id)
			if err != nil {
				return err
			}
			return s.Earnings.Delete(q.ctx, q.of(e.OwnerID), id, nil)
		},
	}
}

// paper is the draft of a document.
type paper struct {
	document.Details
	Owner int64 `json:"-"`
	file  *media.Upload
}

func (s *Site) documents() *Resource {
	return &Resource{
		Name: "documents", Label: "document", Plural: "Documents", Object: "document", Title: "title", Order: []table.Order{{Column: "expires_on"}}, Search: "the driver's name or address, title, number, issuer",
		Columns: []Column{
			{Name: "type", Label: "Type", Show: showHumane("type")},
			{Name: "title", Label: "Title"},
			{Name: "owner", Label: "Driver"},
			{Name: "status", Label: "Status", Show: showState("status")},
			{Name: "expires_on", Label: "Expires"},
			{Name: "files", Label: "File"},
			{Name: "created_at", Label: "Filed"},
		},
		Filters: []Filter{
			{Column: "status", Label: "Status", Choices: choices(document.Statuses...)},
			{Column: "type", Label: "Type", Choices: choices(document.Types...)},
			{Column: "file", Label: "With a file"},
			{Column: "owner", Label: "Driver"},
			{Column: "expires_on", Label: "Expires"},
			{Column: "created_at", Label: "Filed"},
		},
		Dates: "expires_on",
		Fieldsets: []Fieldset{{Fields: []Field{
			owned(func(d *paper) any { return &d.Owner }), field("type", "Type", func(d *paper) any { return &d.Type }).oneOf(document.Types...).required(),
			field("title", "Title", func(d *paper) any { return &d.Title }), field("number", "Number", func(d *paper) any { return &d.Number }), field("issuer", "Issuer", func(d *paper) any { return &d.Issuer }),
			field("issued_on", "Issued on", func(d *paper) any { return &d.IssuedOn }), field("expires_on", "Expires on", func(d *paper) any { return &d.ExpiresOn }).help("The last day it is valid."),
			field("remind_days", "Remind, days before", func(d *paper) any { return &d.RemindDays }).help("Numbers with commas between, such as 30, 7, 1."),
			field("description", "Description", func(d *paper) any { return &d.Description }).as(areaWidget),
		}}},
		Blank: func(*request) (any, error) {
			return &paper{Details: document.Details{RemindDays: document.DefaultRemindDays()}}, nil
		},
		Load: func(q *request, id int64) (Item, error) {
			d, err := s.Documents.Find(q.ctx, q.by, id)
			title := d.Title
			if title == "" {
				title = humane(d.Type)
			}
			return Item{Draft: &paper{Details: d.Details, Owner: d.OwnerID, file: d.File}, Version: d.Revision, Title: title, Owner: d.OwnerID}, err
		},
		Create: func(q *request, draft any, bad fault.Fields) (int64, error) {
			d := as[paper](draft)
			if err := q.ownerExists(d.Owner, &bad); err != nil {
				return 0, err
			}
			if bad.Has("owner") {
				return 0, bad.Err()
			}
			one, _, err := s.Documents.Create(q.ctx, q.of(d.Owner), d.Details, bad)
			return one.ID, err
		},
		Save: func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			d, err := s.Documents.Find(q.ctx, q.by, id)
			if err != nil {
				return err
			}
			_, err = s.Documents.Revise(q.ctx, q.of(d.OwnerID), id, match, func(d *document.Details) fault.Fields {
				draft := &paper{Details: *d}
				draft.RemindDays = slices.Clone(d.RemindDays)
				bad := change(draft)
				*d = draft.Details
				return bad
			})
			return err
		},
		Delete: func(q *request, id int64) error {
			d, err := s.Documents.Find(q.ctx, q.by, id)
			if err != nil {
				return err
			}
			return s.Documents.Delete(q.ctx, q.of(d.OwnerID), id, nil)
		},
		Opened: func(q *request, id int64) error { return s.Documents.Opened(q.ctx, q.by, id, "document") },
		Panels: []Panel{{Title: "File", Template: "panel-file", Load: func(_ *request, _ int64, i Item) (any, error) {
			return map[string]any{"File": as[paper](i.Draft).file}, nil
		}}},
	}
}
