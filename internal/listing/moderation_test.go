package listing_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// office is where posts are moderated: ana advertises, dan reads, eva operates.
type office struct {
	*testing.T
	*listing.Service
	store         *store.Store
	ana, dan, eva account.Actor
	post          listing.Post
	at            time.Time
}

func newOffice(t *testing.T, s *store.Store) *office {
	t.Helper()
	o := &office{T: t, store: s, at: noon}
	o.Service = listing.NewService(s, func() time.Time { return o.at })
	o.ana, o.dan, o.eva = newOwner(t, s, "ana@example.com"), newOwner(t, s, "dan@example.com"), newOwner(t, s, "eva@example.com")
	o.eva.Source, o.eva.Manages, o.eva.Address = account.SourceAdmin, true, "203.0.113.9"
	var err error
	if o.post, _, err = o.Create(t.Context(), o.ana, details(), nil); err != nil {
		t.Fatal(err)
	}
	return o
}

// mails are the kinds of messages about the post, with their states.
func (o *office) mails() string {
	o.Helper()
	rows, err := o.store.Reader().QueryContext(o.Context(), `SELECT kind || ' ' || state FROM mail WHERE post_id = $1 AND account_id = $2 ORDER BY id`, o.post.ID, o.ana.ID)
	if err != nil {
		o.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			o.Fatal(err)
		}
		list = append(list, one)
	}
	return strings.Join(list, ", ")
}

func (o *office) count(query string, args ...any) (n int) {
	o.Helper()
	if err := o.store.Reader().QueryRowContext(o.Context(), query, args...).Scan(&n); err != nil {
		o.Fatal(err)
	}
	return n
}

// last is the newest record of an object: its changed fields, with their new values.
func (o *office) last(object string, id int64) map[string]any {
	o.Helper()
	var text string
	err := o.store.Reader().QueryRowContext(o.Context(), `
		SELECT changes FROM history WHERE object_type = $1 AND object_id = $2 AND action = 'update' AND actor_id = $3 AND source = 'admin' AND address = '203.0.113.9'
		ORDER BY id DESC LIMIT 1`, object, id, o.eva.ID).Scan(&text)
	if err != nil {
		o.Fatal(err)
	}
	var pairs map[string][2]any
	if err := json.Unmarshal([]byte(text), &pairs); err != nil {
		o.Fatal(err)
	}
	now := map[string]any{}
	for name, pair := range pairs {
		now[name] = pair[1]
	}
	return now
}

func (o *office) seen() bool {
	o.Helper()
	_, err := o.Post(o.Context(), o.dan, o.post.ID)
	if err != nil && !errors.Is(err, fault.NotFound) {
		o.Fatal(err)
	}
	return err == nil
}

