package password

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"
)

// commonGz is Django 3.2.25's list, byte for byte; see the NOTICE file.
//
//go:embed common-passwords.txt.gz
var commonGz []byte

// commonPasswords unpacks the list at its first use: commands that never judge
// a password do not pay for it.
var commonPasswords = sync.OnceValue(func() map[string]struct{} {
	z, err := gzip.NewReader(bytes.NewReader(commonGz))
	if err != nil {
		panic("password: embedded list: " + err.Error()) // a broken build, and a test tells so
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic("password: embedded list: " + err.Error())
	}
	set := make(map[string]struct{}, 20_000)
	for line := range strings.Lines(string(text)) {
		set[string(strip([]rune(line)))] = struct{}{}
	}
	return set
})

// common tells whether pw, in lower case and stripped, is on the list.
func common(pw string) bool {
	_, ok := commonPasswords()[pw]
	return ok
}
