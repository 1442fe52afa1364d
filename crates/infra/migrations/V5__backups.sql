-- Which backups there are, as far as the database knows: the gate before a scaling step asks whether one is fresh. Written
-- by the schema's owner, who makes them; the directory of backups itself is the truth about what can be restored.
CREATE TABLE backups (
    id uuid PRIMARY KEY,
    taken_at timestamptz NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    files integer NOT NULL CHECK (files >= 0),
    wal_until text,
    verified_at timestamptz,
    path text NOT NULL CHECK (length(path) BETWEEN 1 AND 4096)
);
CREATE INDEX backups_newest ON backups (taken_at DESC);

GRANT SELECT ON backups TO hysio_app;
