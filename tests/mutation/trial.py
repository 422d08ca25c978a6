# SPDX-License-Identifier: ISC
"""Runs unit tests and the simulation shut in: with a time-out, without a
network, and with a /tmp and /dev/shm of their own, where a mutant may leave
what it likes."""
import os
import pathlib
import pickle
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections import namedtuple

from mutation import reach

FILE = 2 << 30
SHUT_IN = ["unshare", "-m", "-n", "-p", "--fork", "--kill-child", "sh", "-c",
           "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm && "
           "mount -t proc proc /proc && "
           "ip link set lo up && cd \"$MUTATE_FOLDER\" && { \"$@\"; exit $?; }",
           "sh"]

SIMULATION = "tests/sim/sim"

Ended = namedtuple("Ended", "ok timeout seconds")


def can_shut_in(folder):
    try:
        return subprocess.run(
            SHUT_IN + ["true"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ, MUTATE_FOLDER=str(folder))).returncode == 0
    except OSError:
        return False


def limits(cpu):
    def set_them():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return set_them


class Runner:
    def __init__(self, scratch, tree):
        self.scratch = scratch
        self.shut_in = SHUT_IN if can_shut_in(scratch.folder) else []
        self.env = dict(os.environ, srcdir=str(scratch.source))
        self.env.setdefault("PH_SHARED", str(tree.parent / "shared"))

    def run(self, command, cpu=60, wall=120, log=None, prefix=None):
        """Runs a test program in a folder that goes away afterwards."""
        folder = tempfile.mkdtemp(prefix="run-", dir=self.scratch.folder)
        env = dict(self.env, MUTATE_FOLDER=folder)
        env["GCOV_PREFIX"] = prefix or (
            "/tmp/coverage" if self.shut_in else folder)
        start = time.monotonic()
        with open(log or os.devnull, "wb") as out:
            child = subprocess.Popen(
                self.shut_in + [str(word) for word in command], cwd=folder,
                env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, preexec_fn=limits(cpu))
            try:
                code, late = child.wait(wall), False
            except subprocess.TimeoutExpired:
                code, late = None, True
            # What it started may live on where it could not be shut in.
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        shutil.rmtree(folder, ignore_errors=True)
        spent = code in (128 + signal.SIGXCPU, 128 + signal.SIGKILL,
                         -signal.SIGXCPU, -signal.SIGKILL)
        return Ended(code in (0, 77), late or spent,
                     time.monotonic() - start)


class Tests:
    """The unit tests of the unchanged tree: which pass, how long each takes,
    which functions it enters. The last one is the simulation with so many
    seeds, unless that is 0."""

    def __init__(self, scratch, runner, seeds):
        self.scratch, self.runner = scratch, runner
        self.arguments = ["--count", seeds, "--jobs", 1, "--first"]
        self.programs = scratch.programs(
            ["$(UNIT_TESTS)"] + [SIMULATION] * (seeds > 0))
        self.rooms = scratch.rooms_of_tests()
        self.seconds, self.left_out, self.entered = {}, [], {}
        self.functions = {}

    def first_run(self, pool):
        """Runs each test once; what fails unchanged is left out."""
        known = self.scratch.folder / "tests.pickle"
        before = pickle.loads(known.read_bytes()) if known.exists() else {}
        after = {}
        for program, seen in zip(self.programs, pool.map(
                lambda p: self.watch_once(p, before), self.programs)):
            after[program.name] = seen
            _, ok, self.seconds[program.name], self.entered[program.name] = seen
            if not ok:
                self.left_out.append(program.name)
        known.write_bytes(pickle.dumps(after))
        self.programs = [p for p in self.programs
                         if p.name not in self.left_out]

    def watch_once(self, program, before):
        """(which binary, passes, seconds, entered), as seen before if the
        binary is the same."""
        binary = os.stat(self.scratch.build / program.name)
        which = binary.st_mtime_ns, binary.st_size, self.command("", program)
        seen = before.get(program.name)
        if seen is None or seen[0] != which or not seen[1]:
            ended, entered = self.watch(program)
            seen = which, ended.ok, ended.seconds, entered
        return seen

    def watch(self, program):
        with tempfile.TemporaryDirectory(prefix="coverage-",
                                         dir=self.scratch.folder) as folder:
            ended = self.runner.run(
                self.command(self.scratch.build / program.name, program),
                prefix=folder,
                log=self.scratch.folder / (
                    os.path.basename(program.name) + ".log"))
            base = pathlib.Path(folder + str(self.scratch.build))
            entered = {
                name: reach.entered(base / (name[:-2] + ".gcda"))
                for name in program.objects}
        return ended, None if self.forks(program) else entered

    def try_one(self, binary, program):
        """Runs a test with a mutant in it; much longer than unchanged is
        never."""
        usual = self.seconds[program.name]
        return self.runner.run(self.command(binary, program),
                               cpu=int(10 + 5 * usual), wall=20 + 10 * usual)

    def command(self, binary, program):
        return [binary] + self.arguments * (program.name == SIMULATION)

    def forks(self, program):
        """A process that is killed or leaves by _exit() keeps its counters
        for itself."""
        if program.name == SIMULATION:
            return True
        sources = [self.scratch.source / (name[:-2] + ".c")
                   for name in program.objects if name.startswith("tests/")]
        return any("fork(" in source.read_text() for source in sources
                   if source.exists())

    def for_change(self, name, line):
        """The tests to run for a change in a line of a file, the likeliest to
        fail first: that of the file, those of the room, the quickest. The
        simulation comes last."""
        unit_object = name[:-2] + ".o"
        room, base = os.path.split(name)
        ident = self.ident_at(unit_object, line)

        def reaches(program):
            entered = self.entered[program.name]
            return (unit_object in program.objects and
                    (ident is None or entered is None or
                     ident in entered[unit_object]))

        def rank(program):
            test = os.path.basename(program.name)
            return (program.name == SIMULATION,
                    test != "test_" + base[:-2],
                    self.rooms.get(program.name) != room,
                    self.seconds[program.name])

        return sorted(filter(reaches, self.programs), key=rank)

    def ident_at(self, unit_object, line):
        if unit_object not in self.functions:
            self.functions[unit_object] = reach.functions(
                self.scratch.build / (unit_object[:-2] + ".gcno"))
        found = self.functions[unit_object]
        return None if found is None else reach.ident_at(found, line)
