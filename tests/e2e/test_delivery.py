# SPDX-License-Identifier: ISC
"""Sending it on: D2, D3, D6, D7, D8, the retry clock, hosts, the pool."""
import pytest

from dialog import queued_id
from names import Names
from ports import free_port
from until import until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"


def test_a_leg_that_is_down_holds_up_neither_the_other_nor_intake(
        gw, legacy, cloud):
    """D2."""
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.refuse_connections()
    ids = [gw.send(to=ANN) for _ in range(5)]
    for id in ids:
        legacy.wait_message(id)
        gw.wait_event("deferred", id, leg="cloud")
    cloud.accept_connections()
    for id in ids:
        cloud.wait_message(id)
    gw.wait_empty()
    assert len(legacy.mails) == len(cloud.mails) == 5


def test_a_leg_that_hangs_holds_up_neither(gw, legacy, cloud):
    gw.cli(f"route set legacy+cloud {ANN}")
    gate = cloud.hold("DOT", times=None)
    ids = [gw.send(to=ANN) for _ in range(5)]
    for id in ids:
        legacy.wait_message(id)
        gw.wait_event("delivered", id, leg="legacy")
    gate.release()
    gw.wait_empty()


def test_mail_is_tried_again_until_it_is_taken(gw, legacy):
    legacy.reply("MAIL", "451 4.3.0 Not now", times=2)
    id = gw.send()
    legacy.wait_message(id)
    gw.wait_event("delivered", id)
    tries = [e["attempt"] for e in gw.events(id)
             if e["event"] in ("deferred", "delivered")]
    assert tries == [1, 2, 3]
    e = gw.wait_event("deferred", id)
    assert (e["code"], e["enhanced"]) == (451, "4.3.0")


def test_a_refused_recipient_fails_alone(gw, legacy, outside):
    """D7: 5xx."""
    legacy.reply("RCPT", "550 5.1.1 Nobody", to=BOB)
    id = gw.send(to=[ANN, BOB, EVE])
    assert legacy.wait_message(id).rcpt == [ANN, EVE]
    e = gw.wait_event("bounced", id, to=BOB)
    assert (e["code"], e["class"]) == (550, "recipient")
    gw.wait_event("delivered", id, to=ANN)
    gw.wait_event("delivered", id, to=EVE)
    outside.wait_count(1)


def test_a_deferred_recipient_is_tried_alone(gw, legacy):
    """D7: 4xx."""
    legacy.reply("RCPT", "450 4.2.1 Busy", to=BOB, times=1)
    id = gw.send(to=[ANN, BOB, EVE])
    gw.wait_event("delivered", id, to=BOB)
    assert [m.rcpt for m in legacy.messages(id)] == [[ANN, EVE], [BOB]]


def test_too_many_recipients_are_split_at_once(gw, legacy):
    """D7: 452 4.5.3 costs no retry interval and no attempt on record."""
    gw.set("retry", steps=["1h"])
    assert gw.reload()
    legacy.reply("RCPT", "452 4.5.3 Too many", to=EVE, times=1)
    id = gw.send(to=[ANN, BOB, EVE])
    gw.wait_event("delivered", id, to=EVE)
    assert sorted(r for m in legacy.messages(id) for r in m.rcpt) == \
        [ANN, BOB, EVE]


def test_two_aliases_of_one_mailbox_are_one_rcpt(gw, cloud):
    gw.cli(f"route set cloud {ANN} {BOB} "
           "--address cloud=ann@tenant.cloud.test")
    id = gw.send(to=[ANN, BOB])
    assert cloud.wait_message(id).rcpt == ["ann@tenant.cloud.test"]
    gw.wait_event("delivered", id, to=ANN)
    gw.wait_event("delivered", id, to=BOB)


def test_recipients_over_the_leg_s_limit_are_several_transactions(
        make_gw, legacy):
    gw = make_gw({'leg "legacy"': {"max_recipients": 2}})
    to = [f"u{i}@example.com" for i in range(5)]
    id = gw.send(to=to)
    for rcpt in to:
        gw.wait_event("delivered", id, to=rcpt)
    assert max(len(m.rcpt) for m in legacy.messages(id)) == 2
    assert sorted(r for m in legacy.messages(id) for r in m.rcpt) == to


def test_a_reply_lost_after_the_dot_is_uncertain_and_tried_again(
        gw, legacy):
    """D8: identical bytes, and the possible duplicate is told."""
    legacy.drop("DOT")
    id = gw.send()
    e = gw.wait_event("deferred", id)
    assert e["uncertain"] == "yes"
    gw.wait_event("delivered", id)
    one, two = legacy.messages(id)
    assert one.raw == two.raw


def test_a_connection_lost_before_the_dot_is_no_duplicate(make_gw, make_leg):
    # By BDAT all would be under way at once, and it would be uncertain.
    legacy = make_leg("plain", offers=())
    gw = make_gw(legs={"legacy": legacy})
    legacy.drop("RCPT")
    id = gw.send()
    gw.wait_event("delivered", id)
    assert "uncertain" not in gw.wait_event("deferred", id)
    assert len(legacy.messages(id)) == 1


