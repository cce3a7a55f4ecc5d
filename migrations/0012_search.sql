-- The text of documents, for search: primary data beside the log (it cannot be had from events), and personal. Written by
-- the classifier before it records its inspection; it goes when the document is purged.

CREATE TABLE document_texts (
    document_id uuid        NOT NULL,
    upload_id   uuid        NOT NULL,
    owner_id    uuid        NOT NULL,
    -- ISO 639-3, or `und`.
    language    text        NOT NULL,
    text        text        NOT NULL,
    stored_at   timestamptz NOT NULL,
    PRIMARY KEY (document_id, upload_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON document_texts TO docuvault_app;

-- What the bytes are, where the text is, and an entity tag that a look into the bytes leaves alone.
ALTER TABLE document_listing
    ADD COLUMN sniffed_type text,
    ADD COLUMN derived_key  text,
    ADD COLUMN revision     bigint NOT NULL;
