package s3_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
)

// now is the clock of the permits here.
var now = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// offline opens a bucket that no test here talks to.
func offline(t testing.TB, o s3.Options) *s3.Bucket {
	t.Helper()
	o.Bucket, o.Region = "photos", "eu-central-1"
	if o.Credentials == nil {
		o.Credentials = lasting(aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"})
	}
	if o.Now == nil {
		o.Now = clock
	}
	b, err := s3.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lasting(c aws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

func upload() bucket.Upload {
	return bucket.Upload{Key: "uploads/1", ContentType: "image/png", MinSize: 10, MaxSize: 20, Expires: now.Add(10 * time.Minute)}
}

func download() bucket.Download {
	return bucket.Download{Key: "media/1 ă+.jpg", ContentType: "image/jpeg", From: now.Add(-10 * time.Minute), Expires: now.Add(50 * time.Minute)}
}

// TestForm: U2. The policy fixes bucket, key, type and length, and the form
// holds all that the policy asks for, and no access list.
func TestForm(t *testing.T) {
	b := offline(t, s3.Options{})
	f, err := b.Form(t.Context(), upload())
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://photos.s3.eu-central-1.amazonaws.com"; strings.TrimSuffix(f.URL, "/") != want {
		t.Errorf("the form goes to %s, want %s", f.URL, want)
	}
	var names []string
	for name := range f.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"Content-Type", "key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}
	if !slices.Equal(names, want) {
		t.Errorf("fields %q, want %q", names, want)
	}
	doc, err := base64.StdEncoding.DecodeString(f.Fields["policy"])
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Expiration string
		Conditions []any
	}
	if err := json.Unmarshal(doc, &policy); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(policy.Expiration, policy.Conditions)
	wantPolicy := "2026-03-14T12:10:00Z[map[bucket:photos] [content-length-range 10 20] map[key:uploads/1] map[Content-Type:image/png] " +
		"map[x-amz-algorithm:AWS4-HMAC-SHA256] map[x-amz-credential:AKID/20260314/eu-central-1/s3/aws4_request] map[x-amz-date:20260314T120000Z]]"
	if got != wantPolicy {
		t.Errorf("policy\n%s, want\n%s", got, wantPolicy)
	}
}

// TestCredentialsLapse: U10. No permit says that it lives longer than the
// credentials that signed it.
func TestCredentialsLapse(t *testing.T) {
	tests := []struct {
		name       string
		lapse      time.Duration
		form, link time.Duration // 0: refused
	}{
		{"in a day", 24 * time.Hour, 10 * time.Minute, 50 * time.Minute},
		{"in half an hour", 30 * time.Minute, 10 * time.Minute, 29*time.Minute + 30*time.Second},
		{"in a minute", time.Minute, 30 * time.Second, 30 * time.Second},
		{"at once", 20 * time.Second, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := offline(t, s3.Options{Credentials: lasting(aws.Credentials{
				AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: "token", CanExpire: true, Expires: now.Add(tt.lapse),
			})})
			f, err := b.Form(t.Context(), upload())
			if tt.form == 0 {
				if err == nil {
					t.Errorf("a form until %v", f.Expires)
				}
			} else if err != nil || !f.Expires.Equal(now.Add(tt.form)) || f.Fields["x-amz-security-token"] != "token" {
				t.Errorf("form until %v, %v, fields %v", f.Expires, err, f.Fields)
			}
			doc, _ := base64.StdEncoding.DecodeString(f.Fields["policy"])
			if end := now.Add(tt.form).Format(time.RFC3339); tt.form != 0 && !strings.Contains(string(doc), end) {
				t.Errorf("policy %s, want %s", doc, end)
			}

			u, expires, err := b.URL(t.Context(), download())
			if tt.link == 0 {
				if err == nil {
					t.Errorf("a URL until %v", expires)
				}
				return
			}
			if err != nil || !expires.Equal(now.Add(tt.link)) {
				t.Fatalf("URL until %v, %v, want %v", expires, err, now.Add(tt.link))
			}
			q := query(t, u)
			if want := fmt.Sprint(int((10*time.Minute + tt.link) / time.Second)); q.Get("X-Amz-Expires") != want || q.Get("X-Amz-Date") != "20260314T115000Z" {
				t.Errorf("URL %s, want %s s from 11:50", u, want)
			}
		})
	}
}

func query(t *testing.T, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// TestCloudFront: U10. The edge serves photos, by URLs that are signed for it;
// what is private, or has to be saved, never goes there.
func TestCloudFront(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []*pem.Block{
		{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
		{Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		b := offline(t, s3.Options{CloudFront: &s3.CloudFront{
			Domain: "cdn.example.com", KeyID: "K123", PrivateKeyPEM: string(pem.EncodeToMemory(block)),
		}})
		d := download()
		signed, expires, err := b.URL(t.Context(), d)
		if err != nil || !expires.Equal(d.Expires) {
			t.Fatalf("URL until %v, %v", expires, err)
		}
		plain := "https://cdn.example.com/media/1%20%C4%83%2B.jpg"
		q := query(t, signed)
		if !strings.HasPrefix(signed, plain+"?") || q.Get("Key-Pair-Id") != "K123" || q.Get("Expires") != fmt.Sprint(d.Expires.Unix()) {
			t.Errorf("URL %s", signed)
		}
		policy := fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, plain, d.Expires.Unix())
		digest := sha1.Sum([]byte(policy))
		signature, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(q.Get("Signature")))
		if err == nil {
			err = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA1, digest[:], signature)
		}
		if err != nil {
			t.Errorf("%s: the signature of %s: %v", block.Type, signed, err)
		}
		if again, _, _ := b.URL(t.Context(), d); again != signed {
			t.Errorf("another URL for the same: %s", again)
		}
		for name, change := range map[string]func(*bucket.Download){
			"private":  func(d *bucket.Download) { d.Private = true },
			"named":    func(d *bucket.Download) { d.FileName = "a.jpg" },
			"no image": func(d *bucket.Download) { d.ContentType = "application/pdf" },
		} {
			d := download()
			change(&d)
			if u, _, err := b.URL(t.Context(), d); err != nil || !strings.HasPrefix(u, "https://photos.s3.eu-central-1.amazonaws.com/") {
				t.Errorf("%s: URL %s, %v, want one of the store", name, u, err)
			}
		}
	}
}

