# SPDX-License-Identifier: ISC
"""Taking mail: promises T1, T3, T4, T5, T7 and what is said of a refusal."""
import re

import pytest

from dialog import crlf, dotted, queued_id

ANN = "ann@example.com"


def test_what_got_250_is_delivered_after_a_kill_at_once(gw, legacy):
    """T1, D8: the leg was down, so nothing but the journal has it."""
    legacy.refuse_connections()
    ids = [gw.send(to=f"u{i}@example.com") for i in range(5)]
    gw.kill()
    legacy.accept_connections()
    gw.start()
    for id in ids:
        legacy.wait_message(id)
    gw.wait_empty()
    assert sorted(m.id for m in legacy.mails) == sorted(ids)


def test_the_id_of_the_reply_is_in_the_trace_field_and_the_events(
        gw, legacy):
    id = gw.send()
    mail = legacy.wait_message(id)
    assert re.match(rb"Received: from client\.test \(\[127\.0\.0\.1\]\)\r\n"
                    rb"\tby relay\.example\.com with ESMTP id "
                    + id.encode() + rb"[ ;]", mail.trace), mail.trace
    assert all(len(l) <= 78 for l in mail.trace.split(b"\r\n"))
    accepted = gw.wait_event("accepted", id)
    assert accepted["client"] == "127.0.0.1"
    assert accepted["helo"] == "client.test"
    assert accepted["listen"] == "mx"
    assert accepted["from"] == "sender@elsewhere.test"
    assert accepted["recipients"] == 1
    delivered = gw.wait_event("delivered", id)
    assert delivered["to"] == ANN
    assert (delivered["leg"], delivered["role"]) == ("legacy", "primary")
    assert delivered["code"] == 250


BODIES = {
    "long line": b"Subject: long\r\n\r\n" + b"x" * 40000 + b"\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n\r\n",
    "no header": b"\r\nno header at all\r\n",
    "empty": b"",
    "odd header": b"Subject:no blank\r\nX-Odd :\t \r\n folded\r\n\r\nx\r\n",
    "tnef": b"Subject: tnef\r\nContent-Type: application/ms-tnef\r\n\r\n"
            + bytes(b for b in range(1, 256) if b not in (10, 13)) * 9
            + b"\r\n",
    "big": b"Subject: big\r\n\r\n" + (b"y" * 76 + b"\r\n") * 40000,
}


@pytest.mark.parametrize("name", BODIES)
def test_bytes_are_sacred_on_both_legs(gw, legacy, cloud, name):
    """T3."""
    gw.cli(f"route set legacy+cloud {ANN}")
    body = BODIES[name]
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        id = queued_id(d.data(dotted(body) + b".\r\n"))
    one, two = legacy.wait_message(id), cloud.wait_message(id)
    assert one.below == body
    assert one.raw == two.raw


def test_real_mail_is_sacred_on_both_legs(gw, legacy, cloud, real_mail):
    gw.cli(f"route set legacy+cloud {ANN}")
    for file in real_mail:
        body = crlf(file.read_bytes())
        with gw.dialog() as d:
            d.envelope("a@elsewhere.test", ANN)
            id = queued_id(d.data(dotted(body) + b".\r\n"))
        for leg in (legacy, cloud):
            assert leg.wait_message(id).below == body, file


RELAY = ["u@not-ours.test", "u%not-ours.test@example.org", "u@[192.0.2.1]",
         "u@[127.0.0.1]", "u@localhost", "u@example.com.not-ours.test",
         "u@notexample.com", '"u@not-ours.test"@elsewhere.test',
         "@example.com:u@not-ours.test", "@example.com,@x.test:u@not-ours.t",
         "not-ours.test!u@elsewhere.test", "u@example.co",
         # Ours by its domain; a leg that trusts us would send it on.
         "u%not-ours.test@example.com", "not-ours.test!u@example.com",
         '"u@not-ours.test"@example.com', "ann+u%not-ours.test@example.com"]


@pytest.mark.parametrize("rcpt", RELAY)
@pytest.mark.parametrize("sender", ["", "a@elsewhere.test", ANN])
def test_never_an_open_relay(gw, rcpt, sender):
    """T4."""
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok(f"MAIL FROM:<{sender}>")
        r = d.cmd(f"RCPT TO:<{rcpt}>")
        assert 500 <= r.code < 560 and r.enh.startswith("5."), r


