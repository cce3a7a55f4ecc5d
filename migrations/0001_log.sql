-- The log: one table, append-only by privilege and by trigger. Column-compatible with postgres-es 0.5.

GRANT USAGE, CREATE ON SCHEMA public TO docuvault_log;
GRANT USAGE ON SCHEMA public TO docuvault_app;

CREATE TABLE events (
    position       bigint      PRIMARY KEY CHECK (position > 0),
    event_id       uuid        NOT NULL CONSTRAINT events_event_id UNIQUE,
    owner_id       uuid        NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence > 0),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    -- json, not jsonb: the stored text is what the leaf hash covers
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    leaf_hash      bytea       NOT NULL,
    CONSTRAINT events_stream UNIQUE (aggregate_type, aggregate_id, sequence)
);

-- Locked by the door, and by nothing else: it has no rows and nobody has rights on it.
CREATE TABLE log_gate ();

-- The lineage changes when a restore from backup forks history; the salt is this installation's for key derivation.
CREATE TABLE log_identity (
    single_row boolean     PRIMARY KEY DEFAULT true CHECK (single_row),
    lineage    uuid        NOT NULL,
    salt       bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO log_identity (lineage, salt)
VALUES (gen_random_uuid(), uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE events ENABLE ALWAYS TRIGGER never_truncated;

ALTER TABLE events OWNER TO docuvault_log;
ALTER TABLE log_gate OWNER TO docuvault_log;
ALTER FUNCTION refuse_change OWNER TO docuvault_log;
GRANT SELECT ON events, log_identity TO docuvault_app;
