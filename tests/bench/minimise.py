#!/usr/bin/env python3
"""How small `assay minimize` makes a trace of some thousand calls that shows a bug of the zoo, and how long that takes.

For each broken allocator the first of a few generated traces whose replay shows something is minimised; what is called 1-minimal
is checked from outside by tests/e2e/minimal.py. Writes a table to standard output.

usage: minimise.py BUILD_FOLDER [--ops N] [--seeds N] [--max-time TIME] [ANIMAL...]
"""
import argparse
import glob
import json
import os
import platform
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
    parser.add_argument("--ops", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--max-time", default="30s")
    return parser.parse_args()


def animals(build):
    for ini in sorted(glob.glob(f"{build}/lib/zoo/*.ini")):
        with open(ini, encoding="utf-8") as file:
            if "property = none" not in file.read():
                yield os.path.basename(ini)[:-4]


def minimise(args, name, scratch):
    """The JSON objects of the first trace that shows something, or None."""
    assay, library = f"{args.build}/bin/assay", f"{args.build}/lib/zoo/lib{name}.so"
    for seed in range(1, args.seeds + 1):
        trace = f"{scratch}/{seed}.trace"
        if not os.path.exists(trace):
            subprocess.run([f"{args.build}/bin/make_trace", trace, str(args.ops), str(seed)], check=True, capture_output=True)
        run = subprocess.run([assay, "minimize", trace, "--subject", library, "--profile", f"{args.build}/lib/zoo/{name}.ini", "--json",
                              "--quiet", "--max-time", args.max_time, "--out", f"{scratch}/{name}"],
                             capture_output=True, text=True, check=False)
        if run.returncode == 1:
            return [json.loads(line) for line in run.stdout.splitlines()]
        if run.returncode != 0:
            return None
    return None


def check(args, told):
    if not told["minimised"]:
        return "no: time was up"
    if told["ops"] > CHECKED_OPS:
        return "yes, not checked"
    run = subprocess.run([f"{ROOT}/tests/e2e/minimal.py", f"{args.build}/bin/assay", told["folder"]], capture_output=True, text=True,
                         check=False)
    return "yes" if run.returncode == 0 else "NO: " + run.stdout.strip()


def main():
    args = arguments()
    rows, quiet, ops, seconds, bad = [], [], [], [], False
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.animals or animals(args.build):
            told = minimise(args, name, scratch)
            if told is None:
                quiet.append(name)
                continue
            finding, summary = told
            answer = check(args, summary)
            bad |= answer.startswith("NO")
            ops.append(summary["ops"])
            seconds.append(summary["seconds"])
            rows.append(f"| {name} | {finding['property']} {finding['op']} | {summary['ops_before']:,} | {summary['ops']:,} | "
                        f"{summary['runs']:,} | {summary['seconds']:.1f} | {answer} |")
            print(rows[-1], file=sys.stderr)
    load = os.getloadavg()[0]
    print("# From a trace to the calls that it takes\n")
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, kernel {platform.release()}, load average {load:.1f} at the end: "
          f"`tests/bench/minimise.py build/release --ops {args.ops} --seeds {args.seeds} --max-time {args.max_time}`.\n")
    print(f"Generated traces of {args.ops:,} calls; for each allocator of the zoo the first of {args.seeds} whose replay shows something. "
          "1-minimal is what `assay minimize` says; `yes` was checked from outside, each smaller program by `assay reproduce`.\n")
    print("| allocator | shows | ops | minimal | trials | s | 1-minimal |\n| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))
    if rows:
        print(f"\nMedian: {statistics.median(ops):g} ops after {statistics.median(seconds):.1f} s. "
              f"{len(quiet)} allocators show nothing in such traces: {', '.join(quiet) or 'none'}.")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
