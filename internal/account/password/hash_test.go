package password

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// cheap is a cost that tests can pay thousands of times.
var cheap = Params{Memory: 32, Time: 2, Slots: 2}

func hash(t *testing.T, h *Hasher, pw string) string {
	t.Helper()
	encoded, err := h.Hash(t.Context(), pw)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestHashDefaults_T1(t *testing.T) {
	encoded := hash(t, NewHasher(Params{}), "correct horse")
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash = %q", encoded)
	}
	a, ok := parse(encoded).(*argonHash)
	if !ok || len(a.salt) != 16 || len(a.key) != 32 {
		t.Errorf("Hash = %q, want 16 bytes of salt and 32 of key", encoded)
	}
}

func TestVerify_T1(t *testing.T) {
	h := NewHasher(cheap)
	const pw = "correct horse"
	today := hash(t, h, pw)
	weaker := func(p Params) string { p.Slots = 1; return hash(t, NewHasher(p), pw) }
	tests := []struct {
		name, encoded, pw string
		ok, renew         bool
	}{
		{"right", today, pw, true, false},
		{"wrong", today, "correct horsf", false, false},
		{"empty", today, "", false, false},
		{"less memory", weaker(Params{Memory: 16, Time: 2}), pw, true, true},
		{"less time", weaker(Params{Memory: 32, Time: 1}), pw, true, true},
		{"other balance", weaker(Params{Memory: 64, Time: 1}), pw, true, true},
		{"stronger", weaker(Params{Memory: 64, Time: 3, Threads: 2}), pw, true, false},
		{"weaker but wrong", weaker(Params{Memory: 16, Time: 2}), "no", false, false},
		{"no account", "", pw, false, false},
		{"no account, no password", "", "", false, false},
		{"Django's unusable", "!kTLxRIBKwBp2CY9uVOjQNKTzGBlHZWXqHGnJbJZE", pw, false, false},
		{"Django's plain text", pw, pw, false, false},
		{"cut", today[:len(today)-1], pw, false, false},
		{"other version", strings.Replace(today, "v=19", "v=16", 1), pw, false, false},
		{"other kind", strings.Replace(today, "argon2id", "argon2i", 1), pw, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ok, renew, err := h.Verify(t.Context(), tt.encoded, tt.pw)
			if ok != tt.ok || renew != tt.renew || err != nil {
				t.Errorf("Verify(%q, %q) = %v, %v, %v, want %v, %v", tt.encoded, tt.pw, ok, renew, err, tt.ok, tt.renew)
			}
		})
	}
	if again := hash(t, h, pw); again == today {
		t.Error("two hashes of one password are the same, want a salt for each")
	}
}

// The hashes that Django made are verified, and only for the very password.
func TestVerifyDjango_T1(t *testing.T) {
	var hashes [][2]string
	golden(t, "django.json", &hashes)
	h := NewHasher(cheap)
	for _, g := range hashes {
		pw, encoded := g[0], g[1]
		if ok, renew, err := h.Verify(t.Context(), encoded, pw); !ok || !renew || err != nil {
			t.Errorf("Verify(%q, %q) = %v, %v, %v, want true, true", encoded, pw, ok, renew, err)
		}
		if ok, renew, err := h.Verify(t.Context(), encoded, pw+" "); ok || renew || err != nil {
			t.Errorf("Verify(%q, %q) = %v, %v, %v, want false, false", encoded, pw+" ", ok, renew, err)
		}
	}
}

// A password counts as it was sent.
func TestHash_T2(t *testing.T) {
	h := NewHasher(cheap)
	tests := []struct {
		name, pw, other string
	}{
		{"space behind", "pass word ", "pass word"},
		{"space before", "\u00a0pass", "pass"},
		{"letter case", "Șofer", "șofer"},
		{"composition", "é", "e\u0301"},
		{"cedilla", "ş", "ș"},
		{"after 72 bytes", strings.Repeat("x", 72) + "a", strings.Repeat("x", 72) + "b"},
		{"after NUL", "a\x00b", "a\x00c"},
		{"at the limit", strings.Repeat("🚗", MaxLength), strings.Repeat("🚗", MaxLength-1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			encoded := hash(t, h, tt.pw)
			if ok, _, err := h.Verify(t.Context(), encoded, tt.pw); !ok || err != nil {
				t.Errorf("Verify(%q) = %v, %v, want true", tt.pw, ok, err)
			}
			if ok, _, err := h.Verify(t.Context(), encoded, tt.other); ok || err != nil {
				t.Errorf("Verify(%q) = %v, %v, want false", tt.other, ok, err)
			}
		})
	}
}

