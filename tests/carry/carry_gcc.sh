#!/usr/bin/env bash
# Compiles Bulwark's own sources: the objects must be the same, byte for byte.
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need gcc
cat >script <<'SH'
set -eu
for file in "$source_folder"/allocator/*.c; do
    gcc -std=gnu17 -D_GNU_SOURCE -O2 -I"$source_folder" -c "$file" -o "$(basename "$file").o"
done
gcc -shared -o all.so ./*.o 2>/dev/null || true
cksum ./*.o
SH
same bash "$work/script"
