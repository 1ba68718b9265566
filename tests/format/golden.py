#!/usr/bin/env python3
"""The golden trace files decode to their texts, the texts make the same traces, and FORMAT.md dumps the newest one.

usage: golden.py ROOT ASSAY
"""
import glob
import os
import re
import subprocess
import sys
import tempfile


def run(*command):
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()


def dump(data):
    lines = []
    for at in range(0, len(data), 16):
        row = data[at:at + 16]
        words = " ".join(row[i:i + 2].hex() for i in range(0, len(row), 2))
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{at:08x}: {words:39}  {text}")
    return "\n".join(lines)


def main():
    root, assay = sys.argv[1:3]
    goldens = sorted(glob.glob(f"{root}/tests/format/golden-*.trace"))
    problems = 0
    for golden in goldens:
        with open(golden.replace(".trace", ".txt"), encoding="utf-8") as file:
            text = file.read()
        if run(assay, "show", golden, "--text") != text:
            print(f"{golden}: does not decode to its text")
            problems += 1
        with tempfile.TemporaryDirectory() as folder:
            again = os.path.join(folder, "again.trace")
            run(assay, "import", golden.replace(".trace", ".txt"), "-o", again)
            if run(assay, "show", again, "--text") != text:
                print(f"{golden}: its text does not make the same trace")
                problems += 1
    with open(goldens[-1], "rb") as file:
        expected = dump(file.read())
    with open(f"{root}/traces/FORMAT.md", encoding="utf-8") as file:
        blocks = re.findall(r"```\n(0{8}: .*?)\n```", file.read(), re.S)
    if blocks != [expected]:
        print(f"traces/FORMAT.md: its dump is not that of {goldens[-1]}:\n{expected}")
        problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
