# SPDX-License-Identifier: ISC
"""The wall clock is set while the daemon runs and while it does not: nothing
is hidden, delayed, aged or deleted by that (doc/ageing.md)."""
import pytest

from shift import HOUR_S, LIBRARY, Shift
from until import until

DAY_S = 24 * HOUR_S


@pytest.fixture
def shift(folder):
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} is not built")
    return Shift(folder)


@pytest.fixture
def gw(make_gw, shift):
    gw = make_gw({"retry": {"steps": ["1s"], "jitter": 0}}, start=False)
    gw.environment = shift.environment
    gw.start()
    return gw


def waiting(gw, legacy):
    legacy.refuse_connections()
    id = gw.send()
    gw.wait_event("deferred", id)
    return id


def listed(gw):
    return [row["id"] for row in gw.queue()]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_clock_that_was_set_back_hides_and_delays_nothing(
        gw, legacy, shift, end):
    id = waiting(gw, legacy)
    getattr(gw, end)()
    shift.set_clock(-HOUR_S)
    gw.start()
    new = gw.send()
    assert listed(gw) == [id, new]
    assert id in gw.cli(f"queue show {id}")
    gw.cli(f"queue retry {id}")
    legacy.accept_connections()
    legacy.wait_message(id)
    legacy.wait_message(new)


def test_a_clock_that_is_set_forward_ages_nothing(gw, legacy, outside, shift):
    """Beyond each lifetime, for a while, with a kill in the middle."""
    id = waiting(gw, legacy)
    hours = set((gw.folder / "audit").glob("2*.db"))
    assert hours
    shift.set_clock(400 * DAY_S)
    gw.cli("status")
    new = gw.send()
    gw.wait_event("deferred", new)
    assert listed(gw) == [id, new]
    gw.kill()
    gw.start()
    assert listed(gw) == [id, new]
    shift.set_clock(-400 * DAY_S)
    gw.cli("status")
    gw.restart()
    legacy.accept_connections()
    for mail in id, new:
        legacy.wait_message(mail)
    assert not outside.mails
    assert hours <= set((gw.folder / "audit").glob("2*.db"))


def test_after_a_stop_beyond_the_lifetime_each_is_tried_once(
        gw, legacy, outside, shift):
    good, bad = [waiting(gw, legacy) for _ in range(2)]
    gw.stop()
    shift.set_clock(30 * DAY_S)
    refused = legacy.reply("DOT", "451 4.2.0 later", times=1)
    legacy.accept_connections()
    gw.start()
    until(lambda: len(legacy.seen) == 2, "an attempt of each")
    outside.wait_count(1)  # the notice about the one that was not taken
    assert len(legacy.mails) == 1
    assert refused.times == 0
    gw.wait_event("parked")
    assert {good, bad} == {legacy.mails[0].id,
                           gw.events(event="parked")[0]["id"]}
