# SPDX-License-Identifier: ISC
"""What comments and pages refer to must be in the tree: the code of a
promise, a page, a file. Part of check_style.py."""
import posixpath
import re

from tree import NOT_OURS

PROMISES, JOURNAL = "doc/promises.md", "doc/journal.md"
# The letters of promises.md (a new one there counts as well) and of journal.md.
FAMILIES = "TDREAJ"
CODE = r"[A-Z]\d{1,2}"
USE = re.compile(rf"(?<![\w\\{{&%+/.]){CODE}(?![\w(])")
# | T1 | ..., ### T1 ..., - **T1** ...; a row may hold several or a range.
DEFINES = re.compile(rf"\s*[|#*-][|#*`\s-]*({CODE}(?:[,\s–-]+{CODE})*)"
                     r"[`*\s]*(?:[|.:–—-]|$|\s)")
RANGE = re.compile(r"([A-Z])(\d+)(?:\s*[–-]\s*\1(\d+))?")
PAGE = re.compile(r"(?<![\w*])[\w./-]*\w\.md\b")
# Outside of the repository: a folder beside it.
OUTSIDE = re.compile(r"\.\./shared")
FILE = re.compile(r"(?<![\w./*-])[a-z_][\w./-]*\.(?:c|h|py|inc)\b")
HISTORY = re.compile(r"#+ .*\bhistory\b", re.I)


def defined(tree, page_name):
    """{code: line} of the codes that a page defines"""
    found = {}
    for n, line in dict(tree.pages).get(page_name, ()):
        m = DEFINES.match(line)
        for code in _codes(m.group(1)) if m else ():
            found.setdefault(code, n)
    return found


def promise(tree):
    """the code of a promise is defined in doc/promises.md"""
    promises, journal = defined(tree, PROMISES), defined(tree, JOURNAL)
    families = set(FAMILIES) | {code[0] for code in promises}
    for code, n in sorted(promises.items()):
        if code[0] == "J":
            yield f"{PROMISES}:{n}: {code} is for {JOURNAL} to define"
    for code, n in sorted(journal.items()):
        if code[0] in families - {"J"}:
            yield f"{JOURNAL}:{n}: {code} is for {PROMISES} to define"
    known = set(promises) | set(journal)
    for name, n, text in _prose(tree):
        for m in USE.finditer(text):
            code = m.group(0)
            if code[0] in families and code not in known:
                yield f"{name}:{n}: {code}: no page defines it"


def page(tree):
    """a page that is referred to is in the tree"""
    there = [f for f in tree.files if f.endswith(".md")]
    for name, n, text in _prose(tree):
        for m in OUTSIDE.finditer(text):
            yield f"{name}:{n}: {m.group(0)} is outside of the tree"
        for m in PAGE.finditer(text):
            if not any(_ends(f, m.group(0)) for f in there):
                yield f"{name}:{n}: no page {m.group(0)}"


def file(tree):
    """a file that is referred to is in the tree; NAME.c and x.c are any"""
    there = [f"/{f}" for f in tree.files]
    system = {to for s in tree.sources + tree.test_sources
              for to in s.system_includes}
    known = {}
    for name, n, text in _prose(tree, history=False):
        for m in FILE.finditer(text):
            ref = m.group(0)
            if ref not in known:
                stem = ref.rpartition("/")[2].partition(".")[0]
                known[ref] = (
                    len(stem) == 1 or stem.isupper() or ref in system or
                    bool(NOT_OURS.match(ref)) or
                    any(f.endswith(f"/{ref}") for f in there))
            if not known[ref]:
                yield f"{name}:{n}: no file {ref}"


def _codes(text):
    for m in RANGE.finditer(text):
        for i in range(int(m.group(2)), int(m.group(3) or m.group(2)) + 1):
            yield f"{m.group(1)}{i}"


def _ends(file_name, reference):
    """`doc/routing.md` is also `routing.md`, and an installed page is where
    /usr/share/doc/posthouse/doc/routing.md says."""
    reference = posixpath.normpath("/" + reference)
    return f"/{file_name}".endswith(reference) or \
        reference.endswith(f"/{file_name}")


def _prose(tree, history=True):
    """(file, line, text) of all that is written for people. NEWS.md, and a
    section whose heading says history, tell of what was."""
    for name, lines in tree.comments:
        for n, text in lines:
            yield name, n, text
    for name, lines in tree.pages:
        past = False
        for n, text in lines:
            if text.startswith("#"):
                past = bool(HISTORY.match(text))
            if history or not (past or name == "NEWS.md"):
                yield name, n, text


RULES = {"promise": promise, "page": page, "file": file}
