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
