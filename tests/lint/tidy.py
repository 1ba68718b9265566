#!/usr/bin/env python3
"""clang-tidy over every translation unit of ours, in parallel, with the checks of .clang-tidy.

usage: tidy.py ROOT BUILD [FILE...]. Results are remembered in BUILD/lint by a hash over the source, the headers it
includes and the configuration, so that a second run only looks at what changed.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys


def digest_of(paths):
    digest = hashlib.sha256()
    for path in sorted(paths):
        with open(path, "rb") as file:
            digest.update(path.encode() + b"\0" + file.read())
    return digest


def dependencies(root, build):
    """What ninja knows each object to be made of: {object: [files of ours]}."""
    run = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=False)
    result, files = {}, []
    for line in run.stdout.splitlines():
        if line.startswith("    "):
            path = os.path.normpath(os.path.join(build, line.strip()))
            if path.startswith(root + os.sep):
                files.append(path)
        elif ": #deps" in line:
            files = result.setdefault(line.split(": #deps")[0], [])
    return result


def output_of(entry):
    match = re.search(r" -o (\S+)", entry.get("command", ""))
    return match.group(1) if match else None


def check(entry, build, files):
    path = entry["file"]
    digest = digest_of(set(files) | {path})
    digest.update(entry.get("command", "").encode())
    stamp = os.path.join(build, "lint", digest.hexdigest())
    if os.path.exists(stamp):
        return path, ""
    run = subprocess.run(["clang-tidy", "-p", build, "--quiet", path], capture_output=True, text=True, check=False)
    if run.returncode == 0:
        with open(stamp, "w", encoding="utf-8"):
            pass
        return path, ""
    # Of the analyzer's story keep the verdicts; `clang-tidy -p BUILD FILE` tells the whole.
    verdicts = [line for line in run.stdout.splitlines() if re.search(r": (error|warning): ", line)]
    return path, "\n".join(verdicts) or run.stdout + run.stderr


def main():
    root, build = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    only = {os.path.realpath(p) for p in sys.argv[3:]}
    os.makedirs(os.path.join(build, "lint"), exist_ok=True)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        database = json.load(file)
    units = {}
    for entry in database:
        path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
        if re.search(r"\.c$", path) and path.startswith(root + os.sep) and not path.startswith(build + os.sep):
            if not only or path in only:
                units.setdefault(path, entry)
    settings = [os.path.join(root, p) for p in (".clang-tidy", "tests/.clang-tidy")]
    made_of = dependencies(root, build)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for path, text in pool.map(lambda e: check(e, build, settings + made_of.get(output_of(e), [])), units.values()):
            if text:
                failed += 1
                print(text)
    print(f"clang-tidy: {len(units)} files, {failed} with warnings")
    return 1 if failed or not units else 0


if __name__ == "__main__":
    sys.exit(main())
