# SPDX-License-Identifier: ISC
"""Few descriptors are left: connections are turned away, and what must go on
goes on with those that are kept for it."""
import errno
import os
import resource

import pytest

from fault import fail_for
from until import until

RESERVED = 64   # relay/base/fd.h


def lower(gw, left):
    """The limit of the running daemon: `left` from the next number on."""
    pid = gw.process.pid
    used = {int(n) for n in os.listdir(f"/proc/{pid}/fd")}
    free = next(n for n in range(1 << 20) if n not in used)
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + left, hard))
    return hard


def test_the_last_descriptors_are_kept_for_ourselves(gw, legacy, cloud):
    legacy.refuse_connections()
    waits = gw.send(to="ann@example.com")
    gw.wait_event("deferred", waits)
    limit = lower(gw, RESERVED)
    with gw.dialog(greet=False) as d:
        reply = d.reply()
        assert reply.code == 421, reply
        assert "no descriptors left" in str(reply)
    assert gw.said("listen.exhausted")
    # Its own business goes on: control, table, index, journal.
    gw.cli("route set cloud ann@example.com")
    until(lambda: [q for q in gw.queue() if q["leg"] == "cloud"],
          "the change to reach the queue")
    until(lambda: gw.run("trace", waits).returncode == 0, "the index")
    assert "Too many open files" in until(
        lambda: gw.events(waits, "deferred", leg="cloud"),
        "an attempt")[0]["reply"]
    assert not cloud.mails
    # And everything once there are more.
    resource.prlimit(gw.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    cloud.wait_message(waits)
    cloud.wait_message(gw.send(to="ann@example.com"))


@pytest.mark.noverify
def test_a_mailbox_without_a_descriptor_ends_with_a_sentence(make_gw, folder):
    fail = fail_for(folder)
    gw = make_gw(start=False)
    gw.environment.update(fail.environment)
    fail.arm("eventfd", 1, errno.EMFILE)
    gw.launch()
    assert gw.ended() == 1
    assert "Too many open files" in gw.said("loop.failed").group(0)
    assert "LimitNOFILE" in gw.said("loop.failed").group(0)
