# SPDX-License-Identifier: ISC
"""End of data, as attackers write it: refused or data, on both legs one
message and never two (T6)."""
import re

import pytest

from dialog import queued_id

ANN = "ann@example.com"
SECOND = (b"MAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<ann@example.com>\r\n"
          b"DATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n")

ENDS = [b"\n.\n", b"\n.\r", b"\n.\r\n", b"\r.\r", b"\r.\n", b"\r.\r\n",
        b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
        b"\r\0\n.\r\n", b"\0\r\n.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
        b"\r\n. \r\n", b"\r\n\t.\r\n", b"\r\n..\r\n"]
HARMLESS = {b"\r\n. \r\n", b"\r\n\t.\r\n", b"\r\n..\r\n"}


@pytest.fixture
def both_gw(make_gw, make_leg):
    """One leg by BDAT and one by DATA."""
    data = make_leg("data", offers=())
    bdat = make_leg("bdat")
    gw = make_gw(legs={"legacy": data, "cloud": bdat})
    gw.cli(f"route set legacy+cloud {ANN}")
    return gw, data, bdat


def ids(end):
    return re.sub(r"\\x0([0-9a-f])", r"\1", repr(end)[2:-1])


@pytest.mark.parametrize("end", ENDS, ids=ids)
def test_no_false_end_makes_a_second_message(both_gw, end):
    gw, data, bdat = both_gw
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        r = d.data(b"Subject: first\r\n\r\nbody" + end + SECOND)
        if end not in HARMLESS:
            assert (r.code, r.enh) == (550, "5.6.11")
            assert d.closed()
            assert not data.seen and not bdat.seen
            assert not gw.events(event="accepted")
            return
        id = queued_id(r)
    for leg in (data, bdat):
        mail = leg.wait_message(id)
        assert b"smuggled" in mail.below
        # The first dot of a line is the protocol's, not the content's.
        assert b"body" + end.replace(b"\n.", b"\n") + b"MAIL" in mail.below
    gw.wait_empty()
    assert len(data.mails) == len(bdat.mails) == 1


CUTS = [tuple(i for i in range(1, 5) if bits >> (i - 1) & 1)
        for bits in range(16)]


def test_the_five_bytes_end_the_data_however_they_come(gw, legacy):
    """All 16 cuts of CRLF.CRLF; on one connection, the next mail follows."""
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        got = []
        for cut in CUTS:
            d.ok("MAIL FROM:<a@elsewhere.test>")
            d.ok(f"RCPT TO:<{ANN}>")
            assert d.cmd("DATA").code == 354
            d.send(b"Subject: cut\r\n\r\nx")
            start = 0
            for at in (*cut, 5):
                d.send(b"\r\n.\r\n"[start:at])
                start = at
            got.append(queued_id(d.reply()))
    for id in got:
        assert legacy.wait_message(id).below == b"Subject: cut\r\n\r\nx\r\n"


@pytest.mark.parametrize("size", [996, 998, 1000, 4094, 4096, 65534, 65536])
def test_a_dot_at_a_border_of_a_buffer_is_a_dot(both_gw, size):
    gw, data, bdat = both_gw
    head = b"Subject: border\r\n\r\n"
    body = head + b"x" * (size - len(head) - 2) + b"\r\n.\r\n..\r\nend\r\n"
    wire = re.sub(rb"(?m)^\.", b"..", body) + b".\r\n"
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        id = queued_id(d.data(wire))
    for leg in (data, bdat):
        assert leg.wait_message(id).below == body


def test_a_dot_as_the_first_line_is_an_empty_message(gw, legacy):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        id = queued_id(d.data(b".\r\n"))
    assert legacy.wait_message(id).below == b""


DEVICE = b"Subject: old device\n\nline\n.\n..x\rend\r\n"


def test_normalised_for_the_listed_client_only(make_gw, legacy):
    gw = make_gw({'listen "mx"': {"bare_newline_clients": ["127.0.0.2"]}})
    with gw.dialog(source="127.0.0.2") as d:
        d.envelope("a@elsewhere.test", ANN)
        id = queued_id(d.data(DEVICE + b".\r\n"))
    got = legacy.wait_message(id).below
    assert got.startswith(b"Subject: old device\r\n\r\nline\r\n")
    assert re.search(rb"[^\r]\n|\r[^\n]", got) is None
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        assert d.data(DEVICE + b".\r\n").code == 550


@pytest.mark.parametrize("client, taken", [
    ("10.1.2.3", True), ("172.31.0.9", True), ("192.168.7.7", True),
    ("fd00::7", True), ("203.0.113.7", False), ("172.32.0.1", False),
    ("127.0.0.1", False), ("2001:db8::7", False)])
def test_private_networks_are_normalised_and_strangers_are_not(
        make_gw, legacy, client, taken):
    gw = make_gw({'listen "mx"': {"proxy_from": ["127.0.0.1"]}})
    kind = "TCP6" if ":" in client else "TCP4"
    own = "::1" if ":" in client else "127.0.0.1"
    with gw.dialog(first=f"PROXY {kind} {client} {own} 4000 25\r\n".encode()
                   ) as d:
        d.envelope("a@elsewhere.test", ANN)
        r = d.data(DEVICE + b".\r\n")
    assert r.code == (250 if taken else 550), r
    if taken:
        assert b"line\r\n" in legacy.wait_message(queued_id(r)).below
        assert gw.wait_event("repaired")["client"] == client


def test_a_command_that_ends_in_a_bare_newline_ends_the_session(gw):
    with gw.dialog() as d:
        d.send("EHLO client.test\n")
        assert d.reply().code >= 500 and d.closed()
