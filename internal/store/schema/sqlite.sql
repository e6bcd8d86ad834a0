-- The whole schema as the migrations leave it on SQLite, for reading: make schema writes it.
-- The tables of the job queue and of the migrator are not shown.

CREATE TABLE account (
    id                INTEGER   PRIMARY KEY AUTOINCREMENT,
    name              TEXT      NOT NULL,
    email             TEXT,
    email_key         TEXT      UNIQUE,
    password_hash     TEXT      NOT NULL,
    email_verified_at TIMESTAMP,
    is_active         BOOLEAN   NOT NULL DEFAULT TRUE,
    is_staff          BOOLEAN   NOT NULL DEFAULT FALSE,
    is_superuser      BOOLEAN   NOT NULL DEFAULT FALSE,
    last_login_at     TIMESTAMP,
    created_at        TIMESTAMP NOT NULL,
    updated_at        TIMESTAMP NOT NULL,
    version           INTEGER   NOT NULL DEFAULT 1
, search TEXT NOT NULL DEFAULT '');
CREATE INDEX account_created ON account (created_at);
CREATE INDEX account_unfolded ON account (id) WHERE search = '';
CREATE TRIGGER account_active AFTER UPDATE OF is_active ON account WHEN old.is_active <> new.is_active BEGIN
    UPDATE car_post SET owner_active = new.is_active WHERE owner_id = new.id;
END;

CREATE TABLE attempt (
    key   TEXT      NOT NULL PRIMARY KEY,
    n     INTEGER   NOT NULL,
    until TIMESTAMP NOT NULL
);
CREATE INDEX attempt_until ON attempt (until);

CREATE TABLE backup (
    id      INTEGER   PRIMARY KEY AUTOINCREMENT,
    at      TIMESTAMP NOT NULL,
    records INTEGER   NOT NULL,
    objects INTEGER   NOT NULL,
    bytes   INTEGER   NOT NULL
);

CREATE TABLE car_post (
    id                INTEGER   PRIMARY KEY AUTOINCREMENT,
    owner_id          INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    make              TEXT      NOT NULL,
    model             TEXT      NOT NULL,
    version           TEXT      NOT NULL,
    engine            TEXT      NOT NULL,
    fuel              TEXT      NOT NULL,
    body              TEXT      NOT NULL,
    transmission      TEXT      NOT NULL,
    color             TEXT      NOT NULL,
    emission_standard TEXT      NOT NULL,
    location          TEXT      NOT NULL,
    contact           TEXT      NOT NULL,
    description       TEXT      NOT NULL,
    year              INTEGER,
    gears             INTEGER,
    seats             INTEGER,
    doors             INTEGER,
    mileage_km        INTEGER,
    power_hp          INTEGER,
    consumption       INTEGER,
    offer             TEXT      NOT NULL,
    price             INTEGER,
    currency          TEXT      NOT NULL,
    price_period      TEXT,
    status            TEXT      NOT NULL,
    moderated_at      TIMESTAMP,
    moderation_reason TEXT,
    created_at        TIMESTAMP NOT NULL,
    updated_at        TIMESTAMP NOT NULL,
    revision          INTEGER   NOT NULL DEFAULT 1,
    make_key          TEXT      NOT NULL,
    model_key         TEXT      NOT NULL,
    fuel_key          TEXT      NOT NULL,
    body_key          TEXT      NOT NULL,
    transmission_key  TEXT      NOT NULL,
    location_key      TEXT      NOT NULL,
    search            TEXT      NOT NULL
, approved_at TIMESTAMP, owner_active BOOLEAN NOT NULL DEFAULT TRUE, price_places INTEGER NOT NULL DEFAULT 0);
CREATE INDEX car_post_created ON car_post (created_at, id);
CREATE INDEX car_post_make ON car_post (make_key, model_key);
CREATE INDEX car_post_moderated ON car_post (moderated_at) WHERE moderated_at IS NOT NULL;
CREATE INDEX car_post_owner ON car_post (owner_id, created_at);
CREATE INDEX car_post_seen_created ON car_post (created_at, id, owner_active) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_id ON car_post (id, owner_active) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_make ON car_post (make_key, id, owner_active) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_mileage_down ON car_post (COALESCE(mileage_km, -1), id, owner_active, mileage_km) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_mileage_up ON car_post (COALESCE(mileage_km, 9223372036854775807), id, owner_active, mileage_km) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_price_down ON car_post (COALESCE(price, -1), id, owner_active, price) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_price_up ON car_post (COALESCE(price, 9223372036854775807), id, owner_active, price) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_year_down ON car_post (COALESCE(year, -1), id, owner_active, year) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_seen_year_up ON car_post (COALESCE(year, 9223372036854775807), id, owner_active, year) WHERE status = 'active' AND moderated_at IS NULL;
CREATE INDEX car_post_unseen ON car_post (created_at) WHERE approved_at IS NULL AND moderated_at IS NULL;
CREATE TRIGGER car_post_search_delete AFTER DELETE ON car_post BEGIN
    INSERT INTO car_post_search (car_post_search, rowid, search) VALUES ('delete', old.id, old.search);
