package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

type photoOut struct {
	ID          int64                 `json:"id" example:"1"`
	State       string                `json:"state" enum:"started,processing,ready,failed" doc:"Others see it when it is ready. Its owner sees one that was only started where that is asked for."`
	Error       *string               `json:"error" nullable:"true" doc:"Why it failed."`
	URL         *string               `json:"url" nullable:"true" format:"uri" doc:"Of the photo, at most 2,560 pixels on a side; good for half an hour at least."`
	Thumbnails  orNull[thumbnailsOut] `json:"thumbnails"`
	Width       *int                  `json:"width" nullable:"true" doc:"Pixels of the photo as it is shown."`
	Height      *int                  `json:"height" nullable:"true"`
	ContentType string                `json:"content_type" example:"image/jpeg"`
	Size        int64                 `json:"size" doc:"Bytes."`
	Position    int                   `json:"position" doc:"Its place among those in the answer."`
}

type thumbnailsOut struct {
	Small  *string `json:"small" nullable:"true" format:"uri" doc:"JPEG, at most 320 pixels on a side."`
	Medium *string `json:"medium" nullable:"true" format:"uri" doc:"JPEG, at most 1,280 pixels on a side."`
}

// linker finds the addresses of a photo.
type linker func(media.Upload) media.Links

// links signs addresses for a client.
func (a *API) links(ctx context.Context) linker {
	return func(u media.Upload) media.Links { return a.Media.PhotoLinks(ctx, u) }
}

func newPhotosOut(photos []media.Upload, link linker) []photoOut {
	list := make([]photoOut, 0, len(photos))
	for i, u := range photos {
		list = append(list, newPhotoOut(u, i, link))
	}
	return list
}

func newPhotoOut(u media.Upload, position int, link linker) photoOut {
	o := photoOut{
		ID: u.ID, State: stateOf(u), Error: orNil(u.Problem), Width: u.Width, Height: u.Height,
		ContentType: u.ContentType, Size: u.Size, Position: position,
	}
	if u.State == media.Ready {
		l := link(u)
		o.URL = orNil(l.Large)
		o.Thumbnails.V = &thumbnailsOut{orNil(l.Small), orNil(l.Medium)}
	}
	return o
}

// stateOf is a state as clients know it: whether what failed may come back is
// the server's business.
func stateOf(u media.Upload) string {
	if u.State == media.Lost {
		return string(media.Failed)
	}
	return string(u.State)
}

// orNil is nil for an empty text.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// fileBody is what is said of a file that is going to be uploaded.
type fileBody struct {
	FileName    opt[string] `json:"file_name" required:"true" minLength:"1" maxLength:"255" example:"RCA 2026.pdf"`
	ContentType opt[string] `json:"content_type" required:"true" doc:"application/pdf, image/jpeg, image/png or image/webp. Of these, what the bytes say counts in the end." example:"application/pdf"`
	Size        opt[int64]  `json:"size" required:"true" minimum:"1" maximum:"10485760" doc:"Bytes, exactly: 10 MB at most." example:"284113"`
}

type photoBody struct {
	FileName    opt[string] `json:"file_name" required:"true" minLength:"1" maxLength:"255" example:"front.jpg"`
	ContentType opt[string] `json:"content_type" required:"true" doc:"image/jpeg, image/png or image/webp. Of these, what the bytes say counts in the end." example:"image/jpeg"`
	Size        opt[int64]  `json:"size" required:"true" minimum:"1" maximum:"10485760" doc:"Bytes, exactly: 10 MB at most." example:"284113"`
	Replaces    opt[int64]  `json:"replaces" doc:"A photo of the same post, which goes when this one is ready and takes its place." example:"1"`
}

func newFile(name, contentType opt[string], size opt[int64], bad *fault.Fields) media.File {
	return media.File{Name: name.require("file_name", bad), ContentType: contentType.require("content_type", bad), Size: size.require("size", bad)}
}

type startedOut struct {
	ID     int64     `json:"id" doc:"Of the photo or file, to complete it with." example:"1"`
	Upload permitOut `json:"upload"`
}

type permitOut struct {
	Method    string            `json:"method" enum:"POST" doc:"Send multipart/form-data."`
	URL       string            `json:"url" format:"uri"`
	Fields    map[string]string `json:"fields" doc:"Every one of them is a field of the form; behind them, last, comes the file in a field named file."`
	Headers   map[string]string `json:"headers" doc:"Headers to send; none so far."`
	ExpiresAt time.Time         `json:"expires_at"`
}

// started answers with a permit.
func started(ctx context.Context, a *API, path string, u media.Upload, form media.Form, repeated bool) *out[startedOut] {
	return made(ctx, a, path, u.ID, 1, u.Target, repeated, startedOut{u.ID, permitOut{
		Method: http.MethodPost, URL: form.URL, Fields: form.Fields, Headers: map[string]string{}, ExpiresAt: form.Expires.UTC(),
	}})
}

