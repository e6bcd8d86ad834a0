package httpapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// The columns of the export. An import takes them in any order; id and earnings
// are the server's and are passed over.
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

func entryRow(e earnings.Entry) []string {
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
		return a.String()
	}
	trips := ""
	if e.Trips != nil {
		trips = strconv.Itoa(*e.Trips)
	}
	return []string{
		itoa(e.ID), e.Date.String(), text.SafeCell(e.Platform), e.AppIncome.String(), e.Tips.String(), e.Commission.String(), e.Expenses.String(),
		amount(e.Hours), amount(e.DistanceKM), trips, e.Currency, text.SafeCell(e.Note), items, e.Earnings.String(),
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

// exportEntries serves GET /api/calculator/export.csv.
func (a *API) exportEntries(ctx context.Context, in *struct{ Period }) (*stream, error) {
	by := actor(ctx)
	f, err := a.entryFilter(ctx, in.Period, nil, nil)
	if err != nil {
		return nil, err
	}
	today, _, err := a.Earnings.Today(ctx, by)
	if err != nil {
		return nil, err
	}
	return a.streaming("text/csv; charset=utf-8", "calculator-"+today.String()+".csv", func(ctx context.Context, w io.Writer) error {
		out := csv.NewWriter(w)
		_ = out.Write(csvColumns) // its error comes back from Error
		err := a.Earnings.EachEntry(ctx, by, f, func(e earnings.Entry) error { return out.Write(entryRow(e)) })
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
	changes := make([]func(*earnings.Details) fault.Fields, len(lines))
	for i, l := range lines {
		changes[i] = l.apply
	}
	refused, err := a.Earnings.Import(ctx, actor(ctx), changes)
	if err != nil {
		return nil, err
	}
	report := importOut{Accepted: len(lines) - len(refused), Refused: []lineOut{}}
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

// csvLine is a line of an import, by column.
type csvLine struct {
	number int
	cells  map[string]string
}

// readLines takes a file apart. A byte order mark and semicolons, as
// spreadsheets write them here, are understood.
func readLines(raw []byte) ([]csvLine, error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return nil, fault.InvalidField("", "encoding", "The file must be text in UTF-8.")
	}
	r := csv.NewReader(bytes.NewReader(raw))
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	if bytes.IndexByte(first, ';') >= 0 && bytes.IndexByte(first, ',') < 0 {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		return nil, fault.InvalidField("", "invalid", "The file must begin with the names of its columns, as the export has them.")
	}
	if err := checkColumns(header); err != nil {
		return nil, err
	}
	var lines []csvLine
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, fault.InvalidField("line "+strconv.Itoa(e.StartLine), "parse_error", "This line cannot be read: "+e.Err.Error()+".")
		}
		if err != nil {
			return nil, err
		}
		if len(lines) == maxImportLines {
			return nil, fault.InvalidField("", "max_length", "A file may have 20,000 lines at most.")
		}
		number, _ := r.FieldPos(0)
		l := csvLine{number, map[string]string{}}
		for i, name := range header {
			if l.cells[name] = cells[i]; name != "platform" && name != "note" { // whose blanks are the driver's own
				l.cells[name] = strings.TrimSpace(cells[i])
			}
		}
		lines = append(lines, l)
	}
}

func checkColumns(header []string) error {
	var bad fault.Fields
	seen := map[string]bool{}
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		name = header[i]
		known := false
		for _, c := range csvColumns {
			known = known || c == name
		}
		switch {
		case !known:
			bad.Add(jsonbody.Clip(name), "unknown", "There is no such column.")
		case seen[name]:
			bad.Add(name, "duplicate", "This column is there more than once.")
		}
		seen[name] = true
	}
	for _, name := range []string{"date", "app_income"} {
		if !seen[name] {
			bad.Add(name, "required", "This column is required.")
		}
	}
	return bad.Err()
}

// apply writes a line into the details of an entry.
func (l csvLine) apply(d *earnings.Details) fault.Fields {
	var bad fault.Fields
	for _, name := range []string{"date", "app_income"} {
		if l.cells[name] == "" {
			bad.Add(name, "required", "This field is required.")
		}
	}
	if text := l.cells["date"]; text != "" {
		decodeDay(text, &d.Date, "date", &bad)
	}
	for _, c := range []struct {
		name string
		into *fixed.Amount
	}{{"app_income", &d.AppIncome}, {"tips", &d.Tips}, {"commission", &d.Commission}, {"expenses", &d.Expenses}} {
		if text := l.cells[c.name]; text != "" {
			decodeSigned(text, c.into, c.name, &bad)
		}
	}
	for _, c := range []struct {
		name string
		into **fixed.Amount
	}{{"hours", &d.Hours}, {"distance_km", &d.DistanceKM}} {
		if text := l.cells[c.name]; text != "" {
			var a fixed.Amount
			if decodeAmount(text, &a, c.name, &bad) {
				*c.into = &a
			}
		}
	}
	if text := l.cells["trips"]; text != "" {
		var n int
		if decodeValue([]byte(text), &n, "trips", &bad) {
			d.Trips = &n
		}
	}
	d.Platform, d.Note = text.PlainCell(l.cells["platform"]), text.PlainCell(l.cells["note"])
	if text := l.cells["currency"]; text != "" {
		d.Currency = text
	}
	if text := l.cells["expense_items"]; text != "" {
		// The cell is a value of its own: wrapped as one it cannot become more.
		wrapped, err := json.Marshal(map[string]json.RawMessage{"expense_items": json.RawMessage(text)})
		if err != nil || jsonbody.Check(wrapped) != nil {
			bad.Add("expense_items", "invalid", "Expected a list of items, as the export has it.")
			return bad
		}
		var b entryBody
		b.ExpenseItems.decode([]byte(text), "expense_items", &bad)
		bad = b.apply(d, bad)
	}
	return bad
}
