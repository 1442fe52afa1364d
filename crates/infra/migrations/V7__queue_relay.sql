-- The ids of jobs that can be taken now, in the order in which they are: what a queue's list in Redis mirrors. Ids alone.
CREATE FUNCTION ready_jobs(wanted_queue text, most integer) RETURNS TABLE (id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT j.id FROM jobs j WHERE j.state = 'ready' AND j.queue = wanted_queue::queue_name AND j.run_at <= now()
          ORDER BY j.priority, j.run_at, j.id LIMIT most $$;
REVOKE EXECUTE ON FUNCTION ready_jobs(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ready_jobs(text, integer) TO hysio_app;
