#!/usr/bin/env python3
"""The cost of replay: ns per event and overhead over a bare loop of the same calls, unchecked and fully checked, on glibc
and Bulwark, for small objects (1 to 256 bytes) and for the test program's mix. Best of several runs: other programs on
the machine only ever add.

usage: replay.py BIN_FOLDER [--runs N] [--events N] [--write FILE]
"""
import argparse, datetime, json, os, platform, subprocess, sys, tempfile

TARGET = {"unchecked": 15, "checked": 60}


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def replay(binary, trace, subject, unchecked):
    command = [binary, "replay", trace, "--subject", subject, "--json", "-q"] + (["--unchecked"] if unchecked else [])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--events", type=int, default=400000)
    parser.add_argument("--write")
    arguments = parser.parse_args()
    assay, make_trace = (os.path.join(arguments.bin, name) for name in ("assay", "make_trace"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for sizes, size in (("1-256", 146), ("1-700", 400)):
            trace = os.path.join(folder, "p.trace")
            subprocess.run([make_trace, trace, str(arguments.events), "3", str(size)], check=True)
            for subject in ("glibc", "bulwark"):
                for mode in ("unchecked", "checked"):
                    runs = [replay(assay, trace, subject, mode == "unchecked") for _ in range(arguments.runs)]
                    best = min(runs, key=lambda r: r["overhead_ns"])
                    row = {"subject": subject, "sizes": sizes, "mode": mode, "events": best["events"],
                           "ns_per_event": round(best["ns_per_event"], 1),
                           "bare_ns_per_event": round(best["bare_ns_per_event"], 1),
                           "overhead_ns": round(best["overhead_ns"], 1), "target_ns": TARGET[mode],
                           "events_per_second": round(1e9 / best["ns_per_event"])}
                    rows.append(row)
                    print(json.dumps(row), flush=True)
    load = os.getloadavg()[0]
    result = {"schema": "assay.bench.replay", "date": datetime.date.today().isoformat(), "cpu": cpu(),
              "cpus": os.cpu_count(), "kernel": platform.release(), "load": round(load, 1), "runs": arguments.runs,
              "rows": rows}
    if arguments.write:
        with open(arguments.write + ".partial", "w") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
        os.rename(arguments.write + ".partial", arguments.write)
    # a shared machine is noisy: only what cannot be noise fails
    late = [r for r in rows if r["overhead_ns"] > 5 * r["target_ns"]]
    if late and load > os.cpu_count():
        print(f"skipped: {len(late)} rows are far over the target, but the machine is busy (load {load:.1f})")
        sys.exit(5)
    sys.exit(f"far over the target: {late}" if late else 0)


main()
