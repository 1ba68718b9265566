#!/usr/bin/env bash
# Bash completion as a bash without bash-completion has it: options, their values in every spelling, ids, command names.
# usage: completion.sh COMPLETION_FILE
set -uo pipefail
# shellcheck source=/dev/null
. "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir folder
touch app.trace libmine.so

[ "$(complete -p assay)" = "complete -F _assay assay" ] || { complete -p assay; exit 1; }

# try "WORD WORD ..." EXPECTED...: with the last word at the cursor; '' is an empty one. What is expected stands in the reply, and
# with a first '=' nothing else does.
try() {
    local words reply exact='' want
    eval "words=($1)"
    shift
    COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
    _assay
    reply=" ${COMPREPLY[*]} "
    if [ "$1" = = ]; then exact=1 && shift; fi
    for want in "$@"; do
        case $reply in *" $want "*) ;; *) echo "assay: ${words[*]}: '$reply' lacks '$want'" && exit 1 ;; esac
    done
    [ -z "$exact" ] || [ "${#COMPREPLY[@]}" = $# ] || { echo "assay: ${words[*]}: '$reply' is not '$*'" && exit 1; }
}

try "assay repl" = replay
try "assay help sho" = show
try "assay replay --sub" = --subject=
try "assay replay --subject = bul" = bulwark bulwark-light bulwark-max bulwark-debug
try "assay replay --subject = ''" bulwark glibc recorded adapter: libmine.so
try "assay replay -s lib" = libmine.so
try "assay replay --subject=jem" = --subject=jemalloc
try "assay diff --a = ''" bulwark
try "assay replay --touch =" = none recorded page full
try "assay replay --touch = f" = full
try "assay replay --touch f" = full
try "assay replay --touch=f" = --touch=full
try "assay replay --order = ''" = serial partial
try "assay replay --content ''" = sampled full
try "assay fuzz --guidance = c" = coverage
try "assay fuzz --out = fol" = folder
try "assay diff --ignore = pl" = placement
try "assay diff --ignore = ''" refusal errno signal usable answer low-bits placement content
try "assay capture --method = p" = preload
try "assay import --format = ''" text
try "assay show a" = app.trace
try "assay replay app.trace --max-time = ''" =
try "assay properties C0" C01 C05
try "assay properties c01" = C01
try "assay list for" = formats
try "assay matrix --subject = ''" bulwark glibc adapter: libmine.so
try "assay matrix --subject = glibc,jem" = glibc,jemalloc
try "assay matrix --subject=glibc,sc" = --subject=glibc,scudo
try "assay matrix -s bul" bulwark bulwark-max
try "assay matrix --rows s2" S20 S29
try "assay matrix --rows = S01,S3" = S01,S30
try "assay profile gl" = glibc
try "assay profile ./lib" = ./libmine.so
try "assay selftest zo" = zoo
try "assay selftest ''" mutants allocators glibc
try "assay minimize --property c0" C01 C05
try "assay minimize --subject = tc" = tcmalloc
try "assay capture -- gre" grep
try "assay capture gre" grep
try "assay capture -o x.trace -- gre" grep
try "assay capture --method = preload gre" grep
try "assay capture -- cat app" = app.trace
try "assay capture cat --no" =
try "assay reproduce fo" = folder
try "assay minimize app" = app.trace
echo "what is typed is completed"
