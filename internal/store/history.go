package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/trail"
)

// The kinds of things that the history speaks of.
const (
	objectUser     = "user"
	objectSettings = "settings"
	objectPost     = "car_post"
	objectEntry    = "calculator_entry"
	objectDocument = "document"
	objectReport   = "report"
	objectUpload   = "upload"
	objectSession  = "session"
	objectGroup    = "group"
	objectMail     = "mail"
)

// The acts.
const (
	actCreate = trail.Create
	actUpdate = trail.Update
	actDelete = trail.Delete
	actOpen   = "open" // somebody has looked at what is another's
	actRedo   = "redo" // somebody has asked for work to be done again
)

// record writes who did what to an object, from where, and which fields went
// from what to what, into the transaction of the change. before and after are
// structs whose JSON form is what is worth remembering (never a secret); nil
// stands for nothing.
func (t *txn) record(ctx context.Context, by account.Actor, act, object string, id, owner int64, before, after any, at time.Time) error {
	if before == nil && after != nil {
		changes, err := creation(after)
		if err != nil {
			return err
		}
		return t.writeText(ctx, by, act, object, id, owner, changes, at)
	}
	changes, err := diff(before, after)
	if err != nil {
		return fmt.Errorf("compare for history: %w", err)
	}
	return t.write(ctx, by, act, object, id, owner, changes, at)
}

func (t *txn) write(ctx context.Context, by account.Actor, act, object string, id, owner int64, changes map[string][2]json.RawMessage, at time.Time) error {
	text, err := json.Marshal(changes)
	if err != nil {
		return fmt.Errorf("encode history: %w", err)
	}
	return t.writeText(ctx, by, act, object, id, owner, string(text), at)
}

func (t *txn) writeText(ctx context.Context, by account.Actor, act, object string, id, owner int64, changes string, at time.Time) error {
	_, err := t.ExecContext(ctx, insertHistory+`($1, $2, $3, $4, $5, $6, $7, $8, $9)`, historyRow(by, act, object, id, owner, changes, at)...)
	if err != nil {
		return fmt.Errorf("record history: %w", err)
	}
	return nil
}

// insertHistory is an INSERT up to its rows, which historyRow makes.
const insertHistory = `INSERT INTO history (at, actor_id, source, address, action, object_type, object_id, owner_id, changes) VALUES `

func historyRow(by account.Actor, act, object string, id, owner int64, changes string, at time.Time) []any {
	return []any{at, nullID(by.ID), string(by.Source), nullText(by.Address), act, object, id, nullID(owner), changes}
}

var (
	null   = json.RawMessage("null")
	hidden = json.RawMessage(trail.Hidden) // stands for a value that the history must not hold
)

// creation is what the history says of a thing that was made: what comes of
// comparing it with nothing, without taking it apart and putting it together
// again.
func creation(made any) (string, error) {
	fields, err := members(made)
	if err != nil {
		return "", err
	}
	return differences(nil, fields), nil
}

// alteration is what the history says of a thing that was changed, as creation says
// it of one that was made.
func alteration(before, after any) (string, error) {
	was, err := members(before)
	if err != nil {
		return "", err
	}
	is, err := members(after)
	if err != nil {
		return "", err
	}
	return differences(was, is), nil
}

// member is a field of a thing's JSON, as it stands there.
type member struct{ name, value []byte }

// members are the fields of a thing that are not null, by name.
func members(v any) ([]member, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode for history: %w", err)
	}
	var fields []member
	for rest := bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("{")), []byte("}")); len(rest) > 0; {
		end := fieldEnd(rest)
		name, value, _ := bytes.Cut(rest[:end], []byte(":")) // there is none in a name of ours
		if !bytes.Equal(value, null) {
			fields = append(fields, member{name, value})
		}
		rest = rest[min(end+1, len(rest)):]
	}
	slices.SortFunc(fields, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	return fields, nil
}

// differences lists the fields that differ, each with its old and its new value.
func differences(was, is []member) string {
	b := []byte{'{'}
	for len(was) > 0 || len(is) > 0 {
		var f, g member
		var order int
		switch {
		case len(was) == 0:
			order = 1
		case len(is) == 0:
			order = -1
		default:
			order = bytes.Compare(was[0].name, is[0].name)
		}
		if order <= 0 {
			f, was = was[0], was[1:]
		}
		if order >= 0 {
			g, is = is[0], is[1:]
		}
		switch {
		case f.name == nil:
			f = member{g.name, null}
		case g.name == nil:
			g.value = null
		}
		if bytes.Equal(f.value, g.value) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, f.name...), ":["...), f.value...)
		b = append(append(append(b, ','), g.value...), ']')
	}
	return string(append(b, '}'))
}

// fieldEnd is where the first of the fields ends: at the comma behind it, or at
// the end of the text.
func fieldEnd(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			return i
		}
	}
	return len(text)
}

// diff lists the fields that differ, each with its old and its new value.
func diff(before, after any) (map[string][2]json.RawMessage, error) {
	old, err := trail.Fields(before)
	if err != nil {
		return nil, err
	}
	now, err := trail.Fields(after)
	if err != nil {
		return nil, err
	}
	changes := map[string][2]json.RawMessage{}
	for name, was := range old {
		is, ok := now[name]
		if !ok {
			is = null
		}
		if !bytes.Equal(was, is) {
			changes[name] = [2]json.RawMessage{was, is}
		}
	}
	for name, is := range now {
		if _, ok := old[name]; !ok && !bytes.Equal(is, null) {
			changes[name] = [2]json.RawMessage{null, is}
		}
	}
	return changes, nil
}
