package httpapi

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// The columns of the export. An import takes them in any order. The number of an
// entry of one's own is that entry; earnings are computed, and passed over.
var csvColumns = []string{
	"id", "date", "platform", "app_income", "tips", "commission", "expenses", "hours", "distance_km", "trips", "currency", "note",
	"expense_items", "earnings",
}

// Limits of an import.
const (
	maxImport      = 5 << 20
	maxImportLines = 20_000
	csvType        = "text/csv"
)

// csvForm is how the export is written.
type csvForm struct {
	separator rune
	comma     bool // before the decimals
}

// plainForm is the form that programs read.
var plainForm = csvForm{separator: ','}

// excelForm is what Excel opens by a double click in the person's language: it
// takes what stands between cells and before decimals from there.
func excelForm(language string) csvForm {
	if language == "ro" {
		return csvForm{';', true}
	}
	return plainForm
}

// number is an amount in the form. It is never quoted, so that it stays a number.
func (f csvForm) number(a fixed.Amount) string {
	if f.comma {
		return strings.Replace(a.String(), ".", ",", 1)
	}
	return a.String()
}

func (f csvForm) row(e earnings.Entry) []string {
	items := ""
	if len(e.Items) > 0 {
		text, err := json.Marshal(newEntryOut(e).ExpenseItems)
		if err != nil { // texts and numbers
			panic(err)
		}
		items = string(text)
	}
	amount := func(a *fixed.Amount) string {
		if a == nil {
			return ""
		}
		return f.number(*a)
	}
	trips := ""
	if e.Trips != nil {
		trips = strconv.Itoa(*e.Trips)
	}
	return []string{
		itoa(e.ID), e.Date.String(), text.SafeCell(e.Platform), f.number(e.AppIncome), f.number(e.Tips), f.number(e.Commission), f.number(e.Expenses),
		amount(e.Hours), amount(e.DistanceKM), trips, e.Currency, text.SafeCell(e.Note), items, f.number(e.Earnings),
	}
}

// stream is an answer that is written as it is made.
type stream struct{ Body func(huma.Context) }

// streamTime is how long an export may take, against 60 s of other answers.
const streamTime = 10 * time.Minute

