-- +goose Up

-- The older client's own total of an entry is NULL only where that client has
-- sent none: any write elsewhere makes it the computed one.
UPDATE entry SET legacy_earnings = earnings WHERE legacy_earnings IS NULL;
