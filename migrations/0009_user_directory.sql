-- Read model: who has an account.

CREATE TABLE user_directory (
    generation   bigint      NOT NULL,
    user_id      uuid        NOT NULL,
    email        text        NOT NULL,
    display_name text,
    role         text        NOT NULL,
    created_at   timestamptz NOT NULL,
    -- Of the last event that touched the row.
    position     bigint      NOT NULL,
    PRIMARY KEY (generation, user_id)
) PARTITION BY LIST (generation);

SELECT add_projection('user_directory');
