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
