#!/usr/bin/env bash
# One diff as a Slurm array: each task measures a shard, and whoever joins says what is missing.
#
#   job=$(sbatch --parsable --array=1-64 --export=ALL,BASE=…,TARGET=… slurm.sh)
#   sbatch --dependency=afterany:$job --export=ALL,BASE=…,TARGET=…,JOIN=report.html slurm.sh
#
# BASE, TARGET and the cache (MODELDIFF_CACHE, or MODELDIFF_SHARED for a store) are the same on all
# nodes. A task that failed is run again alone: sbatch --array=17 with SHARDS=64.
#SBATCH --job-name=modeldiff
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --output=modeldiff-%A-%a.log
set -euo pipefail

if [[ -n "${JOIN:-}" ]]; then
    exec modeldiff join "$BASE" "$TARGET" --output "$JOIN"
fi
# An array may be a part of what was planned: then SHARDS says how many there are.
shards="${SHARDS:-$SLURM_ARRAY_TASK_COUNT}"
exec modeldiff diff "$BASE" "$TARGET" --quiet --shard "$SLURM_ARRAY_TASK_ID/$shards"
