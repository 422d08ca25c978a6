# SPDX-License-Identifier: ISC
"""Legs that do what no leg should, twenty of each at once; a thousand of each
are a figure of tests/bench/run. All of it arrives in the end, nobody is told
of a failure, and what came twice is marked."""
import pytest

from hostile import PROGRAM, Hostile, modes
from until import until

EACH = 20
SHORT = {name + "_timeout": "1s" for name in (
    "connect", "greeting", "command", "data_init", "data_block",
    "data_done", "tls")}
ALL = modes() if PROGRAM.exists() else []
# Here the message arrives all the same, at the first try.
ONCE = ("starttls-220-silence", "dot-said-dies", "quit-reset")


@pytest.fixture
def hostile(folder):
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")
    legs = Hostile(folder, EACH)
    yield legs
    legs.stop()


def send_all(gw):
    """In one session; the id of each."""
    ids = []
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        for n in range(1, EACH + 1):
            d.ok("MAIL FROM:<a@elsewhere.test>")
            d.ok(f"RCPT TO:<u{n}@example.com>")
            assert d.cmd("DATA").code == 354
            d.send(f"X-Bench-Id: {n}\r\n\r\nx\r\n.\r\n".encode())
            ids.append(d.reply().text.split()[-1])
    return dict(enumerate(ids, 1))


@pytest.mark.parametrize("mode", ALL)
def test_all_arrives_in_the_end_at_a_leg_with(make_gw, hostile, outside,
                                              mode):
    gw = make_gw({'domain "example.com"': {"unknown": "route"},
                  "retry": {"steps": ["50ms"]}},
                 legs={"legacy": {
                     "hosts": [f"127.0.0.1:{hostile.ports[0]}"],
                     "tls": "may", "connections": EACH, "max_messages": 1,
                     "probe_interval": "100ms",
                     **SHORT}})
    hostile.order(0, mode, EACH, 0 if mode in ONCE else 3)
    ids = send_all(gw)
    until(lambda: hostile.count()[0]["distinct"] == EACH,
          lambda: f"all to arrive: {hostile.count()}")
    gw.wait_empty()
    assert hostile.count()[0]["acts"] == EACH
    assert not outside.mails
    assert not gw.events(event="bounced") and not gw.events(event="parked")
    for e in gw.events(event="deferred"):
        assert e["class"] not in ("message", "recipient"), e
    double = [ids[n] for n, k in hostile.stop()[0].items() if k > 1]
    assert (mode == "dot-taken-dies") == bool(double)
    for id in double:
        assert gw.wait_event("delivered", id).get("uncertain"), gw.events(id)
