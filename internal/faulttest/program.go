package faulttest

import (
	"bytes"
	"errors"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a step may take that usually takes milliseconds.
const Patience = 30 * time.Second

// Output is a stream that can be waited on. It is safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and made anew by every write
}

// NewOutput returns an empty Output.
func NewOutput() *Output { return &Output{more: make(chan struct{})} }

// Write appends to the stream.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(b)
}

// String is everything that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Find waits for a match of the expression and returns its last group. It gives
// up when until is closed.
func (o *Output) Find(expression string, until <-chan struct{}) (string, bool) {
	re := regexp.MustCompile(expression)
	for {
		o.mu.Lock()
		m, more := re.FindStringSubmatch(o.text.String()), o.more
		o.mu.Unlock()
		if m != nil {
			return m[len(m)-1], true
		}
		select {
		case <-more:
		case <-until:
			// The last write may have come with the end.
			if m := re.FindStringSubmatch(o.String()); m != nil {
				return m[len(m)-1], true
			}
			return "", false
		}
	}
}

// Command is how a Program is started.
type Command struct {
	Path string
	Args []string
	Env  []string // all of it: nothing is inherited
	// Announced is an expression for the line of its output that tells that it
	// serves. Its last group is the address.
	Announced string
}

// Program is a process that a test kills, stops and starts again.
type Program struct {
	Command

	Base string  // the address that it has announced last
	Out  *Output // of its last run
	Err  *Output // of its last run
	Done <-chan struct{}

	run *exec.Cmd
}

// Start runs a command and waits until it serves. The test's end kills it.
func Start(t testing.TB, c Command) *Program {
	t.Helper()
	p := &Program{Command: c}
	p.Restart(t)
	t.Cleanup(p.Kill)
	return p
}

// Restart runs the command again, after it has ended.
func (p *Program) Restart(t testing.TB) {
	t.Helper()
	if p.run != nil {
		p.Kill()
	}
	p.Out, p.Err = NewOutput(), NewOutput()
	p.run = exec.Command(p.Path, p.Args...) // the test says which; Kill ends it
	p.run.Env = p.Env
	p.run.Stdout, p.run.Stderr = p.Out, p.Err
	if err := p.run.Start(); err != nil {
		t.Fatal(err)
	}
	done, run := make(chan struct{}), p.run
	p.Done = done
	go func() {
		defer close(done)
		_ = run.Wait() // ExitCode tells
	}()
	late := time.AfterFunc(Patience, func() { _ = run.Process.Kill() })
	defer late.Stop()
	base, ok := p.Out.Find(p.Announced, p.Done)
	if !ok {
		t.Fatalf("the program did not announce itself:\n%s%s", p.Out, p.Err)
	}
	p.Base = base
}

// Kill ends the process at once with SIGKILL, in the middle of its work.
func (p *Program) Kill() {
	_ = p.run.Process.Kill() // it may have ended
	<-p.Done
}

// Stop asks the process to end with SIGTERM, waits for it and returns its exit
// code.
func (p *Program) Stop(t testing.TB) int {
	t.Helper()
	if err := p.run.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Log(err)
	}
	select {
	case <-p.Done:
	case <-time.After(Patience):
		t.Fatalf("the program does not end:\n%s", p.Err)
	}
	return p.ExitCode()
}

// Pause freezes the process with SIGSTOP, Resume lets it go on.
func (p *Program) Pause() { _ = p.run.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Program) Resume() { _ = p.run.Process.Signal(syscall.SIGCONT) }

// ExitCode is that of the process once Done is closed; -1 when a signal ended it.
func (p *Program) ExitCode() int { return p.run.ProcessState.ExitCode() }

// Eventually asks again and again until ok tells true, and fails the test with
// the words of its last answer when the time is over.
func Eventually(t testing.TB, within time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		done, said := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %s", what, within, said)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
