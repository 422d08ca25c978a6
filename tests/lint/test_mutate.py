#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Tests of tests/mutate: what it changes, and what it leaves alone."""
import os
import pathlib
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from mutation import counters, endtoend, operators  # noqa: E402
from mutation import reach, state  # noqa: E402

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


COUNTED = """int twice(int n)
{
	return 2 * n;
}
static int never(void)
{

	return 7;
}
int main(int argc, char **argv)
{
	switch (argc) {
	case 9:
		return never();
	default:
		break;
	}
	if (argc > 1 &&
	    argv[1][0] == 'x')
		return 1;
	return twice(argc - 1);
}
"""


class Reach(unittest.TestCase):
    def never(self, name, kept=True):
        """What a run of COUNTED says that it never ran, the set of lines."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / name).write_text(COUNTED)
            (folder / "there").mkdir()
            subprocess.run(["gcc", "--coverage", "-c", name], cwd=folder,
                           check=True)
            subprocess.run(["gcc", "--coverage", "-o", "run", "a.o"],
                           cwd=folder, check=True)
            if kept:
                subprocess.run(["./run"], cwd=folder, check=True, env=dict(
                    os.environ, GCOV_PREFIX=str(folder / "there")))
            found = reach.never_run(
                pathlib.Path(str(folder / "there") + str(folder)), folder,
                folder, ["a.o"])
        return found.get("a.o")

    @unittest.skipUnless(shutil.which("gcov"), "no gcov")
    def test_lines_that_did_not_run(self):
        never = self.never("a.c")
        lines = {n for n in range(1, 24) if not reach.runs(never, n)}
        # Line 13 is a label: with another value it is reached.
        self.assertEqual(lines, {5, 6, 7, 8, 9, 14, 19, 20})

    @unittest.skipUnless(shutil.which("gcov"), "no gcov")
    def test_without_counters_nothing_is_known(self):
        never = self.never("a.c", kept=False)
        self.assertIsNone(never)
        self.assertTrue(reach.runs(never, 5))


class Apart(unittest.TestCase):
    """Which end-to-end test runs a line."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        (self.folder / "a.c").write_text(COUNTED)
        (self.folder / "b.c").write_text("")
        (self.folder / "counted").mkdir()
        for command in ("-c a.c", "-o run a.o"):
            subprocess.run(["gcc", "--coverage", *command.split()],
                           cwd=self.folder, check=True)

    def run_test(self, name, arguments):
        where = self.folder / name
        subprocess.run(["./run"] + ["x"] * arguments, cwd=self.folder, env=dict(
            os.environ, GCOV_PREFIX=str(where)))
        with open(self.folder / "counted/1", "ab") as out:
            pickle.dump((name, 0.5, counters.packed(where)), out)

    @unittest.skipUnless(shutil.which("gcov"), "no gcov")
    def test_lines_of_each(self):
        self.run_test("test_a.py::one", 0)
        self.run_test("test_a.py::one", 0)
        self.run_test("test_b.py", 8)
        found = counters.Counters.take(self.folder / "c.db", self.folder,
                                       self.folder, self.folder / "counted")
        self.assertEqual(found.tests(),
                         {"test_a.py::one": 1.0, "test_b.py": 0.5})
        for line, tests in ((3, ["test_a.py::one"]), (8, ["test_b.py"]),
                            (12, ["test_a.py::one", "test_b.py"]), (20, [])):
            self.assertEqual(found.reaching("a.o", line), set(tests))
        self.assertIsNone(found.reaching("b.o", 1))

    def test_the_next_of_kin_come_first(self):
        tests = {"test_queue.py::test_list": 3, "test_wave_run.py::test_x": 1,
                 "test_tags.py::test_in_a_queue": 2, "test_login.py": 9}
        self.assertEqual(
            endtoend.choose("relay/cli/queue/cmd_queue.c", tests, 7),
            (["test_queue.py::test_list", "test_tags.py::test_in_a_queue",
              "test_wave_run.py::test_x"], 6))

    def test_the_one_that_failed(self):
        text = ("FAILED e2e/test_a.py::test_one[x y] - assert 1\n"
                "ERROR ../source/tests/e2e/test_b.py::test_two - boom\n")
        self.assertEqual(endtoend.failed_of(text, ["test_b.py",
                                                   "test_c.py"]), "test_b.py")
        self.assertEqual(endtoend.failed_of(text, ["test_a.py::test_one"]),
                         "test_a.py::test_one")
        self.assertIsNone(endtoend.failed_of("1 passed", ["test_b.py"]))


class Known(unittest.TestCase):
    """What an earlier run leaves for the next one."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "verdicts"

    def test_goes_on_where_it_was(self):
        verdict = state.Verdict(True, "test_x", False, 3, ["test_y"])
        first = state.State(self.path, "this")
        first.put("a.c:1:2:0", state.TRIED, verdict)
        first.put("a.c:1:2:1", state.EQUIVALENT)
        with open(self.path, "a") as out:
            out.write('["this", "a.c:9')  # killed while it wrote
        again = state.State(self.path, "this")
        self.assertEqual(again.get("a.c:1:2:0"), (state.TRIED, verdict))
        self.assertEqual(again.get("a.c:1:2:1"), (state.EQUIVALENT, None))
        again.put("a.c:1:2:2", state.BROKEN)
        self.assertEqual(len(state.State(self.path, "this").known), 3)

    def test_another_tree_begins_again(self):
        state.State(self.path, "this").put("a.c:1:2:0", state.BROKEN)
        self.assertIsNone(state.State(self.path, "that").get("a.c:1:2:0"))

    def test_what_makes_another_tree(self):
        tree = pathlib.Path(self.folder.name)
        names = ["a.c", "a.md"]
        for name in names:
            (tree / name).write_text("1")
        first = state.digest(tree, names, ["none", 40])
        (tree / "a.md").write_text("2")
        self.assertEqual(state.digest(tree, names, ["none", 40]), first)
        self.assertNotEqual(state.digest(tree, names, ["none", 0]), first)
        (tree / "a.c").write_text("2")
        self.assertNotEqual(state.digest(tree, names, ["none", 40]), first)


if __name__ == "__main__":
    unittest.main()
