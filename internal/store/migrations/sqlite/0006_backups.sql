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
