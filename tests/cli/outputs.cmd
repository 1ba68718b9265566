printf '%%assay-text 1\n%%has order\nmalloc size=8 born=1\n' >t.txt; mkfifo pipe; ln -s real link; ln -s nowhere broken; touch real; assay import t.txt -o pipe
assay import t.txt -o broken
assay import t.txt -o .
assay capture --method preload -o pipe -- true
assay import t.txt -o /dev/stdout >kept; test ! -s kept && echo what was redirected stays
assay import t.txt -o link
test -L link && assay show real --json | cut -c1-25
# what cannot be written is said before the run; a folder for findings is made with those above it
assay fuzz --subject glibc --max-time 10m --sarif nosuch/x.sarif
assay fuzz --subject glibc --max-time 10m --junit .
assay fuzz --subject glibc --max-time 10m --out real/out
assay matrix --subject glibc --html nosuch/x.html
assay profile glibc -o nosuch/x.ini
assay reproduce nosuch --junit nosuch/x.xml
make_trace p.trace 4000 7; assay replay p.trace --subject glibc --sarif nosuch/x.sarif
assay minimize p.trace --subject glibc --junit nosuch/x.xml
assay minimize p.trace --subject glibc --out real/out
assay minimize p.trace --subject glibc --out a/b; test ! -e a/b && echo nothing is left
assay fuzz --subject glibc --programs random --runs 1 --seed 1 --out deep/er/out >/dev/null 2>&1; ls deep/er/out
assay fuzz --subject glibc --max-time 10m --sarif ''
# one subject has one name in all JSON, from whichever folder it is named
cp "$BUILD/lib/zoo/liboverlap.so" mine.so; printf 'import json, sys\nfor line in sys.stdin:\n    o = json.loads(line)\n    for d in (o, o.get("a", {})):\n        for s in [d.get("subject")] + d.get("subjects", []):\n            if s: print(s)\n' >names.py; (assay fuzz --subject ./mine.so --programs random --runs 40 --seed 1 --out f --json; assay reproduce --json f/findings/*; assay replay p.trace --subject ./mine.so --json; assay minimize p.trace --subject ./mine.so --out m --json; assay diff p.trace --a ./mine.so --b glibc --json --no-cost; assay matrix --subject ./mine.so --rows S22 --trials 2 --json; assay profile ./mine.so --keys malloc_zero_null --json) 2>/dev/null | python3 names.py | sort -u
# but a file may stand in the folder that is made for the findings
assay fuzz --subject glibc --programs random --runs 1 --seed 1 --out made --sarif made/f.sarif --junit made/f.xml >/dev/null 2>&1; ls made
