package djangoimport

import (
	"strings"
	"unicode"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// line is a one-line text by our rules; the report tells when it is another.
func (r *run) line(table string, id int64, column, s string) (string, error) {
	return r.text(table, id, column, s, account.MaxText, false)
}

func (r *run) text(table string, id int64, column, s string, maximum int, multiline bool) (string, error) {
	made := clean(s, maximum, multiline)
	if made == s {
		return s, nil
	}
	kind := TextCleaned
	if text.Len(s) > maximum {
		kind = TextCut
	}
	return made, r.odd(Oddity{table, id, column, s, made, kind})
}

// clean is a text without what our rules refuse: broken text, control characters
// (a break of lines becomes a blank in one line) and what is over the limit.
func clean(s string, maximum int, multiline bool) string {
	s = strings.ToValidUTF8(s, "")
	if text.Unprintable(s, multiline) {
		s = strings.Map(func(r rune) rune {
			switch {
			case !text.Unprintable(string(r), multiline):
				return r
			case unicode.IsSpace(r):
				return ' '
			}
			return -1
		}, s)
	}
	if text.Len(s) > maximum {
		s = string([]rune(s)[:maximum])
	}
	return s
}

// visible tells whether there is something to see in a text.
func visible(s string) bool {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) != ""
}
