package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/joho/godotenv"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
	"github.com/ridecopilot/ridecopilot/internal/mail"
	"github.com/ridecopilot/ridecopilot/internal/rdsauth"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/web"
)

// setting is a row of the table of settings. Their names are fixed.
type setting struct {
	name   string
	def    string // shown and used when nothing is set
	about  string
	secret bool // never printed
	isURL  bool // may hold a password
}

// flag is the name on the command line: DATA_DIR is --data-dir.
func (s setting) flag() string { return strings.ReplaceAll(strings.ToLower(s.name), "_", "-") }

var settings = []setting{
	{name: "ADDR", def: "127.0.0.1:8000", about: "the public listener"},
	{name: "DATA_DIR", def: "./data", about: "embedded database, mails not sent, generated secret"},
	{name: "DATABASE_URL", about: "postgres://…; the embedded SQLite in DATA_DIR when empty", isURL: true},
	{name: "DATABASE_IAM_AUTH", def: "off", about: "on: signs in to Amazon RDS as the role of the task, without a password"},
	{name: "PUBLIC_URL", about: "where clients reach the server; http://<ADDR> on loopback, else required"},
	{name: "SECRET_KEY", about: "at least 32 bytes; made at first start on SQLite, required on PostgreSQL", secret: true},
	{name: "SECRET_KEY_PREVIOUS", about: "the secret before, which still verifies", secret: true},
	{name: "ACCESS_TOKEN_TTL", def: "24h", about: "life of an access token"},
	{name: "REFRESH_TOKEN_TTL", def: "336h", about: "life of a refresh token that is not used"},
	{name: "S3_BUCKET", about: "the bucket of photos and files; the local disk in DATA_DIR when empty"},
	{name: "S3_REGION", about: "its region; as AWS's own settings have it when empty"},
	{name: "S3_ENDPOINT", about: "of an S3-compatible store, such as https://s3.example.com; AWS when empty", isURL: true},
	{name: "S3_PREFIX", about: "what keys of objects begin with, such as drivers/"},
	{name: "S3_PATH_STYLE", def: "off", about: "on for stores that want the bucket in the path"},
	{name: "CLOUDFRONT_DOMAIN", about: "photos are read through this distribution, such as media.example.com"},
	{name: "CLOUDFRONT_KEY_ID", about: "the id of its public key"},
	{name: "CLOUDFRONT_PRIVATE_KEY", about: "the private key (PEM) that signs its URLs", secret: true},
	{name: "CORS_ALLOWED_ORIGINS", about: "exact origins, comma-separated; any localhost while PUBLIC_URL is one, else none"},
	{name: "SMTP_URL", about: "smtp://host:587 or smtps://host:465, with user and password; mails go to DATA_DIR/mail when empty", isURL: true},
	{name: "MAIL_FROM", def: "Rideshare Copilot <no-reply@localhost>", about: "the sender of mails"},
	{name: "LEGACY_API", def: "on", about: "the API of the older web client"},
	{name: "COOKIE_SAMESITE", def: "lax", about: "lax, or none where the older client lives on another site (https only)"},
	{name: "REGISTRATION", def: "open", about: "open, verified (the address first) or closed"},
	{name: "TRUSTED_PROXIES", about: "CIDRs whose X-Forwarded-For counts, comma-separated"},
	{name: "THROTTLE", def: "on", about: "off for load tests: no limits on guessing and rates"},
	{name: "DRAIN_DELAY", about: "how long requests are still taken after SIGTERM: 5s, 0 on loopback"},
	{name: "METRICS_ADDR", def: "127.0.0.1:9090", about: "/metrics and /debug/pprof/, or off"},
	{name: "LOG_LEVEL", def: "info", about: "debug, info, warn or error"},
	{name: "LOG_FORMAT", about: "text or json; text on a terminal, else json"},
	{name: "OTEL_EXPORTER_OTLP_ENDPOINT", about: "traces go to this collector (OTLP over HTTP), such as http://127.0.0.1:4318; none when empty", isURL: true},
	{name: "CLOUDWATCH_NAMESPACE", about: "the log holds metrics of CloudWatch under this name, such as Ridecopilot/prod; none when empty"},
}

