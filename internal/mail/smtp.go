package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

const (
	sendTimeout = 30 * time.Second // for one message, from dialling to the server's word
	quitTimeout = time.Second      // for good manners after it
)

// SMTP hands mails to an SMTP server. The fields may be changed before the first
// Send, and it is safe for concurrent use from then on.
type SMTP struct {
	// RootCAs are trusted to vouch for the server; the system's when nil.
	RootCAs *x509.CertPool
	// Timeout bounds each Send; 30 s when 0.
	Timeout time.Duration

	from       sender
	host       string
	port       int
	implicit   bool // TLS from the first byte
	policy     gomail.TLSPolicy
	user, pass string
}

// NewSMTP returns a sender for smtp://user:password@host:port, which turns to TLS
// where the server offers it, or smtps://…, which begins with it. Credentials
// never leave the machine without TLS, and certificates are always checked (P8).
// No error of this package quotes the URL.
func NewSMTP(rawURL, from string) (*SMTP, error) {
	s := &SMTP{}
	var err error
	if s.from, err = newSender(from); err != nil {
		return nil, err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("mail: the SMTP URL cannot be read") // err would quote the password
	}
	switch u.Scheme {
	case "smtp":
		s.port = 587
	case "smtps":
		s.port, s.implicit = 465, true
	default:
		return nil, errors.New("mail: the SMTP URL must begin with smtp:// or smtps://")
	}
	s.host = u.Hostname()
	if s.host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("mail: the SMTP URL must look like smtp://user:password@host:port")
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New("mail: the port in the SMTP URL is not between 1 and 65535")
		}
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.pass, _ = u.User.Password()
	}
	switch {
	case s.implicit || loopback(s.host):
		s.policy = gomail.NoTLS // it is on already, or nobody is in between
	case s.user != "":
		s.policy = gomail.TLSMandatory
	default:
		s.policy = gomail.TLSOpportunistic
	}
	return s, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send hands m to the server. It returns nil once the server has taken the
// message, whatever becomes of the connection afterwards; an error in the chain
// of which is [ErrRejected] when trying again is of no use; and any other error
// otherwise. Errors name no address of the recipient (P4).
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg, err := s.from.compose(m, time.Now())
	if err != nil {
		return err
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = sendTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	w := &wire{ctx: ctx}
	defer w.end()
	c, err := s.client(w, timeout)
	if err != nil {
		return fmt.Errorf("mail: prepare: %w", err)
	}
	conv, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return dialError(ctx, err)
	}
	err = c.SendWithSMTPClient(conv, msg)
	if msg.IsDelivered() {
		_ = w.Conn.SetDeadline(time.Now().Add(quitTimeout))
		_ = c.CloseWithSMTPClient(conv) // the server has the message: nothing after that matters
		return nil
	}
	return sendError(ctx, w, err)
}

// client is made anew for each message: go-mail's keeps state.
func (s *SMTP) client(w *wire, timeout time.Duration) (*gomail.Client, error) {
	conf := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.RootCAs}
	opts := []gomail.Option{
		gomail.WithPort(s.port),
		gomail.WithTimeout(timeout),
		gomail.WithHELO(s.from.domain),
		gomail.WithTLSConfig(conf),
		gomail.WithTLSPolicy(s.policy),
		gomail.WithoutNoop(),
		gomail.WithoutRset(),
		gomail.WithDialContextFunc(func(ctx context.Context, network, addr string) (net.Conn, error) {
			return w.dial(ctx, network, addr, s.implicit, conf)
		}),
	}
	if s.user != "" {
		opts = append(opts,
			gomail.WithUsername(s.user), gomail.WithPassword(s.pass),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(s.host, opts...)
}

// wire is the connection under a conversation. go-mail moves its deadline with
// every command and leaves it open after some failures; here the context of Send
// alone cuts it, and the end of Send closes it.
type wire struct {
	net.Conn
	ctx  context.Context // of Send; the one that dial is given ends with the greeting
	stop func() bool
	err  error // the first that reading or writing gave
}

func (w *wire) dial(ctx context.Context, network, addr string, implicit bool, conf *tls.Config) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.Conn = c
	w.stop = context.AfterFunc(w.ctx, func() { _ = c.Close() })
	if !implicit {
		return w, nil
	}
	t := tls.Client(w, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.note(err)
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.note(err)
	return n, err
}

// SetDeadline ignores go-mail: see wire.
func (w *wire) SetDeadline(time.Time) error { return nil }

func (w *wire) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *wire) end() {
	if w.stop != nil {
		w.stop()
	}
	if w.Conn != nil {
		_ = w.Close() // the conversation is over either way
	}
}

func dialError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("mail: connect: %w", ctx.Err())
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("mail: connect: the server answered %d", e.Code)
	}
	return fmt.Errorf("mail: connect: %w", err)
}

// sendError says what went wrong without go-mail's words, which name recipients.
func sendError(ctx context.Context, w *wire, err error) error {
	e, ok := errors.AsType[*gomail.SendError](err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("mail: send: %w", ctx.Err())
	case !ok:
		return errors.New("mail: send: the conversation failed")
	case e.ErrorCode() == 0 && w.err != nil:
		return fmt.Errorf("mail: %s: %w", e.Reason, w.err)
	case e.ErrorCode() == 0:
		return fmt.Errorf("mail: %s: no sensible answer", e.Reason)
	case final(e.ErrorCode()):
		return fmt.Errorf("%w: %s: the server answered %d %s", ErrRejected, e.Reason, e.ErrorCode(), e.EnhancedStatusCode())
	default:
		return fmt.Errorf("mail: %s: the server answered %d %s", e.Reason, e.ErrorCode(), e.EnhancedStatusCode())
	}
}

// final tells whether code speaks of the message and will not change. The codes
// left out speak of us: of commands out of order, or of missing credentials.
func final(code int) bool {
	switch code {
	case 500, 502, 503, 504, 530, 534, 535, 538:
		return false
	}
	return code >= 500
}
