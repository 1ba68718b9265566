#!/usr/bin/env bash
# The SARIF logs of outputs.sh, held against the published schema and rules by the validator that the committee's members keep
# (the npm package @microsoft/sarif-multitool, fetched for the test). Without npm, or out of its reach, nothing is tested.
# usage: sarif_published.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! command -v npm >/dev/null || ! timeout 300 npm install --prefix "$work" --no-audit --no-fund --loglevel=error \
    @microsoft/sarif-multitool@5.7.0 >"$work/npm" 2>&1; then
    echo "the validator cannot be had: $(tail -n 1 "$work/npm" 2>/dev/null)"
    exit 5
fi
mkdir "$work/logs"
ASSAY_KEEP_SARIF="$work/logs" "$here/outputs.sh" "$1" "$2"
count=$(find "$work/logs" -name '*.sarif' | wc -l)
[ "$count" -ge 5 ] || { echo "only $count logs were kept"; exit 1; }
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 # it needs no ICU for this
# one log that must not pass: the validator validates
sed 's/"version": *"2.1.0"/"version": "2.1"/; s/"ruleId"/"rule"/' "$work"/logs/1.sarif >"$work/broken.sarif"
validate() { # FILE...: what it says, one line each
    (cd "$work" && timeout 300 node_modules/.bin/sarif-multitool validate "$@" --output "$work/verdict.$#" >"$work/said" 2>&1) || true
    grep -q '^Done\.' "$work/said" || { echo "the validator did not end: $(tail -n 1 "$work/said")"; return; }
    grep -E ': (error|warning|note) ' "$work/said" | grep -v SARIF2005 || true # a tool with no page of its own
}
[ -n "$(validate "$work/broken.sarif")" ] || { echo "the validator passes a broken log"; cat "$work/said"; exit 1; }
told=$(validate "$work"/logs/*.sarif)
[ -z "$told" ] || { echo "$told" | cut -c1-300; exit 1; }
echo "$count logs, no error or warning"
