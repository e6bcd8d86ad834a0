package httpapi

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
)

// csvTypes are what browsers and systems call a file of comma-separated values.
var csvTypes = []string{csvType, "application/vnd.ms-excel", "text/plain"}

// csvLine is a line of an import, by column.
type csvLine struct {
	number int
	cells  map[string]string
	locale locale
}

// locale is how a spreadsheet wrote numbers and days. It is that of the whole file.
type locale struct {
	comma    bool // decimals follow a comma, and points group thousands
	dayFirst bool // of dates with slashes
	known    bool // which of the two dates with slashes are
}

// readLines takes a file apart as spreadsheets save it: in UTF-8 or UTF-16, with
// any ends of lines, with commas, semicolons or tabs between the cells, perhaps
// named by a first line "sep=;". Rows without anything in them are passed over.
func readLines(raw []byte) ([]csvLine, error) {
	text, err := decodeText(raw)
	if err != nil {
		return nil, err
	}
	text, separator, skipped := cutSeparator(text)
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord = separator, -1
	header, err := r.Read()
	if err != nil {
		return nil, fault.InvalidField("", "invalid", "The file must begin with the names of its columns, as the export has them.")
	}
	for len(header) > 0 && strings.TrimSpace(header[len(header)-1]) == "" { // separators at the end
		header = header[:len(header)-1]
	}
	if err := checkColumns(header); err != nil {
		return nil, err
	}
	var lines []csvLine
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, unreadableLine(e.StartLine+skipped, e.Err.Error())
		}
		if err != nil {
			return nil, err
		}
		number, _ := r.FieldPos(0)
		number += skipped
		if blankRow(cells) {
			continue
		}
		if len(cells) < len(header) || !blankRow(cells[len(header):]) {
			return nil, unreadableLine(number, csv.ErrFieldCount.Error())
		}
		if len(lines) == maxImportLines {
			return nil, fault.InvalidField("", "max_length", "A file may have 20,000 lines at most.")
		}
		l := csvLine{number: number, cells: map[string]string{}}
		for i, name := range header {
			if l.cells[name] = cells[i]; name != "platform" && name != "note" { // blanks in these are the driver's own
				l.cells[name] = strings.TrimPrefix(strings.TrimSpace(cells[i]), "'")
			}
		}
		lines = append(lines, l)
	}
	where := localeOf(separator, lines)
	for i := range lines {
		lines[i].locale = where
	}
	return lines, nil
}

func unreadableLine(number int, why string) error {
	return fault.InvalidField("line "+strconv.Itoa(number), "parse_error", "This line cannot be read: "+why+".")
}

func blankRow(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// decodeText is a file as UTF-8 with line feeds, without a byte order mark.
func decodeText(raw []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		order, raw = binary.LittleEndian, raw[2:]
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		order, raw = binary.BigEndian, raw[2:]
	case len(raw) >= 2 && raw[0] != 0 && raw[1] == 0:
		order = binary.LittleEndian
	case len(raw) >= 2 && raw[0] == 0 && raw[1] != 0:
		order = binary.BigEndian
	}
	if order != nil {
		if len(raw)%2 != 0 {
			return "", errEncoding
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = order.Uint16(raw[2*i:])
		}
		runes := utf16.Decode(units)
		if slices.Contains(runes, utf8.RuneError) { // half a pair
			return "", errEncoding
		}
		raw = []byte(string(runes))
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return "", errEncoding
	}
	text := string(raw)
	if endsWithReturns(text) {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return text, nil
}

// endsWithReturns tells whether the first line ends with a carriage return alone, as
// older Macs end lines. Line feeds may still stand within cells, or end the file.
func endsWithReturns(text string) bool {
	quoted := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			return false
		case c == '\r':
			return i+1 == len(text) || text[i+1] != '\n'
		}
	}
	return false
}

var errEncoding = fault.InvalidField("", "encoding", "The file must be text in UTF-8.")

// separators are what stands between cells.
const separators = ",;\t"