END;
CREATE TRIGGER car_post_search_insert AFTER INSERT ON car_post BEGIN
    INSERT INTO car_post_search (rowid, search) VALUES (new.id, new.search);
END;
CREATE TRIGGER car_post_search_update AFTER UPDATE OF search ON car_post WHEN old.search <> new.search BEGIN
    INSERT INTO car_post_search (car_post_search, rowid, search) VALUES ('delete', old.id, old.search);
    INSERT INTO car_post_search (rowid, search) VALUES (new.id, new.search);
END;
CREATE TRIGGER car_post_tally_delete AFTER DELETE ON car_post WHEN old.status = 'active' AND old.moderated_at IS NULL AND old.owner_active BEGIN
    UPDATE post_tally SET posts = posts - 1 WHERE day = substr(old.created_at, 1, 10);
END;
CREATE TRIGGER car_post_tally_insert AFTER INSERT ON car_post BEGIN
    INSERT INTO post_tally (day, posts) SELECT substr(new.created_at, 1, 10), 0
    WHERE NOT EXISTS (SELECT 1 FROM post_tally WHERE day = substr(new.created_at, 1, 10));
    UPDATE post_tally SET posts = posts + 1
    WHERE day = substr(new.created_at, 1, 10) AND new.status = 'active' AND new.moderated_at IS NULL AND new.owner_active;
    UPDATE car_post SET owner_active = FALSE
    WHERE id = new.id AND owner_active AND EXISTS (SELECT 1 FROM account WHERE id = new.owner_id AND NOT is_active);
END;
CREATE TRIGGER car_post_tally_update AFTER UPDATE OF created_at, status, moderated_at, owner_active ON car_post BEGIN
    INSERT INTO post_tally (day, posts) SELECT substr(new.created_at, 1, 10), 0
    WHERE NOT EXISTS (SELECT 1 FROM post_tally WHERE day = substr(new.created_at, 1, 10));
    UPDATE post_tally SET posts = posts - 1
    WHERE day = substr(old.created_at, 1, 10) AND old.status = 'active' AND old.moderated_at IS NULL AND old.owner_active;
    UPDATE post_tally SET posts = posts + 1
    WHERE day = substr(new.created_at, 1, 10) AND new.status = 'active' AND new.moderated_at IS NULL AND new.owner_active;
END;

CREATE VIRTUAL TABLE car_post_search USING fts5 (
    search, content = 'car_post', content_rowid = 'id', tokenize = 'ascii'
);

CREATE TABLE document (
    id               INTEGER   PRIMARY KEY AUTOINCREMENT,
    owner_id         INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    type             TEXT      NOT NULL,
    title            TEXT      NOT NULL,
    number           TEXT      NOT NULL,
    issuer           TEXT      NOT NULL,
    issued_on        date,
    expires_on       date,
    description      TEXT      NOT NULL,
    remind_days      TEXT      NOT NULL,
    next_reminder_at TIMESTAMP,
    created_at       TIMESTAMP NOT NULL,
    updated_at       TIMESTAMP NOT NULL,
    revision         INTEGER   NOT NULL DEFAULT 1
);
CREATE INDEX document_owner ON document (owner_id, expires_on, id);
CREATE INDEX document_reminder_due ON document (next_reminder_at);

CREATE TABLE document_reminder (
    document_id INTEGER   NOT NULL REFERENCES document (id) ON DELETE CASCADE,
    expires_on  DATE      NOT NULL,
    lead        INTEGER   NOT NULL,
    at          TIMESTAMP NOT NULL,
    PRIMARY KEY (document_id, expires_on, lead)
);

