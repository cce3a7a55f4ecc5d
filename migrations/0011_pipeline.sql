-- What the log's consumers at NATS leave behind, and the log's earlier lineages.

-- Events that a consumer could not handle. `failing`: tries are left; `dead`: an operator decides; `retrying`: one did.
CREATE TABLE dead_letters (
    id              uuid        PRIMARY KEY,
    consumer        text        NOT NULL,
    position        bigint      NOT NULL,
    event_id        uuid        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('failing', 'dead', 'retrying')),
    tries           integer     NOT NULL,
    error           text        NOT NULL,
    first_failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_failed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- An instance is at it until then; should it die, another one may.
    claimed_until   timestamptz,
    UNIQUE (consumer, event_id)
);
CREATE INDEX dead_letters_listed ON dead_letters (id) WHERE state <> 'failing';
CREATE INDEX dead_letters_retrying ON dead_letters (consumer, position) WHERE state = 'retrying';

-- Lineages that ended when the log was restored from a backup. What is left of them elsewhere may be thrown away.
CREATE TABLE former_lineages (
    lineage  uuid        PRIMARY KEY,
    -- The last position that the lineage after it shares with it.
    shared   bigint      NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters TO docuvault_app;
GRANT SELECT ON former_lineages TO docuvault_app;
