#!/usr/bin/env bash
# `assay fuzz --guidance features`: what a run does follows from its seed, a run goes on from the corpus that it finds, a bug
# that no program shows alone is found and reproduced, and Bulwark's drop-in is a subject like any other.
# usage: features.sh BIN_FOLDER LIB_FOLDER ZOO_FOLDER
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2") zoo=$(realpath "$3")
export PATH="$bin:$PATH" ASSAY_PROGRESS=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "$*"; for f in out err; do [ ! -e "$f" ] || { echo "-- $f"; head -c 2000 "$f"; }; done; exit 1; }
run() { # EXPECTED COMMAND...: runs it with its output in out and err
    local expected=$1 status=0
    shift
    "$@" >out 2>err </dev/null || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit $status, expected $expected"
}
features() { # EXPECTED NAME OUT MORE...: guided, on an animal of the zoo
    run "$1" assay fuzz --guidance features --subject "$lib/zoo/lib$2.so" --profile "$zoo/$2.ini" --out "$3" "${@:4}"
}
kept() { sed -n 's/^.* features seen, \([0-9]*\) programs kept.*/\1/p' out; }

# the same seed keeps the same programs; another one does not
for copy in a b; do features 0 correct $copy --runs 400 --seed 3 --misuse; done
features 0 correct c --runs 400 --seed 4 --misuse
diff -r a/corpus b/corpus >/dev/null || fail "one seed, two corpora"
[ "$(ls a/corpus)" != "$(ls c/corpus)" ] || fail "two seeds, one corpus"
grep -q '"guidance": "features"' a/stats.json || fail "stats.json does not tell the guidance"

# a run that only tries what was there keeps nothing anew; a longer one adds to it
n=$(find a/corpus -type f | wc -l)
features 0 correct a --runs "$n" --seed 9
[ "$(kept)" = 0 ] || fail "$(kept) programs kept again"
features 0 correct a --runs $((n + 200)) --seed 9
[ "$(find a/corpus -type f | wc -l)" -gt "$n" ] || fail "nothing was added to the corpus"

# two jobs share a folder
features 0 correct d --runs 400 --seed 3 -j 2
[ "$(find d/corpus -name '.*' -type f | wc -l)" = 0 ] || fail "a partial file is left"

# with a child's history; each finding shows again, and not on the correct allocator
features 1 late e --runs 450 --seed 1 --programs random
for finding in e/findings/*/; do
    grep -q '"guidance": "features"' "$finding/finding.json" || fail "the finding does not tell its guidance"
    grep -q '"history": [1-9]' "$finding/finding.json" || fail "found without history"
    run 1 assay reproduce "$finding"
    run 0 assay reproduce "$finding" --subject "$lib/zoo/libcorrect.so"
done

# Bulwark goes the same way, and the mix has nothing to be guided
run 0 assay fuzz --guidance features --runs 100 --seed 1 --out f
[ -n "$(ls f/corpus)" ] || fail "nothing is kept of Bulwark"
[ ! -e f/engine-0 ] || fail "Bulwark was not run in a child"
run 2 assay fuzz --guidance features --mix --out g
[ ! -e g ] || fail "a folder in spite of wrong usage"
