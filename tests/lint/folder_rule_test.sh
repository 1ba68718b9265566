#!/usr/bin/env bash
# The check of the folder rule finds each kind of violation, and only those.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{allocator,traces/core,traces/runner,oracles,fuzzers,tools,tests/unit/allocator}
touch "$tree"/{allocator/bulwark.h,allocator/slab.h,traces/core/error.h,traces/event.h,oracles/judge.h,fuzzers/program.h,tools/emit.h}

expect() { # expect <file> <include line> <exit code>
    printf '%s\n' "$2" >"$tree/$1"
    local code=0
    "$here/folder_rule.py" "$tree" >"$tree/out" || code=$?
    rm "$tree/$1"
    if [ "$code" != "$3" ]; then
        echo "$1 with '$2': exit $code, expected $3"
        cat "$tree/out"
        exit 1
    fi
}

expect traces/x.c '#include "traces/core/error.h"' 0
expect traces/core/x.c '#include "traces/event.h"' 1
expect traces/core/x.c '#include "../event.h"' 1
expect traces/runner/x.h '# include "oracles/judge.h"' 1
expect traces/x.c '#include "allocator/bulwark.h"' 1
expect oracles/x.c '#include "fuzzers/program.h"' 1
expect oracles/x.c '#include "traces/event.h"' 0
expect fuzzers/x.c '#include "tools/emit.h"' 1
expect fuzzers/x.c '#include "allocator/bulwark.h"' 0
expect tools/x.c '#include "allocator/slab.h"' 1
expect allocator/x.c '#include "slab.h"' 0
expect allocator/x.c '#include "traces/core/error.h"' 1
expect tests/unit/allocator/x.c '#include "allocator/slab.h"' 0
expect tools/x.c '#include <stdio.h>' 0
