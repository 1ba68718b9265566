#!/usr/bin/env bash
# One bug is one fingerprint over seeds, two bugs are two, and a rebuild with an unrelated edit keeps them, for wrong memory and
# for crashes. usage: fingerprints.sh BIN_FOLDER LIB_FOLDER SOURCE_FOLDER RUNS
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2") source=$(realpath "$3") runs=$4
export PATH="$bin:$PATH" ASSAY_PROGRESS=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
out=out
fail() { echo "$*" >&2; exit 1; }

fuzz() { # SUBJECT SEED [OPTION...]: adds the findings' fingerprints to the file `seen`
    local subject=$1 seed=$2 status=0
    shift 2
    rm -rf "$out"
    assay fuzz --subject "$subject" --runs 12 --seed "$seed" --out "$out" --quiet "$@" >"$out.log" 2>&1 || status=$?
    # a bug that few programs show is missed by some seeds
    if [ "${rare:-}" = 1 ] && { [ "$status" = 0 ] || [ "$status" = 4 ]; }; then return 0; fi
    [ "$status" = 1 ] || { cat "$out.log"; fail "$subject, seed $seed: exit $status"; }
    ls "$out/findings" >>seen
}
kinds() { sort -u seen | wc -l; }
one() { # SUBJECT RUNS [OPTION...]
    local subject=$1 n=$2
    shift 2
    local running=() pid jobs
    jobs=$(nproc)
    : >seen
    for ((seed = 1; seed <= n; seed++)); do # a run waits for its children most of the time
        out=out$((seed % jobs)) fuzz "$subject" "$seed" "$@" &
        running+=($!)
        if [ ${#running[@]} = "$jobs" ] || [ "$seed" = "$n" ]; then
            for pid in "${running[@]}"; do wait "$pid" || exit 1; done
            running=()
        fi
    done
    rm -rf out && cp -r "out$((n % jobs))" out
    [ "$(kinds)" = 1 ] || { sort seen | uniq -c >&2; fail "$subject: $(kinds) fingerprints"; }
    head -n 1 seen
}

# bugs of the zoo, many seeds: each is one fingerprint, and no two have the same
animal() { rare=1 one "$lib/zoo/lib$1.so" "$2" --profile "$source/tests/zoo/$1.ini"; }
first=$(animal calloc_dirty "$runs")
some=$((runs < 20 ? runs : runs / 4))
others=("$first")
for name in sized_null usable_null zero_calloc; do others+=("$(animal "$name" "$some")"); done
[ "$(printf '%s\n' "${others[@]}" | sort -u | wc -l)" = 4 ] || fail "two bugs of the zoo have one fingerprint: ${others[*]}"

# one bug is told once, for each size class, however it shows, and does not hide another
build_zoo() { # NAME LINE...: the correct allocator but for these lines
    local name=$1
    shift
    printf '%s\n' "$@" >"$name.c"
    cc -std=gnu17 -D_GNU_SOURCE -I"$source" -O1 -g -fPIC -shared -fno-builtin "$name.c" -o "$name.so"
}
more=('#define malloc_usable_size zoo_inner_size' '#include "tests/zoo/zoo.h"' '#undef malloc_usable_size'
    'size_t malloc_usable_size(void *p) { return p ? zoo_inner_size(p) + 1 : 0; }')
last='#define ZOO_COPY_BYTES(old, new) ((old) >= (new) ? (new) : (old) - 1)'
build_zoo more "${more[@]}"
build_zoo last "$last" '#include "tests/zoo/zoo.h"'
build_zoo two "$last" "${more[@]}"
properties() { # SUBJECT: of its findings
    rare='' fuzz "./$1.so" 3 --profile "$source/tests/zoo/correct.ini" --programs random --runs 200
    sed -n 's/^  "property": "\(.*\)",$/\1/p' out/findings/*/finding.json | sort | uniq -c | tr -s ' \n' ' '
}
for subject in more last two; do
    found=$(properties $subject)
    echo "$subject:$found"
    for property in C06 C09 C12; do
        expected=1
        case $subject$property in moreC12 | lastC0?) expected=0 ;; *C09) continue ;; esac
        [ "$(grep -c " $property" <<<"$found")" = $expected ] || fail "$subject: $property is not as expected:$found"
    done
    ! grep -qE ' [5-9] C12| [7-9] C0[69]|C16|C26|C08' <<<"$found" || fail "$subject: one bug is many findings:$found"
done

# what an older assay saved is known again, and said so in one line; a newer one's is not guessed at
rare='' fuzz "$lib/zoo/librealloc_loses.so" 1 --profile "$source/tests/zoo/realloc_loses.ini" --runs 100
saved=$(grep -l '"property": "C12"' out/findings/*/finding.json | head -1)
python3 - "$saved" <<'END'
import json, sys
with open(sys.argv[1]) as file:
    finding = json.load(file)
finding["fingerprint"], finding["relation"] = "0123456789abcdef", "content-foreign"
del finding["fingerprint_scheme"]
with open(sys.argv[1], "w") as file:
    json.dump(finding, file)
END
status=0
assay reproduce "$(dirname "$saved")" >log 2>&1 || status=$?
[ "$status" = 1 ] || { cat log; fail "saved by an older scheme: exit $status"; }
grep -q '^note: saved as 0123456789abcdef by an older scheme of fingerprints; it is ' log || { cat log; fail "no word of the scheme"; }
sed -i 's/{/{"fingerprint_scheme": 99, /' "$saved"
status=0
assay reproduce "$(dirname "$saved")" >log 2>&1 || status=$?
[ "$status" = 3 ] || { cat log; fail "saved by a newer scheme: exit $status"; }

# crashes: the same signal from the same call, told apart by function; and the same after a rebuild
build() { # OUT OPTION...
    local out=$1
    shift
    cc -std=gnu17 -D_GNU_SOURCE -I"$source" -O1 -g -fPIC -shared -fno-builtin "$@" "$source/tests/support/faults.c" -o "$out"
}
build a.so -DFAULT_IN_TAKE
build b.so -DFAULT_IN_SPLIT
build both.so -DFAULT_IN_TAKE -DFAULT_IN_SPLIT
build a-edited.so -DFAULT_IN_TAKE -DUNRELATED
build a-again.so -DFAULT_IN_TAKE -O2
cp a.so a-stripped.so && strip --strip-all a-stripped.so
few=$((runs < 5 ? runs : 5))
a=$(one ./a.so "$runs")
b=$(one ./b.so "$few")
[ "$a" != "$b" ] || fail "two crashes have one fingerprint"
[ "$(one ./a-edited.so "$few")" = "$a" ] || fail "an unrelated edit changes the fingerprint"
[ "$(one ./a-again.so "$few")" = "$a" ] || fail "another optimisation changes the fingerprint"
stripped=$(one ./a-stripped.so "$few")
[ "$stripped" != "$a" ] || fail "there are no symbols, and yet a function"
assay reproduce "out/findings/$stripped" --subject ./a.so >log && fail "reproduce finds nothing where there are symbols"
grep -q " reproduced on .*/a.so" log || fail "a finding without symbols is another with them"
: >seen
for ((seed = 1; seed <= few; seed++)); do fuzz ./both.so "$seed"; done
[ "$(kinds)" = 2 ] || { sort seen | uniq -c; fail "two bugs in one allocator: $(kinds) fingerprints"; }
for alone in "$a" "$b"; do grep -qx "$alone" seen || fail "together they are others than alone"; done
echo "$runs runs: ${others[*]}; crashes $a and $b"
