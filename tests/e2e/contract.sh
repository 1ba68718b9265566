#!/usr/bin/env bash
# What scripts rely on: only JSON Lines on standard output with --json, with the promised keys and one style of schema names;
# reproduce and next lines that work when pasted, from any folder and with any name; 130 and nothing left when interrupted;
# 3 and nothing under the final name when the disk is full; a subject that writes over its runner is told, never believed.
# usage: contract.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2") here=$(cd "$(dirname "$0")" && pwd)
export PATH="$bin:$PATH" ASSAY_PROGRESS=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "$*"; for f in "$work/out" "$work/err"; do echo "-- ${f##*/}"; head -c 2000 "$f"; done; exit 1; }
run() { # EXPECTED COMMAND...: runs it with its output in out and err
    local expected=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit $status, expected $expected"
}
said() { grep -qF "$1" "$work/err" || fail "standard error lacks '$1'"; }
json() { # KEY...: every line is an object with a schema; the last one has the keys
    python3 -c '
import json, re, sys
lines = [json.loads(line) for line in open("out")]
assert lines, "nothing"
for line in lines:
    assert re.fullmatch(r"assay(\.[a-z]+)+", line["schema"]), line["schema"]
for key in sys.argv[1:]:
    assert key in lines[-1], key' "$@" || fail "not the promised JSON"
}
make_trace p.trace 20000 3

# JSON of every command
run 0 assay show p.trace --json && json events threads processes dropped bytes_per_event method
run 0 assay replay p.trace --subject glibc --json && json events findings ns_per_event overhead_ns judged not_judged
run 1 assay replay p.trace --subject "$lib/support/crashes.so" --json && json events findings
run 1 assay minimize p.trace --subject "$lib/support/crashes.so" --json && json subject shows ops_before ops minimised folder
run 1 assay diff p.trace --a glibc --b bulwark --json && json differs differences reproduce next
run 0 assay capture --json --method preload -o c.trace -- echo "no JSON" && json events dropped method status && said "no JSON"
run 0 assay import p.trace -o i.trace --json && json events
run 0 assay matrix --subject glibc --rows S23 --json && json subjects trials contradictions undecided judged not_judged seed
run 0 assay profile glibc --keys malloc_zero_null --json && json subject keys told candidates asked trials programs seed
run 0 assay list subjects --json && json
run 0 assay list properties --json && json

# a finding and its lines, with names that a shell would take apart
odd="it's a \$folder; rm"
mkdir "$odd"
cp "$lib/zoo/libfree_errno.so" "$odd/an alloc:1.so"
run 1 assay fuzz --subject "$odd/an alloc:1.so" --runs 40 --seed 1 --out "$odd/out" --json
json execs_done ops_done execs_per_sec ops_per_sec findings first_finding_s
python3 -c '
import glob, json, sys
stats = json.load(open(sys.argv[1] + "/out/stats.json"))
assert stats["schema"] == "assay.fuzz" and stats["findings"] > 0 and stats["first_finding_s"] is not None
for key in "execs_done ops_done execs_per_sec ops_per_sec".split():
    assert stats[key] > 0, key
paths = glob.glob(glob.escape(sys.argv[1]) + "/out/findings/*/finding.json")
assert paths
for path in paths:
    finding = json.load(open(path))
    assert finding["schema"] == "assay.finding" and finding["op"] and finding["fingerprint"] and finding["subject"]
    assert finding["property"] == "C19", finding["property"]
    print(finding["reproduce"] + "\n" + finding["next"])' "$odd" >lines
while read -r line; do
    (cd / && run 1 bash -c "$line")
done <lines
cp "$lib/zoo/liboverlap.so" "$odd/an alloc:2.so"
cp p.trace "$odd/p.trace"
run 1 assay replay "$odd/p.trace" --subject "$odd/an alloc:2.so"
sed -n 's/^\(reproduce\|next\): //p' out >lines
[ "$(wc -l <lines)" -ge 2 ] || fail "no lines to paste"
while read -r line; do run 1 bash -c "$line"; done < <(head -n 2 lines)

# a folder of an earlier run: its figures go when a run starts, its findings stay and are told
run 3 assay fuzz --subject "$lib/support/scribbles.so" --runs 50 --out "$odd/out" && said "of earlier runs"
[ ! -e "$odd/out/stats.json" ] || fail "stats of an earlier run"

# the time is the time: a finding that comes at its end is written, and says that it is not minimal (a hang takes 2 s)
start=$SECONDS
run 1 assay fuzz --subject "$lib/zoo/libhang.so" --max-time 1s --seed 1 --out hang --json
[ $((SECONDS - start)) -le 12 ] || fail "--max-time 1s took $((SECONDS - start)) s"
grep -q '"minimised":false' out || fail "no mark on a finding that there was no time to minimise"

# a trace that lost events
assay show --text p.trace | sed '$a %total dropped 7' >lossy.txt
run 0 assay import --format text lossy.txt -o lossy.trace
run 3 assay replay lossy.trace --subject glibc && said "lost 7 events"
run 3 assay diff lossy.trace --a glibc --b glibc && said "lost 7 events"
run 0 assay replay lossy.trace --subject glibc --allow-lossy --json && json findings
run 0 assay show lossy.trace --json && json dropped

# A suspicion that does not come back is told with what it was: an exit code alone leaves nobody the wiser.
cat >once.c <<'END'
#include "assay_subject.h"

#include <fcntl.h>
#include <stdlib.h>

