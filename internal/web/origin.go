package web

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Why a text is no origin that a browser could send.
var (
	ErrNotOrigin  = errors.New("an origin is scheme and host, such as https://app.example.com or capacitor://localhost")
	ErrWildcard   = errors.New("origins are compared as they are: a star matches none")
	ErrNullOrigin = errors.New("pages without an origin of their own (files, sandboxes) share the origin null, which cannot be allowed")
)

// appScheme is the form of a URL scheme (RFC 3986, 3.1), in lower case. App shells
// have some of their own: capacitor, ionic, tauri.
var appScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// names are read as browsers read hosts (UTS 46, not strict): with underscores, and
// with hyphens in any place, as previews and containers have them.
var names = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.CheckHyphens(false))

// hostForm is a host in ASCII: labels with dots between, and perhaps one at the end.
var hostForm = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$`)

// ParseOrigin returns an origin as browsers spell it in the header Origin: in lower
// case, the host in ASCII, without the port that goes without saying and without a
// slash at its end. Its errors are the Err values above.
func ParseOrigin(text string) (string, error) {
	text = strings.TrimSuffix(text, "/")
	switch {
	case strings.Contains(text, "*"):
		return "", ErrWildcard
	case strings.EqualFold(text, "null"), strings.HasPrefix(strings.ToLower(text), "file:"):
		return "", ErrNullOrigin
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#") {
		return "", ErrNotOrigin
	}
	scheme := strings.ToLower(u.Scheme)
	host, ok := ParseHost(scheme, u.Host)
	if !ok || !appScheme.MatchString(scheme) {
		return "", ErrNotOrigin
	}
	return scheme + "://" + host, nil
}

// ParseHost returns the host and port of a URL as browsers spell them: in lower
// case, an international name in ASCII, without the port that the scheme implies. It
// returns false for a text that can be no address.
func ParseHost(scheme, hostport string) (string, bool) {
	u := url.URL{Host: hostport}
	name, port := u.Hostname(), u.Port()
	if strings.HasSuffix(hostport, ":") {
		return "", false
	}
	if port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
			return "", false
		}
	}
	if strings.Contains(name, ":") {
		ip, err := netip.ParseAddr(name)
		if err != nil || ip.Zone() != "" {
			return "", false
		}
		name = "[" + ip.String() + "]"
	} else {
		ascii, err := names.ToASCII(name)
		again, errAgain := names.ToASCII(ascii) // some names have an ASCII form that is no name
		if err != nil || errAgain != nil || again != ascii || !hostForm.MatchString(ascii) || !utf8.ValidString(name) {
			return "", false
		}
		name = ascii
	}
	if port != "" && port != map[string]string{"http": "80", "https": "443"}[scheme] {
		name += ":" + port
	}
	return name, true
}
