#!/usr/bin/env bash
# Randomness that a subject asks of the kernel itself: frozen, such a subject does not differ from itself; where the kernel
# refuses a listener everything works as before, and says so.
# usage: frozen.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$1 lib=$2/support
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; cat "$work/out" "$work/err"; exit 1; }
run() { # EXPECTED COMMAND...
    local expected=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit $status, expected $expected"
}
key() { # DOTTED.KEY of the last object
    tail -n 1 "$work/out" | python3 -c '
import json, sys
value = json.loads(sys.stdin.read())
for part in sys.argv[1].split("."):
    value = value[part]
print(json.dumps(value))' "$1"
}
expect() { [ "$(key "$1")" = "$2" ] || fail "$1 is $(key "$1"), expected $2"; }

"$bin/make_trace" "$work/p.trace" 20000 7
subjects=("$lib/random_call.so" "$lib/random_device.so" "$lib/random_libc_device.so" "$lib/random_auxiliary.so")
if "$bin/assay" list subjects --json | grep -q '"scudo".*"path":"/'; then
    subjects+=(scudo)
else
    echo "scudo is not installed: not tried"
fi
if ! "$bin/assay" doctor --json | grep '"seccomp notify"' | grep -q '"status":"ok"'; then
    echo "user notification is refused here"
    exit 5
fi
for subject in "${subjects[@]}"; do
    run 0 "$bin/assay" diff "$work/p.trace" --a "$subject" --b "$subject" --no-cost --json
    expect differences 0
    expect a.frozen_calls true
    run 0 "$bin/assay" replay "$work/p.trace" --subject "$subject" --json
    expect frozen_calls true
    echo "$subject: the same twice"
done

# refused
run 0 "$bin/refuse_listener" "$bin/assay" doctor --ci
grep -A 2 '^limited *seccomp notify' "$work/out" | grep -q 'security-opt seccomp=unconfined' || fail "doctor does not help"
run 0 "$bin/refuse_listener" "$bin/assay" replay "$work/p.trace" --subject "$lib/random_call.so"
grep -q '^frozen system calls *no$' "$work/out" || fail "the summary does not say it"
run 1 "$bin/refuse_listener" "$bin/assay" diff "$work/p.trace" --a "$lib/random_call.so" --b "$lib/random_call.so" --no-cost --json
expect a.frozen_calls false
run 1 "$bin/refuse_listener" "$bin/assay" diff "$work/p.trace" --a "$lib/random_call.so" --b "$lib/random_call.so" --no-cost
grep -q "^randomness was not frozen.*'assay doctor'" "$work/out" || fail "no note beside the differences"
run 0 "$bin/refuse_listener" "$bin/assay" diff "$work/p.trace" --a glibc --b glibc --no-cost
run 0 "$bin/refuse_listener" "$bin/assay" fuzz --subject glibc --runs 20 --seed 1 --out "$work/fuzz"
grep -q "^randomness was not frozen" "$work/out" || fail "fuzz does not say it"
echo "where it is refused: as before, and told"
