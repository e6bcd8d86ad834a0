-- +goose Up

-- What the admin site looks people up by: name and address, folded. Rows of
-- before are filled in after the migration, as Go folds.
ALTER TABLE account ADD COLUMN search TEXT NOT NULL DEFAULT '';
CREATE INDEX account_unfolded ON account (id) WHERE search = '';

-- When the password was last asked for within a session of the admin site.
ALTER TABLE session ADD COLUMN confirmed_at TIMESTAMP;

-- When an operator has looked at a post and found nothing against it. The index
-- holds those that nobody has looked at yet.
ALTER TABLE car_post ADD COLUMN approved_at TIMESTAMP;
CREATE INDEX car_post_unseen ON car_post (created_at) WHERE approved_at IS NULL AND moderated_at IS NULL;
CREATE INDEX car_post_moderated ON car_post (moderated_at) WHERE moderated_at IS NOT NULL;
CREATE INDEX report_open ON report (post_id) WHERE resolved_at IS NULL;

-- Messages about a car post, and those that did not leave yet.
ALTER TABLE mail ADD COLUMN post_id INTEGER;
CREATE INDEX mail_unsent ON mail (created_at) WHERE state IN ('queued', 'failed');

-- What the comparisons of rows and objects found, as JSON.
CREATE TABLE storage_check (
    id     INTEGER   PRIMARY KEY AUTOINCREMENT,
    at     TIMESTAMP NOT NULL,
    report TEXT      NOT NULL
);
