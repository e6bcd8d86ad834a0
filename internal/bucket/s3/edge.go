package s3

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// CloudFront is a distribution in front of the bucket that takes signed URLs
// only.
type CloudFront struct {
	Domain        string // a host name alone
	KeyID         string
	PrivateKeyPEM string // RSA, PKCS #1 or PKCS #8
}

// Check tells the first thing that is wrong with the domain, the key id or the
// private key, in a sentence that names it and repeats nothing of the key.
func (c CloudFront) Check() error {
	_, err := newEdge(c)
	return err
}

// edge signs URLs for a distribution. A signature costs milliseconds: whoever
// asks for the same often keeps it.
type edge struct {
	domain string
	signer *sign.URLSigner
}

func newEdge(c CloudFront) (*edge, error) {
	const digits = "0123456789"
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	switch {
	case c.Domain == "":
		return nil, errors.New("the domain is missing")
	case strings.Trim(c.Domain, letters+digits+"-.") != "", len(c.Domain) > 253:
		return nil, fmt.Errorf("the domain %.100q is not a host name alone, such as media.example.com", c.Domain)
	case c.KeyID == "":
		return nil, errors.New("the key id is missing")
	case strings.Trim(c.KeyID, letters+digits) != "":
		return nil, errors.New("the key id is not made of letters and digits alone")
	}
	key, err := parseKey(c.PrivateKeyPEM)
	if err != nil {
		return nil, err
	}
	return &edge{domain: c.Domain, signer: sign.NewURLSigner(c.KeyID, key)}, nil
}

var errKeyDamaged = errors.New("the private key is PEM, but what is in it cannot be read: it may be incomplete")

// parseKey reads a private key. What the parsers say of one that they cannot
// read is about bytes, and helps nobody.
func parseKey(text string) (crypto.Signer, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the private key is missing")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the private key is not PEM")
	}
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("the private key is encrypted: it has to be without a passphrase")
	case block.Type == "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		return nil, errKeyDamaged
	case block.Type == "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errKeyDamaged
		}
		if key, ok := key.(*rsa.PrivateKey); ok {
			return key, nil
		}
		return nil, errors.New("the private key is not RSA")
	case strings.HasSuffix(block.Type, " PRIVATE KEY"): // EC, DSA, OPENSSH
		return nil, errors.New("the private key is not RSA, or not written as PKCS #1 or PKCS #8")
	default:
		return nil, errors.New("the private key is PEM of something else: a public key or a certificate does not sign")
	}
}

// url signs the URL of an object at the edge, with the policy that names only
// the URL and its end.
func (e *edge) url(d bucket.Download) (string, time.Time, error) {
	expires := time.Unix(d.Expires.Unix(), 0).UTC()
	plain := "https://" + e.domain + "/" + escape(d.Key)
	signed, err := e.signer.Sign(plain, expires)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("permit download of %s at the edge: %w", d.Key, err)
	}
	return signed, expires, nil
}
