package web_test

import (
	"errors"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/web"
)

func TestParseOrigin_B3(t *testing.T) {
	for text, want := range map[string]string{
		"https://app.example.com":       "https://app.example.com",
		"HTTPS://App.Example.COM":       "https://app.example.com",
		"https://app.example.com/":      "https://app.example.com",
		"https://app.example.com:443":   "https://app.example.com",
		"http://app.example.com:80":     "http://app.example.com",
		"http://app.example.com:443":    "http://app.example.com:443",
		"http://localhost:5173":         "http://localhost:5173",
		"https://șoferi.example":        "https://xn--oferi-e9b.example",
		"https://xn--oferi-e9b.example": "https://xn--oferi-e9b.example",
		"capacitor://localhost":         "capacitor://localhost",
		"ionic://localhost":             "ionic://localhost",
		"tauri://localhost":             "tauri://localhost",
		"http://tauri.localhost":        "http://tauri.localhost",
		"http://[::1]:3000":             "http://[::1]:3000",
		"chrome-extension://abcdef":     "chrome-extension://abcdef",
	} {
		got, err := web.ParseOrigin(text)
		if err != nil || got != want {
			t.Errorf("ParseOrigin(%q) = %q, %v, want %q", text, got, err, want)
		}
		if again, err := web.ParseOrigin(got); err != nil || again != got {
			t.Errorf("ParseOrigin(%q) = %q, %v, want the same", got, again, err)
		}
	}
	for text, want := range map[string]error{
		"*": web.ErrWildcard, "https://*.example.com": web.ErrWildcard, "http://localhost:*": web.ErrWildcard,
		"null": web.ErrNullOrigin, "Null": web.ErrNullOrigin, "file://": web.ErrNullOrigin, "file:///home/app/index.html": web.ErrNullOrigin,
		"": web.ErrNotOrigin, "app.example.com": web.ErrNotOrigin, "//app.example.com": web.ErrNotOrigin, "localhost:3000": web.ErrNotOrigin,
		"https://app.example.com/app": web.ErrNotOrigin, "https://app.example.com//": web.ErrNotOrigin, "https://app.example.com?x": web.ErrNotOrigin,
		"https://app.example.com?": web.ErrNotOrigin, "https://app.example.com#x": web.ErrNotOrigin, "https://app.example.com#": web.ErrNotOrigin,
		"https://ana@app.example.com": web.ErrNotOrigin, "https://app.example.com:0": web.ErrNotOrigin, "https://app.example.com:70000": web.ErrNotOrigin,
		"https://app.example.com:": web.ErrNotOrigin, "https://app.example.com:0443": web.ErrNotOrigin, "https://app example.com": web.ErrNotOrigin,
		"https://": web.ErrNotOrigin, "https://app..example.com": web.ErrNotOrigin, "https://.": web.ErrNotOrigin, "https://a_b .example": web.ErrNotOrigin, "https:app.example.com": web.ErrNotOrigin,
	} {
		if got, err := web.ParseOrigin(text); !errors.Is(err, want) {
			t.Errorf("ParseOrigin(%q) = %q, %v, want %v", text, got, err, want)
		}
	}
}

func FuzzParseOrigin(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "capacitor://localhost", "*", "null", "http://[::1]:1", "https://șoferi.example:443/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := web.ParseOrigin(s)
		if err != nil {
			return
		}
		if again, err := web.ParseOrigin(got); err != nil || again != got {
			t.Fatalf("ParseOrigin(%q) = %q, of which it makes %q, %v", s, got, again, err)
		}
	})
}
