#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a script can say about style: banned calls, sizes, SPDX lines."""
import pathlib
import re
import sys

LINES_FILE, LINES_FUNCTION, COLUMNS, COLUMNS_TABLE = 650, 65, 80, 100
BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|system|popen|"
    r"alloca|sleep|usleep|setjmp|longjmp)\s*\(")
ONLY_IN = {  # call: the one file that may
    re.compile(r"(?<![>.\w])(malloc|calloc|realloc|free)\s*\("):
        "relay/base/mem.c relay/base/alloc.c",
    re.compile(r"\b(clock_gettime|time|gettimeofday)\s*\("):
        "relay/base/clock.c",
    # Hashed by its own function a stranger could make every key collide.
    re.compile(r"#\s*include\s*(<uthash\.h>)"): "relay/base/hashtable.h",
}
CODE = ("relay", "policy", "conf")

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
bad = []


def strip_comments(text):
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"),
                  text, flags=re.S)


def width(line):
    return len(line.expandtabs(8))


def check_calls(file, name, lines):
    for n, line in enumerate(lines, 1):
        m = BANNED.search(line)
        if m:
            bad.append(f"{name}:{n}: {m.group(1)}() is banned")
        for call, owner in ONLY_IN.items():
            m = call.search(line)
            if m and name not in owner.split():
                bad.append(f"{name}:{n}: {m.group(1)} belongs in {owner}")


def check_columns(name, text):
    limit = COLUMNS
    for n, line in enumerate(text.splitlines(), 1):
        if "clang-format off" in line:
            limit = COLUMNS_TABLE
        if "clang-format on" in line:
            limit = COLUMNS
        if width(line) > limit:
            bad.append(f"{name}:{n}: {width(line)} columns, {limit} at most")


def check_functions(name, lines):
    start = None
    for n, line in enumerate(lines, 1):
        if line == "{":
            start = n
        elif line == "}" and start is not None:
            if n - start > LINES_FUNCTION:
                bad.append(f"{name}:{start}: a function of {n - start} lines")
            start = None


for folder in CODE + ("tests",):
    for file in sorted((root / folder).rglob("*.[ch]")):
        name = str(file.relative_to(root))
        text = file.read_text()
        if "SPDX-License-Identifier: ISC" not in text[:200]:
            bad.append(f"{name}:1: no SPDX line")
        lines = strip_comments(text).splitlines()
        check_columns(name, text)
        if len(lines) > LINES_FILE:
            bad.append(f"{name}: {len(lines)} lines, {LINES_FILE} at most")
        if folder != "tests":
            check_calls(file, name, lines)
            check_functions(name, lines)

print("\n".join(bad))
sys.exit(bool(bad))
