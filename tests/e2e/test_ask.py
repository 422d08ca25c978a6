# SPDX-License-Identifier: ISC
"""unknown = "probe": a recipient without a row is taken when the leg of his
domain knows him (T5)."""
import threading
import time

import pytest

from gateway import Gateway
from peers import Postfix
from test_unknown import remembered
from until import until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
NOBODY = "550 5.1.1 Nobody of that name"
DOMAIN = 'domain "example.com"'


def asking(settings=None):
    return {DOMAIN: {"unknown": "probe"}, **(settings or {})}


def knows(leg, *users):
    """The leg takes those and no others."""
    leg.reply("RCPT", NOBODY)
    for user in users:
        leg.reply("RCPT", "250 2.1.5 Ok", to=user)


def questions(leg, user=None):
    """RCPTs that were only asked: their transaction began with MAIL
    FROM:<> and had no content."""
    asked, null = [], {}
    for number, line in list(leg.said):
        words = line.decode().split()
        if words[0] == "MAIL":
            null[number] = words[1] == "FROM:<>"
        elif words[0] == "RCPT" and null.get(number):
            asked.append(words[1][len("TO:<"):-1])
    return [a for a in asked if user in (None, a)]


def strangers(leg):
    return [a for a in questions(leg) if a.startswith("nobody-")]


def answer(gw, user, sender="sender@elsewhere.test"):
    with gw.dialog() as d:
        d.envelope(sender)
        return d.cmd(f"RCPT TO:<{user}>")


def settled(leg):
    """It is known that the leg does not take every recipient."""
    until(lambda: strangers(leg), "the leg to be asked for a stranger")


@pytest.fixture
def gw(make_gw):
    return make_gw(asking())


def test_a_recipient_that_the_leg_has_is_taken(gw, legacy):
    knows(legacy, ANN, BOB)
    id = gw.send(to=ANN)
    legacy.wait_message(id)
    assert questions(legacy, ANN) == [ANN]
    settled(legacy)
    # From now on what it takes is worth remembering.
    for _ in range(3):
        assert answer(gw, BOB).code == 250
    assert questions(legacy, BOB) == [BOB] and len(strangers(legacy)) == 1


def test_one_that_it_does_not_have_is_refused(gw, legacy):
    knows(legacy)
    for _ in range(3):
        r = answer(gw, EVE)
        assert (r.code, r.enh) == (550, "5.1.1"), r
    assert questions(legacy) == [EVE]
    said = gw.wait_event("refused", to=EVE)
    assert (said["stage"], said["code"]) == ("rcpt", 550)


def test_the_detail_speaks_for_itself_alone(gw, legacy):
    """A leg that knows no subaddresses must not cost a mailbox its mail."""
    knows(legacy, ANN)
    assert answer(gw, "ann+news@example.com").code == 550
    assert answer(gw, ANN).code == 250
    assert answer(gw, "ANN+News@Example.COM").code == 550
    assert len([q for q in questions(legacy) if "+" in q]) == 1


def test_the_final_address_is_asked(gw, legacy):
    gw.cli("route set legacy @example.com --address legacy=@inside.test")
    knows(legacy, "ann@inside.test")
    assert answer(gw, ANN).code == 250
    assert answer(gw, BOB).code == 550


def test_a_leg_that_takes_everybody_is_left_alone(gw, legacy):
    assert answer(gw, ANN).code == 250
    gw.wait_log("ask.everybody")
    asked = len(questions(legacy))
    for i in range(20):
        assert answer(gw, f"user{i}@example.com").code == 250
    assert len(questions(legacy)) == asked == 2
    row = [l for l in gw.cli_json("leg list") if l["leg"] == "legacy"][0]
    assert row["everybody"] is True and "everybody" in row["reason"]
    assert "everybody" in gw.cli("leg list")


@pytest.mark.parametrize("said", [
    "450 4.2.1 Later", "451 4.7.1 Greylisted", "552 5.2.2 Full",
    "554 5.7.1 Policy", "550 5.7.1 Not you",
    "554 5.7.1 Client host [127.0.0.1] blocked using bl.example",
    "550 Administrative prohibition", "550 5.7.25 No PTR record for you",
    "530 5.7.0 Must issue a STARTTLS command first"])
def test_any_other_answer_refuses_nobody(gw, legacy, said):
    legacy.reply("RCPT", said)
    assert answer(gw, ANN).code == 250
    assert answer(gw, ANN).code == 250
    assert len(questions(legacy, ANN)) == 2, "it was remembered"


