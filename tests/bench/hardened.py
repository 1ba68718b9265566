#!/usr/bin/env python3
"""Allocators side by side under programs: processor time (user and system) and peak resident memory, all in one run, whose
allocators take turns. Ratios to one of them, geometric means over the programs with bootstrap intervals. Peers and programs are
built outside of this repository and named here. Asserts nothing.

usage: hardened.py BIN_FOLDER --baseline NAME ALLOCATOR... PROGRAM... [--runs N] [--write FILE.md]

  NAME=LIBRARY.so      an allocator that is preloaded; NAME=- is the C library's own
  NAME='COMMAND'       a program: whatever is not a library. Its cost is its processor time
  NAME~REGEX           the program NAME runs for a time, not for an amount of work: REGEX finds in its output how much it did by
                       the second (group 1), and its cost is processor time by that
  NAME*A/B             a speed-up: program B does with two threads what A does with one. Work by wall clock; and processor time for
                       the same work, which a busy machine changes less
BIN_FOLDER has metered. --definitions FILE reads such words from a file, one a line; lines of '#' are comments.
"""
import argparse, datetime, json, math, os, platform, random, re, shlex, statistics, subprocess, sys, tempfile, time

ROUNDS = 2000


class Program:
    def __init__(self, name, command):
        self.name, self.command, self.amount = name, shlex.split(command), None


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def once(bin_folder, library, program, limit):
    """(cost, peak KiB, work per second of wall time), or a word why not."""
    command = [os.path.join(bin_folder, "metered"), library, *program.command]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  cwd=folder, timeout=limit)
        except subprocess.TimeoutExpired:
            return f"no end in {limit} s"
    text = done.stdout.decode(errors="replace")
    told = re.search(r"^metered ([\d.]+) ([\d.]+) (\d+) ([\d.]+) (\d+)$", text, re.M)
    if told is None:
        return "not run"
    user, system, peak, wall, status = (float(word) for word in told.groups())
    if status != 0:
        return f"status {status:.0f}"
    amount, rate = 1.0, 1 / wall
    if program.amount:
        found = re.search(program.amount, text)
        if found is None:
            return "its output does not say how much it did"
        amount = rate = float(found.group(1))
    return (user + system) / amount, peak, rate


def geomean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def interval(values):
    values = sorted(values)
    return values[int(0.025 * len(values))], values[min(int(0.975 * len(values)), len(values) - 1)]


class Ratios:
    """Of an allocator to the baseline: per program the ratio of medians. Intervals by drawing runs anew, and over all
    programs also the programs."""

    def __init__(self, seen, programs, allocator, baseline, what, chance):
        def samples(program, name):
            return [run[what] for run in seen[program.name, name] if not isinstance(run, str)]

        self.each, pairs = {}, []
        for program in programs:
            mine, theirs = samples(program, allocator), samples(program, baseline)
            if not mine or not theirs:
                continue
            drawn = [statistics.median(chance.choices(mine, k=len(mine))) / statistics.median(chance.choices(theirs, k=len(theirs)))
                     for _ in range(ROUNDS)]
            self.each[program.name] = (statistics.median(mine) / statistics.median(theirs), *interval(drawn))
            pairs.append(drawn)
        if pairs:
            over = [geomean([chance.choice(drawn) for drawn in chance.choices(pairs, k=len(pairs))]) for _ in range(ROUNDS)]
            self.all = (geomean([ratio for ratio, _, _ in self.each.values()]), *interval(over))
        else:
            self.all = None


def table(heads, rows):
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in (heads, ["---"] * len(heads), *rows)]


def told(triple):
    return "" if triple is None else f"{triple[0]:.2f} ({triple[1]:.2f} to {triple[2]:.2f})"


def parse(words, parser):
    allocators, programs, speedups = {}, [], []
    for word in words:
        name, _, value = word.rpartition("=") if re.fullmatch(r"[\w.-]+=(-|\S*\.so[.\d]*)", word) else (None, None, None)
        if name:
            allocators[name] = value if value == "-" else os.path.realpath(value)
            continue
        speedup = re.fullmatch(r"([\w.-]+)\*([\w.-]+)/([\w.-]+)", word)
        if speedup:
            speedups.append(speedup.groups())
            continue
        program = re.fullmatch(r"([\w.-]+)([=~])(.*)", word)
        if program is None:
            parser.error(f"neither an allocator nor a program: '{word}'")
        name, kind, rest = program.groups()
        if len(rest) > 1 and rest[0] == rest[-1] == "'":
            rest = rest[1:-1]
        if kind == "=":
            programs.append(Program(name, rest))
        else:
            next(known for known in programs if known.name == name).amount = rest
    for name, library in allocators.items():
        if library != "-" and not os.path.exists(library):
            parser.error(f"no library of '{name}': '{library}'")
    return allocators, programs, speedups


