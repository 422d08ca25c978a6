# SPDX-License-Identifier: ISC
"""The daemon is shut in, all of its threads are, and it works in there."""
import os
import pathlib
import re

import pytest


def status(folder):
    """The kernel's view of a process or a thread."""
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
        # Ports below 1024 for a reload, and nothing else.
        assert int(t["CapPrm"], 16) | 0x400 == 0x400, t["Name"]
        assert int(t["CapInh"], 16) == 0, t["Name"]
    gw.set("", soft_bounce=True)
    assert gw.reload()
    legacy.wait_message(gw.send())


def test_the_sandbox_can_be_left_out_for_a_debugger(make_gw, legacy):
    gw = make_gw({"": {"sandbox": False}})
    assert "state=off" in gw.said("sandbox").group(1)
    ours = status("/proc/self")["Seccomp"]
    assert {t["Seccomp"] for t in threads(gw)} == {ours}
    legacy.wait_message(gw.send())


def test_a_start_as_root_becomes_the_owner_of_the_spool(make_gw, folder,
                                                        legacy):
    if os.geteuid() != 0:
        pytest.skip("not root")
    nobody = 65534
    gw = make_gw(start=False)
    (folder / "spool").mkdir(mode=0o700)
    os.chown(folder / "spool", nobody, nobody)
    os.chown(folder, nobody, nobody)
    for above in folder.parents:
        if not above.stat().st_mode & 0o001:
            pytest.skip(f"{above} is closed to that user")
    gw.start()
    for t in threads(gw):
        assert set(t["Uid"].split()) == {str(nobody)}, t["Name"]
        assert int(t["CapPrm"], 16) | 0x400 == 0x400, t["Name"]
    legacy.wait_message(gw.send())
    assert gw.reload()


def refused(gw):
    """The words of -t, which the start says too."""
    for options in (["-t"], ["-f"]):
        gw.options = options
        gw.launch()
        assert gw.ended() == 1
    return gw.all_log()


@pytest.mark.parametrize("what, mode", [
    ("posthouse.conf", 0o666), (".", 0o777), (".", 0o1777)])
def test_what_everybody_may_write_is_refused_with_its_remedy(
        make_gw, folder, what, mode):
    gw = make_gw(start=False)
    path = folder / what
    path.chmod(mode)
    text = refused(gw)
    path.chmod(0o755)
    assert re.search(r"posthouse\.conf:\d+: .*chmod o-w "
                     + re.escape(str(path)), text), text


def test_a_configuration_that_others_may_write_is_no_reload(gw):
    gw.set("", soft_bounce=True)
    gw.conf.chmod(0o646)
    assert not gw.reload()
    gw.conf.chmod(0o644)
    assert gw.reload()


def test_a_group_that_may_write_the_configuration_is_told_of(make_gw):
    gw = make_gw(start=False)
    gw.conf.chmod(0o664)
    gw.start()
    assert "chmod g-w" in gw.said("conf.writers").group(1)


def test_a_program_where_the_daemon_may_write_is_refused(make_gw, folder):
    program = folder / "page"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = refused(make_gw({"alarm": {"exec": program}}, start=False))
    assert re.search(r"posthouse\.conf:\d+: alarm\.exec: .*move it", text)