def test_who_was_delivered_before_is_taken(make_gw, legacy):
    """Unasked, whatever the leg would say now (D5)."""
    gw = make_gw(asking({"probe": {"positive": "0s"},
                         "retry": {"known": "30d"}}))
    knows(legacy, ANN)
    before = remembered(gw)
    gw.wait_event("delivered", gw.send(to=ANN))
    until(lambda: remembered(gw) > before, "the memory to have it")
    legacy.normal()
    knows(legacy)
    asked = len(questions(legacy, ANN))
    assert answer(gw, "Ann@EXAMPLE.com").code == 250
    assert len(questions(legacy, ANN)) == asked
    assert answer(gw, "ann+x@example.com").code == 550


@pytest.mark.parametrize("stage, said", [
    ("MAIL", "550 5.1.1 No bounces here"), ("EHLO", "550 5.1.1 No"),
    ("CONNECT", "554 5.1.1 No")])
def test_what_is_not_said_of_the_recipient_refuses_nobody(gw, legacy, stage,
                                                          said):
    legacy.reply(stage, said)
    assert answer(gw, ANN).code == 250


@pytest.mark.parametrize("policy, code", [("accept", 250), ("defer", 450)])
def test_silence_refuses_nobody(make_gw, legacy, policy, code):
    gw = make_gw(asking({"probe": {"timeout": "200ms",
                                   "no_answer": policy}}))
    knows(legacy, ANN)
    held = legacy.hold("RCPT", to=EVE)
    r = answer(gw, EVE)
    assert r.code == code and (code == 250 or r.enh == "4.4.3"), r
    held.release()


def test_an_answer_that_comes_late_is_for_the_next(make_gw, legacy):
    # Each worker would ask for itself.
    gw = make_gw(asking({"": {"workers": 1}, "probe": {"timeout": "200ms"}}))
    knows(legacy)
    rule = legacy.hold("MAIL")
    assert answer(gw, EVE).code == 250
    rule.release()
    until(lambda: answer(gw, EVE).code == 550, "the late answer to count")
    assert questions(legacy) == [EVE]


def test_a_leg_that_is_down_costs_nobody_time(make_gw, legacy):
    gw = make_gw(asking({"probe": {"timeout": "30s"}}))
    legacy.refuse_connections()
    begun = time.monotonic()
    for i in range(30):
        assert answer(gw, f"user{i}@example.com").code == 250
    assert time.monotonic() - begun < 20


def test_a_silent_leg_is_left_alone(make_gw, legacy):
    """Three silences in a row, then no client waits for it."""
    gw = make_gw(asking({"": {"workers": 1}, "probe": {"timeout": "300ms"}}))
    rule = legacy.hold("CONNECT", times=None)
    for i in range(3):
        assert answer(gw, f"user{i}@example.com").code == 250
    begun = time.monotonic()
    for i in range(20):
        assert answer(gw, f"more{i}@example.com").code == 250
    assert time.monotonic() - begun < 20 * 0.3
    rule.release()


def test_one_client_does_not_turn_asking_off(make_gw, legacy):
    """It asks a leg that lets strangers wait for unknown names."""
    gw = make_gw(asking({"": {"workers": 1}, "probe": {"timeout": "300ms"}}))
    gw.set('leg "legacy"', connections=4)
    assert gw.reload()
    knows(legacy, ANN)
    rules = [legacy.hold("RCPT", to=f"eve{i}@example.com", times=None)
             for i in range(49)]
    talks = [gw.dialog() for _ in range(49)]
    for d in talks:
        d.envelope("sender@elsewhere.test")
    for i, d in enumerate(talks):
        d.send(f"RCPT TO:<eve{i}@example.com>\r\n")
    assert [d.reply().code for d in talks] == [250] * 49
    with gw.dialog(source="127.0.0.2") as d:
        d.envelope("sender@elsewhere.test")
        assert d.cmd(f"RCPT TO:<{BOB}>").code == 550
        assert d.cmd(f"RCPT TO:<{ANN}>").code == 250
    for rule in rules:
        rule.release()
    for d in talks:
        d.close()


def test_a_suspended_leg_is_not_asked(gw, legacy):
    knows(legacy)
    gw.cli("leg suspend legacy")
    assert answer(gw, EVE).code == 250
    assert questions(legacy) == []
    gw.cli("leg resume legacy")
    assert answer(gw, EVE).code == 550


def test_who_has_a_row_is_not_asked_about(gw, legacy):
    knows(legacy)
    gw.cli(f"route set legacy {ANN} admin@example.com")
    for user in (ANN, "ann+x@example.com", "postmaster",
                 "postmaster@example.com", "abuse@example.com"):
        assert answer(gw, user).code == 250, user
    assert questions(legacy) == []


