-- How far each subscription has come; committed together with the rows that it wrote.

CREATE TABLE checkpoints (
    name       text        PRIMARY KEY,
    -- Everything up to here is handled.
    position   bigint      NOT NULL DEFAULT 0,
    -- Grows with every runner that takes over: an older one can no longer advance.
    epoch      bigint      NOT NULL DEFAULT 1,
    -- Why the event after `position` cannot be handled; NULL while all is well.
    error      text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE ON checkpoints TO docuvault_app;
