#!/usr/bin/env python3
"""Checked calls per second, the four figures in one run: linked (small objects and the committed mix), isolated under
fuzz (swarms and the mix), isolated in replay. Per processor second of the process that executes and judges, beside it
what host and wall clock add. Every conformance row is on. Asserts no time.

usage: checked_ops.py BIN_FOLDER [--quick] [--subjects A,B] [--write FILE.md]
"""
import argparse, collections, datetime, json, os, platform, resource, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
SUBJECTS = "glibc,jemalloc,mimalloc,tcmalloc,scudo,bulwark"
PROGRAMS = {"small": "1 to 256 bytes", "mix": "the committed mix", "swarm": "swarms"}
TARGETS = {("linked", "small"): 10, ("linked", "mix"): 5, ("fuzz", "swarm"): 1, ("fuzz", "mix"): 1, ("replay", ""): 5}


def run(command, allowed=(0,)):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in allowed:
        return None, (done.stderr.strip() or "it said nothing").splitlines()[-1]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], cpu


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def table(heads, rows):
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in (heads, ["---"] * len(heads), *rows)]


def millions(per_second):
    return f"{per_second / 1e6:.2f}"


def verdict(best, target):
    return f"{'reached' if best >= target * 1e6 else 'MISSED'} ({millions(best)} M of {target} M)"


def linked(arguments, notes, summary):
    seen = collections.defaultdict(list)
    for _ in range(arguments.runs):
        found, why = run([os.path.join(arguments.bin, "checked_ops"), str(arguments.milliseconds)])
        if found is None:
            sys.exit(f"checked_ops: {why}")
        for line in found:
            seen[line["subject"], line["programs"]].append(line)
    rows = []
    for (subject, programs), lines in seen.items():
        least = {key: min(line[key] for line in lines)
                 for key in ("ns_per_call", "bare_ns_per_call", "generation_ns_per_call", "faults_per_1000_calls")}
        ns, bare, made = least["ns_per_call"], least["bare_ns_per_call"], least["generation_ns_per_call"]
        rows.append((subject, PROGRAMS[programs], f"{ns:.0f}", f"{bare:.0f}", f"{ns - bare:.0f}", f"{made:.0f}",
                     f"{least['faults_per_1000_calls']:.1f}", millions(1e9 / ns), millions(1e9 / (ns + made))))
        if ("linked", programs) in TARGETS:
            summary.append((f"linked, {PROGRAMS[programs]}, {subject}", verdict(1e9 / ns, TARGETS["linked", programs])))
    return table(("subject", "programs", "ns/call", "of it the bare calls", "rig", "generation, ns/call more", "page faults/1,000 calls",
                  "M calls/s", "with generation"), rows)


def fuzzed(arguments, notes, summary, folder):
    rows = []
    for subject in arguments.subjects.split(","):
        for programs, more in (("swarm", []), ("mix", ["--mix"])):
            command = [os.path.join(arguments.bin, "assay"), "fuzz", "--subject", subject, "--guidance", "none", "--programs", "random",
                       "--seed", "1", "--max-time", f"{arguments.seconds}s", "--json", "-q", "-o", os.path.join(folder, "fuzz"), *more]
            found, cpu = run(command, allowed=(0, 1, 4))
            if found is None:
                notes.append(f"{subject}, {programs}: not run ({cpu}).")
                continue
            stats = found[-1]
            calls, children = stats["ops_done"], max(stats["children_cpu_s"], 1e-9)
            rows.append((subject, PROGRAMS[programs], f"{stats['execs_done']:,}", f"{calls:,}", millions(calls / children),
                         millions(calls / cpu), f"{100 * (cpu - children) / cpu:.0f} %", millions(stats["ops_per_sec"]), stats["findings"]))
            summary.append((f"isolated, fuzz, {PROGRAMS[programs]}, {subject}", verdict(calls / children, TARGETS["fuzz", programs])))
    return table(("subject", "programs", "programs run", "judged calls", "M calls per CPU s of the executing process",
                  "per CPU s of host and child", "the host's share", "per second of wall time", "findings"), rows)


