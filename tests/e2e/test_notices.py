# SPDX-License-Identifier: ISC
"""What senders are told (D9, RFC 3461, 3464, 6522, 6533), by two parsers
that we did not write; and copies, of which nobody is told (D3)."""
import base64
import datetime
import email.utils
import hashlib
import hmac
import json
import random
import time

import pytest

from peers import Postfix
from reports import Report
from test_crash import Senders
from until import until

ANN, BOB = "ann@example.com", "bob@example.com"
SENDER = "sender@elsewhere.test"
NO_DSN = ("CHUNKING",)
KEY = "a-key-for-return-addresses"


@pytest.fixture
def plain(make_leg):
    """A leg that does not offer DSN."""
    return make_leg("legacy", offers=NO_DSN)


def told(outside, n=1):
    return [Report(m.raw) for m in outside.wait_count(n)]


# -- parameters, end to end

def test_what_the_sender_asked_for_reaches_a_leg_that_offers_dsn(
        gw, legacy, outside):
    id = gw.send(to=ANN, mail_options=["RET=HDRS", "ENVID=QQ+2B1"],
                 rcpt_options=["NOTIFY=SUCCESS,DELAY",
                               "ORCPT=rfc822;Ann+2B1@Example.org"])
    mail = legacy.wait_message(id)
    assert {"RET=HDRS", "ENVID=QQ+2B1"} <= set(mail.params)
    assert set(mail.rcpt_params[0]) == {
        "NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Ann+2B1@Example.org"}
    gw.wait_event("delivered", id)
    gw.wait_empty()
    assert gw.events(event="dsn") == [] and not outside.mails


def test_a_real_postfix_confirms_with_what_the_sender_asked_for(
        peers, folder, make_gw, make_leg, outside):
    behind = make_leg("behind", offers=NO_DSN)
    postfix = Postfix(peers, folder / "postfix", behind)
    try:
        postfix.start()
        gw = make_gw(legs={"legacy": postfix.port})
        gw.send(to=ANN, mail_options=["RET=HDRS", "ENVID=QQ314"],
                rcpt_options=["NOTIFY=SUCCESS",
                              "ORCPT=rfc822;First@Example.org"])
        mails = behind.wait_count(2)
        notice = [m for m in mails if m.rcpt == [SENDER]][0]
        report = Report(notice.raw)
        assert report.fields["Original-Envelope-Id"] == "QQ314"
        assert report.only["Action"] == "relayed"
        assert report.only["Original-Recipient"] == \
            "rfc822;First@Example.org"
        assert not outside.mails        # that one spoke for us
    finally:
        postfix.stop()


# -- success

@pytest.mark.parametrize("notify, action", [
    ("SUCCESS", "relayed"), ("SUCCESS,FAILURE", "relayed"),
    ("FAILURE", None), ("NEVER", None), (None, None)])
def test_a_leg_without_dsn_has_its_success_told_by_us(
        make_gw, plain, outside, notify, action):
    gw = make_gw(legs={"legacy": plain})
    id = gw.send(to=ANN, mail_options=["ENVID=QQ1", "RET=FULL"],
                 rcpt_options=["ORCPT=rfc822;Ann@Example.com"] +
                 ([f"NOTIFY={notify}"] if notify else []))
    assert plain.wait_message(id).params == ["SIZE=%d" % len(
        plain.messages(id)[0].raw)]
    gw.wait_event("delivered", id)
    if action is None:
        gw.wait_empty()
        assert gw.events(event="dsn") == [] and not outside.mails
        return
    report = told(outside)[0]
    assert report.only["Action"] == action
    assert report.only["Status"].startswith("2.")
    assert report.only["Original-Recipient"] == "rfc822; Ann@Example.com"
    assert report.fields["Original-Envelope-Id"] == "QQ1"
    assert report.original.get_content_type() == "text/rfc822-headers"
    assert "not confirm delivery" in report.words
    assert not report.perl["bounce"]
    assert gw.wait_event("dsn", about=id)["action"] == action
    gw.wait_empty()
    assert len(outside.mails) == 1


def test_an_lmtp_leg_delivers_and_the_sender_is_told_so(
        make_gw, make_leg, outside):
    store = make_leg("store", offers=(), lmtp=True)
    gw = make_gw(legs={"legacy": {"hosts": [f"127.0.0.1:{store.port}"],
                                  "tls": "none", "protocol": "lmtp"}})
    id = gw.send(to=[ANN, BOB], rcpt_options=["NOTIFY=SUCCESS"])
    report = told(outside)[0]
    assert {r["Action"] for r in report.rcpts} == {"delivered"}
    assert sorted(r["Final-Recipient"] for r in report.rcpts) == \
        [f"rfc822; {ANN}", f"rfc822; {BOB}"]
    assert gw.wait_event("dsn", about=id, to=BOB)["action"] == "delivered"


