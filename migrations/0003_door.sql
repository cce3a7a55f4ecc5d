-- The door: the only way into the log. Called as one autocommit statement, it holds the gate until its commit is
-- visible, so positions are dense and follow commit order, and no reader needs a gap rule.

-- RFC 6962 leaf hash of an event. The leaf is frozen, format version 1: the byte 0x01, then each field as its length
-- (4 bytes, big-endian) and its bytes, in the order of the parameters; integers as 8 bytes big-endian, uuids as 16
-- bytes, texts in UTF-8, the time in microseconds since 1970-01-01T00:00:00Z, payload and metadata as stored.
CREATE FUNCTION event_leaf_hash(
    "position" bigint, event_id uuid, owner_id uuid, aggregate_type text, aggregate_id text, sequence bigint,
    event_type text, event_version text, recorded_at_us bigint, payload text, metadata text
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE RETURN sha256(
    '\x000100000008'::bytea || int8send("position")
    || '\x00000010'::bytea || uuid_send(event_id)
    || '\x00000010'::bytea || uuid_send(owner_id)
    || int4send(octet_length(aggregate_type)) || convert_to(aggregate_type, 'UTF8')
    || int4send(octet_length(aggregate_id)) || convert_to(aggregate_id, 'UTF8')
    || '\x00000008'::bytea || int8send(sequence)
    || int4send(octet_length(event_type)) || convert_to(event_type, 'UTF8')
    || int4send(octet_length(event_version)) || convert_to(event_version, 'UTF8')
    || '\x00000008'::bytea || int8send(recorded_at_us)
    || int4send(octet_length(payload)) || convert_to(payload, 'UTF8')
    || int4send(octet_length(metadata)) || convert_to(metadata, 'UTF8')
);

-- Appends a batch. Streams are listed once and named by their index from 1; expectations, events and subjects name
-- their append by its index from 1, in ascending order. An append is taken whole or not at all, and a conflict
-- fails only its own append: appends are resolved in order over heads that move with the accepted ones.
--
-- A stream is expected at a sequence and, unless that is null, with this last event: another process may have given
-- the sequence to an event of its own, and what was decided on the state after ours must not stand on theirs.
-- An event whose stream is not among its append's expectations is a blind append: the door gives it the next sequence.
-- `retrying` makes the door look for appends that it already holds (the reply to an earlier try was lost).
-- Answers one row: the outcome of each append (appended, known, conflict, no_key, skipped) and its first position.
CREATE FUNCTION append_events(
    stream_types text[], stream_ids text[],
    expect_append integer[], expect_stream integer[], expect_sequence bigint[], expect_event uuid[],
    event_append integer[], event_stream integer[], event_ids uuid[], owner_ids uuid[],
    event_types text[], event_versions text[], payloads text[], metadatas text[],
    subject_append integer[], subject_ids uuid[],
    skipped boolean[], retrying boolean,
    OUT outcomes text[], OUT positions bigint[]
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  -- Planned once, for the indexes, whatever the statistics say: planning anew would cost more than the work itself.
  SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    appends   integer := cardinality(skipped);
    events    integer := cardinality(event_ids);
    head      bigint;
    head_then bigint;
    moment    timestamptz;
    heads     bigint[];
    lasts     uuid[];
    keyless   integer[];
    sequences bigint[] := array_fill(NULL::bigint, ARRAY[events]);
    places    bigint[] := array_fill(NULL::bigint, ARRAY[events]);
    i         integer;
    place     bigint;
    x         integer := 1;
    e         integer := 1;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the door only opens at READ COMMITTED' USING ERRCODE = 'feature_not_supported';
    END IF;
    IF events NOT BETWEEN 1 AND 256 OR octet_length(array_to_string(payloads || metadatas, '')) > 65536
            AND (SELECT sum(octet_length(p) + octet_length(m)) > 1048576 OR max(octet_length(p) + octet_length(m)) > 65536
                 FROM unnest(payloads, metadatas) b(p, m)) THEN
        RAISE EXCEPTION 'a batch has 1 to 256 events and 1 MiB, an event 64 KiB' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    IF current_setting('synchronous_commit') <> 'on' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    outcomes := array_fill('appended'::text, ARRAY[appends]);
    positions := array_fill(NULL::bigint, ARRAY[appends]);
    FOR i IN 1..appends LOOP
        IF skipped[i] THEN
            outcomes[i] := 'skipped';
        END IF;
    END LOOP;

    LOCK TABLE public.log_gate IN EXCLUSIVE MODE;

    SELECT coalesce(l.position, 0), greatest(clock_timestamp(), l.recorded_at), h.heads, h.lasts, k.keyless
    INTO head, moment, heads, lasts, keyless
    FROM (SELECT array_agg(o.sequence) AS heads, array_agg(o.event_id) AS lasts
          FROM (SELECT coalesce(t.sequence, 0) AS sequence, t.event_id
                FROM unnest(stream_types, stream_ids) WITH ORDINALITY s(type, id, n)
                LEFT JOIN LATERAL (SELECT ev.sequence, ev.event_id FROM public.events ev
                                   WHERE ev.aggregate_type = s.type AND ev.aggregate_id = s.id
                                   ORDER BY ev.aggregate_type DESC, ev.aggregate_id DESC, ev.sequence DESC LIMIT 1) t ON true
                ORDER BY s.n) o) h
    CROSS JOIN (SELECT array_agg(s.append) AS keyless FROM unnest(subject_append, subject_ids) s(append, id)
                LEFT JOIN LATERAL (SELECT true AS held FROM public.user_keys u
                                   WHERE u.user_id = s.id AND u.wrapped IS NOT NULL LIMIT 1) u ON true
                WHERE u.held IS NULL) k
    LEFT JOIN (SELECT ev.position, ev.recorded_at FROM public.events ev ORDER BY ev.position DESC LIMIT 1) l ON true;
    head_then := head;

    IF keyless IS NOT NULL THEN
        FOREACH i IN ARRAY keyless LOOP
            outcomes[i] := 'no_key';
        END LOOP;
    END IF;
    IF retrying THEN
        FOR i, place IN SELECT n.append, min(ev.position) FROM unnest(event_append, event_ids) n(append, id)
                        JOIN public.events ev ON ev.event_id = n.id GROUP BY n.append LOOP
            outcomes[i] := 'known';
            positions[i] := place;
        END LOOP;
    END IF;

    FOR a IN 1..appends LOOP
        WHILE expect_append[x] = a LOOP
            i := expect_stream[x];
            IF outcomes[a] = 'appended' AND (heads[i] IS DISTINCT FROM expect_sequence[x] OR lasts[i] <> expect_event[x]) THEN
                outcomes[a] := 'conflict';
            END IF;
            x := x + 1;
        END LOOP;
        IF outcomes[a] = 'appended' THEN
            positions[a] := head + 1;
            WHILE event_append[e] = a LOOP
                i := event_stream[e];
                IF heads[i] IS NULL THEN
                    RAISE EXCEPTION 'an event names a stream that is not listed' USING ERRCODE = 'invalid_parameter_value';
                END IF;
                heads[i] := heads[i] + 1;
                lasts[i] := event_ids[e];
                head := head + 1;
                sequences[e] := heads[i];
                places[e] := head;
                e := e + 1;
            END LOOP;
        ELSE
            WHILE event_append[e] = a LOOP
                e := e + 1;
            END LOOP;
        END IF;
    END LOOP;

    IF head > head_then THEN
        INSERT INTO public.events (position, event_id, owner_id, aggregate_type, aggregate_id, sequence, event_type,
                                   event_version, payload, metadata, recorded_at, leaf_hash)
        SELECT n.place, n.event_id, n.owner_id, stream_types[n.stream], stream_ids[n.stream], n.sequence, n.event_type,
               n.event_version, n.payload::json, n.metadata::json, moment,
               public.event_leaf_hash(n.place, n.event_id, n.owner_id, stream_types[n.stream], stream_ids[n.stream], n.sequence,
                                      n.event_type, n.event_version, (extract(epoch FROM moment) * 1000000)::bigint,
                                      n.payload, n.metadata)
        FROM unnest(places, sequences, event_stream, event_ids, owner_ids, event_types, event_versions, payloads, metadatas)
             AS n(place, sequence, stream, event_id, owner_id, event_type, event_version, payload, metadata)
        WHERE n.place IS NOT NULL;
        PERFORM pg_notify('docuvault_log', head::text);
    END IF;
END $$;

-- What became of a command that carried an Idempotency-Key: `result` holds the ids to answer with again.
CREATE TABLE command_outcomes (
    actor_id    uuid        NOT NULL,
    route       text        NOT NULL,
    key         text        NOT NULL,
    body_hash   bytea       NOT NULL,
    result      json        NOT NULL,
    event_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor_id, route, key)
);
CREATE INDEX command_outcomes_age ON command_outcomes (recorded_at);

-- The door for commands: as append_events, and each append's outcome (if it has one) commits with it. An append whose
-- idempotency key is already taken is `skipped`.
CREATE FUNCTION append_commands(
    stream_types text[], stream_ids text[],
    expect_append integer[], expect_stream integer[], expect_sequence bigint[], expect_event uuid[],
    event_append integer[], event_stream integer[], event_ids uuid[], owner_ids uuid[],
    event_types text[], event_versions text[], payloads text[], metadatas text[],
    subject_append integer[], subject_ids uuid[],
    appends integer, retrying boolean,
    outcome_append integer[], outcome_actors uuid[], outcome_routes text[], outcome_keys text[],
    outcome_hashes bytea[], outcome_results text[], outcome_events uuid[],
    OUT outcomes text[], OUT positions bigint[]
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    duplicate boolean[] := array_fill(false, ARRAY[appends]);
    answer    record;
    i         integer;
BEGIN
    IF cardinality(outcome_append) > 0 THEN
        INSERT INTO public.command_outcomes (actor_id, route, key, body_hash, result, event_id)
        SELECT o.actor, o.route, o.key, o.hash, o.result::json, o.event
        FROM unnest(outcome_actors, outcome_routes, outcome_keys, outcome_hashes, outcome_results, outcome_events)
             AS o(actor, route, key, hash, result, event)
        ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING;
        FOR i IN SELECT o.append FROM unnest(outcome_append, outcome_actors, outcome_routes, outcome_keys, outcome_events)
                 AS o(append, actor, route, key, event)
                 JOIN public.command_outcomes t ON (t.actor_id, t.route, t.key) = (o.actor, o.route, o.key)
                 WHERE t.event_id <> o.event LOOP
            duplicate[i] := true;
        END LOOP;
    END IF;

    answer := public.append_events(stream_types, stream_ids, expect_append, expect_stream, expect_sequence, expect_event,
        event_append, event_stream, event_ids, owner_ids, event_types, event_versions, payloads, metadatas, subject_append,
        subject_ids, duplicate, retrying);
    outcomes := answer.outcomes;
    positions := answer.positions;

    IF cardinality(outcome_append) > 0 THEN
        DELETE FROM public.command_outcomes t
        USING unnest(outcome_append, outcome_actors, outcome_routes, outcome_keys, outcome_events)
              AS o(append, actor, route, key, event)
        -- By the primary key: the gate is held.
        WHERE (t.actor_id, t.route, t.key) = (o.actor, o.route, o.key) AND t.event_id = o.event
          AND outcomes[o.append] NOT IN ('appended', 'known');
    END IF;
END $$;

-- The door for a statement that also writes side rows of its own: one append as JSON, taken or the statement fails.
-- {"streams": [[type, id]…], "expected": [[stream, sequence, last event]…], "subjects": [uuid…],
--  "events": [{"stream", "event_id", "owner_id", "event_type", "event_version", "payload", "metadata"}…],
--  "outcomes": [] or [{"actor_id", "route", "key", "body_hash", "result", "event_id"}]}
-- with payload, metadata and result as JSON texts and body_hash in base64. Answers the first position.
CREATE FUNCTION append_or_fail(append jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer record;
BEGIN
    SELECT d.outcomes[1] AS outcome, d.positions[1] AS place INTO answer
    FROM (SELECT array_agg(s->>0 ORDER BY n) AS types, array_agg(s->>1 ORDER BY n) AS ids
          FROM jsonb_array_elements(append->'streams') WITH ORDINALITY t(s, n)) streams,
         (SELECT coalesce(array_agg(1), '{}') AS appends, coalesce(array_agg((x->>0)::integer), '{}') AS streams,
                 coalesce(array_agg((x->>1)::bigint), '{}') AS sequences, coalesce(array_agg((x->>2)::uuid), '{}') AS lasts
          FROM jsonb_array_elements(append->'expected') x) expected,
         (SELECT array_agg(1) AS appends, array_agg((e->>'stream')::integer ORDER BY n) AS streams,
                 array_agg((e->>'event_id')::uuid ORDER BY n) AS event_ids, array_agg((e->>'owner_id')::uuid ORDER BY n) AS owners,
                 array_agg(e->>'event_type' ORDER BY n) AS types, array_agg(e->>'event_version' ORDER BY n) AS versions,
                 array_agg(e->>'payload' ORDER BY n) AS payloads, array_agg(e->>'metadata' ORDER BY n) AS metadatas
          FROM jsonb_array_elements(append->'events') WITH ORDINALITY t(e, n)) events,
         (SELECT coalesce(array_agg(1), '{}') AS appends, coalesce(array_agg(s::uuid), '{}') AS ids
          FROM jsonb_array_elements_text(append->'subjects') s) subjects,
         (SELECT coalesce(array_agg(1), '{}') AS appends, coalesce(array_agg((o->>'actor_id')::uuid), '{}') AS actors,
                 coalesce(array_agg(o->>'route'), '{}') AS routes, coalesce(array_agg(o->>'key'), '{}') AS keys,
                 coalesce(array_agg(decode(o->>'body_hash', 'base64')), '{}') AS hashes,
                 coalesce(array_agg(o->>'result'), '{}') AS results, coalesce(array_agg((o->>'event_id')::uuid), '{}') AS events
          FROM jsonb_array_elements(append->'outcomes') o) kept,
         LATERAL public.append_commands(streams.types, streams.ids, expected.appends, expected.streams, expected.sequences,
             expected.lasts, events.appends, events.streams, events.event_ids, events.owners, events.types, events.versions,
             events.payloads, events.metadatas, subjects.appends, subjects.ids, 1, false, kept.appends,
             kept.actors, kept.routes, kept.keys, kept.hashes, kept.results, kept.events) d;
    IF answer.outcome = 'appended' THEN
        RETURN answer.place;
    END IF;
    RAISE EXCEPTION 'append refused: %', answer.outcome
        USING ERRCODE = CASE answer.outcome WHEN 'conflict' THEN 'DV001' WHEN 'no_key' THEN 'DV002' ELSE 'DV003' END;
END $$;

ALTER FUNCTION event_leaf_hash OWNER TO docuvault_log;
ALTER FUNCTION append_events OWNER TO docuvault_log;
REVOKE ALL ON FUNCTION append_events, append_commands, append_or_fail FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_events, append_commands, append_or_fail TO docuvault_app;
GRANT SELECT, INSERT, DELETE ON command_outcomes TO docuvault_app;
