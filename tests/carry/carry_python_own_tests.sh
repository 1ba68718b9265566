#!/usr/bin/env bash
# python3's own tests of the builtin types and json, where an interpreter brings them.
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need python3
python=$(python3 -c 'import sys; print(sys.executable)')
"$python" -c 'import test.test_dict, test.test_json' 2>/dev/null || { echo "'$python' does not bring its tests: skipped"; exit 5; }
export PYTHONMALLOC=malloc PYTHONHASHSEED=0
if ! LD_PRELOAD=$library timeout 240 "$python" -m test -q test_dict test_list test_set test_tuple test_bytes test_int \
    test_float test_json test_memoryview test_array >log 2>&1; then
    tail -n 20 log
    exit 1
fi
grep -q 'Result: SUCCESS\|Tests result: SUCCESS' log || { tail -n 5 log; exit 1; }
if grep '^bulwark: ' log; then exit 1; fi
