# The frame: help, version, unknown commands and options.
assay 2>&1 | head -4
assay >/dev/null 2>&1
assay --version
assay -h | head -3
assay help nothing
assay lsit
assay list --jsno
assay doctor one
assay help list
# every way to ask for help and the version; getopt's errors like ours
assay help --help | head -1
assay help help | head -1
assay --help help | head -1
assay -V
assay -x
assay list -x
assay capture -o
assay list --help >/dev/full
assay help >/dev/full
assay --version >/dev/full
assay list --version
assay list --usage
for command in $(assay list commands --json | sed -nE 's/.*"name":"([^"]+)".*/\1/p'); do assay $command -h 2>&1 | head -1 | grep -q '^Usage: ' || echo "no -h: $command"; done
assay show
assay diff
assay import
assay import x
assay fuzz --max-time 0
assay fuzz --guidance coverage --subject glibc
assay fuzz --subject recorded
assay diff x --a glibc --b recorded
for command in $(assay list commands --json | sed -nE 's/.*"name":"([^"]+)".*/\1/p'); do assay $command --help | grep -q "^Exit: 0" || echo "no exit codes: $command"; done
assay matrix glibc
assay profile --subject glibc jemalloc
