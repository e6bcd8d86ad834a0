package mail_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/ridecopilot/ridecopilot/internal/mail"
)

const from = "Rideshare Copilot <noreply@copilot.example>"

var hello = mail.Message{
	To: "ion@example.org", Subject: "Bună, Ion – ești aici?", ID: "job-7",
	Text: "Salut!\n.\nO linie cu punct.\n", HTML: "<p>Salut, ș!</p>",
}

// box is an SMTP server that keeps what it is given, or refuses as told.
type box struct {
	mu         sync.Mutex
	got        []string // raw messages
	to, users  []string
	encrypted  []bool
	user, pass string
	rcpt, data error
}

func (b *box) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{b: b, c: c}, nil }

type session struct {
	b *box
	c *smtp.Conn
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		s.b.mu.Lock()
		defer s.b.mu.Unlock()
		s.b.users = append(s.b.users, user)
		if user != s.b.user || pass != s.b.pass {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.b.user != "" && len(s.b.users) == 0 {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.b.rcpt != nil {
		return s.b.rcpt
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.to = append(s.b.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.b.data != nil {
		return s.b.data
	}
	_, enc := s.c.TLSConnectionState()
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.got = append(s.b.got, string(raw))
	s.b.encrypted = append(s.b.encrypted, enc)
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve runs b, with TLS as conf says: from the first byte if implicit.
func serve(t *testing.T, b *box, conf *tls.Config, implicit bool) string {
	t.Helper()
	l := listen(t)
	addr := l.Addr().String()
	s := smtp.NewServer(b)
	s.Domain = "mail.example"
	s.AllowInsecureAuth = true
	s.TLSConfig = conf
	s.ErrorLog = log.New(io.Discard, "", 0)
	if implicit {
		l = tls.NewListener(l, conf)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return addr
}

// script plays a server by hand, once.
func script(t *testing.T, play func(c net.Conn, in *bufio.Reader)) string {
	t.Helper()
	l := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		play(c, bufio.NewReader(c))
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// certificate is one for 127.0.0.1 that nobody vouches for but itself.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, pool
}

func newSMTP(t *testing.T, url string) *mail.SMTP {
	t.Helper()
	s, err := mail.NewSMTP(url, from)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantHello checks a raw mail against hello.
func wantHello(t *testing.T, raw string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != hello.Subject {
		t.Errorf("Subject = %q, %v", subject, err)
	}
	for k, want := range map[string]string{
		"To": "<ion@example.org>", "From": `"Rideshare Copilot" <noreply@copilot.example>`,
		"Auto-Submitted": "auto-generated", "X-Mailer": "", "User-Agent": "",
	} {
		if got := m.Header.Get(k); got != want {
			t.Errorf("%s = %q, want %q", k, got, want)
		}
	}
	if d, err := m.Header.Date(); err != nil || time.Since(d).Abs() > time.Hour {
		t.Errorf("Date = %v, %v", d, err)
	}
	if id := m.Header.Get("Message-ID"); !strings.HasSuffix(id, "@copilot.example>") || strings.Contains(id, "job") {
		t.Errorf("Message-ID = %q", id)
	}
	for _, want := range []string{"multipart/alternative", "text/plain; charset=UTF-8", "text/html; charset=UTF-8", "O linie cu punct.", "<p>Salut, =C8=99!</p>"} {
		if !strings.Contains(raw, want) {
			t.Errorf("the mail lacks %q:\n%s", want, raw)
		}
	}
}

func TestSMTP(t *testing.T) {
	conf, pool := certificate(t)
	tests := []struct {
		name, scheme, login string
		tls                 *tls.Config
		box                 *box
		encrypted           bool
	}{
		{"plain on loopback", "smtp://", "", nil, &box{}, false},
		{"with a password on loopback", "smtp://", "me:s3cret@", nil, &box{user: "me", pass: "s3cret"}, false},
		{"TLS", "smtps://", "", conf, &box{}, true},
		{"TLS with a password", "smtps://", "me:s3c%40ret@", conf, &box{user: "me", pass: "s3c@ret"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSMTP(t, tt.scheme+tt.login+serve(t, tt.box, tt.tls, tt.tls != nil))
			s.RootCAs = pool
			if err := s.Send(t.Context(), hello); err != nil {
				t.Fatalf("Send = %v", err)
			}
			if len(tt.box.got) != 1 || !slices.Equal(tt.box.to, []string{"ion@example.org"}) || tt.box.encrypted[0] != tt.encrypted {
				t.Fatalf("the server has %d mails for %v, encrypted %v", len(tt.box.got), tt.box.to, tt.box.encrypted)
			}
			wantHello(t, tt.box.got[0])
		})
	}
}

func TestSTARTTLSP8(t *testing.T) {
	conf, pool := certificate(t)
	for login, user := range map[string]string{"": "", "me:s3cret@": "me"} {
		b := &box{user: user, pass: "s3cret"}
		s := newSMTP(t, "smtp://"+login+serve(t, b, conf, false))
		s.AsRemote()
		if err := s.Send(t.Context(), hello); err == nil || len(b.got) != 0 {
			t.Errorf("Send to a stranger = %v, %d mails", err, len(b.got))
		}
		s.RootCAs = pool
		if err := s.Send(t.Context(), hello); err != nil || len(b.got) != 1 || !b.encrypted[0] {
			t.Errorf("Send = %v, %d mails, encrypted %v", err, len(b.got), b.encrypted)
		}
	}
}

func TestTheSameOccasionIsTheSameMessage(t *testing.T) {
	b := &box{}
	s := newSMTP(t, "smtp://"+serve(t, b, nil, false))
	other, none := hello, hello
	other.ID, none.ID = "job-8", ""
	for _, m := range []mail.Message{hello, hello, other, none, none} {
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, raw := range b.got {
		m, err := netmail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.Header.Get("Message-ID"))
	}
	if ids[0] != ids[1] {
		t.Errorf("a repeated job has ids %q and %q", ids[0], ids[1])
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 4 {
		t.Errorf("%d different ids, want 4: %q", n, ids)
	}
}

func TestCertificatesAreCheckedP8(t *testing.T) {
	conf, pool := certificate(t)
	b := &box{}
	addr := serve(t, b, conf, true)
	err := newSMTP(t, "smtps://"+addr).Send(t.Context(), hello)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("Send to a stranger = %v", err)
	}
	s := newSMTP(t, "smtps://"+strings.Replace(addr, "127.0.0.1", "localhost", 1)) // not on the certificate
	s.RootCAs = pool
	if err := s.Send(t.Context(), hello); err == nil || errors.Is(err, mail.ErrRejected) {
		t.Errorf("Send to another name = %v", err)
	}
	old := conf.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	s = newSMTP(t, "smtps://"+serve(t, b, old, true))
	s.RootCAs = pool
	if err := s.Send(t.Context(), hello); err == nil {
		t.Error("TLS 1.1 was good enough")
	}
	if len(b.got) != 0 {
		t.Errorf("%d mails got through", len(b.got))
	}
}

func TestRefusals(t *testing.T) {
	no := func(code int) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "no ion@example.org here"}
	}
	tests := []struct {
		name     string
		box      *box
		login    string
		rejected bool
	}{
		{"recipient for good", &box{rcpt: no(550)}, "", true},
		{"recipient malformed", &box{rcpt: no(501)}, "", true},
		{"recipient for now", &box{rcpt: no(450)}, "", false},
		{"content for good", &box{data: no(554)}, "", true},
		{"content for now", &box{data: no(451)}, "", false},
		{"our password", &box{user: "me", pass: "x"}, "me:y@", false},
		{"no password", &box{user: "me", pass: "x"}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := newSMTP(t, "smtp://"+tt.login+serve(t, tt.box, nil, false)).Send(t.Context(), hello)
			if err == nil || errors.Is(err, mail.ErrRejected) != tt.rejected {
				t.Errorf("Send = %v, want rejected %v", err, tt.rejected)
			}
			if err != nil && strings.Contains(err.Error(), "ion@") {
				t.Errorf("the error names the recipient: %v", err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	line := func(in *bufio.Reader) string { s, _ := in.ReadString('\n'); return s }
	say := func(c net.Conn, s string) { _, _ = io.WriteString(c, s+"\r\n") }
	talk := func(c net.Conn, in *bufio.Reader) { // up to the end of the message
		say(c, "220 hi")
		for {
			switch s := line(in); {
			case strings.HasPrefix(s, "DATA"):
				say(c, "354 go on")
				for s := line(in); s != ".\r\n" && s != ""; s = line(in) {
				}
				return
			case s == "":
				return
			default:
				say(c, "250 ok")
			}
		}
	}
	tests := []struct {
		name string
		play func(c net.Conn, in *bufio.Reader)
		want error // nil for any that is not a rejection
		sent bool
	}{
		{"hangs before a word", func(_ net.Conn, in *bufio.Reader) { line(in) }, context.DeadlineExceeded, false},
		{"hangs after the message", func(c net.Conn, in *bufio.Reader) { talk(c, in); line(in) }, context.DeadlineExceeded, false},
		{"is slow without end", func(c net.Conn, _ *bufio.Reader) {
			for {
				if _, err := io.WriteString(c, "220-still\r\n"); err != nil {
					return
				}
			}
		}, context.DeadlineExceeded, false},
		{"cuts at once", func(net.Conn, *bufio.Reader) {}, nil, false},
		{"cuts in the middle", func(c net.Conn, in *bufio.Reader) { say(c, "220 hi"); line(in); say(c, "250 ok"); line(in) }, nil, false},
		{"cuts before the last word", talk, nil, false},
		{"talks rubbish", func(c net.Conn, _ *bufio.Reader) { say(c, "HTTP/1.1 400 Bad Request") }, nil, false},
		{"takes it and cuts", func(c net.Conn, in *bufio.Reader) { talk(c, in); say(c, "250 ok") }, nil, true},
		{"takes it and is rude", func(c net.Conn, in *bufio.Reader) { talk(c, in); say(c, "250 ok"); line(in); say(c, "550 no") }, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSMTP(t, "smtp://"+script(t, tt.play))
			s.Timeout = 5 * time.Second
			if tt.want != nil {
				s.Timeout = 100 * time.Millisecond
			}
			err := s.Send(t.Context(), hello)
			switch {
			case tt.sent && err != nil:
				t.Errorf("Send = %v, but the server took it", err)
			case !tt.sent && (err == nil || errors.Is(err, mail.ErrRejected)):
				t.Errorf("Send = %v, want an error that may pass", err)
			case tt.want != nil && !errors.Is(err, tt.want):
				t.Errorf("Send = %v, want %v", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "ion@"):
				t.Errorf("the error names the recipient: %v", err)
			}
		})
	}
}

func TestSendEndsWithItsContextO4(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := script(t, func(c net.Conn, in *bufio.Reader) {
		_, _ = io.WriteString(c, "220 hi\r\n")
		_, _ = in.ReadString('\n') // and never an answer
		cancel()
		_, _ = in.ReadString('\n')
	})
	if err := newSMTP(t, "smtp://"+addr).Send(ctx, hello); !errors.Is(err, context.Canceled) {
		t.Errorf("Send = %v, want %v", err, context.Canceled)
	}
	l := listen(t)
	l.Close()
	if err := newSMTP(t, "smtp://"+l.Addr().String()).Send(t.Context(), hello); err == nil || errors.Is(err, mail.ErrRejected) {
		t.Errorf("Send to nobody = %v", err)
	}
}

func TestNewSMTPChecksItsURL(t *testing.T) {
	for _, u := range []string{
		"", "s3cret", "http://me:s3cret@host", "smtp://", "smtp://:s3cret@", "smtp://me:s3cret@host:99999", "smtp://me:s3cret@host:0",
		"smtp://me:s3cret@host/path", "smtp://me:s3cret@host?x=y", "smtp://me:s3cret%zz@host", "smtp://me:s3cret@ho\nst",
	} {
		if _, err := mail.NewSMTP(u, from); err == nil {
			t.Errorf("NewSMTP(%q) is content", u)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("NewSMTP(%q) = %v: the password is shown", u, err)
		}
	}
	for _, f := range []string{"", "nobody", "a@b\r\nBcc: c@d", "a@b, c@d"} {
		if _, err := mail.NewSMTP("smtp://host", f); err == nil {
			t.Errorf("NewSMTP from %q is content", f)
		}
	}
}

func TestHeadersCannotBreakI7(t *testing.T) {
	b := &box{}
	s := newSMTP(t, "smtp://"+serve(t, b, nil, false))
	f, err := mail.NewFolder(t.TempDir(), from)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range []func(*mail.Message){
		func(m *mail.Message) { m.To = "" },
		func(m *mail.Message) { m.To = "ion@example.org\r\nBcc: eve@example.org" },
		func(m *mail.Message) { m.To = "ion@example.org, eve@example.org" },
		func(m *mail.Message) { m.To = "Ion <ion@example.org>" },
		func(m *mail.Message) { m.To = "<ion@example.org>" },
		func(m *mail.Message) { m.To = `"ion\r\nx"@example.org` },
		func(m *mail.Message) { m.To = "ion@example.org>\nRCPT TO:<eve@example.org" },
		func(m *mail.Message) { m.To = "íon@example.org" },
		func(m *mail.Message) { m.To = strings.Repeat("a", 400) + "@example.org" },
		func(m *mail.Message) { m.Subject = "" },
		func(m *mail.Message) { m.Subject = "Hi\r\nBcc: eve@example.org" },
		func(m *mail.Message) { m.Subject = "Hi\nX: y" },
		func(m *mail.Message) { m.Subject = "Hi\x00" },
	} {
		m := hello
		edit(&m)
		if err := s.Send(t.Context(), m); !errors.Is(err, mail.ErrRejected) {
			t.Errorf("SMTP: Send(%q, %q) = %v", m.To, m.Subject, err)
		}
		if err := f.Send(t.Context(), m); !errors.Is(err, mail.ErrRejected) {
			t.Errorf("Folder: Send(%q, %q) = %v", m.To, m.Subject, err)
		}
	}
	if len(b.got) != 0 {
		t.Errorf("%d mails went out", len(b.got))
	}
	m := hello
	m.ID = "x>\r\nBcc: eve@example.org"
	m.To = "ion@exämple.org"
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.got[0], "eve@") || b.to[0] != "ion@xn--exmple-cua.org" {
		t.Errorf("to %q:\n%s", b.to, b.got[0])
	}
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "mail")
	f, err := mail.NewFolder(dir, from)
	if err != nil {
		t.Fatal(err)
	}
	var wrote []string
	f.Wrote = func(p string) { wrote = append(wrote, p) }
	for range 3 {
		if err := f.Send(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || !slices.Equal(files, wrote) || len(files) != 3 {
		t.Fatalf("files %q, told %q, %v", files, wrote, err)
	}
	if all, _ := os.ReadDir(dir); len(all) != 3 {
		t.Errorf("%d entries in the folder, want 3", len(all))
	}
	for _, p := range files {
		if i, err := os.Stat(p); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p, i.Mode(), err)
		}
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		wantHello(t, string(raw))
	}
	if i, err := os.Stat(dir); err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", i.Mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Send(ctx, hello); !errors.Is(err, context.Canceled) {
		t.Errorf("Send when cancelled = %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Send(t.Context(), hello); err == nil || errors.Is(err, mail.ErrRejected) {
		t.Errorf("Send without a folder = %v", err)
	}
}
