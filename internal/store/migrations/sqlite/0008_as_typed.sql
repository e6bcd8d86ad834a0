-- +goose Up

-- What the older client is shown as it was typed: the decimals of a price, and
-- whether a commission and expenses of 0 were given. Of older rows nothing is known.
ALTER TABLE car_post ADD COLUMN price_places INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN commission_given BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE entry ADD COLUMN expenses_given BOOLEAN NOT NULL DEFAULT FALSE;

-- The row of a file that an entry was imported from, as a hash, so that the same
-- file does not make it again. NULL for entries that came another way.
ALTER TABLE entry ADD COLUMN import_hash TEXT;