// streaming takes a place in the lane of exports and sends what write makes. An
// error after the beginning cuts the connection: half a file must not look whole.
func (a *API) streaming(contentType, name string, write func(context.Context, io.Writer) error) (*stream, error) {
	select {
	case a.exports <- struct{}{}:
	default:
		return nil, fault.Busy(fault.Unavailable, "Too many exports are running. Try again shortly.", 5*time.Second)
	}
	return &stream{func(hc huma.Context) {
		defer func() { <-a.exports }()
		c := call(hc.Context())
		_ = http.NewResponseController(c.w).SetWriteDeadline(a.Now().Add(streamTime)) // a recorder in a test has none
		hc.SetHeader("Content-Type", contentType)
		hc.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
		hc.SetStatus(http.StatusOK)
		if c.r.Method == http.MethodHead {
			return
		}
		if err := write(hc.Context(), hc.BodyWriter()); err != nil {
			a.Log.WarnContext(hc.Context(), "export cut off", "route", c.r.Pattern, "request_id", requestID(c.r), "err", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// exportEntries serves GET /api/calculator/export.csv, with a byte order mark.
func (a *API) exportEntries(ctx context.Context, in *struct {
	Period
	Format param[string] `query:"format" enum:"csv,excel" doc:"excel: as Excel opens it in one's language, with semicolons and decimal commas in Romanian. csv by default: commas and points." example:"excel"`
},
) (*stream, error) {
	by := actor(ctx)
	var bad fault.Fields
	in.Format.choice("format", []string{"csv", "excel"}, &bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	f, err := a.entryFilter(ctx, in.Period, nil)
	if err != nil {
		return nil, err
	}
	today, set, err := a.Earnings.Today(ctx, by)
	if err != nil {
		return nil, err
	}
	form := plainForm
	if in.Format.V == "excel" {
		form = excelForm(set.Language)
	}
	return a.streaming("text/csv; charset=utf-8", "calculator-"+today.String()+".csv", func(ctx context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, "\ufeff"); err != nil { // without which Excel takes it for another encoding
			return err
		}
		out := csv.NewWriter(w)
		out.Comma = form.separator
		_ = out.Write(csvColumns) // its error comes back from Error
		err := a.Earnings.EachEntry(ctx, by, f, func(e earnings.Entry) error { return out.Write(form.row(e)) })
		out.Flush()
		return errors.Join(err, out.Error())
	})
}

// lineOut says what is wrong with a line of an import.
type lineOut struct {
	Line   int           `json:"line" doc:"In the file, from 1." example:"3"`
	Errors []fault.Field `json:"errors"`
}

type importOut struct {
	Accepted int       `json:"accepted" doc:"Lines that are entries now, or would be without the refused ones." example:"120"`
	Known    int       `json:"known" doc:"Of these, lines whose entries were there already: the same file does not double." example:"20"`
	Changed  int       `json:"changed" doc:"Of these, lines with the number of an entry of one's own, which says what the line says now." example:"1"`
	Refused  []lineOut `json:"refused"`
}

// importEntries serves POST /api/calculator/import/: all lines or none.
func (a *API) importEntries(ctx context.Context, in *struct {
	RawBody []byte `contentType:"text/csv"`
},
) (*out[importOut], error) {
	lines, err := readLines(in.RawBody)
	if err != nil {
		return nil, err
	}
	rows := make([]earnings.Row, len(lines))
	for i, l := range lines {
		rows[i] = l.row()
	}
	merged, refused, err := a.Earnings.Import(ctx, actor(ctx), rows)
	if err != nil {
		return nil, err
	}
	report := importOut{Accepted: len(lines) - len(refused), Known: merged.Known, Changed: merged.Changed, Refused: []lineOut{}}
	if len(refused) == 0 {
		return &out[importOut]{Status: http.StatusOK, Body: report}, nil
	}
	p := problemOf(http.StatusBadRequest, string(fault.Invalid), "Nothing was imported: mend the refused lines and send the file again.")
	for i, l := range lines {
		if bad := refused[i]; len(bad) > 0 {
			report.Refused = append(report.Refused, lineOut{l.number, bad})
			for _, f := range bad {
				f.Field = "line " + strconv.Itoa(l.number) + ": " + f.Field
				p.Errors = append(p.Errors, f)
			}
		}
		if len(p.Errors) > maxPageSize { // enough to begin with
			break
		}
	}
	p.Report = &report
	return nil, p
}

// row is a line as a row of an import.
func (l csvLine) row() earnings.Row {
	id, err := strconv.ParseInt(l.cells["id"], 10, 64)
	if err != nil || !plainID(l.cells["id"]) { // of no entry of ours
		id = 0
	}
	return earnings.Row{ID: id, Change: l.apply}
}

// apply writes a line into the details of an entry. What the file has no column
// for stays; what is empty there is nothing.
func (l csvLine) apply(d *earnings.Details) fault.Fields {
	var bad fault.Fields
	for _, name := range []string{"date", "app_income"} {
		if l.cells[name] == "" {
			bad.Add(name, "required", "This field is required.")
		}
	}
	if text := l.cells["date"]; text != "" {
		decodeDay(l.locale.date(text), &d.Date, "date", &bad)
	}
	for _, c := range []struct {
		name string
		into *fixed.Amount
	}{{"app_income", &d.AppIncome}, {"tips", &d.Tips}, {"commission", &d.Commission}, {"expenses", &d.Expenses}} {
		if text, given := l.cells[c.name]; text != "" {
			decodeSigned(l.locale.number(text), c.into, c.name, &bad)
		} else if given {
			*c.into = 0
		}
	}
	for _, c := range []struct {
		name string
		into **fixed.Amount
	}{{"hours", &d.Hours}, {"distance_km", &d.DistanceKM}} {
		text, given := l.cells[c.name]
		if given {
			*c.into = nil
		}
		var a fixed.Amount
		if text != "" && decodeAmount(l.locale.number(text), &a, c.name, &bad) {
			*c.into = &a
		}
	}
	if text, given := l.cells["trips"]; given {
		d.Trips = nil
		var n int
		if whole := strings.TrimSuffix(strings.TrimSuffix(l.locale.number(text), ".00"), ".0"); text != "" && decodeValue([]byte(whole), &n, "trips", &bad) {
			d.Trips = &n
		}
	}
	if name, given := l.cells["platform"]; given {
		d.Platform = text.PlainCell(name)
	}
	if note, given := l.cells["note"]; given {
		d.Note = text.PlainCell(note)
	}
	if text := l.cells["currency"]; text != "" {
		d.Currency = text
	}
	items, given := l.cells["expense_items"]
	switch {
	case items != "":
		// The cell is a value of its own: wrapped as one it cannot become more.
		wrapped, err := json.Marshal(map[string]json.RawMessage{"expense_items": json.RawMessage(items)})
		if err != nil || jsonbody.Check(wrapped) != nil {
			bad.Add("expense_items", "invalid", "Expected a list of items, as the export has it.")
			return bad
		}
		var b entryBody
		b.ExpenseItems.decode([]byte(items), "expense_items", &bad)
		bad = b.apply(d, bad)
	case given && len(d.Items) > 0:
		d.ItemsChanged, d.Items = true, nil
	}
	return bad
}
