-- Read model: one row for every event of the log, without names or contents of documents.

CREATE TABLE audit_trail (
    generation  bigint      NOT NULL,
    position    bigint      NOT NULL,
    event_id    uuid        NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    type        text        NOT NULL,
    -- What it happened to: `document:<id>`, `user:<id>`, `quota:<id>`, `log`.
    subject     text        NOT NULL,
    document_id uuid,
    ip          text,
    details     jsonb       NOT NULL,
    PRIMARY KEY (generation, position)
) PARTITION BY LIST (generation);

-- Pages go by position, within each filter.
CREATE INDEX audit_trail_by_actor ON audit_trail (generation, actor, position);
CREATE INDEX audit_trail_by_type ON audit_trail (generation, type, position);
CREATE INDEX audit_trail_by_document ON audit_trail (generation, document_id, position) WHERE document_id IS NOT NULL;
-- Times of the log never go back, so a span of time is a span of positions.
CREATE INDEX audit_trail_by_time ON audit_trail (generation, at, position);

SELECT add_projection('audit_trail');
