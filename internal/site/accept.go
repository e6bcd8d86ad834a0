package site

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// choice is an element of a header such as Accept-Language.
type choice struct {
	name   string
	weight float64
}

// weighted reads a list of choices, the dearest first. What it cannot read it
// leaves out: these headers only state preferences.
func weighted(header string) []choice {
	var out []choice
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		c := choice{strings.ToLower(strings.TrimSpace(name)), 1}
		if key, v, ok := strings.Cut(params, "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				continue
			}
			c.weight = q
		}
		if c.name != "" {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b choice) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return 0
	})
	return out
}

// acceptsGzip tells whether the client takes gzip'ed answers.
func acceptsGzip(h http.Header) bool {
	list := weighted(strings.Join(h.Values("Accept-Encoding"), ","))
	for _, name := range []string{"gzip", "*"} {
		if i := slices.IndexFunc(list, func(c choice) bool { return c.name == name }); i >= 0 {
			return list[i].weight > 0
		}
	}
	return false
}

// language is that of the person: what ?lang= says, else the browser's best one
// that we speak.
func language(r *http.Request) *words {
	if l, ok := languages[r.URL.Query().Get("lang")]; ok {
		return l
	}
	for _, c := range weighted(strings.Join(r.Header.Values("Accept-Language"), ",")) {
		name, _, _ := strings.Cut(c.name, "-")
		if l, ok := languages[name]; ok && c.weight > 0 {
			return l
		}
	}
	return english
}
