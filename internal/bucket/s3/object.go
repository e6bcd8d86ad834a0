package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
)

// errUnkept says that the store acknowledged a write that it does not show.
var errUnkept = errors.New("the store has not kept what it acknowledged")

func object(key string, size *int64, etag *string, modified *time.Time) bucket.Object {
	return bucket.Object{
		Key: key, Size: aws.ToInt64(size), ETag: aws.ToString(etag), Modified: aws.ToTime(modified).UTC(),
	}
}

// Head tells what is stored under key, or ErrNotFound.
func (b *Bucket) Head(ctx context.Context, key string) (bucket.Object, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	err = explain(err)
	if errors.Is(err, bucket.ErrNotFound) {
		// The answer to a HEAD has no body that could say whether the object is
		// missing or the bucket.
		if gone := b.Ping(ctx); gone != nil {
			err = gone
		}
	}
	if err != nil {
		return bucket.Object{}, fmt.Errorf("look at %s: %w", key, err)
	}
	return object(key, out.ContentLength, out.ETag, out.LastModified), nil
}

// Open reads what is stored under key: any bytes, or only those that the tag
// names (promise U5). Fails with ErrNotFound or ErrChanged. A body that ends
// early, or that is not what the store's checksum says, is an error of Read.
func (b *Bucket) Open(ctx context.Context, key, etag string) (io.ReadCloser, bucket.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, transferLimit)
	in := &s3.GetObjectInput{Bucket: &b.name, Key: &key, ChecksumMode: types.ChecksumModeEnabled}
	if etag != "" {
		in.IfMatch = &etag
	}
	late := time.AfterFunc(callLimit, cancel) // the body may take longer, the answer may not
	out, err := b.client.GetObject(ctx, in)
	if !late.Stop() {
		if err == nil {
			out.Body.Close()
		}
		err = fmt.Errorf("no answer within %v: %w", callLimit, context.DeadlineExceeded)
	}
	if err != nil {
		cancel()
		return nil, bucket.Object{}, fmt.Errorf("open %s: %w", key, explain(err))
	}
	o := object(key, out.ContentLength, out.ETag, out.LastModified)
	return &reader{body: out.Body, left: o.Size, cancel: cancel}, o, nil
}

// reader is the body of an object, which is exactly as long as was announced.
type reader struct {
	body   io.ReadCloser
	left   int64
	cancel context.CancelFunc
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.left -= int64(n)
	if r.left < 0 || r.left > 0 && errors.Is(err, io.EOF) {
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *reader) Close() error {
	r.cancel() // first: nobody waits for the rest of a body that is not wanted
	return r.body.Close()
}

// Copy copies the bytes that etag names to another key inside the store. A later
// upload under the first key cannot slip in (promise U5). What came from a
// client is kept out of every cache.
func (b *Bucket) Copy(ctx context.Context, from, etag, to, contentType string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	in := &s3.CopyObjectInput{
		Bucket:            &b.name,
		Key:               &to,
		CopySource:        aws.String(escape(b.name + "/" + from)),
		MetadataDirective: types.MetadataDirectiveReplace,
		ContentType:       &contentType,
		CacheControl:      aws.String(bucket.Download{Private: true}.CacheControl()),
	}
	if etag != "" {
		in.CopySourceIfMatch = &etag
	}
	out, err := b.client.CopyObject(ctx, in)
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, explain(err))
	}
	var made string
	if out.CopyObjectResult != nil {
		made = aws.ToString(out.CopyObjectResult.ETag)
	}
	if err := b.verify(ctx, to, made, -1); err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, err)
	}
	return nil
}

// Put stores what the server made, with its checksum (promise U3). The more
// bytes, the longer it may take.
func (b *Bucket) Put(ctx context.Context, key, contentType string, body []byte) error {
	sending := time.Duration(len(body)) * time.Second / slowest
	ctx, cancel := context.WithTimeout(ctx, min(callLimit+sending, transferLimit))
	defer cancel()
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:            &b.name,
		Key:               &key,
		Body:              bytes.NewReader(body),
		ContentLength:     aws.Int64(int64(len(body))),
		ContentType:       &contentType,
		CacheControl:      aws.String(bucket.Download{}.CacheControl()),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, explain(err))
	}
	if err := b.verify(ctx, key, aws.ToString(out.ETag), int64(len(body))); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// verify makes sure that a write took place: a row that names an object which is
