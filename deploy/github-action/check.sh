#!/usr/bin/env bash
# Runs `modeldiff check` with what action.yml hands over in variables; ends with its exit code.
set -euo pipefail

folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/modeldiff.XXXXXX")
arguments=(check "--layers=$LAYERS" "--device=$DEVICE" --json "--markdown=$folder/check.md")

# Adds an option for each line of a text that is not empty.
each_line() {
    local line
    while IFS= read -r line; do
        line="${line%$'\r'}"
        [[ -z "${line//[[:space:]]/}" ]] || arguments+=("$1=$line")
    done <<< "$2"
}
each_line --fail-if "$FAIL_IF"
each_line --only "$ONLY"
each_line --allow "$ALLOW"
[[ -z "$JUNIT" ]] || arguments+=("--junit=$JUNIT")

code=0
modeldiff "${arguments[@]}" -- "$BASE" "$TARGET" > "$folder/check.json" || code=$?

verdict=""
if [[ -s "$folder/check.json" ]]; then
    verdict=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["verdict"])' "$folder/check.json")
fi
{
    echo "verdict=$verdict"
    echo "document=$folder/check.json"
} >> "${GITHUB_OUTPUT:-/dev/null}"
if [[ -s "$folder/check.md" ]]; then
    cat "$folder/check.md"
    [[ "$SUMMARY" != true ]] || cat "$folder/check.md" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
fi
exit "$code"
