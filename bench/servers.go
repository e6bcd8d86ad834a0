package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The names of the two servers.
const (
	productName   = "product"
	referenceName = "reference"
)

// process is a running server.
type process struct {
	cmd     *exec.Cmd
	log     *os.File
	addr    string
	metrics string // empty for a server without
	ready   time.Duration
	ended   chan struct{} // closed when it has
}

const startTimeout = 30 * time.Second

// launch starts a server, reads from its first lines where it listens, and waits
// until it is ready. What it logs goes to a file in dir.
func launch(ctx context.Context, name, dir string, environ []string, command ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...), log: log, ended: make(chan struct{})} //nolint:gosec // the programs that make has built
	p.cmd.Env, p.cmd.Stderr, p.cmd.Dir = environ, log, dir
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	places := make(chan [2]string, 1)
	go func() {
		p.read(out, places)
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	if err := p.wait(begin, places); err != nil {
		p.stop()
		text, _ := os.ReadFile(log.Name()) // without it there is less to say
		return nil, fmt.Errorf("start the %s: %w\n%s", name, err, bytes.TrimSpace(text[max(0, len(text)-2000):]))
	}
	return p, nil
}

// read looks for the addresses in what the server says.
func (p *process) read(out io.Reader, places chan<- [2]string) {
	lines := bufio.NewScanner(out)
	var place [2]string
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if at, ok := strings.CutPrefix(line, "start page"); ok {
			place[0] = address(at)
		}
		if at, ok := strings.CutPrefix(line, "metrics"); ok {
			place[1] = address(at)
		}
		// The product names its metrics last.
		if place[0] != "" && (place[1] != "" || filepath.Base(p.cmd.Path) == "bench-reference") {
			select {
			case places <- place:
			default:
			}
		}
	}
}

// address is host:port of a URL.
func address(url string) string {
	at := strings.TrimPrefix(strings.TrimSpace(url), "http://")
	at, _, _ = strings.Cut(at, "/")
	return at
}

func (p *process) wait(begin time.Time, places <-chan [2]string) error {
	late := time.After(startTimeout)
	select {
	case place := <-places:
		p.addr, p.metrics = place[0], place[1]
	case <-p.ended:
		return errors.New("it has ended")
	case <-late:
		return errors.New("it does not say where it listens")
	}
	c := &client{addr: p.addr}
	defer c.close()
	for time.Since(begin) < startTimeout {
		if status, _, err := c.do(get(nil, p.addr, "/readyz", ""), false); err == nil && status == 200 {
			p.ready = time.Since(begin)
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.New("it does not get ready")
}

// stop ends the server and waits for its end.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill() // as above
		<-p.ended
	}
	_ = p.log.Close() // nothing of ours is in it
}
