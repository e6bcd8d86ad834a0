// Package legacy reads the numbers that drivers typed into the free text of the
// older client's forms. The older client's API and the import of the older
// database read them alike, by the rules of [Read].
package legacy

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// The ways in which a text can fail to be read.
var (
	ErrNumber = errors.New("not a number")
	ErrRange  = errors.New("a number with too many digits")
)

// Field is what a text is about: which units and words it may hold.
type Field int

// The fields of a post, and the sums of a calculator entry.
const (
	Year Field = iota
	Gears
	Seats
	Doors
	Mileage     // in km
	Power       // in hp
	Consumption // in litres or kWh per 100 km
	Price
	Sum
)

// Reading is what a text says.
type Reading struct {
	Amount       fixed.Amount // the number; a whole one but for a consumption, a price and a sum
	None         bool         // the text says that there is no number
	Plain        bool         // the text is a plain number as it stands
	Places       int          // decimals as they were typed
	Period       string       // of a price: day, week, month or total; empty when the text does not say
	Transmission string       // that stands in the place of a number of gears
}

// Int is the number of a field of whole numbers.
func (r Reading) Int() int { return int(r.Amount / 100) }

// whole tells whether the field holds whole numbers.
func (f Field) whole() bool { return f < Consumption }

// rounds tells whether the field takes decimals for a whole number.
func (f Field) rounds() bool { return f == Mileage || f == Power }

// groups tells whether three digits after a lone point or comma are thousands: no
// price has three decimals.
func (f Field) groups() bool { return f.whole() || f == Price }

// maxText is how many code points are looked at, as many as a text field holds.
const maxText = 255

// Short is the shortest decimal text of an amount, as the older client expects
// numbers: 280, 5.2, 5.25.
func Short(a fixed.Amount) string { return WithPlaces(a, 0) }

// WithPlaces is the shortest decimal text of an amount with at least so many
// decimals, of which there are two at most.
func WithPlaces(a fixed.Amount, places int) string {
	s := a.String()
	for n := fixed.Places; n > places && strings.HasSuffix(s, "0"); n-- {
		s = s[:len(s)-1]
	}
	return strings.TrimSuffix(s, ".")
}

// Read reads a text. The error is ErrNumber for a text that is not one number by
// the rules, and ErrRange for one that is, but has more digits than are kept.
func Read(f Field, text string) (Reading, error) {
	if len(text) > maxText*utf8.UTFMax || utf8.RuneCountInString(text) > maxText {
		return Reading{}, ErrNumber
	}
	typed := strings.TrimSpace(text)
	s := fold(typed)
	switch {
	case slices.Contains(nothing, s) || f == Price && slices.Contains(noPrice, s):
		return Reading{None: true}, nil
	case f == Gears && slices.Contains(transmissions, s):
		return Reading{None: true, Transmission: typed}, nil
	}
	if f != Sum { // money is counted, not guessed
		s = dropPrefix(s)
	}
	r, err := read(f, s)
	if err != nil {
		return Reading{}, err
	}
	r.Plain = r.Plain && plain(text)
	return r, nil
}

func read(f Field, s string) (Reading, error) {
	switch f {
	case Price:
		return readPrice(s)
	case Consumption:
		return mean(f, s, consumptionUnits)
	case Power:
		return either(f, s, powerUnits)
	case Mileage:
		return either(f, s, distanceUnits)
	case Year, Gears, Seats, Doors, Sum:
	}
	return number(f, f, dropUnit(s, own[f]))
}

// readPrice reads a price, perhaps for a period.
func readPrice(s string) (Reading, error) {
	period := ""
	for _, p := range periods {
		if rest, ok := dropWord(s, p.words); ok {
			period, s = p.name, rest
			break
		}
	}
	for _, currency := range []string{"€", "eur ", "euro "} {
		if rest, ok := strings.CutPrefix(s, currency); ok {
			s = strings.TrimSpace(rest)
			break
		}
	}
	r, err := mean(Price, s, nil)
	r.Period = period
	return r, err
}

