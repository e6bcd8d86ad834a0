package disk

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// tolerance is how far the clocks of two machines may be apart (promise O8).
const tolerance = 30 * time.Second

// What a signature is for. One that was made for the one is nothing for the
// other.
const (
	forUpload   = "POST upload"
	forDownload = "GET download"
)

// The fields of an upload form.
const (
	fieldKey       = "key"
	fieldType      = "Content-Type"
	fieldPolicy    = "policy"
	fieldSignature = "x-signature"
	fieldFile      = "file"
)

// policy is what an upload form permits. It travels with the form, signed.
type policy struct {
	Key     string `json:"key"`
	Type    string `json:"type"`
	MinSize int64  `json:"min_size"`
	MaxSize int64  `json:"max_size"`
	Expires int64  `json:"expires"` // Unix seconds
}

// deriveKeys makes keys for storage alone out of secrets that sign other things
// too.
func deriveKeys(secrets []string) ([][]byte, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secret to sign permits with")
	}
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		if s == "" {
			return nil, errors.New("a secret is empty")
		}
		var err error
		if keys[i], err = hkdf.Key(sha256.New, []byte(s), nil, "ridecopilot storage", sha256.Size); err != nil {
			return nil, fmt.Errorf("derive a key: %w", err)
		}
	}
	return keys, nil
}

// mac signs parts for a purpose. Each is preceded by its length, so that bytes
// cannot move from one part to the next.
func mac(key []byte, purpose string, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, s := range append([]string{purpose}, parts...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return h.Sum(nil)
}

// sign signs with the newest key.
func (b *Bucket) sign(purpose string, parts ...string) string {
	return hex.EncodeToString(mac(b.keys[0], purpose, parts...))
}

// signed tells whether one of our keys made the signature, in the very letters that
// sign writes.
func (b *Bucket) signed(signature, purpose string, parts ...string) bool {
	ok := false
	for _, key := range b.keys {
		ok = hmac.Equal([]byte(signature), []byte(hex.EncodeToString(mac(key, purpose, parts...)))) || ok
	}
	return ok
}

// Form makes a permit to upload (promise U2).
func (b *Bucket) Form(_ context.Context, u bucket.Upload) (bucket.Form, error) {
	if err := checkKey(u.Key); err != nil {
		return bucket.Form{}, fmt.Errorf("permit upload: %w", err)
	}
	if u.ContentType == "" || u.MinSize < 0 || u.MaxSize < max(u.MinSize, 1) {
		return bucket.Form{}, fmt.Errorf("permit upload of %s: no type, or sizes that cannot be", u.Key)
	}
	doc, err := json.Marshal(policy{
		Key: u.Key, Type: u.ContentType, MinSize: u.MinSize, MaxSize: u.MaxSize, Expires: u.Expires.Unix(),
	})
	if err != nil {
		return bucket.Form{}, fmt.Errorf("permit upload of %s: %w", u.Key, err)
	}
	encoded := base64.StdEncoding.EncodeToString(doc)
	return bucket.Form{
		URL: strings.TrimSuffix(b.baseURL(), "/") + b.path,
		Fields: map[string]string{
			fieldKey:       u.Key,
			fieldType:      u.ContentType,
			fieldPolicy:    encoded,
			fieldSignature: b.sign(forUpload, encoded),
		},
		Expires: time.Unix(u.Expires.Unix(), 0).UTC(),
	}, nil
}

// permitError says why a permit is none. Its text is for the client.
type permitError string

func (e permitError) Error() string { return string(e) }

// readPolicy checks the fields of an upload form, and gives what they permit.
func (b *Bucket) readPolicy(fields map[string]string) (policy, error) {
	var p policy
	if !b.signed(fields[fieldSignature], forUpload, fields[fieldPolicy]) {
		return p, permitError("The form is not one that we signed.")
	}
	doc, err := base64.StdEncoding.DecodeString(fields[fieldPolicy])
	if err == nil {
		err = json.Unmarshal(doc, &p)
	}
	if err != nil {
		return p, permitError("The form cannot be read.")
	}
	switch {
	case b.now().After(time.Unix(p.Expires, 0).Add(tolerance)):
		return p, permitError("The form has expired.")
	case fields[fieldKey] != p.Key:
		return p, permitError("The form is for another key.")
	case fields[fieldType] != p.Type:
		return p, permitError("The form is for another type.")
	}
	for name := range fields {
		switch name {
		case fieldKey, fieldType, fieldPolicy, fieldSignature:
		default:
			return p, permitError("The form has a field that it should not have.")
		}
	}
	return p, nil
}

// URL makes a permit to read (promise U10). The same Download gives the same
// URL.
func (b *Bucket) URL(_ context.Context, d bucket.Download) (string, time.Time, error) {
	if err := checkKey(d.Key); err != nil {
		return "", time.Time{}, fmt.Errorf("permit download: %w", err)
	}
	q := downloadQuery(d)
	return strings.TrimSuffix(b.baseURL(), "/") + b.address(d.Key, q, b.sign(forDownload, downloadParts(d.Key, q)...)),
		time.Unix(d.Expires.Unix(), 0).UTC(), nil
}

// downloadQuery are the parameters of a permit to read, but for its signature.
func downloadQuery(d bucket.Download) url.Values {
	q := url.Values{
		"type":    {d.ContentType},
		"from":    {strconv.FormatInt(d.From.Unix(), 10)},
		"expires": {strconv.FormatInt(d.Expires.Unix(), 10)},
	}
	if d.FileName != "" {
		q.Set("name", d.FileName)
	}
	if d.Private {
		q.Set("private", "1")
	}
	return q
}

// address is a permit to read as it is written, without the host: the one form in
// which it is taken.
func (b *Bucket) address(key string, q url.Values, signature string) string {
	q.Set("signature", signature)
	at := url.URL{Path: b.path + key, RawQuery: q.Encode()}
	return at.String()
}

// downloadParts are what a permit to read is signed over.
func downloadParts(key string, q url.Values) []string {
	return []string{key, q.Get("type"), q.Get("name"), q.Get("private"), q.Get("from"), q.Get("expires")}
}

// readURL checks a permit to read, and gives what it permits. An address that was
// written otherwise is refused, so that one file has one address: no parameter
// twice, in another order, or of another name.
func (b *Bucket) readURL(key string, at *url.URL) (bucket.Download, error) {
	q := at.Query()
	if !b.signed(q.Get("signature"), forDownload, downloadParts(key, q)...) {
		return bucket.Download{}, permitError("The address is not one that we signed.")
	}
	from, err1 := strconv.ParseInt(q.Get("from"), 10, 64)
	expires, err2 := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err1 != nil || err2 != nil {
		return bucket.Download{}, permitError("The address cannot be read.")
	}
	d := bucket.Download{
		Key:         key,
		ContentType: q.Get("type"),
		FileName:    q.Get("name"),
		Private:     q.Get("private") != "",
		From:        time.Unix(from, 0),
		Expires:     time.Unix(expires, 0),
	}
	if at.RequestURI() != b.address(key, downloadQuery(d), q.Get("signature")) {
		return bucket.Download{}, permitError("The address is not written as we signed it.")
	}
	now := b.now()
	if now.Before(d.From.Add(-tolerance)) || now.After(d.Expires.Add(tolerance)) {
		return bucket.Download{}, permitError("The address has expired.")
	}
	return d, nil
}
