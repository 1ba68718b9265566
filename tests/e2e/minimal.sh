#!/usr/bin/env bash
# What fuzz and minimize call minimised is 1-minimal: each program that is a step smaller is made and tried from outside
# (minimal.py), for animals whose bugs are of different kinds, one that shows in some processes only, and a trace.
# usage: minimal.sh BIN_FOLDER LIB_FOLDER SOURCE_FOLDER [ANIMAL...]
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2") source=$(realpath "$3")
shift 3
animals=("$@")
[ ${#animals[@]} -gt 0 ] || animals=(overlap free_clobbers calloc_dirty size_wrap double_free resize_offset)
export PATH="$bin:$PATH" ASSAY_PROGRESS=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" && mkdir -p fuzz/trace
fail() { echo "$*"; exit 1; }

run() { # EXPECTED_EXIT COMMAND...
    local expected=$1 status=0
    shift
    "$@" >log 2>&1 || status=$?
    [ "$status" = "$expected" ] || { cat log; fail "$*: exit $status, not $expected"; }
}

for animal in "${animals[@]}"; do
    runs=12
    [ "$animal" != double_free ] || runs=300 # few programs end in a misuse
    run 1 assay fuzz --subject "$lib/zoo/lib$animal.so" --profile "$source/tests/zoo/$animal.ini" --runs "$runs" --seed 1 --misuse \
        --guidance none --out "fuzz/$animal" --quiet
    grep -q '"minimised": true' "fuzz/$animal"/findings/*/finding.json || echo "$animal: none of its findings was minimised in time"
done
run 1 assay fuzz --subject "$lib/zoo/libthree_in_ten.so" --profile "$source/tests/zoo/three_in_ten.ini" --max-time 15s --seed 1 \
    --out fuzz/three_in_ten --quiet
# a pass that is repeated, of a program that ends within its last measurements
run 1 assay fuzz --subject "$lib/zoo/libaligned_forgotten.so" --profile "$source/tests/zoo/aligned_forgotten.ini" \
    --programs directed --max-time 15s --seed 1 --out passes --quiet
python3 -c "import json, sys; f = json.load(open(sys.argv[1])); sys.exit(f['ops'] + 1000 > f['ops_found'])" \
    passes/findings/*/finding.json || fail "aligned_forgotten: the pass was not made smaller: $(grep -h '"ops' passes/findings/*/finding.json)"
make_trace p.trace 6000 3
run 1 assay minimize p.trace --subject "$lib/zoo/liboverlap.so" --out fuzz/trace/findings --quiet
python3 "$source/tests/e2e/minimal.py" "$bin/assay" fuzz/*/findings/*/ | tee told
[ "$(grep -c '1-minimal$' told)" -ge ${#animals[@]} ] || fail "few of them were minimised"
