# SPDX-License-Identifier: ISC
"""A copy of the tree outside of it, its build, and what links what."""
import os
import re
import shlex
import shutil
import subprocess
from collections import namedtuple

# Stands in for the compiler: notes each command beside its output, and asks
# the linker which members of the libraries it took. What is loaded into
# programs to disturb their calls counts nothing: to write that down takes calls.
COMPILER = """#!/bin/sh
out= last=
for word; do
	[ "$last" = -o ] && out=$word
	last=$word
done
[ -z "$out" ] || printf '%s\\n' "$@" >"$out.cmd"
case " $* " in
*" -shared "*)
	for word; do
		shift
		[ "$word" = --coverage ] || set -- "$@" "$word"
	done
	exec {cc} "$@" ;;
*" -c "*) exec {cc} "$@" ;;
esac
[ -n "$out" ] && exec {cc} "$@" {leave} "-Wl,-Map=$out.map"
exec {cc} "$@"
"""

# Linked into each program: a child that leaves by _exit() writes down what it
# ran, too.
LEAVE = """
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void);

void _exit(int status)
{
	__gcov_dump();
	for (;;)
		syscall(SYS_exit_group, status);
}
"""

MEMBER = re.compile(r"^(?:.*/)?(lib\w+\.a)\(([^)]+\.o)\)", re.M)

Program = namedtuple("Program", "name command objects")


class Failed(Exception):
    """The scratch copy cannot be used; the text says why."""


def run(command, folder, log, given=b""):
    with open(log, "ab") as out:
        done = subprocess.run(command, cwd=folder, stdout=out,
                              stderr=subprocess.STDOUT, input=given)
    if done.returncode != 0:
        raise Failed(f"`{shlex.join(map(str, command))}` failed, see {log}")


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)


def tracked(tree):
    """The files of the tree that git knows or would take."""
    said = subprocess.run(
        ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"],
        cwd=tree, stdout=subprocess.PIPE, check=True).stdout
    return [name for name in said.decode().split("\0")
            if name and (tree / name).is_file()]


class Scratch:
    def __init__(self, tree, folder, cc, sanitize):
        self.tree, self.folder = tree, folder
        self.source, self.build = folder / "source", folder / "source/build"
        self.cc, self.sanitize = shlex.split(cc), sanitize
        self.log = folder / "build.log"
        self.names, self.members = [], {}

    def prepare(self, jobs):
        for place in (self.source, self.build):
            place.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        for kind in ("mutant", "run", "coverage", "counting"):
            for left in self.folder.glob(kind + "-*"):  # by a kill
                remove(left)
        self.copy()
        if not (self.source / "configure").exists():
            run(["autoreconf", "-fi"], self.source, self.log)
        self.configure()
        run(["make", f"-j{jobs}", "check", "TESTS="], self.build, self.log)
        self.members = self.read_members()

    def copy(self):
        """Only what differs is copied, so that make has little to do."""
        names = set(tracked(self.tree))
        self.names = sorted(names)
        for name in self.names:
            there, here = self.tree / name, self.source / name
            here.parent.mkdir(parents=True, exist_ok=True)
            if not here.exists() or there.read_bytes() != here.read_bytes():
                shutil.copy(there, here)
        known = self.folder / "copied"
        if known.exists():
            for name in set(known.read_text().split("\n")) - names - {""}:
                (self.source / name).unlink(missing_ok=True)
        known.write_text("\n".join(self.names))

    def configure(self):
        compiler, leave = self.folder / "cc", self.folder / "leave.o"
        leave.with_suffix(".c").write_text(LEAVE)
        run(self.cc[-1:] + ["-c", "-o", str(leave),
                            str(leave.with_suffix(".c"))],
            self.folder, self.log)
        compiler.write_text(COMPILER.format(cc=shlex.join(self.cc),
                                            leave=shlex.quote(str(leave))))
        compiler.chmod(0o755)
        # From here, so that sources have names in the log as tests want.
        words = ["../configure", f"CC={compiler}",
                 "CFLAGS=-O1 --coverage"]
        if self.sanitize != "none":
            words.append(f"--enable-sanitize={self.sanitize}")
        done = self.build / "configured"
        if done.exists() and done.read_text() == shlex.join(words):
            return
        run(words, self.build, self.log)
        done.write_text(shlex.join(words))

    def read_members(self):
        """(library, base name of a member) → objects of that name."""
        members = {}
        text = (self.build / "Makefile").read_text().replace("\\\n", " ")
        for m in re.finditer(r"^am_(lib\w+)_a_OBJECTS = (.*)$", text, re.M):
            for word in m.group(2).replace("$(OBJEXT)", "o").split():
                key = m.group(1) + ".a", os.path.basename(word)
                members.setdefault(key, []).append(word)
        return members

    def command(self, output):
        path = self.build / (output + ".cmd")
        return path.read_text().splitlines() if path.exists() else None

    def command_of_object(self, name):
        """As command(); an object that no test links is made for it."""
        if self.command(name) is None:
            run(["make", name], self.build, self.log)
        return self.command(name)

    def objects_of(self, name, command):
        """The objects that a program is linked from."""
        objects = {word for word in command if word.endswith(".o")}
        said = (self.build / (name + ".map")).read_text(errors="replace")
        for key in MEMBER.findall(said.split("\n\n", 2)[1]
                                  if said.startswith("Archive") else said):
            objects.update(self.members.get(key, ()))
        return objects

    def programs(self, names):
        """Those of the names, which may be variables of make, that are
        programs."""
        said = subprocess.run(
            ["make", "-s", "-f", "-", "mutate-print-tests"], cwd=self.build,
            input=b"include Makefile\n"
                  b"mutate-print-tests:\n\t@echo " +
                  " ".join(names).encode() + b"\n",
            stdout=subprocess.PIPE, check=True).stdout.decode()
        found = []
        for name in said.split():
            command = self.command(name)
            if command is not None:
                found.append(Program(name, command,
                                     self.objects_of(name, command)))
        return found

    def rooms_of_tests(self):
        """Test → the folder whose Makefile.inc names it."""
        rooms = {}
        for file in self.source.glob("**/Makefile.inc"):
            room = str(file.parent.relative_to(self.source))
            for name in re.findall(r"tests/unit/test_\w+\b(?!\.)",
                                   file.read_text()):
                rooms.setdefault(name, room)
        return rooms


