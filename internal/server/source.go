package server

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// forwarding are the headers in which proxies, or those who play one, say
// something about a request. Those that begin with X-Forwarded are meant as well.
var forwarding = []string{
	"Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Client-Ip",
	"Cf-Connecting-Ip", "Fastly-Client-Ip", "X-Original-Url", "X-Rewrite-Url", "X-Original-Host",
	"X-Original-Forwarded-For", "X-Host", "X-Http-Host-Override", "X-Original-Method", "Proxy",
}

// locate makes r.RemoteAddr the client's address as plain IP text, and removes
// every forwarding header, so that nobody inside can believe one (T7).
func (s *Server) locate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain := s.https && plainAt(r.RemoteAddr, r.Header.Values("X-Forwarded-Proto"), s.trusted)
		r.RemoteAddr = source(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), s.trusted)
		for _, k := range forwarding {
			delete(r.Header, k)
		}
		for k := range r.Header {
			if strings.HasPrefix(k, "X-Forwarded") {
				delete(r.Header, k)
			}
		}
		if plain {
			r = r.WithContext(context.WithValue(r.Context(), plainKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

// plainKey marks requests that reached a trusted proxy over plain HTTP.
type plainKey struct{}

// overPlain tells whether a request reached a trusted proxy over plain HTTP,
// although the public address is https.
func overPlain(r *http.Request) bool { return r.Context().Value(plainKey{}) != nil }

// plainAt tells whether peer, a trusted proxy, says that the client spoke plain
// HTTP to it. The last entry is the one that it wrote itself.
func plainAt(peer string, proto []string, trusted []netip.Prefix) bool {
	if len(proto) == 0 {
		return false
	}
	addr, ok := address(peer)
	if !ok || !within(addr, trusted) {
		return false
	}
	last := ""
	for entry := range strings.SplitSeq(strings.Join(proto, ","), ",") {
		if entry = strings.Trim(entry, " \t"); entry != "" {
			last = entry
		}
	}
	return strings.EqualFold(last, "http")
}

// source is the address of the client behind peer. X-Forwarded-For is read from
// its right end, where the nearest proxy wrote, and only as far as those who
// wrote it are trusted; what is left of the first stranger, or of the first entry
// that is no address, was written by anybody. It is empty when peer has no address.
func source(peer string, forwarded []string, trusted []netip.Prefix) string {
	addr, ok := address(peer)
	if !ok {
		return ""
	}
	for i := len(forwarded) - 1; i >= 0; i-- {
		entries := strings.Split(forwarded[i], ",")
		for j := len(entries) - 1; j >= 0; j-- {
			entry := strings.Trim(entries[j], " \t")
			if entry == "" { // a list may have empty elements (RFC 9110, 5.6.1)
				continue
			}
			if !within(addr, trusted) {
				return addr.String()
			}
			next, ok := address(entry)
			if !ok {
				return addr.String()
			}
			addr = next
		}
	}
	return addr.String()
}

func within(a netip.Addr, in []netip.Prefix) bool {
	for _, p := range in {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// address reads an IP address with or without a port, an IPv6 one also in brackets. An IPv4 address that
// travels as IPv6 is given as what it is, and a zone is dropped, so that one
// client has one spelling.
func address(s string) (netip.Addr, bool) {
	bare := s
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && strings.Contains(inner, ":") {
			bare = inner
		}
	}
	a, err := netip.ParseAddr(bare)
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}
