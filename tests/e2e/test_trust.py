# SPDX-License-Identifier: ISC
"""What a leg believes of us: a sender whose domain fails our address goes to it
under a domain of ours, and a forged one under a return address. Clients come by
PROXY; the leg sees 198.51.100.7."""
import json
import re
import subprocess

import pytest

from conftest import unpacked
from dialog import queued_id
from gateway import BUILD
from names import Names
from until import until
from peers import Postfix

ANN = "ann@example.com"
US, CLIENT = "198.51.100.7", "192.0.2.10"
PROXIED = f"PROXY TCP4 {CLIENT} 127.0.0.1 4000 25\r\n".encode()
# What of the two addresses a domain passes; softfail and permerror of all.
ZONE = {("both.test", "TXT"): [f"v=spf1 ip4:{US} ip4:{CLIENT} -all"],
        ("client.test", "TXT"): [f"v=spf1 ip4:{CLIENT} -all"],
        ("us.test", "TXT"): [f"v=spf1 ip4:{US} -all"],
        ("soft.test", "TXT"): [f"v=spf1 ip4:{CLIENT} ~all"],
        ("broken.test", "TXT"): ["v=spf1 bad:term -all"]}
SRS = r"SRS0=.{8}=..=%s=x@srs.test"
RETURN = r"ret\..*@return.test"
WHEN = {"rewrite_sender": "when-spf-fails"}


@pytest.fixture
def names():
    with Names(ZONE) as n:
        n.silent = {"silent.test"}
        yield n


@pytest.fixture
def make_trusted(make_gw, legacy, names, folder):
    def make(start=True, more=None, **keys):
        key = folder / "keys"
        key.write_text("0123456789abcdef\n")
        key.chmod(0o600)
        return make_gw({
            "": {"public_address": [US], "workers": 1},
            'listen "mx"': {"proxy_from": ["127.0.0.1"]},
            "spf": {"check": True},
            "resolver": {"servers": [names.address], "timeout": "300ms"},
            "dsn": {"guard": "fail"},
            "srs": {"domain": "srs.test", "secrets": key},
            "return": {"domain": "return.test", "secrets": key},
            **(more or {})},
            legs={"legacy": {"hosts": [f"127.0.0.1:{legacy.port}"],
                             "tls": "none", **keys}}, start=start)
    return make


def send(gw, sender, to=ANN):
    with gw.dialog(first=PROXIED) as d:
        d.envelope(sender, to)
        return queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))


def told(gw, leg, sender):
    return leg.wait_message(send(gw, sender)).sender


@pytest.mark.parametrize("domain, want", [
    ("both.test", "x@both.test"), ("client.test", SRS % "client.test"),
    ("us.test", RETURN), ("soft.test", "x@soft.test"),
    ("broken.test", "x@broken.test"), ("without.test", "x@without.test"),
    ("silent.test", SRS % "silent.test")])
def test_the_sender_that_the_leg_is_told(make_trusted, legacy, domain, want):
    gw = make_trusted(**WHEN)
    gw.cli(f"route set legacy {ANN}")
    id = send(gw, f"x@{domain}")
    sender = legacy.wait_message(id).sender
    assert re.fullmatch(want, sender), sender
    gw.wait_event("delivered", id)
    events = gw.events(id, "rewritten")
    assert len(events) == (want != f"x@{domain}")
    for event in events:
        assert event["from"] == f"x@{domain}" and event["leg"] == "legacy"
        assert event["rewritten"] == sender
        assert (event["reason"], event.get("spf")) == {
            "client.test": ("spf", "fail"), "us.test": ("guard", None),
            "silent.test": ("spf", "temperror")}[domain]
        until(lambda: f"goes to legacy ({event['reason']}) as {sender}" in
              gw.run(f"trace {id}").stdout, "the trail to have it")


@pytest.mark.parametrize("author, signer, fails", [
    ("strict.test", "", True), ("strict.test", "strict.test", False),
    ("mild.test", "", False), ("srs.test", "", False)])
