-- The roles and the database, on a new primary:
--   psql -v owner_password=… -v app_password=… -v replicator_password=… -v failover_password=… -v me=db1 -f roles.sql
-- Once more changes nothing but the passwords.
\set ON_ERROR_STOP on
SET password_encryption = 'scram-sha-256';
SET log_statement = 'none';
-- No replica is there yet that could confirm.
SET synchronous_commit = local;

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['hysio_owner', 'hysio_app', 'hysio_failover', 'replicator']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE hysio_owner LOGIN PASSWORD :'owner_password';
-- Row-level security holds for it: it owns nothing and bypasses nothing.
ALTER ROLE hysio_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'app_password';
ALTER ROLE replicator LOGIN REPLICATION CONNECTION LIMIT 8 PASSWORD :'replicator_password';
-- REPLICATION: it makes the slots on a new primary.
ALTER ROLE hysio_failover LOGIN REPLICATION CONNECTION LIMIT 8 PASSWORD :'failover_password';
GRANT pg_monitor TO hysio_failover;
GRANT pg_checkpoint TO replicator;

GRANT pg_signal_backend TO hysio_failover;
-- pg_rewind, which brings a former primary back.
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO replicator;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;

SELECT 'CREATE DATABASE hysio OWNER hysio_owner ENCODING ''UTF8'' TEMPLATE template0'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'hysio') \gexec
\connect hysio
SET synchronous_commit = local;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO hysio_owner;
REVOKE ALL ON DATABASE hysio FROM PUBLIC;
GRANT CONNECT ON DATABASE hysio TO hysio_owner, hysio_app, hysio_failover;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO hysio_failover;

SELECT pg_create_physical_replication_slot(name) FROM unnest(ARRAY['db1', 'db2', 'db3']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name) AND name <> :'me';
