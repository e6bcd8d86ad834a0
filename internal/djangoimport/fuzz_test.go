package djangoimport

import (
	"math/big"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// FuzzSum_I4 reads any text as a sum: what is a plain number is stored exactly, or
// the report explains the difference to the last digit.
func FuzzSum_I4(f *testing.F) {
	for _, s := range []string{
		"0", "-0", "12.34", "-12.3", "007", "1.", ".5", "1e9", "NaN", "12.3400", "0.005", "0.015", "-0.005", "99999999.99", "99999999.995", "123456789",
		"99999999999999999999999.1", "1 200,50 lei", "5,2", "1.200", "--1", "- 1", "12.3456789",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 200 {
			return // longer than any column of it, and slow to hold against big numbers
		}
		r := &run{report: Report{Oddities: map[Kind]int{}}}
		var sum total
		a, err := r.sum(1, "app_income", s, fixed.Max, &sum)
		if err != nil {
			t.Fatal(err)
		}
		if s == "" {
			if a != nil || len(r.report.Oddities) != 0 {
				t.Fatalf("nothing is read as %v, %v", a, r.report.Oddities)
			}
			return
		}
		if a == nil || *a > fixed.Max || *a < -fixed.Max {
			t.Fatalf("%q is stored as %v", s, a)
		}
		stored := big.NewRat(int64(*a), 100)
		if want := sum.rat(); len(r.report.Oddities) == 0 {
			exact, ok := new(big.Rat).SetString(s)
			if !ok || exact.Cmp(stored) != 0 || want.Cmp(stored) != 0 || sum.explained != nil {
				t.Fatalf("%q is stored as %v and nobody is told", s, a)
			}
		} else if want.Add(want, sum.explained).Cmp(stored) != 0 {
			t.Fatalf("%q is stored as %v, and the report makes %v of it", s, a, want)
		}
		if diff := new(big.Rat).Sub(stored, plain(s)); r.report.Oddities[NumberRounded] == 1 && diff.Abs(diff).Cmp(big.NewRat(1, 200)) > 0 {
			t.Fatalf("%q is rounded to %v", s, a)
		}
	})
}

func plain(s string) *big.Rat {
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return new(big.Rat)
	}
	return n
}

// FuzzClean makes of any text one that our rules take, and leaves those alone that
// they take already (promise I3).
func FuzzClean_I3(f *testing.F) {
	for _, s := range []string{"", "Ana", "a\x00b", "a\nb", "\u202ea", "🚕🚕🚕🚕🚕🚕", "\xff", "ăîșțâ"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, multiline bool) {
		const limit = 5
		accepted := func(s string) bool {
			var bad fault.Fields
			account.CheckText(&bad, "x", s, 0, limit, multiline)
			return len(bad) == 0
		}
		made := clean(s, limit, multiline)
		if !accepted(made) {
			t.Errorf("clean(%q) = %q, which is refused", s, made)
		}
		if again := clean(made, limit, multiline); again != made {
			t.Errorf("clean(%q) = %q, and then %q", s, made, again)
		}
	})
}
