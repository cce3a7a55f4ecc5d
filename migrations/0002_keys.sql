-- Keys, primary data: without them the personal data of the log stays sealed. All are wrapped under the master key.

-- One per person. Destroying it (wrapped = NULL) erases the person; the row stays as the mark of it.
CREATE TABLE user_keys (
    user_id        uuid        PRIMARY KEY,
    key_id         uuid        NOT NULL,
    master_version integer     NOT NULL,
    wrapped        bytea,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- One per purpose and version: access-token, refresh, email-index, pepper, idempotency, link.
CREATE TABLE installation_keys (
    purpose        text        NOT NULL,
    version        integer     NOT NULL,
    key_id         uuid        NOT NULL,
    master_version integer     NOT NULL,
    wrapped        bytea       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (purpose, version)
);

-- An e-mail address belongs to one account. Only its keyed hash is kept.
CREATE TABLE email_claims (
    email_hash bytea PRIMARY KEY,
    user_id    uuid  NOT NULL UNIQUE
);

GRANT SELECT ON user_keys TO docuvault_log;
GRANT SELECT, INSERT, UPDATE ON user_keys TO docuvault_app;
GRANT SELECT, INSERT, UPDATE ON installation_keys TO docuvault_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON email_claims TO docuvault_app;