// not there would be worse than a write that has to be made again.
func (b *Bucket) verify(ctx context.Context, key, etag string, size int64) error {
	o, err := b.Head(ctx, key)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return errUnkept
	case err != nil:
		return err
	case etag == "" || o.ETag != etag || size >= 0 && o.Size != size:
		return errUnkept
	default:
		return nil
	}
}

// Delete removes an object with all its versions; one that is not there is no
// error. The store's acknowledgement is the confirmation (promise D12).
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if key == "" {
		return errors.New("delete: no key")
	}
	call, cancel := limited(ctx)
	defer cancel()
	versioned, err := b.isVersioned(call)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	if !versioned {
		return b.remove(call, key, nil)
	}
	_, err = b.removeVersions(ctx, key, true) // any number of calls, each with its limit
	return err
}

// DeleteAll removes everything whose key begins with prefix, old versions and
// markers too, and tells how many pieces it removed (promise D13).
func (b *Bucket) DeleteAll(ctx context.Context, prefix string) (int, error) {
	if prefix == "" {
		return 0, errors.New("delete all: no prefix")
	}
	versioned, err := b.isVersioned(ctx)
	if err != nil {
		return 0, fmt.Errorf("delete all under %s: %w", prefix, err)
	}
	if versioned {
		return b.removeVersions(ctx, prefix, false)
	}
	n := 0
	err = b.pages(ctx, prefix, func(o bucket.Object) error {
		n++
		return b.remove(ctx, o.Key, nil)
	})
	if err != nil {
		return n, fmt.Errorf("delete all under %s: %w", prefix, err)
	}
	return n, nil
}

// remove removes an object, or one version of it.
func (b *Bucket) remove(ctx context.Context, key string, version *string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, VersionId: version})
	if err = explain(err); err != nil && !errors.Is(err, bucket.ErrNotFound) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// removeVersions removes all versions and markers under a prefix, or only those
// of the key that is exactly the prefix.
func (b *Bucket) removeVersions(ctx context.Context, prefix string, exact bool) (int, error) {
	n := 0
	pages := s3.NewListObjectVersionsPaginator(b.client, &s3.ListObjectVersionsInput{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := nextPage(ctx, pages.NextPage)
		if err != nil {
			return n, fmt.Errorf("list versions under %s: %w", prefix, err)
		}
		type piece struct{ key, version *string }
		var pieces []piece
		for _, v := range page.Versions {
			pieces = append(pieces, piece{v.Key, v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			pieces = append(pieces, piece{m.Key, m.VersionId})
		}
		others := false
		for _, p := range pieces {
			if exact && aws.ToString(p.key) != prefix {
				others = true
				continue
			}
			if err := b.remove(ctx, aws.ToString(p.key), p.version); err != nil {
				return n, err
			}
			n++
		}
		if others {
			break // the key itself comes before all that it begins
		}
	}
	return n, nil
}

// List hands every object whose key begins with prefix to each, in the byte
// order of the keys, a page at a time. A store that has another order is an
// error: callers compare with lists of their own.
func (b *Bucket) List(ctx context.Context, prefix string, each func(bucket.Object) error) error {
	last := ""
	err := b.pages(ctx, prefix, func(o bucket.Object) error {
		if o.Key <= last {
			return fmt.Errorf("the store lists %q after %q", o.Key, last)
		}
		last = o.Key
		return each(o)
	})
	if err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	return nil
}

func (b *Bucket) pages(ctx context.Context, prefix string, each func(bucket.Object) error) error {
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := nextPage(ctx, pages.NextPage)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if err := each(object(aws.ToString(o.Key), o.Size, o.ETag, o.LastModified)); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextPage asks for a page of a list, within the limit of one call.
func nextPage[P any](ctx context.Context, next func(context.Context, ...func(*s3.Options)) (P, error)) (P, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	return next(ctx)
}
