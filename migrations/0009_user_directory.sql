-- Read model: who has an account.

CREATE TABLE user_directory (
    generation     bigint      NOT NULL,
    user_id        uuid        NOT NULL,
    email          text        NOT NULL,
    email_verified boolean     NOT NULL,
    display_name   text,
    language       text,
    time_zone      text,
    role           text        NOT NULL,
    is_active      boolean     NOT NULL,
    totp_enabled   boolean     NOT NULL,
    created_at     timestamptz NOT NULL,
    -- Of the last event that touched the row.
    position       bigint      NOT NULL,
    PRIMARY KEY (generation, user_id)
) PARTITION BY LIST (generation);

SELECT add_projection('user_directory');
