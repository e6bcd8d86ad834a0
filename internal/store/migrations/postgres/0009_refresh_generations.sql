-- +goose Up

-- A session counts the tokens that its refreshes gave: the first has generation 0,
-- each successor one more than its parent. An access token carries the generation of
-- the refresh token it came with. seen_generation is the newest of which either was
-- used: until then a client may have lost the answer, and may ask for it again.
ALTER TABLE refresh_token ADD COLUMN generation bigint NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN seen_generation bigint NOT NULL DEFAULT 0;