class Compiler:
    """Compiles one changed file: as the tests want it, and as it is shipped,
    so that a change without an effect shows."""

    def __init__(self, scratch, name):
        self.scratch, self.name = scratch, name
        self.object = name[:-2] + ".o"
        self.words = scratch.command_of_object(self.object)
        self.shipped = None

    def compile(self, text, folder):
        """The object of the changed text, None if it does not compile and
        False if it is the same program."""
        source = folder / self.name
        source.parent.mkdir(parents=True, exist_ok=True)
        if self.shipped is None:
            source.write_text((self.scratch.source / self.name).read_text())
            self.shipped = self.plain(source, folder)
        source.write_text(text)
        shipped = self.plain(source, folder)
        if shipped is None:
            return None
        if shipped == self.shipped:
            return False
        output = folder / "mutant.o"
        return output if self.call(source, folder, output, []) else None

    def call(self, source, folder, output, more):
        words, skip = [], False
        for word in self.words:
            if skip or word in ("-MD", "-MP", "-c"):
                skip = False
            elif word in ("-MT", "-MF", "-o"):
                skip = True
            elif word.endswith("/" + self.name):
                words += ["-c", str(source)]
            elif word not in ("-Werror", "--coverage"):
                words.append(word)
        cc = [w for w in self.scratch.cc if os.path.basename(w) != "ccache"]
        done = subprocess.run(
            cc + words + more + [f"-ffile-prefix-map={folder}=.",
                                 "-w", "-o", str(output)],
            cwd=self.scratch.build, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def plain(self, source, folder):
        output = folder / "plain.o"
        if not self.call(source, folder, output,
                         ["-O2", "-g0", "-fno-sanitize=all"]):
            return None
        return output.read_bytes()


def relink(scratch, program, unit_object, mutant, output, more=()):
    """Links a program with the mutant in place of its object and with more
    objects; unchanged if there is no mutant."""
    words, given = list(more), mutant is None
    command = list(program.command)
    command[command.index("-o") + 1] = str(output)
    for word in command:
        if word == unit_object:
            word, given = str(mutant), True
        elif word.endswith(".a") and not given:
            # Before the libraries: their member is then not asked for.
            words.append(str(mutant))
            given = True
        words.append(word)
    return subprocess.run(scratch.cc[-1:] + words, cwd=scratch.build,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0
