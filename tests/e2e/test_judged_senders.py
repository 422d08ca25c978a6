# SPDX-License-Identifier: ISC
"""What follows when a sender is judged by SPF: the trace block reports it, and
mail of forged senders does not move a leg's state. Clients come by PROXY."""
import dkim
import pytest

from dialog import queued_id
from names import Names
from until import until

ANN = "ann@example.com"
CLIENT = "192.0.2.10"
PROXIED = b"PROXY TCP4 192.0.2.10 127.0.0.1 4000 25\r\n"
GOOD = [f"good{i}.test" for i in range(5)]
BAD = [f"bad{i}.test" for i in range(5)]
ZONE = {("10.2.0.192.in-addr.arpa", "PTR"): ["mx.good0.test"],
        ("mx.good0.test", "A"): [CLIENT],
        ("client.test", "TXT"): ["v=spf1 ~all"],
        **{(d, "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"] for d in GOOD},
        **{(d, "TXT"): ["v=spf1 -all"] for d in BAD}}


@pytest.fixture
def names():
    with Names(ZONE) as n:
        yield n


@pytest.fixture
def judge(make_gw, legacy, names):
    def begin(settings=None, **more):
        keys = {"hosts": [f"127.0.0.1:{legacy.port}"], "tls": "none",
                "profile": "microsoft365", "probe_interval": "0s", **more}
        return make_gw({'listen "mx"': {"proxy_from": ["127.0.0.1"]},
                        "spf": {"check": True},
                        "resolver": {"servers": [names.address],
                                     "timeout": "300ms"},
                        **(settings or {})}, legs={"legacy": keys})
    return begin


def send(gw, sender):
    with gw.dialog(first=PROXIED) as d:
        d.envelope(sender, ANN)
        return queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))


def reported(gw, legacy, sender):
    """What the block says, when the client's name is known."""
    def once():
        results = legacy.wait_message(send(gw, sender)).results
        return results if "iprev" in results["Authentication-Results"] \
            else None
    return until(once, "the client's name")


def legacy_row(gw):
    return next(r for r in gw.cli_json("leg list") if r["leg"] == "legacy")


# -- the trace block

def test_a_sender_that_passes(judge, legacy):
    gw = judge()
    assert reported(gw, legacy, "ann@good0.test") == {
        "Authentication-Results":
            "relay.example.com; spf=pass smtp.mailfrom=ann@good0.test; "
            "iprev=pass policy.iprev=192.0.2.10",
        "Received-SPF":
            "pass (relay.example.com: good0.test permits 192.0.2.10) "
            'client-ip=192.0.2.10; envelope-from="ann@good0.test"; '
            "helo=client.test; identity=mailfrom; "
            'mechanism="ip4:192.0.2.0/24"; receiver=relay.example.com'}
    mail = legacy.mails[-1]
    assert b"client.test (mx.good0.test [192.0.2.10])" in mail.trace
    accepted = gw.wait_event("accepted", mail.id)
    assert (accepted["name"], accepted["spf"]) == ("mx.good0.test", "pass")
    assert accepted["spf_by"] == "ip4:192.0.2.0/24 good0.test"


def test_a_null_sender_is_judged_by_its_helo(judge, legacy):
    results = reported(judge(), legacy, "")
    assert "spf=softfail smtp.helo=client.test" in \
        results["Authentication-Results"]
    assert "identity=helo; mechanism=~all;" in results["Received-SPF"]
    assert 'envelope-from="<>"' in results["Received-SPF"]


def test_a_sender_that_fails_and_one_without_a_record(judge, legacy):
    gw = judge()
    results = legacy.wait_message(send(gw, "a@bad0.test")).results
    assert "bad0.test forbids 192.0.2.10" in results["Received-SPF"]
    results = legacy.wait_message(send(gw, "a@none.test")).results
    assert results["Received-SPF"].startswith("none (")
    assert "mechanism" not in results["Received-SPF"]


def test_a_client_that_is_not_judged_has_no_results(judge, legacy):
    gw = judge()
    with gw.dialog(first=b"PROXY UNKNOWN\r\n") as d:
        d.envelope("a@bad0.test", ANN)
        id = queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))
    assert legacy.wait_message(id).results == {}
    assert gw.wait_event("accepted", id)["spf"] == ""


def test_a_signature_verifies_below_the_whole_block_on_both_legs(
        judge, legacy, cloud, dkim_key):
    private, record = dkim_key
    body = b"From: a@good0.test\r\nSubject: signed\r\n\r\n x \r\n"
    body = dkim.sign(body, b"sel", b"good0.test", private,
                     canonicalize=(b"simple", b"simple")) + body
    gw = judge()
    gw.cli(f"route set legacy+cloud {ANN}")
    with gw.dialog(first=PROXIED) as d:
        d.envelope("a@good0.test", ANN)
        id = queued_id(d.data(body + b".\r\n"))
    for leg in (legacy, cloud):
        mail = leg.wait_message(id)
        assert set(mail.results) == {"Authentication-Results", "Received-SPF"}
        assert mail.below == body
        assert dkim.verify(mail.raw, dnsfunc=lambda *_, **__: record)


# -- a leg's state

DIRECT = "550 5.7.68 Direct Send not allowed"


def test_ten_forged_messages_do_not_suspend_and_ten_that_pass_do(
        judge, legacy):
    gw = judge()
    legacy.reply("DOT", DIRECT)
    for i in range(10):
        gw.wait_event("deferred", send(gw, f"a@{BAD[i % 5]}"))
    assert legacy_row(gw)["state"] == "up"
    assert not gw.events(event="alarm") and not gw.events(event="leg")
    for i in range(10):
        send(gw, f"a@{GOOD[i % 5]}")
    event = gw.wait_event("leg", leg="legacy", state="suspended")
    assert "10 messages of 5 sender domains" in event["reason"]
    legacy.normal()
    gw.cli("leg resume legacy")


def test_forged_mail_may_cause_a_question_of_ours(judge, legacy):
    gw = judge()
    legacy.wait_message(send(gw, f"a@{GOOD[0]}"))
    legacy.reply("RCPT", DIRECT)
    send(gw, f"a@{BAD[0]}")
    event = gw.wait_event("leg", leg="legacy", state="suspended")
    assert "question" in event["reason"]
    legacy.normal()
    gw.cli("leg resume legacy")


def test_a_forged_sender_that_is_disbelieved_is_parked_untold(
        judge, legacy, outside):
    gw = judge(trust="none")
    legacy.reply("DOT", "550 5.7.509 Access denied, DMARC", times=1)
    id = send(gw, f"a@{BAD[0]}")
    parked = gw.wait_event("parked", id)
    assert (parked["reason"], parked["code"]) == ("forged", 550)
    assert parked["class"] == "authentication"
    row, = gw.queue()
    assert row["reason"].startswith("forged: 550 5.7.509")
    until(lambda: "SPF disowns its sender" in gw.run("trace", id).stdout,
          "its sentence")
    legacy.wait_message(send(gw, f"a@{GOOD[0]}"))  # a DSN would be gone
    assert not outside.mails and not gw.events(event="dsn")
    assert legacy_row(gw)["authentication"] == 0
