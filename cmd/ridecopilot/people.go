package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ridecopilot/ridecopilot/internal/account"
)

func (p *program) createSuperuserCommand() *cobra.Command {
	var email, name string
	var fromStdin bool
	c := &cobra.Command{
		Use:   "createsuperuser",
		Short: "Make a person who may do everything in the admin site",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withSchema(cmd.Context(), func(ctx context.Context, a *app) error {
				in := bufio.NewReader(p.stdin)
				var err error
				if email == "" {
					if email, err = p.ask(in, "E-mail address: "); err != nil {
						return err
					}
				}
				if name == "" {
					if name, err = p.ask(in, "Name: "); err != nil {
						return err
					}
				}
				pw, err := p.askPassword(in, fromStdin)
				if err != nil {
					return err
				}
				u, err := a.accounts.CreateSuperuser(ctx, account.System(account.SourceCommand), name, email, pw)
				if err == nil {
					fmt.Fprintf(p.stdout, "Superuser %s was created.\n", u.Email)
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&email, "email", "", "address to sign in with")
	c.Flags().StringVar(&name, "name", "", "name of the person")
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return c
}

func (p *program) changePasswordCommand() *cobra.Command {
	var fromStdin bool
	c := &cobra.Command{
		Use:   "changepassword EMAIL",
		Short: "Give a person a new password; every session ends and the person is told by mail",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withSchema(cmd.Context(), func(ctx context.Context, a *app) error {
				pw, err := p.askPassword(bufio.NewReader(p.stdin), fromStdin)
				if err != nil {
					return err
				}
				err = a.accounts.SetPassword(ctx, account.System(account.SourceCommand), args[0], pw)
				if err == nil {
					fmt.Fprintln(p.stdout, "The password was changed.")
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return c
}

func (p *program) ask(in *bufio.Reader, question string) (string, error) {
	fmt.Fprint(p.stdout, question)
	line, err := in.ReadString('\n')
	if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
		return "", usageError{errors.New("there is nobody to ask: give --email, --name and --password-stdin")}
	}
	return strings.TrimSpace(line), nil
}

// askPassword reads a password: from standard input, from SUPERUSER_PASSWORD,
// or from a person, twice and unseen. It is taken as it is but for the end of
// the line (promise T2).
func (p *program) askPassword(in *bufio.Reader, fromStdin bool) (string, error) {
	if fromStdin {
		text, err := io.ReadAll(io.LimitReader(in, 1<<14))
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	for _, kv := range p.environ {
		if pw, ok := strings.CutPrefix(kv, "SUPERUSER_PASSWORD="); ok && pw != "" {
			return pw, nil
		}
	}
	terminal, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", usageError{errors.New("there is nobody to ask for a password: give --password-stdin or SUPERUSER_PASSWORD")}
	}
	var typed [2]string
	for i, question := range []string{"Password: ", "Password, again: "} {
		fmt.Fprint(p.stdout, question)
		b, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(p.stdout)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords are not the same")
	}
	return typed[0], nil
}
