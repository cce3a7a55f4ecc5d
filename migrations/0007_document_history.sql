-- Read model: every change of every document, also of purged ones.

CREATE TABLE document_history (
    document_id uuid        NOT NULL,
    position    bigint      NOT NULL,
    owner_id    uuid        NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    type        text        NOT NULL,
    changes     jsonb       NOT NULL,
    PRIMARY KEY (document_id, position)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON document_history TO docuvault_app;
