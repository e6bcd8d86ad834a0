package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
	"github.com/ridecopilot/ridecopilot/internal/trail"
)

// The history of a post is whole: any version of it can be had again.
func TestTrail_B9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ana, eva := newUser(t, s, "ana@example.com"), newUser(t, s, "eva@example.com")
		exec(t, s, `UPDATE account SET name = 'Eva' WHERE id = $1`, eva.ID)
		p := newPost(t, s, ana.ID, nil)
		newPost(t, s, ana.ID, nil)
		operator := account.Actor{ID: eva.ID, Source: account.SourceAdmin, Manages: true, Address: "203.0.113.9"}
		at := noon
		svc := listing.NewService(s, func() time.Time { at = at.Add(time.Hour); return at })
		versions := []listing.Post{p}
		step := func(p listing.Post, err error) {
			t.Helper()
			must(t, err)
			versions = append(versions, p)
		}
		step(svc.Revise(t.Context(), actor(ana.ID), p.ID, nil, func(d *listing.Details) fault.Fields { d.Description, d.Year = "Nouă", ptr(2021); return nil }))
		step(svc.Close(t.Context(), operator, p.ID, nil, "spam", nil))
		step(svc.Close(t.Context(), operator, p.ID, nil, "fraud", nil))
		step(svc.Approve(t.Context(), operator, p.ID, nil))
		step(svc.Revise(t.Context(), actor(ana.ID), p.ID, nil, func(d *listing.Details) fault.Fields { d.Contact = "0722"; return nil }))

		events, err := s.Trail(t.Context(), "car_post", p.ID, 0, 100)
		must(t, err)
		if len(events) != len(versions) {
			t.Fatalf("%d events, want %d", len(events), len(versions))
		}
		for i, e := range events {
			if i > 0 && e.ID >= events[i-1].ID {
				t.Errorf("event %d comes after %d", e.ID, events[i-1].ID)
			}
		}
		if e := events[1]; e.ActorID != eva.ID || e.ActorName != "Eva" || e.Source != account.SourceAdmin || e.Address != "203.0.113.9" || e.Action != trail.Update ||
			e.Object != "car_post" || e.ObjectID != p.ID || e.OwnerID != ana.ID || e.At.Location() != time.UTC || !e.At.Equal(versions[4].UpdatedAt) || len(e.Changes) != 3 {
			t.Errorf("the approval is told as %+v", e)
		}
		if one, err := s.Event(t.Context(), events[1].ID); err != nil || one.ID != events[1].ID || len(one.Changes) != 3 {
			t.Errorf("Event = %+v, %v", one, err)
		}
		if _, err := s.Event(t.Context(), 4711); !errors.Is(err, trail.ErrNotFound) {
			t.Errorf("Event of none = %v, want %v", err, trail.ErrNotFound)
		}
		if page, err := s.Trail(t.Context(), "car_post", p.ID, events[1].ID, 2); err != nil || len(page) != 2 || page[0].ID != events[2].ID {
			t.Errorf("the next page = %+v, %v", page, err)
		}

		now, err := svc.Post(t.Context(), operator, p.ID)
		must(t, err)
		current, err := trail.Fields(now.Record())
		must(t, err)
		for i, want := range versions {
			fields, err := trail.Rewind(current, events, events[len(events)-1-i].ID)
			must(t, err)
			text, err := json.Marshal(fields)
			must(t, err)
			var got listing.Record
			must(t, json.Unmarshal(text, &got))
			a, _ := json.Marshal(got)
			if b, _ := json.Marshal(want.Record()); string(a) != string(b) {
				t.Errorf("version %d was %s, want %s", i, a, b)
			}
		}
		// What erasing leaves of it.
		must(t, s.DeleteUser(t.Context(), actor(ana.ID), ana.ID, func(account.User, account.Settings) error { return nil }, nil))
		if events, err = s.Trail(t.Context(), "car_post", p.ID, 0, 100); err != nil || len(events) != len(versions) || events[0].Changes != nil || events[0].ActorName != "" {
			t.Errorf("after the erasure %+v, %v", events, err)
		}
	})
}
