package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ridecopilot/ridecopilot/internal/djangoimport"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/store"
)

func (p *program) importDjangoCommand() *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:   "import-django",
		Short: "Copy the database of the older backend (Django on PostgreSQL) into this one",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.from == "" {
				return usageError{errors.New("say where the older database is: --from postgres://user@host:5432/database")}
			}
			return p.withSchema(cmd.Context(), func(ctx context.Context, a *app) error { return p.importDjango(ctx, a, o) })
		},
	}
	c.Flags().StringVar(&o.from, "from", "", "the older database, postgres://…; its password may come from PGPASSWORD or PGPASSFILE")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only report; store nothing")
	c.Flags().StringVar(&o.report, "report", "", "a file for the whole report as CSV; it holds personal data")
	return c
}

type importOptions struct {
	from   string
	dryRun bool
	report string
}

// errDryRun rolls a rehearsal back.
var errDryRun = errors.New("dry run")

func (p *program) importDjango(ctx context.Context, a *app, o importOptions) error {
	// On SQLite the import is the only writer for minutes, and a server that runs
	// would check passwords without knowing that there are Django's among them:
	// see newApp. So none may.
	release, err := a.config.lockDataDir()
	if err != nil {
		return err
	}
	defer release() //nolint:errcheck // the lock ends with the process
	from, err := djangoimport.Open(ctx, o.from)
	if errors.Is(err, djangoimport.ErrURL) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer from.Close(ctx)
	how := djangoimport.Options{
		DryRun: o.dryRun, Progress: p.progress(),
		Reserved: []string{media.KeptPrefix(a.config.s3.prefix), media.UploadsPrefix(a.config.s3.prefix)},
	}
	report, err := p.fillReport(o.report, func(oddity func(djangoimport.Oddity) error) (report djangoimport.Report, err error) {
		how.Oddity = oddity
		err = a.store.Import(ctx, func(into *store.Import) error {
			var err error
			if report, err = djangoimport.Run(ctx, from, into, how); err == nil && o.dryRun {
				return errDryRun
			}
			return err
		})
		if errors.Is(err, errDryRun) {
			err = nil
		}
		return report, err
	})
	if err != nil {
		return err
	}
	return p.imported(ctx, a, o, report)
}

// fillReport opens the file of the whole report around an import and closes it.
func (p *program) fillReport(path string, run func(func(djangoimport.Oddity) error) (djangoimport.Report, error)) (djangoimport.Report, error) {
	if path == "" {
		return run(nil)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return djangoimport.Report{}, fmt.Errorf("the report cannot be written: %w", err)
	}
	if err := f.Chmod(0o600); err != nil { // it may have been there
		return djangoimport.Report{}, errors.Join(fmt.Errorf("the report cannot be kept private: %w", err), f.Close())
	}
	w, err := djangoimport.NewCSV(f)
	if err != nil {
		return djangoimport.Report{}, errors.Join(fmt.Errorf("the report cannot be written: %w", err), f.Close())
	}
	report, err := run(w.Write)
	written := errors.Join(w.Flush(), f.Close())
	if err == nil && written != nil {
		return report, fmt.Errorf("all is done, but the report could not be written: %w", written)
	}
	return report, err
}

// imported tells what was done, and looks after the database.
func (p *program) imported(ctx context.Context, a *app, o importOptions, report djangoimport.Report) error {
	report.Print(p.stdout)
	if o.report != "" {
		fmt.Fprintf(p.stdout, "\nEvery such value is in %s. It holds personal data: keep it from others, and remove it when you are done.\n", o.report)
	}
	if o.dryRun {
		fmt.Fprintln(p.stdout, "\nThis was a rehearsal: nothing was stored.")
		return nil
	}
	if err := a.store.FinishLoad(ctx); err != nil { // it is stored all the same
		a.log.WarnContext(ctx, "tables not analyzed", "err", err)
	}
	fmt.Fprintln(p.stdout, "\nThe data of the older backend is here. Start the server anew, so that it knows of the passwords that came along.")
	return nil
}