# -- failure

def test_a_bounce_processor_understands_our_failures(make_gw, legacy,
                                                     outside):
    gw = make_gw({'leg "legacy"': {"domains": ["inside.test"]}})
    legacy.reply("RCPT", "550 5.1.1 <x@inside.test> nobody at "
                 "mbx1.inside.test", to=ANN)
    legacy.reply("RCPT", "550 5.2.1 Closed for good", to=BOB)
    id = gw.send(to=[ANN, BOB], mail_options=["RET=FULL"])
    report = told(outside)[0]
    rows = {r["Final-Recipient"]: r for r in report.rcpts}
    assert rows[f"rfc822; {ANN}"]["Status"] == "5.1.1"
    assert rows[f"rfc822; {BOB}"]["Status"] == "5.2.1"
    assert report.perl["bounce"]
    assert {r["email"]: r["reason"] for r in report.perl["reports"]} == \
        {ANN: "user_unknown", BOB: "user_disabled"}
    assert report.original.get_content_type() == "message/rfc822"
    assert report.returned.replace("\r", "").endswith("\n\nHello.\n")
    for inside in ("inside.test", "127.0.0.1", "remote-mta"):
        assert inside not in str(report.perl["groups"]).lower()
        assert inside not in report.words
    gw.wait_event("bounced", id, to=BOB)


def test_a_large_message_comes_back_as_its_header(gw, legacy, outside):
    legacy.reply("RCPT", "550 5.1.1 Nobody")
    big = b"Subject: a big one\r\n\r\n" + (b"x" * 70 + b"\r\n") * 1500
    gw.send(to=ANN, message=big, mail_options=["RET=FULL"])
    report = told(outside)[0]
    assert report.original.get_content_type() == "text/rfc822-headers"
    assert "Subject: a big one" in report.returned
    assert "xxxx" not in report.returned


def test_international_mail_is_told_of_in_its_own_forms(gw, legacy, outside):
    legacy.reply("RCPT", "550 5.1.1 Kein Postfach")
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<jürgen@elsewhere.test> SMTPUTF8 RET=FULL")
        d.ok("RCPT TO:<größe@example.com>")
        assert d.data("Subject: ü\r\n\r\nx\r\n.\r\n").code == 250
    report = told(outside)[0]
    assert [p["type"] for p in report.perl["parts"]] == [
        "text/plain", "message/global-delivery-status", "message/global"]
    assert report.only["Final-Recipient"].encode("latin-1").decode() == \
        "utf-8; größe@example.com"
    assert report.mail["Content-Transfer-Encoding"] == "8bit"


# -- delay

def when(text):
    return email.utils.parsedate_to_datetime(text)


def test_a_delay_is_told_once_and_then_the_mail_arrives(make_gw, legacy,
                                                        outside):
    gw = make_gw({"dsn": {"delay": "1s"}})
    legacy.reply("RCPT", "450 4.2.1 Being moved")
    id = gw.send(to=[ANN, BOB], mail_options=["ENVID=D1"])
    report = told(outside)[0]
    assert len(report.rcpts) == 2
    for row in report.rcpts:
        assert row["Action"] == "delayed" and row["Status"] == "4.2.1"
        assert row["Diagnostic-Code"] == "smtp; 450 4.2.1 Being moved"
        left = when(row["Will-Retry-Until"]) - when(
            report.fields["Arrival-Date"])
        # Both are cut to seconds.
        off = abs(left - datetime.timedelta(days=5))
        assert off <= datetime.timedelta(seconds=1)
    assert report.fields["Original-Envelope-Id"] == "D1"
    assert report.original.get_content_type() == "text/rfc822-headers"
    assert "need not do anything" in report.words
    assert {e["to"] for e in gw.events(event="dsn", about=id)} == {ANN, BOB}
    assert {e["action"] for e in gw.events(event="dsn", about=id)} == \
        {"delayed"}
    assert "450 4.2.1 Being moved" in str(gw.queue("--to", ANN))
    gw.restart()
    before = len(gw.events(id, "deferred"))
    until(lambda: len(gw.events(id, "deferred")) > before + 4,
          "some more attempts")
    legacy.normal()
    legacy.wait_message(id)
    gw.wait_empty()
    assert len(gw.events(event="dsn")) == 2 and len(outside.mails) == 1


@pytest.mark.parametrize("sender, notify", [
    ("", None), (SENDER, "NEVER"), (SENDER, "FAILURE")])
def test_who_did_not_ask_does_not_hear_of_a_delay(make_gw, legacy, outside,
                                                  sender, notify):
    gw = make_gw({"dsn": {"delay": "1s"}})
    legacy.reply("RCPT", "450 4.2.1 Being moved")
    quiet = gw.send(to=ANN, sender=sender,
                    rcpt_options=[f"NOTIFY={notify}"] if notify else [])
    loud = gw.send(to=BOB)
    gw.wait_event("dsn", about=loud)
    assert gw.events(event="dsn", about=quiet) == []
    legacy.normal()
    gw.wait_empty()


