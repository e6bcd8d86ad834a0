-- +goose Up

-- Photos of posts and files of documents, from the permit to upload on. The
-- table of the first step was never written to, so it is made anew. A row whose
-- thing went away by itself (a cascade, a hand in the database) keeps neither
-- post nor document: the hourly round finds it and removes its objects.
DROP TABLE upload;
CREATE TABLE upload (
    id           INTEGER   PRIMARY KEY AUTOINCREMENT,
    owner_id     INTEGER   REFERENCES account (id) ON DELETE SET NULL,
    post_id      INTEGER   REFERENCES car_post (id) ON DELETE SET NULL,
    document_id  INTEGER   REFERENCES document (id) ON DELETE SET NULL,
    replaces_id  INTEGER,
    state        TEXT      NOT NULL,
    position     INTEGER   NOT NULL DEFAULT 0,
    upload_key   TEXT      UNIQUE,
    folder       TEXT      UNIQUE,
    legacy_key   TEXT,
    file_name    TEXT      NOT NULL,
    content_type TEXT      NOT NULL,
    size         INTEGER   NOT NULL,
    width        INTEGER,
    height       INTEGER,
    problem      TEXT      NOT NULL DEFAULT '',
    created_at   TIMESTAMP NOT NULL,
    completed_at TIMESTAMP,
    updated_at   TIMESTAMP NOT NULL
);
CREATE INDEX upload_owner ON upload (owner_id);
CREATE INDEX upload_post ON upload (post_id, position, id);
CREATE INDEX upload_document ON upload (document_id);
CREATE INDEX upload_state ON upload (state, created_at);

-- Objects that are to be removed, or (whole) all below a prefix: written in the
-- transaction that makes it necessary, gone when the storage has confirmed.
CREATE TABLE purge (
    id         INTEGER   PRIMARY KEY AUTOINCREMENT,
    object_key TEXT      NOT NULL,
    whole      BOOLEAN   NOT NULL,
    due_at     TIMESTAMP NOT NULL,
    tries      INTEGER   NOT NULL DEFAULT 0,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX purge_due ON purge (due_at);
CREATE INDEX purge_key ON purge (object_key);
