#!/usr/bin/env bash
# Profiles measured: the shipped ones of the allocators that are installed say what is measured again; allocators whose answers
# are known; what was put in by hand stays; a profile that promises too much is contradicted.
# usage: profile.sh BIN_FOLDER LIB_FOLDER SOURCE_FOLDER [TRIALS]
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2") source=$(realpath "$3")
trials=${4:-8}
export PATH="$bin:$PATH" ASSAY_PROGRESS=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "$*"; head -c 6000 out err 2>/dev/null; exit 1; }
run() { # EXPECTED COMMAND...
    local expected=$1 status=0
    shift
    "$@" >out 2>err </dev/null || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit $status, expected $expected"
}

measured=0
for subject in glibc bulwark jemalloc mimalloc tcmalloc scudo; do
    if ! assay list subjects | grep -qE "^$subject +[^ -]"; then
        echo "$subject: not installed here"
        continue
    fi
    # with few trials nothing is contradicted; with enough nothing is left open
    expected=0
    [ "$trials" -ge 200 ] || expected=4
    run $expected assay profile $subject --check "$source/oracles/profiles/$subject.ini" --trials "$trials"
    measured=$((measured + 1))
done
[ $measured -ge 2 ] || fail "only $measured allocators were measured"

# what is known of our own
run 0 assay profile "$lib/zoo/libcorrect_otherwise.so" --check "$lib/zoo/correct_otherwise.ini" --trials 200
key() { # FILE KEY VALUE
    grep -qx "$2 = $3" "$1" || fail "$1: $(grep "^$2 " "$1"), expected $3"
}
run 0 assay profile "$lib/zoo/libcorrect_otherwise.so" -o otherwise.ini --runs 100 --trials 8 --about "a zoo's"
for answer in min_alignment:16 malloc_zero_null:no realloc_zero:unique realloc_keeps_alignment:yes usable_is_requested:no \
    usable_writable:yes aligned_alloc_refuses_bad_alignment:yes large_errno_everywhere:yes detects_double_free:unknown \
    zeroes_on_free:no; do
    key otherwise.ini "${answer%:*}" "${answer#*:}"
done
run 0 assay profile "$lib/zoo/libcorrect_otherwise.so" --keys detects_double_free,zeroes_on_free,never_executable --json
grep -q '"key":"detects_double_free","value":"yes","told":true' out || fail "the double free is not decided"
grep -q '"key":"never_executable","value":"yes","told":true' out || fail "executable pages are not decided"
run 0 assay fuzz --subject "$lib/zoo/libcorrect_otherwise.so" --profile otherwise.ini --seed 1 --runs 200 --out fuzz
says() { # SUBJECT KEY VALUE
    run 0 assay profile "$lib/zoo/lib$1.so" --keys "$2" --json
    grep -q "\"key\":\"$2\",\"value\":\"$3\"" out || fail "$1: $2 is not $3"
}
says usable_guard usable_writable no
says aligned_odd aligned_alloc_refuses_bad_alignment no
says null_errno large_errno_everywhere no
says limit_drifts budget_live_bytes 192M
says zero_calloc malloc_zero_null unknown
says resize_zero_null realloc_zero unknown
says correct_forgets realloc_keeps_alignment no
says class24 min_alignment 0
grep -q "C02 is violated" out || fail "class24: the alignment is not told"
says bump usable_writable unknown
grep -q "no malloc_usable_size" out || fail "bump: no reason"

run 0 assay profile "$lib/zoo/libcorrect_prefix.so" --keys min_alignment
grep -q "^functions named zp_malloc" err || fail "correct_prefix: no prefix"
key out symbol_prefix zp_

for ini in "$source"/oracles/profiles/*.ini; do # each can be read, those of what apt does not have too
    status=0
    assay profile "$lib/zoo/libcorrect.so" --keys malloc_zero_null --check "$ini" >out 2>err </dev/null || status=$?
    [ $status -le 1 ] || fail "$ini: exit $status"
done
run 0 assay fuzz --subject "$lib/zoo/libcorrect.so" --profile "$source/oracles/profiles/verified.ini" --programs random --seed 1 --runs 200 --out fuzz

# measured again, the hand's part stays; what is found is a candidate and nothing more
sed -i 's/^realloc_zero = .*/; by hand: its manual\nrealloc_zero = frees/' otherwise.ini
printf '\n[accepted]\n; proof: none\nC19 = a reason\nC28 = a reason\n' >>otherwise.ini
run 0 assay profile "$lib/zoo/libcorrect_otherwise.so" -o otherwise.ini --runs 0 --trials 1
key otherwise.ini realloc_zero frees
for line in "; by hand: its manual" "; measured: unique" "; about: a zoo's" "; proof: none" "C19 = a reason"; do
    grep -qxF "$line" otherwise.ini || fail "'$line' is lost"
done
cp otherwise.ini free.ini
run 0 assay profile "$lib/zoo/libfree_errno.so" -o free.ini --runs 100 --trials 1
sed -i '/^C19/d' free.ini
run 1 assay profile "$lib/zoo/libfree_errno.so" -o free.ini --runs 100 --trials 1
grep -q "^; candidate: C19 free wrong-errno" free.ini || fail "no candidate"
run 0 assay fuzz --subject "$lib/zoo/libcorrect.so" --profile free.ini --seed 1 --runs 200 --out fuzz

# a child that ends before it was sent all of a program is not sent it again
printf '[profile]\nname = aborts\n[accepted]\n' >aborts.ini
printf '%s = it stops\n' C01 C11 C13 C14 C20 C22 C26 >>aborts.ini
run 0 timeout 100 assay fuzz --subject "$lib/support/aborts.so" --profile aborts.ini --runs 400 --seed 1 --programs random --out fuzz
# what hangs is waited for some times, not each
if [ "$trials" -ge 200 ]; then
    run 1 assay profile "$lib/support/blocks.so" --keys min_alignment,survives_mapping_failure --runs 2000 --max-time 10m
    grep -q "no more were tried, for 20 others hung" out || fail "the hangs were not the end"
fi

# a profile that says too much; time that is too short; what cannot be measured or written
printf '[profile]\nname = much\ndetects_double_free = yes\nusable_is_requested = no\nmalloc_zero_null = yes\n' >much.ini
run 1 assay profile "$lib/support/believes.so" --check much.ini --trials 8
for word in detects_double_free usable_is_requested malloc_zero_null; do
    grep -qE "^$word .*contradicts" out || fail "$word is not contradicted"
done
run 4 assay profile "$lib/zoo/libcorrect.so" --max-time 1ms
run 4 timeout 60 assay profile "$lib/support/blocks.so" --max-time 3s
run 3 assay profile "$lib/support/dies_at_start.so"
run 3 assay profile "$lib/zoo/libcorrect.so" -o no/such/folder.ini --runs 0 --trials 1
[ ! -e no ] || fail "something was written"
echo "$measured shipped profiles are not contradicted"
