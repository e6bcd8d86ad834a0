package admin

import (
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// serveFile shows a photo, or gives the file of a document away for download. It
// goes through this server, wherever the objects lie: the pages need no other
// host, and it is known who has opened whose documents.
func (s *Site) serveFile(q *request) error {
	id, err := parseID(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	u, err := s.Media.Find(q.ctx, q.by, id)
	if err != nil {
		return err
	}
	size := q.r.PathValue("size")
	of := s.resource("posts")
	if u.Document != 0 {
		of, size = s.resource("documents"), ""
	}
	if q.allowed("view", of) != nil && (u.Document != 0 || q.allowed("view", s.resource("uploads")) != nil) {
		return errNotAllowed
	}
	if u.Document == 0 && size != "small" && size != "medium" && size != "large" {
		return errNoPage
	}
	if u.Document != 0 && q.r.Method == http.MethodHead {
		return nil
	}
	body, kind, length, err := s.Media.OpenShown(q.ctx, u, size)
	if err != nil {
		return err
	}
	defer body.Close()
	if u.Document != 0 {
		if err := s.Documents.Opened(q.ctx, q.by, u.Document, "file"); err != nil {
			return err
		}
	}
	h := q.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox") // promise U9
	if length > 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	if u.Document != 0 {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": u.DownloadName()}))
	} else {
		h.Set("Cache-Control", "private, max-age=300")
	}
	if q.r.Method != http.MethodHead {
		_, _ = io.Copy(q.w, body) // fails only if the client has gone, or half-way: the length tells
	}
	return nil
}

// changePhotos adds a photo to a post, or orders and removes those it has.
func (s *Site) changePhotos(q *request) error {
	res := s.resource("posts")
	if err := q.allowed("change", res); err != nil {
		return err
	}
	id, err := parseID(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := s.Listings.Post(q.ctx, q.by, id)
	if err != nil {
		return err
	}
	target := media.Target{Post: id}
	message := "The photos were saved."
	if raw := q.form.get(fileField); raw != "" {
		if _, err := s.Media.Take(q.ctx, q.of(p.OwnerID), target, q.form.get(fileField+".name"), []byte(raw), 0); err != nil {
			return q.panelProblem(res, id, err)
		}
		message = "The photo was added. It is shown once it has been prepared."
	}
	if drop := q.form.get("drop"); drop != "" {
		photo, err := parseID(drop)
		if err != nil {
			return err
		}
		if err := s.Media.Delete(q.ctx, q.of(p.OwnerID), target, photo); err != nil {
			return err
		}
		message = "The photo was removed."
	}
	if first := q.form.get("first"); first != "" {
		photo, err := parseID(first)
		if err != nil {
			return err
		}
		ids := []int64{photo}
		for _, u := range p.Photos {
			if u.ID != photo {
				ids = append(ids, u.ID)
			}
		}
		if err := s.Media.Order(q.ctx, q.of(p.OwnerID), id, ids, nil); err != nil {
			return q.panelProblem(res, id, err)
		}
		message = "The photo is the cover now."
	}
	q.redirect(Path+"posts/"+strconv.FormatInt(id, 10)+"/#photos", message)
	return nil
}

// changeFile puts a file on a document, or removes the one it has.
func (s *Site) changeFile(q *request) error {
	res := s.resource("documents")
	if err := q.allowed("change", res); err != nil {
		return err
	}
	id, err := parseID(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	d, err := s.Documents.Find(q.ctx, q.by, id)
	if err != nil {
		return err
	}
	target, message := media.Target{Document: id}, "Nothing was chosen."
	if raw := q.form.get(fileField); raw != "" {
		if _, err := s.Media.Take(q.ctx, q.of(d.OwnerID), target, q.form.get(fileField+".name"), []byte(raw), 0); err != nil {
			return q.panelProblem(res, id, err)
		}
		message = "The file was put on the document."
	} else if drop := q.form.get("drop"); drop != "" && d.File != nil {
		if err := s.Media.Delete(q.ctx, q.of(d.OwnerID), target, d.File.ID); err != nil {
			return err
		}
		message = "The file was removed."
	}
	q.redirect(Path+"documents/"+strconv.FormatInt(id, 10)+"/#file", message)
	return nil
}

// panelProblem says on the page of a thing what was wrong with a file.
func (q *request) panelProblem(res *Resource, id int64, err error) error {
	f := fault.As(err)
	if f == nil || (f.Kind != fault.Invalid && f.Kind != fault.Conflict) {
		return err
	}
	q.redirect(Path+res.Name+"/"+strconv.FormatInt(id, 10)+"/", "The file was not taken. "+f.Error())
	return nil
}
