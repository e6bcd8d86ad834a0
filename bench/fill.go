package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// thePassword is how seed tells it.
var thePassword = regexp.MustCompile(`with the password (\S+)`)

// fillUp makes the tables and fills them by the product's own commands.
func (o *options) fillUp(ctx context.Context, progress io.Writer) error {
	size, ok := sizes[o.size]
	if !ok {
		return fmt.Errorf("there is no size %q; there are %v", o.size, sizeNames())
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	product, err := filepath.Abs(o.product)
	if err != nil {
		return fmt.Errorf("find the product: %w", err)
	}
	run := func(args ...string) (string, error) {
		c := exec.CommandContext(ctx, product, args...) //nolint:gosec // the program that make has built
		var out bytes.Buffer
		c.Env, c.Dir, c.Stdout, c.Stderr = o.environ(secretText()), o.data, &out, progress
		if err := c.Run(); err != nil {
			return "", fmt.Errorf("ridecopilot %s: %w", args[0], err)
		}
		return out.String(), nil
	}
	if _, err := run("migrate"); err != nil {
		return err
	}
	said, err := run("seed", "--drivers", strconv.Itoa(size[0]), "--posts", strconv.Itoa(size[1]), "--entries", strconv.Itoa(size[2]))
	if err != nil {
		return err
	}
	found := thePassword.FindStringSubmatch(said)
	if found == nil {
		return errors.New("seed does not tell the password")
	}
	if o.database != "" {
		if err := vacuum(ctx, o.database); err != nil {
			return err
		}
	}
	text, err := json.Marshal(known{o.size, found[1]}) //nolint:gosec // of people who do not exist
	if err == nil {
		err = os.WriteFile(o.knownPath(), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note how the database was filled: %w", err)
	}
	return nil
}

// vacuum leaves nothing for PostgreSQL to do by itself while it is measured.
func vacuum(ctx context.Context, url string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return errors.New("vacuum: the database does not answer") // the driver's words might hold the password
	}
	defer c.Close(ctx) //nolint:errcheck // nothing waits in it
	if _, err := c.Exec(ctx, `VACUUM (ANALYZE)`); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	return nil
}
