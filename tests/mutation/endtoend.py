# SPDX-License-Identifier: ISC
"""Tries a mutant that neither unit tests nor the simulation find: it is linked
into the true programs, and the end-to-end tests that run its line are asked,
those first whose names have words of the file's."""
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import tempfile
import threading

from mutation import scratch as scratch_room
from mutation import state
from mutation.counters import Counters

PROGRAMS = ["posthoused", "posthouse", "posthouse-spf"]
PYTHON = "/usr/bin/python3"  # the one that has Debian's pytest
# Programs without it write counters down at their end, which a sandbox
# forbids.
UNCOUNTED = """
void __gcov_init(void *p) { (void)p; }
void __gcov_exit(void) {}
void __gcov_dump(void) {}
void __gcov_merge_add(long long *c, unsigned n) { (void)c; (void)n; }
"""
PRODUCT = ("relay/", "policy/", "conf/")
FAILED = re.compile(r"^(?:FAILED|ERROR) \S*?(test_\w+\.py(?:::\w+)?)", re.M)
DULL = {"relay", "cmd", "c", "test", "py", "a", "is", "the", "of"}
# A test that waits in vain ends after so long, which is long for one that
# passes; a whole file of them takes its usual time many times over.
DEADLINE_S, TIMEOUT_S, PATIENCE = 30, 150, 8
AT_ONCE = 4


def words(text):
    return set(re.findall(r"[a-z0-9]+", text)) - DULL


def kinship(name, test):
    """How many words of a source's path a test's name has; those of its
    file count twice."""
    file, _, function = test.partition("::")
    there, here = words(file), words(function)
    return sum(2 * any(w.startswith(word) for w in there) +
               any(w.startswith(word) for w in here)
               for word in words(name))


def choose(name, tests, most):
    """(tests for a change of a source, their seconds), of {test: seconds};
    at most so many seconds, the next of kin and the quickest first."""
    chosen, seconds = [], 0
    for test in sorted(tests, key=lambda t: (-kinship(name, t), tests[t])):
        if seconds + tests[test] <= most:
            chosen.append(test)
            seconds += tests[test]
    return chosen, seconds


def failed_of(text, tests):
    """The first of the tests that pytest says failed; a whole file may stand
    in the list for its functions."""
    for test in FAILED.findall(text):
        for name in (test, test.split("::")[0]):
            if name in tests:
                return name
    return None


