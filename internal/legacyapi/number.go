package legacyapi

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"
)

var errNoInt = errors.New("not a whole number")

// pythonInt reads a number as Python's int does, which the older backend called:
// blanks around it, a sign, zeros in front, underscores between digits, and the
// digits of every script. The error is errNoInt, or [strconv.ErrRange] for a
// number that is too large.
func pythonInt(text string) (int64, error) {
	digits := strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' })
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	n, after, over := int64(0), false, false // after: a digit stands before
	for _, r := range digits {
		switch d, ok := digit(r); {
		case r == '_' && after:
			after = false
		case !ok:
			return 0, errNoInt
		default:
			over = over || n > (math.MaxInt64-d)/10
			if after = true; !over {
				n = 10*n + d
			}
		}
	}
	switch {
	case !after:
		return 0, errNoInt
	case over:
		return 0, strconv.ErrRange
	case negative:
		n = -n
	}
	return n, nil
}

// digit is the value of a decimal digit of any script: they stand ten in a row.
func digit(r rune) (n int64, ok bool) {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return int64(r-rune(t.Lo)) % 10, true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return int64(r-rune(t.Lo)) % 10, true
		}
	}
	return 0, false
}
