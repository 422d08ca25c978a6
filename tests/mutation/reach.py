# SPDX-License-Identifier: ISC
"""Which lines a test runs, as gcov tells them: a mutant in a line that a test
never runs cannot fail it.

Sets of lines are numbers, a bit each. What gcov does not say counts as run:
lines without code of their own in a function that is entered, and lines
outside of functions, such as those of tables."""
import json
import pathlib
import re
import subprocess

# A value that has no label runs no line of that label, but with another
# label it would.
LABEL = re.compile(r"\s*case\b")


def bits(lines):
    mask = 0
    for line in lines:
        mask |= 1 << line
    return mask


def labels(text):
    return {n for n, line in enumerate(text.splitlines(), 1)
            if LABEL.match(line)}


def never_in(told, labelled):
    """The lines of one source that did not run: those of functions that were
    not entered, and in others those with code that was not reached."""
    ran = {line["line_number"] for line in told["lines"] if line["count"]}
    never = {line["line_number"] for line in told["lines"]} - ran - labelled
    for f in told["functions"]:
        if f["execution_count"] == 0:
            never.update(set(range(f["start_line"], f["end_line"] + 1)) - ran)
    return bits(never)


def gcov(files, folder):
    """What gcov says of each counters file: an object of JSON a line."""
    said = subprocess.run(
        ["gcov", "--json-format", "--stdout"] + files, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for line in said.decode(errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def never_run(counted, build, source, objects):
    """{object: its lines that a test did not run}; counted is where the test
    left its counters, build where the compiler left its notes. An object
    without counters is not in it: of it nothing is known."""
    files = []
    for name in sorted(objects):
        counters = counted / (name[:-2] + ".gcda")
        notes = build / (name[:-2] + ".gcno")
        if counters.exists() and notes.exists():
            counters.with_suffix(".gcno").symlink_to(notes)
            files.append(str(counters))
    found = {}
    for said in gcov(files, build):
        name = str(pathlib.Path(said["data_file"]).relative_to(counted))
        text = name[:-5] + ".c"
        for told in said["files"]:
            if told["file"].endswith(text):
                found[name[:-5] + ".o"] = never_in(
                    told, labels((source / text).read_text()))
    return found


def runs(never, line):
    """Whether a test may run a line; never is None where nothing is known."""
    return never is None or not never >> line & 1
