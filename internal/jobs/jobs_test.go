package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/jobs"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/mail"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

const (
	sender   = "Rideshare Copilot <noreply@copilot.example>"
	goodPass = "plecat la munte 7"
	newPass  = "intors de la mare 8"
)

// box is a mail server that hands on what it is given, or refuses as told.
type box struct {
	mail chan letter
	mu   sync.Mutex
	fail []error // of the next messages; nil takes one
}

// letter is a mail that came in.
type letter struct{ to, subject, id, text, html string }

func (b *box) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{b: b}, nil }

type session struct {
	b  *box
	to string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Reset()                               {}
func (s *session) Logout() error                        { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if len(s.b.fail) == 0 {
		return nil
	}
	err := s.b.fail[0]
	s.b.fail = s.b.fail[1:]
	return err
}

func (s *session) Data(r io.Reader) error {
	l, err := read(r)
	if err != nil {
		return err
	}
	l.to = s.to
	s.b.mail <- l
	return nil
}

func read(r io.Reader) (letter, error) {
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return letter{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return letter{}, err
	}
	l := letter{subject: subject, id: m.Header.Get("Message-ID")}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return l, err
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			return l, err
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			l.html = string(body)
		} else {
			l.text = string(body)
		}
	}
}

// office is everything that sends mails, on a database.
type office struct {
	now       func() time.Time // of the runner; the present when nil
	t         *testing.T
	s         *store.Store
	accounts  *account.Service
	documents *document.Service
	listings  *listing.Service
	media     *watchedMedia
	box       *box
	log       *locked
	listen    net.Listener
	erasures  erasures
}

// locked is a log that many may write to.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newOffice(t *testing.T, s *store.Store) *office {
	t.Helper()
	o := &office{t: t, s: s, box: &box{mail: make(chan letter, 50)}, log: &locked{}}
	logger := slog.New(slog.NewJSONHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.accounts = account.NewService(s, account.Options{
		Secret: strings.Repeat("s", 32), Hasher: password.NewHasher(password.Params{Memory: 64, Time: 1, Slots: 2}), Log: logger,
	})
	o.documents = document.NewService(s, s, time.Now)
	o.listings = listing.NewService(s, time.Now)
	b, _ := buckettest.NewDisk(t)
	o.media = watchMedia(media.NewService(media.Options{Store: s, Bucket: b, Posts: o.listings, Documents: o.documents}))
	var err error
	if o.listen, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return o
}

// open lets the mail server take connections.
func (o *office) open() {
	server := smtp.NewServer(o.box)
	server.Domain = "mx.test"
	server.ErrorLog = log.New(io.Discard, "", 0)
	go server.Serve(o.listen)
	o.t.Cleanup(func() { _ = server.Close() })
}

// start works the jobs, with a sender of the test's or the real one.
func (o *office) start(s jobs.Sender) *jobs.Runner {
	o.t.Helper()
	if s == nil {
		var err error
		if s, err = mail.NewSMTP("smtp://"+o.listen.Addr().String(), sender); err != nil {
			o.t.Fatal(err)
		}
	}
	public, err := url.Parse("https://copilot.example/app")
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := jobs.NewRunner(jobs.Options{
		DB: jobs.DB{Postgres: o.s.JobPool(), SQLite: o.s.Writer()}, Accounts: o.accounts, Documents: o.documents, Listings: o.listings, Media: o.media, Erasures: &o.erasures, Sender: s, PublicURL: public,
		Log: slog.New(slog.NewJSONHandler(o.log, nil)), Now: o.now,
	})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := r.Start(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = r.Stop(context.Background()) })
	return r
}

// erasures notes what is asked of the list of the erased; package backup has the
// tests of it.
type erasures struct {
	noted, again atomic.Int64
	fail         atomic.Bool
}

func (e *erasures) NoteErasures(context.Context) error {
	e.noted.Add(1)
	if e.fail.Load() {
		return errors.New("the storage is away")
	}
	return nil
}

func (e *erasures) EraseAgain(_ context.Context, dry bool) (int, error) {
	if !dry {
		e.again.Add(1)
	}
	return 0, nil
}

// Erased accounts are noted with the removals, and erased again every night
// (promise D13).
func TestErasures_D13(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		o.exec(`INSERT INTO river_job (args, kind, max_attempts) VALUES ('{}', 'compare_storage', 1)`)
		o.start(nil)
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'compare_storage' AND state = 'completed'`)
		if n := o.erasures.again.Load(); n != 1 {
			t.Errorf("erased again %d times, want once", n)
		}
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'purge_objects' AND state = 'completed'`)
		if o.erasures.noted.Load() == 0 {
			t.Error("nothing is noted")
		}
	})
}

