#!/usr/bin/env bash
# Every shell script passes shellcheck. usage: shell.sh ROOT
set -euo pipefail
cd "$1"
command -v shellcheck >/dev/null || { echo "shellcheck is not installed"; exit 5; }
mapfile -t scripts < <(grep -rlE '^#!.*\b(ba)?sh\b|^# shellcheck shell=' --include='*' -I \
    .ci .clusterfuzzlite allocator traces oracles fuzzers tools tests 2>/dev/null | sort)
echo "${#scripts[@]} scripts"
shellcheck -x "${scripts[@]}"
