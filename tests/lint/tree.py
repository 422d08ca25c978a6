# SPDX-License-Identifier: ISC
"""The tree as a whole: its C files, its layers, and all that is written for
people to read (comments, pages, manuals)."""
import ast
import collections
import io
import os
import pathlib
import re
import tokenize
from functools import cached_property

from source import PRODUCT, Source

TOP = "relay/daemon"  # the one folder that may include all others
# Build folders, and what autotools leave between our own files.
NOT_OURS = re.compile(
    r"(build(-.*)?|autom4te\.cache|posthouse-[0-9].*|\.git|"
    r"(.*/)?(__pycache__|\.pytest_cache|\.deps|\.dirstamp)|configure~?|"
    r"aclocal\.m4|Makefile(\.in)?|config\.(status|log|h.*)|stamp-h1|"
    r"conf/profiles_text\.c)$")
HASH_COMMENTS = (".inc", ".am", ".ac", ".m4", ".sh", ".awk", ".profile", ".in",
                 ".supp", ".ini", ".txt", ".bash", ".logrotate")


class Layers:
    """layers.txt: `folder  what it may include`, or `*` for all."""

    def __init__(self, path):
        self.name = "tests/lint/layers.txt"
        self.line, self.arrows, self.twice = {}, {}, []
        text = path.read_text() if path.exists() else ""
        for n, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] in self.line:
                self.twice.append((n, words[0]))
            self.line[words[0]] = n
            self.arrows[words[0]] = words[1:]

    def may(self, folder, to):
        arrows = self.arrows.get(folder, [])
        return to == folder or to in arrows or "*" in arrows

    def graph(self):
        """{folder: what it may include}; the top may include all others."""
        return {a: set(self.line) - {TOP} if a == TOP else set(b) - {"*"}
                for a, b in self.arrows.items()}


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.layers = Layers(self.root / "tests/lint/layers.txt")

    @cached_property
    def files(self):
        """The name of every file that somebody wrote, sorted."""
        found = []
        for at, folders, names in os.walk(self.root):
            at = pathlib.Path(at).relative_to(self.root)
            folders[:] = [f for f in folders
                          if not NOT_OURS.match(str(at / f))]
            found += [str(at / n) for n in names]
        return sorted(f for f in found if not NOT_OURS.match(f))

    @cached_property
    def sources(self):
        """The product's C files."""
        return self._c_files(PRODUCT)

    @cached_property
    def test_sources(self):
        return self._c_files(("tests",))

    @cached_property
    def source(self):
        return {s.name: s for s in self.sources}

    @cached_property
    def folders(self):
        return sorted({s.folder for s in self.sources})

    def includes(self):
        """(file, line, the file that it includes) within the product."""
        for s in self.sources:
            for line, to in s.includes:
                if to in self.source:
                    yield s, line, self.source[to]

    @cached_property
    def folder_includes(self):
        """{folder: {other folder: number of includes}}"""
        found = {f: collections.Counter() for f in self.folders}
        for s, _, to in self.includes():
            if to.folder != s.folder:
                found[s.folder][to.folder] += 1
        return found

    @cached_property
    def owners(self):
        """{name of a function or table that others can see: its folders}"""
        found = collections.defaultdict(set)
        for s in self.sources:
            for name in s.exported:
                found[name].add(s.folder)
        found.pop("main", None)
        return found

    def is_library_callback(self, s, name):
        """A static function that is only handed to functions that are not
        ours, or stands in a table of functions that a library declares (its
        type is no struct of ours): the library says what it looks like."""
        if name not in {f.name for f in s.functions if f.static}:
            return False
        table = re.search(r"(\w+\s+)?\b\w+\s+\w+\s*=\s*\{[^{}]*=\s*" +
                          name + r"\b[^{}]*\}", s.bare)
        if table and (table.group(1) or "").strip() != "struct":
            return len(re.findall(rf"\b{name}\b", s.bare)) == 2
        takers = s.takers(name)
        return bool(takers) and not any(
            t is None or t in self.owners or
            t in {f.name for f in s.functions} for t in takers)

    @cached_property
    def pages(self):
        """[(file, [(line, text)])] of what is a page as a whole."""
        return [(f, list(enumerate(self._text(f).splitlines(), 1)))
                for f in self.files
                if re.search(r"\.(md|[1-8])$", f)]

    @cached_property
    def comments(self):
        """[(file, [(line, text)])] of the comments of all else."""
        found = [(s.name, _by_line(s.comments))
                 for s in self.sources + self.test_sources]
        for name in self.files:
            if name.endswith((".c", ".h", ".md")):
                continue
            if name.endswith(".py") or self._script(name, b"python"):
                found.append((name, _python(self._text(name))))
            elif name.endswith(HASH_COMMENTS) or self._script(name, b"sh"):
                found.append((name, _hashes(self._text(name))))
        return found

    # -- inside

    def _c_files(self, folders):
        return [Source(self.root, f) for f in self.files
                if f.endswith((".c", ".h")) and f.split("/")[0] in folders]

    def _text(self, name):
        return (self.root / name).read_text(errors="replace")

    def _script(self, name, language):
        if "." in os.path.basename(name):
            return False
        with open(self.root / name, "rb") as f:
            first = f.readline(100)
        return first.startswith(b"#!") and language in first


def _by_line(blocks):
    return [(line + i, text) for line, block in blocks
            for i, text in enumerate(block.splitlines())]


def _hashes(text):
    return [(n, line) for n, line in enumerate(text.splitlines(), 1)
            if re.match(r"\s*(#|dnl\b)", line) or re.search(r"\s# ", line)]


def _python(text):
    """Comments, and the strings that are documentation."""
    blocks = [(t.start[0], t.string) for t in tokenize.generate_tokens(
        io.StringIO(text).readline) if t.type == tokenize.COMMENT]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) \
                and ast.get_docstring(node, clean=False) is not None:
            string = node.body[0].value
            blocks.append((string.lineno, string.value))
    return _by_line(sorted(blocks))
