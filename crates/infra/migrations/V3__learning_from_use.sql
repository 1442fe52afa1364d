-- What a facility's decisions on codes have taught: a count for each code, and for each phrase that a clinician gave a code.
-- The content is sealed; the key is a blind index, so that a row is found again. Neither says from which encounters it came.
CREATE TABLE lessons (
    facility_id integer NOT NULL REFERENCES facilities (id),
    key bytea NOT NULL CHECK (length(key) = 32),
    content bytea NOT NULL,
    PRIMARY KEY (facility_id, key)
);

-- Nothing stands here for a facility that has never changed a setting: it learns, and shares and takes nothing.
CREATE TABLE learning_settings (
    facility_id integer PRIMARY KEY REFERENCES facilities (id),
    enabled boolean NOT NULL,
    uses_shared boolean NOT NULL,
    changed_by uuid NOT NULL REFERENCES users (id),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Counts that a facility's administrator has shared on purpose: of codes, never of phrases, and never of few decisions.
CREATE TABLE shared_lessons (
    facility_id integer NOT NULL REFERENCES facilities (id),
    system text NOT NULL,
    code text NOT NULL,
    specialty text NOT NULL,
    accepted integer NOT NULL CHECK (accepted >= 0),
    rejected integer NOT NULL CHECK (rejected >= 0),
    shared_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (facility_id, system, code, specialty),
    CHECK (accepted + rejected >= 10)
);

-- Whether a decision was counted, so that it is taken back exactly when it was.
ALTER TABLE suggestions ADD COLUMN counted boolean NOT NULL DEFAULT false;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['lessons', 'learning_settings', 'shared_lessons'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY %I ON %I USING (facility_id = current_facility()) WITH CHECK (facility_id = current_facility())',
            t || '_of_facility', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hysio_app', t);
    END LOOP;
END $$;

-- What the other facilities have shared, added up. Which facility a count is from is not told.
CREATE FUNCTION lessons_shared_by_others()
    RETURNS TABLE (system text, code text, specialty text, accepted bigint, rejected bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT system, code, specialty, sum(accepted), sum(rejected) FROM shared_lessons
          WHERE facility_id <> current_facility() GROUP BY 1, 2, 3 $$;
REVOKE EXECUTE ON FUNCTION lessons_shared_by_others() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lessons_shared_by_others() TO hysio_app;
