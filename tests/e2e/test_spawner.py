# SPDX-License-Identifier: ISC
"""The process that starts programs for the daemon: it is always there, it is
shut in, it survives being killed, and nothing outlives the daemon."""
import os
import pathlib
import signal

import processes
import pytest
from until import until

ANN = "ann@example.com"


@pytest.fixture
def page(folder, tmp_path):
    """A program of the alarms that tells its numbers and does not end."""
    class Page:
        program = tmp_path / "page"

        def write(self, script):
            self.program.write_text(f"#!/bin/sh\n{script}\n")
            self.program.chmod(0o755)

        def numbers(self):
            file = folder / "pids"
            text = until(lambda: file.exists() and file.read_text(),
                         "the program to run")
            file.unlink()
            return [int(p) for p in text.split()]

    page = Page()
    page.write(f"sleep 1000 & echo $$ $! > {folder}/pids.new; "
               f"mv {folder}/pids.new {folder}/pids; wait")
    return page


def leg_down(gw, legacy):
    legacy.refuse_connections()
    for _ in range(6):
        gw.send(to=ANN)


def keeper_of(gw):
    keeper, = processes.children(gw.process.pid)
    return keeper


def server_of(gw):
    return until(lambda: [p for p in processes.children(keeper_of(gw))
                          if processes.name(p) == "ph-spawner"],
                 "the spawner to serve")[0]


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(
        f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def test_it_is_always_there_and_shut_in(gw):
    assert processes.name(keeper_of(gw)) == "ph-keeper"
    for pid in keeper_of(gw), server_of(gw):
        s = status(pid)
        assert s["Seccomp"] == "2" and s["NoNewPrivs"] == "1"
        assert int(s["CapPrm"], 16) == 0
    assert status(gw.process.pid)["Seccomp"] == "2"


def test_stopping_ends_all_that_was_started(make_gw, legacy, page):
    gw = make_gw({"alarm": {"exec": page.program, "interval": "1s"}})
    leg_down(gw, legacy)
    started = page.numbers()
    started += [keeper_of(gw), server_of(gw)]
    assert all(map(processes.alive, started))
    assert gw.stop() == 0
    until(lambda: not any(map(processes.alive, started)),
          "all that it started to be gone")


def test_a_killed_daemon_leaves_nothing_that_runs_on(
        make_gw, legacy, cloud, page):
    gw = make_gw({"alarm": {"exec": page.program, "interval": "1s"}})
    leg_down(gw, legacy)
    started = page.numbers()
    assert len(started) == 2
    started += [keeper_of(gw), server_of(gw)]
    assert all(map(processes.alive, started))
    gw.kill()
    until(lambda: not any(map(processes.alive, started)),
          "all that it started to be gone")


@pytest.mark.parametrize("whom", [keeper_of, server_of])
def test_a_killed_spawner_is_started_again(make_gw, legacy, cloud, page,
                                           whom):
    gw = make_gw({"alarm": {"exec": page.program, "interval": "1s"}})
    leg_down(gw, legacy)
    pids = page.numbers()
    gone = whom(gw)
    os.kill(gone, signal.SIGKILL)
    # What it ran ends with it, and what that started; then there is another,
    # and it runs the next alarm.
    until(lambda: not any(map(processes.alive, [gone, *pids])),
          "its programs to end")
    until(lambda: not processes.zombie(gone), "its end to be taken note of")
    legacy.accept_connections()
    gw.wait_empty()
    leg_down(gw, legacy)
    again = page.numbers()
    started = [*again, keeper_of(gw), server_of(gw)] if whom is server_of \
        else again
    gw.stop()
    until(lambda: not any(map(processes.alive, started)),
          "all that it started to be gone")