def test_a_copy_that_fails_is_parked_and_nobody_is_told(
        gw, legacy, cloud, outside):
    """D3."""
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.reply("RCPT", "550 5.1.1 Nobody")
    id = gw.send(to=ANN)
    gw.wait_event("parked", id, leg="cloud", role="copy")
    gw.wait_event("delivered", id, leg="legacy")
    assert gw.events(id, "dsn") == [] and not outside.mails
    assert [q["state"] for q in gw.queue()] == ["parked"]


def test_a_copy_says_that_nobody_is_to_be_told(gw, legacy, cloud):
    gw.cli(f"route set legacy+cloud {ANN}")
    id = gw.send(to=ANN, rcpt_options=["NOTIFY=FAILURE,DELAY"])
    assert cloud.wait_message(id).rcpt_params == [["NOTIFY=NEVER"]]
    assert "NOTIFY=NEVER" not in legacy.wait_message(id).rcpt_params[0]


@pytest.mark.parametrize("offers, how", [
    (("CHUNKING", "DSN"), "BDAT"), (("DSN",), "DATA"), ((), "DATA")])
def test_a_leg_gets_what_it_offers(make_gw, make_leg, offers, how):
    leg = make_leg("plain", offers=offers)
    gw = make_gw(legs={"legacy": leg})
    body = b"Subject: dots\r\n\r\n.\r\n..x\r\nend\r\n"
    id = gw.send(message=body, rcpt_options=["NOTIFY=FAILURE"])
    mail = leg.wait_message(id)
    assert (mail.how, mail.below) == (how, body)
    assert ("NOTIFY=FAILURE" in mail.rcpt_params[0]) == ("DSN" in offers)


def test_bare_newlines_of_bdat_do_not_go_out_by_data(make_gw, make_leg,
                                                     outside):
    """Smuggling by conversion."""
    leg = make_leg("plain", offers=())
    gw = make_gw(legs={"legacy": leg})
    body = b"Subject: x\r\n\r\na\n.\nMAIL FROM:<x@y.test>\r\n"
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        d.send(b"BDAT %d LAST\r\n" % len(body) + body)
        id = queued_id(d.reply())
    until(lambda: gw.events(id, "bounced") or gw.events(id, "parked") or
          gw.events(id, "deferred"), "the message to be refused")
    assert not leg.mails


def test_connections_are_used_again(gw, legacy):
    ids = []
    for _ in range(10):
        ids.append(gw.send())
        gw.wait_event("delivered", ids[-1])
    assert len({m.connection for m in legacy.mails}) < 10


def test_a_connection_ends_after_its_messages(make_gw, legacy):
    gw = make_gw({"": {"workers": 1},
                  'leg "legacy"': {"max_messages": 2, "connections": 1}})
    for _ in range(6):
        gw.wait_event("delivered", gw.send())
    by = [m.connection for m in legacy.mails]
    assert max(by.count(c) for c in set(by)) == 2


def test_never_more_connections_than_the_leg_allows(make_gw, legacy):
    gw = make_gw({'leg "legacy"': {"connections": 3}})
    gate = legacy.hold("DOT", times=None)
    ids = [gw.send(to=f"u{i}@example.com") for i in range(12)]
    until(lambda: gate.waiting == 3, "three dialogs")
    assert len(legacy.talks) == 3
    gate.release()
    for id in ids:
        legacy.wait_message(id)
    gw.wait_empty()


def test_a_pooled_connection_that_the_leg_closed_costs_no_attempt(
        gw, legacy):
    gw.wait_event("delivered", gw.send())
    for talk in list(legacy.talks):
        talk.close()
    id = gw.send()
    gw.wait_event("delivered", id)
    assert not gw.events(id, "deferred")


# -- where a leg is

def test_the_next_host_is_tried_when_the_first_is_down(make_gw, cloud):
    gw = make_gw(legs={"cloud": {
        "hosts": [f"127.0.0.1:{free_port()}", f"127.0.0.1:{cloud.port}"],
        "tls": "none"}})
    gw.cli(f"route set cloud {ANN}")
    id = gw.send(to=ANN)
    cloud.wait_message(id)
    assert not gw.events(id, "deferred")


