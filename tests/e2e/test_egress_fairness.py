# SPDX-License-Identifier: ISC
"""A direct egress among servers of the world that are dead, or hold on to their
connections: mail for the others goes on. doc/egress.md has the rules."""
import socket

import pytest

from dialog import Dialog, queued_id
from names import Names
from until import until

US = "192.0.2.10"
SENDER = "u@own.test"
SLOTS = 20
DEAD, TARPITS, GOOD = 500, 50, 40


class Tarpit:
    """Takes connections and never says a word."""

    def __init__(self, host):
        self.socket = socket.create_server((host, 25), backlog=64)
        self.socket.setblocking(False)
        self.taken = []

    def connections(self):
        try:
            while True:
                self.taken.append(self.socket.accept()[0])
        except BlockingIOError:
            return len(self.taken)

    def close(self):
        for s in self.taken + [self.socket]:
            s.close()


@pytest.fixture
def world(make_gw, make_leg, own_address):
    """A gateway with a direct egress, and a DNS that servers are put in."""
    zone = {("own.test", "TXT"): [f"v=spf1 ip4:{US} -all"]}
    with Names(zone) as names:
        def make(**more):
            settings = {
                "resolver": {"servers": [names.address], "timeout": "400ms"},
                "outbound": {"clients": ["127.0.0.1/32"], "use": ["way"]},
                "limits": {"per_client": 100},
                'egress "way"': {"direct": True, "hosts": [], "tls": "none",
                                 "spf_address": [US], "helo": "mx.helo.test",
                                 "connections": SLOTS},
                'domain "own.test"': {"route": "legacy"}}
            for section, keys in more.items():
                settings.setdefault(section, {}).update(keys)
            return make_gw(settings)

        def serve(domain, host):
            zone[(domain, "MX")] = [f"10 mx.{domain}"]
            zone[(f"mx.{domain}", "A")] = [host]

        def mx(domain):
            host = own_address()
            serve(domain, host)
            return make_leg(domain.split(".")[0], host=host, port=25)
        make.serve, make.mx, make.names = serve, mx, names
        yield make


def send(gw, domains):
    """A message to each; their ids."""
    ids = []
    with Dialog(gw.port) as d:
        d.ok("EHLO client.test")
        for i, domain in enumerate(domains):
            d.ok(f"MAIL FROM:<{SENDER}>")
            d.ok(f"RCPT TO:<user{i}@{domain}>")
            ids.append(queued_id(d.data(b"Subject: x\r\n\r\nx\r\n.\r\n")))
    return ids


def drop(gw):
    until(lambda: not gw.queue() or
          gw.run("queue delete --leg way --yes").returncode == 0 and
          not gw.queue(), "the queue to be empty")


def attempts(gw, ids):
    return sum(e["id"] in ids for e in gw.events(event="deferred"))


def test_the_dead_and_the_tarpits_keep_no_mail_waiting(world, own_address):
    good = world.mx("good.test")
    tarpits = [Tarpit(own_address()) for _ in range(TARPITS)]
    for i, tarpit in enumerate(tarpits):
        world.serve(f"tar{i}.test", tarpit.socket.getsockname()[0])
    world.serve("dead.test", own_address())
    gw = world(**{'egress "way"': {"greeting_timeout": "10m"}})
    held = lambda: sum(t.connections() for t in tarpits)    # noqa: E731
    try:
        gw.wait_event("delivered", send(gw, ["good.test"])[0])
        stuck = send(gw, [f"tar{i}.test" for i in range(TARPITS)])
        until(lambda: held() == SLOTS // 2, "tarpits to have their share")
        dead = send(gw, ["dead.test"] * DEAD)
        ids = send(gw, ["good.test"] * GOOD)
        for id in ids:
            gw.wait_event("delivered", id)
        assert len(good.mails) == GOOD + 1
        # Half of the connections, and not one more; none of it has ended.
        assert held() == SLOTS // 2
        assert not attempts(gw, stuck)
        assert len(gw.queue()) == TARPITS + DEAD
        # A newcomer waits behind them: it is not known to be better.
        new = world.mx("new.test")
        late, = send(gw, ["new.test"])
        for tarpit in tarpits:
            tarpit.close()
        gw.wait_event("delivered", late)
        assert new.mails
        # Those under way when the third failed, and no other.
        assert 3 <= attempts(gw, dead) <= 4
        drop(gw)
    finally:
        for tarpit in tarpits:
            tarpit.close()


@pytest.mark.parametrize("ill", ["refuses", "no DNS", "greeting", "hangs up"])
def test_three_failures_in_a_row(world, own_address, ill):
    """… and the domain is tried one at a time, until it answers."""
    far = world.mx("far.test")
    if ill == "refuses":
        far.refuse_connections()
    elif ill == "no DNS":
        world.names.silent.add("far.test")
        mx = world.names.zone.pop(("far.test", "MX"))
    elif ill == "greeting":
        far.reply("CONNECT", "554 5.3.2 No")
    else:
        far.drop("CONNECT", times=None)
    gw = world(retry={"steps": ["1s", "2s", "1h"]})
    ids = send(gw, ["far.test"] * 30)
    # Three fail, and one more that was under way; one tries it after a second,
    # one after two more; the next is an hour away.
    until(lambda: attempts(gw, ids) >= 5, "two that try the domain")
    tried = {e["id"] for e in gw.events(event="deferred")}
    assert attempts(gw, ids) <= 6
    assert len(gw.queue()) == 30
    if ill == "no DNS":
        world.names.zone[("far.test", "MX")] = mx
    elif ill == "refuses":
        far.accept_connections()
    far.normal()
    waits = next(id for id in ids if id not in tried)
    # A resolver that was silent may not be asked at once.
    until(lambda: gw.events(event="delivered", id=waits) or
          gw.run(f"queue retry {waits}").returncode and None,
          "the domain to be there again")
    for id in set(ids) - tried:
        gw.wait_event("delivered", id)
    drop(gw)


def at_once(leg):
    """Transactions that it holds."""
    return sum(talk.is_alive() for talk in list(leg.talks))


def test_a_busy_domain_grows(world):
    """Two at once, and more as mail is taken; a quarter of all at most."""
    far = world.mx("far.test")
    gw = world()
    far.hold("MAIL", times=None)
    ids = send(gw, ["far.test"] * 60)
    until(lambda: at_once(far) == 2, "two attempts")
    gw.wait_event("accepted", ids[-1])
    assert at_once(far) == 2
    far.normal()
    for id in ids:
        gw.wait_event("delivered", id)
    held = far.hold("MAIL", times=None)
    ids = send(gw, ["far.test"] * 60)
    until(lambda: held.waiting == SLOTS // 4, "a quarter")
    gw.wait_event("accepted", ids[-1])
    assert held.waiting == SLOTS // 4
    far.normal()
    for id in ids:
        gw.wait_event("delivered", id)


def test_what_never_can_arrive_is_told_at_once(world, legacy):
    world.names.zone[("null.test", "MX")] = ["0 ."]
    gw = world(dsn={"delay": "1h"})
    told = {}
    for domain in ("missing.test", "null.test"):
        id, = send(gw, [domain])
        told[domain] = gw.wait_event("bounced", id)
    assert told["missing.test"]["enhanced"] == "5.1.2"
    assert told["null.test"]["enhanced"] == "5.1.10"
    notices = legacy.wait_count(2)
    assert [m.rcpt for m in notices] == [[SENDER]] * 2
    for notice, status in zip(notices, ("5.1.2", "5.1.10")):
        assert f"Status: {status}".encode() in notice.raw
    assert not gw.queue()
