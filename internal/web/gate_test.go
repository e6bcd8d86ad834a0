package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/web"
)

func TestGate_B2(t *testing.T) {
	for _, tt := range []struct {
		name         string
		header       http.Header
		with, simple bool // whether it passes with a cookie, and without
	}{
		{"neither header", http.Header{}, false, true},
		{"our page", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://copilot.example"}}, true, true},
		{"our page in an older browser", http.Header{"Origin": {"https://copilot.example"}}, true, true},
		{"our page, which tells no origin", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"null"}}, true, true},
		{"our page, by one header", http.Header{"Sec-Fetch-Site": {"same-origin"}}, true, true},
		{"null in an older browser", http.Header{"Origin": {"null"}}, false, true},
		{"null of another site", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}}, false, false},
		{"typed in", http.Header{"Sec-Fetch-Site": {"none"}}, true, true},
		{"typed in, with an origin", http.Header{"Sec-Fetch-Site": {"none"}, "Origin": {"https://evil.example"}}, false, false},
		{"a page of a named origin", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"capacitor://localhost"}}, true, true},
		{"a page of a named origin on our site", http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://app.copilot.example"}}, true, true},
		{"a named origin in an older browser", http.Header{"Origin": {"https://app.copilot.example"}}, true, true},
		{"a named origin that cannot be", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://app.copilot.example"}}, false, false},
		{"another site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false, false},
		{"a sibling", http.Header{"Sec-Fetch-Site": {"same-site"}}, false, false},
		{"an invented site", http.Header{"Sec-Fetch-Site": {"same-origin "}}, false, false},
		{"another origin", http.Header{"Origin": {"https://evil.example"}}, false, false},
		{"another origin, which lies", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://evil.example"}}, false, false},
		{"another scheme", http.Header{"Origin": {"http://copilot.example"}}, false, false},
		{"another port", http.Header{"Origin": {"https://copilot.example:8443"}}, false, false},
		{"a port that goes without saying", http.Header{"Origin": {"https://copilot.example:443"}}, false, false},
		{"a user before the host", http.Header{"Origin": {"https://evil@copilot.example"}}, false, false},
		{"a path behind it", http.Header{"Origin": {"https://copilot.example/x"}}, false, false},
		{"a slash behind it", http.Header{"Origin": {"https://copilot.example/"}}, false, false},
		{"capitals", http.Header{"Origin": {"https://COPILOT.example"}}, false, false},
		{"a suffix", http.Header{"Origin": {"https://copilot.example.evil.example"}}, false, false},
		{"no scheme", http.Header{"Origin": {"copilot.example"}}, false, false},
		{"empty", http.Header{"Origin": {""}}, false, false},
		{"two origins", http.Header{"Origin": {"https://copilot.example", "https://evil.example"}}, false, false},
		{"two sites", http.Header{"Sec-Fetch-Site": {"same-origin", "cross-site"}}, false, false},
		{"they contradict", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://copilot.example"}}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			named := map[string]bool{"capacitor://localhost": true, "https://app.copilot.example": true}
			gate := web.Gate{Secure: true, Allowed: func(o string) bool { return named[o] }}
			for _, host := range []string{"copilot.example", "Copilot.Example:443"} {
				r := httptest.NewRequest(http.MethodPost, "https://copilot.example/x", nil)
				r.Host, r.Header = host, tt.header
				if got := gate.Pass(r, true); got != tt.with {
					t.Errorf("with a cookie: %v, want %v", got, tt.with)
				}
				if got := gate.Pass(r, false); got != tt.simple {
					t.Errorf("without a cookie: %v, want %v", got, tt.simple)
				}
				r.Method = http.MethodGet
				if !gate.Pass(r, true) {
					t.Error("a GET, which changes nothing, is refused")
				}
			}
		})
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8000/x", nil)
	r.Header.Set("Origin", "http://127.0.0.1:8000")
	if !(web.Gate{}).Pass(r, true) {
		t.Error("a page on plain HTTP is refused")
	}
	r.Header.Set("Origin", "capacitor://localhost")
	if (web.Gate{}).Pass(r, true) {
		t.Error("another's origin passes where none is named")
	}
}
