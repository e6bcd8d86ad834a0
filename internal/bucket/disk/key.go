package disk

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkKey refuses keys that could mean another file than the one they name
// (promise U1). The os.Root would not let them out of the folder either; this
// is the reason that a caller sees. Keys of older data may hold letters of any
// language.
func checkKey(key string) error {
	if key == "" || len(key) > 1024 || !utf8.ValidString(key) {
		return fmt.Errorf("the key %.100q is empty, too long or no text", key)
	}
	for _, r := range key {
		if r < ' ' || r == 0x7f || r == '\\' {
			return fmt.Errorf("the key %q has a character that keys do not have", key)
		}
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment[0] == '.' || len(segment) > 255 {
			return fmt.Errorf("the key %q has a segment that is empty, too long or begins with a dot", key)
		}
	}
	return nil
}

func isKey(key string) bool { return checkKey(key) == nil }
