// Package account is about the people who use the product: who they are, how
// they prove it, what they prefer, and what they may do. Every other domain
// package learns from it who is acting.
package account

import (
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// User is a person with an account. Times are UTC.
type User struct {
	ID              int64      `json:"-"`
	Name            string     `json:"name"`
	Email           string     `json:"email"` // as it was given; empty for imported people without an address
	PasswordHash    string     `json:"-"`
	EmailVerifiedAt *time.Time `json:"email_verified_at"`
	Active          bool       `json:"is_active"`
	Staff           bool       `json:"is_staff"`
	Superuser       bool       `json:"is_superuser"`
	LastLoginAt     *time.Time `json:"-"`
	CreatedAt       time.Time  `json:"-"`
	UpdatedAt       time.Time  `json:"-"`
	Version         int64      `json:"-"` // counts writes; what If-Match compares
}

// Verified tells whether the person has shown that the address is theirs.
func (u User) Verified() bool { return u.EmailVerifiedAt != nil }

// operator tells whether the person may sign in to the admin site.
func (u User) operator() bool { return u.Staff || u.Superuser }

// SearchText is what operators look the person up by: name and address, folded.
// It is never empty, so that the store knows rows that nobody has folded yet.
func (u User) SearchText() string { return text.Fold(u.Name) + " " + text.Fold(u.Email) }

// Settings are a person's preferences.
type Settings struct {
	UserID            int64         `json:"-"`
	Theme             string        `json:"theme"`
	Language          string        `json:"language"`
	Currency          string        `json:"currency"`
	TimeZone          string        `json:"time_zone"`
	DistanceUnit      string        `json:"distance_unit"`
	DefaultCommission *fixed.Amount `json:"default_commission"` // percent; a prefill for clients, never applied here
	WeeklyGoal        *fixed.Amount `json:"weekly_goal"`        // money in Currency
	EmailReminders    bool          `json:"email_reminders"`
	UpdatedAt         time.Time     `json:"-"`
	Version           int64         `json:"-"`
}

// DefaultSettings are those of a new account: the first market is Romania.
func DefaultSettings() Settings {
	return Settings{
		Theme: "auto", Language: "en", Currency: "RON", TimeZone: "Europe/Bucharest",
		DistanceUnit: "km", EmailReminders: true, Version: 1,
	}
}

// Location is the person's time zone; the name was checked when it was stored.
func (s Settings) Location() *time.Location { return Location(s.TimeZone) }

// Source is the door a change came through; the history keeps it.
type Source string

// The doors.
const (
	SourceAPI     Source = "api"
	SourceLegacy  Source = "legacy" // the older client's API, which cannot send a current password
	SourceAdmin   Source = "admin"
	SourceCommand Source = "command"
	SourceJob     Source = "job"
)

// Once is the idempotency key under which an actor creates something. The store
// records it in the transaction of the creation itself, so that a repetition
// can never create twice.
type Once struct {
	Key         string // as the client sent it; empty when it sent none
	Route       string
	RequestHash string // of the body: the same key with another body is refused
}

// Actor is who does something, and through which door. It is an argument of
// everything that reads or changes a person's things.
type Actor struct {
	ID        int64 // the account; 0 for the system itself
	SessionID int64
	Source    Source
	Manages   bool   // may act on other people's things: only the admin site and commands make such actors
	For       int64  // of one who manages: whose things are meant; 0 means the actor's own
	Superuser bool   // of one who manages: may also say who is staff, and act on those who are
	Address   string // where the request came from, as plain IP text; empty for commands and jobs
	Device    string // what the client says it is
	Once      Once
}

// System is the actor of commands and jobs.
func System(s Source) Actor { return Actor{Source: s, Manages: true, Superuser: true} }

// Owner is the account whose things the actor means.
func (a Actor) Owner() int64 {
	if a.Manages && a.For != 0 {
		return a.For
	}
	return a.ID
}

// MayManage tells whether the actor may change what owner owns.
func (a Actor) MayManage(owner int64) bool { return a.Manages || (a.ID != 0 && a.ID == owner) }

// SessionKind tells apart the credentials that sessions belong to: one never
// opens a door that another was made for.
type SessionKind string

// The kinds of session.
const (
	SessionAPI    SessionKind = "api"
	SessionLegacy SessionKind = "legacy"
	SessionAdmin  SessionKind = "admin"
)

// Session is one sign-in of one person on one device.
type Session struct {
	ID          int64
	UserID      int64
	Kind        SessionKind
	Device      string
	Address     string
	CreatedAt   time.Time // the moment of the sign-in with the password
	LastUsedAt  time.Time
	IdleUntil   time.Time // renewed by use
	ExpiresAt   time.Time // never renewed
	EndedAt     *time.Time
	ConfirmedAt *time.Time // when the password was asked for again, in the admin site
	// SeenGeneration is the newest generation of tokens of which one was used (promise T16).
	SeenGeneration int64
}

// Live tells whether the session still counts at now.
func (s Session) Live(now time.Time) bool {
	return s.EndedAt == nil && now.Before(s.IdleUntil) && now.Before(s.ExpiresAt)
}

// Confirmed tells whether the password was given within the last 15 minutes, at
// the sign-in or since: acts that weigh more ask for it again.
func (s Session) Confirmed(now time.Time) bool {
	given := s.CreatedAt
	if s.ConfirmedAt != nil && s.ConfirmedAt.After(given) {
		given = *s.ConfirmedAt
	}
	return now.Sub(given) <= reauthenticationGrace
}

// Principal is what a good credential stands for: the session and its person,
// both as they are now.
type Principal struct {
	User    User
	Session Session
}

// Purpose is what a secret sent by mail is good for.
type Purpose string

// The purposes of mailed secrets.
const (
	PurposeVerify      Purpose = "verify"       // the address is mine
	PurposeReset       Purpose = "reset"        // let me choose a new password
	PurposeChangeEmail Purpose = "change_email" // this is to be my new address
)

// How long the mailed secrets live.
const (
	ResetTTL  = 30 * time.Minute
	VerifyTTL = 48 * time.Hour
)

// TTL is how long a secret for the purpose lives.
func (p Purpose) TTL() time.Duration {
	if p == PurposeReset {
		return ResetTTL
	}
	return VerifyTTL
}

// Token is a mailed secret at rest: only its hash is kept.
type Token struct {
	Hash      []byte
	UserID    int64
	Purpose   Purpose
	Address   string // the mailbox it was sent to
	CreatedAt time.Time
	ExpiresAt time.Time
}

// MailKind names the messages of the outbox.
type MailKind string

// The messages.
const (
	MailVerify           MailKind = "verify_address"
	MailReset            MailKind = "reset_password"
	MailConfirmNew       MailKind = "confirm_new_address"
	MailAddressAsked     MailKind = "address_change_asked"
	MailAddressChanged   MailKind = "address_changed"
	MailPasswordChanged  MailKind = "password_changed"
	MailAccountExists    MailKind = "account_exists"
	MailAccountDeleted   MailKind = "account_deleted"
	MailDocumentReminder MailKind = "document_reminder"
	MailVerifyIfUnproven MailKind = "verify_resend"
	MailPostClosed       MailKind = "post_closed"
	MailPostReopened     MailKind = "post_reopened"
)

// Mail is a row of the outbox: a message that is to be sent, was, or could not
// be. It names what the message is about, never its secrets.
type Mail struct {
	ID         int64
	Kind       MailKind
	UserID     *int64 // nil when nobody with that address is known
	Address    string
	Name       string // of a person whose account is gone when the mail leaves
	Language   string
	DocumentID *int64
	PostID     *int64
	DaysLeft   *int
	Other      string // the other address of an address change
	CreatedAt  time.Time
	State      string // queued, sent, failed, dropped
}

// The states of a Mail.
const (
	MailQueued  = "queued"
	MailSent    = "sent"
	MailFailed  = "failed"
	MailDropped = "dropped" // there was nobody to send it to, or it is no longer true
)

// Sentinels that callers tell apart.
var (
	ErrNotFound        = fault.New(fault.NotFound, "There is no such account.")
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "Sign in first: the credential is missing, wrong, or no longer valid.")
	ErrBadCredentials  = fault.New(fault.Unauthenticated, "Incorrect email or password.")
	ErrUnproven        = fault.New(fault.Forbidden, "Your email address is not confirmed yet. Open the link in the mail that was sent to it, then sign in.")
	ErrSessionNotFound = fault.New(fault.NotFound, "There is no such session.")
	ErrMailNotFound    = fault.New(fault.NotFound, "There is no such message.")
	ErrGroupNotFound   = fault.New(fault.NotFound, "There is no such group.")
	ErrGroupTaken      = fault.InvalidField("name", "unique", "There is a group with this name already.")
	ErrNoSuchGroup     = fault.InvalidField("groups", "invalid_choice", "One of these groups does not exist any longer.")
	ErrBadToken        = fault.InvalidField("token", "invalid", "This link is wrong, was used already, or is too old. Ask for a new one.")
	ErrEmailTaken      = fault.InvalidField("email", "unique", "user with this email already exists.")
	ErrStale           = fault.New(fault.Stale, "It has changed since you read it. Read it again and repeat your change.")
)

// SendMail is the job that sends a message of the outbox. It carries the number
// of the message, never its words (promise D10).
type SendMail struct {
	MailID int64 `json:"mail_id"`
}

// Kind names the job.
func (SendMail) Kind() string { return "send_mail" }

// Answer is what a creation was answered with, kept for repetitions under the
// same idempotency key.
type Answer struct {
	Status   int
	Location string
	ETag     string
	Body     []byte
}
