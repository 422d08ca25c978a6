# SPDX-License-Identifier: ISC
"""Notices to senders (RFC 3464), as Python's own parser reads them."""
import email
import email.policy

import pytest

from until import until

ANN, BOB = "ann@example.com", "bob@example.com"
SENDER = "sender@elsewhere.test"


def refuse(leg):
    leg.reply("RCPT", "550 5.1.1 <x@internal.cloud.test> nobody here")


def read(mail):
    return email.message_from_bytes(mail.raw, policy=email.policy.default)


def test_a_sender_is_told_once_and_in_full(gw, legacy, outside):
    refuse(legacy)
    id = gw.send(to=[ANN, BOB], sender=SENDER,
                 mail_options=["ENVID=QQ314", "RET=HDRS"],
                 rcpt_options=["ORCPT=rfc822;Original@Example.com"])
    mail = outside.wait_count(1)[0]
    assert (mail.sender, mail.rcpt) == ("", [SENDER])
    dsn = read(mail)
    assert dsn.get_content_type() == "multipart/report"
    assert dsn.get_param("report-type") == "delivery-status"
    assert SENDER in dsn["To"] and dsn["Subject"] and dsn["Date"]
    assert dsn["Message-ID"] and dsn["Auto-Submitted"] == "auto-replied" \
        or dsn["Auto-Submitted"] == "auto-generated"
    text, status, original = dsn.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    fields, *rcpts = status.get_payload()
    assert fields["Reporting-MTA"] == "dns; relay.example.com"
    assert fields["Original-Envelope-Id"] == "QQ314"
    assert fields["Arrival-Date"]
    assert sorted(r["Final-Recipient"] for r in rcpts) == \
        [f"rfc822; {ANN}", f"rfc822; {BOB}"]
    for r in rcpts:
        assert r["Action"] == "failed" and r["Status"] == "5.1.1"
        assert r["Original-Recipient"] == "rfc822; Original@Example.com"
        assert r["Diagnostic-Code"].startswith("smtp; 550")
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: a test" in original.as_string()
    told = gw.wait_event("dsn", about=id, to=ANN)
    assert told["action"] == "failed"
    gw.wait_empty()
    assert len(outside.mails) == 1
    # Of its own, with a fate on record.
    gw.wait_event("delivered", told["id"], leg="outside")


def test_the_addresses_of_a_leg_are_not_shown(gw, cloud, outside):
    """D9."""
    gw.cli(f"route set cloud {ANN} --address cloud=secret@internal.test")
    cloud.reply("RCPT", "550 5.1.1 <secret@internal.test> unknown")
    gw.send(to=ANN)
    raw = outside.wait_count(1)[0].raw
    assert b"secret" not in raw.lower()
    assert ANN.encode() in raw


@pytest.mark.parametrize("sender, options", [
    ("", []), (SENDER, ["NOTIFY=NEVER"]), (SENDER, ["NOTIFY=SUCCESS"])])
def test_nobody_is_told_who_does_not_want_it(gw, legacy, outside, sender,
                                             options):
    refuse(legacy)
    id = gw.send(to=ANN, sender=sender, rcpt_options=options)
    # A failure without a sender to tell is kept for the administrator.
    gw.wait_event("bounced" if sender else "parked", id)
    gw.wait_empty()
    assert gw.events(event="dsn") == [] and not outside.mails


def test_a_notice_that_fails_makes_no_notice(gw, legacy, outside):
    refuse(legacy)
    refuse(outside)
    gw.send(to=ANN)
    until(lambda: gw.events(event="bounced", leg="outside") or
          gw.events(event="parked", leg="outside"), "the notice to fail")
    assert len(gw.events(event="dsn")) == 1


def test_without_a_way_the_notice_is_parked(make_gw, legacy):
    gw = make_gw({"dsn": {"via": "none"}}, legs={"outside": None})
    refuse(legacy)
    id = gw.send(to=ANN)
    notice = gw.wait_event("dsn", about=id)["id"]
    assert gw.wait_event("parked", notice)["reason"] == "no-way"
    assert [q["id"] for q in gw.queue("--state", "parked")] == [notice]


def test_a_notice_without_a_way_goes_when_there_is_one(make_gw, legacy,
                                                       outside):
    gw = make_gw({"dsn": {"via": "none"}})
    refuse(legacy)
    id = gw.send(to=ANN, sender=SENDER)
    notice = gw.wait_event("dsn", about=id)["id"]
    gw.wait_event("parked", notice)
    gw.set("dsn", via="outside")
    assert gw.reload()
    gw.cli(f"queue retry {notice}")
    assert outside.wait_count(1)[0].rcpt == [SENDER]
    gw.wait_empty()


def test_a_sender_of_our_own_is_told_by_the_table(gw, legacy, cloud,
                                                  outside):
    gw.cli(f"route set legacy {ANN}")
    gw.cli(f"route set cloud {BOB}")
    legacy.reply("RCPT", "550 5.1.1 Nobody")
    gw.send(to=ANN, sender=BOB)
    mail = cloud.wait_count(1)[0]
    assert mail.sender == "" and mail.rcpt == [BOB]
    assert read(mail).get_content_type() == "multipart/report"
    assert not outside.mails


def test_soft_bounce_bounces_nothing(make_gw, legacy, outside):
    gw = make_gw({"": {"soft_bounce": True}})
    refuse(legacy)
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    assert not outside.mails
    legacy.normal()
    legacy.wait_message(id)


def test_the_end_of_a_lifetime_is_told_and_the_mail_is_kept(
        make_gw, legacy, outside):
    """D10."""
    gw = make_gw({"retry": {"lifetime": "1s", "steps": ["300ms"]}})
    legacy.reply("RCPT", "450 4.2.0 Not yet")
    id = gw.send(to=ANN)
    gw.wait_event("parked", id)
    assert outside.wait_count(1)[0].rcpt == [SENDER]
    assert [q["state"] for q in gw.queue()] == ["parked"]


def test_utf8_senders_are_told_in_utf8(gw, legacy, outside):
    refuse(legacy)
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<jürgen@elsewhere.test> SMTPUTF8")
        d.ok(f"RCPT TO:<{ANN}>")
        assert d.data("Subject: ü\r\n\r\nx\r\n.\r\n").code == 250
    mail = outside.wait_count(1)[0]
    assert mail.rcpt == ["jürgen@elsewhere.test"]
    assert "SMTPUTF8" in mail.params
    assert read(mail).get_content_type() == "multipart/report"


def test_by_mx_a_notice_goes_to_the_sender_s_domain(make_gw, make_leg,
                                                    own_address, legacy):
    from names import Names
    host = own_address()
    sink = make_leg("world", host=host, port=25)
    zone = {("elsewhere.test", "MX"): ["10 mx.elsewhere.test"],
            ("mx.elsewhere.test", "A"): [host]}
    refuse(legacy)
    with Names(zone) as names:
        gw = make_gw({"dsn": {"via": "mx"},
                      "resolver": {"servers": [names.address],
                                   "timeout": "1s"}},
                     legs={"outside": None})
        gw.send(to=ANN)
        assert sink.wait_count(1)[0].rcpt == [SENDER]
        gw.wait_empty()
