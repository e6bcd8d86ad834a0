// Package password decides which passwords are good enough, and turns them into
// what may rest in a database.
//
// A password counts exactly as it was sent: it is never trimmed, folded,
// normalised or cut before it is hashed. Only the checks look at it through a
// lower-case lens, and they do so with the rules of the server that came before
// this one (Django 3.2.25 on Python 3), so that nobody's password is judged
// differently today.
package password

import (
	"iter"
	"slices"
	"unicode/utf8"
)

// The bounds of a password, in code points.
const (
	MinLength = 8
	MaxLength = 1024
)

// maxSimilarity is the ratio from which a password counts as similar to
// something that is known about its owner.
const maxSimilarity = 0.7

// Failure is one reason to refuse a password. Its texts are part of the API.
type Failure struct {
	Code    string // stable, for programs
	Message string // one sentence, for people
}

// The failures that Check knows.
var (
	tooLong      = Failure{"max_length", "Ensure this field has no more than 1024 characters."}
	similarEmail = Failure{"password_too_similar", "The password is too similar to the email address."}
	similarName  = Failure{"password_too_similar", "The password is too similar to the name."}
	tooShort     = Failure{"password_too_short", "This password is too short. It must contain at least 8 characters."}
	tooCommon    = Failure{"password_too_common", "This password is too common."}
	allNumeric   = Failure{"password_entirely_numeric", "This password is entirely numeric."}
)

// Check returns every reason to refuse pw as the password of somebody with this
// name and e-mail address, nil if there is none. The four checks, their order,
// verdicts and texts are Django's; like there, one similarity is told, not two: that to
// the name before that to the address.
//
// A password that is too long gets that answer alone, so that the work here is
// bounded by lengths that the caller knows (name and address included).
func Check(pw, name, email string) []Failure {
	if fs := CheckLength(pw); fs != nil {
		return fs
	}
	var fs []Failure
	low := lower([]rune(pw))
	switch {
	case similar(low, name): // asked of the name first, as Django does
		fs = append(fs, similarName)
	case similar(low, email):
		fs = append(fs, similarEmail)
	}
	if utf8.RuneCountInString(pw) < MinLength {
		fs = append(fs, tooShort)
	}
	if common(string(strip(low))) {
		fs = append(fs, tooCommon)
	}
	if numeric(pw) {
		fs = append(fs, allNumeric)
	}
	return fs
}

// CheckLength refuses only what is too long to be looked at. Sign-in calls it
// before any hashing: there, no other rule may reveal which passwords are good.
func CheckLength(pw string) []Failure {
	// A code point has one byte at least: most texts need no counting.
	if len(pw) > MaxLength && utf8.RuneCountInString(pw) > MaxLength {
		return []Failure{tooLong}
	}
	return nil
}

// similar tells whether pw, in lower case, comes too close to an attribute of
// its owner, or to a word of it.
func similar(pw []rune, attribute string) bool {
	if attribute == "" {
		return false
	}
	for part := range candidates(pw, lower([]rune(attribute))) {
		if ratio(pw, part) >= maxSimilarity {
			return true
		}
	}
	return false
}

// candidates yields the words of value, then the whole of it, without those
// that are too short beside pw to be similar. That is more than a saving: what
// remains is longer than a tenth of pw, so that all comparisons together cost
// time in proportion to the length of value.
func candidates(pw, value []rune) iter.Seq[[]rune] {
	return func(yield func([]rune) bool) {
		for w := range words(value) {
			if !tooDistant(pw, w) && !yield(w) {
				return
			}
		}
		if !tooDistant(pw, value) {
			yield(value)
		}
	}
}

// words splits value as Python's re.split(r"\W+", value) does: a separator at
// either end leaves an empty word there.
func words(value []rune) iter.Seq[[]rune] {
	return func(yield func([]rune) bool) {
		for rest := value; ; {
			end := slices.IndexFunc(rest, func(r rune) bool { return !isWord(r) })
			if end < 0 {
				yield(rest)
				return
			}
			if !yield(rest[:end]) {
				return
			}
			rest = rest[end:]
			if next := slices.IndexFunc(rest, isWord); next < 0 {
				rest = nil
			} else {
				rest = rest[next:]
			}
		}
	}
}

// tooDistant tells from the lengths alone that part is no match for pw.
func tooDistant(pw, part []rune) bool {
	return len(pw) >= 10*len(part) && float64(len(part)) < maxSimilarity/2*float64(len(pw))
}

// ratio is the upper bound of similarity that Python's difflib calls the quick
// ratio: twice what two texts have in common, as bags of code points, by the sum
// of their lengths.
func ratio(a, b []rune) float64 {
	if len(a)+len(b) == 0 {
		return 1
	}
	bag := make(map[rune]int, len(b))
	for _, r := range b {
		bag[r]++
	}
	matches := 0
	for _, r := range a {
		if bag[r] > 0 {
			bag[r]--
			matches++
		}
	}
	return 2 * float64(matches) / float64(len(a)+len(b))
}

// numeric tells whether pw is digits from end to end, of whatever script.
func numeric(pw string) bool {
	for _, r := range pw {
		if !isDigit(r) {
			return false
		}
	}
	return pw != ""
}
