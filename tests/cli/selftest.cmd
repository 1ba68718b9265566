# The score of the judges, on a few subjects.
assay selftest --quiet overlap free_errno correct --max-time 1s | sed -n 1,4p | sed -E 's/ +CPU s.*| +[0-9.]+  .*//'
assay selftest --quiet overlap free_errno --json --max-time 1s 2>/dev/null | grep -o '"verdict":"[a-z ]*"'
assay selftest --quiet overlap --json --max-time 1s 2>/dev/null | tail -1 | grep -o '^.*"not_run":[0-9]*'
assay selftest nobody
assay selftest --zoo .
assay selftest --max-time 0s
# one that survives a time that is too short says what was not tried
assay selftest --quiet commit_ignored --max-time 100ms | sed -n 2p | sed -E 's/ +[0-9.]+  /  S  /; s/[0-9]+ of [0-9]+/N of M/'
# rows that nothing here was about are named in one line
assay selftest --quiet free_errno --max-time 1s | grep -A3 '^property' | cut -c1-60
# what is not as expected comes last, with its report, and is kept
mkdir zoo; cp $BUILD/lib/zoo/libfree_errno.so zoo; sed 's/^property = .*/property = none/' $BUILD/lib/zoo/free_errno.ini >zoo/free_errno.ini
assay selftest --quiet --zoo zoo --max-time 1s --out kept | sed -n '/^free_errno: /,/^object/p' | grep -v '^ *op [0-9]\|^object\|^free_errno'
ls kept; ls kept/free_errno/*
assay selftest --quiet --zoo zoo --max-time 1s --json 2>/dev/null | grep -o '"folder":"[^"]*/'
