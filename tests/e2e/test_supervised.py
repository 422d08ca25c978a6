# SPDX-License-Identifier: ISC
"""The contract with a supervisor and with logrotate."""
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess

from gateway import BUILD, ROOT
from until import DEADLINE_S, until


class Supervisor:
    """The socket that systemd listens on: the messages and their senders."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(DEADLINE_S)
        self.sock.bind(str(path))

    def told(self, word):
        """Waits until `word` is said; the process that said it."""
        while True:
            text, extra, _, _ = self.sock.recvmsg(4096, 256)
            if word in text.decode().split("\n"):
                return struct.unpack("3i", extra[0][2])[0]


def test_the_process_of_the_unit_file_speaks_for_itself(gw, tmp_path):
    """Type=notify believes the process it started and no other."""
    unit = (ROOT / "systemd/posthouse.service.in").read_text()
    words = re.search(r"^ExecStart=@sbindir@/posthoused(.*)$", unit, re.M)
    gw.stop()
    supervisor = Supervisor(tmp_path / "notify.sock")
    process = subprocess.Popen(
        [BUILD / "posthoused", *words.group(1).split(), "-c", gw.conf],
        env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify.sock")},
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert supervisor.told("READY=1") == process.pid
        process.send_signal(signal.SIGHUP)
        assert supervisor.told("RELOADING=1") == process.pid
        assert supervisor.told("READY=1") == process.pid
        process.terminate()
        assert supervisor.told("STOPPING=1") == process.pid
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()


def open_logs(gw):
    """Descriptors on its log or on what was its log. Others may be closed
    while they are looked at."""
    folder, n = f"/proc/{gw.process.pid}/fd", 0
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            n += gw.log.name in os.readlink(f"{folder}/{fd}")
    return n


def test_a_rotated_log_is_let_go(make_gw, folder):
    gw = make_gw({"log": {"file": str(folder / "posthoused.log")}})
    before = open_logs(gw)
    for _ in range(3):
        gw.log.rename(folder / "posthoused.log.1")
        gw.process.send_signal(signal.SIGUSR1)
        until(gw.log.exists, "a new log")
    gw.log_at = 0
    assert gw.reload()
    assert open_logs(gw) == before


def test_a_reload_changes_how_much_is_told(gw):
    gw.set("log", level="error")
    assert gw.reload()
    assert gw.stop() == 0
    assert not gw.said("stop.asked")


def test_a_log_that_cannot_be_opened_is_told(make_gw, folder):
    gw = make_gw({"log": {"file": str(folder / "nowhere/log")}})
    assert "No such file" in gw.said("log.unopened").group(0)
