# SPDX-License-Identifier: ISC
"""What an administrator's machine gets beside the programs: completion,
rotation of the logs, priorities in the journal."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway import BUILD
from until import until

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
COMPLETE = """
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_posthouse
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(gw, *words):
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "-", CONTRIB / "posthouse.bash",
         BUILD / "posthouse", "-c", gw.conf, *words],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_options_and_legs_are_completed(gw):
    assert "suspend" in complete(gw, "leg", "")
    assert complete(gw, "leg", "suspend", "leg") == ["legacy"]
    assert {"legacy", "cloud"} <= set(complete(gw, "leg", "probe", ""))
    assert "--to" in complete(gw, "leg", "probe", "--")
    assert complete(gw, "queue", "list", "--leg", "cl") == ["cloud"]


def test_what_is_completed_is_never_run(gw):
    """A tag is text of the author of the file that was imported."""
    gw.cli("route", "set", "legacy", "ann@example.com", "--tag", "`id`",
           "--tag", "$(id)", "--tag", "wave-1", "--tag", "*")
    assert complete(gw, "flip", "cloud", "--tag", "") == [
        r"\$\(id\)", r"\*", r"\`id\`", "wave-1"]
    assert complete(gw, "flip", "cloud", "--tag", "wa") == ["wave-1"]


def open_files(pid):
    links = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(fd.readlink())
        except FileNotFoundError:
            pass
    return links


def test_the_rotation_loses_no_event(gw, folder):
    rotate = shutil.which("logrotate", path="/usr/sbin:/usr/bin")
    if rotate is None:
        pytest.skip("no logrotate")
    gw.wait_event("delivered", gw.send())
    text = (CONTRIB / "posthouse.logrotate").read_text()
    text = text.replace("/var/log/posthouse", str(gw.folder))
    text = re.sub(r"\tsu .*\n", "", text)
    text = text.replace("create 0640 posthouse posthouse",
                        f"create 0640 {os.geteuid()} {os.getegid()}")
    text, n = re.subn(r"systemctl kill .*", f"kill -USR1 {gw.process.pid}",
                      text)
    assert n == 1
    conf = folder / "rotate.conf"
    conf.write_text(text)
    folder.chmod(0o755)
    conf.chmod(0o644)
    subprocess.run([rotate, "-f", "-s", folder / "rotate.state", conf],
                   check=True, capture_output=True)
    new = gw.folder / "events.jsonl"
    until(lambda: new in open_files(gw.process.pid), "the signal to arrive")
    id = gw.send()
    until(lambda: id in new.read_text(), "the new file")
    old = (gw.folder / "events.jsonl.1").read_text()
    assert old.count('"event":"delivered"') == 1 and id not in old
    assert '"event":"accepted"' in new.read_text()


def test_a_line_has_its_priority_in_the_journal(gw):
    """JOURNAL_STREAM names the file that standard error is."""
    gw.stop()
    err = gw.folder / "stderr"
    with open(err, "w") as to:
        at = os.fstat(to.fileno())
        daemon = subprocess.Popen(
            [BUILD / "posthoused", "-f", "-c", gw.conf], stderr=to,
            stdin=subprocess.DEVNULL,
            env={"JOURNAL_STREAM": f"{at.st_dev}:{at.st_ino}"})
    try:
        until(lambda: " ready " in err.read_text(), "the start")
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0
    lines = err.read_text().splitlines()
    assert lines and all(re.match(r"<[3467]>\d{4}-", l) for l in lines)
    assert any(l.startswith("<6>") and " ready " in l for l in lines)