def replayed(arguments, notes, summary, folder):
    traces, rows = [], []
    for name, largest in (("1 to 256 bytes", 146), ("1 to 700 bytes", 400)):
        traces.append((name, os.path.join(folder, f"{largest}.trace")))
        subprocess.run([os.path.join(arguments.bin, "make_trace"), traces[-1][1], str(arguments.events), "3", str(largest)], check=True)
    python = os.path.join(folder, "python.trace")
    found, why = run([os.path.join(arguments.bin, "assay"), "capture", "--quiet", "--method", "preload", "-o", python, "--", "env",
                      "PYTHONMALLOC=malloc", "/usr/bin/python3", os.path.join(HERE, "workloads", "python.py")])
    if found is None:
        notes.append(f"No trace of python3: {why}.")
    elif not arguments.quick:
        traces.append(("python3, captured", python))
    for name, trace in traces:
        for subject in arguments.subjects.split(","):
            command = [os.path.join(arguments.bin, "assay"), "replay", trace, "--subject", subject, "--json", "-q"]
            lines = [run(command, allowed=(0, 1))[0] for _ in range(arguments.runs)]
            if not all(lines):
                notes.append(f"Replay of {name} on {subject} did not run.")
                continue
            best = min((line[-1] for line in lines), key=lambda result: result["ns_per_event"])
            rows.append((subject, name, f"{best['events']:,}", f"{best['ns_per_event']:.0f}", f"{best['bare_ns_per_event']:.0f}",
                         f"{best['ns_per_event'] - best['bare_ns_per_event']:.0f}", millions(1e9 / best["ns_per_event"])))
            summary.append((f"isolated, replay, {name}, {subject}", verdict(1e9 / best["ns_per_event"], TARGETS["replay", ""])))
    return table(("subject", "trace", "events", "checked ns/event", "bare loop", "rig", "M events/s"), rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--quick", action="store_true", help="to see that it works")
    parser.add_argument("--subjects", default=SUBJECTS)
    parser.add_argument("--write")
    arguments = parser.parse_args()
    arguments.runs = 1 if arguments.quick else 3
    arguments.milliseconds = 10 if arguments.quick else 1000
    arguments.seconds = 1 if arguments.quick else 10
    arguments.events = 60000 if arguments.quick else 400000
    load, notes, summary, parts = os.getloadavg()[0], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        parts.append(("Linked: one process, one thread", linked(arguments, notes, summary)))
        parts.append(("Isolated, under fuzz: `assay fuzz --guidance none --programs random`", fuzzed(arguments, notes, summary, folder)))
        parts.append(("Isolated, in replay: `assay replay`, full touch, one thread", replayed(arguments, notes, summary, folder)))
    loads = sorted((load, os.getloadavg()[0]))
    loaded = f"MEASURED UNDER LOAD (load average {loads[0]:.1f} to {loads[1]:.1f})" if loads[1] > os.cpu_count() / 2 else "idle"
    lines = ["# Checked calls per second", "",
             f"{datetime.date.today().isoformat()}, {os.cpu_count()} x {cpu_name()}, kernel {platform.release()}, "
             f"`tests/bench/checked_ops.py build/release/bin`, {loaded}.", "",
             "A checked call is one of the malloc family, realloc or free, with every conformance row on, its content filled and "
             "verified; accesses and checks do not count. Times are processor time, the least of "
             f"{arguments.runs} runs (fuzz: one run of {arguments.seconds} s); on a busy machine they are too long, never too short."]
    for name, rows in parts:
        lines += ["", f"## {name}", "", *rows]
    lines += ["", "## Against the targets", "", *table(("what", "target"), summary)]
    if notes:
        lines += ["", *notes]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.write:
        with open(arguments.write + ".partial", "w") as file:
            file.write(text)
        os.rename(arguments.write + ".partial", arguments.write)


main()
