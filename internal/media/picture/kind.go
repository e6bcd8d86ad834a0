package picture

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// kind is a kind of file that can be told by its first bytes. Most are here so
// that a refusal can say what the file is, and what to do about it.
type kind struct {
	contentType string // of the kinds taken
	name        string
	help        string
	offset      int
	magic       string
}

const (
	saveAsJPEG = " Please save it as JPEG and send that."
	fromIPhone = " Please save it as JPEG and send that; an iPhone takes JPEG with Settings, Camera, Formats, Most Compatible."
)

var kinds = []kind{
	{JPEG, "a JPEG picture", "", 0, "\xff\xd8\xff"},
	{PNG, "a PNG picture", "", 0, pngMagic},
	{WebP, "a WebP picture", "", 8, "WEBP"},
	{PDF, "a PDF document", "", 0, pdfMagic},
	{"", "a GIF picture", saveAsJPEG, 0, "GIF8"},
	{"", "a BMP picture", saveAsJPEG, 0, "BM"},
	{"", "a TIFF picture", saveAsJPEG, 0, "II*\x00"},
	{"", "a TIFF picture", saveAsJPEG, 0, "MM\x00*"},
	{"", "a HEIC picture", fromIPhone, 4, "ftyphei"},
	{"", "a HEIC picture", fromIPhone, 4, "ftyphev"},
	{"", "a HEIC picture", fromIPhone, 4, "ftypmif1"},
	{"", "a HEIC picture", fromIPhone, 4, "ftypmsf1"},
	{"", "an AVIF picture", saveAsJPEG, 4, "ftypavi"},
	{"", "a JPEG XL picture", saveAsJPEG, 0, "\xff\x0a"},
	{"", "a JPEG XL picture", saveAsJPEG, 4, "JXL \r\n\x87\n"},
	{"", "a JPEG 2000 picture", saveAsJPEG, 4, "jP  \r\n\x87\n"},
	{"", "a video", "", 4, "ftyp"},
	{"", "a ZIP archive", "", 0, "PK\x03\x04"},
}

// The content types by which the kinds that are refused go, to name them before a
// byte is sent.
var refusedTypes = map[string]string{
	"image/heic": "a HEIC picture", "image/heif": "a HEIC picture", "image/heic-sequence": "a HEIC picture", "image/heif-sequence": "a HEIC picture",
	"image/jxl": "a JPEG XL picture", "image/avif": "an AVIF picture", "image/gif": "a GIF picture", "image/tiff": "a TIFF picture",
	"image/bmp": "a BMP picture", "image/jp2": "a JPEG 2000 picture",
}

// RefusedType says what a file of a content type is and what to do about it; empty
// where nothing is known of it.
func RefusedType(contentType string) string {
	name := refusedTypes[contentType]
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return ""
	}
	return "The file is " + name + ", which is not taken." + kinds[i].help
}

// spellings are content types that mean another.
var spellings = map[string]string{
	"image/jpg": JPEG, "image/pjpeg": JPEG, "image/jfif": JPEG, "image/x-jpeg": JPEG, "image/x-jpg": JPEG,
	"image/x-png": PNG, "image/apng": PNG, "image/x-webp": WebP, "application/x-pdf": PDF,
}

// CanonicalType is the content type that another one means, whatever its case and
// parameters.
func CanonicalType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if c, ok := spellings[t]; ok {
		return c
	}
	return t
}

// sniffed is how much of a file is looked at to tell its kind.
const sniffed = 512

// ofKind tells of which of the accepted content types the file in r is, and
// consumes nothing.
func ofKind(r *bufio.Reader, accepted []string) (string, error) {
	for _, t := range accepted {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return t != "" && k.contentType == t }) {
			return "", &Error{CodeWrongType, "Only " + pictures + " and PDF documents are taken."}
		}
	}
	start, err := r.Peek(pdfHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if len(start) == 0 {
		return "", errEmpty
	}
	found := kindOf(start)
	wanted := only(accepted)
	if len(accepted) == 1 {
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.contentType == accepted[0] })
		wanted = "not " + kinds[i].name + "."
	}
	switch {
	case found.contentType != "" && slices.Contains(accepted, found.contentType):
		if found.contentType == PDF && !plainVersion(start) {
			return "", errUnreadable
		}
		return found.contentType, nil
	case len(accepted) > 1 && found.name != "":
		return "", &Error{CodeWrongType, "The file is " + found.name + ". " + wanted + found.help}
	case len(accepted) > 1:
		return "", &Error{CodeWrongType, "The file is of a kind that is not taken. " + wanted}
	case found.name != "":
		return "", &Error{CodeWrongType, "The file is " + found.name + ", " + wanted + found.help}
	}
	return "", &Error{CodeWrongType, "The file is " + wanted}
}

const pictures = "JPEG, PNG and WebP pictures"

// only is the sentence that says which of the kinds are taken.
func only(accepted []string) string {
	if slices.Contains(accepted, PDF) {
		return "Only " + pictures + " and PDF documents are taken."
	}
	return "Only " + pictures + " are taken."
}

// kindOf is the kind that start shows, or the zero kind.
func kindOf(start []byte) kind {
	for _, k := range kinds {
		if len(start) < k.offset || !bytes.HasPrefix(start[k.offset:], []byte(k.magic)) {
			continue
		}
		if k.contentType == WebP && !bytes.HasPrefix(start, []byte("RIFF")) {
			continue
		}
		return k
	}
	before := start
	pdf := bytes.Index(start[:min(len(start), pdfBefore+len(pdfMagic))], []byte(pdfMagic))
	if pdf >= 0 {
		before = start[:pdf]
	}
	text := before[:min(len(before), sniffed)]
	for i := 1; i < utf8.UTFMax && len(text) > sniffed-utf8.UTFMax && !utf8.Valid(text); i++ {
		text = text[:len(text)-1] // the last character may have been cut
	}
	lower := bytes.ToLower(before)
	isText := utf8.Valid(text) && bytes.IndexByte(text, 0) < 0
	switch {
	case (isText || pdf >= 0) && bytes.Contains(lower, []byte("<svg")):
		return kind{name: "an SVG drawing"}
	case (isText || pdf >= 0) && (bytes.Contains(lower, []byte("<html")) || bytes.Contains(lower, []byte("<!doctype html")) || bytes.Contains(lower, []byte("<script"))):
		return kind{name: "a web page"}
	case pdf >= 0: // behind a mark, blank lines, or what a mail program has left
		return kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.contentType == PDF })]
	case isText:
		return kind{name: "plain text"}
	}
	return kind{}
}
