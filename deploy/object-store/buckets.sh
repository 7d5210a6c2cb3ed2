#!/bin/sh
# Creates the buckets in the object store, one for documents and one for Milvus; idempotent.
# The keys reach curl by its standard input, so that they do not appear in the process list.
set -eu
for bucket in holdfast milvus; do
    for method in PUT HEAD; do # creating a bucket that exists fails; that it can be read decides
        printf 'user = "%s:%s"\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" \
            | curl --config - --silent --output /dev/null --write-out "$bucket: $method %{http_code}\n" \
                --aws-sigv4 "aws:amz:$AWS_REGION:s3" --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
                $(test "$method" = HEAD && echo "--head --fail" || echo "--request $method") "$AWS_ENDPOINT_URL/$bucket"
    done
done
