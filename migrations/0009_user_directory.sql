-- Read model: who has an account.

CREATE TABLE user_directory (
    user_id      uuid        PRIMARY KEY,
    email        text        NOT NULL,
    display_name text,
    role         text        NOT NULL,
    created_at   timestamptz NOT NULL,
    -- Of the last event that touched the row.
    position     bigint      NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON user_directory TO docuvault_app;
