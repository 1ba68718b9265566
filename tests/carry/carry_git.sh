#!/usr/bin/env bash
# A repository made here: clone, gc, fsck, log, blame.
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need git
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
git init -q -b main origin
cp -r "$source_folder/allocator" "$source_folder/tests" origin/
(
    cd origin || exit 1
    for i in $(seq 60); do
        seq "$i" $((i * 40)) >"numbers$((i % 9))"
        sed -i "1i\\line $i" allocator/README.md 2>/dev/null || true
        git add -A && git commit -q -m "commit $i"
    done
)
cat >script <<'SH'
set -eu
git clone -q --no-local "$1" copy
cd copy
git log --stat | cksum
git gc -q --aggressive --prune=now
git fsck --full --strict
git blame numbers3 | cksum
git diff HEAD~40 HEAD | cksum
git rev-list --all --objects | sort | cksum
git repack -adfq --window=50
git archive HEAD | cksum
SH
same bash "$work/script" "$work/origin"
