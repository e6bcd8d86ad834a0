-- +goose Up

-- The number of an erased account is also noted beside the objects, so that the
-- list survives a database that is lost; this says which are.
ALTER TABLE erased_account ADD COLUMN noted_at TIMESTAMP;
CREATE INDEX erased_account_unnoted ON erased_account (account_id) WHERE noted_at IS NULL;

-- What was backed up, so that the server can tell how old the last copy is.
CREATE TABLE backup (
    id      INTEGER   PRIMARY KEY AUTOINCREMENT,
    at      TIMESTAMP NOT NULL,
    records INTEGER   NOT NULL,
    objects INTEGER   NOT NULL,
    bytes   INTEGER   NOT NULL
);

-- Which database this is, and not another that has lived in the same bucket: what is
-- noted beside the objects counts for this one alone. restoring names the backup
-- that is being restored, until all of it is.
CREATE TABLE lineage (
    id        TEXT NOT NULL PRIMARY KEY,
    restoring TEXT
);
INSERT INTO lineage (id) VALUES (lower(hex(randomblob(16))));
