-- The few things that must see more than one facility, each as a function that does just that and no more.

-- The user that an e-mail address belongs to, for signing in.
CREATE FUNCTION user_for_sign_in(wanted text)
    RETURNS TABLE (id uuid, facility_id integer, password_hash text, role text, disabled boolean, locked_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT id, facility_id, password_hash, role::text, disabled, locked_until FROM users WHERE lower(email) = lower(wanted) $$;

-- Counts a failed attempt; the threshold-th locks the account for a while.
CREATE FUNCTION sign_in_failed(who uuid, threshold integer, lock_seconds integer) RETURNS timestamptz
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ UPDATE users SET
            locked_until = CASE WHEN failed_sign_ins + 1 >= threshold THEN now() + make_interval(secs => lock_seconds) ELSE locked_until END,
            failed_sign_ins = CASE WHEN failed_sign_ins + 1 >= threshold THEN 0 ELSE failed_sign_ins + 1 END
          WHERE id = who RETURNING locked_until $$;

CREATE FUNCTION sign_in_succeeded(who uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ UPDATE users SET failed_sign_ins = 0, locked_until = NULL WHERE id = who $$;

-- A person as the session shows them, and as the mail worker addresses them.
CREATE FUNCTION profile(who uuid)
    RETURNS TABLE (id uuid, name text, email text, role text, specialty text, language text, facility_id integer, facility_name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT u.id, u.name, u.email, u.role::text, u.specialty, u.language, f.id, f.name
          FROM users u LEFT JOIN facilities f ON f.id = u.facility_id WHERE u.id = who $$;

-- Leases up to `wanted` ready jobs of the given queues, most urgent first.
CREATE FUNCTION lease_jobs(queues text[], wanted integer, owner text, lease_seconds integer)
    RETURNS TABLE (id uuid, facility_id integer, queue text, encounter_id uuid, subject text, attempt integer,
                   max_attempts integer, lease_token uuid, requested_by uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    WITH picked AS (
        SELECT j.id FROM jobs j
        WHERE j.state = 'ready' AND j.queue = ANY (queues::queue_name[]) AND j.run_at <= now()
        ORDER BY j.priority, j.run_at, j.id
        LIMIT wanted FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs j SET state = 'leased', attempt = j.attempt + 1, lease_token = gen_random_uuid(), lease_owner = owner,
        lease_expires_at = now() + make_interval(secs => lease_seconds), progress = NULL, updated_at = now()
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.facility_id, j.queue::text, j.encounter_id, j.subject, j.attempt, j.max_attempts, j.lease_token, j.requested_by
    $$;

-- Jobs whose workers stopped answering. They are taken back one by one, each with its encounter and its audit entry.
CREATE FUNCTION expired_leases(wanted integer) RETURNS TABLE (id uuid, facility_id integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT id, facility_id FROM jobs WHERE state = 'leased' AND lease_expires_at < now() ORDER BY lease_expires_at LIMIT wanted $$;

-- Forgets keys that nobody can still be retrying with.
CREATE FUNCTION forget_idempotency_keys() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ WITH gone AS (DELETE FROM idempotency_keys WHERE created_at < now() - interval '7 days' RETURNING 1) SELECT count(*) FROM gone $$;

CREATE FUNCTION queue_depths() RETURNS TABLE (queue text, state text, jobs bigint, oldest_seconds double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT queue::text, state::text, count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision
          FROM jobs WHERE state IN ('ready', 'leased', 'dead') GROUP BY queue, state $$;

CREATE FUNCTION dead_jobs(wanted integer)
    RETURNS TABLE (id uuid, facility_id integer) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT id, facility_id FROM jobs WHERE state = 'dead' ORDER BY finished_at DESC LIMIT wanted $$;

CREATE FUNCTION facility_of_job(wanted uuid) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT facility_id FROM jobs WHERE id = wanted $$;

CREATE FUNCTION code_decisions()
    RETURNS TABLE (specialty text, model text, accepted bigint, rejected bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT coalesce(specialty, 'unknown'), model, count(*) FILTER (WHERE decision = 'accepted'), count(*) FILTER (WHERE decision = 'rejected')
          FROM suggestions WHERE NOT manual AND decision <> 'pending' GROUP BY 1, 2 $$;

DO $$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'public' AND p.prosecdef LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hysio_app', f);
    END LOOP;
END $$;
