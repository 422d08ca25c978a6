#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a script can say about style: banned calls, sizes, names, and what
comments and pages refer to."""
import collections
import posixpath
import re
import sys

sys.dont_write_bytecode = True

import pages
import reload
import runner
import words

LINES_FILE, LINES_TEST, LINES_FUNCTION, PARAMETERS = 500, 650, 40, 5
COLUMNS, COLUMNS_TABLE = 80, 100
BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|system|popen|"
    r"alloca|sleep|usleep|setjmp|longjmp)\s*\(")
ONLY_IN = {  # call: the files that may
    re.compile(r"(?<![>.\w])(malloc|calloc|realloc|free)\s*\("):
        "relay/base/mem.c relay/base/alloc.c",
    re.compile(r"\b(clock_gettime|time|gettimeofday)\s*\("):
        "relay/base/clock.c",
    # Hashed by its own function a stranger could make every key collide.
    re.compile(r"#\s*include\s*(<uthash\.h>)"): "relay/base/hashtable.h",
}


def licence(tree):
    """each C file begins with an SPDX line"""
    for s in tree.sources + tree.test_sources:
        if "SPDX-License-Identifier: ISC" not in s.text[:200]:
            yield f"{s.name}:1: no SPDX line"


def banned(tree):
    """calls that nobody may make, or one file alone"""
    for s in tree.sources:
        for n, line in enumerate(s.bare.splitlines(), 1):
            m = BANNED.search(line)
            if m:
                yield f"{s.name}:{n}: {m.group(1)}() is banned"
            for call, owner in ONLY_IN.items():
                m = call.search(line)
                if m and s.name not in owner.split():
                    yield f"{s.name}:{n}: {m.group(1)} belongs in {owner}"


def columns(tree):
    """at most 80 columns, 100 where clang-format is off"""
    for s in tree.sources + tree.test_sources:
        limit = COLUMNS
        for n, line in enumerate(s.lines, 1):
            if "clang-format off" in line:
                limit = COLUMNS_TABLE
            if "clang-format on" in line:
                limit = COLUMNS
            width = len(line.expandtabs(8))
            if width > limit:
                yield f"{s.name}:{n}: {width} columns, {limit} at most"


def file_lines(tree):
    """at most 500 lines a file of the product, 650 of the tests"""
    for limit, sources in ((LINES_FILE, tree.sources),
                           (LINES_TEST, tree.test_sources)):
        for s in sources:
            if len(s.lines) > limit:
                yield f"{s.name}: {len(s.lines)} lines, {limit} at most"


def function_lines(tree):
    """at most 40 lines a function, its head and braces included"""
    for s in tree.sources:
        for f in s.functions:
            if f.lines > LINES_FUNCTION:
                yield (f"{s.name}:{f.first}: {f.name} has {f.lines} lines, "
                       f"{LINES_FUNCTION} at most")


def parameters(tree):
    """at most 5 parameters; a library's callback has as many as it must"""
    for s in tree.sources:
        for n, name, number in s.parameter_lists:
            if number > PARAMETERS and not tree.is_library_callback(s, name):
                yield (f"{s.name}:{n}: {name} has {number} parameters, "
                       f"{PARAMETERS} at most")


def struct_name(tree):
    """no two structs of one name in the product"""
    yield from _twice("struct ", ((name, f"{s.name}:{n}") for s in tree.sources
                                  for n, name in s.structs))


def file_name(tree):
    """no two files of one name in the product"""
    yield from _twice("", ((posixpath.basename(s.name), s.name)
                           for s in tree.sources))


def _twice(what, places):
    found = collections.defaultdict(list)
    for name, place in places:
        found[name].append(place)
    for name, where in sorted(found.items()):
        if len(where) > 1:
            yield f"{where[0]}: {what}{name} is also {', '.join(where[1:])}"


RULES = {
    "licence": licence, "banned": banned, "columns": columns,
    "file-lines": file_lines, "function-lines": function_lines,
    "parameters": parameters, "struct-name": struct_name,
    "file-name": file_name, **pages.RULES, **words.RULES,
    **reload.RULES,
}

if __name__ == "__main__":
    runner.main(RULES, __doc__)
