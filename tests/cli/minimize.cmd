# What minimize says when it cannot run, and what it leaves. Times and numbers of trials are not shown.
make_trace p.trace 4000 7
assay minimize
assay minimize p.trace
assay minimize p.trace p.trace --subject glibc
assay minimize p.trace --subject recorded
assay minimize p.trace --subject glibc --property C99
assay minimize nosuch.trace --subject glibc
assay minimize . --subject glibc
assay minimize p.trace --subject glibc --process 7
assay minimize p.trace --subject glibc
assay minimize p.trace --subject glibc --property c05 --json | sed 's/"seconds":[0-9.]*/"seconds":S/'
# a trace, as replay says to go on
assay replay p.trace --subject "$BUILD/lib/zoo/liboverlap.so" | sed -n 's/^next: //p' | head -n 1
assay minimize p.trace --subject "$BUILD/lib/zoo/liboverlap.so" --out m --quiet | sed -E 's/in [0-9.]+ s/in N s/; s/[0-9,]+ trials \([^)]*\)/N trials/; s/[0-9a-f]{16}/FINGERPRINT/g; s,'"$PWD"',HERE,g'
cat m/*/program.txt
# what shows behind another finding is looked for by its property, by reproduce as well
assay minimize p.trace --subject "$BUILD/lib/zoo/liboverlap.so" --property C26 --out c --json 2>/dev/null | python3 -c 'import json,sys; f, m = [json.loads(l) for l in sys.stdin]; print(f["property"], f["minimised"], f["reproduced"]["hits"] == f["reproduced"]["trials"], f.get("sought"), m["schema"], m["shows"], m["ops_before"], m["ops"] < 30, m["minimised"], m["random"])'
assay reproduce c/* | head -n 1 | cut -d ' ' -f 2
# a finding's folder: its own subject; what is small already stays as it is
assay minimize m/* --out n --quiet | sed -E 's/in [0-9.]+ s/in N s/; s/[0-9,]+ trials \([^)]*\)/N trials/' | head -n 1
cmp m/*/program.trace n/*/program.trace && diff m/*/reproducer.c n/*/reproducer.c && echo the same
assay minimize m/* --subject glibc | sed -E 's/[0-9a-f]{16}/FINGERPRINT/'
# a run's folder, and the one that holds findings, are told from a finding
mkdir run; cp -r m run/findings; assay reproduce run 2>&1 | sed -E 's/[0-9a-f]{16}/FINGERPRINT/'; echo ${PIPESTATUS[0]}
assay reproduce run/findings/ 2>&1 | sed -E 's/[0-9a-f]{16}/FINGERPRINT/'; echo ${PIPESTATUS[0]}
assay minimize m 2>&1 | sed -E 's/[0-9a-f]{16}/FINGERPRINT/'; echo ${PIPESTATUS[0]}
assay reproduce .
