#!/usr/bin/env bash
# Replay twice gives the same bytes: findings and summaries hold no addresses, and serial order is deterministic. Every
# correct allocator found here replays a program without a finding, sampled and in full. Who stops where the system grants no
# more mappings is excused, as 'assay fuzz' has it.
# usage: replay.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$1 lib=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/make_trace" "$work/p.trace" 30000 11

# times and memory are the machine's, all else is the program's and the subject's
run() { # OUTPUT SUBJECT EXPECTED_EXIT [OPTION...]
    local output=$1 subject=$2 expected=$3 status=0
    shift 3
    "$bin/assay" replay "$work/p.trace" --subject "$subject" --json "$@" >"$work/raw" 2>"$work/err" || status=$?
    [ "$status" = "$expected" ] || { echo "$subject: exit $status, expected $expected"; cat "$work/raw" "$work/err"; exit 1; }
    python3 - "$work/raw" >"$output" <<'PY'
import json, re, sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    for key in ("ns_per_event", "bare_ns_per_event", "overhead_ns", "peak_rss_bytes"):
        r.pop(key, None)
    text = json.dumps(r, sort_keys=True)
    assert not re.search(r"0x[5-7][0-9a-f]{9,}", text), "an address: " + text
    print(text)
PY
}

twice() {
    run "$work/a" "$@"
    run "$work/b" "$@"
    cmp "$work/a" "$work/b" || { diff "$work/a" "$work/b"; exit 1; }
    echo "$1: the same twice, $(grep -c '"assay.finding"' "$work/a" || true) findings"
}

twice glibc 0
twice bulwark 0
twice "$lib/zoo/liboverlap.so" 1
twice "$lib/support/crashes.so" 1
for subject in glibc bulwark jemalloc mimalloc tcmalloc scudo "$lib/zoo/libcorrect.so"; do
    status=0
    "$bin/assay" replay "$work/p.trace" --subject "$subject" --content full --json >"$work/raw" 2>"$work/err" || status=$?
    if [ "$status" = 3 ] && grep -q 'is not installed' "$work/err"; then
        echo "$subject: not installed"
        continue
    fi
    [ "$status" = 0 ] || { echo "$subject: exit $status"; cat "$work/raw" "$work/err"; exit 1; }
    echo "$subject: clean"
done

{ echo "%assay-text 1"; seq 1 33000 | sed 's/.*/malloc size=40 born=&/'; } >"$work/many.txt"
"$bin/assay" import --format text "$work/many.txt" -o "$work/many.trace" >/dev/null
status=0
"$bin/assay" replay "$work/many.trace" --subject "$lib/zoo/libcorrect_fence_aborts.so" \
    --profile "$lib/zoo/correct_fence_aborts.ini" >"$work/raw" 2>"$work/err" || status=$?
if [ "$status" != 4 ] || ! grep -q "died at op [0-9]*, which is accepted" "$work/err"; then
    echo "without mappings: exit $status"
    cat "$work/raw" "$work/err"
    exit 1
fi
echo "stopped without mappings: excused"
