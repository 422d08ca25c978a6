# SPDX-License-Identifier: ISC
"""Bounds on what one stranger can make us write, keep and send."""
import re

import pytest

from until import until

NAME = "relay.example.com"


def memory(gw, what):
    """Bytes: VmRSS now, VmHWM at most so far."""
    with open(f"/proc/{gw.process.pid}/status") as status:
        return int(re.search(what + r":\s+(\d+)", status.read()).group(1)) << 10


def told(gw, event, **fields):
    """How many events, and of how many cases."""
    found = gw.events(event=event, **fields)
    return len(found), sum(e["count"] for e in found)


def test_connections_turned_away_are_counted_not_told_one_by_one(make_gw):
    gw = make_gw({"limits": {"per_client": 1}})
    with gw.dialog() as held:
        assert held.greeting.code == 220
        for _ in range(300):
            with gw.dialog() as d:
                assert d.greeting.code == 421
        with gw.dialog(source="127.0.0.2") as other:
            assert other.greeting.code == 220
    until(lambda: told(gw, "refused", stage="connect")[1] == 300,
          "all of them to be on record")
    events, _ = told(gw, "refused", stage="connect", client="127.0.0.1",
                     listen="mx", code=421, enhanced="4.3.2")
    assert events < 100


def test_one_client_does_not_fill_the_trail_with_names(make_gw):
    """400 recipients that are not ours, of one client, all different."""
    gw = make_gw({"": {"workers": 1}, "limits": {"errors": 1000}})
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.send("".join(f"RCPT TO:<u{i}@not-ours.test>\r\n"
                       for i in range(400)))
        assert {d.reply().code for _ in range(400)} == {550}
    with gw.dialog(source="127.0.0.2") as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        assert d.cmd("RCPT TO:<v@not-ours.test>").code == 550
    until(lambda: told(gw, "refused", stage="rcpt")[1] == 401,
          "all of them to be on record")
    events, _ = told(gw, "refused", stage="rcpt", client="127.0.0.1")
    assert 65 <= events < 300
    gw.wait_event("refused", client="127.0.0.2", to="v@not-ours.test")


@pytest.mark.parametrize("stage", ["tls", "proxy"])
def test_broken_beginnings_are_counted_not_told_one_by_one(
        make_gw, authority, stage):
    listen = {"certificate": [authority.make("relay", NAME)]} \
        if stage == "tls" else {"proxy_from": ["127.0.0.0/8"]}
    gw = make_gw({'listen "mx"': listen})
    for _ in range(200):
        with gw.dialog(greet=stage == "tls") as d:
            if stage == "tls":
                d.ok("EHLO client.test")
                d.ok("STARTTLS")
            d.send("GET / HTTP/1.1\r\n\r\n" * 8)
            assert d.closed()
    until(lambda: told(gw, "aborted", stage=stage)[1] == 200,
          "all of them to be on record")
    events, _ = told(gw, "aborted", stage=stage, client="127.0.0.1",
                     listen="mx")
    assert events < 70
    assert gw.log_text().count(" session.aborted ") == events


def test_an_announced_size_takes_no_space_from_others(make_gw, legacy):
    """30 idle sessions announce more than there is."""
    gw = make_gw({"spool": {"max": "64M"}})
    opened = [gw.dialog() for _ in range(30)]
    try:
        for d in opened:
            d.ok("EHLO client.test")
            d.ok("MAIL FROM:<a@elsewhere.test> SIZE=30000000")
            d.ok("RCPT TO:<ann@example.com>")
            assert d.cmd("DATA").code == 354
        assert legacy.wait_message(gw.send(to="ann@example.com"))
    finally:
        for d in opened:
            d.close()


def test_memory_for_bodies_has_a_ceiling_and_others_go_on(make_gw, legacy):
    """60 uploads that stop before their end, 24 MB together, of 1 MiB."""
    gw = make_gw({"limits": {"body_memory": "1M", "per_client": 100},
                  "spool": {"segment": "8M"}})
    part = b"Subject: x\r\n\r\n" + (b"x" * 78 + b"\r\n") * 5000
    opened = [gw.dialog() for _ in range(60)]
    try:
        for d in opened:
            d.envelope("a@elsewhere.test", "ann@example.com")
            assert d.cmd("DATA").code == 354
        before = memory(gw, "VmRSS")
        for d in opened:
            d.send(part)
        assert legacy.wait_message(gw.send(to="ann@example.com"))
        for d in opened:
            d.send(b".\r\n")
            assert d.reply().code == 250
        if "sanitized=no" in gw.log_text():  # they keep what was freed
            assert memory(gw, "VmHWM") - before < 14 << 20
    finally:
        for d in opened:
            d.close()
