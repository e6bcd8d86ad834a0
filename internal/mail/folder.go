package mail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Folder writes mails into a folder instead of sending them, for machines
// without a mail server.
type Folder struct {
	// Wrote, when set, is told the path of each file. It may be set before the
	// first Send.
	Wrote func(path string)

	dir  string
	from sender
}

// NewFolder returns a Folder that writes to dir, which it makes if need be.
func NewFolder(dir, from string) (*Folder, error) {
	s, err := newSender(from)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail: make folder: %w", err)
	}
	return &Folder{dir: dir, from: s}, nil
}

// Send writes m to a file of its own, whole or not at all, that only the owner
// of the process may read. The names of the files sort by time.
func (f *Folder) Send(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mail: write: %w", err)
	}
	now := time.Now().UTC()
	msg, err := f.from.compose(m, now)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.dir, ".mail-*") // 0600
	if err != nil {
		return fmt.Errorf("mail: write: %w", err)
	}
	_, err = msg.WriteTo(tmp)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	path := filepath.Join(f.dir, now.Format("20060102T150405.000000000Z")+"-"+token(m.ID)[:12]+".eml")
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // err is the news
		return fmt.Errorf("mail: write: %w", err)
	}
	if err := syncDir(f.dir); err != nil {
		return fmt.Errorf("mail: write: %w", err)
	}
	if f.Wrote != nil {
		f.Wrote(path)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
