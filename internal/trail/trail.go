// Package trail is about the history of things: who did what to them, when and
// from where, and what they were before.
package trail

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// Event is one record of the history. Changes holds what the fields were before
// and after; it is empty for what an erased account did or had.
type Event struct {
	ID        int64
	At        time.Time
	ActorID   int64  // 0 for the system itself
	ActorName string // as it is now; empty when the account is gone
	Source    account.Source
	Address   string
	Action    string
	Object    string
	ObjectID  int64
	OwnerID   int64
	Changes   map[string][2]json.RawMessage
}

// The actions that change the fields of a thing; others only tell of something
// that was done with it.
const (
	Create = "create"
	Update = "update"
	Delete = "delete"
)

// Hidden stands in the history for a value that it must not hold.
const Hidden = `"…"`

// Why something cannot be told from the history.
var (
	ErrNotFound = fault.New(fault.NotFound, "There is no such record of the history.")
	ErrErased   = fault.New(fault.Conflict, "The history no longer tells what changed: the account that it was about has been erased.")
)

// Alters tells whether the event changed the fields of its object.
func (e Event) Alters() bool {
	return e.Action == Create || e.Action == Update || e.Action == Delete
}

// Last is the newest of the events (newest first) that changed the object's
// fields; ok is false when there is none.
func Last(events []Event) (last Event, ok bool) {
	for _, e := range events {
		if e.Alters() {
			return e, true
		}
	}
	return Event{}, false
}

// errOrder is a mistake of the caller's.
var errOrder = errors.New("trail: the events are not those of one object, newest first")

// Rewind tells what the fields of an object were right after the event numbered
// to: it undoes the changes of every later event. current are the fields as they
// are now, events are the object's, newest first, down to that one at least
// (else it is ErrNotFound). Values that the history hides stay as they are now.
func Rewind(current map[string]json.RawMessage, events []Event, to int64) (map[string]json.RawMessage, error) {
	fields := make(map[string]json.RawMessage, len(current))
	for name, value := range current {
		fields[name] = value
	}
	for i, e := range events {
		if i > 0 && (e.ID >= events[i-1].ID || e.Object != events[i-1].Object || e.ObjectID != events[i-1].ObjectID) {
			return nil, errOrder
		}
		if e.ID == to {
			return fields, nil
		}
		if !e.Alters() {
			continue
		}
		if len(e.Changes) == 0 {
			return nil, ErrErased
		}
		for name, change := range e.Changes {
			if string(change[0]) != Hidden {
				fields[name] = change[0]
			}
		}
	}
	return nil, ErrNotFound
}

// Fields are the fields of a thing by their names in JSON, as the history knows
// them; nil has none.
func Fields(v any) (map[string]json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	err = json.Unmarshal(text, &m)
	return m, err
}
