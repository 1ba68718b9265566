#!/usr/bin/env bash
# Strings from outside steer no terminal: names of files and subjects, what a trace, a profile or a finding says, and what a
# subject writes come out escaped, in every command, on both streams.
# usage: escapes.sh BIN_FOLDER LIB_FOLDER
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2")
export PATH="$bin:$PATH" ASSAY_PROGRESS=0 LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
evil=$'e\e]0;pwned\a\e[2J\xc2\x9b31m\xe2\x80\xaex\x7f\xff' # title, clear, colour by C1, right to left, DEL, not UTF-8
mild=${evil%?}                                                  # the part of it that is UTF-8

fail() { echo "$*"; for f in out err; do echo "-- $f"; head -c 2000 "$f" | cat -v; done; exit 1; }
tame() { # EXPECTED COMMAND...: its exit code (or any), and nothing that steers on either stream
    local expected=$1 status=0
    shift
    "$@" >out 2>err </dev/null || status=$?
    [ "$expected" = any ] || [ "$status" = "$expected" ] || fail "$(printf %q "$*"): exit $status, expected $expected"
    for stream in out err; do
        python3 -c '
import sys, unicodedata
text = open(sys.argv[1], "rb").read().decode()
bad = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
assert not bad, bad' $stream || fail "$(printf %q "$*"): $stream is not tame"
    done
}
shows() { grep -qF "$1" out err || fail "nothing says '$1'"; }
make_trace "$evil.trace" 3000 1
cp "$lib/zoo/libfree_errno.so" "$mild.so"
cp "$lib/zoo/liboverlap.so" "$mild-2.so"
printf '[profile]\nname = %s\n[accepted]\nC19 = %s\n' "$mild" "$mild" >"$evil.ini"

tame 2 assay "$evil" && shows '\x1b]0;pwned'
tame 2 assay show "--$evil" && shows '\x1b]0;pwned'
tame 2 assay show "$evil" "$evil" && shows '\xe2\x80\xae'
tame 2 assay list "$evil" && shows '\xc2\x9b31m'
tame 2 assay replay x --subject s --order "$evil" && shows '\x7f'
tame 3 assay show "$evil" && shows '\xff'
tame 0 assay show "$evil.trace"
tame 3 assay import "$evil" -o x.trace && shows '\x1b[2J'
tame 0 assay import "$evil.trace" -o "$evil-2.trace" && shows '\x1b[2J'
tame 3 assay replay "$evil.trace" --subject "$evil" && shows '\x1b[2J'
tame 3 assay diff "$evil.trace" --a glibc --b "$evil" && shows '\x1b[2J'
tame 3 assay fuzz --subject "./$evil" --runs 1 && shows '\x1b[2J'
tame 3 assay profile "./$evil" && shows '\x1b[2J'
tame 0 assay profile "./$mild.so" --keys malloc_zero_null --name "$mild" --about "$mild" && shows '\x1b[2J'
tame 3 assay reproduce "$evil" && shows '\x1b[2J'
tame 3 assay minimize "$evil" --subject glibc && shows '\x1b[2J'
tame 3 assay capture --method preload -o "$evil-3.trace" -- "$evil" && shows '\x1b[2J'
tame 0 assay capture --method preload -o "$evil-3.trace" -- true && shows '\x1b[2J'
tame 0 assay list subjects
tame any assay doctor

# results about a subject with such a name
tame 1 assay replay "$evil.trace" --subject "./$mild-2.so" && shows '\x1b[2J'
tame 1 assay replay "$evil.trace" --subject "./$mild-2.so" --json
tame 1 assay diff "$evil.trace" --a "./$mild.so" --b glibc && shows '\x1b[2J'
tame 1 assay diff "$evil.trace" --a "./$mild.so" --b glibc --json --no-cost
tame 1 assay fuzz --subject "./$mild.so" --runs 40 --seed 1 --out "$mild" && shows '\x1b[2J'
findings=("$mild"/findings/*)
finding=${findings[0]}
tame 1 assay reproduce "$finding" && shows '\x1b[2J'
tame 1 assay minimize "$finding" --out "$mild-min" && shows '\x1b[2J'
tame 1 assay minimize "$evil.trace" --subject "./$mild-2.so" --out "$mild-min" && shows '\x1b[2J'
tame 1 assay minimize "$evil.trace" --subject "./$mild-2.so" --out "$mild-min" --json
tame 0 cat "$finding/report.txt"
tame 0 assay fuzz --subject "./$mild.so" --profile "$evil.ini" --programs random --runs 40 --seed 1 --out "$mild" && shows 'listed by the profile'

# what stands in a trace
{ echo '%meta'; assay show --text "$evil.trace"; } | sed -n '2,$p' >evil.txt
sed -i 's/^%command .*/%command \\x1b]0;pwned\\x07 \\xc2\\x9b31m/' evil.txt
tame 0 assay import --format text evil.txt -o evil.trace
tame 0 assay show evil.trace
tame 0 assay show evil.trace --text

# a finding that somebody else made
python3 - "$finding/finding.json" <<'EOF'
import json, sys
finding = json.load(open(sys.argv[1]))
finding["fingerprint"] = "\x1b]0;pwned\a\u202e"
json.dump(finding, open(sys.argv[1], "w"))
EOF
tame 0 assay reproduce "$finding" --subject "./$mild.so" && shows '\x1b]0;pwned'
echo "all tame"
