package legacy_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/legacy"
)

// The rows of the contract, and what is near them, as three kinds of field read
// them. want is empty where the text is no number, and "range" where it has too
// many digits.
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
	{"84\t000\tkm", false, "84000", "84000", "84000"},
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
	{"1.200,50", false, "", "1200.5", "1200.5"},
	{"1,200.50", false, "", "1200.5", "1200.5"},
	{"1.200,00", false, "1200", "1200", "1200"},
	{"1.200.000", false, "1200000", "1200000", "1200000"},
	{"1.200.000,5", false, "", "1200000.5", "1200000.5"},
	{"+280", false, "280", "280", "280"},
	{"ca 280", false, "280", "280", "280"},
	{"ca. 280", false, "280", "280", "280"},
	{"approx 2020", false, "2020", "2020", "2020"},
	{"~280 eur", false, "280", "280", "280"},
	{"aproximativ 84 000 km", false, "84000", "84000", "84000"},
	{"0.500", false, "", "", ""},
	{"5.255", false, "5255", "5255", ""},
	{"1234.500", false, "", "", ""},
	{"1 234.500", false, "", "", ""},
	{"5.2345", false, "", "", ""},
	{"99999999.994", false, "", "", ""},

	{"280 RON", false, "", "", ""},
	{"280 km km", false, "", "", ""},
	{"280 \u212am", false, "", "", ""}, // the sign of the kelvin is no k
	{"km", false, "", "", ""},
	{"", false, "", "", ""},
	{" ", false, "", "", ""},
	{"-5", false, "", "", ""},
	{"- 5", false, "", "", ""},
	{"+ 5", false, "", "", ""},
	{"++5", false, "", "", ""},
	{"+-5", false, "", "", ""},
	{"5+2", false, "", "", ""},
	{"5-", false, "", "", ""},
	{"2015/2016", false, "", "", ""},
	{"4/5", false, "", "", ""},
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
	{"1.20,5", false, "", "", ""},
	{"1,2,3.5.6", false, "", "", ""},
	{"84 00", false, "", "", ""},
	{"8400 000", false, "", "", ""},
	{"84  000", false, "", "", ""},
	{"084 000", false, "", "", ""},
	{"84\u2003000", false, "", "", ""},
	{"84\n000", false, "", "", ""},
	{"éé 000", false, "", "", ""},
	{"5\x00", false, "", "", ""},
	{"5\xff", false, "", "", ""},
	{"camry 280", false, "", "", ""},

	{"100000000", false, "range", "range", "range"},
	{"100 000 000", false, "range", "range", "range"},
	{"99999999999999999999", false, "range", "range", "range"},
	{"00000000000000000280", false, "range", "range", "range"},
	{"99999999.999", false, "", "", ""},
}

func TestRead(t *testing.T) {
	for _, tt := range readings {
		check(t, legacy.Seats, tt.in, tt.whole, tt.plain)
		check(t, legacy.Price, tt.in, tt.price, tt.plain)
		check(t, legacy.Consumption, tt.in, tt.consumption, tt.plain)
	}
}

func check(t *testing.T, f legacy.Field, in, want string, plain bool) {
	t.Helper()
	got, err := legacy.Read(f, in)
	if wrong := map[string]error{"": legacy.ErrNumber, "range": legacy.ErrRange}[want]; wrong != nil {
		if got != (legacy.Reading{}) || !errors.Is(err, wrong) {
			t.Errorf("Read(%v, %q) = %+v, %v, want %v", f, in, got, err, wrong)
		}
		return
	}
	if err != nil || legacy.Short(got.Amount) != want || got.Plain != plain || got.None {
		t.Errorf("Read(%v, %q) = %+v, %v, want %s, %v", f, in, got, err, want, plain)
	}
}

