#!/usr/bin/env bash
# Directed programs: the list is run once; a finding that needs watched system calls says so and is reproduced with them;
# one that a limit of memory shows is two ops; where the kernel refuses a listener calls fail by name, and that is told.
# usage: directed.sh BIN_FOLDER LIB_FOLDER ZOO_SOURCES
set -euo pipefail
bin=$1 lib=$2/zoo zoo=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; cat "$work/out" "$work/err"; exit 1; }
run() { # EXPECTED COMMAND...
    local expected=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit $status, expected $expected"
}
said() { grep -q -- "$1" "$work/out" || fail "not said: $1"; }
directed() { # ANIMAL EXPECTED
    run "$2" "$bin/assay" fuzz --subject "$lib/lib$1.so" --profile "$zoo/$1.ini" --programs directed --max-time 60s --seed 1 \
        --out "$work/$1" --quiet
}
of() { # ANIMAL PROPERTY: the folder of its first finding
    grep -l "\"property\": \"$2\"" "$work/$1"/findings/*/finding.json | head -1 | xargs dirname
}

count=$("$bin/assay" list directed --json | wc -l)
directed correct_offers 0
said "^directed programs: $count of $count$"
for property in C17 C24 C25 C31 C32 C33 C34 C36; do said "evaluations:.* $property "; done

# a limit is an op and needs no environment
directed oom_errno 1
limited=$(grep -l '^limit' "$work"/oom_errno/findings/*/program.txt | head -1)
[ -n "$limited" ] || fail "no finding has a limit"
finding=$(dirname "$limited")
[ "$(wc -l <"$limited")" -le 5 ] || fail "$limited is not small"
run 1 "$bin/assay" reproduce "$finding"
run 0 "$bin/assay" reproduce "$finding" --subject "$lib/libcorrect.so"

# what shows in programs of races, but is no race, takes none of them away
directed calloc_dirty 1
! grep -q "threads that call at the same time have shown something already" "$work/out" || fail "taken for a race"
said "^not run: walks: the subject lacks this function$"

# without random programs, and with few: counted, not timed
run 0 "$bin/assay" fuzz --subject glibc --programs random --runs 200 --seed 1 --out "$work/random" --quiet --json
grep -q '"directed":{"run":0,"of":0,' "$work/out" || fail "directed programs were run"
run 0 "$bin/assay" fuzz --subject glibc --runs 200 --seed 1 --out "$work/few" --quiet --json
python3 - "$work/few/stats.json" <<'END' || fail "not one after every fourth"
import json, sys
directed = json.load(open(sys.argv[1]))["directed"]
sys.exit(directed["run"] + len(directed["not_run"]) != 50)
END

directed commit_ignored 1
finding=$(of commit_ignored C33)
grep -q '"mapping_calls": true' "$finding/finding.json" || fail "$finding: the environment is not told"
run 1 "$bin/assay" reproduce "$finding"
sed -i 's/"mapping_calls": true/"mapping_calls": false/' "$finding/finding.json"
run 0 "$bin/assay" reproduce "$finding"
sed -i 's/"order": "serial"/"order": "sideways"/' "$finding/finding.json"
run 3 "$bin/assay" reproduce "$finding"


# by name, where nobody may listen: found and reproduced likewise, and a correct one is not accused
by_name() { run "$1" "$bin/refuse_listener" "$bin/assay" fuzz --programs directed --max-time 60s --seed 1 --quiet "${@:2}"; }
by_name 1 --subject "$lib/libcommit_ignored.so" --profile "$zoo/commit_ignored.ini" --out "$work/named"
said "^mapping calls failed only where they were made by name"
grep -q '"mapping_calls_by_name": *true' "$work/named/stats.json" || fail "stats.json does not tell"
run 1 "$bin/refuse_listener" "$bin/assay" reproduce "$(of named C33)"
by_name 0 --subject "$lib/libcorrect.so" --profile "$zoo/correct.ini" --out "$work/named_correct"
said "evaluations:.* C33 "
! grep -q "^not run: refuse_" "$work/out" || fail "failing calls were not tried"
echo "directed programs: run, told and reproduced"
