#!/bin/sh
# The namespace and the search attributes by which runs are found; running it again changes nothing.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are the CLI's own variables, see docker-compose.yml.
set -eu
retention=90d # as `holdfast up` keeps them: people look runs up weeks later
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
else
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
fi
# A namespace that was made a moment ago is not known everywhere yet.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    temporal operator search-attribute create \
        --name KnowledgeBase --type Keyword \
        --name Document --type Keyword \
        --name Owner --type Keyword \
        --name Stage --type Keyword && exit 0
    echo "the namespace is not ready yet (try $attempt)" >&2
    sleep 3
done
exit 1
