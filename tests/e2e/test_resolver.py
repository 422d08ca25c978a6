# SPDX-License-Identifier: ISC
"""A DNS server that lies, is late or is dead: mail waits, nothing bounces,
and the other leg does not notice."""
import struct
import time

import pytest

from names import Names, labels, read_question
from until import until

ANN = "ann@example.com"


def rcode(n):
    return lambda q, a: a[:3] + bytes([0x80 | n]) + b"\0\1" + b"\0" * 6 + \
        q[12:read_question(q)[2]]


def wrong_name(q, a):
    name = labels("elsewhere.test")
    return a[:12] + name + a[read_question(q)[2] - 4:]


def another_owner(q, a):
    """An answer, of a name that was not asked for."""
    end = read_question(q)[2]
    data = b"\x7f\0\0\x42"
    return a[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:end] + \
        labels("elsewhere.test") + struct.pack("!HHIH", 1, 1, 60, 4) + data


LIES = {
    "SERVFAIL": rcode(2),
    "REFUSED": rcode(5),
    "NXDOMAIN": rcode(3),
    "silence": lambda q, a: None,
    "garbage": lambda q, a: a[:2] + b"\xff" * 40,
    "three bytes": lambda q, a: a[:3],
    "another id": lambda q, a: bytes([a[0] ^ 1]) + a[1:],
    "another question": wrong_name,
    "another name's answer": another_owner,
    "truncated, always": lambda q, a: a[:2] + b"\x83\x80" + a[4:],
    "nothing": lambda q, a: a[:6] + b"\0\0\0\0\0\0" +
    q[12:read_question(q)[2]],
}


def resolver(names):
    return {"servers": [names.address], "timeout": "300ms"}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("how", ["name", "mx"])
def test_no_lie_bounces_mail(make_gw, make_leg, own_address, legacy, outside,
                             lie, how):
    there = own_address()
    leg = make_leg("named", host=there, port=25)
    zone = {("mx.cloud.test", "A"): [there],
            ("cloud.test", "MX"): ["10 mx.cloud.test"]}
    keys = {"mx": "cloud.test"} if how == "mx" else \
        {"hosts": ["mx.cloud.test:25"]}
    with Names(zone) as names:
        names.lie = LIES[lie]
        gw = make_gw({"resolver": resolver(names)},
                     legs={"cloud": {"tls": "none", **keys}})
        gw.cli(f"route set cloud {ANN}")
        id = gw.send(to=ANN)
        # The other leg is served meanwhile, by the same two workers.
        begun = time.monotonic()
        for _ in range(4):
            legacy.wait_message(gw.send(to="bob@example.com"))
        assert time.monotonic() - begun < 5
        event = gw.wait_event("deferred", id)
        assert event["class"] in ("network", "configuration")
        assert not gw.events(id, "bounced") and not gw.events(id, "parked")
        assert not outside.mails
        names.lie = None
        leg.wait_message(id)


@pytest.mark.parametrize("lie", sorted(set(LIES) - {"NXDOMAIN"}))
def test_no_lie_fails_a_notice_on_its_way_to_a_domain(make_gw, legacy,
                                                      make_leg, own_address,
                                                      lie):
    """A direct egress: the domain of the sender is looked up."""
    there = own_address()
    far = make_leg("far", host=there, port=25)
    legacy.reply("RCPT", "550 5.7.1 Never")
    zone = {("far.test", "MX"): ["10 mx.far.test"],
            ("mx.far.test", "A"): [there]}
    with Names(zone) as names:
        names.lie = LIES[lie]
        gw = make_gw({"resolver": resolver(names)},
                     legs={"outside": {"direct": True, "tls": "none"}})
        id = gw.send(to=ANN, sender="sender@far.test")
        gw.wait_event("bounced", id)
        waits = gw.wait_event("deferred", leg="outside")
        assert not gw.events(event="parked")
        names.lie = None
        assert far.wait_count(1)[0].rcpt == ["sender@far.test"]
        gw.wait_event("delivered", waits["id"])


def test_a_domain_that_does_not_exist_fails_its_notice(make_gw, legacy):
    legacy.reply("RCPT", "550 5.7.1 Never")
    with Names({}) as names:
        gw = make_gw({"resolver": resolver(names)},
                     legs={"outside": {"direct": True, "tls": "none"}})
        gw.send(to=ANN, sender="sender@far.test")
        assert "does not exist" in gw.wait_event(
            "parked", leg="outside")["reply"]