def test_a_change_drops_what_was_known(gw, legacy):
    knows(legacy)
    assert answer(gw, EVE).code == 550
    legacy.normal()
    knows(legacy, EVE)
    assert answer(gw, EVE).code == 550, "known for ten minutes"
    gw.cli(f"route set legacy {EVE}")
    assert answer(gw, EVE).code == 250
    gw.cli(f"route delete {EVE}")
    until(lambda: answer(gw, EVE).code == 250, "the change to be noticed")
    # The domain's row concerns all of them.
    legacy.normal()
    knows(legacy)
    assert answer(gw, BOB).code == 550
    legacy.normal()
    knows(legacy, BOB)
    gw.cli("route set legacy @example.com --tag moved")
    until(lambda: answer(gw, BOB).code == 250, "the change to be noticed")


@pytest.mark.parametrize("route, code", [("legacy", 250), ("reject", 550),
                                         ("defer", 450)])
def test_a_change_while_it_is_asked_counts(gw, legacy, route, code):
    legacy.reply("RCPT", "450 4.2.1 Later")
    rule = legacy.hold("MAIL")
    with gw.dialog() as d:
        d.envelope("sender@elsewhere.test")
        d.send(f"RCPT TO:<{EVE}>\r\n")
        rule.reached()
        if code == 250:
            knows(legacy)
        gw.cli(f"route set {route} {EVE}")
        rule.release()
        assert d.reply().code == code


def test_another_route_asks_another_leg(gw, legacy, cloud):
    knows(legacy)
    knows(cloud, EVE)
    assert answer(gw, EVE).code == 550
    gw.cli("route set cloud+legacy @example.com")
    assert answer(gw, EVE).code == 250
    assert questions(cloud, EVE) and len(questions(legacy)) == 1


def test_a_held_domain_asks_nobody(gw, legacy):
    """Its mailboxes are being moved: no leg's word counts now (R3)."""
    knows(legacy)
    gw.cli("hold @example.com")
    assert answer(gw, EVE).code == 250
    assert not questions(legacy)
    gw.cli("release @example.com")
    assert answer(gw, EVE).code == 550


def test_other_hosts_are_asked_anew(gw, legacy, cloud):
    knows(legacy)
    knows(cloud, EVE)
    assert answer(gw, EVE).code == 550
    gw.set('leg "legacy"', **Gateway.leg_keys(cloud))
    assert gw.reload()
    assert answer(gw, EVE).code == 250


def test_what_another_worker_keeps_idle_is_given_up(make_gw, legacy):
    gw = make_gw(asking({"probe": {"timeout": "30s",
                                   "no_answer": "defer"}}))
    gw.set('leg "legacy"', connections=1, idle_timeout="60s")
    assert gw.reload()
    knows(legacy, ANN)
    gw.cli(f"route set legacy {ANN}")
    with gw.dialog() as one, gw.dialog() as two:    # a worker each
        for d in (one, two):
            d.envelope("sender@elsewhere.test", ANN)
            assert d.data("Subject: x\r\n\r\nx\r\n.\r\n").code == 250
            gw.wait_empty()
            d.ok("MAIL FROM:<sender@elsewhere.test>")
        begun = time.monotonic()
        for d in (one, two, one):
            assert d.cmd("RCPT TO:<eve%d@example.com>" % id(d)).code == 550
        assert time.monotonic() - begun < 15


def test_the_same_question_is_put_once(make_gw, legacy):
    gw = make_gw(asking({"": {"workers": 1}}))
    knows(legacy)
    rule = legacy.hold("MAIL")
    talks = [gw.dialog() for _ in range(20)]
    for d in talks:
        d.envelope("sender@elsewhere.test")
        d.send(f"RCPT TO:<{EVE}>\r\n")
    rule.reached()
    rule.release()
    for d in talks:
        assert d.reply().code == 550
        d.close()
    assert questions(legacy) == [EVE]


def test_many_ask_at_once(make_gw, legacy):
    """More than there are connections, and more than a list of questions
    holds: each gets an answer, and deliveries go on."""
    gw = make_gw(asking({"limits": {"per_client": 400},
                         "probe": {"timeout": "2s"}}))
    gw.set('leg "legacy"', connections=4)
    assert gw.reload()
    knows(legacy, ANN)
    talks = [gw.dialog() for _ in range(300)]
    for i, d in enumerate(talks):
        d.envelope("sender@elsewhere.test")
    for i, d in enumerate(talks):
        d.send(f"RCPT TO:<user{i}@example.com>\r\n")
    gw.cli(f"route set legacy {BOB}")
    legacy.reply("RCPT", "250 2.1.5 Ok", to=BOB)
    legacy.wait_message(gw.send(to=BOB))
    codes = [d.reply().code for d in talks]
    assert set(codes) <= {250, 550} and codes.count(550) > 100, codes
    for d in talks:
        d.close()
    assert len(legacy.talks) < 100


