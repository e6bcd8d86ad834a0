package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind is an occasion to write.
type Kind string

// The occasions, and what of Data each of them needs beside Name.
const (
	VerifyAddress      Kind = "verify_address"       // Link
	ResetPassword      Kind = "reset_password"       // Link
	ConfirmNewAddress  Kind = "confirm_new_address"  // Link; goes to the new address
	AddressChangeAsked Kind = "address_change_asked" // Address, the new one; goes to the old one
	AddressChanged     Kind = "address_changed"      // Address, the new one, At; goes to the old one
	PasswordChanged    Kind = "password_changed"     // At; Link to ask for a reset, if any
	AccountExists      Kind = "account_exists"       // Link to sign in or reset, if any
	AccountDeleted     Kind = "account_deleted"      // nothing
	DocumentReminder   Kind = "document_reminder"    // DocumentType or Document, ExpiresOn, DaysLeft; Link, if any
	PostClosed         Kind = "post_closed"          // Car, Reason
	PostReopened       Kind = "post_reopened"        // Car
)

// Data is what messages speak of. Whatever users wrote in it is shown as text,
// on one line; only the reason that an operator gives may have several.
type Data struct {
	ServiceName  string    // "Rideshare Copilot" when empty
	Name         string    // of the person written to; may be empty
	Link         string    // absolute, http or https
	Address      string    // a new mail address; shown with most of it masked
	Document     string    // the title its owner gave a document
	DocumentType string    // as the API has it: driving_license, registration, …
	ExpiresOn    string    // the day, as YYYY-MM-DD
	DaysLeft     int       // until then; 0 is today, less is past
	Car          string    // make and model, as its owner wrote them
	Reason       string    // why a post was closed, in an operator's words
	At           time.Time // when it happened, in the zone to show it in; zero leaves it out
}

//go:embed words/en.txt words/ro.txt
var wordFiles embed.FS

//go:embed layout.html
var layoutFile string

// The templates are parsed for the first message that is written.
var (
	layout = sync.OnceValue(func() *html.Template { return html.Must(html.New("layout").Parse(layoutFile)) })
	words  = sync.OnceValue(func() map[string]*template.Template {
		return map[string]*template.Template{
			"en": template.Must(template.ParseFS(wordFiles, "words/en.txt")),
			"ro": template.Must(template.ParseFS(wordFiles, "words/ro.txt")),
		}
	})
)

// linked are the kinds that make no sense without a link.
var linked = map[Kind]bool{VerifyAddress: true, ResetPassword: true, ConfirmNewAddress: true}

// view is what the words may use: Data made presentable in one language.
type view struct {
	Service, Name, Link, Masked string
	Label                       string // of a document: its title and type
	Day, When, At               string
	Expired                     bool
	Car, Reason                 string
}

// page is a message in parts, for the layout.
type page struct {
	Lang, Service, Subject, Link, Button, LinkHint string
	Before, After                                  []string // paragraphs around the button
	Signoff                                        []string // lines
}

