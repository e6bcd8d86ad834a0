package djangoimport

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/media"
)

// photo is a row of rideposts_file.
type photo struct {
	id                                       int64
	post                                     *int64
	key, originalName, fileName, contentType string
	finished                                 *time.Time
	position                                 int
}

const photoQuery = `
	SELECT id::bigint, post_id::bigint, COALESCE(file::text, ''), COALESCE(original_file_name::text, ''), COALESCE(file_name::text, ''),
		COALESCE(file_type::text, ''), CASE WHEN isfinite(upload_finished_at) THEN upload_finished_at::timestamptz END,
		(row_number() OVER (PARTITION BY post_id ORDER BY id) - 1)::bigint
	FROM rideposts_file ORDER BY id`

func scanPhoto(r pgx.Rows) (photo, error) {
	var p photo
	err := r.Scan(&p.id, &p.post, &p.key, &p.originalName, &p.fileName, &p.contentType, &p.finished, &p.position)
	return p, err
}

// photos takes the photos in as they lie in the storage, under their own keys.
// No job is queued for each: the one that re-encodes them goes by the rows.
func (r *run) photos(ctx context.Context) error {
	return read(ctx, r.from, photoTable, photoQuery, scanPhoto, func(batch []photo) error {
		first, last := batch[0].id, batch[len(batch)-1].id
		r.last[photoTable] = max(r.last[photoTable], last)
		here, err := r.into.Uploads(ctx, first, last)
		if err != nil {
			return err
		}
		deleted, err := r.into.DeletedUploads(ctx, first, last)
		if err != nil {
			return err
		}
		owners, err := r.into.PostOwners(ctx, distinct(batch, func(p photo) *int64 { return p.post }))
		if err != nil {
			return err
		}
		var uploads []media.Upload
		for _, p := range batch {
			owner, keep, err := r.keepPhoto(p, here, deleted, owners)
			if err != nil {
				return err
			}
			if !keep {
				continue
			}
			made, err := r.photo(p, owner)
			if err != nil {
				return err
			}
			uploads = append(uploads, made)
		}
		if err := r.into.LoadUploads(ctx, uploads); err != nil {
			return err
		}
		r.report.Photos.Taken += len(uploads)
		r.seen(photoTable, "photos", &r.report.Photos, len(batch))
		return nil
	})
}

func (r *run) keepPhoto(p photo, here map[int64]Known, deleted map[int64]bool, owners map[int64]int64) (owner int64, keep bool, err error) {
	if k, known := here[p.id]; known {
		if k.LegacyKey == "" || k.LegacyKey != p.key {
			return 0, false, taken("photo or file", p.id)
		}
		r.report.Photos.Known++
		return 0, false, nil
	}
	odd := Oddity{photoTable, p.id, "", "", leftOut, ""}
	owned := false
	if p.post != nil {
		owner, owned = owners[*p.post]
	}
	switch {
	case p.finished == nil || p.key == "":
		odd.Column, odd.Text, odd.Kind = "upload_finished_at", p.key, Unfinished
	case deleted[p.id]:
		odd.Column, odd.Text, odd.Kind = "id", p.key, Deleted
	case !owned:
		odd.Column, odd.Text, odd.Kind = "post_id", orNone(p.post), OwnerMissing
	default:
		if prefix, yes := r.reserved(p.key); yes {
			return 0, false, fault.New(fault.Conflict, fmt.Sprintf("The older backend keeps photos under %s (photo %d), where this server keeps its own "+
				"and would remove them: set S3_PREFIX to another place and import again.", prefix, p.id))
		}
		return owner, true, nil
	}
	r.report.Photos.LeftOut++
	return 0, false, r.odd(odd)
}

func (r *run) photo(p photo, owner int64) (media.Upload, error) {
	at, err := r.since(photoTable, p.id, "upload_finished_at", p.finished)
	if err != nil {
		return media.Upload{}, err
	}
	made := media.Upload{
		Target: media.Target{Post: *p.post}, ID: p.id, OwnerID: owner, State: media.Ready, Position: p.position, LegacyKey: p.key,
		CreatedAt: at, UpdatedAt: at, CompletedAt: &at,
	}
	for _, name := range []string{p.originalName, p.fileName, path.Base(p.key), "photo"} {
		if made.FileName = media.CleanName(clean(name, len(name), false)); visible(made.FileName) {
			break
		}
	}
	if made.FileName, err = r.line(photoTable, p.id, "original_file_name", made.FileName); err != nil {
		return made, err
	}
	made.ContentType, err = r.photoType(p)
	return made, err
}

// photoType is the type of a photo by our names, and never another: it is what the
// storage will say of the bytes (promise U9). What the client of those days said
// was never looked at; the job that re-encodes the photo looks.
func (r *run) photoType(p photo) (string, error) {
	const jpeg, png, webp = "image/jpeg", "image/png", "image/webp"
	said := strings.ToLower(strings.TrimSpace(p.contentType))
	if said == "image/jpg" || said == "image/pjpeg" {
		said = jpeg
	}
	if slices.Contains(media.PhotoTypes, said) {
		return said, nil
	}
	if said, ok := map[string]string{".png": png, ".webp": webp, ".jpg": jpeg, ".jpeg": jpeg}[strings.ToLower(path.Ext(p.key))]; ok {
		return said, nil
	}
	return jpeg, r.odd(Oddity{photoTable, p.id, "file_type", p.contentType, jpeg, TypeUnknown})
}
