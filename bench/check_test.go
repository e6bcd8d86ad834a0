package main

import (
	"encoding/json"
	"testing"
)

func TestDifference(t *testing.T) {
	for _, tt := range []struct{ a, b, want string }{
		{`{"a": 1, "b": [1, {"c": null}]}`, `{"b": [1, {"c": null}], "a": 1}`, ""},
		{`{"id": 1, "x": [{"id": 2}]}`, `{"id": 3, "x": [{"id": 4}]}`, ""},
		{`{"a": 1}`, `{"a": "1"}`, ".a is 1 and 1"},
		{`{"a": null}`, `{}`, "only one has .a"},
		{`{}`, `{"a": null}`, "only one has .a"},
		{`{"a": [1]}`, `{"a": [1, 2]}`, ".a has 1 and 2 elements"},
		{`{"a": [{"b": 1}]}`, `{"a": [{"b": 2}]}`, ".a[0].b is 1 and 2"},
		{`[]`, `{}`, " is [] and map[]"},
	} {
		var a, b any
		if json.Unmarshal([]byte(tt.a), &a) != nil || json.Unmarshal([]byte(tt.b), &b) != nil {
			t.Fatal("unreadable", tt)
		}
		strip(a, []string{"id"})
		strip(b, []string{"id"})
		if got := difference("", a, b); got != tt.want {
			t.Errorf("%s and %s: %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestPick(t *testing.T) {
	all, err := pick("")
	if err != nil || len(all) != len(scenarios()) {
		t.Errorf("%d scenarios, %v", len(all), err)
	}
	two, err := pick("create-post, page-1")
	if err != nil || len(two) != 2 || two[0].name != "create-post" || two[1].name != "page-1" {
		t.Errorf("%v, %v", two, err)
	}
	if _, err := pick("page-1,page-9"); err == nil {
		t.Error("page-9 passed for a scenario")
	}
	names := map[string]bool{}
	for _, s := range all {
		if names[s.name] {
			t.Errorf("two scenarios are called %s", s.name)
		}
		names[s.name] = true
	}
}

func TestMixtureIsWhole(t *testing.T) {
	w := &world{people: []person{{ID: 1, Posts: []int64{1}}}, visible: []int64{1}, searches: []string{"logan"}, spare: []string{"token"}}
	for _, s := range scenarios() {
		if s.name != "mixed-day" {
			continue
		}
		mixed := s.begin(&target{w: w}, 0)
		reads, writes := 0, 0
		for range 10_000 {
			if request := mixed.next(nil); request[0] == 'G' {
				reads++
			} else {
				writes++
			}
		}
		if reads < 8_800 || reads > 9_200 {
			t.Errorf("%d of 10,000 requests read, want about 9,000", reads)
		}
	}
}
