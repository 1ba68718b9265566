#!/usr/bin/env bash
# A banned function is a compile error, also in a source that includes the system's headers itself.
# usage: banned.sh ROOT CC
set -euo pipefail
root=$1 cc=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile() {
    "$cc" -D_GNU_SOURCE -std=gnu17 -O1 -include "$root/traces/core/banned.h" -fsyntax-only "$work/x.c" 2>"$work/out"
}
printf '#include <string.h>\n#include <stdio.h>\nint main(void) { return (int)strlen("a"); }\n' >"$work/x.c"
compile || { cat "$work/out"; exit 1; }
for call in 'strcpy(a, b)' 'strcat(a, b)' 'sprintf(a, "x")' 'strtok(a, b)' 'atoi(a)' 'localtime(0)' 'mktemp(a)'; do
    printf '#include <string.h>\n#include <stdio.h>\n#include <stdlib.h>\nvoid f(char *a, char *b) { (void)%s; }\n' "$call" >"$work/x.c"
    if compile; then
        echo "$call compiles"
        exit 1
    fi
    grep -q poison "$work/out" || { cat "$work/out"; exit 1; }
done
