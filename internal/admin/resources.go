package admin

import (
	"context"
	"slices"
	"strconv"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/table"
)

// declare makes the resources and the menu. docs/admin.md shows how to add one.
func (s *Site) declare() {
	s.sections = []section{
		{"People", []*Resource{s.users(), s.preferences(), s.sessions(), s.groups()}},
		{"Car posts", []*Resource{s.posts(), s.reports(), s.uploads()}},
		{"Work and papers", []*Resource{s.entries(), s.documents()}},
		{"Operation", []*Resource{s.mails(), s.historyLog(), s.jobs()}},
	}
	for _, part := range s.sections {
		s.resources = append(s.resources, part.Resources...)
	}
}

// person is the draft of a user.
type person struct {
	account.Profile
	Password string `json:"-"`
	user     account.User
}

func (s *Site) users() *Resource {
	return &Resource{
		Name: "users", Label: "user", Plural: "Users", Object: "user", Title: "name",
		Search: "part of a name or address",
		Columns: []Column{
			{Name: "name", Label: "Name"},
			{Name: "email", Label: "E-mail"},
			{Name: "is_active", Label: "Active"},
			{Name: "verified", Label: "Verified"},
			{Name: "is_staff", Label: "Staff"},
			{Name: "posts", Label: "Posts"},
			{Name: "entries", Label: "Entries"},
			{Name: "documents", Label: "Documents"},
			{Name: "last_login_at", Label: "Last sign-in"},
			{Name: "created_at", Label: "Joined"},
		},
		Filters: []Filter{
			{Column: "is_active", Label: "Active"},
			{Column: "verified", Label: "E-mail verified"},
			{Column: "is_staff", Label: "Staff"},
			{Column: "is_superuser", Label: "Superuser"},
			{Column: "group", Label: "Group"},
			{Column: "last_login_at", Label: "Last sign-in"},
			{Column: "created_at", Label: "Joined"},
		},
		Dates: "created_at",
		Fieldsets: []Fieldset{
			{Title: "Person", Fields: []Field{
				field("name", "Name", func(d *person) any { return &d.Name }).required(),
				field("email", "E-mail", func(d *person) any { return &d.Email }).required().help("A new one counts at once. The old one is told, and the new one is asked to verify."),
				field("email_verified", "E-mail verified", func(d *person) any { return &d.Verified }),
				field("password", "Password", func(d *person) any { return &d.Password }).as(passwordWidget).addOnly().help("Left empty, the person chooses one by a mailed link."),
			}},
			{Title: "Access", Fields: []Field{
				field("is_active", "Active", func(d *person) any { return &d.Active }).help("Without it nobody signs in, and what was signed in has ended."),
				field("is_staff", "Staff", func(d *person) any { return &d.Staff }).help("May sign in here, and do what the groups allow.").superuser(),
				field("is_superuser", "Superuser", func(d *person) any { return &d.Superuser }).help("May do everything.").superuser(),
				field("groups", "Groups", func(d *person) any { return &d.Groups }).loaded(groupChoices).superuser(),
			}},
			{Title: "Times", Fields: []Field{
				field("last_login_at", "Last sign-in", func(d *person) any { return &d.user.LastLoginAt }).readOnly(),
				field("created_at", "Joined", func(d *person) any { t := &d.user.CreatedAt; return &t }).readOnly(),
			}},
		},
		Blank: func(*request) (any, error) { return &person{Profile: account.Profile{Active: true}}, nil },
		Load: func(q *request, id int64) (Item, error) {
			u, p, err := s.Accounts.Profile(q.ctx, q.by, id)
			return Item{Draft: &person{Profile: p, user: u}, Version: u.Version, Title: u.Name, Owner: id}, err
		},
		Create: func(q *request, draft any, bad fault.Fields) (int64, error) {
			d := as[person](draft)
			if d.Staff || d.Superuser || len(d.Groups) > 0 {
				if _, err := q.confirmed(&bad); err != nil {
					return 0, err
				}
			}
			u, err := s.Accounts.CreateProfile(q.ctx, q.by, d.Profile, d.Password, bad)
			return u.ID, err
		},
		Save: func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			if err := s.confirmRights(q, id, change); err != nil {
				return err
			}
			_, err := s.Accounts.ReviseProfile(q.ctx, q.by, id, match, func(p *account.Profile) fault.Fields {
				d := &person{Profile: *p}
				bad := change(d)
				*p = d.Profile
				return bad
			})
			return err
		},
		Note: func(q *request, id int64) (string, error) {
			_, p, err := s.Accounts.Profile(q.ctx, q.by, id)
			if len(p.Groups) == 0 || p.Staff || p.Superuser {
				return "", err
			}
			return "They are in a group without being staff: it lets them do nothing until Staff is ticked.", err
		},
		Delete: func(q *request, id int64) error { return s.Accounts.Erase(q.ctx, q.by, id, nil) },
		Actions: []Action{
			{
				Name: "deactivate", Label: "Deactivate", Done: "deactivated", Permission: "change", Confirm: "They are signed out everywhere and cannot sign in.",
				Run:     func(q *request, id int64, _ any) error { return s.Accounts.SetActive(q.ctx, q.by, id, false) },
				Offered: func(i Item) bool { return as[person](i.Draft).Active },
			},
			{
				Name: "activate", Label: "Activate", Done: "activated", Permission: "change",
				Run:     func(q *request, id int64, _ any) error { return s.Accounts.SetActive(q.ctx, q.by, id, true) },
				Offered: func(i Item) bool { return !as[person](i.Draft).Active },
			},
			{
				Name: "verify", Label: "Resend verification", Done: "sent a verification mail", Permission: "change",
				Run:     func(q *request, id int64, _ any) error { return s.Accounts.SendVerification(q.ctx, q.by, id) },
				Offered: func(i Item) bool { return !as[person](i.Draft).Verified },
			},
			{
				Name: "reset", Label: "Send password link", Done: "sent a link to choose a new password", Permission: "change", Confirm: "They get a mail with a link.",
				Run: func(q *request, id int64, _ any) error { return s.Accounts.SendReset(q.ctx, q.by, id) }, OneOnly: true,
			},
			{
				Name: "password", Label: "Set password", Done: "given a new password", Permission: "change", Dangerous: true, Superuser: true, OneOnly: true,
				Fields: []Field{field("password", "New password", func(d *person) any { return &d.Password }).as(passwordWidget).required().
					help("The owner is told by mail and is signed out everywhere. Better send them a link.")},
				Draft: func() any { return &person{} },
				Run: func(q *request, id int64, draft any) error {
					return s.Accounts.SetPasswordOf(q.ctx, q.by, id, as[person](draft).Password, nil)
				},
			},
		},
	}
}