// TestCloudFrontCheck: what is wrong with a distribution is told in words that
// name it, by Check and New alike.
func TestCloudFrontCheck(t *testing.T) {
	block := func(kind string, key []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: key}))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1, public := x509.MarshalPKCS1PrivateKey(key), x509.MarshalPKCS1PublicKey(&key.PublicKey)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	good := s3.CloudFront{Domain: "cdn.example.com", KeyID: "K123", PrivateKeyPEM: block("RSA PRIVATE KEY", pkcs1)}
	if err := good.Check(); err != nil {
		t.Errorf("Check = %v", err)
	}
	const damaged = "the private key is PEM, but what is in it cannot be read: it may be incomplete"
	const otherwise = "the private key is not RSA, or not written as PKCS #1 or PKCS #8"
	const another = "the private key is PEM of something else: a public key or a certificate does not sign"
	const encrypted = "the private key is encrypted: it has to be without a passphrase"
	for name, tt := range map[string]struct {
		change func(c *s3.CloudFront)
		want   string
	}{
		"no domain": {func(c *s3.CloudFront) { c.Domain = "" }, "the domain is missing"},
		"an address": {
			func(c *s3.CloudFront) { c.Domain = "https://cdn.example.com/" },
			`the domain "https://cdn.example.com/" is not a host name alone, such as media.example.com`,
		},
		"no key id":   {func(c *s3.CloudFront) { c.KeyID = "" }, "the key id is missing"},
		"not an id":   {func(c *s3.CloudFront) { c.KeyID = "K1\n" }, "the key id is not made of letters and digits alone"},
		"no key":      {func(c *s3.CloudFront) { c.PrivateKeyPEM = " \n" }, "the private key is missing"},
		"not PEM":     {func(c *s3.CloudFront) { c.PrivateKeyPEM = "AAAA" }, "the private key is not PEM"},
		"elliptic":    {func(c *s3.CloudFront) { c.PrivateKeyPEM = block("PRIVATE KEY", ec) }, "the private key is not RSA"},
		"elliptic 2":  {func(c *s3.CloudFront) { c.PrivateKeyPEM = block("EC PRIVATE KEY", ec) }, otherwise},
		"public":      {func(c *s3.CloudFront) { c.PrivateKeyPEM = block("RSA PUBLIC KEY", public) }, another},
		"encrypted":   {func(c *s3.CloudFront) { c.PrivateKeyPEM = block("ENCRYPTED PRIVATE KEY", pkcs1) }, encrypted},
		"half, old":   {func(c *s3.CloudFront) { c.PrivateKeyPEM = block("RSA PRIVATE KEY", pkcs1[:100]) }, damaged},
		"half, new":   {func(c *s3.CloudFront) { c.PrivateKeyPEM = block("PRIVATE KEY", pkcs1[:100]) }, damaged},
		"mislabelled": {func(c *s3.CloudFront) { c.PrivateKeyPEM = block("PRIVATE KEY", pkcs1) }, damaged},
		"encrypted, old": {func(c *s3.CloudFront) {
			c.PrivateKeyPEM = string(pem.EncodeToMemory(&pem.Block{
				Type: "RSA PRIVATE KEY", Bytes: pkcs1, Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"},
			}))
		}, encrypted},
	} {
		c := good
		tt.change(&c)
		if err := c.Check(); err == nil || err.Error() != tt.want {
			t.Errorf("%s: Check = %v, want %s", name, err, tt.want)
		}
		_, err := s3.New(t.Context(), s3.Options{Bucket: "photos", Region: "eu-central-1", CloudFront: &c})
		if want := "open bucket photos: CloudFront: " + tt.want; err == nil || err.Error() != want {
			t.Errorf("%s: New = %v, want %s", name, err, want)
		}
	}
}

// TestNew: the settings that cannot work are refused at the start, and no
// network is needed for it.
func TestNew(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	if _, err := s3.New(t.Context(), s3.Options{Region: "eu-central-1"}); err == nil {
		t.Error("New without a bucket")
	}
	if _, err := s3.New(t.Context(), s3.Options{Bucket: "photos"}); err == nil {
		t.Error("New without a region")
	}
	if _, err := s3.New(t.Context(), s3.Options{Bucket: "photos", Endpoint: "https://store.example.com", PathStyle: true}); err != nil {
		t.Errorf("New of another store = %v", err)
	}
}

// BenchmarkForm: permits to upload a second.
func BenchmarkForm(b *testing.B) {
	s := offline(b, s3.Options{})
	for b.Loop() {
		if _, err := s.Form(b.Context(), upload()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkURL: permits to read a second.
func BenchmarkURL(b *testing.B) {
	s := offline(b, s3.Options{})
	for b.Loop() {
		if _, _, err := s.URL(b.Context(), download()); err != nil {
			b.Fatal(err)
		}
	}
}
