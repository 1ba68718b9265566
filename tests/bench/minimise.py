#!/usr/bin/env python3
"""How small the programs become that show the zoo's bugs, and how long that takes.

Each broken allocator is fuzzed for a few programs; its first finding is a row. What is called 1-minimal is checked from outside by
tests/e2e/minimal.py. Writes a table to standard output.

usage: minimise.py BUILD_FOLDER [--runs N] [--seed N] [ANIMAL...]
"""
import argparse
import glob
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECKED_OPS = 100  # longer programs have too many smaller ones


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("animals", nargs="*")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def animals(build):
    for ini in sorted(glob.glob(f"{build}/lib/zoo/*.ini")):
        with open(ini, encoding="utf-8") as file:
            if "property = none" not in file.read():
                yield os.path.basename(ini)[:-4]


def fuzz(args, name, scratch):
    """The first finding that was minimised: finding.json and the seconds that it took; None if there is none."""
    run = subprocess.run([f"{args.build}/bin/assay", "fuzz", "--subject", f"{args.build}/lib/zoo/lib{name}.so", "--profile",
                          f"{args.build}/lib/zoo/{name}.ini", "--runs", str(args.runs), "--seed", str(args.seed), "--misuse", "--quiet",
                          "--guidance", "none", "--out", f"{scratch}/{name}"], capture_output=True, text=True, check=False)
    told = re.search(r"^minimised: .* in ([0-9.]+) s\nreproduce: assay reproduce (\S+)$", run.stdout, re.M)
    if not told:
        return None
    with open(told[2] + "/finding.json", encoding="utf-8") as file:
        return json.load(file), float(told[1]), told[2]


def check(args, finding, folder):
    if not finding["minimised"]:
        return "no: time was up"
    if finding["ops"] > CHECKED_OPS:
        return "yes, not checked"
    run = subprocess.run([f"{ROOT}/tests/e2e/minimal.py", f"{args.build}/bin/assay", folder], capture_output=True, text=True,
                         check=False)
    return "yes" if run.returncode == 0 else "NO: " + run.stdout.strip()


def main():
    args = arguments()
    rows, quiet, ops, seconds, bad = [], [], [], [], False
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.animals or animals(args.build):
            told = fuzz(args, name, scratch)
            if told is None:
                quiet.append(name)
                continue
            finding, took, folder = told
            answer = check(args, finding, folder)
            bad |= answer.startswith("NO")
            ops.append(finding["ops"])
            seconds.append(took)
            rows.append(f"| {name} | {finding['property']} {finding['op']} | {finding['ops_found']:,} | {finding['ops']:,} | {took:.1f} | "
                        f"{answer} |")
            print(rows[-1], file=sys.stderr)
    load = os.getloadavg()[0]
    print("# From the program that was found to the calls that it takes\n")
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, kernel {platform.release()}, load average {load:.1f} at the end: "
          f"`tests/bench/minimise.py build/release --runs {args.runs} --seed {args.seed}`.\n")
    print("The first finding of each allocator of the zoo. Seconds are those of minimising, of ten confirming runs and of writing the "
          "folder; minimising ends after 8 s. 1-minimal is what the finding says; `yes` was checked from outside, each smaller program "
          "by `assay reproduce`.\n")
    print("| allocator | shows | ops found | minimal | s | 1-minimal |\n| --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))
    if rows:
        print(f"\nMedian: {statistics.median(ops):g} ops after {statistics.median(seconds):.1f} s. "
              f""
              f"{len(quiet)} allocators show nothing in so few programs: {', '.join(quiet) or 'none'}.")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