// Render writes the message of a kind in a language ("en" or "ro"; anything else
// is English). To and ID are left to the caller. It fails only on data that kind
// cannot be written from.
func Render(kind Kind, lang string, d Data) (Message, error) {
	l, ok := languages[lang]
	if !ok {
		l, lang = languages["en"], "en"
	}
	w := words()[lang]
	if w.Lookup(string(kind)+"/subject") == nil {
		return Message{}, fmt.Errorf("mail: no words for %q", kind)
	}
	if err := checkLink(d.Link, linked[kind]); err != nil {
		return Message{}, fmt.Errorf("mail: render %s: %w", kind, err)
	}
	v := view{Service: oneLine(d.ServiceName, 60), Name: personName(d.Name), Link: d.Link, Masked: mask(d.Address), Car: unlinked(d.Car, 80), Reason: lines(d.Reason, 1000)}
	if v.Service == "" {
		v.Service = "Rideshare Copilot"
	}
	if !d.At.IsZero() {
		v.At = l.day(d.At) + ", " + d.At.Format("15:04 MST")
	}
	if kind == DocumentReminder {
		day, err := time.Parse(time.DateOnly, d.ExpiresOn)
		if err != nil {
			return Message{}, fmt.Errorf("mail: render %s: no such day: %q", kind, d.ExpiresOn)
		}
		v.Label = l.label(oneLine(d.Document, 80), d.DocumentType)
		v.Day, v.When, v.Expired = l.day(day), l.when(d.DaysLeft), d.DaysLeft < 0
	}

	p := page{Lang: lang, Service: v.Service, Link: d.Link}
	parts := map[string]string{}
	for _, name := range []string{
		string(kind) + "/subject", string(kind) + "/body", string(kind) + "/button", string(kind) + "/after",
		"greeting", "signoff", "link_hint",
	} {
		if w.Lookup(name) == nil {
			continue
		}
		var b strings.Builder
		said := v
		if kind == ConfirmNewAddress && name == "greeting" {
			said.Name = "" // we do not know yet whose address it is
		}
		if err := w.ExecuteTemplate(&b, name, said); err != nil {
			return Message{}, fmt.Errorf("mail: render %s: %w", kind, err)
		}
		_, part, ok := strings.Cut(name, "/")
		if !ok {
			part = name
		}
		parts[part] = strings.TrimSpace(b.String())
	}
	p.Subject = oneLine(parts["subject"], 150)
	p.Before = append([]string{parts["greeting"]}, paragraphs(parts["body"])...)
	p.After = paragraphs(parts["after"])
	p.Signoff = strings.Split(parts["signoff"], "\n")
	if d.Link != "" {
		p.Button, p.LinkHint = parts["button"], parts["link_hint"]
	}
	if p.Button == "" {
		p.Link = ""
	}
	var b bytes.Buffer
	if err := layout().Execute(&b, p); err != nil {
		return Message{}, fmt.Errorf("mail: render %s: %w", kind, err)
	}
	return Message{Subject: p.Subject, Text: p.text(), HTML: b.String()}, nil
}

// text is the page for readers without HTML.
func (p page) text() string {
	blocks := append([]string(nil), p.Before...)
	if p.Button != "" {
		blocks = append(blocks, p.Button+":\n"+p.Link)
	}
	blocks = append(blocks, p.After...)
	blocks = append(blocks, strings.Join(p.Signoff, "\n"))
	return strings.Join(blocks, "\n\n") + "\n"
}

func paragraphs(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n\n")
}

func checkLink(s string, needed bool) error {
	if s == "" && !needed {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		return errors.New("the link is missing or not a web address") // without quoting it: it is a secret
	}
	return nil
}

// oneLine makes s a single line of at most limit characters, without control
// and formatting characters, some of which turn the direction of the text.
func oneLine(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > limit {
		s = strings.TrimSpace(string([]rune(s)[:limit-1])) + "…"
	}
	return s
}

// links matches what a mail program might turn into a link.
var links = regexp.MustCompile(`(?i)://|www\.|@|\pL\.\pL{2,}`)

// personName is name, unless it looks like a message: anybody can register with
// somebody else's address, and must not have us write to them what they want.
func personName(name string) string { return unlinked(name, 60) }

// unlinked is oneLine of what users wrote, and nothing if a mail program might
// make a link of it.
func unlinked(s string, limit int) string {
	s = oneLine(s, limit)
	if links.MatchString(s) {
		return ""
	}
	return s
}

// lines makes s at most limit characters, a paragraph for each line, each as oneLine
// makes it, those without anything left out.
func lines(s string, limit int) string {
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit-1]) + "…"
	}
	var kept []string
	for line := range strings.Lines(s) {
		if line = oneLine(line, limit); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n\n")
}

// mask shows enough of an address to be recognised by who knows it.
func mask(address string) string {
	address = oneLine(address, 320)
	i := strings.LastIndexByte(address, '@')
	if i < 1 {
		return ""
	}
	r, _ := utf8.DecodeRuneInString(address)
	return string(r) + "***" + address[i:]
}