func (o *office) register(email string) account.User {
	o.t.Helper()
	u, _, err := o.accounts.Register(o.t.Context(), account.Actor{Address: "192.0.2.1"}, "Ștefan Pop", email, goodPass, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return u
}

const patience = 30 * time.Second // what a test waits for before it fails

func (o *office) letter() letter {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	select {
	case l := <-o.box.mail:
		return l
	case <-ctx.Done():
		o.t.Fatalf("no mail came; the log:\n%s", o.log)
	}
	return letter{}
}

// until waits for a condition in the database: it asks again and again.
func (o *office) until(want int, text string, args ...any) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	for {
		var n int
		if err := o.s.Reader().QueryRowContext(ctx, text, args...).Scan(&n); err != nil {
			o.t.Fatalf("%s: %v; the log:\n%s", text, err, o.log)
		}
		if n == want {
			return
		}
	}
}

var link = regexp.MustCompile(`https://copilot\.example/app(/account/[a-z]+/)\?token=([A-Za-z0-9_-]{43})`)

// A registration's mail arrives with a link that works, and nothing that rests
// in the database or the log would do in its place.
func TestVerification_T9_T10_D10_P4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		u := o.register("stefan@example.com")
		o.start(nil)
		l := o.letter()
		if l.to != "stefan@example.com" || !strings.Contains(l.text, "Ștefan") || !strings.Contains(l.html, "Ștefan") || l.subject == "" || l.id == "" {
			t.Errorf("the mail is %+v", l)
		}
		found := link.FindStringSubmatch(l.text)
		if found == nil || found[1] != jobs.VerifyPath || !strings.Contains(l.html, found[2]) {
			t.Fatalf("no link in\n%s", l.text)
		}
		o.until(1, `SELECT count(*) FROM mail WHERE state = 'sent'`)
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'send_mail' AND state = 'completed'`)
		rows := texts(t, s, `SELECT CAST(args AS text) || ' ' || COALESCE(CAST(metadata AS text), '') || ' ' || COALESCE(CAST(errors AS text), '') FROM river_job`)
		for what, secret := range map[string]string{"token": found[2], "address": "stefan@example", "name": "tefan", "password": goodPass} {
			if strings.Contains(strings.Join(rows, "\n"), secret) {
				t.Errorf("a job holds the %s", what)
			}
			if strings.Contains(o.log.String(), secret) {
				t.Errorf("the log holds the %s", what)
			}
		}
		if len(rows) == 0 {
			t.Error("no jobs were looked at")
		}
		if err := o.accounts.ConfirmAddress(t.Context(), account.Actor{}, found[2]); err != nil {
			t.Fatal(err)
		}
		if got, err := s.User(t.Context(), u.ID); err != nil || !got.Verified() {
			t.Errorf("after the link was followed the account is %+v, %v", got, err)
		}
	})
}

func texts(t *testing.T, s *store.Store, query string) []string {
	t.Helper()
	rows, err := s.Reader().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// In Romanian for those who chose it, and to nobody for an address that nobody has.
func TestReset_Romanian_T4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		u := o.register("Stefan@example.com")
		if _, err := s.UpdateSettings(t.Context(), account.Actor{ID: u.ID}, u.ID, func(set *account.Settings) error { set.Language = "ro"; return nil }, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE mail SET state = 'dropped'`); err != nil { // the verification
			t.Fatal(err)
		}
		for _, address := range []string{"nobody@example.com", "STEFAN@EXAMPLE.COM"} {
			if err := o.accounts.AskReset(t.Context(), account.Actor{}, address); err != nil {
				t.Fatal(err)
			}
		}
		o.start(nil)
		l := o.letter()
		found := link.FindStringSubmatch(l.text)
		if l.to != "Stefan@example.com" || found == nil || found[1] != jobs.ResetPath || !strings.Contains(l.text, "parol") || !strings.Contains(l.html, `lang="ro"`) {
			t.Fatalf("the mail is %+v", l)
		}
		if err := o.accounts.ConfirmReset(t.Context(), account.Actor{}, found[2], newPass, nil); err != nil {
			t.Error(err)
		}
		o.until(1, `SELECT count(*) FROM mail WHERE kind = 'reset_password' AND state = 'dropped'`)
		if got := o.letter(); !strings.Contains(got.text, "parol") || link.MatchString(got.text) || got.to != "Stefan@example.com" {
			t.Errorf("after the reset the owner is told %+v", got)
		}
		if n := len(o.box.mail); n != 0 {
			t.Errorf("%d more mails went out", n)
		}
	})
}

