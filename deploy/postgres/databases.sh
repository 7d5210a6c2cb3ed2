#!/bin/sh
# Run once by PostgreSQL's image, on an empty volume. Temporal and the catalogue get separate users, which cannot read
# each other's tables. psql reads the passwords from the environment, so that none appears in the process list.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv temporal_password TEMPORAL_DB_PASSWORD
\getenv catalog_password CATALOG_DB_PASSWORD
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE ROLE holdfast LOGIN PASSWORD :'catalog_password';
CREATE DATABASE holdfast OWNER holdfast;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility, holdfast FROM PUBLIC;
SQL