def test_what_was_known_serves_while_the_server_is_dead(make_gw, cloud):
    """RFC 8767: an answer past its time, and no server to ask."""
    with Names({("mx.cloud.test", "A"): ["127.0.0.1"]}) as names:
        names.ttl = 1
        gw = make_gw({"resolver": resolver(names)},
                     legs={"cloud": {"hosts": [f"mx.cloud.test:{cloud.port}"],
                                     "tls": "none", "max_messages": 1}})
        gw.cli(f"route set cloud {ANN}")
        cloud.wait_message(gw.send(to=ANN))
        names.lie = LIES["silence"]
        asked = len(names.asked)
        ids = []

        def asked_again():
            ids.append(gw.send(to=ANN))
            return len(names.asked) > asked

        until(asked_again, "the answer to be too old")
        for id in ids:
            cloud.wait_message(id)
            assert not gw.events(id, "deferred")


@pytest.mark.parametrize("ttl", [0, 2**31, 2**32 - 1])
def test_odd_ttls_do_no_harm(make_gw, cloud, ttl):
    with Names({("mx.cloud.test", "A"): ["127.0.0.1"]}) as names:
        names.ttl = ttl
        gw = make_gw({"resolver": resolver(names)},
                     legs={"cloud": {"hosts": [f"mx.cloud.test:{cloud.port}"],
                                     "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        for _ in range(3):
            cloud.wait_message(gw.send(to=ANN))


def test_a_thousand_exchangers(make_gw, make_leg, own_address):
    """They come over TCP; the best of them is taken, not all are asked."""
    there = own_address()
    leg = make_leg("mx", host=there, port=25)
    zone = {("cloud.test", "MX"): [f"{1000 - i} mx{i}.cloud.test"
                                   for i in range(1000)],
            ("mx999.cloud.test", "A"): [there]}
    with Names(zone) as names:
        gw = make_gw({"resolver": resolver(names)},
                     legs={"cloud": {"mx": "cloud.test", "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        leg.wait_message(gw.send(to=ANN))
        assert len(set(names.asked)) < 50


def test_an_alias_is_followed_and_a_circle_waits(make_gw, cloud, outside):
    zone = {("a.cloud.test", "CNAME"): ["b.cloud.test"],
            ("b.cloud.test", "CNAME"): ["mx.cloud.test"],
            ("mx.cloud.test", "A"): ["127.0.0.1"],
            ("x.cloud.test", "CNAME"): ["y.cloud.test"],
            ("y.cloud.test", "CNAME"): ["x.cloud.test"]}
    with Names(zone) as names:
        gw = make_gw({"resolver": resolver(names)},
                     legs={"cloud": {"hosts": [f"x.cloud.test:{cloud.port}"],
                                     "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        id = gw.send(to=ANN)
        assert "alias loop" in gw.wait_event("deferred", id)["reply"]
        assert not outside.mails
        gw.set('leg "cloud"', hosts=[f"a.cloud.test:{cloud.port}"])
        assert gw.reload()
        cloud.wait_message(id)


def test_a_reload_asks_other_servers(make_gw, cloud):
    zone = {("mx.cloud.test", "A"): ["127.0.0.1"]}
    with Names({}) as wrong, Names(zone) as right:
        gw = make_gw({"resolver": resolver(wrong)},
                     legs={"cloud": {"hosts": [f"mx.cloud.test:{cloud.port}"],
                                     "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        id = gw.send(to=ANN)
        gw.wait_event("deferred", id)
        gw.set("resolver", servers=[right.address])
        assert gw.reload()
        cloud.wait_message(id)


def test_who_greets_with_our_name_gets_no_mail(make_gw, cloud, outside):
    cloud.reply("CONNECT", "220 relay.example.com ESMTP")
    gw = make_gw()
    gw.cli(f"route set cloud {ANN}")
    id = gw.send(to=ANN)
    event = gw.wait_event("deferred", id)
    assert event["class"] == "configuration"
    assert "it leads to ourselves" in event["reply"]
    assert not cloud.seen and not outside.mails
    cloud.normal()
    cloud.wait_message(id)