// While the mail server refuses for now the job is tried again, and the mail
// arrives once; what is refused for good is not.
func TestRetry_D10(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.box.fail = []error{&smtp.SMTPError{Code: 451, Message: "come back"}}
		o.open()
		o.register("stefan@example.com")
		o.start(nil)
		l := o.letter()
		o.until(1, `SELECT count(*) FROM mail WHERE state = 'sent'`)
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'send_mail' AND state = 'completed' AND attempt = 2`)
		if len(o.box.mail) != 0 || !link.MatchString(l.text) {
			t.Errorf("%d more mails, and the first is %+v", len(o.box.mail), l)
		}
		o.box.mu.Lock()
		o.box.fail = []error{&smtp.SMTPError{Code: 550, Message: "no such mailbox as ana@example.com"}}
		o.box.mu.Unlock()
		o.register("ana@example.com")
		o.until(1, `SELECT count(*) FROM mail WHERE state = 'failed' AND problem = 'rejected'`)
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'send_mail' AND state = 'cancelled' AND attempt = 1`)
		if strings.Contains(o.log.String(), "ana@") {
			t.Error("the log holds the address that was refused")
		}
		for _, row := range texts(t, s, `SELECT COALESCE(CAST(errors AS text), '') FROM river_job`) {
			if strings.Contains(row, "ana@") {
				t.Errorf("a job holds the address that was refused: %s", row)
			}
		}
	})
}

// refusing is a sender whose server is down until it is told otherwise.
type refusing struct {
	mu    sync.Mutex
	down  bool
	tried chan struct{}
	sent  chan mail.Message
	do    func(context.Context, mail.Message) error
}

func (r *refusing) Send(ctx context.Context, m mail.Message) error {
	r.mu.Lock()
	down := r.down
	r.mu.Unlock()
	if down {
		r.tried <- struct{}{}
		return errors.New("connection refused")
	}
	if r.do != nil {
		if err := r.do(ctx, m); err != nil {
			return err
		}
	}
	r.sent <- m
	return nil
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case v := <-from:
		return v
	case <-ctx.Done():
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

func TestServerDown_O4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		r := &refusing{down: true, tried: make(chan struct{}, 10), sent: make(chan mail.Message, 10)}
		o.start(r)
		o.register("stefan@example.com") // does not wait for it
		receive(t, r.tried)
		r.mu.Lock()
		r.down = false
		r.mu.Unlock()
		m := receive(t, r.sent)
		o.until(1, `SELECT count(*) FROM mail WHERE state = 'sent'`)
		if m.To != "stefan@example.com" || m.ID == "" || len(r.sent) != 0 {
			t.Errorf("sent %+v and %d more", m, len(r.sent))
		}
	})
}

// A panic ends its job alone, and what it panicked with is not told.
func TestPanic_O5_P4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		r := &refusing{sent: make(chan mail.Message, 10), do: func(_ context.Context, m mail.Message) error {
			if m.To == "bad@example.com" {
				panic("cannot send to " + m.To + m.Text)
			}
			return nil
		}}
		runner := o.start(r)
		o.register("bad@example.com")
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'send_mail' AND errors IS NOT NULL`)
		for i := range 5 {
			o.register(fmt.Sprintf("good%d@example.com", i))
		}
		for range 5 {
			if m := receive(t, r.sent); !strings.HasPrefix(m.To, "good") {
				t.Errorf("sent %+v", m)
			}
		}
		if err := runner.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if !strings.Contains(o.log.String(), "job panicked") {
			t.Error("the panic is not in the log")
		}
		if strings.Contains(o.log.String(), "bad@example.com") {
			t.Error("the log holds what it panicked with")
		}
		for _, row := range texts(t, s, `SELECT COALESCE(CAST(errors AS text), '') FROM river_job`) {
			if strings.Contains(row, "bad@example.com") || strings.Contains(row, "token=") {
				t.Errorf("a job row holds what it panicked with: %s", row)
			}
		}
	})
}

// Stopping lets a running job end.
func TestStop_O7(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		running, release := make(chan struct{}), make(chan struct{})
		r := &refusing{sent: make(chan mail.Message, 1), do: func(ctx context.Context, _ mail.Message) error {
			close(running)
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		runner := o.start(r)
		o.register("stefan@example.com")
		receive(t, running)
		stopped := make(chan error, 1)
		go func() { stopped <- runner.Stop(context.WithoutCancel(t.Context())) }()
		for runner.Check(t.Context()) == nil { // it is stopping
		}
		close(release)
		if err := receive(t, stopped); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if len(r.sent) != 1 {
			t.Error("the running job was cut off")
		}
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'send_mail' AND state = 'completed'`)
		if err := runner.Stop(t.Context()); err != nil {
			t.Errorf("a second Stop: %v", err)
		}
		// What is asked for while nobody works waits for the next.
		o.register("ana@example.com")
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'send_mail' AND state = 'available'`)
		again := &refusing{sent: make(chan mail.Message, 1)}
		o.start(again)
		if m := receive(t, again.sent); m.To != "ana@example.com" {
			t.Errorf("sent %+v", m)
		}
	})
}

// A reminder goes from the document to the mailbox, once.
func TestReminder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		u := o.register("stefan@example.com")
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE account SET email_verified_at = created_at`); err != nil {
			t.Fatal(err)
		}
		// It is noon, so that today's reminders are due.
		noon := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
		o.now = func() time.Time { return noon }
		o.documents = document.NewService(s, s, o.now)
		expires := calendar.On(noon) + 7
		if _, _, err := o.documents.Create(t.Context(), account.Actor{ID: u.ID}, document.Details{
			Type: "insurance", Title: "RCA <Logan>", ExpiresOn: &expires, RemindDays: []int{30, 7, 1},
		}, nil); err != nil {
			t.Fatal(err)
		}
		o.start(nil)
		l := o.letter()
		if l.to != "stefan@example.com" || !strings.Contains(l.text, "RCA <Logan>") || strings.Contains(l.html, "<Logan>") || !strings.Contains(l.text, "11 May 2026") || !strings.Contains(l.text, "7 days") {
			t.Errorf("the reminder is %+v", l)
		}
		o.until(1, `SELECT count(*) FROM mail WHERE kind = 'document_reminder' AND state = 'sent'`)
		o.until(1, `SELECT count(*) FROM river_job WHERE kind = 'remind_documents' AND state = 'completed'`)
		if n, err := o.documents.SendReminders(t.Context()); err != nil || n != 0 {
			t.Errorf("a second run looks at %d documents, %v", n, err)
		}
	})
}

