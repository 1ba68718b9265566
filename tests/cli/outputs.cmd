printf '%%assay-text 1\n%%has order\nmalloc size=8 born=1\n' >t.txt; mkfifo pipe; ln -s real link; ln -s nowhere broken; touch real; assay import t.txt -o pipe
assay import t.txt -o broken
assay import t.txt -o .
assay capture --method preload -o pipe -- true
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
