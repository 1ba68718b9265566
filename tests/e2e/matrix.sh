#!/usr/bin/env bash
# The security matrix where the answers are known: two subjects of our own (one that believes everything, one that checks
# everything), glibc and Bulwark on a few rows, a profile that promises too much, time that is too short, the page.
# usage: matrix.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2")
export PATH="$bin:$PATH" ASSAY_PROGRESS=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "$*"; head -c 4000 out err 2>/dev/null; exit 1; }
run() { # EXPECTED COMMAND...
    local expected=$1 status=0
    shift
    "$@" >out 2>err </dev/null || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit $status, expected $expected"
}
cell() { # ROW VARIANT SUBJECT EXPECTED: a shell pattern of the cell
    local seen
    seen=$(python3 -c '
import json, sys
for line in open("out"):
    row = json.loads(line)
    if (row.get("row"), row.get("variant"), row.get("name")) == tuple(sys.argv[1:4]):
        print(row["cell"])' "$1" "$2" "$3")
    # shellcheck disable=SC2254
    case $seen in $4) ;; *) fail "$3, $1 ($2): '$seen', expected '$4'" ;; esac
}

run 0 assay matrix --subject "$lib/support/believes.so" --subject "$lib/support/strict.so" --json --size 48 \
    --rows S01,S02,S10,S11,S12,S13,S15,S16,S24,S25,S26,S29,S30
cell S01 "at once" believes overlap
cell S01 "by another thread" believes overlap
cell S02 "p + 8" believes N
cell S10 "at once" believes leak
cell S11 "stale bytes" believes leak
cell S12 "1 allocation" believes reclaimed
cell S13 "the next of its size" believes adjacent
cell S15 "link to a live object" believes "*overlap*"
cell S16 "link to static memory" believes foreign
cell S24 "last word" believes leak
cell S25 "mallocs only" believes "0 / 0"
cell S26 "usable_size of freed" believes answered
cell S29 "within 64 bytes" believes metadata
for variant in "at once" "after 1 allocation" "after 1024 allocations" "a, b, a" "by another thread" "remote, then local"; do
    cell S01 "$variant" strict D
done
for variant in "the address 1" "stack" "static" "p + 1" "p + 16" "p + 1 GiB" "forged chunk"; do cell S02 "$variant" strict D; done
cell S01 "after reuse" strict -
cell S10 "at once" strict N
cell S11 "stale bytes" strict N
cell S12 "1024 allocations" strict N
cell S13 "any of 16 before" strict N
for variant in "double free, first words cleared" "link to a live object"; do cell S15 "$variant" strict "[DN]"; done
cell S16 "link to static memory" strict N
cell S24 "middle word" strict N
cell S25 "malloc and free in pairs" strict "4096 / 4096"
cell S26 "realloc of interior" strict D
cell S29 "within 64 bytes" strict N
cell S30 "within 64 KiB" strict N
grep -q '"message":"strict: double free"' out || fail "the subject's message is lost"

run 0 assay matrix --subject glibc,bulwark --rows S01,S06,S10,S12,S13,S15,S16,S22,S23 --json
cell S01 "at once" glibc D
cell S06 "1 byte" glibc "*nbr*"
cell S13 "the next of its size" glibc adjacent
cell S15 "double free, first words cleared" glibc overlap
cell S16 "forged chunk" glibc foreign
cell S22 "read" glibc accessible
cell S01 "at once" bulwark D
cell S06 "1 byte" bulwark "D*own*" # its canary may be the byte that is written
cell S06 "1 NUL byte" bulwark "D own"
cell S10 "at once" bulwark N
cell S12 "1 allocation" bulwark "*N*"
cell S13 "the next of its size" bulwark "*N*"
cell S16 "forged chunk" bulwark D
cell S22 "read" bulwark D
cell S22 "write" bulwark D
cell S23 "any mapping" bulwark N

# a false size sends what is freed to a list of another class
run 0 assay matrix --subject glibc --rows S20 --json
cell S20 "the same before, in no object" glibc "*overlap*"

# a promise that is not kept, and one that time was too short for
printf '[profile]\nname = much\ndetects_double_free = yes\nzeroes_on_free = yes\n' >much.ini
run 1 assay matrix --subject "$lib/support/believes.so" --profile much.ini --rows S01,S24
grep -q "contradiction: believes promises 'detects_double_free'" out || fail "no contradiction told"
grep -q "overlap !" out || fail "no mark in the table"
run 4 assay matrix --subject "$lib/support/strict.so" --profile much.ini --rows S24 --trials 5

# bounds beyond what is looked at: memory that never comes back and a heap without a guard do not contradict them
printf '[profile]\nname = far\nreuse_after = 8192\nguard_within = 8M\nlarge_guard_within = 8M\n' >far.ini
run 0 assay matrix --subject "$lib/zoo/libbump.so" --profile far.ini --rows S21,S25
run 1 assay matrix --subject glibc --profile far.ini --rows S25

# the page: well-formed, whole, without a request or a script, strings of others escaped
cp "$lib/support/strict.so" 'a<b>&c.so'
run 0 assay matrix --subject "$PWD/a<b>&c.so" --subject "$lib/support/believes.so" --rows S01,S14,S21 --trials 10 --html page.html
python3 - <<'END'
import html.parser, re
text = open("page.html").read()
assert not re.search(r"https?:|<script|src=|@import|url\(", text), "a request or a script"
assert "a&lt;b&gt;&amp;c" in text and "<b>" not in text, "not escaped"
assert "strict: double free" in text and "prefers-color-scheme:dark" in text
class Tags(html.parser.HTMLParser):
    open = []
    def handle_starttag(self, tag, attributes):
        if tag not in ("meta",):
            self.open.append(tag)
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
tags = Tags()
tags.feed(text)
assert not tags.open, tags.open
assert text.count("<details>") == 2 * (9 + 3 + 4)
END
run 3 assay matrix --subject glibc --rows S23 --trials 2 --html no/such/folder.html
[ -z "$(find . -name "page.html.partial*")" ] || fail "a partial page is left"

# nothing that could be judged is not clean
run 4 assay matrix --subject glibc --rows S28

# a subject that cannot be run, one that hangs, and one that writes all over its runner
run 3 assay matrix --subject "$lib/support/dies_at_start.so" --rows S22
run 0 assay matrix --subject "$lib/support/hangs.so" --rows S12 --trials 2 --json
run 0 assay matrix --subject "$lib/support/scribbles.so" --rows S12 --trials 2 --json

# no child is left when it is interrupted
setsid assay matrix --subject glibc >out 2>err </dev/null &
pid=$!
sleep 0.7
kill -INT "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 130 ] || fail "interrupted: exit $status"
sleep 0.2
[ -z "$(ps -o pid= -s "$pid")" ] || fail "interrupted: a child is left"
echo "the matrix holds"
