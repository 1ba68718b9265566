# shellcheck shell=bash
# Sourced by the scripts here: a real program gives the same answer with and without the library, and the library
# has nothing to complain about. Usage of each script: <script> <libbulwark.so> <source folder>.
set -eu
library=$1
export source_folder=$2
export LC_ALL=C TZ=UTC
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

need() {
    command -v "$1" >/dev/null || { echo "'$1' is not installed: skipped"; exit 5; }
}

# same <command...>: runs it in folders of its own, plain and carried, and compares standard output.
same() {
    for how in plain carried; do
        rm -rf "${work:?}/$how" && mkdir "$work/$how"
        preload=
        if [ "$how" = carried ]; then preload=$library; fi
        status=0
        (cd "$work/$how" && LD_PRELOAD=$preload "$@" >../out.$how 2>../err.$how) || status=$?
        if [ "$status" -ne 0 ]; then
            echo "$how run of '$*' ended with status $status"
            tail -n 5 "err.$how"
            exit 1
        fi
    done
    if grep -q '^bulwark: ' err.carried; then
        grep '^bulwark: ' err.carried
        exit 1
    fi
    if ! cmp out.plain out.carried; then
        diff out.plain out.carried | head -n 10
        exit 1
    fi
    test -s out.carried || { echo "'$*' printed nothing: it proves nothing"; exit 1; }
}

# Fails where a program that sees this variable does not have the library in its address space.
loaded() {
    LD_PRELOAD=$library "$@" | grep -q libbulwark || { echo "the library is not loaded by '$*'"; exit 1; }
}
