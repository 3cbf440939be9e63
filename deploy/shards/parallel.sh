#!/usr/bin/env bash
# One diff in shards by GNU parallel: on this machine, or with PARALLEL="--sshloginfile FILE" on
# several that share BASE, TARGET and the cache.
#
#   ./parallel.sh BASE TARGET SHARDS [OPTION OF JOIN ...]
#
# Run again, it measures only what is missing: a shard that is done only reads headers.
set -euo pipefail

base=$1 target=$2 shards=$3
shift 3
# A shard that fails is tried once more and stops no other; join says what is missing then.
seq "$shards" | parallel --quote --jobs "${JOBS:-2}" --retries 2 --joblog "${JOB_LOG:-/dev/null}" \
    --env MODELDIFF_CACHE --env MODELDIFF_SHARED \
    modeldiff diff "$base" "$target" --quiet --shard "{}/$shards" || true
exec modeldiff join "$base" "$target" "$@"
