#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Holds the pages against the tree: each promise code that a comment, a test
or a page uses is defined in doc/promises.md, each file and function that
doc/promises.md or doc/architecture.md names exists, and no text refers to a page that
the repository does not have."""
import pathlib
import re
import subprocess
import sys

CODE = re.compile(r"(?<![\w=\\%{-])([TDREA](?:[1-9]|1[0-9])a?)(?![\w-])")
DEFINED = re.compile(r"^### ([TDREA]\d+a?)\. ", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
DOCSTRING = re.compile(r'"""(?:.*?)"""|#[^\n]*', re.S)
PAGE = re.compile(r"(?<![\w.%/-])((?:[\w.-]+/)*[\w-]+\.md)\b")
NAMED = re.compile(r"`([\w./-]+\.(?:[ch]|py|sh))(?::\s+(\w+)(?:\(\))?)?`")
ALSO = re.compile(r"`(\w+)\(\)`")
ITEM = r"\n(?=\n|[-|] |\d+\. )"
PAGES = ("doc/promises.md", "doc/architecture.md")
TEXT = (".c", ".h", ".py", ".md", ".sh", ".inc", ".conf", ".profile")
SKIP = ("tests/fuzz/seeds/", "tests/data/")


def tracked(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-z", "-co",
                          "--exclude-standard"], capture_output=True)
    if out.returncode == 0:
        names = out.stdout.decode().split("\0")
    else:  # a tree without git, as `make dist` makes it
        names = [str(p.relative_to(root)) for p in root.rglob("*")]
    return sorted(n for n in names if n and not n.startswith(SKIP)
                  and (root / n).is_file())


def comments(name, text):
    """The parts of a file that are written for people, with their place."""
    if name.endswith((".c", ".h")):
        found = COMMENT.finditer(text)
    elif name.endswith(".py"):
        found = DOCSTRING.finditer(text)
    else:
        return [(0, text)]
    return [(m.start(), m.group(0)) for m in found]


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def check_codes(name, text, defined):
    if name == "doc/promises.md":
        return []
    return [f"{name}:{line_of(text, at + m.start())}: {m.group(1)} is no "
            f"promise of doc/promises.md"
            for at, part in comments(name, text)
            for m in CODE.finditer(part) if m.group(1) not in defined]


def check_pages(name, text, names):
    """A page is named from the root, or by its name alone in its folder."""
    folder = name.rpartition("/")[0]
    return [f"{name}:{line_of(text, m.start())}: there is no {m.group(1)}"
            for m in PAGE.finditer(text)
            if m.group(1) not in names and
            f"{folder}/{m.group(1)}" not in names]


def find_file(path, names):
    for at in (path, f"tests/{path}"):
        if at in names:
            return at
    return None


def check_names(root, name, text, names):
    """`file: function()`, and further `function()` of the same file in the
    same paragraph or item."""
    bad, source = [], None
    for m in re.finditer(f"{NAMED.pattern}|{ALSO.pattern}|{ITEM}", text):
        where = f"{name}:{line_of(text, m.start())}"
        if m.group(0).startswith("\n"):
            source = None
        elif m.group(1):
            path = find_file(m.group(1), names)
            source = (root / path).read_text() if path else None
            if path is None:
                bad.append(f"{where}: there is no {m.group(1)}")
        function = m.group(2) or m.group(3)
        if function and source is not None and \
                not re.search(rf"\b{function}\(", source):
            bad.append(f"{where}: {function}() is not there")
    return bad


def check(root):
    names = tracked(root)
    every, bad = set(names), []
    promises = root / "doc/promises.md"
    defined = set(DEFINED.findall(promises.read_text())) \
        if promises.exists() else set()
    for name in names:
        if not name.endswith(TEXT):
            continue
        text = (root / name).read_text(errors="replace")
        bad += check_codes(name, text, defined)
        bad += check_pages(name, text, every)
        if name in PAGES:
            bad += check_names(root, name, text, every)
    return bad


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found))
    sys.exit(bool(found))