// config is the settings, read.
type config struct {
	addr           string
	dataDir        string
	databaseURL    string
	databaseIAM    bool
	publicURL      *url.URL
	secret         string
	previousSecret string
	accessTTL      time.Duration
	refreshTTL     time.Duration
	s3             s3Config
	origins        []string
	smtpURL        string
	mailFrom       string
	legacyAPI      bool
	sameSite       http.SameSite
	registration   account.Registration
	proxies        []netip.Prefix
	throttle       bool
	drainDelay     time.Duration
	metricsAddr    string // empty: off
	logLevel       string
	logFormat      string
	collector      string // of traces; empty: off
	namespace      string // of CloudWatch; empty: off

	from     map[string]string // by setting: where its value comes from
	text     map[string]string // by setting: the value as it was given
	problems []string          // settings that cannot be read or cannot work: the server does not start
	lacking  []string          // settings that are missing or too weak to be used: the server does not start
	warnings []string          // settings that are weaker than they should be
	notes    io.Writer         // what else a check has to say
}

// s3Config says where photos and files lie; without a bucket, on local disk.
type s3Config struct {
	bucket, region, endpoint, prefix string
	pathStyle                        bool
	cloudFront                       *s3.CloudFront // nil: reads are signed for S3
}

// postgres tells whether the database is a PostgreSQL server.
func (c *config) postgres() bool { return c.databaseURL != "" }

// loopback tells whether only this machine can reach the server.
func (c *config) loopback() bool { return isLoopback(c.publicURL.Hostname()) }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// load reads the settings: a flag wins over the environment, and that over the
// file .env in the working directory. NAME_FILE names a file that holds NAME.
func (p *program) load() (*config, error) {
	c := &config{from: map[string]string{}, text: map[string]string{}, notes: p.stdout}
	env := map[string]string{}
	for _, kv := range p.environ {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	file, err := godotenv.Read(".env")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{errors.New("the file .env cannot be read: every line must be NAME=value")}
	}
	for _, s := range settings {
		flag := ""
		if f := p.flags[s.name]; f != nil {
			flag = *f
		}
		if err := c.find(s, flag, env, file); err != nil {
			return nil, err
		}
	}
	c.parse()
	return c, nil
}

// find gives a setting its value and says where from.
func (c *config) find(s setting, flag string, env, file map[string]string) error {
	switch {
	case flag != "":
		c.text[s.name], c.from[s.name] = flag, "flag --"+s.flag()
		return nil
	case env[s.name] != "" && env[s.name+"_FILE"] != "":
		return usageError{fmt.Errorf("set %s or %s_FILE, not both", s.name, s.name)}
	}
	for _, place := range []struct {
		name   string
		values map[string]string
	}{{"environment", env}, {".env", file}} {
		if v := place.values[s.name]; v != "" {
			c.text[s.name], c.from[s.name] = v, place.name
			return nil
		}
		if path := place.values[s.name+"_FILE"]; path != "" {
			text, err := os.ReadFile(path)
			if err != nil {
				return usageError{fmt.Errorf("%s_FILE cannot be read: %w", s.name, err)}
			}
			c.text[s.name], c.from[s.name] = strings.TrimRight(string(text), "\r\n"), place.name+", file "+path
			return nil
		}
	}
	if s.def != "" {
		c.text[s.name], c.from[s.name] = s.def, "default"
	}
	return nil
}

func (c *config) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *config) lacks(format string, args ...any) {
	c.lacking = append(c.lacking, fmt.Sprintf(format, args...))
}

func (c *config) warn(text string) { c.warnings = append(c.warnings, text) }

