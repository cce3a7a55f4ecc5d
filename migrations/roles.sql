-- The roles of DocuVault and their rights on the current database. Idempotent; run it as a superuser:
--   createdb docuvault && psql --dbname docuvault --file migrations/roles.sql
-- and then give docuvault_app and docuvault_migrate passwords with \password.

DO $$
BEGIN
    -- Owns the log: its table, its gate and its door. Nobody can be it by logging in.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'docuvault_log') THEN
        CREATE ROLE docuvault_log NOLOGIN;
    END IF;
    -- DATABASE_MIGRATE_URL: changes the schema.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'docuvault_migrate') THEN
        CREATE ROLE docuvault_migrate LOGIN;
    END IF;
    -- DATABASE_URL: reads and writes rows, but events only through the door.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'docuvault_app') THEN
        CREATE ROLE docuvault_app LOGIN;
    END IF;

    -- Whoever calls the door in an open transaction holds the gate until its end. What DocuVault does in a transaction
    -- takes milliseconds between statements; a session that says nothing for longer is stuck, and is ended (F12).
    ALTER ROLE docuvault_app SET idle_in_transaction_session_timeout = '10s';

    -- Migrations create what docuvault_log shall own.
    IF NOT pg_catalog.pg_has_role('docuvault_migrate', 'docuvault_log', 'MEMBER') THEN
        GRANT docuvault_log TO docuvault_migrate;
    END IF;

    EXECUTE pg_catalog.format('ALTER DATABASE %I OWNER TO docuvault_migrate', pg_catalog.current_database());
    EXECUTE pg_catalog.format('REVOKE ALL ON DATABASE %I FROM PUBLIC', pg_catalog.current_database());
    EXECUTE pg_catalog.format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO docuvault_app', pg_catalog.current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO docuvault_app;
GRANT USAGE, CREATE ON SCHEMA public TO docuvault_log, docuvault_migrate;
