# What is in a trace: the golden one.
assay show $SOURCE/tests/format/golden-1.trace --columns | sed 's/bytes per event .*/bytes per event N/; s/^file .*/file N/; /^bytes by column/q'
assay show $SOURCE/tests/format/golden-1.trace --text --head 2
assay show $SOURCE/tests/format/golden-1.trace --json | python3 -c 'import json,sys; o=json.load(sys.stdin); print([o[k] for k in "schema events threads processes dropped method complete peak_live_bytes kinds".split()], o["bytes_per_event"] == round(o["file_bytes"] / o["events"], 3))'
assay show $SOURCE/tests/format/golden-1.trace --head 0
assay show $SOURCE/tests/format/golden-1.trace --text --at 3 --head 1
assay show $SOURCE/tests/format/golden-1.trace --text --at 300000
assay show $SOURCE/tests/format/golden-1.trace --at 3
# a finding of a recording names the events around it
printf '%s\n' '%assay-text 1' '%has order address access' '%method import:text' 'malloc size=40 born=1 address=0x1000 flags=executed' 'free object=1 address=0x1000 flags=executed' 'free object=1 address=0x1000 flags=executed' >double.txt; assay import double.txt -o double.trace >/dev/null
assay replay double.trace --subject recorded | sed -n '/^next/s/next: //p' >next; cat next; sh next
head -c 650 $SOURCE/tests/format/golden-1.trace >cut.trace; assay show cut.trace --json >/dev/null
assay import cut.trace -o whole.trace
assay show whole.trace --json | grep -o '"complete":[a-z]*,"events":[0-9]*'
assay show whole.trace | grep -E '^(complete|fragment)'
make_trace long.trace 150000 7; printf '\xff' | dd of=long.trace bs=1 seek=130000 conv=notrunc status=none; assay show long.trace | grep -E '^(complete|events|fragment|blocks|  gap) .*[a-z0-9]$'
assay import long.trace -o whole.trace; assay show whole.trace | grep -E '^(complete|events|fragment|blocks|  gap) .*[a-z0-9]$'
assay show whole.trace --text | grep -E '^(gap|%total [dfl])'
# nothing to repair
head -c 400 $SOURCE/tests/format/golden-1.trace >bare.trace; assay show bare.trace >/dev/null
assay import bare.trace -o none.trace; ls none.trace*
cat $SOURCE/tests/format/golden-1.trace | assay show - --text | cmp - $SOURCE/tests/format/golden-1.txt
# a side that dies in several process images is told once
python3 -c 'p = lambda n, q: "".join(f"malloc size=16 born={n + i} process={q}\n" for i in range(60)); print("%assay-text 1\n%has order\n" + p(1, 0) + "fork arg=1\nfork arg=2\n" + p(61, 1) + p(121, 2), end="")' >forks.txt; assay import forks.txt --format text -o forks.trace >/dev/null; assay diff forks.trace --a "$BUILD/lib/support/crashes.so" --b glibc --no-cost -q | sed -n 2p
