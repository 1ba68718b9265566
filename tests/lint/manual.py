#!/usr/bin/env python3
"""The options in each command's --help are those of its manual page, in both directions.

usage: manual.py ROOT ASSAY
"""
import re
import subprocess
import sys

from registries import rows

EVERYWHERE = {"--help", "--usage", "--version"}


def help_options(assay, command):
    run = subprocess.run([assay, command, "--help"], capture_output=True, text=True, timeout=20, check=False)
    if run.returncode != 0:
        return None
    options = set()
    for line in run.stdout.splitlines():
        match = re.match(r"^ +(-\S.*?)(?:   .*|$)", line)
        if match:
            options.update(re.findall(r"(?:^|[ ,])(--?[A-Za-z0-9][A-Za-z0-9-]*)", match.group(1)))
    return options


def manual_options(path):
    with open(path, encoding="utf-8") as text:
        lines = text.read().splitlines()
    options = set()
    for line in lines:
        if line.startswith("*-"):
            options.update(re.findall(r"\*(--?[A-Za-z0-9][A-Za-z0-9-]*)", line.replace("\\", "")))
    return options


def main():
    root, assay = sys.argv[1:3]
    problems = 0
    for command in rows(f"{root}/tools/commands.def", "ASSAY_COMMAND"):
        has = help_options(assay, command)
        if has is None:
            print(f"assay {command} --help fails")
            problems += 1
            continue
        says = manual_options(f"{root}/tools/man/assay-{command}.1.scd")
        has = {o for o in has - EVERYWHERE if o != "-?" and o != "-V"}
        says -= EVERYWHERE
        for option in sorted(has - says):
            print(f"assay {command}: the manual page lacks {option} (a line that starts with *{option}*)")
        for option in sorted(says - has):
            print(f"assay {command}: the manual page has {option}, --help has not")
        problems += len(has ^ says)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