class EndToEnd:
    def __init__(self, scratch, runner, opts):
        self.scratch, self.runner, self.opts = scratch, runner, opts
        self.programs = scratch.programs(PROGRAMS)
        self.plain = scratch.folder / "plain"
        self.tests, self.left_out = {}, set()
        self.lock = threading.Lock()

    def prepare(self):
        """Links the unchanged programs, and runs all the tests once to see
        which lines they run, unless that is known of this tree."""
        self.plain.mkdir(exist_ok=True)
        scratch_room.run(
            self.scratch.cc[-1:] + ["-x", "c", "-c", "-", "-o",
                                    str(self.plain / "uncounted.o")],
            self.scratch.folder, self.scratch.log, UNCOUNTED.encode())
        for program in self.programs:
            if not self.link(program, None, None, self.plain / program.name):
                raise scratch_room.Failed(f"{program.name} does not link")
        path = self.scratch.folder / f"counters-{self.digest()}.db"
        if path.exists():
            self.counters = Counters(path, self.scratch.build,
                                     self.scratch.source)
        else:
            self.counters = self.count(path)
        self.tests = {name: seconds for name, seconds in
                      self.counters.tests().items()
                      if fnmatch.fnmatch("tests/e2e/" + name.split("::")[0],
                                         self.opts.tests + "*")}

    def digest(self):
        names = [name for name in self.scratch.names
                 if name.startswith(PRODUCT + ("tests/e2e/",))]
        # Counters belong to the notes that the compiler wrote with an object.
        made = [file.stat().st_mtime_ns for folder in PRODUCT
                for file in (self.scratch.build / folder).rglob("*.gcno")]
        sum_ = hashlib.sha256(str(max(made)).encode())
        for name in names:
            sum_.update(name.encode() + b"\0" +
                        (self.scratch.source / name).read_bytes())
        return sum_.hexdigest()[:16]

    def count(self, path):
        for old in self.scratch.folder.glob("counters-*"):
            old.unlink()
        print("counting what each end-to-end test runs", flush=True)
        with tempfile.TemporaryDirectory(prefix="counting-",
                                         dir=self.scratch.folder) as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            (folder / "counted").mkdir()
            home = self.home(folder / "build", self.scratch.build)
            self.pytest([], home, "count.log", wall=4 * 3600, more={
                "MUTATE_COUNTERS": str(folder / "counted"),
                "PH_SANDBOX": "off"})
            return Counters.take(path, self.scratch.build,
                                 self.scratch.source, folder / "counted")

    def home(self, folder, programs):
        """A build folder whose programs are those of another folder; each may
        be replaced, and the daemon finds the others beside itself."""
        folder.mkdir(parents=True)
        for entry in self.scratch.build.iterdir():
            if entry.name not in PROGRAMS + ["e2e"]:
                (folder / entry.name).symlink_to(entry)
        for name in PROGRAMS:
            os.link(programs / name, folder / name)
        return folder

    def link(self, program, unit_object, made, output):
        return scratch_room.relink(
            self.scratch, program, unit_object, made, output,
            [str(self.plain / "uncounted.o"), "-Wl,-z,muldefs"])

    def pytest(self, tests, home, log, wall, more=None):
        """Runs tests, all if none are named; (how it ended, its log)."""
        top = self.scratch.source / "tests"
        log = self.scratch.folder / log
        more = dict(more or {}, PH_BUILD=str(home), PYTHONPATH=str(top),
                    PYTHONDONTWRITEBYTECODE="1")
        command = [PYTHON, "-m", "pytest", "-q", "--rootdir", top / "e2e",
                   "-c", top / "e2e/pytest.ini"]
        if tests:
            more["PH_DEADLINE"] = str(DEADLINE_S)
            command += ["-x", "--timeout", TIMEOUT_S,
                        "-n", min(AT_ONCE, len(tests))]
            command += [top / "e2e" / name for name in tests]
        else:
            command += ["-p", "mutation.count_apart", "-n", 2 * AT_ONCE,
                        top / "e2e"]
        ended = self.runner.run(command, cpu=1800, wall=wall, log=log,
                                more=more)
        return ended, log.read_text(errors="replace")

    def for_change(self, name, line):
        """The tests to run, no longer together than was asked for."""
        with self.lock:
            found = self.counters.reaching(name[:-2] + ".o", line)
        if found is None:  # then a name is all there is to go by
            found = [t for t in self.tests if kinship(name, t) > 0]
        found = [t for t in found
                 if t in self.tests and t not in self.left_out]
        return choose(name, {t: self.tests[t] for t in found}, self.opts.e2e)

    def try_one(self, mutant, folder, made):
        """A verdict of the end-to-end tests."""
        tests, seconds = self.for_change(mutant.name, mutant.site.line)
        doubtful = []
        if not tests:
            return state.Verdict(False, None, False, 0, doubtful)
        folder.chmod(0o755)
        home = self.home(folder / "build", self.plain)
        for program in self.programs:
            if mutant.name[:-2] + ".o" in program.objects:
                (home / program.name).unlink()
                if not self.link(program, mutant.name[:-2] + ".o", made,
                                 home / program.name):
                    raise scratch_room.Failed(
                        f"{program.name} does not link with {mutant.id}")
        wall, left = 2 * TIMEOUT_S + PATIENCE * seconds, list(tests)
        log = f"{folder.name}.log"
        while left:
            ended, text = self.pytest(left, home, log, wall)
            if ended.ok:
                break
            test = failed_of(text, left)
            if test is None:  # it did not end, or pytest itself failed
                doubtful.append("late" if ended.late else "pytest")
                break
            if self.for_sure(test, folder, home):
                (self.scratch.folder / log).unlink()
                return state.Verdict(True, test, False, len(tests), doubtful)
            doubtful.append(test)
            left.remove(test)
        (self.scratch.folder / log).unlink(missing_ok=True)
        return state.Verdict(False, None, False, len(tests), doubtful)

    def for_sure(self, test, folder, home):
        """Whether it fails again with the mutant, and not without it."""
        log, wall = f"{folder.name}.again.log", 2 * TIMEOUT_S + PATIENCE * (
            self.tests[test])
        again, _ = self.pytest([test], home, log, wall)
        sure = not again.ok
        if sure:
            unchanged = self.home(folder / "unchanged" / "build", self.plain)
            plain, _ = self.pytest([test], unchanged, log, wall)
            if not plain.ok:
                self.left_out.add(test)
                sure = False
            shutil.rmtree(unchanged.parent)
        (self.scratch.folder / log).unlink()
        return sure
