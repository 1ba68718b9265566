#!/usr/bin/env bash
# Writes the bash completion of assay from its own help: generate.sh ASSAY >assay
#
# The words come from the command table and from each command's option table (--help prints both), so that a new command
# or option is completed without a line here.
set -euo pipefail
assay=$1

# --help of argp: "  -o, --output=FILE   text"; a continuation line has no dash.
options_of() {
    "$assay" "$1" --help | sed -nE 's/^ +(-., +)?(--[a-z0-9-]+(=[^ ]*|\[=[^ ]*)?).*/\2/p' | sed -E 's/\[?=.*/=/' | sort -u | tr '\n' ' '
}

mapfile -t commands < <("$assay" list commands --json | sed -nE 's/.*"name":"([^"]+)".*/\1/p')

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

_assay() {
    local cur prev words cword command
    if declare -F _init_completion >/dev/null; then
        _init_completion -n = || return
    else
        cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} cword=\$COMP_CWORD words=("\${COMP_WORDS[@]}")
    fi
    if [ "\$cword" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W '${commands[*]} help --help --version' -- "\$cur")
        return
    fi
    command=\${words[1]}
    case \$command,\$prev in
    help,*)
        mapfile -t COMPREPLY < <(compgen -W '${commands[*]}' -- "\$cur")
        return
        ;;
    *,--subject | *,--a | *,--b)
        mapfile -t COMPREPLY < <(compgen -W 'bulwark glibc jemalloc mimalloc tcmalloc scudo adapter:' -- "\$cur"; compgen -f -- "\$cur")
        return
        ;;
    list,*)
        if [[ \$cur != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "\$(assay list --json 2>/dev/null | sed -nE 's/.*"name":"([^"]+)".*/\1/p')" -- "\$cur")
            return
        fi
        ;;
    esac
    if [[ \$cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "\$(_assay_options "\$command")" -- "\$cur")
        [[ \${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    else
        mapfile -t COMPREPLY < <(compgen -f -- "\$cur")
    fi
}
complete -o filenames -F _assay assay
END