CREATE TABLE entry (
    id              INTEGER   PRIMARY KEY AUTOINCREMENT,
    owner_id        INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    date            DATE      NOT NULL,
    platform        TEXT      NOT NULL,
    platform_key    TEXT      NOT NULL,
    app_income      INTEGER   NOT NULL,
    tips            INTEGER   NOT NULL,
    commission      INTEGER   NOT NULL,
    expenses        INTEGER   NOT NULL,
    hours           INTEGER,
    distance_km     INTEGER,
    trips           INTEGER,
    currency        TEXT      NOT NULL,
    note            TEXT      NOT NULL,
    earnings        INTEGER   NOT NULL,
    legacy_earnings INTEGER,
    created_at      TIMESTAMP NOT NULL,
    updated_at      TIMESTAMP NOT NULL,
    revision        INTEGER   NOT NULL DEFAULT 1
, commission_given BOOLEAN NOT NULL DEFAULT FALSE, expenses_given BOOLEAN NOT NULL DEFAULT FALSE, import_hash TEXT);
CREATE INDEX entry_created ON entry (created_at);
CREATE INDEX entry_owner_date ON entry (owner_id, date, id);

CREATE TABLE erased_account (
    account_id INTEGER   PRIMARY KEY,
    at         TIMESTAMP NOT NULL
, noted_at TIMESTAMP);
CREATE INDEX erased_account_unnoted ON erased_account (account_id) WHERE noted_at IS NULL;

CREATE TABLE expense_item (
    entry_id INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    category TEXT    NOT NULL,
    amount   INTEGER NOT NULL,
    note     TEXT    NOT NULL,
    PRIMARY KEY (entry_id, position)
);

