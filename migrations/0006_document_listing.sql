-- Read model: every document that exists, as its owner sees it. Cancelled, expired and purged ones have left.

CREATE TABLE document_listing (
    generation   bigint      NOT NULL,
    document_id  uuid        NOT NULL,
    owner_id     uuid        NOT NULL,
    name         text        NOT NULL,
    -- Lower case, for an order that ignores it.
    sort_name    text        NOT NULL COLLATE "C",
    content_type text        NOT NULL,
    size         bigint      NOT NULL,
    sha256       text        NOT NULL,
    folder_id    uuid,
    status       text        NOT NULL CHECK (status IN ('pending', 'verifying', 'active', 'rejected', 'trashed')),
    shelf        text        NOT NULL GENERATED ALWAYS AS
                             (CASE WHEN status IN ('active', 'trashed') THEN status ELSE 'pending' END) STORED,
    version      integer     NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    uploaded_at  timestamptz,
    upload_id    uuid        NOT NULL,
    object_key   text        NOT NULL,
    -- What the bytes are, and where the text is that was found in them; NULL until somebody has looked.
    sniffed_type text,
    derived_key  text,
    expires_at   timestamptz NOT NULL,
    -- Of the last event that touched the row.
    position     bigint      NOT NULL,
    -- How often people have seen the document change.
    revision     bigint      NOT NULL,
    PRIMARY KEY (generation, document_id)
) PARTITION BY LIST (generation);

-- One per sort: a page deep in the list costs what the first one costs.
CREATE INDEX document_listing_by_name ON document_listing (generation, owner_id, shelf, sort_name, document_id);
CREATE INDEX document_listing_by_created_at ON document_listing (generation, owner_id, shelf, created_at, document_id);
CREATE INDEX document_listing_by_updated_at ON document_listing (generation, owner_id, shelf, updated_at, document_id);
CREATE INDEX document_listing_by_size ON document_listing (generation, owner_id, shelf, size, document_id);

CREATE INDEX document_listing_deadlines ON document_listing (generation, expires_at) WHERE status = 'pending';
CREATE INDEX document_listing_verifying ON document_listing (generation, position) WHERE status = 'verifying';
CREATE INDEX document_listing_objects ON document_listing (generation, object_key);

SELECT add_projection('document_listing');
