// Package fixed is arithmetic on decimals with two places: money in cents,
// percentages and other quantities in hundredths. Nothing here is ever a
// floating-point number.
package fixed

import (
	"database/sql/driver"
	"math/bits"
	"strconv"
	"strings"
)

// Amount is a decimal with two places, counted in hundredths: 1234.50 is 123450.
type Amount int64

// The bounds of what clients may send: 10 digits, of which 2 are decimals.
const (
	MaxDigits = 10
	Places    = 2
	Max       = Amount(9_999_999_999) // 99,999,999.99
	Hundred   = Amount(100_00)        // 100, as in percent
)

// maxText bounds what is looked at: a longer text cannot be a plain number.
const maxText = 32

// Error says why a text is not an Amount. Code is stable; the words are those
// of Django REST framework, which clients already show.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }

// The ways in which a text can fail to be an Amount.
var (
	ErrInvalid  = &Error{"invalid", "A valid number is required."}
	ErrNegative = &Error{"min_value", "Ensure this value is greater than or equal to 0."}
	ErrDigits   = &Error{"max_digits", "Ensure that there are no more than 10 digits in total."}
	ErrPlaces   = &Error{"max_decimal_places", "Ensure that there are no more than 2 decimal places."}
	ErrWhole    = &Error{"max_whole_digits", "Ensure that there are no more than 8 digits before the decimal point."}
)

// Parse reads a plain, non-negative decimal such as "1234.5". Exponents, signs,
// separators, NaN and Infinity are refused, and so are more digits than an
// Amount keeps: nothing is rounded. The error is one of this package's.
func Parse(s string) (Amount, error) {
	if s == "" || len(s) > maxText {
		return 0, ErrInvalid
	}
	digits, negative := strings.CutPrefix(s, "-")
	whole, frac, point := strings.Cut(digits, ".")
	if !allDigits(whole) || (point && !allDigits(frac)) {
		return 0, ErrInvalid
	}
	if negative {
		return 0, ErrNegative
	}
	switch { // zeros in front count as digits, too
	case len(whole)+len(frac) > MaxDigits:
		return 0, ErrDigits
	case len(frac) > Places:
		return 0, ErrPlaces
	case len(whole) > MaxDigits-Places:
		return 0, ErrWhole
	}
	n, err := strconv.ParseInt(whole+(frac + "00")[:Places], 10, 64)
	if err != nil {
		return 0, ErrInvalid
	}
	return Amount(n), nil
}

// ParseSigned is Parse for amounts that may be below zero.
func ParseSigned(s string) (Amount, error) {
	digits, negative := strings.CutPrefix(s, "-")
	a, err := Parse(digits)
	switch {
	case err == ErrNegative: //nolint:errorlint // Parse returns it as it is: a second sign
		return 0, ErrInvalid
	case negative:
		a = -a
	}
	return a, err
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// String is the amount with its two places: "1234.50".
func (a Amount) String() string { return string(a.append(make([]byte, 0, maxText))) }

// append is String without memory of its own: an answer may hold a thousand.
func (a Amount) append(b []byte) []byte {
	n := uint64(a)
	if a < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendUint(b, n/100, 10)
	return append(b, '.', byte('0'+n%100/10), byte('0'+n%10))
}

// MarshalText makes an Amount travel as a decimal string, in JSON too.
func (a Amount) MarshalText() ([]byte, error) { return a.append(make([]byte, 0, 16)), nil }

// UnmarshalText reads what MarshalText writes, also what is less than nothing:
// the history is read back so. What people send is read by Parse.
func (a *Amount) UnmarshalText(text []byte) error {
	n, err := ParseSigned(string(text))
	if err == nil {
		*a = n
	}
	return err
}

// Value stores the hundredths.
func (a Amount) Value() (driver.Value, error) { return int64(a), nil }

// DivRound is a·b ÷ c rounded half to even, exact in between. It panics when c
// is not positive or the result does not fit: callers bound their operands.
func DivRound(a, b, c int64) int64 {
	if c <= 0 {
		panic("fixed: divisor is not positive")
	}
	negative := (a < 0) != (b < 0)
	hi, lo := bits.Mul64(abs(a), abs(b))
	q, r := bits.Div64(hi, lo, uint64(c))
	// Half to even: up when more than half is left, or exactly half and q odd.
	if half := uint64(c) - r; r > half || (r == half && q%2 == 1) {
		q++
	}
	if q > 1<<63-1 {
		panic("fixed: result out of range")
	}
	if negative {
		return -int64(q)
	}
	return int64(q)
}

func abs(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
