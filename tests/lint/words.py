# SPDX-License-Identifier: ISC
"""How comments are written, and whether the functions that comments and
pages name are there. Part of check_style.py."""
import re

# doc/promises.md names a file and a function of it, then further functions.
NAMING = ("doc/promises.md", "doc/architecture.md")
BEGINS = re.compile(r"[/*\s.…-]*(?:SPDX-License-Identifier: ISC[*\s]+)?"
                    r"(Who|Whom|Whose|What)\b")
PERSONS = re.compile(r"\b(nobody|somebody|anybody|everybody|whoever|he|him|"
                     r"his|himself)\b", re.I)
QUOTED = re.compile(r"\"[^\"]*\"|`[^`]*`|<[^<>\s]*>")
CALLED = re.compile(r"(\w+)\s*\)?\s*\(")
NAME = re.compile(r"\b([a-z_]\w+)\(\)")
# A file, and maybe one of its functions; a function; the end of an item.
MENTION = re.compile(r"`([\w./-]+\.(?:[ch]|py|sh))(?::\s+(\w+)(?:\(\))?)?`|"
                     r"`(\w+)\(\)`|(\n(?=\n|[-|] |\d+\. ))")


def words(tree):
    """a comment is about things: no Who, What, nobody or he"""
    for s in tree.sources + tree.test_sources:
        for n, text in s.comments:
            m = BEGINS.match(text)
            if m:
                at = n + text.count("\n", 0, m.start(1))
                yield f"{s.name}:{at}: a comment begins with {m.group(1)}"
            plain = QUOTED.sub(lambda m: " " * len(m.group(0)), text)
            for m in PERSONS.finditer(plain):
                at = n + text.count("\n", 0, m.start())
                yield f"{s.name}:{at}: a comment says {m.group(0)}"


def gone(tree):
    """a function that a comment names is there, ours or a library's"""
    called = {m.group(1) for s in tree.sources + tree.test_sources
              for m in CALLED.finditer(s.bare)}
    for s in tree.sources:
        for n, text in s.comments:
            for m in NAME.finditer(text):
                if m.group(1) not in called:
                    at = n + text.count("\n", 0, m.start())
                    yield f"{s.name}:{at}: {m.group(0)} is nowhere"


def named(tree):
    """a function that promises.md or architecture.md names is in its file"""
    for name in set(NAMING) & set(tree.files):
        text, source = (tree.root / name).read_text(), None
        for m in MENTION.finditer(text):
            at = f"{name}:{text.count(chr(10), 0, m.start()) + 1}"
            if m.group(4):
                source = None
            elif m.group(1):
                source = _source(tree, m.group(1))
                if source is None:
                    yield f"{at}: no file {m.group(1)}"
            function = m.group(2) or m.group(3)
            if function and source is not None and \
                    not re.search(rf"\b{function}\(", source):
                yield f"{at}: {function}() is not in its file"


def _source(tree, reference):
    """Its text; tests are named without their folder."""
    for name in (reference, f"tests/{reference}"):
        if name in tree.files:
            return (tree.root / name).read_text(errors="replace")
    return None


RULES = {"words": words, "gone": gone, "named": named}
