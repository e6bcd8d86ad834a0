package bucket

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Disposition is the Content-Disposition that goes with a Download. Browsers
// show only the image kinds that we make or check; everything else is saved, so
// that no script in a file runs beside our pages (promise U9).
//
// A file name travels twice, as RFC 6266 wants it: in plain ASCII for old
// readers, and in full. It cannot end the header or begin another parameter,
// whatever is in it.
func (d Download) Disposition() string {
	if d.FileName == "" {
		if shown(d.ContentType) {
			return "inline"
		}
		return "attachment"
	}
	plain, full := fileName(d.FileName)
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + full
}

func shown(contentType string) bool {
	return contentType == "image/jpeg" || contentType == "image/png" || contentType == "image/webp"
}

// fileName gives the two spellings of a file name: ASCII, for between quotes,
// and UTF-8 with percents (RFC 5987).
func fileName(name string) (plain, full string) {
	const hex = "0123456789ABCDEF"
	var p, f strings.Builder
	for _, r := range name {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			continue // breaks lines, or turns the writing around: .exe could look like .pdf
		case r == '/', r == '\\':
			r = '_' // it is a name, not a path
		}
		switch {
		case r == '"', r == '%', r > '~':
			p.WriteByte('_')
		default:
			p.WriteRune(r)
		}
		for _, b := range []byte(string(r)) {
			if b < utf8.RuneSelf && strings.IndexByte(attrChars, b) >= 0 {
				f.WriteByte(b)
			} else {
				f.WriteByte('%')
				f.WriteByte(hex[b>>4])
				f.WriteByte(hex[b&15])
			}
		}
	}
	if p.Len() == 0 {
		return "file", "file"
	}
	return p.String(), f.String()
}

// attrChars are the bytes that RFC 5987 leaves as they are.
const attrChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~"
