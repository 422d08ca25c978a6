# SPDX-License-Identifier: ISC
"""What legs say and what becomes of it: classes of replies through the whole
daemon, legs that are suspended, tried and resumed by themselves."""
import concurrent.futures
import subprocess
from datetime import datetime

import pytest

from gateway import BUILD
from test_unknown import remembered
from until import until

ANN, BOB = "ann@example.com", "bob@example.com"
CONNECTOR = "550 5.7.64 TenantAttribution; Relay Access Denied"


def leg_keys(leg, **more):
    return {"hosts": [f"127.0.0.1:{leg.port}"], "tls": "none",
            "profile": "microsoft365", "probe_interval": "0s", **more}


@pytest.fixture
def start(make_gw, legacy):
    def begin(settings=None, **more):
        return make_gw(settings, legs={"legacy": leg_keys(legacy, **more)})
    return begin


def legacy_row(gw):
    return next(r for r in gw.cli_json("leg list") if r["leg"] == "legacy")


def wait_state(gw, state):
    until(lambda: legacy_row(gw)["state"] == state,
          lambda: f"legacy to be {state}: {legacy_row(gw)}")
    return legacy_row(gw)


def flood(gw, n, domains, at_once=6):
    """`n` messages of so many sender domains."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(
            lambda i: gw.send(sender=f"s{i}@d{i % domains}.test"), range(n)))


def tries(leg):
    return len(leg.talks) + sum(
        line.upper().startswith(b"MAIL") for _, line in leg.said)


def waits_s(row):
    """From its acceptance to its next attempt."""
    if row["next"] is None or row["in_flight"]:
        return 0
    return (datetime.fromisoformat(row["next"].rstrip("Z")) -
            datetime.fromisoformat(row["accepted"].rstrip("Z"))).total_seconds()


# -- suspended

@pytest.mark.parametrize("stage, known", [
    ("CONNECT", False), ("MAIL", False), ("RCPT", False), ("DOT", False),
    ("MAIL", True), ("RCPT", True), ("DOT", True)])
def test_a_broken_connector_stops_the_leg_and_bounces_nothing(
        start, legacy, stage, known):
    gw = start(probe_interval="300ms")
    if known:
        legacy.wait_message(gw.send())
    legacy.reply(stage, CONNECTOR)
    ids = flood(gw, 60, 6)
    event = gw.wait_event("leg", leg="legacy", state="suspended")
    assert event["class"] == "configuration"
    assert "5.7.64" in event["reason"]
    spent = {e["id"] for e in gw.events(event="deferred")
             if e["time"] <= event["time"]}
    # Ten, and those that were under way by then: a connection each.
    assert 0 < len(spent) <= 10 + 20, f"{len(spent)} messages were spent"
    row = legacy_row(gw)
    assert row["state"] == "suspended" and row["by_fault"]
    assert "5.7.64" in row["reason"] and "connector" in row["reason"]
    alarm = gw.wait_event("alarm", kind="leg-suspended", about="legacy")
    assert "connector" in alarm["text"]
    # Tried again by itself, in vain, then with success.
    spent = tries(legacy)
    until(lambda: tries(legacy) > spent + 1, "two trials")
    assert legacy_row(gw)["state"] == "suspended"
    legacy.normal()
    gw.wait_event("leg", leg="legacy", state="resumed")
    for id in ids:
        legacy.wait_message(id)
    assert not gw.events(event="bounced") and not gw.events(event="parked")
    assert wait_state(gw, "up")["reason"] == ""


def test_one_forged_message_does_not_stop_a_leg(start, legacy):
    gw = start()
    legacy.reply("MAIL", "550 5.7.68 Direct Send not allowed",
                 to="boss@example.com")
    ids = flood(gw, 500, 20)
    forged = gw.send(sender="boss@example.com")
    ids += flood(gw, 500, 20)
    for id in ids:
        legacy.wait_message(id)
    assert gw.wait_event("deferred", forged)["class"] == "configuration"
    assert legacy_row(gw)["state"] == "up"
    assert not gw.events(event="leg")
    assert not gw.events(event="bounced")


@pytest.mark.parametrize("known", [False, True])
def test_a_message_that_waits_for_the_set_up_is_told_once(
        start, legacy, known):
    gw = start()
    if known:
        legacy.wait_message(gw.send())
    legacy.reply("DOT", "550 5.7.1 your IP is on some list", times=2)
    for _ in range(2):
        assert gw.wait_event("deferred", gw.send())["class"] == "configuration"
    (alarm,) = gw.events(event="alarm")
    assert (alarm["kind"], alarm["about"]) == ("configuration", "legacy")
    assert "your IP is on some list" in alarm["text"]


def test_a_question_of_ours_that_is_refused_is_enough(start, legacy):
    gw = start(suspend_messages=0)
    legacy.wait_message(gw.send())
    legacy.reply("RCPT", CONNECTOR)
    gw.send()
    event = gw.wait_event("leg", leg="legacy", state="suspended")
    assert "question" in event["reason"]
    assert b"MAIL FROM:<admin@example.com>" in b"".join(
        line for _, line in legacy.said)
    assert len(legacy.mails) == 1
    legacy.normal()
    gw.cli("leg resume legacy")
    legacy.wait_count(2)


def test_a_trial_that_is_taken_for_some_of_its_recipients_resumes_the_leg(
        start, legacy):
    gw = start({"retry": {"steps": ["100ms"], "jitter": 0}},
               suspend_messages=1, suspend_senders=1, probe_interval="300ms")
    legacy.reply("RCPT", "450 4.2.1 busy", to="bad@example.com")
    legacy.reply("DOT", CONNECTOR)
    id = gw.send(to=["bad@example.com", ANN])
    gw.wait_event("leg", leg="legacy", state="suspended")
    with legacy.lock:
        legacy.rules = [r for r in legacy.rules if r.stage == "RCPT"]
    legacy.wait_message(id)
    resumed = gw.wait_event("leg", leg="legacy", state="resumed")
    assert "taken" in resumed["reason"]


def test_a_question_that_is_taken_resumes_a_leg_without_mail(start, legacy):
    gw = start({"retry": {"steps": ["1h"]}}, probe_interval="200ms")
    legacy.wait_message(gw.send())
    legacy.reply("MAIL", CONNECTOR)
    gw.send()
    gw.wait_event("leg", leg="legacy", state="suspended")
    legacy.normal()
    resumed = gw.wait_event("leg", leg="legacy", state="resumed")
    assert "question" in resumed["reason"]
    assert len(legacy.mails) == 1


def test_a_reload_may_hurry_the_trial_of_a_suspended_leg(start, legacy):
    gw = start(probe_interval="24h")
    legacy.wait_message(gw.send())
    legacy.reply("MAIL", CONNECTOR)
    id = gw.send()
    gw.wait_event("leg", leg="legacy", state="suspended")
    legacy.normal()
    gw.set('leg "legacy"', probe_interval="100ms")
    assert gw.reload()
    gw.wait_event("leg", leg="legacy", state="resumed")
    legacy.wait_message(id)


def test_a_restart_keeps_who_suspended_a_leg(start, legacy):
    gw = start()
    legacy.reply("MAIL", CONNECTOR)
    flood(gw, 12, 6)
    gw.wait_event("leg", leg="legacy", state="suspended")
    reason = legacy_row(gw)["reason"]
    gw.restart()
    row = legacy_row(gw)
    assert (row["state"], row["by_fault"]) == ("suspended", True)
    assert row["reason"] == reason
    gw.set('leg "legacy"', probe_interval="200ms")
    legacy.normal()
    gw.restart()
    legacy.wait_count(12)
    wait_state(gw, "up")

    gw.cli("leg suspend legacy --reason 'tenant moves'")
    id = gw.send()
    gw.restart()
    row = legacy_row(gw)
    assert (row["state"], row["by_fault"]) == ("suspended", False)
    assert "tenant moves" in row["reason"]
    assert not legacy.messages(id)
    gw.cli("leg resume legacy")
    legacy.wait_message(id)


def test_ten_messages_of_few_senders_do_not_suspend(start, legacy):
    gw = start({"retry": {"steps": ["1h"]}})
    legacy.reply("DOT", CONNECTOR)
    ids = flood(gw, 30, 4)
    until(lambda: len({e["id"] for e in gw.events(event="deferred")}) == 30,
          "each to be tried once, one after the other")
    assert legacy_row(gw)["state"] == "up"
    legacy.normal()
    id = gw.send(sender="good@d0.test")
    legacy.wait_message(id)
    for id in ids:
        gw.cli(f"queue retry {id} --yes")
        legacy.wait_message(id)


def test_a_directory_that_is_gone_is_the_fault_of_the_leg(
        start, legacy, outside):
    gw = start({"retry": {"known": "30d"}}, probe_interval="300ms")
    users = [f"user{n}@example.com" for n in range(8)]
    for to in users:
        gw.wait_event("delivered", gw.send(to=to))
    until(lambda: remembered(gw) == 8, "all of them to be remembered")
    legacy.reply("RCPT", "550 5.1.10 RecipientNotFound")
    ids = [gw.send(to=to) for to in users]
    event = gw.wait_event("leg", leg="legacy", state="suspended")
    assert event["class"] == "recipient"
    alarm = gw.wait_event("alarm", kind="unknown-recipients", about="legacy")
    assert "directory" in alarm["text"]
    legacy.normal()
    gw.wait_event("leg", leg="legacy", state="resumed")
    for id in ids:
        legacy.wait_message(id)
    assert not gw.events(event="bounced") and not outside.mails


# -- classes

def test_throttle_takes_connections_and_gives_them_back(start, legacy):
    gw = start(connections=8)
    assert legacy_row(gw)["limit"] == 8
    legacy.reply("RCPT", "451 4.7.500 Server busy", times=1)
    id = gw.send()
    assert gw.wait_event("deferred", id)["class"] == "throttle"
    row = legacy_row(gw)
    assert (row["limit"], row["configured"]) == (4, 8)
    assert row["reason"] == "asked for less: gets 4 of 8 connections"
    assert (row["profile"], row["profile_date"]) == \
        ("microsoft365", "2026-11-01")
    legacy.wait_message(id)
    gw.set('leg "legacy"', connections=3)
    assert gw.reload()
    until(lambda: legacy_row(gw)["limit"] == 3, "the lower maximum")
    gw.set('leg "legacy"', connections=8)
    assert gw.reload()
    until(lambda: legacy_row(gw)["limit"] == 8, "nothing is adapted any more")
    legacy.reply("RCPT", "451 4.7.500 Server busy", times=1)
    flood(gw, 30, 5, at_once=1)
    legacy.wait_count(31)
    until(lambda: legacy_row(gw)["limit"] == 8, "all of them back")


def test_a_leg_slows_the_domain_of_one_sender(start, legacy):
    gw = start({"retry": {"steps": ["1h"]}}, profile="google", connections=8)
    legacy.reply("MAIL", "421 4.7.27 rate limited, SPF did not pass",
                 to="s@slow.test", times=1)
    ids = [gw.send(sender="s@slow.test")]
    gw.wait_event("deferred", ids[0])
    ids += [gw.send(sender=f"{n}@SLOW.test") for n in range(5)]
    until(lambda: all(waits_s(row) > 1800 for row in gw.queue()),
          lambda: f"the others to wait: {gw.queue()}")
    assert sorted(row["attempts"] for row in gw.queue()) == [0] * 5 + [1]
    for sender in ["t@other.test", "<>"]:
        legacy.wait_message(gw.send(sender=sender))
    assert len(gw.queue()) == 6 and len(gw.events(event="deferred")) == 1
    assert legacy_row(gw)["limit"] == 8
    gw.cli("queue retry --leg legacy --yes")
    for id in ids:
        legacy.wait_message(id)
    legacy.wait_message(gw.send(sender="s@slow.test"))


def test_a_full_mailbox_waits_alone(start, legacy, outside):
    gw = start()
    rule = legacy.reply("RCPT", "550 5.2.121 Rate exceeded", to=BOB)
    id = gw.send(to=[ANN, BOB])
    legacy.wait_message(id)
    bob = gw.wait_event("deferred", id, to=BOB)
    assert bob["class"] == "mailbox" and bob["code"] == 550
    rule.times = 0
    until(lambda: len(legacy.messages(id)) == 2, "Bob's")
    assert [m.rcpt for m in legacy.messages(id)] == [[ANN], [BOB]]
    assert not gw.events(event="bounced") and not outside.mails


@pytest.mark.parametrize("trust", ["address", "none"])
def test_a_sender_that_is_disbelieved(start, legacy, outside, trust):
    gw = start(trust=trust)
    legacy.reply("DOT", "550 5.7.509 Access denied, DMARC", times=1)
    id = gw.send()
    if trust == "none":
        assert gw.wait_event("bounced", id)["class"] == "authentication"
        outside.wait_count(1)
    else:
        assert gw.wait_event("parked", id)["class"] == "authentication"
        legacy.wait_message(gw.send())  # DSNs would have gone before
        assert not outside.mails
    assert legacy_row(gw)["authentication"] == 1
    assert legacy_row(gw)["state"] == "up"


def test_many_that_are_disbelieved_are_an_alarm(start, legacy):
    gw = start(suspend_messages=4)
    legacy.reply("DOT", "550 5.7.509 Access denied, DMARC")
    flood(gw, 4, 4)
    alarm = gw.wait_event("alarm", kind="authentication", about="legacy")
    assert "4 messages" in alarm["text"]
    assert legacy_row(gw)["state"] == "up"


def test_a_loop_is_parked_and_named(start, legacy, outside):
    gw = start()
    legacy.reply("DOT", "554 5.4.14 Hop count exceeded", times=1)
    id = gw.send()
    assert gw.wait_event("parked", id)["class"] == "loop"
    assert ANN in gw.wait_event("alarm", kind="loop")["text"]
    legacy.wait_message(gw.send())
    assert not outside.mails


@pytest.mark.parametrize("text", [
    "452 4.5.3 Too many recipients",
    "451 4.3.0 Multiple destination domains per transaction is unsupported"])
def test_a_split_sends_the_rest_at_once(start, legacy, text):
    gw = start({"retry": {"steps": ["1h"]}})
    legacy.reply("RCPT", text, to=BOB, times=1)
    id = gw.send(to=[ANN, BOB])
    until(lambda: len(legacy.messages(id)) == 2, "both, without the hour")
    assert [m.rcpt for m in legacy.messages(id)] == [[ANN], [BOB]]


def test_one_domain_at_once_where_the_profile_says_so(make_gw, legacy):
    gw = make_gw({'domain "other.example"': {"route": "legacy",
                                             "unknown": "route"}},
                 legs={"legacy": leg_keys(legacy, profile="google")})
    id = gw.send(to=[ANN, BOB, "eve@other.example"])
    until(lambda: len(legacy.messages(id)) == 2, "one for each domain")
    assert sorted(m.rcpt for m in legacy.messages(id)) == \
        [[ANN, BOB], ["eve@other.example"]]


@pytest.mark.parametrize("whose", ["leg", "all"])
def test_soft_bounce_keeps_what_is_refused(make_gw, legacy, outside, whose):
    keys = leg_keys(legacy, soft_bounce=True) if whose == "leg" else \
        leg_keys(legacy)
    gw = make_gw({"": {"soft_bounce": True}} if whose == "all" else None,
                 legs={"legacy": keys})
    rule = legacy.reply("RCPT", "554 5.7.1 never")
    id = gw.send()
    assert gw.wait_event("deferred", id)["code"] == 554
    rule.times = 0
    legacy.wait_message(id)
    assert not outside.mails


# -- profiles of one's own

def test_a_profile_in_the_folder_counts_after_a_reload(make_gw, folder,
                                                       legacy):
    gw = make_gw({"": {"profiles": folder}}, legs={"legacy": leg_keys(
        legacy, profile="microsoft365")})
    own = folder / "microsoft365.profile"
    own.write_text('reply { code = "554"\n class = "mailbux" }\n')
    assert not gw.reload()
    assert f"{own}:2: class \"mailbux\" is unknown" in \
        gw.log_text().replace('\\"', '"')
    own.write_text('reply { code = "554" text = "closed today" '
                   'class = "mailbox" help = "Wait for tomorrow." }\n')
    assert gw.reload()
    rule = legacy.reply("RCPT", "554 5.0.0 Mailbox is closed today")
    id = gw.send()
    assert gw.wait_event("deferred", id)["class"] == "mailbox"
    rule.times = 0
    legacy.wait_message(id)


def test_what_a_platform_forbids_is_said_by_the_check(make_gw, legacy):
    gw = make_gw(legs={"legacy": leg_keys(legacy)}, start=False)
    done = subprocess.run([BUILD / "posthoused", "-t", "-c", gw.conf],
                          capture_output=True, text=True)
    assert done.returncode == 0
    note, good = done.stdout.splitlines()
    assert "hybrid" in note and 'leg "legacy"' in note
    assert good == f"{gw.conf}: good"


# -- the breaker

def test_down_and_up_are_told(make_gw, legacy):
    gw = make_gw()
    legacy.refuse_connections()
    ids = [gw.send() for _ in range(6)]
    down = gw.wait_event("leg", leg="legacy", state="down")
    assert down["class"] == "network" and str(legacy.port) in down["reason"]
    leg = gw.cli_json("leg list")[0]
    assert leg["state"] in ("down", "probing")
    assert "Connection refused" in leg["reason"]
    # Beside the mail that waits for it, too: why, and what to do.
    shown = gw.cli("queue", "show", ids[0])
    assert "Connection refused" in shown.split("\n\n")[-1]
    assert "posthouse leg probe legacy" in shown
    legacy.accept_connections()
    gw.wait_event("leg", leg="legacy", state="up")
    for id in ids:
        legacy.wait_message(id)
