package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ridecopilot/ridecopilot/internal/bucket/disk"
	"github.com/ridecopilot/ridecopilot/internal/bucket/s3"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/server"
)

// storage is where photos and files lie, as the program sees it.
type storage interface {
	media.Bucket
	Ping(ctx context.Context) error
}

// objectsDir is the folder of the local objects in the data folder.
const objectsDir = "objects"

var prefixForm = regexp.MustCompile(`^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*$`)

// parseStorage reads where photos and files lie.
func (c *config) parseStorage() {
	t := c.text
	c.s3 = s3Config{bucket: t["S3_BUCKET"], region: t["S3_REGION"], endpoint: t["S3_ENDPOINT"], prefix: t["S3_PREFIX"], pathStyle: c.onOff("S3_PATH_STYLE")}
	if c.s3.prefix != "" && !strings.HasSuffix(c.s3.prefix, "/") {
		c.s3.prefix += "/"
	}
	if !prefixForm.MatchString(c.s3.prefix) {
		c.problem("S3_PREFIX must be plain names between slashes, such as drivers/")
	}
	if e := c.s3.endpoint; e != "" {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
			c.problem("S3_ENDPOINT must be scheme and host alone, such as https://s3.example.com")
		} else if u.Scheme == "http" && !isLoopback(u.Hostname()) {
			c.warn("S3_ENDPOINT is not https: photos and documents travel in the open")
		}
	}
	if strings.ContainsAny(c.s3.bucket, "/: ") {
		c.problem("S3_BUCKET must be the name of a bucket alone: it is neither an address nor a path")
	}
	domain, id, key := t["CLOUDFRONT_DOMAIN"], t["CLOUDFRONT_KEY_ID"], t["CLOUDFRONT_PRIVATE_KEY"]
	switch given := domain + id + key; {
	case c.s3.bucket == "":
		for _, name := range []string{"S3_REGION", "S3_ENDPOINT", "S3_PREFIX", "CLOUDFRONT_DOMAIN", "CLOUDFRONT_KEY_ID", "CLOUDFRONT_PRIVATE_KEY"} {
			if t[name] != "" {
				c.lacks("%s is set, but S3_BUCKET is not", name)
			}
		}
		if c.s3.pathStyle {
			c.lacks("S3_PATH_STYLE is on, but S3_BUCKET is not set")
		}
	case given == "":
	case domain == "" || id == "" || key == "":
		c.lacks("CLOUDFRONT_DOMAIN, CLOUDFRONT_KEY_ID and CLOUDFRONT_PRIVATE_KEY go together: set all or none")
	case strings.ContainsAny(domain, "/:*") || !strings.Contains(domain, "."):
		c.problem("CLOUDFRONT_DOMAIN must be a host name, such as media.example.com")
	default:
		c.s3.cloudFront = &s3.CloudFront{Domain: domain, KeyID: id, PrivateKeyPEM: key}
		if err := c.s3.cloudFront.Check(); err != nil {
			c.problem("CLOUDFRONT_DOMAIN, CLOUDFRONT_KEY_ID and CLOUDFRONT_PRIVATE_KEY: %v", err)
		}
	}
}

// openStorage opens the bucket, or the folder of local objects. The folder asks
// wanted before it takes an upload; nil takes every one with a permit.
func (c *config) openStorage(ctx context.Context, wanted func(context.Context, string) (bool, error)) (storage, error) {
	if c.s3.bucket != "" {
		b, err := s3.New(ctx, s3.Options{
			Bucket: c.s3.bucket, Region: c.s3.region, Endpoint: c.s3.endpoint, PathStyle: c.s3.pathStyle, CloudFront: c.s3.cloudFront,
		})
		if err != nil {
			return nil, usageError{fmt.Errorf("S3_BUCKET: %w", err)}
		}
		return b, nil
	}
	secrets := []string{c.secret}
	if c.previousSecret != "" {
		secrets = append(secrets, c.previousSecret)
	}
	return disk.New(disk.Options{
		Dir: filepath.Join(c.dataDir, objectsDir), Secrets: secrets, Path: server.StoragePath, Wanted: wanted,
		BaseURL: func() string { return strings.TrimSuffix(c.publicURL.String(), "/") },
	})
}

func (p *program) storageCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "storage", Short: "Look after the storage of photos and files", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("say ridecopilot storage setup, or storage check")}
		},
	}
	var dryRun, checkDry, force bool
	setup := &cobra.Command{
		Use: "setup", Short: "Put the rules that the product needs on the bucket", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.storageSetup(cmd.Context(), dryRun) },
	}
	setup.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would change")
	check := &cobra.Command{
		Use: "check", Short: "Compare rows and objects, and mend what differs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withSchema(cmd.Context(), func(ctx context.Context, a *app) error {
				return p.storageCheck(ctx, a, media.CheckOptions{Repair: !checkDry, Force: force})
			})
		},
	}
	check.Flags().BoolVar(&checkDry, "dry-run", false, "only report")
	check.Flags().BoolVar(&force, "force", false, "mend also when so much differs that this may be the wrong storage")
	c.AddCommand(setup, check)
	return c
}

