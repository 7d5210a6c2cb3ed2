#!/bin/sh
# Creates the namespace and the search attributes of runs; idempotent.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are read by Temporal's CLI; docker-compose.yml sets them.
set -eu
retention=90d # as in `holdfast up`: users look up runs weeks later
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
else
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
fi
# A new namespace takes some time to reach all of Temporal's services.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    temporal operator search-attribute create \
        --name KnowledgeBase --type Keyword \
        --name Document --type Keyword \
        --name DocumentName --type Keyword \
        --name Owner --type Keyword \
        --name Stage --type Keyword && exit 0
    echo "the namespace is not ready yet (try $attempt)" >&2
    sleep 3
done
exit 1
