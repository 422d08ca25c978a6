# SPDX-License-Identifier: ISC
"""A leg is down for days. The daemon's clock is set forward; tests/bench/run
--only five-days does it with 100,000 messages."""
import pytest

from shift import HOUR_S, LIBRARY, Shift
from until import until

ANN = "ann@example.com"
DAY_S = 24 * HOUR_S


@pytest.fixture
def shift(folder):
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} is not built")
    return Shift(folder)


@pytest.fixture
def shifted(make_gw, shift):
    def make(settings=None, **keys):
        gw = make_gw({"retry": {"steps": ["1m", "30m", "1h"]},
                      **(settings or {})}, start=False, **keys)
        gw.environment = shift.environment
        return gw.start()
    return make


def days_pass(gw, shift, days):
    """By the hour; nothing that waits is asked for in between."""
    for _ in range(24 * days):
        shift.forward(gw, HOUR_S)


def test_the_clock_is_set_forward(shifted, shift, legacy):
    """Else the others would prove nothing."""
    gw = shifted()
    legacy.refuse_connections()
    id = gw.send()
    gw.wait_event("deferred", id)
    days_pass(gw, shift, 1)
    [row] = gw.queue()
    assert row["age_s"] >= DAY_S and row["attempts"] >= 2
    legacy.accept_connections()
    shift.forward(gw, HOUR_S)
    legacy.wait_message(id)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
def test_a_copy_s_leg_is_down_for_five_days(shifted, shift, legacy, cloud,
                                            outside, kill):
    gw = shifted()
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.refuse_connections()
    ids = []
    for day in range(5):
        ids += [gw.send(to=ANN) for _ in range(10)]
        for id in ids[-10:]:
            legacy.wait_message(id)
            gw.wait_event("delivered", id, leg="legacy")
        if kill and day == 2:
            gw.kill()
            gw.start()
        days_pass(gw, shift, 1)
    cloud.accept_connections()
    shift.forward(gw, HOUR_S)
    for id in ids:
        cloud.wait_message(id)
    gw.wait_empty()
    assert len(legacy.mails) == len(cloud.mails) == len(ids)
    assert not outside.mails and not gw.events(event="parked")


def test_both_legs_are_down_for_nine_days(shifted, shift, legacy, cloud,
                                          outside):
    """Longer than a lifetime, but time in which a leg cannot be reached does
    not count; nobody is told more than that it takes long."""
    gw = shifted()
    gw.cli(f"route set cloud+legacy {ANN}")
    for leg in (legacy, cloud):
        leg.refuse_connections()
    ids = [gw.send(to=ANN) for _ in range(10)]
    days_pass(gw, shift, 9)
    assert not gw.events(event="bounced")
    assert not gw.events(event="dsn", action="failed")
    for leg in (legacy, cloud):
        leg.accept_connections()
    shift.forward(gw, HOUR_S)
    for leg in (legacy, cloud):
        for id in ids:
            leg.wait_message(id)
    gw.wait_empty()
    assert len(legacy.mails) == len(cloud.mails) == len(ids)
    told = [m for m in outside.mails if b"Action: failed" in m.raw]
    assert not told


def test_a_leg_that_refuses_for_days_ends_a_lifetime(shifted, shift, legacy,
                                                     outside):
    """It is there and answers: that time counts."""
    gw = shifted()
    legacy.reply("RCPT", "450 4.2.0 Later")
    id = gw.send()
    gw.wait_event("deferred", id)
    days_pass(gw, shift, 6)
    gw.wait_event("dsn", about=id, action="failed")
    until(lambda: any(b"Action: failed" in m.raw for m in outside.mails),
          "the sender to be told")
