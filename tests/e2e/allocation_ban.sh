#!/usr/bin/env bash
# The link-time half of the allocation ban: what runs beside a subject takes from the C library only what
# beside_subject.allow lists. usage: allocation_ban.sh BUILD_FOLDER
set -euo pipefail
build=$1 allow=$(dirname "$0")/beside_subject.allow
mapfile -t files < <(ls "$build"/lib/libassay_bare.a "$build"/lib/libassay_judge.a; find "$build/tools/CMakeFiles/assay-runner.dir" -name '*.o')
[ ${#files[@]} -ge 5 ] || { echo "the runner's objects are not where they were"; exit 1; }
undefined=$(nm -u "${files[@]}" | awk '$1 == "U" { print $2 }' | sort -u)
defined=$(nm --defined-only "${files[@]}" | awk 'NF == 3 { print $3 }' | sort -u)
allowed=$(awk '!/^#/ && NF { print $1 }' "$allow" | sort -u)
beyond=$(comm -23 <(comm -23 <(echo "$undefined") <(echo "$defined")) <(echo "$allowed"))
if [ -n "$beyond" ]; then
    echo "not allowed beside a subject (see $allow):"
    for symbol in $beyond; do
        echo "  $symbol in $(nm -A -u "${files[@]}" | awk -v s="$symbol" '$NF == s { print $1 }' | head -n 3 | tr '\n' ' ')"
    done
    exit 1
fi
# the subject's own functions may be referenced, weakly, by the table alone
weak=$(nm -A -u "${files[@]}" | awk 'NF > 1 && $(NF-1) == "w" && $NF !~ /^_/' | grep -v '/table\.c\.o:' || true)
[ -z "$weak" ] || { echo "weak references outside table.c: $weak"; exit 1; }
nm -u "$(printf '%s\n' "${files[@]}" | grep table)" | grep -q ' w malloc$' || { echo "the table no longer refers to malloc"; exit 1; }
echo "$(echo "$undefined" | wc -l) undefined symbols, all accounted for"