// groupChoices are the groups that a member of staff can be in.
func groupChoices(q *request) ([]Choice, error) {
	groups, err := q.site.Accounts.Groups(q.ctx, q.by)
	var out []Choice
	for _, g := range groups {
		out = append(out, Choice{strconv.FormatInt(g.ID, 10), g.Name})
	}
	return out, err
}

// confirmRights wants the password before somebody's rights change. It is found
// out beforehand: no transaction waits for a password to be checked.
func (s *Site) confirmRights(q *request, id int64, change func(any) fault.Fields) error {
	_, p, err := s.Accounts.Profile(q.ctx, q.by, id)
	if err != nil {
		return err
	}
	d := &person{Profile: p}
	d.Groups = slices.Clone(p.Groups)
	bad := change(d)
	if d.Staff == p.Staff && d.Superuser == p.Superuser && slices.Equal(d.Groups, p.Groups) {
		return nil // what is bad is told when it is saved
	}
	if _, err := q.confirmed(&bad); err != nil {
		return err
	}
	return bad.Err()
}

func (s *Site) preferences() *Resource {
	type settings = account.Settings
	return &Resource{
		Name: "settings", Label: "user's settings", Plural: "Settings of users", Object: "settings", Title: "owner",
		Search: "the person's name or address",
		Columns: []Column{
			{Name: "owner", Label: "User"},
			{Name: "language", Label: "Language"},
			{Name: "currency", Label: "Currency"},
			{Name: "time_zone", Label: "Time zone"},
			{Name: "theme", Label: "Theme"},
			{Name: "email_reminders", Label: "Reminders"},
			{Name: "updated_at", Label: "Changed"},
		},
		Filters: []Filter{
			{Column: "owner", Label: "User"},
			{Column: "language", Label: "Language"},
			{Column: "currency", Label: "Currency"},
			{Column: "theme", Label: "Theme"},
			{Column: "email_reminders", Label: "Reminders by mail"},
		},
		Fieldsets: []Fieldset{{Fields: []Field{
			field("language", "Language", func(d *settings) any { return &d.Language }).choose([]Choice{{"en", "English"}, {"ro", "Romanian"}}).required(),
			field("theme", "Theme", func(d *settings) any { return &d.Theme }).oneOf(account.Themes...).required(),
			field("currency", "Currency", func(d *settings) any { return &d.Currency }).required().help("Three letters, as in ISO 4217."),
			field("time_zone", "Time zone", func(d *settings) any { return &d.TimeZone }).required().help("Such as Europe/Bucharest."),
			field("distance_unit", "Unit of distance", func(d *settings) any { return &d.DistanceUnit }).choose([]Choice{{"km", "km"}, {"mi", "mi"}}).required(),
			field("default_commission", "Usual commission, %", func(d *settings) any { return &d.DefaultCommission }),
			field("weekly_goal", "Weekly goal", func(d *settings) any { return &d.WeeklyGoal }),
			field("email_reminders", "Reminders by mail", func(d *settings) any { return &d.EmailReminders }),
		}}},
		Load: func(q *request, id int64) (Item, error) {
			set, err := s.Accounts.Settings(q.ctx, q.of(id))
			if err != nil {
				return Item{}, err
			}
			ref, err := q.label("users", strconv.FormatInt(id, 10))
			if err != nil {
				return Item{}, err
			}
			return Item{Draft: &set, Version: set.Version, Title: "Settings of " + ref.Label, Owner: id}, nil
		},
		Save: func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			_, err := s.Accounts.ReviseSettings(q.ctx, q.of(id), match, func(set *account.Settings) fault.Fields { return change(set) }, nil)
			return err
		},
	}
}