def test_a_leg_s_own_domain_is_taken_and_mapped_back_to_its_row(
        make_gw, cloud):
    gw = make_gw({'leg "cloud"': {"domains": ["tenant.cloud.test"]}})
    gw.cli(f"route set cloud {ANN} --address cloud=ann@tenant.cloud.test")
    id = gw.send(to="ann@tenant.cloud.test")
    assert cloud.wait_message(id).rcpt == ["ann@tenant.cloud.test"]
    gw.cli(f"route set reject {ANN}")
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        assert d.cmd("RCPT TO:<ann@tenant.cloud.test>").code == 550


@pytest.mark.parametrize("rcpt", ["postmaster", "Postmaster@example.com",
                                  "abuse@example.com"])
def test_postmaster_and_abuse_are_always_taken(make_gw, legacy, rcpt):
    """T5."""
    gw = make_gw({'domain "example.com"': {"unknown": "reject"}})
    gw.cli("route set legacy admin@example.com")
    id = gw.send(to=rcpt)
    assert legacy.wait_message(id).rcpt == ["admin@example.com"]


UNKNOWN = [("reject", 550, "5.1.1"), ("defer", 450, "4.1.1"),
           ("route", 250, "2.1.5")]


@pytest.mark.parametrize("policy, code, enh", UNKNOWN)
def test_unknown_recipients_are_answered_by_the_policy(make_gw, policy, code,
                                                       enh):
    gw = make_gw({'domain "example.com"': {"unknown": policy}})
    gw.cli(f"route set legacy {ANN}")
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        r = d.cmd("RCPT TO:<nobody@example.com>")
        assert (r.code, r.enh) == (code, enh)
        assert d.cmd(f"RCPT TO:<{ANN}>").code == 250


FOLD = [
    # row, asked, what the leg hears
    ("ann@example.com", "ANN@Example.COM", "ANN@Example.COM"),
    ("ann@example.com", "ann+News@example.com", "ann+News@example.com"),
    ("ann@example.com", '"ann"@example.com', '"ann"@example.com'),
    ("ann@bücher.example", "ann@xn--bcher-kva.example",
     "ann@xn--bcher-kva.example"),
]


@pytest.mark.parametrize("row, asked, heard", FOLD)
def test_lookups_fold_and_the_address_travels_as_it_came(
        make_gw, cloud, row, asked, heard):
    """T7."""
    gw = make_gw({'domain "bücher.example"': {"route": "legacy"}})
    gw.cli(f"route set cloud {row}")
    id = gw.send(to=asked)
    assert cloud.wait_message(id).rcpt == [heard]


def test_exact_beats_base_beats_domain(gw, legacy, cloud):
    gw.cli("route set cloud ann@example.com")
    gw.cli("route set legacy ann+old@example.com")
    gw.cli("route set legacy @example.com")
    ids = [gw.send(to=t) for t in ("ann+old@example.com",
                                   "ann+new@example.com",
                                   "bob@example.com")]
    legacy.wait_message(ids[0])
    cloud.wait_message(ids[1])
    legacy.wait_message(ids[2])


def test_a_rewritten_address_keeps_the_detail(gw, cloud):
    gw.cli("route set cloud ann@example.com "
           "--address cloud=ann.smith@tenant.cloud.test")
    id = gw.send(to="ann+news@example.com")
    assert cloud.wait_message(id).rcpt == \
        ["ann.smith+news@tenant.cloud.test"]
    event = gw.wait_event("delivered", id)
    assert event["to"] == "ann+news@example.com"
    assert event["address"] == "ann.smith+news@tenant.cloud.test"


def test_hops_over_the_limit_are_a_loop(gw, legacy):
    """D6."""
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        r = d.data(b"Received: from a by b; x\r\n" * 101 +
                   b"Subject: round\r\n\r\nx\r\n.\r\n")
        assert (r.code, r.enh) == (554, "5.4.6")
    assert not legacy.mails


def test_every_refusal_a_sender_saw_is_on_record(gw):
    """A3."""
    gw.cli("route set gone gone@example.com")
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        for rcpt in ("x@not-ours.test", "gone@example.com",
                     "gone@example.com"):
            assert d.cmd(f"RCPT TO:<{rcpt}>").code == 550
    e = gw.wait_event("refused", to="x@not-ours.test")
    assert (e["client"], e["listen"], e["stage"]) == \
        ("127.0.0.1", "mx", "rcpt")
    assert (e["code"], e["enhanced"]) == (550, "5.7.1")
    assert e["from"] == "a@elsewhere.test" and e["count"] == 1
    gw.wait_event("refused", to="gone@example.com")
    assert sum(e["count"] for e in
               gw.events(event="refused", to="gone@example.com")) == 2
