package trail_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/trail"
)

func event(id int64, action, changes string) trail.Event {
	e := trail.Event{ID: id, Action: action, Object: "car_post", ObjectID: 7}
	if err := json.Unmarshal([]byte(changes), &e.Changes); err != nil {
		panic(err)
	}
	return e
}

var life = []trail.Event{
	event(9, trail.Delete, `{"make": ["Skoda", null], "price": [3, null], "color": [null, null]}`),
	event(7, trail.Update, `{"price": [2, 3]}`),
	event(6, "open", `{"what": [null, "file"]}`),
	event(5, trail.Update, `{"make": ["Dacia", "Skoda"], "color": ["red", null], "password": ["…", "…"]}`),
	event(3, trail.Update, `{"price": [null, 2], "color": [null, "red"]}`),
	event(1, trail.Create, `{"make": [null, "Dacia"]}`),
}

func TestRewind(t *testing.T) {
	gone := `{"make": null, "price": null, "color": null, "other": 1}`
	kept := `{"make": "Skoda", "price": 3, "color": null, "other": 1}`
	other := event(2, trail.Update, `{"make": ["a", "b"]}`)
	other.ObjectID = 8
	erased := trail.Event{ID: 8, Action: trail.Update, Object: "car_post", ObjectID: 7}
	tests := []struct {
		name    string
		current string
		events  []trail.Event
		to      int64
		want    string
		err     error
	}{
		{"the newest", gone, life, 9, gone, nil},
		{"before it was deleted", gone, life, 7, kept, nil},
		{"an opening changes nothing", gone, life, 5, `{"make": "Skoda", "price": 2, "color": null, "other": 1}`, nil},
		{"what happened with it", gone, life, 6, `{"make": "Skoda", "price": 2, "color": null, "other": 1}`, nil},
		{"two changes", kept, life[1:], 3, `{"make": "Dacia", "price": 2, "color": "red", "other": 1}`, nil},
		{"the creation", kept, life[1:], 1, `{"make": "Dacia", "price": null, "color": null, "other": 1}`, nil},
		{"a hidden value", `{"password": "x"}`, life[3:], 3, `{"make": "Dacia", "color": "red", "password": "x"}`, nil},
		{"nothing known now", `{}`, life[1:2], 7, `{}`, nil},
		{"no such event", kept, life[1:], 4, "", fault.NotFound},
		{"no events", kept, nil, 4, "", fault.NotFound},
		{"erased", kept, []trail.Event{erased, life[1]}, 7, "", fault.Conflict},
		{"erased, but not undone", kept, []trail.Event{erased}, 8, kept, nil},
	}
	for _, tt := range tests {
		var current, want map[string]json.RawMessage
		must(t, json.Unmarshal([]byte(tt.current), &current))
		before, _ := json.Marshal(current)
		got, err := trail.Rewind(current, tt.events, tt.to)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.err)
		}
		if tt.err == nil {
			must(t, json.Unmarshal([]byte(tt.want), &want))
			a, _ := json.Marshal(got)
			if b, _ := json.Marshal(want); string(a) != string(b) {
				t.Errorf("%s: Rewind = %s, want %s", tt.name, a, b)
			}
		}
		if after, _ := json.Marshal(current); string(after) != string(before) {
			t.Errorf("%s: what was handed in became %s", tt.name, after)
		}
	}
	for name, events := range map[string][]trail.Event{
		"oldest first":   {life[5], life[4]},
		"another object": {life[4], other},
	} {
		if _, err := trail.Rewind(nil, events, 0); err == nil || errors.Is(err, fault.NotFound) {
			t.Errorf("%s: error = %v, want a mistake", name, err)
		}
	}
}

func TestLast(t *testing.T) {
	if e, ok := trail.Last(life[2:]); !ok || e.ID != 5 {
		t.Errorf("Last = %d, %v, want 5: an opening is no change", e.ID, ok)
	}
	if _, ok := trail.Last(life[2:3]); ok {
		t.Error("Last of an opening alone is a change")
	}
}

func TestFields(t *testing.T) {
	got, err := trail.Fields(struct {
		A int     `json:"a"`
		B *string `json:"b"`
	}{A: 1})
	if err != nil || len(got) != 2 || string(got["a"]) != "1" || string(got["b"]) != "null" {
		t.Errorf("Fields = %s, %v", got, err)
	}
	if got, err := trail.Fields(nil); err != nil || got != nil {
		t.Errorf("Fields(nil) = %s, %v", got, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
