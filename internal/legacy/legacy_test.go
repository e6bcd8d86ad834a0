package legacy_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/legacy"
)

// The rows of the contract, and what is near them. want is empty where the text
// is no number.
var readings = []struct {
	in                        string
	plain                     bool
	whole, price, consumption string
}{
	{"280", true, "280", "280", "280"},
	{"84000", true, "84000", "84000", "84000"},
	{"0", true, "0", "0", "0"},
	{"007", true, "7", "7", "7"},
	{"5.2", true, "", "5.2", "5.2"},
	{"5.25", true, "", "5.25", "5.25"},
	{"5.20", true, "", "5.2", "5.2"},
	{"280.00", true, "280", "280", "280"},
	{"99999999", true, "99999999", "99999999", "99999999"},
	{"99999999.99", true, "", "99999999.99", "99999999.99"},

	{"5,2", false, "", "5.2", "5.2"},
	{"5,0", false, "5", "5", "5"},
	{" 280 ", false, "280", "280", "280"},
	{"\t280\n", false, "280", "280", "280"},
	{"84 000", false, "84000", "84000", "84000"},
	{"84 000 km", false, "84000", "84000", "84000"},
	{"84\u00a0000\u202fkm", false, "84000", "84000", "84000"},
	{"1 234 567", false, "1234567", "1234567", "1234567"},
	{"1 234,50 lei", false, "", "1234.5", "1234.5"},
	{"84000km", false, "84000", "84000", "84000"},
	{"84000   KM", false, "84000", "84000", "84000"},
	{"140CP", false, "140", "140", "140"},
	{"140 hp", false, "140", "140", "140"},
	{"280 EUR", false, "280", "280", "280"},
	{"280€", false, "280", "280", "280"},
	{"280 Lei", false, "280", "280", "280"},
	{"1.200", false, "1200", "1200", ""},
	{"1,200", false, "1200", "1200", ""},
	{"120.000 km", false, "120000", "120000", ""},
	{"0.500", false, "", "", ""},
	{"1234.500", false, "", "", ""},
	{"1 234.500", false, "", "", ""},

	{"about 80k", false, "", "", ""},
	{"80k", false, "", "", ""},
	{"50 / day", false, "", "", ""},
	{"2015/2016", false, "", "", ""},
	{"5+2", false, "", "", ""},
	{"€ 280", false, "", "", ""},
	{"280 RON", false, "", "", ""},
	{"280 km km", false, "", "", ""},
	{"280 \u212am", false, "", "", ""}, // the sign of the kelvin is no k
	{"km", false, "", "", ""},
	{"", false, "", "", ""},
	{" ", false, "", "", ""},
	{"-5", false, "", "", ""},
	{"+5", false, "", "", ""},
	{"- 5", false, "", "", ""},
	{"1e3", false, "", "", ""},
	{"1E1000000000", false, "", "", ""},
	{"NaN", false, "", "", ""},
	{"Infinity", false, "", "", ""},
	{"0x10", false, "", "", ""},
	{"1_000", false, "", "", ""},
	{"٢٠١٥", false, "", "", ""},
	{"２０１５", false, "", "", ""},
	{"𝟐𝟎", false, "", "", ""},
	{".5", false, "", "", ""},
	{"5.", false, "", "", ""},
	{"5,", false, "", "", ""},
	{",", false, "", "", ""},
	{"1.2.3", false, "", "", ""},
	{"1.200.000", false, "", "", ""},
	{"1.200,50", false, "", "", ""},
	{"5.2345", false, "", "", ""},
	{"84 00", false, "", "", ""},
	{"8400 000", false, "", "", ""},
	{"84  000", false, "", "", ""},
	{"084 000", false, "", "", ""},
	{"84 000.000", false, "", "", ""},
	{"84\u2003000", false, "", "", ""},
	{"84\n000", false, "", "", ""},
	{"éé 000", false, "", "", ""},
	{"100000000", false, "", "", ""},
	{"100 000 000", false, "", "", ""},
	{"99999999.999", false, "", "", ""},
	{"5\x00", false, "", "", ""},
	{"5\xff", false, "", "", ""},
}