def test_what_dmarc_says_of_a_rewritten_sender(make_trusted, legacy, names,
                                               author, signer, fails):
    """By the policy of From, a signature, and srs.test where SPF passes it."""
    names.zone.update({
        ("_dmarc.strict.test", "TXT"): ["v=DMARC1; p=reject"],
        ("_dmarc.mild.test", "TXT"): ["v=DMARC1; p=none"],
        ("_dmarc.srs.test", "TXT"): ["v=DMARC1; p=quarantine"],
        ("srs.test", "TXT"): [f"v=spf1 ip4:{US} -all"]})
    gw = make_trusted(**WHEN)
    gw.cli(f"route set legacy {ANN}")
    signed = f"DKIM-Signature: v=1; d={signer}\r\n" if signer else ""
    with gw.dialog(first=PROXIED) as d:
        d.envelope("x@client.test", ANN)
        id = queued_id(d.data(f"{signed}From: a@{author}\r\n"
                              "Subject: x\r\n\r\nx\r\n.\r\n"))
    assert re.fullmatch(SRS % "client.test", legacy.wait_message(id).sender)
    gw.wait_event("delivered", id)
    [event] = gw.events(id, "rewritten")
    assert event.get("dmarc") == ("would-fail" if fails else None)


def test_a_recipient_without_a_row(make_trusted, legacy):
    """A bounce of that mail is told only to a sender that passed."""
    gw = make_trusted(**WHEN)
    stranger = "stranger@example.com"
    for domain, want in (("both.test", "x@both.test"),
                         ("client.test", SRS % "client.test"),
                         ("soft.test", "x@soft.test"),
                         ("without.test", RETURN)):
        sender = legacy.wait_message(
            send(gw, f"x@{domain}", to=stranger)).sender
        assert re.fullmatch(want, sender), (domain, sender)


def test_the_leg_is_reached_over_what_is_judged(make_trusted, legacy, names):
    names.zone.update({("mx.leg.test", "A"): ["127.0.0.1"],
                       ("mx.leg.test", "AAAA"): ["::1"]})
    hosts = {"hosts": [f"mx.leg.test:{legacy.port}"]}

    def addresses(**keys):
        gw = make_trusted(**hosts, **keys)
        rows = gw.run("--json leg probe legacy").stdout.splitlines()
        gw.stop()
        return {json.loads(row)["address"] for row in rows}
    assert addresses() == {"127.0.0.1", "::1"}
    assert addresses(**WHEN) == {"127.0.0.1"}


