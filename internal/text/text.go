// Package text holds what the product takes for the same word: letters are
// compared without regard to case and diacritics, and the same way on every
// database engine, because it is done here and stored.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// undecomposed are Latin letters that Unicode does not take apart into a base
// letter and a mark, yet that people type without, and the sigma at the end of
// a Greek word, which is the same letter as in its midst.
var undecomposed = strings.NewReplacer(
	"ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ł", "l", "ı", "i", "þ", "th", "ħ", "h", "ς", "σ",
)

// Fold is s in lower case without diacritics: "Škoda" and "skoda" fold to the
// same, and so do the comma and the cedilla forms of the Romanian ș and ț.
func Fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return undecomposed.Replace(b.String())
}

// The most code points of a folded word and of a folded name that are kept:
// the indexes of both engines have room for them, whatever folding made of a
// letter.
const (
	maxWord = 40
	maxKey  = 255
)

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// Words are the folded runs of letters and digits of s, in order, each once.
func Words(s string) []string {
	words := strings.FieldsFunc(Fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	seen := make(map[string]bool, len(words))
	out := words[:0]
	for _, w := range words {
		w = clip(w, maxWord)
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// Key is what two spellings of one name have in common: the folded text with
// single spaces.
func Key(s string) string { return clip(strings.Join(strings.Fields(Fold(s)), " "), maxKey) }

// Len counts code points, the unit of every limit on text.
func Len(s string) int { return utf8.RuneCountInString(s) }

// Unprintable tells whether s holds a control character other than the line
// breaks and tabs of prose, or a character that reorders the text around it.
func Unprintable(s string, multiline bool) bool {
	for _, r := range s {
		switch {
		case multiline && (r == '\n' || r == '\r' || r == '\t'):
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return true
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return true
		}
	}
	return false
}
