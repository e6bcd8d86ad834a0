package media

import (
	"context"
	"sync"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/media/picture"
)

// Links are the addresses of a photo; empty where there is none.
type Links struct{ Large, Medium, Small string }

// PhotoLinks signs the addresses of a photo that is ready; of another one they
// are empty. They are good for at least half an hour, and the same for everybody
// who asks within that time.
func (s *Service) PhotoLinks(ctx context.Context, u Upload) Links {
	if u.State != Ready || u.Post == 0 {
		return Links{}
	}
	now := s.now()
	sign := func(key, contentType string) string {
		from := now.Truncate(photoURLWindow)
		return s.sign(ctx, now, bucket.Download{Key: key, ContentType: contentType, From: from, Expires: from.Add(photoURLLife)})
	}
	if u.Folder == "" { // from the older backend, not yet re-encoded
		one := sign(u.LegacyKey, u.ContentType)
		return Links{one, one, one}
	}
	return Links{sign(u.Folder+largeName, picture.JPEG), sign(u.Folder+mediumName, picture.JPEG), sign(u.Folder+smallName, picture.JPEG)}
}

// FileLink signs the address of a document's file, for five minutes and for its
// owner's eyes alone. Images are shown, anything else is saved.
func (s *Service) FileLink(ctx context.Context, u Upload) string {
	if u.State != Ready || u.Document == 0 {
		return ""
	}
	now := s.now()
	from := now.Truncate(fileURLWindow)
	d := bucket.Download{Key: u.shown(), ContentType: u.ContentType, Private: true, From: from, Expires: from.Add(fileURLLife)}
	if u.ContentType == picture.PDF {
		d.FileName = u.DownloadName()
	}
	return s.sign(ctx, now, d)
}

// sign gives the URL of a download. One that cannot be signed now is missing
// from the answer: a list of posts does not fail for its pictures.
func (s *Service) sign(ctx context.Context, now time.Time, d bucket.Download) string {
	if url, ok := s.links.find(d, now); ok {
		return url
	}
	url, expires, err := s.bucket.URL(ctx, d)
	if err != nil {
		s.log.WarnContext(ctx, "URL not signed", "err", err)
		return ""
	}
	s.links.keep(d, url, expires)
	return url
}

// links remembers URLs: signing one costs as much as reading a post, and a list
// of posts has thirty of them.
type links struct {
	mu    sync.Mutex
	known map[bucket.Download]link
}

type link struct {
	url     string
	expires time.Time
}

// maxLinks bounds the memory; the whole is forgotten when it is full, as most of
// it is out of date by then.
const maxLinks = 20_000

// leastLife is what a remembered URL must have left.
const leastLife = 2 * time.Minute

func (l *links) find(d bucket.Download, now time.Time) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.known[d]
	return one.url, ok && one.expires.Sub(now) > leastLife
}

func (l *links) keep(d bucket.Download, url string, expires time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxLinks {
		l.known = map[bucket.Download]link{}
	}
	l.known[d] = link{url, expires}
}
