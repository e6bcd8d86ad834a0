package fixed_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

func TestParse_I4(t *testing.T) {
	tests := []struct {
		in   string
		want fixed.Amount
		err  error
	}{
		{"0", 0, nil},
		{"0.00", 0, nil},
		{"1", 100, nil},
		{"1.5", 150, nil},
		{"1.05", 105, nil},
		{"0.01", 1, nil},
		{"1234.50", 123450, nil},
		{"007.10", 710, nil},
		{"00000007.10", 710, nil},
		{"99999999.99", fixed.Max, nil},
		{"99999999", 9_999_999_900, nil},

		{"100000000", 0, fixed.ErrWhole},
		{"000000007", 0, fixed.ErrWhole},
		{"00000000000000000280", 0, fixed.ErrDigits},
		{"0000000000000000000000000000.10", 0, fixed.ErrDigits},
		{"99999999999999999999", 0, fixed.ErrDigits},
		{"999999999.9", 0, fixed.ErrWhole},
		{"123456789.12", 0, fixed.ErrDigits},
		{"99999999.999", 0, fixed.ErrDigits},
		{"1.234", 0, fixed.ErrPlaces},
		{"0.001", 0, fixed.ErrPlaces},
		{"0.000", 0, fixed.ErrPlaces},
		{"-1", 0, fixed.ErrNegative},
		{"-0.01", 0, fixed.ErrNegative},
		{"-0", 0, fixed.ErrNegative},

		{"", 0, fixed.ErrInvalid},
		{".", 0, fixed.ErrInvalid},
		{"-", 0, fixed.ErrInvalid},
		{"1.", 0, fixed.ErrInvalid},
		{".5", 0, fixed.ErrInvalid},
		{"+1", 0, fixed.ErrInvalid},
		{"--1", 0, fixed.ErrInvalid},
		{"1.2.3", 0, fixed.ErrInvalid},
		{"1,5", 0, fixed.ErrInvalid},
		{"1_000", 0, fixed.ErrInvalid},
		{" 1", 0, fixed.ErrInvalid},
		{"1\n", 0, fixed.ErrInvalid},
		{"1e3", 0, fixed.ErrInvalid},
		{"1E1000000000", 0, fixed.ErrInvalid},
		{"0x10", 0, fixed.ErrInvalid},
		{"NaN", 0, fixed.ErrInvalid},
		{"Infinity", 0, fixed.ErrInvalid},
		{"-Infinity", 0, fixed.ErrInvalid},
		{"١٢", 0, fixed.ErrInvalid}, // digits, but not of this notation
		{"１", 0, fixed.ErrInvalid},
		{"1\x00", 0, fixed.ErrInvalid},
	}
	for _, tt := range tests {
		got, err := fixed.Parse(tt.in)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Parse(%q) = %v, %v, want %v, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

// What is too long to be a number is not looked at: the answer is that of a
// text, whatever number it would be.
func TestParse_LongIsNotRead_I4(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("0", 33),
		strings.Repeat("0", 1<<20) + "1",
		"-" + strings.Repeat("9", 1<<20),
		"1." + strings.Repeat("0", 1<<20),
		"1" + strings.Repeat("0", 1<<20) + "e1000000000",
	} {
		if got, err := fixed.Parse(in); got != 0 || !errors.Is(err, fixed.ErrInvalid) {
			t.Errorf("Parse(%d characters) = %v, %v, want %v", len(in), got, err, fixed.ErrInvalid)
		}
		if n := testing.AllocsPerRun(10, func() { _, _ = fixed.Parse(in) }); n != 0 {
			t.Errorf("Parse(%d characters) allocates %v times, want none", len(in), n)
		}
	}
}

var plain = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func TestParseSigned(t *testing.T) {
	for in, want := range map[string]fixed.Amount{"-12.50": -1250, "12.5": 1250, "-0": 0, "-99999999.99": -fixed.Max} {
		if got, err := fixed.ParseSigned(in); got != want || err != nil {
			t.Errorf("ParseSigned(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for in, want := range map[string]error{"--1": fixed.ErrInvalid, "-": fixed.ErrInvalid, "- 1": fixed.ErrInvalid, "-1.234": fixed.ErrPlaces, "-100000000": fixed.ErrWhole} {
		if got, err := fixed.ParseSigned(in); got != 0 || !errors.Is(err, want) {
			t.Errorf("ParseSigned(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "1.5", "99999999.99", "1e9", "-3", "00.10", "1.", "0.005", "١", "NaN", "99999999.999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := fixed.Parse(s)
		if err != nil {
			if got != 0 {
				t.Fatalf("Parse(%q) = %d with %v", s, got, err)
			}
			e := &fixed.Error{}
			if !errors.As(err, &e) || e.Code == "" || e.Message == "" {
				t.Fatalf("Parse(%q) fails with %v, want one of the package's errors", s, err)
			}
			return
		}
		if !plain.MatchString(s) {
			t.Fatalf("Parse(%q) = %v, want a refusal: it is no plain decimal", s, got)
		}
		exact, ok := new(big.Rat).SetString(s)
		if !ok || exact.Cmp(big.NewRat(int64(got), 100)) != 0 {
			t.Fatalf("Parse(%q) = %v, want exactly %v", s, got, exact)
		}
		if got < 0 || got > fixed.Max {
			t.Fatalf("Parse(%q) = %d, out of range", s, got)
		}
		again, err := fixed.Parse(got.String())
		if err != nil || again != got {
			t.Fatalf("Parse(%q) = %v, %v, want %v: it does not survive a round trip", got.String(), again, err, got)
		}
	})
}

func TestString(t *testing.T) {
	for a, want := range map[fixed.Amount]string{
		0: "0.00", 1: "0.01", 10: "0.10", 100: "1.00", 123450: "1234.50", fixed.Max: "99999999.99",
		-1: "-0.01", -99: "-0.99", -12345: "-123.45",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08",
	} {
		if got := a.String(); got != want {
			t.Errorf("Amount(%d).String() = %s, want %s", int64(a), got, want)
		}
	}
}

// Money travels as a string, never as a JSON number that a client would read as
// a floating-point one.
func TestMarshalJSON_I4(t *testing.T) {
	amount := fixed.Amount(123450)
	got, err := json.Marshal(struct {
		Value  fixed.Amount  `json:"value"`
		Absent *fixed.Amount `json:"absent"`
		There  *fixed.Amount `json:"there"`
	}{amount, nil, &amount})
	if want := `{"value":"1234.50","absent":null,"there":"1234.50"}`; err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v, want %s", got, err, want)
	}
}

func TestDivRound(t *testing.T) {
	tests := []struct{ a, b, c, want int64 }{
		{0, 5, 3, 0},
		{1, 1, 2, 0}, // half to even
		{3, 1, 2, 2},
		{5, 1, 2, 2},
		{7, 1, 2, 4},
		{-1, 1, 2, 0},
		{-3, 1, 2, -2},
		{-5, 1, 2, -2},
		{1, 1, 3, 0},
		{2, 1, 3, 1},
		{10, 10, 3, 33},
		{-2, -2, 3, 1},
		{math.MaxInt64, 1, 1, math.MaxInt64},
		{math.MaxInt64, 100, 100, math.MaxInt64}, // more than 64 bits in between
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{-math.MaxInt64, 3, 3, -math.MaxInt64},
	}
	for _, tt := range tests {
		if got := fixed.DivRound(tt.a, tt.b, tt.c); got != tt.want {
			t.Errorf("DivRound(%d, %d, %d) = %d, want %d", tt.a, tt.b, tt.c, got, tt.want)
		}
	}
}

func TestDivRound_RefusesToWrap_I4(t *testing.T) {
	for _, in := range [][3]int64{{1, 1, 0}, {1, 1, -2}, {math.MaxInt64, 2, 1}, {math.MaxInt64, math.MaxInt64, 1}, {math.MinInt64, -1, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("DivRound%v did not panic", in)
				}
			}()
			got := fixed.DivRound(in[0], in[1], in[2])
			t.Errorf("DivRound%v = %d", in, got)
		}()
	}
}

// halfEven is a·b ÷ c by exact arithmetic.
func halfEven(a, b, c int64) *big.Int {
	n := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	exact := new(big.Rat).SetFrac(n, big.NewInt(c))
	floor := new(big.Int).Div(exact.Num(), exact.Denom()) // Euclidean: floor, since the denominator is positive
	rest := new(big.Rat).Sub(exact, new(big.Rat).SetInt(floor))
	switch rest.Cmp(big.NewRat(1, 2)) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		if floor.Bit(0) == 1 {
			floor.Add(floor, big.NewInt(1))
		}
	}
	return floor
}

