package listing

import (
	"context"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// moderate changes what operators say of a post. Others may not, whosever it is.
func (s *Service) moderate(ctx context.Context, by account.Actor, id int64, match account.Match, change func(*Post, *Effects, time.Time) error) (Post, error) {
	if !by.Manages {
		return Post{}, ErrForbidden
	}
	p, err := s.store.UpdatePost(ctx, by, id, func(p *Post, fx *Effects) error {
		if err := match.Check(p.Revision, p.Details); err != nil {
			return err
		}
		now := s.now()
		p.UpdatedAt = now
		return change(p, fx, now)
	})
	return p.seenBy(by), err
}

// Close hides a post from others until it is approved, and tells its owner why.
// Open reports about it are resolved. Closing for the same reason again changes
// nothing. bad is what the caller already knows to be wrong with the input.
func (s *Service) Close(ctx context.Context, by account.Actor, id int64, match account.Match, reason string, bad fault.Fields) (Post, error) {
	return s.moderate(ctx, by, id, match, func(p *Post, fx *Effects, now time.Time) error {
		bad := bad
		reason := checkReason(&bad, "reason", reason)
		if err := bad.Err(); err != nil {
			return err
		}
		fx.Resolve = &now
		p.hide(reason, now, fx)
		return nil
	})
}

// Approve says that nothing is against a post: one that was closed is shown again
// and its owner told so, and open reports about it are resolved. Approving what
// is approved changes nothing.
func (s *Service) Approve(ctx context.Context, by account.Actor, id int64, match account.Match) (Post, error) {
	return s.moderate(ctx, by, id, match, func(p *Post, fx *Effects, now time.Time) error {
		fx.Resolve = &now
		p.lift(fx)
		if p.ApprovedAt == nil {
			p.ApprovedAt = &now
		}
		return nil
	})
}

// Restore writes an earlier version of a post back. change edits the record and
// returns what it could not read. The details are held to what Revise holds them
// to. The owner is told when it hides the post, or shows it again; a post that is
// hidden for a reason that did not hide it until now is so from now on. An act that
// it takes back is taken back whole: reports that a closing or an approval resolved
// are open again.
func (s *Service) Restore(ctx context.Context, by account.Actor, id int64, match account.Match, change func(*Record) fault.Fields) (Post, error) {
	return s.moderate(ctx, by, id, match, func(p *Post, fx *Effects, now time.Time) error {
		before := p.Details
		closed, approved := p.Moderation, p.ApprovedAt
		r := p.Record()
		bad := change(&r)
		p.Details, p.ApprovedAt = r.Details, r.ApprovedAt
		p.tidy()
		p.validate(&before, now.Year(), true, &bad)
		switch { // such an act has resolved them at its own moment
		case closed != nil && r.ModerationReason == nil:
			fx.Reopen = &closed.At
		case approved != nil && r.ApprovedAt == nil:
			fx.Reopen = approved
		}
		if r.ModerationReason == nil {
			p.lift(fx)
			return bad.Err()
		}
		if p.Moderation != nil && p.Moderation.Reason == *r.ModerationReason { // also one that is not taken from an operator
			p.ApprovedAt = nil
			return bad.Err()
		}
		p.hide(checkReason(&bad, "moderation_reason", *r.ModerationReason), now, fx)
		return bad.Err()
	})
}

// checkReason tidies why a post is closed, and notes what is wrong with it.
func checkReason(bad *fault.Fields, field, reason string) string {
	reason = strings.TrimSpace(strings.ReplaceAll(reason, "\r\n", "\n"))
	account.CheckText(bad, field, reason, 1, MaxReason, true)
	return reason
}

// hide closes a post, or says another reason.
func (p *Post) hide(reason string, now time.Time, fx *Effects) {
	p.ApprovedAt = nil
	if p.Moderation != nil && p.Moderation.Reason == reason {
		return
	}
	p.Moderation, fx.Tell = &Moderation{Reason: reason, At: now}, account.MailPostClosed
}

// lift ends a moderation, if there is one.
func (p *Post) lift(fx *Effects) {
	if p.Moderation != nil {
		p.Moderation, fx.Tell = nil, account.MailPostReopened
	}
}

// ResolveReport notes that an operator has dealt with a report.
func (s *Service) ResolveReport(ctx context.Context, by account.Actor, reportID int64) error {
	return s.updateReport(ctx, by, reportID, func(r *Report, now time.Time) {
		if r.ResolvedAt != nil {
			return
		}
		r.ResolvedAt, r.ResolvedBy = &now, nil
		if by.ID != 0 {
			r.ResolvedBy = &by.ID
		}
	})
}

// ReopenReport notes that a report is to be dealt with after all.
func (s *Service) ReopenReport(ctx context.Context, by account.Actor, reportID int64) error {
	return s.updateReport(ctx, by, reportID, func(r *Report, _ time.Time) { r.ResolvedAt, r.ResolvedBy = nil, nil })
}

func (s *Service) updateReport(ctx context.Context, by account.Actor, id int64, change func(*Report, time.Time)) error {
	if !by.Manages {
		return ErrForbidden
	}
	now := s.now()
	return s.store.UpdateReport(ctx, by, id, now, func(r *Report) error {
		change(r, now)
		return nil
	})
}
