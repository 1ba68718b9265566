#!/usr/bin/env bash
# Writes the bash completion of assay from its own help: generate.sh ASSAY [SUBJECT...] >assay
#
# The words come from the command table and from each command's option table (--help prints both), what an option takes from
# its metavariable and from what the command says of a value that it does not know, so that a new command, option or value
# is completed without a line here. What is written needs nothing but bash.
set -euo pipefail
assay=$1
shift

help_of() { COLUMNS=200 "$assay" "$1" --help; }

# --help of argp: "  -o, --output=FILE   text"; a continuation line has no dash.
options_of() {
    help_of "$1" | sed -nE 's/^ +(-., +)?(--[a-z0-9-]+(=[^ ]*|\[=[^ ]*)?).*/\2/p' | sed -E 's/\[?=.*/=/' | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# "none, recorded, page or full" of the line that refuses another value; --no-such-option keeps it from doing anything else.
choices_of() { # COMMAND OPTION
    { "$assay" "$1" "$2=:" --no-such-option 2>&1 || true; } | sed -nE "s/.* is not one of (.*); .*/\1/p" | sed 's/, / /g; s/ or / /'
}

names() { sed -nE 's/.*"(name|id)":"([^"]+)".*/\2/p' | tr '\n' ' ' | sed 's/ $//'; }

# "command,-o | command,--output) kind": what stands behind each option that takes a value
values_of() {
    local short long metavariable words
    help_of "$1" | sed -nE 's/^ +((-.), +)?(--[a-z0-9-]+)=([^ ]*).*/\2 \3 \4/p' | while read -r short long metavariable; do
        if [ -z "$metavariable" ]; then metavariable=$long long=$short short=; fi
        case $metavariable in
        S | SUBJECT) words="subject" ;;
        'S[,S'*) words="subjects" ;;
        ID) words="ids" ;;
        FILE) words="file" ;;
        DIR) words="folder" ;;
        N | TIME | SIZE) words="free" ;;
        *)
            words="words $(choices_of "$1" "$long")"
            if [ "$words" = "words " ]; then words="free"; fi
            ;;
        esac
        if [ "$1$long" = import--format ]; then words="words $formats"; fi
        if [ "$1$long" = matrix--rows ]; then words="rows"; fi
        printf "    %s%s,%s) echo '%s' ;;\n" "${short:+$1,$short | }" "$1" "$long" "$words"
    done
}

mapfile -t commands < <("$assay" list commands --json | sed -nE 's/.*"name":"([^"]+)".*/\1/p')
formats=$("$assay" list formats --json | grep '"import":true' | names)
lists=$("$assay" list --json | names)
ids=$("$assay" properties --json | sed -nE 's/.*"schema":"[^"]*","id":"([^"]+)".*/\1/p' | tr '\n' ' ' | sed 's/ $//')
subjects=$({ "$assay" fuzz --subject no-such-subject 2>&1 || true; } | sed -nE 's/.*: give (.*), a path or .*/\1/p' | sed 's/, / /g') && subjects+=${*:+ $*}
for list in formats lists ids subjects; do
    [ -n "${!list}" ] || { echo "generate.sh: no $list" >&2; exit 1; }
done

cat <<END
# bash completion for assay; generated from the option tables

_assay_options() {
    case \$1 in
END
for command in "${commands[@]}"; do
    printf "    %s) echo '%s' ;;\n" "$command" "$(options_of "$command")"
done
cat <<END
    esac
}

# What the option takes: subject, subjects, ids, rows, file, folder, free, or words and these. Nothing: it takes no value.
_assay_value() {
    case \$1 in
END
for command in "${commands[@]}"; do
    values_of "$command"
done
cat <<END
    esac
}

_assay_commands='${commands[*]}'
_assay_subjects='$subjects adapter:'
_assay_lists='$lists'
_assay_ids='$ids'
END
cat <<'END'

_assay_reply() { # PREFIX COMPGEN_ARGUMENT...
    local prefix=$1
    shift
    mapfile -t COMPREPLY < <(compgen "$@")
    COMPREPLY=("${COMPREPLY[@]/#/$prefix}")
}

_assay_files() { # PREFIX -f|-d WORD
    [ -n "$1" ] || compopt -o filenames 2>/dev/null
    _assay_reply "$1" "$2" -- "$3"
}

