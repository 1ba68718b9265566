# What replay says when it cannot run, and what it finds. Figures change from run to run: only keys that do not are shown.
make_trace p.trace 4000 7
assay replay
assay replay p.trace
assay replay p.trace --subject glibc --touch everything
assay replay p.trace --subject nosuchname
assay replay p.trace --subject ./nosuch.so
assay replay /dev/null --subject glibc
assay replay nosuch.trace --subject glibc
assay replay p.trace --subject "$BUILD/lib/support/no_free.so"
assay replay p.trace --subject "$BUILD/lib/support/dies_at_start.so"
assay replay p.trace --subject /etc/passwd
assay replay p.trace --subject glibc --process 7
head -c 8000 "$BUILD/lib/libbulwark.so" >cut.so; assay replay p.trace --subject ./cut.so
echo 'int malloc; void free(void *p) { (void)p; }' >data.c; cc -w -shared -fPIC data.c -o data.so; assay replay p.trace --subject ./data.so
echo 'int x;' >none.c; assay replay p.trace --subject adapter:none.c
(ulimit -v 100000; assay replay p.trace --subject glibc) 2>&1 | sed 's/cannot map [0-9]* MiB/cannot map N MiB/'
(ulimit -v 900000; assay fuzz --subject bulwark --runs 5 --out f) 2>&1 | grep -o 'the address space is limited to.*unlimited'
# what is not whole is refused, with what to do
head -c 3000 p.trace >cut.trace; assay replay cut.trace --subject glibc --json
make_trace long.trace 150000 7; head -c $(($(stat -c %s long.trace) - 100)) long.trace >torn.trace
assay replay torn.trace --subject glibc
assay diff torn.trace --a glibc --b glibc
assay replay torn.trace --subject glibc --allow-lossy --json | grep -o '"findings":0'
assay import torn.trace -o whole.trace | grep events; assay replay whole.trace --subject glibc
assay replay whole.trace --subject glibc --allow-lossy --json | grep -o '"findings":0'
printf '\xff' | dd of=long.trace bs=1 seek=130000 conv=notrunc status=none; assay replay long.trace --subject glibc
assay replay long.trace --subject glibc --allow-lossy --json | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["events"] < 100000, r["left_out"] > 0, r["findings"])'
# the keys that scripts rely on
assay replay p.trace --subject glibc --json | tail -n 1 | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["schema"], r["events"], r["findings"], r["ns_per_event"] > 0, r["overhead_ns"] != 0, len(r["judged"]) > 15, type(r["not_judged"]).__name__)'
assay replay p.trace --subject glibc --unchecked --json | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["touch"], r["judged"], r["findings"])'
assay replay p.trace --subject glibc --unchecked | grep judged,
# findings, each with what to do next
assay replay p.trace --subject "$BUILD/lib/support/crashes.so" | sed -n '1,/^next/p' | grep -E '^(ERROR|C26|  op|  signal|  severity|  source|crash|SUMMARY|reproduce|next)'
assay replay p.trace --subject "$BUILD/lib/support/hangs.so" --json | head -n 1 | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["schema"], r["property"], r["op"], r["relation"], r["op_index"]); print(r["reproduce"])'
assay replay p.trace --subject "$BUILD/lib/support/exits.so" --json | head -n 1 | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["property"], r["op_index"])'
assay replay p.trace --subject "$BUILD/lib/support/shouts.so" --json | tail -n 1 | grep -o '"findings":[0-9]*'
assay replay p.trace --subject "$BUILD/lib/support/eats.so" --memory 200M --json | tail -n 1 | grep -o '"end":"[a-z ]*"'
assay replay p.trace --subject "$BUILD/lib/support/scribbles.so"
# adapters: another API, compiled on the spot; what they lack is skipped
assay replay p.trace --subject "adapter:$SOURCE/tools/adapters/pool.c" --json | tail -n 1 | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["findings"], r["skipped"] > 0, r["executed"] + r["skipped"] == r["events"], "C10" in r["judged"])'
assay replay p.trace --subject "adapter:$SOURCE/tools/adapters/dlmalloc_prefix.c" --json | tail -n 1 | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["findings"], r["executed"] > 3000, "C10" in r["judged"])'
# what an adapter is linked with is found again when it is loaded, and what it lacks is missed at once
mkdir -p own; echo 'extern void *malloc(unsigned long), free(void *); void *own_get(unsigned long n) { return malloc(n); } void own_put(void *p) { free(p); }' >own/own.c; cc -shared -fPIC -w own/own.c -o own/libown.so
sed 's/= malloc/= own_get/; s/mine_alloc,/own_get,/; s/mine_free,/own_put,/; s/^#include "assay_subject.h"/&\nvoid *own_get(size_t); void own_put(void *);/' "$SOURCE/tools/adapters/smallest.c" >own.c
for flags in "-Lown -lown" "-L own -lown"; do ASSAY_ADAPTER_FLAGS=$flags assay replay p.trace --subject adapter:own.c --json 2>&1 | tail -n 1 | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["findings"], r["executed"] > 2000)'; done
assay replay p.trace --subject adapter:own.c 2>&1 | grep -oE "undefined reference to .own_get|assay: .*"
ASSAY_ADAPTER_FLAGS=-Lown assay replay p.trace --subject adapter:own.c 2>&1 | tail -n 1
assay replay p.trace --subject adapter:nosuch.c
assay replay p.trace --subject "adapter:$SOURCE/tools/adapters/smallest.c" --json | tail -n 1 | python3 -c 'import json,sys; r=json.load(sys.stdin); print(r["findings"], r["executed"] > 2000)'
# processes: a forked child starts with its parent's objects, an exec afresh; what cannot be repeated is left out
cp "$SOURCE/tests/format/fork.txt" . && assay import --format text fork.txt -o fork.trace
for p in "" "--process 0" "--process 1"; do assay replay fork.trace --subject glibc --json $p | python3 -c 'import json,sys; r=json.loads(sys.stdin.readlines()[-1]); print(r["processes"], r["executed"], r["left_out"], r["findings"])'; done
# time that is up: how much of the trace was replayed
assay replay long.trace --allow-lossy --subject glibc --max-time 1ms | grep -E '^(end|replayed|findings)' | sed -E 's/only [0-9,]* of/only N of/; s/[0-9]+ %/N %/'
assay replay p.trace --subject glibc --order partial --json | tail -n 1 | grep -o '"order":"[a-z]*"'
