# SPDX-License-Identifier: ISC
"""The daemon among its neighbours: systemd, the shell, a disk that fails."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from gateway import BUILD
from until import DEADLINE_S, until

ANN = "ann@example.com"


@pytest.fixture
def notify(folder):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(folder / "notify"))
    sock.settimeout(DEADLINE_S)
    yield sock
    sock.close()


def told(sock, word):
    """Reads until that is said."""
    lines = []
    while word not in lines:
        lines += sock.recv(4096).decode().splitlines()
    return lines


def test_systemd_is_told_of_each_change(make_gw, folder, notify):
    gw = make_gw(start=False)
    gw.environment = {"NOTIFY_SOCKET": str(folder / "notify"),
                      "WATCHDOG_USEC": "200000"}
    gw.start()
    told(notify, "READY=1")
    told(notify, "WATCHDOG=1")
    assert gw.reload()
    lines = told(notify, "READY=1")
    assert "RELOADING=1" in lines
    assert gw.stop() == 0
    told(notify, "STOPPING=1")


def test_without_f_it_goes_to_the_background_when_it_is_ready(make_gw,
                                                              legacy):
    gw = make_gw({"log": {"file": "/dev/null"}}, start=False)
    done = subprocess.run([BUILD / "posthoused", "-c", gw.conf],
                          cwd=gw.folder, stdin=subprocess.DEVNULL,
                          timeout=DEADLINE_S)
    assert done.returncode == 0
    node, = [r for r in gw.cli_json("status") if r.get("section") == "node"]
    os.kill(node["pid"], signal.SIGTERM)
    until(lambda: gw.run("status").returncode == 3, "it to stop")


def test_in_the_background_a_failure_is_told_to_who_started_it(make_gw):
    gw = make_gw({"control": {"socket": "no/such/dir.sock"}}, start=False)
    done = subprocess.run([BUILD / "posthoused", "-c", gw.conf],
                          cwd=gw.folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode == 1 and "no/such" in done.stderr


def test_version_and_usage():
    run = lambda *w: subprocess.run([BUILD / "posthoused", *w],
                                    capture_output=True, text=True)
    assert run("-V").stdout.startswith("posthoused ")
    assert run("-x").returncode == 2
    assert run("what").returncode == 2


def test_each_thread_has_the_name_that_is_documented(gw):
    page = pathlib.Path(__file__).parents[2] / "doc/architecture.md"
    table = page.read_text().split("## Threads")[1].split("\n\nIn one")[0]
    documented = set(re.findall(r"^\| [^|]*?`([^|]*)` \|", table, re.M))
    documented = {name for row in documented
                  for name in row.split("` and `")}
    tasks = pathlib.Path(f"/proc/{gw.process.pid}/task")

    def names():
        return {(task / "comm").read_text().strip()
                for task in tasks.iterdir()}

    # Others begin with what they are for.
    later = {"ph-coexist", "ph-login", "ph-search"}
    cut = {name[:15] for name in documented - later}
    until(lambda: names() >= cut, f"threads called {sorted(cut)}")
    assert names() - {name[:15] for name in later} == cut


def failing_disk(gw, call, error):
    """From its start on, that call on the files of the journal fails now and
    then never again works (when=5+)."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    files = [w for f in sorted((gw.folder / "spool").iterdir())
             if f.is_file() for w in ("-P", str(f))]
    gw.under = ["strace", "-D", "-f", "-q", "-o", "/dev/null", *files,
                "-e", f"inject={call}:error={error}:when=5+"]


def offer(gw):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        r = d.cmd("DATA")
        if r.code == 354:
            d.send("Subject: x\r\n\r\nx\r\n.\r\n")
            r = d.reply()
        return r


def test_a_failed_sync_is_never_believed(gw, legacy):
    """T2. What was promised stays promised; nothing more is."""
    gw.stop()
    failing_disk(gw, "fdatasync", "EIO")
    gw.start()
    legacy.refuse_connections()
    got = []

    def refused():
        r = offer(gw)
        if r.code == 250:
            got.append(r.text.split()[-1])
        return r if r.code != 250 else None

    r = until(refused, "a sync to fail")
    assert (r.code, r.enh) == (451, "4.3.0")
    assert {offer(gw).code for _ in range(5)} <= {451, 452}
    spool, = [r for r in gw.cli_json("status")
              if r.get("section") == "spool"]
    assert "sync failed" in spool["health"]
    legacy.accept_connections()
    gw.process.send_signal(signal.SIGKILL)
    gw.ended()
    gw.under = []
    gw.start()
    for id in got:
        legacy.wait_message(id)
    gw.wait_empty()
    assert set(got) <= {m.id for m in legacy.mails}
