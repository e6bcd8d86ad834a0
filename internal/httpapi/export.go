package httpapi

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// exportUser serves GET /api/user/export/: all of one's data as one ZIP of
// JSON and files (GDPR, article 20).
func (a *API) exportUser(ctx context.Context, _ *struct{}) (*stream, error) {
	by, u := actor(ctx), call(ctx).known.User
	return a.streaming("application/zip", "ridecopilot-"+a.Now().UTC().Format(time.DateOnly)+".zip", func(ctx context.Context, w io.Writer) error {
		z := zip.NewWriter(w)
		err := a.writeExport(ctx, z, by, u)
		return errors.Join(err, z.Close())
	})
}

func (a *API) writeExport(ctx context.Context, z *zip.Writer, by account.Actor, u account.User) error {
	set, err := a.Accounts.Settings(ctx, by)
	if err != nil {
		return err
	}
	sessions, err := a.Accounts.Sessions(ctx, by)
	if err != nil {
		return err
	}
	places := []sessionOut{}
	for _, s := range sessions {
		places = append(places, sessionOut{s.ID, s.Device, s.Address, s.CreatedAt, s.LastUsedAt, s.ID == by.SessionID})
	}
	reports, err := a.Listings.Reports(ctx, by)
	if err != nil {
		return err
	}
	said := []reportOut{}
	for _, r := range reports {
		said = append(said, reportOut{r.PostID, r.Reason, r.Text, r.At})
	}
	for _, f := range []struct {
		name  string
		value any
	}{{"account.json", newUserOut(u)}, {"settings.json", newSettingsOut(set)}, {"sessions.json", places}, {"reports.json", said}} {
		if err := writeJSON(z, f.name, func(one func(any) error) error { return one(f.value) }, false); err != nil {
			return err
		}
	}
	mine, kept := listing.Filter{Own: true}, listing.Filter{Favorite: new(bool)}
	*kept.Favorite = true
	docs, today, err := a.Documents.Documents(ctx, by, document.Filter{}, document.MaxDocuments*10, 0)
	if err != nil {
		return err
	}
	files := archive{a: a, z: z, names: map[int64]string{}}
	err = a.walkPosts(ctx, by, mine, func(p listing.Post) error { return files.add(ctx, p.Photos...) })
	for _, d := range docs.Documents {
		if d.File != nil && err == nil {
			err = files.add(ctx, *d.File)
		}
	}
	if err != nil { // half of it is of no use
		return err
	}
	return errors.Join(
		writeJSON(z, "carposts.json", a.eachPost(ctx, by, mine, func(p listing.Post) any {
			return newCarPostOut(p, func(u media.Upload) media.Links { return media.Links{Large: files.names[u.ID]} })
		}), true),
		writeJSON(z, "favorites.json", a.eachPost(ctx, by, kept, func(p listing.Post) any { return favoriteOut{p.ID, p.Make, p.Model} }), true),
		writeJSON(z, "calculator.json", func(one func(any) error) error {
			return a.Earnings.EachEntry(ctx, by, earnings.Filter{}, func(e earnings.Entry) error { return one(newEntryOut(e)) })
		}, true),
		writeJSON(z, "documents.json", func(one func(any) error) error {
			for _, d := range docs.Documents {
				if err := one(newDocumentOut(d, today, func(u media.Upload) string { return files.names[u.ID] })); err != nil {
					return err
				}
			}
			return nil
		}, true),
	)
}

// archive takes files in, as they are stored: they are packed already.
type archive struct {
	a     *API
	z     *zip.Writer
	names map[int64]string // of the files that are in it, by upload: in the JSON they stand for the address
}

// add copies uploads into the archive. One that is not there is left out; any
// other failure of the storage ends the export.
func (f *archive) add(ctx context.Context, uploads ...media.Upload) error {
	for _, u := range uploads {
		if u.State != media.Ready {
			continue
		}
		if err := f.copy(ctx, u); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

func (f *archive) copy(ctx context.Context, u media.Upload) error {
	r, err := f.a.Media.Open(ctx, u)
	if err != nil {
		return err
	}
	defer r.Close()
	name := exportName(u)
	w, err := f.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: u.UpdatedAt})
	if err != nil {
		return err
	}
	if _, err = io.Copy(w, r); err == nil {
		f.names[u.ID] = name
	}
	return err
}

type reportOut struct {
	PostID int64     `json:"post_id"`
	Reason string    `json:"reason"`
	Text   string    `json:"text"`
	At     time.Time `json:"created_at"`
}

type favoriteOut struct {
	ID    int64  `json:"id"`
	Make  string `json:"make"`
	Model string `json:"model"`
}

// eachPost hands on what a list of posts is written as.
func (a *API) eachPost(ctx context.Context, by account.Actor, f listing.Filter, form func(listing.Post) any) func(func(any) error) error {
	return func(one func(any) error) error {
		return a.walkPosts(ctx, by, f, func(p listing.Post) error { return one(form(p)) })
	}
}

// walkPosts goes through a list of posts by cursor.
func (a *API) walkPosts(ctx context.Context, by account.Actor, f listing.Filter, do func(listing.Post) error) error {
	at := listing.Place{Limit: maxPageSize, Cursor: &listing.Cursor{}}
	for {
		page, err := a.Listings.Posts(ctx, by, f, listing.Order{Key: "created_at"}, at)
		if err != nil {
			return err
		}
		for _, p := range page.Posts {
			if err := do(p); err != nil {
				return err
			}
		}
		n := len(page.Posts)
		if !page.HasNext || n == 0 {
			return nil
		}
		at.Cursor = &listing.Cursor{Key: page.SortValues[n-1], ID: page.Posts[n-1].ID}
	}
}

// writeJSON writes a file of the archive: one value, or a list of them as they
// come.
func writeJSON(z *zip.Writer, name string, each func(one func(any) error) error, many bool) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	open, between, end := "", "", ""
	if many {
		open, between, end = "[\n", ",\n", "\n]\n"
	}
	if _, err := io.WriteString(w, open); err != nil {
		return err
	}
	first := true
	err = each(func(v any) error {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		if !first {
			text = append([]byte(between), text...)
		}
		first = false
		_, err = w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, end)
	return err
}