static void *make(size_t size)
{
    static int count;
    if (++count == 4000 && open(getenv("ONCE"), O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0)
        abort();
    return malloc(size);
}

const struct assay_subject assay_subject = {.name = "once", .malloc = make, .free = free};
END
run 4 env ONCE="$work/once.file" assay fuzz --subject adapter:once.c --programs random --runs 300 --seed 1 --out once \
    --junit once.xml --sarif once.sarif
grep -q "^1 suspicion did not come back in a fresh child" out || fail "nothing of a suspicion"
grep -q "^suspected: program [0-9]*: C26 malloc.*ABRT" out || fail "not what it was"
python3 -c '
import json
s = json.load(open("once/stats.json"))
assert s["unconfirmed"] == 1 and len(s["doubts"]) == 1 and "ABRT" in s["doubts"][0]["what"], s
told = json.load(open("once.sarif"))["runs"][0]["invocations"][0]["toolExecutionNotifications"]
assert [t["associatedRule"]["id"] for t in told if t["level"] == "warning" and "ABRT" in t["message"]["text"]] == ["C26"], told'
grep -q '<testsuite .* failures="0" errors="1"' once.xml || fail "no error in a JUnit file"
grep -q '<testcase name="C26 .*suspicion 1' once.xml || fail "not in the case of its property"

# what a subject writes in legal programs: a report of corruption breaks C26, a warning is told
run 1 assay replay p.trace --subject "$lib/zoo/libsays_corrupt.so"
grep -q "^ERROR: assay: C26 .* report: a report of corruption was written" out || fail "no finding of a report"
run 0 assay replay p.trace --subject "$lib/zoo/libcorrect_warns.so"
run 0 assay fuzz --subject "$lib/zoo/libcorrect_warns.so" --profile "$here/../zoo/correct_warns.ini" --runs 64 --programs random \
    --seed 1 --out warns
grep -q "^the subject wrote to standard error in legal programs, in [0-9]* process[es]*: 'zoo: warning" out || fail "no note"
python3 -c '
import json
wrote = json.load(open("warns/stats.json"))["wrote_to_stderr"]
assert wrote["processes"] >= 1 and wrote["first"] == "zoo: warning: a free list is long", wrote'
run 1 assay fuzz --subject "$lib/zoo/libsays_corrupt.so" --profile "$here/../zoo/says_corrupt.ini" --max-time 20s --programs random \
    --seed 1 --out says
finding=$(echo says/findings/*)
grep -q "^the subject said: zoo: double free or corruption" "$finding/report.txt" || fail "not what it said"
run 1 assay reproduce "$finding"
cc -w -o says/reproducer "$finding/reproducer.c"
run 1 env LD_PRELOAD="$lib/zoo/libsays_corrupt.so" says/reproducer
run 0 says/reproducer

# a subject that writes all over what it shares with its runner
for command in "replay p.trace --subject" "diff p.trace --a glibc --b" "diff p.trace --b glibc --a" "fuzz --runs 50 --out s --subject"; do
    # shellcheck disable=SC2086
    run 3 assay $command "$lib/support/scribbles.so"
    said "wrote into the memory of its runner"
done
[ ! -e s/stats.json ] || fail "a run that could not be judged has stats"

# a full disk
limited() { (ulimit -f 40 && "$@"); }
make_trace big.trace 8000000 3
run 3 limited assay import big.trace -o limited.trace && said "cannot write"
[ -z "$(ls limited.trace* 2>/dev/null)" ] || fail "a file is left"
sh -c 'assay list >/dev/full' 2>err && fail "a full standard output is no error"
said "cannot write to standard output"

# two at the same time
assay capture --method preload -o two.trace -- sleep 2 >/dev/null 2>&1 &
first=$!
while [ ! -e two.trace.partial ]; do sleep 0.02; done
run 3 assay import p.trace -o two.trace && said "another process is writing it"
wait "$first"
run 0 assay show two.trace

# interrupted: 130, no child, nothing half-written
interrupt() { # SIGNAL COMMAND...
    local signal=$1 status=0 pid
    shift
    setsid "$@" >out 2>err </dev/null &
    pid=$!
    sleep 0.5
    kill "-$signal" -- "-$pid" # as a terminal does: to all of the group
    wait "$pid" || status=$?
    [ "$status" = 130 ] || fail "$*: exit $status after SIG$signal"
    [ "$2" = assay ] && [ "$3" = capture ] || [ "$(grep -v '^fuzz ' err)" = "assay: interrupted$unwritten" ] || fail "$*: said $(cat err)"
    for _ in $(seq 100); do # a busy machine takes its time to end them
        [ -n "$(ps -o pid= -s "$pid")" ] || return 0
        sleep 0.05
    done
    fail "$*: a child is left"
}
unwritten=
for signal in INT TERM; do
    unwritten=", 'p.ini' was not written" interrupt $signal env assay profile glibc -o p.ini
    [ ! -e p.ini ] || fail "a profile is written"
    interrupt $signal env assay fuzz --subject glibc --max-time 60s --out f
    [ -s f/stats.json ] || fail "no stats"
    interrupt $signal env assay replay big.trace --subject glibc --content full
    grep -q '^end  *interrupted$' out || fail "replay does not say that it was interrupted"
    interrupt $signal env assay import big.trace -o copy.trace
    interrupt $signal env assay diff big.trace --a glibc --b bulwark
    interrupt $signal env assay capture --method preload -o k.trace -- sleep 60 && run 0 assay show k.trace
done
echo "the contract holds"
