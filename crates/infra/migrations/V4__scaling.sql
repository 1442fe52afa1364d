-- Scaling: what was decided, what was changed, what runs. Nothing here is about a patient.

-- The count that each resource is to have. Written by scaling transactions alone, fenced by the generation.
CREATE TABLE scaling_targets (
    resource text PRIMARY KEY,
    desired integer NOT NULL CHECK (desired >= 0),
    generation bigint NOT NULL DEFAULT 0,
    set_at timestamptz NOT NULL DEFAULT now()
);

-- A transaction and its log. The log is the lock: whoever inserts at (transaction_id, seq) carries it on.
CREATE TABLE scaling_transactions (
    id uuid PRIMARY KEY,
    resource text NOT NULL,
    old_count integer NOT NULL,
    new_count integer NOT NULL,
    generation bigint NOT NULL UNIQUE,
    justification text NOT NULL,
    actor text NOT NULL,
    plan_id uuid,
    phase text NOT NULL,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX scaling_transactions_live ON scaling_transactions (resource) WHERE ended_at IS NULL;
CREATE INDEX scaling_transactions_newest ON scaling_transactions (begun_at DESC);

CREATE TABLE scaling_events (
    transaction_id uuid NOT NULL REFERENCES scaling_transactions (id),
    seq integer NOT NULL CHECK (seq >= 0),
    event jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (transaction_id, seq)
);
CREATE TRIGGER scaling_events_are_final BEFORE UPDATE OR DELETE ON scaling_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Two numbers a transaction: its own, and the one above it for rolling back.
CREATE SEQUENCE scaling_generation INCREMENT 2 START 2;

-- Each decision with everything it was made of, so that it can be made again.
CREATE TABLE scaling_decisions (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    policies_digest text NOT NULL,
    snapshot jsonb NOT NULL,
    history jsonb NOT NULL,
    decision jsonb NOT NULL,
    has_plan boolean NOT NULL
);
CREATE INDEX scaling_decisions_newest ON scaling_decisions (at DESC);

-- The policies a decision was made with, once for each set.
CREATE TABLE scaling_policies (
    digest text PRIMARY KEY,
    files jsonb NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT now()
);

-- What policies carry over from one decision to the next, and what was measured over time for charts.
CREATE TABLE scaling_history (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    history jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE scaling_samples (
    at timestamptz NOT NULL,
    series text NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (series, at)
);

-- Whoever decides. Time is the database's, so that a clock that is wrong elsewhere holds no lease.
CREATE TABLE leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE emergencies (
    id uuid PRIMARY KEY,
    scenario text NOT NULL,
    owner text NOT NULL,
    reason text NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz NOT NULL,
    stood_down_at timestamptz,
    stood_down_by text,
    CHECK (ends_at > declared_at)
);
CREATE UNIQUE INDEX emergencies_live ON emergencies ((true)) WHERE stood_down_at IS NULL;

-- Processes that run, each by its own word, renewed every second.
CREATE TABLE instances (
    id uuid PRIMARY KEY,
    service text NOT NULL,
    resource text,
    host text NOT NULL,
    pid integer NOT NULL,
    address text,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz,
    leaving boolean NOT NULL DEFAULT false,
    busy integer NOT NULL DEFAULT 0,
    cpu_milli bigint,
    memory_bytes bigint,
    -- Connections it may hold, and the generation of db_connections that this is of.
    pool_size integer,
    pool_generation bigint,
    -- Since it started: requests or jobs, those that failed, and how many took up to each bound of the query buckets.
    requests bigint NOT NULL DEFAULT 0,
    errors bigint NOT NULL DEFAULT 0,
    latency_buckets bigint[] NOT NULL DEFAULT '{}',
    encryption_ok boolean NOT NULL DEFAULT false,
    audit_ok boolean NOT NULL DEFAULT false,
    access_ok boolean NOT NULL DEFAULT false,
    trouble text
);
CREATE INDEX instances_seen ON instances (seen_at);

-- A digest over earlier versions of records up to a moment: they never change, so neither does it. It tells of no patient,
-- and spans the facilities, which is why it is a function.
CREATE FUNCTION records_digest(until timestamptz, sample integer) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT encode(sha256(coalesce(string_agg(d.digest, ''::bytea ORDER BY d.facility_id, d.record_id, d.version), ''::bytea)), 'hex')
          FROM (SELECT facility_id, record_id, version,
                       sha256(convert_to(facility_id || '/' || record_id || '/' || version || '/' || state || '/' || medical_record::text, 'UTF8')) AS digest
                FROM patient_record_versions WHERE created_at <= until
                ORDER BY created_at DESC, facility_id, record_id, version LIMIT sample) d $$;
REVOKE EXECUTE ON FUNCTION records_digest(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION records_digest(timestamptz, integer) TO hysio_app;

GRANT SELECT, INSERT ON scaling_targets, scaling_transactions, scaling_events, scaling_decisions, scaling_policies,
    scaling_history, scaling_samples, leases, emergencies, instances TO hysio_app;
GRANT UPDATE ON scaling_targets, scaling_transactions, scaling_history, leases, emergencies, instances TO hysio_app;
GRANT DELETE ON scaling_decisions, scaling_policies, scaling_samples, instances TO hysio_app;
GRANT USAGE ON SEQUENCE scaling_generation TO hysio_app;
