# SPDX-License-Identifier: ISC
"""Forged Authentication-Results (RFC 8601 5): what bears our id is removed,
whoever brings it; every other byte stays, so that signatures verify."""
import json
import re

import dkim
import pytest

from dialog import crlf, dotted, queued_id
from until import until

ANN = "ann@example.com"
US = b"relay.example.com"
AR = b"Authentication-Results"
FORGED = [
    AR + b": " + US + b"; spf=pass\r\n",
    b"authentication-results : (a (b)) \"relay.EXAMPLE.com\" 1;\r\n\tdkim=pass\r\n",
    AR + b":\r\n " + US + b"\r\n\t; spf=pass\r\n smtp.mailfrom=x@y.test\r\n",
]
OTHERS = AR + b": mx.elsewhere.test; spf=fail\r\n" \
    b"ARC-" + AR + b": i=1; " + US + b"; spf=pass\r\n" \
    b"X-" + AR + b": " + US + b"; spf=pass\r\n"


def by_data(gw, content):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        return queued_id(d.data(dotted(content) + b".\r\n"))


def by_bdat(gw, content, size=7):
    """Chunks that cut names, folds and ids anywhere."""
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        for at in range(0, len(content), size):
            chunk = content[at:at + size]
            d.send(b"BDAT %d\r\n" % len(chunk) + chunk)
            assert d.reply().code == 250
        return queued_id(d.cmd("BDAT 0 LAST"))


def test_signed_real_mail_verifies_on_both_legs_without_them(
        gw, legacy, cloud, real_mail, dkim_key):
    private, record = dkim_key
    gw.cli(f"route set legacy+cloud {ANN}")
    for file in real_mail:
        body = crlf(file.read_bytes())
        if not re.search(rb"^From:", body, re.I | re.M):
            body = b"From: a@elsewhere.test\r\n" + body
        body = dkim.sign(body, b"sel", b"elsewhere.test", private,
                         canonicalize=(b"simple", b"simple")) + OTHERS + body
        id = by_data(gw, FORGED[0] + FORGED[2] + body)
        for leg in (legacy, cloud):
            mail = leg.wait_message(id)
            assert mail.below == body, file
            assert dkim.verify(mail.raw, dnsfunc=lambda *_, **__: record), file
        assert gw.wait_event("accepted", id)["stripped"] == 2


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
def test_in_pieces_by_bdat(gw, legacy, cloud, forged):
    legacy.offers = cloud.offers = {"CHUNKING", "DSN"}
    gw.cli(f"route set legacy+cloud {ANN}")
    body = b"From: a@elsewhere.test\r\n" + OTHERS + b"\r\n" + forged
    id = by_bdat(gw, b"To: x\r\n" + forged + body)
    for leg in (legacy, cloud):
        assert leg.wait_message(id).below == b"To: x\r\n" + body


def test_bare_line_feeds_hide_none(gw, legacy):
    legacy.offers = {"CHUNKING", "DSN"}
    gw.send()  # by now it is known that the leg takes chunks
    legacy.wait_count(1)
    forged = FORGED[2].replace(b"\r\n", b"\n")
    id = by_bdat(gw, b"To: x\n" + forged + b"From: y\n\n" + forged, 5)
    assert legacy.wait_message(id).below == b"To: x\nFrom: y\n\n" + forged


def test_beyond_the_header_that_waits_for_our_block(gw, legacy):
    pad = b"".join(b"X-Pad-%d: %s\r\n" % (i, b"p" * 60) for i in range(3000))
    id = by_data(gw, pad + FORGED[0] + b"\r\nbody\r\n")
    assert legacy.wait_message(id).below == pad + b"\r\nbody\r\n"
    id = by_data(gw, b"To: x\r\n" + FORGED[0] + b" p\r\n" * 50000)
    assert legacy.wait_message(id).below == b"To: x\r\n"
    assert gw.wait_event("accepted", id)["stripped"] == 1


def test_the_id_is_a_setting_and_trace_tells(make_gw, legacy):
    gw = make_gw({"spf": {"authserv_id": "mail.example.net"}})
    theirs = AR + b": mail.example.net; spf=pass\r\n"
    id = by_data(gw, FORGED[0] + theirs + b"\r\nx\r\n")
    assert legacy.wait_message(id).below == FORGED[0] + b"\r\nx\r\n"
    gw.wait_event("delivered", id)
    until(lambda: any(json.loads(row).get("stripped") == 1 for row in
                      gw.run("trace", id, "--json").stdout.splitlines()),
          "the index")
    assert "stripped" not in gw.wait_event("accepted", gw.send())


def test_what_a_leg_hands_back_is_no_exception(make_gw, legacy, cloud):
    """Ours of the first pass, which the leg could have changed."""
    gw = make_gw({'leg "cloud"': {"clients": ["127.0.0.1/32"]}})
    id = by_data(gw, FORGED[0] + b"Received-SPF: pass (" + US +
                 b": x)\r\n\r\nx\r\n")
    assert legacy.wait_message(id).below == \
        b"Received-SPF: pass (" + US + b": x)\r\n\r\nx\r\n"