func (s *Site) sessions() *Resource {
	return &Resource{
		Name: "sessions", Label: "session", Plural: "Sessions", Object: "session", Title: "owner",
		Search: "the person's name or address, the source, the device",
		Columns: []Column{
			{Name: "owner", Label: "User"},
			{Name: "kind", Label: "Door"},
			{Name: "live", Label: "Live"},
			{Name: "device", Label: "Device"},
			{Name: "address", Label: "Source"},
			{Name: "created_at", Label: "Signed in"},
			{Name: "last_used_at", Label: "Last used"},
		},
		Filters: []Filter{
			{Column: "owner", Label: "User"},
			{Column: "live", Label: "Live"},
			{Column: "kind", Label: "Door", Choices: choices("api", "legacy", "admin")},
			{Column: "created_at", Label: "Signed in"},
			{Column: "last_used_at", Label: "Last used"},
		},
		Dates: "created_at",
		Fieldsets: []Fieldset{{Fields: []Field{
			shown("owner", "User"), shown("kind", "Door"), shown("live", "Live"), shown("device", "Device"), shown("address", "Source"), shown("created_at", "Signed in"),
			shown("last_used_at", "Last used"), shown("idle_until", "Ends unused at"), shown("expires_at", "Ends at"), shown("ended_at", "Ended"),
		}}},
		Load: loadRow("sessions"),
		Actions: []Action{{
			Name: "end", Label: "End session", Done: "ended", Permission: "delete", Confirm: "Whoever uses it is signed out with the next request.",
			Run:     func(q *request, id int64, _ any) error { return s.Accounts.RevokeSession(q.ctx, q.by, id) },
			Offered: func(i Item) bool { return as[rowDraft](i.Draft).row.Values["live"] == true },
		}},
	}
}

