package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// The file is a tar archive: manifest.json, then rows/TABLE/NUMBER.jsonl.gz for
// every table in turn, then objects/KEY, and summary.json at the end. A line of
// rows is a JSON array, in the order of the columns in the manifest.
const (
	formatNumber = 1
	manifestName = "manifest.json"
	summaryName  = "summary.json"
	rowsFolder   = "rows/"
	rowsEnd      = ".jsonl.gz"
	objectFolder = "objects/"
)

// The bounds of what is written and believed, in bytes.
const (
	pieceSize  = 4 << 20 // of rows, before they are packed
	maxLine    = 4 << 20 // of a row: the server stores none of that size
	maxPiece   = pieceSize + maxLine
	maxDoc     = 4 << 20   // of manifest and summary
	maxObject  = 512 << 20 // of an object: the server makes none of more than 10 MB
	rowsAtOnce = 1000      // that are loaded together
)

// manifest is what stands at the beginning.
type manifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the program
	MadeAt  time.Time `json:"made_at"`
	Schema  int64     `json:"schema"`
	Prefix  string    `json:"prefix"`
	Lineage string    `json:"lineage"`
	Objects bool      `json:"objects"` // whether the objects are there as well
	Tables  []Table   `json:"tables"`
}

// summary is what stands at the end.
type summary struct {
	Rows    map[string]int64 `json:"rows"`
	Objects int64            `json:"objects"`
	Gone    int64            `json:"gone"` // objects that were deleted while they were being copied
	SHA256  string           `json:"sha256"`
}

// A digest sums the names, sizes and contents of entries.
type digest struct{ hash.Hash }

func newDigest() digest { return digest{sha256.New()} }

func (d digest) entry(name string, size int64) {
	fmt.Fprintf(d, "%s\x00%d\x00", name, size) // a hash takes everything
}

func (d digest) String() string { return hex.EncodeToString(d.Sum(nil)) }

// archiveWriter writes the file.
type archiveWriter struct {
	tar    *tar.Writer
	digest digest
	at     time.Time
}

func (w *archiveWriter) add(name string, body []byte) error {
	h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(body)), ModTime: w.at, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	w.digest.entry(name, h.Size)
	w.digest.Write(body)
	_, err := w.tar.Write(body)
	return err
}

func (w *archiveWriter) addJSON(name string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.add(name, append(body, '\n'))
}

// pieces gathers the rows of a table and writes them a piece at a time.
type pieces struct {
	w      *archiveWriter
	table  Table
	number int
	lines  bytes.Buffer
	line   []byte
}

func (p *pieces) row(values []any) error {
	p.line = append(p.line[:0], '[')
	for i, v := range values {
		if i > 0 {
			p.line = append(p.line, ',')
		}
		var err error
		if p.line, err = appendValue(p.line, v); err != nil {
			return fmt.Errorf("%s.%s: %w", p.table.Name, p.table.Columns[i].Name, err)
		}
	}
	p.line = append(p.line, "]\n"...)
	if len(p.line) > maxLine {
		return fmt.Errorf("a row of %s has %d bytes, which is more than a backup takes", p.table.Name, len(p.line))
	}
	p.lines.Write(p.line)
	if p.lines.Len() < pieceSize {
		return nil
	}
	return p.flush()
}

