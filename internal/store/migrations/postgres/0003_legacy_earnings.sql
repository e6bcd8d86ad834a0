-- +goose NO TRANSACTION
-- +goose Up

-- The older client's own total of an entry is NULL only where that client has
-- sent none: any write elsewhere makes it the computed one. It is filled in by
-- batches, each of which locks its own rows alone.
-- +goose StatementBegin
DO $$
DECLARE
    last bigint := 0;
    top  bigint := COALESCE((SELECT max(id) FROM entry), 0);
BEGIN
    WHILE last < top LOOP
        UPDATE entry SET legacy_earnings = earnings WHERE legacy_earnings IS NULL AND id > last AND id <= LEAST(last + 5000, top);
        COMMIT;
        last := last + 5000;
    END LOOP;
END $$;
-- +goose StatementEnd
