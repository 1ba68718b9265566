#!/usr/bin/env python3
"""Findings that say `minimised` are 1-minimal: no call, no object can be left out, no size, count, alignment or offset halved.

Each smaller program is made here, from program.txt, and tried by `assay reproduce`: nothing of the minimiser is used. A program
of a finding that shows in some processes only is tried as often as that takes.

usage: minimal.py ASSAY FINDING...
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

MAGIC = "%assay-text 1"
BIRTHS = {"malloc", "calloc", "aligned_alloc", "posix_memalign", "memalign", "valloc", "pvalloc"}
RESIZES = {"realloc", "reallocarray", "rezalloc"}
RELEASES = {"free", "free_sized", "free_aligned_sized"}
ACCESSES = {"read", "write"}
ALIGNED = {"aligned_alloc", "posix_memalign", "memalign"}
COUNTED = {"calloc", "reallocarray"}
BEYOND, ORDINARY = 1 << 48, 1 << 20


def parse(line):
    kind, *words = line.split()
    op = {"kind": kind}
    for word in words:
        key, value = word.split("=", 1)
        op[key] = int(value, 0) if key in ("object", "born", "size", "arg", "thread", "process") else value
    return op


def text(op):
    order = ("thread", "process", "object", "place", "size", "arg", "flags", "born")
    rest = [key for key in op if key not in order and key != "kind"]
    return " ".join([op["kind"]] + [f"{key}={op[key]}" for key in (*order, *rest) if op.get(key)])


def wanted(op):
    return op.get("size", 0) * (op.get("arg", 0) if op["kind"] in COUNTED else 1)


def alignment(op):
    return 4096 if op["kind"] in ("valloc", "pvalloc") else op.get("arg", 0) if op["kind"] in ALIGNED else 0


def refused(op):
    align = alignment(op)
    power = align > 0 and align & (align - 1) == 0
    return wanted(op) >= BEYOND or (op["kind"] == "posix_memalign" and (not power or align % 8)) or (power and align >= BEYOND)


def mend(ops):
    """What is left of a program as a legal one: ops on objects that are not there go, numbers rise by birth."""
    number, objects, out, born = {}, {}, [], 0
    for op in ops:
        op = dict(op)
        kind, misuse = op["kind"], "misuse" in op.get("flags", "")
        if op.pop("gone", False):
            if kind in RESIZES and op.get("born") and op.get("object"):
                number[op["born"]] = number.get(op["object"])
            continue
        operand = None
        if op.get("object"):
            op["object"] = number.get(op["object"])
            operand = objects.get(op["object"])
            if operand is None or operand["live"] == misuse:
                continue
            if kind in RELEASES and not misuse:
                if kind == "free_sized" and not alignment(operand["op"]):
                    op["size"] = wanted(operand["op"])
                elif kind == "free_aligned_sized" and operand["op"]["kind"] == "aligned_alloc":
                    op["size"], op["arg"] = wanted(operand["op"]), alignment(operand["op"])
                elif kind != "free":
                    op = {**op, "kind": "free", "size": 0, "arg": 0}
            if kind in ACCESSES and not 0 < op.get("size", 0) <= wanted(operand["op"]) - op.get("arg", 0):
                continue
        if operand and not misuse and (kind in RELEASES or (kind in RESIZES and not refused(op))):
            operand["live"] = False
        if op.get("born"):
            born += 1
            stays = refused(op) and kind in RESIZES and op.get("object")
            number[op["born"]] = op["object"] if stays else born
            op["born"] = born
            objects[born] = {"live": not refused(op), "op": op}
        out.append(op)
    return out


def smaller(ops):
    """All programs that are a step smaller, each with what was done."""
    for i, op in enumerate(ops):
        yield f"without op {i} ({text(op)})", mend([{**o, "gone": j == i} for j, o in enumerate(ops)])
    for i, op in enumerate(ops):
        if not op.get("born") or op.get("object"):
            continue
        mine, left = {op["born"]}, []
        for j, o in enumerate(ops):
            if j != i and o.get("object") in mine and o.get("born"):
                mine.add(o["born"])
            left.append({**o, "gone": j == i or o.get("object") in mine})
        yield f"without object {op['born']}", mend(left)
    for i, op in enumerate(ops):
        for key in ("size", "arg"):
            offset = key == "arg" and op["kind"] in ACCESSES
            if op["kind"] in RELEASES or op.get(key, 0) < (1 if offset else 2):
                continue
            half = {**op, key: op[key] // 2}
            if refused(half) and not refused(op):
                continue
            if refused(op) and not refused(half) and (wanted(half) > ORDINARY or alignment(half) > ORDINARY):
                continue  # what an allocator says to that is open
            yield f"{key} of op {i} ({text(op)}) halved", mend(ops[:i] + [half] + ops[i + 1:])


def shows(assay, finding, ops, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    for name in os.listdir(finding):
        if name in ("finding.json", "profile.ini"):
            shutil.copy(os.path.join(finding, name), folder)
    with open(folder + "/program.txt", "w", encoding="utf-8") as out:
        out.write("\n".join([MAGIC, *(text(op) for op in ops)]) + "\n")
    subprocess.run([assay, "import", "--format", "text", folder + "/program.txt", "-o", folder + "/program.trace"], check=True,
                   capture_output=True)
    run = subprocess.run([assay, "reproduce", folder], capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1):
        sys.exit(f"{finding}: reproduce exits {run.returncode}: {run.stderr}")
    return run.returncode == 1


def check(assay, finding, folder):
    with open(finding + "/finding.json", encoding="utf-8") as file:
        told = json.load(file)
    name = f"{os.path.basename(told['subject'])}: {told['property']} {told['op']}"
    with open(finding + "/program.txt", encoding="utf-8") as file:
        ops = [parse(line) for line in file.read().splitlines() if not line.startswith("%")]
    if not told["minimised"]:
        print(f"{name}: {told['ops_found']} -> {told['ops']} ops, not minimised")
        return True
    if not shows(assay, finding, ops, folder):
        print(f"{name}: does not show")
        return False
    steps, bad = 0, []
    for what, program in smaller(ops):
        steps += 1
        if program and shows(assay, finding, program, folder):
            bad.append(what)
    print(f"{name}: {told['ops_found']} -> {told['ops']} ops, {steps} smaller programs: {'1-minimal' if not bad else bad}")
    return not bad


def main():
    assay, *findings = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        good = [check(assay, finding.rstrip("/"), scratch + "/finding") for finding in findings]
    sys.exit(0 if good and all(good) else 1)


if __name__ == "__main__":
    main()
