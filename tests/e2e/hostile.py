# SPDX-License-Identifier: ISC
"""Legs that misbehave by the thousand: the program tests/bench/hostile,
which also keeps count of what each of them took."""
import json
import subprocess

from gateway import BUILD

PROGRAM = BUILD / "tests/bench/hostile"


def modes():
    """Hostile behaviour; not how a platform refuses."""
    names = subprocess.run([PROGRAM, "--modes"], capture_output=True,
                           text=True, check=True).stdout.split()
    return [n for n in names
            if n not in ("connector", "forged", "dot-defers")]


class Hostile:
    def __init__(self, folder, messages, legs=1):
        self.ids = folder / "took"
        self.process = subprocess.Popen(
            [PROGRAM, "--legs", str(legs), "--messages", str(messages),
             "--ids", self.ids], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.ports = [int(self.process.stdout.readline())
                      for _ in range(legs)]

    def order(self, leg, mode, acts=0, every=0):
        """`acts` times (0: for ever); each `every`-th connection is honest
        all the same."""
        self.say(f"{leg} {mode} {acts} {every}")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def count(self):
        """The acts of each leg so far; orders before it are carried out."""
        self.say("count")
        return json.loads(self.process.stdout.readline())

    def stop(self):
        """Of each leg: id -> how often it took it."""
        if self.process.poll() is None:
            self.process.communicate()
        return [self.took(i) for i in range(len(self.ports))]

    def took(self, leg):
        rows = (line.split() for line in open(f"{self.ids}.{leg}"))
        return {int(id): int(n) for id, n in rows}