def test_held_mail_is_not_late(make_gw, legacy, outside):
    gw = make_gw({"dsn": {"delay": "1s"}})
    gw.cli(f"route set legacy {ANN} {BOB}")
    gw.cli(f"hold {ANN}")
    legacy.reply("RCPT", "450 4.2.1 Being moved")
    held = gw.send(to=ANN)
    loud = gw.send(to=BOB)
    gw.wait_event("dsn", about=loud)
    assert gw.events(event="dsn", about=held) == []
    legacy.normal()
    gw.cli(f"release {ANN}")
    gw.wait_empty()


# -- the guard

def test_who_may_be_forged_is_not_told_of_mail_to_nobody(make_gw, legacy,
                                                         outside):
    gw = make_gw({"dsn": {"guard": "fail"}})
    gw.cli(f"route set legacy {BOB}")
    legacy.reply("RCPT", "550 5.1.1 Nobody")
    stranger = gw.send(to=ANN)
    parked = gw.wait_event("dsn", about=stranger)["id"]
    assert gw.wait_event("parked", parked)["reason"] == "guard"
    until(lambda: "guard" in gw.run(f"trace {parked}").stdout,
          "trace to show why")
    known = gw.send(to=BOB)
    sent = gw.wait_event("dsn", about=known)["id"]
    gw.wait_event("delivered", sent)
    assert len(outside.mails) == 1
    gw.cli(f"queue retry {parked}")
    assert told(outside, 2)[1].only["Final-Recipient"] == f"rfc822; {ANN}"


# -- copies and their return addresses

@pytest.fixture
def returning(folder):
    secrets = folder / "return.secrets"
    secrets.write_text(KEY + "\n")
    secrets.chmod(0o600)
    return {"domain": "return.example.com", "secrets": secrets}


def copy_to(gw):
    gw.cli(f"route set legacy+cloud {ANN}")


@pytest.mark.parametrize("offers, copy_return, ours, never", [
    (("DSN",), "notify", False, True), ((), "notify", True, False),
    (("DSN",), "token", True, False), ((), "token", True, False)])
def test_a_copy_causes_no_dsn(make_gw, make_leg, legacy, returning, offers,
                              copy_return, ours, never):
    cloud = make_leg("cloud", offers=offers)
    gw = make_gw({"return": returning,
                  'leg "cloud"': {"copy_return": copy_return}},
                 legs={"cloud": cloud})
    copy_to(gw)
    id = gw.send(to=ANN, rcpt_options=["NOTIFY=SUCCESS"])
    mail = cloud.wait_message(id)
    assert mail.sender.endswith("@return.example.com") is ours
    assert (mail.sender == SENDER) is not ours
    assert ("NOTIFY=NEVER" in mail.rcpt_params[0]) is never
    assert "SUCCESS" not in str(mail.rcpt_params)
    assert legacy.wait_message(id).sender == SENDER
    null = gw.send(to=ANN, sender="")
    assert cloud.wait_message(null).sender == ""


def test_without_return_addresses_the_sender_stays(make_gw, make_leg, legacy):
    cloud = make_leg("cloud", offers=())
    gw = make_gw(legs={"cloud": cloud})
    copy_to(gw)
    assert cloud.wait_message(gw.send(to=ANN)).sender == SENDER