def test_a_leg_is_found_by_name(make_gw, cloud):
    with Names({("mx.cloud.test", "A"): ["127.0.0.1"]}) as names:
        gw = make_gw({"resolver": {"servers": [names.address],
                                   "timeout": "1s"}},
                     legs={"cloud": {"hosts": [f"mx.cloud.test:{cloud.port}"],
                                     "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        cloud.wait_message(gw.send(to=ANN))


def test_a_name_that_does_not_exist_bounces_nothing(make_gw, cloud, outside):
    """A leg's own name is a fault of the configuration."""
    with Names({}) as names:
        gw = make_gw({"resolver": {"servers": [names.address],
                                   "timeout": "1s"}},
                     legs={"cloud": {"hosts": ["no.cloud.test:25"],
                                     "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        id = gw.send(to=ANN)
        gw.wait_event("deferred", id)
        assert not gw.events(id, "bounced") and not outside.mails


def test_a_leg_by_mx_takes_the_next_preference(make_gw, make_leg,
                                               own_address):
    """Delivered by MX on port 25, the first host is dead."""
    dead, alive = own_address(), own_address()
    leg = make_leg("mx", host=alive, port=25)
    zone = {("cloud.test", "MX"): ["10 a.cloud.test", "20 b.cloud.test"],
            ("a.cloud.test", "A"): [dead], ("b.cloud.test", "A"): [alive]}
    with Names(zone) as names:
        gw = make_gw({"resolver": {"servers": [names.address],
                                   "timeout": "1s"}},
                     legs={"cloud": {"mx": "cloud.test", "tls": "none"}})
        gw.cli(f"route set cloud {ANN}")
        id = gw.send(to=ANN)
        leg.wait_message(id)
        assert not gw.events(id, "deferred")


def test_our_own_addresses_are_dropped_from_a_leg_s_hosts(make_gw, cloud):
    """D6: the first host is ourselves; mail must not go in a circle."""
    port = free_port()
    gw = make_gw({'listen "mx"': {"address": [f"127.0.0.1:{port}"]}},
                 legs={"cloud": {"hosts": [f"127.0.0.1:{port}",
                                           f"127.0.0.1:{cloud.port}"],
                                 "tls": "none"}})
    gw.cli(f"route set cloud {ANN}")
    id = gw.send(to=ANN)
    cloud.wait_message(id)
    assert len(gw.events(event="accepted")) == 1


def test_public_addresses_are_ours_too(make_gw, cloud):
    gw = make_gw({"": {"public_address": ["127.0.0.9"]}},
                 legs={"cloud": {"hosts": [f"127.0.0.9:{cloud.port}",
                                           f"127.0.0.1:{cloud.port}"],
                                 "tls": "none"}})
    gw.cli(f"route set cloud {ANN}")
    id = gw.send(to=ANN)
    cloud.wait_message(id)
    assert gw.wait_event("delivered", id)["relay"].startswith("[127.0.0.1]")


# -- hostile legs

HOSTILE = {
    "greets with 554": ("CONNECT", "554 5.3.2 Go away"),
    "greets with nonsense": ("CONNECT", "hello there"),
    "greets without an end": ("CONNECT", "220-" + "x" * 20000),
    "answers MAIL with 354": ("MAIL", "354 Go on"),
    "answers RCPT with 999": ("RCPT", "999 What"),
    "answers the dot with 1yz": ("DOT", "150 Hm"),
    "answers DATA with 250": ("DATA", "250 2.0.0 Ok"),
}


def test_a_leg_of_the_old_protocol_gets_helo(gw, legacy):
    legacy.reply("EHLO", "502 5.5.1 No")
    id = gw.send()
    assert legacy.wait_message(id).how == "DATA"
    assert (1, b"HELO relay.example.com\r\n") in legacy.said


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_is_bounced_for_a_leg_that(make_gw, make_leg, outside, what):
    stage, text = HOSTILE[what]
    leg = make_leg("hostile", offers=())
    gw = make_gw(legs={"legacy": leg})
    rule = leg.reply(stage, text)
    id = gw.send()
    gw.wait_event("deferred", id)
    rule.times = 0
    gw.wait_event("delivered", id)
    assert not outside.mails


def recipients_by_transaction(leg):
    """The recipients of RCPT, transaction by transaction; connections speak
    at the same time."""
    out, now = [], {}
    for number, said in list(leg.said):
        line = said.decode()
        if line.upper().startswith("MAIL"):
            now[number] = []
            out.append(now[number])
        elif line.upper().startswith("RCPT"):
            now[number].append(line[line.index("<") + 1:line.index(">")])
    return out


def test_those_that_were_refused_go_apart_and_last(make_gw, legacy):
    """A leg ends a session after so many errors: the recipients behind the
    refused ones are named first at the next try, and alone."""
    gw = make_gw({"retry": {"steps": ["1s"], "jitter": 0}})
    legacy.reply("RCPT", "450 4.2.1 busy", to="bad@example.com")
    legacy.reply("RCPT", "421 4.7.0 too many errors", to="ann@example.com",
                 times=1)
    id = gw.send(to=["bad@example.com", "ann@example.com", "bob@example.com"])
    [mail] = until(lambda: legacy.messages(id), "those that were not refused")
    assert set(mail.rcpt) == {"ann@example.com", "bob@example.com"}
    later = [sorted(t) for t in recipients_by_transaction(legacy)[1:]]
    assert ["ann@example.com", "bob@example.com"] in later
    later.remove(["ann@example.com", "bob@example.com"])
    assert all(t == ["bad@example.com"] for t in later)
    legacy.normal()
    gw.wait_empty()
