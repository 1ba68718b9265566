#!/usr/bin/env python3
"""The folder rule: traces/core <- traces <- oracles <- fuzzers <- tools <- tests.

A folder may include what stands to its left, never to its right. allocator/ uses nothing else of the repository;
of it only allocator/bulwark.h is public, for fuzzers/, tools/ and tests/ (tests of its rooms see the rooms).
usage: folder_rule.py ROOT; prints one line per violation and exits 1 if there is any.
"""
import os
import re
import sys

ORDER = ["traces/core", "traces", "oracles", "fuzzers", "tools", "tests"]
FOLDERS = ["allocator", "traces", "oracles", "fuzzers", "tools", "tests"]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
SOURCES = (".c", ".h", ".def", ".S", ".inc")


def rank(path):
    if path.startswith("traces/core/"):
        return 0
    return ORDER.index(path.split("/")[0])


def target_of(root, source, name):
    """The repository file that an include names, or None for the system's."""
    beside = os.path.normpath(os.path.join(os.path.dirname(source), name))
    for candidate in (os.path.normpath(name), beside):
        if not candidate.startswith("..") and os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def verdict(source, target):
    """What is wrong with source including target, or None."""
    from_folder, to_folder = source.split("/")[0], target.split("/")[0]
    if from_folder == "allocator":
        return None if to_folder == "allocator" else "allocator/ stands alone"
    if to_folder == "allocator":
        if from_folder == "tests":
            return None
        if from_folder in ("fuzzers", "tools"):
            return None if target == "allocator/bulwark.h" else "of allocator/ only bulwark.h is public"
        return "only fuzzers/, tools/ and tests/ may include allocator/bulwark.h"
    if to_folder not in FOLDERS:
        return None
    if rank(target) > rank(source):
        return f"{ORDER[rank(source)]} stands to the left of {ORDER[rank(target)]}"
    return None


def main():
    root = sys.argv[1]
    files = violations = 0
    for folder in FOLDERS:
        for where, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if not name.endswith(SOURCES):
                    continue
                files += 1
                source = os.path.relpath(os.path.join(where, name), root)
                with open(os.path.join(where, name), encoding="utf-8", errors="replace") as text:
                    for number, line in enumerate(text, 1):
                        match = INCLUDE.match(line)
                        target = match and target_of(root, source, match.group(1))
                        reason = target and verdict(source, target)
                        if reason:
                            print(f"{source}:{number}: includes {target}: {reason}")
                            violations += 1
    print(f"folder rule: {files} files, {violations} violations")
    return 1 if violations or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
