assay capture
assay capture --method other -- true
assay capture --max-time soon -- true
assay capture -o x.trace --method preload -- no-such-command-here
assay capture -o /no/such/folder/x.trace --method preload -- true
assay capture -o . --method preload -- true
ls
assay capture -o x.trace --method preload -- sh -c 'exit 7' 2>&1 | sed -n '1p;2s/after .*/after a while/p'
assay capture -o x.trace --method preload --json -- echo hello 2>/dev/null | sed 's/"events":.*//'
assay capture -o y.trace --method preload --json -- sh -c 'kill -9 $$' 2>/dev/null | grep -o '"status":.*'
assay capture --method preload -- true 2>/dev/null; ls
