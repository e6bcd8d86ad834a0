-- +goose Up

-- Photos of posts and files of documents, from the permit to upload on. The
-- table of the first step was never written to, so it is made anew. A row whose
-- thing went away by itself (a cascade, a hand in the database) keeps neither
-- post nor document: the hourly round finds it and removes its objects. busy_until
-- is set while a request looks at what was uploaded.
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
    busy_until   TIMESTAMP,
    completed_at TIMESTAMP,
    updated_at   TIMESTAMP NOT NULL
);
CREATE INDEX upload_owner ON upload (owner_id);
CREATE INDEX upload_post ON upload (post_id, position, id);
CREATE INDEX upload_document ON upload (document_id);
CREATE INDEX upload_state ON upload (state, created_at);
CREATE INDEX upload_ready ON upload (post_id) WHERE state = 'ready';
CREATE INDEX upload_alone ON upload (id) WHERE post_id IS NULL AND document_id IS NULL;
CREATE INDEX upload_legacy ON upload (legacy_key) WHERE legacy_key IS NOT NULL;

-- Objects that are to be removed, or (whole) all below a prefix: written in the
-- transaction that makes it necessary, gone when the storage has confirmed.
-- wanted_at is when it became necessary, due_at when it is tried (again).
CREATE TABLE purge (
    id         INTEGER   PRIMARY KEY AUTOINCREMENT,
    object_key TEXT      NOT NULL,
    whole      BOOLEAN   NOT NULL,
    wanted_at  TIMESTAMP NOT NULL,
    due_at     TIMESTAMP NOT NULL,
    tries      INTEGER   NOT NULL DEFAULT 0
);
CREATE INDEX purge_due ON purge (due_at);
CREATE INDEX purge_wanted ON purge (wanted_at);
CREATE INDEX purge_key ON purge (object_key);