// A post that an operator closes is hidden until one approves it; its owner is
// told each time, the reports are dealt with, and the history says who did it.
func TestCloseAndApprove_B9_D9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		if err := o.Report(t.Context(), o.dan, o.post.ID, "spam", "", nil); err != nil {
			t.Fatal(err)
		}
		reports, err := o.Reports(t.Context(), o.dan)
		if err != nil || len(reports) != 1 || reports[0].ResolvedAt != nil {
			t.Fatalf("Reports = %+v, %v", reports, err)
		}
		for who, by := range map[string]account.Actor{"the owner": o.ana, "a reader": o.dan, "nobody": {}} {
			if _, err := o.Close(t.Context(), by, o.post.ID, nil, "spam", nil); !errors.Is(err, listing.ErrForbidden) {
				t.Errorf("Close by %s = %v, want %v", who, err, listing.ErrForbidden)
			}
			if _, err := o.Approve(t.Context(), by, o.post.ID, nil); !errors.Is(err, listing.ErrForbidden) {
				t.Errorf("Approve by %s = %v, want %v", who, err, listing.ErrForbidden)
			}
			if err := o.ResolveReport(t.Context(), by, reports[0].ID); !errors.Is(err, listing.ErrForbidden) {
				t.Errorf("ResolveReport by %s = %v, want %v", who, err, listing.ErrForbidden)
			}
		}
		for name, reason := range map[string]string{"nothing": "", "blanks": " \n\t ", "1,001 letters": strings.Repeat("ș", 1001), "control characters": "a\x00"} {
			_, err := o.Close(t.Context(), o.eva, o.post.ID, nil, reason, nil)
			if got := bad(t, err); !slices.Equal(got, []string{"reason"}) {
				t.Errorf("closing for %s: %v is bad", name, got)
			}
		}
		old := account.AtVersion(o.post.Revision)

		p, err := o.Close(t.Context(), o.eva, o.post.ID, old, " The price is wrong.\r\nSo is the year. ", nil)
		if err != nil || p.Moderation == nil || p.Moderation.Reason != "The price is wrong.\nSo is the year." || !p.Moderation.At.Equal(noon) || p.Revision != 2 || o.seen() {
			t.Errorf("Close = %+v, %v", p, err)
		}
		if got := o.last("car_post", p.ID); len(got) != 2 || got["moderation_reason"] != p.Moderation.Reason || got["moderated_at"] != "2026-05-04T12:00:00Z" {
			t.Errorf("the history of closing says %v", got)
		}
		if got := o.last("report", reports[0].ID); got["resolved_at"] == nil || got["resolved_by"] != float64(o.eva.ID) {
			t.Errorf("the history of the report says %v", got)
		}
		if own, err := o.Post(t.Context(), o.ana, p.ID); err != nil || own.Moderation == nil || own.Moderation.Reason != p.Moderation.Reason {
			t.Errorf("the owner sees %+v, %v", own, err)
		}
		if _, err := o.Close(t.Context(), o.eva, p.ID, old, "Another reason.", nil); !errors.Is(err, fault.Stale) {
			t.Errorf("Close of an older version = %v, want %v", err, fault.Stale)
		}
		events := o.count(`SELECT count(*) FROM history`)
		o.at = noon.Add(time.Hour)
		if again, err := o.Close(t.Context(), o.eva, p.ID, nil, p.Moderation.Reason, nil); err != nil || again.Revision != 2 || !again.Moderation.At.Equal(noon) || !again.UpdatedAt.Equal(noon) {
			t.Errorf("Close for the same reason = %+v, %v", again, err)
		}
		if n := o.count(`SELECT count(*) FROM history`); n != events {
			t.Errorf("it left %d records", n-events)
		}
		if got := o.mails(); got != "post_closed queued" {
			t.Errorf("mails = %s", got)
		}

		if p, err = o.Close(t.Context(), o.eva, p.ID, nil, "Another reason.", nil); err != nil || !p.Moderation.At.Equal(o.at) {
			t.Errorf("Close for another reason = %+v, %v", p, err)
		}
		if got := o.mails(); got != "post_closed dropped, post_closed queued" {
			t.Errorf("mails = %s, want the latest alone to be sent", got)
		}

		if p, err = o.Approve(t.Context(), o.eva, p.ID, nil); err != nil || p.Moderation != nil || p.ApprovedAt == nil || !p.ApprovedAt.Equal(o.at) || !o.seen() {
			t.Errorf("Approve = %+v, %v", p, err)
		}
		if got := o.last("car_post", p.ID); len(got) != 3 || got["moderation_reason"] != nil || got["moderated_at"] != nil || got["approved_at"] != "2026-05-04T13:00:00Z" {
			t.Errorf("the history of approving says %v", got)
		}
		// Somebody reports it after all: there is nothing to change of the post.
		eli := newOwner(t, s, "eli@example.com")
		if err := o.Report(t.Context(), eli, p.ID, "spam", "", nil); err != nil {
			t.Fatal(err)
		}
		o.at = noon.Add(2 * time.Hour)
		if again, err := o.Approve(t.Context(), o.eva, p.ID, nil); err != nil || again.Revision != p.Revision || !again.ApprovedAt.Equal(*p.ApprovedAt) {
			t.Errorf("Approve of the approved = %+v, %v", again, err)
		}
		if n := o.count(`SELECT count(*) FROM report WHERE resolved_at IS NULL`); n != 0 {
			t.Errorf("%d reports are open", n)
		}
		if got := o.mails(); got != "post_closed dropped, post_closed dropped, post_reopened queued" {
			t.Errorf("mails = %s", got)
		}
		if n := o.count(`SELECT count(*) FROM river_job WHERE kind = 'send_mail'`); n != 3 {
			t.Errorf("%d jobs, want one a mail", n)
		}
		if err := o.Delete(t.Context(), o.ana, p.ID, nil); err != nil {
			t.Fatal(err)
		}
		if got := o.mails(); strings.Contains(got, "queued") {
			t.Errorf("of a post that is gone there is still to be sent: %s", got)
		}
	})
}

// What its owner says anew is to be looked at anew; a number is not.
func TestApproved_OwnerEdits(t *testing.T) {
	s := storetest.New(t)
	o := newOffice(t, s)
	for name, tt := range map[string]struct {
		by     account.Actor
		change func(*listing.Details)
		stays  bool
	}{
		"a price":              {o.ana, func(d *listing.Details) { *d.Price++ }, true},
		"a mileage":            {o.ana, func(d *listing.Details) { d.MileageKM = ptr(7) }, true},
		"a status":             {o.ana, func(d *listing.Details) { d.Status = listing.StatusPaused }, true},
		"blanks":               {o.ana, func(d *listing.Details) { d.Make += " " }, true},
		"a contact":            {o.ana, func(d *listing.Details) { d.Contact = "0722" }, false},
		"a make":               {o.ana, func(d *listing.Details) { d.Make = "Skoda" }, false},
		"a description":        {o.ana, func(d *listing.Details) { d.Description = "x" }, false},
		"an operator's change": {o.eva, func(d *listing.Details) { d.Description = "y" }, true},
	} {
		if _, err := o.Approve(t.Context(), o.eva, o.post.ID, nil); err != nil {
			t.Fatal(err)
		}
		p, err := o.Revise(t.Context(), tt.by, o.post.ID, nil, func(d *listing.Details) fault.Fields { tt.change(d); return nil })
		if err != nil || (p.ApprovedAt != nil) != tt.stays {
			t.Errorf("after %s ApprovedAt is %v, %v, want it to stay: %v", name, p.ApprovedAt, err, tt.stays)
		}
	}
}