func (c *config) parse() {
	t := c.text
	c.addr, c.dataDir, c.databaseURL = t["ADDR"], t["DATA_DIR"], t["DATABASE_URL"]
	c.smtpURL, c.mailFrom = t["SMTP_URL"], t["MAIL_FROM"]
	c.logLevel, c.logFormat = strings.ToLower(t["LOG_LEVEL"]), strings.ToLower(t["LOG_FORMAT"])
	host, port, err := net.SplitHostPort(c.addr)
	if err != nil || !isPort(port) {
		c.problem("ADDR must be host:port, such as 127.0.0.1:8000")
	}
	if i, err := os.Stat(c.dataDir); err == nil && !i.IsDir() {
		c.problem("DATA_DIR %s is a file: it must be a folder", c.dataDir)
	}
	if c.databaseURL != "" {
		if err := store.CheckURL(c.databaseURL); err != nil {
			c.problem("DATABASE_URL: %v", err)
		}
	}
	c.checkMail()
	c.parseStorage()
	c.parsePublicURL(host)
	c.parseTimes()
	c.parseLists()
	c.legacyAPI = c.onOff("LEGACY_API")
	c.parseSameSite()
	c.registration = account.Registration(strings.ToLower(t["REGISTRATION"]))
	if !slices.Contains([]account.Registration{account.RegistrationOpen, account.RegistrationVerified, account.RegistrationClosed}, c.registration) {
		c.problem("REGISTRATION must be open, verified or closed")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.logLevel) {
		c.problem("LOG_LEVEL must be debug, info, warn or error")
	}
	if !slices.Contains([]string{"", "text", "json"}, c.logFormat) {
		c.problem("LOG_FORMAT must be text or json")
	}
	c.throttle = c.onOff("THROTTLE")
	if !c.throttle {
		c.warn("THROTTLE is off: nothing slows down guessing of passwords; this is for load tests only")
	}
	if c.metricsAddr = t["METRICS_ADDR"]; strings.EqualFold(c.metricsAddr, "off") {
		c.metricsAddr = ""
	} else if metricsHost, metricsPort, err := net.SplitHostPort(c.metricsAddr); err != nil || !isPort(metricsPort) {
		c.problem("METRICS_ADDR must be host:port or off")
	} else if metricsPort == port && port != "0" && (metricsHost == host || isAny(host) || isAny(metricsHost)) {
		c.problem("METRICS_ADDR and ADDR are the same: each needs a port of its own")
	} else if !isLoopback(metricsHost) {
		c.warn("METRICS_ADDR is not loopback: make sure that only your monitoring reaches it")
	}
	c.parseObservation()
	c.checkSecrets()
	c.checkDatabaseTLS()
	c.parseDatabaseIAM()
}

// isPort tells whether a listener can have a port; 0 is any that is free.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == port
}

// isAny tells whether host is every address of the machine: empty, 0.0.0.0 or ::.
func isAny(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || (err == nil && ip.IsUnspecified())
}

func (c *config) parsePublicURL(host string) {
	given := c.text["PUBLIC_URL"]
	if given == "" {
		if !isLoopback(host) {
			c.lacks("PUBLIC_URL is required when ADDR is not loopback, such as https://api.example.com")
		}
		given = "http://" + c.addr
		c.text["PUBLIC_URL"], c.from["PUBLIC_URL"] = given, "default"
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		c.problem("PUBLIC_URL must be scheme and host alone, such as https://api.example.com")
		u = &url.URL{Scheme: "http", Host: "localhost"}
	}
	u.Path = ""
	// Requests name the host as browsers spell it: an international name in another
	// spelling would match none.
	if name, ok := web.ParseHost(u.Scheme, u.Host); ok {
		u.Host = name
	} else if c.from["PUBLIC_URL"] != "default" {
		c.problem("PUBLIC_URL names no host that clients can reach: %q", u.Host)
	}
	if c.from["PUBLIC_URL"] != "default" && isAny(u.Hostname()) {
		c.problem("PUBLIC_URL must be an address that clients can reach: %s is none, it stands for all of this machine's", u.Hostname())
	}
	c.publicURL = u
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		c.warn("PUBLIC_URL is not https: passwords and tokens travel in the open")
	}
}

// parseSameSite reads how the older client's cookie travels.
func (c *config) parseSameSite() {
	switch strings.ToLower(c.text["COOKIE_SAMESITE"]) {
	case "lax":
		c.sameSite = http.SameSiteLaxMode
	case "none":
		c.sameSite = http.SameSiteNoneMode
		if c.publicURL.Scheme != "https" {
			c.problem("COOKIE_SAMESITE=none needs a PUBLIC_URL with https: browsers refuse such cookies elsewhere")
		}
		c.warn("COOKIE_SAMESITE is none: pages of other sites can send the cookie, and only their origin keeps them out")
	default:
		c.problem("COOKIE_SAMESITE must be lax or none")
	}
}