// An owner is told that a post was hidden, and that it is shown again, in words
// that are read when the mail leaves; what is no longer true is not sent.
func TestPostMails_D10_P4(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		o.open()
		u := o.photo().OwnerID // with a post
		exec := func(query string, args ...any) {
			if _, err := s.Writer().ExecContext(t.Context(), query, args...); err != nil {
				t.Fatal(err)
			}
		}
		exec(`UPDATE mail SET state = 'dropped'`) // the verification
		var post int64
		if err := s.Reader().QueryRowContext(t.Context(), `SELECT id FROM car_post`).Scan(&post); err != nil {
			t.Fatal(err)
		}
		staff := account.Actor{ID: u, Source: account.SourceAdmin, Manages: true}
		hide := func(reason string) {
			if _, err := o.listings.Close(t.Context(), staff, post, nil, reason, nil); err != nil {
				t.Fatal(err)
			}
		}
		hide("It is <b>sold</b>.\nAsk marker-reason.")
		for _, row := range texts(t, s, `SELECT CAST(args AS text) FROM river_job`) {
			if strings.Contains(row, "marker") || strings.Contains(row, "Dacia") {
				t.Errorf("a job holds words: %s", row)
			}
		}
		o.start(nil)
		l := o.letter()
		if l.to != "photographer@example.com" || !strings.Contains(l.subject, "Dacia Logan") || !strings.Contains(l.text, "It is <b>sold</b>.") || !strings.Contains(l.text, "marker-reason") || strings.Contains(l.html, "<b>") {
			t.Errorf("the mail is %+v", l)
		}
		o.until(1, `SELECT count(*) FROM mail WHERE kind = 'post_closed' AND state = 'sent'`)
		if _, err := o.listings.Approve(t.Context(), staff, post, nil); err != nil {
			t.Fatal(err)
		}
		if l := o.letter(); !strings.Contains(l.subject, "no longer hidden") || strings.Contains(l.text, "marker") {
			t.Errorf("the mail is %+v", l)
		}
		o.until(1, `SELECT count(*) FROM mail WHERE kind = 'post_reopened' AND state = 'sent'`)

		// Messages that speak of what is no longer so.
		queue := func(kind account.MailKind, post int64) {
			if err := s.QueueMail(t.Context(), account.Mail{Kind: kind, UserID: &u, Address: "photographer@example.com", PostID: &post}); err != nil {
				t.Fatal(err)
			}
		}
		queue(account.MailPostClosed, post)
		o.until(1, `SELECT count(*) FROM mail WHERE kind = 'post_closed' AND state = 'dropped'`)
		queue(account.MailPostReopened, 4711)
		o.until(1, `SELECT count(*) FROM mail WHERE kind = 'post_reopened' AND state = 'dropped'`)
		hide("again")
		if l := o.letter(); !strings.Contains(l.text, "again") {
			t.Errorf("the mail is %+v", l)
		}
		exec(`UPDATE account SET is_active = FALSE`)
		hide("and again")
		if l := o.letter(); !strings.Contains(l.text, "and again") {
			t.Errorf("an owner who is not active is told %+v", l)
		}
		exec(`UPDATE account SET is_active = TRUE`)
		queue(account.MailPostReopened, post)
		o.until(2, `SELECT count(*) FROM mail WHERE kind = 'post_reopened' AND state = 'dropped'`)
		if n := len(o.box.mail); n != 0 {
			t.Errorf("%d more mails went out", n)
		}
	})
}
