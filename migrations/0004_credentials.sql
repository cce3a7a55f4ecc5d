-- Credentials and sessions, primary data: secrets and operational state that never enter an event, and that go with
-- their owner.

CREATE TABLE credentials (
    user_id         uuid        PRIMARY KEY,
    password_hash   text        NOT NULL,
    role            text        NOT NULL CHECK (role IN ('user', 'admin', 'auditor')),
    -- Rises when every session shall end; a session belongs to one version.
    session_version integer     NOT NULL DEFAULT 1,
    -- A password that the server made: it must be changed at the first login, and opens nothing after this time.
    temporary_until timestamptz,
    -- Whoever was deactivated cannot sign in, and has no sessions and no API tokens that work.
    is_active       boolean     NOT NULL DEFAULT true,
    -- Whoever registered by themselves signs in only once their address is verified.
    unverified      boolean     NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL
);

-- One per login: the family of refresh tokens that descend from it. Of a token nothing is kept but its generation.
CREATE TABLE sessions (
    session_id      uuid        PRIMARY KEY,
    user_id         uuid        NOT NULL REFERENCES credentials ON DELETE CASCADE,
    session_version integer     NOT NULL,
    generation      bigint      NOT NULL DEFAULT 0,
    rotated_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    -- As the last login or refresh came with them.
    user_agent      text,
    ip              text
);
-- Without anything that a refresh changes, so that it touches the table alone.
CREATE INDEX sessions_of_user ON sessions (user_id, session_id);

-- The one outstanding setup link, until there is an administrator.
CREATE TABLE setup_token (
    single_row boolean     PRIMARY KEY DEFAULT true CHECK (single_row),
    token_hash bytea       NOT NULL,
    expires_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON credentials, sessions, setup_token TO docuvault_app;
