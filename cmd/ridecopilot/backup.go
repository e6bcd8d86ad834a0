package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ridecopilot/ridecopilot/internal/backup"
)

// backups makes backups and restores them.
func (a *app) backups() *backup.Service {
	return backup.NewService(backup.Options{
		Store: a.store, Bucket: a.storage, Prefix: a.config.s3.prefix, Newest: a.store.Newest(), Version: version(), Log: a.log,
		Migrate: func(ctx context.Context, to int64) error {
			return a.store.MigrateTo(ctx, to, a.migrateQueue)
		},
	})
}

func (p *program) backupCommand() *cobra.Command {
	var o backup.WriteOptions
	c := &cobra.Command{
		Use: "backup FILE", Short: "Copy the database and all photos and files into one file, while the server runs", Args: cobra.ExactArgs(1),
		Long: "Copy the database and all photos and files into one file, while the server runs. FILE must not be there yet; - is standard output.",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Progress = p.progress()
			return p.withApp(cmd.Context(), func(ctx context.Context, a *app) error { return p.backup(ctx, a, args[0], o) })
		},
	}
	c.Flags().BoolVar(&o.WithoutObjects, "without-objects", false, "leave the photos and files out: the storage is kept by other means")
	return c
}

func (p *program) backup(ctx context.Context, a *app, path string, o backup.WriteOptions) error {
	s := a.backups()
	var made backup.Written
	var err error
	if path == "-" {
		if isTerminal(p.stdout) {
			return usageError{errors.New("a backup is not for a terminal: name a file, or send the output somewhere")}
		}
		made, err = s.Write(ctx, p.stdout, o)
	} else {
		err = writeWhole(path, func(w io.Writer) (err error) {
			made, err = s.Write(ctx, w, o)
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := s.Remember(ctx, made.Made); err != nil { // it is there all the same
		a.log.WarnContext(ctx, "the backup is not noted in the database", "err", err)
	}
	fmt.Fprintf(p.stderr, "Backed up: %d rows and %d photos and files, %d bytes, as of %s.\n",
		made.Records, made.Objects, made.Bytes, made.At.Format(time.RFC3339))
	if made.Gone > 0 {
		fmt.Fprintf(p.stderr, "%d photos and files were deleted meanwhile, and are not in it.\n", made.Gone)
	}
	return nil
}

// writeWhole makes a file that is there whole or not at all, for its owner alone,
// and overwrites none.
func writeWhole(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already: a backup overwrites nothing", path)
	}
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	defer os.Remove(part.Name()) //nolint:errcheck // under its own name it stays
	if err := errors.Join(write(part), part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("the backup was not made: %w", err)
	}
	if err := os.Link(part.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s has come meanwhile: a backup overwrites nothing", path)
		}
		return fmt.Errorf("the backup cannot be given its name: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder sees the names in a folder on disk.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (p *program) restoreCommand() *cobra.Command {
	var o backup.RestoreOptions
	var newer string
	c := &cobra.Command{
		Use: "restore FILE", Short: "Make everything anew from a backup, in an empty place", Args: cobra.ExactArgs(1),
		Long: "Make everything anew from a backup, in an empty place: a new data folder, or an empty database, and an empty storage. It may be of the other engine.",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Progress = p.progress()
			return p.withApp(cmd.Context(), func(ctx context.Context, a *app) error { return p.restore(ctx, a, args[0], newer, o) })
		},
	}
	c.Flags().BoolVar(&o.WithoutObjects, "without-objects", false, "leave the storage as it is: it was kept by other means")
	c.Flags().StringVar(&newer, "erased-in", "", "a newer backup: accounts that were erased by then are erased again")
	return c
}

func (p *program) restore(ctx context.Context, a *app, path, newer string, o backup.RestoreOptions) error {
	release, err := a.config.lockDataDir()
	if err != nil {
		return err
	}
	defer release() //nolint:errcheck // the lock ends with the process
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the backup cannot be read: %w", err)
	}
	defer from.Close() //nolint:errcheck // it was only read
	if newer != "" {
		f, err := os.Open(newer)
		if err != nil {
			return fmt.Errorf("the newer backup cannot be read: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		o.Newer = f
	}
	r, err := a.backups().Restore(ctx, from, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Restored as of %s: %d rows and %d photos and files; of these %d accounts, %d car posts, %d calculator entries, %d documents.\n",
		r.MadeAt.Format(time.RFC3339), r.Records, r.Objects, r.Rows["account"], r.Rows["car_post"], r.Rows["entry"], r.Rows["document"])
	if r.ErasedAgain > 0 {
		fmt.Fprintf(p.stdout, "%d accounts that were erased after the backup have been erased again.\n", r.ErasedAgain)
	}
	if r.Gone > 0 {
		fmt.Fprintf(p.stdout, "%d photos and files were deleted while the backup was made, and are not in it.\n", r.Gone)
	}
	fmt.Fprintln(p.stdout, "The signing secret is not in a backup: with the former SECRET_KEY people stay signed in.")
	fmt.Fprintln(p.stdout, "ridecopilot storage check compares rows and objects.")
	return nil
}
