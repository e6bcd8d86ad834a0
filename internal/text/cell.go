package text

import "strings"

// formula are the characters that make a spreadsheet take a cell for a formula
// (promise I7); the quote is among them so that PlainCell can take back what
// SafeCell has put before a cell.
const formula = "=+-@\t\r'"

// SafeCell is s as a cell of a table that no spreadsheet takes for a formula.
func SafeCell(s string) string {
	if s != "" && strings.ContainsRune(formula, rune(s[0])) {
		return "'" + s
	}
	return s
}

// PlainCell is the text that SafeCell has made a cell of.
func PlainCell(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsRune(formula, rune(s[1])) {
		return s[1:]
	}
	return s
}
