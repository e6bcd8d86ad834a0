package bucket_test

import (
	"mime"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// TestDisposition: U9. Only the image kinds are shown, and no file name gets out
// of its quotes.
func TestDisposition(t *testing.T) {
	tests := []struct {
		name, contentType, file string
		want                    string
	}{
		{"a photo", "image/jpeg", "", `inline`},
		{"png", "image/png", "", `inline`},
		{"webp", "image/webp", "", `inline`},
		{"a page", "text/html", "", `attachment`},
		{"a drawing", "image/svg+xml", "", `attachment`},
		{"nothing", "", "", `attachment`},
		{"a name", "image/jpeg", "a.jpg", `attachment; filename="a.jpg"; filename*=UTF-8''a.jpg`},
		{
			"Romanian", "application/pdf", "Asigurare mașină și țeavă.pdf",
			`attachment; filename="Asigurare ma_in_ _i _eav_.pdf"; filename*=UTF-8''Asigurare%20ma%C8%99in%C4%83%20%C8%99i%20%C8%9Beav%C4%83.pdf`,
		},
		{"quotes", "application/pdf", `a"; x="b`, `attachment; filename="a_; x=_b"; filename*=UTF-8''a%22%3B%20x%3D%22b`},
		{"lines", "application/pdf", "a\r\nSet-Cookie: x\x00\u2028", `attachment; filename="aSet-Cookie: x"; filename*=UTF-8''aSet-Cookie%3A%20x`},
		{"a path", "application/pdf", `../..\x`, `attachment; filename=".._.._x"; filename*=UTF-8''.._.._x`},
		{"turned around", "application/pdf", "a\u202efdp.exe", `attachment; filename="afdp.exe"; filename*=UTF-8''afdp.exe`},
		{"percent", "application/pdf", "50%41.pdf", `attachment; filename="50_41.pdf"; filename*=UTF-8''50%2541.pdf`},
		{"nothing left", "application/pdf", "\n", `attachment; filename="file"; filename*=UTF-8''file`},
		{"not UTF-8", "application/pdf", "a\xff.pdf", `attachment; filename="a.pdf"; filename*=UTF-8''a.pdf`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := bucket.Download{ContentType: tt.contentType, FileName: tt.file}
			got := d.Disposition()
			if got != tt.want {
				t.Errorf("Disposition(%q) = %s, want %s", tt.file, got, tt.want)
			}
			if _, _, err := mime.ParseMediaType(got); err != nil {
				t.Errorf("Disposition(%q) = %s, which does not parse: %v", tt.file, got, err)
			}
		})
	}
}
