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

# Both die alike, and what they say last is not UTF-8: nothing differs, and nothing is known of what would have followed.
status=0
"$bin/assay" diff "$work/p.trace" --a "$lib/aborts_latin.so" --b "$lib/aborts_latin.so" --no-cost --json >"$work/out" 2>"$work/err" ||
    status=$?
if [ "$status" != 4 ] || ! grep -q '"differs":false,"whole":false.*"side":"a".*xe9.*"side":"b".*xe9' "$work/out"; then
    echo "two deaths: exit $status"
    cat "$work/out" "$work/err"
    exit 1
fi
# One dies and the other not.
status=0
"$bin/assay" diff "$work/p.trace" --a "$lib/aborts_latin.so" --b glibc --no-cost --json >"$work/out" 2>"$work/err" || status=$?
if [ "$status" != 1 ] || ! grep -q '"differs":true,"whole":false' "$work/out"; then
    echo "one death: exit $status"
    cat "$work/out" "$work/err"
    exit 1
fi

# Processes: a class is one line however many images show it; what forked ones inherit is counted apart, and progress ends
# where the trace ends.
{
    echo "%assay-text 1"
    for ((i = 1; i <= 500; i++)); do echo "malloc size=33 born=$i"; done
    for p in 1 2 3; do
        echo "fork arg=$p"
        for ((i = 0; i < 500; i++)); do echo "malloc process=$p size=33 born=$((500 * p + i + 1))"; done
    done
} >"$work/fork.txt"
"$bin/assay" import --format text "$work/fork.txt" -o "$work/fork.trace" >/dev/null
status=0
"$bin/assay" diff "$work/fork.trace" --a glibc --b bulwark --ignore placement --ignore low-bits --json >"$work/out" 2>"$work/err" || status=$?
python3 - "$status" "$work/out" <<'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
classes, total = [r for r in rows if r["schema"] == "assay.diff.class"], rows[-1]
assert sys.argv[1] == "1" and total["classes"] == len(classes) == 1, rows
assert classes[0]["images"] == 4 and classes[0]["process"] == 0, classes
assert total["events"] == 2003 and total["inherited"] == 1500 and total["compared"] <= 2003, total
END
"$bin/assay" diff "$work/fork.trace" --a glibc --b bulwark --no-cost >"$work/out" 2>"$work/err" || true
grep -q '^2,003 calls compared (+1,500 inherited)' "$work/out" || { cat "$work/out"; exit 1; }
grep -q '(process 0, and in others)$' "$work/out" || { cat "$work/out"; exit 1; }
"$bin/assay" replay "$work/fork.trace" --subject glibc --json >"$work/out" 2>"$work/err" || true
tail -n 1 "$work/out" | python3 -c '
import json, sys
r = json.loads(sys.stdin.read())
assert r["events"] == r["trace_events"] == r["trace_events_done"] == 2003 and r["inherited"] == 1500, r'
# what a trace without addresses answered cannot be judged, and is not called clean
status=0
"$bin/assay" replay "$work/fork.trace" --subject recorded >"$work/out" 2>"$work/err" || status=$?
if [ "$status" != 3 ] || ! grep -q 'address' "$work/err"; then
    echo "recorded: exit $status"
    cat "$work/out" "$work/err"
    exit 1
fi
