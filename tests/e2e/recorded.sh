#!/usr/bin/env bash
# The subject 'recorded': a trace is judged as it is. The program's own mistakes and an allocator's wrong answers are told,
# per process image; a correct recording has none.
# usage: recorded.sh BIN_FOLDER
set -euo pipefail
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# judge <allowed exit code> <text trace> [option...]: prints the properties found, one a line
judge() {
    local wanted=$1 code=0
    printf '%s\n' "%assay-text 1" "%has order address access" "%method import:text" "$2" >"$work/t.txt"
    shift 2
    "$bin/assay" import "$work/t.txt" -o "$work/t.trace" >/dev/null
    "$bin/assay" replay "$work/t.trace" --subject recorded --json --quiet "$@" >"$work/out" 2>"$work/err" || code=$?
    [ "$code" = "$wanted" ] || { cat "$work/t.txt" "$work/out" "$work/err" >&2; echo "exit $code, not $wanted" >&2; exit 1; }
    sed -n 's/.*"schema":"assay.finding","property":"\([A-Z0-9]*\)".*/\1/p' "$work/out" | sort -u | tr '\n' ' '
}
expect() { [ "$1" = "$2" ] || { echo "found '$1', not '$2', in:" >&2; cat "$work/t.txt" >&2; exit 1; }; }

life='malloc size=40 born=1 address=0x1000 flags=executed
malloc size=40 born=2 address=0x1030 flags=executed
free object=1 address=0x1000 flags=executed'
expect "$(judge 0 "$life
malloc size=40 born=3 address=0x1000 flags=executed
write object=3 size=40 flags=executed
free object=3 address=0x1000 flags=executed")" ""
expect "$(judge 1 "$life
free object=1 address=0x1000 flags=executed")" "T03 "
# what is known is told with its reason, and is no failure; the outputs have it too
echo 'T03 free * = it is known' >"$work/known.txt"
expect "$(judge 0 "$life
free object=1 address=0x1000 flags=executed" --suppressions "$work/known.txt" --sarif "$work/o.sarif" --junit "$work/o.xml")" "T03 "
grep -q '"suppressed":"it is known"' "$work/out" || { echo "the reason is not told" >&2; exit 1; }
grep -q '"justification": "it is known"' "$work/o.sarif" || { echo "not in SARIF" >&2; exit 1; }
grep -q 'failures="0"' "$work/o.xml" || { echo "a failure in JUnit" >&2; exit 1; }
expect "$(judge 1 "$life
read object=1 size=8 flags=executed")" "T02 "
expect "$(judge 1 "$life
free place=wild arg=0x5000 address=0x5000 flags=executed")" "T04 "
expect "$(judge 1 "$life
malloc size=40 born=3 address=0x1040 flags=executed")" "C05 "
expect "$(judge 1 "$life
malloc size=40 born=3 address=0x2004 flags=executed")" "C02 "

# a child inherits what lives: freeing it is fine, freeing what the parent had freed before is not
fork='malloc size=40 born=1 address=0x1000 flags=executed
malloc size=40 born=2 address=0x1030 flags=executed
free object=1 address=0x1000 flags=executed
fork arg=1 flags=executed'
expect "$(judge 0 "$fork
free process=1 object=2 address=0x1030 flags=executed
free object=2 address=0x1030 flags=executed")" ""
expect "$(judge 1 "$fork
malloc process=1 size=40 born=3 address=0x1030 flags=executed
free process=1 object=3 address=0x1030 flags=executed")" "C05 "

# the arg of these is a count and an alignment, not an offset: their operand is gone when the child is forked
expect "$(judge 0 'malloc size=40 born=1 address=0x1000 flags=executed
reallocarray object=1 arg=2 size=40 born=2 address=0x2000 flags=executed
aligned_alloc arg=64 size=64 born=3 address=0x3000 flags=executed
free_aligned_sized object=3 arg=64 size=64 address=0x3000 flags=executed
fork arg=1 flags=executed
malloc process=1 size=40 born=4 address=0x1000 flags=executed
malloc process=1 size=40 born=5 address=0x3000 flags=executed')" ""

# a resize in two halves is one, and one double free of it is one; what realloc(p, 0) did is in doubt without a profile
expect "$(judge 1 "$life
realloc object=1 size=80 flags=begin,executed
realloc object=1 size=80 born=3 address=0x1000 flags=end,executed")" "T03 "
grep -q '"count":1,' "$work/out"
expect "$(judge 0 'malloc size=40 born=1 address=0x1000 flags=executed
realloc object=1 size=0 address=0 flags=executed' --leaks)" ""

# leaks on request, with what was inherited left to the parent
expect "$(judge 0 "$fork")" ""
expect "$(judge 1 "$fork" --leaks)" "T05 "
grep -q '"schema":"assay.replay.leak","bytes":40,"objects":1' "$work/out"
# a fragment may lack the free, and behind a gap nothing is known
fragment=$(printf '%s\n' "$fork" '%total fragment 1')
expect "$(judge 0 "$fragment" --leaks --allow-lossy)" ""
grep -q '"not_judged":\[[^]]*"T05"' "$work/out"
grep -q 'leaks are not judged' "$work/err"
expect "$(judge 3 "$fragment")" ""
expect "$(judge 0 "$life
gap arg=1
free object=2 address=0x1030 flags=executed
free object=2 address=0x1030 flags=executed
malloc size=40 born=9 address=0x1030 flags=executed
malloc process=1 size=40 born=10 address=0x1030 flags=executed
malloc process=1 size=40 born=11 address=0x1030 flags=executed
%total fragment 1" --allow-lossy)" ""
grep -q 'before the first damaged block' "$work/err"
expect "$(judge 1 "$life
free object=1 address=0x1000 flags=executed
gap arg=1
malloc process=1 size=40 born=10 address=0x1030 flags=executed
%total fragment 1" --allow-lossy)" "T03 "

expect "$(judge 1 "$fork" --leaks)" "T05 "
code=0
"$bin/assay" replay "$work/t.trace" --subject glibc --leaks >/dev/null 2>"$work/err" || code=$?
[ "$code" = 2 ] && [ "$(wc -l <"$work/err")" = 1 ]

# without addresses there is nothing to judge; what was lost is no finding, and an end that is missing no leak
printf '%s\n' "%assay-text 1" "%has order" "%method import:text" "malloc size=8 born=1" "free object=1" >"$work/n.txt"
"$bin/assay" import "$work/n.txt" -o "$work/n.trace" >/dev/null
code=0
"$bin/assay" replay "$work/n.trace" --subject recorded >"$work/out" 2>"$work/err" || code=$?
[ "$code" = 3 ] && [ "$(wc -l <"$work/err")" = 1 ] && grep -q "no addresses" "$work/err"
expect "$(judge 0 "$life
malloc size=40 born=3 address=0x1030 flags=executed
free object=7 address=0x9000 flags=executed
%total dropped 1" --allow-lossy --leaks)" ""