func FuzzDivRound(f *testing.F) {
	f.Add(int64(5), int64(1), int64(2))
	f.Add(int64(-7), int64(3), int64(2))
	f.Add(int64(9_999_999_999), int64(10_000), int64(10_000))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Add(int64(math.MinInt64), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		if c <= 0 {
			t.Skip()
		}
		want := halfEven(a, b, c)
		limit := big.NewInt(math.MaxInt64)
		if new(big.Int).Abs(want).Cmp(limit) > 0 {
			defer func() {
				if recover() == nil {
					t.Errorf("DivRound(%d, %d, %d) did not panic, and the result does not fit", a, b, c)
				}
			}()
		}
		if got := fixed.DivRound(a, b, c); big.NewInt(got).Cmp(want) != 0 {
			t.Errorf("DivRound(%d, %d, %d) = %d, want %v", a, b, c, got, want)
		}
	})
}

func TestText(t *testing.T) {
	for _, a := range []fixed.Amount{0, 1, -1, 100, 12_34, -12_34, fixed.Max, -fixed.Max} {
		text, err := a.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got fixed.Amount
		if err := got.UnmarshalText(text); err != nil || got != a {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "--1", "1e3", "0.001"} {
		got := fixed.Amount(7)
		if err := got.UnmarshalText([]byte(text)); err == nil || got != 7 {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
}
