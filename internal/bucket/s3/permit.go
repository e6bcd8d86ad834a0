package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// errLapsed says that the credentials end too soon for a permit.
var errLapsed = errors.New("the credentials are about to lapse")

// bounded is when a permit ends that should live until expires: no later than
// the credentials that sign it, less what clocks may differ by (promise U10).
func (b *Bucket) bounded(expires time.Time, c aws.Credentials) (time.Time, error) {
	expires = time.Unix(expires.Unix(), 0).UTC()
	if !c.CanExpire {
		return expires, nil
	}
	last := time.Unix(c.Expires.Unix(), 0).UTC().Add(-30 * time.Second)
	if !last.Before(expires) {
		return expires, nil
	}
	if !last.After(b.now()) {
		return time.Time{}, errLapsed
	}
	return last, nil
}

// Form makes a permit to upload: bucket, key, type and the bounds of the length
// are fixed, and there is no access list (promise U2).
func (b *Bucket) Form(ctx context.Context, u bucket.Upload) (bucket.Form, error) {
	if u.Key == "" || u.ContentType == "" || u.MinSize < 0 || u.MaxSize < max(u.MinSize, 1) {
		return bucket.Form{}, fmt.Errorf("permit upload of %q: no key, no type, or sizes that cannot be", u.Key)
	}
	ctx, cancel := limited(ctx) // credentials may have to be fetched
	defer cancel()
	s := &formSigner{bucket: b, upload: u}
	post, err := b.presign.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &u.Key},
		func(o *s3.PresignPostOptions) { o.PostPresigner = s })
	if err != nil {
		return bucket.Form{}, fmt.Errorf("permit upload of %s: %w", u.Key, err)
	}
	return bucket.Form{URL: post.URL, Fields: post.Values, Expires: s.expires}, nil
}

// formSigner signs one form. The SDK's own does not put the conditions into the
// form, and counts the life of a form from a clock that is not ours.
type formSigner struct {
	bucket  *Bucket
	upload  bucket.Upload
	expires time.Time
}

// PresignPost implements [s3.PresignPost].
func (s *formSigner) PresignPost(
	c aws.Credentials, bucketName, key, region, service string, _ time.Time, _ []any, _ time.Time,
	_ ...func(*v4.SignerOptions),
) (map[string]string, error) {
	var err error
	if s.expires, err = s.bucket.bounded(s.upload.Expires, c); err != nil {
		return nil, err
	}
	now := s.bucket.now().UTC()
	day := now.Format("20060102")
	fields := map[string]string{
		"key":              key,
		"Content-Type":     s.upload.ContentType,
		"x-amz-algorithm":  "AWS4-HMAC-SHA256",
		"x-amz-credential": c.AccessKeyID + "/" + day + "/" + region + "/" + service + "/aws4_request",
		"x-amz-date":       now.Format("20060102T150405Z"),
	}
	if c.SessionToken != "" {
		fields["x-amz-security-token"] = c.SessionToken
	}
	conditions := []any{
		map[string]string{"bucket": bucketName},
		[]any{"content-length-range", s.upload.MinSize, s.upload.MaxSize},
	}
	for _, name := range []string{"key", "Content-Type", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token"} {
		if value, ok := fields[name]; ok {
			conditions = append(conditions, map[string]string{name: value})
		}
	}
	doc, err := json.Marshal(map[string]any{
		"expiration": s.expires.Format("2006-01-02T15:04:05Z"),
		"conditions": conditions,
	})
	if err != nil {
		return nil, err
	}
	fields["policy"] = base64.StdEncoding.EncodeToString(doc)
	signing := []byte("AWS4" + c.SecretAccessKey)
	for _, part := range []string{day, region, service, "aws4_request", fields["policy"]} {
		mac := hmac.New(sha256.New, signing)
		mac.Write([]byte(part))
		signing = mac.Sum(nil)
	}
	fields["x-amz-signature"] = hex.EncodeToString(signing)
	return fields, nil
}

// URL makes a permit to read. It names the headers that the store answers with,
// so what was stored with the object does not matter (promise U9). What the edge
// may serve comes from there; private objects, and those that are saved under a
// name, come from the store alone (promise U10).
func (b *Bucket) URL(ctx context.Context, d bucket.Download) (string, time.Time, error) {
	if d.Key == "" {
		return "", time.Time{}, errors.New("permit download: no key")
	}
	if b.edge != nil && !d.Private && d.Disposition() == "inline" {
		return b.edge.url(d)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	in := &s3.GetObjectInput{
		Bucket:                     &b.name,
		Key:                        &d.Key,
		ResponseCacheControl:       aws.String(d.CacheControl()),
		ResponseContentDisposition: aws.String(d.Disposition()),
	}
	if d.ContentType != "" {
		in.ResponseContentType = &d.ContentType
	}
	s := &urlSigner{bucket: b, download: d}
	req, err := b.presign.PresignGetObject(ctx, in, func(o *s3.PresignOptions) { o.Presigner = s })
	if err != nil {
		return "", time.Time{}, fmt.Errorf("permit download of %s: %w", d.Key, err)
	}
	return req.URL, s.expires, nil
}

// urlSigner signs one URL as of the moment that its Download names, so that the
// same Download has the same URL.
type urlSigner struct {
	bucket   *Bucket
	download bucket.Download
	expires  time.Time
}

// PresignHTTP implements [s3.HTTPPresignerV4].
func (s *urlSigner) PresignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time,
	optFns ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	var err error
	if s.expires, err = s.bucket.bounded(s.download.Expires, c); err != nil {
		return "", nil, err
	}
	from := time.Unix(s.download.From.Unix(), 0).UTC()
	life := s.expires.Sub(from)
	if life <= 0 {
		return "", nil, errors.New("it ends before it begins")
	}
	q := r.URL.Query()
	q.Set("X-Amz-Expires", strconv.FormatInt(int64(life/time.Second), 10))
	r.URL.RawQuery = q.Encode()
	return s.bucket.signer.PresignHTTP(ctx, c, r, payloadHash, service, region, from, optFns...)
}
