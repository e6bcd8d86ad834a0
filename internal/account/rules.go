package account

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	_ "time/tzdata" // the binary needs nothing installed, time zones included

	"golang.org/x/net/idna"

	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// MaxText is the limit of one-line texts, in code points.
const MaxText = 255

// The choices of the settings.
var (
	Themes        = []string{"auto", "light", "dark"}
	Languages     = []string{"en", "ro"}
	DistanceUnits = []string{"km", "mi"}
)

// currencies are the active codes of ISO 4217 (list one, without funds, metals
// and testing codes).
var currencies = strings.Fields(`AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN
BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD
MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD
RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU
UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG`)

// ValidCurrency tells whether code is an active ISO 4217 code, in capitals.
func ValidCurrency(code string) bool {
	_, found := slices.BinarySearch(currencies, code)
	return found
}

var zones sync.Map // name → *time.Location; bounded by the names of the IANA data base

// LoadZone finds an IANA time zone. The machine's own ("Local", "") does not
// count: a person's day must not depend on where the server runs.
func LoadZone(name string) (*time.Location, bool) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), true //nolint:errcheck // nothing else is stored
	}
	if name == "" || name == "Local" || name == "Factory" || len(name) > 64 || strings.ContainsAny(name, `.\`) ||
		strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") { // the same over again, or with leap seconds
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	// On a file system that ignores case "europe/bucharest" would load, too.
	if err != nil || loc.String() != name || strings.ToLower(name) == name {
		return nil, false
	}
	zones.Store(name, loc)
	return loc, true
}

// Location is the named zone, or that of the first market for a name that is
// not (no longer) known.
func Location(name string) *time.Location {
	if loc, ok := LoadZone(name); ok {
		return loc
	}
	loc, _ := LoadZone(DefaultSettings().TimeZone)
	return loc
}

// checkName trims a person's name and says what is wrong with it.
func checkName(name string, bad *fault.Fields) string {
	name = strings.TrimSpace(name)
	CheckText(bad, "name", name, 1, MaxText, false)
	return name
}

// blank tells whether there is nothing to see in a text.
func blank(s string) bool {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) == ""
}

// CheckText notes what is wrong with a text: shorter or longer than the limits
// in code points, or holding control characters. What is known to be wrong with
// the field already stands.
func CheckText(bad *fault.Fields, field, value string, minimum, maximum int, multiline bool) {
	switch {
	case bad.Has(field): // it could not even be read
	case minimum > 0 && blank(value):
		bad.Add(field, "blank", "This field may not be blank.")
	case text.Len(value) > maximum:
		bad.Add(field, "max_length", "Ensure this field has no more than "+itoa(maximum)+" characters.")
	case text.Unprintable(value, multiline):
		bad.Add(field, "invalid_characters", "This field may not hold control characters.")
	}
}

// CheckChoice notes when value is none of choices.
func CheckChoice(bad *fault.Fields, field, value string, choices []string) {
	if !bad.Has(field) && !slices.Contains(choices, value) {
		bad.Add(field, "invalid_choice", quote(value)+" is not a valid choice. Choose one of: "+strings.Join(choices, ", ")+".")
	}
}

// quote shows what a client sent without giving a page of it back.
func quote(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return `"` + s + `"`
}

// CheckCurrency notes when code is not an ISO 4217 code.
func CheckCurrency(bad *fault.Fields, field, code string) {
	if !bad.Has(field) && !ValidCurrency(code) {
		bad.Add(field, "invalid_choice", quote(code)+" is not an ISO 4217 currency code.")
	}
}

// CheckPercent notes when a percentage is over 100.
func CheckPercent(bad *fault.Fields, field string, p fixed.Amount) {
	if !bad.Has(field) && p > fixed.Hundred {
		bad.Add(field, "max_value", "Ensure this value is less than or equal to 100.")
	}
}

// Mailbox reads an e-mail address: an ASCII local part of RFC 5321's dot-atom
// form and an IDNA domain with a dot in it. address is what mail goes to (the
// domain in ASCII), key is what is unique: one mailbox, one account.
func Mailbox(s string) (address, key string, ok bool) {
	s = strings.TrimSpace(s)
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > 4*254 {
		return "", "", false
	}
	local, domain := s[:at], s[at+1:]
	if len(local) > 64 || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", "", false
	}
	for i := range len(local) {
		c := local[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", rune(c)) {
			return "", "", false
		}
	}
	domain, err := idna.Lookup.ToASCII(domain)
	// What ToASCII makes of broken text it would not take itself.
	if again, err := idna.Lookup.ToASCII(domain); err != nil || again != domain {
		return "", "", false
	}
	if err != nil || len(domain) > 253 || len(local)+1+len(domain) > 254 || !strings.Contains(domain, ".") || strings.HasSuffix(domain, ".") {
		return "", "", false
	}
	if top := domain[strings.LastIndexByte(domain, '.')+1:]; strings.Trim(top, "0123456789") == "" { // an IP address
		return "", "", false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.Contains(label, "_") {
			return "", "", false
		}
	}
	domain = strings.ToLower(domain)
	return local + "@" + domain, strings.ToLower(local) + "@" + domain, true
}

// MailboxKey is what makes two spellings of an address the same; for a text
// that is no address it is some folded text that no account has.
func MailboxKey(s string) string {
	if _, key, ok := Mailbox(s); ok {
		return key
	}
	// The blank in front stands in no address: lower case alone would make a
	// mailbox of some look-alikes (U+212A is a small k then).
	return " " + strings.ToLower(strings.TrimSpace(s))
}

func checkEmail(email string, bad *fault.Fields) string {
	address, _, ok := Mailbox(email)
	switch {
	case strings.TrimSpace(email) == "":
		bad.Add("email", "blank", "This field may not be blank.")
	case !ok:
		bad.Add("email", "invalid", "Enter a valid email address.")
	}
	return address
}

// checkPassword runs the four checks; a failed rule each is an entry of its own.
func checkPassword(field, pw, name, email string, bad *fault.Fields) {
	for _, f := range password.Check(pw, name, email) {
		bad.Add(field, f.Code, f.Message)
	}
}

// validate notes what is wrong with the settings.
func (s *Settings) validate(bad *fault.Fields) {
	s.Currency = strings.ToUpper(s.Currency)
	CheckChoice(bad, "theme", s.Theme, Themes)
	CheckChoice(bad, "language", s.Language, Languages)
	CheckChoice(bad, "distance_unit", s.DistanceUnit, DistanceUnits)
	CheckCurrency(bad, "currency", s.Currency)
	if _, ok := LoadZone(s.TimeZone); !ok && !bad.Has("time_zone") {
		bad.Add("time_zone", "invalid_choice", quote(s.TimeZone)+" is not an IANA time zone, such as Europe/Bucharest.")
	}
	if s.DefaultCommission != nil {
		CheckPercent(bad, "default_commission", *s.DefaultCommission)
	}
}
