// Package mail writes the messages that the product sends, in the languages of
// its users, and hands them on: to an SMTP server, or to a folder where nobody
// has set one up. When and to whom something is sent is decided elsewhere.
package mail

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// ErrRejected says that this message will never be taken: its address or text
// is malformed, or the server refused it for good. Any other error of Send may
// pass if one tries again.
var ErrRejected = errors.New("mail: rejected")

// Message is a mail to one person.
type Message struct {
	To      string // a bare address
	Subject string
	Text    string
	HTML    string // may be empty
	// ID names the occasion. The Message-ID is made of it, so that a message
	// that is sent twice, because the first answer was lost, is known for the
	// same one. Empty gives a random one.
	ID string
}

// sender is the From of all mails.
type sender struct {
	addr   *netmail.Address
	domain string
}

func newSender(from string) (sender, error) {
	a, err := netmail.ParseAddress(from)
	if err != nil {
		return sender{}, errors.New("mail: the sender is no mail address")
	}
	if strings.ContainsFunc(a.Name+a.Address, unicode.IsControl) {
		return sender{}, errors.New("mail: the sender holds control characters")
	}
	return sender{addr: a, domain: a.Address[strings.LastIndexByte(a.Address, '@')+1:]}, nil
}

// compose makes the mail of m. Whatever could break a header (I7) is refused.
func (s sender) compose(m Message, now time.Time) (*gomail.Msg, error) {
	to, err := recipient(m.To)
	if err != nil {
		return nil, err
	}
	if m.Subject == "" || strings.ContainsFunc(m.Subject, unicode.IsControl) {
		return nil, fmt.Errorf("%w: the subject is empty or not one line", ErrRejected)
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.addr)
	msg.ToMailAddress(to)
	msg.Subject(m.Subject)
	msg.SetDateWithValue(now)
	msg.SetMessageIDWithValue(token(m.ID) + "@" + s.domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday replies
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// recipient reads a bare address. Anything that says more than the address, or
// quotes, is refused: it is not what the account's rules let in.
func recipient(s string) (*netmail.Address, error) {
	bad := fmt.Errorf("%w: the recipient is no plain mail address", ErrRejected)
	if len(s) > 320 || strings.ContainsFunc(s, unicode.IsControl) {
		return nil, bad
	}
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != s {
		return nil, bad
	}
	local, domain, _ := strings.Cut(s, "@")
	if strings.ContainsFunc(local, func(r rune) bool { return r > unicode.MaxASCII }) {
		return nil, bad
	}
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil {
		return nil, bad
	}
	return &netmail.Address{Address: local + "@" + domain}, nil
}

// token is the local part of a Message-ID. It gives away nothing of id.
func token(id string) string {
	if id == "" {
		return strings.ToLower(rand.Text())
	}
	sum := sha256.Sum256([]byte("mail\x00" + id))
	return hex.EncodeToString(sum[:16])
}
