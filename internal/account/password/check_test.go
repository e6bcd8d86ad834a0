package password

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// golden reads an answer of the older server; testdata/golden.py wrote them.
func golden(tb testing.TB, name string, into any) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
}

// verdict is a password, whose it is, and what Django says about it.
type verdict struct {
	pw, name, email string
	want            []Failure
}

func (v *verdict) UnmarshalJSON(text []byte) error {
	var fs [][2]string
	if err := json.Unmarshal(text, &[]any{&v.pw, &v.name, &v.email, &fs}); err != nil {
		return err
	}
	for _, f := range fs {
		v.want = append(v.want, Failure{f[0], f[1]})
	}
	return nil
}

func TestCheck_T3(t *testing.T) {
	var vs []verdict
	golden(t, "verdicts.json", &vs)
	if len(vs) < 2000 {
		t.Fatalf("%d verdicts, want thousands", len(vs))
	}
	for _, v := range vs {
		if got := Check(v.pw, v.name, v.email); !slices.Equal(got, v.want) {
			t.Errorf("Check(%q, %q, %q) = %v, want %v", v.pw, v.name, v.email, got, v.want)
		}
	}
}

func TestCheckLength_T2(t *testing.T) {
	tests := []struct {
		name string
		pw   string
		want []Failure
	}{
		{"empty", "", nil},
		{"short", "x", nil}, // too short is no matter here
		{"at the limit", strings.Repeat("x", MaxLength), nil},
		{"over it", strings.Repeat("x", MaxLength+1), []Failure{tooLong}},
		{"at the limit, four bytes each", strings.Repeat("🚗", MaxLength), nil},
		{"over it, four bytes each", strings.Repeat("🚗", MaxLength+1), []Failure{tooLong}},
		{"spaces count", strings.Repeat(" ", MaxLength+1), []Failure{tooLong}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := CheckLength(tt.pw); !slices.Equal(got, tt.want) {
				t.Errorf("CheckLength = %v, want %v", got, tt.want)
			}
			// Too long is all that is said, whatever else is wrong.
			if got := Check(tt.pw, tt.pw, tt.pw); tt.want != nil && !slices.Equal(got, tt.want) {
				t.Errorf("Check = %v, want %v", got, tt.want)
			}
		})
	}
}

// Every comparison costs the length of the password and of what it is held
// against. However an attribute is cut into words, the sum stays linear.
func TestCheckIsLinear_I11(t *testing.T) {
	long := strings.Repeat("ab", MaxLength/2)
	tests := []struct {
		name, pw, value string
	}{
		{"many short words", long, strings.Repeat("a.", 500)},
		{"words at the threshold", long, strings.Repeat(strings.Repeat("a", 103)+" ", 10)},
		{"words just under it", long, strings.Repeat(strings.Repeat("a", 102)+" ", 10)},
		{"only separators", long, strings.Repeat(".", 1000)},
		{"short password", "abcdefgh", strings.Repeat("a.", 500)},
		{"empty password", "", strings.Repeat(".", 1000)},
		{"sigmas", strings.Repeat("Σ", MaxLength), strings.Repeat("Σ", 1000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pw, value := []rune(tt.pw), []rune(tt.value)
			work := 0
			for part := range candidates(pw, value) {
				work += len(pw) + len(part)
			}
			if limit := 12*2*len(value) + len(pw); work > limit {
				t.Errorf("%d code points compared, want %d at most", work, limit)
			}
		})
	}
}

// codePoints is a set of them, as ranges.
type codePoints [][2]rune

func (cs codePoints) has(r rune) bool {
	_, ok := slices.BinarySearchFunc(cs, r, func(c [2]rune, r rune) int {
		switch {
		case c[1] < r:
			return -1
		default:
			return cmp.Compare(max(c[0], r), r)
		}
	})
	return ok
}

// Python's idea of words, digits, spaces and letter case, for all of Unicode as
// far as both sides know it.
func TestUnicode_T3(t *testing.T) {
	var want struct {
		Unassigned, Word, Digit, Space, Cased, Ignorable codePoints
		Lower                                            []lowered
	}
	golden(t, "unicode.json", &want)
	low := make(map[rune]string)
	for _, l := range want.Lower {
		low[l.from] = l.to
	}
	checked := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || want.Unassigned.has(r) {
			continue
		}
		checked++
		to, ok := low[r]
		if !ok {
			to = string(r)
		}
		got := []any{isWord(r), isDigit(r), isSpace(r), isCased(r) && !isCaseIgnorable(r), isCaseIgnorable(r), string(lower([]rune{r}))}
		want := []any{want.Word.has(r), want.Digit.has(r), want.Space.has(r), want.Cased.has(r), want.Ignorable.has(r), to}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%U: word, digit, space, cased, ignorable, lower = %v, want %v", r, got, want)
		}
	}
	if checked < 280_000 {
		t.Errorf("%d code points checked, want all of Unicode", checked)
	}
}

type lowered struct {
	from rune
	to   string
}

func (l *lowered) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&l.from, &l.to})
}

func TestCommonPasswords_T3(t *testing.T) {
	// 19,726 line ends, and a last line without one.
	if got := len(commonPasswords()); got != 19_727 {
		t.Errorf("%d common passwords, want 19,727", got)
	}
	for _, pw := range []string{"password", "trustno1", "bigpimpin1"} {
		if !common(pw) {
			t.Errorf("common(%q) = false", pw)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("password", "Ana", "ana@example.com")
	f.Add("", "!", "@")
	f.Add("İΣ.Σ'", "ΑΣ", "\xff\x00")
	f.Add("\x1c\x85\u3000", "_", ".@.")
	f.Fuzz(func(t *testing.T, pw, name, email string) {
		got := Check(pw, name, email)
		has := func(f Failure) bool { return slices.Contains(got, f) }
		n := utf8.RuneCountInString(pw)
		if has(tooLong) != (n > MaxLength) {
			t.Errorf("length %d: %v", n, got)
		}
		if has(tooLong) {
			return
		}
		if has(tooShort) != (n < MinLength) {
			t.Errorf("length %d: %v", n, got)
		}
		if has(similarEmail) && has(similarName) {
			t.Error("two similarities told, want one")
		}
		// Whoever takes a name or an address as it is, is refused.
		if pw != "" && (pw == name || pw == email) && !has(similarEmail) && !has(similarName) {
			t.Errorf("Check(%q, %q, %q) = %v", pw, name, email, got)
		}
	})
}

func FuzzLower(f *testing.F) {
	for _, s := range []string{"", "ΑΣ", "ΑΣ.", "ΑΣ.Α", "Σ", "İ", "ŞȘ", "ǅ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := string(lower([]rune(s)))
		// Apart from its two special cases, lower is Go's.
		plain := strings.NewReplacer("ς", "σ", "\u0307", "").Replace
		if want := strings.ToLower(string([]rune(s))); plain(got) != plain(want) {
			t.Errorf("lower(%q) = %q, want %q", s, got, want)
		}
		if again := string(lower([]rune(got))); again != got {
			t.Errorf("lower(%q) = %q", got, again)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	b.Run("usual", func(b *testing.B) {
		for b.Loop() {
			Check("correct horse battery staple", "Ana Popescu", "ana.popescu@example.com")
		}
	})
	b.Run("longest", func(b *testing.B) {
		pw, value := strings.Repeat("aΣ", MaxLength/2), strings.Repeat(strings.Repeat("a", 103)+".", 3)
		for b.Loop() {
			Check(pw, value, value)
		}
	})
}
