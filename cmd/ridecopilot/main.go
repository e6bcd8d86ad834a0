// Command ridecopilot is the server of Rideshare Copilot V2 and all the tools
// of its operators in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// errUsage is what wrong usage and wrong settings come down to.
var errUsage = errors.New("usage")

type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{e.error, errUsage} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second signal ends the process at once (promise O7).
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// run is the program: its arguments, its three streams and its environment in,
// its exit code out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := p.command()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errQuiet) {
		fmt.Fprintln(stderr, "ridecopilot: "+sentence(err))
	}
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// errQuiet ends a command that has said all there is to say.
var errQuiet = errors.New("")

// sentence is an error in words for an operator: a fault's own, without the
// steps that led to it.
func sentence(err error) string {
	f := fault.As(err)
	switch {
	case f == nil:
		return err.Error()
	case errors.Is(err, media.ErrUnavailable):
		return "the storage of files does not answer; see that it runs and that S3_BUCKET, S3_ENDPOINT and the credentials are right (" + cause(err, f) + ")"
	case f.Kind == fault.Unavailable:
		return "the database does not answer; see that it runs and that DATABASE_URL is right (" + cause(err, f) + ")"
	}
	return f.Error()
}

// cause is what an error says besides the fault in it, on one line.
func cause(err error, f *fault.Error) string {
	text, _, _ := strings.Cut(strings.Replace(err.Error(), f.Message+": ", "", 1), "\n")
	return text
}

// program is what all commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	flags          map[string]*string // by setting
}

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "ridecopilot",
		Short:         "The server of Rideshare Copilot V2",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help() // to a stream that may be closed
			return usageError{errors.New("say which command to run")}
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	p.flags = map[string]*string{}
	for _, s := range settings {
		if s.secret { // a command line is for everybody on the machine to read (promise P5)
			continue
		}
		p.flags[s.name] = root.PersistentFlags().String(s.flag(), "", s.about)
	}
	root.AddCommand(
		p.serveCommand(), p.migrateCommand(), p.createSuperuserCommand(), p.changePasswordCommand(), p.seedCommand(),
		p.importDjangoCommand(), p.storageCommand(), p.backupCommand(), p.restoreCommand(), p.configCommand(), p.openapiCommand(), p.healthcheckCommand(), p.versionCommand(),
	)
	usageOf(root)
	return root
}

// usageOf makes wrong arguments of a command and those below it wrong usage.
func usageOf(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageOf(sub)
	}
}