func TestWholeAndAmount(t *testing.T) {
	for _, tt := range readings {
		n, plain, err := legacy.Whole(tt.in)
		check(t, "Whole", tt.in, fixed.Amount(n*100), plain, err, tt.whole, tt.plain)
		a, plain, err := legacy.Amount(tt.in, true)
		check(t, "Amount of a price", tt.in, a, plain, err, tt.price, tt.plain)
		a, plain, err = legacy.Amount(tt.in, false)
		check(t, "Amount of a consumption", tt.in, a, plain, err, tt.consumption, tt.plain)
	}
}

func check(t *testing.T, name, in string, got fixed.Amount, plain bool, err error, want string, wantPlain bool) {
	t.Helper()
	if want == "" {
		if got != 0 || plain || !errors.Is(err, legacy.ErrNumber) {
			t.Errorf("%s(%q) = %v, %v, %v, want %v", name, in, got, plain, err, legacy.ErrNumber)
		}
		return
	}
	if err != nil || legacy.Short(got) != want || plain != wantPlain {
		t.Errorf("%s(%q) = %s, %v, %v, want %s, %v", name, in, legacy.Short(got), plain, err, want, wantPlain)
	}
}

// Text that is too long for a field is no number, whatever it says (promise I11).
func TestLongTextIsNotRead_I11(t *testing.T) {
	for _, in := range []string{
		strings.Repeat(" ", 255) + "5",
		strings.Repeat("0", 1<<20),
		"1" + strings.Repeat(" 000", 1<<18),
		strings.Repeat("\xff", 1<<20),
	} {
		if n, _, err := legacy.Whole(in); n != 0 || !errors.Is(err, legacy.ErrNumber) {
			t.Errorf("Whole(%d bytes) = %d, %v, want %v", len(in), n, err, legacy.ErrNumber)
		}
		if n := testing.AllocsPerRun(10, func() { _, _, _ = legacy.Amount(in, true) }); n != 0 {
			t.Errorf("Amount(%d bytes) allocates %v times, want none", len(in), n)
		}
	}
	if n, _, err := legacy.Whole(strings.Repeat(" ", 254) + "5"); n != 5 || err != nil {
		t.Errorf("Whole(255 characters) = %d, %v, want 5", n, err)
	}
}

func TestShort(t *testing.T) {
	for a, want := range map[fixed.Amount]string{
		0: "0", 1: "0.01", 10: "0.1", 100: "1", 520: "5.2", 525: "5.25", 1000: "10", 28000: "280",
		fixed.Max: "99999999.99", -520: "-5.2", -10000: "-100",
	} {
		if got := legacy.Short(a); got != want {
			t.Errorf("Short(%d) = %s, want %s", int64(a), got, want)
		}
	}
}

var plainNumber = regexp.MustCompile(`^[0-9]{1,32}(\.[0-9]{1,2})?$`)

func FuzzAmount(f *testing.F) {
	for _, tt := range readings {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, plainWhole, errWhole := legacy.Whole(s)
		price, plainPrice, errPrice := legacy.Amount(s, true)
		other, plainOther, errOther := legacy.Amount(s, false)
		for _, r := range []struct {
			a     fixed.Amount
			plain bool
			err   error
		}{{fixed.Amount(n * 100), plainWhole, errWhole}, {price, plainPrice, errPrice}, {other, plainOther, errOther}} {
			if r.err != nil {
				if !errors.Is(r.err, legacy.ErrNumber) || r.a != 0 || r.plain {
					t.Fatalf("%q = %v, %v, %v: want nothing but %v", s, r.a, r.plain, r.err, legacy.ErrNumber)
				}
				continue
			}
			if r.a < 0 || r.a > fixed.Max {
				t.Fatalf("%q = %d, out of range", s, r.a)
			}
			if r.plain != plainNumber.MatchString(s) {
				t.Fatalf("%q: plain = %v", s, r.plain)
			}
			again, plain, err := legacy.Amount(legacy.Short(r.a), false)
			if err != nil || !plain || again != r.a {
				t.Fatalf("%q = %s, which reads as %v, %v, %v", s, legacy.Short(r.a), again, plain, err)
			}
		}
		// The readings never contradict one another.
		if errWhole == nil && (errPrice != nil || price != fixed.Amount(n*100)) {
			t.Fatalf("%q is %d as a whole number and %v, %v as a price", s, n, price, errPrice)
		}
		if errOther == nil && (errPrice != nil || price != other) {
			t.Fatalf("%q is %v as a consumption and %v, %v as a price", s, other, price, errPrice)
		}
	})
}
