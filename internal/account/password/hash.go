package password

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// Params says what a hash costs and how many may be made at once. The zero
// value is what a server runs with; tests take cheaper ones.
type Params struct {
	Memory  uint32 // KiB; 19 MiB unless set
	Time    uint32 // passes over the memory; 2 unless set
	Threads uint8  // 1 unless set: the lane gives every core its own hash

	Slots int           // hashes at once; by cores and memory unless set
	Queue int           // callers that may wait for a slot, the next is refused; 64 a slot unless set
	Wait  time.Duration // how long they wait; 2 s unless set

	// DjangoIterations is the cost of the Django hashes that are still stored.
	// With it, every verification also runs so many rounds of PBKDF2, so that
	// time does not tell an imported account from one that does not exist. A
	// database without such accounts leaves it 0 and saves the work.
	DjangoIterations int

	Done func(took time.Duration) // is told of each hash or check, without the waiting; may be nil
}

const (
	saltSize = 16
	keySize  = 32
)

// Hasher makes and verifies what is stored of a password. The work is made to be
// expensive, so it runs in a lane of few slots: a flood of sign-ins fills the
// lane, not the machine.
type Hasher struct {
	cost Params
	lane *lane

	// Tests count the work here; it is argon2 and pbkdf2 otherwise.
	idKey    func(pw, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte
	roundKey func(pw string, salt []byte, iterations, keyLen int) ([]byte, error)
}

// NewHasher returns a Hasher that makes Argon2id hashes of the given cost. It
// panics on a cost that it would refuse to verify.
func NewHasher(p Params) *Hasher {
	if p.Memory == 0 {
		p.Memory = 19 << 10
	}
	if p.Time == 0 {
		p.Time = 2
	}
	if p.Threads == 0 {
		p.Threads = 1
	}
	if p.Slots == 0 {
		p.Slots = slots(runtime.GOMAXPROCS(0), memoryLimit(), int64(p.Memory)<<10)
	}
	if p.Queue == 0 {
		p.Queue = 64 * p.Slots
	}
	if p.Wait == 0 {
		p.Wait = 2 * time.Second
	}
	if c := (argonHash{memory: p.Memory, time: p.Time, threads: p.Threads}); !c.sane() || p.DjangoIterations > maxIterations {
		panic(fmt.Sprintf("password: cost out of range: %+v", p))
	}
	return &Hasher{
		cost:  p,
		lane:  newLane(p.Slots, p.Queue, p.Wait, p.Done),
		idKey: argon2.IDKey,
		roundKey: func(pw string, salt []byte, iterations, keyLen int) ([]byte, error) {
			return pbkdf2.Key(sha256.New, pw, salt, iterations, keyLen)
		},
	}
}

// Known tells whether somebody could sign in with the stored hash: that it is of
// one of the kinds that Verify reads.
func Known(encoded string) bool { return parse(encoded) != nil }

// Slots is how many hashes may be in the making at once.
func (h *Hasher) Slots() int { return cap(h.lane.slots) }

// Running is how many hashes are in the making.
func (h *Hasher) Running() int { return len(h.lane.slots) }

// Waiting is how many callers wait for their turn.
func (h *Hasher) Waiting() int { return int(h.lane.waiting.Load()) }

// GivenUp is how many callers were turned away since the start: too many waited
// before them, or they had waited for too long.
func (h *Hasher) GivenUp() int64 { return h.lane.givenUp.Load() }

// Hash returns what to store for pw: an Argon2id hash in PHC format, with a salt
// of its own. If the lane is full for too long the error is an Unavailable
// fault; if ctx ends first, it is ctx's.
func (h *Hasher) Hash(ctx context.Context, pw string) (string, error) {
	if err := checkLength(pw); err != nil {
		return "", err
	}
	a := argonHash{
		memory:  h.cost.Memory,
		time:    h.cost.Time,
		threads: h.cost.Threads,
		salt:    make([]byte, saltSize),
	}
	rand.Read(a.salt) // never fails
	err := h.lane.do(ctx, func() {
		a.key = h.idKey([]byte(pw), a.salt, a.time, a.memory, a.threads, keySize)
	})
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return a.String(), nil
}

// Verify tells whether pw is the password behind encoded, and whether the caller
// should store a new hash of it, because this one is weaker than today's or is
// Django's. Errors are as for Hash; a wrong password is none.
//
// An encoded value that is empty or not understood verifies nothing, and that
// is no error either: accounts that do not exist, or have no password (Django
// marks those with "!"), must answer like all others. They cost the same, too:
// every call does at least the work of one hash of today's cost. A weaker hash
// is made up for with work on nothing. So time tells an account only where more
// than that has to be done: for a hash that costs more than today's, and for
// Django's unless DjangoIterations levels it.
func (h *Hasher) Verify(ctx context.Context, encoded, pw string) (ok, renew bool, err error) {
	if err := checkLength(pw); err != nil {
		return false, false, err
	}
	err = h.lane.do(ctx, func() {
		work, rounds := h.work(), h.cost.DjangoIterations
		switch s := parse(encoded).(type) {
		case *argonHash:
			key := h.idKey([]byte(pw), s.salt, s.time, s.memory, s.threads, uint32(len(s.key)))
			ok = subtle.ConstantTimeCompare(key, s.key) == 1
			renew = s.weaker(h.cost)
			work -= min(work, s.work())
		case *djangoHash:
			key, err := h.roundKey(pw, s.salt, s.iterations, len(s.key))
			ok = err == nil && subtle.ConstantTimeCompare(key, s.key) == 1
			renew = true
			rounds -= min(rounds, s.iterations)
		}
		h.spend(pw, work, rounds)
	})
	if err != nil {
		return false, false, fmt.Errorf("verify password: %w", err)
	}
	return ok, ok && renew, nil
}

// work is what a hash of today costs, in KiB that are passed over.
func (h *Hasher) work() uint64 {
	return uint64(h.cost.Memory) * uint64(h.cost.Time)
}

// spend does work that leads to nothing: it hashes pw with a salt that stands
// for no account.
func (h *Hasher) spend(pw string, work uint64, rounds int) {
	var salt [saltSize]byte
	c := h.cost
	if passes := work / uint64(c.Memory); passes > 0 {
		h.idKey([]byte(pw), salt[:], uint32(passes), c.Memory, c.Threads, keySize)
	}
	// What is left is less than a pass: one over less memory, if Argon2 knows so
	// little (its least is 8 KiB a thread).
	if rest := uint32(work % uint64(c.Memory)); rest >= 8*uint32(c.Threads) {
		h.idKey([]byte(pw), salt[:], 1, rest, c.Threads, keySize)
	}
	if rounds > 0 {
		_, _ = h.roundKey(pw, salt[:], rounds, keySize)
	}
}

// checkLength is CheckLength as an error.
func checkLength(pw string) error {
	if fs := CheckLength(pw); fs != nil {
		return fault.InvalidField("password", fs[0].Code, fs[0].Message)
	}
	return nil
}

// b64 is how PHC strings write bytes.
var b64 = base64.RawStdEncoding.Strict()
