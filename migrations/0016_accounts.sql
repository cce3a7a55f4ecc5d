-- What people sign in with beside a password, and how often somebody tried. Primary data, as the credentials are: secrets and
-- operational state that never enter an event, and that go with their owner.

-- TOTP (RFC 6238).
CREATE TABLE second_factors (
    user_id    uuid        PRIMARY KEY REFERENCES credentials ON DELETE CASCADE,
    -- Sealed under a key of the person's own.
    seed       bytea       NOT NULL,
    -- False: enrolled, and waits for its first code.
    is_on      boolean     NOT NULL DEFAULT false,
    -- Of the last code that was taken: only later ones are (attack A13).
    last_step  bigint      NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);

-- Each opens one login, and is gone then.
CREATE TABLE backup_codes (
    user_id   uuid NOT NULL REFERENCES credentials ON DELETE CASCADE,
    -- The part of a code that finds its row; the rest is hashed.
    selector  text NOT NULL,
    code_hash text NOT NULL,
    PRIMARY KEY (user_id, selector)
);

-- Links that went out by mail. One to reset a password and one to confirm another address are good for a person, the newest;
-- of those that verify an address the first that comes back.
CREATE TABLE link_tokens (
    token_hash      bytea       PRIMARY KEY,
    user_id         uuid        NOT NULL REFERENCES credentials ON DELETE CASCADE,
    purpose         text        NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'confirm_email')),
    -- The account's when it was made: what ends every session ends what was asked for before, too.
    session_version integer     NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    -- Of whoever registered once more before the address was verified: it becomes the account's with this link.
    password_hash   text
);
CREATE UNIQUE INDEX one_link_of_a_purpose ON link_tokens (user_id, purpose) WHERE purpose <> 'verify_email';
CREATE INDEX link_tokens_of_user ON link_tokens (user_id);
CREATE INDEX link_tokens_by_age ON link_tokens (expires_at);

-- What scripts sign in with. A token has 256 random bits: a plain hash tells nothing of it.
CREATE TABLE api_tokens (
    token_id     uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES credentials ON DELETE CASCADE,
    token_hash   bytea       NOT NULL UNIQUE,
    name         text        NOT NULL,
    scopes       text[]      NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX api_tokens_of_user ON api_tokens (user_id, token_id);

-- Attempts at secrets. Counted before a secret is looked at, so that neither a restart nor another instance gives more of them.
CREATE TABLE attempts (
    -- What is counted, and of whom: 'password-account', 'password-ip', 'code-account', …
    scope       text        NOT NULL,
    subject     bytea       NOT NULL,
    -- Since the window began; those of a success are given back.
    taken       integer     NOT NULL,
    -- Of these, those whose outcome is not known yet.
    pending     integer     NOT NULL,
    -- Of an account: in a row without a success, over all windows.
    consecutive integer     NOT NULL,
    -- When the last one was taken: what has been pending for long died with its process.
    taken_at    timestamptz NOT NULL,
    window_ends timestamptz NOT NULL,
    PRIMARY KEY (scope, subject)
);
CREATE INDEX attempts_by_age ON attempts (window_ends);

-- Whoever has shown by a link that an account is theirs begins anew with its password. Not with its codes: a mailbox that was
-- taken over must not give guesses at the second factor.
CREATE FUNCTION forget_attempts(account uuid) RETURNS bigint LANGUAGE sql AS $$
    WITH forgotten AS (
        DELETE FROM attempts WHERE scope = 'password-account'
            AND subject IN (SELECT email_hash FROM email_claims WHERE user_id = account)
        RETURNING 1
    )
    SELECT count(*) FROM forgotten
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors, backup_codes, link_tokens, api_tokens, attempts TO docuvault_app;
