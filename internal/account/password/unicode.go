package password

import (
	"slices"
	"unicode"
)

// This file holds what Python 3's str knows about code points, where Go's own
// functions mean something else: Go's \W knows ASCII only, unicode.IsDigit
// leaves out superscripts and circled digits, unicode.IsSpace the separators
// from U+001C to U+001F, and unicode.ToLower looks at one code point at a time.
// Python 3.11 has the tables of Unicode 14 and Go newer ones: they agree on every
// code point that both know, and on the others the newer ones count.

// isWord is \w of Python's re: str.isalnum, or an underscore.
func isWord(r rune) bool {
	return r == '_' || unicode.In(r, unicode.L, unicode.N)
}

// isDigit is str.isdigit.
func isDigit(r rune) bool {
	return unicode.Is(unicode.Nd, r) || unicode.Is(otherDigit, r)
}

// otherDigit has the digits that do not stand in a decimal place system: the
// code points whose Unicode Numeric_Type is Digit.
var otherDigit = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00b2, Hi: 0x00b3, Stride: 1},
		{Lo: 0x00b9, Hi: 0x00b9, Stride: 1},
		{Lo: 0x1369, Hi: 0x1371, Stride: 1},
		{Lo: 0x19da, Hi: 0x19da, Stride: 1},
		{Lo: 0x2070, Hi: 0x2070, Stride: 1},
		{Lo: 0x2074, Hi: 0x2079, Stride: 1},
		{Lo: 0x2080, Hi: 0x2089, Stride: 1},
		{Lo: 0x2460, Hi: 0x2468, Stride: 1},
		{Lo: 0x2474, Hi: 0x247c, Stride: 1},
		{Lo: 0x2488, Hi: 0x2490, Stride: 1},
		{Lo: 0x24ea, Hi: 0x24ea, Stride: 1},
		{Lo: 0x24f5, Hi: 0x24fd, Stride: 1},
		{Lo: 0x24ff, Hi: 0x24ff, Stride: 1},
		{Lo: 0x2776, Hi: 0x277e, Stride: 1},
		{Lo: 0x2780, Hi: 0x2788, Stride: 1},
		{Lo: 0x278a, Hi: 0x2792, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x10a40, Hi: 0x10a43, Stride: 1},
		{Lo: 0x10e60, Hi: 0x10e68, Stride: 1},
		{Lo: 0x11052, Hi: 0x1105a, Stride: 1},
		{Lo: 0x1f100, Hi: 0x1f10a, Stride: 1},
	},
	LatinOffset: 2,
}

// isSpace is what str.strip takes away.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

// strip is str.strip.
func strip(s []rune) []rune {
	first := slices.IndexFunc(s, func(r rune) bool { return !isSpace(r) })
	if first < 0 {
		return nil
	}
	last := len(s) - 1
	for isSpace(s[last]) {
		last--
	}
	return s[first : last+1]
}

// lower is str.lower, the full mapping of Unicode: a capital sigma at the end of
// a word becomes ς, and İ becomes two code points.
func lower(s []rune) []rune {
	out := make([]rune, 0, len(s)+1)
	inWord := false // a cased letter stands before, with nothing but ignorable ones between
	for i, r := range s {
		switch {
		case r == 'İ':
			out = append(out, 'i', '\u0307')
		case r == 'Σ' && inWord && !casedAhead(s[i+1:]):
			out = append(out, 'ς')
		default:
			out = append(out, unicode.ToLower(r))
		}
		if !isCaseIgnorable(r) {
			inWord = isCased(r)
		}
	}
	return out
}

// casedAhead tells whether the first code point of s that counts is cased.
func casedAhead(s []rune) bool {
	i := slices.IndexFunc(s, func(r rune) bool { return !isCaseIgnorable(r) })
	return i >= 0 && isCased(s[i])
}

// isCased has Unicode's property Cased.
func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// isCaseIgnorable has Unicode's property Case_Ignorable: marks, modifiers,
// format characters, and the punctuation that may stand inside a word.
func isCaseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '\u00b7', '\u0387', '\u055f', '\u05f4', '\u2018', '\u2019', '\u2024', '\u2027',
		'\ufe13', '\ufe52', '\ufe55', '\uff07', '\uff0e', '\uff1a':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
