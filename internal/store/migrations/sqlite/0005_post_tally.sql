-- +goose Up

-- What the lists of a million posts cost must not grow with their number: a
-- post knows by itself whether its owner is active, and the posts that everybody
-- may see are counted by day as they come and go. Triggers do both, so that no
-- way of writing can forget it.
ALTER TABLE car_post ADD COLUMN owner_active BOOLEAN NOT NULL DEFAULT TRUE;
UPDATE car_post SET owner_active = FALSE WHERE owner_id IN (SELECT id FROM account WHERE NOT is_active);

-- The indexes of the lists answer by themselves which posts are seen, in every
-- order: what a late page leaves out is not looked at. (PostgreSQL wants the plain
-- column beside its stand-in for that.)
DROP INDEX car_post_seen_created;
DROP INDEX car_post_seen_make;
DROP INDEX car_post_seen_price_up;
DROP INDEX car_post_seen_price_down;
DROP INDEX car_post_seen_year_up;
DROP INDEX car_post_seen_year_down;
DROP INDEX car_post_seen_mileage_up;
DROP INDEX car_post_seen_mileage_down;
CREATE INDEX car_post_seen_created ON car_post (created_at, id, owner_active) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_id ON car_post (id, owner_active) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_make ON car_post (make_key, id, owner_active) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_price_up ON car_post (COALESCE(price, 9223372036854775807), id, owner_active, price) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_price_down ON car_post (COALESCE(price, -1), id, owner_active, price) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_year_up ON car_post (COALESCE(year, 9223372036854775807), id, owner_active, year) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_year_down ON car_post (COALESCE(year, -1), id, owner_active, year) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_mileage_up ON car_post (COALESCE(mileage_km, 9223372036854775807), id, owner_active, mileage_km) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_mileage_down ON car_post (COALESCE(mileage_km, -1), id, owner_active, mileage_km) WHERE status = 'active' AND moderated_at IS NULL;

-- How many posts of a day (of their creation, in UTC) everybody may see: the
-- sum of its rows. (One is enough here: there is one writer.)
CREATE TABLE post_tally (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    day   DATE    NOT NULL,
    posts INTEGER NOT NULL
);
CREATE INDEX post_tally_day ON post_tally (day);
INSERT INTO post_tally (day, posts)
SELECT substr(created_at, 1, 10), count(*) FROM car_post WHERE status = 'active' AND moderated_at IS NULL AND owner_active GROUP BY 1;

-- The row of a new day is made in any case, so that all the others only add.
-- +goose StatementBegin
CREATE TRIGGER car_post_tally_insert AFTER INSERT ON car_post BEGIN
    INSERT INTO post_tally (day, posts) SELECT substr(new.created_at, 1, 10), 0
    WHERE NOT EXISTS (SELECT 1 FROM post_tally WHERE day = substr(new.created_at, 1, 10));
    UPDATE post_tally SET posts = posts + 1
    WHERE day = substr(new.created_at, 1, 10) AND new.status = 'active' AND new.moderated_at IS NULL AND new.owner_active;
    UPDATE car_post SET owner_active = FALSE
    WHERE id = new.id AND owner_active AND EXISTS (SELECT 1 FROM account WHERE id = new.owner_id AND NOT is_active);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER car_post_tally_delete AFTER DELETE ON car_post WHEN old.status = 'active' AND old.moderated_at IS NULL AND old.owner_active BEGIN
    UPDATE post_tally SET posts = posts - 1 WHERE day = substr(old.created_at, 1, 10);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER car_post_tally_update AFTER UPDATE OF created_at, status, moderated_at, owner_active ON car_post BEGIN
    INSERT INTO post_tally (day, posts) SELECT substr(new.created_at, 1, 10), 0
    WHERE NOT EXISTS (SELECT 1 FROM post_tally WHERE day = substr(new.created_at, 1, 10));
    UPDATE post_tally SET posts = posts - 1
    WHERE day = substr(old.created_at, 1, 10) AND old.status = 'active' AND old.moderated_at IS NULL AND old.owner_active;
    UPDATE post_tally SET posts = posts + 1
    WHERE day = substr(new.created_at, 1, 10) AND new.status = 'active' AND new.moderated_at IS NULL AND new.owner_active;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER account_active AFTER UPDATE OF is_active ON account WHEN old.is_active <> new.is_active BEGIN
    UPDATE car_post SET owner_active = new.is_active WHERE owner_id = new.id;
END;
-- +goose StatementEnd
