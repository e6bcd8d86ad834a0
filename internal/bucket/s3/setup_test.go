package s3_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
)

var prefixes = s3.Prefixes{Uploads: "uploads/", Media: "media/"}

func setup(t *testing.T, b *s3.Bucket, apply bool, origins ...string) map[string]s3.Change {
	t.Helper()
	changes, err := b.Setup(t.Context(), origins, prefixes, apply)
	if err != nil {
		t.Fatal(err)
	}
	byRule := map[string]s3.Change{}
	for _, c := range changes {
		byRule[c.Rule] = c
	}
	if len(byRule) != 4 && len(origins) > 0 {
		t.Errorf("changes %+v, want 4", changes)
	}
	return byRule
}

// TestSetup: the rules are reported, then made, then in place; and only our
// origins' pages may use permits.
func TestSetup(t *testing.T) {
	e := buckettest.S3Env(t)
	b := e.Open(t, s3.Options{})
	theirs := types.CORSRule{ID: aws.String("theirs"), AllowedOrigins: []string{"https://other.example.com"}, AllowedMethods: []string{"GET"}}
	_, err := e.Client().PutBucketCors(t.Context(), &awss3.PutBucketCorsInput{
		Bucket: &e.Bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{theirs}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const cors = "ridecopilot-cors"
	one, two := "https://app.example.com", "https://www.example.com"

	for _, step := range []struct {
		apply   bool
		origins []string
		state   string
	}{
		{false, []string{one}, s3.Missing},
		{true, []string{one}, s3.Missing},
		{true, []string{one}, s3.InPlace},
		{false, []string{one, two}, s3.Different},
		{true, []string{one, two}, s3.Different},
		{true, []string{two, one}, s3.InPlace},
	} {
		c := setup(t, b, step.apply, step.origins...)[cors]
		if c.State != step.state || c.Applied != (step.apply && step.state != s3.InPlace) || !strings.Contains(c.After, one) {
			t.Errorf("%+v: %+v", step, c)
		}
		if (c.Before == "") != (step.state == s3.Missing) {
			t.Errorf("%+v: before %s", step, c.Before)
		}
	}
	out, err := e.Client().GetBucketCors(t.Context(), &awss3.GetBucketCorsInput{Bucket: &e.Bucket})
	if err != nil || len(out.CORSRules) != 2 || aws.ToString(out.CORSRules[0].ID) != "theirs" {
		t.Errorf("the rules are %+v, %v", out, err)
	}

	form, err := b.Form(t.Context(), buckettest.Upload("uploads/1"))
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]string{one: one, two: two, "https://evil.example.com": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, form.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s may post: %q, want %q", origin, got, want)
		}
	}

	// Without origins our rule goes, and that of others stays.
	if c := setup(t, b, false)[cors]; c.State != s3.Unwanted || c.Before == "" || c.After != "" || c.Applied {
		t.Errorf("to be taken away: %+v", c)
	}
	if c := setup(t, b, true)[cors]; c.State != s3.Unwanted || c.After != "" || !c.Applied {
		t.Errorf("taken away: %+v", c)
	}
	if c, ok := setup(t, b, true)[cors]; ok {
		t.Errorf("taken away again: %+v", c)
	}
	out, err = e.Client().GetBucketCors(t.Context(), &awss3.GetBucketCorsInput{Bucket: &e.Bucket})
	if err != nil || len(out.CORSRules) != 1 || aws.ToString(out.CORSRules[0].ID) != "theirs" {
		t.Errorf("the rules are %+v, %v", out, err)
	}
}

// TestSetupRefused: no rule is made that would be about others' objects, or that
// lets everybody in.
func TestSetupRefused(t *testing.T) {
	b := offline(t, s3.Options{HTTPClient: &http.Client{Transport: http.NewFileTransport(http.Dir(t.TempDir()))}})
	for name, run := range map[string]func() ([]s3.Change, error){
		"no prefix": func() ([]s3.Change, error) {
			return b.Setup(t.Context(), []string{"https://a"}, s3.Prefixes{Media: "m/"}, true)
		},
		"no media": func() ([]s3.Change, error) {
			return b.Setup(t.Context(), []string{"https://a"}, s3.Prefixes{Uploads: "u/"}, true)
		},
		"kept under uploads": func() ([]s3.Change, error) {
			return b.Setup(t.Context(), []string{"https://a"}, s3.Prefixes{Uploads: "m/", Media: "m/media/"}, true)
		},
		"any origin": func() ([]s3.Change, error) { return b.Setup(t.Context(), []string{"*"}, prefixes, true) },
	} {
		if changes, err := run(); err == nil || changes != nil {
			t.Errorf("%s: %+v, %v", name, changes, err)
		}
	}
}

// TestVersioned: D13. In a bucket that keeps old versions, deleting leaves none.
func TestVersioned(t *testing.T) {
	e := buckettest.S3Env(t)
	client := e.Client()
	set := func(status types.BucketVersioningStatus) {
		t.Helper()
		_, err := client.PutBucketVersioning(t.Context(), &awss3.PutBucketVersioningInput{
			Bucket: &e.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	left := func() (pieces []string) {
		t.Helper()
		out, err := client.ListObjectVersions(t.Context(), &awss3.ListObjectVersionsInput{Bucket: &e.Bucket})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Versions {
			pieces = append(pieces, *v.Key)
		}
		for _, m := range out.DeleteMarkers {
			pieces = append(pieces, "deleted "+*m.Key)
		}
		return pieces
	}
	put := func(b *s3.Bucket, key string) {
		t.Helper()
		for _, body := range []string{"one", "two"} {
			if err := b.Put(t.Context(), key, "image/jpeg", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &e.Bucket, Key: &key}); err != nil {
			t.Fatal(err)
		}
		if err := b.Put(t.Context(), key, "image/jpeg", []byte("three")); err != nil {
			t.Fatal(err)
		}
	}
	for _, status := range []types.BucketVersioningStatus{types.BucketVersioningStatusEnabled, types.BucketVersioningStatusSuspended} {
		set(types.BucketVersioningStatusEnabled)
		b := e.Open(t, s3.Options{})
		put(b, "media/7/1")
		put(b, "media/7/10")
		put(b, "media/8")
		set(status)
		for range 2 { // the second time there is nothing left
			if err := b.Delete(t.Context(), "media/7/1"); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range left() {
			if strings.HasSuffix(p, "media/7/1") {
				t.Errorf("%s: left after Delete: %s", status, p)
			}
		}
		if n, err := b.DeleteAll(t.Context(), "media/7/"); err != nil || n != 4 {
			t.Errorf("%s: DeleteAll = %d, %v, want 4", status, n, err)
		}
		for _, p := range left() {
			if !strings.HasSuffix(p, "media/8") {
				t.Errorf("%s: left after DeleteAll: %s", status, p)
			}
		}
		if _, err := b.Head(t.Context(), "media/8"); err != nil {
			t.Errorf("%s: another prefix: %v", status, err)
		}
	}
}
