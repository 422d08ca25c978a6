# SPDX-License-Identifier: ISC
"""A member of the group asks the daemon and reads the log; what is private
stays private. A broken file on disk keeps nobody from asking."""
import json
import os
import stat
import subprocess

import pytest

from gateway import BUILD
from until import until

ANN = "ann@example.com"
NOBODY = 65534


def as_member(gw, *words):
    """The command line as a user whose only tie to the daemon is its group."""
    return subprocess.run(
        [BUILD / "posthouse", "-c", gw.conf, *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        user=NOBODY, group=NOBODY, extra_groups=[os.getegid()])


@pytest.fixture
def shut(gw):
    """The folders of index and table are the daemon's alone."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if subprocess.run(["test", "-x", BUILD / "posthouse"], user=NOBODY,
                      group=NOBODY, extra_groups=[]).returncode != 0:
        pytest.skip("other users cannot enter the build folder")
    id = gw.send(to=ANN)
    gw.wait_event("delivered", id)
    until(lambda: len(gw.run("trace", id, "--json").stdout.splitlines()) == 2,
          "the index")
    (gw.folder / "audit").chmod(0o700)
    gw.id = id
    return gw


def test_trace_is_answered_by_the_daemon(shut):
    done = as_member(shut, "trace", shut.id, "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events] == ["accepted", "delivered"]
    assert events == shut.cli_json("trace", shut.id)
    done = as_member(shut, "trace", "--to", ANN)
    assert done.returncode == 0 and shut.id in done.stdout
    done = as_member(shut, "trace", "--from", "nobody@elsewhere.test")
    assert done.returncode == 1 and "nothing is known" in done.stderr


def test_audit_verify_is_counted_by_the_daemon(shut):
    mine, theirs = shut.run("audit", "verify"), as_member(shut, "audit",
                                                          "verify")
    assert theirs.returncode == 0, theirs.stderr
    # The table's history is not for the group, and that is said.
    *counted, history = theirs.stdout.splitlines()
    assert counted == mine.stdout.splitlines()[:-1]
    assert any("1 message" in line for line in counted)
    assert history.startswith("the history of the table was not looked at")
    assert "as they were written" in mine.stdout.splitlines()[-1]


def test_without_the_daemon_the_reason_is_the_index(shut):
    shut.stop()
    done = as_member(shut, "trace", shut.id)
    assert done.returncode == 1
    assert str(shut.folder / "audit") in done.stderr


def test_many_events_come_whole(shut):
    for _ in range(30):
        shut.send(to=[ANN] + [f"u{i}@example.com" for i in range(60)],
                  sender="many@elsewhere.test")
    many = ["trace", "--from", "many@elsewhere.test", "--json"]
    until(lambda: len(shut.run(*many).stdout.splitlines()) == 30 * 62,
          "the index")
    assert as_member(shut, *many).stdout == shut.cli(*many)


def test_what_is_private_is_not_for_the_group(shut):
    for name in ("cutover.db", "spool"):
        mode = (shut.folder / name).stat().st_mode
        assert stat.S_IMODE(mode) & 0o077 == 0, name
    assert (shut.folder / "events.jsonl").stat().st_mode & stat.S_IRGRP
    done = as_member(shut, "route", "get", ANN)
    assert done.returncode == 1 and "cutover.db" in done.stderr


def test_a_broken_file_on_disk_keeps_nobody_from_asking(gw):
    gw.cli("hold", ANN, "--create")
    id = gw.send(to=ANN)
    until(lambda: gw.run("trace", id).returncode == 0, "the index")
    good = gw.conf.read_text()
    gw.conf.write_text(good.replace("spool {", "spol {"))
    for words in (["status"], ["queue", "list"], ["queue", "show", id],
                  ["leg", "list"], ["trace", id]):
        done = gw.run(*words)
        assert done.returncode == 0, (words, done.stderr)
        assert f"{gw.conf}:" in done.stderr and "spol" in done.stderr
        assert "answered all the same" in done.stderr
    # A command that needs the file itself is refused; the daemon's absence is not
    # what is wrong.
    assert "spol" in gw.cli_fails("route", "get", ANN)
    gw.stop()
    assert "spol" in gw.cli_fails("status")
    gw.conf.write_text(good)
