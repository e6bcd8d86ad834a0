package text_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/text"
)

func TestFold(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"Dacia LOGAN", "dacia logan"},
		{"Škoda", "skoda"},
		{"SˇKODA", "s\u02c7koda"}, // a caron that stands alone belongs to no letter
		{"S\u030cKODA", "skoda"},  // one that combines does
		// The comma and the cedilla forms, composed and in parts.
		{"Brașov", "brasov"},
		{"Braşov", "brasov"},
		{"Bras\u0326ov", "brasov"},
		{"Bras\u0327ov", "brasov"},
		{"CONSTANȚA", "constanta"},
		{"CONSTANŢA", "constanta"},
		{"Târgu Mureș", "targu mures"},
		{"Tîrgu Mureş", "tirgu mures"},
		{"ȘȚĂÂÎ șțăâî ŞŢ şţ", "staai staai st st"},
		{"Citroën", "citroen"},
		{"Größe", "grosse"},
		{"GRÖẞE", "grosse"},
		{"Łódź", "lodz"},
		{"Đakovo", "dakovo"},
		{"Ærø", "aero"},
		{"İstanbul ısı", "istanbul isi"},
		{"Москва Й", "москва и"},
		{"ΣΊΣΥΦΟΣ", "σισυφοσ"},
		{"Σίσυφος", "σισυφοσ"},
		{"ﬁat", "fiat"},
		{"Ｆｉａｔ", "fiat"},
	}
	for _, tt := range tests {
		if got := text.Fold(tt.in); got != tt.want {
			t.Errorf("Fold(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestWords(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" \t\n-–'\"*:&|!()", nil},
		{"Dacia Logan 1.5 dCi", []string{"dacia", "logan", "1", "5", "dci"}},
		{"Logan, LOGAN; logan!", []string{"logan"}},
		{"Brașov Braşov Brasov", []string{"brasov"}},
		{"e-tron/GT", []string{"e", "tron", "gt"}},
		{"O'Hara & sons", []string{"o", "hara", "sons"}},
		{"🚗 mașină 🚕", []string{"masina"}},
		{"Москва", []string{"москва"}},
		{"a\x00b", []string{"a", "b"}},
	}
	for _, tt := range tests {
		if got := text.Words(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("Words(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Folding can make a letter longer, so the limits hold for what comes out.
func TestLimits_I3(t *testing.T) {
	for _, in := range []string{strings.Repeat("a", 5000), strings.Repeat("ﷺ", 255), strings.Repeat("ß", 300), strings.Repeat("日", 300), strings.Repeat("𐓘", 100)} {
		for _, w := range text.Words(in) {
			if n := utf8.RuneCountInString(w); n > 40 {
				t.Errorf("Words(%.12q…) has a word of %d code points, want at most 40", in, n)
			}
		}
		if n := utf8.RuneCountInString(text.Key(in)); n > 255 {
			t.Errorf("Key(%.12q…) has %d code points, want at most 255", in, n)
		}
	}
	if got := text.Words(strings.Repeat("x", 41) + " " + strings.Repeat("x", 42)); len(got) != 1 {
		t.Errorf("two words alike in what is kept of them give %q, want one", got)
	}
}

func TestKey(t *testing.T) {
	want := text.Key("Škoda Octavia")
	for _, in := range []string{"skoda octavia", "  SKODA\t OCTAVIA ", "Škoda Octavia"} {
		if got := text.Key(in); got != want {
			t.Errorf("Key(%q) = %q, want %q", in, got, want)
		}
	}
	if text.Key("Skoda") == text.Key("Škodaa") {
		t.Error("two names have one key")
	}
}

func TestUnprintable(t *testing.T) {
	tests := []struct {
		in             string
		one, multiline bool
	}{
		{"", false, false},
		{"Ștefan – 日本 🚗", false, false},
		{"a\nb", true, false},
		{"a\r\nb\tc", true, false},
		{"a\x00b", true, true},
		{"a\x1bb", true, true},
		{"a\x7fb", true, true},
		{"a\u0085b", true, true},
		{"a\u2028b", true, true},
		{"a\u202eb", true, true},
		{"a\u2066b", true, true},
		{"a\u200db", false, false}, // joins parts of emoji
	}
	for _, tt := range tests {
		if one, multi := text.Unprintable(tt.in, false), text.Unprintable(tt.in, true); one != tt.one || multi != tt.multiline {
			t.Errorf("Unprintable(%q) = %v on one line, %v on many, want %v, %v", tt.in, one, multi, tt.one, tt.multiline)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Brașov", "ﬁ", "İ", "ẞ", "\xff", "a\u0301", "𐓘", "ﷺ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := text.Fold(s)
		for _, r := range folded {
			if unicode.Is(unicode.Mn, r) || unicode.IsUpper(r) && unicode.ToLower(r) != r {
				t.Fatalf("Fold(%q) = %q holds %q", s, folded, r)
			}
		}
		if again := text.Fold(folded); again != folded {
			t.Fatalf("Fold(Fold(%q)) = %q, want %q", s, again, folded)
		}
		// What a post is stored by is found by the words as they are typed.
		words := text.Words(s)
		for _, w := range words {
			if w == "" || strings.ContainsAny(w, " '\"*:&|!()\\") {
				t.Fatalf("Words(%q) has %q", s, w)
			}
		}
		if again := text.Words(strings.Join(words, " ")); !slices.Equal(again, words) {
			t.Fatalf("Words(%q) = %q, and of those %q", s, words, again)
		}
	})
}

// FuzzCell_I7 puts any text into a cell and takes it out again: the same text,
// and never a formula.
func FuzzCell_I7(f *testing.F) {
	for _, seed := range []string{"", "=1", "'=1", "''", "x", "-", "\t", "@a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cell := text.SafeCell(s)
		if got := text.PlainCell(cell); got != s {
			t.Errorf("a cell of %q comes back as %q", s, got)
		}
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			t.Errorf("cell %q is a formula", cell)
		}
	})
}
