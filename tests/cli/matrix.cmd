# The security matrix: usage, and a row whose answer never differs.
assay matrix --rows S99
assay matrix --rows C01
assay matrix --rows ,
assay matrix --size 41
assay matrix --subject glibc,bulwark --profile x
assay matrix --subject nothing
assay matrix --subject glibc,bulwark --rows S22 --seed 1 | sed -n 1,3p
assay matrix --subject glibc --rows S03 -q --seed 1 | grep -v trials
assay matrix --subject tags:16,4 --rows S27,S28 -q --seed 1 | sed -n 1,15p
assay matrix --subject tags:17,4
assay matrix --subject bulwark --rows S26 -q --seed 1 --json 2>/dev/null | sed 's/"message":"[^"]*"/"message":"M"/;s/"seconds":[0-9.]*/"seconds":S/;s/"seed":[0-9]*/"seed":N/' | tail -2
# rows as anybody writes them; with --json the legend of the table is told to nobody; a message is that of the detection, not of a later end
assay matrix --subject glibc --rows s22 --seed 1 -q --json 2>&1 >/dev/null | sed -E 's/in [0-9.]+ m?s/in T/'
assay matrix --subject bulwark --rows S06 --trials 8 -q --json 2>/dev/null | python3 -c 'import json,sys; print([(r["how"], r["message"]) for r in map(json.loads, sys.stdin) if r.get("variant") == "1 MiB"])'
# what is promised, and no more: exit 1 where it is not kept
assay matrix --subject glibc --promised --rows S01,S07 --seed 1 -q --json 2>/dev/null | grep -o '"variant":"[^"]*"'
assay matrix --subject $BUILD/lib/zoo/libcanary_tail.so --profile $BUILD/lib/zoo/canary_tail.ini --promised --rows S06 --seed 1 -q | grep -v trials
assay matrix --subject glibc,bulwark --promised --rows S22 --seed 1 -q | grep -v trials
