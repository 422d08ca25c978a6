#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Tests of tests/mutate: what it changes, and what it leaves alone."""
import pathlib
import re
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from mutation import operators, reach  # noqa: E402

SAMPLE = r'''/* Comment: a < b && c == 1. */
#include <x.h>
#define LIMIT(n) ((n) < 10 ? (n) : \
	(n) + 1)
struct point { int x : 3; char name[16]; };
static const int table[] = { 7, 0x10, 0600 };

static int f(struct point *p, int n)
{
	char buf[64];	// n + 1
	const char *s = "n < 1 \" + 2", c = '"';

	log_info("start", "n", n + 1);
	PH_ASSERT(n > 0);
	for (int i = 0; i < n; i++)
		work(p, i);
	if (n <= 3 && !p->x)
		return -n * 2;
	while (p->x != 5)
		p->next(p,
		    n);
	return n & 1 ? true : p[2].x;
}
'''


def changes(text):
    """{(line, before): [after...]}; the list of one place is in order."""
    found = {}
    for site in operators.sites(text):
        key = site.line, " ".join(text[site.start:site.end].split())
        found.setdefault(key, []).append(site.after)
    return found


class Operators(unittest.TestCase):
    def setUp(self):
        self.changes = changes(SAMPLE)

    def line(self, text):
        return SAMPLE[:SAMPLE.index(text)].count("\n") + 1

    def test_operators(self):
        line = self.line("if (n <= 3")
        self.assertEqual(self.changes[line, "<="], ["<", ">"])
        self.assertEqual(self.changes[line, "&&"], ["||"])
        self.assertEqual(self.changes[line, "!"], [""])
        self.assertEqual(self.changes[line + 1, "*"], ["+"])
        self.assertEqual(self.changes[line + 1, "-"], [""])
        self.assertEqual(self.changes[self.line("n & 1"), "&"], ["|"])
        self.assertEqual(self.changes[self.line("i++"), "++"], ["--"])

    def test_constants(self):
        line = self.line("static const int table")
        self.assertEqual(self.changes[line, "7"], ["8", "6"])
        self.assertEqual(self.changes[line, "0x10"], ["0x11", "0xf"])
        self.assertEqual(self.changes[line, "0600"], ["0601", "0577"])
        self.assertEqual(self.changes[self.line("int i = 0"), "0"], ["1"])
        self.assertEqual(self.changes[self.line("true"), "true"], ["false"])
        self.assertEqual(self.changes[self.line("c = '"), "'\"'"],
                         ["('\"' + 1)"])

    def test_failed(self):
        self.assertEqual(changes("int f(void)\n{\n\treturn -1;\n}\n"),
                         {(3, "-"): [""], (3, "1"): ["0"]})

    def test_conditions(self):
        old = "n <= 3 && !p->x"
        self.assertEqual(
            self.changes[self.line(old), old],
            [f"!({old})", f"0 && ({old})", f"1 || ({old})"])
        self.assertEqual(self.changes[self.line("for ("), "i < n"],
                         ["!(i < n)", "0 && (i < n)"])
        self.assertEqual(self.changes[self.line("while ("), "p->x != 5"],
                         ["!(p->x != 5)", "0 && (p->x != 5)"])

    def test_calls(self):
        self.assertEqual(self.changes[self.line("work("), "work(p, i);"],
                         [";"])
        self.assertEqual(self.changes[self.line("p->next"),
                                      "p->next(p, n);"], [";"])

    def test_left_alone(self):
        lines = {line for line, _ in self.changes}
        body = self.line("static int f")
        self.assertEqual({n for n in lines if n < body},
                         {self.line("static const int table")})
        for text in ("char buf", "log_info", "PH_ASSERT"):
            self.assertNotIn(self.line(text), lines)

    def test_pointers_are_not_products(self):
        text = "int f(char *p)\n{\n\tg((char *)&p, *p, &p[i], -i);\n}\n"
        self.assertEqual({before for _, before in changes(text)},
                         {"g((char *)&p, *p, &p[i], -i);", "-"})

    def test_strings_comments_and_directives_stay(self):
        kept = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|'
                          r'^#(?:\\\n|[^\n])*', re.S | re.M)
        # A character that looks like the begin of a string.
        plain = SAMPLE.replace("'\"'", "'x'")
        for site in operators.sites(plain):
            if site.kind != "call":
                changed = operators.mutate(plain, site)
                self.assertEqual(kept.findall(changed), kept.findall(plain))

    def test_lines_keep_their_numbers(self):
        for site in operators.sites(SAMPLE):
            changed = operators.mutate(SAMPLE, site)
            self.assertNotEqual(changed, SAMPLE)
            self.assertEqual(changed.count("\n"), SAMPLE.count("\n"))


def record(tag, body):
    return struct.pack("<Ii", tag, len(body)) + body


def word(text):
    return struct.pack("<I", len(text) + 1) + text + b"\0"


class Reach(unittest.TestCase):
    """Files as GCC 12 writes them."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "file"

    def test_functions(self):
        body = (struct.pack("<III", 77, 0, 0) + word(b"main") +
                struct.pack("<I", 0) + word(b"a.c") +
                struct.pack("<IIII", 12, 5, 18, 1))
        self.path.write_bytes(
            b"oncg*22B" + bytes(8) + word(b"/tmp") +
            struct.pack("<I", 1) + record(reach.FUNCTION, body))
        found = reach.functions(self.path)
        self.assertEqual(found, [(12, 18, 77)])
        self.assertEqual(reach.ident_at(found, 18), 77)
        self.assertIsNone(reach.ident_at(found, 19))

    def test_entered(self):
        def function(ident, counters):
            return (record(reach.FUNCTION, struct.pack("<III", ident, 0, 0)) +
                    counters)
        self.path.write_bytes(
            b"adcg*22B" + bytes(8) +
            function(1, record(reach.COUNTERS, struct.pack("<QQ", 0, 4))) +
            function(2, record(reach.COUNTERS, bytes(16))) +
            function(3, struct.pack("<Ii", reach.COUNTERS, -16)) +
            function(4, record(reach.COUNTERS, struct.pack("<Q", 1))))
        self.assertEqual(reach.entered(self.path), {1, 4})

    def test_unreadable(self):
        self.path.write_bytes(b"oncg")
        self.assertIsNone(reach.functions(self.path))
        self.assertEqual(reach.entered(self.path / "none"), set())


if __name__ == "__main__":
    unittest.main()