func (s *Site) groups() *Resource {
	type details = account.GroupDetails
	confirmed := func(q *request, bad *fault.Fields) error {
		_, err := q.confirmed(bad)
		return err
	}
	return &Resource{
		Name: "groups", Label: "group", Plural: "Groups", Object: "group", Title: "name", Search: "part of the name", SuperuserChanges: true,
		Columns: []Column{{Name: "name", Label: "Name"}, {Name: "members", Label: "Members"}, {Name: "permissions", Label: "Permissions"}, {Name: "updated_at", Label: "Changed"}},
		Order:   []table.Order{{Column: "name"}},
		Fieldsets: []Fieldset{{Fields: []Field{
			field("name", "Name", func(d *details) any { return &d.Name }).required(),
			field("permissions", "Permissions", func(d *details) any { return &d.Permissions }).as(matrixWidget).help("Only superusers change groups, and see the jobs."),
		}}},
		Blank: func(*request) (any, error) { return &details{}, nil },
		Load: func(q *request, id int64) (Item, error) {
			g, err := s.Accounts.Group(q.ctx, q.by, id)
			return Item{Draft: &g.GroupDetails, Version: g.Version, Title: g.Name}, err
		},
		Create: func(q *request, draft any, bad fault.Fields) (int64, error) {
			if err := confirmed(q, &bad); err != nil {
				return 0, err
			}
			g, err := s.Accounts.CreateGroup(q.ctx, q.by, *as[details](draft), bad)
			return g.ID, err
		},
		Save: func(q *request, id int64, match account.Match, change func(any) fault.Fields) error {
			var bad fault.Fields
			if err := confirmed(q, &bad); err != nil {
				return err
			}
			_, err := s.Accounts.ReviseGroup(q.ctx, q.by, id, match, func(d *details) fault.Fields { return append(change(d), bad...) })
			return err
		},
		Note: func(q *request, id int64) (string, error) {
			staff, err := s.Tables.Count(q.ctx, table.Query{Table: "users", Where: []table.Cond{
				{Column: "group", Op: table.Is, Values: []string{strconv.FormatInt(id, 10)}}, {Column: "is_staff", Op: table.Is, Values: []string{"true"}},
			}}, 1)
			if staff.N > 0 {
				return "", err
			}
			return "No member of staff is in it yet: it is chosen on the page of a user.", err
		},
		Delete: func(q *request, id int64) error { return s.Accounts.DeleteGroup(q.ctx, q.by, id, nil) },
	}
}

func (s *Site) mails() *Resource {
	return &Resource{
		Name: "mails", Label: "mail", Plural: "Mail outbox", Object: "mail", Title: "kind", Search: "the person's name or address",
		Columns: []Column{
			{Name: "kind", Label: "Message", Show: showHumane("kind")},
			{Name: "address", Label: "To"},
			{Name: "owner", Label: "User"},
			{Name: "state", Label: "State", Show: showState("state")},
			{Name: "problem", Label: "Problem"},
			{Name: "created_at", Label: "Asked for"},
			{Name: "settled_at", Label: "Settled"},
		},
		Filters: []Filter{{Column: "stuck", Label: "Did not leave"}, {Column: "state", Label: "State", Choices: choices("queued", "sent", "failed", "dropped")}, {Column: "kind", Label: "Message"}, {Column: "owner", Label: "User"}, {Column: "created_at", Label: "Asked for"}},
		Dates:   "created_at",
		Fieldsets: []Fieldset{{Fields: []Field{
			shown("kind", "Message"), shown("address", "To"), shown("owner", "User"), shown("state", "State"), shown("problem", "Problem"), shown("language", "Language"),
			shown("document_id", "Document"), shown("post_id", "Car post"), shown("created_at", "Asked for"), shown("settled_at", "Settled"),
		}}},
		Load: loadRow("mails"),
		Actions: []Action{{
			Name: "again", Label: "Send again", Done: "queued again", Permission: "change",
			Run: func(q *request, id int64, _ any) error { return s.Accounts.SendAgain(q.ctx, q.by, id) },
		}},
	}
}

