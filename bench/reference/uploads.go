package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

type permitOut struct {
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

type startedOut struct {
	ID     int64     `json:"id"`
	Upload permitOut `json:"upload"`
}

type policy struct {
	Key     string `json:"key"`
	Type    string `json:"type"`
	MinSize int64  `json:"min_size"`
	MaxSize int64  `json:"max_size"`
	Expires int64  `json:"expires"`
}

// startPhoto counts, stores a row and signs a permit of the local storage.
func (s *server) startPhoto(w http.ResponseWriter, r *http.Request, by *person) error {
	var in struct {
		FileName    string `json:"file_name"`
		ContentType string `json:"content_type"`
		Size        int64  `json:"size"`
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return refusal(http.StatusNotFound)
	}
	if err := body(r, &in); err != nil {
		return err
	}
	if in.FileName == "" || in.Size < 1 || in.Size > 10<<20 || (in.ContentType != "image/jpeg" && in.ContentType != "image/png" && in.ContentType != "image/webp") {
		return refusal(http.StatusBadRequest)
	}
	ctx, now := r.Context(), time.Now().UTC().Truncate(time.Microsecond)
	key := "ridecopilot/uploads/" + itoa(by.id) + "/" + strings.ToLower(rand.Text())
	var out startedOut
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT id FROM account WHERE id = $1 FOR UPDATE`, by.id).Scan(new(int64)); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT id FROM car_post WHERE id = $1 AND owner_id = $2`, id, by.id).Scan(new(int64)); err != nil {
			return notFound(err, http.StatusNotFound)
		}
		var photos, unfinished, bytes int64
		err := tx.QueryRow(ctx, `
			SELECT count(*) FROM upload u WHERE u.post_id = $1
				AND NOT EXISTS (SELECT 1 FROM upload r WHERE r.post_id = $1 AND r.replaces_id = u.id)`, id).Scan(&photos)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
			SELECT COALESCE(SUM(CASE WHEN state IN ('started', 'dropped') THEN 1 ELSE 0 END), 0), CAST(COALESCE(SUM(size), 0) AS bigint)
			FROM upload WHERE owner_id = $1 AND (state <> 'dropped' OR created_at > $2)`, by.id, now.Add(-10*time.Minute)).Scan(&unfinished, &bytes)
		if err != nil {
			return err
		}
		if photos >= 20 || unfinished >= 20 || bytes+in.Size > 2<<30 {
			return refusal(http.StatusConflict)
		}
		return tx.QueryRow(ctx, `
			INSERT INTO upload (owner_id, post_id, state, position, upload_key, file_name, content_type, size, created_at, updated_at)
			VALUES ($1, $2, 'started', COALESCE((SELECT max(position) + 1 FROM upload WHERE post_id = $2), 0), $3, $4, $5, $6, $7, $7)
			RETURNING id`, by.id, id, key, in.FileName, in.ContentType, in.Size, now).Scan(&out.ID)
	})
	if err != nil {
		return err
	}
	expires := now.Add(10 * time.Minute)
	doc, err := json.Marshal(policy{key, in.ContentType, in.Size, in.Size, expires.Unix()})
	if err != nil {
		return err
	}
	encoded := base64.StdEncoding.EncodeToString(doc)
	out.Upload = permitOut{
		Method: http.MethodPost, URL: s.base + "/storage/",
		Fields: map[string]string{
			"key": key, "Content-Type": in.ContentType, "policy": encoded, "x-signature": s.keys.permit("POST upload", encoded),
		},
		Headers: map[string]string{}, ExpiresAt: time.Unix(expires.Unix(), 0).UTC(),
	}
	w.Header().Set("Location", s.base+"/api/carposts/"+itoa(id)+"/photos/"+itoa(out.ID)+"/")
	return answer(w, r, http.StatusCreated, "1-", out)
}

// permit signs parts, each with its length before it.
func (k keys) permit(parts ...string) string {
	h := hmac.New(sha256.New, k.storage)
	for _, s := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil))
}
