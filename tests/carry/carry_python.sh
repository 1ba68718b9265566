#!/usr/bin/env bash
# Every python3 of this machine, all its objects through malloc.
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need python3
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
for python in /usr/bin/python3 "$(python3 -c 'import sys; print(sys.executable)')"; do
    "$python" -c 'import sqlite3, bz2' 2>/dev/null || continue
    loaded "$python" -c 'print(open("/proc/self/maps").read())'
    PYTHONMALLOC=malloc same "$python" "$source_folder/tests/carry/work.py"
    same "$python" "$source_folder/tests/carry/work.py"
done
