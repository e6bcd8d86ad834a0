package picture

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// kind is a kind of file that can be told by its first bytes. Most are here so
// that a refusal can say what the file is.
type kind struct {
	contentType string // of the kinds taken
	name        string
	offset      int
	magic       string
}

var kinds = []kind{
	{JPEG, "a JPEG picture", 0, "\xff\xd8\xff"},
	{PNG, "a PNG picture", 0, pngMagic},
	{WebP, "a WebP picture", 8, "WEBP"},
	{PDF, "a PDF document", 0, "%PDF-"},
	{"", "a GIF picture", 0, "GIF8"},
	{"", "a BMP picture", 0, "BM"},
	{"", "a TIFF picture", 0, "II*\x00"},
	{"", "a TIFF picture", 0, "MM\x00*"},
	{"", "a HEIC picture", 4, "ftyphei"},
	{"", "a HEIC picture", 4, "ftypmif1"},
	{"", "an AVIF picture", 4, "ftypavif"},
	{"", "a video", 4, "ftyp"},
	{"", "a ZIP archive", 0, "PK\x03\x04"},
}

// sniffed is how much of a file is looked at to tell its kind.
const sniffed = 512

// ofKind tells whether the file in r is of the declared kind, and consumes nothing.
func ofKind(r *bufio.Reader, contentType string) error {
	wanted := ""
	for _, k := range kinds {
		if k.contentType == contentType && contentType != "" {
			wanted = k.name
		}
	}
	if wanted == "" {
		return &Error{CodeWrongType, "Only JPEG, PNG and WebP pictures and PDF documents are taken."}
	}
	start, err := r.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(start) == 0 {
		return errEmpty
	}
	found := kindOf(start)
	switch {
	case found.contentType == contentType:
		if contentType == PDF && !plainVersion(start) {
			return errUnreadable
		}
		return nil
	case found.name != "":
		return &Error{CodeWrongType, "The file is " + found.name + ", not " + wanted + "."}
	}
	return &Error{CodeWrongType, "The file is not " + wanted + "."}
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
	text := start
	for i := 1; i < utf8.UTFMax && len(start) == sniffed && !utf8.Valid(text); i++ {
		text = start[:sniffed-i] // the last character may have been cut
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return kind{}
	}
	lower := bytes.ToLower(text)
	switch {
	case bytes.Contains(lower, []byte("<svg")):
		return kind{name: "an SVG drawing"}
	case bytes.Contains(lower, []byte("<html")), bytes.Contains(lower, []byte("<!doctype html")):
		return kind{name: "a web page"}
	}
	return kind{name: "plain text"}
}
