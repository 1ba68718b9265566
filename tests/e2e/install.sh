#!/usr/bin/env bash
# What is installed works from where it is installed: commands find their parts, pages and completion are there.
# usage: install.sh BUILD
set -euo pipefail
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >"$work/log"
cd "$work"
for helper in assay-engine assay-engine-plain assay-runner; do
    [ ! -e "usr/bin/$helper" ] || { echo "$helper is no command: it belongs to libexec"; exit 1; }
    [ ! -e "usr/libexec/assay/$helper" ] || timeout 20 "usr/libexec/assay/$helper" --help >/dev/null || { echo "$helper --help fails"; exit 1; }
done
timeout 20 usr/libexec/assay/assay-engine-plain -runs=0 2>/dev/null || { echo "assay-engine-plain -runs=0 does not end"; exit 1; }
export PATH="$work/usr/bin:$PATH" ASSAY_PROGRESS=0

assay --version
assay doctor --json >doctor.json || { cat doctor.json; exit 1; }
for part in runner recorder bulwark; do
    grep "\"check\":\"$part\",\"status\":\"ok\"" doctor.json >/dev/null || { echo "doctor misses the $part"; cat doctor.json; exit 1; }
done
assay capture --method preload -o true.trace -- /bin/ls / >/dev/null
assay replay true.trace --subject bulwark --json | tail -1 | grep '"findings":0' >/dev/null || { echo "replay found something"; exit 1; }
assay list subjects --json | grep '"name":"bulwark"' | grep "$work/usr/lib/libbulwark.so" >/dev/null || { echo "bulwark is not the installed one"; exit 1; }
assay selftest overlap correct --max-time 1s --quiet >selftest.txt || { cat selftest.txt; exit 1; }
[ "$(LD_PRELOAD="$work/usr/lib/libbulwark.so" /bin/echo fine)" = fine ]

while read -r command; do
    [ -s "usr/share/man/man1/assay-$command.1" ] || { echo "assay-$command has no installed page"; exit 1; }
done < <(assay list commands --json | sed -nE 's/.*"name":"([^"]+)".*/\1/p')

# shellcheck disable=SC2016 # the inner shell expands
bash -c '
    . usr/share/bash-completion/completions/assay
    COMP_WORDS=(assay repl) COMP_CWORD=1
    _assay
    [ "${COMPREPLY[*]}" = replay ] || { echo "completes to: ${COMPREPLY[*]}"; exit 1; }'
[ -s usr/share/man/man5/assay-profile.5 ] || { echo "assay-profile(5) is not installed"; exit 1; }
[ -s usr/share/doc/assay/copyright ] || { echo "no copyright file"; exit 1; }
while read -r link; do
    [ -e "usr/share/doc/assay/$link" ] || { echo "README.md links to $link, which is not installed"; exit 1; }
done < <(grep -oE '\]\([^):]+\)' usr/share/doc/assay/README.md | tr -d '])(')
assay replay true.trace --subject adapter:usr/share/doc/assay/tools/adapters/smallest.c --json | tail -1 | grep '"findings":0' >/dev/null || { echo "the smallest adapter does not work"; exit 1; }
echo "installed, and works there"