// What is too long is refused before any work is done, and whoever it is for.
func TestTooLong_T2(t *testing.T) {
	h := NewHasher(cheap)
	h.idKey = func([]byte, []byte, uint32, uint32, uint8, uint32) []byte { panic("hashed") }
	pw := strings.Repeat("x", MaxLength+1)
	if _, err := h.Hash(t.Context(), pw); !errors.Is(err, fault.Invalid) {
		t.Errorf("Hash = %v, want %v", err, fault.Invalid)
	}
	for _, encoded := range []string{"", argonHash{32, 2, 1, make([]byte, 16), make([]byte, 32)}.String()} {
		if ok, _, err := h.Verify(t.Context(), encoded, pw); ok || !errors.Is(err, fault.Invalid) {
			t.Errorf("Verify(%q) = %v, %v, want %v", encoded, ok, err, fault.Invalid)
		}
	}
}

// Whatever is stored, or not, Verify does the same amount of work: the time of
// an answer must not tell which accounts there are.
func TestVerifyCost_T4(t *testing.T) {
	p := Params{Memory: 19 << 10, Time: 2, Threads: 1, Slots: 1, DjangoIterations: 260_000}
	h := NewHasher(p)
	var work, rounds int
	h.idKey = func(_, _ []byte, time, memory uint32, _ uint8, n uint32) []byte {
		work += int(time) * int(memory)
		return make([]byte, n)
	}
	h.roundKey = func(_ string, _ []byte, iterations, n int) ([]byte, error) {
		rounds += iterations
		return make([]byte, n), nil
	}
	argon := func(memory, time uint32, key byte) string {
		k := make([]byte, 32)
		k[0] = key
		return argonHash{memory, time, 1, make([]byte, 16), k}.String()
	}
	tests := []struct {
		name, encoded string
		ok            bool
	}{
		{"unknown account", "", false},
		{"no usable password", "!", false},
		{"damaged", "$argon2id$v=19$m=19456,t=2,p=1$", false},
		{"out of bounds", argon(maxMemory+1, 2, 0), false},
		{"right", argon(19<<10, 2, 0), true},
		{"wrong", argon(19<<10, 2, 1), false},
		{"less memory", argon(7<<10, 3, 0), true},
		{"less time", argon(19<<10, 1, 1), false},
		{"hardly any", argon(8, 1, 0), true},
		{"Django's, right", "pbkdf2_sha256$260000$salt$" + strings.Repeat("A", 43) + "=", true},
		{"Django's, wrong", "pbkdf2_sha256$260000$salt$" + strings.Repeat("A", 42) + "E=", false},
		{"Django's, older", "pbkdf2_sha256$36000$salt$" + strings.Repeat("A", 43) + "=", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			work, rounds = 0, 0
			ok, _, err := h.Verify(t.Context(), tt.encoded, "whatever")
			if ok != tt.ok || err != nil {
				t.Errorf("Verify = %v, %v, want %v", ok, err, tt.ok)
			}
			if want := 2 * 19 << 10; work != want {
				t.Errorf("%d KiB passed over, want %d", work, want)
			}
			if rounds != p.DjangoIterations {
				t.Errorf("%d rounds, want %d", rounds, p.DjangoIterations)
			}
		})
	}
}

