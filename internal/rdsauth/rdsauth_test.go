package rdsauth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/rdsauth"
)

// A token is for the server and the user of the address, in the region that its
// name tells, or else AWS's settings do.
func TestPassword(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	for _, tt := range []struct{ url, region, host, want string }{
		{"postgres://rc@db.abc.eu-central-1.rds.amazonaws.com/x?sslmode=verify-full", "us-east-1", "db.abc.eu-central-1.rds.amazonaws.com:5432", "/eu-central-1/rds-db/"},
		{"postgres://rc@p.proxy-abc.us-gov-west-1.rds.amazonaws.com:6000/x?sslmode=verify-full", "", "p.proxy-abc.us-gov-west-1.rds.amazonaws.com:6000", "/us-gov-west-1/rds-db/"},
		{"postgres://rc@db.abc.cn-north-1.rds.amazonaws.com.cn/x?sslmode=verify-full", "", "db.abc.cn-north-1.rds.amazonaws.com.cn:5432", "/cn-north-1/rds-db/"},
		{"postgres://rc@db.internal/x?sslmode=verify-full", "eu-west-1", "db.internal:5432", "/eu-west-1/rds-db/"},
	} {
		t.Setenv("AWS_REGION", tt.region)
		tokens, err := rdsauth.New(t.Context(), tt.url)
		if err != nil {
			t.Fatal(err)
		}
		token, err := tokens.Password(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse("https://" + token)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if u.Host != tt.host || q.Get("DBUser") != "rc" || q.Get("X-Amz-Expires") != "900" || !strings.Contains(q.Get("X-Amz-Credential"), tt.want) {
			t.Errorf("%s: %s", tt.url, token)
		}
	}
	t.Setenv("AWS_REGION", "")
	if _, err := rdsauth.New(t.Context(), "postgres://rc@db.internal/x?sslmode=verify-full"); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
}
