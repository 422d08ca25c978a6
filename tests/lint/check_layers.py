#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Holds every include and call between folders against layers.txt."""
import sys

sys.dont_write_bytecode = True

import graph
import runner
from tree import TOP

FILES = 25  # .c files a folder


def listed(tree):
    """each folder with C files is a line of layers.txt, and the reverse"""
    layers = tree.layers
    for folder in tree.folders:
        if folder not in layers.line:
            yield f"{folder}: not in {layers.name}"
    for n, folder in layers.twice:
        yield f"{layers.name}:{n}: {folder} is listed twice"
    for folder, n in layers.line.items():
        for name in [folder] + [a for a in layers.arrows[folder] if a != "*"]:
            if name not in tree.folders:
                yield f"{layers.name}:{n}: no C files in {name}"


def star(tree):
    """only relay/daemon may include all"""
    for folder, arrows in tree.layers.arrows.items():
        if "*" in arrows and folder != TOP:
            yield (f"{tree.layers.name}:{tree.layers.line[folder]}: "
                   f"{folder} may not include everything")


def include(tree):
    """an include is in its folder's line"""
    for s in tree.sources:
        for n, to in s.includes:
            folder = to.rpartition("/")[0]
            if to == "config.h" or tree.layers.may(s.folder, folder):
                continue
            yield f"{s.name}:{n}: {s.folder} may not include {to}"


def call(tree):
    """a call or use of another folder's function or table is in the line"""
    for s in tree.sources:
        for n, word in s.uses:
            owners = tree.owners.get(word, ())
            if not owners or any(tree.layers.may(s.folder, o)
                                 for o in owners):
                continue
            yield (f"{s.name}:{n}: {s.folder} may not use {word} of "
                   f"{' or '.join(sorted(owners))}")


def circle_listed(tree):
    """no circle of arrows in layers.txt"""
    return _circles(tree.layers.graph(), tree.layers.name)


def circle_folders(tree):
    """no circle of includes between folders"""
    return _circles(tree.folder_includes, "folders")


def circle_files(tree):
    """no circle of includes between files; a file and its header are one"""
    # a.c includes b.h and b.c includes a.h: no circle for the compiler, one
    # for the reader.
    arrows = {}
    for s, _, to in tree.includes():
        if s.stem != to.stem:
            arrows.setdefault(s.stem, set()).add(to.stem)
    yield from _circles(arrows, "files")
    headers = {}
    for s, _, to in tree.includes():
        headers.setdefault(s.name, set()).add(to.name)
    yield from _circles(headers, "files")


def many_files(tree):
    """at most 25 .c files a folder"""
    for folder in tree.folders:
        n = sum(s.folder == folder and s.name.endswith(".c")
                for s in tree.sources)
        if n > FILES:
            yield f"{folder}: {n} .c files, {FILES} at most"


def _circles(arrows, what):
    return (f"{what}: a circle: {line}" for line in graph.circles(arrows))


RULES = {
    "listed": listed, "star": star, "include": include, "call": call,
    "circle-listed": circle_listed, "circle-folders": circle_folders,
    "circle-files": circle_files, "many-files": many_files,
}

if __name__ == "__main__":
    runner.main(RULES, __doc__)
