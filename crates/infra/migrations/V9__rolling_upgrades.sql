-- Two versions of Hysio at once, for as long as an upgrade takes. Each process says which schema it was built for; a migration that
-- takes something away ("contracts") begins with `SELECT contract(N);` and is refused while a process older than N is at work.
ALTER TABLE instances ADD COLUMN schema_version integer;

-- The oldest program, by the schema it was built for, that works with this schema.
CREATE TABLE schema_support (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    oldest integer NOT NULL
);
INSERT INTO schema_support (oldest) VALUES (9);
GRANT SELECT ON schema_support TO hysio_app;

CREATE FUNCTION contract(needed integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    behind text;
BEGIN
    -- Who starts meanwhile waits here, or sees what was decided.
    LOCK TABLE schema_support IN ACCESS EXCLUSIVE MODE;
    -- Who was not heard of for a moment may only be slow.
    SELECT string_agg(format('%s (%s, process %s)', service, host, pid), ', ' ORDER BY service, host, pid) INTO behind
        FROM instances WHERE seen_at > now() - interval '30 seconds' AND coalesce(schema_version, 0) < needed;
    IF behind IS NOT NULL THEN
        RAISE EXCEPTION 'still at work and built for a schema before version %: %', needed, behind USING ERRCODE = 'object_in_use';
    END IF;
    UPDATE schema_support SET oldest = greatest(oldest, needed);
END $$;
REVOKE EXECUTE ON FUNCTION contract(integer) FROM PUBLIC;
