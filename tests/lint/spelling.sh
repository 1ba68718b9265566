#!/usr/bin/env bash
# codespell over sources and texts. usage: spelling.sh ROOT
set -euo pipefail
cd "$1"
command -v codespell >/dev/null || { echo "codespell is not installed"; exit 5; }
mapfile -t texts < <(find ./*.md .ci allocator traces oracles fuzzers tools tests -type f \
    \( -name '*.[ch]' -o -name '*.md' -o -name '*.def' -o -name '*.scd' -o -name '*.sh' -o -name '*.py' \
    -o -name '*.ini' -o -name '*.cmake' -o -name 'CMakeLists.txt' \))
codespell --ignore-words tests/lint/words.txt "${texts[@]}"