func TestParse(t *testing.T) {
	const salt, key = "$AAAAAAAAAAAAAAAAAAAAAA", "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	django := strings.Repeat("A", 43) + "="
	tests := []struct {
		encoded string
		want    bool
	}{
		{"$argon2id$v=19$m=19456,t=2,p=1" + salt + key, true},
		{"$argon2id$v=19$m=65536,t=16,p=4" + salt + key, true},
		{"$argon2id$v=19$m=8,t=1,p=1" + salt + key, true},
		{"$argon2id$v=19$m=65537,t=2,p=1" + salt + key, false},
		{"$argon2id$v=19$m=4294967295,t=2,p=1" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=17,p=1" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=0,p=1" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=2,p=0" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=2,p=5" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=2,p=257" + salt + key, false},
		{"$argon2id$v=19$m=7,t=2,p=1" + salt + key, false},
		{"$argon2id$v=19$m=31,t=2,p=4" + salt + key, false},
		{"$argon2id$v=19$t=2,m=19456,p=1" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=2" + salt + key, false},
		{"$argon2id$v=19$m=+19456,t=2,p=1" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=-2,p=1" + salt + key, false},
		{"$argon2id$v=19$m=19456,t=2,p=1$AAAA" + key, false},
		{"$argon2id$v=19$m=19456,t=2,p=1" + salt + "$", false},
		{"$argon2id$v=19$m=19456,t=2,p=1" + salt + "$AAAA", false},
		{"$argon2id$v=19$m=19456,t=2,p=1" + salt + key + "=", false},
		{"$argon2id$v=19$m=19456,t=2,p=1" + salt + key + "$", false},
		{"$argon2id$v=19$m=19456,t=2,p=1" + salt + "$" + strings.Repeat("A", 1000), false},
		{"pbkdf2_sha256$260000$salt$" + django, true},
		{"pbkdf2_sha256$1$s$" + django, true},
		{"pbkdf2_sha256$10000000$salt$" + django, true},
		{"pbkdf2_sha256$10000001$salt$" + django, false},
		{"pbkdf2_sha256$0$salt$" + django, false},
		{"pbkdf2_sha256$-1$salt$" + django, false},
		{"pbkdf2_sha256$260000$$" + django, false},
		{"pbkdf2_sha256$260000$salt$", false},
		{"pbkdf2_sha256$260000$salt$AAAA", false},
		{"pbkdf2_sha1$260000$salt$" + django, false},
		{"", false},
		{"!", false},
		{"!pbkdf2_sha256$260000$salt$" + django, false},
		{"$", false},
	}
	for _, tt := range tests {
		if got := parse(tt.encoded) != nil; got != tt.want {
			t.Errorf("parse(%q) reads it: %v, want %v", tt.encoded, got, tt.want)
		}
	}
}

// fill takes every slot of h until the returned function is called.
func fill(h *Hasher) (release func()) {
	done := make(chan struct{})
	for range h.Slots() {
		go h.lane.do(context.Background(), func() { <-done })
	}
	return func() { close(done) }
}

func TestLaneWaits_T21(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(cheap)
		release := fill(h)
		synctest.Wait()
		start := time.Now()
		_, err := h.Hash(t.Context(), "x")
		if f := fault.As(err); f == nil || f.Kind != fault.Unavailable || f.RetryAfter != time.Second {
			t.Errorf("Hash in a full lane = %v, want %v", err, fault.Unavailable)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("gave up after %v, want 2 s", d)
		}
		// With the lane free again, the next one runs at once.
		release()
		synctest.Wait()
		if _, err := h.Hash(t.Context(), "x"); err != nil {
			t.Errorf("Hash = %v", err)
		}
		if r, w := h.Running(), h.Waiting(); r != 0 || w != 0 {
			t.Errorf("%d running, %d waiting, want none", r, w)
		}
	})
}

func TestLaneFollowsContext_O4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(cheap)
		defer fill(h)()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, _, err := h.Verify(ctx, "", "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Verify = %v, want %v", err, context.DeadlineExceeded)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("waited %v, want 1 s", d)
		}
		if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hash after its context = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// Above the cap of the queue the answer comes at once.
func TestLaneQueue_O2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := cheap
		p.Queue = 3
		h := NewHasher(p)
		release := fill(h)
		synctest.Wait()
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := h.Hash(t.Context(), "x")
				errs <- err
			}()
		}
		synctest.Wait()
		if r, w := h.Running(), h.Waiting(); r != 2 || w != 3 {
			t.Errorf("%d running, %d waiting, want 2 and 3", r, w)
		}
		start := time.Now()
		if _, err := h.Hash(t.Context(), "x"); !errors.Is(err, fault.Unavailable) || time.Since(start) != 0 {
			t.Errorf("Hash = %v after %v, want %v at once", err, time.Since(start), fault.Unavailable)
		}
		release()
		for range 3 {
			if err := <-errs; err != nil {
				t.Errorf("Hash of one that waited = %v", err)
			}
		}
	})
}

