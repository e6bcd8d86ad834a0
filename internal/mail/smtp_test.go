package mail

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	gomail "github.com/wneessen/go-mail"
)

func TestWhenTLSIsNeededP8(t *testing.T) {
	for u, want := range map[string]struct {
		policy   gomail.TLSPolicy
		implicit bool
		port     int
	}{
		"smtp://relay.internal":               {gomail.TLSOpportunistic, false, 587},
		"smtp://relay.internal:25":            {gomail.TLSOpportunistic, false, 25},
		"smtp://me:s3cret@smtp.example.com":   {gomail.TLSMandatory, false, 587},
		"smtp://me@smtp.example.com":          {gomail.TLSMandatory, false, 587},
		"smtp://localhost:1025":               {gomail.NoTLS, false, 1025},
		"smtp://me:s3cret@[::1]":              {gomail.NoTLS, false, 587},
		"smtps://me:s3cret@smtp.example.com":  {gomail.NoTLS, true, 465},
		"smtp://me:x@localhost.example.com":   {gomail.TLSMandatory, false, 587},
		"smtp://me:x@127.0.0.1.example.com:5": {gomail.TLSMandatory, false, 5},
	} {
		s, err := NewSMTP(u, "a@b.example")
		if err != nil || s.policy != want.policy || s.implicit != want.implicit || s.port != want.port {
			t.Errorf("NewSMTP(%q) = %+v, %v, want %+v", u, s, err, want)
		}
	}
}

// TestNoPasswordWithoutTLSP8 offers a server that cannot do TLS.
func TestNoPasswordWithoutTLSP8(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			heard <- ""
			return
		}
		defer c.Close()
		var all strings.Builder
		defer func() { heard <- all.String() }()
		_, _ = io.WriteString(c, "220 hi\r\n")
		in := bufio.NewReader(c)
		for {
			s, err := in.ReadString('\n')
			if err != nil {
				return
			}
			all.WriteString(s)
			_, _ = io.WriteString(c, "250-x\r\n250 AUTH PLAIN LOGIN\r\n")
		}
	}()
	s, err := NewSMTP("smtp://me:s3cret@"+l.Addr().String(), "a@b.example")
	if err != nil {
		t.Fatal(err)
	}
	s.AsRemote()
	if err := s.Send(t.Context(), Message{To: "x@y.example", Subject: "x", Text: "x"}); err == nil {
		t.Error("sent in the clear")
	}
	if h := <-heard; !strings.HasPrefix(h, "EHLO b.example") || strings.Contains(h, "AUTH") {
		t.Errorf("the server heard %q", h)
	}
	l.Close()
}
