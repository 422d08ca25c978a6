# SPDX-License-Identifier: ISC
"""What is known of each mutant of a tree, kept in a file, so that a run that
was ended goes on where it was."""
import hashlib
import json
from collections import namedtuple

TRIED, EQUIVALENT, BROKEN = "tried", "equivalent", "did not compile"
# What decides whether a mutant is found; not what tries it.
SOURCES = (".c", ".h", ".inc", ".am", ".ac", ".y", ".l", ".profile")

Verdict = namedtuple("Verdict", "found by timeout tests doubtful")


def digest(tree, names, options):
    """One number for the sources of a tree and what is asked of its tests."""
    sum_ = hashlib.sha256(repr(options).encode())
    for name in sorted(names):
        if name.endswith(SOURCES):
            sum_.update(name.encode() + b"\0" + (tree / name).read_bytes())
    return sum_.hexdigest()[:16]


class State:
    """A line of JSON for each mutant that was compiled and, if it could be,
    tried. Lines of other trees stay, and are not looked at."""

    def __init__(self, path, which):
        self.path, self.which, self.known = path, which, {}
        text = path.read_text() if path.exists() else ""
        for line in text.splitlines():
            self.read(line)
        if text and not text.endswith("\n"):  # a run that was killed
            self.append("\n")

    def read(self, line):
        try:
            tree, mutant, kind, verdict = json.loads(line)
        except ValueError:
            return
        if tree == self.which:
            self.known[mutant] = kind, Verdict(*verdict) if verdict else None

    def get(self, mutant):
        """(kind, verdict) of a mutant, or None."""
        return self.known.get(mutant)

    def put(self, mutant, kind, verdict=None):
        self.known[mutant] = kind, verdict
        self.append(json.dumps([self.which, mutant, kind, verdict]) + "\n")

    def append(self, text):
        with open(self.path, "a") as out:
            out.write(text)
