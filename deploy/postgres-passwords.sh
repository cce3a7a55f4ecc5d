#!/bin/sh
# Run once by the postgres image, after the roles were made: their passwords come from the environment.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set app="$DOCUVAULT_APP_PASSWORD" --set migrate="$DOCUVAULT_MIGRATE_PASSWORD" <<'SQL'
ALTER ROLE docuvault_app PASSWORD :'app';
ALTER ROLE docuvault_migrate PASSWORD :'migrate';
SQL
