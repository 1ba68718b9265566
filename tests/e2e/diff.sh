#!/usr/bin/env bash
# The acceptance test of the symbolic state on real subjects: the same build twice does not differ, one planted reuse
# difference is one, a second independent one is two; exit codes and JSON keys as promised.
# usage: diff.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$1 lib=$2/support
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/make_trace" "$work/p.trace" 20000 7

differences() { # SUBJECT_A SUBJECT_B -> new differences; checks the exit code against them
    local status=0
    "$bin/assay" diff "$work/p.trace" --a "$lib/$1.so" --b "$lib/$2.so" --no-cost --json >"$work/out" 2>"$work/err" || status=$?
    tail -n 1 "$work/out" | python3 -c '
import json, sys
r = json.loads(sys.stdin.read())
assert r["schema"] == "assay.diff" and r["compared"] > 19000, r
assert int(sys.argv[1]) == (1 if r["differs"] else 0), (sys.argv[1], r)
print(r["differences"])' "$status" || { cat "$work/out" "$work/err" >&2; exit 1; }
}

expect() {
    local got
    got=$(differences "$1" "$2")
    [ "$got" = "$3" ] || { echo "$1 | $2: $got differences, expected $3"; cat "$work/out"; exit 1; }
    echo "$1 | $2: $got"
}

expect reuse_none reuse_none 0
expect reuse_one reuse_one 0
expect reuse_none reuse_one 1
expect reuse_one reuse_none 1
expect reuse_one reuse_two 1
expect reuse_none reuse_two 2

# Both die alike, and what they say last is not UTF-8: that is no clean end.
status=0
"$bin/assay" diff "$work/p.trace" --a "$lib/aborts_latin.so" --b "$lib/aborts_latin.so" --no-cost --json >"$work/out" 2>"$work/err" ||
    status=$?
if [ "$status" != 1 ] || ! grep -q '"differs":true.*"side":"a".*xe9.*"side":"b".*xe9' "$work/out"; then
    echo "two deaths: exit $status"
    cat "$work/out" "$work/err"
    exit 1
fi