# The first word of capture's command: its index in COMP_WORDS, or nothing while options are given.
_assay_command_at() {
    local i=2 word
    while ((i < COMP_CWORD)); do
        word=${COMP_WORDS[i]}
        case $word in
        --) echo $((i + 1)) && return ;;
        =) i=$((i + 2)) ;;
        -*)
            if [ -n "$(_assay_value "capture,$word")" ] && [ "${COMP_WORDS[i + 1]-}" != = ]; then i=$((i + 2)); else i=$((i + 1)); fi
            ;;
        *) echo "$i" && return ;;
        esac
    done
    [[ ${COMP_WORDS[COMP_CWORD]} == -* || $i -gt $COMP_CWORD ]] || echo "$COMP_CWORD"
}

# What selftest knows: groups, the allocators beside the program that is called, and those that are known by name.
_assay_selftest() {
    local program file names='zoo mutants allocators'
    program=$(command -v "${COMP_WORDS[0]}" 2>/dev/null)
    for file in "${program%/*}"/../lib/{,assay/}{zoo,mutants}/*.ini; do
        [ ! -e "$file" ] || { file=${file##*/} && names+=" ${file%.ini}"; }
    done
    echo "$names ${_assay_subjects% adapter:}"
}

_assay_complete_value() { # KIND PREFIX WORD
    case $1 in
    subjects | rows) # what is before the last comma stays
        local before='' last=${3##*,} id rows=''
        case $3 in *,*) before=${3%,*}, ;; esac
        for id in $_assay_ids; do [[ $id != S* ]] || rows+="$id "; done
        if [ "$1" = rows ]; then
            _assay_reply "$2$before" -W "$rows" -- "${last^^}"
        else
            _assay_complete_value subject "$2$before" "$last"
        fi
        ;;
    ids) _assay_reply "$2" -W "$_assay_ids" -- "${3^^}" ;;
    subject)
        local names
        _assay_reply "$2" -W "$_assay_subjects$([ "$command" = replay ] && echo ' recorded')" -- "$3"
        names=("${COMPREPLY[@]}")
        if [ ${#names[@]} -eq 0 ]; then
            _assay_files "$2" -f "$3"
        else # without -o filenames, which would escape the colon
            _assay_reply "$2" -f -- "$3"
            COMPREPLY=("${names[@]}" "${COMPREPLY[@]}")
        fi
        [[ ${COMPREPLY[0]-} == *: ]] && compopt -o nospace 2>/dev/null
        ;;
    file) _assay_files "$2" -f "$3" ;;
    folder) _assay_files "$2" -d "$3" ;;
    words\ *) _assay_reply "$2" -W "${1#words }" -- "$3" ;;
    esac
    return 0
}

_assay() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-} option='' prefix='' kind at=''
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _assay_reply '' -W "$_assay_commands help --help --version" -- "$cur"
        return
    fi
    if [ "$command" = capture ]; then
        at=$(_assay_command_at)
        if [ -n "$at" ] && ((COMP_CWORD > at)); then
            _assay_files '' -f "$cur"
            return
        fi
    fi
    # --option=VALUE is three words where '=' breaks words, as it does unless the user has it otherwise
    if [ "$cur" = = ]; then
        option=$prev cur=''
    elif [ "$prev" = = ]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $cur == --*=* ]]; then
        option=${cur%%=*} prefix=${cur%%=*}= cur=${cur#*=}
    elif [[ $prev == -* && $prev != -- ]]; then
        option=$prev
    elif [ "$prev" = : ] && [ "${COMP_WORDS[COMP_CWORD - 2]-}" = adapter ]; then
        _assay_files '' -f "$cur"
        return
    elif [ "$cur" = : ] && [ "$prev" = adapter ]; then
        _assay_files '' -f ''
        return
    fi
    kind=$(_assay_value "$command,$option")
    if [ -n "$kind" ]; then
        _assay_complete_value "$kind" "$prefix" "$cur"
    elif [[ $cur == -* ]]; then
        _assay_reply '' -W "$(_assay_options "$command")" -- "$cur"
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
    else
        case $command in
        help) _assay_reply '' -W "$_assay_commands" -- "$cur" ;;
        list) _assay_reply '' -W "$_assay_lists" -- "$cur" ;;
        properties) _assay_reply '' -W "$_assay_ids" -- "${cur^^}" ;;
        profile) _assay_complete_value subject '' "$cur" ;;
        selftest) _assay_reply '' -W "$(_assay_selftest)" -- "$cur" ;;
        reproduce) _assay_files '' -d "$cur" ;;
        capture) _assay_reply '' -c -- "$cur" ;;
        doctor | fuzz | matrix) ;;
        *) _assay_files '' -f "$cur" ;;
        esac
    fi
    return 0
}
complete -F _assay assay
END
