// Package rdsauth signs in to Amazon RDS as the role of the task or machine, so
// that no password of the database exists anywhere.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
package rdsauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tokens makes tokens for one user of one database server.
type Tokens struct {
	endpoint, region, user string
	credentials            aws.CredentialsProvider
}

// regional finds the region in the host name of an instance, a cluster or a proxy.
var regional = regexp.MustCompile(`\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?$`)

// Check tells what is wrong with a database URL whose user is to sign in by token.
func Check(databaseURL string) error {
	_, err := parse(databaseURL)
	return err
}

func parse(databaseURL string) (*pgconn.Config, error) {
	c, err := pgconn.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("there is no connection string") // the driver's words might hold a password
	}
	if u, err := url.Parse(databaseURL); err != nil || (u.User.Username() == "" && u.Query().Get("user") == "") {
		return nil, errors.New("there is no user") // the driver would take that of the system
	}
	for _, other := range c.Fallbacks {
		if other.Host != c.Host || other.Port != c.Port {
			return nil, errors.New("a token is for one server, and there are several")
		}
		if !checked(other.TLSConfig, c.Host) {
			return nil, errUnchecked
		}
	}
	if !checked(c.TLSConfig, c.Host) {
		return nil, errUnchecked
	}
	return c, nil
}

var errUnchecked = errors.New("tokens need TLS that is checked, and there is no sslmode=verify-full")

// checked tells whether it is known whom a token is sent to, which travels as it is.
func checked(c *tls.Config, host string) bool {
	return loopback(host) || (c != nil && !c.InsecureSkipVerify)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// New prepares tokens for the user of a database URL. Credentials come by AWS's
// default chain, and are renewed by it before they lapse; the region is that of
// the host's name, or else AWS's own settings'.
func New(ctx context.Context, databaseURL string) (*Tokens, error) {
	c, err := parse(databaseURL)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("read AWS's settings: %w", err)
	}
	t := &Tokens{
		endpoint: net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), region: cfg.Region, user: c.User, credentials: cfg.Credentials,
	}
	if m := regional.FindStringSubmatch(c.Host); m != nil {
		t.region = m[1]
	}
	if t.region == "" {
		return nil, errors.New("the region is not known: set AWS_REGION")
	}
	return t, nil
}

// Password is a token, good for signing in for 15 minutes; the connection outlives
// it. Signing takes no call, so every connection gets a new one, and none can be
// too old.
func (t *Tokens) Password(ctx context.Context) (string, error) {
	token, err := auth.BuildAuthToken(ctx, t.endpoint, t.region, t.user, t.credentials)
	if err != nil {
		return "", fmt.Errorf("sign a token for the database: %w", err)
	}
	return token, nil
}
