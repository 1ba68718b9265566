printf '%%assay-text 1\n%%has order\nmalloc size=8 born=1\n' >t.txt; mkfifo pipe; ln -s real link; ln -s nowhere broken; touch real; assay import t.txt -o pipe
assay import t.txt -o broken
assay import t.txt -o .
assay capture --method preload -o pipe -- true
assay import t.txt -o link
test -L link && assay show real --json | cut -c1-25
