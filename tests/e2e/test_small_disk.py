# SPDX-License-Identifier: ISC
"""Spool, table and index on one small file system that fills up."""
import os
import shutil
import smtplib
import subprocess

import pytest

from until import until

ANN = "ann@example.com"
SIZE = 48 << 20


@pytest.fixture
def small(folder):
    """A file system of its own; where that may not be made, no test."""
    path = folder / "small"
    path.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root mounts a file system")
    options = f"size={SIZE},mode=755"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs",
                           path], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def free(path):
    at = os.statvfs(path)
    return at.f_bavail * at.f_frsize


def fill(gw, size=100_000):
    """Until mail is refused for want of room; the ids of what was taken."""
    body = b"Subject: fill\r\n\r\n" + (b"y" * 70 + b"\r\n") * (size // 72)
    ids = []
    while len(ids) < 2000:
        try:
            ids.append(gw.send(to=ANN, message=body))
        except (AssertionError, smtplib.SMTPException) as e:
            assert "452" in str(e) or "4.3.1" in str(e), e
            return ids
    raise AssertionError("it never filled up")


def test_a_full_disk_still_takes_flips_and_gives_room_back(
        small, make_gw, legacy, cloud):
    gw = make_gw({"spool": {"path": small / "spool", "retain": "0s"},
                  "table": {"path": small / "cutover.db"},
                  "audit": {"path": small / "audit",
                            "events": small / "events.jsonl"}})
    gw.events_file = small / "events.jsonl"
    gw.cli(f"route set legacy {ANN}")
    legacy.refuse_connections()
    ids = fill(gw)
    assert len(ids) > 20
    # A part is left, and it is enough for the table and the index.
    assert free(small) > SIZE // 32
    gw.cli(f"flip cloud {ANN}")
    for id in ids:
        cloud.wait_message(id)
    gw.wait_empty()
    gw.verify()
    # Another program takes the rest: the spool gives back what is empty.
    before = len(list((small / "spool").glob("seg.*")))
    with open(small / "other", "wb") as f:
        f.write(bytes(max(free(small) - 100_000, 0)))
    until(lambda: free(small) > SIZE // 20, "room to be given back")
    assert len(list((small / "spool").glob("seg.*"))) < before
    cloud.wait_message(gw.send(to=ANN))
