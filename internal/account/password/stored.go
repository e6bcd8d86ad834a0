package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// What a stored hash may ask of us. A row that somebody has tampered with must
// not be able to take the memory or the time of the whole server.
const (
	maxEncoded    = 512
	maxMemory     = 64 << 10 // KiB
	maxTime       = 16
	maxThreads    = 4
	maxIterations = 10_000_000
)

// parse reads a stored hash: an *argonHash, a *djangoHash, or nil for anything
// else.
func parse(encoded string) any {
	if len(encoded) > maxEncoded {
		return nil
	}
	parts := strings.Split(encoded, "$")
	switch {
	case len(parts) == 6 && parts[0] == "" && parts[1] == "argon2id" && parts[2] == "v=19":
		if a, ok := parseArgon(parts[3], parts[4], parts[5]); ok {
			return &a
		}
	case len(parts) == 4 && parts[0] == "pbkdf2_sha256":
		if d, ok := parseDjango(parts[1], parts[2], parts[3]); ok {
			return &d
		}
	}
	return nil
}

// argonHash is an Argon2id hash.
type argonHash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// parseArgon reads the last three parts of $argon2id$v=19$m=…,t=…,p=…$salt$key.
func parseArgon(cost, salt, key string) (a argonHash, ok bool) {
	values := [3]uint64{}
	fields := strings.Split(cost, ",")
	if len(fields) != len(values) {
		return a, false
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, found := strings.CutPrefix(fields[i], name)
		n, err := strconv.ParseUint(digits, 10, 24)
		if !found || err != nil {
			return a, false
		}
		values[i] = n
	}
	if values[2] > maxThreads {
		return a, false
	}
	a.memory, a.time, a.threads = uint32(values[0]), uint32(values[1]), uint8(values[2])
	var saltErr, keyErr error
	a.salt, saltErr = b64.DecodeString(salt)
	a.key, keyErr = b64.DecodeString(key)
	return a, a.sane() && saltErr == nil && keyErr == nil &&
		len(a.salt) >= 8 && len(a.salt) <= 64 && len(a.key) >= 16 && len(a.key) <= 64
}

// String is the hash in PHC format.
func (a argonHash) String() string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
		a.memory, a.time, a.threads, b64.EncodeToString(a.salt), b64.EncodeToString(a.key))
}

// sane tells whether the cost is one that Argon2 allows and we can bear.
func (a argonHash) sane() bool {
	return a.threads >= 1 && a.threads <= maxThreads &&
		a.time >= 1 && a.time <= maxTime &&
		a.memory >= 8*uint32(a.threads) && a.memory <= maxMemory
}

// work is the cost, in KiB that are passed over.
func (a argonHash) work() uint64 { return uint64(a.memory) * uint64(a.time) }

// weaker tells whether the hash falls short of today's in any way.
func (a argonHash) weaker(today Params) bool {
	return a.memory < today.Memory || a.time < today.Time || len(a.salt) < saltSize || len(a.key) < keySize
}

// djangoHash is a hash of Django's PBKDF2PasswordHasher.
type djangoHash struct {
	iterations int
	salt, key  []byte
}

// parseDjango reads the last three parts of pbkdf2_sha256$iterations$salt$key.
// The salt is text and counts as it stands.
func parseDjango(iterations, salt, key string) (d djangoHash, ok bool) {
	n, err := strconv.ParseUint(iterations, 10, 24)
	if err != nil || n < 1 || n > maxIterations {
		return d, false
	}
	k, err := base64.StdEncoding.Strict().DecodeString(key)
	return djangoHash{int(n), []byte(salt), k}, err == nil && len(k) == 32 && salt != ""
}
