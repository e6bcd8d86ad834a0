// Package web holds the code that the doors for browsers share.
package web

import (
	"net/http"
	"strings"
)

// Gate tells requests that a page of ours has sent from those that a page of
// another site may have made a browser send (promise B2). Every door that changes
// something by a cookie, or by a form, asks it. The Host of a request was checked
// before against the public address.
//
// It is stricter than [http.CrossOriginProtection], which it builds on: that
// compares hosts alone, so that "http://host:80/x", "http://evil@host" and another
// scheme pass, and it lets requests pass that carry neither header.
type Gate struct {
	// Secure tells whether our pages are on https.
	Secure bool
	// Allowed tells whether pages of another origin, as a browser spells it, may send
	// requests as well; nil: none may.
	Allowed func(origin string) bool
}

// protection knows no exceptions: those of a Gate are asked for before it.
var protection = http.NewCrossOriginProtection()

// Pass tells whether a request may change something. cookie tells whether it
// carries a cookie of ours, or is to be answered with one: without, there is nothing
// that another site could misuse, and a request need not say where it comes from.
func (g Gate) Pass(r *http.Request, cookie bool) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	origins, sites := r.Header["Origin"], r.Header["Sec-Fetch-Site"]
	if len(origins) > 1 || len(sites) > 1 { // no browser sends two
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	switch origin := r.Header.Get("Origin"); {
	case len(origins) == 0 && site == "":
		return !cookie
	case len(origins) == 0:
		return protection.Check(r) == nil // the browser's word for it: same-origin or none
	case origin == "null": // our pages tell no one where they are
		return site == "same-origin" || (site == "" && !cookie)
	case origin == g.scheme()+g.host(r):
		bare := *r // the protection compares hosts as they are spelled
		bare.Host = g.host(r)
		return site != "none" && protection.Check(&bare) == nil
	default:
		// A same-origin request cannot have an origin that is not ours.
		return site != "same-origin" && site != "none" && g.Allowed != nil && g.Allowed(origin)
	}
}

func (g Gate) scheme() string {
	if g.Secure {
		return "https://"
	}
	return "http://"
}

// host is the host of a request as browsers spell it in an origin: in lower case,
// without the port that goes without saying.
func (g Gate) host(r *http.Request) string {
	port := ":80"
	if g.Secure {
		port = ":443"
	}
	return strings.TrimSuffix(strings.ToLower(r.Host), port)
}
