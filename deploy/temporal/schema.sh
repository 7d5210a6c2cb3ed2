#!/bin/sh
# Creates Temporal's tables in both databases or upgrades them to this version; idempotent.
# temporal-sql-tool reads address, user and password from SQL_… variables; docker-compose.yml sets them.
set -eu
update() {
    temporal-sql-tool --database "$1" setup-schema -v 0.0
    temporal-sql-tool --database "$1" update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}
update temporal temporal
update temporal_visibility visibility
