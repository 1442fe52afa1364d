-- Dividing a partition of the records while everybody works: what is written to it meanwhile also goes to the part that will hold it.
-- Arguments: the parts' modulus, the first part's remainder and name, the second part's name.
CREATE FUNCTION mirror_to_parts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    its record := coalesce(NEW, OLD);
    part text := CASE WHEN satisfies_hash_partition('patient_records'::regclass, TG_ARGV[0]::integer, TG_ARGV[1]::integer, its.facility_id)
                      THEN TG_ARGV[2] ELSE TG_ARGV[3] END;
BEGIN
    EXECUTE format('DELETE FROM %I WHERE facility_id = $1 AND id = $2', part) USING its.facility_id, its.id;
    IF TG_OP <> 'DELETE' THEN
        EXECUTE format('INSERT INTO %I SELECT ($1).*', part) USING NEW;
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION mirror_to_parts() FROM PUBLIC;