// mean reads one number, or the mean of a range of two.
func mean(f Field, s string, units []string) (Reading, error) {
	low, high, ok := cutRange(s)
	if !ok {
		return number(f, f, dropUnit(s, units))
	}
	a, err := number(f, f, dropUnit(low, units))
	if err != nil {
		return Reading{}, err
	}
	b, err := number(f, f, dropUnit(high, units))
	if err != nil {
		return Reading{}, err
	}
	return Reading{Amount: fixed.Amount(fixed.DivRound(int64(a.Amount+b.Amount), 1, 2))}, nil
}

// cutRange cuts a-b in two.
func cutRange(s string) (low, high string, ok bool) {
	for _, dash := range []string{"-", "–", "—"} {
		if low, high, ok = strings.Cut(s, dash); ok {
			return strings.TrimSpace(low), strings.TrimSpace(high), true
		}
	}
	return "", "", false
}

// unit is a unit with what a number of it is in ours: times factor, over scale.
type unit struct {
	words         []string
	factor, scale int64
}

// either reads a number in one of the units, or the same number in two of them,
// of which the first unit counts: 90 CP / 66 kW. The first unit is ours.
func either(f Field, s string, units []unit) (Reading, error) {
	first, second, two := cutSecond(s)
	if !two {
		r, _, err := measure(f, s, units)
		return r, err
	}
	a, n, err := measure(f, first, units)
	if err != nil {
		return Reading{}, err
	}
	b, m, err := measure(f, second, units)
	if err != nil {
		return Reading{}, err
	}
	// They are said to be the same: a few hundredths are what rounding and the two
	// kinds of horsepower make of it.
	if n < 0 || m < 0 || n == m || 100*abs(int64(a.Amount-b.Amount)) > 3*int64(max(a.Amount, b.Amount))+100*100 {
		return Reading{}, ErrNumber
	}
	if m < n {
		a = b
	}
	return Reading{Amount: a.Amount}, nil
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// cutSecond cuts "a / b", "a (b)" and "a, b" in two.
func cutSecond(s string) (first, second string, ok bool) {
	if inner, ends := strings.CutSuffix(s, ")"); ends {
		first, second, ok = strings.Cut(inner, "(")
	} else if first, second, ok = strings.Cut(s, "/"); !ok {
		first, second, ok = strings.Cut(s, ", ")
	}
	return strings.TrimSpace(first), strings.TrimSpace(second), ok
}

// measure reads a number with or without a unit, and tells which one it is by
// its index, -1 for none.
func measure(f Field, s string, units []unit) (Reading, int, error) {
	for i, u := range units {
		rest, ok := dropWord(s, u.words)
		switch {
		case !ok:
			continue
		case u.factor == u.scale:
			r, err := number(f, f, rest)
			return r, i, err
		}
		r, err := number(f, Sum, rest) // decimals count until they are converted
		if err != nil {
			return Reading{}, i, err
		}
		n := fixed.DivRound(int64(r.Amount), u.factor, 100*u.scale)
		if n > int64(fixed.Max/100) {
			return Reading{}, i, ErrRange
		}
		return Reading{Amount: fixed.Amount(n * 100)}, i, nil
	}
	r, err := number(f, f, dropUnit(s, nil))
	return r, -1, err
}

// number reads one number without its unit. decimals is the field whose rules for
// decimals hold.
func number(f, decimals Field, s string) (Reading, error) {
	if n, ok := words[s]; ok && f.whole() && f != Year {
		return Reading{Amount: fixed.Amount(n) * 100}, nil
	}
	s = strings.TrimPrefix(s, "+")
	thousand := false
	if f == Mileage || f == Price {
		s, thousand = dropWord(s, thousands)
	}
	digits, places, ok := separate(s, f.groups() && !thousand)
	if !ok {
		return Reading{}, ErrNumber
	}
	return value(f, decimals, digits, places, thousand)
}

// value makes a number of digits, the last of which are decimals.
func value(f, decimals Field, digits string, places int, thousand bool) (Reading, error) {
	if thousand {
		if places > 3 {
			return Reading{}, ErrNumber
		}
		digits, places = digits+strings.Repeat("0", 3-places), 0
	}
	whole, fraction := digits[:len(digits)-places], digits[len(digits)-places:]
	switch {
	case places > fixed.Places:
		return Reading{}, ErrNumber
	case len(whole) > fixed.MaxDigits-fixed.Places:
		return Reading{}, ErrRange
	}
	n := int64(0)
	for _, d := range whole + (fraction + "00")[:fixed.Places] {
		n = 10*n + int64(d-'0')
	}
	r := Reading{Amount: fixed.Amount(n), Plain: !thousand, Places: places}
	if decimals.whole() && n%100 != 0 {
		if !f.rounds() {
			return Reading{}, ErrNumber
		}
		if r.Amount, r.Plain = fixed.Amount(fixed.DivRound(n, 1, 100)*100), false; r.Amount > fixed.Max {
			return Reading{}, ErrRange
		}
	}
	return r, nil
}

// separate takes the separators out of a number: digits are those that are left,
// of which places are decimals. With groups, three digits after a lone point or
// comma are thousands.
func separate(s string, groups bool) (digits string, places int, ok bool) {
	point, comma := strings.Count(s, "."), strings.Count(s, ",")
	whole, fraction, grouping := s, "", byte(0)
	switch last := max(strings.LastIndexByte(s, '.'), strings.LastIndexByte(s, ',')); {
	case last < 0:
	case point > 0 && comma > 0: // the last one is the point of the decimals
		if point > 1 && comma > 1 || strings.Count(s, s[last:last+1]) > 1 {
			return "", 0, false
		}
		whole, fraction = s[:last], s[last+1:]
		grouping = '.' + ',' - s[last]
		if fraction == "" {
			return "", 0, false
		}
	case point+comma > 1:
		grouping = s[last]
	case groups && len(s)-last-1 == 3 && strings.IndexFunc(s, isSpace) < 0:
		grouping = s[last]
	default:
		whole, fraction = s[:last], s[last+1:]
		if fraction == "" {
			return "", 0, false
		}
	}
	if grouping == 0 {
		whole, ok = joinGroups(whole, isSpace)
	} else {
		whole, ok = joinGroups(whole, func(r rune) bool { return r == rune(grouping) })
	}
	if !ok || whole == "" || !allDigits(whole) || !allDigits(fraction) {
		return "", 0, false
	}
	return whole + fraction, len(fraction), true
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// joinGroups takes the separators out of groups of three digits: 84 000 is 84000.
// A text without separators is left alone.
func joinGroups(s string, separator func(rune) bool) (joined string, ok bool) {
	if strings.IndexFunc(s, separator) < 0 {
		return s, true
	}
	var b strings.Builder
	for first := true; ; first = false {
		group, rest, more := cutFunc(s, separator)
		if first && !isLead(group) || !first && len(group) != 3 {
			return "", false
		}
		b.WriteString(group)
		if !more {
			return b.String(), true
		}
		s = rest
	}
}

// cutFunc is [strings.Cut] at the first rune that a function is true of.
func cutFunc(s string, at func(rune) bool) (before, after string, found bool) {
	i := strings.IndexFunc(s, at)
	if i < 0 {
		return s, "", false
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return s[:i], s[i+n:], true
}

// isSpace tells the spaces that people and word processors put between groups:
// the plain one and the two that do not break a line.
func isSpace(r rune) bool { return r == ' ' || r == '\u00a0' || r == '\u202f' }

// isLead tells whether s can stand before a group of three digits.
func isLead(s string) bool { return len(s) >= 1 && len(s) <= 3 && s[0] != '0' }

// plain tells whether a text is digits, perhaps with a point and one or two digits
// after it.
func plain(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return whole != "" && allDigits(whole) && (!point || fraction != "" && len(fraction) <= fixed.Places && allDigits(fraction))
}
