-- How many encounters of the last hour each specialty has, and how long its longest-waiting job has waited.
CREATE INDEX encounters_started ON encounters (started_at);

CREATE FUNCTION demand_by_specialty() RETURNS TABLE (specialty text, encounters bigint, longest_wait_seconds double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT specialty, coalesce(d.encounters, 0), coalesce(w.longest, 0)
          FROM (SELECT e.specialty, count(*) AS encounters FROM encounters e
                WHERE e.started_at > now() - interval '1 hour' AND e.specialty IS NOT NULL GROUP BY 1) d
          FULL JOIN (SELECT e.specialty, extract(epoch FROM now() - min(j.created_at))::double precision AS longest
                     FROM jobs j JOIN encounters e ON e.facility_id = j.facility_id AND e.id = j.encounter_id
                     WHERE j.state = 'ready' AND j.run_at <= now() AND e.specialty IS NOT NULL GROUP BY 1) w USING (specialty) $$;
REVOKE EXECUTE ON FUNCTION demand_by_specialty() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION demand_by_specialty() TO hysio_app;

-- Queues whose jobs go first while the emergency lasts, the most urgent first.
ALTER TABLE emergencies ADD COLUMN priority_queues text[] NOT NULL DEFAULT '{}';

-- Leases as lease_jobs does. In an emergency with priority queues, a worker of several queues takes from those first.
CREATE FUNCTION lease_jobs_by_urgency(queues text[], wanted integer, owner text, lease_seconds integer)
    RETURNS TABLE (id uuid, facility_id integer, queue text, encounter_id uuid, subject text, attempt integer,
                   max_attempts integer, lease_token uuid, requested_by uuid)
    LANGUAGE plpgsql SET search_path = public, pg_temp
    AS $$
    DECLARE
        urgent text[];
        one text;
        got integer;
        needed integer := wanted;
    BEGIN
        SELECT e.priority_queues INTO urgent FROM emergencies e WHERE e.stood_down_at IS NULL AND e.ends_at > now();
        IF cardinality(queues) > 1 AND urgent IS NOT NULL THEN
            FOREACH one IN ARRAY urgent LOOP
                IF needed > 0 AND one = ANY (queues) THEN
                    RETURN QUERY SELECT * FROM lease_jobs(ARRAY[one], needed, owner, lease_seconds);
                    GET DIAGNOSTICS got = ROW_COUNT;
                    needed := needed - got;
                END IF;
            END LOOP;
        END IF;
        IF needed > 0 THEN
            RETURN QUERY SELECT * FROM lease_jobs(queues, needed, owner, lease_seconds);
        END IF;
    END $$;
REVOKE EXECUTE ON FUNCTION lease_jobs_by_urgency(text[], integer, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lease_jobs_by_urgency(text[], integer, text, integer) TO hysio_app;