def measure(arguments, allocators, programs):
    seen = {(program.name, name): [] for program in programs for name in allocators}
    for run in range(arguments.runs):
        for program in programs:
            order = list(allocators)
            random.Random(f"{run} {program.name}").shuffle(order)
            for name in order:
                if seen[program.name, name] and isinstance(seen[program.name, name][0], str):
                    continue
                seen[program.name, name].append(once(arguments.bin, allocators[name], program, arguments.limit))
            print(f"round {run + 1} of {arguments.runs}: {program.name}", file=sys.stderr)
    return seen


def report(arguments, seen, allocators, programs, speedups, loads):
    chance, base = random.Random(1), arguments.baseline
    ratios = {what: {name: Ratios(seen, programs, name, base, at, chance) for name in allocators}
              for at, what in enumerate(("time", "memory"))}
    lines = [f"{datetime.date.today().isoformat()}, {os.cpu_count()} x {cpu_name()}, kernel {platform.release()}, load average "
             f"{min(loads):.1f} to {max(loads):.1f}, {arguments.runs} runs of each, in turns; medians, ratios to {base}, 95 % intervals "
             "by drawing runs and programs anew.", "", f"## Over all {len(programs)} programs", ""]
    rows = []
    for name in allocators:
        time_, memory = ratios["time"][name], ratios["memory"][name]
        worst = max(time_.each.items(), key=lambda item: item[1][0], default=None)
        above = [program for program, ratio in time_.each.items() if ratio[1] > 1.10]
        rows.append((name, told(time_.all), told(memory.all), f"{worst[0]} {told(worst[1])}" if worst else "",
                     ", ".join(above) or "none", len(programs) - len(time_.each) or ""))
    lines += table(("allocator", "processor time", "peak resident memory", "worst program (time)", "surely above 1.10", "not run"), rows)
    if speedups:
        rows = []
        for name in allocators:
            cells = []
            for _, one, two in speedups:
                runs = [[run for run in seen[program, name] if not isinstance(run, str)] for program in (one, two)]
                if not all(runs):
                    cells += ["", ""]
                    continue
                cost, rate = ([statistics.median(run[at] for run in of) for of in runs] for at in (0, 2))
                cells += [f"{rate[1] / rate[0]:.2f}", f"{cost[1] / cost[0]:.2f}"]
            rows.append((name, *cells))
        heads = [head for name, _, _ in speedups for head in (f"{name}: work by wall clock", f"{name}: processor time for the same work")]
        lines += ["", "## Two threads by one", "", *table(("allocator", *heads), rows)]
    for what in ("time", "memory"):
        heads = "processor s, s per amount of work, or" if what == "time" else "peak MiB, or"
        rows = []
        for program in programs:
            runs = [run for run in seen[program.name, base] if not isinstance(run, str)]
            value = statistics.median(run[what == "memory"] for run in runs) if runs else float("nan")
            cells = []
            for name in allocators:
                first = seen[program.name, name][0]
                if name == base:
                    cells.append(f"{value / 1024:.1f}" if what == "memory" else f"{value:.3g}")
                else:
                    cells.append(first if isinstance(first, str) else told(ratios[what][name].each.get(program.name)))
            rows.append((program.name, *cells))
        lines += ["", f"## {what.capitalize()}: {heads} as a ratio to {base}", "", *table(("program", *allocators), rows)]
    data = {"baseline": base, "runs": arguments.runs, "load": [min(loads), max(loads)],
            "programs": {program.name: program.command[1:] for program in programs},
            "over_all": {what: {name: ratio.all for name, ratio in row.items()} for what, row in ratios.items()},
            "each": {what: {name: ratio.each for name, ratio in row.items()} for what, row in ratios.items()}}
    return lines, data


def write(path, text):
    with open(path + ".partial", "w") as file:
        file.write(text)
    os.rename(path + ".partial", path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--definitions")
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=int, default=120, help="seconds that a program may take")
    parser.add_argument("--note", action="append", default=[], help="a sentence for the head of the file")
    parser.add_argument("--write")
    arguments = parser.parse_intermixed_args()
    words = list(arguments.words)
    if arguments.definitions:
        words += [line.strip() for line in open(arguments.definitions) if line.strip() and not line.startswith("#")]
    allocators, programs, speedups = parse(words, parser)
    if arguments.baseline not in allocators or not programs:
        parser.error("the baseline must be an allocator, and a program is needed")
    loads, start = [os.getloadavg()[0]], time.monotonic()
    seen = measure(arguments, allocators, programs)
    loads.append(os.getloadavg()[0])
    lines, data = report(arguments, seen, allocators, programs, speedups, loads)
    notes = [line for note in arguments.note for line in (note, "")]
    text = "\n".join(["# Hardened allocators side by side", "", *notes, *lines]) + "\n"
    print(text)
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    if arguments.write:
        write(arguments.write, text)
        write(os.path.splitext(arguments.write)[0] + ".json", json.dumps(data, indent=1) + "\n")


main()
