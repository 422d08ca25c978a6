# SPDX-License-Identifier: ISC
"""A spool of which files cannot be opened, cannot be read or are gone."""
import errno
import os
import shutil

import pytest

from fault import FOR_GOOD, fail_for
from gateway import Refused
from until import until


@pytest.fixture
def fail(folder):
    return fail_for(folder)


@pytest.fixture
def waiting(make_gw, legacy, fail):
    """Stopped, with three messages that wait, one in the bulk lane."""
    gw = make_gw(start=False)
    gw.environment.update(fail.environment)
    gw.start()
    legacy.refuse_connections()
    big = b"Subject: big\r\n\r\n" + (b"z" * 70 + b"\r\n") * 6000
    gw.ids = [gw.send(), gw.send(message=big), gw.send()]
    assert gw.stop() == 0
    legacy.accept_connections()
    return gw


def main_segment(gw):
    """The one that is in use: the first that is made."""
    return gw.folder / "spool/seg.0000"


def all_delivered(gw, legacy):
    for id in gw.ids:
        legacy.wait_message(id)
    gw.wait_empty()


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("times", [1, FOR_GOOD])
def test_a_segment_that_cannot_be_opened_refuses_the_start(
        waiting, legacy, fail, error, times):
    fail.arm("open", 1, error, times, "seg.0000")
    with pytest.raises(Refused) as refused:
        waiting.start()
    waiting.ended()
    said = str(refused.value)
    assert "start.failed" in said and "spool/seg.0000" in said
    assert os.strerror(error) in said
    fail.disarm()
    waiting.start()
    all_delivered(waiting, legacy)


def test_a_segment_that_cannot_be_read_refuses_the_start(
        waiting, legacy, fail):
    fail.arm("read", 1, errno.EIO, FOR_GOOD, "seg.0000")
    with pytest.raises(Refused, match="spool/seg.0000 cannot be read"):
        waiting.start()
    waiting.ended()
    fail.disarm()
    waiting.start()
    all_delivered(waiting, legacy)


@pytest.mark.noverify
@pytest.mark.parametrize("how", ["absent", "zeroed", "cut"])
def test_a_segment_that_is_gone_is_named_and_mail_goes_on(
        waiting, legacy, fail, how):
    path = main_segment(waiting)
    size = path.stat().st_size
    if how == "absent":
        shutil.move(path, waiting.folder / "moved")
    elif how == "zeroed":
        path.write_bytes(bytes(size))
    else:
        os.truncate(path, 0)
    waiting.start()
    assert "seg.0000" in waiting.said("spool.damage").group(0)
    alarm = waiting.wait_event("alarm", kind="spool-damaged")
    assert "generation 1 of the journal" in alarm["text"]
    assert waiting.wait_event("spool")["state"] == "degraded"
    assert "degraded" in waiting.cli("status")
    legacy.wait_message(waiting.send())
    assert waiting.stop() == 0
    if how != "absent":
        return
    # Its name was kept free, and so were the bodies that it alone names.
    assert not path.exists()
    shutil.move(waiting.folder / "moved", path)
    waiting.start()
    all_delivered(waiting, legacy)


def test_a_message_that_cannot_be_read_is_named_and_served_later(
        waiting, legacy, fail):
    """While the start tells of it: some reads after it looked at all."""
    legacy.refuse_connections()
    for nth in range(4, 60):
        fail.arm("read", nth, errno.EIO, 4, "spool/seg.")
        try:
            waiting.start()
        except Refused:
            waiting.ended()
            continue
        if waiting.said("spool.unread"):
            break
        assert waiting.stop() == 0
    id = until(lambda: waiting.events(event="alarm",
                                      kind="message-unreadable"),
               "the alarm")[0]["about"]
    assert id in waiting.ids
    legacy.accept_connections()
    all_delivered(waiting, legacy)
