package legacyapi

import (
	"bytes"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// startUpload serves POST upload/direct/start.
func (a *API) startUpload(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	bad := complaints{}
	name, _ := in.text("file_name", required, bad)
	kind, _ := in.text("file_type", required, bad)
	post, given, err := in.number("car_post_id")
	switch {
	case err != nil:
		bad.add("car_post_id", saysInteger)
	case !given:
		bad.add("car_post_id", saysRequired)
	}
	words := notTaken(name, kind, nil)
	if kind == "" && words != "" { // browsers know no type of some such files
		delete(bad, "file_type")
		kind = "image/unknown"
	}
	if err := bad.err(); err != nil {
		return err
	}
	// The client says nothing of the size: it is looked at when the file is there.
	u, form, _, err := a.Media.Start(c.ctx(), c.by, media.Request{
		Target: media.Target{Post: post}, File: media.File{Name: name, ContentType: kind}, Unsized: true,
	}, nil)
	if err != nil {
		return mine(a.photoRefused(c, post, err, words), errNotFound)
	}
	// The storage refuses an empty or too large file, and only the client is told.
	if err := a.Listings.AwaitPhoto(c.ctx(), c.by, post); err != nil {
		return mine(err, errNotFound)
	}
	answer(c.w, http.StatusOK, object{"id": u.ID, "url": form.URL, "fields": form.Fields})
	return nil
}

// finishUpload serves POST upload/direct/finish. It answers once the photo is
// ready: the client asks for it once, right after.
func (a *API) finishUpload(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	id, given, err := in.number("file_id")
	if err != nil {
		return err
	}
	if !given {
		return complaints{"file_id": {saysRequired}}.err()
	}
	post, err := a.Media.PostOf(c.ctx(), c.by, id)
	if err != nil {
		return err
	}
	u, err := a.Media.Finish(c.ctx(), c.by, post, id)
	switch {
	case errors.Is(err, media.ErrNotUploaded):
		return complaints{"file_id": {media.ErrNotUploaded.Message}}.err()
	case err != nil:
		return mine(a.photoRefused(c, post, err, ""), errNotFound)
	case u.State == media.Failed:
		return a.photoRefused(c, post, fault.InvalidField("file", "invalid", u.Problem), "")
	}
	answer(c.w, http.StatusOK, object{"id": u.ID})
	return nil
}

// photoRefused is the refusal of a photo: by field, and as one sentence for the
// screen that makes the post. The post is remembered, so that the next try does not
// make another one. words are those of the refusal; empty: those of the error.
func (a *API) photoRefused(c *call, post int64, err error, words string) error {
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid {
		return err
	}
	bad := byField(f.Fields)
	if words != "" {
		bad["file_type"] = []string{words}
	}
	if err := a.Listings.AwaitPhoto(c.ctx(), c.by, post); err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	body := bad.object()
	said := strings.Join(sentences(body, ""), " ")
	if words != "" {
		said = words
	}
	body["detail"], body["Message"] = said, said
	return &refusal{http.StatusBadRequest, body}
}

// notTaken says in words what to do about a picture of a kind that phones and
// chats make, and that is not taken here. It is empty for others.
func notTaken(name, contentType string, raw []byte) string {
	kind := strings.ToLower(contentType)
	if kind == "" || kind == "application/octet-stream" {
		kind = strings.ToLower(path.Ext(name))
	}
	brand := ""
	if len(raw) >= 12 && string(raw[4:8]) == "ftyp" {
		brand = string(raw[8:12])
	}
	switch {
	case raw == nil && strings.HasSuffix(kind, "gif"), bytes.HasPrefix(raw, []byte("GIF8")):
		return "GIF pictures cannot be shown here. Choose a JPEG, PNG or WebP picture instead, such as a screenshot of it."
	case raw == nil && (strings.HasSuffix(kind, "heic") || strings.HasSuffix(kind, "heif")),
		brand == "heic", brand == "heix", brand == "hevc", brand == "heim", brand == "heis", brand == "mif1", brand == "msf1":
		return "HEIC pictures cannot be shown here. Choose a JPEG, PNG or WebP picture instead: a screenshot of it, or, on an iPhone, " +
			"a new photo after choosing Settings, Camera, Formats, Most Compatible."
	}
	return ""
}

// coverOf is the one photo of a post that the client knows: the first that is
// ready.
func coverOf(p listing.Post) (u media.Upload, ok bool) {
	for _, u := range p.Photos {
		if u.State == media.Ready {
			return u, true
		}
	}
	return media.Upload{}, false
}

// cover serves GET get-image-by-post-id/{id}: the client reads what there is not
// from a success.
func (a *API) cover(c *call) error {
	missing := refuse(http.StatusOK, "message", "The car post does not exist!")
	id, err := c.id()
	if err != nil {
		return missing
	}
	p, err := a.Listings.Post(c.ctx(), c.by, id)
	if errors.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	if u, ok := coverOf(p); ok {
		if url := a.Media.PhotoLinks(c.ctx(), u).Large; url != "" {
			answer(c.w, http.StatusOK, object{"url": url})
			return nil
		}
	}
	answer(c.w, http.StatusOK, object{"message": "The car post no image!"})
	return nil
}
