#!/usr/bin/env bash
# SARIF and JUnit files of fuzz, replay and reproduce, whole and of the right shape, with findings and without; suppressions
# and what they leave of a run. usage: outputs.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2") here=$(cd "$(dirname "$0")" && pwd)
export PATH="$bin:$PATH" ASSAY_PROGRESS=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "$*"; head -c 2000 out err; exit 1; }
run() { # EXPECTED COMMAND...
    local expected=$1 status=0
    shift
    "$@" >out 2>err </dev/null || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit $status, expected $expected"
}
holds() { # RESULTS FAILURES [ERRORS]: of o.sarif and o.xml
    python3 "$here/sarif.py" o.sarif "$1" >out 2>err || fail "o.sarif"
    python3 "$here/junit.py" o.xml "$2" "${3-0}" >out 2>err || fail "o.xml"
    [ -z "$(find . -name '*.partial*')" ] || fail "a partial file is left"
    [ -z "${ASSAY_KEEP_SARIF-}" ] || cp o.sarif "$ASSAY_KEEP_SARIF/$((kept += 1)).sarif"
    rm o.sarif o.xml
}
kept=0 # for sarif_published.sh
to=(--sarif o.sarif --junit o.xml)
make_trace p.trace 4000 7

# nothing found, a crash, one that C and XML and URIs would take apart
run 0 assay replay p.trace --subject glibc "${to[@]}" && holds 0 0
run 1 assay replay p.trace --subject "$lib/support/crashes.so" "${to[@]}" --json
python3 -c '
import json
finding = json.loads(open("out").readline())
crash = finding["crash"]
assert crash["class"] == finding["crash_class"] == "write-near-null" and finding["function"] == "misbehave", finding
assert crash["access"] == "WRITE" and crash["bytes"] == 4 and crash["target"] == {"address": 0x1230}
frame = crash["frames"][crash["frame"]]
assert frame["function"] == "misbehave" and frame["source"].endswith("subjects.c") and frame["build_id"]
assert "0x1230" in crash["code"][crash["code_at"]]
summary = json.loads(open("out").readlines()[-1])
assert summary["crashes"] == {"write-near-null": [finding["fingerprint"]]}
log = json.load(open("o.sarif"))["runs"][0]["results"][0]
place = log["locations"][0]["physicalLocation"]
assert place["artifactLocation"]["uri"].endswith("subjects.c") and place["region"]["startLine"] == frame["line"]
' || fail "the crash is not told"
holds 1 1
odd="it's <a> & \"b\"%; x"
mkdir "$odd" && cp "$lib/zoo/libcalloc_dirty.so" "$odd/lib a.so"
run 1 assay fuzz --subject "$odd/lib a.so" --runs 40 --seed 1 --out "$odd/out" "${to[@]}"
grep -q '%22b%22%25%3B' o.sarif || fail "the reproducer's URI"
findings=$(find "$odd/out/findings" -mindepth 1 -maxdepth 1 | wc -l)
[ "$findings" -ge 1 ] || fail "nothing found"
holds "$findings" "$findings"
finding=$(find "$odd/out/findings" -mindepth 1 -maxdepth 1 | sort | head -n 1)
grep -q '^memory around object' "$finding/report.txt" || fail "no picture"
tail -n 1 "$finding/report.txt" | grep -q ": $(basename "$finding") = " || fail "no suppression to paste"
run 1 assay reproduce "$finding" "${to[@]}" && holds 1 1
run 0 assay reproduce "$finding" --subject "$lib/zoo/libcorrect.so" "${to[@]}" && holds 0 0
run 3 assay reproduce "$finding" --subject "$lib/zoo/libcorrect.so" --sarif /nosuch/x.sarif

# suppressed by kind and by fingerprint, with the reason; a line that fits nothing is told
cat >known.txt <<'END'
# the whole kind, of this subject
C10 calloc * *a.so = clearing comes in release 2
C19 free wrong-errno = never seen
END
run 0 assay fuzz --subject "$odd/lib a.so" --runs 40 --seed 1 --out s --suppressions known.txt "${to[@]}"
grep -q 'suppressed (clearing comes in release 2): C10 calloc' out || fail "the reason is not told"
grep -q "known.txt:3: suppresses nothing: C19 free wrong-errno" err || fail "the unused line is not told"
[ -z "$(ls s/findings)" ] || fail "a suppressed finding has a folder"
results=$(grep -c '"ruleId"' o.sarif)
[ "$results" -ge 1 ] || fail "a suppressed finding is not in SARIF"
holds "$results" 0
grep -q '"unused_suppressions": \[' s/stats.json || fail "stats"
run 1 assay replay p.trace --subject "$lib/zoo/libusable_large.so" --json
python3 -c '
import json
for line in open("out"):
    finding = json.loads(line)
    if finding["schema"] == "assay.finding":
        print(finding["fingerprint"] + " = it is known")' >fingerprints.txt
run 0 assay replay p.trace --subject "$lib/zoo/libusable_large.so" --suppressions fingerprints.txt "${to[@]}"
grep -q 'suppressed: it is known' out || fail "replay's reason"
holds "$(wc -l <fingerprints.txt)" 0
run 4 assay replay p.trace --subject "$lib/support/crashes.so" --suppressions <(echo "C26 * * = it dies") "${to[@]}"
grep -q "died at op 49, which is accepted" err || fail "a suppressed death"
grep -q 'died at op 49, which is accepted.*type="suspected"' o.xml || fail "the end is no error"
holds 1 0 1
run 3 assay replay p.trace --subject glibc --suppressions <(echo "C26 nonsense * = reason")
grep -q ":1: no op is called 'nonsense'" err || fail "a wrong line"
echo "the outputs hold"
