package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// samples is how many answers of each scenario are compared.
const samples = 5

// checkAlike makes sure that both servers do the same work: that they answer the
// same requests with the same content, and write the same history. There is no
// use in comparing the speed of things that differ.
func checkAlike(ctx context.Context, w *world, s *scenario, a, b *target) error {
	const conn = 10_000 // of nobody else
	first, second := s.begin(a, conn), s.begin(b, conn)
	one, two := &client{addr: a.addr}, &client{addr: b.addr}
	defer one.close()
	defer two.close()
	for range samples {
		x, err := answerOf(one, first, a, s.differs)
		if err != nil {
			return fmt.Errorf("%s of the %s: %w", s.name, a.name, err)
		}
		y, err := answerOf(two, second, b, s.differs)
		if err != nil {
			return fmt.Errorf("%s of the %s: %w", s.name, b.name, err)
		}
		if where := difference("", x.content, y.content); where != "" {
			return fmt.Errorf("%s: the answers of %s and %s differ: %s", s.name, a.name, b.name, where)
		}
		if s.object == "" {
			continue
		}
		if err := sameHistory(ctx, w, s.object, x.id, y.id); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

type decoded struct {
	id      int64
	content any
}

// answerOf sends the next request of a worker and decodes the answer, without
// what names the server and without the fields that differ each time.
func answerOf(c *client, w *worker, t *target, differs []string) (d decoded, err error) {
	request := w.next(nil)
	kind := w
	if w.now != nil {
		kind = w.now
	}
	status, body, err := c.do(request, true)
	if err != nil {
		return d, err
	}
	if status != kind.want {
		return d, fmt.Errorf("status %d instead of %d: %.300s", status, kind.want, body)
	}
	if kind.took != nil {
		kind.took(body)
	}
	if len(body) == 0 {
		return d, nil
	}
	text := strings.ReplaceAll(string(body), "http://"+t.addr, "http://server")
	if err := json.Unmarshal([]byte(text), &d.content); err != nil {
		return d, fmt.Errorf("decode: %w", err)
	}
	if object, ok := d.content.(map[string]any); ok {
		if id, ok := object["id"].(float64); ok {
			d.id = int64(id)
		}
	}
	strip(d.content, differs)
	return d, nil
}

// strip empties fields, however deep they lie.
func strip(v any, fields []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if slices.Contains(fields, name) {
				v[name] = "…"
				continue
			}
			strip(value, fields)
		}
	case []any:
		for _, value := range v {
			strip(value, fields)
		}
	}
}

// difference says where two decoded values differ; empty when they do not.
func difference(at string, a, b any) string {
	x, ok1 := a.(map[string]any)
	y, ok2 := b.(map[string]any)
	if ok1 && ok2 {
		names := slices.Sorted(maps.Keys(x))
		for name := range y {
			if _, ok := x[name]; !ok {
				names = append(names, name)
			}
		}
		for _, name := range names {
			_, inX := x[name]
			_, inY := y[name]
			if inX != inY {
				return fmt.Sprintf("only one has %s.%s", at, name)
			}
			if where := difference(at+"."+name, x[name], y[name]); where != "" {
				return where
			}
		}
		return ""
	}
	p, ok1 := a.([]any)
	q, ok2 := b.([]any)
	if ok1 && ok2 {
		if len(p) != len(q) {
			return fmt.Sprintf("%s has %d and %d elements", at, len(p), len(q))
		}
		for i := range p {
			if where := difference(fmt.Sprintf("%s[%d]", at, i), p[i], q[i]); where != "" {
				return where
			}
		}
		return ""
	}
	if !reflect.DeepEqual(a, b) {
		return fmt.Sprintf("%s is %.100v and %.100v", at, a, b)
	}
	return ""
}

// sameHistory compares what the history says of two things that were made.
func sameHistory(ctx context.Context, w *world, object string, a, b int64) error {
	var said [2]any
	for i, id := range []int64{a, b} {
		rows, err := column[string](ctx, w.st.Reader(), `
			SELECT source || ' ' || address || ' ' || action || ' ' || CAST(actor_id = owner_id AS text) || '|' || changes FROM history
			WHERE object_type = $1 AND object_id = $2 ORDER BY id`, object, id)
		if err != nil {
			return err
		}
		list := []any{}
		for _, row := range rows {
			head, text, _ := strings.Cut(row, "|")
			var changes any
			if err := json.Unmarshal([]byte(text), &changes); err != nil {
				return fmt.Errorf("read the history: %w", err)
			}
			list = append(list, head, changes)
		}
		said[i] = list
	}
	if where := difference("", said[0], said[1]); where != "" {
		return fmt.Errorf("the history differs: %s", where)
	}
	return nil
}