// rules are what Setup goes by: the origins whose pages upload, and where.
func (c *config) bucketRules(ctx context.Context, b *s3.Bucket, apply bool) ([]s3.Change, error) {
	return b.Setup(ctx, c.origins, s3.Prefixes{Uploads: media.UploadsPrefix(c.s3.prefix), Media: media.KeptPrefix(c.s3.prefix)}, apply)
}

func (p *program) storageSetup(ctx context.Context, dryRun bool) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.s3.bucket == "" {
		fmt.Fprintf(p.stdout, "Photos and files are kept in %s: there are no rules to put anywhere.\n", filepath.Join(c.dataDir, objectsDir))
		return nil
	}
	s, err := c.openStorage(ctx, nil)
	if err != nil {
		return err
	}
	changes, err := c.bucketRules(ctx, s.(*s3.Bucket), !dryRun) //nolint:errcheck // with S3_BUCKET it is no other
	if err != nil {
		return fmt.Errorf("the rules of bucket %s cannot be read or written: %w", c.s3.bucket, err)
	}
	for _, ch := range changes {
		p.showChange(ch)
	}
	if len(c.origins) == 0 {
		fmt.Fprintln(p.stdout, "CORS_ALLOWED_ORIGINS is empty: no page may upload.")
	}
	return nil
}

func (p *program) showChange(ch s3.Change) {
	state := ch.State
	switch {
	case ch.Applied && ch.State == s3.Unwanted:
		state += ", now removed"
	case ch.Applied:
		state += ", now in place"
	}
	fmt.Fprintf(p.stdout, "%s: %s\n", ch.Rule, state)
	if ch.Before == ch.After {
		return
	}
	for _, side := range []struct{ sign, text string }{{"-", ch.Before}, {"+", ch.After}} {
		for line := range strings.Lines(side.text) {
			fmt.Fprintf(p.stdout, "  %s %s\n", side.sign, strings.TrimRight(line, "\n"))
		}
	}
}

// checkBucket tells what is missing on the bucket, for config check.
func (c *config) checkBucket(ctx context.Context) {
	if c.s3.bucket == "" || len(c.problems)+len(c.lacking) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	s, err := c.openStorage(ctx, nil)
	if err != nil {
		c.lacks("%v", err)
		return
	}
	changes, err := c.bucketRules(ctx, s.(*s3.Bucket), false) //nolint:errcheck // with S3_BUCKET it is no other
	if err != nil {
		c.lacks("bucket %s cannot be looked at: %v", c.s3.bucket, err)
		return
	}
	for _, ch := range changes {
		switch ch.State {
		case s3.Missing, s3.Different, s3.Unwanted:
			c.warn(fmt.Sprintf("bucket %s: %s is %s; ridecopilot storage setup puts it in place", c.s3.bucket, ch.Rule, ch.State))
		case s3.NotOffered:
			fmt.Fprintf(c.notes, "note:   bucket %s: %s is not offered by this store\n", c.s3.bucket, ch.Rule)
		}
	}
}

func (p *program) storageCheck(ctx context.Context, a *app, o media.CheckOptions) error {
	switch again, err := a.backups().EraseAgain(ctx, !o.Repair); {
	case err != nil:
		return err
	case again > 0 && o.Repair:
		fmt.Fprintf(p.stdout, "%d accounts that had been erased, and were there again, have been erased.\n", again)
	case again > 0:
		fmt.Fprintf(p.stdout, "%d accounts that had been erased are there again, and would be erased.\n", again)
	}
	if progress := p.progress(); progress != nil {
		o.Progress = func(done, total int) { progress("uploads", done, total) }
	}
	r, err := a.media.Check(ctx, o)
	suspicious := errors.Is(err, media.ErrSuspicious)
	if err != nil && !suspicious && r.Failed == 0 {
		return err
	}
	removed, marked, back, again := "removed", "marked so", "shown again", "made again"
	if !o.Repair || suspicious {
		removed, marked, back, again = "would be removed", "would be marked so", "would be shown again", "would be made again"
	}
	fmt.Fprintf(p.stdout, "%d uploads and %d objects compared.\n", r.Uploads, r.Objects)
	for _, line := range []struct {
		n    int
		text string
	}{
		{r.Unclaimed, "objects without a row, " + removed},
		{r.Young, "objects without a row yet, younger than 48 hours: left alone"},
		{r.Missing, "photos or files whose object is missing, " + marked},
		{r.Found, "photos or files whose object is there again, " + back},
		{r.Redone, "photos without their thumbnails, " + again},
		{r.Foreign, "objects that are not of this server: left alone"},
		{r.Failed, "repairs that did not work, named in the log"},
	} {
		if line.n > 0 {
			fmt.Fprintf(p.stdout, "%8d %s\n", line.n, line.text)
		}
	}
	unusable := a.storage.Ping(ctx)
	switch {
	case unusable != nil:
		return unusable
	case suspicious:
		return errors.New("so much differs that this may be the wrong storage or the wrong database: nothing was mended; see S3_BUCKET, S3_PREFIX and DATA_DIR, and add --force if all is as it should be")
	case r.Failed > 0:
		return fmt.Errorf("%d repairs did not work: %w", r.Failed, err)
	case r.Clean():
		fmt.Fprintln(p.stdout, "Rows and objects agree.")
	case !o.Repair:
		return errQuiet
	}
	return nil
}
