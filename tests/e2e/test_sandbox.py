# SPDX-License-Identifier: ISC
"""The daemon is shut in, all of its threads are, and it works in there."""
import pathlib
import re


def status(folder):
    """What the kernel says of a process or a thread."""
    text = (pathlib.Path(folder) / "status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


def threads(gw):
    tasks = pathlib.Path(f"/proc/{gw.process.pid}/task")
    return [status(t) for t in tasks.iterdir()]


def test_every_thread_is_shut_in_and_mail_and_a_reload_still_work(
        gw, legacy):
    assert "state=on" in gw.said("sandbox").group(1)
    shut_in = threads(gw)
    assert len(shut_in) > gw.settings[""]["workers"]
    for t in shut_in:
        assert t["Seccomp"] == "2" and t["NoNewPrivs"] == "1", t["Name"]
    gw.set("", soft_bounce=True)
    assert gw.reload()
    legacy.wait_message(gw.send())


def test_the_sandbox_can_be_left_out_for_a_debugger(make_gw, legacy):
    gw = make_gw({"": {"sandbox": False}})
    assert "state=off" in gw.said("sandbox").group(1)
    ours = status("/proc/self")["Seccomp"]
    assert {t["Seccomp"] for t in threads(gw)} == {ours}
    legacy.wait_message(gw.send())
