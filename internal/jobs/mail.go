package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/riverqueue/river"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/mail"
)

// The pages that links in mails lead to.
const (
	VerifyPath = "/account/verify/"
	ResetPath  = "/account/reset/"
)

// kinds are the words of each message of the outbox.
var kinds = map[account.MailKind]mail.Kind{
	account.MailVerify:           mail.VerifyAddress,
	account.MailVerifyIfUnproven: mail.VerifyAddress,
	account.MailReset:            mail.ResetPassword,
	account.MailConfirmNew:       mail.ConfirmNewAddress,
	account.MailAddressAsked:     mail.AddressChangeAsked,
	account.MailAddressChanged:   mail.AddressChanged,
	account.MailPasswordChanged:  mail.PasswordChanged,
	account.MailAccountExists:    mail.AccountExists,
	account.MailAccountDeleted:   mail.AccountDeleted,
	account.MailDocumentReminder: mail.DocumentReminder,
	account.MailPostClosed:       mail.PostClosed,
	account.MailPostReopened:     mail.PostReopened,
}

// mailWorker sends messages of the outbox.
type mailWorker struct {
	river.WorkerDefaults[account.SendMail]
	r *Runner
}

// Work sends one message. It may run again after having sent it, when it is cut
// off in between: the message has the same number then, by which a mail server
// knows it.
func (w *mailWorker) Work(ctx context.Context, job *river.Job[account.SendMail]) error {
	accounts, id := w.r.o.Accounts, job.Args.MailID
	out, ok, err := accounts.PrepareMail(ctx, id)
	if err != nil || !ok {
		return err
	}
	m, wanted, err := w.r.compose(ctx, out)
	if err != nil {
		return fmt.Errorf("compose mail %d: %w", id, err)
	}
	if !wanted {
		return accounts.MailDone(ctx, id, account.MailDropped, "")
	}
	err = w.r.o.Sender.Send(ctx, m)
	switch {
	case err == nil:
		return accounts.MailDone(ctx, id, account.MailSent, "")
	case errors.Is(err, mail.ErrRejected):
		w.r.o.Log.WarnContext(ctx, "mail rejected", "mail", id, "kind", string(out.Kind), "err", err)
		return errors.Join(river.JobCancel(err), accounts.MailDone(ctx, id, account.MailFailed, "rejected"))
	case job.Attempt >= job.MaxAttempts:
		return errors.Join(err, accounts.MailDone(ctx, id, account.MailFailed, "given up"))
	}
	return err
}

// compose writes the message. wanted is false when what it is about is gone.
func (r *Runner) compose(ctx context.Context, out account.Outgoing) (m mail.Message, wanted bool, err error) {
	kind, ok := kinds[out.Kind]
	if !ok {
		return mail.Message{}, false, fmt.Errorf("no words for %q", out.Kind)
	}
	d := mail.Data{Name: out.Name, Address: out.Other, At: out.At}
	switch out.Kind { //nolint:exhaustive // the others need nothing more
	case account.MailVerify, account.MailVerifyIfUnproven, account.MailConfirmNew:
		d.Link = r.link(VerifyPath, out.Token)
	case account.MailReset:
		d.Link = r.link(ResetPath, out.Token)
	case account.MailDocumentReminder:
		doc, err := r.o.Documents.Reminding(ctx, *out.UserID, *out.DocumentID)
		if errors.Is(err, document.ErrNotFound) || (err == nil && doc.ExpiresOn == nil) {
			return mail.Message{}, false, nil
		}
		if err != nil {
			return mail.Message{}, false, err
		}
		// As it stands now: it may have been renewed while the mail waited.
		left := *doc.DaysLeft(calendar.On(r.o.Now().In(out.At.Location())))
		if left < 0 || left > *out.DaysLeft {
			return mail.Message{}, false, nil
		}
		d.Document, d.DocumentType, d.ExpiresOn, d.DaysLeft = doc.Title, doc.Type, doc.ExpiresOn.String(), left
	case account.MailPostClosed, account.MailPostReopened:
		p, err := r.o.Listings.Post(ctx, account.System(account.SourceJob), *out.PostID)
		// As it stands now: it may have been deleted, lifted or closed again while the
		// mail waited. The reason of a closing is told to an owner who is not active,
		// too: it is not told again later.
		closed := p.Moderation != nil
		if errors.Is(err, listing.ErrNotFound) || (err == nil && closed != (out.Kind == account.MailPostClosed)) || (err == nil && !closed && !p.OwnerActive) {
			return mail.Message{}, false, nil
		}
		if err != nil {
			return mail.Message{}, false, err
		}
		d.Car = p.Make + " " + p.Model
		if p.Moderation != nil {
			d.Reason = p.Moderation.Reason
		}
	}
	m, err = mail.Render(kind, out.Language, d)
	// Two data bases may count alike; no two messages were made at one moment.
	m.To, m.ID = out.Address, strconv.FormatInt(out.ID, 10)+"."+strconv.FormatInt(out.CreatedAt.UnixMicro(), 10)
	return m, true, err
}

// link is the address of a page with a button that spends the token: following
// it changes nothing yet, since mail scanners follow links, too.
func (r *Runner) link(path, token string) string {
	u := *r.o.PublicURL
	u.Path += path
	u.RawQuery = url.Values{"token": {token}}.Encode()
	return u.String()
}
