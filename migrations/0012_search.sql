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

-- Every word as it is written and as the stemmer of `configuration` sees it; those of the name weigh most. Words arrive
-- in a common form, without case and accents. A text with more words than a vector can hold is searched in its beginning.
CREATE FUNCTION search_vector(configuration regconfig, name_words text, text_words text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    beginning text     := text_words;
    stemmed   tsvector := '';
BEGIN
    LOOP
        BEGIN
            IF configuration <> 'simple'::regconfig THEN
                stemmed := setweight(to_tsvector(configuration, name_words), 'A') || to_tsvector(configuration, beginning);
            END IF;
            RETURN setweight(to_tsvector('simple', name_words), 'A') || to_tsvector('simple', beginning) || stemmed;
        EXCEPTION WHEN program_limit_exceeded THEN
            beginning := left(beginning, length(beginning) / 2);
        END;
    END LOOP;
END $$;

-- Documents with all of `words`, each as it is written or stemmed in one of the languages; the last one may be unfinished.
-- A word that carries no meaning in one of the languages need not be there, unless it is the last.
CREATE FUNCTION search_query(words text[], configurations text[]) RETURNS tsquery
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sought        tsquery;
    alternatives  tsquery;
    stem          tsquery;
    meaningless   boolean;
    configuration text;
BEGIN
    FOR place IN 1 .. cardinality(words) LOOP
        alternatives := to_tsquery('simple', quote_literal(words[place])
            || CASE WHEN place = cardinality(words) AND octet_length(words[place]) > 1 THEN ':*' ELSE '' END);
        meaningless := false;
        FOREACH configuration IN ARRAY configurations LOOP
            stem := plainto_tsquery(configuration::regconfig, words[place]);
            IF numnode(stem) = 0 THEN
                meaningless := true;
            ELSE
                alternatives := alternatives || stem;
            END IF;
        END LOOP;
        IF place = cardinality(words) OR NOT meaningless THEN
            sought := coalesce(sought && alternatives, alternatives);
        END IF;
    END LOOP;
    RETURN sought;
END $$;

-- Read model: the words of every document that exists.
CREATE TABLE document_search (
    generation    bigint   NOT NULL,
    document_id   uuid     NOT NULL,
    owner_id      uuid     NOT NULL,
    shelf         text     NOT NULL,
    name          text     NOT NULL,
    -- Whose text is searched.
    upload_id     uuid,
    -- The stemmer of its language.
    configuration text     NOT NULL,
    name_vector   tsvector NOT NULL,
    vector        tsvector NOT NULL,
    PRIMARY KEY (generation, document_id)
) PARTITION BY LIST (generation);

-- The one index that does not begin with the generation, which GIN knows nothing of: a partition has only one. Without
-- a list of pending entries: every search would read it, and the planner, which counts its pages and not those of
-- long vectors, would rather read the words of every document.
CREATE INDEX document_search_words ON document_search USING gin (vector) WITH (fastupdate = off);
CREATE INDEX document_search_languages ON document_search (generation, owner_id, configuration);

SELECT add_projection('document_search');

-- The documents of `owner` that match, ranked; of more than a thousand only by whether their names match (`coarse`; NULL:
-- to be found out), because ranking reads every vector. Matching costs the planner nothing, although most vectors have to
-- be fetched from elsewhere: it is told, or it would not use the index.
CREATE FUNCTION search_matches(owner uuid, on_shelf text, query tsquery, coarse boolean)
RETURNS TABLE (document_id uuid, rank real, is_coarse boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET cpu_operator_cost = 1 AS $$
DECLARE
    serving bigint := (SELECT generation FROM public.serving_projections WHERE name = 'document_search');
BEGIN
    IF coarse IS NULL THEN
        coarse := 1000 < (SELECT count(*) FROM (
            SELECT FROM public.document_search AS document
            WHERE document.generation = serving AND document.owner_id = owner AND document.shelf = on_shelf
              AND document.vector @@ query LIMIT 1001) AS matching);
    END IF;
    RETURN QUERY
        SELECT document.document_id,
               (CASE WHEN document.name_vector @@ query THEN 1 ELSE 0 END
                + CASE WHEN coarse THEN 0 ELSE ts_rank(document.vector, query) END)::real,
               coarse
        FROM public.document_search AS document
        WHERE document.generation = serving AND document.owner_id = owner AND document.shelf = on_shelf
          AND document.vector @@ query;
END $$;
