package legacyapi

import (
	"errors"
	"net/http"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// startUpload serves POST upload/direct/start.
func (a *API) startUpload(c *call) error {
	in, err := readJSON(c.r)
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
	if err := bad.err(); err != nil {
		return err
	}
	// The client says nothing of the size: it is looked at when the file is there.
	u, form, _, err := a.Media.Start(c.ctx(), c.by, media.Request{
		Target: media.Target{Post: post}, File: media.File{Name: name, ContentType: kind}, Unsized: true,
	}, nil)
	if err != nil {
		return mine(err, errNotFound)
	}
	answer(c.w, http.StatusOK, object{"id": u.ID, "url": form.URL, "fields": form.Fields})
	return nil
}

// finishUpload serves POST upload/direct/finish. It answers once the photo is
// ready: the client asks for it once, right after.
func (a *API) finishUpload(c *call) error {
	in, err := readJSON(c.r)
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
		return mine(err, errNotFound)
	case u.State == media.Failed:
		return complaints{"file_id": {u.Problem}}.err()
	}
	answer(c.w, http.StatusOK, object{"id": u.ID})
	return nil
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