func (c *config) parseTimes() {
	for _, d := range []struct {
		name string
		into *time.Duration
	}{{"ACCESS_TOKEN_TTL", &c.accessTTL}, {"REFRESH_TOKEN_TTL", &c.refreshTTL}} {
		v, err := time.ParseDuration(c.text[d.name])
		if err != nil || v < time.Minute {
			c.problem("%s must be a time of at least a minute, such as 24h", d.name)
		}
		*d.into = v
	}
	if c.accessTTL > c.refreshTTL && c.refreshTTL >= time.Minute {
		c.problem("ACCESS_TOKEN_TTL is longer than REFRESH_TOKEN_TTL: a session would end before its access token")
	}
	if c.accessTTL > account.DefaultAccessTTL {
		c.warn("ACCESS_TOKEN_TTL is longer than 24h")
	}
	if c.refreshTTL > account.DefaultRefreshTTL {
		c.warn("REFRESH_TOKEN_TTL is longer than 336h")
	}
	text := c.text["DRAIN_DELAY"]
	if text == "" {
		text = "5s"
		if c.loopback() {
			text = "0"
		}
		c.text["DRAIN_DELAY"], c.from["DRAIN_DELAY"] = text, "default"
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 || v > time.Minute {
		c.problem("DRAIN_DELAY must be a time of at most a minute, such as 5s")
	}
	c.drainDelay = v
}

func (c *config) parseLists() {
	for origin := range fields(c.text["CORS_ALLOWED_ORIGINS"]) {
		exact, err := web.ParseOrigin(origin)
		if err != nil {
			c.problem("CORS_ALLOWED_ORIGINS: %q can never match: %v", origin, err)
			continue
		}
		c.origins = append(c.origins, exact)
	}
	for cidr := range fields(c.text["TRUSTED_PROXIES"]) {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			ip, ipErr := netip.ParseAddr(cidr)
			if ipErr != nil {
				c.problem("TRUSTED_PROXIES must be CIDRs, such as 10.0.0.0/8; %q is not one", cidr)
				continue
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		if a := p.Addr(); a.Is4In6() { // addresses of clients are compared as IPv4
			if p.Bits() < 96 {
				c.problem("TRUSTED_PROXIES: %q can never match: write it as IPv4", cidr)
				continue
			}
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		if p.Bits() == 0 {
			c.warn("TRUSTED_PROXIES trusts every address: anybody can say to come from anywhere, and is never slowed down")
		}
		c.proxies = append(c.proxies, p)
	}
}

// fields are the parts of a comma-separated list.
func fields(list string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(list, ",") {
			if part = strings.TrimSpace(part); part != "" && !yield(part) {
				return
			}
		}
	}
}

func (c *config) onOff(name string) bool {
	switch strings.ToLower(c.text[name]) {
	case "on", "true":
		return true
	case "off", "false":
		return false
	}
	if b, err := strconv.ParseBool(c.text[name]); err == nil {
		return b
	}
	c.problem("%s must be on or off", name)
	return true
}

// checkMail makes sure that mails could leave.
func (c *config) checkMail() {
	if _, err := netmail.ParseAddress(c.mailFrom); err != nil {
		c.problem("MAIL_FROM must be an address, such as Rideshare Copilot <no-reply@example.com>")
		return
	}
	if c.smtpURL == "" {
		return
	}
	if _, err := mail.NewSMTP(c.smtpURL, c.mailFrom); err != nil {
		c.problem("SMTP_URL: %v", err)
		return
	}
	u, err := url.Parse(c.smtpURL)
	switch {
	case err != nil: // NewSMTP has read it
	case u.Scheme == "smtp" && u.Port() == "465":
		c.problem("SMTP_URL: port 465 begins with TLS: write smtps:// for it, or port 587")
	case u.Scheme == "smtps" && (u.Port() == "587" || u.Port() == "25"):
		c.problem("SMTP_URL: port %s begins without TLS: write smtp:// for it, or port 465", u.Port())
	case !isLoopback(u.Hostname()) && strings.HasSuffix(c.mailFrom, "@localhost>"):
		c.warn("MAIL_FROM is at localhost: mail servers refuse such a sender")
	}
}

// minSecret is how long a signing secret is at least, in bytes (promise T19).
const minSecret = 32

// knownSecrets are those that stand in examples and in the older server.
var knownSecrets = []string{"secret", "changeme", "change-me", "django-insecure", "your-secret-key", "example"}

func (c *config) checkSecrets() {
	const advice = ": set it to at least 32 random bytes, such as the output of: openssl rand -base64 48"
	c.secret, c.previousSecret = c.text["SECRET_KEY"], c.text["SECRET_KEY_PREVIOUS"]
	if c.secret == "" && c.postgres() {
		c.lacks("SECRET_KEY is required on PostgreSQL%s", advice)
	}
	for _, s := range []struct{ name, value string }{{"SECRET_KEY", c.secret}, {"SECRET_KEY_PREVIOUS", c.previousSecret}} {
		if s.value == "" {
			continue
		}
		if why := weakSecret(s.value); why != "" {
			c.lacks("%s %s%s", s.name, why, advice)
		}
	}
	if c.secret != "" && c.secret == c.previousSecret {
		c.problem("SECRET_KEY_PREVIOUS must be the secret before, not the present one")
	}
}

// weakSecret says why a secret must not be used; empty when it may.
func weakSecret(s string) string {
	if len(s) < minSecret {
		return "is shorter than 32 bytes"
	}
	for _, known := range knownSecrets {
		if lower := strings.ToLower(s); strings.HasPrefix(lower, known) || strings.Count(lower, known) > 1 {
			return "looks like an example"
		}
	}
	distinct := map[byte]bool{}
	for i := range len(s) {
		distinct[s[i]] = true
	}
	if len(distinct) < 8 {
		return "has too few different characters"
	}
	for n := 1; n < minSecret && n <= len(s)/2; n++ {
		if strings.HasPrefix(strings.Repeat(s[:n], len(s)/n+1), s) {
			return "repeats itself"
		}
	}
	return ""
}

// checkDatabaseTLS warns of a connection over a network that does not check
// whom it talks to (promise P8).
func (c *config) checkDatabaseTLS() {
	u, err := url.Parse(c.databaseURL)
	if c.databaseURL == "" || err != nil || u.Hostname() == "" || isLoopback(u.Hostname()) || strings.HasPrefix(u.Query().Get("host"), "/") {
		return
	}
	if mode := u.Query().Get("sslmode"); mode != "verify-full" {
		c.warn("DATABASE_URL should say sslmode=verify-full: now nobody checks that it is your database")
	}
}

// parseDatabaseIAM reads whether the database is signed in to by tokens.
func (c *config) parseDatabaseIAM() {
	if c.databaseIAM = c.onOff("DATABASE_IAM_AUTH"); !c.databaseIAM {
		return
	}
	if !c.postgres() {
		c.lacks("DATABASE_IAM_AUTH is on, but DATABASE_URL is not set")
		return
	}
	if err := rdsauth.Check(c.databaseURL); err != nil {
		c.problem("DATABASE_IAM_AUTH: %v in DATABASE_URL", err)
	}
	if u, err := url.Parse(c.databaseURL); err == nil && u.User != nil {
		if _, given := u.User.Password(); given {
			c.warn("DATABASE_URL holds a password, which DATABASE_IAM_AUTH leaves unused: take it out")
		}
	}
}

// check is the problems of the settings as one error of usage.
func (c *config) check() error {
	all := slices.Concat(c.problems, c.lacking)
	if len(all) == 0 {
		return nil
	}
	return usageError{errors.New(strings.Join(all, "\nridecopilot: "))}
}

// secretFile keeps the secret that an embedded database begins with.
const secretFile = "secret.key"

// ensureSecret makes a secret at the first start on SQLite, and keeps it in the
// data folder, for the owner of the folder alone.
func (c *config) ensureSecret() error {
	if c.secret != "" {
		return nil
	}
	path := filepath.Join(c.dataDir, secretFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(newSecret() + "\n")
		err = writeSecret(path, text)
		if errors.Is(err, fs.ErrExist) { // another process was first
			text, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return fmt.Errorf("keep the secret: %w", err)
	}
	c.secret = string(bytes.TrimSpace(text))
	if why := weakSecret(c.secret); why != "" {
		return usageError{fmt.Errorf("the secret in %s %s", path, why)}
	}
	return nil
}

func writeSecret(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// Whole or not at all: written aside, then linked under its name.
	aside, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) //nolint:errcheck // left over at worst
	_, err = aside.Write(text)
	if err := errors.Join(err, aside.Chmod(0o600), aside.Sync(), aside.Close()); err != nil {
		return err
	}
	return os.Link(aside.Name(), path)
}