CREATE TABLE favorite (
    account_id INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    post_id    INTEGER   NOT NULL REFERENCES car_post (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (account_id, post_id)
);
CREATE INDEX favorite_post ON favorite (post_id);

CREATE TABLE history (
    id          INTEGER   PRIMARY KEY AUTOINCREMENT,
    at          TIMESTAMP NOT NULL,
    actor_id    INTEGER,
    source      TEXT      NOT NULL,
    address     TEXT,
    action      TEXT      NOT NULL,
    object_type TEXT      NOT NULL,
    object_id   INTEGER   NOT NULL,
    owner_id    INTEGER,
    changes     TEXT
);
CREATE INDEX history_actor ON history (actor_id, id);
CREATE INDEX history_at ON history (at);
CREATE INDEX history_object ON history (object_type, object_id, id);
CREATE INDEX history_owner ON history (owner_id, id);

CREATE TABLE idempotency (
    account_id   INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    route        TEXT      NOT NULL,
    key          TEXT      NOT NULL,
    request_hash TEXT      NOT NULL,
    object_id    INTEGER   NOT NULL,
    status       INTEGER,
    location     TEXT,
    etag         TEXT,
    body         BLOB,
    created_at   TIMESTAMP NOT NULL,
    PRIMARY KEY (account_id, route, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE lineage (
    id        TEXT NOT NULL PRIMARY KEY,
    restoring TEXT
);

CREATE TABLE mail (
    id          INTEGER   PRIMARY KEY AUTOINCREMENT,
    kind        TEXT      NOT NULL,
    account_id  INTEGER   REFERENCES account (id) ON DELETE CASCADE,
    address     TEXT      NOT NULL,
    address_key TEXT      NOT NULL,
    name        TEXT      NOT NULL DEFAULT '',
    language    TEXT      NOT NULL DEFAULT '',
    document_id INTEGER,
    days_left   INTEGER,
    other       TEXT      NOT NULL DEFAULT '',
    state       TEXT      NOT NULL,
    problem     TEXT      NOT NULL DEFAULT '',
    created_at  TIMESTAMP NOT NULL,
    settled_at  TIMESTAMP
, post_id INTEGER);
CREATE INDEX mail_account ON mail (account_id);
CREATE INDEX mail_address ON mail (address_key, created_at);
CREATE INDEX mail_created ON mail (created_at);
CREATE INDEX mail_unsent ON mail (created_at) WHERE state IN ('queued', 'failed');

CREATE TABLE mailed_token (
    hash       BLOB      NOT NULL PRIMARY KEY,
    account_id INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    purpose    TEXT      NOT NULL,
    address    TEXT      NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX mailed_token_account ON mailed_token (account_id);
CREATE INDEX mailed_token_expires ON mailed_token (expires_at);

CREATE TABLE post_tally (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    day   DATE    NOT NULL,
    posts INTEGER NOT NULL
);
CREATE INDEX post_tally_day ON post_tally (day);

CREATE TABLE purge (
    id         INTEGER   PRIMARY KEY AUTOINCREMENT,
    object_key TEXT      NOT NULL,
    whole      BOOLEAN   NOT NULL,
    wanted_at  TIMESTAMP NOT NULL,
    due_at     TIMESTAMP NOT NULL,
    tries      INTEGER   NOT NULL DEFAULT 0
);
CREATE INDEX purge_due ON purge (due_at);
CREATE INDEX purge_key ON purge (object_key);
CREATE INDEX purge_wanted ON purge (wanted_at);

CREATE TABLE refresh_token (
    hash       BLOB      NOT NULL PRIMARY KEY,
    session_id INTEGER   NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    rotated_at TIMESTAMP,
    successor  BLOB
, generation INTEGER NOT NULL DEFAULT 0);
CREATE INDEX refresh_token_session ON refresh_token (session_id);

CREATE TABLE report (
    id          INTEGER   PRIMARY KEY AUTOINCREMENT,
    post_id     INTEGER   NOT NULL REFERENCES car_post (id) ON DELETE CASCADE,
    account_id  INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    reason      TEXT      NOT NULL,
    text        TEXT      NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    resolved_at TIMESTAMP,
    resolved_by INTEGER,
    UNIQUE (post_id, account_id)
);
CREATE INDEX report_account ON report (account_id);
CREATE INDEX report_open ON report (post_id) WHERE resolved_at IS NULL;

CREATE TABLE session (
    id           INTEGER   PRIMARY KEY AUTOINCREMENT,
    account_id   INTEGER   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind         TEXT      NOT NULL,
    device       TEXT      NOT NULL,
    address      TEXT      NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP NOT NULL,
    idle_until   TIMESTAMP NOT NULL,
    expires_at   TIMESTAMP NOT NULL,
    ended_at     TIMESTAMP
, confirmed_at TIMESTAMP, seen_generation INTEGER NOT NULL DEFAULT 0);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_expires ON session (expires_at);

CREATE TABLE settings (
    account_id         INTEGER   PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    theme              TEXT      NOT NULL,
    language           TEXT      NOT NULL,
    currency           TEXT      NOT NULL,
    time_zone          TEXT      NOT NULL,
    distance_unit      TEXT      NOT NULL,
    default_commission INTEGER,
    weekly_goal        INTEGER,
    email_reminders    BOOLEAN   NOT NULL,
    updated_at         TIMESTAMP NOT NULL,
    version            INTEGER   NOT NULL DEFAULT 1
);

CREATE TABLE staff_group (
    id         INTEGER   PRIMARY KEY AUTOINCREMENT,
    name       TEXT      NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    version    INTEGER   NOT NULL DEFAULT 1
);

CREATE TABLE staff_group_member (
    group_id   INTEGER NOT NULL REFERENCES staff_group (id) ON DELETE CASCADE,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, account_id)
);
CREATE INDEX staff_group_member_account ON staff_group_member (account_id);

CREATE TABLE staff_group_permission (
    group_id INTEGER NOT NULL REFERENCES staff_group (id) ON DELETE CASCADE,
    resource TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    PRIMARY KEY (group_id, resource, action)
);

CREATE TABLE storage_check (
    id     INTEGER   PRIMARY KEY AUTOINCREMENT,
    at     TIMESTAMP NOT NULL,
    report TEXT      NOT NULL
);

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
CREATE INDEX upload_alone ON upload (id) WHERE post_id IS NULL AND document_id IS NULL;
CREATE INDEX upload_document ON upload (document_id);
CREATE INDEX upload_legacy ON upload (legacy_key) WHERE legacy_key IS NOT NULL;
CREATE INDEX upload_owner ON upload (owner_id);
CREATE INDEX upload_post ON upload (post_id, position, id);
CREATE INDEX upload_ready ON upload (post_id) WHERE state = 'ready';
CREATE INDEX upload_state ON upload (state, created_at);
