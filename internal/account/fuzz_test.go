package account_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// FuzzLoadZone takes any text for a time zone: what is taken is called so, has
// days, and is what stored settings come back as.
func FuzzLoadZone(f *testing.F) {
	for _, seed := range []string{"Europe/Bucharest", "UTC", "Etc/GMT+12", "America/Argentina/Buenos_Aires", "", "Local", "../x", "right/UTC", "europe/bucharest", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		loc, ok := account.LoadZone(name)
		if !ok {
			return
		}
		if loc.String() != name || account.Location(name) != loc {
			t.Errorf("LoadZone(%q) is %q", name, loc)
		}
		day := calendar.Date(2026, time.March, 29)
		if got := calendar.On(day.At(8, loc)); got != day && got != day+1 {
			t.Errorf("in %q, 8 o'clock of %s is on %s", name, day, got)
		}
	})
}

// FuzzPercent_I4 takes any text for a percentage: what is taken is a plain
// decimal from 0 to 100, exactly.
func FuzzPercent_I4(f *testing.F) {
	for _, seed := range []string{"0", "25", "100", "100.00", "100.01", "1e2", "-1", "99.999", "NaN", "०"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := fixed.Parse(text)
		if err != nil {
			return
		}
		var bad fault.Fields
		account.CheckPercent(&bad, "commission", p)
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is taken for a number", text)
		}
		if fits := exact.Cmp(big.NewRat(100, 1)) <= 0; fits != (len(bad) == 0) {
			t.Errorf("CheckPercent(%s) says %v", text, bad)
		}
	})
}
