#!/usr/bin/env python3
"""The options and exit codes in each command's --help are those of its manual page, in both directions.

The page must have EXAMPLES, and SEE ALSO with assay(1); every key of a profile must stand in assay-profile(5), every verdict of assay
selftest in its page.

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


def exit_codes(text):
    return set(re.findall(r"(?<![\w.])(0|[1-4]|70|125|130)(?![\w.])", text))


def help_codes(assay, command):
    text = subprocess.run([assay, command, "--help"], capture_output=True, text=True, timeout=20, check=False).stdout
    return exit_codes(text.rpartition("\nExit: ")[2]) if "\nExit: " in text else set()


def section(path, name):
    with open(path, encoding="utf-8") as text:
        return text.read().partition(f"\n# {name}\n")[2].partition("\n# ")[0]


def codes_and_links(root, assay, command):
    page = f"{root}/tools/man/assay-{command}.1.scd"
    page_codes = exit_codes(re.sub(r"\d+ GiB|\(1\)", "", section(page, "EXIT STATUS")))
    problems = []
    if help_codes(assay, command) != page_codes:
        problems.append(f"exit codes: --help ends with {sorted(help_codes(assay, command))}, the page says {sorted(page_codes)}")
    if not any(section(page, name).strip() for name in ("EXAMPLE", "EXAMPLES")):
        problems.append("the page has no EXAMPLES")
    if "*assay*(1)" not in section(page, "SEE ALSO"):
        problems.append("the page's SEE ALSO lacks *assay*(1)")
    return problems


def profile_keys(root):
    """Keys of oracles/profile_keys.def that the page lacks, and the other way round."""
    with open(f"{root}/oracles/profile_keys.def", encoding="utf-8") as registry:
        keys = {"name", "symbol_prefix", *re.findall(r"^ASSAY_PROFILE_KEY\(\w+, (\w+),", registry.read(), re.MULTILINE)}
    told = set(re.findall(r"^\*(\w+)\*$", section(f"{root}/tools/man/assay-profile.5.scd", r"SECTION [profile]").replace("\\", ""), re.MULTILINE))
    return [f"assay-profile(5) lacks the key {key}" for key in sorted(keys - told)] + [
        f"assay-profile(5) has the key {key}, which no profile has" for key in sorted(told - keys)
    ]


def verdicts(root):
    """Verdicts of tools/selftest.c that assay-selftest(1) does not explain."""
    with open(f"{root}/tools/selftest.c", encoding="utf-8") as source:
        table = source.read().partition("names[ASSAY_SELFTEST_VERDICTS] = {")[2].partition("}")[0]
    with open(f"{root}/tools/man/assay-selftest.1.scd", encoding="utf-8") as page:
        text = page.read()
    return [f"assay-selftest(1) lacks the verdict {name}" for name in re.findall(r'"([^"]+)"', table) if f"_{name}_" not in text]


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
        for problem in codes_and_links(root, assay, command):
            print(f"assay {command}: {problem}")
            problems += 1
    for problem in profile_keys(root) + verdicts(root):
        print(problem)
        problems += 1
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
