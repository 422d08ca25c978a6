# SPDX-License-Identifier: ISC
"""The spool on a file system that copies on write: a segment that is used
again needs new blocks, so a write may meet a full disk. The start says so;
what was accepted is never lost."""
import os
import re
import shutil
import smtplib
import subprocess

import pytest

from until import until

ANN = "ann@example.com"
SIZE = 256 << 20
SEGMENT = 2 << 20
BODY = b"Subject: much\r\n\r\n" + (b"y" * 70 + b"\r\n") * 2800


@pytest.fixture
def btrfs(folder):
    """A Btrfs of its own in a file; where that may not be made, no test."""
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("mkfs.btrfs is not installed (btrfs-progs)")
    if os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    image, path = folder / "image", folder / "btrfs"
    path.mkdir()
    with open(image, "wb") as f:
        f.truncate(SIZE)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True)
    done = subprocess.run(["mount", "-o", "loop", image, path],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no Btrfs can be mounted: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def gw(btrfs, make_gw):
    gw = make_gw({"spool": {"path": btrfs / "spool", "retain": "0s",
                            "segment": SEGMENT, "max": 10 * SEGMENT}})
    gw.cli(f"route set legacy {ANN}")
    return gw


def recycled(gw):
    return int(re.search(r"recycled (\d+)", gw.cli("status")).group(1))


def send_many(gw, n):
    """The ids of what was taken, and how many were refused for now."""
    ids, refused = [], 0
    for _ in range(n):
        try:
            ids.append(gw.send(to=ANN, message=BODY))
        except (AssertionError, smtplib.SMTPException) as e:
            assert re.search(r"45[12]", str(e)), e
            refused += 1
    return ids, refused


def use_again(gw):
    """Until segments were given back and written over."""
    ids = []
    while recycled(gw) < 12:
        assert len(ids) < 2000
        ids += send_many(gw, 10)[0]
        gw.wait_empty()
    return ids


def take_the_rest(path):
    """Another program fills the disk."""
    with open(path / "other", "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(1 << 20))
        except OSError:
            os.fsync(f.fileno())


def test_the_start_says_that_a_commit_may_meet_a_full_disk(gw):
    gw.wait_log("spool.copy_on_write")
    assert "refused then" in gw.log_text()


def test_a_full_disk_is_a_refusal_and_no_loss(btrfs, gw, legacy):
    ids = use_again(gw)
    take_the_rest(btrfs)
    until(lambda: send_many(gw, 1)[1], "mail to be refused")
    taken, refused = send_many(gw, 10)
    assert refused
    # What got 250 before and meanwhile is there, also after a kill.
    gw.kill()
    (btrfs / "other").unlink()
    gw.start()
    until(lambda: send_many(gw, 1)[0], "mail to be taken again")
    for id in ids + taken:
        legacy.wait_message(id)
    gw.wait_empty()
    gw.verify()
