-- Mails that wait to be sent. Whom one goes to is a user id alone: the address is looked up when it is sent, so none outlives
-- its owner here. A mail that is sent (or whose recipient is gone) leaves its row: an event that comes again makes no second one.

CREATE TABLE outbox (
    -- The event that the mail tells of. Its Message-ID is made of it.
    event_id      uuid        NOT NULL,
    recipient     uuid        NOT NULL,
    -- Which text it has. An event may be worth several: a link to a new address, a notice to the old one.
    kind          text        NOT NULL,
    -- When it happened.
    at            timestamptz NOT NULL,
    tries         integer     NOT NULL DEFAULT 0,
    -- No instance takes it before: one is sending it, or the last try failed.
    next_try_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Why the last try failed. Never names the recipient.
    error         text,
    -- Sent, or dropped because nobody can receive it.
    done_at       timestamptz,
    PRIMARY KEY (event_id, kind)
);
CREATE INDEX outbox_waiting ON outbox (next_try_at) WHERE done_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON outbox TO docuvault_app;
