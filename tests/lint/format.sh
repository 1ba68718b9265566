#!/usr/bin/env bash
# Every C source is formatted as .clang-format says. usage: format.sh ROOT
set -euo pipefail
cd "$1"
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 5; }
find allocator traces oracles fuzzers tools tests \( -name '*.c' -o -name '*.h' \) -type f -print0 |
    xargs -0 -P "$(nproc)" -n 20 clang-format --dry-run -Werror