def test_a_family_that_is_not_judged_is_an_error(make_trusted):
    gw = make_trusted(start=False, family="ipv6", **WHEN)
    done = subprocess.run([BUILD / "posthoused", "-t", "-c", gw.conf],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert 'leg "legacy" has family = "ipv6", and the addresses that it ' \
        "sees us by are not of that family" in done.stderr


def test_never_is_the_default(make_trusted, legacy):
    gw = make_trusted()
    for domain in ("client.test", "us.test"):
        assert told(gw, legacy, f"x@{domain}") == f"x@{domain}"


def test_the_null_sender_stays(make_trusted, legacy):
    assert told(make_trusted(**WHEN), legacy, "") == ""


def test_a_copy_keeps_its_return_address(make_trusted, legacy, cloud):
    gw = make_trusted(**WHEN, copy_return="token")
    gw.change(f"route set cloud+legacy {ANN}")
    id = send(gw, "x@client.test")
    assert cloud.wait_message(id).sender == "x@client.test"
    assert re.fullmatch(RETURN, legacy.wait_message(id).sender)


def test_a_bounce_of_forged_mail_ends_here(make_trusted, legacy, outside):
    gw = make_trusted(**WHEN)
    to = told(gw, legacy, "x@us.test")
    with gw.dialog(first=PROXIED) as d:
        d.envelope("", to)
        id = queued_id(d.data("Subject: it failed\r\n\r\nSorry.\r\n.\r\n"))
    assert gw.wait_event("deleted", id)["reason"] == "returned"
    assert not outside.mails


def test_a_record_that_changes_counts_at_the_next_attempt(
        make_trusted, legacy, names):
    names.ttl = 0
    gw = make_trusted(**WHEN)
    rule = legacy.reply("MAIL", "451 4.3.0 later")
    id = send(gw, "x@both.test")
    gw.wait_event("deferred", id)
    names.zone[("both.test", "TXT")] = [f"v=spf1 ip4:{CLIENT} -all"]
    gw.set("resolver", timeout="301ms")    # known verdicts are forgotten
    gw.reload()
    rule.times = 0
    assert re.fullmatch(SRS % "both.test", legacy.wait_message(id).sender)


def advice(gw):
    done = subprocess.run([BUILD / "posthoused", "-t", "-c", gw.conf],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return [l for l in done.stdout.splitlines() if "rewrite_sender" in l]


def test_a_leg_that_does_not_believe_us_is_advice(make_trusted):
    line, = advice(make_trusted(start=False, trust="none"))
    assert 'leg "legacy" has trust = "none"' in line
    assert not advice(make_trusted(start=False, trust="none", **WHEN))
    assert not advice(make_trusted(start=False, trust="skip-listing"))


# ---- XCLIENT

@pytest.fixture
def make_postfix(folder, legacy):
    running = []

    def make(lines):
        p = Postfix(unpacked("postfix"), folder / "postfix", legacy)
        running.append(p.start_with(lines))
        return p
    yield make
    for p in running:
        p.stop()


XCLIENT = "smtpd_authorized_xclient_hosts = 127.0.0.0/8\n"


def from_client(n):
    return f"PROXY TCP4 192.0.2.{n} 127.0.0.1 4000 25\r\n".encode()


def client_line(mail):
    """Of Postfix's own Received; ours is below it."""
    line = mail.raw.split(b"\r\n")[0].decode()
    assert line.startswith("Received: from relay.example.com ("), line
    return line


def test_a_postfix_sees_the_client_of_each_message(
        make_trusted, make_postfix, legacy):
    """It offers XCLIENT to our address alone: not again behind the first."""
    postfix = make_postfix(XCLIENT + "mynetworks = 127.0.0.0/8 192.0.2.0/24\n")
    gw = make_trusted(xclient=True, hosts=[f"127.0.0.1:{postfix.port}"],
                      connections=1)
    seen = {}
    for n in (10, 11, 12):
        with gw.dialog(first=from_client(n)) as d:
            d.envelope("x@both.test", ANN)
            id = queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))
        seen[n] = legacy.wait_message(id)  # the connection is idle then
    for n, mail in seen.items():
        assert f" [192.0.2.{n}])" in client_line(mail), mail.raw


def test_a_postfix_sees_the_client_behind_tls(
        make_trusted, make_postfix, legacy, authority):
    """XCLIENT comes after STARTTLS, and TLS stays behind the second EHLO."""
    postfix = make_postfix(
        XCLIENT + "mynetworks = 127.0.0.0/8 192.0.2.0/24\n"
        "smtpd_tls_security_level = encrypt\n"
        "smtpd_tls_received_header = yes\n"
        f"smtpd_tls_chain_files = {authority.make('px', 'px.test')}\n")
    gw = make_trusted(xclient=True, hosts=[f"127.0.0.1:{postfix.port}"],
                      tls="encrypt")
    for n in (10, 11):
        with gw.dialog(first=from_client(n)) as d:
            d.envelope("x@both.test", ANN)
            id = queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))
        mail = legacy.wait_message(id)
        assert f" [192.0.2.{n}])" in client_line(mail), mail.raw
        assert b"using TLSv1.3" in mail.raw.split(b"\r\nReceived:")[0]
        assert gw.wait_event("delivered", id)["tls"].startswith("TLSv1.3")


def test_a_postfix_that_offers_no_xclient_gets_the_mail(
        make_trusted, make_postfix, legacy):
    postfix = make_postfix("mynetworks = 127.0.0.0/8\n")
    gw = make_trusted(xclient=True, hosts=[f"127.0.0.1:{postfix.port}"])
    with gw.dialog(first=from_client(10)) as d:
        d.envelope("x@both.test", ANN)
        id = queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))
    mail = legacy.wait_message(id)
    assert "[127.0.0.1])" in client_line(mail), mail.raw