func (s *Site) historyLog() *Resource {
	return &Resource{
		Name: "history", Label: "event", Plural: "Audit log", Title: "action", Search: "who did it, or whose it was, by name or address",
		Columns: []Column{
			{Name: "at", Label: "When"},
			{Name: "actor", Label: "Who"},
			{Name: "action", Label: "Did", Show: showHumane("action")},
			{Name: "object_type", Label: "What", Show: showHumane("object_type")},
			{Name: "object_id", Label: "Number"},
			{Name: "owner", Label: "Whose"},
			{Name: "source", Label: "Through"},
			{Name: "address", Label: "From"},
		},
		Filters: []Filter{
			{Column: "action", Label: "Did", Choices: choices("create", "update", "delete", "open")},
			{Column: "object_type", Label: "What"},
			{Column: "source", Label: "Through", Choices: choices("api", "admin", "legacy", "command", "job")},
			{Column: "actor", Label: "Who"},
			{Column: "owner", Label: "Whose"},
			{Column: "object_id", Label: "Number"},
			{Column: "at", Label: "When"},
		},
		Dates: "at",
		Fieldsets: []Fieldset{{Fields: []Field{
			shown("at", "When"), shown("actor", "Who"), shown("action", "Did"), shown("object_type", "What"), shown("object_id", "Number"), shown("owner", "Whose"),
			shown("source", "Through"), shown("address", "From"),
		}}},
		Load: loadRow("history"),
		Panels: []Panel{{Title: "Changes", Template: "panel-changes", Load: func(q *request, id int64, _ Item) (any, error) {
			return q.audited(id)
		}}},
	}
}

func (s *Site) jobs() *Resource {
	return &Resource{
		Name: "jobs", Label: "job", Plural: "Jobs", Title: "kind", SuperuserOnly: true,
		Columns: []Column{
			{Name: "id", Label: "Number"},
			{Name: "kind", Label: "Job", Show: showHumane("kind")},
			{Name: "state", Label: "State", Show: showState("state")},
			{Name: "attempt", Label: "Tries"},
			{Name: "max_attempts", Label: "At most"},
			{Name: "error", Label: "Last error"},
			{Name: "scheduled_at", Label: "Due"},
			{Name: "created_at", Label: "Asked for"},
		},
		Filters: []Filter{
			{Column: "failing", Label: "Fails"},
			{Column: "state", Label: "State"},
			{Column: "kind", Label: "Job"},
			{Column: "queue", Label: "Queue"},
			{Column: "scheduled_at", Label: "Due"},
		},
		Fieldsets: []Fieldset{{Fields: []Field{
			shown("id", "Number"), shown("kind", "Job"), shown("queue", "Queue"), shown("state", "State"), shown("attempt", "Tries"), shown("max_attempts", "At most"), shown("args", "About"),
			shown("error", "Last error"), shown("created_at", "Asked for"), shown("scheduled_at", "Due"), shown("attempted_at", "Last tried"), shown("finalized_at", "Ended"),
		}}},
		Load: loadRow("jobs"),
		Actions: []Action{
			{Name: "retry", Label: "Run again", Done: "to run again", Permission: "change", Run: func(q *request, id int64, _ any) error { return s.onJob(q, "retry", s.Jobs.Retry, id) }},
			{
				Name: "cancel", Label: "Cancel", Done: "cancelled", Permission: "change", Confirm: "What they were to do is not done.",
				Run: func(q *request, id int64, _ any) error { return s.onJob(q, "cancel", s.Jobs.Cancel, id) },
			},
		},
	}
}

// onJob does something with a job and writes down who did (promise B9).
func (s *Site) onJob(q *request, act string, do func(context.Context, int64) error, id int64) error {
	if err := do(q.ctx, id); err != nil {
		return err
	}
	return s.Trail.Note(q.ctx, q.by, act, "job", id)
}
