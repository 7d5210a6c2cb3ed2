#!/bin/sh
# Temporal's tables in both databases, made or brought up to this version; running it again changes nothing.
# Address, user and password are in temporal-sql-tool's own variables (SQL_…), see docker-compose.yml.
set -eu
update() {
    temporal-sql-tool --database "$1" setup-schema -v 0.0
    temporal-sql-tool --database "$1" update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}
update temporal temporal
update temporal_visibility visibility
