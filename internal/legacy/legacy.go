// Package legacy knows how the older backend wrote numbers down: its car posts
// keep every one of them as text that drivers typed. The import of its database
// and the API of its web client read them by the same rules, which stand in
// [Whole] and [Amount].
package legacy

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// ErrNumber is the failure of a text that is not one number by the rules.
var ErrNumber = errors.New("not a number")

// maxText is how many code points are looked at, as many as a text field holds.
const maxText = 255

// units are the words that may follow a number, in lower case.
var units = []string{"km", "eur", "€", "lei", "cp", "hp"}

// Whole reads a field of whole numbers: year, gears, seats, doors, mileage,
// power. plain tells that the text was a plain number as it stood, so that
// nothing of it was interpreted. The error is [ErrNumber].
func Whole(text string) (n int64, plain bool, err error) {
	a, plain, err := read(text, true)
	if err != nil || a%100 != 0 {
		return 0, false, ErrNumber
	}
	return int64(a / 100), plain, nil
}

// Amount reads a field that may have two decimals: a price or a consumption. In
// a price, three digits after a lone point or comma are thousands, since no
// price has three decimals: 1.200 is 1200. plain tells that the text was a plain
// number as it stood. The error is [ErrNumber].
func Amount(text string, price bool) (a fixed.Amount, plain bool, err error) {
	return read(text, price)
}

// Short is the shortest decimal text of an amount, as the older client expects
// numbers: 280, 5.2, 5.25.
func Short(a fixed.Amount) string {
	s := a.String()
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// read is the one reading of numbers. It looks at a bounded text a fixed number
// of times, and hands over to [fixed.Parse] what is left: digits and a point.
func read(text string, thousands bool) (a fixed.Amount, plain bool, err error) {
	if len(text) > maxText*utf8.UTFMax || utf8.RuneCountInString(text) > maxText {
		return 0, false, ErrNumber
	}
	whole, rest := dropUnit(strings.TrimSpace(text)), ""
	if i := strings.IndexAny(whole, ".,"); i >= 0 {
		whole, rest = whole[:i], "."+whole[i+1:]
	}
	joined, ok := joinGroups(whole)
	switch {
	case !ok:
		return 0, false, ErrNumber
	case thousands && len(rest) == len(".000") && joined == whole:
		if !isLead(whole) || strings.Trim(rest[1:], "0123456789") != "" {
			return 0, false, ErrNumber
		}
		joined, rest = joined+rest[1:], ""
	}
	a, err = fixed.Parse(joined + rest)
	if err != nil {
		return 0, false, ErrNumber
	}
	return a, joined+rest == text, nil
}

// dropUnit is the text without one of the units at its end, and without the
// blanks before that.
func dropUnit(text string) string {
	for _, u := range units {
		if n := len(text) - len(u); n >= 0 && lowerASCII(text[n:]) == u {
			return strings.TrimSpace(text[:n])
		}
	}
	return text
}

// lowerASCII folds ASCII letters only: no other letter is one of a unit, such
// as U+212A, which Unicode folds to k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// joinGroups takes the spaces out of groups of three digits: 84 000 is 84000. A
// text without spaces is left alone.
func joinGroups(s string) (joined string, ok bool) {
	groups := strings.FieldsFunc(s, isSpace)
	switch n := len(groups); {
	case n == 0:
		return "", false
	case n == 1:
		return s, true
	case utf8.RuneCountInString(s) != digits(groups)+n-1: // one space between two groups, none around them
		return "", false
	}
	if !isLead(groups[0]) {
		return "", false
	}
	for _, g := range groups[1:] {
		if len(g) != 3 {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}

// isSpace tells the spaces that people and word processors put between groups:
// the plain one and the two that do not break a line.
func isSpace(r rune) bool { return r == ' ' || r == '\u00a0' || r == '\u202f' }

// isLead tells whether s can stand before a group of three digits.
func isLead(s string) bool { return len(s) >= 1 && len(s) <= 3 && s[0] != '0' }

// digits is how many characters the groups have; whether they are digits, and
// nothing else, fixed.Parse tells.
func digits(groups []string) (n int) {
	for _, g := range groups {
		n += utf8.RuneCountInString(g)
	}
	return n
}
