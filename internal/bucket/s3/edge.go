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
	Domain        string
	KeyID         string
	PrivateKeyPEM string // RSA, PKCS #1 or PKCS #8
}

// edge signs URLs for a distribution. A signature costs milliseconds: whoever
// asks for the same often keeps it.
type edge struct {
	domain string
	signer *sign.URLSigner
}

func newEdge(c CloudFront) (*edge, error) {
	if c.Domain == "" || c.KeyID == "" || strings.ContainsAny(c.Domain, "/?#@ ") {
		return nil, errors.New("CloudFront: no domain or no key id")
	}
	key, err := parseKey([]byte(c.PrivateKeyPEM))
	if err != nil {
		return nil, fmt.Errorf("CloudFront: read the private key: %w", err)
	}
	return &edge{domain: c.Domain, signer: sign.NewURLSigner(c.KeyID, key)}, nil
}

func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	if block.Type == "RSA PRIVATE KEY" {
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if k, ok := key.(*rsa.PrivateKey); ok {
		return k, nil
	}
	return nil, fmt.Errorf("it is a %T, not RSA", key)
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