def test_recipients_in_one_go(gw, legacy):
    """PIPELINING: answers in order, each recipient's own."""
    knows(legacy, ANN, BOB)
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.send("MAIL FROM:<sender@elsewhere.test>\r\n"
               f"RCPT TO:<{ANN}>\r\nRCPT TO:<{EVE}>\r\nRCPT TO:<{BOB}>\r\n"
               "DATA\r\n")
        assert [d.reply().code for _ in range(5)] == \
            [250, 250, 550, 250, 354]
        d.send("Subject: x\r\n\r\nx\r\n.\r\n")
        assert d.reply().code == 250
    assert sorted(legacy.wait_count(1)[0].rcpt) == [ANN, BOB]


def test_a_client_that_goes_away(gw, legacy):
    knows(legacy)
    rule = legacy.hold("MAIL")
    d = gw.dialog()
    d.envelope("sender@elsewhere.test")
    d.send(f"RCPT TO:<{EVE}>\r\n")
    rule.reached()
    d.close()
    until(lambda: gw.cli_json("status")[0]["sessions"] == 0,
          "the session to end")
    rule.release()
    until(lambda: answer(gw, EVE).code == 550, "the answer to be known")
    assert questions(legacy) == [EVE]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_daemon_ends_while_it_asks(gw, legacy, how):
    knows(legacy)
    rule = legacy.hold("MAIL")
    d = gw.dialog()
    d.envelope("sender@elsewhere.test")
    d.send(f"RCPT TO:<{EVE}>\r\n")
    rule.reached()
    if how == "stop":
        begun = time.monotonic()
        thread = threading.Thread(target=lambda: (d.reply(), d.close()))
        thread.start()
        assert gw.stop() == 0
        assert time.monotonic() - begun < 9, "it waited for the question"
        thread.join()
    else:
        gw.kill()
        d.close()
    rule.release()
    gw.start()
    assert answer(gw, EVE).code == 550


def test_a_harvester_is_cut_short(make_gw, legacy):
    gw = make_gw(asking({"limits": {"errors": 5}}))
    knows(legacy)
    with gw.dialog() as d:
        d.envelope("sender@elsewhere.test")
        codes = [d.cmd(f"RCPT TO:<user{i}@example.com>").code
                 for i in range(5)]
        assert codes[:4] == [550] * 4
        assert d.reply().code == 421 and d.closed()
    assert len(questions(legacy)) <= 5


class PickyPostfix(Postfix):
    """Knows who is in its table of recipients."""

    def start(self):
        super().start_with(
            "relay_domains = example.com\n"
            f"relay_recipient_maps = inline:{{ {ANN}=x }}\n"
            "smtpd_error_sleep_time = 0\n")
        return self


def test_a_real_postfix_is_asked(make_gw, peers, folder, make_leg):
    """More strangers than it takes over one connection
    (smtpd_hard_error_limit, 20), and a delivery over the rest."""
    behind = make_leg("behind")
    postfix = PickyPostfix(peers, folder / "postfix", behind)
    postfix.start()
    try:
        gw = make_gw(asking({"": {"workers": 1}, "limits": {"errors": 100}}),
                     legs={"legacy": postfix.port})
        with gw.dialog() as d:
            d.envelope("sender@elsewhere.test")
            for i in range(50):
                r = d.cmd(f"RCPT TO:<user{i}@example.com>")
                assert (r.code, r.enh) == (550, "5.1.1"), (i, r)
            d.ok(f"RCPT TO:<{ANN}>")
            assert d.data("Subject: x\r\n\r\nx\r\n.\r\n").code == 250
        assert behind.wait_count(1)[0].rcpt == [ANN]
        gw.wait_empty()
    finally:
        postfix.stop()


def test_explain_says_who_would_be_asked(gw):
    said = gw.cli_json(f"explain {ANN}")[0]
    assert said["verdict"] == "accept" and said["ask"] == "legacy"
    assert "the leg would be asked, legacy" in gw.cli(f"explain {ANN}")
    gw.cli(f"route set legacy {ANN}")
    assert gw.cli_json(f"explain {ANN}")[0]["ask"] is None
