package picture

import "bytes"

// pdfTail is how far from its end a PDF must show that it is one.
const pdfTail = 2 << 10

const (
	pdfMagic  = "%PDF-"
	pdfBefore = 1024 // bytes of something else, behind which readers find the first line
	pdfHead   = pdfBefore + len(pdfMagic) + len("1.7")
)

// plainVersion tells whether a PDF's first line names a version there is.
func plainVersion(start []byte) bool {
	_, version, _ := bytes.Cut(start, []byte(pdfMagic))
	return bytes.HasPrefix(version, []byte("1.")) || bytes.HasPrefix(version, []byte("2."))
}

// checkPDF looks at the frame of a PDF: the first line was seen by readHead, and
// at the end there must be a cross-reference and the end mark, with nothing but
// white space behind it. Something appended, as in a file that is also a web
// page or an archive, is refused. What is between is for the reader's program.
func checkPDF(raw []byte) error {
	tail := bytes.TrimRight(raw, "\x00\t\n\f\r ")
	tail = tail[max(0, len(tail)-pdfTail):]
	switch {
	case !bytes.Contains(tail, []byte("%%EOF")):
		return errTruncated
	case !bytes.HasSuffix(tail, []byte("%%EOF")), !bytes.Contains(tail, []byte("startxref")):
		return errUnreadable
	}
	return nil
}
