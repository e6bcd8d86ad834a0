package mail_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/mail"
)

var update = flag.Bool("update", false, "write the golden files")

var kinds = []mail.Kind{
	mail.VerifyAddress, mail.ResetPassword, mail.ConfirmNewAddress, mail.AddressChangeAsked, mail.AddressChanged,
	mail.PasswordChanged, mail.AccountExists, mail.AccountDeleted, mail.DocumentReminder,
	mail.PostClosed, mail.PostReopened,
}

func full() mail.Data {
	return mail.Data{
		Name: "Ioana Țuțu", Link: "https://app.example.com/go?token=abc&x=1", Address: "ioana.noua@example.org",
		Document: "RCA Logan", DocumentType: "insurance", ExpiresOn: "2026-03-05", DaysLeft: 7,
		Car: "Dacia Logan", Reason: "The price is not the real one.\nThe contact belongs to somebody else.",
		At: time.Date(2026, 2, 26, 17, 5, 0, 0, time.FixedZone("EET", 2*3600)),
	}
}

func TestRenderGolden(t *testing.T) {
	for _, k := range kinds {
		for _, lang := range []string{"en", "ro"} {
			name := string(k) + "." + lang
			t.Run(name, func(t *testing.T) {
				m, err := mail.Render(k, lang, full())
				if err != nil {
					t.Fatal(err)
				}
				if m.Subject == "" || strings.ContainsAny(m.Subject, "\r\n") {
					t.Errorf("subject = %q", m.Subject)
				}
				if strings.Contains(m.Text, "<no value>") || strings.Contains(m.Text, "\n\n\n") {
					t.Errorf("text has holes:\n%s", m.Text)
				}
				got := fmt.Sprintf("Subject: %s\n\n--- text\n%s\n--- html\n%s", m.Subject, m.Text, m.HTML)
				file := filepath.Join("testdata", name+".golden")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s differs from %s (run with -update to accept):\n%s", name, file, got)
				}
			})
		}
	}
}

// TestBothBodiesSayTheSame holds every link and every paragraph of the text
// against the HTML.
func TestBothBodiesSayTheSame(t *testing.T) {
	for _, k := range kinds {
		for _, lang := range []string{"en", "ro"} {
			m, err := mail.Render(k, lang, full())
			if err != nil {
				t.Fatal(err)
			}
			for p := range strings.SplitSeq(strings.TrimSpace(m.Text), "\n") {
				p = strings.ReplaceAll(strings.TrimSuffix(p, ":"), "&", "&amp;")
				if !strings.Contains(m.HTML, p) {
					t.Errorf("%s.%s: the HTML lacks %q", k, lang, p)
				}
			}
		}
	}
}

func TestRenderLanguages(t *testing.T) {
	for lang, want := range map[string]string{
		"en": "Choose a new password", "": "Choose", "de": "Choose", "RO": "Choose",
		"ro": "Alege o parolă nouă", //nolint:misspell // Romanian
	} {
		m, err := mail.Render(mail.ResetPassword, lang, full())
		if err != nil || !strings.HasPrefix(m.Subject, want) {
			t.Errorf("Render(%q) = %q, %v", lang, m.Subject, err)
		}
	}
	// ş and ţ with a cedilla are not Romanian.
	for _, k := range kinds {
		m, err := mail.Render(k, "ro", full())
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(m.Subject+m.Text, "şţŞŢ") {
			t.Errorf("%s has a cedilla", k)
		}
	}
}

func TestRenderRefusesWhatItCannotWrite(t *testing.T) {
	tests := []struct {
		name string
		kind mail.Kind
		edit func(*mail.Data)
	}{
		{"unknown kind", "greeting", nil},
		{"no link", mail.VerifyAddress, func(d *mail.Data) { d.Link = "" }},
		{"script for a link", mail.ResetPassword, func(d *mail.Data) { d.Link = "javascript:alert(1)" }},
		{"link with a break", mail.ResetPassword, func(d *mail.Data) { d.Link = "https://a/\r\nb" }},
		{"relative link", mail.PasswordChanged, func(d *mail.Data) { d.Link = "/x" }},
		{"no day", mail.DocumentReminder, func(d *mail.Data) { d.ExpiresOn = "" }},
		{"no such day", mail.DocumentReminder, func(d *mail.Data) { d.ExpiresOn = "2026-02-30" }},
	}
	for _, tt := range tests {
		d := full()
		if tt.edit != nil {
			tt.edit(&d)
		}
		if m, err := mail.Render(tt.kind, "en", d); err == nil {
			t.Errorf("%s: rendered %q", tt.name, m.Subject)
		} else if strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "alert") {
			t.Errorf("%s: the error quotes the link: %v", tt.name, err)
		}
	}
}