// What only some fields can hold.
func TestRead_Fields(t *testing.T) {
	const none = "none"
	for _, tt := range []struct {
		f    legacy.Field
		in   string
		want string // with the period or the transmission behind it
	}{
		{legacy.Mileage, "52000 miles", "83686"},
		{legacy.Mileage, "52 000 mi", "83686"},
		{legacy.Mileage, "84k", "84000"},
		{legacy.Mileage, "84,5k km", "84500"},
		{legacy.Mileage, "84 mii km", "84000"},
		{legacy.Mileage, "about 80k", "80000"},
		{legacy.Mileage, "100k miles", "160934"},
		{legacy.Mileage, "84000 km / 52195 miles", "84000"},
		{legacy.Mileage, "52195 miles (84000 km)", "84000"},
		{legacy.Mileage, "84000 km / 52195 km", ""},
		{legacy.Mileage, "84000 km/miles", ""},
		{legacy.Mileage, "84000 km / 90000 miles", ""},
		{legacy.Mileage, "84000/85000 km", ""},
		{legacy.Mileage, "84000-85000 km", ""},
		{legacy.Mileage, "99999999 miles", "range"},
		{legacy.Mileage, "99999k", "99999000"},
		{legacy.Mileage, "999999k", "range"},
		{legacy.Power, "66 kW", "90"},
		{legacy.Power, "66kw", "90"},
		{legacy.Power, "66.5 kW", "90"}, // 90.41
		{legacy.Power, "90 CP / 66 kW", "90"},
		{legacy.Power, "66 kW / 90 CP", "90"},
		{legacy.Power, "90 CP (66 kW)", "90"},
		{legacy.Power, "110 cp, 80 kw", "110"},
		{legacy.Power, "90 CP / 50 kW", ""},
		{legacy.Power, "90 CP / 100 CP", ""},
		{legacy.Power, "90/66", ""},
		{legacy.Power, "90.5", "90"}, // half to even
		{legacy.Power, "91.5", "92"},
		{legacy.Power, "90,6 CP", "91"},
		{legacy.Power, "90 cai putere", "90"},
		{legacy.Power, "84k", ""},
		{legacy.Power, "99999999999999 hp", "range"},
		{legacy.Consumption, "5.2 l/100km", "5.2"},
		{legacy.Consumption, "5,2 L/100 km", "5.2"},
		{legacy.Consumption, "5.2l", "5.2"},
		{legacy.Consumption, "18 kWh/100km", "18"},
		{legacy.Consumption, "5-6", "5.5"},
		{legacy.Consumption, "5 – 6 l/100km", "5.5"},
		{legacy.Consumption, "5,2 l - 6,1 l", "5.65"},
		{legacy.Consumption, "5.25-5.3", "5.28"}, // half to even
		{legacy.Consumption, "45 mpg", ""},
		{legacy.Consumption, "5/6", ""},
		{legacy.Consumption, "1-2-3", ""},
		{legacy.Doors, "5 doors", "5"},
		{legacy.Doors, "5 uși", "5"},
		{legacy.Doors, "4/5", ""},
		{legacy.Doors, "4-5", ""},
		{legacy.Doors, "five", "5"},
		{legacy.Doors, "Five doors", "5"},
		{legacy.Doors, "5 seats", ""},
		{legacy.Seats, "cinci locuri", "5"},
		{legacy.Seats, "5+2", ""},
		{legacy.Gears, "6 speed", "6"},
		{legacy.Gears, "6-speed", "6"},
		{legacy.Gears, "șase trepte", "6"},
		{legacy.Gears, "CVT", none + " CVT"},
		{legacy.Gears, " Automatic ", none + " Automatic"},
		{legacy.Gears, "automată", none + " automată"},
		{legacy.Gears, "6 CVT", ""},
		{legacy.Gears, "-", none},
		{legacy.Seats, "CVT", ""},
		{legacy.Year, "approx 2020", "2020"},
		{legacy.Year, "five", ""},
		{legacy.Year, "2020.5", ""},
		{legacy.Price, "300/week", "300 week"},
		{legacy.Price, "300 / week", "300 week"},
		{legacy.Price, "300 per week", "300 week"},
		{legacy.Price, "300 EUR/săptămână", "300 week"},
		{legacy.Price, "50 / day", "50 day"},
		{legacy.Price, "50€/zi", "50 day"},
		{legacy.Price, "50/24h", "50 day"},
		{legacy.Price, "5024h", ""},
		{legacy.Price, "900 pe lună", "900 month"},
		{legacy.Price, "1.200,50 eur / luna", "1200.5 month"},
		{legacy.Price, "9000 total", "9000 total"},
		{legacy.Price, "250-300/week", "275 week"},
		{legacy.Price, "300/year", ""},
		{legacy.Price, "300/2 weeks", ""},
		{legacy.Price, "/week", ""},
		{legacy.Price, "week", ""},
		{legacy.Price, "€ 280", "280"},
		{legacy.Price, "EUR 280", "280"},
		{legacy.Price, "12k", "12000"},
		{legacy.Price, "negotiable", none},
		{legacy.Price, "Negociabil", none},
		{legacy.Price, "280 negotiable", ""},
		{legacy.Seats, "negotiable", ""},
		{legacy.Sum, "1 200,50 lei", "1200.5"},
		{legacy.Sum, "about 80", ""},
		{legacy.Sum, "1.200", ""}, // a sum may have been meant either way
	} {
		r, err := legacy.Read(tt.f, tt.in)
		got := strings.TrimSpace(strings.Join([]string{legacy.Short(r.Amount), r.Period, r.Transmission}, " "))
		if r.None {
			got = strings.TrimSpace(none + " " + r.Transmission)
		}
		switch {
		case errors.Is(err, legacy.ErrNumber):
			got = ""
		case errors.Is(err, legacy.ErrRange):
			got = "range"
		}
		if got = strings.ReplaceAll(got, "  ", " "); got != tt.want {
			t.Errorf("Read(%v, %q) = %+v, %v, want %q", tt.f, tt.in, r, err, tt.want)
		}
		if r.Plain {
			t.Errorf("Read(%v, %q) is said to be plain", tt.f, tt.in)
		}
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
		if r, err := legacy.Read(legacy.Seats, in); r != (legacy.Reading{}) || !errors.Is(err, legacy.ErrNumber) {
			t.Errorf("Read(%d bytes) = %v, %v, want %v", len(in), r, err, legacy.ErrNumber)
		}
		if n := testing.AllocsPerRun(10, func() { _, _ = legacy.Read(legacy.Price, in) }); n != 0 {
			t.Errorf("Read(%d bytes) allocates %v times, want none", len(in), n)
		}
	}
	if r, err := legacy.Read(legacy.Seats, strings.Repeat(" ", 254)+"5"); r.Int() != 5 || err != nil {
		t.Errorf("Read(255 characters) = %v, %v, want 5", r, err)
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

func TestWithPlaces(t *testing.T) {
	for _, tt := range []struct {
		a      fixed.Amount
		places int
		want   string
	}{{280_50, 2, "280.50"}, {280_00, 2, "280.00"}, {280_00, 0, "280"}, {280_50, 0, "280.5"}, {280_55, 1, "280.55"}, {280_00, 1, "280.0"}, {10_00, 0, "10"}} {
		if got := legacy.WithPlaces(tt.a, tt.places); got != tt.want {
			t.Errorf("WithPlaces(%d, %d) = %s, want %s", int64(tt.a), tt.places, got, tt.want)
		}
	}
}

var plainNumber = regexp.MustCompile(`^[0-9]{1,8}(\.[0-9]{1,2})?$`)

// FuzzRead reads any text as every field: what comes out is within the limits,
// is said to be plain only if it is, and is read again as the same number.
func FuzzRead(f *testing.F) {
	for _, tt := range readings {
		f.Add(tt.in)
	}
	for _, s := range []string{"52000 miles", "90 CP / 66 kW", "5-6 l/100km", "five doors", "300/week", "84,5k km", "CVT", "1.200,50 eur / luna", "99999999.99 kW"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got [legacy.Sum + 1]legacy.Reading
		var errs [legacy.Sum + 1]error
		for field := range legacy.Sum + 1 {
			r, err := legacy.Read(field, s)
			got[field], errs[field] = r, err
			if err != nil {
				if !errors.Is(err, legacy.ErrNumber) && !errors.Is(err, legacy.ErrRange) || r != (legacy.Reading{}) {
					t.Fatalf("%v: %q = %+v, %v", field, s, r, err)
				}
				continue
			}
			if r.Amount < 0 || r.Amount > fixed.Max || field < legacy.Consumption && r.Amount%100 != 0 {
				t.Fatalf("%v: %q = %d, out of range", field, s, r.Amount)
			}
			if r.Plain && !plainNumber.MatchString(s) {
				t.Fatalf("%v: %q is said to be plain", field, s)
			}
			if r.None && (r.Amount != 0 || r.Plain) {
				t.Fatalf("%v: %q = %+v", field, s, r)
			}
			for _, places := range []int{0, r.Places} {
				text := legacy.WithPlaces(r.Amount, places)
				again, err := legacy.Read(field, text)
				if err != nil || !r.None && again.Amount != r.Amount {
					t.Fatalf("%v: %q = %s, which reads as %+v, %v", field, s, text, again, err)
				}
			}
		}
		if plainNumber.MatchString(s) { // a plain number is the same for everybody, where it is taken
			for field, r := range got {
				if errs[field] == nil && r.Amount != got[legacy.Sum].Amount && legacy.Field(field) != legacy.Mileage && legacy.Field(field) != legacy.Power {
					t.Fatalf("%v: %q = %v, and a sum %v", field, s, r.Amount, got[legacy.Sum].Amount)
				}
			}
		}
	})
}
