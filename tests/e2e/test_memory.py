# SPDX-License-Identifier: ISC
"""An allocation of the command line fails, each in turn: one sentence and
exit code 1, whichever library asked for it."""
import errno
import os
import random
import subprocess

import pytest

from fault import fail_for
from gateway import BUILD

ANN = "ann@example.com"
COMMANDS = ["--help", "status", "route get " + ANN, "route import {csv}",
            "trace --to " + ANN, "queue list --json"]


class Starved:
    def __init__(self, gw, fail):
        self.gw, self.fail = gw, fail

    def run(self, words, nth):
        self.fail.arm("malloc", nth, errno.ENOMEM)
        return subprocess.run(
            [BUILD / "posthouse", "-c", self.gw.conf, *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=60,
            env={**os.environ, **self.fail.environment})

    def count(self, words):
        assert self.run(words, 0).returncode == 0
        return self.fail.count("malloc")

    def check(self, words, nth):
        done = self.run(words, nth)
        if not self.fail.hits:
            return
        assert done.returncode == 1, (words, nth, done)
        assert done.stderr.startswith("posthouse: out of memory"), \
            (words, nth, done.stderr)
        assert done.stderr.count("\n") == 1


@pytest.fixture
def starved(gw, folder, legacy):
    gw.cli("route set legacy " + ANN)
    legacy.wait_message(gw.send(to=ANN))
    gw.wait_empty()
    gw.verify()     # the index has it
    return Starved(gw, fail_for(folder))


def words_of(command, folder):
    csv = folder / "in.csv"
    csv.write_text("address,route\nbob@example.com,cloud\n")
    return command.format(csv=csv).split()


def test_a_failed_allocation_of_the_command_line_is_one_sentence(
        starved, folder):
    rng = random.Random(7)
    for command in COMMANDS:
        words = words_of(command, folder)
        n = starved.count(words)
        for nth in {1, n, *(rng.randint(1, n) for _ in range(24))}:
            starved.check(words, nth)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_allocation_of_the_command_line(starved, folder, command):
    words = words_of(command, folder)
    for nth in range(1, starved.count(words) + 1):
        starved.check(words, nth)
