package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// hosts decides which Host a request may name.
type hosts struct {
	any      bool
	loopback bool   // PublicURL is a loopback name: they all stand for each other
	want     string // otherwise host, or host:port where the port is not the scheme's own
	port     string // the scheme's own port, which clients may spell out
}

func newHosts(u *url.URL) hosts {
	if u == nil {
		return hosts{any: true}
	}
	h := hosts{port: "80", want: strings.ToLower(u.Host)}
	if u.Scheme == "https" {
		h.port = "443"
	}
	h.want = strings.TrimSuffix(h.want, ":"+h.port)
	h.loopback = loopback(strings.ToLower(u.Hostname()))
	return h
}

// serve tells whether a request for host is ours (T10).
func (h hosts) serve(host string) bool {
	if h.any {
		return true
	}
	host = strings.ToLower(host)
	if h.loopback {
		name, ok := hostname(host)
		return ok && loopback(name)
	}
	return strings.TrimSuffix(host, ":"+h.port) == h.want
}

// hostname splits the port off host, if there is one, and the brackets.
func hostname(host string) (string, bool) {
	if name, ok := strings.CutPrefix(host, "["); ok {
		if name, ok = strings.CutSuffix(name, "]"); ok {
			return name, true
		}
	} else if !strings.Contains(host, ":") {
		return host, true
	}
	name, port, err := net.SplitHostPort(host)
	return name, err == nil && digits(port)
}

// loopback knows the three names of this machine that browsers treat alike. Not
// *.localhost: what a resolver makes of those is not ours to know.
func loopback(name string) bool {
	return name == "localhost" || name == "127.0.0.1" || name == "::1"
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Origins are the origins whose pages may use the API (B3).
type Origins struct {
	exact    map[string]bool
	loopback bool
}

// NewOrigins knows the exact origins, and with loopback any of this machine's.
func NewOrigins(exact []string, loopback bool) Origins {
	o := Origins{exact: map[string]bool{}, loopback: loopback}
	for _, s := range exact {
		if s = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "/")); strings.Contains(s, "://") && !strings.Contains(s, "*") {
			o.exact[s] = true
		}
	}
	return o
}

// Allow tells whether origin, as a browser spelled it, may use the API.
func (o Origins) Allow(origin string) bool {
	if o.exact[origin] {
		return true
	}
	if !o.loopback {
		return false
	}
	for _, name := range []string{"http://localhost", "http://127.0.0.1"} {
		rest, ok := strings.CutPrefix(origin, name)
		if ok && (rest == "" || rest[0] == ':' && digits(rest[1:])) {
			return true
		}
	}
	return false
}

// plainPath tells whether every reader of the escaped path p sees the same
// thing in it (I9). Empty and dot segments, encoded or not, encoded slashes and
// control characters are not cleaned away: cleaning would decide for the client
// whom it asked.
func plainPath(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	for i, seg := range strings.Split(p[1:], "/") {
		text, err := url.PathUnescape(seg)
		if err != nil || text == "." || text == ".." || !utf8.ValidString(text) {
			return false
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r == '/' || r == '\\' || r < 0x20 || r == 0x7f }) {
			return false
		}
		if seg == "" && i < strings.Count(p, "/")-1 {
			return false // an empty segment anywhere but at the end
		}
	}
	return true
}

// encoded tells whether the body is sent compressed, which is never read (I2).
func encoded(h http.Header) bool {
	for _, v := range h.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(v), "identity") {
			return true
		}
	}
	return false
}

// methods bounds the values of a label: whatever else a client invents is "other".
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

func methodLabel(m string) string {
	if slices.Contains(methods, m) {
		return m
	}
	return "other"
}

// routeLabel is the pattern that the muxes inside noted on the request, without
// its method: the path itself may hold secrets, and has no bound.
func routeLabel(pattern string) string {
	if _, p, ok := strings.Cut(pattern, " "); ok {
		pattern = p
	}
	pattern = strings.TrimSuffix(pattern, "{$}")
	if pattern == "" {
		return "unmatched"
	}
	return pattern
}
