# SPDX-License-Identifier: ISC
"""Runs unit tests and the simulation shut in: with a time-out, without a
network, and with a /tmp and /dev/shm of their own, where a mutant may leave
what it likes."""
import fnmatch
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

FILE, MEMORY = 2 << 30, 3 << 30
SHUT_IN = ["unshare", "-m", "-n", "-p", "--fork", "--kill-child", "sh", "-c",
           "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm && "
           "mount -t proc proc /proc && "
           "ip link set lo up && cd \"$MUTATE_FOLDER\" && { \"$@\"; exit $?; }",
           "sh"]

SIMULATION = "tests/sim/sim"
# These fork too, but each process ends by itself.
LEAVES = {"sim_main.o", "worker_rig.o", "cli_rig.o"}

# timeout: it took too much of the processor's time, or (late) of ours.
Ended = namedtuple("Ended", "ok timeout late seconds")


def can_shut_in(folder):
    try:
        return subprocess.run(
            SHUT_IN + ["true"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ, MUTATE_FOLDER=str(folder))).returncode == 0
    except OSError:
        return False


def limits(cpu, sanitized):
    def set_them():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not sanitized:  # these reserve terabytes
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    return set_them


class Runner:
    def __init__(self, scratch, tree):
        self.scratch = scratch
        self.shut_in = SHUT_IN if can_shut_in(scratch.folder) else []
        self.env = dict(os.environ, srcdir=str(scratch.source))
        self.env.setdefault("PH_SHARED", str(tree.parent / "shared"))
        self.env.setdefault("PH_PEERS", str(tree / "build/peers"))

    def run(self, command, cpu=60, wall=120, log=None, prefix=None, more=None):
        """Runs tests in a folder that goes away afterwards; more: what they
        have in their environment."""
        folder = tempfile.mkdtemp(prefix="run-", dir=self.scratch.folder)
        env = dict(self.env, MUTATE_FOLDER=folder, **(more or {}))
        env["GCOV_PREFIX"] = prefix or (
            "/tmp/coverage" if self.shut_in else folder)
        start = time.monotonic()
        with open(log or os.devnull, "wb") as out:
            child = subprocess.Popen(
                self.shut_in + [str(word) for word in command], cwd=folder,
                env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, preexec_fn=limits(
                    cpu, self.scratch.sanitize != "none"))
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
        return Ended(code in (0, 77), late or spent, late,
                     time.monotonic() - start)


class Tests:
    """The unit tests of the unchanged tree: which pass, how long each takes,
    which lines it never runs. The last one is the simulation with so many
    seeds, unless that is 0."""

    def __init__(self, scratch, runner, opts):
        self.scratch, self.runner = scratch, runner
        self.arguments = ["--count", opts.sim, "--jobs", 1, "--first"]
        self.programs = [p for p in scratch.programs(
            ["$(UNIT_TESTS)"] + [SIMULATION] * (opts.sim > 0))
            if fnmatch.fnmatch(p.name, opts.tests)]
        self.rooms = scratch.rooms_of_tests()
        self.seconds, self.left_out, self.never = {}, [], {}

    def first_run(self, pool):
        """Runs each test once; what fails unchanged is left out."""
        known = self.scratch.folder / "tests.pickle"
        before = pickle.loads(known.read_bytes()) if known.exists() else {}
        after = dict(before)
        for program, seen in zip(self.programs, pool.map(
                lambda p: self.watch_once(p, before), self.programs)):
            after[program.name] = seen
            _, ok, self.seconds[program.name], self.never[program.name] = seen
            if not ok:
                self.left_out.append(program.name)
        known.write_bytes(pickle.dumps(after))
        self.programs = [p for p in self.programs
                         if p.name not in self.left_out]

    def watch_once(self, program, before):
        """(which binary, passes, seconds, lines never run), as seen before if
        the binary is the same."""
        binary = os.stat(self.scratch.build / program.name)
        which = binary.st_mtime_ns, binary.st_size, self.command("", program)
        seen = before.get(program.name)
        if seen is None or seen[0] != which or not seen[1]:
            ended, never = self.watch(program)
            seen = which, ended.ok, ended.seconds, never
        return seen

    def watch(self, program):
        with tempfile.TemporaryDirectory(prefix="coverage-",
                                         dir=self.scratch.folder) as folder:
            ended = self.runner.run(
                self.command(self.scratch.build / program.name, program),
                prefix=folder,
                log=self.scratch.folder / (
                    os.path.basename(program.name) + ".log"))
            never = {} if self.forks(program) else reach.never_run(
                pathlib.Path(folder + str(self.scratch.build)),
                self.scratch.build, self.scratch.source, program.objects)
        return ended, never

    def try_one(self, binary, program):
        """Runs a test with a mutant in it; much longer than unchanged is
        never."""
        usual = self.seconds[program.name]
        return self.runner.run(self.command(binary, program),
                               cpu=int(10 + 5 * usual), wall=20 + 10 * usual)

    def by_bad_luck(self, binary, program, ended):
        """Whether a test that failed passes when it runs again or, if it was
        late, is late without the mutant too: a busy machine."""
        if ended.late:
            plain = self.try_one(self.scratch.build / program.name, program)
            return not plain.ok
        return not ended.timeout and self.try_one(binary, program).ok

    def command(self, binary, program):
        return [binary] + self.arguments * (program.name == SIMULATION)

    def forks(self, program):
        """Whether it starts processes that may be killed: these keep their
        counters for themselves."""
        sources = [self.scratch.source / (name[:-2] + ".c")
                   for name in program.objects
                   if name.startswith("tests/") and
                   os.path.basename(name) not in LEAVES]
        return any("fork(" in source.read_text() for source in sources
                   if source.exists())

    def for_change(self, name, line):
        """The tests to run for a change in a line of a file, the likeliest to
        fail first: that of the file, those of the room, the quickest. The
        simulation comes last."""
        unit_object = name[:-2] + ".o"
        room, base = os.path.split(name)

        def reaches(program):
            return (unit_object in program.objects and reach.runs(
                self.never[program.name].get(unit_object), line))

        def rank(program):
            test = os.path.basename(program.name)
            return (program.name == SIMULATION,
                    test != "test_" + base[:-2],
                    self.rooms.get(program.name) != room,
                    self.seconds[program.name])

        return sorted(filter(reaches, self.programs), key=rank)
