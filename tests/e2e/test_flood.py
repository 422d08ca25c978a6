# SPDX-License-Identifier: ISC
"""What one stranger can make us write, keep and send by trying hard."""
import pytest

from until import until

NAME = "relay.example.com"


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
