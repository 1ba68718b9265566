#!/usr/bin/env bash
# Partial order: the threads of a trace run as threads. Correct allocators stay clean under real concurrency; the counting
# allocator sees the program's calls and those that the C library makes for its threads, no other.
# usage: partial.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$1 lib=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - >"$work/p.txt" <<'PY'
import random
random.seed(5)
print("%assay-text 1\n%has order thread\n%method import:text")
for t in range(1, 5):
    print(f"thread_start arg={t}")
alive, live, born = [0, 1, 2, 3, 4], [], 0
for i in range(30000):
    thread = random.choice(alive)
    where = f" thread={thread}" if thread else ""
    dice = random.random()
    if live and dice < 0.45:
        print(f"free{where} object={live.pop(random.randrange(len(live)))}")
        continue
    born += 1
    if live and dice < 0.55:
        at = random.randrange(len(live))
        print(f"realloc{where} object={live[at]} size={random.randint(1, 600)} born={born}")
        live[at] = born
    else:
        print(f"malloc{where} size={random.randint(1, 300)} born={born}")
        live.append(born)
    if i > 15000 and 4 in alive: # its objects are freed by others
        print("thread_exit thread=4")
        alive.remove(4)
PY
"$bin/assay" import --format text "$work/p.txt" -o "$work/p.trace" >/dev/null

replay() { # SUBJECT: prints executed, findings, library calls
    "$bin/assay" replay "$work/p.trace" --subject "$1" --order partial --json -q >"$work/out" 2>"$work/err" || {
        if grep -q 'is not installed' "$work/err"; then echo "$1: not installed"; return; fi
        cat "$work/out" "$work/err"; exit 1; }
    tail -n 1 "$work/out" | python3 -c 'import json, sys; r = json.load(sys.stdin); assert r["order"] == "partial" and r["findings"] == 0 and r["evaluations"]["C28"] > 1000, r; print(sys.argv[1], r["executed"], r["library_calls"])' "$1"
}

for subject in glibc bulwark jemalloc mimalloc tcmalloc scudo; do replay "$subject"; done
head -c 48 /dev/zero >"$work/counts"
export ASSAY_COUNTING="$work/counts"
replay "$lib/support/counting.so"
python3 - "$work" <<'PY'
import json, re, struct, sys
folder = sys.argv[1]
malloc, calloc, realloc, free, aligned, usable = struct.unpack("6Q", open(folder + "/counts", "rb").read())
text = open(folder + "/p.txt").read()
asked = {kind: len(re.findall("^" + kind + " ", text, re.M)) for kind in ("malloc", "realloc", "free")}
live = asked["malloc"] - asked["free"]  # the runner frees them at the end
library = json.loads(open(folder + "/out").read().splitlines()[-1])["library_calls"]
assert malloc == asked["malloc"] and realloc == asked["realloc"] and aligned == 0, (malloc, realloc, aligned, asked)
assert calloc + free - asked["free"] - live == library, (calloc, free, asked, live, library)
assert calloc == 4, calloc  # one thread vector per thread
print("counting: the program's", malloc + realloc + asked["free"], "calls,", live, "frees at the end,", library, "by the C library")
PY
