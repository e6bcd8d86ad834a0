package legacy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The words are in lower case and without the marks of Romanian letters, as fold
// leaves them. Longer ones come before those that they end in.
var (
	// nothing is typed where a form demands something.
	nothing = []string{"-", "--", "—", "?", "n/a", "na", "none", "nu stiu"}
	noPrice = []string{
		"negotiable", "price negotiable", "negotiable price", "negociabil", "pret negociabil", "neg", "neg.", "nego",
		"on request", "price on request", "la cerere", "la telefon", "de discutat",
	}
	transmissions = []string{
		"cvt", "e-cvt", "ecvt", "variator", "automatic", "automatic transmission", "automat", "automata", "cutie automata", "auto", "manual", "manuala",
		"cutie manuala", "semi-automatic", "semiautomatic", "semiautomata", "dsg", "dct", "edc", "tiptronic", "s-tronic", "s tronic", "steptronic", "robotized", "robotizata",
	}
	// prefixes say that a number is not exact.
	prefixes = []string{
		"approximately", "aproximativ", "approx.", "approx", "aprox.", "aprox", "circa", "cca.", "cca", "ca.", "ca", "about", "around", "cam", "vreo", "~", "≈",
	}
	words = map[string]int{
		"zero": 0, "one": 1, "unu": 1, "una": 1, "two": 2, "doi": 2, "doua": 2, "three": 3, "trei": 3, "four": 4, "patru": 4, "five": 5, "cinci": 5,
		"six": 6, "sase": 6, "seven": 7, "sapte": 7, "eight": 8, "opt": 8, "nine": 9, "noua": 9, "ten": 10, "zece": 10, "eleven": 11, "unsprezece": 11,
		"twelve": 12, "doisprezece": 12,
	}
	thousands = []string{"k", "mii", "thousand"}
	// anyUnits may follow a number of any field.
	anyUnits = []string{"km", "euro", "eur", "€", "lei", "cp", "hp"}
	own      = map[Field][]string{
		Gears: {"-speed", "speeds", "speed", "gears", "gear", "trepte", "treapta", "viteze"},
		Seats: {"-seater", "seater", "seats", "seat", "locuri", "loc", "places", "persons", "people", "persoane"},
		Doors: {"-door", "doors", "door", "usi", "portiere"},
	}
	consumptionUnits = []string{
		"l/100km", "l/100 km", "l / 100 km", "l/100", "l/suta", "l la suta", "l la 100 km", "l la 100km", "l la 100", "l per 100 km", "l per 100km",
		"litri/100km", "litri/100 km", "litri / 100 km", "litri la 100 km", "litri la suta", "litri", "litres/100km", "litres/100 km", "litres",
		"liters/100km", "liters/100 km", "liters", "kwh/100km", "kwh/100 km", "kwh / 100 km", "kwh/100", "kwh", "l",
	}
	powerUnits = []unit{
		{[]string{"horsepower", "cai putere", "cai", "cp", "bhp", "hp", "ps", "c.p."}, 1, 1},
		{[]string{"kilowatts", "kw"}, 135_962, 100_000},
	}
	distanceUnits = []unit{
		{[]string{"kilometers", "kilometres", "kilometri", "kms", "km"}, 1, 1},
		{[]string{"miles", "mile", "mi"}, 1_609_344, 1_000_000},
	}
	periods = []struct {
		name  string
		words []string
	}{
		{"day", around("day", "zi", "24h", "24 h", "24 ore", "24 hours", "ziua", "daily", "zilnic")},
		{"week", around("week", "wk", "saptamana", "sapt.", "sapt", "weekly", "saptamanal")},
		{"month", around("month", "luna", "mo", "monthly", "lunar")},
		{"total", around("total", "in total")},
	}
)

// around is the ways to say for what a price is.
func around(names ...string) (list []string) {
	for _, name := range names {
		for _, before := range []string{"/", "/ ", "per ", "pe ", "a ", "o ", ""} {
			list = append(list, before+name)
		}
	}
	return list
}

// marks are the letters of Romanian, in all the ways in which they are typed.
var marks = strings.NewReplacer(
	"ă", "a", "Ă", "a", "â", "a", "Â", "a", "î", "i", "Î", "i", "ș", "s", "Ș", "s", "ş", "s", "Ş", "s", "ț", "t", "Ț", "t", "ţ", "t", "Ţ", "t",
)

// fold is s in lower case, without the marks of Romanian letters, and with blanks
// for tabs. It leaves all other letters alone: none of them is one of a word
// here, such as U+212A, which Unicode folds to k.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == '\t':
			return ' '
		}
		return r
	}, marks.Replace(s))
}

// dropPrefix is s without a word before the number that says that it is not exact.
func dropPrefix(s string) string {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok && (rest == "" || !startsLetter(rest) && rest[0] != '.') {
			return strings.TrimSpace(rest)
		}
	}
	return s
}

// dropUnit is s without one of the units at its end, or without one that may
// follow a number of any field.
func dropUnit(s string, units []string) string {
	if rest, ok := dropWord(s, units); ok {
		return rest
	}
	rest, _ := dropWord(s, anyUnits)
	return rest
}

// dropWord is s without the longest of the words at its end, and without the
// blanks before that. A word that begins with a letter has none before it, and one
// that begins with a digit no digit.
func dropWord(s string, list []string) (rest string, found bool) {
	rest = s
	for _, w := range list {
		before, ok := strings.CutSuffix(s, w)
		if ok && len(before) < len(rest) && !(endsLetter(before) && startsLetter(w)) && !(endsDigit(before) && isDigit(w[0])) {
			rest, found = before, true
		}
	}
	if found {
		rest = strings.TrimSpace(rest)
	}
	return rest, found
}

func startsLetter(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r)
}

func endsLetter(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsLetter(r)
}

func endsDigit(s string) bool { return s != "" && isDigit(s[len(s)-1]) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
