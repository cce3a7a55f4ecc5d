-- Read model: every change of every document, also of purged ones.

CREATE TABLE document_history (
    generation  bigint      NOT NULL,
    document_id uuid        NOT NULL,
    position    bigint      NOT NULL,
    owner_id    uuid        NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    type        text        NOT NULL,
    changes     jsonb       NOT NULL,
    PRIMARY KEY (generation, document_id, position)
) PARTITION BY LIST (generation);

SELECT add_projection('document_history');
