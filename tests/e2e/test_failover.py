# SPDX-License-Identifier: ISC
"""Hosts of a leg that do not answer, and a leg that comes back."""
import pytest

from names import Names
from ports import free_port
from until import until

ANN = "ann@example.com"


def two_hosts(first, second, **keys):
    """A new connection for each message, so that each chooses a host."""
    return {"legacy": {"hosts": [f"127.0.0.1:{leg.port}"
                                 for leg in (first, second)],
                       "tls": "none", "max_messages": 1,
                       "greeting_timeout": "300ms", **keys}}


@pytest.fixture
def dying(make_leg):
    """Accepts connections and says nothing; it counts them."""
    leg = make_leg("dying")
    leg.hold("CONNECT", times=None)
    return leg


def deliver(gw, n):
    for _ in range(n):
        id = gw.send()
        gw.wait_event("delivered", id)
        assert not gw.events(id, "deferred")


def test_a_dead_host_is_remembered_for_a_while(make_gw, dying, legacy):
    gw = make_gw({"": {"workers": 1}}, legs=two_hosts(dying, legacy))
    deliver(gw, 5)
    assert len(dying.talks) == 1 and len(legacy.mails) == 5


def test_and_forgotten_again(make_gw, dying, legacy):
    gw = make_gw({"": {"workers": 1}},
                 legs=two_hosts(dying, legacy, dead_host="200ms"))
    until(lambda: deliver(gw, 1) or len(dying.talks) >= 3,
          "the first host to be tried again")


@pytest.mark.parametrize("keys", [
    {"dead_host": "0s"}, {"profile": "microsoft365"}], ids=["never", "profile"])
def test_a_dead_host_is_not_remembered_where_it_must_not_be(
        make_gw, dying, legacy, keys):
    gw = make_gw({"": {"workers": 1}}, legs=two_hosts(dying, legacy, **keys))
    deliver(gw, 4)
    assert len(dying.talks) == 4


def test_a_dead_host_is_still_better_than_none(make_gw, dying, legacy):
    """Tried last is not tried never."""
    gw = make_gw({"": {"workers": 1}}, legs=two_hosts(dying, legacy))
    deliver(gw, 1)
    legacy.refuse_connections()
    dying.normal()
    id = gw.send()
    dying.wait_message(id)
    gw.wait_event("delivered", id)


def test_of_several_addresses_the_next_is_tried(make_gw, cloud):
    zone = {("mx.cloud.test", "A"): ["127.0.0.9", "127.0.0.1"]}
    with Names(zone) as names:
        gw = make_gw({"resolver": {"servers": [names.address],
                                   "timeout": "1s"}},
                     legs={"cloud": {"hosts": [f"mx.cloud.test:{cloud.port}"],
                                     "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        id = gw.send(to=ANN)
        cloud.wait_message(id)
        assert not gw.events(id, "deferred")


def test_with_all_hosts_down_it_waits(make_gw, legacy, outside):
    ports = [free_port(), free_port()]
    gw = make_gw(legs={"legacy": {"hosts": [f"127.0.0.1:{p}" for p in ports],
                                  "tls": "none"}})
    id = gw.send()
    e = gw.wait_event("deferred", id)
    assert e["class"] == "network" and not outside.mails
    gw.set('leg "legacy"', hosts=[f"127.0.0.1:{ports[0]}",
                                  f"127.0.0.1:{legacy.port}"])
    assert gw.reload()
    legacy.wait_message(id)


# -- the breaker

def legacy_row(gw):
    return next(l for l in gw.cli_json("leg list") if l["leg"] == "legacy")


def wait_state(gw, state):
    until(lambda: legacy_row(gw)["state"] == state,
          lambda: f"legacy to be {state}: {legacy_row(gw)}")


def shut(gw, legacy, n=20):
    """With mail that waits for it."""
    legacy.refuse_connections()
    ids = [gw.send() for _ in range(n)]
    wait_state(gw, "down")
    return ids


def test_a_leg_that_was_down_is_tried_by_one_connection(gw, legacy):
    ids = shut(gw, legacy)
    before = len(legacy.talks)
    gate = legacy.hold("CONNECT", times=None)
    legacy.accept_connections()
    gate.reached()
    wait_state(gw, "probing")
    # More mail, and an administrator's hurry, bring no second one.
    ids += [gw.send() for _ in range(5)]
    gw.cli("queue retry --leg legacy --yes")
    for id in ids[-5:]:
        assert not gw.events(id, "delivered")
    assert len(legacy.talks) - before == gate.waiting == 1
    assert legacy_row(gw)["in_flight"] == 1
    gate.release()
    for id in ids:
        legacy.wait_message(id)
    wait_state(gw, "up")
    assert len(legacy.mails) == len(ids)


def test_a_probe_that_fails_leaves_it_shut(gw, legacy):
    ids = shut(gw, legacy)
    before = len(legacy.talks)
    rule = legacy.drop("CONNECT", times=5)
    legacy.accept_connections()
    until(lambda: rule.times == 0, "five probes")
    for id in ids:
        legacy.wait_message(id)
    gw.wait_empty()
    assert len(legacy.talks) - before >= 6
    assert len(legacy.mails) == len(ids)


def test_a_refusal_is_an_answer_and_opens_it(gw, legacy):
    """The leg as such is well when it refuses one recipient."""
    ids = shut(gw, legacy)
    legacy.reply("RCPT", "450 4.2.1 Busy", times=1)
    legacy.accept_connections()
    for id in ids:
        legacy.wait_message(id)
    wait_state(gw, "up")