// startPhoto serves POST /api/carposts/{id}/photos/.
func (a *API) startPhoto(ctx context.Context, in *struct {
	ObjectID
	Body body[photoBody]
},
) (*out[startedOut], error) {
	bad, b := in.Body.bad, in.Body.in
	f := newFile(b.FileName, b.ContentType, b.Size, &bad)
	u, form, repeated, err := a.Media.Start(ctx, actor(ctx), media.Request{Target: media.Target{Post: in.ID}, File: f, Replaces: b.Replaces.V}, bad)
	if err != nil {
		return nil, err
	}
	return started(ctx, a, "/api/carposts/"+itoa(in.ID)+"/photos/", u, form, repeated), nil
}

// PhotoID names a photo of a post.
type PhotoID struct {
	ObjectID
	Photo int64 `path:"photo" example:"1"`
}

// completePhoto serves POST /api/carposts/{id}/photos/{photo}/complete/.
func (a *API) completePhoto(ctx context.Context, in *PhotoID) (*out[photoOut], error) {
	if _, err := a.Media.Complete(ctx, actor(ctx), media.Target{Post: in.ID}, in.Photo); err != nil {
		return nil, err
	}
	return a.photo(ctx, in)
}

// photo serves GET /api/carposts/{id}/photos/{photo}/. Its owner also finds one
// that was only started.
func (a *API) photo(ctx context.Context, in *PhotoID) (*out[photoOut], error) {
	p, err := a.Listings.Post(ctx, actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	for i, u := range p.Photos {
		if u.ID == in.Photo {
			return &out[photoOut]{Status: http.StatusOK, Body: newPhotoOut(u, i, a.links(ctx))}, nil
		}
	}
	u, err := a.Media.Upload(ctx, actor(ctx), media.Target{Post: in.ID}, in.Photo)
	if errors.Is(err, fault.Forbidden) {
		err = media.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out[photoOut]{Status: http.StatusOK, Body: newPhotoOut(u, len(p.Photos), a.links(ctx))}, nil
}

type photosOut struct {
	Count    int        `json:"count" example:"2"`
	Next     *string    `json:"next" nullable:"true"`
	Previous *string    `json:"previous" nullable:"true"`
	Results  []photoOut `json:"results" doc:"All of them, in their order."`
}

type photosIn struct {
	ObjectID
	State param[string] `query:"state" enum:"started" doc:"started for those that the owner has begun and not completed."`
}

// photos serves GET /api/carposts/{id}/photos/.
func (a *API) photos(ctx context.Context, in *photosIn) (*out[photosOut], error) {
	var bad fault.Fields
	in.State.choice("state", []string{string(media.Started)}, &bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	p, err := a.Listings.Post(ctx, actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	photos := p.Photos
	if in.State.Set {
		if photos, err = a.Media.Unfinished(ctx, actor(ctx), in.ID); err != nil {
			return nil, err
		}
	}
	list := newPhotosOut(photos, a.links(ctx))
	return &out[photosOut]{Status: http.StatusOK, Body: photosOut{Count: len(list), Results: list}}, nil
}

type orderBody struct {
	IDs opt[[]int64] `json:"ids" required:"true" maxItems:"20" doc:"Every photo of the post, the cover first."`
}

// orderPhotos serves PUT /api/carposts/{id}/photos/order/.
func (a *API) orderPhotos(ctx context.Context, in *struct {
	ObjectID
	Body body[orderBody]
},
) (*out[photosOut], error) {
	bad := in.Body.bad
	ids := in.Body.in.IDs.require("ids", &bad)
	if err := a.Media.Order(ctx, actor(ctx), in.ID, ids, bad); err != nil {
		return nil, err
	}
	return a.photos(ctx, &photosIn{ObjectID: in.ObjectID})
}

// deletePhoto serves DELETE /api/carposts/{id}/photos/{photo}/.
func (a *API) deletePhoto(ctx context.Context, in *PhotoID) (*none, error) {
	return nil, a.Media.Delete(ctx, actor(ctx), media.Target{Post: in.ID}, in.Photo)
}

type fileOut struct {
	ID          int64   `json:"id" example:"1"`
	State       string  `json:"state" enum:"started,ready,failed"`
	Error       *string `json:"error" nullable:"true" doc:"Why it failed."`
	FileName    string  `json:"file_name" example:"RCA 2026.pdf"`
	ContentType string  `json:"content_type" example:"application/pdf"`
	Size        int64   `json:"size" doc:"Bytes."`
	URL         *string `json:"url" nullable:"true" format:"uri" doc:"Good for five minutes."`
}

func newFileOut(u media.Upload, link func(media.Upload) string) fileOut {
	return fileOut{u.ID, stateOf(u), orNil(u.Problem), u.FileName, u.ContentType, u.Size, orNil(link(u))}
}

func (a *API) fileLinks(ctx context.Context) func(media.Upload) string {
	return func(u media.Upload) string { return a.Media.FileLink(ctx, u) }
}

// startFile serves POST /api/documents/{id}/file/.
func (a *API) startFile(ctx context.Context, in *struct {
	ObjectID
	Body body[fileBody]
},
) (*out[startedOut], error) {
	bad, b := in.Body.bad, in.Body.in
	f := newFile(b.FileName, b.ContentType, b.Size, &bad)
	u, form, repeated, err := a.Media.Start(ctx, actor(ctx), media.Request{Target: media.Target{Document: in.ID}, File: f}, bad)
	if err != nil {
		return nil, err
	}
	return started(ctx, a, "/api/documents/"+itoa(in.ID)+"/file/", u, form, repeated), nil
}

// FileID names an upload of a document.
type FileID struct {
	ObjectID
	File int64 `path:"file" example:"1"`
}

// completeFile serves POST /api/documents/{id}/file/{file}/complete/.
func (a *API) completeFile(ctx context.Context, in *FileID) (*out[fileOut], error) {
	u, err := a.Media.Complete(ctx, actor(ctx), media.Target{Document: in.ID}, in.File)
	if err != nil {
		return nil, err
	}
	return &out[fileOut]{Status: http.StatusOK, Body: newFileOut(u, a.fileLinks(ctx))}, nil
}

// file serves GET /api/documents/{id}/file/{file}/.
func (a *API) file(ctx context.Context, in *FileID) (*out[fileOut], error) {
	u, err := a.Media.Upload(ctx, actor(ctx), media.Target{Document: in.ID}, in.File)
	if err != nil {
		return nil, err
	}
	return &out[fileOut]{Status: http.StatusOK, Body: newFileOut(u, a.fileLinks(ctx))}, nil
}

// deleteFile serves DELETE /api/documents/{id}/file/{file}/.
func (a *API) deleteFile(ctx context.Context, in *FileID) (*none, error) {
	return nil, a.Media.Delete(ctx, actor(ctx), media.Target{Document: in.ID}, in.File)
}

type uploadsOut struct {
	Count         int         `json:"count" doc:"Uploads that were begun and not completed." example:"1"`
	Next          *string     `json:"next" nullable:"true"`
	Previous      *string     `json:"previous" nullable:"true"`
	Results       []uploadOut `json:"results" doc:"All of them, the latest first."`
	MaxUnfinished int         `json:"max_unfinished" doc:"How many there may be." example:"20"`
	Bytes         int64       `json:"bytes" doc:"Bytes of all photos and files, unfinished ones among them."`
	MaxBytes      int64       `json:"max_bytes" doc:"How many there may be." example:"2147483648"`
}

type uploadOut struct {
	ID          int64     `json:"id" example:"1"`
	CarPost     *int64    `json:"car_post" nullable:"true" doc:"The post that the photo is for." example:"1"`
	Document    *int64    `json:"document" nullable:"true" doc:"The document that the file is for."`
	FileName    string    `json:"file_name" example:"front.jpg"`
	ContentType string    `json:"content_type" example:"image/jpeg"`
	Size        int64     `json:"size" doc:"Bytes, as announced; 0 if they were not."`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at" doc:"When its permit lapses."`
}

// uploads serves GET /api/user/uploads/.
func (a *API) uploads(ctx context.Context, _ *struct{}) (*out[uploadsOut], error) {
	usage, err := a.Media.Usage(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	o := uploadsOut{
		Count: len(usage.Begun), Results: make([]uploadOut, 0, len(usage.Begun)),
		MaxUnfinished: media.MaxUnfinished, Bytes: usage.Bytes, MaxBytes: media.MaxBytes,
	}
	for _, u := range usage.Begun {
		one := uploadOut{ID: u.ID, FileName: u.FileName, ContentType: u.ContentType, Size: u.Size, CreatedAt: u.CreatedAt, ExpiresAt: u.Permitted()}
		if u.Post != 0 {
			one.CarPost = &u.Post
		}
		if u.Document != 0 {
			one.Document = &u.Document
		}
		o.Results = append(o.Results, one)
	}
	return &out[uploadsOut]{Status: http.StatusOK, Body: o}, nil
}

// exportName is where a file lies in the archive of an account's data: under its
// own name as far as it is plain, for names may be chosen to mislead.
func exportName(u media.Upload) string {
	extension := map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "application/pdf": ".pdf"}[u.ContentType]
	if u.Post != 0 {
		return "photos/" + itoa(u.Post) + "-" + itoa(u.ID) + extension
	}
	base := u.FileName
	if n := len(base) - len(extension); n >= 0 && strings.EqualFold(base[n:], extension) {
		base = base[:n]
	}
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, strings.Trim(base, ". "))
	if plain == "" {
		plain = "file"
	}
	return "documents/" + itoa(u.Document) + "-" + plain + extension
}
