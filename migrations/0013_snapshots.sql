-- Folded states of long streams, to load them fast. Derived, and never trusted: a snapshot that does not open, decode or
-- match the log is passed over. Sealed under its owner's key; gone with it.
CREATE TABLE snapshots (
    aggregate_type text    NOT NULL,
    aggregate_id   text    NOT NULL,
    -- The last event that is in it.
    sequence       bigint  NOT NULL,
    event_id       uuid    NOT NULL,
    -- Of the aggregate's state: another one is passed over.
    state_version  integer NOT NULL,
    owner_id       uuid    NOT NULL,
    sealed         bytea   NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);
CREATE INDEX snapshots_owner ON snapshots (owner_id);

CREATE FUNCTION forget_snapshots() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.snapshots WHERE owner_id = NEW.user_id;
    RETURN NULL;
END $$;

CREATE TRIGGER erasure_forgets_snapshots AFTER UPDATE OF wrapped ON user_keys
    FOR EACH ROW WHEN (NEW.wrapped IS NULL) EXECUTE FUNCTION forget_snapshots();

GRANT SELECT, INSERT, UPDATE, DELETE ON snapshots TO docuvault_app;