func TestDaysLeft(t *testing.T) {
	for days, want := range map[int][2]string{
		-20: {"expired 20 days ago", "a expirat acum 20 de zile"},
		-1:  {"expired 1 day ago", "a expirat acum 1 zi"},
		0:   {"expires today", "expiră astăzi"},
		1:   {"expires in 1 day", "expiră peste 1 zi"},
		2:   {"expires in 2 days", "expiră peste 2 zile"},
		19:  {"expires in 19 days", "expiră peste 19 zile"},
		20:  {"expires in 20 days", "expiră peste 20 de zile"},
		30:  {"expires in 30 days", "expiră peste 30 de zile"},
		100: {"expires in 100 days", "expiră peste 100 de zile"},
		101: {"expires in 101 days", "expiră peste 101 zile"},
		119: {"expires in 119 days", "expiră peste 119 zile"},
		120: {"expires in 120 days", "expiră peste 120 de zile"},
	} {
		for i, lang := range []string{"en", "ro"} {
			d := full()
			d.DaysLeft = days
			m, err := mail.Render(mail.DocumentReminder, lang, d)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(m.Subject, ": "+want[i]) || !strings.Contains(m.Text, want[i]+",") {
				t.Errorf("%d days in %s: subject %q\n%s", days, lang, m.Subject, m.Text)
			}
		}
	}
}

func TestDocumentNames(t *testing.T) {
	tests := []struct{ lang, title, kind, want string }{
		{"en", "", "driving_license", "Driving licence: expires in 7 days"},
		{"ro", "", "driving_license", "Permis de conducere: expiră peste 7 zile"},
		{"ro", "", "inspection", "Inspecție tehnică (ITP): expiră peste 7 zile"},
		{"en", "My paper", "other", "My paper: expires in 7 days"},
		{"en", "My paper", "registration", "My paper – vehicle registration: expires in 7 days"},
		{"en", "Insurance", "insurance", "Insurance: expires in 7 days"},
		{"en", "", "unheard_of", "Document: expires in 7 days"},
	}
	for _, tt := range tests {
		d := full()
		d.Document, d.DocumentType = tt.title, tt.kind
		m, err := mail.Render(mail.DocumentReminder, tt.lang, d)
		if err != nil || m.Subject != tt.want {
			t.Errorf("%+v: subject = %q, %v", tt, m.Subject, err)
		}
	}
	for _, kind := range strings.Split("driving_license registration insurance inspection taxi_permit badge medical criminal_record contract", " ") {
		d := full()
		d.Document, d.DocumentType = "", kind
		for _, lang := range []string{"en", "ro"} {
			if m, err := mail.Render(mail.DocumentReminder, lang, d); err != nil || strings.HasPrefix(m.Subject, "Document:") {
				t.Errorf("no %s name for %s: %q, %v", lang, kind, m.Subject, err)
			}
		}
	}
}

func TestUserTextIsInertI7(t *testing.T) {
	d := full()
	d.Name = "<b>Eve</b>\r\nBcc: x\u202e"
	d.Document = "<script>alert(1)</script>\r\nBcc: a@b.c \"x\" {{.Link}}"
	m, err := mail.Render(mail.DocumentReminder, "en", d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.HTML, "<script>") || strings.Contains(m.HTML, "<b>") {
		t.Errorf("markup survives:\n%s", m.HTML)
	}
	if strings.ContainsAny(m.Subject, "\r\n\u202e") || strings.Contains(m.Text, "\r") || strings.Contains(m.Text, "\nBcc") || strings.Contains(m.Text, "\u202e") {
		t.Errorf("lines break: %q\n%q", m.Subject, m.Text)
	}
	if !strings.Contains(m.Text, "Hello <b>Eve</b> Bcc: x,") {
		t.Errorf("the name is not shown as text:\n%s", m.Text)
	}
	d.Document = strings.Repeat("ș", 1000)
	if m, err = mail.Render(mail.DocumentReminder, "ro", d); err != nil || len([]rune(m.Subject)) > 150 {
		t.Errorf("long title: subject of %d, %v", len([]rune(m.Subject)), err)
	}
}

func TestANameIsNoBillboard(t *testing.T) {
	for name, shown := range map[string]bool{
		"Ion Popescu": true, "Ion P. Ionescu": true, "Ana-Maria": true, "O'Neill": true, "Łukasz": true,
		"Win at evil.com": false, "http://evil": false, "WWW.evil": false, "me@evil": false, "see evil.example now": false,
	} {
		d := full()
		d.Name = name
		m, err := mail.Render(mail.VerifyAddress, "en", d)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.HasPrefix(m.Text, "Hello "+name+","); got != shown {
			t.Errorf("name %q shown: %v, want %v", name, got, shown)
		}
		if !shown && strings.Contains(m.Text+m.HTML, "evil") {
			t.Errorf("name %q got through", name)
		}
	}
}

func TestNewAddressIsMasked(t *testing.T) {
	for _, k := range []mail.Kind{mail.AddressChangeAsked, mail.AddressChanged} {
		m, err := mail.Render(k, "en", full())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.Text+m.HTML, "ioana.noua") || !strings.Contains(m.Text, "i***@example.org") {
			t.Errorf("%s:\n%s", k, m.Text)
		}
	}
}