func (p *pieces) flush() error {
	if p.lines.Len() == 0 {
		return nil
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := z.Write(p.lines.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	p.lines.Reset()
	p.number++
	return p.w.add(fmt.Sprintf("%s%s/%06d%s", rowsFolder, p.table.Name, p.number, rowsEnd), packed.Bytes())
}

// appendValue writes a value as JSON: times and days as text, bytes in base64.
func appendValue(to []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(to, "null"...), nil
	case int64:
		return strconv.AppendInt(to, v, 10), nil
	case bool:
		return strconv.AppendBool(to, v), nil
	case string:
		text, err := json.Marshal(v)
		return append(to, text...), err
	case time.Time:
		if err := checkYear(v.UTC()); err != nil {
			return to, err
		}
		to = v.UTC().AppendFormat(append(to, '"'), time.RFC3339Nano)
		return append(to, '"'), nil
	case calendar.Day:
		if err := checkYear(v.UTC()); err != nil {
			return to, err
		}
		return append(append(append(to, '"'), v.String()...), '"'), nil
	case []byte:
		to = base64.StdEncoding.AppendEncode(append(to, '"'), v)
		return append(to, '"'), nil
	}
	return to, fmt.Errorf("a value of type %T cannot be kept", v)
}

// checkYear refuses what could be written and not read again.
func checkYear(t time.Time) error {
	if y := t.Year(); y < 0 || y > 9999 {
		return fmt.Errorf("the year %d cannot be kept", y)
	}
	return nil
}

// parseValue reads what appendValue has written for a column of a kind.
func parseValue(kind Kind, text json.RawMessage) (any, error) {
	if string(text) == "null" {
		return nil, nil //nolint:nilnil // a missing value
	}
	var err error
	switch kind {
	case Integer:
		var n int64
		err = json.Unmarshal(text, &n)
		return n, err
	case Bool:
		var b bool
		err = json.Unmarshal(text, &b)
		return b, err
	case Bytes:
		var b []byte
		err = json.Unmarshal(text, &b)
		return b, err
	case Text, Time, Date:
	default:
		return nil, fmt.Errorf("no such kind: %q", kind)
	}
	var s string
	if err = json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	switch kind {
	case Time:
		t, err := time.Parse(time.RFC3339Nano, s)
		return t.UTC(), err
	case Date:
		t, err := time.Parse(time.DateOnly, s) // whatever the database held, also what no client may send today
		return calendar.On(t), err
	}
	return s, nil
}

// archiveReader reads the file, entry by entry.
type archiveReader struct {
	tar      *tar.Reader
	digest   digest
	manifest manifest
}

// openArchive reads the beginning of a file.
func openArchive(from io.Reader) (*archiveReader, error) {
	r := &archiveReader{tar: tar.NewReader(bufio.NewReaderSize(from, 1<<20)), digest: newDigest()}
	h, err := r.tar.Next()
	if err != nil || h.Name != manifestName || h.Size > maxDoc {
		return nil, ErrNotOurs
	}
	body, err := r.body(h)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &r.manifest); err != nil || r.manifest.Format == 0 {
		return nil, ErrNotOurs
	}
	if r.manifest.Format != formatNumber {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("The backup is of format %d, and this program reads format %d: use the program that made it (%s), or a newer one.",
			r.manifest.Format, formatNumber, r.manifest.Version))
	}
	return r, nil
}

// body reads an entry whole, and adds it to the digest.
func (r *archiveReader) body(h *tar.Header) ([]byte, error) {
	if h.Size < 0 || h.Size > maxObject {
		return nil, ErrDamaged
	}
	var b bytes.Buffer // grows with what is there, whatever the header says
	if _, err := io.Copy(&b, r.tar); err != nil {
		return nil, cut(err)
	}
	r.digest.entry(h.Name, h.Size)
	r.digest.Write(b.Bytes())
	return b.Bytes(), nil
}

// cut makes of an early end what it means.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	if errors.Is(err, tar.ErrHeader) {
		return ErrDamaged
	}
	return err
}

// entries hands every piece of rows and every object to those who want them, and
// checks the end. Either may be nil.
func (r *archiveReader) entries(piece func(table Table, body []byte) error, object func(key string, body []byte) error) (summary, error) {
	tables := map[string]Table{}
	for _, t := range r.manifest.Tables {
		tables[t.Name] = t
	}
	for {
		h, err := r.tar.Next()
		if err != nil {
			return summary{}, cut(err)
		}
		if h.Typeflag != tar.TypeReg {
			return summary{}, ErrDamaged
		}
		if h.Name == summaryName {
			return r.end(h)
		}
		body, err := r.body(h)
		if err != nil {
			return summary{}, err
		}
		if key, ok := strings.CutPrefix(h.Name, objectFolder); ok {
			if object != nil {
				err = object(key, body)
			}
		} else {
			name, _, _ := strings.Cut(strings.TrimPrefix(h.Name, rowsFolder), "/")
			t, ok := tables[name]
			if !ok || !strings.HasSuffix(h.Name, rowsEnd) {
				return summary{}, ErrDamaged
			}
			if piece != nil {
				err = piece(t, body)
			}
		}
		if err != nil {
			return summary{}, err
		}
	}
}

// end reads the summary and holds it against what was read.
func (r *archiveReader) end(h *tar.Header) (summary, error) {
	sum := r.digest.String()
	if h.Size > maxDoc {
		return summary{}, ErrDamaged
	}
	body, err := r.body(h)
	if err != nil {
		return summary{}, err
	}
	var s summary
	if err := json.Unmarshal(body, &s); err != nil || s.SHA256 != sum {
		return summary{}, ErrDamaged
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return summary{}, ErrDamaged
	}
	return s, nil
}

// rowsOf reads the rows of a piece.
func rowsOf(t Table, packed []byte, each func(values []any) error) error {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return ErrDamaged
	}
	lines := bufio.NewScanner(io.LimitReader(z, maxPiece))
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		texts := make([]json.RawMessage, 0, len(t.Columns)+1)
		if err := json.Unmarshal(lines.Bytes(), &texts); err != nil || len(texts) != len(t.Columns) {
			return ErrDamaged
		}
		values := make([]any, len(texts))
		for i, text := range texts {
			if values[i], err = parseValue(t.Columns[i].Kind, text); err != nil {
				return ErrDamaged
			}
		}
		if err := each(values); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return ErrDamaged
	}
	return nil
}
