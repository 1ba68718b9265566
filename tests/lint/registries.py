#!/usr/bin/env python3
"""Every registry row has its file, and every such file its row. usage: registries.py ROOT"""
import glob
import os
import re
import sys

# registry, macro, the files of a row (all must exist), the pattern that finds files without a row
REGISTRIES = [
    ("tools/commands.def", "ASSAY_COMMAND", ["tools/cmd_{}.c", "tools/man/assay-{}.1.scd"], "tools/cmd_*.c"),
    ("fuzzers/targets.def", "ASSAY_TARGET", ["fuzzers/fuzz_{}.c"], "fuzzers/fuzz_*.c"),
    ("traces/formats/formats.def", "ASSAY_FORMAT", ["traces/formats/{}.c"], "traces/formats/*.c"),
    ("tests/zoo/zoo.def", "ASSAY_ZOO", ["tests/zoo/{}.c", "tests/zoo/{}.ini"], "tests/zoo/*.c"),
]


def rows(path, macro):
    pattern = re.compile(rf"^{macro}\((\w+)")
    with open(path, encoding="utf-8") as text:
        return [m.group(1) for m in map(pattern.match, text) if m]


def main():
    root = sys.argv[1]
    problems = checked = 0
    for registry, macro, wanted, pattern in REGISTRIES:
        if not os.path.exists(os.path.join(root, registry)):
            continue
        names = rows(os.path.join(root, registry), macro)
        checked += len(names)
        for name in names:
            for path in (w.format(name) for w in wanted):
                if not os.path.exists(os.path.join(root, path)):
                    print(f"{registry}: '{name}' has no {path}")
                    problems += 1
        head, tail = wanted[0].split("{}")
        for path in glob.glob(os.path.join(root, pattern)):
            name = os.path.relpath(path, root)[len(head):-len(tail)]
            if name not in names:
                print(f"{os.path.relpath(path, root)}: has no row in {registry}")
                problems += 1
    print(f"registries: {checked} rows, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