func TestReports_Resolve_B9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		if err := o.Report(t.Context(), o.dan, o.post.ID, "spam", "", nil); err != nil {
			t.Fatal(err)
		}
		open := func() bool {
			reports, err := o.Reports(t.Context(), o.dan)
			if err != nil || len(reports) != 1 {
				t.Fatal(reports, err)
			}
			r := reports[0]
			if (r.ResolvedAt == nil) != (r.ResolvedBy == nil) {
				t.Errorf("the report is %+v", r)
			}
			return r.ResolvedAt == nil
		}
		reports, _ := o.Reports(t.Context(), o.dan)
		id := reports[0].ID
		for range 2 {
			if err := o.ResolveReport(t.Context(), o.eva, id); err != nil || open() {
				t.Errorf("ResolveReport = %v, open: %v", err, open())
			}
		}
		if got := o.last("report", id); got["resolved_by"] != float64(o.eva.ID) {
			t.Errorf("the history says %v", got)
		}
		for range 2 {
			if err := o.ReopenReport(t.Context(), o.eva, id); err != nil || !open() {
				t.Errorf("ReopenReport = %v, open: %v", err, open())
			}
		}
		if n := o.count(`SELECT count(*) FROM history WHERE object_type = 'report'`); n != 3 {
			t.Errorf("%d records, want 3: a repetition changes nothing", n)
		}
		if err := o.ResolveReport(t.Context(), o.eva, 4711); !errors.Is(err, listing.ErrNoReport) {
			t.Errorf("ResolveReport of none = %v, want %v", err, listing.ErrNoReport)
		}
	})
}

// An earlier version is written back whole: details and moderation.
func TestRestore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		o := newOffice(t, s)
		id := o.post.ID
		closed, err := o.Close(t.Context(), o.eva, id, nil, "spam", nil)
		if err != nil {
			t.Fatal(err)
		}
		then := closed.Record()
		if _, err := o.Approve(t.Context(), o.eva, id, nil); err != nil {
			t.Fatal(err)
		}
		approved, err := o.Revise(t.Context(), o.eva, id, nil, func(d *listing.Details) fault.Fields { d.Model, d.Price = "Duster", ptr(fixed.Amount(7)); return nil })
		if err != nil {
			t.Fatal(err)
		}
		back := func(to listing.Record) (listing.Post, error) {
			return o.Restore(t.Context(), o.eva, id, nil, func(r *listing.Record) fault.Fields { *r = to; return nil })
		}
		if _, err := o.Restore(t.Context(), o.ana, id, nil, func(*listing.Record) fault.Fields { return nil }); !errors.Is(err, listing.ErrForbidden) {
			t.Errorf("Restore by the owner = %v, want %v", err, listing.ErrForbidden)
		}

		o.at = noon.Add(time.Hour)
		p, err := back(then)
		if err != nil || p.Model != "Logan" || p.Moderation == nil || p.Moderation.Reason != "spam" || !p.Moderation.At.Equal(o.at) || p.ApprovedAt != nil || o.seen() {
			t.Errorf("Restore of a closed version = %+v, %v", p, err)
		}
		if got := o.last("car_post", id); got["model"] != "Logan" || got["moderation_reason"] != "spam" || got["price"] == nil {
			t.Errorf("the history says %v", got)
		}
		if got := o.mails(); !strings.HasSuffix(got, "post_closed queued") {
			t.Errorf("mails = %s", got)
		}
		if again, err := back(p.Record()); err != nil || again.Revision != p.Revision {
			t.Errorf("Restore of what is = %+v, %v", again, err)
		}

		if p, err = back(approved.Record()); err != nil || p.Model != "Duster" || p.Moderation != nil || p.ApprovedAt == nil || !p.ApprovedAt.Equal(*approved.ApprovedAt) {
			t.Errorf("Restore of an approved version = %+v, %v", p, err)
		}
		if got := o.mails(); !strings.HasSuffix(got, "post_reopened queued") {
			t.Errorf("mails = %s", got)
		}

		wrong := then
		wrong.Year, wrong.ModerationReason = ptr(1), ptr(" ")
		_, err = back(wrong)
		if got := bad(t, err); !slices.Equal(got, []string{"moderation_reason", "year"}) {
			t.Errorf("%v is bad", got)
		}
	})
}