// cutSeparator finds out what stands between the cells: it is named in a first
// line, which is cut off, or stands between the names of the columns.
func cutSeparator(text string) (rest string, separator rune, skipped int) {
	first, after, _ := strings.Cut(text, "\n")
	name := strings.Trim(strings.TrimRight(first, "\r"+separators), `" `)
	if len(name) >= 4 && strings.EqualFold(name[:4], "sep=") || strings.EqualFold(strings.TrimSpace(first), "sep=") {
		_, mark, _ := strings.Cut(strings.TrimRight(first, "\r"), "=")
		if mark != "" && strings.Contains(separators, mark[:1]) {
			return after, rune(mark[0]), 1
		}
		text, skipped = after, 1
		first, _, _ = strings.Cut(text, "\n")
	}
	most := 0
	separator = ','
	for _, c := range separators {
		if n := strings.Count(first, string(c)); n > most {
			separator, most = c, n
		}
	}
	return text, separator, skipped
}

// numberColumns are the columns of numbers.
var numberColumns = []string{"app_income", "tips", "commission", "expenses", "hours", "distance_km", "trips"}

// localeOf is the locale of a file. Semicolons stand where commas are in numbers.
// With tabs the numbers themselves have to tell. Dates with slashes begin with the
// day where commas are in numbers; elsewhere a date has to tell that has only
// one reading.
func localeOf(separator rune, lines []csvLine) locale {
	where := locale{comma: separator == ';'}
	for _, l := range lines {
		for _, name := range numberColumns {
			cell := l.cells[name]
			if i := strings.LastIndexByte(cell, ','); separator == '\t' && i >= 0 && len(cell)-i-1 != 3 {
				where.comma = true
			}
		}
	}
	if where.comma {
		where.dayFirst, where.known = true, true
		return where
	}
	day, month := false, false
	for _, l := range lines {
		if a, b, _, ok := cutDate(l.cells["date"], "/"); ok {
			day, month = day || a > 12, month || b > 12
		}
	}
	where.known, where.dayFirst = day != month, day
	return where
}

// cutDate reads three numbers, the last of which is a year.
func cutDate(s, separator string) (a, b, year int, ok bool) {
	parts := strings.Split(s, separator)
	if len(parts) != 3 || len(parts[2]) != 4 {
		return 0, 0, 0, false
	}
	var n [3]int
	for i, p := range parts {
		if len(p) == 0 || len(p) > 4 || strings.Trim(p, "0123456789") != "" {
			return 0, 0, 0, false
		}
		n[i], _ = strconv.Atoi(p) // digits
	}
	return n[0], n[1], n[2], true
}

// date is a day as the rest of the program reads it, where it is one of those
// that spreadsheets write.
func (w locale) date(s string) string {
	s = strings.TrimSuffix(strings.TrimSuffix(s, " 00:00:00"), " 00:00")
	for _, separator := range []string{".", "/"} {
		day, month, year, ok := cutDate(s, separator)
		if !ok || separator == "/" && !w.known {
			continue
		}
		if separator == "/" && !w.dayFirst {
			day, month = month, day
		}
		return pad(year, 4) + "-" + pad(month, 2) + "-" + pad(day, 2)
	}
	return s
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(0, width-len(s))) + s
}

// number is a number as the rest of the program reads it: with a point before the
// decimals and nothing between thousands. What is no such number is left alone.
func (w locale) number(s string) string {
	sign, digits := "", s
	for _, minus := range []string{"-", "\u2212"} {
		if rest, ok := strings.CutPrefix(s, minus); ok {
			sign, digits = "-", rest
			break
		}
	}
	decimal, group := ".", ","
	if w.comma {
		decimal, group = ",", "."
	}
	if w.comma && !strings.Contains(digits, ",") && !grouped(digits, ".") { // written by a program
		decimal, group = ".", ","
	}
	whole, fraction, point := strings.Cut(digits, decimal)
	for _, g := range []string{group, " ", "\u00a0", "\u202f"} {
		if grouped(whole, g) {
			whole = strings.ReplaceAll(whole, g, "")
			break
		}
	}
	if point {
		whole += "." + fraction
	}
	return sign + whole
}

// grouped tells whether separators stand between groups of three digits.
func grouped(s, separator string) bool {
	groups := strings.Split(s, separator)
	if len(groups) < 2 || len(groups[0]) < 1 || len(groups[0]) > 3 {
		return false
	}
	for i, g := range groups {
		if i > 0 && len(g) != 3 || strings.Trim(g, "0123456789") != "" {
			return false
		}
	}
	return true
}

func checkColumns(header []string) error {
	var bad fault.Fields
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		header[i] = name
		switch {
		case !slices.Contains(csvColumns, name):
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
