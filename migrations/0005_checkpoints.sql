-- How far each subscription has come, and who leads it; the position commits together with the rows that were written.

CREATE TABLE checkpoints (
    name         text        NOT NULL,
    -- Of a projection: the generation of rows that it stands for. Others have 1.
    generation   bigint      NOT NULL DEFAULT 1,
    -- Everything up to here is handled.
    position     bigint      NOT NULL DEFAULT 0,
    -- Grows with every leader that takes over: an older one can no longer advance.
    epoch        bigint      NOT NULL DEFAULT 0,
    -- The leader, until `leased_until` by this database's clock. NULL: whoever comes first.
    holder       uuid,
    leased_until timestamptz,
    -- Why the event after `position` cannot be handled; NULL while all is well.
    error        text,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, generation)
);

-- Events that an operator had a subscription pass over because it could not apply them. Fresh folds pass over them, too.
CREATE TABLE skipped_events (
    name       text        NOT NULL,
    position   bigint      NOT NULL,
    -- What kept the event from being applied.
    error      text        NOT NULL,
    reason     text        NOT NULL,
    skipped_by text        NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, position)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON checkpoints TO docuvault_app;
GRANT SELECT, INSERT ON skipped_events TO docuvault_app;

-- Generations of read models. A read model is a table of the projection's name, partitioned by `generation`, which is
-- the first column of its primary key and of every index. Queries take the rows of the serving generation; another
-- generation may be filling beside it. docuvault_app changes no schema: the functions below do, each for one step.

CREATE TABLE serving_projections (
    name       text   PRIMARY KEY,
    generation bigint NOT NULL,
    -- Of the fold that wrote it and of the schema that it needs.
    version    integer NOT NULL
);

-- At most one for each projection.
CREATE TABLE rebuilds (
    name         text        PRIMARY KEY REFERENCES serving_projections,
    generation   bigint      NOT NULL,
    version      integer     NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    -- Where and when the process that drives it took it up: what its speed is measured from.
    driven_from  bigint      NOT NULL DEFAULT 0,
    driven_since timestamptz NOT NULL DEFAULT now(),
    -- Its driver died.
    orphaned     boolean     NOT NULL DEFAULT false,
    -- When its table became a partition of the read model; NULL while it is filled by itself.
    attached_at  timestamptz
);

GRANT SELECT, UPDATE ON serving_projections TO docuvault_app;
GRANT SELECT, UPDATE, DELETE ON rebuilds TO docuvault_app;

-- Numbers of generations: never used twice, so that a driver that slept through a cancellation meets nothing it knows.
CREATE SEQUENCE generations START 2;

-- Tables that are filled by themselves, under the names of the read models that they will be parts of.
CREATE SCHEMA filling;
GRANT USAGE ON SCHEMA filling TO docuvault_app;

-- Called by the migration that made the partitioned table `projection`: its first generation, which serves at once.
CREATE FUNCTION add_projection(projection name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (1)', projection || '_g1', projection);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO docuvault_app', projection);
    INSERT INTO serving_projections (name, generation, version) VALUES (projection, 1, 1);
    INSERT INTO checkpoints (name) VALUES (projection);
END $$;
REVOKE EXECUTE ON FUNCTION add_projection FROM PUBLIC;

-- Begins a rebuild, unless one is under way: an empty table with nothing but its primary key. `driver` drives it; without
-- one whoever looks first does.
CREATE FUNCTION begin_rebuild(projection name, fold_version integer, driver uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_generation bigint;
    primary_key    text;
BEGIN
    -- FOR UPDATE: whoever begins, swaps or cancels waits for the others.
    PERFORM FROM public.serving_projections WHERE name = projection FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM public.rebuilds WHERE name = projection) THEN
        RETURN NULL;
    END IF;
    new_generation := nextval('public.generations');
    EXECUTE format(
        'CREATE TABLE filling.%1$I (LIKE public.%1$I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS,
             CONSTRAINT one_generation CHECK (generation = %2$s))', projection, new_generation);
    SELECT pg_get_constraintdef(oid) INTO STRICT primary_key
    FROM pg_constraint WHERE conrelid = format('public.%I', projection)::regclass AND contype = 'p';
    EXECUTE format('ALTER TABLE filling.%I ADD CONSTRAINT %I %s',
                   projection, format('%s_g%s_pkey', projection, new_generation), primary_key);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON filling.%I TO docuvault_app', projection);

    INSERT INTO public.checkpoints (name, generation, holder, leased_until)
    VALUES (projection, new_generation, driver,
            CASE WHEN driver IS NOT NULL THEN clock_timestamp() + interval '5 seconds' END);
    INSERT INTO public.rebuilds (name, generation, version) VALUES (projection, new_generation, fold_version);
    RETURN new_generation;
END $$;

-- Makes a filled table a partition of its read model: builds the indexes that it lacks. Readers and writers of the read
-- model go on meanwhile, and the check constraint spares a scan. Does nothing the second time.
CREATE FUNCTION attach_generation(projection name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET maintenance_work_mem = '128MB' AS $$
DECLARE
    new_generation bigint;
    part           name;
BEGIN
    SELECT generation INTO new_generation FROM public.rebuilds
    WHERE name = projection AND attached_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    part := projection || '_g' || new_generation;
    EXECUTE format('ANALYZE filling.%I', projection);
    EXECUTE format('ALTER TABLE filling.%I RENAME TO %I', projection, part);
    EXECUTE format('ALTER TABLE filling.%I SET SCHEMA public', part);
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES IN (%s)',
                   projection, part, new_generation);
    EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT one_generation', part);
    UPDATE public.rebuilds SET attached_at = clock_timestamp() WHERE name = projection;
END $$;

-- Gives a rebuild up: whoever drives it finds its checkpoint gone. False: there is none.
CREATE FUNCTION cancel_rebuild(projection name) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given_up bigint;
BEGIN
    PERFORM FROM public.serving_projections WHERE name = projection FOR UPDATE;
    SELECT generation INTO given_up FROM public.rebuilds WHERE name = projection;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM public.checkpoints WHERE name = projection AND generation = given_up;
    DELETE FROM public.rebuilds WHERE name = projection;
    EXECUTE format('DROP TABLE IF EXISTS filling.%I', projection);
    RETURN true;
END $$;

-- Drops the partitions that neither serve nor fill. Waits for readers only as long as nobody notices, and fails then
-- (55P03): to be tried again. Answers how many went.
CREATE FUNCTION drop_retired_generations(projection name) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
DECLARE
    retired name;
    dropped bigint := 0;
BEGIN
    FOR retired IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = format('public.%I', (SELECT name FROM public.serving_projections WHERE name = projection))::regclass
          AND NOT EXISTS (SELECT FROM public.serving_projections
                          WHERE name = projection AND relname = name || '_g' || generation)
          AND NOT EXISTS (SELECT FROM public.rebuilds WHERE name = projection AND relname = name || '_g' || generation)
    LOOP
        EXECUTE format('DROP TABLE public.%I', retired);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

REVOKE EXECUTE ON FUNCTION begin_rebuild, attach_generation, cancel_rebuild, drop_retired_generations FROM PUBLIC;
GRANT EXECUTE ON FUNCTION begin_rebuild, attach_generation, cancel_rebuild, drop_retired_generations TO docuvault_app;