// A panic inside the lane ends its caller alone and gives the slot back.
func TestLanePanic_O5(t *testing.T) {
	h := NewHasher(cheap)
	h.idKey = func([]byte, []byte, uint32, uint32, uint8, uint32) []byte { panic("bug") }
	for range 3 * h.Slots() {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = h.Hash(t.Context(), "x")
		}()
	}
	if r := h.Running(); r != 0 {
		t.Errorf("%d slots leaked", r)
	}
}

func TestSlots_T21(t *testing.T) {
	const perHash = 19 << 20
	tests := []struct {
		name   string
		cores  int
		memory int64
		want   int
	}{
		{"by cores", 2, 24 << 30, 2},
		{"by memory", 8, 256 << 20, 3},
		{"tiny", 8, 32 << 20, 1},
		{"unknown memory", 4, 0, 4},
	}
	for _, tt := range tests {
		if got := slots(tt.cores, tt.memory, perHash); got != tt.want {
			t.Errorf("%s: slots = %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := memTotal("MemTotal:       24684460 kB\nMemFree: 1 kB\n"); got != 24684460<<10 {
		t.Errorf("memTotal = %d", got)
	}
}

func TestNewHasherRefuses(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("NewHasher took a cost that Verify would refuse")
		}
	}()
	NewHasher(Params{Memory: maxMemory + 1})
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("pbkdf2_sha256$260000$salt$" + strings.Repeat("A", 43) + "=")
	f.Add("!")
	f.Fuzz(func(t *testing.T, encoded string) {
		switch s := parse(encoded).(type) {
		case *argonHash:
			if !s.sane() || s.work() > maxMemory*maxTime {
				t.Errorf("%q costs %+v", encoded, s)
			}
			if again, ok := parse(s.String()).(*argonHash); !ok || again.String() != s.String() {
				t.Errorf("%q does not survive a round trip", encoded)
			}
		case *djangoHash:
			if s.iterations < 1 || s.iterations > maxIterations || len(s.key) != 32 {
				t.Errorf("%q costs %+v", encoded, s)
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	h := NewHasher(Params{Memory: 8, Time: 1, Slots: 1})
	// The cost of a stored hash is not what is tried here.
	h.idKey = func(pw, salt []byte, _, _ uint32, threads uint8, n uint32) []byte {
		return argon2.IDKey(pw, salt, 1, 32, threads, n)
	}
	h.roundKey = func(pw string, salt []byte, _, n int) ([]byte, error) {
		return pbkdf2.Key(sha256.New, pw, salt, 1, n)
	}
	f.Add("correct horse", "correct horsf")
	f.Add("", "!")
	f.Fuzz(func(t *testing.T, pw, other string) {
		if CheckLength(pw) != nil || CheckLength(other) != nil {
			return
		}
		encoded := hash(t, h, pw)
		if ok, _, err := h.Verify(t.Context(), encoded, pw); !ok || err != nil {
			t.Errorf("Verify(%q) = %v, %v, want true", pw, ok, err)
		}
		if ok, _, err := h.Verify(t.Context(), encoded, other); ok != (pw == other) || err != nil {
			t.Errorf("Verify(%q) of %q = %v, %v", other, pw, ok, err)
		}
		if ok, _, err := h.Verify(t.Context(), other, pw); ok || err != nil {
			t.Errorf("Verify(%q, %q) = %v, %v", other, pw, ok, err)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h := NewHasher(Params{})
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	h := NewHasher(Params{})
	today, err := h.Hash(b.Context(), "correct horse")
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct{ name, encoded string }{
		{"today", today},
		{"unknown", ""},
		{"weaker", argonHash{9 << 10, 1, 1, make([]byte, 16), make([]byte, 32)}.String()},
		{"django", "pbkdf2_sha256$260000$salt$" + strings.Repeat("A", 43) + "="},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := h.Verify(b.Context(), bb.encoded, "correct horse"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
