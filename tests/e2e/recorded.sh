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

# leaks on request, with what was inherited left to the parent
expect "$(judge 0 "$fork")" ""
expect "$(judge 1 "$fork" --leaks)" "T05 "
grep -q '"schema":"assay.replay.leak","bytes":40,"objects":1' "$work/out"
code=0
"$bin/assay" replay "$work/t.trace" --subject glibc --leaks >/dev/null 2>"$work/err" || code=$?
[ "$code" = 2 ] && [ "$(wc -l <"$work/err")" = 1 ]