def mark(facts):
    digest = hmac.new(KEY.encode(), b"return\0" + facts.encode(),
                      hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def address(id, day, leg="cloud"):
    facts = f"{id.lower()}.{day}.{leg}"
    return f"ret.{facts}.{mark(facts)}@return.example.com"


def test_our_return_address_is_what_python_makes_of_it(make_gw, make_leg,
                                                       legacy, returning):
    cloud = make_leg("cloud", offers=())
    gw = make_gw({"return": dict(returning, lifetime="7d")},
                 legs={"cloud": cloud})
    copy_to(gw)
    before = int(time.time()) // 86400
    id = gw.send(to=ANN)
    sender = cloud.wait_message(id).sender
    days = {before, int(time.time()) // 86400}
    assert sender in {address(id, day + 7) for day in days}


def test_the_bounce_of_a_real_postfix_is_attached_and_ends(
        peers, folder, make_gw, make_leg, legacy, outside, returning):
    behind = make_leg("behind")
    behind.reply("RCPT", "550 5.1.1 Nobody here", to=ANN)
    postfix = Postfix(peers, folder / "postfix", behind)
    try:
        postfix.start()
        gw = make_gw({"return": returning, 'leg "cloud"': {
            "hosts": [f"127.0.0.1:{postfix.port}"], "tls": "none",
            "copy_return": "token"}})
        copy_to(gw)
        id = gw.send(to=ANN)
        bounce = behind.wait_count(1)[0]
        assert bounce.sender == ""
        assert bounce.rcpt[0].endswith("@return.example.com")
        got = gw.send(to=bounce.rcpt[0].upper(), sender="",
                      message=bounce.raw)
        event = gw.wait_event("returned", got)
        assert (event["about"], event["leg"]) == (id, "cloud")
        assert (event["action"], event["to"]) == ("failed", ANN)
        assert event["status"].startswith("5.")
        gw.wait_event("deleted", got)
        shown = until(lambda: [json.loads(line) for line in gw.run(
            f"trace {id} --json").stdout.splitlines()
            if '"returned"' in line], "trace to show the bounce")
        assert shown == [{k: v for k, v in event.items() if k != "pos"}]
        over = gw.wait_event("deleted", got)
        assert (over["reason"], over["leg"]) == ("returned", "none")
        # A delivered copy stays delivered, and no sender hears of it.
        assert gw.events(id, "delivered", leg="cloud")
        gw.wait_empty()
        assert gw.queue() == [] and gw.events(event="dsn") == []
        assert len(legacy.mails) == 1 and not outside.mails
    finally:
        postfix.stop()


def test_an_answer_of_a_person_is_attached_too(make_gw, legacy, returning):
    gw = make_gw({"return": returning})
    today = int(time.time()) // 86400
    about = gw.send(to=BOB)
    got = gw.send(to=address(about, today + 1), sender="eve@x.test",
                  message=b"Subject: away\r\n\r\nI am away.\r\n")
    event = gw.wait_event("returned", got)
    assert (event["about"], event["action"], event["status"]) == \
        (about, "", "")


def test_forged_and_expired_return_addresses_are_refused(make_gw, legacy,
                                                         returning):
    gw = make_gw({"return": returning})
    gw.cli("route set legacy admin@example.com")
    today = int(time.time()) // 86400
    id = "0SA86NEVC0001"
    good = address(id, today)
    forged = good.replace("." + mark(f"{id.lower()}.{today}.cloud"),
                          "." + "a" * 16)
    cases = [(address(id, today - 1), "expired"), (forged, "no return"),
             (address(id, today).replace("cloud", "legacy"), "no return"),
             ("ann@return.example.com", "no return")]
    with gw.dialog() as d:
        d.envelope("")
        for rcpt, words in cases:
            r = d.cmd(f"RCPT TO:<{rcpt}>")
            assert (r.code, r.enh) == (550, "5.7.1"), rcpt
            assert words in r.text
            said = json.loads(gw.run("explain", rcpt, "--json").stdout)
            assert (said["rule"], said["code"]) == ("return", 550)
        assert gw.cli_json("explain", good)[0]["verdict"] == "accept"
        d.ok(f"RCPT TO:<{good}>")
        # Alone: others come in another transaction.
        for other in (good, ANN):
            r = d.cmd(f"RCPT TO:<{other}>")
            assert (r.code, r.enh) == (452, "4.5.3")
        d.ok("RSET")
        d.ok("MAIL FROM:<>")
        d.ok("RCPT TO:<postmaster@return.example.com>")
        assert d.cmd(f"RCPT TO:<{good}>").code == 452
    gw.wait_event("refused", code=550, to=forged)


# -- never two last words

def storm(make_gw, legacy, outside, kills):
    gw = make_gw()
    legacy.reply("RCPT", "550 5.1.1 Nobody")
    rng = random.Random(7)
    ids = []
    for _ in range(kills):
        load = Senders(gw.port, 4)
        wanted = rng.randrange(1, 25)
        until(lambda: len(load.ids) >= wanted, f"{wanted} messages")
        gw.kill()
        ids += load.stop()
        gw.start()
    gw.wait_empty()
    until(lambda: all(gw.events(i, "bounced") for i in ids),
          "all to be bounced")
    # After a kill a line may stand twice in the file, at one place.
    lines = {e["pos"] + e["to"]: e for e in gw.events(event="dsn")}
    about = [e["about"] for e in lines.values()]
    assert len(about) == len(set(about))
    assert set(ids) <= set(about)
    # A notice may arrive twice; there are never two.
    got = {email.message_from_bytes(m.raw)["Message-ID"]
           for m in outside.mails}
    assert len(got) == len(about)


def test_over_kills_nobody_hears_of_a_failure_twice(make_gw, legacy, outside):
    storm(make_gw, legacy, outside, 4)


@pytest.mark.long
def test_over_many_kills_nobody_hears_of_a_failure_twice(make_gw, legacy,
                                                         outside):
    storm(make_gw, legacy, outside, 60)
